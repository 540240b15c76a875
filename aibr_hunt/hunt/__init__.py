"""Hunts and runs: what is asked is planned, executed on an engine, matched, recorded and told."""

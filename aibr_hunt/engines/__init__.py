"""Engines: each runs a Query over its Source and yields Hits. Drivers are imported inside functions."""

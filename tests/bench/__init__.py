"""Benches: synthetic CloudTrail-shaped logs, rule sets, a floor to compare with, and a table of ratios. Never asserted on time."""

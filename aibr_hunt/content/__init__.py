"""YAML to values: rules, filters, hunts, mappings, their checks and their cases. The only room that knows pySigma."""

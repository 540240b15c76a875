"""The targets that aibr_hunt adds to pySigma and sigma-cli.

pySigma takes every back end that it sees in this module's namespace for a target: only finished ones are imported here.
"""

from sigma.backends.aibr_hunt.targets import AthenaTarget, BigQueryTarget, DuckDBTarget, KqlTarget

__all__ = ["AthenaTarget", "BigQueryTarget", "DuckDBTarget", "KqlTarget", "backends"]

backends = {each.identifier: each for each in (AthenaTarget, BigQueryTarget, DuckDBTarget, KqlTarget)}

"""`python -m sigma.validators.aibr_hunt` prints where the configuration for `sigma check` lies."""

from pathlib import Path

print(Path(__file__).with_name("validation.yml"))  # noqa: T201 - this is all that it does

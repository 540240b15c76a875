"""`python -m aibr_hunt.cli` is the command `aibr-hunt`."""

from aibr_hunt.cli import main

main()

"""The command line: one file a command group, each loaded only when it is called."""

from __future__ import annotations

import io
import sys

from aibr_hunt.cli.main import cli

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code (docs/record.md section 7)."""
    from aibr_hunt.cli.output import run_guarded

    for stream in (sys.stdout, sys.stderr):  # a sign that the output cannot show must not end a command half-way
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run_guarded(cli))


if __name__ == "__main__":
    main()

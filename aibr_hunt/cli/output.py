"""What commands print, and how they end: tables, JSON lines, errors and exit codes (docs/record.md section 7)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

import click

from aibr_hunt.errors import AibrError, ContentError, ContentErrors, EngineError, LedgerError, UsageError
from aibr_hunt.model.text import for_terminal

LIST_ROWS: Final = 50


class Exit(IntEnum):
    """How a command ended."""

    NOTHING_FOUND = 0
    FINDINGS = 1
    USER_MISTAKE = 2
    FAILURE = 3
    INCOMPLETE = 4


_RANK: Final = (Exit.FAILURE, Exit.USER_MISTAKE, Exit.INCOMPLETE, Exit.FINDINGS, Exit.NOTHING_FOUND)


def gravest(codes: Iterable[Exit]) -> Exit:
    """Return the code that wins: 3, 2, 4, 1, then 0."""
    present = set(codes)
    return next((code for code in _RANK if code in present), Exit.NOTHING_FOUND)


def run_guarded(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; our own errors are printed as a sentence, never as a traceback."""
    try:
        result = command.main(args=None if arguments is None else list(arguments), prog_name="aibr-hunt", standalone_mode=False)
    except click.exceptions.Abort:
        complain("Stopped.")
        return int(Exit.FAILURE)
    except click.ClickException as error:
        error.show()
        return int(Exit.USER_MISTAKE)
    except AibrError as error:
        complain(str(error))
        return int(_code_of(error))
    except BrokenPipeError:  # the reader of our output has gone: `aibr-hunt leads list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.NOTHING_FOUND)
    return int(result) if isinstance(result, int) else int(Exit.NOTHING_FOUND)


def _code_of(error: AibrError) -> Exit:
    if isinstance(error, EngineError | LedgerError):
        return Exit.FAILURE
    if isinstance(error, UsageError | ContentError | ContentErrors):
        return Exit.USER_MISTAKE
    return Exit.USER_MISTAKE


def complain(message: str) -> None:
    """Print a message on standard error, made safe for a terminal line by line."""
    for line in message.splitlines() or [""]:
        click.echo(for_terminal(line), err=True)


def say(line: str = "") -> None:
    """Print a line of our own words on standard output; log fields in it must have been made safe."""
    click.echo(line)


def say_json(row: Mapping[str, object]) -> None:
    """Print one JSON line: ASCII only, so that no log field can act on a terminal."""
    click.echo(json.dumps(row, ensure_ascii=True, separators=(",", ":"), default=str))


def say_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, show_all: bool = False, right: frozenset[int] = frozenset()
) -> None:
    """Print a plain table; more than 50 rows are cut on a terminal, and the last line says so.

    Args:
        headers: One a column.
        rows: Cells as text; they are made safe here.
        show_all: True prints every row.
        right: Columns that are aligned to the right.
    """
    shown = rows if show_all or not sys.stdout.isatty() else rows[:LIST_ROWS]
    safe = [[for_terminal(cell) for cell in row] for row in shown]
    widths = [max(len(cell) for cell in column) for column in zip(headers, *safe, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    say(line(headers))
    for row in safe:
        say(line(row))
    if len(shown) < len(rows):
        say(f"{len(shown)} of {len(rows)} shown, --all for the rest")


def progress_wanted() -> bool:
    """True when progress may be drawn: standard error is a terminal."""
    return sys.stderr.isatty()


Teller = Callable[[str], None]

"""What commands print, and how they end: tables, JSON lines, errors and exit codes (docs/record.md section 7)."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

import click

from aibr_hunt.cli.settings import LOG_LEVELS, Settings
from aibr_hunt.errors import AibrError, EngineError, LedgerError
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
    """Run a command and return its exit code; every error is printed as a sentence, and a traceback only for --log-level debug."""
    try:
        result = command.main(args=None if arguments is None else list(arguments), prog_name="aibr-hunt", standalone_mode=False)
    except click.exceptions.Abort:
        complain("Stopped.")
        return int(Exit.FAILURE)
    except click.ClickException as error:
        error.show()
        return int(Exit.USER_MISTAKE)
    except AibrError as error:
        complain_lines(str(error))
        return int(_code_of(error))
    except OSError as error:
        complain(f"{error.filename or 'A file'}: {error.strerror or error}.")
        return int(Exit.USER_MISTAKE if isinstance(error, _USERS_OWN) else Exit.FAILURE)
    except Exception as error:  # noqa: BLE001 - the one outer edge: what nobody foresaw ends here, as a sentence
        _tell_unforeseen(error)
        return int(Exit.FAILURE)
    return int(result) if isinstance(result, int) else int(Exit.NOTHING_FOUND)


def _tell_unforeseen(error: Exception) -> None:
    """Say what failed and where, without what the error says: that may be data of a log."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [(str(frame.f_globals.get("__name__", "")), line) for frame, line in frames]
    module, line = next((place for place in reversed(own) if place[0].startswith("aibr_hunt.")), own[-1])
    complain(f"A fault of aibr-hunt itself: {type(error).__name__} in {module}, line {line}.")
    is_debug = any(_log_level(frame.f_locals.get("ctx")) == "debug" for frame, _ in frames)
    if is_debug:
        complain_lines("".join(traceback.format_exception(error)))
    how = "this traceback" if is_debug else "the traceback that --log-level debug shows"
    complain(f"Please report it with the command that you ran and {how}; look it over first, it may quote log data.")


def _log_level(context: object) -> str:
    """Return the level that a command's context carries: at the outer edge, click has left it already."""
    settings = context.find_object(Settings) if isinstance(context, click.Context) else None
    return "" if settings is None else settings.text("log_level")


# A path that cannot be what it was named for is the user's to mend; a full or broken disk is not.
_USERS_OWN: Final = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def _code_of(error: AibrError) -> Exit:
    return Exit.FAILURE if isinstance(error, EngineError | LedgerError) else Exit.USER_MISTAKE


def leave_quietly() -> int:
    """Let nothing more be written, as the reader of our output has gone (`aibr-hunt leads list | head`); return the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(Exit.NOTHING_FOUND)


def complain(message: str, *, level: str = "error") -> None:
    """Print one line on standard error, made safe for a terminal, unless --log-level asks for less.

    Args:
        message: The line. Text of others in it can neither act on the terminal nor begin a line of its own.
        level: One of LOG_LEVELS.
    """
    if _is_told(level):
        click.echo(for_terminal(message), err=True)


def complain_lines(message: str, *, level: str = "error") -> None:
    """Print a text of our own that has lines on standard error, each made safe for a terminal."""
    for line in message.splitlines() or [""]:
        complain(line, level=level)


def _is_told(level: str) -> bool:
    context = click.get_current_context(silent=True)
    wanted = context.find_object(Settings) if context is not None else None
    return wanted is None or LOG_LEVELS.index(level) <= LOG_LEVELS.index(wanted.text("log_level"))


def say(line: str = "") -> None:
    """Print a line on standard output, made safe for a terminal."""
    click.echo(for_terminal(line))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def say_verbatim(text: str) -> None:
    """Print a text of our own as it is: a script, JSON without anything but ASCII."""
    click.echo(text)


def ascii_json(value: object, *, indent: int | None = None) -> str:
    """Return JSON of printable ASCII only, so that no log field can act on a terminal."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=True, indent=indent, separators=separators, default=str).replace("\x7f", r"\u007f")


def say_json(row: Mapping[str, object]) -> None:
    """Print one JSON line."""
    say_verbatim(ascii_json(row))


def say_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, show_all: bool = False, right: frozenset[int] = frozenset()
) -> None:
    """Print a plain table; on a terminal, more than 50 rows are cut and the last line says so.

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

    for row in (headers, *safe):
        click.echo(line(row))
    if len(shown) < len(rows):
        say(f"{len(shown)} of {len(rows)} shown, --all for the rest")


def progress_wanted() -> bool:
    """True when progress may be drawn: standard error is a terminal."""
    return sys.stderr.isatty()

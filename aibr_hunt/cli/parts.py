"""Options and objects that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

import click

from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.library import Library
from aibr_hunt.errors import UsageError
from aibr_hunt.meaning.scalar import time_of
from aibr_hunt.model.window import Window

F = TypeVar("F", bound=Callable[..., object])


def library_of(settings: Settings) -> Library:
    """Return the content in force."""
    return Library(settings.content, cache=RuleCache(settings.cache))


def json_option(function: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON lines for machines.")(function)


def all_option(function: F) -> F:
    """Add `--all`."""
    return click.option("--all", "show_all", is_flag=True, help="Print every row.")(function)


def window_options(function: F) -> F:
    """Add `--from`, `--to` and `--last`."""
    function = click.option("--last", "last", help="The time up to now, such as P14D, 14d or 36h.")(function)
    function = click.option("--to", "until", help="End, not included: RFC 3339 with offset, or a date (UTC day).")(function)
    return click.option("--from", "since", help="Start, included: RFC 3339 with offset, or a date (UTC day).")(function)


def window_of(since: str | None, until: str | None, last: str | None, *, now: datetime) -> Window:
    """Return the window that the options mean.

    Raises:
        UsageError: A time without offset, an unreadable one, --last with --from, or an end before the start.
    """
    if last is not None:
        if since is not None:
            raise UsageError("--last and --from exclude each other.", hint="Give one of them.")
        end = _moment(until, "--to") if until else now
        return Window(start=end - duration_of(last), end=end)
    window = Window(start=_moment(since, "--from") if since else None, end=_moment(until, "--to") if until else None)
    if window.start and window.end and window.start >= window.end:
        raise UsageError("--to is not after --from.", hint="The end is not included: give the next day or a later moment.")
    return window


def _moment(text: str, option: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC) if len(text) == 10 else _aware(text, option)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time.", hint="Write 2026-01-31 or 2026-01-31T18:00:00Z.") from None


def _aware(text: str, option: str) -> datetime:
    moment = time_of(text.replace(" ", "T", 1))
    if moment is not None:
        return moment
    if datetime.fromisoformat(text).tzinfo is None:
        raise UsageError(f"{option} {text!r} has no offset.", hint=f"Write {text}Z for UTC, or {text}+02:00.")
    return datetime.fromisoformat(text).astimezone(UTC)


def duration_of(text: str) -> timedelta:
    """Return the length that `P14D`, `PT36H`, `14d`, `36h` or `90m` means.

    Raises:
        UsageError: The text is none of these.
    """
    units = {"W": "weeks", "D": "days", "H": "hours", "M": "minutes"}
    body = text.upper()
    plain = body.removeprefix("PT").removeprefix("P")
    is_iso_minutes = plain[-1:] == "M" and body.startswith("P") and not body.startswith("PT")
    if plain[:-1].isdigit() and plain[-1:] in units and not is_iso_minutes and int(plain[:-1]) > 0:
        return timedelta(**{units[plain[-1]]: int(plain[:-1])})
    raise UsageError(f"{text!r} is no length of time.", hint="Write P14D, PT36H, 14d, 36h or 90m.")


def window_text(window: Window) -> str:
    """Return a window as one phrase."""
    start = "the beginning" if window.start is None else window.start.strftime("%Y-%m-%dT%H:%M:%SZ")
    end = "the end" if window.end is None else window.end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"[{start}, {end})"

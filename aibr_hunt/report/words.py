"""How numbers, times and counts read in a report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from aibr_hunt.model.lead import Lead
from aibr_hunt.model.window import Window

LEVELS = ("critical", "high", "medium", "low", "informational")
_RANK = {level: rank for rank, level in enumerate(LEVELS)}
_PREFIXES = ("kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000


def level_rank(level: str) -> int:
    """Return 0 for the gravest level, rising; a level that Sigma does not know comes last."""
    return _RANK.get(level, len(LEVELS))


def level_name(level: str) -> str:
    """Return the level when Sigma knows it, else `other`: the value is used as a style name and must be ours."""
    return level if level in _RANK else "other"


def number(count: float) -> str:
    """Return a count with thousands apart: `12,345`; a fraction keeps three decimals."""
    return f"{count:,}" if isinstance(count, int) or not count.is_integer() else f"{int(count):,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return the count with its noun: `1 lead`, `7 leads`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def byte_size(count: int) -> str:
    """Return a size for the eye, in decimal units: `1.4 MB`; below 10 kB the exact count."""
    if count < 10 * _THOUSAND:
        return plural(count, "byte")
    power = min((len(str(count)) - 1) // 3, len(_PREFIXES))
    return f"{count / _THOUSAND**power:.1f} {_PREFIXES[power - 1]}"


def time_text(moment: datetime | None) -> str:
    """Return a time in UTC, with a fraction only when there is one; `untimed` for None."""
    if moment is None:
        return "untimed"
    moment = moment.astimezone(UTC)
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d} {moment:%H:%M:%S}{'.' + fraction if fraction else ''}Z"


def window_text(window: Window) -> str:
    """Return the half-open span in words; says so when it has no bound."""
    if window.start is None and window.end is None:
        return "no bound on time"
    start = "the beginning" if window.start is None else time_text(window.start)
    end = "no end" if window.end is None else f"{time_text(window.end)} (not included)"
    return f"from {start} to {end}"


def span_text(window: Window) -> str:
    """Return the half-open span in short: `2026-03-01 to 2026-03-15`, with times where a bound is not midnight."""
    if window.start is None and window.end is None:
        return "no bound on time"
    return f"{_bound_text(window.start, 'beginning')} to {_bound_text(window.end, 'open end')}"


def _bound_text(moment: datetime | None, unbounded: str) -> str:
    return unbounded if moment is None else time_text(moment).removesuffix(" 00:00:00Z")


def listed(items: Iterable[str]) -> str:
    """Return the items as an English list: `a, b and c`."""
    found = list(items)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""


def by_time(leads: Iterable[Lead]) -> tuple[Lead, ...]:
    """Return the leads in order of event time, untimed ones last."""
    return tuple(sorted(leads, key=lambda lead: (lead.time is None, lead.time.timestamp() if lead.time else 0.0, lead.id)))

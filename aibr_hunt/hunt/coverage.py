"""What a run over files may claim: coverage and pulse, computed from the files' accounts alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.model.event import Account, ByteClass
from aibr_hunt.model.lead import CoverageState, Pulse
from aibr_hunt.model.window import Window

# How far the first and last event of the files may lie from the bounds that were asked for the window to be settled up
# to these bounds. The first event of a night never falls on its first microsecond, so without a tolerance no window
# would ever be settled; in an hour a cloud account that is in use logs something.
REACH_TOLERANCE: Final = timedelta(hours=1)
_MICROSECOND: Final = timedelta(microseconds=1)

Claim = tuple[Window, CoverageState, str]


def claims_of(source: str, accounts: Sequence[Account], *, asked: Window, unknown: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Return what is known of a source, as windows by time that do not overlap, each with its state and cause.

    Args:
        source: Name of the source.
        accounts: The accounts of its files.
        asked: The window that was asked; a side without a bound ends where the files end.
        unknown: Paths that could not be read, not even to tell their source: each may have been a file of this one.
    """
    fault = _fault_of(source, accounts, unknown)
    span = _span_of(accounts)
    if fault is not None:
        return ((_closed(asked, span), *fault),)
    if asked.start is None and asked.end is None:
        return ((_closed(asked, span), CoverageState.SETTLED, "as far as the files reach"),)
    if span is None:
        return ((asked, CoverageState.NOT_KNOWN_ALIVE, "no event time is known of any file"),)
    first, end = span
    if (asked.start is not None and end <= asked.start) or (asked.end is not None and first >= asked.end):
        return ((asked, CoverageState.NOT_KNOWN_ALIVE, "no event of the files is known to lie in the window that was asked"),)
    return tuple(_reach(asked, first, end))


def _reach(asked: Window, first: datetime, end: datetime) -> Iterator[Claim]:
    """Yield what the files reach of the asked window, with the rests before and after it that are beyond the tolerance."""
    start = asked.start if asked.start is not None and first - asked.start <= REACH_TOLERANCE else first
    stop = asked.end if asked.end is not None and asked.end - end <= REACH_TOLERANCE else end
    if asked.start is not None and asked.start < start:
        yield Window(start=asked.start, end=start), CoverageState.NOT_KNOWN_ALIVE, "no file reaches here"
    yield Window(start=start, end=stop), CoverageState.SETTLED, "as far as the files reach"
    if asked.end is not None and stop < asked.end:
        yield Window(start=stop, end=asked.end), CoverageState.NOT_KNOWN_ALIVE, "no file reaches here"


def _fault_of(source: str, accounts: Sequence[Account], unknown: Sequence[str]) -> tuple[CoverageState, str] | None:
    """Return why nothing of a source can be settled; None when its files were read whole and hold records."""
    if unknown:
        return CoverageState.FAILED, f"{first_of(unknown)} could not be read and may have held it; what could be read was asked"
    if not accounts:
        what = "no file was taken as written" if source == AS_WRITTEN else f"no file of the log source {source} was among the input"
        return CoverageState.NOT_COVERED, what
    if not any(sum(account.record_counts.values()) for account in accounts):
        return CoverageState.NOT_KNOWN_ALIVE, "the files hold no record"
    doubtful = [account for account in accounts if not account.is_complete]
    return (CoverageState.FAILED, _doubt(doubtful, len(accounts))) if doubtful else None


def _doubt(doubtful: Sequence[Account], files: int) -> str:
    refused = sum(account.byte_counts.get(ByteClass.REFUSED, 0) for account in doubtful)
    size = f"{refused:,} content bytes" if refused else "an unknown number of bytes"
    what = "1 file" if files == 1 else f"{files:,} files"
    was = "was" if len(doubtful) == 1 else "were"
    return f"{len(doubtful):,} of {what} {was} not read whole ({size} refused); the rest was asked"


def first_of(paths: Sequence[str]) -> str:
    """Return the first path and how many more there are."""
    return f"{paths[0]} and {len(paths) - 1:,} more" if len(paths) > 1 else paths[0]


def _span_of(accounts: Sequence[Account]) -> tuple[datetime, datetime] | None:
    """Return the earliest event time and the microsecond after the latest; None when no time is known."""
    firsts = [account.first_time for account in accounts if account.first_time is not None]
    lasts = [account.last_time for account in accounts if account.last_time is not None]
    return (min(firsts), max(lasts) + _MICROSECOND) if firsts and lasts else None


def _closed(asked: Window, span: tuple[datetime, datetime] | None) -> Window:
    """Return the asked window, its open sides closed by what the files are known to span."""
    start, end = asked.start or (span and span[0]), asked.end or (span and span[1])
    return Window(start=start, end=end) if start is None or end is None or start < end else asked


def pulses_of(accounts: Sequence[Account]) -> Iterator[Pulse]:
    """Yield the pulse of every source: events by hour, and without an hour those of files that no one hour holds."""
    groups: dict[tuple[str, datetime | None], list[Account]] = {}
    for account in accounts:
        if account.source:
            groups.setdefault((account.source, _hour_of(account)), []).append(account)
    for source, hour in sorted(groups, key=lambda key: (key[0], -math.inf if key[1] is None else key[1].timestamp())):
        group = groups[source, hour]
        span = _span_of(group)
        earliest, latest = (None, None) if span is None else (span[0], span[1] - _MICROSECOND)
        events = sum(sum(account.record_counts.values()) for account in group)
        yield Pulse(source=source, key="", hour=hour, events=events, earliest=earliest, latest=latest)


def _hour_of(account: Account) -> datetime | None:
    """Return the hour that holds all event times of a file; None when there is no such hour, or no time is known."""
    if account.first_time is None or account.last_time is None:
        return None
    first, last = (moment.replace(minute=0, second=0, microsecond=0) for moment in (account.first_time, account.last_time))
    return first if first == last else None

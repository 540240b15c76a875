"""Where a correlation may be judged: absence needs coverage (docs/meaning.md section 7.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.correlate.chosen import united
from aibr_hunt.correlate.reach import HOUR_US
from aibr_hunt.hunt.coverage import Claim
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window

# Beyond every time that an event can have: stands for an open side.
FAR_US: Final = 1 << 62
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Span = tuple[int, int]
"""Half-open, in microseconds of the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far around a window's last event everything must be known, in microseconds.

    Attributes:
        back, forward: Before and after the event; for a baseline by hours: before and after its hour.
        is_hourly: True for rare and spike, and what rests on them.
    """

    back: int
    forward: int
    is_hourly: bool = False


def us_of(window: Window) -> Span:
    """Return a window in microseconds of the epoch; open sides lie beyond every time."""
    start = -FAR_US if window.start is None else time_us_of(window.start)
    end = FAR_US if window.end is None else time_us_of(window.end)
    return start, end


def window_of(span: Span) -> Window:
    """Return the window of a span; a side beyond every time is open."""
    start, end = span
    return Window(start=None if start <= -FAR_US else moment_at(start), end=None if end >= FAR_US else moment_at(end))


def time_us_of(moment: datetime) -> int:
    """Return a moment (aware) in microseconds of the epoch, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_at(time_us: int) -> datetime:
    """Return the moment, aware UTC; one beyond the calendar is the calendar's first or last."""
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if time_us > 0 else datetime.min.replace(tzinfo=UTC)


def settled_spans(claims: Iterable[Claim]) -> tuple[Span, ...]:
    """Return where a source is known whole, as spans that neither overlap nor touch."""
    return united(us_of(window) for window, state, _ in claims if state is CoverageState.SETTLED)


def common(sources: Sequence[Sequence[Span]]) -> tuple[Span, ...]:
    """Return what all sources cover; nothing when there is no source."""
    if not sources:
        return ()
    found = list(sources[0])
    for other in sources[1:]:
        found = [(max(a, c), min(b, d)) for a, b in found for c, d in other if max(a, c) < min(b, d)]
    return tuple(found)


def judged_spans(covered: Iterable[Span], reach: Reach, *, asked: Span) -> tuple[Span, ...]:
    """Return at which times an event may end a window: those around which everything within reach is covered.

    Args:
        covered: Where all sources are known whole.
        reach: Of the correlation.
        asked: The run's own window.
    """
    spans: list[Span] = []
    for start, end in covered:
        first = start if start == -FAR_US else start + reach.back
        stop = end if end == FAR_US else end - reach.forward
        if reach.is_hourly:
            first = first if first == -FAR_US else -(-first // HOUR_US) * HOUR_US
            stop = stop if stop == FAR_US else stop // HOUR_US * HOUR_US
        spans.append((max(first, asked[0]), min(stop, asked[1])))
    return united(spans)


def rest_of(asked: Span, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return what of the asked span lies in none of the spans, which ascend and do not overlap."""
    rest: list[Span] = []
    at = asked[0]
    for start, end in spans:
        if at < min(start, asked[1]):
            rest.append((at, min(start, asked[1])))
        at = max(at, end)
    return (*rest, *(((at, asked[1]),) if at < asked[1] else ()))

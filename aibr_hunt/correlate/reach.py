"""How far around a window events must be known, and whether more events could unmake it (docs/meaning.md sections 7.3 and 7.4).

A path says how one bound follows from the time of a window's last event: a number is added, None goes down to the whole hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType

HOUR_US: Final = 3_600_000_000
HOURLY: Final = frozenset((CorrelationType.RARE, CorrelationType.SPIKE))
_COUNTS: Final = frozenset((CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT, CorrelationType.SHARE))
_AT_LEAST: Final = frozenset((Comparison.GT, Comparison.GTE))

Path: TypeAlias = tuple[int | None, ...]
ById: TypeAlias = Mapping[str, Correlation]


def hour_of(time_us: int) -> int:
    """Return the hours since epoch of a time."""
    return time_us // HOUR_US


def back_paths(correlation: Correlation, by_id: ById) -> frozenset[Path]:
    """Return how the earliest event that a window needs follows from its last event: the least of all paths."""
    own: Path = (-correlation.timespan_us,)
    inner = own
    if correlation.type in HOURLY:
        own, inner = (None, -correlation.lookback_us), (None,)
    elif correlation.type is CorrelationType.FIRST_SEEN:
        own, inner = (-correlation.lookback_us,), ()
    return frozenset((own, *(inner + path for each in _inner(correlation, by_id) for path in back_paths(each, by_id))))


def forward_paths(correlation: Correlation, by_id: ById) -> frozenset[Path]:
    """Return how the latest event that a window needs follows from its last event: the greatest of all paths."""
    own: Path = (correlation.timespan_us,) if correlation.looks_forward else ()
    if correlation.type in HOURLY:
        own = (None, HOUR_US - 1)
    return frozenset((own, *(own + path for each in _inner(correlation, by_id) for path in forward_paths(each, by_id))))


def _inner(correlation: Correlation, by_id: ById) -> Iterable[Correlation]:
    return (by_id[operand.id] for operand in correlation.operands if operand.is_correlation)


def along(path: Path, time_us: int) -> int:
    """Return the bound that a path leads to from a time."""
    for step in path:
        time_us = hour_of(time_us) * HOUR_US if step is None else time_us + step
    return time_us


def reach_us(correlation: Correlation, by_id: ById) -> tuple[int, int]:
    """Return how far before and after its last event a window may need events, at most."""
    moments = (0, HOUR_US - 1)
    back = max(moment - along(path, moment) for moment in moments for path in back_paths(correlation, by_id))
    forward = max(along(path, moment) - moment for moment in moments for path in forward_paths(correlation, by_id))
    return back, forward


def needed_span(correlation: Correlation, by_id: ById, *, start_us: int, end_us: int) -> tuple[int, int]:
    """Return the span [from, to) of events that a run over [start, end) must add to judge its own windows.

    The run's own windows are those that `Correlator.windows` yields for [start, end). The span is empty (from = to) when there
    can be none: an hourly baseline in a run that holds no end of an hour.
    """
    first, last = start_us, end_us - 1
    if correlation.type in HOURLY:
        first, last = hour_of(start_us) * HOUR_US, hour_of(end_us) * HOUR_US - 1
    if last < first:
        return start_us, start_us
    low = min(along(path, first) for path in back_paths(correlation, by_id))
    high = max(along(path, last) for path in forward_paths(correlation, by_id))
    return low, high + 1


def rests_on_presence(correlation: Correlation, by_id: ById) -> bool:
    """True when events that come to light later cannot unmake a satisfying window: its episodes may be provisional."""
    if correlation.type in _COUNTS:
        own = all(threshold.comparison in _AT_LEAST for threshold in correlation.thresholds)
    else:
        own = correlation.type in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED} and not correlation.looks_forward
    return own and all(rests_on_presence(each, by_id) for each in _inner(correlation, by_id))

"""Where each lead stands on the timeline: lanes, marks, ticks. Pure arithmetic; `timeline_svg` draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from aibr_hunt.model.lead import CoverageRow, CoverageState, Lead
from aibr_hunt.report.words import level_rank

LaneBy = Literal["rule", "principal"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_LANES = 18
_FINE_BINS, _COARSE_BINS = 75, 36
# More marks than this in one row at the fine width would touch, and their numbers would run into each other.
_MOST_FINE_MARKS = 25
_MOST_TICKS = 9
_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86400.0, 31557600.0
# Marks touch the frame without some room; a span below a minute would show nothing but its own padding.
_PADDING = 0.03
_SHORTEST_SPAN = _MINUTE
_STEPS = (
    *(5.0, 10.0, 15.0, 30.0),
    *(_MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * count for count in (1, 2, 3, 6, 12)),
    *(_DAY * count for count in (1, 2, 7, 14, 28, 91, 182)),
    *(_YEAR * count for count in (1, 2, 5, 10, 50, 100, 500, 2000)),
)
_LOOKED_AT = frozenset({CoverageState.SETTLED, CoverageState.PROVISIONAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One or more leads of one lane that stand too close together to be told apart.

    Attributes:
        at_s: Where it stands, seconds since 1970: its leads' time, or the middle of the bin when they have several.
        level: The gravest level among them; `lead_ids`: the gravest first, then by time.
    """

    lane: int
    at_s: float
    level: str
    lead_ids: tuple[str, ...]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row of the plot. `blind`: spans in seconds, within the plot, that no committed run looked at."""

    label: str
    leads: int
    blind: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A timeline ready to be drawn. `untimed`: ids of leads that have no place on it."""

    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    start_s: float
    end_s: float
    ticks: tuple[tuple[float, str], ...]
    untimed: tuple[str, ...]
    leads: int


def lay_out(leads: Sequence[Lead], *, lanes: LaneBy = "rule", coverage: Iterable[CoverageRow] = ()) -> Plot | None:
    """Return the plot of all leads that have a time; None when none has.

    Lanes beyond 18 share the last one. Leads of a lane that fall into the same 1/75 of the plot share a mark, or into
    the same 1/36 where a lane would be crowded.
    """
    timed = [lead for lead in leads if lead.time is not None]
    if not timed:
        return None
    start, end = _span([_seconds(lead) for lead in timed])
    lane_of, labels = _lanes(timed, _label_of(lanes))
    blind = _blind_spans(coverage, timed, start=start, end=end) if lanes == "rule" else {}
    placed = [(lane_of[_label_of(lanes)(lead)], lead) for lead in timed]
    counts = Counter(lane for lane, _ in placed)
    marks = _marks(placed, (start, end), _FINE_BINS)
    if max(Counter(mark.lane for mark in marks).values()) > _MOST_FINE_MARKS:
        marks = _marks(placed, (start, end), _COARSE_BINS)
    return Plot(
        lanes=tuple(Lane(label=label, leads=counts[place], blind=blind.get(label, ())) for place, label in enumerate(labels)),
        marks=marks,
        start_s=start,
        end_s=end,
        ticks=_ticks(start, end),
        untimed=tuple(lead.id for lead in leads if lead.time is None),
        leads=len(timed),
    )


def moment(seconds: float) -> datetime:
    """Return the time that stands `seconds` after 1970, within the years that a datetime can hold."""
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(lead: Lead) -> float:
    assert lead.time is not None  # noqa: S101 - callers pass timed leads only; tells the type checker so
    return (lead.time - _EPOCH).total_seconds()


def _span(seconds: Sequence[float]) -> tuple[float, float]:
    first, last = min(seconds), max(seconds)
    pad = max((last - first) * _PADDING, (_SHORTEST_SPAN - (last - first)) / 2)
    earliest = (datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()
    latest = (datetime.max.replace(tzinfo=UTC, microsecond=0) - _EPOCH).total_seconds()
    return max(first - pad, earliest), min(last + pad, latest)


def _label_of(lanes: LaneBy) -> Callable[[Lead], str]:
    if lanes == "rule":
        return lambda lead: lead.rule_name or lead.rule_id
    return lambda lead: lead.principal or "no principal named"


def _lanes(leads: Sequence[Lead], label_of: Callable[[Lead], str]) -> tuple[dict[str, int], list[str]]:
    """Return the lane of each label, and the lanes' names: gravest first, then by first lead."""
    grouped: dict[str, list[Lead]] = {}
    for lead in leads:
        grouped.setdefault(label_of(lead), []).append(lead)
    keys = {label: (min(level_rank(lead.level) for lead in group), min(map(_seconds, group)), label) for label, group in grouped.items()}
    ordered = sorted(grouped, key=lambda label: keys[label])
    if len(ordered) <= _MOST_LANES:
        return {label: place for place, label in enumerate(ordered)}, ordered
    own = _MOST_LANES - 1
    lane_of = {label: min(place, own) for place, label in enumerate(ordered)}
    return lane_of, [*ordered[:own], f"{len(ordered) - own} more"]


def _marks(placed: Iterable[tuple[int, Lead]], span: tuple[float, float], bins: int) -> tuple[Mark, ...]:
    start, width_s = span[0], (span[1] - span[0]) / bins
    grouped: dict[tuple[int, int], list[Lead]] = {}
    for lane, lead in placed:
        grouped.setdefault((lane, int((_seconds(lead) - start) / width_s)), []).append(lead)
    ordered = sorted(grouped.items(), key=lambda pair: pair[0])
    return tuple(_mark(lane, group, start + (place + 0.5) * width_s) for (lane, place), group in ordered)


def _mark(lane: int, group: Sequence[Lead], centre_s: float) -> Mark:
    ranked = sorted(group, key=lambda lead: (level_rank(lead.level), _seconds(lead), lead.id))
    times = [lead.time for lead in group if lead.time is not None]
    return Mark(
        lane=lane,
        at_s=_seconds(group[0]) if len(set(times)) == 1 else centre_s,
        level=ranked[0].level,
        lead_ids=tuple(lead.id for lead in ranked),
        first=min(times),
        last=max(times),
    )


def _blind_spans(
    coverage: Iterable[CoverageRow], leads: Iterable[Lead], *, start: float, end: float
) -> dict[str, tuple[tuple[float, float], ...]]:
    label_of_rule = {lead.rule_id: lead.rule_name or lead.rule_id for lead in leads}
    spans: dict[str, set[tuple[float, float]]] = {}
    for row in coverage:
        if row.state in _LOOKED_AT or row.rule_id not in label_of_rule:
            continue
        opening = start if row.window.start is None else (row.window.start - _EPOCH).total_seconds()
        closing = end if row.window.end is None else (row.window.end - _EPOCH).total_seconds()
        if max(opening, start) < min(closing, end):
            spans.setdefault(label_of_rule[row.rule_id], set()).add((max(opening, start), min(closing, end)))
    return {label: tuple(sorted(found)) for label, found in spans.items()}


def _ticks(start: float, end: float) -> tuple[tuple[float, str], ...]:
    step = next((step for step in _STEPS if (end - start) / step <= _MOST_TICKS), _STEPS[-1])
    # Days count from 1970-01-01, so whole days stay at midnight; years are only approximate and shown as dates.
    at = -(-start // step) * step
    ticks: list[tuple[float, str]] = []
    day_shown = ""
    while at <= end:
        day = f"{moment(at).year:04d}-{moment(at).month:02d}-{moment(at).day:02d}"
        if step >= _DAY:
            ticks.append((at, day))
        else:
            clock = f"{moment(at):%H:%M:%S}" if step < _MINUTE else f"{moment(at):%H:%M}"
            ticks.append((at, clock if day == day_shown else f"{clock}\n{day}"))
        day_shown = day
        at += step
    return tuple(ticks)

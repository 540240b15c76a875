"""Runs a correlation's text on a stand-in and compares its rows with the windows that the oracle counts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from aibr_hunt.compile.correlations import WITHOUT_FIGURE, correlation_query
from aibr_hunt.compile.program import Asking
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.layout import Layout
from aibr_hunt.model.query import Span
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.oracle.correlations import CorrelationOracle, Delivery
from tests.parity.correlation_world import HOUR_US, MINUTE_US, RULES, START, Moment, drawn, history, meets, micros, row_of, time_of
from tests.standins.contract import Gap, StandIn

# A window as it is compared: group, first and last time, figure.
Row: TypeAlias = tuple[tuple[str, ...], int, int, float | None]
Mutation: TypeAlias = Callable[[str], str]

HOURLY: Final = frozenset((CorrelationType.RARE, CorrelationType.SPIKE))
_DIGITS: Final = 9


@dataclass
class Outcome:
    """What became of correlations: windows that agreed, refusals and gaps by reason, and disagreements."""

    ran: int = 0
    windows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def step_of(kind: CorrelationType) -> int:
    """Return the distance of two times in a history for the type."""
    return HOUR_US // 2 if kind in HOURLY else MINUTE_US


def asking(layout: Layout, span: Span) -> Asking:
    """Return what texts are made for, without a mapping."""
    return Asking(locator=Locator(None, layout), span=span, meanings={})


def inner_span(step_us: int) -> Window:
    """Return a span in the middle of a history: windows that end before or after it are no rows."""
    start = micros(START)
    return Window(start=time_of(start + 2 * step_us), end=time_of(start + 8 * step_us))


def expected(correlation: Correlation, others: Sequence[Correlation], moments: Sequence[Moment], span: Window) -> Counter[Row]:
    """Return the satisfying windows that end in the span."""
    deliveries = [
        Delivery(rule_id=rule.id, event_id=moment.id, time_us=moment.t, event=dict(moment.fields))
        for moment in moments
        for rule in RULES.values()
        if meets(rule, moment)
    ]
    found: Counter[Row] = Counter()
    for window in CorrelationOracle([correlation, *others], deliveries).windows(correlation.id):
        if span.holds(time_of(window.last)):
            has_figure = window.figure is not None and correlation.type not in WITHOUT_FIGURE | {CorrelationType.RARE}
            figure = round(float(window.figure or 0), _DIGITS) if has_figure else None
            found[window.group, window.first, window.last, figure] += 1
    return found


def told(correlation: Correlation, rows: Sequence[tuple[object, ...]]) -> Counter[Row]:
    """Return the rows of a text as windows."""
    groups = len(correlation.group_by)
    first = groups + (len(correlation.values) if correlation.type in {CorrelationType.FIRST_SEEN, CorrelationType.RARE} else 0)
    found: Counter[Row] = Counter()
    for row in rows:
        started, ended = row[first], row[first + 1]
        assert isinstance(started, datetime)
        assert isinstance(ended, datetime)
        figure = None
        if correlation.type not in WITHOUT_FIGURE | {CorrelationType.RARE}:
            value = row[first + 2]
            assert isinstance(value, int | float | Decimal), value
            figure = round(float(value), _DIGITS)
        found[tuple(map(str, row[:groups])), micros(started), micros(ended), figure] += 1
    return found


def compare(
    correlations: Sequence[Correlation],
    moments: Sequence[Moment],
    *,
    layout: Layout,
    standin: StandIn,
    outcome: Outcome,
    mutation: Mutation | None = None,
) -> None:
    """Ask the last of the correlations of a history; the others are its operands."""
    correlation = correlations[-1]
    step = step_of(correlation.type)
    sources: Mapping[str, Rule | Correlation] = RULES | {each.id: each for each in correlations}
    span = inner_span(step)
    try:
        text = correlation_query(correlation, sources, asking(layout, span)).text
    except Unsupported as refusal:
        outcome.refused[f"{refusal.construct}: {refusal.why}"] += 1
        return
    text = mutation(text) if mutation else text
    standin.load(layout, [row_of(moment, layout) for moment in moments])
    try:
        got = told(correlation, standin.rows(text))
    except Gap as gap:
        outcome.gaps[f"{standin.name}: {gap.construct}"] += 1
        return
    wanted = expected(correlation, correlations[:-1], moments, span)
    outcome.ran += 1
    outcome.windows += wanted.total()
    if got != wanted:
        listed = "\n".join(map(str, sorted(moments, key=lambda each: each.t)))
        outcome.wrong.append(f"{layout.label}: missed {wanted - got}, invented {got - wanted}\n{correlation}\n{listed}\n{text}")


def run(kind: CorrelationType, seed: int, *, layout: Layout, standin: StandIn, outcome: Outcome, mutation: Mutation | None = None) -> None:
    """Draw a correlation of a type and a history, and compare."""
    rng = random.Random(f"{seed} {kind.value}")
    step = step_of(kind)
    correlation = drawn(rng, kind, step_us=step)
    moments = history(rng, step_us=step, count=rng.choice((8, 14, 20)), is_fine=seed % 3 == 0)
    compare([correlation], moments, layout=layout, standin=standin, outcome=outcome, mutation=mutation)

"""Small histories for the correlator's tests: events typed on one line, what was found as plain tuples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.values import Component, SatisfyingWindow
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, KeyField, Operand, TemporalCondition, Threshold
from aibr_hunt.model.event import Json

HOUR = 3_600_000_000
SPAN = 600

Row: TypeAlias = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One delivery: rule, id, time and fields."""

    rule: str
    id: str
    time: int | None
    fields: dict[str, Json]


def at(time: int | None, rule: str, name: str, **fields: Json) -> Sample:
    """Return an event; without a `user` of its own it is alice's."""
    return Sample(rule, name, time, {"user": "alice", **fields})


def rules(names: str) -> tuple[Operand, ...]:
    """Return an operand for each letter, a correlation for each capital one."""
    return tuple(Operand(name=name, id=name, is_correlation=name.isupper()) for name in names)


def limits(**numbers: str) -> tuple[Threshold, ...]:
    """Return thresholds such as `limits(gte="3")`."""
    return tuple(Threshold(comparison=Comparison(name), number=Decimal(number)) for name, number in numbers.items())


def fields(*names: str) -> tuple[KeyField, ...]:
    """Return fields that no alias renames."""
    return tuple(KeyField(name=name) for name in names)


def correlation(
    kind: str,
    operands: str = "a",
    *,
    name: str = "C",
    by: Sequence[str] = ("user",),
    span: int = SPAN,
    thresholds: tuple[Threshold, ...] = (),
    values: Sequence[str] = (),
    condition: TemporalCondition | None = None,
    percentile: str | None = None,
    listed: tuple[str, ...] = (),
) -> Correlation:
    """Return a correlation over rules named by one letter each."""
    return Correlation(
        id=name,
        name=name,
        title=name,
        path="",
        text_digest="",
        type=CorrelationType(kind),
        operands=rules(operands),
        group_by=fields(*by),
        timespan_us=span,
        thresholds=thresholds,
        values=fields(*values),
        condition=condition,
        percentile=None if percentile is None else Decimal(percentile),
        listed=listed,
    )


def baseline(
    kind: str,
    operands: str = "a",
    *,
    population: str = "p",
    name: str = "C",
    by: Sequence[str] = ("user",),
    back: int = 24 * HOUR,
    thresholds: tuple[Threshold, ...] = (),
    values: Sequence[str] = (),
    minimum: int = 1,
) -> Correlation:
    """Return a baseline over a population."""
    return Correlation(
        id=name,
        name=name,
        title=name,
        path="",
        text_digest="",
        type=CorrelationType(kind),
        operands=rules(operands),
        population=rules(population)[0],
        group_by=fields(*by),
        lookback_us=back,
        thresholds=thresholds,
        values=fields(*values),
        minimum=minimum,
    )


def correlator(*correlations: Correlation) -> Correlator:
    """Return a correlator whose rules have no mapping."""
    return Correlator(correlations, readers=lambda _, field: KeyReader(field, None))


def add(to: Correlator, samples: Iterable[Sample]) -> None:
    """Add the samples."""
    for sample in samples:
        to.add(sample.rule, event_id=sample.id, time_us=sample.time, event=dict(sample.fields))


def windows(correlations: Correlation | Sequence[Correlation], samples: Iterable[Sample]) -> list[SatisfyingWindow]:
    """Return the satisfying windows of the last correlation, having seen that the engine forms the episodes that they form."""
    asked = [correlations] if isinstance(correlations, Correlation) else list(correlations)
    with correlator(*asked) as one:
        add(one, samples)
        found = list(one.windows(only={asked[-1].id}))
        formed = list(one.components(only={asked[-1].id}))
    assert {row(each) for each in formed} == {row(each) for each in _formed(found)}
    return found


def _formed(found: list[SatisfyingWindow]) -> list[Component]:
    """Return the components by plain merging."""
    parts: list[list[SatisfyingWindow]] = []
    for window in sorted(found, key=lambda each: (each.group, each.first_us)):
        last = parts[-1] if parts else []
        if last and last[0].group == window.group and window.first_us <= max(each.last_us for each in last):
            last.append(window)
        else:
            parts.append([window])
    return [
        Component(
            correlation_id=part[0].correlation_id,
            group=part[0].group,
            first_us=part[0].first_us,
            last_us=max(each.last_us for each in part),
            members=tuple(sorted({member for each in part for member in each.members})),
            windows=len(part),
        )
        for part in parts
    ]


def row(found: SatisfyingWindow | Component) -> Row:
    """Return group, first, last and members as texts and numbers."""
    return "/".join(found.group), found.first_us, found.last_us, " ".join(found.members)


def rows(correlations: Correlation | Sequence[Correlation], samples: Iterable[Sample]) -> list[Row]:
    """Return the satisfying windows of the last correlation, sorted."""
    return sorted(row(each) for each in windows(correlations, samples))


def figures(one: Correlation, samples: Iterable[Sample]) -> list[tuple[int, Decimal | None]]:
    """Return the last time and the figure of each window."""
    return sorted((each.last_us, each.figure) for each in windows(one, samples))

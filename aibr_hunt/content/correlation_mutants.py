"""Small changes to a correlation's meaning, each of which its cases must notice: the counterpart of mutants.py for rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Either,
    Has,
    Lacks,
    TemporalCondition,
    Threshold,
)

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
_OTHER: Final = {
    Comparison.GT: Comparison.GTE,
    Comparison.GTE: Comparison.GT,
    Comparison.LT: Comparison.LTE,
    Comparison.LTE: Comparison.LT,
    Comparison.EQ: Comparison.NEQ,
    Comparison.NEQ: Comparison.EQ,
}
_KIN: Final = {
    CorrelationType.VALUE_COUNT: CorrelationType.EVENT_COUNT,
    CorrelationType.VALUE_SUM: CorrelationType.VALUE_AVG,
    CorrelationType.VALUE_AVG: CorrelationType.VALUE_MEDIAN,
    CorrelationType.VALUE_MEDIAN: CorrelationType.VALUE_AVG,
    CorrelationType.VALUE_PERCENTILE: CorrelationType.VALUE_MEDIAN,
}

Change: TypeAlias = "tuple[str, Correlation]"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationMutant:
    """One changed correlation: what was done to it, in words that stay the same between runs, and the result under an id of its own."""

    what: str
    correlation: Correlation


def mutants_of_correlation(correlation: Correlation) -> tuple[CorrelationMutant, ...]:
    """Return every mutant, each changed meaning once."""
    found: dict[Correlation, str] = {}
    for part in (_of_thresholds, _of_spans, _of_fields, _of_operands, _of_condition, _of_type, _of_baseline):
        for what, changed in part(correlation):
            if changed != correlation:
                found.setdefault(changed, what)
    return tuple(
        CorrelationMutant(what=what, correlation=replace(changed, id=f"{correlation.id}#{number}"))
        for number, (changed, what) in enumerate(found.items(), start=1)
    )


def _of_thresholds(correlation: Correlation) -> Iterator[Change]:
    step = _step(correlation)
    for index, threshold in enumerate(correlation.thresholds):

        def put(changed: Threshold, at: int = index) -> Correlation:
            return replace(correlation, thresholds=(*correlation.thresholds[:at], changed, *correlation.thresholds[at + 1 :]))

        shown = f"{threshold.comparison.value} {threshold.number}"
        for sign, word in ((-1, "less"), (1, "more")):
            yield f"{shown}: {step} {word}", put(replace(threshold, number=threshold.number + sign * step))
        other = _OTHER[threshold.comparison]
        yield f"{other.value} for {shown}", put(replace(threshold, comparison=other))
        if len(correlation.thresholds) > 1:
            rest = (*correlation.thresholds[:index], *correlation.thresholds[index + 1 :])
            yield f"remove {shown}", replace(correlation, thresholds=rest)


def _step(correlation: Correlation) -> Decimal:
    """Return the least change of a threshold that must be noticed: one, one listed value, a tenth of a rare share."""
    match correlation.type:
        case CorrelationType.SHARE:
            return round(Decimal(1) / len(correlation.listed), 6)
        case CorrelationType.RARE:
            return round(min((abs(each.number) for each in correlation.thresholds), default=Decimal(1)) / 10, 6)
        case _:
            return Decimal(1)


def _of_spans(correlation: Correlation) -> Iterator[Change]:
    if correlation.timespan_us:
        whole = correlation.timespan_us
        for word, changed in (
            ("halved", whole // 2),
            ("doubled", whole * 2),
            ("a second shorter", whole - SECOND_US),
            ("a second longer", whole + SECOND_US),
        ):
            if changed > 0:
                yield f"timespan {word}", replace(correlation, timespan_us=changed)
    if correlation.lookback_us:
        hours = max(correlation.lookback_us // HOUR_US, 1)
        is_hourly = correlation.type in {CorrelationType.RARE, CorrelationType.SPIKE}
        half = max(hours // 2, 1) * HOUR_US if is_hourly else correlation.lookback_us // 2
        step = HOUR_US if is_hourly else SECOND_US
        yield "lookback halved", replace(correlation, lookback_us=half)
        yield "lookback doubled", replace(correlation, lookback_us=correlation.lookback_us * 2)
        yield "lookback longer by one step", replace(correlation, lookback_us=correlation.lookback_us + step)
        if correlation.lookback_us > step:
            yield "lookback shorter by one step", replace(correlation, lookback_us=correlation.lookback_us - step)


def _of_fields(correlation: Correlation) -> Iterator[Change]:
    for index, field in enumerate(correlation.group_by):
        rest = (*correlation.group_by[:index], *correlation.group_by[index + 1 :])
        if rest or correlation.type is not CorrelationType.FIRST_SEEN or correlation.values:
            yield f"group-by without {field.name}", replace(correlation, group_by=rest)
    for index, field in enumerate(correlation.values):
        rest = (*correlation.values[:index], *correlation.values[index + 1 :])
        if rest or (correlation.type is CorrelationType.FIRST_SEEN and correlation.group_by):
            yield f"field without {field.name}", replace(correlation, values=rest)
    for index, value in enumerate(correlation.listed):
        rest_listed = (*correlation.listed[:index], *correlation.listed[index + 1 :])
        if rest_listed:
            yield f"values without {value}", replace(correlation, listed=rest_listed)


def _of_operands(correlation: Correlation) -> Iterator[Change]:
    operands = correlation.operands
    for index, operand in enumerate(operands):
        rest = (*operands[:index], *operands[index + 1 :])
        if not rest:
            continue
        if correlation.condition is None:
            yield f"rules without {operand.name}", replace(correlation, operands=rest)
        if correlation.type is CorrelationType.TEMPORAL_ORDERED and index + 1 < len(operands):
            swapped = (*operands[:index], operands[index + 1], operand, *operands[index + 2 :])
            yield f"{operands[index + 1].name} before {operand.name}", replace(correlation, operands=swapped)


def _of_condition(correlation: Correlation) -> Iterator[Change]:
    if correlation.condition is None:
        return
    for what, changed in _conditions(correlation.condition):
        if any(not is_negated for is_negated in _signs(changed, is_negated=False)):
            yield what, replace(correlation, condition=changed)


def _signs(condition: TemporalCondition, *, is_negated: bool) -> Iterator[bool]:
    match condition:
        case Has():
            yield is_negated
        case Lacks(item=item):
            yield from _signs(item, is_negated=not is_negated)
        case Both(items=items) | Either(items=items):
            for item in items:
                yield from _signs(item, is_negated=is_negated)


def _conditions(condition: TemporalCondition) -> Iterator[tuple[str, TemporalCondition]]:
    match condition:
        case Has(operand=operand):
            yield f"not {operand}", Lacks(item=condition)
        case Lacks(item=Has(operand=operand) as item):
            yield f"{operand} without not", item
        case Lacks(item=item):
            yield from ((what, Lacks(item=changed)) for what, changed in _conditions(item))
        case Both(items=items):
            yield f"or for and between {len(items)}", Either(items=items)
            yield from _of_items(items, lambda changed: Both(items=changed))
        case Either(items=items):
            yield f"and for or between {len(items)}", Both(items=items)
            yield from _of_items(items, lambda changed: Either(items=changed))


def _of_items(
    items: Sequence[TemporalCondition], build: Callable[[tuple[TemporalCondition, ...]], TemporalCondition]
) -> Iterator[tuple[str, TemporalCondition]]:
    for index, item in enumerate(items):
        rest = (*items[:index], *items[index + 1 :])
        if rest:
            yield f"condition without part {index + 1}", rest[0] if len(rest) == 1 else build(rest)
        for what, changed in _conditions(item):
            yield what, build((*items[:index], changed, *items[index + 1 :]))


def _of_type(correlation: Correlation) -> Iterator[Change]:
    kind = correlation.type
    if kind is CorrelationType.TEMPORAL_ORDERED:
        yield "temporal for temporal_ordered", replace(correlation, type=CorrelationType.TEMPORAL)
    elif kind is CorrelationType.TEMPORAL and correlation.condition is None:
        yield "temporal_ordered for temporal", replace(correlation, type=CorrelationType.TEMPORAL_ORDERED)
    elif kind in _KIN:
        other = _KIN[kind]
        values = () if other is CorrelationType.EVENT_COUNT else correlation.values
        yield f"{other.value} for {kind.value}", replace(correlation, type=other, values=values, percentile=None)
    if correlation.percentile is not None:
        for step in (-1, 1):
            if 0 <= correlation.percentile + step <= 100:
                yield f"percentile {step:+d}", replace(correlation, percentile=correlation.percentile + step)


def _of_baseline(correlation: Correlation) -> Iterator[Change]:
    if correlation.population is not None and correlation.population not in correlation.operands:
        yield "its own rules as population", replace(correlation, population=correlation.operands[0])
        yield "the population as its rule", replace(correlation, operands=(correlation.population,))
    if correlation.type in {CorrelationType.RARE, CorrelationType.SPIKE}:
        for step in (-1, 1):
            if correlation.minimum + step >= 1:
                yield f"minimum {step:+d}", replace(correlation, minimum=correlation.minimum + step)

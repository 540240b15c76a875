"""The correlations of one run in the order in which they are judged, checked: what each counts, and from which operand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from aibr_hunt.correlate.reach import HOUR_US, HOURLY
from aibr_hunt.errors import ContentError, Unsupported
from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.model.correlation import (
    BASELINES,
    TEMPORAL_TYPES,
    VALUE_TYPES,
    Both,
    Correlation,
    CorrelationType,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    normal_form,
)

NUMERIC: Final = VALUE_TYPES - {CorrelationType.VALUE_COUNT}
# Their windows are single events: several of one group and time are told apart.
SINGLE: Final = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE))
_WITHOUT_THRESHOLDS: Final = TEMPORAL_TYPES | {CorrelationType.FIRST_SEEN}
_TALLIED: Final = SINGLE | {CorrelationType.SPIKE}
# A bit of the mask of an event's operands each.
MOST_OPERANDS: Final = 60


class Measure(Enum):
    """What is taken from the value fields of an event."""

    NOTHING = auto()
    KEYS = auto()
    NUMBERS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One correlation in its place.

    Attributes:
        index: Its number: after those of all correlations that it rests on.
        correlation: The correlation.
        sources: Its operands and, behind them, its population when it is none of them. Rows carry the place in this list.
        inner: Places of operands that are correlations, with the number of that Node.
        anchors: Places of the operands whose events anchor windows and are members: those not negated.
        population: Place of the population; -1 without one.
        condition: The condition of an extended temporal correlation in normal form; else None.
    """

    index: int
    correlation: Correlation
    sources: tuple[Operand, ...]
    inner: tuple[tuple[int, int], ...]
    anchors: tuple[int, ...]
    population: int
    condition: TemporalCondition | None

    @property
    def measure(self) -> Measure:
        """What is taken from the value fields."""
        if self.correlation.type in NUMERIC:
            return Measure.NUMBERS
        is_keyed = self.correlation.type in SINGLE | {CorrelationType.VALUE_COUNT, CorrelationType.SHARE}
        return Measure.KEYS if is_keyed else Measure.NOTHING

    @property
    def is_tallied(self) -> bool:
        """True when history is kept for it as tallies."""
        return self.correlation.type in _TALLIED

    @property
    def is_single(self) -> bool:
        """True when each window is one event."""
        return self.correlation.type in SINGLE

    @property
    def measured_fields(self) -> tuple[str, ...]:
        """The different value fields of a numeric correlation as its operands read them: an event's number counts once a field."""
        names = (field.of(operand.name) for operand in self.correlation.operands for field in self.correlation.values)
        return tuple(dict.fromkeys(names))


def planned(correlations: Sequence[Correlation]) -> tuple[Node, ...]:
    """Return the correlations as Nodes, those that others rest on first.

    Raises:
        ContentError: A correlation that another one names is not there, two have one id, or they rest on each other in a circle.
        Unsupported: A correlation asks for something that has no meaning here.
    """
    by_id: dict[str, Correlation] = {}
    for correlation in correlations:
        if by_id.setdefault(correlation.id, correlation) != correlation:
            raise ContentError(
                f"Two correlations have the id {correlation.id}.", path=correlation.path or None, hint="Give one another id."
            )
    order: dict[str, int] = {}
    for correlation in by_id.values():
        _place(correlation, by_id, order=order, above=())
    return tuple(_node(by_id[each], order) for each in order)


def _place(correlation: Correlation, by_id: Mapping[str, Correlation], *, order: dict[str, int], above: tuple[str, ...]) -> None:
    if correlation.id in order:
        return
    if correlation.id in above:
        circle = " -> ".join((*above[above.index(correlation.id) :], correlation.id))
        raise _wrong(correlation, f"rests on itself: {circle}.", "Take one of the references out.")
    for operand in correlation.sources:
        if operand.is_correlation:
            inner = by_id.get(operand.id)
            if inner is None:
                raise _wrong(correlation, f"names the correlation {operand.name} ({operand.id}), which is not there.", "Load it as well.")
            _place(inner, by_id, order=order, above=(*above, correlation.id))
            _check_chain(correlation, operand, inner)
    _check(correlation)
    order[correlation.id] = len(order)


def _wrong(correlation: Correlation, what: str, hint: str = "") -> ContentError:
    return ContentError(f"The correlation {correlation.name or correlation.id} {what}", path=correlation.path or None, hint=hint)


def _refused(correlation: Correlation, construct: str, why: str) -> Unsupported:
    return Unsupported(construct, f"{why} (correlation {correlation.name or correlation.id})", place=correlation.path)


def _check_chain(outer: Correlation, operand: Operand, inner: Correlation) -> None:
    """See that the fields which `outer` reads of an inner correlation are the inner group's."""
    known = {field.name for field in inner.group_by}
    for field in (*outer.group_by, *outer.values):
        name = field.of(operand.name)
        if name not in known:
            hint = f"It has {', '.join(sorted(known))}." if known else "It has no group-by, so its windows have no fields."
            raise _wrong(outer, f"reads {name} of the correlation {operand.name}, which does not group by it.", hint)


def _check(correlation: Correlation) -> None:
    kind = correlation.type
    if not correlation.operands:
        raise _wrong(correlation, "has no rules.")
    if len(correlation.sources) > MOST_OPERANDS:
        raise _refused(correlation, "a correlation of so many rules", f"at most {MOST_OPERANDS} can be told apart")
    if kind is CorrelationType.TEMPORAL_ORDERED and correlation.condition is not None:
        raise _refused(correlation, "temporal_ordered with a condition", "an order of absences has no meaning")
    if kind not in _WITHOUT_THRESHOLDS and not correlation.thresholds:
        raise _wrong(correlation, "compares with no threshold.", "Give it a condition such as gte: 10.")
    for threshold in correlation.thresholds:
        _check_number(correlation, threshold.number)
    _check_values(correlation)
    _check_baseline(correlation)


def _check_number(correlation: Correlation, number: Decimal) -> None:
    # Number form bounds the digits, so that no product of exact integers leaves 128 bits.
    if canonical_number(format(number, "f")) is None:
        raise _refused(correlation, f"the number {number}", "it has more than 15 digits or more than 6 decimals")


def _check_values(correlation: Correlation) -> None:
    kind, fields = correlation.type, correlation.values
    if kind in NUMERIC | {CorrelationType.SHARE, CorrelationType.RARE} and len(fields) != 1:
        raise _wrong(correlation, f"measures {len(fields)} fields.", f"{kind.value} takes one.")
    if kind is CorrelationType.VALUE_COUNT and not fields:
        raise _wrong(correlation, "counts no field.", "value_count takes one or more.")
    if kind is CorrelationType.VALUE_PERCENTILE:
        if correlation.percentile is None or not 0 <= correlation.percentile <= 100:
            raise _wrong(correlation, "names no percentile from 0 to 100.")
        _check_number(correlation, correlation.percentile)
    if kind is CorrelationType.SHARE and not correlation.listed:
        raise _wrong(correlation, "lists no values.", "share divides by their number.")


def _check_baseline(correlation: Correlation) -> None:
    if correlation.type not in BASELINES - {CorrelationType.SHARE}:
        return
    if correlation.population is None:
        raise _wrong(correlation, "names no population.")
    if correlation.population.is_correlation:
        raise _refused(correlation, "a correlation as population", "history is kept of rules")
    if correlation.lookback_us <= 0 or (correlation.type in HOURLY and correlation.lookback_us % HOUR_US):
        raise _wrong(correlation, "has no lookback of whole hours.", "Write one such as 30d.")


def _node(correlation: Correlation, order: Mapping[str, int]) -> Node:
    sources = correlation.operands
    population = -1
    if correlation.population is not None and correlation.type is not CorrelationType.SHARE:
        sources = correlation.sources
        population = sources.index(correlation.population)
    condition = None if correlation.condition is None else normal_form(correlation.condition)
    return Node(
        index=order[correlation.id],
        correlation=correlation,
        sources=sources,
        inner=tuple((place, order[operand.id]) for place, operand in enumerate(sources) if operand.is_correlation),
        anchors=tuple(range(len(correlation.operands))) if condition is None else _anchors(correlation, condition),
        population=population,
        condition=condition,
    )


def _anchors(correlation: Correlation, condition: TemporalCondition) -> tuple[int, ...]:
    names = [operand.name for operand in correlation.operands]
    for name, _ in mentions(condition):
        if name not in names:
            raise _wrong(correlation, f"asks for {name} in its condition, which is none of its rules.", f"They are {', '.join(names)}.")
    plain = {name for name, is_negated in mentions(condition) if not is_negated}
    if not plain:
        raise _refused(correlation, "a condition of absences alone", "no event would anchor a window")
    return tuple(place for place, name in enumerate(names) if name in plain)


def mentions(condition: TemporalCondition) -> Iterator[tuple[str, bool]]:
    """Yield each rule that a condition in normal form names, and whether it is negated there."""
    match condition:
        case Has(operand=operand):
            yield operand, False
        case Lacks(item=Has(operand=operand)):
            yield operand, True
        case Lacks(item=item):
            yield from ((name, not is_negated) for name, is_negated in mentions(item))
        case Both(items=items) | Either(items=items):
            for item in items:
                yield from mentions(item)


def field_names(fields: Sequence[KeyField], operand: Operand) -> tuple[str, ...]:
    """Return the fields as they are read in events of an operand."""
    return tuple(field.of(operand.name) for field in fields)

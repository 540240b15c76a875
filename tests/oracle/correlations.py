"""The oracle of correlations: which windows satisfy, and the episodes they form, written only from docs/meaning.md section 7.

Plain loops over small histories, exact fractions, no SQL. A wrong reading overrides one method (see correlation_variants.py).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import floor
from typing import TypeAlias

from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    Threshold,
)
from aibr_hunt.model.event import Json, OddNumber
from tests.oracle.evaluate import Evaluator, split_field
from tests.oracle.jsontext import number_of_text

Group: TypeAlias = tuple[str, ...]

HOUR = 3_600_000_000
MAD_TO_DEVIATION = Fraction("1.4826")

COMPARE = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.EQ: operator.eq,
    Comparison.NEQ: operator.ne,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery of an event under one rule that it matched; an event without a time is untimed."""

    rule_id: str
    event_id: str
    time_us: int | None
    event: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What counts as one event of an operand: an event, or a satisfying window of a correlation.

    Attributes:
        id: Names it once.
        fields: The event, or the window's group values by name; `is_window` tells which.
        members: Ids of the events behind it.
    """

    id: str
    time: int
    fields: dict[str, Json]
    members: frozenset[str]
    is_window: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An occurrence as one operand sees it."""

    operand: str
    occurrence: Occurrence

    @property
    def time(self) -> int:
        """When it occurred."""
        return self.occurrence.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A satisfying window, or an episode: group, first and last time, member events; an episode has no figure."""

    group: Group
    first: int
    last: int
    members: frozenset[str]
    figure: Fraction | None = None


class CorrelationOracle:
    """What correlations say of deliveries."""

    def __init__(self, correlations: Iterable[Correlation], deliveries: Iterable[Delivery]) -> None:
        self.correlations = {each.id: each for each in correlations}
        self.deliveries = tuple(deliveries)

    # -- what goes in (7.1) ----------------------------------------------------------------------------------------

    def occurrences(self, operand: Operand) -> list[Occurrence]:
        """Return what counts as an event of the operand: each once, the untimed left out."""
        if operand.is_correlation:
            inner = self.correlations[operand.id]
            names = [field.name for field in inner.group_by]
            return [
                Occurrence(
                    id=f"{operand.id} {number}",
                    time=self.time_of_window(window),
                    fields=dict(zip(names, window.group, strict=True)),
                    members=window.members,
                    is_window=True,
                )
                for number, window in enumerate(self.windows(operand.id))
            ]
        timed = [each for each in self.deliveries if each.rule_id == operand.id and each.time_us is not None]
        found: dict[str, Occurrence] = {}
        for place, each in enumerate(timed):
            name = self.identity(each, timed[:place])
            found[name] = Occurrence(
                id=name, time=each.time_us or 0, fields=each.event, members=frozenset([each.event_id]), is_window=False
            )
        return list(found.values())

    def identity(self, delivery: Delivery, before: Sequence[Delivery]) -> str:
        """Return what makes two deliveries one event; nothing that was delivered before matters."""
        del before
        return delivery.event_id

    def time_of_window(self, window: Span) -> int:
        """Return when a window counts as an event of a correlation above it."""
        return window.last

    def values(self, seen: Seen, field: KeyField) -> list[Json]:
        """Return the scalars of a field that are not blank, in an event of the operand."""
        name = field.of(seen.operand)
        if seen.occurrence.is_window:
            value = seen.occurrence.fields.get(name)
            return [] if value is None else [value]
        return [value for value in self.walk(seen.occurrence.fields, split_field(name)) if not self.is_blank(value)]

    def walk(self, value: Json, path: tuple[str, ...]) -> Iterator[Json]:
        """Yield each value at the path's end; a list met anywhere stands for each of its elements."""
        if isinstance(value, list):
            for element in value:
                yield from self.walk(element, path)
        elif not path:
            yield value
        elif isinstance(value, dict):
            yield from self.walk(value.get(path[0]), path[1:])

    def is_blank(self, value: Json) -> bool:
        """True for null, the empty text and the empty object; an empty list has no elements anyway."""
        return value is None or value in ("", {})

    def key(self, value: Json) -> str | None:
        """Return the text by which a scalar is grouped and counted; an object and an odd number have none."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return Evaluator().fold(value)
        if isinstance(value, OddNumber) or not isinstance(value, int | float):
            return None
        number = Decimal(repr(value))
        return str(int(number)) if number == int(number) else format(number.normalize(), "f")

    def number(self, value: Json) -> Fraction | None:
        """Return the number that a JSON number or a text of number form is."""
        if isinstance(value, bool | OddNumber) or not isinstance(value, str | int | float):
            return None
        number = number_of_text(value if isinstance(value, str) else format(Decimal(repr(value)), "f"))
        return None if number is None else Fraction(number)

    def combinations(self, seen: Seen, fields: Sequence[KeyField]) -> set[Group]:
        """Return each combination of one key from every field; none where a field is blank."""
        keys = [{key for value in self.values(seen, field) if (key := self.key(value)) is not None} for field in fields]
        return set(product(*keys))

    def groups(self, correlation: Correlation, operands: Sequence[Operand]) -> dict[Group, list[Seen]]:
        """Return what each group holds of the operands' events."""
        found: dict[Group, list[Seen]] = {}
        for operand in operands:
            for occurrence in self.occurrences(operand):
                seen = Seen(operand=operand.name, occurrence=occurrence)
                for group in self.combinations(seen, correlation.group_by):
                    found.setdefault(group, []).append(seen)
        return found

    # -- windows (7.2) ---------------------------------------------------------------------------------------------

    def windows(self, correlation_id: str) -> list[Span]:
        """Return the satisfying windows of a correlation."""
        correlation = self.correlations[correlation_id]
        population = self.population(correlation)
        found: list[Span] = []
        for group, held in self.groups(correlation, correlation.operands).items():
            match correlation.type:
                case CorrelationType.TEMPORAL_ORDERED:
                    found += self.ordered(correlation, group, held)
                case CorrelationType.FIRST_SEEN:
                    found += self.first_seen(correlation, group, held, population.get(group, []))
                case CorrelationType.RARE:
                    found += self.rare(correlation, group, held, population.get(group, []))
                case CorrelationType.SPIKE:
                    found += self.spikes(correlation, group, held, population.get(group, []))
                case _:
                    found += self.anchored(correlation, group, held)
        return found

    def span(self, group: Group, window: Sequence[Seen], figure: Fraction | None = None) -> Span:
        """Return the window from its earliest event to its last, with all behind them as members."""
        times = [seen.time for seen in window]
        members = frozenset(member for seen in window for member in seen.occurrence.members)
        return Span(group=group, first=min(times), last=max(times), members=members, figure=figure)

    def anchored(self, correlation: Correlation, group: Group, held: Sequence[Seen]) -> Iterator[Span]:
        """Yield the windows that reach back from an event of an operand and satisfy."""
        counted = [seen for seen in held if seen.operand in self.anchors(correlation)]
        for time in sorted({seen.time for seen in counted}):
            window = self.window(counted, time, correlation.timespan_us)
            if correlation.type is CorrelationType.TEMPORAL:
                if self.is_met(condition_of(correlation), held, time, correlation.timespan_us):
                    yield self.span(group, window)
                continue
            figure = self.figure(correlation, window)
            if self.meets(correlation, figure):
                yield self.span(group, window, figure)

    def window(self, counted: Sequence[Seen], time: int, timespan: int) -> list[Seen]:
        """Return the events of the window that ends at a time."""
        return [seen for seen in counted if self.is_in(seen.time, time, timespan)]

    def is_in(self, time: int, anchor: int, timespan: int) -> bool:
        """True in the window: both ends inclusive, ties with the anchor included."""
        return anchor - timespan <= time <= anchor

    def is_near(self, time: int, anchor: int, timespan: int) -> bool:
        """True where a negated rule must have no event: as far after the anchor as before it."""
        return anchor - timespan <= time <= anchor + timespan

    def meets(self, correlation: Correlation, figure: Fraction | None) -> bool:
        """True when there is a figure and every threshold holds of it, exactly."""
        return figure is not None and all(self.compares(each, figure) for each in correlation.thresholds)

    def compares(self, threshold: Threshold, figure: Fraction) -> bool:
        """True when the figure compares with the threshold."""
        return bool(COMPARE[threshold.comparison](figure, Fraction(threshold.number)))

    def figure(self, correlation: Correlation, window: Sequence[Seen]) -> Fraction | None:
        """Return what the thresholds ask of; None when there is no number to measure."""
        numbers = self.numbers(correlation, window)
        match correlation.type:
            case CorrelationType.EVENT_COUNT:
                return Fraction(len({seen.occurrence.id for seen in window}))
            case CorrelationType.VALUE_COUNT:
                return Fraction(len(self.shown(correlation, window)))
            case CorrelationType.SHARE:
                listed = {self.key(text) for text in correlation.listed}
                return Fraction(len({key for (key,) in self.shown(correlation, window) if key in listed}), len(listed))
            case CorrelationType.VALUE_SUM:
                return sum(numbers, Fraction(0)) if numbers else None
            case CorrelationType.VALUE_AVG:
                return sum(numbers, Fraction(0)) / len(numbers) if numbers else None
            case CorrelationType.VALUE_MEDIAN:
                return self.percentile(numbers, Fraction(50)) if numbers else None
            case _:
                return self.percentile(numbers, Fraction(correlation.percentile or 0)) if numbers else None

    def shown(self, correlation: Correlation, window: Sequence[Seen]) -> set[Group]:
        """Return the different combinations of values in a window."""
        return {combination for seen in window for combination in self.combinations(seen, correlation.values)}

    def numbers(self, correlation: Correlation, window: Sequence[Seen]) -> list[Fraction]:
        """Return every number in a window, one in a list as often as it stands there; an event is read once in each field."""
        read = {(seen.occurrence.id, field.of(seen.operand)): self.values(seen, field) for seen in window for field in correlation.values}
        return [number for values in read.values() for value in values if (number := self.number(value)) is not None]

    def percentile(self, numbers: Sequence[Fraction], percent: Fraction) -> Fraction:
        """Return the number at rank percent/100 times (n - 1), between ranks in proportion."""
        ranked = sorted(numbers)
        rank = percent / 100 * (len(ranked) - 1)
        low = floor(rank)
        high = min(low + 1, len(ranked) - 1)
        return ranked[low] + (rank - low) * (ranked[high] - ranked[low])

    def anchors(self, correlation: Correlation) -> set[str]:
        """Return the operands that anchor windows and give members: of a condition those that stand in it without negation."""
        if correlation.type is not CorrelationType.TEMPORAL:
            return {operand.name for operand in correlation.operands}
        return self.unnegated(condition_of(correlation))

    def unnegated(self, condition: TemporalCondition, *, is_negated: bool = False) -> set[str]:
        """Return the operands that occur under an even number of negations."""
        match condition:
            case Has(operand=name):
                return set() if is_negated else {name}
            case Lacks(item=item):
                return self.unnegated(item, is_negated=not is_negated)
            case Both(items=items) | Either(items=items):
                return {name for item in items for name in self.unnegated(item, is_negated=is_negated)}

    def is_met(self, condition: TemporalCondition, held: Sequence[Seen], time: int, timespan: int, *, is_negated: bool = False) -> bool:
        """True when the condition holds (or, negated, does not), with negations moved down to the rules."""
        match condition:
            case Has(operand=name):
                times = [seen.time for seen in held if seen.operand == name]
                if is_negated:
                    return not any(self.is_near(each, time, timespan) for each in times)
                return any(self.is_in(each, time, timespan) for each in times)
            case Lacks(item=item):
                return self.is_met(item, held, time, timespan, is_negated=not is_negated)
            case Both(items=items) | Either(items=items):
                truths = [self.is_met(item, held, time, timespan, is_negated=is_negated) for item in items]
                return all(truths) if isinstance(condition, Both) != is_negated else any(truths)

    def ordered(self, correlation: Correlation, group: Group, held: Sequence[Seen]) -> Iterator[Span]:
        """Yield, for each time at which a sequence ends, the window of the one that begins last."""
        begun: dict[int, list[int]] = {}
        for sequence in self.sequences([operand.name for operand in correlation.operands], held, ()):
            if self.is_in(sequence[0].time, sequence[-1].time, correlation.timespan_us):
                begun.setdefault(sequence[-1].time, []).append(sequence[0].time)
        for last, firsts in begun.items():
            first = self.tightest(firsts)
            yield self.span(group, [seen for seen in held if first <= seen.time <= last])

    def tightest(self, firsts: Sequence[int]) -> int:
        """Return where the window begins of several sequences that end together."""
        return max(firsts)

    def sequences(self, names: Sequence[str], held: Sequence[Seen], before: tuple[Seen, ...]) -> Iterator[tuple[Seen, ...]]:
        """Yield each choice of different events, one for each name, with times that never fall."""
        if not names:
            yield before
            return
        for seen in held:
            if seen.operand == names[0] and self.may_follow(seen, before):
                yield from self.sequences(names[1:], held, (*before, seen))

    def may_follow(self, seen: Seen, before: tuple[Seen, ...]) -> bool:
        """True when an event is none of those before it, and not earlier than the last."""
        return not before or (before[-1].time <= seen.time and all(each.occurrence.id != seen.occurrence.id for each in before))

    # -- baselines (7.3) -------------------------------------------------------------------------------------------

    def population(self, correlation: Correlation) -> dict[Group, list[Seen]]:
        """Return what each group holds of the population's events."""
        return {} if correlation.population is None else self.groups(correlation, [correlation.population])

    def first_seen(self, correlation: Correlation, group: Group, held: Sequence[Seen], population: Sequence[Seen]) -> Iterator[Span]:
        """Yield each event that shows a combination which the population's history lacks."""
        for event in one_by_one(held):
            time = event[0].time
            known = [seen for seen in population if self.is_history(seen.time, time, correlation.lookback_us)]
            if self.shown(correlation, event) - self.shown(correlation, known):
                yield self.span(group, event)

    def is_history(self, time: int, event: int, lookback: int) -> bool:
        """True from the lookback's start, inclusive, to the event, exclusive."""
        return event - lookback <= time < event

    def rare(self, correlation: Correlation, group: Group, held: Sequence[Seen], population: Sequence[Seen]) -> Iterator[Span]:
        """Yield each event that shows a combination whose part of the group's population meets every threshold."""
        for event in one_by_one(held):
            hour = self.hour(event[0].time)
            near = [seen for seen in population if hour - correlation.lookback_us <= seen.time < hour + HOUR]
            if not self.suffices(len(near), correlation.minimum):
                continue
            shares = [
                Fraction(len([seen for seen in near if shown in self.combinations(seen, correlation.values)]), len(near))
                for shown in self.shown(correlation, event)
            ]
            if any(self.meets(correlation, share) for share in shares):
                yield self.span(group, event, min(shares))

    def spikes(self, correlation: Correlation, group: Group, held: Sequence[Seen], population: Sequence[Seen]) -> Iterator[Span]:
        """Yield each hour with events of `rules` whose population stands out from the hours before."""
        times = [seen.time for seen in population]
        for hour in sorted({self.hour(seen.time) for seen in held}):
            count = len([time for time in times if self.hour(time) == hour])
            before = self.counts([time for time in times if hour - correlation.lookback_us <= time < hour], hour, correlation.lookback_us)
            figure = self.deviation(count, before)
            if self.suffices(count, correlation.minimum) and self.meets(correlation, figure):
                yield self.span(group, [seen for seen in held if self.hour(seen.time) == hour], figure)

    def hour(self, time: int) -> int:
        """Return the start of the hour in UTC."""
        return time - time % HOUR

    def suffices(self, number: int, minimum: int) -> bool:
        """True when there are enough events of the population."""
        return number >= minimum

    def counts(self, times: Sequence[int], hour: int, lookback: int) -> list[int]:
        """Return how many of the times lie in each hour of the lookback, those with none as 0."""
        return [len([time for time in times if self.hour(time) == start]) for start in range(hour - lookback, hour, HOUR)]

    def deviation(self, count: int, before: Sequence[int]) -> Fraction:
        """Return how far a count lies above the middle of those before it, in their own spread."""
        middle = self.middle([Fraction(each) for each in before])
        spread = self.middle([abs(each - middle) for each in before])
        return (count - middle) / max(MAD_TO_DEVIATION * spread, Fraction(1))

    def middle(self, numbers: Sequence[Fraction]) -> Fraction:
        """Return the median."""
        return self.percentile(numbers, Fraction(50))

    # -- episodes (7.2) --------------------------------------------------------------------------------------------

    def episodes(self, correlation_id: str) -> list[Span]:
        """Return the satisfying windows of each group joined where they overlap or touch."""
        return self.joined(self.windows(correlation_id))

    def joined(self, windows: Iterable[Span]) -> list[Span]:
        """Return the spans that windows form."""
        found: list[Span] = []
        for window in sorted(windows, key=lambda each: (each.group, each.first)):
            if found and found[-1].group == window.group and self.touches(found[-1], window):
                last = found.pop()
                window = Span(  # noqa: PLW2901 - it grows
                    group=last.group, first=last.first, last=max(last.last, window.last), members=last.members | window.members
                )
            found.append(replace(window, figure=None))
        return found

    def touches(self, earlier: Span, later: Span) -> bool:
        """True when they overlap or have a moment in common."""
        return later.first <= earlier.last


def condition_of(correlation: Correlation) -> TemporalCondition:
    """Return what a temporal correlation asks: every operand, when it has no condition of its own."""
    return correlation.condition or Both(items=tuple(Has(operand=operand.name) for operand in correlation.operands))


def one_by_one(held: Sequence[Seen]) -> list[list[Seen]]:
    """Return each event once, as all the operands that it serves see it."""
    found: dict[str, list[Seen]] = {}
    for seen in held:
        found.setdefault(seen.occurrence.id, []).append(seen)
    return list(found.values())

"""Wrong readings of correlations and baselines, each a plausible mistake: the drawn histories must tell every one from the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil

from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    KeyField,
    TemporalCondition,
    Threshold,
)
from aibr_hunt.model.event import Json
from tests.oracle.correlations import HOUR, CorrelationOracle, Delivery, Group, Seen, Span


class StartIsExclusive(CorrelationOracle):
    """A window holds (t - timespan, t]."""

    def is_in(self, time: int, anchor: int, timespan: int) -> bool:
        return anchor - timespan < time <= anchor


class TiesAreDropped(CorrelationOracle):
    """Of events of the anchor's time only one is in the window."""

    def window(self, counted: Sequence[Seen], time: int, timespan: int) -> list[Seen]:
        held = super().window(counted, time, timespan)
        ties = [seen for seen in held if seen.time == time]
        return [seen for seen in held if seen.time < time or seen.occurrence.id == ties[0].occurrence.id]


class GtForGte(CorrelationOracle):
    """`gte` leaves the threshold itself out."""

    def compares(self, threshold: Threshold, figure: Fraction) -> bool:
        if threshold.comparison is Comparison.GTE:
            return figure > Fraction(threshold.number)
        return super().compares(threshold, figure)


class LteForLt(CorrelationOracle):
    """`lt` takes the threshold itself in."""

    def compares(self, threshold: Threshold, figure: Fraction) -> bool:
        if threshold.comparison is Comparison.LT:
            return figure <= Fraction(threshold.number)
        return super().compares(threshold, figure)


class AnyThresholdSuffices(CorrelationOracle):
    """Of a range one side is enough."""

    def meets(self, correlation: Correlation, figure: Fraction | None) -> bool:
        return figure is not None and any(self.compares(each, figure) for each in correlation.thresholds)


class FiguresAreRounded(CorrelationOracle):
    """Figures are cut to six decimals before they are compared."""

    def compares(self, threshold: Threshold, figure: Fraction) -> bool:
        return super().compares(threshold, round(figure, 6))


class FiguresAreDoubles(CorrelationOracle):
    """Figures and thresholds are compared as doubles."""

    def compares(self, threshold: Threshold, figure: Fraction) -> bool:
        return super().compares(
            Threshold(comparison=threshold.comparison, number=Decimal(float(threshold.number))), Fraction(float(figure))
        )


class NothingIsZero(CorrelationOracle):
    """A window without any number measures 0."""

    def figure(self, correlation: Correlation, window: Sequence[Seen]) -> Fraction | None:
        return super().figure(correlation, window) or Fraction(0)


class BlankIsAGroup(CorrelationOracle):
    """Events in which a group field is blank join one another; blank values count."""

    def combinations(self, seen: Seen, fields: Sequence[KeyField]) -> set[Group]:
        keys = [{self.key(value) or "" for value in self.values(seen, field)} or {""} for field in fields]
        return set(product(*keys))


class CaseMatters(CorrelationOracle):
    """Keys are compared as they are written."""

    def key(self, value: Json) -> str | None:
        return value if isinstance(value, str) else super().key(value)


class FractionsStay(CorrelationOracle):
    """The key of 5.0 is `5.0`."""

    def key(self, value: Json) -> str | None:
        return repr(value) if isinstance(value, float) else super().key(value)


class TextsOfNumbersAreNumbers(CorrelationOracle):
    """The text `5.0` has the key of the number 5."""

    def key(self, value: Json) -> str | None:
        number = self.number(value)
        return super().key(value) if number is None else str(number)


class OnlyJsonNumbersMeasure(CorrelationOracle):
    """A text in the form of a number is none."""

    def number(self, value: Json) -> Fraction | None:
        return None if isinstance(value, str) else super().number(value)


class EveryNumericTextMeasures(CorrelationOracle):
    """Whatever Python reads as a number is one."""

    def number(self, value: Json) -> Fraction | None:
        try:
            return Fraction(value) if isinstance(value, str) else super().number(value)
        except ValueError:
            return None


class OneNumberEach(CorrelationOracle):
    """A number that a list holds twice counts once."""

    def numbers(self, correlation: Correlation, window: Sequence[Seen]) -> list[Fraction]:
        return [number for seen in one_each(window) for number in sorted(set(super(OneNumberEach, self).numbers(correlation, [seen])))]


class OnlyTheFirstElement(CorrelationOracle):
    """A list stands for its first element."""

    def values(self, seen: Seen, field: KeyField) -> list[Json]:
        return super().values(seen, field)[:1]


class AliasesAreIgnored(CorrelationOracle):
    """Every rule reads the name of the alias itself."""

    def values(self, seen: Seen, field: KeyField) -> list[Json]:
        return super().values(seen, KeyField(name=field.name))


class DuplicatesCount(CorrelationOracle):
    """An event that is delivered twice under a rule is two."""

    def identity(self, delivery: Delivery, before: Sequence[Delivery]) -> str:
        return f"{delivery.event_id} {len([each for each in before if each.event_id == delivery.event_id])}"


class ConflictsAreOne(CorrelationOracle):
    """One identity with two contents is one event."""

    def identity(self, delivery: Delivery, before: Sequence[Delivery]) -> str:
        return super().identity(delivery, before).removesuffix("conflict")


class ServingTwoIsTwo(CorrelationOracle):
    """An event of two operands is counted twice."""

    def figure(self, correlation: Correlation, window: Sequence[Seen]) -> Fraction | None:
        if correlation.type is CorrelationType.EVENT_COUNT:
            return Fraction(len({(seen.operand, seen.occurrence.id) for seen in window}))
        return super().figure(correlation, window)


class NearestRank(CorrelationOracle):
    """A percentile is one of the numbers."""

    def percentile(self, numbers: Sequence[Fraction], percent: Fraction) -> Fraction:
        return sorted(numbers)[max(ceil(percent / 100 * len(numbers)) - 1, 0)]


class NegationLooksBackOnly(CorrelationOracle):
    """`not b` asks nothing of what comes after."""

    def is_near(self, time: int, anchor: int, timespan: int) -> bool:
        return self.is_in(time, anchor, timespan)


class ForwardEdgeIsExclusive(CorrelationOracle):
    """`not b` ends just before t + timespan."""

    def is_near(self, time: int, anchor: int, timespan: int) -> bool:
        return anchor - timespan <= time < anchor + timespan


class NegatedRulesAnchor(CorrelationOracle):
    """Every operand anchors windows and gives members."""

    def anchors(self, correlation: Correlation) -> set[str]:
        return {operand.name for operand in correlation.operands}


class NegationStaysOnTop(CorrelationOracle):
    """`not (a and b)` reads `not a and not b`."""

    def is_met(self, condition: TemporalCondition, held: Sequence[Seen], time: int, timespan: int, *, is_negated: bool = False) -> bool:
        if is_negated and isinstance(condition, Both):
            return all(self.is_met(item, held, time, timespan, is_negated=True) for item in condition.items)
        return super().is_met(condition, held, time, timespan, is_negated=is_negated)


class OneEventServesTwoSteps(CorrelationOracle):
    """An event may follow itself in a sequence."""

    def may_follow(self, seen: Seen, before: tuple[Seen, ...]) -> bool:
        return not before or before[-1].time <= seen.time


class StepsMustRise(CorrelationOracle):
    """Events of one time never follow one another."""

    def may_follow(self, seen: Seen, before: tuple[Seen, ...]) -> bool:
        return not before or before[-1].time < seen.time


class LoosestSequence(CorrelationOracle):
    """An ordered window begins with the earliest sequence that fits."""

    def tightest(self, firsts: Sequence[int]) -> int:
        return min(firsts)


class TouchingStayApart(CorrelationOracle):
    """Windows that share no more than a moment are two episodes."""

    def touches(self, earlier: Span, later: Span) -> bool:
        return later.first < earlier.last


class ChainsCountFromTheFirst(CorrelationOracle):
    """A window counts as an event at its first event's time."""

    def time_of_window(self, window: Span) -> int:
        return window.first


class HistoryHoldsTheEvent(CorrelationOracle):
    """History reaches to t, inclusive: an event precedes itself."""

    def is_history(self, time: int, event: int, lookback: int) -> bool:
        return event - lookback <= time <= event


class HistoryStartIsExclusive(CorrelationOracle):
    """History is (t - L, t)."""

    def is_history(self, time: int, event: int, lookback: int) -> bool:
        return event - lookback < time < event


class PopulationIsTheRules(CorrelationOracle):
    """History is taken over the rules themselves."""

    def population(self, correlation: Correlation) -> dict[Group, list[Seen]]:
        return self.groups(correlation, correlation.operands)


class MinimumIsExclusive(CorrelationOracle):
    """The minimum itself does not suffice."""

    def suffices(self, number: int, minimum: int) -> bool:
        return number > minimum


class MinimumIsIgnored(CorrelationOracle):
    """Any number suffices."""

    def suffices(self, number: int, minimum: int) -> bool:
        del minimum
        return number > 0


class ZeroHoursAreLeftOut(CorrelationOracle):
    """Only hours with events have a count."""

    def counts(self, times: Sequence[int], hour: int, lookback: int) -> list[int]:
        return [count for count in super().counts(times, hour, lookback) if count] or [0]


class HoursBeginAtHalf(CorrelationOracle):
    """The hours of another zone."""

    def hour(self, time: int) -> int:
        return time - (time + HOUR // 2) % HOUR


class MeanForMedian(CorrelationOracle):
    """The middle is the mean."""

    def middle(self, numbers: Sequence[Fraction]) -> Fraction:
        return sum(numbers, Fraction(0)) / len(numbers)


class BareMad(CorrelationOracle):
    """The median of distances is taken without 1.4826."""

    def deviation(self, count: int, before: Sequence[int]) -> Fraction:
        middle = self.middle([Fraction(each) for each in before])
        return (count - middle) / max(self.middle([abs(each - middle) for each in before]), Fraction(1))


class NoFloorUnderTheSpread(CorrelationOracle):
    """A spread below 1 divides as it is."""

    def deviation(self, count: int, before: Sequence[int]) -> Fraction:
        middle = self.middle([Fraction(each) for each in before])
        spread = Fraction("1.4826") * self.middle([abs(each - middle) for each in before])
        return (count - middle) / (spread or Fraction(1, 1000))


def one_each(window: Sequence[Seen]) -> list[Seen]:
    """Return each event as the first operand sees it."""
    return list({seen.occurrence.id: seen for seen in window}.values())


def wrong_readings() -> tuple[type[CorrelationOracle], ...]:
    """Return every wrong reading of this module, in the order written."""
    found = [each for each in globals().values() if isinstance(each, type) and issubclass(each, CorrelationOracle)]
    return tuple(each for each in found if each is not CorrelationOracle)

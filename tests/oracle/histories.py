"""Small histories for correlations: a few correlations over a few rules, and up to 25 events on a coarse grid of times.

Ties and exact edges are the rule, not the exception. Thresholds are drawn from the figures that the history shows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Final

from aibr_hunt.model.correlation import (
    BASELINES,
    VALUE_TYPES,
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
    normal_form,
)
from aibr_hunt.model.event import Json, OddNumber
from tests.oracle.correlations import HOUR, CorrelationOracle, Delivery

MINUTE: Final = 60_000_000
BASE: Final = 490_896 * HOUR  # 2026-01-01T00:00:00Z
MOST_EVENTS: Final = 25
MOST: Final = Decimal(999_999_999_999_999)  # of a threshold: it has number form
TYPES: Final = (*CorrelationType, CorrelationType.TEMPORAL)  # which has two forms
UNTHRESHOLDED: Final = frozenset(
    (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED, CorrelationType.FIRST_SEEN),
)
INCLUSIVE: Final = (Comparison.GTE, Comparison.LTE)
HOURLY: Final = frozenset((CorrelationType.RARE, CorrelationType.SPIKE))

GROUP_POOLS: Final[tuple[tuple[Json, ...], ...]] = (
    ("x",),
    ("x", "X", "y"),
    ("x", "y", "z"),
    (1, "1", 1.0, 2),
    (5, "5.0", 5.5, "5.5"),
    (True, "true", "TRUE", False),
    ("\u00c4rger", "\u00e4rger", "\u0130", "i"),
    (0, -0.0, "-0", "0"),
)
BLANKS: Final[tuple[Json, ...]] = (None, "", [], {}, [None, "", []])
NUMBER_POOLS: Final[tuple[tuple[Json, ...], ...]] = (
    (1, 2, 3),
    (1, 1, 2, -1, 0),
    (0.1, 0.2, 0.3, "0.3", "0.30"),
    (-2.5, 2.5, -0.5, 7, "7"),
    (1, 2, 4, 8.25, "007", "1e3", "abc", True),
    (999_999_999_999_999, "999999999999999.999999", "0.000001", 1, -1),
)
TEXT_POOLS: Final[tuple[tuple[Json, ...], ...]] = (
    ("p", "q", "P"),
    ("p", "q", "r", "s"),
    (1, "1", 1.5, "1.50", 2),
    ("p",),
    (True, "true", 0, "0", ""),
)
PERCENTILES: Final = tuple(map(Decimal, ("0", "100", "33.3", "50", "25", "95", "99.9", "66.666667")))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Correlations, the last of which may use the others, and the deliveries that they judge.

    Several worlds are as many histories: every event tells its world, and every correlation groups by it.
    """

    correlations: tuple[Correlation, ...]
    deliveries: tuple[Delivery, ...]
    worlds: int = 1

    def told(self) -> str:
        """Return the history as a person wants to read it."""
        lines = [described(each) for each in self.correlations]
        lines += [
            f"  {clock(each.time_us)} {each.event_id} of {each.rule_id}: {json.dumps(each.event, ensure_ascii=False)}"
            for each in sorted(self.deliveries, key=lambda one: (one.time_us or 0, one.event_id, one.rule_id))
        ]
        return "\n".join(lines)


def clock(time_us: int | None) -> str:
    """Return a time as minutes and microseconds since the base of all histories."""
    if time_us is None:
        return "untimed"
    minutes, rest = divmod(time_us - BASE + MINUTE // 2, MINUTE)
    return f"{minutes}m{rest - MINUTE // 2:+d}us"


def described(correlation: Correlation) -> str:
    """Return what a correlation asks, without what is only said about it."""
    shown = {
        "rules": [f"{each.name}={each.id}" for each in correlation.operands],
        "group-by": [each.name if not each.fields else f"{each.name}{dict(each.fields)}" for each in correlation.group_by],
        "timespan": correlation.timespan_us / MINUTE,
        "values": [each.name if not each.fields else f"{each.name}{dict(each.fields)}" for each in correlation.values],
        "thresholds": [f"{each.comparison} {each.number}" for each in correlation.thresholds],
        "percentile": correlation.percentile,
        "condition": correlation.condition and spoken(correlation.condition),
        "population": correlation.population and f"{correlation.population.name}={correlation.population.id}",
        "lookback": correlation.lookback_us / MINUTE,
        "minimum": correlation.minimum,
        "listed": correlation.listed,
    }
    return f"{correlation.id} {correlation.type}: " + ", ".join(f"{name} {value}" for name, value in shown.items() if value)


def spoken(condition: TemporalCondition) -> str:
    """Return a condition as an author writes it."""
    match condition:
        case Has(operand=name):
            return name
        case Lacks(item=item):
            return f"not {spoken(item)}"
        case Both(items=items):
            return "(" + " and ".join(map(spoken, items)) + ")"
        case Either(items=items):
            return "(" + " or ".join(map(spoken, items)) + ")"


# -- drawing -------------------------------------------------------------------------------------------------------


class _Figures(CorrelationOracle):
    """Notes every figure of one correlation that would be compared, as often as it would be."""

    def all_of(self, correlation: Correlation) -> list[Fraction]:
        self.asked, self.noted = correlation.id, list[Fraction]()
        self.windows(correlation.id)
        return sorted(self.noted)

    def meets(self, correlation: Correlation, figure: Fraction | None) -> bool:
        if figure is not None and correlation.id == self.asked:
            self.noted.append(figure)
        return super().meets(correlation, figure)


class Drawer:
    """Draws one history from a seeded source of chance.

    Args:
        rng: Where choices come from.
        prefix: Begins every id, so that histories can share one run.
        worlds: How many histories lie side by side, each in groups of its own.
    """

    def __init__(self, rng: random.Random, prefix: str = "", worlds: int = 1) -> None:
        self.rng = rng
        self.prefix = prefix
        self.worlds = worlds
        self.names = rng.choice((("a",), ("a", "b"), ("a", "b"), ("a", "b", "c")))
        self.group_pool = rng.choice(GROUP_POOLS)
        self.is_hourly = rng.random() < 0.3
        self.unit = rng.choice((HOUR, HOUR // 2)) if self.is_hourly else MINUTE

    def history(self, kind: CorrelationType | None = None) -> History:
        """Return a history whose last correlation is of a kind, any where none is given."""
        rng = self.rng
        kind = kind or rng.choice(TYPES)
        self.is_hourly |= kind in HOURLY
        self.is_bursty = kind is CorrelationType.SPIKE and rng.random() < 0.6
        if self.is_bursty:
            self.group_pool = ("x",)
        self.unit = HOUR if self.is_hourly and self.unit == MINUTE else self.unit
        is_measured = kind in VALUE_TYPES and kind is not CorrelationType.VALUE_COUNT
        self.value_pool = rng.choice(NUMBER_POOLS if is_measured else TEXT_POOLS)
        if is_measured and rng.random() < 0.3:
            self.group_pool = (1, 2, "3", 2.5)  # so that a value can be read from the group of a chain
        self.found = tuple(each for world in range(self.worlds) for each in self.deliveries(world))
        self.made: list[Correlation] = []
        for level in range(rng.choices((0, 1, 2), (70, 22, 8))[0]):
            self.made.append(self.correlation(rng.choice(TYPES), f"inner{level}"))
        self.made.append(self.correlation(kind, "top"))
        return History(correlations=tuple(self.made), deliveries=self.found, worlds=self.worlds)

    # -- events ----------------------------------------------------------------------------------------------------

    def deliveries(self, world: int) -> list[Delivery]:
        """Return what is delivered in one world."""
        rng = self.rng
        rules = [*self.names, "p"]
        count = (
            MOST_EVENTS
            if self.is_bursty
            else rng.choice((8, 12, 16, 20, MOST_EVENTS) if self.is_hourly else (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, MOST_EVENTS))
        )
        width = rng.choice((2, 4, 8, 12))
        often = {name: rng.choice((0.15, 0.45, 0.45, 0.75)) for name in rules}
        found: list[Delivery] = []
        for number in range(count):
            time = self.time(width)
            event = self.event()
            if self.worlds > 1:
                event["world"] = world
            ids = [f"{self.prefix}{world}e{number}"]
            if rng.random() < 0.05:
                ids.append(f"{ids[0]}conflict")
            serves = [name for name, chance in often.items() if rng.random() < chance] or [rng.choice(rules)]
            for event_id in ids:
                found += [Delivery(rule_id=self.prefix + name, event_id=event_id, time_us=time, event=event) for name in serves]
        found += [rng.choice(found) for _ in range(rng.choice((0, 0, 0, 1, 3))) if found]
        rng.shuffle(found)
        return found

    def time(self, width: int) -> int | None:
        rng = self.rng
        if rng.random() < 0.03:
            return None
        place = rng.choice((0, 0, 1, 2, 2, 2, 3, 4, 5, 5)) if self.is_bursty else rng.randrange(width)
        grid = BASE + place * self.unit
        return grid + rng.choices((0, 1, -1, self.unit // 2), (80, 7, 7, 6))[0]

    def event(self) -> dict[str, Json]:
        rng = self.rng
        event: dict[str, Json] = {}
        for name in ("u", "t"):
            self._put(event, name, self.shaped(self.group_pool))
        below: dict[str, Json] = {}
        self._put(below, "w", self.shaped(self.group_pool))
        event["v"] = [below, {"w": rng.choice(self.group_pool)}] if rng.random() < 0.08 else below
        for name in ("n", "m"):
            self._put(event, name, self.shaped(self.value_pool))
        return event

    def _put(self, event: dict[str, Json], name: str, value: Json) -> None:
        if value is not None or self.rng.random() < 0.5:
            event[name] = value

    def shaped(self, pool: Sequence[Json]) -> Json:
        """Return a value of the pool, at times in a list, blank, an object, or an odd number."""
        rng = self.rng
        chance = rng.random()
        if chance < (0.01 if self.is_bursty else 0.08):
            return rng.choice(BLANKS)
        if chance < 0.1:
            return {"x": 1} if chance < 0.09 else OddNumber("1e3")
        if chance < 0.2:
            elements: list[Json] = [rng.choice((*pool, None)) for _ in range(rng.randrange(1, 4))]
            return [elements, rng.choice(pool)] if rng.random() < 0.2 else elements
        return rng.choice(pool)

    # -- correlations ----------------------------------------------------------------------------------------------

    def correlation(self, kind: CorrelationType, name: str) -> Correlation:
        """Return a correlation, over the one below it where there is one, with thresholds that its figures make sharp."""
        rng = self.rng
        operands = self.operands(kind)
        is_baseline = kind in BASELINES and kind is not CorrelationType.SHARE
        population = None
        if is_baseline:
            population = rng.choice([*(each for each in operands if not each.is_correlation), self.rule("p"), self.rule("p")])
        made = Correlation(
            id=self.prefix + name,
            name=name,
            title=name,
            path=f"{name}.yml",
            text_digest="",
            type=kind,
            operands=operands,
            group_by=self.group_by(operands),
            timespan_us=0 if is_baseline else self.timespan(),
            values=self.values(kind, operands),
            percentile=rng.choice(PERCENTILES) if kind is CorrelationType.VALUE_PERCENTILE else None,
            condition=self.condition([each.name for each in operands]) if kind is CorrelationType.TEMPORAL and rng.random() < 0.8 else None,
            population=population,
            lookback_us=self.lookback(kind),
            minimum=rng.choice((1, 1, 1, 2, 3)) if kind in HOURLY else 1,
            listed=self.listed() if kind is CorrelationType.SHARE else (),
        )
        if kind in UNTHRESHOLDED:
            return made
        return replace(made, thresholds=self.thresholds(_Figures([*self.made, made], self.found).all_of(made)))

    def rule(self, name: str) -> Operand:
        return Operand(name=name, id=self.prefix + name)

    def operands(self, kind: CorrelationType) -> tuple[Operand, ...]:
        """Return the operands: rules, and the correlation below, which may stand alone; it must have what is read of it."""
        rng = self.rng
        names = list(self.names)
        rng.shuffle(names)
        found = [self.rule(name) for name in names]
        if self.made and (self.made[-1].group_by or not has_values(kind)):
            below = Operand(name=self.made[-1].name, id=self.made[-1].id, is_correlation=True)
            found = [below] if rng.random() < 0.5 else [*found[: rng.randrange(3)], below]
            rng.shuffle(found)
        return tuple(found)

    def fields_below(self, operands: Sequence[Operand]) -> list[str] | None:
        """Return the fields of the correlation among the operands; None without one."""
        return [field.name for field in self.made[-1].group_by] if any(each.is_correlation for each in operands) else None

    def group_by(self, operands: Sequence[Operand]) -> tuple[KeyField, ...]:
        rng = self.rng
        below = self.fields_below(operands)
        choices = ["u", "v.w", "t"] if below is None else [name for name in below if name != "world"]
        count = min(rng.choice((0, 1, 1, 1, 2)), len(choices))
        found = [self.field(name, operands, ("u", "v.w", "t")) for name in rng.sample(choices, count)]
        if self.worlds > 1:
            found.insert(rng.randrange(len(found) + 1), KeyField(name="world"))
        return tuple(found)

    def field(self, name: str, operands: Sequence[Operand], others: Sequence[str]) -> KeyField:
        """Return a field, or now and then an alias; a rule that is left out of it reads the alias itself."""
        rng = self.rng
        if rng.random() < 0.75:
            return KeyField(name=name)
        below = self.fields_below(operands) or []
        listed = [
            (each.name, rng.choice(below if each.is_correlation else (*below, *others)))
            for each in (*operands, self.rule("p"))
            if each.is_correlation or rng.random() < 0.93
        ]
        return KeyField(name=f"as-{name}", fields=tuple(listed))

    def values(self, kind: CorrelationType, operands: Sequence[Operand]) -> tuple[KeyField, ...]:
        rng = self.rng
        if not has_values(kind):
            return ()
        fields = self.fields_below(operands) or ["n", "m"]
        several = kind in {CorrelationType.VALUE_COUNT, CorrelationType.FIRST_SEEN}
        count = min(rng.choice((1, 1, 2)) if several else 1, len(fields))
        return tuple(self.field(name, operands, ("n", "m")) for name in rng.sample(fields, count))

    def timespan(self) -> int:
        spans = (1, self.unit // 2, self.unit, self.unit, self.unit * 2, self.unit * 2, self.unit * 3, self.unit * 5)
        return self.rng.choice(spans)

    def lookback(self, kind: CorrelationType) -> int:
        if kind in HOURLY:
            return self.rng.choice((1, 2, 3, 4, 5, 6)) * HOUR
        return self.rng.choice((1, 2, 3, 5)) * self.unit if kind is CorrelationType.FIRST_SEEN else 0

    def listed(self) -> tuple[str, ...]:
        pool = ["P", "q", "r", "1", "1.5", "true", "never"]
        return tuple(self.rng.sample(pool, self.rng.choice((1, 2, 3, 3))))

    def condition(self, names: Sequence[str], depth: int = 3) -> TemporalCondition:
        """Return a condition that names every operand; at times in its normal form."""
        rng = self.rng
        chance = rng.random()
        if chance < 0.3:
            drawn: TemporalCondition = Lacks(item=Has(operand=rng.choice(names)))
        elif chance < 0.6:
            items = tuple(self._tree(names, depth - 2) for _ in range(2))
            drawn = Lacks(item=Both(items=items) if rng.random() < 0.7 else Either(items=items))
        else:
            drawn = self._tree(names, depth)
        missing = [Has(operand=name) for name in names if name not in set(named(drawn))]
        if missing:
            parts = (drawn, *(Lacks(item=each) if rng.random() < 0.25 else each for each in missing))
            drawn = Both(items=parts) if rng.random() < 0.75 else Either(items=parts)
        if not CorrelationOracle([], []).unnegated(drawn):  # no event would anchor a window
            drawn = Both(items=(Has(operand=rng.choice(names)), drawn))
        return normal_form(drawn) if rng.random() < 0.7 else drawn

    def _tree(self, names: Sequence[str], depth: int) -> TemporalCondition:
        rng = self.rng
        chance = rng.random()
        if depth == 0 or chance < 0.3:
            return Has(operand=rng.choice(names))
        if chance < 0.6:
            return Lacks(item=self._tree(names, depth - 1))
        items = tuple(self._tree(names, depth - 1) for _ in range(2))
        return Both(items=items) if chance < 0.82 else Either(items=items)

    def thresholds(self, figures: Sequence[Fraction]) -> tuple[Threshold, ...]:
        """Return one comparison, or two that make a range more often than nonsense."""
        rng = self.rng
        if rng.random() < 0.75:
            return (self.threshold(figures, rng.choice((*Comparison, *INCLUSIVE))),)
        low, high = rng.choice((Comparison.GT, Comparison.GTE)), rng.choice((Comparison.LT, Comparison.LTE, Comparison.NEQ))
        found = [self.threshold(figures, comparison) for comparison in (low, high)]
        numbers = sorted(each.number for each in found)
        if rng.random() < 0.9:
            found = [replace(each, number=number) for each, number in zip(found, numbers, strict=True)]
        return tuple(found)

    def threshold(self, figures: Sequence[Fraction], comparison: Comparison) -> Threshold:
        """Return a comparison with one of the figures, with one beside it, or with one cut short by a hair."""
        rng = self.rng
        figure = rng.choice(figures) if figures else Fraction(1)
        context = Context(prec=40, rounding=rng.choice((ROUND_FLOOR, ROUND_CEILING)))
        number = context.divide(Decimal(figure.numerator), Decimal(figure.denominator))
        if number != figure or number != round(number, 6):
            number = context.quantize(number, Decimal(1).scaleb(-rng.choice((1, 3, 6, 6, 6))))
        number += rng.choices((0, 1, -1), (80, 10, 10))[0]
        number = max(min(number, MOST), -MOST)
        return Threshold(comparison=comparison, number=number)


def has_values(kind: CorrelationType) -> bool:
    """True for types that count, measure or remember values."""
    return kind in VALUE_TYPES | BASELINES and kind is not CorrelationType.SPIKE


def named(condition: TemporalCondition) -> Iterator[str]:
    """Yield the operands that a condition names."""
    match condition:
        case Has(operand=name):
            yield name
        case Lacks(item=item):
            yield from named(item)
        case Both(items=items) | Either(items=items):
            for item in items:
                yield from named(item)


def draw_history(seed: int, prefix: str = "", worlds: int = 1, kinds: Sequence[CorrelationType] = TYPES) -> History:
    """Return the history of a seed; each type of correlation has its turn."""
    return Drawer(random.Random(seed), prefix, worlds).history(kinds[seed % len(kinds)])


# -- making smaller ------------------------------------------------------------------------------------------------


def smaller(history: History) -> Iterator[History]:
    """Yield histories with one thing less: deliveries, a member of an event, a correlation, a threshold, an operand."""
    size = len(history.deliveries)
    while size > 0:
        for place in range(0, len(history.deliveries), size):
            yield replace(history, deliveries=history.deliveries[:place] + history.deliveries[place + size :])
        size //= 2
    if len(history.correlations) > 1:
        yield replace(history, correlations=history.correlations[:-1])
    for place, correlation in enumerate(history.correlations):
        for plainer in _plainer(correlation):
            yield replace(history, correlations=(*history.correlations[:place], plainer, *history.correlations[place + 1 :]))
    for event_id in {each.event_id: None for each in history.deliveries}:
        event = next(each.event for each in history.deliveries if each.event_id == event_id)
        for poorer in _poorer(event):
            deliveries = tuple(replace(each, event=poorer) if each.event_id == event_id else each for each in history.deliveries)
            yield replace(history, deliveries=deliveries)


def _plainer(correlation: Correlation) -> Iterator[Correlation]:
    for place in range(len(correlation.group_by)):
        yield replace(correlation, group_by=correlation.group_by[:place] + correlation.group_by[place + 1 :])
    if len(correlation.thresholds) > 1:
        for threshold in correlation.thresholds:
            yield replace(correlation, thresholds=(threshold,))
    if len(correlation.values) > 1:
        for value in correlation.values:
            yield replace(correlation, values=(value,))
    if len(correlation.operands) > 1 and correlation.condition is None:
        for operand in correlation.operands:
            yield replace(correlation, operands=tuple(each for each in correlation.operands if each is not operand))
    if isinstance(correlation.condition, Both | Either | Lacks):
        below = (correlation.condition.item,) if isinstance(correlation.condition, Lacks) else correlation.condition.items
        for condition in below:
            kept = tuple(each for each in correlation.operands if each.name in set(named(condition)))
            yield replace(correlation, condition=condition, operands=kept)


def _poorer(event: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for name, value in event.items():
        yield {key: each for key, each in event.items() if key != name}
        if isinstance(value, list):
            for element in value:
                yield {**event, name: element}


def minimised(history: History, is_wrong: Callable[[History], bool]) -> History:
    """Return the history without everything that the disagreement does not need."""
    progress = True
    while progress:
        progress = False
        for each in smaller(history):
            if is_wrong(each):
                history, progress = each, True
                break
    return history

"""Correlations and baselines: what is said of several events together (docs/meaning.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from aibr_hunt.model.technique import Technique


class CorrelationType(StrEnum):
    """What is asked of the events of a group."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    # Our extension of the family: baselines.
    FIRST_SEEN = "first_seen"
    RARE = "rare"
    SHARE = "share"
    SPIKE = "spike"


VALUE_TYPES: Final = frozenset(
    (
        CorrelationType.VALUE_COUNT,
        CorrelationType.VALUE_SUM,
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_PERCENTILE,
        CorrelationType.VALUE_MEDIAN,
    )
)
TEMPORAL_TYPES: Final = frozenset((CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED))
BASELINES: Final = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SHARE, CorrelationType.SPIKE))


class Comparison(StrEnum):
    """How a figure is compared with a threshold."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One comparison. Several of one correlation hold together: `gt: 1` with `lte: 3` is a range."""

    comparison: Comparison
    number: Decimal

    def holds(self, figure: Decimal) -> bool:
        """True when `figure` compares so with the threshold, exactly."""
        match self.comparison:
            case Comparison.GT:
                return figure > self.number
            case Comparison.GTE:
                return figure >= self.number
            case Comparison.LT:
                return figure < self.number
            case Comparison.LTE:
                return figure <= self.number
            case Comparison.EQ:
                return figure == self.number
            case Comparison.NEQ:
                return figure != self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Has:
    """Some event of the operand lies in the window."""

    operand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """All items hold."""

    items: tuple[TemporalCondition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """At least one item holds."""

    items: tuple[TemporalCondition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacks:
    """The item does not hold. Directly above a `Has` once the condition is normalised: no event, before or after."""

    item: TemporalCondition


TemporalCondition: TypeAlias = "Has | Both | Either | Lacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A rule or another correlation whose events are counted.

    Attributes:
        name: As the correlation writes it, and as its condition and aliases name it.
        id: Id of the Rule or Correlation.
        is_correlation: True for a correlation: each of its satisfying windows counts as one event, at its last event's time.
    """

    name: str
    id: str
    is_correlation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyField:
    """One field of a group, or one value field.

    Attributes:
        name: As the correlation writes it: a field, or an alias.
        fields: The field for each operand (and the population), by its name; one that is not listed uses `name` itself.
    """

    name: str
    fields: tuple[tuple[str, str], ...] = ()

    def of(self, operand: str) -> str:
        """Return the field that stands for this one in events of the operand."""
        return dict(self.fields).get(operand, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """One Sigma correlation, or one baseline.

    Attributes:
        id, name, title, path, text_digest, level, status, description, tags, techniques: As of a Rule.
        operands: In the order of `rules`; never empty.
        group_by: Fields whose values make a group; empty for one group of all events.
        timespan_us: Longest distance between first and last event of a window, inclusive; 0 for first_seen, rare and spike.
        thresholds: All must hold; empty for temporal types and first_seen.
        values: The counted or measured fields of value_*; what is new in the group for first_seen; the value of rare; the field of share.
        percentile: Of value_percentile, from 0 to 100.
        condition: Of an extended temporal correlation; None asks for every operand.
        population: Over what a baseline is judged; None for correlations. `share` is its own population.
        lookback_us: How far a baseline's history reaches back; a whole number of hours for rare and spike.
        minimum: Events of the population that a group needs before `rare` or `spike` says anything of it.
        listed: The values that `share` divides by.
        is_generating: `generate: true`: its operands make leads of their own too.
        tests_path, requires and the rest: As of a Rule.
        warnings: Sentences for the author; not part of the value.
    """

    id: str
    name: str
    title: str
    path: str
    text_digest: str
    type: CorrelationType
    operands: tuple[Operand, ...]
    group_by: tuple[KeyField, ...] = ()
    timespan_us: int = 0
    thresholds: tuple[Threshold, ...] = ()
    values: tuple[KeyField, ...] = ()
    percentile: Decimal | None = None
    condition: TemporalCondition | None = None
    population: Operand | None = None
    lookback_us: int = 0
    minimum: int = 1
    listed: tuple[str, ...] = ()
    is_generating: bool = False
    status: str = ""
    level: str = "medium"
    description: str = ""
    author: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    triage: tuple[str, ...] = ()
    preserve_first: tuple[str, ...] = ()
    evades: tuple[str, ...] = ()
    synthetic: str = ""
    tests_path: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_baseline(self) -> bool:
        """True for first_seen, rare, share and spike."""
        return self.type in BASELINES

    @property
    def sources(self) -> tuple[Operand, ...]:
        """The operands, and the population when it is none of them."""
        extra = () if self.population is None or self.population in self.operands else (self.population,)
        return (*self.operands, *extra)

    @property
    def looks_forward(self) -> bool:
        """True when something must be absent after the last event too."""
        return self.condition is not None and _has_negation(self.condition)


def _has_negation(condition: TemporalCondition) -> bool:
    match condition:
        case Has():
            return False
        case Lacks():
            return True
        case Both() | Either():
            return any(map(_has_negation, condition.items))


def normal_form(condition: TemporalCondition, *, is_negated: bool = False) -> TemporalCondition:
    """Return the condition with each `Lacks` directly above a `Has`: the form that docs/meaning.md section 7 reads."""
    match condition:
        case Has():
            return Lacks(item=condition) if is_negated else condition
        case Lacks():
            return normal_form(condition.item, is_negated=not is_negated)
        case Both() | Either():
            items = tuple(normal_form(item, is_negated=is_negated) for item in condition.items)
            return Both(items=items) if isinstance(condition, Both) is not is_negated else Either(items=items)

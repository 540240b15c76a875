"""A correlation made ready for printing: which rules are scanned for, which fields are read, how its parts chain.

Nothing here is text of an engine. What cannot be said exactly is refused here by name, for every engine alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aibr_hunt.compile.program import Asking, rule_bounds
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import holds_an_object
from aibr_hunt.meaning.places import Access, Locator
from aibr_hunt.model.condition import Condition, Value
from aibr_hunt.model.correlation import Correlation, CorrelationType, Has, KeyField, Lacks, TemporalCondition, normal_form
from aibr_hunt.model.layout import EngineKind, Kind, Layout
from aibr_hunt.model.rule import Rule

HOUR_US: Final = 3_600_000_000
# One count for every set of steps: five steps are 31 counts.
MOST_STEPS: Final = 5
_DEEPEST: Final = 4
_NUMERIC: Final = frozenset(
    (CorrelationType.VALUE_SUM, CorrelationType.VALUE_AVG, CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN)
)
_HOURLY: Final = frozenset((CorrelationType.RARE, CorrelationType.SPIKE))
_EXACT_KINDS: Final = frozenset((Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN, Kind.JSON))
_NUMBER_KINDS: Final = frozenset((Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.JSON))

Sources: TypeAlias = Mapping[str, "Rule | Correlation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One field as the scan reads it.

    Attributes:
        key: The field's canonical name.
        values: Where it lies; the first that is not blank counts.
        blanks: Further texts that count as blank.
        is_number: It is measured, not compared as text.
    """

    key: str
    values: tuple[Value, ...]
    blanks: tuple[str, ...] = ()
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operand, or the population, where its events come from and what they are grouped by.

    Attributes:
        name: As the correlation writes it.
        rule: Number of the scanned rule, from 1; 0 for a correlation.
        of: The plan of a correlation; None for a rule.
        groups: For each group field the number of the scanned field, or of the chained plan's group field, from 1.
        values: For each value field likewise.
    """

    name: str
    rule: int = 0
    of: Plan | None = None
    groups: tuple[int, ...] = ()
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One correlation, ready for printing.

    Attributes:
        correlation: What is asked.
        number: From 1 for the one that is asked for; chained ones follow.
        steps: The operands in order, then the population when it is none of them.
        population: Numbers, from 1, of the steps that a baseline is judged over.
        condition: Of temporal types, normalised.
    """

    correlation: Correlation
    number: int
    steps: tuple[Step, ...]
    population: tuple[int, ...] = ()
    condition: TemporalCondition | None = None

    @property
    def operands(self) -> tuple[int, ...]:
        """Numbers, from 1, of the steps that are operands."""
        return tuple(range(1, len(self.correlation.operands) + 1))

    @property
    def anchors(self) -> tuple[int, ...]:
        """Numbers of the steps whose events anchor windows and are members: those that occur without negation."""
        return self.operands if self.condition is None else positives(self.condition, self)

    def step_of(self, name: str) -> int:
        """Return the number of the operand of that name, from 1."""
        return [step.name for step in self.steps].index(name) + 1

    @property
    def back_us(self) -> int:
        """How far before a window's end its events may lie, those of chained correlations included."""
        found = self.correlation
        own = found.lookback_us + (HOUR_US if found.type in _HOURLY else 0) if found.is_baseline else 0
        return max(own, found.timespan_us) + max((step.of.back_us for step in self.steps if step.of), default=0)

    @property
    def ahead_us(self) -> int:
        """How far behind a window's end an event may unmake it."""
        found = self.correlation
        own = found.timespan_us if found.looks_forward else HOUR_US if found.type in _HOURLY else 0
        return own + max((step.of.ahead_us for step in self.steps if step.of), default=0)


@dataclass(slots=True)
class Scan:
    """What the one scan of the table reads: conditions of rules and fields, each once.

    Attributes:
        rules: Rules with their conditions; `reads`: fields.
        assumptions: What the text takes for granted, one sentence each.
    """

    locator: Locator
    rules: list[tuple[Rule, Condition]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    assumptions: dict[str, None] = field(default_factory=dict)

    def rule(self, rule: Rule) -> int:
        """Return the number of a rule, from 1.

        Raises:
            Unsupported: It has no exact whole form on the layout.
        """
        for number, (known, _) in enumerate(self.rules, start=1):
            if known.id == rule.id:
                return number
        bounds = rule_bounds(rule, self.locator)
        if bounds.high is None:
            what = ", ".join(bounds.obstacles)
            hint = "Hunt the correlation: engines then narrow, and the matcher decides."
            raise Unsupported(f"rule {rule.name} as a whole on {self.locator.layout.label}", f"it asks for {what}.", hint=hint)
        self.assumptions.update(dict.fromkeys(bounds.assumptions))
        self.rules.append((rule, bounds.high))
        return len(self.rules)

    def read(self, name: str, *, is_number: bool) -> int:
        """Return the number of a field, from 1.

        Raises:
            Unsupported: The layout does not carry it, or its text cannot be printed as a key.
        """
        found = self._read_of(name, is_number=is_number)
        if found not in self.reads:
            self.reads.append(found)
        return self.reads.index(found) + 1

    def _read_of(self, name: str, *, is_number: bool) -> Read:
        bound = self.locator.binder.field(name)
        accesses = self.locator.access(name)
        for access in accesses:
            why = _not_exact(access, is_number=is_number)
            if bound.spec.derive:
                why = "it is cut out of another text"
            elif holds_an_object(bound):
                why = "it is an object"
            if why:
                raise Unsupported(f"the field {name} as a key on {self.locator.layout.label}", f"{why}.", hint="Group by another field.")
        self._assume(bound.key, accesses)
        return Read(key=bound.key, values=tuple(access.value for access in accesses), blanks=bound.blanks, is_number=is_number)

    def _assume(self, key: str, accesses: Sequence[Access]) -> None:
        if len(accesses) > 1:
            self.assumptions[f"columns that carry {key} agree, or all but one are blank"] = None
        if any(access.value.type.kind is Kind.JSON for access in accesses):
            self.assumptions[f"numbers in {key} are spelt without exponent and without zeros at the end of a fraction"] = None
        if not all(access.is_declared for access in accesses):
            self.assumptions[f"{key} meets no list and no object on its way"] = None
        self.assumptions["letters of keys fold alike in every engine"] = None


def _not_exact(access: Access, *, is_number: bool) -> str:
    """Return why a value's text cannot be printed exactly; empty when it can."""
    kind = access.value.type.kind
    if access.arrays:
        return "it is a list, and each element would be a key"
    if access.has_port:
        return "a port stands behind the address"
    if kind not in (_NUMBER_KINDS if is_number else _EXACT_KINDS):
        return f"a value of type {kind.value} has no text that is the same on every engine"
    return ""


def rules_below(correlation: Correlation, sources: Sources) -> tuple[Rule, ...]:
    """Return the rules that a correlation rests on, those of chained ones included, each once.

    Raises:
        Unsupported: One of them was not read.
    """
    found: dict[str, Rule] = {}
    for operand in correlation.sources:
        source = sources.get(operand.id)
        if source is None:
            raise Unsupported(f"correlation {correlation.name}", f"its rule {operand.name} was not read.")
        below = (source,) if isinstance(source, Rule) else rules_below(source, sources)
        found.update((rule.id, rule) for rule in below)
    return tuple(found.values())


# -- plans ----------------------------------------------------------------------------------------------------------


def planned(correlation: Correlation, sources: Sources, asking: Asking) -> tuple[Plan, Scan]:
    """Return a correlation and everything below it, ready for printing, and the scan that feeds it.

    Raises:
        Unsupported: Something in it cannot be said exactly on the layout; the message names it.
    """
    if not asking.layout.identity:
        raise Unsupported(f"a correlation on {asking.layout.label}", "the layout lacks a part of the event's identity.")
    scan = Scan(asking.locator)
    plan = _Planner(sources, scan).plan(correlation, depth=0)
    return plan, scan


class _Planner:
    """Numbers correlations as it meets them."""

    def __init__(self, sources: Sources, scan: Scan) -> None:
        self._sources = sources
        self._scan = scan
        self._count = 0

    def plan(self, correlation: Correlation, *, depth: int) -> Plan:
        """Return the correlation with its number, and everything that it rests on with theirs."""
        if depth > _DEEPEST:
            raise Unsupported(f"correlation {correlation.name}", f"correlations are chained more than {_DEEPEST} deep.")
        self._count += 1
        number = self._count
        _check(correlation, self._scan.locator.layout)
        # `share` is its own population, whatever the document names.
        population = None if correlation.type is CorrelationType.SHARE else correlation.population
        sources = correlation.operands if population is None else correlation.sources
        steps = tuple(self._step(correlation, each.name, each.id, depth=depth) for each in sources)
        judged = tuple(range(1, len(steps) + 1)) if population is None else (sources.index(population) + 1,)
        condition = None if correlation.condition is None else normal_form(correlation.condition)
        return Plan(correlation=correlation, number=number, steps=steps, population=judged, condition=condition)

    def _step(self, correlation: Correlation, name: str, id_: str, *, depth: int) -> Step:
        source = self._sources.get(id_)
        if source is None:
            raise Unsupported(f"correlation {correlation.name}", f"its rule {name} was not read.")
        if isinstance(source, Correlation):
            inner = self.plan(source, depth=depth + 1)
            groups, values = (
                tuple(_chained(each, name, source) for each in fields) for fields in (correlation.group_by, correlation.values)
            )
            return Step(name=name, of=inner, groups=groups, values=values)
        is_number = correlation.type in _NUMERIC
        return Step(
            name=name,
            rule=self._scan.rule(source),
            groups=tuple(self._scan.read(each.of(name), is_number=False) for each in correlation.group_by),
            values=tuple(self._scan.read(each.of(name), is_number=is_number) for each in correlation.values),
        )


def _chained(key: KeyField, name: str, source: Correlation) -> int:
    wanted = key.of(name)
    names = [each.name for each in source.group_by]
    if wanted not in names:
        raise Unsupported(f"the field {wanted} of the correlation {source.name}", "a correlation's events have its group fields only.")
    return names.index(wanted) + 1


def _check(correlation: Correlation, layout: Layout) -> None:
    """Refuse what no text here says exactly."""
    of = f"{correlation.type.value} in {layout.engine.value}"
    if correlation.type is CorrelationType.TEMPORAL_ORDERED and correlation.condition is not None:
        raise Unsupported(of, "an order with a condition has no meaning.")
    if correlation.type is CorrelationType.TEMPORAL_ORDERED and len(correlation.operands) > MOST_STEPS:
        raise Unsupported(of, f"it has more than {MOST_STEPS} steps.")
    if layout.engine is EngineKind.KQL and correlation.type in {CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN}:
        raise Unsupported(of, "percentiles there are approximations.")
    if correlation.type in _NUMERIC and len(correlation.values) != 1:
        raise Unsupported(of, "it measures one field.")
    if correlation.type in _HOURLY and correlation.lookback_us % HOUR_US:
        raise Unsupported(of, "its lookback is no whole number of hours.")


def positives(condition: TemporalCondition, plan: Plan) -> tuple[int, ...]:
    """Return the numbers of the operands that a normalised condition names without negation, ascending."""
    return tuple(sorted({plan.step_of(name) for name in _named(condition)}))


def _named(condition: TemporalCondition) -> set[str]:
    match condition:
        case Has(operand=name):
            return {name}
        case Lacks():
            return set()
        case _:
            return set().union(*map(_named, condition.items))


def leaf_of(condition: TemporalCondition) -> tuple[str, bool] | None:
    """Return operand and sign of a leaf of a normalised condition, None for an inner node."""
    if isinstance(condition, Has):
        return condition.operand, True
    if isinstance(condition, Lacks) and isinstance(condition.item, Has):
        return condition.item.operand, False
    return None

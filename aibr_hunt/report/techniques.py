"""Which techniques rules can find, and which of them the user's own logs can show: pure, with honest denominators.

A tier is counted over the techniques of its class and nothing else. What no log shows, and what nobody has classified,
stands beside the tiers, never in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from aibr_hunt.content.catalogue import tag_of
from aibr_hunt.content.target import CLOUDS, TIERS, Cloud, LogClass, Target, TargetRow
from aibr_hunt.model.technique import Technique

Scope: TypeAlias = Cloud | Literal["all"]
SCOPES: Final[tuple[Scope, ...]] = (*CLOUDS, "all")


class Standing(StrEnum):
    """How far a technique is covered by rules."""

    TESTED = "tested"
    WRITTEN = "written"
    NONE = "no rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A rule or correlation as coverage sees it.

    Attributes:
        tags: Sigma tags of its techniques.
        clouds: Products of its log sources that are clouds of the classification.
        requires: Log switches that must be on.
        sources: Names of the mappings that it reads; `as-written` for a log source without one.
        is_tested: It has cases that must hit, and every one of them does.
        why: What keeps it from being tested; empty when nothing does.
    """

    id: str
    name: str
    tags: frozenset[str]
    clouds: frozenset[Cloud]
    requires: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    is_tested: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of the user's own logs.

    Attributes:
        off: Log switches that are off, as the user states.
        shown: Log switches that are on: a lead rests on them, or what was read could not be there without them.
        sources: Log sources that were read; None when nobody said what was read.
        unread: Ids of rules that the run found no log for.
        leads: Leads by tag of their technique, and by cloud.
    """

    off: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None
    unread: frozenset[str] = frozenset()
    leads: Mapping[tuple[str, Scope], int] = field(default_factory=dict)

    def is_blind(self, rule: KnownRule) -> bool:
        """True when the rule can see nothing: a switch that it needs is off, or no log of it was among what was read."""
        is_absent = self.sources is not None and bool(rule.sources) and self.sources.isdisjoint(rule.sources)
        return is_absent or rule.id in self.unread or not self.off.isdisjoint(rule.requires)

    def is_read(self, rule: KnownRule) -> bool:
        """True when every log of the rule was read, and every switch that it needs was on as far as that shows."""
        if self.sources is None or self.is_blind(rule) or not rule.sources:
            return False
        return self.sources.issuperset(rule.sources) and self.shown.issuperset(rule.requires)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One technique in one cloud, or in all of them together.

    Attributes:
        rules: Those that name the technique there, tested ones first.
        blind_rules: Ids of those that can see nothing.
        leads: Leads under it that the ledger holds.
        is_read: Some rule's logs were read with all that it needs.
    """

    row: TargetRow
    scope: Scope
    rules: tuple[KnownRule, ...]
    blind_rules: frozenset[str] = frozenset()
    leads: int = 0
    is_read: bool = False

    @property
    def standing(self) -> Standing:
        """How far rules cover it."""
        if not self.rules:
            return Standing.NONE
        return Standing.TESTED if any(rule.is_tested for rule in self.rules) else Standing.WRITTEN

    @property
    def is_blind(self) -> bool:
        """True when there are rules and none of them can see anything."""
        return bool(self.rules) and all(rule.id in self.blind_rules for rule in self.rules)

    @property
    def is_seen(self) -> bool:
        """True when the user's own data has shown it, or would have."""
        return self.leads > 0 or self.is_read


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFigures:
    """Counts of one tier in one scope; `techniques` is the sum of tested, written and none.

    Attributes:
        techniques: The denominator: techniques of the tier's class that name an event of the cloud (in all clouds: all of the class).
        seen, blind: Of these, those that the user's data shows, and those for which every rule is blind.
        tested_in_sight: Tested, and not blind.
    """

    scope: Scope
    tier: LogClass
    techniques: int
    tested: int
    written: int
    none: int
    seen: int
    blind: int
    tested_in_sight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TechniqueCoverage:
    """The whole answer.

    Attributes:
        target: The classification that it rests on.
        sight: What was known of the user's logs.
        rules: Every rule that was looked at.
        cells: Observable techniques by scope and, in it, in the order of the classification.
        unobservable: Techniques of classes X and N, with the rules that name them all the same.
        unclassified: Cloud techniques that nobody classified, with the rules that name them.
        elsewhere: Techniques that rules name and the classification does not hold at all, with these rules.
        unnamed: Rules that name no technique.
        beyond: Techniques with a rule in a cloud of which the classification names no event.
    """

    target: Target
    sight: Sight
    rules: tuple[KnownRule, ...]
    cells: Mapping[Scope, tuple[Covered, ...]]
    unobservable: tuple[tuple[TargetRow, tuple[KnownRule, ...]], ...]
    unclassified: tuple[tuple[Technique, tuple[KnownRule, ...]], ...]
    elsewhere: tuple[tuple[str, tuple[KnownRule, ...]], ...]
    unnamed: tuple[KnownRule, ...]
    beyond: tuple[tuple[Cloud, TargetRow, tuple[KnownRule, ...]], ...]

    def figures(self, scopes: Iterable[Scope] = SCOPES, tiers: Iterable[LogClass] = TIERS) -> tuple[TierFigures, ...]:
        """Return the counts of each tier in each scope."""
        wanted = tuple(tiers)
        return tuple(_figures(scope, tier, self.cells[scope]) for scope in scopes for tier in wanted)

    def cell(self, tag: str, scope: Scope = "all") -> Covered | None:
        """Return the cell of an observable technique; None for any other, or where the cloud shows no event of it."""
        return next((cell for cell in self.cells[scope] if cell.row.tag == tag), None)


def cover(target: Target, rules: Sequence[KnownRule], sight: Sight) -> TechniqueCoverage:
    """Return which techniques the rules cover, tier by tier, and what of it the user's logs can show.

    A rule counts for the techniques that its tags name, exactly: one tagged with a sub-technique says nothing of the technique above it,
    unless the classification names no event for that one and so leaves it to its sub-techniques.
    """
    by_tag: dict[str, list[KnownRule]] = {}
    for rule in rules:
        for tag in rule.tags:
            by_tag.setdefault(tag, []).append(rule)
    observable = target.of(TIERS)
    wanted = {row.tag: _tags_for(row, target) for row in observable}

    def rules_of(tags: Collection[str], scope: Scope) -> tuple[KnownRule, ...]:
        found = {rule.id: rule for tag in tags for rule in by_tag.get(tag, ()) if scope == "all" or scope in rule.clouds}
        return tuple(sorted(found.values(), key=lambda rule: (not rule.is_tested, rule.name)))

    def cell(row: TargetRow, scope: Scope) -> Covered:
        return _covered(row, scope, rules=rules_of(wanted[row.tag], scope), sight=sight, tags=wanted[row.tag])

    held = {*target.rows, *target.unclassified}
    return TechniqueCoverage(
        target=target,
        sight=sight,
        rules=tuple(rules),
        cells={scope: tuple(cell(row, scope) for row in observable if scope == "all" or scope in row.events) for scope in SCOPES},
        unobservable=tuple((row, rules_of((row.tag,), "all")) for row in target.rows.values() if not row.log_class.is_observable),
        unclassified=tuple((found, rules_of((tag,), "all")) for tag, found in target.unclassified.items()),
        elsewhere=tuple((tag, rules_of((tag,), "all")) for tag in sorted(by_tag.keys() - held)),
        unnamed=tuple(rule for rule in rules if not rule.tags),
        beyond=tuple(
            (cloud, row, found)
            for cloud in CLOUDS
            for row in observable
            if row.events and cloud not in row.events and (found := rules_of((row.tag,), cloud))
        ),
    )


def _tags_for(row: TargetRow, target: Target) -> tuple[str, ...]:
    """Return the tags that count for a row: its own, and those of its sub-techniques when it names no event of its own."""
    if row.events:
        return (row.tag,)
    below = (tag for tag, each in target.rows.items() if tag.startswith(f"{row.tag}.") and each.log_class.is_observable)
    return (row.tag, *below)


def _covered(row: TargetRow, scope: Scope, *, rules: tuple[KnownRule, ...], sight: Sight, tags: Iterable[str]) -> Covered:
    return Covered(
        row=row,
        scope=scope,
        rules=rules,
        blind_rules=frozenset(rule.id for rule in rules if sight.is_blind(rule)),
        leads=sum(sight.leads.get((tag, scope), 0) for tag in tags),
        is_read=any(sight.is_read(rule) for rule in rules),
    )


def _figures(scope: Scope, tier: LogClass, cells: Iterable[Covered]) -> TierFigures:
    mine = [cell for cell in cells if cell.row.log_class is tier]
    standings = [cell.standing for cell in mine]
    return TierFigures(
        scope=scope,
        tier=tier,
        techniques=len(mine),
        tested=standings.count(Standing.TESTED),
        written=standings.count(Standing.WRITTEN),
        none=standings.count(Standing.NONE),
        seen=sum(cell.is_seen for cell in mine),
        blind=sum(cell.is_blind for cell in mine),
        tested_in_sight=sum(any(rule.is_tested and rule.id not in cell.blind_rules for rule in cell.rules) for cell in mine),
    )


def tags_of(techniques: Iterable[Technique]) -> frozenset[str]:
    """Return the Sigma tags of techniques."""
    return frozenset(tag_of(each) for each in techniques)

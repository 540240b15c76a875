"""What a command works with: the rules and correlations that were asked for, and what they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aibr_hunt.content.references import silent_ids
from aibr_hunt.errors import AibrError
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Rules and correlations that were asked for, with all that they need.

    Attributes:
        rules: Those that make leads of their own, in the order of their files, filters applied.
        operands: Rules that only serve correlations (docs/meaning.md section 7.2), filters applied. They are matched, and make no leads.
        correlations: Correlations and baselines; those that serve another one stand before it.
        silent: Ids of the operands, and of the correlations that only serve others: what makes no leads of its own.
        refused: Path (or id) and error of everything that could not be read.
        files: The file of each rule and correlation, by its id.
        warnings: Sentences about what was read and does not do what it seems to: a filter of a rule that is not there.
    """

    rules: tuple[Rule, ...]
    operands: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    silent: frozenset[str] = frozenset()
    refused: tuple[tuple[str, AibrError], ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def matched(self) -> tuple[Rule, ...]:
        """Every rule whose events are looked for: rules, then operands."""
        return (*self.rules, *self.operands)

    @property
    def things(self) -> tuple[Rule | Correlation, ...]:
        """Every rule and correlation."""
        return (*self.matched, *self.correlations)

    @property
    def names(self) -> frozenset[str]:
        """Names and ids of all rules and correlations: what a hunt may name."""
        return frozenset(key for each in self.things for key in (each.id, each.name))

    def only(self, names: Collection[str]) -> Corpus:
        """Return what these names and ids mean, and the rules that the correlations among it need; nothing of it is refused."""
        wanted = {each.id for each in self.things if each.id in names or each.name in names}
        needed = set(wanted)
        for each in reversed(self.correlations):  # what needs others stands behind them
            needed |= {source.id for source in each.sources} if each.id in needed else set()
        correlations = tuple(each for each in self.correlations if each.id in needed)
        silent = silent_ids(correlations, wanted)
        matched = [rule for rule in self.matched if rule.id in needed]
        return replace(
            self,
            rules=tuple(rule for rule in matched if rule.id not in silent),
            operands=tuple(rule for rule in matched if rule.id in silent),
            correlations=correlations,
            silent=silent,
            refused=(),
        )

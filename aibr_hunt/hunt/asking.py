"""What a run asks of correlations: the rules that they rest on, what they mean, and what cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.values import Left
from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.errors import AibrError
from aibr_hunt.meaning.correlations import correlation_digest
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.lead import RuleRow
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import Rule

Digests = Mapping[str, str]
"""Meaning digest by id."""


Lacks = Callable[[Rule, Sequence[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run asks of correlations.

    Attributes:
        correlations: Those that serve another one stand before it.
        silent: Ids of rules and correlations that make no leads of their own.
        rules: Each rule that is matched and its mapping, by id.
        digests: Meaning digest of each rule, by id.
    """

    correlations: tuple[Correlation, ...] = ()
    silent: frozenset[str] = frozenset()
    rules: Mapping[str, tuple[Rule, LogMapping | None]] = field(default_factory=dict)
    digests: Digests = field(default_factory=dict)

    def reader(self, rule_id: str, name: str) -> KeyReader:
        """Return the reader of a field in events of a rule.

        Raises:
            Unsupported: The field means nothing on the rule's log source.
        """
        return KeyReader(name, self.rules[rule_id][1])

    def meanings(self) -> dict[str, str]:
        """Return the meaning digest of each correlation, by id."""
        known = dict(self.digests)
        mappings = {rule_id: mapping for rule_id, (_, mapping) in self.rules.items()}
        for each in self.correlations:
            known[each.id] = correlation_digest(each, digests=known, mappings=mappings)
        return {each.id: known[each.id] for each in self.correlations}

    def source_of(self, rule_id: str) -> str:
        """Return the name of the Source that a rule reads."""
        mapping = self.rules[rule_id][1]
        return AS_WRITTEN if mapping is None else mapping.name

    def sources_of(self, correlation: Correlation, by_id: Mapping[str, Correlation]) -> tuple[str, ...]:
        """Return the names of the Sources that a correlation rests on, through chains, sorted."""
        rules = rules_of(correlation, by_id)
        return tuple(sorted({self.source_of(rule_id) for rule_id in rules}))

    def source_name(self, correlation: Correlation) -> str:
        """Return under which name coverage tells of a correlation: its Sources, joined."""
        return " + ".join(self.sources_of(correlation, {each.id: each for each in self.correlations}))

    def row(self, correlation: Correlation, digest: str) -> RuleRow:
        """Return a correlation as a run freezes it."""
        by_id = {each.id: each for each in self.correlations}
        rules = [self.rules[rule_id][0] for rule_id in rules_of(correlation, by_id)]
        return RuleRow(
            id=correlation.id,
            name=correlation.name,
            title=correlation.title,
            level=correlation.level,
            path=correlation.path,
            text_digest=correlation.text_digest,
            meaning_digest=digest,
            logsource=" + ".join(dict.fromkeys(str(rule.logsource) for rule in rules)),
            techniques=correlation.techniques,
            requires=tuple(dict.fromkeys((*correlation.requires, *(switch for rule in rules for switch in rule.requires)))),
            triage=correlation.triage,
            preserve_first=correlation.preserve_first,
            falsepositives=correlation.falsepositives,
            synthetic=correlation.synthetic,
        )

    def sentence(self, left: Left) -> str:
        """Return what was left out of correlations, for people."""
        rule = self.rules[left.rule_id][0]
        what = "1 event" if left.events == 1 else f"{left.events:,} events"
        return f"Correlations: {what} of rule {rule.name} took no part: {left.reason}."


def rules_of(correlation: Correlation, by_id: Mapping[str, Correlation]) -> tuple[str, ...]:
    """Return the ids of the rules that a correlation rests on, through chains, in the order in which it names them."""
    found: dict[str, None] = {}
    for source in correlation.sources:
        found.update(dict.fromkeys(rules_of(by_id[source.id], by_id) if source.is_correlation else (source.id,)))
    return tuple(found)


def askable(
    correlations: Sequence[Correlation],
    *,
    rules: Mapping[str, tuple[Rule, LogMapping | None]],
    digests: Digests,
    silent: frozenset[str],
    lacks: Lacks = lambda _, __: "",
) -> tuple[Asked, list[tuple[str, str]]]:
    """Return what can be asked, and for each correlation that cannot its path and the reason.

    Args:
        correlations: Those that serve another one stand before it.
        rules: The rules that are matched, with their mappings, by id.
        digests: Meaning digest of each of them.
        silent: Ids of rules and correlations that make no leads of their own.
        lacks: Says why a rule's events, with certain fields in them, cannot be had where the run reads; empty when they can.
    """
    kept: list[Correlation] = []
    refused: list[tuple[str, str]] = []
    for each in correlations:
        known = Asked(correlations=tuple(kept), rules=rules, digests=digests)
        reason = _obstacle(each, known) or _lacking(each, known, lacks)
        if reason:
            refused.append((each.path or each.id, reason))
        else:
            kept.append(each)
    return Asked(correlations=tuple(kept), silent=silent, rules=rules, digests=digests), refused


def _obstacle(correlation: Correlation, known: Asked) -> str:
    """Return why a correlation cannot be asked; empty when it can."""
    by_id = {each.id: each for each in known.correlations}
    for source in correlation.sources:
        if source.id not in (by_id if source.is_correlation else known.rules):
            return f"{correlation.name} rests on {source.name}, which cannot be asked."
    try:
        Correlator((*_below(correlation, by_id), correlation), readers=known.reader).close()
    except AibrError as error:
        return str(error)
    return ""


def _lacking(correlation: Correlation, known: Asked, lacks: Lacks) -> str:
    """Return why the place that is read does not carry what a correlation reads; empty when it does."""
    for source in correlation.sources:
        if not source.is_correlation:
            names = [field.of(source.name) for field in (*correlation.group_by, *correlation.values)]
            reason = lacks(known.rules[source.id][0], names)
            if reason:
                return f"{correlation.name} cannot be judged there: {reason}"
    return ""


def _below(correlation: Correlation, by_id: Mapping[str, Correlation]) -> tuple[Correlation, ...]:
    """Return the correlations that one rests on, through chains, those that serve another one before it."""
    found: dict[str, Correlation] = {}
    for operand in correlation.operands:
        if operand.is_correlation:
            inner = by_id[operand.id]
            found |= {each.id: each for each in (*_below(inner, by_id), inner)}
    return tuple(found.values())


def needs_of(correlation: Correlation) -> str:
    """Return over how long a correlation must know everything, in words."""
    parts = [f"timespan {_span_text(correlation.timespan_us)}"] if correlation.timespan_us else []
    parts += [f"lookback {_span_text(correlation.lookback_us)}"] if correlation.lookback_us else []
    return ", ".join(parts)


def _span_text(span_us: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if span_us % (size * 1_000_000) == 0:
            return f"{span_us // (size * 1_000_000)}{unit}"
    return f"{span_us} us"

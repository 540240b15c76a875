"""What to do next, in five phases. Every statement is derived from rules, leads or gaps and names those it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aibr_hunt.model.lead import Lead, RuleRow, TriageState
from aibr_hunt.report.findings import Findings, is_set_aside
from aibr_hunt.report.gaps import Gap
from aibr_hunt.report.involved import Cast
from aibr_hunt.report.words import level_rank, plural

_NAMED = 3


class Phase(StrEnum):
    """The phases of a response, in order."""

    IDENTIFY = "Identify"
    COLLECT = "Collect"
    PRESERVE = "Preserve"
    ANALYSE = "Analyse"
    REPORT = "Report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do.

    Attributes:
        text: What to do, in a sentence of ours or of the rule's author.
        values: Values of the log that it concerns, shown apart from the sentence.
        rules: Names of the rules whose author says so.
        lead_ids, gap_ids: What it rests on; at least one of the two is not empty, save in REPORT.
    """

    phase: Phase
    text: str
    values: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    lead_ids: tuple[str, ...] = ()
    gap_ids: tuple[str, ...] = ()


def advise(findings: Findings, gaps: Sequence[Gap], casts: Sequence[Cast]) -> tuple[tuple[Phase, tuple[Advice, ...]], ...]:
    """Return the advice by phase, within a phase the gravest first. Leads that were set aside ask for nothing."""
    leads = [lead for lead in findings.leads if not is_set_aside(lead)]
    advice = [
        *_identify(leads, casts),
        *_collect(gaps),
        *_from_rules(Phase.PRESERVE, findings.rules, leads),
        *_hunt_preserves(findings),
        *_from_rules(Phase.ANALYSE, findings.rules, leads),
        *_rule_out(findings.rules, leads),
        *_report(leads, gaps),
    ]
    return tuple((phase, tuple(item for item in advice if item.phase is phase)) for phase in Phase)


def _identify(leads: Sequence[Lead], casts: Sequence[Cast]) -> Iterable[Advice]:
    live = {lead.id for lead in leads}
    questions = {
        "principal": "Establish who holds each principal, and whether that person did this.",
        "key id": "Establish where each key or token was issued, to whom, and whether it is still valid.",
        "address": "Establish to whom each address belongs and what else came from it.",
        "resource": "Establish what each resource holds and who depends on it.",
    }
    for cast in casts:
        names = [name for name in cast.names if live.intersection(name.lead_ids)]
        if names and cast.one in questions:
            ids = dict.fromkeys(lead_id for name in names for lead_id in name.lead_ids if lead_id in live)
            rest = f" The first {_NAMED} of {len(names)}:" if len(names) > _NAMED else ""
            values = tuple(name.value for name in names[:_NAMED])
            yield Advice(phase=Phase.IDENTIFY, text=questions[cast.one] + rest, values=values, lead_ids=tuple(ids))


def _collect(gaps: Iterable[Gap]) -> Iterable[Advice]:
    for gap in gaps:
        if gap.remedy:
            yield Advice(phase=Phase.COLLECT, text=gap.remedy, gap_ids=(gap.id,), lead_ids=gap.lead_ids)


def _from_rules(phase: Phase, rules: Sequence[RuleRow], leads: Sequence[Lead]) -> Iterable[Advice]:
    """Yield each sentence of the rules' authors once, with all rules and leads that it rests on."""
    found = _leads_by_rule(leads)
    grouped: dict[str, list[RuleRow]] = {}
    for rule in sorted(rules, key=lambda item: (level_rank(item.level), item.name)):
        if rule.id in found:
            for text in rule.preserve_first if phase is Phase.PRESERVE else rule.triage:
                grouped.setdefault(text, []).append(rule)
    for text, asking in grouped.items():
        ids = tuple(lead_id for rule in asking for lead_id in found[rule.id])
        yield Advice(phase=phase, text=text, rules=tuple(rule.name for rule in asking), lead_ids=ids)


def _hunt_preserves(findings: Findings) -> Iterable[Advice]:
    for finding in findings.hunts:
        ids = tuple(dict.fromkeys(lead_id for item in finding.observed for lead_id in item.lead_ids))
        if ids:
            for phase, texts in ((Phase.PRESERVE, finding.hunt.preserve_first), (Phase.ANALYSE, finding.hunt.triage)):
                yield from (Advice(phase=phase, text=text, rules=(finding.hunt.name,), lead_ids=ids) for text in texts)
            if finding.hunt.pivots:
                text = "Follow the values of these fields into other logs."
                yield Advice(phase=Phase.ANALYSE, text=text, values=finding.hunt.pivots, rules=(finding.hunt.name,), lead_ids=ids)


def _rule_out(rules: Iterable[RuleRow], leads: Sequence[Lead]) -> Iterable[Advice]:
    found = _leads_by_rule(leads)
    for rule in sorted(rules, key=lambda item: (level_rank(item.level), item.name)):
        if rule.id in found and rule.falsepositives:
            text = f"Rule out the harmless causes that the rule names: {'; '.join(rule.falsepositives)}."
            yield Advice(phase=Phase.ANALYSE, text=text, rules=(rule.name,), lead_ids=tuple(found[rule.id]))


def _report(leads: Sequence[Lead], gaps: Sequence[Gap]) -> Iterable[Advice]:
    undecided = tuple(lead.id for lead in leads if lead.state in {TriageState.NEW, TriageState.OPEN})
    confirmed = tuple(lead.id for lead in leads if lead.state is TriageState.CONFIRMED)
    if undecided:
        text = f"Decide on {plural(len(undecided), 'lead')} that nobody has confirmed or dismissed yet, before they are quoted as findings."
        yield Advice(phase=Phase.REPORT, text=text, lead_ids=undecided)
    if confirmed:
        text = f"State {plural(len(confirmed), 'confirmed lead')} with the digests of the evidence."
        yield Advice(phase=Phase.REPORT, text=text, lead_ids=confirmed)
    unseen = tuple(gap.id for gap in gaps if not gap.is_caution)
    if unseen:
        yield Advice(phase=Phase.REPORT, text="State in the same breath what was not seen.", gap_ids=unseen)
    text = "Before the record is relied on, verify it: run the command that the appendix gives and keep its output."
    yield Advice(phase=Phase.REPORT, text=text)


def _leads_by_rule(leads: Iterable[Lead]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for lead in leads:
        found.setdefault(lead.rule_id, []).append(lead.id)
    return found

"""Everything that a report tells, as one value. Whoever has the ledger fills it; the report only reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aibr_hunt.model.event import Account
from aibr_hunt.model.hunt import Hunt, Observation
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import CoverageRow, CoverageState, Lead, Pulse, RuleRow, RunRow, TriageState
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.technique import Tactic
from aibr_hunt.model.window import Window

_LOOKED_AT = frozenset({CoverageState.SETTLED, CoverageState.PROVISIONAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What became of one observation of a hunt.

    Attributes:
        observation: Its id in the hunt.
        lead_ids: Leads that are the observation.
        set_aside: Leads that would be, were they not dismissed or suppressed.
        why_unasked: Why nobody can say whether it was there; empty when it was asked everywhere it was meant to be.
    """

    observation: str
    lead_ids: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    why_unasked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntFinding:
    """A hunt and what became of each of its observations; one that is not in `observed` was not asked."""

    hunt: Hunt
    observed: tuple[Observed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of each thing the pages for people show; the JSON form is always whole.

    Attributes:
        cards: Leads told in full. `rows`: leads in the table. `files`: files listed one by one.
        rules: Rules listed in the coverage table and the appendix.
        links: Lead ids printed after one statement. `items`: values listed under one gap.
        fields: Event fields on a card. `characters`: of one value in a table; a card allows four times as many.
    """

    cards: int = 100
    rows: int = 5000
    files: int = 60
    rules: int = 400
    links: int = 8
    items: int = 8
    fields: int = 40
    characters: int = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The whole matter of one report.

    Attributes:
        title: What the report is about, in a line.
        made_at: When the report was made, aware UTC; the report itself never looks at a clock.
        made_by: Who made it. `tool_version`: with which version.
        window: The span of event time that was asked for.
        runs: The runs that it rests on, oldest first.
        rules: Every rule of those runs. `leads`: every lead, also suppressed and dismissed ones.
        accounts: What became of the bytes of each file. `coverage`, `pulses`: as the runs committed them.
        jobs: What became of each program that runs handed to cloud engines.
        tactics: The tactics of both catalogues, from which the matrix takes names and order.
        switches: The log switches that the mappings define.
    """

    title: str
    made_at: datetime
    made_by: str
    tool_version: str
    window: Window = field(default_factory=Window)
    runs: tuple[RunRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    leads: tuple[Lead, ...] = ()
    accounts: tuple[Account, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    pulses: tuple[Pulse, ...] = ()
    jobs: tuple[Job, ...] = ()
    hunts: tuple[HuntFinding, ...] = ()
    tactics: tuple[Tactic, ...] = ()
    switches: tuple[LogSwitch, ...] = ()
    extent: Extent = field(default_factory=Extent)


def observe_hunt(hunt: Hunt, *, rules: Sequence[RuleRow], leads: Iterable[Lead], coverage: Iterable[CoverageRow]) -> HuntFinding:
    """Return what became of each observation of `hunt`, from the rules that ran and the leads that they made.

    Dismissed and suppressed leads are set aside: a judgement was made on them. An observation counts as asked only
    when each of its rules ran and none of their windows lacks an answer.
    """
    by_rule: dict[str, list[Lead]] = {}
    for lead in leads:
        by_rule.setdefault(lead.rule_id, []).append(lead)
    lacking = _lacking(coverage)
    known = {key: rule for rule in rules for key in (rule.name, rule.id)}
    return HuntFinding(hunt=hunt, observed=tuple(_observe(item, known=known, by_rule=by_rule, lacking=lacking) for item in hunt.expect))


def is_set_aside(lead: Lead) -> bool:
    """Return True when a person dismissed the lead, a suppression hides it, or another lead tells its episode."""
    return bool(lead.suppressed_by) or lead.is_told_elsewhere or lead.state is TriageState.DISMISSED


def _lacking(coverage: Iterable[CoverageRow]) -> Mapping[str, str | None]:
    lacking: dict[str, str | None] = {}
    for row in coverage:
        if row.state not in _LOOKED_AT:
            lacking[row.rule_id] = row.state.value
        else:
            lacking.setdefault(row.rule_id, None)
    return lacking


def _observe(
    item: Observation, *, known: Mapping[str, RuleRow], by_rule: Mapping[str, list[Lead]], lacking: Mapping[str, str | None]
) -> Observed:
    found: list[Lead] = []
    reasons: list[str] = []
    for name in item.rules:
        rule = known.get(name)
        if rule is None:
            reasons.append(f"rule {name} did not run")
            continue
        found += by_rule.get(rule.id, [])
        state = lacking.get(rule.id, "no coverage on record")
        if state is not None:
            reasons.append(f"rule {name}: {state}")
    return Observed(
        observation=item.id,
        lead_ids=tuple(lead.id for lead in found if not is_set_aside(lead)),
        set_aside=tuple(lead.id for lead in found if is_set_aside(lead)),
        why_unasked="; ".join(reasons),
    )

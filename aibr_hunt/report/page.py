"""The view of findings that the pages for people share: everything computed, nothing yet written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aibr_hunt.model.event import ByteClass, Json
from aibr_hunt.model.lead import Lead, RuleRow
from aibr_hunt.model.spending import spending_of
from aibr_hunt.report.findings import Findings, is_set_aside
from aibr_hunt.report.gaps import Gap, count_gaps, find_gaps, headline, said_by_runs
from aibr_hunt.report.hypotheses import Argument, argue
from aibr_hunt.report.involved import Cast, involved
from aibr_hunt.report.matrix import Matrix, matrices
from aibr_hunt.report.next_steps import Advice, Phase, advise
from aibr_hunt.report.totals import CoverageLine, FileRow, SourcePulse, common_folder, coverage_lines, file_rows, source_pulses, total_row
from aibr_hunt.report.words import LEVELS, by_time, level_name, level_rank

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DEEPEST = 100
BYTE_CLASS_TEXT: Mapping[ByteClass, str] = {
    ByteClass.FRAMING: "framing",
    ByteClass.MATCHED: "matched",
    ByteClass.PARSED: "parsed, no match",
    ByteClass.SKIMMED: "skimmed",
    ByteClass.REFUSED: "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One lead told in full.

    Attributes:
        fields: Paths and texts of the event, in the event's order. `fields_left_out`: how many more there are.
    """

    lead: Lead
    rule: RuleRow | None
    fields: tuple[tuple[str, str], ...]
    fields_left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that a page shows.

    Attributes:
        outcome: The outcome in one sentence. `gap_count`: the number of gaps in it.
        leads: Every lead in order of time. `rows`: those that the table shows. `cards`: those told in full.
        anchors: For each lead that the page shows, the id of the element that shows it best.
        spent: What the jobs came to, in a phrase; empty without jobs.
        file_root: The folder that all files share, with its separator; names of files go on from there.
        levels: Counts of leads by level, gravest first. `set_aside`: leads dismissed or suppressed.
    """

    findings: Findings
    outcome: str
    gap_count: int
    said: tuple[str, ...]
    gaps: tuple[Gap, ...]
    cautions: tuple[Gap, ...]
    total: FileRow
    files: tuple[FileRow, ...]
    files_are_grouped: bool
    file_root: str
    coverage: tuple[CoverageLine, ...]
    pulses: tuple[SourcePulse, ...]
    spent: str
    arguments: tuple[Argument, ...]
    leads: tuple[Lead, ...]
    rows: tuple[Lead, ...]
    cards: tuple[Card, ...]
    anchors: Mapping[str, str]
    levels: tuple[tuple[str, int], ...]
    set_aside: int
    casts: tuple[Cast, ...]
    matrices: tuple[Matrix, ...]
    phases: tuple[tuple[Phase, tuple[Advice, ...]], ...]


def build_page(findings: Findings) -> Page:
    """Return the view of the findings; equal findings give equal views."""
    leads = by_time(findings.leads)
    gaps = find_gaps(findings)
    casts = involved(leads)
    root = common_folder(findings.accounts)
    rows, told = _chosen(leads, findings.extent.rows), _chosen(leads, findings.extent.cards)
    rules = {rule.id: rule for rule in findings.rules}
    levels = Counter(level_name(lead.level) for lead in leads)
    return Page(
        findings=findings,
        outcome=headline(findings, gaps),
        gap_count=count_gaps(findings, gaps),
        said=said_by_runs(findings),
        gaps=tuple(gap for gap in gaps if not gap.is_caution),
        cautions=tuple(gap for gap in gaps if gap.is_caution),
        total=total_row(findings.accounts),
        files=file_rows(findings.accounts, limit=findings.extent.files, root=root),
        files_are_grouped=len(findings.accounts) > findings.extent.files,
        file_root=root,
        coverage=coverage_lines(findings.coverage, findings.rules),
        pulses=source_pulses(findings.pulses),
        spent=spending_of(findings.jobs).text if findings.jobs else "",
        arguments=tuple(argue(finding) for finding in findings.hunts),
        leads=leads,
        rows=rows,
        cards=tuple(_card(lead, rules.get(lead.rule_id), findings.extent.fields) for lead in told),
        anchors=_anchors(rows, told),
        levels=tuple((level, levels[level]) for level in (*LEVELS, "other") if levels[level]),
        set_aside=sum(1 for lead in leads if is_set_aside(lead)),
        casts=casts,
        matrices=matrices(findings.rules, leads, findings.tactics),
        phases=advise(findings, gaps, casts),
    )


def flatten(value: Json, *, limit: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Return the event's scalars as paths and texts, at most `limit`, and how many more there are.

    Iterative and bounded in depth: the shape of an event is the attacker's choice.
    """
    found: list[tuple[str, str]] = []
    left_out = 0
    waiting: list[tuple[str, Json, int]] = [("", value, 0)]
    while waiting:
        path, node, depth = waiting.pop()
        if isinstance(node, dict | list) and node and depth < _DEEPEST:
            waiting += [(member_path, member, depth + 1) for member_path, member in reversed(_members(path, node))]
        elif len(found) < limit:
            found.append((path or "(the record)", scalar_text(node)))
        else:
            left_out += 1
    return tuple(found), left_out


def scalar_text(value: Json) -> str:
    """Return a scalar as JSON writes it, but texts without quotes; a container at the depth limit by its kind."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict():
            return "{}" if not value else "{\u2026}"
        case list():
            return "[]" if not value else "[\u2026]"
        case _:
            return repr(float(value)) if isinstance(value, float) else str(value)


def _members(path: str, node: dict[str, Json] | list[Json]) -> list[tuple[str, Json]]:
    if isinstance(node, dict):
        return [(f"{path}.{name}" if path else name, member) for name, member in node.items()]
    return [(f"{path}[{place}]", member) for place, member in enumerate(node)]


def _chosen(leads: Sequence[Lead], limit: int) -> tuple[Lead, ...]:
    """Return the gravest leads up to the limit, in order of time; those set aside give way first."""
    if len(leads) <= limit:
        return tuple(leads)
    ranked = sorted(range(len(leads)), key=lambda place: (is_set_aside(leads[place]), level_rank(leads[place].level), place))
    return tuple(leads[place] for place in sorted(ranked[:limit]))


def _card(lead: Lead, rule: RuleRow | None, limit: int) -> Card:
    fields, left_out = flatten(lead.event_value, limit=limit)
    return Card(lead=lead, rule=rule, fields=fields, fields_left_out=left_out)


def _anchors(rows: Iterable[Lead], told: Iterable[Lead]) -> dict[str, str]:
    """Return where each lead is shown; an id that is not plain gets a number, for it stands in an attribute."""
    anchors: dict[str, str] = {}
    for prefix, leads in (("row-", rows), ("", told)):
        for place, lead in enumerate(leads, start=1):
            anchors[lead.id] = f"{prefix}{lead.id}" if _PLAIN_ID.fullmatch(lead.id) else f"{prefix}lead-{place}"
    return anchors

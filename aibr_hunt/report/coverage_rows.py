"""Coverage of techniques and case studies as rows: what JSON lines, CSV and the tables of pages share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aibr_hunt.content.target import CLOUDS, TIER_NAMES
from aibr_hunt.model.text import for_csv
from aibr_hunt.report.studies import StudyAnswer
from aibr_hunt.report.techniques import Covered, Scope, TechniqueCoverage, TierFigures

Row = dict[str, object]
TECHNIQUE_COLUMNS: Final = (
    *("scope", "tier", "class", "framework", "technique", "name", "state", "blind", "seen", "leads"),
    *("rules", "untested_rules", "events", "note"),
)
STUDY_COLUMNS: Final = ("case_study", "name", "kind", "date", "seen", "why", "techniques", "rules", "logs", "switches")


def figure_row(figures: TierFigures) -> Row:
    """Return one tier's counts."""
    return {
        "scope": figures.scope,
        "tier": TIER_NAMES[figures.tier],
        "class": figures.tier.value,
        "techniques": figures.techniques,
        "tested": figures.tested,
        "written": figures.written,
        "no_rule": figures.none,
        "seen": figures.seen,
        "blind": figures.blind,
        "tested_in_sight": figures.tested_in_sight,
    }


def technique_row(cell: Covered) -> Row:
    """Return one observable technique in one scope."""
    technique = cell.row.technique
    return {
        "scope": cell.scope,
        "tier": TIER_NAMES[cell.row.log_class],
        "class": cell.row.log_class.value,
        "framework": technique.framework,
        "technique": technique.id,
        "name": technique.name,
        "state": cell.standing.value,
        "blind": cell.is_blind,
        "seen": cell.is_seen,
        "leads": cell.leads,
        "rules": [rule.name for rule in cell.rules],
        "untested_rules": [f"{rule.name}: {rule.why}" for rule in cell.rules if not rule.is_tested],
        "events": list(cell.row.events.get(cell.scope, ()))
        if cell.scope != "all"
        else [e for c in CLOUDS for e in cell.row.events.get(c, ())],
        "note": cell.row.note,
    }


def other_rows(coverage: TechniqueCoverage) -> Iterator[Row]:
    """Yield what stands beside the tiers: not observable, not classified, not held, and rules beyond the known events."""
    for row, rules in coverage.unobservable:
        technique = row.technique
        named = {"technique": technique.id, "name": technique.name, "class": row.log_class.value, "note": row.note}
        yield {"kind": "not observable", **named, "rules": [rule.name for rule in rules]}
    for technique, rules in coverage.unclassified:
        yield {"kind": "not classified", "technique": technique.id, "name": technique.name, "rules": [rule.name for rule in rules]}
    for tag, rules in coverage.elsewhere:
        yield {"kind": "not held", "technique": tag, "rules": [rule.name for rule in rules]}
    for cloud, row, rules in coverage.beyond:
        yield {"kind": "beyond known events", "scope": cloud, "technique": row.technique.id, "rules": [rule.name for rule in rules]}


def study_row(answer: StudyAnswer) -> Row:
    """Return one case study with its answer."""
    study = answer.study
    return {
        "case_study": study.id,
        "name": study.name,
        "kind": study.kind,
        "date": study.date,
        "seen": answer.answer.value,
        "why": answer.why,
        "techniques": [{"technique": step.technique.id, "name": step.technique.name, "state": step.state} for step in answer.steps],
        "rules": [rule.name for rule in answer.rules],
        "logs": list(answer.logs),
        "switches": list(answer.switches),
    }


def techniques_csv(coverage: TechniqueCoverage, scopes: Sequence[Scope]) -> str:
    """Return the observable techniques of the scopes as CSV, one a row; no cell is a formula in any spreadsheet."""
    return _csv(TECHNIQUE_COLUMNS, (technique_row(cell) for scope in scopes for cell in coverage.cells[scope]))


def studies_csv(answers: Iterable[StudyAnswer]) -> str:
    """Return the case studies as CSV, one a row; no cell is a formula in any spreadsheet."""
    return _csv(STUDY_COLUMNS, map(study_row, answers))


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    sheet = io.StringIO()
    writer = csv.writer(sheet, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return sheet.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        texts = [f"{each['technique']} {each['state']}" if isinstance(each, dict) else str(each) for each in value]
        return for_csv("; ".join(texts))
    return for_csv(value) if isinstance(value, str) else value

"""The report for machines: JSON of a stable shape (schema/report.json), whole, with one lead or file a line.

All characters beyond ASCII are escaped, so that printing the text to a terminal changes nothing there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files

from aibr_hunt.model.event import Account, ByteClass, Json
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import CoverageRow, Lead, Pulse, RuleRow, RunRow, Sighting
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window, utc_text
from aibr_hunt.report.findings import Findings
from aibr_hunt.report.gaps import Gap
from aibr_hunt.report.hypotheses import Argument
from aibr_hunt.report.involved import Cast
from aibr_hunt.report.matrix import Matrix
from aibr_hunt.report.page import Page, build_page
from aibr_hunt.report.totals import FileRow

SCHEMA_NAME = "aibr-hunt/report/1"
_DEEPEST = 100
_Form = dict[str, Json]


def render_json(findings: Findings) -> str:
    """Return the report as JSON text; equal findings give equal text."""
    form = report_form(build_page(findings))
    lines = [f"{json.dumps(name)}: {_lines(value)}" for name, value in form.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def report_schema() -> dict[str, Json]:
    """Return the JSON Schema of the report, as it lies in the package."""
    schema: dict[str, Json] = json.loads(files("aibr_hunt.report").joinpath("schema/report.json").read_text(encoding="utf-8"))
    return schema


def report_form(page: Page) -> _Form:
    """Return the report as plain JSON values."""
    findings = page.findings
    return {
        "schema": SCHEMA_NAME,
        "title": findings.title,
        "outcome": page.outcome,
        "made_at": utc_text(findings.made_at),
        "made_by": findings.made_by,
        "tool_version": findings.tool_version,
        "window": _window(findings.window),
        "counts": _counts(page),
        "said_by_runs": list(page.said),
        "gaps": [_gap(gap) for gap in page.gaps],
        "cautions": [_gap(gap) for gap in page.cautions],
        "totals": _totals(page.total),
        "files": [_account(account) for account in findings.accounts],
        "coverage": [_coverage(row) for row in findings.coverage],
        "pulses": [_pulse(pulse) for pulse in findings.pulses],
        "jobs": [_job(job) for job in findings.jobs],
        "runs": [_run(run) for run in findings.runs],
        "rules": [_rule(rule) for rule in findings.rules],
        "hypotheses": [_argument(argument) for argument in page.arguments],
        "leads": [lead_form(lead) for lead in page.leads],
        "involved": [_cast(cast) for cast in page.casts],
        "matrices": [_matrix(matrix) for matrix in page.matrices],
        "next_steps": [_plain_form(item, "phase text values rules lead_ids gap_ids") for _, advice in page.phases for item in advice],
    }


def lead_form(lead: Lead) -> _Form:
    """Return one lead as plain JSON values, its event included; the same in the report and in the export."""
    names = (
        "id rule_id rule_name rule_title level state note suppressed_by standing time first_seen source action principal address resource "
        "region account event_key is_weak has_conflict"
    )
    return {
        **_plain_form(lead, names),
        "techniques": [_technique(technique) for technique in lead.techniques],
        "sightings": [_sighting(sighting) for sighting in lead.sightings],
        "event": plain_event(lead.event_value),
    }


def plain_event(value: Json, depth: int = 0) -> Json:
    """Return the event so that any JSON reader takes it: numbers beyond JSON become texts, depth ends at 100."""
    match value:
        case dict() if depth < _DEEPEST:
            return {name: plain_event(member, depth + 1) for name, member in value.items()}
        case list() if depth < _DEEPEST:
            return [plain_event(member, depth + 1) for member in value]
        case dict() | list():
            return f"(nested deeper than {_DEEPEST} levels: see the raw event)"
        case float():
            return float(value) if math.isfinite(value) else repr(float(value))
        case _:
            return value


def dump(value: Json) -> str:
    """Return one line of JSON in ASCII."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(", ", ": "))


def _lines(value: Json) -> str:
    if not isinstance(value, list) or not value:
        return dump(value)
    return "[\n" + ",\n".join(dump(item) for item in value) + "\n]"


def _plain_form(value: object, names: str) -> _Form:
    return {name: _plain(getattr(value, name)) for name in names.split()}


def _plain(value: object) -> Json:
    match value:
        case None | str() | bool() | int() | float():  # our enums are texts
            return value
        case tuple() | list():
            return [_plain(member) for member in value]
        case datetime():
            return utc_text(value)
        case Window():
            return _window(value)
        case Mapping():
            return {str(name): _plain(member) for name, member in value.items()}
        case _:
            raise AssertionError(type(value))  # a member of a value that this module has not been told of


def _window(window: Window) -> _Form:
    return {"start": utc_text(window.start) if window.start else None, "end": utc_text(window.end) if window.end else None}


def _counts(page: Page) -> _Form:
    return {
        "leads": len(page.leads),
        "set_aside": page.set_aside,
        "levels": dict(page.levels),
        "gaps": page.gap_count,
        "cautions": len(page.cautions),
        "rules": len(page.findings.rules),
        "files": page.total.files,
    }


def _totals(row: FileRow) -> _Form:
    return {
        **_plain_form(row, "files duplicates stored_bytes content_bytes is_balanced first last"),
        "byte_counts": dict(zip((kind.value for kind in ByteClass), row.byte_counts, strict=True)),
        "record_counts": dict(zip((kind.value for kind in ByteClass), row.record_counts, strict=True)),
    }


def _gap(gap: Gap) -> _Form:
    return _plain_form(gap, "id kind what remedy items lead_ids")


def _account(account: Account) -> _Form:
    names = (
        "path source digest stored_size content_size format compression encoding byte_counts record_counts refusals_left_out notes "
        "first_time last_time span odd_numbers repeated_keys untimed duplicate_of is_complete is_balanced"
    )
    refusals: list[Json] = [_plain_form(refusal, "reason offset length is_stored detail") for refusal in account.refusals]
    return {**_plain_form(account, names), "refusals": refusals}


def _coverage(row: CoverageRow) -> _Form:
    return _plain_form(row, "rule_id meaning_digest source window state cause")


def _pulse(pulse: Pulse) -> _Form:
    return _plain_form(pulse, "source key hour events earliest latest")


def _job(job: Job) -> _Form:
    names = (
        "id source place window rules state cause rows counted_rows estimated_bytes estimate scanned_bytes billed_bytes money currency "
        "attempts started ended digest text"
    )
    return _plain_form(job, names)


def _run(run: RunRow) -> _Form:
    names = "id kind asked window query_text query_digest started ended actor host tool_version outcome gaps statistics"
    refused: list[Json] = [{"rule": rule, "reason": reason} for rule, reason in run.refused_rules]
    return {**_plain_form(run, names), "refused_rules": refused}


def _rule(rule: RuleRow) -> _Form:
    names = "id name title level path text_digest meaning_digest logsource requires triage preserve_first falsepositives synthetic"
    return {**_plain_form(rule, names), "techniques": [_technique(technique) for technique in rule.techniques]}


def _technique(technique: Technique) -> _Form:
    return _plain_form(technique, "framework id name tactics version")


def _sighting(sighting: Sighting) -> _Form:
    names = "run_id path file_digest offset length ordinal raw_digest canonical_digest rule_digest meaning_digest is_conflict"
    return _plain_form(sighting, names)


def _argument(argument: Argument) -> _Form:
    observations: list[Json] = [
        {
            "state": item.state,
            **_plain_form(item.observation, "id rules supports against note"),
            **_plain_form(item.observed, "lead_ids set_aside why_unasked"),
        }
        for item in argument.seen
    ]
    standings: list[Json] = [
        {
            **_plain_form(item, "key sentence is_hypothesis verdict"),
            "supports": [seen.observation.id for seen in item.supports],
            "against": [seen.observation.id for seen in item.against],
        }
        for item in argument.standings
    ]
    return {**_hunt(argument.hunt), "observations": observations, "standings": standings}


def _hunt(hunt: Hunt) -> _Form:
    return _plain_form(
        hunt, "name path text_digest title hypothesis actor behaviour location evidence pivots when_logs_are_off case_studies"
    )


def _cast(cast: Cast) -> _Form:
    names: list[Json] = [_plain_form(name, "value level first last lead_ids") for name in cast.names]
    return {"kind": cast.kind, "unnamed": cast.unnamed, "names": names}


def _matrix(matrix: Matrix) -> _Form:
    columns: list[Json] = [
        {
            "tactic": _plain_form(column.tactic, "id name order"),
            "techniques": [{**_technique(cell.technique), "rules": cell.rules, "lead_ids": list(cell.lead_ids)} for cell in column.cells],
        }
        for column in matrix.columns
    ]
    unasked: list[Json] = [_plain_form(tactic, "id name order") for tactic in matrix.unasked]
    return {**_plain_form(matrix, "framework title versions notice"), "columns": columns, "unasked": unasked}

"""The JSON report and the exports: whole, of a stable shape, and safe to print."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aibr_hunt.model.event import Json, OddNumber
from aibr_hunt.report import Findings, leads_csv, leads_jsonl, render_json, report_schema
from aibr_hunt.report.exports import CSV_COLUMNS
from aibr_hunt.report.machine import plain_event
from tests.unit.report_samples import PAYLOADS, account, clean, findings, lead, poison, run

VALIDATOR = Draft202012Validator(report_schema())


def form(whole: Findings) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render_json(whole))
    return parsed


def ids_in(value: Any) -> set[str]:
    """Return every lead id that stands in a member that holds lead ids."""
    if isinstance(value, dict):
        own = {lead_id for name in ("lead_ids", "set_aside") if isinstance(value.get(name), list) for lead_id in value[name]}
        return own.union(*(ids_in(member) for member in value.values()))
    return set().union(*(ids_in(member) for member in value)) if isinstance(value, list) else set()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(report_schema())


def test_every_object_of_the_schema_is_closed_and_described() -> None:
    def objects(node: Any) -> list[dict[str, Any]]:
        members = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        own = [node] if isinstance(node, dict) and "properties" in node and node.get("type") == "object" else []
        return own + [found for member in members for found in objects(member)]

    found = objects(report_schema())
    assert len(found) > 20
    assert all(
        item["additionalProperties"] is False and item["description"] and set(item["required"]) == set(item["properties"]) for item in found
    )


@pytest.mark.parametrize(
    "whole", [findings(), findings(0), clean(), Findings(title="", made_at=run().started, made_by="", tool_version="")]
)
def test_every_report_meets_the_schema(whole: Findings) -> None:
    VALIDATOR.validate(form(whole))


def test_the_schema_refuses_what_it_does_not_know() -> None:
    changed = form(findings())
    changed["leads"][0]["surprise"] = 1
    assert not VALIDATOR.is_valid(changed)
    assert not VALIDATOR.is_valid({**form(findings()), "schema": "aibr-hunt/report/2"})


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_any_payload_survives_unchanged_and_the_text_is_plain_ascii(payload: str) -> None:
    hostile = replace(lead(0), principal=payload, event_value={payload: [payload]})
    text = render_json(replace(findings(0), leads=(hostile,)))
    assert text.isascii()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    told = json.loads(text)["leads"][0]
    assert told["principal"] == payload
    assert told["event"] == {payload: [payload]}


def test_with_texts_poisoned_everywhere_it_is_still_one_json_text() -> None:
    for payload in PAYLOADS:
        json.loads(render_json(poison(findings(), payload)))


def test_every_lead_id_that_is_mentioned_is_a_lead_of_the_report() -> None:
    told = form(findings())
    known = {item["id"] for item in told["leads"]}
    assert known == {item.id for item in findings().leads}
    assert ids_in({name: value for name, value in told.items() if name != "leads"}) == known


def test_every_gap_that_advice_rests_on_is_in_the_report() -> None:
    told = form(findings())
    known = {gap["id"] for gap in [*told["gaps"], *told["cautions"]]}
    cited = {gap_id for step in told["next_steps"] for gap_id in step["gap_ids"]}
    assert cited
    assert cited <= known


def test_all_advice_but_verifying_names_what_it_rests_on() -> None:
    resting_on_nothing = [step for step in form(findings())["next_steps"] if not step["lead_ids"] and not step["gap_ids"]]
    assert [step["phase"] for step in resting_on_nothing] == ["Report"]
    assert "verify" in resting_on_nothing[0]["text"]


def test_advice_never_rests_on_a_lead_that_was_set_aside_alone() -> None:
    told = form(findings())
    aside = {item["id"] for item in told["leads"] if item["state"] == "dismissed" or item["suppressed_by"]}
    gapless = [step for step in told["next_steps"] if step["lead_ids"] and not step["gap_ids"]]
    assert aside
    assert not [step for step in gapless if aside & set(step["lead_ids"])]


def test_the_totals_are_the_sums_of_the_files() -> None:
    told = form(findings())
    totals = told["totals"]
    assert totals["files"] == len(told["files"])
    assert totals["content_bytes"] == sum(totals["byte_counts"].values()) == sum(item["content_size"] for item in told["files"])
    for kind, count in totals["byte_counts"].items():
        assert count == sum(item["byte_counts"].get(kind, 0) for item in told["files"])


def test_gaps_stand_before_leads_in_the_text() -> None:
    assert list(form(findings())).index("gaps") < list(form(findings())).index("leads")


def test_each_file_and_each_lead_has_a_line_of_its_own() -> None:
    lines = render_json(clean(accounts=tuple(account(number) for number in range(50)))).splitlines()
    assert sum(line.startswith('{"path"') for line in lines) == 50


def test_numbers_beyond_json_become_texts_and_depth_ends() -> None:
    deep: Json = 1
    for _ in range(5000):
        deep = [deep]
    told = form(replace(findings(0), leads=(replace(lead(0), event_value={"inf": OddNumber("1e999"), "nan": float("nan"), "deep": deep}),)))
    event = told["leads"][0]["event"]
    assert event["inf"] == "inf"
    assert event["nan"] == "nan"
    assert "nested deeper than 100 levels" in json.dumps(event["deep"])
    assert plain_event(0.5) == 0.5


def test_lines_are_the_leads_of_the_report() -> None:
    lines = [json.loads(line) for line in leads_jsonl(findings().leads).splitlines()]
    in_report = {item["id"]: item for item in form(findings())["leads"]}
    assert {item["id"]: item for item in lines} == in_report
    assert len(lines) == 9
    assert leads_jsonl(()) == ""


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_has_a_row_for_each_lead_and_the_documented_columns() -> None:
    told = rows(leads_csv(findings().leads))
    assert tuple(told[0]) == CSV_COLUMNS
    assert [row["id"] for row in told] == [item.id for item in findings().leads]
    assert told[4]["has_conflict"] == "true"
    assert told[4]["sightings"] == "2"
    assert told[1]["time"] == ""
    assert leads_csv(()).count("\r\n") == 1


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_cell_of_the_table_is_a_formula(payload: str, delimiter: str) -> None:
    text = leads_csv(poison(findings(), payload[:500]).leads)  # a reader that splits elsewhere meets long cells
    lines = text.split("\r\n")
    assert len(lines) == 9 + 2
    for row in csv.reader(lines, delimiter=delimiter):
        assert not [cell for cell in row if cell.lstrip(" \"'").startswith(("=", "+", "-", "@", "\t", "\r")) and not cell.startswith("'")]


def test_a_lead_without_a_sighting_has_an_empty_place() -> None:
    (row,) = rows(leads_csv([replace(lead(0), sightings=())]))
    assert row["path"] == ""
    assert row["sightings"] == "0"

"""`rules explain`: each test with its answer and the values that it read, safe for a terminal; the exit code says whether it matched."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import cloudtrail, rule_text, write_rules

HIT = json.dumps(cloudtrail(1, "DeleteGuardrail"))
MISS = json.dumps(cloudtrail(1, "ListModels"))


@pytest.fixture
def rule(rules: Path) -> Path:
    return rules / "guardrail.yml"


def test_a_match_is_a_finding_and_shows_the_value_that_made_it(aibr: Aibr, rule: Path) -> None:
    said = aibr("rules", "explain", rule, HIT)
    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        "rule_1: Rule 1",
        "fields bound on the mapping aws_cloudtrail",
        "",
        "true   eventName equals 'DeleteGuardrail'  ← \"DeleteGuardrail\"",
        "",
        "matches",
    ]


def test_no_match_ends_with_0_and_shows_the_value_that_was_there(aibr: Aibr, rule: Path) -> None:
    said = aibr("rules", "explain", rule, MISS)
    assert said.code == 0
    assert "false  eventName equals 'DeleteGuardrail'  ← \"ListModels\"" in said.out
    assert said.out.endswith("does not match\n")


def test_a_blank_field_is_said_to_be_blank(aibr: Aibr, rule: Path) -> None:
    assert "← blank" in aibr("rules", "explain", rule, "{}").out


def test_an_event_comes_from_a_file_too_byte_order_mark_and_all(aibr: Aibr, rule: Path, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(f"\ufeff{json.dumps(json.loads(HIT), indent=2)}\n", encoding="utf-8")
    assert aibr("rules", "explain", rule, tmp_path / "event.json").code == 1


def test_an_event_comes_from_standard_input_too(aibr: Aibr, rule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(HIT.encode())))
    assert aibr("rules", "explain", rule, "-").code == 1


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("{", ["EVENT: ", "not JSON", "one JSON object"]),
        ("[{}]", ["EVENT: ", "not an object"]),
        ("no_such_file.json", ["no_such_file.json", "a JSON file, - or JSON itself"]),
        (".", [".: ", "a JSON file, - or JSON itself"]),
    ],
)
def test_what_is_no_event_is_the_user_s_mistake(aibr: Aibr, rule: Path, event: str, expected: list[str]) -> None:
    said = aibr("rules", "explain", rule, event)
    assert (said.code, said.out) == (2, "")
    assert [each for each in expected if each not in said.err] == []


def test_a_folder_of_several_rules_is_the_user_s_mistake(aibr: Aibr, rules: Path) -> None:
    write_rules(rules, {"second.yml": rule_text(2)})
    said = aibr("rules", "explain", rules, HIT)
    assert (said.code, said.out) == (2, "")
    assert "holds 2 rules. Name one of them, such as rule_1." in said.err


def test_a_rule_that_cannot_be_read_is_named(aibr: Aibr, tmp_path: Path) -> None:
    said = aibr("rules", "explain", write_rules(tmp_path, {"bad.yml": "title: x\n"}) / "bad.yml", HIT)
    assert (said.code, said.out) == (2, "")
    assert "bad.yml" in said.err


def test_fields_are_taken_as_written_on_demand(aibr: Aibr, tmp_path: Path) -> None:
    path = write_rules(tmp_path, {"r.yml": rule_text(1, "{EVENTNAME: DeleteGuardrail}")}) / "r.yml"
    assert aibr("rules", "explain", path, HIT).code == 1
    said = aibr("rules", "explain", path, HIT, "--as-written")
    assert (said.code, "fields as written" in said.out) == (0, True)


def test_a_field_that_the_mapping_lacks_is_refused_with_the_nearest(aibr: Aibr, tmp_path: Path) -> None:
    path = write_rules(tmp_path, {"r.yml": rule_text(1, "{eventNmae: x}")}) / "r.yml"
    said = aibr("rules", "explain", path, HIT)
    assert (said.code, "Did you mean eventName?" in said.err) == (2, True)


def test_the_element_that_made_it_true_is_named(aibr: Aibr, tmp_path: Path) -> None:
    selection = "{requestParameters.tags.key: owner, requestParameters.tags.value: x}"
    path = write_rules(tmp_path, {"r.yml": rule_text(1, selection)}) / "r.yml"
    event = {"requestParameters": {"tags": [{"key": "stage", "value": "x"}, {"key": "owner", "value": "x"}]}}
    said = aibr("rules", "explain", path, json.dumps(event))
    assert "true   one element of requestParameters.tags (element 2 of 2)" in said.out


def test_values_of_a_log_cannot_act_on_the_terminal(aibr: Aibr, rule: Path) -> None:
    said = aibr("rules", "explain", rule, json.dumps({"eventName": "a\x1b[2J\u202eb\nrule_9: forged"}))
    assert '← "a\\u001b[2J\\u202eb\\u000arule_9: forged"' in said.out


def test_long_lists_and_values_are_cut_unless_all_is_wanted(aibr: Aibr, tmp_path: Path) -> None:
    names = ", ".join(f"Call{number}" for number in range(40))
    path = write_rules(tmp_path, {"r.yml": rule_text(1, f"{{eventName: [{names}]}}")}) / "r.yml"
    event = json.dumps({"eventName": "Call30"})
    said = aibr("rules", "explain", path, event).out
    assert "true     eventName equals 'Call30'" in said
    assert "… and 39 more, --all for all of them" in said
    assert len(aibr("rules", "explain", path, event, "--all").out.splitlines()) == 40 + 6
    missed = aibr("rules", "explain", path, json.dumps({"eventName": "x" * 5000})).out
    assert "… and 28 more" in missed
    assert max(map(len, missed.splitlines())) < 250


def test_machines_get_the_tree(aibr: Aibr, rule: Path) -> None:
    (row,) = aibr("rules", "explain", rule, json.dumps({"eventName": ["ListModels", "DeleteGuardrail"]}), "--json").rows
    assert (row["rule"], row["mapping"], row["matches"]) == ("rule_1", "aws_cloudtrail", True)
    assert row["because"] == {"what": "eventName equals 'DeleteGuardrail'", "holds": True, "values": ["ListModels", "DeleteGuardrail"]}


def test_a_number_is_shown_as_the_record_spells_it(aibr: Aibr, tmp_path: Path) -> None:
    path = write_rules(tmp_path, {"r.yml": rule_text(1, "{apiVersion: 5}")}) / "r.yml"
    assert "← 1.5e99" in aibr("rules", "explain", path, '{"apiVersion": 1.5e99}').out
    assert "← 5.0" in aibr("rules", "explain", path, '{"apiVersion": 5.0}').out
    assert aibr("rules", "explain", path, '{"apiVersion": {"a": [1]}}', "--json").rows[0]["because"]["values"] == ['{"a":[1]}']

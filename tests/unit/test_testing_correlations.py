"""The runner of correlations' cases: what passes, what fails and why, what is scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aibr_hunt.testing import Bench, RuleResult
from tests.built_in import LIBRARY

RULE = """\
title: Door opened
id: 00000000-0000-4000-8000-000000000001
name: opened
logsource: {product: example}
detection: {sel: {action: OpenDoor}, condition: sel}
"""
COUNT = """\
title: Doors
id: 00000000-0000-4000-8000-000000000002
name: doors
description: Says why.
falsepositives: [none]
tags: [attack.initial-access]
correlation: {type: event_count, rules: [opened], group-by: [who], timespan: 1m, condition: {gte: 3}}
"""
CASES = """\
correlation: doors
base: &base {action: OpenDoor, who: a}
cases:
  three: {hit: true, events: [{at: 0s, event: *base, repeat: 3, every: 1s}], episodes: 1}
  edge: {hit: true, events: [{at: 0s, event: *base, repeat: 3, every: 30s}]}
  outside: {hit: false, events: [{at: 0s, event: *base}, {at: 60001ms, event: *base, repeat: 2}]}
  two: {hit: false, events: [{at: 0s, event: *base, repeat: 2}]}
  redelivered: {hit: false, events: [{at: 0s, event: *base, deliveries: 5}]}
  two_people: {hit: false, events: [{at: 0s, event: *base, repeat: 2}, {at: 0s, event: {<<: *base, who: b}, repeat: 2}]}
  four: {hit: true, events: [{at: 0s, event: *base, repeat: 4}]}
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, text: str) -> Path:
        path = tmp_path / "rules" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def results(path: Path) -> dict[str, RuleResult]:
    return {result.rule: result for result in Bench(LIBRARY).run([str(path)])}


def failed(write: Write, case: str, *, correlation: str = COUNT, rule: str = RULE) -> list[str]:
    """Return what fails in one case of a correlation."""
    path = write("doors.yml", f"{rule}---\n{correlation}")
    write("doors.tests.yaml", f"base: &base {{action: OpenDoor, who: a}}\ncases:\n  one: {case}\n")
    return [failure.what.partition("yaml:3: ")[2] or failure.what for failure in results(path)["doors"].failures]


def test_a_correlation_whose_cases_all_get_their_answer_has_no_failure(write: Write) -> None:
    path = write("doors.yml", f"{RULE}---\n{COUNT}")
    write("doors.tests.yaml", CASES)
    found = results(path)
    assert {name: (result.cases, result.failures) for name, result in found.items()} == {"opened": (0, ()), "doors": (7, ())}


def test_every_change_of_the_correlation_is_noticed(write: Write) -> None:
    path = write("doors.yml", f"{RULE}---\n{COUNT}")
    write("doors.tests.yaml", CASES)
    found = {name: (findings, score) for name, findings, score in Bench().check([str(path)])}
    findings, score = found["doors"]
    assert findings == ()
    assert score is not None
    assert (score.killed, score.total, score.survivors) == (8, 8, ())
    advice = [each.what for each in found["opened"][0] if each.check == "cases"]
    assert advice == ["has no cases of its own: those of the correlation in its file test it."]


def test_a_change_that_no_case_notices_is_named(write: Write) -> None:
    path = write("doors.yml", f"{RULE}---\n{COUNT}")
    write("doors.tests.yaml", "\n".join(line for line in CASES.splitlines() if "two_people" not in line and "outside" not in line) + "\n")
    [(_, findings, score)] = [row for row in Bench().check([str(path)]) if row[0] == "doors"]
    assert score is not None
    assert score.survivors == ("timespan doubled", "timespan a second longer", "group-by without who")
    [weak] = [each for each in findings if each.check == "mutation"]
    assert "unnoticed: timespan doubled; timespan a second longer; group-by without who." in weak.what


def test_a_mutant_with_a_reason_is_not_asked(write: Write) -> None:
    path = write("doors.yml", f"{RULE}---\n{COUNT}")
    lines = [line for line in CASES.splitlines() if "two_people" not in line]
    reason = "equivalent:\n  - {mutant: group-by without who, why: only one person has a key}\n"
    write("doors.tests.yaml", "\n".join(lines) + "\n" + reason)
    [score] = [score for name, _, score in Bench().check([str(path)]) if name == "doors"]
    assert score is not None
    assert (score.killed, score.total) == (7, 7)


@pytest.mark.parametrize(
    ("case", "what"),
    [
        ("{hit: true, events: [{at: 0s, event: *base}]}", "expected an episode, there is none."),
        ("{hit: false, events: [{at: 0s, event: *base, repeat: 3, every: 1s}]}", "expected none, there is 1: 0s to 2s of a."),
        (
            "{hit: true, episodes: 1, events: [{at: 0s, event: *base, repeat: 3}, {at: 5m, event: *base, repeat: 3}]}",
            "expected 1 episodes, there are 2: 0s to 0s of a; 300s to 300s of a.",
        ),
        (
            "{hit: true, members: [x], events: [{at: 0s, id: x, event: *base}, {at: 0s, id: z, event: *base, repeat: 2}]}",
            "expected the members x, there are x, z[1], z[2].",
        ),
    ],
    ids=["none", "some", "two", "members"],
)
def test_a_case_that_gets_another_answer_says_what_was_found(write: Write, case: str, what: str) -> None:
    assert failed(write, case) == [what]


@pytest.mark.parametrize(
    "case",
    [
        "{hit: true, episodes: 1, events: [{at: 0s, event: *base, repeat: 2}, {at: 1s, event: *base, late: 2h}]}",
        "{hit: false, events: [{at: 0s, id: x, event: *base}, {at: 0s, id: x, event: *base}, {at: 0s, id: x, event: *base}]}",
        "{hit: true, events: [{at: 0s, id: x, event: *base}, {at: 1s, id: x, event: *base}, {at: 2s, id: x, event: {<<: *base, f: 1}}]}",
        "{hit: true, uncovered: [{from: -50s, to: -1s}], events: [{at: 0s, event: *base, repeat: 3}]}",
        "{hit: false, events: [{at: 0s, event: {<<: *base, action: CloseDoor}, repeat: 9}]}",
        "{hit: false, events: [{at: 0s, event: {action: OpenDoor}, repeat: 9}]}",
    ],
    ids=["late", "one event thrice", "one identity, three contents", "presence beside a hole", "another event", "blank group"],
)
def test_events_count_as_they_do_in_a_run(write: Write, case: str) -> None:
    assert failed(write, case) == []


def test_what_rests_on_absence_is_not_judged_beside_a_hole(write: Write) -> None:
    few = COUNT.replace("{gte: 3}", "{gte: 2, lt: 4}")
    assert failed(write, "{hit: true, events: [{at: 0s, event: *base, repeat: 3}]}", correlation=few) == []
    assert (
        failed(write, "{hit: false, uncovered: [{from: -9s, to: -1s}], events: [{at: 0s, event: *base, repeat: 3}]}", correlation=few) == []
    )
    assert (
        failed(write, "{hit: true, uncovered: [{from: -9m, to: -8m}], events: [{at: 0s, event: *base, repeat: 3}]}", correlation=few) == []
    )


def test_time_and_identity_are_set_where_the_mapping_has_them(write: Write) -> None:
    rule = RULE.replace("{product: example}", "{product: aws, service: cloudtrail}").replace(
        "{action: OpenDoor}", "{eventSource: s3.amazonaws.com, eventTime|startswith: '2026-03-02T12:00:', eventID|endswith: -id}"
    )
    correlation = COUNT.replace("[who]", "[userIdentity.arn]").replace("gte: 3", "gte: 2")
    event = "{eventSource: s3.amazonaws.com, eventTime: x, eventID: x, userIdentity: {arn: z}}"
    case = f"{{hit: true, members: [a-id, b-id], events: [{{at: 0s, id: a-id, event: {event}}}, {{at: 59s, id: b-id, event: {event}}}]}}"
    assert failed(write, case, correlation=correlation, rule=rule) == []
    late = f"{{hit: false, events: [{{at: 59s, id: a-id, event: {event}}}, {{at: 60s, id: b-id, event: {event}}}]}}"
    assert failed(write, late, correlation=correlation, rule=rule) == []


def test_a_field_that_a_log_source_does_not_have_fails_by_name(write: Write) -> None:
    rule = RULE.replace("{product: example}", "{product: aws, service: cloudtrail}").replace("action: OpenDoor", "eventSource: x")
    correlation = COUNT.replace("[who]", "[sourceIPAdress]")
    [what] = failed(write, "{hit: false, events: []}", correlation=correlation, rule=rule)
    assert "field sourceIPAdress is not supported: the mapping aws_cloudtrail does not define it. Did you mean sourceIPAddress?" in what


def test_cases_that_cannot_be_read_fail_by_name(write: Write) -> None:
    path = write("doors.yml", f"{RULE}---\n{COUNT}")
    assert "doors.tests.yaml: cannot be read" in results(path)["doors"].failures[0].what
    write("doors.tests.yaml", "cases: 5\n")
    assert "has no cases" in results(path)["doors"].failures[0].what
    found = {name: findings for name, findings, _ in Bench().check([str(path)])}
    assert any("has no cases. Add" in each.what for each in found["doors"])


def test_documents_of_one_file_may_have_cases_under_their_own_names(write: Write) -> None:
    path = write("house.yml", f"{RULE}---\n{COUNT}")
    write("doors.tests.yaml", CASES)
    write("opened.tests.yaml", "rule: opened\ncases: {one: {hit: true, event: {action: OpenDoor}}}\n")
    assert {name: result.cases for name, result in results(path).items()} == {"opened": 1, "doors": 7}


def test_a_rule_that_serves_from_another_file_needs_cases_of_its_own(write: Write) -> None:
    write("opened.yml", RULE)
    write("doors.tests.yaml", CASES)
    found = results(write("doors.yml", COUNT).parent)
    assert "cannot be read" in found["opened"].failures[0].what
    assert found["doors"].failures == ()


def test_all_built_in_correlations_pass_and_each_type_is_among_them() -> None:
    corpus = LIBRARY.load_rules(["shipped:aws/bedrock"])
    assert len({each.type for each in corpus.correlations}) == 12
    bench = Bench()
    light = [
        each for each in corpus.correlations if each.name in {"aws_bedrock_models_listed_then_run", "aws_bedrock_guardrail_not_replaced"}
    ]
    assert [failure for each in light for failure in bench.run_correlation(each, corpus).failures] == []

"""Which rules coverage may call tested: those with cases that must hit, all of which do."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.library import Library
from aibr_hunt.report.techniques import KnownRule
from aibr_hunt.testing.tested import NO_CASES, NO_HIT, known_rules
from tests.built_in import LIBRARY

RULE = """\
title: Guardrail deleted
id: 00000000-0000-4000-8000-000000000001
status: test
tags: [attack.defense-impairment, attack.t1685, attack.t1685]
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DeleteGuardrail}
  condition: selection
requires: [aws.cloudtrail.management]
level: high
"""
CORRELATION = """\
title: Guardrails deleted
id: 00000000-0000-4000-8000-000000000002
name: many
status: test
tags: [attack.impact, attack.t1489]
correlation:
  type: event_count
  rules: [one]
  group-by: [awsRegion]
  timespan: 1h
  condition: {gte: 2}
level: high
---
title: A guardrail deleted
id: 00000000-0000-4000-8000-000000000003
name: one
status: test
tags: [attack.defense-impairment, attack.t1685]
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DeleteGuardrail}
  condition: selection
requires: [aws.cloudtrail.management]
level: low
"""
EVENT = "{eventName: DeleteGuardrail, eventTime: '2026-01-01T00:00:00Z', awsRegion: us-east-1, eventID: a}"
HIT = f"cases:\n  deleted:\n    hit: true\n    event: {EVENT}\n"


def write(folder: Path, rule: str = RULE, cases: str = "", *, name: str = "guardrail") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yml").write_text(rule, encoding="utf-8")
    if cases:
        (folder / f"{name}.tests.yaml").write_text(cases, encoding="utf-8")
    return folder


def known(folder: Path, cache: RuleCache | None = None) -> dict[str, KnownRule]:
    library = Library(cache=cache)
    return {rule.name: rule for rule in known_rules(library.load_rules([str(folder)]), library)}


def test_a_rule_whose_cases_hit_is_tested(tmp_path: Path) -> None:
    found = known(write(tmp_path / "rules", cases=HIT))["guardrail"]
    assert (found.is_tested, found.why) == (True, "")
    assert (found.tags, found.clouds) == (frozenset({"attack.t1685"}), frozenset({"aws"}))
    assert (found.requires, found.sources) == (("aws.cloudtrail.management",), ("aws_cloudtrail",))


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        ("", NO_CASES),
        ("cases:\n  other:\n    hit: false\n    event: {eventName: ListGuardrails}\n", NO_HIT),
        (HIT.replace("DeleteGuardrail", "ListGuardrails"), "its case deleted does not hit"),
        (HIT + "  wrong:\n    hit: true\n    event: {eventName: ListGuardrails}\n", "its case wrong does not hit"),
        ("cases: [\n", "its cases cannot be asked: "),
    ],
)
def test_a_rule_without_cases_that_hit_is_only_written(tmp_path: Path, cases: str, why: str) -> None:
    found = known(write(tmp_path / "rules", cases=cases))["guardrail"]
    assert not found.is_tested
    assert found.why.startswith(why)


def test_a_rule_that_only_serves_a_correlation_counts_for_nothing_itself(tmp_path: Path) -> None:
    cases = (
        "cases:\n  twice:\n    hit: true\n    events:\n"
        f"      - {{at: 0s, event: {EVENT.replace('eventID: a', 'eventID: b')}}}\n      - {{at: 10m, event: {EVENT}}}\n"
    )
    found = known(write(tmp_path / "rules", CORRELATION, cases, name="many"))
    assert list(found) == ["many"]
    many = found["many"]
    assert (many.is_tested, many.why) == (True, "")
    assert (many.clouds, many.requires, many.sources) == (frozenset({"aws"}), ("aws.cloudtrail.management",), ("aws_cloudtrail",))
    assert many.tags == frozenset({"attack.t1489"})


def test_a_correlation_whose_case_makes_no_episode_is_only_written(tmp_path: Path) -> None:
    cases = f"cases:\n  once:\n    hit: true\n    events:\n      - {{at: 0s, event: {EVENT}}}\n"
    assert known(write(tmp_path / "rules", CORRELATION, cases, name="many"))["many"].why == "its case once does not hit"


def test_a_log_source_without_a_mapping_is_called_as_accounts_call_it(tmp_path: Path) -> None:
    text = RULE.replace("{product: aws, service: cloudtrail}", "{product: example, service: thing}").replace(
        "requires: [aws.cloudtrail.management]\n", ""
    )
    found = known(write(tmp_path / "rules", text, HIT))["guardrail"]
    assert (found.clouds, found.sources) == (frozenset(), ("as-written",))


def test_what_hit_once_is_remembered_until_rule_or_cases_change(tmp_path: Path) -> None:
    folder = write(tmp_path / "rules", cases=HIT)

    def is_tested() -> bool:
        return known(folder, RuleCache(tmp_path / "cache"))["guardrail"].is_tested

    assert is_tested()
    kept = {path.name: path.read_bytes() for path in (tmp_path / "cache").glob("passed-*.json")}
    assert is_tested()
    assert {path.name: path.read_bytes() for path in (tmp_path / "cache").glob("passed-*.json")} == kept
    write(folder, RULE.replace("eventName: DeleteGuardrail", "eventName: DeleteAgent"))
    assert not is_tested()
    write(folder, cases=HIT)
    assert is_tested()
    write(folder, cases=HIT.replace("DeleteGuardrail", "DeleteAgent"))
    assert not is_tested()


def test_each_rule_is_named_before_its_cases_are_asked(tmp_path: Path) -> None:
    told: list[str] = []
    known_rules(LIBRARY.load_rules([str(write(tmp_path / "rules", cases=HIT))]), LIBRARY, tell=told.append)
    assert told == ["guardrail"]

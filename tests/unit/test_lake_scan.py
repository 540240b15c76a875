"""Rules over the lake find what rules over the files find: hits, evidence, places, accounts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.lake import asking
from aibr_hunt.engines.lake.asking import Found
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.scan import scan_lake
from aibr_hunt.engines.program import Options, Program
from aibr_hunt.errors import UsageError
from aibr_hunt.model.predicate import Not
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, rule, write_lines, write_records
from tests.unit.lake_samples import RULES, add, from_files, from_lake, opened, write_mixed

OPTIONS = {"sieve": Options(), "re2": Options(use_hyperscan=False), "no sieve": Options(use_sieve=False)}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def lake(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = opened(tmp_path_factory.mktemp("lake") / "lake")
    add(made, mixed)
    return made


class TestOneAnswer:
    @pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
    def test_results_are_those_of_the_files_engine_to_the_last_byte(self, lake: Lake, mixed: Path, options: Options) -> None:
        expected = from_files([mixed])
        assert sum(len(each.hits) for each in expected) > 30
        assert from_lake(lake, options=options) == expected

    def test_several_processes_say_what_one_says(self, lake: Lake, mixed: Path) -> None:
        assert from_lake(lake, processes=2) == from_files([mixed])

    def test_additions_one_by_one_come_to_the_same_as_one(self, mixed: Path, tmp_path: Path) -> None:
        made = opened(tmp_path / "lake")
        for name in "abcd":
            add(made, mixed / name)
        assert [each.hits for each in from_lake(made)] == [each.hits for each in from_files([mixed])]

    def test_a_compaction_changes_no_result(self, mixed: Path, tmp_path: Path) -> None:
        made = opened(tmp_path / "lake")
        for name in "abcd":
            add(made, mixed / name)
        assert made.compact().segments_before > made.compact().segments_before
        assert from_lake(made) == from_files([mixed])

    def test_rules_that_are_not_there_cost_nothing_and_find_nothing(self, lake: Lake) -> None:
        assert {each.hits for each in from_lake(lake, ())} == {()}

    def test_a_negated_rule_is_not_pruned_away(self, lake: Lake, mixed: Path) -> None:
        rules = (
            _negated(40, "{eventName: [ListGuardrails, DeleteGuardrail]}"),
            _negated(41, "{userIdentity.arn|contains: user, userAgent|startswith: aws}"),
            _negated(42, "{errorCode: null}"),
            rule(43, "{userAgent: null}"),
        )
        expected = from_files([mixed], rules)
        assert from_lake(lake, rules) == expected
        assert any(each.hits for each in expected)


def _negated(number: int, selection: str) -> Rule:
    plain = rule(number, selection)
    return replace(plain, predicate=Not(item=plain.predicate))


class TestWindow:
    @pytest.mark.parametrize("start, end", [(5, 6), (6, 7), (6, 30), (20, 30), (1, 2)])  # noqa: PT006 - pairs
    def test_hits_are_those_of_the_files_engine_whichever_days_it_holds(self, lake: Lake, mixed: Path, start: int, end: int) -> None:
        window = Window(start=datetime(2026, 1, start, tzinfo=UTC), end=datetime(2026, 1, end, tzinfo=UTC))
        scope = Scope(now=NOW, window=window)
        assert [each.hits for each in from_lake(lake, scope=scope)] == [each.hits for each in from_files([mixed], scope=scope)]

    def test_a_window_that_cuts_a_day_is_exact(self, lake: Lake, mixed: Path) -> None:
        scope = Scope(now=NOW, window=Window(start=datetime(2026, 1, 6, 10, 4, tzinfo=UTC), end=datetime(2026, 1, 6, 10, 44, tzinfo=UTC)))
        assert [each.hits for each in from_lake(lake, scope=scope)] == [each.hits for each in from_files([mixed], scope=scope)]

    def test_an_event_that_has_become_too_old_to_be_timed_is_in_every_window(self, lake: Lake, mixed: Path) -> None:
        later = NOW + timedelta(days=5000)
        scope = Scope(now=later, window=Window(start=later - timedelta(days=1), end=later))
        expected = from_files([mixed], scope=scope)
        assert sum(len(each.hits) for each in expected) > 20
        assert [each.hits for each in from_lake(lake, scope=scope)] == [each.hits for each in expected]


class TestSource:
    def test_one_source_asks_only_the_files_that_were_added_as_it(self, lake: Lake) -> None:
        mapping = next(each for each in LIBRARY.mappings if each.name == "gcp_audit")
        found = from_lake(lake, scope=Scope(now=NOW, mapping=mapping))
        assert {each.account.source for each in found} == {"gcp_audit", ""}
        assert [hit.rule_ids for each in found for hit in each.hits] == [(RULES[4].id,)]

    def test_a_source_that_no_mapping_defines_any_more_is_named(self, lake: Lake) -> None:
        with pytest.raises(UsageError, match="aws_cloudtrail, which no mapping defines"):
            list(scan_lake(lake, Program((), mappings=(), mapping_of={}, options=Options()), Scope(now=NOW)))


class TestCost:
    def counted(self, monkeypatch: pytest.MonkeyPatch, lake: Lake, rules: Sequence[Rule]) -> tuple[list[FileResult], list[Found]]:
        seen: list[Found] = []
        whole = asking.ask_segment

        def counting(*arguments: object, **named: object) -> Found:
            seen.append(whole(*arguments, **named))  # type: ignore[arg-type]
            return seen[-1]

        monkeypatch.setattr("aibr_hunt.engines.lake.scan.ask_segment", counting)
        return from_lake(lake, rules), seen

    def test_a_rule_that_no_stored_value_can_meet_reads_only_odd_rows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_records(tmp_path / "logs" / "a.json", [cloudtrail(each) for each in range(500)])
        made = opened(tmp_path / "lake")
        add(made, tmp_path / "logs")
        results, found = self.counted(monkeypatch, made, (rule(1, "{eventName: NeverCalled}"), rule(2, "{userAgent|endswith: nmap}")))
        assert (sum(each.rows_read for each in found), [each.hits for each in results]) == (0, [()])

    def test_a_rule_reads_the_rows_with_its_values_and_parses_those_with_its_literals(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events = [
            cloudtrail(each, "InvokeModel" if each < 20 else "ListModels", userAgent="curl/8" if each == 3 else "x") for each in range(900)
        ]
        write_records(tmp_path / "logs" / "a.json", events)
        made = opened(tmp_path / "lake")
        add(made, tmp_path / "logs")
        results, found = self.counted(monkeypatch, made, (rule(1, "{eventName: InvokeModel, userAgent|startswith: curl}"),))
        assert [(each.rows_read, each.rows_parsed, len(each.hits)) for each in found] == [(1, 1, 1)]
        assert sum(len(each.hits) for each in results) == 1


def test_a_thousand_random_rules_find_the_same_in_the_lake_and_in_the_files(tmp_path: Path) -> None:
    rng = random.Random(20260105)
    fields: dict[str, list[object]] = {
        "eventName": ["ListModels", "DeleteGuardrail", "InvokeModel", "Ünïcode", ""],
        "eventSource": ["bedrock.amazonaws.com", "s3.amazonaws.com"],
        "errorCode": ["AccessDenied", None, "ThrottlingException"],
        "readOnly": [True, False, "true", 1, None],
        "userAgent": ["curl/8.1", "aws-cli/2", ["curl/8.1", "x"], {"a": "curl/8.1"}, 3.5],
        "awsRegion": ["us-east-1", "eu-west-1"],
        "userIdentity.type": ["IAMUser", "AssumedRole", None],
        "userIdentity.arn": [f"arn:aws:iam::123456789012:user/u{each}" for each in range(5)],
        "requestParameters.modelId": ["anthropic.claude", "amazon.titan", 12345, ["a", "amazon.titan"]],
    }
    events = []
    for number in range(800):
        event = cloudtrail(number)
        event["userIdentity"] = {}
        event["requestParameters"] = {}
        for name, values in fields.items():
            value = rng.choice(values)
            *way, last = name.split(".")
            (event[way[0]] if way else event)[last] = value
        events.append(event)
    write_lines(tmp_path / "logs" / "a.jsonl", events[:500])
    write_lines(tmp_path / "logs" / "b.jsonl", events[400:])
    rules = [rule(100 + number, _random_selection(rng, fields)) for number in range(1000)]
    made = opened(tmp_path / "lake")
    add(made, tmp_path / "logs")
    expected = from_files([tmp_path / "logs"], rules)
    assert sum(len(each.hits) for each in expected) > 500
    assert from_lake(made, rules) == expected


def _random_selection(rng: random.Random, fields: dict[str, list[object]]) -> str:
    items = []
    for name in rng.sample(sorted(fields), rng.randint(1, 3)):
        value = rng.choice([each for each in fields[name] if not isinstance(each, list | dict) and each != ""])
        modifier = rng.choice(["", "", "|contains", "|startswith", "|endswith", "|exists"])
        if modifier == "|exists":
            items.append(f"{name}|exists: {rng.choice(['true', 'false'])}")
        elif not isinstance(value, str):
            items.append(f"{name}: {'null' if value is None else str(value).lower()}")
        else:
            text = value if not modifier else value[: rng.randint(1, len(value))] if modifier != "|endswith" else value[-3:]
            items.append(f"{name}{modifier}: '{text}'")
    return "{" + ", ".join(items) + "}"

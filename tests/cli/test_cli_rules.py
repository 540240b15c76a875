"""`rules` and `init`: what an author does all day."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path

import pytest
import yaml

from aibr_hunt.cli.skeletons import rule_skeleton
from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules

SOURCES = ("aws/cloudtrail", "gcp/gcp.audit", "azure/activitylogs")
GUARDRAIL = "shipped:aws/bedrock/aws_bedrock_guardrail_deleted"


class TestListAndShow:
    def test_the_built_in_rules_are_listed_by_default(self, aibr: Aibr) -> None:
        rows = aibr("rules", "list", "--json").rows
        assert len(rows) >= 690
        assert {row["logsource"] for row in rows if "logsource" in row} >= {*SOURCES, "aws/bedrock_invocation"}
        assert len({row["correlation"] for row in rows if "correlation" in row}) == 12
        assert all(row["path"].startswith("shipped:") for row in rows)
        assert len(aibr("rules", "list").out.splitlines()) == len(rows) + 1

    def test_a_folder_a_file_and_a_built_in_set_can_be_named_together(self, aibr: Aibr, rules: Path) -> None:
        names = [row["name"] for row in aibr("rules", "list", rules, GUARDRAIL, "--json").rows]
        assert names == ["rule_1", "aws_bedrock_guardrail_deleted"]

    def test_a_rule_that_cannot_be_read_is_named_and_the_others_are_listed(self, aibr: Aibr, rules: Path) -> None:
        write_rules(rules, {"bad.yml": "title: x\n"})
        said = aibr("rules", "list", rules, "--json")
        assert (said.code, len(said.rows)) == (2, 1)
        assert said.err.startswith(f"{rules / 'bad.yml'}: line 1: ")

    def test_a_rule_is_shown_with_what_it_means_and_what_it_looks_for(self, aibr: Aibr) -> None:
        said = aibr("rules", "show", GUARDRAIL)
        assert said.code == 0
        for text in ("mapping aws_cloudtrail", "T1685", "deleteguardrail", "errorCode exists", "aws.cloudtrail.management"):
            assert text in said.out, text

    def test_a_rule_is_shown_to_machines_as_a_whole(self, aibr: Aibr) -> None:
        (row,) = aibr("rules", "show", GUARDRAIL, "--json").rows
        assert row["mapping"] == "aws_cloudtrail"
        assert row["predicate"][0] == "and"
        assert "deleteguardrail" in row["sieve"]

    def test_a_rule_without_literal_says_what_that_costs(self, aibr: Aibr, tmp_path: Path) -> None:
        said = aibr("rules", "show", write_rules(tmp_path, {"r.yml": rule_text(1, "{eventName: null}")}) / "r.yml")
        assert "every record is parsed" in said.out

    def test_what_only_serves_correlations_is_marked(self, aibr: Aibr) -> None:
        rows = {row["name"]: row for row in aibr("rules", "list", "shipped:aws/bedrock", "--json").rows}
        assert rows["aws_bedrock_model_run"]["is_operand"]
        assert rows["aws_bedrock_asked_often"]["is_operand"]
        assert not rows["aws_bedrock_answers_harvested"]["is_operand"]
        assert not rows["aws_bedrock_model_probe"]["is_operand"]
        assert rows["aws_bedrock_answers_harvested"]["rules"] == ["aws_bedrock_asked_often", "aws_bedrock_answers_long"]

    @pytest.mark.parametrize(
        ("name", "meaning"),
        [
            ("aws_bedrock_model_run_too_often", "event_count gte 500 within 1h"),
            ("aws_bedrock_guardrail_not_replaced", "(aws_bedrock_guardrail_removed and not aws_bedrock_guardrail_made) within 1h"),
            ("aws_bedrock_tokens_drained", "value_sum gte 5000000 within 1h"),
            ("aws_bedrock_rare_region", "rare lt 0.01 looking back 30d of at least 200 events"),
        ],
    )
    def test_a_correlation_is_shown_with_what_it_asks(self, aibr: Aibr, name: str, meaning: str) -> None:
        said = aibr("rules", "show", f"shipped:{name}")
        assert said.code == 0
        assert meaning in said.out
        assert "group by" in said.out
        (row,) = aibr("rules", "show", f"shipped:{name}", "--json").rows
        assert row["name"] == name

    def test_a_correlation_whose_rule_is_missing_is_named_and_the_others_are_listed(self, aibr: Aibr, rules: Path) -> None:
        body = "correlation: {type: event_count, rules: [rule_2], timespan: 1h, condition: {gte: 5}}\n"
        write_rules(rules, {"many.yml": f"title: Many\n{body}"})
        said = aibr("rules", "list", rules, "--json")
        assert (said.code, [row["name"] for row in said.rows]) == (2, ["rule_1"])
        assert "line 2: names the rule rule_2, which does not exist. Did you mean rule_1?" in said.err


class TestTestAndCheck:
    def test_the_built_in_rules_of_a_folder_pass(self, aibr: Aibr) -> None:
        assert aibr("rules", "test", "shipped:aws/kms").code == 0
        assert aibr("rules", "check", "shipped:aws/kms").code == 0
        rows = aibr("rules", "check", "shipped:aws/kms", "--json").rows
        assert rows
        assert all(row["mutation_score"] >= 0.95 for row in rows)

    def test_a_case_that_gets_the_wrong_answer_is_named_with_its_line(self, aibr: Aibr, rules: Path) -> None:
        cases = "rule: guardrail\ncases:\n  right: {hit: true, event: {eventName: DeleteGuardrail}}\n"
        cases += "  wrong: {hit: true, event: {eventName: x}}\n"
        write_rules(rules, {"guardrail.tests.yaml": cases})
        said = aibr("rules", "test", rules)
        assert said.code == 1
        assert "FAIL rule_1 wrong: " in said.out
        assert "guardrail.tests.yaml:4: expected a hit, the rule does not match." in said.out
        assert "1 rule, 2 cases, 1 failed" in said.out
        assert aibr("rules", "test", rules, "--json").rows[0]["failures"]

    def test_a_rule_without_cases_fails_the_check(self, aibr: Aibr, rules: Path) -> None:
        said = aibr("rules", "check", rules)
        assert said.code == 1
        assert "ERROR rule_1" in said.out

    def test_a_rule_that_cannot_be_read_fails_test_and_check_with_a_line_for_every_fault(self, aibr: Aibr, rules: Path) -> None:
        write_rules(rules, {"guardrail.yml": "title: x\nlogsoruce: {product: aws}\n"})
        for word in ("test", "check"):
            said = aibr("rules", word, rules)
            assert said.code == 1
            assert "has no detection" in said.out
            assert "logsoruce" in said.out
            assert r"\u000a" not in said.out

    def test_an_empty_folder_has_nothing_that_fails(self, aibr: Aibr, tmp_path: Path) -> None:
        (tmp_path / "rules").mkdir()
        for word in ("test", "check"):
            said = aibr("rules", word, tmp_path / "rules")
            assert (said.code, said.out.startswith("0 rules, ")) == (0, True)


class TestNew:
    @pytest.mark.parametrize("source", SOURCES)
    def test_a_new_rule_loads_and_its_first_case_passes(self, aibr: Aibr, source: str) -> None:
        said = aibr("rules", "new", "rules/aws/s3/aws_s3_dataset_deleted.yml", "--logsource", source, "--title", "Dataset deleted: by hand")
        assert said.code == 0
        assert Path("rules/aws/s3/aws_s3_dataset_deleted.tests.yaml").is_file()
        tested = aibr("rules", "test", "rules")
        assert (tested.code, tested.out.startswith("1 rule, 1 case, 0 failed")) == (0, True)
        (row,) = aibr("rules", "list", "rules", "--json").rows
        assert (row["title"], row["logsource"]) == ("Dataset deleted: by hand", source)

    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("kind", ["event_count", "first_seen", "spike"])
    def test_a_new_correlation_loads_and_its_first_case_passes(self, aibr: Aibr, source: str, kind: str) -> None:
        assert aibr("rules", "new", "rules/doors", "--correlation", kind, "--logsource", source).code == 0
        tested = aibr("rules", "test", "rules")
        assert (tested.code, tested.out.startswith("2 rules, 1 case, 0 failed")) == (0, True)
        rows = {row["name"]: row for row in aibr("rules", "list", "rules", "--json").rows}
        assert (rows["doors"]["correlation"], rows["doors_event"]["is_operand"]) == (kind, True)

    def test_a_type_without_a_skeleton_is_named_with_those_that_have_one(self, aibr: Aibr) -> None:
        said = aibr("rules", "new", "r.yml", "--correlation", "temporal")
        assert said.code == 2
        assert "Begin with one of event_count, first_seen, spike." in said.err
        assert not Path("r.yml").exists()

    @pytest.mark.parametrize("source", SOURCES)
    def test_the_check_tells_the_author_what_is_missing(self, aibr: Aibr, source: str) -> None:
        aibr("rules", "new", "r.yml", "--logsource", source)
        said = aibr("rules", "check", "r.yml")
        assert said.code == 1
        assert "has 1 hit, 2 are needed" in said.out

    def test_the_next_steps_that_are_named_are_commands_that_work(self, aibr: Aibr) -> None:
        said = aibr("rules", "new", "r")
        assert "`aibr-hunt rules test r.yml`" in said.out
        assert aibr("rules", "test", "r.yml").code == 0

    @pytest.mark.parametrize("name", ["x.json", "x.tests.yaml", "x.tests.yml"])
    def test_a_name_that_is_no_rule_s_is_refused(self, aibr: Aibr, name: str) -> None:
        assert aibr("rules", "new", name).code == 2
        assert not Path(name).exists()

    def test_nothing_is_written_over(self, aibr: Aibr) -> None:
        assert aibr("rules", "new", "r.yml").code == 0
        before = Path("r.yml").read_text(encoding="utf-8")
        assert (aibr("rules", "new", "r.yml").code, Path("r.yml").read_text(encoding="utf-8")) == (2, before)
        Path("r.yml").unlink()
        assert aibr("rules", "new", "r.yml").code == 2

    def test_a_log_source_without_a_skeleton_is_named_with_those_that_have_one(self, aibr: Aibr) -> None:
        said = aibr("rules", "new", "r.yml", "--logsource", "windows/security")
        assert said.code == 2
        assert all(source in said.err for source in SOURCES)
        assert not Path("r.yml").exists()

    def test_a_folder_that_cannot_be_made_is_named_without_a_traceback(self, aibr: Aibr) -> None:
        Path("taken").write_bytes(b"")
        said = aibr("rules", "new", "taken/x/r.yml")
        assert said.code == 2
        assert "taken" in said.err

    def test_a_title_can_hold_whatever_yaml_would_read_otherwise(self) -> None:
        for title in ("yes", "a: b", "0123", "# no comment", "'", "x\ny"):
            text = rule_skeleton("r", title, "aws/cloudtrail", uuid.UUID(int=1), dt.date(2026, 1, 1))
            assert yaml.safe_load(text)["title"] == title


class TestInit:
    def test_a_repository_of_one_s_own_works_at_once(self, aibr: Aibr, monkeypatch: pytest.MonkeyPatch) -> None:
        assert aibr("init", "ours").code == 0
        monkeypatch.chdir("ours")
        assert aibr("rules", "test", "rules").code == aibr("rules", "check", "rules").code == 0
        aibr("rules", "new", "rules/aws/s3/aws_s3_dataset_deleted.yml")
        assert aibr("rules", "test", "rules").code == 0
        origin = {row["name"]: row["origin"] for row in aibr("config", "show", "--json").rows}
        assert origin["content"].endswith("aibr-hunt.toml")

    def test_its_workflow_calls_commands_that_exist(self, aibr: Aibr) -> None:
        aibr("init", "ours")
        workflow = yaml.safe_load(Path("ours/.github/workflows/rules.yml").read_text(encoding="utf-8"))
        runs = [step["run"] for step in workflow["jobs"]["rules"]["steps"] if "run" in step]
        for line in runs:
            if line.startswith("aibr-hunt "):
                assert aibr(*line.split()[1:-1], "--help").code == 0

    def test_own_lists_stand_in_for_built_in_ones(self, aibr: Aibr) -> None:
        aibr("init", "ours")
        values = "what: ours\nprovenance: ours\nverified: '2026-01-01'\nvalues: [':role/our-own']\n"
        write_rules(Path("ours"), {"mappings/values/aws_deploy_roles.yml": values})
        said = aibr("--content", "ours", "rules", "show", GUARDRAIL)
        assert ":role/our-own" in said.out
        assert ":role/cicd" not in said.out

    def test_a_folder_that_holds_such_files_is_left_alone(self, aibr: Aibr) -> None:
        Path("ours").mkdir()
        Path("ours/README.md").write_text("mine", encoding="utf-8")
        said = aibr("init", "ours")
        assert (said.code, "README.md" in said.err, Path("ours/README.md").read_text(encoding="utf-8")) == (2, True, "mine")
        assert [path.name for path in Path("ours").iterdir()] == ["README.md"]

"""`coverage` and its subcommands: what a run looked at, which techniques rules can find, which case studies they would have shown."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Aibr, Said
from tests.cli.samples import rule_text, write_rules

TAGS = "tags: [attack.defense-impairment, attack.t1685, attack.impact, attack.t1489, atlas.aml.t0054]\n"
CASES = "cases:\n  deleted:\n    hit: true\n    event: {eventName: DeleteGuardrail}\n"
FLOW = "tags: [attack.collection, attack.t1530, attack.initial-access, attack.t1190, attack.t1204, attack.execution]\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A tested rule, one without cases that needs an opt-in log, one that names no technique."""
    opted = rule_text(2, "{eventName: GetObject}") + FLOW + "requires: ['aws.cloudtrail.data:AWS::S3::Object']\n"
    return write_rules(
        tmp_path / "mine",
        {
            "rule_1.yml": rule_text(1) + TAGS + "requires: [aws.cloudtrail.management]\n",
            "rule_1.tests.yaml": CASES,
            "rule_2.yml": opted,
            "rule_3.yml": rule_text(3, "{eventName: x}"),
        },
    )


def tiers(said: Said) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["scope"], row["class"]): row for row in said.rows if row["kind"] == "tier"}


def techniques(said: Said, scope: str = "aws") -> dict[str, dict[str, Any]]:
    return {row["technique"]: row for row in said.rows if row["kind"] == "technique" and row["scope"] == scope}


class TestGroup:
    def test_without_a_subcommand_it_tells_of_the_last_run_as_before(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        aibr("run", rules, "--logs", logs)
        bare, named = aibr("coverage"), aibr("coverage", "run")
        assert (bare.code, bare.out) == (named.code, named.out)
        assert bare.out.splitlines()[-1].endswith("0 not settled")
        assert aibr("coverage", "--json").rows == aibr("coverage", "run", "--json").rows

    def test_options_stand_behind_the_subcommand(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "--json", "techniques", mine)
        assert (said.code, "stand behind the subcommand" in said.err) == (2, True)

    def test_a_mistyped_subcommand_is_answered_with_the_nearest(self, aibr: Aibr) -> None:
        said = aibr("coverage", "technique")
        assert (said.code, "techniques" in said.err) == (2, True)

    def test_layers_can_be_asked_for_in_short(self, aibr: Aibr, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x", encoding="utf-8")
        said = aibr("coverage", "--navigator", tmp_path / "file" / "layers")
        assert (said.code, "cannot be written" in said.err) == (2, True)  # as `coverage techniques` says it, before it asks any case
        refused = aibr("coverage", "--navigator", tmp_path / "layers", "--run", "R-0")
        assert (refused.code, "about rules" in refused.err) == (2, True)


class TestTechniques:
    def test_rules_are_counted_by_cloud_and_tier(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--json")
        assert said.code == 0
        found = tiers(said)
        assert {key: row["techniques"] for key, row in found.items() if key[0] == "all"} == {
            ("all", "C"): 73,
            ("all", "D"): 41,
            ("all", "P"): 37,
        }
        assert [(found["aws", tier]["tested"], found["aws", tier]["written"]) for tier in "CDP"] == [(2, 0), (0, 1), (1, 0)]
        assert [found["gcp", tier]["tested"] for tier in "CDP"] == [0, 0, 0]
        assert all(row["tested"] + row["written"] + row["no_rule"] == row["techniques"] for row in found.values())

    def test_what_no_tier_counts_stands_below_them(self, aibr: Aibr, mine: Path) -> None:
        lines = aibr("coverage", "techniques", mine).out.splitlines()
        assert lines[0].split() == ["cloud", "tier", "techniques", "tested", "written", "no", "rule", "seen", "blind"]
        assert "In no tier: 107 techniques not observable (X 34, N 73); rules name 1 of them: T1190" in lines
        assert "In no tier: 102 techniques not classified yet; rules name 1 of them" in lines
        assert "1 rule names no technique" in lines

    def test_a_list_names_rules_and_why_they_are_not_tested(self, aibr: Aibr, mine: Path) -> None:
        short = aibr("coverage", "techniques", mine).out
        said = aibr("coverage", "techniques", mine, "--cloud", "aws", "--list").out
        assert "rule_2(it has no cases)" in said
        assert "rule_2" not in short
        assert len(said.splitlines()) > 146

    def test_tiers_and_clouds_narrow_the_answer(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--cloud", "gcp", "--tier", "D", "--json")
        assert set(tiers(said)) == {("gcp", "D")}
        assert {row["class"] for row in said.rows if row["kind"] == "technique"} == {"D"}
        assert len(techniques(said, "gcp")) == 35

    def test_a_switch_that_is_off_makes_its_rules_blind(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--off", "aws.cloudtrail.data:*", "--json")
        found = techniques(said)
        assert (found["T1530"]["blind"], found["T1685"]["blind"]) == (True, False)
        assert (tiers(said)["aws", "D"]["blind"], tiers(said)["aws", "C"]["blind"]) == (1, 0)

    def test_default_is_what_nobody_turned_on(self, aibr: Aibr, mine: Path) -> None:
        words = ("coverage", "techniques", mine, "--off", "default", "--json")
        assert techniques(aibr(*words))["T1530"]["blind"]
        assert not techniques(aibr(*words, "--on", "aws.cloudtrail.data:AWS::S3::Object"))["T1530"]["blind"]

    def test_a_mistyped_switch_is_refused_with_the_nearest(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--off", "aws.cloudtrail.managment")
        assert (said.code, "Did you mean aws.cloudtrail.management" in said.err) == (2, True)

    def test_leads_on_record_show_their_techniques(self, aibr: Aibr, mine: Path, logs: Path) -> None:
        assert techniques(aibr("coverage", "techniques", mine, "--json"))["T1685"]["seen"] is False
        aibr("run", mine, "--logs", logs)
        row = techniques(aibr("coverage", "techniques", mine, "--json"))["T1685"]
        assert (row["seen"], row["leads"]) == (True, 2)
        assert techniques(aibr("coverage", "techniques", mine, "--json"))["T1530"]["seen"] is False

    def test_a_run_shows_what_it_read_and_blinds_what_it_had_no_log_for(self, aibr: Aibr, mine: Path, logs: Path) -> None:
        gcp = rule_text(4, "{protoPayload.methodName: x}", logsource="{product: gcp, service: gcp.audit}")
        write_rules(mine, {"rule_4.yml": gcp + "tags: [attack.impact, attack.t1485]\n"})
        aibr("run", mine, "--logs", logs)
        run_id = aibr("ledger", "status", "--json").rows[0]["last_run_id"]
        said = aibr("coverage", "techniques", mine, "--run", run_id, "--json")
        assert techniques(said, "gcp")["T1485"]["blind"]
        assert techniques(said)["T1685"]["seen"]
        assert not techniques(said)["T1530"]["seen"]  # records of the source were read, the opt-in switch is not shown by them
        assert f"run {run_id}" in aibr("coverage", "techniques", mine, "--run", run_id).out

    def test_the_lake_counts_as_read(self, aibr: Aibr, mine: Path, logs: Path) -> None:
        assert aibr("coverage", "techniques", mine, "--lake").code == 2
        aibr("logs", "add", logs)
        said = aibr("coverage", "techniques", mine, "--lake", "--json")
        assert (techniques(said)["T1685"]["seen"], techniques(said)["T1685"]["leads"]) == (True, 0)

    def test_a_statement_that_data_contradicts_is_told_of_and_stands(self, aibr: Aibr, mine: Path, logs: Path) -> None:
        aibr("run", mine, "--logs", logs)
        said = aibr("coverage", "techniques", mine, "--off", "aws.cloudtrail.management", "--json")
        assert "is said to be off, and what was read shows that it was on" in said.err
        assert techniques(said)["T1685"]["blind"]

    def test_a_run_that_is_not_there_is_named(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--run", "R-none")
        assert said.code in {2, 3}
        assert "ledger" in said.err or "R-none" in said.err

    def test_csv_has_a_row_for_each_technique_of_each_scope(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "techniques", mine, "--cloud", "aws", "--csv")
        rows = list(csv.DictReader(io.StringIO(said.out)))
        assert len(rows) == 70 + 41 + 35
        assert {row["technique"]: row["state"] for row in rows}["T1685"] == "tested"
        assert aibr("coverage", "techniques", mine, "--csv", "--json").code == 2

    def test_layers_and_pages_are_written_and_named(self, aibr: Aibr, mine: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        said = aibr("coverage", "techniques", mine, "--navigator", out / "n", "--html", out / "c.html", "--md", out / "c.md")
        assert said.code == 0
        names = ("n/attack-layer.json", "n/atlas-layer.json", "c.html", "c.md")
        assert [line.split(": ", 1)[1] for line in said.out.splitlines()[:4]] == [str(out / name) for name in names]
        layer = json.loads((out / "n" / "attack-layer.json").read_text(encoding="utf-8"))
        assert {each["techniqueID"]: each.get("score") for each in layer["techniques"]}["T1685"] == 100
        assert "rule_1" in (out / "c.html").read_text(encoding="utf-8")
        quiet = aibr("coverage", "techniques", mine, "--json", "--html", out / "d.html")
        assert quiet.rows
        assert "Page: " in quiet.err

    def test_a_place_that_cannot_be_written_is_named(self, aibr: Aibr, mine: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x", encoding="utf-8")
        said = aibr("coverage", "techniques", mine, "--html", tmp_path / "file" / "c.html")
        assert (said.code, "cannot be written" in said.err) == (2, True)

    def test_a_refused_rule_is_named_and_the_others_are_counted(self, aibr: Aibr, mine: Path) -> None:
        write_rules(mine, {"broken.yml": "title: x\n"})
        said = aibr("coverage", "techniques", mine, "--json")
        assert (said.code, "broken.yml" in said.err, tiers(said)["aws", "C"]["tested"]) == (2, True, 2)


class TestStudies:
    def test_every_case_study_has_an_answer(self, aibr: Aibr, mine: Path) -> None:
        said = aibr("coverage", "studies", mine, "--json")
        assert said.code == 0
        assert len(said.rows) == 57
        assert {row["seen"] for row in said.rows} <= {"yes", "partly", "no"}
        for row in said.rows:
            assert row["why"].endswith(".")
            assert (row["seen"] == "no") == (not row["rules"]), row["case_study"]

    def test_the_table_ends_with_the_counts(self, aibr: Aibr, mine: Path) -> None:
        lines = aibr("coverage", "studies", mine, "--all").out.splitlines()
        assert len(lines) == 1 + 57 + 1
        assert lines[-1].startswith("57 case studies: yes ")
        listed = aibr("coverage", "studies", mine, "--list").out
        assert "AML.CS0056 Model Distillation Campaigns Targeting Anthropic Claude (incident, 2026-02-23): " in listed

    def test_csv_and_pages(self, aibr: Aibr, mine: Path, tmp_path: Path) -> None:
        said = aibr("coverage", "studies", mine, "--csv", "--md", tmp_path / "s.md")
        assert len(list(csv.DictReader(io.StringIO(said.out)))) == 57
        assert "would we have seen it" in (tmp_path / "s.md").read_text(encoding="utf-8")
        assert aibr("coverage", "studies", mine, "--csv", "--json").code == 2

    def test_a_log_that_is_off_takes_its_rules_out(self, aibr: Aibr, mine: Path) -> None:
        on = [row["case_study"] for row in aibr("coverage", "studies", mine, "--json").rows if row["rules"]]
        off = [
            row["case_study"]
            for row in aibr("coverage", "studies", mine, "--off", "aws.cloudtrail.management", "--json").rows
            if row["rules"]
        ]
        assert on
        assert off == []

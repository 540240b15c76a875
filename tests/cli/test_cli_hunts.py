"""`hunt`, `sweep` and `demo`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.ledger import Ledger, Suppression
from aibr_hunt.model.codec import predicate_to_plain
from aibr_hunt.report.words import LEVELS
from tests.cli.conftest import Aibr
from tests.cli.samples import cloudtrail, rule, rule_text, write_lines, write_rules

ROOT = Path(__file__).resolve().parents[2]
HUNT = """\
hunt: ours
hypothesis: Somebody of ours removes guardrails.
rivals: {insider: the hypothesis, plan: a planned change}
expect:
  - {id: gone, rules: [rule_1], supports: [insider]}
  - {id: planned, rules: [aws_bedrock_guardrail_weakened], supports: [plan], against: [insider]}
"""
SWEEP = "sweep: nightly\ntitle: Ours\nrules: ['{rules}']\nevery: P1D\n"


@pytest.fixture
def ours(tmp_path: Path, rules: Path) -> Path:
    """A repository of one's own with a rule, a hunt and a sweep."""
    folder = tmp_path / "ours"
    texts = {"rules/guardrail.yml": rule_text(1), "hunts/ours.yml": HUNT, "hunts/sweeps/nightly.yml": SWEEP.format(rules=rules)}
    return write_rules(folder, texts)


class TestHunt:
    def test_the_built_in_hunts_are_listed_and_can_be_shown_by_their_names(self, aibr: Aibr) -> None:
        """Each way of naming a hunt for one of them; that each of them loads, the tests of the hunts say."""
        rows = aibr("hunt", "list", "--json").rows
        names = [line.split()[0] for line in aibr("hunt", "list").out.splitlines()[1:]]
        assert names == [row["name"] for row in rows]
        assert len(set(names)) == len(names) >= 40
        for row, name in zip(rows[::15], ("{name}", "shipped:{name}", "{path}"), strict=False):
            said = aibr("hunt", "show", name.format(**row))
            assert (said.code, said.out.startswith(f"{row['name']}: {row['hypothesis']}\n")) == (0, True)

    def test_own_hunts_are_listed_beside_the_built_in_ones(self, aibr: Aibr, ours: Path) -> None:
        assert "ours" in [row["name"] for row in aibr("--content", ours, "hunt", "list", "--json").rows]
        assert aibr("--content", ours, "hunt", "show", "ours").code == 0

    def test_a_hunt_argues_from_what_its_rules_found(self, aibr: Aibr, ours: Path, logs: Path, tmp_path: Path) -> None:
        said = aibr("--content", ours, "hunt", "run", "ours", "--logs", logs, "--report", tmp_path / "case")
        assert said.code == 1
        assert "Hypothesis: Somebody of ours removes guardrails." in said.out
        assert "insider: " in said.out
        assert "Asked: 2 rules from hunt ours" in said.out
        assert len(list((tmp_path / "case").iterdir())) == 3

    def test_a_hunt_over_another_source_is_incomplete(self, aibr: Aibr, logs: Path) -> None:
        said = aibr("hunt", "run", "azure_training_data_tampering", "--logs", logs)
        assert said.code == 4
        assert re.search(r"^  azure_activitylogs, .*: no file of the log source was among the input$", said.err, re.MULTILINE)

    def test_a_hunt_that_names_a_rule_that_is_not_there_is_refused_with_its_line(self, aibr: Aibr, ours: Path, logs: Path) -> None:
        write_rules(ours, {"hunts/ours.yml": HUNT.replace("rule_1", "rule_one")})
        said = aibr("--content", ours, "hunt", "run", "ours", "--logs", logs)
        assert (said.code, said.out) == (2, "")
        assert "rule_one" in said.err
        assert "ours.yml:5: " in said.err

    def test_machines_get_leads_and_the_run(self, aibr: Aibr, ours: Path, logs: Path) -> None:
        rows = aibr("--content", ours, "hunt", "run", "ours", "--logs", logs, "--json").rows
        assert [row.get("rule") for row in rows] == ["rule_1", "rule_1", None]


class TestSweep:
    def states(self, aibr: Aibr, ours: Path) -> tuple[int, dict[str, str]]:
        said = aibr("--content", ours, "sweep", "status", "nightly", "--json")
        return said.code, {row["rule"]: row["state"] for row in said.rows}

    def test_its_status_follows_what_was_run_and_what_changed(self, aibr: Aibr, ours: Path, rules: Path, logs: Path) -> None:
        aibr("run", "shipped:aws/iam", "--logs", logs)
        assert self.states(aibr, ours) == (4, {"rule_1": "never asked"})
        assert aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs).code == 1
        assert self.states(aibr, ours) == (0, {"rule_1": "settled"})
        write_rules(rules, {"guardrail.yml": rule_text(1, "{eventName: [DeleteGuardrail, UpdateGuardrail]}")})
        assert self.states(aibr, ours) == (4, {"rule_1": "stale"})
        aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs, "--fail-on", "none")
        assert self.states(aibr, ours) == (0, {"rule_1": "settled"})

    def test_words_about_a_rule_do_not_make_it_stale(self, aibr: Aibr, ours: Path, rules: Path, logs: Path) -> None:
        aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs)
        write_rules(rules, {"guardrail.yml": rule_text(1).replace("Rule 1", "Another title")})
        assert self.states(aibr, ours) == (0, {"rule_1": "settled"})

    def test_a_rule_that_its_mapping_cannot_bind_says_so_in_the_status(self, aibr: Aibr, ours: Path, rules: Path, logs: Path) -> None:
        aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs)
        write_rules(rules, {"other.yml": rule_text(2, "{eventNaem: x}")})
        code, states = self.states(aibr, ours)
        assert (code, states["rule_2"].startswith("refused: field eventNaem")) == (4, True)

    def test_a_correlation_on_such_a_rule_is_refused_and_no_other_with_it(self, aibr: Aibr, ours: Path, rules: Path) -> None:
        head = "title: Many {0}\nid: 00000000-0000-4000-8000-00000000c00{0}\nname: many_{0}\nlevel: low\n"
        counted = (
            "correlation: {{type: event_count, rules: [rule_{0}], group-by: [userIdentity.arn], timespan: 1h, condition: {{gte: 2}}}}\n"
        )
        texts = {f"many_{number}.yml": (head + counted).format(number) for number in (1, 2)}
        write_rules(rules, {"other.yml": rule_text(2, "{eventNaem: x}"), **texts})
        logs = rules.parent / "one.jsonl"
        logs.write_text('{"eventSource": "s3.amazonaws.com", "eventName": "x", "eventVersion": "1.08"}\n', encoding="utf-8")
        aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs)
        _, states = self.states(aibr, ours)
        assert states["many_2"] == "refused: many_2 rests on rule_2, which cannot be asked."
        assert not states["many_1"].startswith("refused")

    def test_a_rule_that_cannot_be_read_is_named(self, aibr: Aibr, ours: Path, rules: Path, logs: Path) -> None:
        write_rules(rules, {"bad.yml": "title: x\n"})
        assert aibr("--content", ours, "sweep", "run", "nightly", "--logs", logs).code == 2
        said = aibr("--content", ours, "sweep", "status", "nightly")
        assert (said.code, str(rules / "bad.yml") in said.err) == (2, True)

    def test_the_built_in_sweeps_can_be_named_as_they_are_listed(self, aibr: Aibr, logs: Path) -> None:
        assert {"nightly_aws", "nightly_gcp", "nightly_azure"} <= {line.split()[0] for line in aibr("sweep", "list").out.splitlines()}
        assert aibr("sweep", "run", "nightly_aws", "--logs", logs).code == 4
        for name in ("nightly_aws", "shipped:nightly_aws", "shipped:sweeps/nightly_aws"):
            rows = aibr("sweep", "status", name, "--json").rows
            assert "settled" in [row["state"] for row in rows if row["rule"] == "aws_bedrock_guardrail_deleted"], name

    def test_files_of_a_few_days_do_not_cover_the_lookback_of_a_baseline_and_the_sweep_says_so(self, aibr: Aibr, logs: Path) -> None:
        said = aibr("sweep", "run", "weekly_aws", "--logs", logs)
        assert said.code == 4
        told = [line.strip() for line in said.err.splitlines() if "lookback 30d" in line]
        assert len([line for line in told if line.startswith("aws_cloudtrail: aws_bedrock_")]) == 1


class TestDemo:
    @pytest.fixture(autouse=True)
    def _logs(self) -> None:
        if not any((ROOT / "demo" / "logs").glob("**/*")):
            pytest.skip("the demo's logs are not bundled yet")

    def test_it_finds_what_was_planted_and_its_next_steps_work(self, aibr: Aibr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One run, many truths: it takes some seconds."""
        monkeypatch.delenv("AIBR_HOME")
        said = aibr("demo")
        assert said.code == 0
        shown = [line.split()[3] for line in said.out.splitlines() if re.match(r"L-[0-9a-f]{12} ", line)]
        assert shown == sorted(shown, key=LEVELS.index)
        assert (len(shown), shown[:2]) == (20, ["critical", "high"])
        assert len(said.err.splitlines()) < 25
        assert "Evidence: clean" in said.out
        assert sorted(path.suffix for path in Path("aibr-hunt-demo").iterdir()) == [".html", ".json", ".md"]
        assert [path.name for path in Path.cwd().iterdir()] == ["aibr-hunt-demo"]
        assert not (tmp_path / ".local").exists()
        steps = [line.removeprefix("Next:").split()[1:] for line in said.out.splitlines() if line.startswith(("Next:", "      aibr-hunt"))]
        assert [step[0] for step in steps] == ["--home"] * 2
        for step in steps:
            assert aibr(*step).code == 0, step
        assert aibr(*steps[0][:2], "evidence", "verify").code == 0


def test_leads_of_a_suppressed_rule_do_not_count_as_findings(aibr: Aibr, rules: Path, tmp_path: Path) -> None:
    """Suppressions are judged by their predicate in every command that counts leads."""
    path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail")])
    assert aibr("run", rules, "--logs", path).code == 1
    predicate = json.dumps(predicate_to_plain(rule(1, "{userIdentity.arn|endswith: person1}").predicate))
    with Ledger.open(tmp_path / "home", clock=lambda: datetime.now(tz=UTC), tell=print) as ledger:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        ledger.suppress(Suppression(id="", rule_id=rule(1).id, predicate=predicate, reason="planned", actor="tester", start=start))
    said = aibr("run", rules, "--logs", path, "--json")
    assert (said.code, bool(said.rows[0]["suppressed_by"])) == (0, True)
    assert (aibr("leads", "list").code, aibr("leads", "list", "--suppressed").code) == (0, 1)
    assert aibr("run", rules, "--logs", write_lines(tmp_path / "y.json", [cloudtrail(2, "DeleteGuardrail")])).code == 1

"""`hunt test` and `hunt check`, what `hunt show` says of logs, and `sweep show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules
from tests.unit.incident_samples import HUNT, INCIDENTS, write_hunt


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A repository of one's own with a hunt and its incidents."""
    write_hunt(tmp_path / "ours")
    return tmp_path / "ours"


class TestHuntTest:
    def test_incidents_that_go_as_they_say_end_with_0(self, aibr: Aibr, ours: Path) -> None:
        said = aibr("--content", ours, "hunt", "test", "small")
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("1 hunt, 2 incidents, 0 failed, ")

    def test_each_failure_is_a_line_and_the_command_ends_with_1(self, aibr: Aibr, ours: Path) -> None:
        write_hunt(ours, incidents=INCIDENTS.replace("observes: [fresh, known]", "observes: [known, probe]"))
        said = aibr("--content", ours, "hunt", "test", ours / "hunts" / "small.yml")
        assert said.code == 1
        *lines, last = said.out.splitlines()
        file = ours / "hunts" / "small.incidents.yaml"
        assert [line.split(": ")[0] for line in lines] == ["FAIL small begins"] * 3
        assert lines[0] == f"FAIL small begins: {file}:14: does not observe probe: tried meets no event."
        assert last.startswith("1 hunt, 2 incidents, 3 failed, ")

    def test_every_fault_of_a_file_is_a_line(self, aibr: Aibr, ours: Path) -> None:
        write_hunt(ours, incidents=INCIDENTS.replace("of: stolen", "of: stole").replace("of: team", "of: teem"))
        said = aibr("--content", ours, "hunt", "test", "small")
        assert said.code == 1
        assert [line.partition(".yaml:")[2].split(":")[0] for line in said.out.splitlines()[:-1]] == ["8", "15"]

    def test_machines_get_a_row_for_each_hunt(self, aibr: Aibr, ours: Path) -> None:
        write_hunt(ours, incidents=INCIDENTS.partition("  begins:")[0])
        said = aibr("--content", ours, "hunt", "test", "small", "--json")
        [row] = said.rows
        assert said.code == 1
        assert (row["hunt"], row["incidents"], row["events"], len(row["failures"])) == ("small", 1, 4, 2)
        assert row["path"].endswith("small.yml")

    def test_a_name_that_means_nothing_ends_with_2(self, aibr: Aibr) -> None:
        said = aibr("hunt", "test", "no_such_hunt")
        assert (said.code, said.out, "There is no hunt no_such_hunt." in said.err) == (2, "", True)


class TestHuntCheck:
    def test_advice_ends_with_0_and_errors_with_1(self, aibr: Aibr, ours: Path) -> None:
        said = aibr("--content", ours, "hunt", "check", "small")
        assert said.code == 0
        assert "advice small [incidents] no incident is one of test.\n" in said.out
        assert "advice small [metadata] has no window.\n" in said.out
        assert said.out.splitlines()[-1].startswith("1 hunt, 0 errors, ")
        write_hunt(ours, hunt=HUNT.replace("[tried]", "[tired]"))
        said = aibr("--content", ours, "hunt", "check", "small")
        assert said.code == 1
        assert "ERROR small [rules] " in said.out
        assert "small.yml:6: The hunt names the rule tired, which does not exist. Did you mean tried?" in said.out
        assert said.out.splitlines()[-1].startswith("1 hunt, 1 error, ")

    def test_machines_get_the_findings(self, aibr: Aibr, ours: Path) -> None:
        [row] = aibr("--content", ours, "hunt", "check", "small", "--json").rows
        assert row["hunt"] == "small"
        assert {"check": "incidents", "what": "no incident is one of test.", "error": False} in row["findings"]

    def test_the_form_of_every_shipped_hunt_is_right(self, aibr: Aibr) -> None:
        rows = aibr("hunt", "check", "shipped:", "--json").rows
        assert len(rows) >= 3
        found = [(row["hunt"], each["what"]) for row in rows for each in row["findings"] if each["error"]]
        assert [pair for pair in found if "has no incidents" not in pair[1]] == []


class TestHuntShow:
    def test_it_lists_the_logs_that_the_rules_need_and_what_is_blind_without_each(self, aibr: Aibr, ours: Path) -> None:
        said = aibr("--content", ours, "hunt", "show", "small")
        assert said.code == 0
        lines = said.out.splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("  log aws.bedrock.invocation_logging (off by default): "))
        assert lines[at + 1] == "    without it less for flood"
        assert lines[at + 2].startswith("  log aws.cloudtrail.management (on by default): ")
        assert lines[at + 3] == "    without it nothing for probe, flood, fresh"

    def test_case_studies_and_logs_stand_in_the_row_too(self, aibr: Aibr, ours: Path) -> None:
        write_hunt(ours, hunt=f"{HUNT}case_studies: [AML.CS0012]\n")
        [row] = aibr("--content", ours, "hunt", "show", "small", "--json").rows
        assert row["case_studies"] == ["AML.CS0012"]
        assert row["logs"][0] == {"switch": "aws.bedrock.invocation_logging", "on_by_default": False, "blind": [], "weaker": ["flood"]}
        assert "  ATLAS case studies: AML.CS0012\n" in aibr("--content", ours, "hunt", "show", "small").out

    def test_a_rule_that_is_not_there_is_told_on_the_side(self, aibr: Aibr, ours: Path) -> None:
        write_hunt(ours, hunt=HUNT.replace("[tried]", "[tired]"))
        said = aibr("--content", ours, "hunt", "show", "small")
        assert (said.code, "The hunt names the rule tired" in said.err) == (0, True)


SWEEP = "sweep: some\ntitle: Some\nrules: ['{rules}']\nleave_out: [{{levels: [low]}}]\nexclude: [rule_2]\nevery: P7D\n"


class TestSweepShow:
    @pytest.fixture
    def swept(self, tmp_path: Path) -> Path:
        """A repository with a sweep that selects one rule of three."""
        rules = {f"rules/r{each}.yml": rule_text(each) for each in (1, 2)}
        rules["rules/r3.yml"] = rule_text(3).replace("level: high", "level: low")
        folder = write_rules(tmp_path / "swept", rules)
        return write_rules(folder, {"hunts/sweeps/some.yml": SWEEP.format(rules=folder / "rules")})

    def test_it_lists_what_is_selected_and_what_is_left_out_with_the_reason(self, aibr: Aibr, swept: Path) -> None:
        said = aibr("--content", swept, "sweep", "show", "some")
        assert said.code == 0
        assert "selected (1), of " in said.out
        assert "left out (2)\n" in said.out
        rows = {row["rule"]: row for row in aibr("--content", swept, "sweep", "show", "some", "--json").rows}
        assert {name: (row["is_selected"], row["why"]) for name, row in rows.items()} == {
            "rule_1": (True, "nothing leaves it out"),
            "rule_2": (False, "excluded by name"),
            "rule_3": (False, "level low"),
        }

    def test_run_and_status_ask_only_what_is_selected(self, aibr: Aibr, swept: Path, logs: Path) -> None:
        said = aibr("--content", swept, "sweep", "run", "some", "--logs", logs)
        assert said.code == 1
        assert "Asked: 1 rule from sweep some; " in said.out
        assert [row["rule"] for row in aibr("--content", swept, "sweep", "status", "some", "--json").rows] == ["rule_1"]

    def test_list_tells_machines_what_selects(self, aibr: Aibr, swept: Path) -> None:
        rows = {row["name"]: row for row in aibr("--content", swept, "sweep", "list", "--json").rows}
        assert rows["some"]["leave_out"] == [{"levels": ["low"], "types": [], "looks_back": None}]
        assert (rows["some"]["exclude"], rows["some"]["every"], rows["some"]["requires_only"]) == (["rule_2"], "P7D", None)
        assert rows["nightly_default_logs"]["requires_only"] == "default"

    def test_a_sweep_that_excludes_nothing_of_its_own_is_refused(self, aibr: Aibr, swept: Path, logs: Path) -> None:
        write_rules(swept, {"hunts/sweeps/some.yml": SWEEP.format(rules=swept / "rules").replace("rule_2", "rule_9")})
        for words in (("show", "some"), ("status", "some"), ("run", "some", "--logs", logs)):
            said = aibr("--content", swept, "sweep", *words)
            assert (said.code, "some.yml:5: The sweep excludes rule_9" in said.err) == (2, True), words

    def test_a_rule_that_cannot_be_read_is_named(self, aibr: Aibr, swept: Path) -> None:
        write_rules(swept, {"rules/bad.yml": "title: x\n"})
        said = aibr("--content", swept, "sweep", "show", "some")
        assert (said.code, "bad.yml" in said.err) == (2, True)

"""`run`: exit codes, what is said, what is written, and what a wrong word gets."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from aibr_hunt.cli.output import Exit, gravest
from aibr_hunt.hunt import reading as hunt_reading
from aibr_hunt.hunt import run as hunt_run
from tests.cli.conftest import Aibr
from tests.cli.samples import cloudtrail, rule_text, write_bytes, write_lines, write_rules

CLEAN, FOUND, MISTAKE, FAILED, INCOMPLETE = 0, 1, 2, 3, 4


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """Logs in which nothing is found."""
    return write_lines(tmp_path / "quiet" / "a.json", [cloudtrail(1)]).parent


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """Logs with a hit and a line that cannot be read."""
    return write_bytes(tmp_path / "torn" / "a.json", json.dumps(cloudtrail(1, "DeleteGuardrail")).encode() + b"\n{torn\n").parent


class TestExitCode:
    def test_nothing_found_and_nothing_missed_is_0(self, aibr: Aibr, rules: Path, quiet: Path) -> None:
        assert aibr("run", rules, "--logs", quiet).code == CLEAN

    def test_a_finding_is_1(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        assert aibr("run", rules, "--logs", logs).code == FOUND

    def test_refused_input_is_4_before_findings(self, aibr: Aibr, rules: Path, torn: Path) -> None:
        assert aibr("run", rules, "--logs", torn).code == INCOMPLETE

    def test_a_refused_rule_is_2_before_refused_input_and_findings(self, aibr: Aibr, rules: Path, torn: Path) -> None:
        write_rules(rules, {"bad.yml": "title: x\n"})
        assert aibr("run", rules, "--logs", torn).code == MISTAKE

    def test_a_ledger_that_fails_is_3(self, aibr: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        write_bytes(tmp_path / "home" / "ledger.sqlite3", b"no database at all, whatever its name" * 100)
        assert aibr("run", rules, "--logs", logs).code == FAILED

    def test_the_gravest_wins_in_the_order_3_2_4_1_0(self) -> None:
        rank = [FAILED, MISTAKE, INCOMPLETE, FOUND, CLEAN]
        for size in range(1, 6):
            for codes in itertools.permutations(rank, size):
                assert gravest(map(Exit, codes)) == min(codes, key=rank.index)
        assert gravest([]) == CLEAN

    @pytest.mark.parametrize(
        ("fail_on", "on_logs", "on_torn"),
        [
            ("all", FOUND, INCOMPLETE),
            ("findings,incomplete", FOUND, INCOMPLETE),
            ("findings", FOUND, FOUND),
            ("incomplete", CLEAN, INCOMPLETE),
            ("none", CLEAN, CLEAN),
        ],
    )
    def test_fail_on_chooses_what_counts(
        self, aibr: Aibr, rules: Path, logs: Path, torn: Path, fail_on: str, on_logs: int, on_torn: int
    ) -> None:
        assert aibr("run", rules, "--logs", logs, "--fail-on", fail_on).code == on_logs
        assert aibr("run", rules, "--logs", torn, "--fail-on", fail_on).code == on_torn

    def test_fail_on_never_hides_a_mistake(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        write_rules(rules, {"bad.yml": "title: x\n"})
        assert aibr("run", rules, "--logs", logs, "--fail-on", "none").code == MISTAKE

    def test_a_misspelt_outcome_is_refused_before_anything_is_read(self, aibr: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        said = aibr("run", rules, "--logs", logs, "--fail-on", "finding")
        assert (said.code, said.out) == (MISTAKE, "")
        assert "findings, incomplete" in said.err
        assert not (tmp_path / "home").exists()


class TestWhatIsSaid:
    def test_the_window_the_bytes_the_rules_and_the_leads(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        said = aibr("run", rules, "--logs", logs)
        assert said.out.startswith(f"Asked: 1 rule from {rules}; window: all times\nRead: 1 file, ")
        assert "rule_1" in said.out
        assert said.out.count("DeleteGuardrail") == 2
        assert "(complete)" in said.out
        assert said.err == ""

    def test_the_resolved_window_is_printed_and_bounds_the_leads(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        said = aibr("run", rules, "--logs", logs, "--from", "2026-01-01T02:05:00+02:00", "--to", "2026-01-02", "--json")
        assert "window: [2026-01-01T00:05:00Z, 2026-01-02T00:00:00Z)" in said.err
        assert [row["time"] for row in said.rows[:-1]] == ["2026-01-01T00:07:00+00:00"]

    def test_what_was_not_seen_stands_on_standard_error(self, aibr: Aibr, rules: Path, torn: Path) -> None:
        said = aibr("run", rules, "--logs", torn)
        assert "Not seen (2):" in said.err
        assert f"{torn / 'a.json'}: " in said.err
        assert "(incomplete)" in said.out

    def test_a_long_list_of_what_was_not_seen_is_cut_and_says_so(self, aibr: Aibr, rules: Path, torn: Path) -> None:
        for number in range(40):
            write_bytes(torn / f"{number}.json", f"{{torn{number}\n".encode())
        lines = aibr("run", rules, "--logs", torn).err.splitlines()
        assert (lines[0], lines[-1], len(lines)) == ("Not seen (42):", "  … and 12 more; the report names all", 32)

    def test_a_noise_rule_is_named_with_its_share(self, aibr: Aibr, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hunt_run, "NOISE_EVENTS", 1_000)
        path = write_lines(tmp_path / "x.json", [cloudtrail(each, "DeleteGuardrail") for each in range(1010)])
        said = aibr("run", rules, "--logs", path)
        assert said.err.splitlines() == [
            "Not seen (1):",
            "  Rule rule_1 met 1,010 events (100 % of aws_cloudtrail): past the first 1,000, only the identities of 10 are kept.",
            "Noise rule rule_1: 10 further events of 1,010 in aws_cloudtrail kept by identity, without leads",
        ]
        assert "20 of 1000 leads shown, the gravest first; aibr-hunt leads list --run R-" in said.out

    def test_a_refused_rule_is_said_once(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        write_rules(rules, {"bad.yml": "title: x\nlogsource: {product: aws}\n"})
        for said in (aibr("run", rules, "--logs", logs), aibr("run", rules, "--logs", logs, "--json")):
            assert said.err.count("has no detection") == 1

    def test_less_or_more_is_told_on_request(self, aibr: Aibr, rules: Path, torn: Path) -> None:
        told = [aibr("--log-level", level, "run", rules, "--logs", torn).err for level in ("error", "warning", "info", "debug")]
        assert told[0] == ""
        assert told[1].startswith("Not seen")
        assert told[2] == f"{torn / 'a.json'}: json-lines, aws_cloudtrail; records: matched 1, parsed 0, skimmed 0, refused 1\n{told[1]}"
        assert "sha256" in told[3]

    def test_copies_are_counted(self, aibr: Aibr, rules: Path, quiet: Path) -> None:
        write_bytes(quiet / "b.json", (quiet / "a.json").read_bytes())
        assert "Copies: 1 file repeated another byte for byte\n" in aibr("run", rules, "--logs", quiet).out

    def test_times_are_shown_in_the_zone_that_is_asked_for(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        assert "2026-01-01 05:33:00" in aibr("--tz", "Asia/Kolkata", "run", rules, "--logs", logs).out


class TestJson:
    def test_each_line_is_json_and_the_last_one_is_the_run(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        said = aibr("run", rules, "--logs", logs, "--json")
        *leads, run = said.rows
        assert said.code == FOUND
        assert [lead["action"] for lead in leads] == ["DeleteGuardrail"] * 2
        assert (run["leads"], run["new_leads"], run["outcome"], run["gaps"], run["refused_rules"]) == (2, 2, "complete", [], [])
        assert run["statistics"]["content_bytes"] == sum(
            run["statistics"][f"bytes_{each}"] for each in ("framing", "matched", "parsed", "skimmed", "refused")
        )

    def test_out_gets_the_leads_of_the_run_as_json_lines(self, aibr: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        aibr("run", rules, "--logs", logs, "--out", tmp_path / "leads.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "leads.jsonl").read_text(encoding="utf-8").splitlines()]
        assert len(rows) == 2

    def test_the_report_is_written_and_named(self, aibr: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        said = aibr("run", rules, "--logs", logs, "--report", tmp_path / "case")
        assert sorted(path.suffix for path in (tmp_path / "case").iterdir()) == [".html", ".json", ".md"]
        assert said.out.count("Report: ") == 3


class TestReadings:
    @pytest.mark.parametrize(
        "option", [(), ("--no-sieve",), ("--strict",), ("--processes", "2")], ids=["sieve", "no sieve", "strict", "two processes"]
    )
    def test_every_reading_finds_the_same(self, aibr: Aibr, rules: Path, logs: Path, option: tuple[str, ...]) -> None:
        assert [row["event"][-12:] for row in aibr("run", rules, "--logs", logs, "--json", *option).rows[:-1]] == [
            "000000000003",
            "000000000007",
        ]

    def test_a_filter_file_narrows_the_rules(self, aibr: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        text = "title: F\nlogsource: {product: aws}\nfilter:\n  rules: any\n"
        text += "  quiet: {userIdentity.arn|endswith: person3}\n  condition: not quiet\n"
        path = write_rules(tmp_path, {"f.yml": text}) / "f.yml"
        assert len(aibr("run", rules, "--logs", logs, "--json", "--filter", path).rows) == 2

    def test_any_rule_runs_on_any_json_lines(self, aibr: Aibr, tmp_path: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"r.yml": rule_text(1, "{kind: needle}", logsource="{category: whatever}")})
        path = write_lines(tmp_path / "x.jsonl", [{"kind": "needle", "n": 1}, {"kind": "hay"}])
        said = aibr("run", folder, "--logs", path, "--json")
        assert (said.code, [row.get("source") for row in said.rows]) == (FOUND, ["as-written", None])

    def test_a_source_can_be_named_by_mapping_or_log_source(self, aibr: Aibr, rules: Path, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail", eventVersion=None)])
        for name in ("aws_cloudtrail", "aws/cloudtrail", "AWS/CloudTrail"):
            assert len(aibr("run", rules, "--logs", path, "--source", name, "--json").rows) == 2, name
        assert aibr("run", rules, "--logs", path, "--json").code == INCOMPLETE

    def test_two_runs_make_each_lead_once(self, aibr: Aibr, rules: Path, logs: Path) -> None:
        assert [aibr("run", rules, "--logs", logs, "--json").rows[-1]["new_leads"] for _ in range(2)] == [2, 0]


MISTAKES = {
    "a folder without logs": (["run", "{rules}", "--logs", "{empty}"], ["no log file", "{empty}", ".json"]),
    "logs that are not there": (["run", "{rules}", "--logs", "{logs}", "--logs", "gone"], ["gone", "--logs"]),
    "rules that are not there": (["run", "gone", "--logs", "{logs}"], ["gone", "Check the path"]),
    "built-in rules without their mark": (["run", "aws/bedrock", "--logs", "{logs}"], ["shipped:aws/bedrock"]),
    "built-in rules that are not there": (["run", "shipped:nothing", "--logs", "{logs}"], ["shipped:nothing", "rules list"]),
    "a way out of the built-in rules": (["run", "shipped:../hunts", "--logs", "{logs}"], ["no built-in rule"]),
    "a time without offset": (
        ["run", "{rules}", "--logs", "{logs}", "--from", "2026-01-01T00:00:00"],
        ["--from", "no offset", "2026-01-01T00:00:00Z"],
    ),
    "no time": (["run", "{rules}", "--logs", "{logs}", "--to", "2026-02-30"], ["--to", "2026-02-30", "2026-01-31"]),
    "a length without unit": (["run", "{rules}", "--logs", "{logs}", "--last", "14"], ["'14'", "14d"]),
    "months, which have no length": (["run", "{rules}", "--logs", "{logs}", "--last", "P1M"], ["'P1M'", "14d"]),
    "last beside from": (
        ["run", "{rules}", "--logs", "{logs}", "--last", "1d", "--from", "2026-01-01"],
        ["--last", "--from", "one of them"],
    ),
    "an end before the start": (["run", "{rules}", "--logs", "{logs}", "--from", "2026-01-02", "--to", "2026-01-02"], ["--to", "--from"]),
    "an unknown source": (
        ["run", "{rules}", "--logs", "{logs}", "--source", "aws_cloudtrial"],
        ["aws_cloudtrial", "aws_cloudtrail", "as-written"],
    ),
    "a zone that is none": (["--tz", "Mars/Base", "run", "{rules}", "--logs", "{logs}"], ["Mars/Base", "Europe/Vienna"]),
    "a content folder that is not there": (["--content", "gone", "rules", "list"], ["gone", "--content"]),
    "a folder that cannot hold the leads": (["run", "{rules}", "--logs", "{logs}", "--out", "gone/x.jsonl"], ["gone", "--out"]),
    "a hunt that is not there": (["hunt", "show", "sagemaker"], ["sagemaker", "hunt list"]),
    "a sweep that is not there": (["sweep", "status", "nightly"], ["nightly", "sweep list"]),
    "a lead before any run": (["leads", "show", "L-1"], ["no ledger", "{home}", "A run makes one"]),
    "an export to nowhere": (["ledger", "backup", "gone/x"], ["no ledger"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_what_where_and_what_to_do(aibr: Aibr, name: str, rules: Path, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = {"rules": rules, "logs": logs, "empty": tmp_path / "empty", "home": tmp_path / "home"}
    words, expected = ([text.format(**places) for text in texts] for texts in MISTAKES[name])
    said = aibr(*words)
    assert said.code == MISTAKE
    assert [text for text in expected if text not in said.err] == [], said.err
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("level", ["warning", "debug"])
def test_a_fault_that_nobody_foresaw_is_a_sentence_and_a_traceback_only_on_request(
    aibr: Aibr, rules: Path, logs: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret of a log")

    monkeypatch.setattr(hunt_reading, "scan", broken)
    said = aibr("--log-level", level, "run", rules, "--logs", logs)
    lines = said.err.splitlines()
    assert said.code == 3
    assert lines[0].startswith("A fault of aibr-hunt itself: ZeroDivisionError in aibr_hunt.hunt.reading, line ")
    assert lines[-1].startswith("Please report it")
    assert ("Traceback" in said.err, "secret" in said.err, len(lines) == 2) == (
        (True, True, False) if level == "debug" else (False, False, True)
    )

"""Commands that read and write the record: leads, evidence, ledger, report, coverage."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import cloudtrail, rule_text, write_bytes, write_lines, write_rules

FORMULA = '=HYPERLINK("http://198.51.100.1",1)'


@pytest.fixture
def recorded(aibr: Aibr, rules: Path, logs: Path) -> Aibr:
    """A ledger with one run and two leads."""
    assert aibr("run", rules, "--logs", logs).code == 1
    return aibr


def ids(aibr: Aibr) -> list[str]:
    return [row["lead"] for row in aibr("leads", "list", "--json").rows]


class TestLeads:
    def test_the_list_ends_with_1_when_there_are_leads_and_0_when_not(self, recorded: Aibr) -> None:
        assert recorded("leads", "list").code == 1
        assert (recorded("leads", "list", "--rule", "another").code, recorded("leads", "list", "--rule", "another").out) == (
            0,
            "No leads.\n",
        )
        assert (recorded("leads", "list", "--rule", "another", "--json").code, recorded("leads", "list", "--rule", "x", "--json").out) == (
            0,
            "",
        )

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (("--rule", "rule_1"), 2),
            (("--level", "high"), 2),
            (("--level", "critical"), 0),
            (("--state", "new"), 2),
            (("--state", "dismissed"), 0),
            (("--from", "2026-01-01T00:05:00Z"), 1),
            (("--to", "2026-01-01T00:05:00Z"), 1),
            (("--run", "R-0000000000000000"), 0),
        ],
    )
    def test_the_list_can_be_narrowed(self, recorded: Aibr, options: tuple[str, ...], count: int) -> None:
        assert len(recorded("leads", "list", "--json", *options).rows) == count

    def test_a_lead_is_shown_with_its_event_and_evidence(self, recorded: Aibr) -> None:
        first = ids(recorded)[0]
        said = recorded("leads", "show", first[:8])
        assert said.code == 0
        for text in ("rule_1", "delivery 1", "raw sha256", "file sha256", '"eventName": "DeleteGuardrail"', "hit by tester"):
            assert text in said.out, text
        shown = recorded("leads", "show", first, "--json").rows[0]
        assert shown["event_value"]["eventID"].endswith("3")
        assert [each["ordinal"] for each in shown["deliveries"]] == [4]

    def test_looking_at_a_lead_is_an_act_on_record(self, recorded: Aibr) -> None:
        first = ids(recorded)[0]
        recorded("leads", "show", first)
        assert "view by tester" in recorded("leads", "show", first).out

    def test_a_verdict_stays_and_is_on_record(self, recorded: Aibr) -> None:
        first = ids(recorded)[0]
        said = recorded("leads", "triage", first, "confirmed", "--note", "owner denies it")
        assert (said.code, said.out) == (0, f"{first} is confirmed.\n")
        shown = recorded("leads", "show", first).out
        assert "confirmed owner denies it" in shown
        assert "triage confirmed: owner denies it; by tester" in shown
        assert [row["lead"] for row in recorded("leads", "list", "--state", "confirmed", "--json").rows] == [first]
        assert recorded("evidence", "verify").code == 0

    @pytest.mark.parametrize("verdict", ["confirmed", "dismissed"])
    def test_a_verdict_without_a_reason_is_refused(self, recorded: Aibr, verdict: str) -> None:
        first = ids(recorded)[0]
        said = recorded("leads", "triage", first, verdict)
        assert (said.code, "A verdict needs its reason" in said.err) == (2, True)
        assert recorded("leads", "list", "--state", verdict, "--json").rows == []

    def test_a_lead_that_is_not_there_is_the_user_s_mistake(self, recorded: Aibr) -> None:
        for words in (("show", "L-nothing"), ("triage", "L-nothing", "open"), ("show", "L-")):
            said = recorded("leads", *words)
            assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), words

    def test_the_csv_is_safe_to_open_in_a_spreadsheet(self, aibr: Aibr, rules: Path, tmp_path: Path) -> None:
        event = cloudtrail(1, "DeleteGuardrail", sourceIPAddress=FORMULA, userIdentity={"arn": "+1\r\n=2;@x"})
        aibr("run", rules, "--logs", write_lines(tmp_path / "x.json", [event]))
        said = aibr("leads", "export", tmp_path / "leads.csv", "--format", "csv")
        assert (said.code, said.out) == (0, f"1 lead: {tmp_path / 'leads.csv'}\n")
        with (tmp_path / "leads.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == 2
        assert f"'{FORMULA}" in rows[1]
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in rows[1])

    def test_an_export_as_json_lines_holds_every_lead_and_is_an_act_on_record(self, recorded: Aibr, tmp_path: Path) -> None:
        recorded("leads", "export", tmp_path / "x.jsonl")
        assert len([json.loads(line) for line in (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()]) == 2
        assert recorded("evidence", "verify", "--json").rows[0]["records"] > 0

    def test_an_export_to_a_folder_that_is_not_there_is_named(self, recorded: Aibr, tmp_path: Path) -> None:
        said = recorded("leads", "export", tmp_path / "gone" / "x.csv")
        assert (said.code, str(tmp_path / "gone" / "x.csv") in said.err) == (2, True)


class TestEvidence:
    def test_a_record_that_nobody_touched_is_clean(self, recorded: Aibr) -> None:
        said = recorded("evidence", "verify")
        assert (said.code, said.out.split(":")[0]) == (0, "clean")
        assert recorded("evidence", "verify", "--json").rows[0]["clean"] is True

    def test_a_changed_row_is_named_and_the_exit_code_is_1(self, recorded: Aibr, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "home" / "ledger.sqlite3") as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            database.execute("UPDATE leads SET principal = 'somebody else'")
        database.close()
        said = recorded("evidence", "verify")
        assert said.code == 1
        assert "FAULT lead L-" in said.out
        assert recorded("evidence", "verify", "--json").rows[0]["clean"] is False

    def test_a_checkpoint_that_was_kept_shows_a_record_that_was_cut(self, recorded: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        empty = (tmp_path / "home" / "ledger.sqlite3").read_bytes()
        kept = write_bytes(tmp_path / "kept.json", recorded("evidence", "checkpoint").out.encode())
        assert json.loads(kept.read_bytes())
        recorded("run", rules, "--logs", logs)
        assert recorded("evidence", "verify", "--checkpoint", kept).code == 0
        later = write_bytes(tmp_path / "later.json", recorded("evidence", "checkpoint").out.encode())
        for name in ("ledger.sqlite3-wal", "ledger.sqlite3-shm"):
            (tmp_path / "home" / name).unlink(missing_ok=True)
        (tmp_path / "home" / "ledger.sqlite3").write_bytes(empty)
        assert recorded("evidence", "verify").code == 0
        assert recorded("evidence", "verify", "--checkpoint", later).code == 1

    def test_a_checkpoint_that_is_none_is_the_user_s_mistake(self, recorded: Aibr, tmp_path: Path) -> None:
        assert recorded("evidence", "verify", "--checkpoint", write_bytes(tmp_path / "x.json", b"nonsense")).code == 2


class TestLedger:
    def test_the_status_says_where_it_lies_and_what_it_holds(self, recorded: Aibr, tmp_path: Path) -> None:
        row = recorded("ledger", "status", "--json").rows[0]
        assert (row["path"], row["runs"], row["leads"]) == (str(tmp_path / "home" / "ledger.sqlite3"), 1, 2)
        assert f"{tmp_path / 'home' / 'ledger.sqlite3'}" in recorded("ledger", "status").out

    def test_a_backup_is_a_ledger_that_can_be_used(self, recorded: Aibr, tmp_path: Path) -> None:
        (tmp_path / "kept").mkdir()
        said = recorded("ledger", "backup", tmp_path / "kept" / "ledger.sqlite3")
        assert said.code == 0
        assert "sha256" in said.out
        assert len(recorded("--home", tmp_path / "kept", "leads", "list", "--json").rows) == 2
        assert recorded("--home", tmp_path / "kept", "evidence", "verify").code == 0

    def test_a_backup_never_writes_over_a_file(self, recorded: Aibr, tmp_path: Path) -> None:
        path = write_bytes(tmp_path / "taken", b"dear")
        assert (recorded("ledger", "backup", path).code, path.read_bytes()) == (2, b"dear")

    def test_an_upgrade_of_a_ledger_of_today_says_so(self, recorded: Aibr) -> None:
        said = recorded("ledger", "upgrade")
        assert (said.code, said.out) == (0, "The ledger has schema 3 already.\n")

    def test_a_newer_ledger_is_refused_with_the_version_that_it_needs(self, recorded: Aibr, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "home" / "ledger.sqlite3") as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            database.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
            database.execute("UPDATE meta SET value = '77.1' WHERE name = 'tool_version'")
        database.close()
        for words in (("leads", "list"), ("ledger", "status"), ("evidence", "verify")):
            said = recorded(*words)
            assert (said.code, said.out) == (3, "")
            assert "schema 999" in said.err
            assert "77.1 or newer" in said.err

    @pytest.mark.parametrize(
        "content", [b"no database" * 500, b"SQLite format 3\x00" + b"\x00" * 4000], ids=["other bytes", "only a header"]
    )
    def test_a_file_that_is_no_ledger_is_a_failure_that_is_named(self, aibr: Aibr, tmp_path: Path, content: bytes) -> None:
        path = write_bytes(tmp_path / "home" / "ledger.sqlite3", content)
        said = aibr("leads", "list")
        assert (said.code, said.out) == (3, "")
        assert str(path) in said.err
        assert "Traceback" not in said.err

    def test_another_database_is_not_taken_for_a_ledger(self, aibr: Aibr, tmp_path: Path, rules: Path, logs: Path) -> None:
        (tmp_path / "home").mkdir()
        with sqlite3.connect(tmp_path / "home" / "ledger.sqlite3") as database:
            database.execute("CREATE TABLE mine (x)")
        database.close()
        assert aibr("run", rules, "--logs", logs).code == 3

    def test_reading_makes_no_ledger(self, aibr: Aibr, tmp_path: Path) -> None:
        for words in (
            ("leads", "list"),
            ("ledger", "status"),
            ("evidence", "verify"),
            ("coverage",),
            ("report",),
            ("sweep", "status", "nightly_aws"),
        ):
            said = aibr(*words)
            assert (said.code, "There is no ledger in" in said.err) == (2, True), words
        assert not (tmp_path / "home").exists()


class TestReportAndCoverage:
    def test_the_report_of_the_last_run_is_written_in_three_forms(self, recorded: Aibr, tmp_path: Path) -> None:
        said = recorded("report", "--out", tmp_path / "case")
        assert said.code == 0
        paths = [Path(line.removeprefix("Report: ")) for line in said.out.splitlines()]
        assert [path.suffix for path in paths] == [".html", ".md", ".json"]
        assert all(ids(recorded)[0] in path.read_text(encoding="utf-8") for path in paths)

    def test_one_form_of_one_run_can_be_asked_for(self, recorded: Aibr, rules: Path, logs: Path, tmp_path: Path) -> None:
        first = recorded("ledger", "status", "--json").rows[0]["last_run_id"]
        recorded("run", rules, "--logs", logs)
        said = recorded("report", first, "--out", tmp_path / "case", "--format", "md")
        assert said.out == f"Report: {tmp_path / 'case' / f'report-{first}.md'}\n"

    def test_a_hypothesis_is_argued_from_what_is_on_record(self, recorded: Aibr, tmp_path: Path) -> None:
        assert recorded("report", "--out", tmp_path / "case", "--hunt", "stolen_key_llmjacking", "--format", "md").code == 0
        (path,) = (tmp_path / "case").iterdir()
        assert "A leaked credential" in path.read_text(encoding="utf-8")

    def test_before_the_first_run_there_is_nothing_to_tell_of(self, aibr: Aibr, rules: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert aibr("run", rules, "--logs", tmp_path / "empty").code == 2
        for word in ("report", "coverage"):
            said = aibr(word)
            assert (said.code, said.out, "No run is on record. Start with" in said.err) == (2, "", True)
        assert aibr("leads", "list").out == "No leads.\n"

    def test_a_run_that_is_not_there_is_named(self, recorded: Aibr) -> None:
        for words in (("report", "R-none"), ("coverage", "--run", "R-none")):
            said = recorded(*words)
            assert (said.code, "R-none" in said.err) == (2, True)

    def test_coverage_of_what_was_read_whole_is_0_and_of_the_rest_4(self, recorded: Aibr, rules: Path, tmp_path: Path) -> None:
        said = recorded("coverage")
        assert said.code == 0
        assert "settled" in said.out
        assert said.out.splitlines()[-1].endswith(", 0 not settled")
        write_rules(rules, {"gcp.yml": rule_text(2, "{protoPayload.methodName: x}", logsource="{product: gcp, service: gcp.audit}")})
        recorded("run", rules, "--logs", write_lines(tmp_path / "x.json", [cloudtrail(1)]))
        said = recorded("coverage", "--json")
        assert said.code == 4
        assert {row["source"]: row["state"] for row in said.rows} == {"aws_cloudtrail": "settled", "gcp_audit": "not covered"}

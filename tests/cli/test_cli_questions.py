"""`logs sql|show|stack|timeline`: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import write_lines, write_records
from tests.unit.lake_questions import HOSTILE, lake_of, person, plain_trail

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a lake in it: 200 calls, one of them hostile, and two records of no known source."""
    folder = tmp_path_factory.mktemp("kept")
    write_records(folder / "logs" / "a.json.gz", [*plain_trail(), person(900, HOSTILE)])
    write_lines(folder / "logs" / "u.json", [{"hello": number} for number in range(2)])
    lake_of(folder / "home" / "lake", folder / "logs")
    return folder / "home"


@pytest.fixture
def logs(aibr: Aibr, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Aibr:
    """Run a command of the group on that lake."""
    monkeypatch.setenv("AIBR_HOME", str(kept))

    def run(*arguments: object) -> object:
        return aibr("logs", *arguments)

    return run  # type: ignore[return-value]


def test_a_table_shows_fifty_rows_and_says_how_many_there_are(logs: Aibr) -> None:
    said = logs("sql", "SELECT event_id, action FROM aws_cloudtrail")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert lines[0].split() == ["event_id", "action"]
    assert len(lines) == 52
    assert lines[-1] == "50 of 201 shown, --all for the rest"
    assert len(logs("sql", "SELECT event_id, action FROM aws_cloudtrail", "--all").out.splitlines()) == 202
    assert logs("sql", "SELECT 1 AS one").out == "one\n  1\n1 row\n"


def test_json_and_csv_hold_every_row(logs: Aibr) -> None:
    statement = "SELECT event_id, action, time FROM aws_cloudtrail ORDER BY time, event_id"
    rows = logs("sql", statement, "--format", "json").rows
    assert len(rows) == 201
    assert rows[0]["time"] == "2026-01-01T00:00:00Z"
    table = list(csv.reader(io.StringIO(logs("sql", statement, "--format", "csv").out)))
    assert [row[0] for row in table[1:]] == [row["event_id"] for row in rows]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out.txt"])
def test_a_file_takes_its_form_from_its_ending(logs: Aibr, tmp_path: Path, name: str) -> None:
    said = logs("sql", "SELECT event_id, action FROM aws_cloudtrail ORDER BY event_id", "--out", tmp_path / name)
    assert (said.code, said.out) == (0, f"Wrote 201 rows to {tmp_path / name}.\n")
    content = (tmp_path / name).read_bytes()
    match name:
        case "out.csv":
            assert content.count(b"\r\n") == 202
        case "out.jsonl":
            assert len([json.loads(line) for line in content.splitlines()]) == 201
        case "out.parquet":
            with duckdb.connect() as reader:
                assert len(reader.execute("FROM read_parquet(?)", [str(tmp_path / name)]).fetchall()) == 201
        case _:
            assert len(content.splitlines()) == 202
    assert {path.name for path in tmp_path.iterdir() if "out" in path.name} == {name}


def test_parquet_asks_for_a_file(logs: Aibr) -> None:
    said = logs("sql", "SELECT 1", "--format", "parquet")
    assert (said.code, said.out) == (2, "")
    assert "--out" in said.err


def test_hostile_text_acts_on_no_terminal_and_no_spreadsheet(logs: Aibr) -> None:
    statement = "SELECT action FROM aws_cloudtrail WHERE action LIKE '=cmd%'"
    for words in (("sql", statement), ("sql", statement, "--all"), ("stack", "eventName"), ("timeline", "akia0", "--every", "--all")):
        said = logs(*words)
        assert said.code == 0
        assert all(line.isprintable() for line in said.out.split("\n")), words
        assert "\\u001b[31m" in said.out
    ((_, cell),) = [("", row[0]) for row in csv.reader(io.StringIO(logs("sql", statement, "--format", "csv").out))][1:]
    assert cell.startswith("'=cmd")
    assert logs("sql", statement, "--format", "json").rows == [{"action": HOSTILE}]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("COPY events TO 'stolen.csv'", "COPY is refused."),
        ("SELECT * FROM read_text('/etc/passwd')", "The table function read_text is refused."),
        ("ATTACH 'x.db'", "ATTACH is refused."),
        ("SET threads = 1", "SET is refused."),
        ("SELECT 1; SELECT 2", "holds 2 statements"),
        (
            "SELECT eventNam FROM aws_cloudtrail",
            'line 1, column 8: Referenced column "eventNam" not found in FROM clause. Did you mean eventName?',
        ),
        ("SELECT * FROM aws_cloudtral", "Did you mean aws_cloudtrail? `SHOW TABLES` lists the views."),
    ],
)
def test_what_is_refused_is_the_user_s_mistake_and_told_in_a_sentence(logs: Aibr, statement: str, said: str) -> None:
    found = logs("sql", statement)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert "Traceback" not in found.err
    assert list(Path.cwd().iterdir()) == []


def test_a_plan_is_printed_as_it_is_drawn(logs: Aibr) -> None:
    said = logs("sql", "EXPLAIN SELECT count(*) FROM events")
    assert said.code == 0
    assert len(said.out.splitlines()) > 5
    assert "\\u000a" not in said.out


def test_a_statement_is_read_from_standard_input(kept: Path) -> None:
    code = "import sys; from aibr_hunt.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(kept), "logs", "sql", "-", "--format", "json"],
        input="SELECT count(*) AS n\nFROM aws_cloudtrail",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, '{"n":201}\n'), done.stderr


def test_ctrl_c_ends_a_question_and_the_process_in_order(kept: Path) -> None:
    """The statement runs for hours; the signal comes when it has begun."""
    code = (
        "import signal, sys, threading, _thread\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from aibr_hunt.engines.lake import ask_answer\n"
        "begun, timers = ask_answer.interruptible, []\n"
        "def noted(connection, work):\n"
        "    if not timers:\n"  # one signal: another would meet the process at its end
        "        timers.append(threading.Timer(1.0, _thread.interrupt_main))\n"
        "        timers[0].start()\n"
        "    return begun(connection, work)\n"
        "ask_answer.interruptible = noted\n"
        "from aibr_hunt.cli import main\n"
        "main()\n"
    )
    statement = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range * b.range % 7 = 3"
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(kept), "logs", "sql", statement],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (3, "", "Stopped.")


def test_show_prints_the_event_and_raw_gives_its_bytes(logs: Aibr) -> None:
    ((row,)) = logs("sql", "SELECT event_id, raw, identity FROM aws_cloudtrail WHERE action LIKE '=cmd%'", "--format", "json").rows
    said = logs("show", row["event_id"][:10])
    assert said.code == 0
    assert all(line.isprintable() for line in said.out.split("\n"))
    assert row["identity"] in said.out
    assert "a.json.gz" in said.out
    assert logs("show", row["event_id"], "--raw").out == row["raw"]
    machine = logs("show", row["identity"], "--json").rows
    assert [each["event_id"] for each in machine] == [row["event_id"]]
    assert json.loads(machine[0]["deliveries"][0]["record"])["eventName"] == HOSTILE
    assert logs("show", row["event_id"], "--delivery", 2).code == 2


@pytest.mark.parametrize("name", ["abc", "ffffffffffff", "' OR 1=1 --"])
def test_an_event_that_is_not_there_is_named(logs: Aibr, name: str) -> None:
    said = logs("show", name)
    assert (said.code, said.out) == (2, "")
    assert name in said.err


def test_stack_counts_under_a_condition_of_a_rule(logs: Aibr) -> None:
    words = ("stack", "eventName", "errorCode", "--where", "{eventName|startswith: [Del, List], errorCode: null}", "--format", "json")
    assert [(row["eventName"], row["errorCode"], row["count"]) for row in logs(*words).rows] == [
        ("DeleteGuardrail", None, 18),
        ("ListModels", None, 142),
    ]
    assert [row["count"] for row in logs(*words, "--commonest", "--limit", 1).rows] == [142]
    assert len(logs(*words, "--by", "hour").rows) == 8
    assert logs(*words, "--from", "2026-01-02").rows == []


def test_a_source_without_the_field_is_named_on_standard_error(logs: Aibr) -> None:
    said = logs("stack", "protoPayload.methodName", "--source", "aws_cloudtrail")
    assert (said.code, said.out) == (2, "")
    assert "protoPayload.methodName" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stack", "eventNam", "--source", "aws_cloudtrail"), "Did you mean eventName?"),
        (("stack", "eventName", "--where", "{eventName|startwith: x}"), "Did you mean startswith?"),
        (("stack", "eventName", "--where", "{eventNam: x}", "--source", "aws_cloudtrail"), "Did you mean eventName?"),
        (("stack", "eventName", "--source", "aws_cloudtral"), "Did you mean aws_cloudtrail?"),
        (("stack", "eventName", "--from", "2026-01-02", "--to", "2026-01-01"), "--to is not after --from"),
        (("timeline", " "), "Whose timeline?"),
        (("timeline", "x", "--gap", "soon"), "is no length of time"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(logs: Aibr, words: tuple[str, ...], said: str) -> None:
    found = logs(*words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


def test_timeline_shows_lines_sessions_actions_and_neighbours(logs: Aibr) -> None:
    said = logs("timeline", "arn:aws:iam::123456789012:user/p3")
    assert (said.code, said.err) == (0, "")
    for title in ("Sessions:", "Actions:", "Shared with others:"):
        assert title in said.out
    assert "DeleteGuardrail" in said.out
    every = logs("timeline", "arn:aws:iam::123456789012:user/p3", "--every", "--format", "json").rows
    assert len(every) == 29
    assert {row["found_in"] for row in every} == {"principal"}


def test_nothing_found_says_what_to_try(logs: Aibr) -> None:
    said = logs("timeline", "nobody")
    assert said.code == 0
    assert "--anywhere" in said.err


def test_a_lake_that_is_not_there_is_the_user_s_mistake(aibr: Aibr) -> None:
    for words in (("sql", "SELECT 1"), ("show", "abcdef"), ("stack", "action"), ("timeline", "x")):
        said = aibr("logs", *words)
        assert (said.code, said.out) == (2, "")
        assert "aibr-hunt logs add" in said.err


def test_an_empty_lake_answers_with_nothing(aibr: Aibr, tmp_path: Path) -> None:
    lake_of(tmp_path / "home" / "lake")
    assert aibr("logs", "sql", "SELECT * FROM events").out.endswith("0 rows\n")
    assert aibr("logs", "stack", "eventName", "--format", "json").rows == []
    assert aibr("logs", "timeline", "x").code == 0
    assert aibr("logs", "show", "abcdef").code == 2

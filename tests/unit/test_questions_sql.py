"""One statement that reads, and nothing else; its answer, whatever stands in the logs."""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.ask_write import csv_lines, json_lines, write_parquet, write_texts
from aibr_hunt.engines.lake.questions import Questions
from aibr_hunt.errors import UsageError
from aibr_hunt.model.text import for_csv
from tests.unit.lake_questions import HOSTILE, asking, standard

ROOT = Path(__file__).resolve().parents[2]
ODD = (
    "SELECT TIMESTAMPTZ '2026-01-01 00:00:00+02' AS zoned, [TIMESTAMP '2026-01-01'] AS moments, INTERVAL 3 DAY AS span, "
    "-1.5::DECIMAL(5,2) AS exact, 170141183460469231731687303715884105727 AS huge, 'a'::BLOB AS bytes, {'k': 1} AS struct, "
    "MAP {'k': 1} AS map, 'nan'::DOUBLE AS nan, NULL AS nothing, 'é' AS text, true AS flag, "
    "1 AS x, 2 AS X, 3 AS x, DATE '2026-01-02' AS day"
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return standard(tmp_path_factory.mktemp("standard"))


def test_a_statement_is_answered_with_rows_by_place_and_by_name(ask: Questions) -> None:
    answer = ask.sql("SELECT action, count(*) AS events FROM aws_cloudtrail GROUP BY ALL ORDER BY events DESC, action LIMIT 2")
    assert answer.columns == ("action", "events")
    assert answer.rows() == [("ListModels", 178), ("DeleteGuardrail", 22)]
    assert answer.dicts() == [{"action": "ListModels", "events": 178}, {"action": "DeleteGuardrail", "events": 22}]


def test_repeats_are_left_out_and_a_conflict_is_two_events(ask: Questions) -> None:
    found = ask.sql("SELECT count(*), count(DISTINCT event_id), count(DISTINCT identity) FROM aws_cloudtrail").rows()
    assert found == [(202, 202, 201)]


def test_columns_are_called_as_rules_call_fields(ask: Questions) -> None:
    found = ask.sql('SELECT DISTINCT "userIdentity.accessKeyId" AS k FROM aws_cloudtrail WHERE k IS NOT NULL ORDER BY k').rows()
    assert found == [("AKIA0",), ("AKIA1",), ("AKIA2",), ("AKIA3",), ("AKIA4",)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1;",
        "-- a comment\nSELECT 1 /* another */",
        "FROM events",
        "TABLE events",
        "VALUES (1)",
        "WITH few AS (SELECT * FROM events LIMIT 3) SELECT count(*) FROM few",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT * FROM n",
        "SELECT 1 UNION SELECT 2",
        "DESCRIBE events",
        "SUMMARIZE gcp_audit",
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT count(*) FROM events",
        "EXPLAIN (FORMAT json) SELECT 1",
        "SELECT * FROM range(3)",
        "SELECT e.key FROM gcp_audit, json_each(record) AS e",
        "SELECT unnest([1, 2])",
        "PIVOT (SELECT action, region FROM events) ON action IN ('ListModels') USING count(*)",
        "SELECT * FROM duckdb_columns() LIMIT 1",
        "SELECT a.action FROM events AS a ASOF JOIN events AS b ON a.time >= b.time LIMIT 1",
    ],
)
def test_whatever_only_reads_is_answered(ask: Questions, statement: str) -> None:
    assert ask.sql(statement).rows()


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("COPY events TO '{}/x.csv'", "COPY is refused"),
        ("COPY (SELECT 1) TO '{}/x.parquet' (FORMAT parquet)", "COPY is refused"),
        ("EXPORT DATABASE '{}/x'", "EXPORT is refused"),
        ("ATTACH '{}/x.db'", "ATTACH is refused"),
        ("DETACH memory", "DETACH is refused"),
        ("INSTALL httpfs", "LOAD is refused"),
        ("LOAD httpfs", "LOAD is refused"),
        ("SET threads = 1", "SET is refused"),
        ("RESET threads", "SET is refused"),
        ("USE memory", "SET is refused"),
        ("PRAGMA database_list", "PRAGMA is refused"),
        ("CALL pragma_version()", "CALL is refused"),
        ("CHECKPOINT", "CALL is refused"),
        ("CREATE TABLE x (i INTEGER)", "CREATE is refused"),
        ("CREATE TEMP MACRO x() AS 1", "CREATE is refused"),
        ("DROP VIEW events", "DROP is refused"),
        ("DELETE FROM files", "DELETE is refused"),
        ("INSERT INTO files VALUES (9, 'x', 'x', 'x', NULL)", "INSERT is refused"),
        ("BEGIN", "TRANSACTION is refused"),
        ("PREPARE x AS SELECT 1", "PREPARE is refused"),
        ("EXECUTE x", "EXECUTE is refused"),
        ("VACUUM", "VACUUM is refused"),
        ("PIVOT events ON action USING count(*)", "PIVOT without a list of values is refused"),
        ("WITH x AS (DELETE FROM files RETURNING *) SELECT * FROM x", "DELETE inside the statement is refused"),
        ("WITH x AS (INSERT INTO files SELECT * FROM files RETURNING *) FROM x", "INSERT inside the statement is refused"),
        ("SELECT * FROM (WITH x AS (UPDATE files SET path = 'x' RETURNING *) FROM x)", "UPDATE inside the statement is refused"),
        ("EXPLAIN ANALYZE DELETE FROM files", "EXPLAIN of a statement that is no SELECT is refused"),
        ("EXPLAIN ANALYZE WITH x AS (DELETE FROM files RETURNING *) FROM x", "DELETE inside the statement is refused"),
        ("EXPLAIN /* x */ DELETE FROM files", "EXPLAIN of a statement that is no SELECT is refused"),
        ("SELECT * FROM read_text('/etc/passwd')", "The table function read_text is refused"),
        ("SELECT * FROM READ_CSV('/etc/passwd')", "The table function read_csv is refused"),
        ("SELECT * FROM main.read_blob('/etc/passwd')", "The table function read_blob is refused"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "The table function read_text is refused"),
        ("SELECT * FROM glob('/*')", "The table function glob is refused"),
        ("SELECT * FROM query('SELECT * FROM glob(''/*'')')", "The table function query is refused"),
        ("SELECT * FROM arrow_scan(1, 2, 3)", "The table function arrow_scan is refused"),
        ("SELECT * FROM enable_logging(storage_path = '{}')", "The table function enable_logging is refused"),
        ("SELECT * FROM json_execute_serialized_sql('x')", "The table function json_execute_serialized_sql is refused"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM '{}/x.parquet'", "does not exist|reaches outside"),
        ("SELECT 1; DROP VIEW events", "holds 2 statements"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT '\0'", "NUL"),
        ("SELECT '\udc80'", "no UTF-8"),
    ],
)
def test_whatever_does_more_than_read_is_refused_by_name(ask: Questions, tmp_path: Path, statement: str, refused: str) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=refused):
        ask.sql(statement.replace("{}", str(tmp_path))).rows()
    assert sorted(tmp_path.iterdir()) == before
    assert ask.sql("SELECT count(*) FROM files").rows() == [(6,)]


def test_variables_of_python_are_no_tables(ask: Questions) -> None:
    secret = {"a": [1]}
    with pytest.raises(UsageError, match="secret does not exist"):
        ask.sql("SELECT * FROM secret")
    assert secret


@pytest.mark.parametrize(
    ("statement", "place", "hint"),
    [
        ("SELECT eventNam FROM aws_cloudtrail", "line 1, column 8", "Did you mean eventName?"),
        ("SELECT 1,\n  arn\nFROM aws_cloudtrail", "line 2, column 3", 'arn"?'),
        ("SELECT * FROM aws_cloudtral", "line 1, column 15", "Did you mean aws_cloudtrail?"),
        ("SELECT userIdentity.arn FROM aws_cloudtrail", "Cannot extract", 'stands in double quotes: "userIdentity.arn"'),
        ("SELECT " + "1 + " * 60 + "nosuch FROM events", "line 1, column 248", "`DESCRIBE` with the name of a view"),
        ("SELECT action, userIdentity.arn FROM as_written", "line 1, column 16", 'stands in double quotes: "userIdentity.arn"'),
        ("SELECT lowr(action) FROM events", "line 1, column 8", "Did you mean lower?"),
        ("SELECT 1 +", "line 1, column 10", ""),
        ("SELEC 1", "line 1, column 1", ""),
        ("SELECT * FROM events WHERE time = 'x'", "line 1, column 35", ""),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_nearest_name(ask: Questions, statement: str, place: str, hint: str) -> None:
    with pytest.raises(UsageError) as told:
        ask.sql(statement).rows()
    assert told.value.what.startswith(place)
    assert "LINE" not in told.value.what
    assert hint in told.value.hint


def test_a_fault_that_only_running_shows_is_told_the_same_way(ask: Questions) -> None:
    with pytest.raises(UsageError, match="Could not convert"):
        ask.sql("SELECT CAST(action AS INTEGER) FROM events").rows()


def test_an_answer_can_be_read_again_and_in_parts(ask: Questions) -> None:
    answer = ask.sql("SELECT * FROM range(25000)")
    assert answer.rows() == answer.rows()
    assert answer.first(3) == ([(0,), (1,), (2,)], 25000)
    assert [len(batch) for batch in answer.batches(10_000)] == [10_000, 10_000, 5_000]
    assert next(iter(answer)) == (0,)
    assert len(answer.rows()) == 25000


def test_a_reading_that_another_one_overtook_is_refused(ask: Questions) -> None:
    answer = ask.sql("SELECT * FROM range(25000)")
    batches = answer.batches()
    next(batches)
    answer.rows()
    with pytest.raises(UsageError, match="in turns"):
        list(batches)


def test_a_huge_answer_is_not_held_in_memory(ask: Questions) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept, total = ask.sql("SELECT range, repeat('x', 200) FROM range(1000000)").first(2)
    assert (len(kept), total) == (2, 1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kilobytes; the answer has 200 million


def test_a_terminal_shows_hostile_text_as_text(ask: Questions) -> None:
    shown = repr(ask.sql('SELECT action AS "\x1b[2J", "userAgent" FROM aws_cloudtrail WHERE action LIKE \'=cmd%\''))
    assert shown.isprintable() is False  # lines
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "\\u001b[31m" in shown
    assert "\\u202e" in shown


def test_a_notebook_shows_hostile_text_as_text(ask: Questions) -> None:
    shown = ask.sql("SELECT action AS \"<b>\" FROM aws_cloudtrail WHERE action LIKE '=cmd%'")._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;b&gt;" in shown
    assert "\x1b" not in shown


def test_a_spreadsheet_finds_no_formula(ask: Questions) -> None:
    text = "".join(
        csv_lines(ask.sql("SELECT action, -5 AS below, -1.5::DECIMAL(3,1) AS exact, time FROM aws_cloudtrail WHERE action LIKE '=cmd%'"))
    )
    head, row = csv.reader(io.StringIO(text))
    assert head == ["action", "below", "exact", "time"]
    assert row[0] == for_csv(HOSTILE)
    assert row[1:3] == ["-5", "-1.5"]
    assert row[3].endswith("Z")


def test_json_lines_hold_the_text_unchanged_in_ascii(ask: Questions) -> None:
    text = "".join(json_lines(ask.sql("SELECT action, time, record FROM aws_cloudtrail WHERE action LIKE '=cmd%'")))
    assert text.isascii()
    row = json.loads(text)
    assert row["action"] == row["record"]["eventName"] == HOSTILE
    assert row["time"] == "2026-01-01T15:00:00Z"


def test_values_of_every_type_have_a_form_in_every_format(ask: Questions, tmp_path: Path) -> None:
    row = json.loads("".join(json_lines(ask.sql(ODD))))
    assert row == {
        "zoned": "2025-12-31T22:00:00Z",
        "moments": ["2026-01-01T00:00:00Z"],
        "span": "3 days, 0:00:00",
        "exact": -1.5,
        "huge": 170141183460469231731687303715884105727,
        "bytes": "61",
        "struct": {"k": 1},
        "map": {"k": 1},
        "nan": "nan",
        "nothing": None,
        "text": "é",
        "flag": True,
        "x": 1,
        "X_2": 2,
        "x_3": 3,
        "day": "2026-01-02",
    }
    assert len(list(csv.reader(io.StringIO("".join(csv_lines(ask.sql(ODD))))))) == 2
    write_parquet(ask.sql(ODD), tmp_path / "odd.parquet")
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        kept = reader.execute("FROM read_parquet(?)", [str(tmp_path / "odd.parquet")])
        names = [each[0] for each in kept.description or []]
        found: dict[str, Any] = dict(zip(names, (kept.fetchone() or ()), strict=True))
    assert found["huge"] == "170141183460469231731687303715884105727"
    assert found["moments"] == [datetime(2026, 1, 1)]  # noqa: DTZ001 - DuckDB's own type has no zone
    assert found["struct"] == '{"k":1}'
    assert list(found) == list(row)


def test_numbers_in_a_record_stay_as_they_are_spelled(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "n.json").write_text('{"a": 1e3, "b": 12345678901234567890.10, "c": "\\u00e9\\n"}\n', encoding="utf-8")
    from tests.unit.lake_questions import lake_of

    asked = questions_on(lake_of(tmp_path / "lake", tmp_path / "logs"), {})
    line = "".join(json_lines(asked.sql("SELECT record FROM as_written")))
    assert '"a": 1e3' in line
    assert "12345678901234567890.10" in line


def test_parquet_holds_what_the_answer_holds(ask: Questions, tmp_path: Path) -> None:
    statement = "SELECT event_id, time, action, record FROM events ORDER BY event_id"
    write_parquet(ask.sql(statement), tmp_path / "out.parquet")
    with duckdb.connect() as reader:
        assert reader.execute("FROM read_parquet(?)", [str(tmp_path / "out.parquet")]).fetchall() == ask.sql(statement).rows()
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_file_that_cannot_be_written_is_the_user_s_mistake_and_leaves_nothing(ask: Questions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_parquet(ask.sql("SELECT 1"), tmp_path / "no" / "out.parquet")
    with pytest.raises(UsageError, match="cannot be written"):
        write_texts(csv_lines(ask.sql("SELECT 1")), tmp_path / "no" / "out.csv")
    with pytest.raises(UsageError, match="Could not convert"):
        write_texts(csv_lines(ask.sql("SELECT CAST(action AS INTEGER) FROM events")), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["pyarrow", "pandas", "polars"])
def test_a_package_that_is_missing_is_named(ask: Questions, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def importing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(builtins, "__import__", importing)
    answer = ask.sql("SELECT 1")
    with pytest.raises(UsageError, match=f"The package {package} is not installed"):
        getattr(answer, package.removeprefix("py") if package == "pyarrow" else package)()


def test_an_empty_lake_answers_with_no_rows(tmp_path: Path) -> None:
    asked = asking(tmp_path, {})
    assert asked.sources == ()
    assert asked.sql("SELECT * FROM events").rows() == []
    assert asked.sql("SELECT * FROM aws_cloudtrail").as_text().endswith("0 of 0 rows")


def test_ctrl_c_ends_a_statement(tmp_path: Path) -> None:
    code = (
        "import sys, signal, _thread, threading\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.unit.lake_questions import asking\n"
        "asked = asking(Path(sys.argv[1]), {})\n"
        "threading.Timer(1.0, _thread.interrupt_main).start()\n"
        "try:\n"
        "    asked.sql('SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range * b.range % 7 = 3').rows()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', asked.sql('SELECT 1').rows())\n"
    )
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=os.environ
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "stopped [(1,)]"), ended.stderr
    assert time.monotonic() - started < 45

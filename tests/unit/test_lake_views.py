"""The lake in SQL: views with the mapping's fields, compiled rules run on them, and nothing else can be read or written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from aibr_hunt.compile.program import Asking, whole_query
from aibr_hunt.engines.lake.hot import HotReader, column_of, hot_paths, shown, text_reader, value_of
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.intake.identity import first_text
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.event import Json
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import cloudtrail, rule, write_lines
from tests.unit.lake_samples import RULES, add, from_lake, opened, write_mixed

CLOUDTRAIL = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = opened(tmp_path_factory.mktemp("lake") / "lake")
    add(made, write_mixed(tmp_path_factory.mktemp("mixed")))
    return made


@pytest.fixture
def sql(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.connect() as connection:
        yield connection


class TestViews:
    def test_each_source_has_one_and_events_is_all_of_them_without_repeats(self, sql: duckdb.DuckDBPyConnection) -> None:
        counts = dict(sql.execute("SELECT source, count(*) FROM events GROUP BY source").fetchall())
        assert counts["aws_cloudtrail"] == sql.execute("SELECT count(*) FROM aws_cloudtrail").fetchall()[0][0]
        assert set(counts) == {"aws_cloudtrail", "gcp_audit", "azure_activitylogs", "as-written"}
        assert sql.execute("SELECT count(*) FROM as_written").fetchall()[0][0] == counts["as-written"]
        distinct, rows = sql.execute("SELECT count(DISTINCT event_id), count(*) FROM events").fetchall()[0]
        assert distinct == rows

    def test_a_source_without_events_is_empty_and_has_its_columns(self, sql: duckdb.DuckDBPyConnection) -> None:
        assert sql.execute('SELECT "resource.accessKeyDetails.userName", event_id FROM aws_guardduty').fetchall() == []

    def test_fields_are_texts_whether_they_have_a_column_or_not(self, sql: duckdb.DuckDBPyConnection) -> None:
        row = sql.execute(
            'SELECT eventName, "userIdentity.arn", readOnly, "requestParameters.name", time, typeof(readOnly) FROM aws_cloudtrail '
            'WHERE "requestParameters.name" IS NOT NULL'
        ).fetchall()
        assert [(each[3], each[5]) for each in row] == [("ÜBERWACHUNG", "VARCHAR")]
        assert sql.execute("SELECT DISTINCT readOnly FROM aws_cloudtrail WHERE readOnly IS NOT NULL ORDER BY 1").fetchall() == [
            ("false",),
            ("true",),
        ]

    def test_what_no_column_can_hold_is_read_from_the_record(self, sql: duckdb.DuckDBPyConnection) -> None:
        assert sql.execute("SELECT eventName FROM aws_cloudtrail WHERE eventName LIKE '[%'").fetchall() == [
            ('["StopLogging","ListModels"]',)
        ]

    def test_time_is_naive_utc_and_untimed_events_have_none(self, sql: duckdb.DuckDBPyConnection) -> None:
        first, untimed = sql.execute("SELECT min(time), count(*) FILTER (time IS NULL) FROM aws_cloudtrail").fetchall()[0]
        assert first == datetime(2026, 1, 1, 0, 9)  # noqa: DTZ001 - naive is what the view promises
        assert untimed == 1

    def test_repeated_members_and_lone_surrogates_read_as_the_matcher_took_them(self, sql: duckdb.DuckDBPyConnection) -> None:
        assert (
            sql.execute("SELECT record->>'eventName' FROM aws_cloudtrail WHERE file LIKE '%odd.json' ORDER BY ordinal").fetchall()
            == [("DeleteGuardrail",)] * 5
        )

    def test_the_place_leads_back_to_the_file(self, sql: duckdb.DuckDBPyConnection) -> None:
        path, offset, length, raw = sql.execute(
            "SELECT file, \"offset\", length, raw FROM aws_cloudtrail WHERE eventName = 'StopLogging' LIMIT 1"
        ).fetchall()[0]
        assert path.endswith(("trail.json.gz", "lines.jsonl"))
        assert len(raw.encode()) == length
        assert offset > 0

    def test_compiled_rules_run_on_a_view_and_find_what_the_scan_finds(self, lake: Lake, sql: duckdb.DuckDBPyConnection) -> None:
        for asked in (RULES[0], RULES[1], RULES[8]):
            asking = Asking(locator=Locator(CLOUDTRAIL, raw_layout("aws_cloudtrail")), span=Window(), meanings={})
            found = {row[0] for row in sql.execute(whole_query([asked], asking).text).fetchall()}
            hits = {hit.event.canonical_digest for each in from_lake(lake, (asked,)) for hit in each.hits}
            assert len(found) == len(hits) > 0

    def test_columns_that_came_later_do_not_hide_older_segments(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = opened(tmp_path / "lake")
        write_lines(tmp_path / "a.json", [cloudtrail(1, "DeleteGuardrail", userAgent="curl/8")])
        write_lines(tmp_path / "b.json", [cloudtrail(2, "DeleteGuardrail", userAgent="curl/9")])
        with monkeypatch.context() as patched:
            patched.setattr("aibr_hunt.engines.lake.hot.MOST_PATHS", 3)
            add(made, tmp_path / "a.json")
        add(made, tmp_path / "b.json")
        with made.connect() as connection:
            rows = connection.execute("SELECT eventName, userAgent FROM aws_cloudtrail ORDER BY ordinal, userAgent").fetchall()
        assert rows == [("DeleteGuardrail", "curl/8"), ("DeleteGuardrail", "curl/9")]
        asked = (rule(1, "{userAgent|startswith: curl}"),)
        assert [len(each.hits) for each in from_lake(made, asked)] == [1, 1]


class TestLockedDown:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM read_text('{secret}')",
            "SELECT * FROM '{secret}'",
            "COPY (SELECT 1) TO '{other}'",
            "ATTACH '{other}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET allowed_paths = ['{secret}']",
            "SELECT * FROM glob('/etc/*')",
            "EXPORT DATABASE '{other}'",
        ],
    )
    def test_nothing_else_can_be_read_written_or_set(self, sql: duckdb.DuckDBPyConnection, tmp_path: Path, statement: str) -> None:
        secret, other = tmp_path / "secret.csv", tmp_path / "other"
        secret.write_text("a\nb\n")
        with pytest.raises(duckdb.Error):
            sql.execute(statement.format(secret=secret, other=other)).fetchall()
        assert not other.exists()

    def test_segments_are_read_only(self, lake: Lake) -> None:
        assert {(lake.store.folder / each.name).stat().st_mode & 0o222 for each in lake.store.segments()} == {0}


class TestHotValues:
    def test_the_columns_of_cloudtrail_are_those_that_rules_ask(self) -> None:
        names = {column_of(path) for path in hot_paths(CLOUDTRAIL)}
        wanted = {
            "eventName",
            "eventSource",
            "errorCode",
            "userAgent",
            "sourceIPAddress",
            "userIdentity.arn",
            "userIdentity.type",
            "awsRegion",
        }
        assert names >= {f"$.{name}" for name in wanted}
        assert not any(name.startswith("$.requestParameters") for name in names)

    @pytest.mark.parametrize("mapping", LIBRARY.mappings, ids=lambda each: each.name)
    def test_no_value_of_any_mapping_lies_at_a_path_and_below_it(self, mapping: object) -> None:
        paths = hot_paths(mapping)  # type: ignore[arg-type] # parametrized
        below = [(one, other) for one in paths for other in paths if one != other and other[: len(one)] == one]
        reader = HotReader(paths)
        for one, other in below:
            record: dict[str, Json] = {}
            inner: Json = record
            for name in other[:-1]:
                assert isinstance(inner, dict)
                inner = inner.setdefault(name, {})
            assert isinstance(inner, dict)
            inner[other[-1]] = "x"
            cells, is_odd = reader.read(record)
            assert is_odd
            assert cells[paths.index(one)] is None

    @pytest.mark.parametrize(
        "value, cell, is_odd",  # noqa: PT006 - as elsewhere
        [
            ("true", "true", False),
            (True, ("true",), False),
            (1, ("1",), False),
            ("1", "1", False),
            (None, None, False),
            ("", None, False),
            ([], None, False),
            ({}, None, False),
            (1.5, None, True),
            (["a"], None, True),
            ({"a": 1}, None, True),
        ],
    )
    def test_a_cell_holds_a_scalar_and_never_takes_one_kind_for_another(self, value: Json, cell: object, *, is_odd: bool) -> None:
        cells, was_odd = HotReader((("a", "b"),)).read({"a": {"b": value}})
        assert (cells, was_odd) == ([cell], is_odd)
        if cell is not None:
            assert value_of(cells[0]) == value
            assert type(value_of(cells[0])) is type(value)
            assert shown(cells[0]) in {"true", "1"}

    @pytest.mark.parametrize(
        "value",
        [
            {"a": {"b": "x"}},
            {"a": [{"b": ""}, {"b": "y"}]},
            {"a": "x"},
            {"a": {"b": ""}, "c": 7},
            {"a": {"b": ["", "z"]}},
            {"a": {"b": False}},
            {"a": {"b": {"d": 1}}, "c": None},
            {},
        ],
    )
    def test_the_quick_reader_of_texts_says_what_the_slow_one_says(self, value: dict[str, Json]) -> None:
        paths = (("a", "b"), ("c",))
        assert text_reader(paths, first_text)(value) == first_text(value, paths)

"""The stand-ins mean what the vendors' documentation says: every expected value here was typed by hand from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aibr_hunt.content.layouts import parse_type
from aibr_hunt.model.layout import Column, ColumnPath, EngineKind, Layout, Partition, PartitionForm
from tests.standins import kusto as kql
from tests.standins import trino_grammar
from tests.standins.contract import Gap, Rejected, Row, StandIn
from tests.standins.duckdb_engine import duckdb_engine
from tests.standins.googlesql import analyze, googlesql
from tests.standins.kusto import INGESTION, kusto
from tests.standins.trino_shim import trino_shim

COLUMNS = {
    "id": "integer",
    "ts": "time",
    "name": "text",
    "raw": "json_text",
    "j": "json",
    "b": "boolean",
    "r": "real",
    "st": "struct<a: text, b: array<struct<x: text, y: integer>>>",
    "ar": "array<text>",
    "mp": "map<text>",
}
ROWS: list[Row] = [
    {
        "id": 1,
        "ts": datetime(2026, 1, 1, 0, 5, tzinfo=UTC),
        "name": "Straße",
        "raw": '{"a":{"b":[1,"x"],"n":1.50,"t":true,"z":null}}',
        "j": {"a": [1, None], "s": "it's"},
        "b": True,
        "r": 1.5,
        "st": {"a": "q", "b": [{"x": "z", "y": 3}, {"x": None}]},
        "ar": ["a", "c"],
        "mp": {"k": "v"},
    },
    {
        "id": 2,
        "ts": datetime(2026, 1, 1, 1, 5, tzinfo=UTC),
        "name": "",
        "raw": "not json",
        "j": "text",
        "b": False,
        "r": 2.0,
        "st": {"a": None, "b": []},
        "ar": [],
        "mp": {},
    },
    {"id": 3},
]
TABLES = {EngineKind.DUCKDB: "db.t", EngineKind.ATHENA: "awsdatacatalog.db.t", EngineKind.BIGQUERY: "proj.ds.t", EngineKind.KQL: "T"}
FACTORIES: dict[EngineKind, Callable[[], StandIn]] = {
    EngineKind.DUCKDB: duckdb_engine,
    EngineKind.ATHENA: trino_shim,
    EngineKind.BIGQUERY: googlesql,
    EngineKind.KQL: kusto,
}


def layout_of(engine: EngineKind) -> Layout:
    columns = [Column(name=name, type=parse_type(text)) for name, text in COLUMNS.items()]
    if engine is EngineKind.BIGQUERY:
        columns.pop()  # it has no maps
    return Layout(name="probe", engine=engine, table=TABLES[engine], columns=tuple(columns), places=(), time=ColumnPath(column="ts"))


def loaded(engine: EngineKind) -> StandIn:
    standin, layout = FACTORIES[engine](), layout_of(engine)
    names = {column.name for column in layout.columns}
    standin.load(layout, [{name: value for name, value in row.items() if name in names} for row in ROWS])
    return standin


def one(standin: StandIn, text: str) -> object:
    """Return the only value that a program gives."""
    ((value,),) = standin.rows(text)
    return value


# -- tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [EngineKind.DUCKDB, EngineKind.ATHENA])
def test_a_table_on_duckdb_holds_every_type(engine: EngineKind) -> None:
    first, second, third = loaded(engine).rows(f"SELECT * FROM {TABLES[engine]}")  # noqa: S608 # our own name
    assert first[:3] == (1, datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "Straße")
    assert first[4:7] == ('{"a": [1, null], "s": "it\'s"}', True, 1.5)
    assert first[7:] == ({"a": "q", "b": [{"x": "z", "y": 3}, {"x": None, "y": None}]}, ["a", "c"], {"k": "v"})
    assert second[7:] == ({"a": None, "b": []}, [], {})
    assert third == (3, *[None] * 9)


def test_a_table_of_bigquery_knows_no_null_array() -> None:
    first, second, third = loaded(EngineKind.BIGQUERY).rows("SELECT * FROM `proj.ds.t`")
    assert first[:3] == (1, datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "Straße")
    assert first[5:] == (True, 1.5, ("q", [("z", 3), (None, None)]), ["a", "c"])
    assert second[7:] == ((None, []), [])
    assert third == (3, *[None] * 7, [])


def test_a_table_of_kusto_knows_no_null_text() -> None:
    first, second, third = loaded(EngineKind.KQL).rows("T")
    assert first[:3] == (1, datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "Straße")
    assert first[8:] == ('["a", "c"]', '{"k": "v"}')
    assert second[8:] == ("[]", "{}")
    assert third == (3, None, "", "", *[None] * 6)


def test_loading_again_replaces_the_rows() -> None:
    for engine in EngineKind:
        standin, layout = FACTORIES[engine](), layout_of(engine)
        quotes = "`" if engine is EngineKind.BIGQUERY else ""
        count = "T | count" if engine is EngineKind.KQL else f"SELECT count(*) FROM {quotes}{TABLES[engine]}{quotes}"  # noqa: S608 # as above
        standin.load(layout, [{"id": 1}, {"id": 2}])
        standin.load(layout, [{"id": 1}])
        assert one(standin, count) == 1
        standin.load(layout, [])
        assert one(standin, count) == 0


@pytest.mark.parametrize("engine", EngineKind)
def test_a_slip_in_a_row_is_refused(engine: EngineKind) -> None:
    standin, layout = FACTORIES[engine](), layout_of(engine)
    with pytest.raises(ValueError, match="no column nmae"):
        standin.load(layout, [{"nmae": "x"}])
    with pytest.raises(TypeError):
        standin.load(layout, [{"ts": datetime(2026, 1, 1)}])  # noqa: DTZ001 # the slip
    with pytest.raises(TypeError):
        standin.load(layout, [{"id": "1"}])


def test_a_date_partition_is_a_date() -> None:
    parts = (Partition(column="day", form=PartitionForm.DATE),)
    row = {"id": 1, "day": datetime(2026, 1, 5, 23, 0, tzinfo=UTC)}
    for engine in (EngineKind.ATHENA, EngineKind.BIGQUERY, EngineKind.DUCKDB):
        standin = FACTORIES[engine]()
        standin.load(replace(layout_of(engine), table="dated", partitions=parts), [row])
        assert standin.rows("SELECT id FROM dated WHERE day = DATE '2026-01-05'") == [(1,)]
        assert standin.rows("SELECT day FROM dated") == [(date(2026, 1, 5),)]


def test_a_wildcard_table_of_bigquery_has_a_suffix() -> None:
    standin = googlesql()
    wildcard = replace(layout_of(EngineKind.BIGQUERY), table="proj.ds.log_*")
    standin.load(wildcard, [{"id": 1, "_TABLE_SUFFIX": "20260101"}, {"id": 2, "_TABLE_SUFFIX": "20260102"}])
    assert standin.rows("SELECT id FROM `proj.ds.log_*` WHERE _TABLE_SUFFIX BETWEEN '20260102' AND '20260103'") == [(2,)]
    assert len(standin.rows("SELECT * FROM `proj.ds.log_*`")[0]) == len(wildcard.columns)


def test_kusto_tells_the_time_of_arrival() -> None:
    standin = kusto()
    standin.load(replace(layout_of(EngineKind.KQL), table="Arrived", arrival=INGESTION), [{"id": 1, INGESTION: ROWS[0]["ts"]}, {"id": 2}])
    assert standin.rows("Arrived | where ingestion_time() > datetime(2026-01-01T00:04:59Z) | project id") == [(1,)]


def test_an_optional_column_that_no_row_holds_is_not_there() -> None:
    columns = (*layout_of(EngineKind.KQL).columns, Column(name="extra", type=parse_type("text"), is_optional=True))
    layout = replace(layout_of(EngineKind.KQL), table="Sparse", columns=columns)
    program = "Sparse | where column_ifexists('extra', strcat('no', 'ne')) == 'none' | project id"
    kusto().load(layout, [{"id": 1}])
    assert kusto().rows(program) == [(1,)]
    with pytest.raises(Rejected):
        kusto().rows("Sparse | project extra")
    kusto().load(layout, [{"id": 1, "extra": "x"}, {"id": 2}])
    assert kusto().rows(program) == []
    assert kusto().rows("Sparse | where column_ifexists('extra', '') == '' | project id") == [(2,)]
    assert kql.check(program, [layout]) == []


# -- Athena -----------------------------------------------------------------------------------------------------

TRINO = [
    ("NULL = 'x'", None),
    ("NOT coalesce(NULL = 'x', false)", True),
    ("'a' IS DISTINCT FROM NULL", True),
    ('json_extract_scalar(\'{"a":{"b":[1,"x"]}}\', \'$.a.b[1]\')', "x"),
    ("json_extract_scalar('{\"a\":1.50}', '$.a')", "1.50"),
    ("json_extract_scalar('{\"a\":true}', '$.a')", "true"),
    ("json_extract_scalar('{\"a\":null}', '$.a')", None),
    ("json_extract_scalar('{\"a\":{}}', '$.a')", None),
    ("json_extract_scalar('{\"a.b\":1}', '$[\"a.b\"]')", "1"),
    ("json_extract_scalar('not json', '$.a')", None),
    ("json_extract('not json', '$.a') IS NULL", True),
    ("json_format(json_extract('{\"a\": {\"b\": 1}}', '$.a'))", '{"b":1}'),
    ('json_format(json_parse(\'{"b": 1, "a": [1, 2]}\'))', '{"a":[1,2],"b":1}'),
    ("try(json_parse('not json'))", None),
    ("cardinality(TRY_CAST(json_extract('{\"a\":[1,2]}', '$.a') AS ARRAY(JSON)))", 2),
    ("TRY_CAST(json_extract('{\"a\":{}}', '$.a') AS ARRAY(JSON))", None),
    ("any_match(CAST(json_parse('[{\"k\":\"v\"}]') AS ARRAY(JSON)), x -> json_extract_scalar(x, '$.k') = 'v')", True),
    ("any_match(ARRAY['a', NULL], x -> x = 'b')", None),
    ("any_match(ARRAY['a', NULL], x -> x = 'a')", True),
    ("any_match(CAST(ARRAY[] AS ARRAY(VARCHAR)), x -> x = 'a')", False),
    ("none_match(ARRAY['a'], x -> x = 'b')", True),
    ("filter(ARRAY['a', NULL, 'b'], x -> x IS NOT NULL)", ["a", "b"]),
    ("transform(ARRAY['a'], x -> upper(x))", ["A"]),
    ("flatten(ARRAY[ARRAY[1], ARRAY[2]])", [1, 2]),
    ("contains(ARRAY['a', NULL], 'b')", None),
    ("contains('10.0.0.0/8', CAST('10.255.255.255' AS IPADDRESS))", True),
    ("contains('10.0.0.0/8', TRY_CAST('nope' AS IPADDRESS))", None),
    ("contains('2001:db8::/32', CAST('2001:DB8:0::1' AS IPADDRESS))", True),
    ("contains('10.0.0.0/8', CAST('2001:db8::1' AS IPADDRESS))", False),
    ("contains('0.0.0.0/0', CAST('::ffff:1.2.3.4' AS IPADDRESS))", True),
    ("CAST(CAST('2001:0DB8::0001' AS IPADDRESS) AS VARCHAR)", "2001:db8::1"),
    ("contains('192.168.0.0/16', IPADDRESS '192.168.255.1')", True),
    ("regexp_like('1a 2b', '\\d+b')", True),
    ("regexp_like('AB', '(?i)^ab\\z')", True),
    ("regexp_like('ab', '\\Ab')", False),
    ("regexp_like('a' || chr(10) || 'b', '(?s)a.b')", True),
    ("regexp_like('é', '\\x{e9}')", True),
    ("regexp_extract('1a 2b', '(\\d)b', 1)", "2"),
    ("regexp_extract('x', '(\\d)b')", None),
    ("regexp_replace('1a 2b', '(\\d)([a-z])', '$2$1')", "a1 b2"),
    ("strpos('abc', 'c')", 3),
    ("strpos('abc', 'z')", 0),
    ("position('b' IN 'ab')", 2),
    ("starts_with('abc', 'ab')", True),
    ("substr('hello', -2)", "lo"),
    ("substr('hello', 0)", ""),
    ("substring('hello' FROM 2 FOR 2)", "el"),
    ("translate('abcd', 'abc', 'xy')", "xyd"),
    ("lower('ÉΣÄ')", "éσä"),
    ("length('Straße')", 6),
    ("concat('a', NULL)", None),
    ("'100%' LIKE '100\\%' ESCAPE '\\'", True),
    ("'100x' LIKE '100\\%' ESCAPE '\\'", False),
    ("split_part('1.2.3.4:55', ':', 1)", "1.2.3.4"),
    ("TRY_CAST('5.5' AS BIGINT)", None),
    ("TRY_CAST('1e3' AS DOUBLE)", 1000.0),
    ("TRY_CAST('123456789012345.123457' AS DECIMAL(38, 6))", Decimal("123456789012345.123457")),
    ("TRY_CAST('x' AS DECIMAL(10, 2))", None),
    ("TRY_CAST('TRUE' AS BOOLEAN)", True),
    ("7 / 2", 3),
    ("from_iso8601_timestamp('2026-01-01T02:00:00.1239+02:00')", datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ("try(from_iso8601_timestamp('01/02/2026'))", None),
    ("parse_datetime('06/Feb/2026:00:00:38 +0000', 'dd/MMM/yyyy:HH:mm:ss Z')", datetime(2026, 2, 6, 0, 0, 38, tzinfo=UTC)),
    ("date_parse('2026/01/05', '%Y/%m/%d')", datetime(2026, 1, 5, tzinfo=UTC)),
    ("hour(at_timezone(from_iso8601_timestamp('2026-01-01T05:00:00+02:00'), 'UTC'))", 3),
    ("week(DATE '2027-01-01')", 53),
    ("day_of_week(DATE '2026-01-04')", 7),
    ("extract(MINUTE FROM TIMESTAMP '2026-01-01 05:06:07')", 6),
    ("date_diff('hour', TIMESTAMP '2026-01-01 00:30:00', TIMESTAMP '2026-01-01 02:00:00')", 1),
    ("if(1 = 1, 'a', 'b')", "a"),
    ("element_at(MAP(ARRAY['k'], ARRAY['v']), 'k')", "v"),
    ("element_at(MAP(ARRAY['k'], ARRAY['v']), 'z')", None),
    ("element_at(ARRAY[1, 2], -1)", 2),
]


@pytest.mark.parametrize(("expression", "expected"), TRINO)
def test_the_shim_computes_as_trino(expression: str, expected: object) -> None:
    assert one(trino_shim(), f"SELECT {expression}") == expected  # our own texts


def test_the_shim_queries_nested_columns() -> None:
    standin = loaded(EngineKind.ATHENA)
    table = '"awsdatacatalog"."db"."t"'
    nested = f"SELECT id FROM {table} WHERE any_match(st.b, e -> e.x = 'z' AND e.y > 2)"  # noqa: S608 # our own texts
    assert standin.rows(nested) == [(1,)]
    exists = f"SELECT id FROM {table} WHERE EXISTS (SELECT 1 FROM UNNEST(ar) AS u(e) WHERE e = 'c')"  # noqa: S608
    assert standin.rows(exists) == [(1,)]
    window = f"SELECT id FROM {table} WHERE ts >= TIMESTAMP '2026-01-01 00:05:00' AND ts < TIMESTAMP '2026-01-01 01:05:00'"  # noqa: S608
    assert standin.rows(window) == [(1,)]
    text = f"SELECT id FROM {table} WHERE lower(json_extract_scalar(raw, '$.a.b[1]')) = 'x' OR mp['k'] = 'w'"  # noqa: S608
    assert standin.rows(text) == [(1,)]


@pytest.mark.parametrize(
    "expression",
    [
        "CAST('x' AS BIGINT)",
        "json_parse('not json')",
        "CAST('nope' AS IPADDRESS)",
        "1 / 0",
        "json_extract('{}', '$..a')",
        "no_column",
        "IPPREFIX '10.0.0.0/8'",
    ],
)
def test_the_shim_fails_where_trino_fails(expression: str) -> None:
    with pytest.raises(Rejected):
        trino_shim().rows(f"SELECT {expression}")  # our own texts


def test_the_shim_refuses_what_it_does_not_know() -> None:
    with pytest.raises(Gap, match="function geometry_union"):
        trino_shim().rows("SELECT geometry_union(x)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT a FROM t OFFSET 2 LIMIT 5", ""),
        ("SELECT '`' AS \"`\" FROM t WHERE any_match(a, x -> x LIKE 'é%') -- `", ""),
        ("SELECT a FROM t LIMIT 5 OFFSET 2", "1:25 mismatched input 'OFFSET'"),
        ("SELECT `a` FROM t", "backquoted"),
        ("SELECT a::bigint FROM t", "1:9 mismatched input ':'"),
        ("SELECT a FROM t WHERE b ILIKE 'x'", "ILIKE"),
        ("SELECT a, FROM t", "FROM"),
        ("SELEC 1", "SELEC"),
    ],
)
def test_trinos_grammar_tells_mistakes(text: str, told: str) -> None:
    found = trino_grammar.check(text)
    assert told in "; ".join(found)
    assert bool(found) == bool(told)


# -- BigQuery ---------------------------------------------------------------------------------------------------

GOOGLESQL = [
    ("CAST(NULL AS STRING) = 'x'", None),
    ("NOT COALESCE(CAST(NULL AS STRING) = 'x', FALSE)", True),
    ('JSON_VALUE(\'{"a":{"b":[1,"x"]}}\', \'$.a.b[1]\')', "x"),
    ("JSON_VALUE('{\"a\":{}}', '$.a')", None),
    ("JSON_VALUE('not json', '$.a')", None),
    ("JSON_VALUE('{\"a.b\":1}', '$.\"a.b\"')", "1"),
    ("JSON_TYPE(JSON '{\"a\":1}'.a)", "number"),
    ("SAFE.PARSE_JSON('not json')", None),
    ("LAX_INT64(JSON '\"7\"')", 7),
    ("EXISTS(SELECT 1 FROM UNNEST(JSON_QUERY_ARRAY('{\"a\":[{\"k\":\"v\"}]}', '$.a')) e WHERE JSON_VALUE(e, '$.k') = 'v')", True),
    ("ARRAY_LENGTH(JSON_QUERY_ARRAY('{\"a\":{}}', '$.a'))", None),
    ("EXISTS(SELECT 1 FROM UNNEST(CAST(NULL AS ARRAY<STRING>)))", False),
    ("REGEXP_CONTAINS('AB', r'(?i)^ab\\z')", True),
    ("REGEXP_CONTAINS('a\\nb', r'(?s)a.b')", True),
    ("REGEXP_CONTAINS('é', r'\\x{e9}')", True),
    ("REGEXP_CONTAINS(NULL, r'a')", None),
    ("LOWER('ÉΣÄ')", "éσä"),
    ("STARTS_WITH('abc', 'ab')", True),
    ("STRPOS('abc', 'c')", 3),
    ("SUBSTR('hello', -2)", "lo"),
    ("CHAR_LENGTH('Straße')", 6),
    ("TRANSLATE('abcd', 'abc', 'xy')", "xyd"),
    ("'100%' LIKE '100\\\\%'", True),
    ("NET.IP_TRUNC(NET.SAFE_IP_FROM_STRING('10.1.2.3'), 8) = NET.IP_FROM_STRING('10.0.0.0')", True),
    ("NET.SAFE_IP_FROM_STRING('nope')", None),
    ("NET.IP_TO_STRING(NET.IP_FROM_STRING('2001:DB8::0:1'))", "2001:db8::1"),
    ("SAFE_CAST('5.5' AS INT64)", None),
    ("SAFE_CAST('1e3' AS FLOAT64)", 1000.0),
    ("SAFE_CAST('1.50' AS BIGNUMERIC) = BIGNUMERIC '1.5'", True),
    ("SAFE_CAST('2026-01-01T02:00:00+02:00' AS TIMESTAMP)", datetime(2026, 1, 1, tzinfo=UTC)),
    ("EXTRACT(HOUR FROM TIMESTAMP '2026-01-01 05:06:07+00')", 5),
    ("EXTRACT(ISOWEEK FROM TIMESTAMP '2027-01-01 00:00:00+00')", 53),
    ("DATE(TIMESTAMP '2026-01-01 23:59:59+00')", date(2026, 1, 1)),
    ("IF(1 = 1, 'a', 'b')", "a"),
]


@pytest.mark.parametrize(("expression", "expected"), GOOGLESQL)
def test_googlesql_computes(expression: str, expected: object) -> None:
    assert one(googlesql(), f"SELECT {expression}") == expected  # our own texts


def test_googlesql_queries_nested_columns() -> None:
    standin = loaded(EngineKind.BIGQUERY)
    nested = "SELECT id FROM `proj.ds.t` t WHERE EXISTS(SELECT 1 FROM UNNEST(t.st.b) e WHERE e.x = 'z' AND e.y > 2)"
    assert standin.rows(nested) == [(1,)]
    window = "SELECT id FROM `proj.ds.t` WHERE ts >= TIMESTAMP '2026-01-01 00:05:00+00' AND ts < TIMESTAMP '2026-01-01 01:05:00+00'"
    assert standin.rows(window) == [(1,)]
    assert standin.rows("SELECT id FROM `proj.ds.t` WHERE NOT COALESCE(name = 'Straße', FALSE) ORDER BY id") == [(2,), (3,)]
    assert standin.rows("SELECT JSON_VALUE(j.s) FROM `proj.ds.t` WHERE id = 1") == [("it's",)]


@pytest.mark.parametrize("name", ["SEARCH('a', 'a')", "CONTAINS_SUBSTR('a', 'a')", "MAX_BY(id, id)", "APPROX_COUNT_DISTINCT(id)"])
def test_googlesql_says_what_it_lacks(name: str) -> None:
    standin = loaded(EngineKind.BIGQUERY)
    with pytest.raises(Gap, match=name.partition("(")[0]):
        standin.rows(f"SELECT {name} FROM `proj.ds.t`")  # noqa: S608 # our own texts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT id FROM `proj.ds.t` LIMIT 5 OFFSET 2", ""),
        ("SELECT nope FROM `proj.ds.t`", "Unrecognized name: nope"),
        ("SELECT id FROM `proj.ds.u`", "Table not found"),
        ("SELECT id FROM `proj.ds.t` WHERE name = 3", "No matching signature for operator ="),
        ("SELECT id FROM `proj.ds.t` WHERE ts > 5", "No matching signature for operator >"),
        ("SELECT id FROM `proj.ds.t` WHERE st.nope = 'x'", "nope"),
        ("SELECT nope_function(id) FROM `proj.ds.t`", "Function not found: nope_function"),
        ("SELECT ARRAY_FILTER(ar, e -> e = 'a') FROM `proj.ds.t`", "Function not found: ARRAY_FILTER"),
        ("SELECT ARRAY_INCLUDES(ar, 'a') FROM `proj.ds.t`", "Function not found: ARRAY_INCLUDES"),
        ("SELECT id FROM `proj.ds.t` WHERE", "Syntax error"),
        ("SELECT id, FROM `proj.ds.t` OFFSET 2 LIMIT 5", "Syntax error"),
    ],
)
def test_googlesql_tells_mistakes(text: str, told: str) -> None:
    found = analyze(text, [layout_of(EngineKind.BIGQUERY)])
    assert told in "; ".join(found)
    assert bool(found) == bool(told)


def test_googlesql_fails_where_bigquery_fails() -> None:
    for expression in ("1/0", "REGEXP_CONTAINS('a', r'(?<=a)b')", "PARSE_JSON('not json')", "NET.IP_FROM_STRING('nope')"):
        with pytest.raises(Rejected):
            googlesql().rows(f"SELECT {expression}")  # our own texts


# -- KQL --------------------------------------------------------------------------------------------------------

KUSTO = [
    ("long(null) != 1", True),
    ("long(null) == 1", False),
    ("isempty('')", True),
    ("isnull('')", False),
    ("isnull(parse_json(''))", True),
    ("isnull(parse_json('{}'))", False),
    ("'ABC' =~ 'abc'", True),
    ("'É' =~ 'é'", False),  # operators without case know ASCII only
    ("'É' contains 'é'", False),
    ("'É' !contains 'é'", True),
    ("'É' in~ ('é')", False),
    ("'aBc' contains 'bC'", True),
    ("'aBc' startswith 'AB'", True),
    ("'aBc' endswith 'BC'", True),
    ("'a%c' contains '%'", True),
    ("'abc' contains_cs 'B'", False),
    ("'a' in~ ('A', 'B')", True),
    ("tolower('ÉΣÄ')", "éσä"),
    ("'AB' matches regex @'(?i)^ab\\z'", True),
    ("'a\\nb' matches regex '(?s)a.b'", True),
    ("'é' matches regex @'\\x{e9}'", True),
    ("strlen('Straße')", 6),
    ("substring('hello', 1, 2)", "el"),
    ("substring('hello', 10)", ""),
    ("indexof('abc', 'c')", 2),
    ("indexof('abc', 'z')", -1),
    ("extract('a(b+)', 1, 'xabbb')", "bbb"),
    ("extract('q', 0, 'abc')", ""),
    ("translate('krasp', 'otsku', 'spark')", "kusto"),
    ("translate('abc', 'x', 'abc')", "xxx"),
    ("translate('abc', '', 'ab')", ""),
    ('tostring(parse_json(\'{"a":{"b":[1,"x"]}}\').a.b[1])', "x"),
    ('tostring(parse_json(\'{"a":{"b":1}}\').a)', '{"b":1}'),
    ("tostring(parse_json('{\"a\":true}').a)", "true"),
    ("tostring(parse_json('{\"a\":null}').a)", ""),
    ("tostring(parse_json('not json'))", "not json"),  # a text that is no JSON stays a text
    ("tostring(parse_json('not json').a)", ""),
    ("gettype(parse_json('{}'))", "dictionary"),
    ("gettype(parse_json('[]'))", "array"),
    ("gettype(parse_json('1'))", "long"),
    ("gettype(parse_json('1.5'))", "double"),
    ("gettype(parse_json('true'))", "bool"),
    ("gettype(parse_json('\"x\"'))", "string"),
    ("gettype(parse_json('null'))", "null"),
    ("gettype('x')", "string"),
    ("ipv4_is_in_range('10.1.2.3', '10.0.0.0/8')", True),
    ("ipv4_is_in_range('11.1.2.3', '10.0.0.0/8')", False),
    ("ipv4_is_in_range('nope', '10.0.0.0/8')", None),
    ("ipv4_is_in_range('', '10.0.0.0/8')", None),
    ("ipv4_is_match('192.168.1.255', '192.168.1.0/24')", True),
    ("ipv4_is_private('172.16.0.1')", True),
    ("ipv4_is_in_any_range('10.1.2.3', dynamic(['192.168.0.0/16', '10.0.0.0/8']))", True),
    ("ipv6_is_in_range('2001:DB8::1', '2001:db8::/32')", True),
    ("ipv6_is_in_range('192.168.1.6', '192.168.1.0/24')", True),
    ("ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:f6cd', '0:0:0:0:0:ffff:c0a8:ac/60')", False),
    ("todecimal('1.50') == todecimal('1.5')", True),
    ("todecimal('123456789012345.123457') == todecimal('123456789012345.123456')", False),
    ("isnull(todecimal('x'))", True),
    ("tolong('x')", None),
    ("todouble('1e3')", 1000.0),
    ("array_length(array_concat(dynamic([null]), dynamic(['a'])))", 2),
    ("set_has_element(dynamic(['a', 'b']), 'a')", True),
    ("bag_has_key(dynamic({'a': 1}), 'a')", True),
    ("hourofday(datetime(2026-01-01T05:06:07Z))", 5),
    ("datetime_part('minute', datetime(2026-01-01T05:06:07Z))", 6),
    ("week_of_year(datetime(2027-01-01))", 53),
    ("unixtime_milliseconds_todatetime(1767225600123)", datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ("todatetime('2026-01-01T02:00:00+02:00')", datetime(2026, 1, 1, tzinfo=UTC)),
    ("iff(1 == 1, 'a', 'b')", "a"),
    ("case(false, 'a', 'b')", "b"),
]


@pytest.mark.parametrize(("expression", "expected"), KUSTO)
def test_kusto_computes(expression: str, expected: object) -> None:
    assert one(kusto(), f"print x = {expression}") == expected
    assert kql.check(f"print x = {expression}", []) == []


@pytest.mark.parametrize(
    ("pipeline", "ids"),
    [
        ("where not(name =~ 'straße')", [2, 3]),
        ("where ts >= datetime(2026-01-01T00:05:00Z) and ts < datetime(2026-01-01T01:05:00Z)", [1]),
        ("where tostring(parse_json(raw).a.b[1]) == 'x'", [1]),
        ("where tostring(mp['k']) == 'v'", [1]),
        ("mv-expand e = ar | where tostring(e) == 'c'", [1]),
        ("mv-apply e = ar on (where tostring(e) == 'c')", [1]),
        ("mv-apply e = ar on (summarize n = countif(tostring(e) == 'c')) | where n > 0", [1]),
        ("mv-apply e = ar on (summarize n = countif(tostring(e) == 'c')) | where n == 0", [3]),  # no row for an empty array, one for null
        (
            "mv-apply e = array_concat(dynamic([null]), coalesce(ar, dynamic([]))) on (summarize n = countif(e == 'c')) | where n == 0",
            [2, 3],
        ),
        (
            "mv-apply e = st.b on (mv-apply f = pack_array(e.x) on (summarize m = countif(f == 'z')) | summarize n = sum(m)) | where n > 0",
            [1],
        ),
    ],
)
def test_kusto_queries_tables(pipeline: str, ids: list[int]) -> None:
    program = f"T | {pipeline} | project id | sort by id asc"
    assert [row[0] for row in loaded(EngineKind.KQL).rows(program)] == ids
    assert kql.check(program, [layout_of(EngineKind.KQL)]) == []


def test_kusto_says_what_it_lacks() -> None:
    standin = loaded(EngineKind.KQL)
    for program in (
        "T | make-series count() on ts step 1h",
        "T | search 'x'",
        "T | mv-apply e = ar on (top 1 by tostring(e))",
        "print hash('a')",
    ):
        with pytest.raises(Gap):
            standin.rows(program)


def test_kusto_survives_a_lost_database() -> None:
    standin = loaded(EngineKind.KQL)
    assert isinstance(standin, kql.Kusto)
    standin.forget()
    assert one(standin, "T | count") == len(ROWS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("T | where name == 'x' | take 5", ""),
        ("T | where nope == 1", "KS142"),
        ("T | where id has 'x'", "KS106"),
        ("T | where nope_function(id)", "KS211"),
        ("T | where name ==", "KS"),
        ("T | wher id == 1", "KS"),
        ("U | take 1", "KS"),
        ("union isfuzzy=true T, U", "KS205"),
        ("SELECT `id` FROM T LIMIT 5 OFFSET 2", "KS"),
    ],
)
def test_microsofts_parser_tells_mistakes(text: str, told: str) -> None:
    found = kql.check(text, [layout_of(EngineKind.KQL)])
    assert told in "; ".join(found)
    assert bool(found) == bool(told)


# -- all --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", EngineKind)
def test_a_wrong_program_is_rejected(engine: EngineKind) -> None:
    standin = loaded(engine)
    table = f"`{TABLES[engine]}`" if engine is EngineKind.BIGQUERY else TABLES[engine]
    texts = ["T | where nope == 1", "T |"] if engine is EngineKind.KQL else [f"SELECT nope FROM {table}", "SELECT 1 FROM"]  # noqa: S608
    for text in texts:
        with pytest.raises(Rejected):
            standin.rows(text)

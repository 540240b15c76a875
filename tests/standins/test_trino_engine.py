"""What Trino itself says where a compiled condition could mean another thing than the rule: `make slow`, after trino/fetch.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest

from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Partition, PartitionForm
from tests.standins.contract import Rejected, TableColumn
from tests.standins.trino.fetch import Missing, check, lack
from tests.standins.trino_engine import Trino

pytestmark = pytest.mark.slow

NOW: Final = datetime(2026, 2, 6, 0, 0, 38, 123456, tzinfo=UTC)
TEXT: Final = ColumnType(kind=Kind.TEXT)
IN_TEN: Final = "contains('10.0.0.0/8', try_cast(x AS ipaddress))"
DECIMAL: Final = "CAST(try_cast(x AS decimal(21,6)) AS varchar)"
ANY_C: Final = "any_match(try_cast(json_extract(x, '$.a') AS array(json)), e -> json_extract_scalar(e, '$') = 'c')"
QUERY: Final = "json_query(x, 'lax $.a[*].b[*]' WITH ARRAY WRAPPER)"


@pytest.fixture(scope="module")
def trino() -> Iterator[Trino]:
    if reason := lack():
        pytest.skip(reason)
    with Trino() as engine:
        yield engine


# An expression over the column x, a text, then pairs of a value of x and what the expression gives.
PROBES: Final[tuple[tuple[str, tuple[tuple[str | None, object], ...]], ...]] = (
    # NULL
    ("x IN ('a', NULL)", (("a", True), ("b", None), (None, None))),
    ("x NOT IN ('a', NULL)", (("a", False), ("b", None))),
    ("NOT (x = 'a')", ((None, None), ("b", True))),
    ("x = 'a' OR TRUE", ((None, True),)),
    ("x = 'a' AND FALSE", ((None, False),)),
    ("x IS DISTINCT FROM 'a'", ((None, True), ("a", False))),
    # Letters: one code point becomes one code point
    ("lower(x)", (("İ", "i"), ("\u212a", "k"), ("ẞ", "ß"), ("ΑΣ", "ασ"), ("ſ", "ſ"), ("Ꭰ", "ꭰ"))),
    ("upper(x)", (("ß", "ß"), ("ſ", "S"), ("ı", "I"))),
    ("translate(x, 'ABK', 'abk')", (("AbK", "abk"), ("\u212a", "\u212a"))),
    ("translate(x, 'ABC', 'ab')", (("ABC", "ab"),)),
    ("x = 'a'", (("a ", False), ("A", False), ("a\0", False))),
    ("length(x)", (("😀", 1), ("e\u0301", 2))),
    # Places in a text
    ("strpos(x, 'b')", (("ab", 2), ("", 0), ("😀b", 2), ("B", 0), (None, None))),
    ("strpos(x, '')", (("", 1), ("a", 1))),
    ("starts_with(x, 'ab')", (("abc", True), ("a", False), ("", False), ("ABC", False), (None, None))),
    ("substr(x, -2)", (("abc", "bc"), ("bc", "bc"), ("c", ""), ("", ""), ("b😀", "b😀"))),
    ("x LIKE 'a_c'", (("a\nc", True), ("a😀c", True), ("A-c", False))),
    # Regular expressions (Joni)
    ("regexp_like(x, '(?i)k')", (("K", True), ("\u212a", True))),
    ("regexp_like(x, '(?i)i')", (("I", True), ("İ", False), ("ı", False))),
    ("regexp_like(x, '(?i)ss')", (("SS", True), ("ß", True), ("ẞ", False))),
    ("regexp_like(x, '(?i)ß')", (("SS", True), ("ẞ", False))),
    ("regexp_like(x, '(?i)σ')", (("Σ", True), ("ς", True))),
    ("regexp_like(x, 'a.c')", (("a\nc", False), ("a\rc", True))),
    ("regexp_like(x, '(?s)a.c')", (("a\nc", True),)),
    (r"regexp_like(x, '\Aabc\z')", (("abc", True), ("abc\n", False), ("xabc", False))),
    ("regexp_like(x, 'abc$')", (("abc", True), ("abc\n", True), ("abc\nx", False), ("abc\r\n", False))),
    ("regexp_like(x, '^b')", (("b", True), ("a\nb", False))),
    (r"regexp_like(x, '\A[\x{1F600}-\x{1F64F}\x{e9}]\z')", (("😀", True), ("é", True), ("e", False))),
    (r"regexp_like(x, '\A\d\z')", (("1", True), ("\u0661", False), ("\uff11", False))),
    (r"regexp_like(x, '\A\w\z')", (("_", True), ("é", False), ("\u0661", False))),
    (r"regexp_like(x, '\A\s\z')", (("\t", True), ("\v", True), ("\xa0", False), ("\u2003", False))),
    (r"regexp_like(x, '\bfoo\b')", (("foo-", True), ("foo_", False), ("éfoo", False))),
    ("regexp_like(x, '[[:alpha:]]')", (("é", True),)),
    ("regexp_like(x, 'a{,2}b')", (("aab", False), ("a{,2}b", True))),
    (r"regexp_like(x, '\pL')", (("é", True),)),
    # JSON in a text, by path
    ("json_extract_scalar(x, '$.a')", (("{", None), ("", None), ("no", None), ("[1]", None), (None, None), ('{"a":1}x', "1"))),
    ("json_extract_scalar(x, '$.a')", (('{"a":5.0}', "5.0"), ('{"a":1e3}', "1e3"), ('{"a":-0}', "-0"), ('{"a":true}', "true"))),
    ("json_extract_scalar(x, '$.a')", (('{"a":{}}', None), ('{"a":[]}', None), ('{"a":null}', None), ('{"a":""}', ""), ('{"A":1}', None))),
    ("json_extract_scalar(x, '$.a')", (('{"a":1,"a":2}', "1"), ('{"a":"\\ud800"}', "?"))),
    ("""json_extract_scalar(x, '$["a.b"]')""", (('{"a":{"b":2},"a.b":1}', "1"),)),
    ("json_extract_scalar(x, '$[0]')", (("[7]", "7"), ('{"0":8}', "8"))),
    ("json_extract(x, '$.a')", (('{"a":null}', "null"), ('{"b":1}', None), ("{", None), ('{"a":1e3}', "1000.0"))),
    ("try_cast(json_extract(x, '$.a') AS array(json))", (('{"a":[1,null]}', ["1", "null"]), ('{"a":1}', None), ('{"a":{}}', None))),
    ("try_cast(json_extract(x, '$.a') AS array(varchar))", (('{"a":["x",1.0,null]}', ["x", "1.0E0", None]), ('{"a":[{}]}', None))),
    ("json_format(json_parse(x))", (('{"b":1,"a":1.0}', '{"a":1.0,"b":1}'), ("1e3", "1000.0"), ('{"a":1,"a":2}', '{"a":2}'))),
    ("json_array_length(x)", (("[1]", 1), ("{}", None), ("no", None))),
    (ANY_C, (('{"a":["c"]}', True), ('{"a":["d"]}', False), ('{"a":["d",null]}', None), ('{"a":[]}', False), ('{"a":"c"}', None))),
    (QUERY, (('{"a":[{"b":[1,2]},{"b":"x"}]}', '[1,2,"x"]'), ('{"a":{"b":1e3}}', "[1000.0]"), ('{"a":[[{"b":1}]]}', "[1]"))),
    (QUERY, (("{", None), ('{"a":[]}', None), ('{"b":1}', None), ('{"a":[{"b":null}]}', "[null]"), (None, None))),
    # Addresses
    (IN_TEN, (("10.1.2.3", True), ("11.1.2.3", False), ("::ffff:10.1.2.3", True), ("::10.1.2.3", False))),
    (IN_TEN, (("10.0.2.07", None), ("AWS Internal", None), ("", None), ("10.1.2", None), (" 10.1.2.3", None), (None, None))),
    (IN_TEN, (("\u0661\u0660.1.2.3", True), ("10.1.2.3:443", None), ("[::1]", None), ("localhost", None))),
    ("contains('::/0', try_cast(x AS ipaddress))", (("10.1.2.3", True), ("::1", True))),
    ("contains('0.0.0.0/0', try_cast(x AS ipaddress))", (("10.1.2.3", True), ("::1", False))),
    ("contains('2001:db8::/32', try_cast(x AS ipaddress))", (("2001:DB8::1", True), ("10.1.2.3", False))),
    # Numbers
    (DECIMAL, (("1e3", "1000.000000"), ("05", "5.000000"), ("+5", "5.000000"), ("5.", "5.000000"), (".5", "0.500000"))),
    (DECIMAL, ((" 5", None), ("5 ", None), ("", None), ("NaN", None), ("0x10", None), ("1000000000000000", None))),
    (DECIMAL, (("5.0000005", "5.000001"), ("\u0665", "5.000000"))),
    ("try_cast(x AS double)", ((" 5", 5.0), ("5d", 5.0), ("\u0665", None))),
    ("try_cast(x AS bigint)", (("05", 5), ("+5", 5), (" 5", None), ("5.", None), ("1e3", None), ("\u0665", 5))),
    # Times
    ("x >= '2026-02-06T00:00:38Z'", (("2026-02-06T00:00:38Z", True), ("2026-02-06T00:00:38.5Z", False))),
    ("try(from_iso8601_timestamp(x))", (("2026-02-06T02:00:38+02:00", datetime(2026, 2, 6, 0, 0, 38, tzinfo=UTC)), ("no", None))),
    # What stands to the left decides first
    ("x = 'a' AND json_parse(x) IS NULL", (("x", False),)),
    ("try(json_parse(x))", (("x", None),)),
)


@pytest.mark.parametrize(("expression", "pairs"), PROBES, ids=[f"{number}-{probe[0]}" for number, probe in enumerate(PROBES)])
def test_an_expression_gives_its_value(trino: Trino, expression: str, pairs: tuple[tuple[str | None, object], ...]) -> None:
    trino.load_table(
        "probe",
        [TableColumn("n", ColumnType(kind=Kind.INTEGER)), TableColumn("x", TEXT)],
        [{"n": n, "x": x} for n, (x, _) in enumerate(pairs)],
    )
    found = trino.rows(f"SELECT {expression} FROM probe ORDER BY n")  # noqa: S608 # a probe of this file
    assert found == [(value,) for _, value in pairs]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("any_match(ARRAY[1, NULL], e -> e = 1)", True),
        ("any_match(ARRAY[2, NULL], e -> e = 1)", None),
        ("any_match(ARRAY[], e -> e = 1)", False),
        ("contains(ARRAY[1, NULL], 2)", None),
        ("element_at(ARRAY['a'], 9)", None),
        ("cardinality(CAST(NULL AS array(varchar)))", None),
        ("CAST(1e3 AS varchar)", "1.0E3"),
        ("JSON '1' = JSON '1.0'", False),
        ("length('" + "a" * 1_000_000 + "')", 1_000_000),
    ],
)
def test_a_constant_has_its_value(trino: Trino, expression: str, value: object) -> None:
    assert trino.rows(f"SELECT {expression}") == [(value,)]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("x = 5", "TYPE_MISMATCH"),
        ("x IN (1, 2)", "TYPE_MISMATCH"),
        ("x < TIMESTAMP '2026-01-01 00:00:00'", "TYPE_MISMATCH"),
        ("lower(5)", "FUNCTION_NOT_FOUND"),
        ("ends_with(x, 'a')", "FUNCTION_NOT_FOUND"),
        ("x IS JSON", "SYNTAX_ERROR"),
        ("x.y", "TYPE_MISMATCH"),
        ("nope", "COLUMN_NOT_FOUND"),
        ("`x`", "SYNTAX_ERROR"),
        ("json_parse(x)", "INVALID_FUNCTION_ARGUMENT"),
        ("json_parse(x) IS NULL AND x = 'a'", "INVALID_FUNCTION_ARGUMENT"),
        ("json_extract_scalar(x, '$.a-b')", "INVALID_FUNCTION_ARGUMENT"),
        ("json_extract_scalar(x, '$.a[*]')", "INVALID_FUNCTION_ARGUMENT"),
        ("CAST(x AS ipaddress)", "INVALID_CAST_ARGUMENT"),
        ("contains('10.1.2.3/8', try_cast('10.1.2.3' AS ipaddress))", "INVALID_FUNCTION_ARGUMENT"),
        ("regexp_like(x, '(?P<n>a)')", "INVALID_FUNCTION_ARGUMENT"),
        ("ARRAY['a'][9]", "INVALID_FUNCTION_ARGUMENT"),
        ("concat(" + ", ".join(["x"] * 128) + ")", "TOO_MANY_ARGUMENTS"),
    ],
)
def test_what_trino_refuses_is_rejected_by_name(trino: Trino, expression: str, error: str) -> None:
    trino.load_table("probe", [TableColumn("x", TEXT)], [{"x": "no JSON"}])
    with pytest.raises(Rejected, match=f"^{error}: "):
        trino.rows(f"SELECT {expression} FROM probe")  # noqa: S608 # a probe of this file


def layout(table: str) -> Layout:
    item = ColumnType(kind=Kind.STRUCT, members=(("arn", TEXT),))
    members = (("userName", TEXT), ("since", ColumnType(kind=Kind.TIME)), ("items", ColumnType(kind=Kind.ARRAY, item=item)))
    kinds = {
        "timestamp": ColumnType(kind=Kind.TIME),
        "eventName": TEXT,
        "count": ColumnType(kind=Kind.INTEGER),
        "score": ColumnType(kind=Kind.REAL),
        "ok": ColumnType(kind=Kind.BOOLEAN),
        "body": ColumnType(kind=Kind.JSON),
        "raw": ColumnType(kind=Kind.JSON_TEXT),
        "identity": ColumnType(kind=Kind.STRUCT, members=members),
        "tags": ColumnType(kind=Kind.MAP, item=TEXT),
    }
    return Layout(
        name="probe",
        engine=EngineKind.ATHENA,
        table=table,
        columns=tuple(Column(name=name, type=kind) for name, kind in kinds.items()),
        places=(),
        time=ColumnPath(column="timestamp"),
        partitions=(Partition(column="day", form=PartitionForm.DATE),),
    )


ROW: Final = {
    "timestamp": NOW,
    "eventName": "it's\n\0İ😀",
    "count": 2**62,
    "score": 1e300,
    "ok": True,
    "body": {"b": 1.0, "a": None},
    "raw": "{",
    "identity": {"userName": "u", "since": NOW, "items": [{"arn": "a"}, None, {}]},
    "tags": {"K": "v", "n": None},
    "day": NOW,
}


@pytest.mark.parametrize("table", ["logs", "sec.logs", '"sec"."Logs"', "AwsDataCatalog.sec.logs", "lake.sec.logs"])
def test_a_loaded_row_is_read_back_as_it_was(trino: Trino, table: str) -> None:
    trino.load(layout(table), [{"count": 1}])
    trino.load(layout(table), [ROW])
    identity = ["u", "2026-02-06 00:00:38.123456", [["a"], None, [None]]]
    body = '{"a":null,"b":1.0}'
    tags = {"K": "v", "n": None}
    assert trino.rows(f"SELECT * FROM {table}") == [  # noqa: S608 # a table of this file
        (NOW, ROW["eventName"], 2**62, 1e300, True, body, "{", identity, tags, NOW.date())
    ]


def test_absent_columns_are_null_and_names_have_no_case(trino: Trino) -> None:
    trino.load(layout("sec.nulls"), [{}])
    assert trino.rows('SELECT "timestamp", EVENTNAME, "eventname", identity.USERNAME, body, tags, day FROM sec.nulls') == [(None,) * 7]


def test_no_rows_leave_an_empty_table(trino: Trino) -> None:
    trino.load(layout("sec.empty"), [ROW])
    trino.load(layout("sec.empty"), [])
    assert trino.rows("SELECT count(*) FROM sec.empty") == [(0,)]


def test_parts_of_rows_arrays_and_maps_are_reached(trino: Trino) -> None:
    trino.load(layout("sec.parts"), [ROW])
    arns = "any_match(identity.items, e -> e.arn = 'a'), any_match(identity.items, e -> e.arn = 'z'), element_at(identity.items, 9).arn"
    assert trino.rows(f"SELECT identity.username, {arns}, element_at(tags, 'k'), tags['K'] FROM sec.parts") == [  # noqa: S608
        ("u", True, None, None, None, "v")
    ]


def test_a_time_compares_with_a_literal_of_either_kind(trino: Trino) -> None:
    trino.load(layout("sec.times"), [ROW])
    bounds = (
        "\"timestamp\" >= TIMESTAMP '2026-02-06 00:00:38', \"timestamp\" < TIMESTAMP '2026-02-06 00:00:38.123 UTC', day = DATE '2026-02-06'"
    )
    assert trino.rows(f"SELECT {bounds} FROM sec.times") == [(True, False, True)]  # noqa: S608


def test_a_jar_of_another_digest_is_refused() -> None:
    with pytest.raises(Missing, match=r"2 of the jars .* b\.jar, c\.jar"):
        check({"a.jar": "1", "b.jar": "2"}, {"a.jar": "1", "b.jar": "3", "c.jar": "4"})

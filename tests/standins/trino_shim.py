"""Athena's SQL on DuckDB: sqlglot reads the text, and every function is replaced by one of Trino's meaning or refused.

Not Trino: types are checked less strictly, and a text that holds broken JSON behind the value looked for gives NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino as TrinoDialect
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser

from aibr_hunt.meaning.regex_java import BOUNDARY, LINE_END, LINE_START
from aibr_hunt.model.layout import EngineKind, Layout
from tests.standins import trino_functions
from tests.standins.contract import Gap, Rejected, Row, check_names, columns_of
from tests.standins.duckdb_engine import Tables, connect, fetch

_SPECIAL_SYNTAX: Final = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION")
# Functions that mean the same on DuckDB, under the same name or another.
_SAME: Final[dict[str, str]] = {
    name: name
    for name in (
        *("abs", "ceil", "ceiling", "floor", "greatest", "least", "mod", "power", "round", "sign", "sqrt"),
        *("coalesce", "nullif", "concat_ws", "length", "lower", "upper", "lpad", "rpad", "ltrim", "rtrim", "replace", "reverse"),
        *("split", "starts_with", "strpos", "translate", "md5", "sha256", "chr", "codepoint", "to_hex", "hamming_distance"),
        *("flatten", "array_distinct", "array_position", "slice"),
        *("count", "sum", "avg", "min", "max", "array_agg", "min_by", "max_by", "bool_or", "bool_and", "count_if"),
        *("row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value"),
        *("year", "quarter", "month", "week", "day", "hour", "minute", "second", "date_trunc", "now", "date", "row"),
    )
} | {
    "approx_distinct": "count_distinct",
    "arbitrary": "any_value",
    "any_value": "any_value",
    "array_join": "array_to_string",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "day_of_year": "dayofyear",
    "doy": "dayofyear",
    "dow": "isodow",
    "from_unixtime": "trino_from_unixtime",
    "map": "map",
    "map_keys": "map_keys",
    "map_values": "map_values",
    "regexp_like": "regexp_matches",
    "try": "try",
    "week_of_year": "week",
    "year_of_week": "isoyear",
    "yow": "isoyear",
}
_OURS: Final = frozenset(
    {
        *("cardinality", "date_add", "date_diff", "from_iso8601_timestamp", "from_iso8601_timestamp_nanos", "is_json_scalar"),
        *("json_array_contains", "json_array_length", "json_extract", "json_extract_scalar", "json_format", "json_parse", "json_size"),
        *("regexp_extract", "regexp_replace", "split_part", "substr", "to_unixtime", "url_extract_host"),
    }
)
_CASTS: Final = {
    exp.DType.VARCHAR: "trino_to_varchar",
    exp.DType.TEXT: "trino_to_varchar",
    exp.DType.BIGINT: "trino_to_bigint",
    exp.DType.DOUBLE: "trino_to_double",
    exp.DType.BOOLEAN: "trino_to_boolean",
    exp.DType.IPADDRESS: "trino_ipaddress",
}
_AS_IT_IS: Final = frozenset(
    {
        exp.DType.DATE,
        exp.DType.INT,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPTZ,
    }
)
# Letters of MySQL's date format (date_parse, date_format) that strptime writes otherwise.
_MYSQL: Final = {"%i": "%M", "%s": "%S", "%M": "%B", "%T": "%H:%M:%S", "%h": "%I", "%e": "%d", "%c": "%m", "%k": "%H"}
# Joda's date format (parse_datetime, format_datetime).
_JODA: Final = dict(
    (
        *(("yyyy", "%Y"), ("YYYY", "%Y"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"), ("EEE", "%a"), ("HH", "%H"), ("hh", "%I")),
        *(("a", "%p"), ("mm", "%M"), ("ss", "%S"), ("SSS", "%g"), ("Z", "%z"), ("ZZ", "%z")),
    )
)


class _Dialect(TrinoDialect):
    """Reads Trino's SQL and leaves every function as a name with arguments: what it means is decided here."""

    class Parser(TrinoParser):
        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}
        FUNCTION_PARSERS: ClassVar = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _SPECIAL_SYNTAX}


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _is_type(node: exp.Expr | None, kind: exp.DType) -> bool:
    """True when the expression was a cast to that type, or a choice between such."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node is not None and node.meta.get("trino") == kind.value


def _marked(node: exp.Expr, kind: exp.DType) -> exp.Expr:
    node.meta["trino"] = kind.value
    return node


# -- functions --------------------------------------------------------------------------------------------------


def _over(name: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    return lambda arguments: _call(name, _call("list_transform", *arguments))


def _contains(arguments: list[exp.Expr]) -> exp.Expr:
    if _is_type(arguments[1], exp.DType.IPADDRESS):
        return _call("trino_prefix_contains", *arguments)
    return _call("trino_contains", *arguments)


def _element_at(arguments: list[exp.Expr]) -> exp.Expr:
    of, key = arguments
    if isinstance(key, exp.Literal):
        return _call("map_extract_value" if key.is_string else "list_extract", of, key)
    return _call("list_extract", of, exp.Cast(this=key, to=exp.DataType.build("BIGINT")))


def _concat(arguments: list[exp.Expr]) -> exp.Expr:
    joined = arguments[0]
    for argument in arguments[1:]:
        joined = exp.DPipe(this=joined, expression=argument, safe=False)
    return exp.Paren(this=joined)


def _from_nanos(arguments: list[exp.Expr]) -> exp.Expr:
    whole = exp.Cast(this=arguments[0], to=exp.DataType.build("BIGINT"))
    return exp.Cast(this=_call("make_timestamp_ns", whole), to=exp.DataType.build("TIMESTAMP"))


def _format(table: dict[str, str], pattern: str, node: exp.Expr) -> exp.Literal:
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise Gap("a date format that is no literal")

    def written(found: re.Match[str]) -> str:
        letters = found.group()
        if letters[0].isalpha() and letters not in table:
            raise Gap(f"{letters} in a date format")
        return table.get(letters, letters)

    return exp.Literal.string(re.sub(pattern, written, node.name))


def _date_parse(arguments: list[exp.Expr]) -> exp.Expr:
    return _call("strptime", arguments[0], _format(_MYSQL, "%.", arguments[1]))


def _parse_datetime(arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Cast(
        this=_call("strptime", arguments[0], _format(_JODA, "([A-Za-z])\\1*", arguments[1])), to=exp.DataType.build("TIMESTAMPTZ")
    )


def _date_format(arguments: list[exp.Expr]) -> exp.Expr:
    return _call("strftime", arguments[0], _format(_MYSQL, "%.", arguments[1]))


def _format_datetime(arguments: list[exp.Expr]) -> exp.Expr:
    return _call("strftime", arguments[0], _format(_JODA, "([A-Za-z])\\1*", arguments[1]))


def _at_zone(arguments: list[exp.Expr]) -> exp.Expr:
    if not isinstance(arguments[1], exp.Literal) or arguments[1].name.upper() != "UTC":
        raise Gap("another zone than UTC")
    return _call("trino_at_utc", arguments[0])


_SPECIAL: Final[dict[str, Callable[[list[exp.Expr]], exp.Expr]]] = {
    "all_match": _over("trino_every"),
    "any_match": _over("trino_some"),
    "at_timezone": _at_zone,
    "concat": _concat,
    "contains": _contains,
    "date_format": _date_format,
    "date_parse": _date_parse,
    "element_at": _element_at,
    "filter": lambda arguments: _call("list_filter", *arguments),
    "format_datetime": _format_datetime,
    "from_unixtime_nanos": _from_nanos,
    "none_match": lambda arguments: exp.Paren(this=exp.Not(this=_over("trino_some")(arguments))),
    "parse_datetime": _parse_datetime,
    "sequence": lambda arguments: _call("generate_series", *arguments),
    "transform": lambda arguments: _call("list_transform", *arguments),
}


# -- the tree ---------------------------------------------------------------------------------------------------


def _cast(node: exp.Cast) -> exp.Expr:
    inner, to = node.this, node.to
    if isinstance(node, exp.TryCast):
        return _call("try", _cast(exp.Cast(this=inner, to=to))) if to.this not in _AS_IT_IS else node
    kind = to.this
    if kind in {exp.DType.VARCHAR, exp.DType.TEXT} and _is_type(inner, exp.DType.IPADDRESS):
        return _call("trino_ip_text", inner)
    if kind in _CASTS:
        return _call(_CASTS[kind], inner)
    if kind is exp.DType.DECIMAL and not to.expressions and isinstance(inner, exp.Literal) and inner.is_string:
        return exp.Literal.number(inner.name)  # a decimal literal has its own digits
    if kind is exp.DType.DECIMAL:
        return exp.Cast(this=_call("trino_to_decimal", inner), to=to)
    if kind in _AS_IT_IS:
        return node
    if kind is exp.DType.IPPREFIX:
        raise Rejected("Trino has no type IPPREFIX; Presto has")
    if kind is exp.DType.JSON:
        return _call("to_json", inner)
    return _nested_cast(inner, to)


def _nested_cast(inner: exp.Expr, to: exp.DataType) -> exp.Expr:
    """Return a cast to an array or a map: what is no literal array is taken for JSON."""
    written = to.sql("trino").upper()
    if isinstance(inner, exp.Array):
        return exp.Cast(this=inner, to=to)
    named = {"ARRAY(JSON)": "trino_json_to_array", "ARRAY(VARCHAR)": "trino_json_to_varchars", "MAP(VARCHAR, JSON)": "trino_json_to_map"}
    if written not in named:
        raise Gap(f"a cast to {written}")
    return _call(named[written], inner)


def _replaced(node: exp.Expr) -> exp.Expr:
    """Return what stands for a node on DuckDB; its parts have been replaced already."""
    if isinstance(node, exp.Cast):
        return _marked(_cast(node), node.to.this)
    if isinstance(node, exp.Anonymous):
        return _function(node)
    if isinstance(node, exp.AtTimeZone):
        return _at_zone([node.this, node.args["zone"]])
    if isinstance(node, exp.Div):
        return _call("trino_divide", node.this, node.expression)
    if isinstance(node, exp.Substring):
        return _call("trino_substr", *(part for part in (node.this, node.args.get("start"), node.args.get("length")) if part))
    if isinstance(node, exp.ParseJSON):
        return _call("trino_json_parse", node.this)
    if isinstance(node, exp.MatchRecognize):
        raise Gap("MATCH_RECOGNIZE")
    return node


def _function(node: exp.Anonymous) -> exp.Expr:
    name = str(node.this).lower()
    if name in _SPECIAL:
        made = _SPECIAL[name](node.expressions)
    elif name in _OURS:
        made = _call(f"trino_{name}", *node.expressions)
    elif name in _SAME:
        made = _call(_SAME[name], *node.expressions)
        if name in {"coalesce", "nullif", "try"} and _is_type(node.expressions[0], exp.DType.IPADDRESS):
            _marked(made, exp.DType.IPADDRESS)
    else:
        raise Gap(f"function {name}")
    return made


def _walk(node: exp.Expr) -> exp.Expr:
    """Replace from the leaves up, each node once."""
    for key, part in list(node.args.items()):
        if isinstance(part, list):
            node.set(key, [_walk(item) if isinstance(item, exp.Expr) else item for item in part])
        elif isinstance(part, exp.Expr):
            node.set(key, _walk(part))
    return _replaced(node)


def translated(text: str) -> str:
    """Return DuckDB's SQL for a program in Athena's SQL.

    Raises:
        Gap: It uses a function that is not known here.
        Rejected: It cannot be read.
    """
    try:
        parsed = sqlglot.parse_one(text, read=_Dialect)
    except SqlglotError as error:
        raise Rejected(str(error)) from error
    return _walk(parsed).sql("duckdb")


class TrinoShim:
    """Tables in memory and programs over them."""

    name = "trino-shim"
    engine = EngineKind.ATHENA

    def __init__(self) -> None:
        self._connection = connect()
        trino_functions.prepare(self._connection)
        self._tables = Tables(self._connection, time="TIMESTAMP", is_split=True)

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others."""
        check_names(layout, rows)
        self._tables.write(layout.table, columns_of(layout), rows)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a query gives."""
        return fetch(self._connection, translated(_without_look_around(text)))


def _without_look_around(text: str) -> str:
    r"""Return a program with what the compiler writes for RE2's `\b` and line anchors turned back: RE2 stands in for Trino's library here.

    Trino itself runs the text as it is (trino_engine.py).
    """
    return text.replace(BOUNDARY, r"\b").replace(LINE_START, "(?m:^)").replace(LINE_END, "(?m:$)")


@cache
def trino_shim() -> TrinoShim:
    """Return this process's stand-in."""
    return TrinoShim()

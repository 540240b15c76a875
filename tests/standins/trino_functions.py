"""Trino's functions for DuckDB: macros and Python functions named `trino_...`, with the meaning that Trino's documentation gives them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

import duckdb

from tests.standins.duckdb_engine import register

_STEP: Final = re.compile(r'\.([\w:$-]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_ISO: Final = re.compile(
    r"\d{4}(-\d\d(-\d\d(T(\d\d(:\d\d(:\d\d([.,]\d+)?)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?)?)?",
    re.ASCII,
)
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


Json: TypeAlias = "str | Number | bool | list[Json] | dict[str, Json] | None"
_ABSENT: Final = object()


# -- JSON -------------------------------------------------------------------------------------------------------


def _first_wins(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members: dict[str, Json] = {}
    for name, value in pairs:
        members.setdefault(name, value)
    return members


def _refuse(text: str) -> Json:
    raise ValueError(f"{text} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_first_wins, parse_int=Number, parse_float=Number, parse_constant=_refuse, strict=True)


def _parsed(text: str) -> Json:
    value: Json = _DECODER.decode(text)
    return value


def _print(value: object) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_print(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_print, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _steps(path: str) -> list[str | int]:
    if not path.startswith("$"):
        raise ValueError(f"Invalid JSON path: '{path}'")
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"Invalid JSON path: '{path}'")
        name, index, quoted = found.groups()
        steps.append(int(index) if index is not None else re.sub(r"\\(.)", r"\1", quoted) if name is None else name)
        at = found.end()
    return steps


def _found(text: str, path: str) -> object:
    steps = _steps(path)
    try:
        value: object = _parsed(text)
    except (ValueError, RecursionError):
        return _ABSENT
    for step in steps:
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _json_extract(text: str | None, path: str | None) -> str | None:
    found = _ABSENT if text is None or path is None else _found(text, path)
    return None if found is _ABSENT else _print(found)


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else None


def _json_extract_scalar(text: str | None, path: str | None) -> str | None:
    return None if text is None or path is None else _scalar(_found(text, path))


def _json_parse(text: str | None) -> str | None:
    return None if text is None else _print(_sorted(_parsed(text)))


def _json_array_length(text: str | None) -> int | None:
    found = _ABSENT if text is None else _found(text, "$")
    return len(found) if isinstance(found, list) else None


def _json_size(text: str | None, path: str | None) -> int | None:
    found = _ABSENT if text is None or path is None else _found(text, path)
    return None if found is _ABSENT else len(found) if isinstance(found, dict | list) else 0


def _is_json_scalar(text: str | None) -> bool | None:
    return None if text is None else not isinstance(_parsed(text), dict | list)


def _json_array_contains(text: str | None, wanted: str | None) -> bool | None:
    found = _ABSENT if text is None or wanted is None else _found(text, "$")
    return (
        any(isinstance(item, str) and not isinstance(item, Number) and item == wanted for item in found)
        if isinstance(found, list)
        else None
    )


# A cast from JSON: `text` is the JSON.


def _json_to_varchar(text: str | None) -> str | None:
    value = None if text is None else _parsed(text)
    if isinstance(value, dict | list):
        raise TypeError("Cannot cast JSON to varchar")
    return _scalar(value)


def _json_to_array(text: str | None) -> list[str] | None:
    value = None if text is None else _parsed(text)
    if value is None:
        return None
    if not isinstance(value, list):
        raise TypeError("Cannot cast to array(json): expected an array")
    return [_print(item) for item in value]


def _json_to_varchars(text: str | None) -> list[str | None] | None:
    items = _json_to_array(text)
    return None if items is None else [_json_to_varchar(item) for item in items]


def _json_to_map(text: str | None) -> dict[str, str] | None:
    value = None if text is None else _parsed(text)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError("Cannot cast to map(varchar, json): expected an object")
    return {name: _print(item) for name, item in value.items()}


# -- numbers, addresses, times ----------------------------------------------------------------------------------


def _bigint(text: str | None) -> int | None:
    if text is None:
        return None
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"Cannot cast '{text}' to BIGINT")
    return int(text)


def _double(text: str | None) -> float | None:
    if text is None:
        return None
    stripped = text.strip(" \t\n\r\f\v")
    if stripped not in {"NaN", "Infinity", "-Infinity", "+Infinity"} and not _DECIMAL.fullmatch(stripped):
        raise ValueError(f"Cannot cast '{text}' to DOUBLE")
    return float(stripped)


def _decimal(text: str | None) -> str | None:
    """Return a text that DuckDB casts to DECIMAL; its digits are checked there."""
    if text is None:
        return None
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"Cannot cast '{text}' to DECIMAL")
    return text


def _boolean(text: str | None) -> bool | None:
    if text is None:
        return None
    lowered = text.lower()
    if lowered in {"t", "true", "1"}:
        return True
    if lowered in {"f", "false", "0"}:
        return False
    raise ValueError(f"Cannot cast '{text}' to BOOLEAN")


def _ipaddress(text: str | None) -> bytes | None:
    """Return the sixteen bytes that an IPADDRESS is; IPv4 is mapped into IPv6."""
    if text is None:
        return None
    packed = ipaddress.ip_address(text).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def _ip_text(packed: bytes | None) -> str | None:
    if packed is None:
        return None
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _network(text: str) -> ipaddress.IPv6Network:
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv4Network):
        return ipaddress.IPv6Network((bytes(10) + b"\xff\xff" + network.network_address.packed, network.prefixlen + 96))
    return network


def _prefix_contains(prefix: str | None, packed: bytes | None) -> bool | None:
    if prefix is None or packed is None:
        return None
    if "/" not in prefix:
        raise ValueError("Invalid CIDR")
    return ipaddress.IPv6Address(packed) in _network(prefix)


def _from_iso8601_timestamp(text: str | None) -> datetime | None:
    """Return a time to the millisecond; what stands behind it is cut off."""
    return _iso(text, 1000)


def _from_iso8601_timestamp_nanos(text: str | None) -> datetime | None:
    return _iso(text, 1)


def _iso(text: str | None, unit: int) -> datetime | None:
    if text is None:
        return None
    if not _ISO.fullmatch(text):
        raise ValueError(f'Invalid format: "{text}"')
    day, _, clock = text.partition("T")
    day += "-01" * (2 - day.count("-"))
    cut = re.sub(r"([.,]\d{6})\d+", r"\1", clock)
    moment = datetime.fromisoformat(f"{day}T{cut}" if cut and cut[0].isdecimal() else day)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=moment.microsecond // unit * unit)


_PYTHON: Final[dict[str, tuple[Callable[..., object], list[str], str]]] = {
    "bigint": (_bigint, ["VARCHAR"], "BIGINT"),
    "boolean": (_boolean, ["VARCHAR"], "BOOLEAN"),
    "decimal_text": (_decimal, ["VARCHAR"], "VARCHAR"),
    "double": (_double, ["VARCHAR"], "DOUBLE"),
    "from_iso8601_timestamp": (_from_iso8601_timestamp, ["VARCHAR"], "TIMESTAMPTZ"),
    "from_iso8601_timestamp_nanos": (_from_iso8601_timestamp_nanos, ["VARCHAR"], "TIMESTAMPTZ"),
    "ip_text": (_ip_text, ["BLOB"], "VARCHAR"),
    "ipaddress": (_ipaddress, ["VARCHAR"], "BLOB"),
    "is_json_scalar": (_is_json_scalar, ["VARCHAR"], "BOOLEAN"),
    "json_array_contains": (_json_array_contains, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    "json_array_length": (_json_array_length, ["VARCHAR"], "BIGINT"),
    "json_extract": (_json_extract, ["VARCHAR", "VARCHAR"], "JSON"),
    "json_extract_scalar": (_json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "json_parse": (_json_parse, ["VARCHAR"], "JSON"),
    "json_size": (_json_size, ["VARCHAR", "VARCHAR"], "BIGINT"),
    "json_to_array": (_json_to_array, ["VARCHAR"], "JSON[]"),
    "json_to_map": (_json_to_map, ["VARCHAR"], "MAP(VARCHAR, JSON)"),
    "json_to_varchar": (_json_to_varchar, ["VARCHAR"], "VARCHAR"),
    "json_to_varchars": (_json_to_varchars, ["VARCHAR"], "VARCHAR[]"),
    "prefix_contains": (_prefix_contains, ["VARCHAR", "BLOB"], "BOOLEAN"),
}
_MACROS: Final = (
    # three-valued, as SQL's OR and AND over the elements
    "some(t) AS CASE WHEN t IS NULL THEN NULL WHEN list_contains(t, true) THEN true WHEN list_count(t) < len(t) THEN NULL ELSE false END",
    "every(t) AS CASE WHEN t IS NULL THEN NULL WHEN list_contains(t, false) THEN false WHEN list_count(t) < len(t) THEN NULL ELSE true END",
    (
        "contains(a, x) AS CASE WHEN a IS NULL OR x IS NULL THEN NULL WHEN list_contains(a, x) THEN true"
        " WHEN list_count(a) < len(a) THEN NULL ELSE false END"
    ),
    "cardinality(x) AS CASE WHEN typeof(x) LIKE 'MAP(%' THEN len(json_keys(to_json(x))) ELSE json_array_length(to_json(x)) END",
    "json_format(x) AS CAST(x AS VARCHAR)",
    "to_varchar(x) AS CASE WHEN typeof(x) = 'JSON' THEN trino_json_to_varchar(CAST(x AS VARCHAR)) ELSE CAST(x AS VARCHAR) END",
    (
        "to_bigint(x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN trino_bigint(CAST(x AS VARCHAR))"
        " WHEN typeof(x) = 'JSON' THEN trino_bigint(trino_json_to_varchar(CAST(x AS VARCHAR))) ELSE CAST(x AS BIGINT) END"
    ),
    (
        "to_double(x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN trino_double(CAST(x AS VARCHAR))"
        " WHEN typeof(x) = 'JSON' THEN trino_double(trino_json_to_varchar(CAST(x AS VARCHAR))) ELSE CAST(x AS DOUBLE) END"
    ),
    (
        "to_boolean(x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN trino_boolean(CAST(x AS VARCHAR))"
        " WHEN typeof(x) = 'JSON' THEN trino_boolean(trino_json_to_varchar(CAST(x AS VARCHAR))) ELSE CAST(x AS BOOLEAN) END"
    ),
    "to_decimal(x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN trino_decimal_text(CAST(x AS VARCHAR)) ELSE CAST(x AS VARCHAR) END",
    (
        "substr(s, n) AS CASE WHEN n = 0 OR abs(n) > length(s) THEN left(s, 0) ELSE substr(s, n) END, "
        "(s, n, c) AS CASE WHEN n = 0 OR abs(n) > length(s) THEN left(s, 0) ELSE substr(s, n, c) END"
    ),
    (
        "regexp_extract(s, p) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p) END, "
        "(s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END"
    ),
    (
        "regexp_replace(s, p) AS regexp_replace(s, p, '', 'g'), "
        "(s, p, r) AS regexp_replace(s, p, regexp_replace(r, '\\$(\\d)', '\\\\\\1', 'g'), 'g')"
    ),
    "split_part(s, d, n) AS CASE WHEN len(string_split(s, d)) >= n THEN split_part(s, d, n) END",
    "to_unixtime(t) AS epoch(t)",
    "from_unixtime(n) AS to_timestamp(n)",
    "date_diff(u, a, b) AS date_sub(u, a, b)",
    (
        "date_add(u, n, t) AS CASE u WHEN 'second' THEN t + to_seconds(n) WHEN 'minute' THEN t + to_minutes(n)"
        " WHEN 'hour' THEN t + to_hours(n)"
        " WHEN 'day' THEN t + to_days(CAST(n AS INTEGER)) END"
    ),
    "at_utc(t) AS CAST(t AS TIMESTAMPTZ)",
    "divide(a, b) AS CASE WHEN typeof(a) IN ('INTEGER', 'BIGINT') AND typeof(b) IN ('INTEGER', 'BIGINT') THEN a // b ELSE a / b END",
    "url_extract_host(u) AS nullif(regexp_extract(u, '^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/?#@]*@)?([^/:?#]+)', 1), '')",
)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions with a connection."""
    connection.execute("SET default_null_order = 'nulls_last'")
    for name, (function, parameters, returned) in _PYTHON.items():
        register(connection, f"trino_{name}", function, [*parameters, returned])
    for macro in _MACROS:
        connection.execute(f"CREATE MACRO trino_{macro}")

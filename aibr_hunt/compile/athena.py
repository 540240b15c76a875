"""The primitives of Athena engine version 3, which is Trino (Trino's functions and operators reference)."""

from __future__ import annotations

import re
from typing import Final

from aibr_hunt.compile.dialects import WHOLE_TIME, Dialect, bracketed_path, doubled, network_parts, whole
from aibr_hunt.compile.words import ATHENA
from aibr_hunt.model.layout import EngineKind, Kind
from aibr_hunt.model.predicate import TimePart


def _trino_identifier(name: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in ATHENA:
        return name
    return '"' + name.replace('"', '""') + '"'


def _trino_scalar(value: str, path: tuple[str, ...]) -> str:
    return f"json_extract_scalar({value}, {doubled(bracketed_path(path))})"


def _trino_part_of_json(value: str, path: tuple[str, ...], kind: Kind) -> str:
    if not path:
        return value if kind is Kind.JSON else f"json_extract({value}, '$')"
    return f"json_extract({value}, {doubled(bracketed_path(path))})"


def _trino_time_part(value: str, part: TimePart) -> str:
    return f"{part.value}({value})"


def _trino_network(value: str, network: str) -> str:
    address, length, is_v4 = network_parts(network)
    # The cast takes a zone and digits of other scripts.
    parsed = f"TRY_CAST(regexp_extract({value}, '\\A[0-9A-Fa-f:.]+\\z') AS IPADDRESS)"
    inside = f"contains('{address}/{length}', {parsed})"
    if is_v4:
        return inside
    # Trino keeps an IPv4 address as an address inside ::ffff:0:0/96.
    return f"({inside} AND NOT contains('::ffff:0:0/96', {parsed}))"


TRINO: Final = Dialect(
    engine=EngineKind.ATHENA,
    # Athena writes a row as {a=1, b=x}, in which nothing is quoted.
    cell=lambda column: f"json_format(CAST({column} AS JSON))",
    literal=doubled,
    identifier=_trino_identifier,
    table=lambda name: ".".join(_trino_identifier(part) for part in name.split(".")),
    contains=lambda text, literal: f"strpos({text}, {literal}) > 0",
    starts=lambda text, literal: f"starts_with({text}, {literal})",
    ends=lambda text, literal: f"substr({text}, -{len(literal)}) = {doubled(literal)}",
    finds=lambda text, pattern: f"regexp_like({text}, {doubled(pattern)})",
    extract=lambda text, pattern: f"regexp_extract({text}, {doubled(whole(pattern))})",
    entry=lambda value, key: f"element_at({value}, {doubled(key)})",
    json_scalar=lambda value, path, _: _trino_scalar(value, path),
    json_part=_trino_part_of_json,
    json_text=lambda value: f"json_format({value})",
    elements=lambda value: f"COALESCE(TRY_CAST({value} AS ARRAY(JSON)), ARRAY[{value}])",
    any_element=lambda array, variable, body: f"any_match({array}, {variable} -> {body})",
    decimal=lambda text: f"TRY_CAST({text} AS DECIMAL(21, 6))",
    number=lambda number: f"DECIMAL '{number}'",
    text_of=lambda value, kind: value if kind in {Kind.TEXT, Kind.JSON_TEXT} else f"CAST({value} AS VARCHAR)",
    part=_trino_time_part,
    time_of=lambda text: (
        f"at_timezone(TRY(from_iso8601_timestamp(regexp_replace(regexp_extract({text}, {doubled(WHOLE_TIME)}), '\\.[0-9]+'))), 'UTC')"
    ),
    in_network=_trino_network,
    moment=lambda moment: f"TIMESTAMP '{moment.replace('T', ' ')} UTC'",
    ago=lambda hours: f"current_timestamp - INTERVAL '{hours}' HOUR",
)

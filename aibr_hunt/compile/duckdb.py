"""The primitives of DuckDB (the DuckDB reference)."""

from __future__ import annotations

import re
from typing import Final

from aibr_hunt.compile.addresses import dotted_quads
from aibr_hunt.compile.dialects import WHOLE_TIME, Dialect, doubled, json_path, whole
from aibr_hunt.compile.words import DUCKDB
from aibr_hunt.model.layout import EngineKind, Kind
from aibr_hunt.model.predicate import TimePart


def _duck_identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in DUCKDB else '"' + name.replace('"', '""') + '"'


def _duck_json(value: str, kind: Kind) -> str:
    # A text that is no JSON would fail the whole query.
    return f"TRY_CAST({value} AS JSON)" if kind is not Kind.JSON else value


def _duck_scalar(value: str, path: tuple[str, ...], kind: Kind) -> str:
    found = _duck_json(value, kind)
    at = doubled(json_path(path))
    return f"(CASE WHEN json_type({found}, {at}) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string({found}, {at}) END)"


def _duck_part_of_json(value: str, path: tuple[str, ...], kind: Kind) -> str:
    return f"json_extract({_duck_json(value, kind)}, {doubled(json_path(path))})" if path else _duck_json(value, kind)


def _duck_time_part(value: str, part: TimePart) -> str:
    return f"EXTRACT({part.value.upper()} FROM {value})"


def _duck_network(value: str, network: str) -> str:
    return f"regexp_matches({value}, {doubled(dotted_quads(network))})"


DUCK: Final = Dialect(
    engine=EngineKind.DUCKDB,
    literal=doubled,
    identifier=_duck_identifier,
    table=lambda name: ".".join(_duck_identifier(part) for part in name.split(".")),
    contains=lambda text, literal: f"contains({text}, {literal})",
    starts=lambda text, literal: f"starts_with({text}, {literal})",
    ends=lambda text, literal: f"ends_with({text}, {doubled(literal)})",
    finds=lambda text, pattern: f"regexp_matches({text}, {doubled(pattern)})",
    extract=lambda text, pattern: f"NULLIF(regexp_extract({text}, {doubled(whole(pattern))}), '')",
    entry=lambda value, key: f"{value}[{doubled(key)}]",
    json_scalar=_duck_scalar,
    json_part=_duck_part_of_json,
    json_text=lambda value: f"CAST({value} AS VARCHAR)",
    elements=lambda value: f"(CASE json_type({value}) WHEN 'ARRAY' THEN json_extract({value}, '$[*]') ELSE [{value}] END)",
    any_element=lambda array, variable, body: f"len(list_filter({array}, lambda {variable}: {body})) > 0",
    decimal=lambda text: f"TRY_CAST({text} AS DECIMAL(21, 6))",
    number=lambda number: f"CAST('{number}' AS DECIMAL(21, 6))",
    text_of=lambda value, kind: value if kind in {Kind.TEXT, Kind.JSON_TEXT} else f"CAST({value} AS VARCHAR)",
    part=_duck_time_part,
    time_of=lambda text: (
        rf"TRY_CAST(regexp_replace(regexp_extract({text}, {doubled(WHOLE_TIME)}), '\.[0-9]+', '') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    ),
    in_network=_duck_network,
    moment=lambda moment: f"TIMESTAMP '{moment.replace('T', ' ')}'",
    ago=lambda hours: f"CAST(current_timestamp AT TIME ZONE 'UTC' AS TIMESTAMP) - INTERVAL {hours} HOUR",
)

"""The primitives of BigQuery, which is GoogleSQL (the GoogleSQL reference)."""

from __future__ import annotations

import re
from typing import Final

from aibr_hunt.compile.dialects import PLAIN_STEP, WHOLE_TIME, Dialect, network_parts, whole
from aibr_hunt.compile.words import BIGQUERY
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.layout import EngineKind, Kind
from aibr_hunt.model.predicate import TimePart

_GOOGLE_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _google_literal(text: str) -> str:
    """A GoogleSQL string literal: backslash escapes; control characters as code points."""
    return "'" + "".join(_google_character(character) for character in text) + "'"


def _google_character(character: str) -> str:
    if character in _GOOGLE_ESCAPES:
        return _GOOGLE_ESCAPES[character]
    return f"\\x{ord(character):02x}" if ord(character) < 0x20 or ord(character) == 0x7F else character


def _google_pattern(pattern: str) -> str:
    """A pattern as a raw literal where that is possible: easier to read."""
    if re.search(r"['\n\r\0]", pattern) or pattern.endswith("\\"):
        return _google_literal(pattern)
    return f"r'{pattern}'"


def _google_identifier(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in BIGQUERY:
        return name
    return _backquoted(name)


def _backquoted(name: str) -> str:
    """Return a name in backquotes, in which the escapes of string literals hold."""
    return (
        "`"
        + "".join("\\`" if character == "`" else character if character == "'" else _google_character(character) for character in name)
        + "`"
    )


def _google_path(path: tuple[str, ...]) -> str:
    """Return a JSON path as GoogleSQL reads it: in quotation marks only a quotation mark is escaped, a backslash is itself."""
    for step in path:
        if step.endswith("\\") or '\\"' in step:
            raise Unsupported(f"the member name {step!r} in BigQuery", "a backslash before a quotation mark cannot be written in a path.")
    return "$" + "".join(f".{step}" if PLAIN_STEP.fullmatch(step) else '."' + step.replace('"', '\\"') + '"' for step in path)


def _google_json(function: str, value: str, path: tuple[str, ...]) -> str:
    return f"{function}({value}, {_google_literal(_google_path(path))})"


def _google_part_of_json(value: str, path: tuple[str, ...], kind: Kind) -> str:
    # JSON_QUERY of a text is a text again; numbers that a double does not tell whole would fail without the mode.
    parsed = value if kind is Kind.JSON else f"SAFE.PARSE_JSON({value}, wide_number_mode => 'round')"
    return _google_json("JSON_QUERY", parsed, path) if path else parsed


def _google_time_part(value: str, part: TimePart) -> str:
    return f"EXTRACT({'ISOWEEK' if part is TimePart.WEEK else part.value.upper()} FROM {value} AT TIME ZONE 'UTC')"


def _google_network(value: str, network: str) -> str:
    address, length, is_v4 = network_parts(network)
    parsed = f"NET.SAFE_IP_FROM_STRING({value})"
    four = f"NET.IP_TRUNC({parsed}, {length}) = NET.IP_FROM_STRING('{address}')"
    if is_v4:
        mapped = f"NET.IP_TRUNC({parsed}, {96 + length}) = NET.IP_FROM_STRING('::ffff:{address}')"
        return f"CASE BYTE_LENGTH({parsed}) WHEN 4 THEN {four} WHEN 16 THEN {mapped} END"
    not_mapped = f"NET.IP_TRUNC({parsed}, 96) != NET.IP_FROM_STRING('::ffff:0.0.0.0')"
    return f"CASE BYTE_LENGTH({parsed}) WHEN 16 THEN {four} AND {not_mapped} END"


GOOGLE: Final = Dialect(
    engine=EngineKind.BIGQUERY,
    literal=_google_literal,
    identifier=_google_identifier,
    table=_backquoted,
    contains=lambda text, literal: f"STRPOS({text}, {literal}) > 0",
    starts=lambda text, literal: f"STARTS_WITH({text}, {literal})",
    ends=lambda text, literal: f"ENDS_WITH({text}, {_google_literal(literal)})",
    finds=lambda text, pattern: f"REGEXP_CONTAINS({text}, {_google_pattern(pattern)})",
    extract=lambda text, pattern: f"REGEXP_EXTRACT({text}, {_google_pattern(whole(pattern))})",
    entry=lambda value, key: f"{value}[SAFE_KEY({_google_literal(key)})]",
    json_scalar=lambda value, path, _: _google_json("JSON_VALUE", value, path),
    json_part=_google_part_of_json,
    json_text=lambda value: f"TO_JSON_STRING({value})",
    elements=lambda value: f"IFNULL(JSON_QUERY_ARRAY({value}), [{value}])",
    any_element=lambda array, variable, body: f"EXISTS (SELECT 1 FROM UNNEST({array}) AS {variable} WHERE {body})",  # noqa: S608 - every part was printed by this package
    decimal=lambda text: f"SAFE_CAST({text} AS NUMERIC)",
    number=lambda number: f"NUMERIC '{number}'",
    text_of=lambda value, kind: value if kind in {Kind.TEXT, Kind.JSON_TEXT} else f"CAST({value} AS STRING)",
    part=_google_time_part,
    time_of=lambda text: rf"SAFE_CAST(REGEXP_REPLACE(REGEXP_EXTRACT({text}, {_google_pattern(WHOLE_TIME)}), r'\.[0-9]+', '') AS TIMESTAMP)",
    in_network=_google_network,
    moment=lambda moment: f"TIMESTAMP '{moment}Z'",
    ago=lambda hours: f"TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {hours} HOUR)",
)

"""Values of an answer as they are written down: as cells for people, as CSV, as JSON. Values may come from an attacker's hand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from aibr_hunt.model.window import utc_text

_NOT_ASCII: Final = re.compile("[\x00-\x1f\x7f-\U0010ffff]")
_JSON: Final = "JSON"


def moment_of(value: datetime) -> str:
    """Return a moment in RFC 3339, in UTC; one without a zone is UTC already. Decimals stand only where there are any."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return utc_text(aware).replace(".000000Z", "Z")


def cell_text(value: object) -> str:
    """Return a value as the text of a cell; nothing is the empty text. It is not made safe for any place yet."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return moment_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping | list | tuple):
        return json_text(value)
    return str(value)


def json_text(value: object, kind: str = "") -> str:
    """Return a value as JSON of printable ASCII on one line.

    Args:
        value: What DuckDB gave.
        kind: The column's type; a text of type JSON is JSON already and stands as it is spelled.
    """
    if kind == _JSON and isinstance(value, str):
        return _in_ascii(value)
    return _in_ascii(json.dumps(_plain(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False))


def json_line(columns: Sequence[str], types: Sequence[str], row: Sequence[object]) -> str:
    """Return a row as one JSON object on one line; of columns with one name the later ones are numbered."""
    members = (f"{json_text(name)}:{json_text(value, kind)}" for name, kind, value in zip(told_apart(columns), types, row, strict=True))
    return "{" + ",".join(members) + "}"


def told_apart(columns: Sequence[str]) -> list[str]:
    """Return column names of which no two are equal, whatever their case: a repeated one gets a number."""
    taken: set[str] = set()
    found: list[str] = []
    for name in columns:
        number, free = 1, name
        while free.lower() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.lower())
        found.append(free)
    return found


def _plain(value: object) -> object:
    """Return what JSON can say of a value: moments, numbers without a JSON form and bytes as texts."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {cell_text(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, datetime | date | time | bytes):
        return cell_text(value)
    return str(value)


def _in_ascii(text: str) -> str:
    """Return JSON text in printable ASCII: between values line ends become spaces, inside strings signs become escapes."""
    return _NOT_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return " "  # inside a string of JSON none can stand
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"

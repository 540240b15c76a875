r"""One row of primitives for each SQL engine: all that is particular to it, and all that the printer may use.

Sources: the Trino functions and operators reference (Athena engine version 3), the GoogleSQL reference, the DuckDB reference. Literals are
printed here and nowhere else. Every primitive takes and gives SQL text; a value that is absent gives NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Final

from aibr_hunt.errors import Unsupported
from aibr_hunt.model.layout import EngineKind, Kind
from aibr_hunt.model.predicate import TimePart

NUMBER_FORM: Final = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?"
TIME_FORM: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
WHOLE_TIME: Final = rf"\A{TIME_FORM}\z"
BROKEN_NUMBER: Final = r"\A-?[0-9]+[.eE][-+.0-9eE]*\z"
PLAIN_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The primitives of one SQL engine.

    Attributes:
        engine: The engine.
        literal: Python text → string literal.
        identifier: One part of a name → quoted where needed.
        table: A dotted table name → quoted.
        contains: Text and literal's SQL → whether it occurs. starts, ends likewise; `ends` is given Python text.
        finds: Text and a pattern → whether the pattern finds something in it.
        extract: Text and a pattern → the text when the whole of it fits, else NULL.
        entry: Map and key → value.
        json_scalar: JSON (text or own type) and path → the text of the scalar there, NULL for lists and objects.
        json_part: JSON (text or own type) and path → the JSON there.
        json_text: JSON → its serialisation.
        elements: JSON → its elements as an array of JSON, itself as the only one when it is no list.
        any_element: Array, variable and condition → whether some element meets it, NULL or false when none does.
        decimal: Text in number form → a number with 15 digits before and 6 behind the point.
        number: Canonical number → literal of that type.
        text_of: Value and Kind → its text.
        part: A time and a part → a whole number.
        time_of: RFC 3339 text → the time, NULL for any other text.
        in_network: Text and network → whether it is an address inside.
        moment: `2026-01-31T12:00:00` (UTC) → literal of the time type.
        ago: Whole hours → the time so long ago.
        cell: A nested column → what is selected for it where the engine's own text of one cannot be read back; None selects the column.
    """

    engine: EngineKind
    literal: Callable[[str], str]
    identifier: Callable[[str], str]
    table: Callable[[str], str]
    contains: Callable[[str, str], str]
    starts: Callable[[str, str], str]
    ends: Callable[[str, str], str]
    finds: Callable[[str, str], str]
    extract: Callable[[str, str], str]
    entry: Callable[[str, str], str]
    json_scalar: Callable[[str, tuple[str, ...], Kind], str]
    json_part: Callable[[str, tuple[str, ...], Kind], str]
    json_text: Callable[[str], str]
    elements: Callable[[str], str]
    any_element: Callable[[str, str, str], str]
    decimal: Callable[[str], str]
    number: Callable[[str], str]
    text_of: Callable[[str, Kind], str]
    part: Callable[[str, TimePart], str]
    time_of: Callable[[str], str]
    in_network: Callable[[str, str], str]
    moment: Callable[[str], str]
    ago: Callable[[int], str]
    cell: Callable[[str], str] | None = None


# -- shared --------------------------------------------------------------------------------------------------------


def doubled(text: str) -> str:
    """Return a literal of standard SQL: quotes doubled, everything else as it is."""
    if "\0" in text:
        raise Unsupported("a literal with a NUL character", "no SQL engine takes one.", hint="Leave it out of the test.")
    return "'" + text.replace("'", "''") + "'"


def json_path(path: tuple[str, ...]) -> str:
    """Return a JSON path: `$.a.b`, with names that are no plain words in quotation marks."""
    steps = (f".{step}" if PLAIN_STEP.fullmatch(step) else _quoted_step(step) for step in path)
    return "$" + "".join(steps)


def _quoted_step(step: str) -> str:
    return '."' + step.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bracketed_path(path: tuple[str, ...]) -> str:
    """Return a JSON path as Trino reads it: `$.a["odd name"]`."""
    return "$" + "".join(
        f".{step}" if PLAIN_STEP.fullmatch(step) else '["' + step.replace("\\", "\\\\").replace('"', '\\"') + '"]' for step in path
    )


def whole(pattern: str) -> str:
    """Return a pattern for a text that fits from end to end."""
    return rf"\A(?:{pattern})\z"


def network_parts(network: str) -> tuple[str, int, bool]:
    """Return a network's address, its prefix length, and whether it is IPv4."""
    parsed = ip_network(network)
    return str(parsed.network_address), parsed.prefixlen, isinstance(parsed, IPv4Network)

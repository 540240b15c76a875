"""One scalar of an event as tests see it: its text, its number, whether it is blank (docs/meaning.md sections 2 to 5)."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from aibr_hunt.model.event import Json, OddNumber
from aibr_hunt.model.predicate import TimePart
from aibr_hunt.model.times import parse_time

NUMBER_FORM: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?", re.ASCII)
_NUMBER_MATCH: Final = NUMBER_FORM.fullmatch
_DOTTED_QUAD: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", re.ASCII
)

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_blank(value: Json) -> bool:
    """True for null, the empty text, an empty list or object, and a list whose members are all blank."""
    if isinstance(value, list):
        return _is_blank_list(value)
    return value is None or value == "" or value == {}


def _is_blank_list(value: list[Json]) -> bool:
    stack: list[Json] = list(value)
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif not (item is None or item == "" or item == {}):
            return False
    return True


def text_of(value: Json) -> str | None:
    """Return the text that a text test reads, None when no text test can be true on the value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = number_of(value)
        return number if number is not None and "." not in number else None
    return None


def number_of(value: Json) -> str | None:
    """Return the number in canonical spelling (no trailing zeros, no `-0`), None when the value is no number.

    Texts count when they have the number form of docs/meaning.md section 5. Two values are equal as numbers exactly
    when their canonical spellings are equal.
    """
    if isinstance(value, str):
        return canonical_number(value)
    if isinstance(value, bool | OddNumber):
        return None
    if isinstance(value, int):
        return str(value) if -(10**15) < value < 10**15 else None
    if isinstance(value, float):
        return canonical_number(format(Decimal(repr(value)), "f"))
    return None


def canonical_number(text: str) -> str | None:
    """Return the canonical spelling of a text in number form, None for any other text."""
    if not text or text[-1] not in "0123456789" or _NUMBER_MATCH(text) is None:
        return None
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def address_of(value: Json) -> Address | None:
    """Return the bare IPv4 or IPv6 address that a text is; None for ports, zones, prefixes, masks and other text."""
    if not isinstance(value, str):
        return None
    if _DOTTED_QUAD.fullmatch(value):
        return ipaddress.IPv4Address(value)
    if ":" not in value or "%" in value or not value.isascii():
        return None
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return None
    return address.ipv4_mapped or address


def time_of(value: Json) -> datetime | None:
    """Return the moment, in aware UTC, that an RFC 3339 text with a `T` names; None for any other value."""
    return parse_time(value) if isinstance(value, str) and value[10:11] in ("T", "t") else None


def time_part(moment: datetime, part: TimePart) -> int:
    """Return a part of a UTC moment; the week is the ISO week."""
    if part is TimePart.WEEK:
        return moment.isocalendar().week
    return int(getattr(moment, part.value))

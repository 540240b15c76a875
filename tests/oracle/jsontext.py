"""JSON as the oracle reads it: numbers keep their spelling, so that the rules on spelling are judged apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

MOST_LEVELS = 64
NUMBER_FORM = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number by its spelling."""

    spelling: str

    @property
    def value(self) -> Decimal | None:
        """The number, or None when its spelling lies outside the number form ("odd")."""
        return number_of_text(self.spelling)


Value: TypeAlias = "bool | Number | str | list[Value] | dict[str, Value] | None"


def parse(text: str) -> Value:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON (NaN and Infinity are not).
    """
    value: Value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    return value


def number_of_text(text: str) -> Decimal | None:
    """Return the number that a text spells, or None when the text has not the number form."""
    return Decimal(text) if NUMBER_FORM.fullmatch(text) else None


def parse_member(text: str) -> Value:
    """Return the object or array that a text member holds, or None when it holds neither or nests too deep."""
    if text.strip(" \t\r\n")[:1] not in ("{", "["):
        return None
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return None
    return value if depth(value) <= MOST_LEVELS else None


def depth(value: Value) -> int:
    """Return how many objects and arrays lie around the innermost value."""
    if isinstance(value, dict):
        return 1 + max((depth(member) for member in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(member) for member in value), default=0)
    return 0


def compact(value: Value) -> str:
    """Return the compact form: source order, no spaces, escapes only where JSON demands them."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{compact(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(member) for member in value) + "]"
    if isinstance(value, Number):
        return value.spelling
    if isinstance(value, str):
        return _quoted(value)
    return {None: "null", True: "true", False: "false"}[value]


def opened(value: Value, level: int = 0) -> Value:
    """Return the value with every text member that is itself an object or array parsed in place."""
    if isinstance(value, dict):
        return {key: opened(member, level) for key, member in value.items()}
    if isinstance(value, list):
        return [opened(member, level) for member in value]
    if isinstance(value, str) and level < MOST_LEVELS:
        inner = parse_member(value)
        return value if inner is None else opened(inner, level + 1)
    return value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _refuse(name: str) -> Value:
    message = f"{name} is not JSON"
    raise ValueError(message)

"""The text of one record becomes a JSON value: fast where nothing is strange, exact where something is.

orjson reads nearly all records. What it cannot tell (how a number was spelled, repeated keys) or refuses (lone surrogates, bytes
that are no UTF-8, raw control signs in strings) goes to the standard library's decoder with hooks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

import orjson
import re2

from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.limits import LIMITS
from aibr_hunt.model.event import Json, LongNumber, OddNumber

# A number that a double does not say, wherever a value may stand: one outside the form of docs/meaning.md section 5 (an
# exponent, more than 15 digits before the point, more than 6 behind it), or one of more than 15 digits in all. It may
# also hit inside a string, which costs time and nothing else. RE2 needs a quarter of the time of `re` here.
_UNUSUAL: Final = re2.compile(rb"[:,\[]\s*-?(?:[0-9][0-9.]{15}|[0-9]+\.[0-9]{7}|[0-9]+(?:\.[0-9]+)?[eE])")
_LONE: Final = re.compile(r"[\ud800-\udfff]")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x1f]")
_DIGITS, _DECIMALS = 15, 6

__all__ = ["Parsed", "RecordRefused", "parse_record"]

INVALID_UTF8 = "invalid UTF-8 was replaced"
LONE_SURROGATE = "lone surrogates were replaced"
CONTROL_SIGN = "raw control signs in strings were accepted"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One record.

    Attributes:
        value: The JSON object.
        odd_numbers: How many numbers lie outside the number form; they stand as OddNumber.
        repeated_keys: How many members were overwritten by a later one of the same name; counted in strict mode only.
        notes: What had to be replaced or accepted.
    """

    value: dict[str, Json]
    odd_numbers: int = 0
    repeated_keys: int = 0
    notes: tuple[str, ...] = ()


def parse_record(text: bytes, *, strict: bool = False, nesting: int = LIMITS.nesting) -> Parsed:
    """Return the JSON object that `text` holds.

    Args:
        text: UTF-8 text of one record.
        strict: True also counts repeated keys, at about a third of the speed.
        nesting: Deepest nesting that is accepted, at most 500.

    Raises:
        RecordRefused: When it is no JSON object, nests too deep, or holds NaN or an infinity.
    """
    if text.count(b"{") + text.count(b"[") > nesting and _depth(text) > nesting:
        raise RecordRefused("nested too deep", f"more than {nesting} levels")
    if strict or _UNUSUAL.search(text):
        return _parse_exactly(text, strict=strict)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_exactly(text, strict=False)
    if type(value) is not dict:
        raise RecordRefused("record is not an object")
    return Parsed(value)


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        sign = match.group()[:1]
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest


@dataclass(slots=True)
class _Hooks:
    """What the standard decoder calls for numbers and objects."""

    odd_numbers: int = 0
    repeated_keys: int = 0
    notes: list[str] = field(default_factory=list)

    def integer(self, digits: str) -> int | float:
        if len(digits.lstrip("-")) <= _DIGITS:
            return int(digits)
        self.odd_numbers += 1
        return OddNumber(digits)

    def fraction(self, digits: str) -> float:
        whole, _, decimals = digits.lstrip("-").partition(".")
        if len(whole) <= _DIGITS and 0 < len(decimals) <= _DECIMALS and decimals.isdigit():
            return float(digits) if len(whole) + len(decimals) <= _DIGITS else LongNumber(digits)
        self.odd_numbers += 1
        return OddNumber(digits)

    @staticmethod
    def constant(name: str) -> float:
        raise RecordRefused("NaN or an infinity", name)

    def members(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        found = dict(pairs)
        self.repeated_keys += len(pairs) - len(found)
        return found


def _parse_exactly(text: bytes, *, strict: bool) -> Parsed:
    hooks = _Hooks()
    decoder = json.JSONDecoder(
        parse_int=hooks.integer,
        parse_float=hooks.fraction,
        parse_constant=hooks.constant,
        object_pairs_hook=hooks.members if strict else None,
        strict=False,
    )
    try:
        value = decoder.decode(_decoded(text, hooks))
    except json.JSONDecodeError as error:
        raise RecordRefused("not JSON", f"{error.msg} at sign {error.pos}") from None
    except RecursionError:
        raise RecordRefused("nested too deep") from None
    if not isinstance(value, dict):
        raise RecordRefused("record is not an object")
    if b"\\ud" in text or b"\\uD" in text:
        value = _without_lone(value, hooks)
    if _CONTROL.search(text) and any(_CONTROL.search(match.group()) for match in _TOKEN.finditer(text)):
        hooks.notes.append(CONTROL_SIGN)
    return Parsed(value, hooks.odd_numbers, hooks.repeated_keys, tuple(dict.fromkeys(hooks.notes)))


def _decoded(text: bytes, hooks: _Hooks) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        hooks.notes.append(INVALID_UTF8)
        return text.decode("utf-8", "replace")


def _without_lone(value: dict[str, Json], hooks: _Hooks) -> dict[str, Json]:
    """Return the object with U+FFFD for each surrogate that has no partner; no UTF-8 text can hold one."""

    def repaired(item: Json) -> Json:
        if isinstance(item, str):
            return _whole(item, hooks)
        if isinstance(item, list):
            return [repaired(member) for member in item]
        if isinstance(item, dict):
            return {_whole(name, hooks): repaired(member) for name, member in item.items()}
        return item

    return {_whole(name, hooks): repaired(member) for name, member in value.items()}


def _whole(text: str, hooks: _Hooks) -> str:
    if not _LONE.search(text):
        return text
    hooks.notes.append(LONE_SURROGATE)
    return _LONE.sub("\ufffd", text)

"""JSON text read by hand, token by token: for the few bytes of a file that are no records.

Envelopes are opened here. A top-level object, or an element of a top-level list, is an envelope when one of its members is
named exactly `Records` or `records` (however it is escaped) and holds a list that is empty or begins with an object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aibr_hunt.intake.structure import Positions, Structure

NEED_MORE, NOT_JSON = -1, -2

_ENVELOPE_NAMES = frozenset({"Records", "records"})
_SPACE = re.compile(rb"[ \t\r\n]*+")
_SEPARATORS = re.compile(rb"[ \t\r\n,]*+")
_STRING_BODY = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+')
_SCALAR = re.compile(rb"-?[0-9][0-9eE.+-]*+|true|false|null|NaN|-?Infinity")
_BRACKET = re.compile(rb'["\[\]{}]')
_PROLOGUE = re.compile(rb'\{\s*+"[Rr]ecords"\s*+:\s*+\[(?=\s*+[{\]])')
_IS_SPACE = np.zeros(256, np.bool_)
_IS_SPACE[list(b" \t\r\n")] = True
_SHORTEST_TOKEN = 9  # `-Infinity`: fewer bytes than this may be the begin of a token


@dataclass(frozen=True, slots=True)
class Entrance:
    """The way into an envelope.

    Attributes:
        at: Position after the `[` of its record list.
        others: Names of the members before it.
    """

    at: int
    others: tuple[str, ...]


def envelope_hints(buffer: bytes, structure: Structure) -> Positions:
    """Return the places of all `[` that may open a record list: a superset, found at the speed of memory.

    Before the bracket stand a colon and a name that ends in `ds`, plainly or with its last letters escaped.
    """
    places = structure.places_of(ord("["))
    data = np.frombuffer(buffer, np.uint8)
    quotes = _before(data, _before(data, places, ord(":")), ord('"'))
    last, before = data[quotes - 1], data[quotes - 2]
    is_end = ((last == ord("s")) & ((before == ord("d")) | (before == ord("4")))) | (last == ord("3"))
    found: Positions = places[is_end & (quotes > structure.start + 2)]
    return found


def _before(data: npt.NDArray[np.uint8], places: Positions, sign: int) -> Positions:
    """Return, for each place, that of the last sign before it that is no space if it is `sign`; else 0."""
    before = np.maximum(places - 1, 0)
    blank = _IS_SPACE[data[before]].nonzero()[0]
    while len(blank):
        before[blank] -= 1
        blank = blank[(before[blank] > 0) & _IS_SPACE[data[before[blank]]]]
    found: Positions = np.where(data[before] == sign, before, 0)
    return found


class Walk:
    """Reads tokens of one buffer, with the help of its structure to leap over objects.

    Args:
        buffer: The text.
        structure: Its braces.
        is_last: True when nothing follows the buffer.
    """

    def __init__(self, buffer: bytes, structure: Structure, *, is_last: bool) -> None:
        """Keep what is read."""
        self._buffer = buffer
        self._structure = structure
        self._is_last = is_last and structure.end == len(buffer)

    def value_end(self, at: int, depth: int) -> int:
        """Return the end of the value that begins at `at`, NEED_MORE or NOT_JSON; `depth` counts braces as the structure does."""
        if at >= self._structure.end:
            return NEED_MORE
        sign = self._buffer[at : at + 1]
        if sign == b'"':
            return self._string_end(at)
        if sign == b"{":
            return self._object_end(at, depth)
        if sign == b"[":
            return self._list_end(at, depth)
        return self._scalar_end(at)

    def member(self, at: int) -> tuple[str, int] | int:
        """Return the name of the member whose name begins at `at`, and where its value begins; else NEED_MORE or NOT_JSON."""
        if self._buffer[at : at + 1] != b'"':
            return NOT_JSON
        end = self._string_end(at)
        if end < 0:
            return end
        colon = self._skip(_SPACE, end)
        if colon >= self._structure.end:
            return NEED_MORE
        if self._buffer[colon : colon + 1] != b":":
            return NOT_JSON
        value = self._skip(_SPACE, colon + 1)
        return (_text(self._buffer[at:end]), value) if value < self._structure.end else NEED_MORE

    def record_list(self, name: str, value: int) -> int:
        """Return the place after the `[` when the member is a record list, NOT_JSON when it is none, or NEED_MORE."""
        if name not in _ENVELOPE_NAMES or self._buffer[value : value + 1] != b"[":
            return NOT_JSON
        first = self._skip(_SPACE, value + 1)
        if first >= self._structure.end:
            return NEED_MORE
        return value + 1 if self._buffer[first] in b"{]" else NOT_JSON

    def plain_entrance(self, at: int) -> Entrance | None:
        """Return the way into an envelope whose record list is its first member, as most are; None says nothing."""
        match = _PROLOGUE.match(self._buffer, at, self._structure.end)
        return Entrance(match.end(), ()) if match else None

    def entrance(self, at: int, depth: int) -> Entrance | int:
        """Return the way into the object at `at` if it is an envelope; NOT_JSON when it is none, NEED_MORE when that is not known yet."""
        others: list[str] = []
        at = self._skip(_SEPARATORS, at + 1)
        while at < self._structure.end:
            member = self.member(at)
            if isinstance(member, int):
                return member
            name, value = member
            inside = self.record_list(name, value)
            if inside > 0:
                return Entrance(inside, tuple(others))
            end = NEED_MORE if inside == NEED_MORE else self.value_end(value, depth + 1)
            if end < 0:
                return end
            others.append(name)
            at = self._skip(_SEPARATORS, end)
        return NEED_MORE

    def _skip(self, signs: re.Pattern[bytes], at: int) -> int:
        match = signs.match(self._buffer, at, self._structure.end)
        return match.end() if match else at

    def _string_end(self, at: int) -> int:
        match = _STRING_BODY.match(self._buffer, at, self._structure.end)
        end = match.end() if match else at
        if end >= self._structure.end - 1 and self._buffer[end : end + 1] != b'"':
            return NEED_MORE if self._buffer[end : end + 1] in {b"", b"\\"} or end >= self._structure.end else NOT_JSON
        return end + 1 if self._buffer[end : end + 1] == b'"' else NOT_JSON

    def _object_end(self, at: int, depth: int) -> int:
        level = self._structure.level(depth)
        index = int(level.starts.searchsorted(at))
        if index >= len(level.starts) or level.starts[index] != at:
            return NOT_JSON
        return int(level.ends[index]) if index < len(level.ends) else NEED_MORE

    def _list_end(self, at: int, depth: int) -> int:
        open_lists = 0
        while match := _BRACKET.search(self._buffer, at, self._structure.end):
            sign = match.group()
            at = match.end()
            if sign == b"[":
                open_lists += 1
            elif sign == b"]":
                open_lists -= 1
                if not open_lists:
                    return at
            elif sign == b"}":
                return NOT_JSON
            else:
                at = self._string_end(at - 1) if sign == b'"' else self._object_end(at - 1, depth)
                if at < 0:
                    return at
        return NEED_MORE

    def _scalar_end(self, at: int) -> int:
        match = _SCALAR.match(self._buffer, at, self._structure.end)
        if match is None:
            is_short = self._structure.end - at < _SHORTEST_TOKEN and not self._is_last
            return NEED_MORE if is_short else NOT_JSON
        end = match.end()
        if end == self._structure.end:
            return end if self._is_last else NEED_MORE
        return end if self._buffer[end] in b" \t\r\n,]}" else NOT_JSON


def _text(token: bytes) -> str:
    """Return the text of a string token; one that does not parse stands for itself."""
    if b"\\" in token:
        try:
            return str(json.loads(token.decode("utf-8", "replace"), strict=False))
        except ValueError:
            pass
    return token[1:-1].decode("utf-8", "replace")

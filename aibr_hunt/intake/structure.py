"""Where the braces of a buffer stand outside strings, and how deep: exact, and at the speed of memory.

The method is that of simdjson, written for numpy: one bit a byte for each class of bytes, a prefix XOR over the
quotes for the inside of strings, and population counts for the depth at each 64-byte word. Only words in which the depth
can come down to the asked level are looked at bit by bit. Square brackets are left out: what stands between two
records is checked as text by `frame`, so braces are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Positions: TypeAlias = npt.NDArray[np.int64]

BLOCK_BYTES = 1 << 20
_WORD = 64
_SHIFTS = tuple(np.uint64(1 << power) for power in range(6))
_ONE, _TOP = np.uint64(1), np.uint64(63)
_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _NEWLINE = (np.uint8(ord(sign)) for sign in '"\\{}\n')
_NO_POSITIONS: Positions = np.empty(0, np.int64)
_NO_WORDS: Words = np.empty(0, np.uint64)


@dataclass(slots=True)
class State:
    """What one block, or one buffer, hands to the next: string state, depth and escape at the border."""

    in_string: bool = False
    depth: int = 0
    is_escaped: bool = False
    after_newline: bool = False


class Workspace:
    """Arrays that every block uses again: fresh memory would cost more than the work."""

    def __init__(self) -> None:
        """Reserve room for one block."""
        self._flags = np.zeros(BLOCK_BYTES, np.bool_)
        self._shifted: Words = np.empty(BLOCK_BYTES // _WORD, np.uint64)

    def bitmap(self, block: Bytes, sign: np.uint8) -> Words:
        """Return one bit for each byte of `block`, set where it is `sign`; the last word is filled with zeros."""
        size = len(block)
        padded = -(-size // _WORD) * _WORD
        np.equal(block, sign, out=self._flags[:size])
        if padded != size:
            self._flags[size:padded] = False
        return np.packbits(self._flags[:padded], bitorder="little").view(np.uint64)

    def prefix_xor(self, words: Words, *, carry: bool) -> Words:
        """Turn each bit of `words`, in place, into the parity of all bits up to it; `carry` starts it odd."""
        shifted = self._shifted[: len(words)]
        for shift in _SHIFTS:
            np.left_shift(words, shift, out=shifted)
            np.bitwise_xor(words, shifted, out=words)
        ends = np.bitwise_xor.accumulate(words, out=shifted).view(np.int64)
        np.right_shift(ends, 63, out=ends)
        words[1:] ^= shifted[:-1]
        if carry:
            np.invert(words, out=words)
        return words


class _Part(NamedTuple):
    """The words of one block, or of all blocks joined."""

    opens: Words
    closes: Words
    floor: npt.NDArray[np.int32]
    net: npt.NDArray[np.int8]
    string_newlines: Words
    line_opens: Words


_EMPTY = _Part(_NO_WORDS, _NO_WORDS, np.empty(0, np.int32), np.empty(0, np.int8), _NO_WORDS, _NO_WORDS)


@dataclass(frozen=True, slots=True)
class Level:
    """All objects that open at one depth, in order: byte positions of `{` and of the place after `}`.

    When `starts` is one longer than `ends`, the last object is not closed in the buffer.
    """

    starts: Positions
    ends: Positions


class Structure:
    """The braces of a part of a buffer outside strings, with their depth relative to the first byte of the part.

    Args:
        buffer: The text.
        start: First byte of the part; positions count from the buffer's begin all the same.
        end: End of the part.
        workspace: Arrays to work in.
        state: What an earlier part left at its end; the default begins outside strings at depth 0.

    Attributes:
        state: What this part leaves.
        string_newlines: Positions of raw line feeds inside strings: JSON has none, so a string is broken before each.
        line_opens: Positions of `{` outside strings that follow a line feed at once.
    """

    def __init__(self, buffer: bytes, *, start: int, end: int, workspace: Workspace, state: State | None = None) -> None:
        """Scan the part once."""
        self.start, self.end = start, end
        self.state = state or State()
        self._workspace = workspace
        self._levels: dict[int, Level] = {}
        self._has_newline = buffer.find(b"\n", start, end) >= 0
        self._has_backslash = buffer.find(b"\\", start, end) >= 0
        data = np.frombuffer(buffer, np.uint8)[start:end]
        self._words = _joined([self._scan(data[at : at + BLOCK_BYTES], self.state) for at in range(0, len(data), BLOCK_BYTES)])
        self.string_newlines = self._set_bits(self._words.string_newlines)
        self.line_opens = self._set_bits(self._words.line_opens)

    def _scan(self, block: Bytes, state: State) -> _Part:
        """Return the words of one block, and move the state to its end."""
        workspace = self._workspace
        quotes = workspace.bitmap(block, _QUOTE)
        if self._has_backslash:
            _drop_escaped(quotes, workspace.bitmap(block, _BACKSLASH), len(block), state=state)
        inside = workspace.prefix_xor(quotes, carry=state.in_string)
        state.in_string = bool(inside[-1] >> _TOP)
        opens, closes = workspace.bitmap(block, _OPEN), workspace.bitmap(block, _CLOSE)
        string_newlines, line_starts = _NO_WORDS, _NO_WORDS
        if self._has_newline:
            newlines = workspace.bitmap(block, _NEWLINE)
            string_newlines = newlines & inside
            line_starts = newlines << _ONE
            line_starts[1:] |= newlines[:-1] >> _TOP
            line_starts[0] |= np.uint64(state.after_newline)
            state.after_newline = bool(block[-1] == _NEWLINE)
        outside = np.invert(inside, out=inside)
        np.bitwise_and(opens, outside, out=opens)
        np.bitwise_and(closes, outside, out=closes)
        opened = np.bitwise_count(opens).view(np.int8)
        net = opened - np.bitwise_count(closes).view(np.int8)
        floor = np.cumsum(net, dtype=np.int32)
        if state.depth:
            floor += state.depth
        state.depth = int(floor[-1])
        floor -= opened
        return _Part(opens, closes, floor, net, string_newlines, line_starts & opens if self._has_newline else _NO_WORDS)

    def level(self, depth: int) -> Level:
        """Return the objects that open at `depth` (0 is where the scan began; it can be negative)."""
        found = self._levels.get(depth)
        if found is None:
            found = self._levels[depth] = self._find_level(depth)
        return found

    def _find_level(self, depth: int) -> Level:
        words = np.flatnonzero(self._words.floor <= depth)
        opens = self._words.opens[words]
        net = self._words.net[words].astype(np.int32)
        # `floor` is the depth after the word less its opens, so this is the depth before the word.
        before = self._words.floor[words] + np.bitwise_count(opens) - net
        bits = np.flatnonzero(np.unpackbits((opens | self._words.closes[words]).view(np.uint8), bitorder="little").view(np.bool_))
        row = bits >> 6
        is_open = np.unpackbits(opens.view(np.uint8), bitorder="little")[bits].view(np.bool_)
        running = np.cumsum(np.where(is_open, np.int8(1), np.int8(-1)), dtype=np.int32)
        after = running + (before - (np.cumsum(net) - net))[row]
        opening, closing = is_open & (after == depth + 1), ~is_open & (after == depth)
        return Level(self._at(words, bits[opening]), self._at(words, bits[closing]) + 1)

    def _set_bits(self, words: Words) -> Positions:
        filled = np.flatnonzero(words)
        return self._at(filled, np.flatnonzero(np.unpackbits(words[filled].view(np.uint8), bitorder="little").view(np.bool_)))

    def _at(self, words: Positions, bits: Positions) -> Positions:
        places: Positions = (words[bits >> 6] << 6) + (bits & 63) + self.start
        return places


def _joined(parts: list[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else _EMPTY


def _drop_escaped(quotes: Words, backslashes: Words, size: int, *, state: State) -> None:
    """Clear the bits of `quotes` that a backslash escapes; `state.is_escaped` says so of the first byte, then of the next block's."""
    before = backslashes << _ONE
    before[1:] |= backslashes[:-1] >> _TOP
    if not state.is_escaped and not np.any(before & backslashes):
        np.bitwise_and(quotes, np.invert(before, out=before), out=quotes)
        state.is_escaped = bool(backslashes[(size - 1) >> 6] >> np.uint64((size - 1) & 63) & _ONE)
        return
    filled = np.flatnonzero(backslashes)
    bits = np.flatnonzero(np.unpackbits(backslashes[filled].view(np.uint8), bitorder="little").view(np.bool_))
    positions = (filled[bits >> 6] << 6) + (bits & 63)
    targets = _escaped_after_runs(positions, is_first_escaped=state.is_escaped)
    state.is_escaped = bool(len(targets)) and int(targets[-1]) == size
    if state.is_escaped:
        targets = targets[:-1]
    np.bitwise_and.at(quotes, targets >> 6, ~(_ONE << (targets & 63).astype(np.uint64)))


def _escaped_after_runs(backslashes: Positions, *, is_first_escaped: bool) -> Positions:
    """Return the places right after a run of an odd number of backslashes: what stands there is escaped."""
    if is_first_escaped:
        if not len(backslashes) or backslashes[0] != 0:
            return np.concatenate((np.zeros(1, np.int64), _escaped_after_runs(backslashes, is_first_escaped=False)))
        backslashes = backslashes[1:]
    if not len(backslashes):
        return _NO_POSITIONS
    is_last = np.append(np.diff(backslashes) != 1, [True])
    lasts = np.flatnonzero(is_last)
    lengths = np.diff(np.concatenate(([-1], lasts)))
    ends: Positions = backslashes[lasts[(lengths & 1) == 1]]
    return ends + 1

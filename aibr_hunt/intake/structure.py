"""Where the braces of a buffer stand outside strings, and how deep: exact, and at the speed of memory.

The method is that of simdjson, written for numpy: one bit a byte for each class of bytes, a prefix XOR over the
quotes for the inside of strings, and population counts for the depth at each 64-byte word. Only words in which the depth
can come down to the asked level are looked at bit by bit. Square brackets are left out: what stands between two
records is checked as text by `frame`, so braces are enough.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Positions: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

BLOCK_BYTES = 1 << 21
_WORD = 64
_SHIFTS = tuple(np.uint64(1 << power) for power in range(6))
_ONE, _TOP = np.uint64(1), np.uint64(63)
_ODD_BITS, _ALL = np.uint64(0xAAAAAAAAAAAAAAAA), np.uint64(0xFFFFFFFFFFFFFFFF)
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

    def flags(self, block: Bytes, sign: np.uint8) -> Flags:
        """Return, until the next call, where `block` is `sign`; filled with False to whole words."""
        size = len(block)
        padded = -(-size // _WORD) * _WORD
        np.equal(block, sign, out=self._flags[:size])
        if padded != size:
            self._flags[size:padded] = False
        return self._flags[:padded]

    def bitmap(self, block: Bytes, sign: np.uint8) -> Words:
        """Return one bit for each byte of `block`, set where it is `sign`; the last word is filled with zeros."""
        return np.packbits(self.flags(block, sign), bitorder="little").view(np.uint64)

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


class _Local(threading.local):
    """Each thread's own workspace."""

    def __init__(self) -> None:
        self.workspace = Workspace()


_LOCAL = _Local()


class _Part(NamedTuple):
    """The words of one block, or of all blocks joined."""

    opens: Words
    closes: Words
    floor: npt.NDArray[np.int32]
    net: npt.NDArray[np.int8]
    string_newlines: Positions
    line_opens: Positions


_EMPTY = _Part(_NO_WORDS, _NO_WORDS, np.empty(0, np.int32), np.empty(0, np.int8), _NO_POSITIONS, _NO_POSITIONS)


@dataclass(frozen=True, slots=True)
class Level:
    """All objects that open at one depth, in order: byte positions of `{` and of the place after `}`.

    When `starts` is one longer than `ends`, the last object is not closed in the part. `outer_end` is the place after the `}`
    that ends an object which was open when the part began; None when there is none.
    """

    starts: Positions
    ends: Positions
    outer_end: int | None = None


class Structure:
    """The braces of a part of a buffer outside strings, with their depth relative to the first byte of the part.

    Args:
        buffer: The text.
        start: First byte of the part; positions count from the buffer's begin all the same.
        end: End of the part.
        state: What an earlier part left at its end; the default begins outside strings at depth 0.

    Attributes:
        state: What this part leaves.
        string_newlines: Positions of raw line feeds inside strings: JSON has none, so a string is broken before each.
        line_opens: Positions of `{` outside strings that follow a line feed at once.
    """

    def __init__(self, buffer: bytes, *, start: int, end: int, state: State | None = None) -> None:
        """Scan the part once."""
        self.start, self.end = start, end
        self.state = state or State()
        self._buffer = buffer
        self._workspace = _LOCAL.workspace
        self._levels: dict[int, Level] = {}
        self._has_newline = buffer.find(b"\n", start, end) >= 0
        self._has_backslash = buffer.find(b"\\", start, end) >= 0
        data = np.frombuffer(buffer, np.uint8)[start:end]
        self._words = _joined([self._scan(data, at) for at in range(0, len(data), BLOCK_BYTES)])
        self.string_newlines, self.line_opens = self._words.string_newlines, self._words.line_opens

    def _scan(self, data: Bytes, at: int) -> _Part:
        """Return the words of the block that begins at `at`, and move the state to its end."""
        workspace, state = self._workspace, self.state
        block = data[at : at + BLOCK_BYTES]
        quotes = workspace.bitmap(block, _QUOTE)
        if self._has_backslash or state.is_escaped:
            self._drop_escaped(quotes, block)
        inside = workspace.prefix_xor(quotes, carry=state.in_string)
        state.in_string = bool(inside[-1] >> _TOP)
        opens, closes = workspace.bitmap(block, _OPEN), workspace.bitmap(block, _CLOSE)
        string_newlines, line_starts = _NO_POSITIONS, _NO_POSITIONS
        if self._has_newline:
            newlines = true_places(workspace.flags(block, _NEWLINE))
            string_newlines = newlines[_bits(inside, newlines)] + (at + self.start)
            line_starts = newlines[newlines < len(block) - 1] + 1
            if state.after_newline:
                line_starts = np.concatenate((np.zeros(1, np.int64), line_starts))
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
        line_opens = line_starts[_bits(opens, line_starts)] + (at + self.start)
        return _Part(opens, closes, floor, net, string_newlines, line_opens)

    def _drop_escaped(self, quotes: Words, block: Bytes) -> None:
        """Clear the bits of `quotes` that a backslash escapes; the state says so of the block's first byte, then of the next one's."""
        backslashes = self._workspace.bitmap(block, _BACKSLASH)
        escaped = _escaped(backslashes, np.uint64(0))
        leaves = (escaped ^ backslashes) & backslashes
        leaves >>= _TOP
        for word in (backslashes == _ALL).nonzero()[0].tolist():
            # What enters a word reaches its end only through 64 backslashes in a row, which hand it on unchanged.
            leaves[word] = leaves[word - 1] if word else self.state.is_escaped
        entered = leaves[:-1].nonzero()[0] + 1
        escaped[entered] = _escaped(backslashes[entered], _ONE)
        if self.state.is_escaped:
            escaped[:1] = _escaped(backslashes[:1], _ONE)
        last = len(block) & 63
        self.state.is_escaped = bool(escaped[-1] >> np.uint64(last) & _ONE if last else leaves[-1])
        quotes &= ~escaped

    def places_of(self, sign: int) -> Positions:
        """Return where `sign`, a rare one, stands in the part, inside strings too."""
        data = np.frombuffer(self._buffer, np.uint8)[self.start : self.end]
        blocks = range(0, len(data), BLOCK_BYTES)
        found = [true_places(self._workspace.flags(data[at : at + BLOCK_BYTES], np.uint8(sign))) + (self.start + at) for at in blocks]
        return np.concatenate(found) if found else _NO_POSITIONS

    def level(self, depth: int) -> Level:
        """Return the objects that open at `depth` (0 is where the scan began; it can be negative)."""
        found = self._levels.get(depth)
        if found is None:
            found = self._levels[depth] = self._find_level(depth)
        return found

    def _find_level(self, depth: int) -> Level:
        words = (self._words.floor <= depth).nonzero()[0]
        opens = self._words.opens[words]
        net = self._words.net[words].astype(np.int32)
        # `floor` is the depth after the word less its opens, so this is the depth before the word.
        before = self._words.floor[words] + np.bitwise_count(opens) - net
        bits = np.unpackbits((opens | self._words.closes[words]).view(np.uint8), bitorder="little").view(np.bool_).nonzero()[0]
        row = bits >> 6
        is_open = np.unpackbits(opens.view(np.uint8), bitorder="little")[bits].view(np.bool_)
        running = np.cumsum(np.where(is_open, np.int8(1), np.int8(-1)), dtype=np.int32)
        after = running + (before - (np.cumsum(net) - net))[row]
        opening, closing = is_open & (after == depth + 1), ~is_open & (after == depth)
        starts, ends = self._at(words, bits[opening]), self._at(words, bits[closing]) + 1
        if len(ends) and not (len(starts) and starts[0] < ends[0]):
            return Level(starts, ends[1:], int(ends[0]))
        return Level(starts, ends)

    def _at(self, words: Positions, bits: Positions) -> Positions:
        places: Positions = (words[bits >> 6] << 6) + (bits & 63) + self.start
        return places


def true_places(flags: Flags) -> Positions:
    """Return where an array of few hits, of a length that eight divides, is true: eight flags at a time first."""
    eights = flags.view(np.uint64)
    groups = (eights != 0).nonzero()[0]
    inner = eights[groups].view(np.bool_).nonzero()[0]
    places: Positions = (groups[inner >> 3] << 3) + (inner & 7)
    return places


def _bits(words: Words, places: Positions) -> Flags:
    """Return the bits of `words` at the given places."""
    bits: Flags = (words[places >> 6] >> (places & 63).astype(np.uint64) & _ONE).astype(np.bool_)
    return bits


def _joined(parts: list[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else _EMPTY


def _escaped(backslashes: Words, entering: np.uint64) -> Words:
    """Return the bits of the signs that a backslash escapes; `entering` is 1 where each word's first sign is escaped from before.

    A subtraction lets a borrow run along each row of backslashes, which tells the odd places from the even ones (the method of
    simdjson, json_escape_scanner).
    """
    escaping = backslashes & ~entering
    code = escaping << _ONE
    code |= _ODD_BITS
    code -= escaping
    code ^= _ODD_BITS
    code ^= backslashes | entering
    return code

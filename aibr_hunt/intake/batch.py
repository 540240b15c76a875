"""Framed records as an engine gets them, and the text that runs from buffer to buffer underneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aibr_hunt.intake.encoding import UTF_8, Encoding, Transcoder, utf16_offsets
from aibr_hunt.intake.framed import Framed
from aibr_hunt.intake.structure import Positions


@dataclass(slots=True, eq=False)
class Batch:
    """Framed records of one buffer.

    Attributes:
        buffer: UTF-8 content that holds the records whole.
        starts, ends: The records, as slices of `buffer`.
        offsets, lengths: The records' byte ranges in the decoded content, in the content's own encoding.
        first_ordinal: Number of the first record in the file, from 1.
        must_parse: For each record, whether its text may differ from its bytes (a byte beyond ASCII, a file that is
            not UTF-8, a CSV row); None when that is so for none.
        origin: The buffer's bytes as delivered where they are not UTF-8, and `origin_offset` their place in the content.
        json_of: Turns a row into JSON; None where the records are JSON.
    """

    buffer: bytes
    starts: Positions
    ends: Positions
    offsets: Positions
    lengths: Positions
    first_ordinal: int
    must_parse: npt.NDArray[np.bool_] | None
    origin: bytes | None = None
    origin_offset: int = 0
    json_of: Callable[[bytes], bytes] | None = None

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.starts)

    def raw(self, index: int) -> bytes:
        """Return the record's bytes as delivered, in the content's own encoding."""
        if self.origin is None:
            return self.buffer[self.starts[index] : self.ends[index]]
        start = int(self.offsets[index]) - self.origin_offset
        return self.origin[start : start + int(self.lengths[index])]

    def text(self, index: int) -> bytes:
        """Return the record as UTF-8 JSON text; a CSV row becomes an object of its columns."""
        text = self.buffer[self.starts[index] : self.ends[index]]
        return text if self.json_of is None else self.json_of(text)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one buffer came to: its batch, the refused ranges (offset, length) in the content, and how many bytes are framing."""

    batch: Batch
    refused: tuple[tuple[int, int], ...]
    framing_bytes: int


class Text:
    """The content of one file as UTF-8 text: what is not consumed runs over into the next buffer.

    Args:
        encoding: How the content is written.
    """

    def __init__(self, encoding: Encoding) -> None:
        """Begin behind the byte order mark."""
        self._transcoder = None if encoding.name == UTF_8 else Transcoder(encoding.name)
        self._rest = b""
        self._origin = b""
        self._offset = encoding.mark_bytes
        self._ordinal = 1

    @property
    def rest_bytes(self) -> int:
        """UTF-8 bytes that wait for more."""
        return len(self._rest)

    @property
    def offset(self) -> int:
        """Place in the content of the first byte that waits."""
        return self._offset

    @property
    def odd_bytes(self) -> int:
        """Bytes of a code unit that the content breaks off in."""
        return self._transcoder.odd_bytes if self._transcoder else 0

    @property
    def has_replaced(self) -> bool:
        """True when something was no UTF-16 and stands as U+FFFD now."""
        return self._transcoder is not None and self._transcoder.has_replaced

    def extend(self, pieces: Sequence[bytes], *, is_last: bool) -> bytes:
        """Return the buffer: what waited, and the pieces."""
        if self._transcoder is None:
            self._rest = b"".join((self._rest, *pieces))
        else:
            origin, text = self._transcoder.feed(b"".join(pieces), is_last=is_last)
            self._origin += origin
            self._rest += text
        return self._rest

    def take(self, framed: Framed, json_of: Callable[[bytes], bytes] | None) -> Taken:
        """Move behind what is consumed, and return it with its places in the content."""
        starts, ends, marks, consumed = self._places(framed)
        lengths = ends - starts
        batch = Batch(
            buffer=self._rest,
            starts=framed.starts,
            ends=framed.ends,
            offsets=starts + self._offset,
            lengths=lengths,
            first_ordinal=self._ordinal,
            must_parse=self._must_parse(self._rest, framed, has_rows=json_of is not None),
            origin=None if self._transcoder is None else self._origin,
            origin_offset=self._offset,
            json_of=json_of,
        )
        refused = tuple((self._offset + start, end - start) for start, end in marks)
        framing = consumed - int(lengths.sum()) - sum(length for _, length in refused)
        self._rest, self._origin = self._rest[framed.consumed :], self._origin[consumed:]
        self._offset += consumed
        self._ordinal += len(framed.starts)
        return Taken(batch, refused, framing)

    def _places(self, framed: Framed) -> tuple[Positions, Positions, list[tuple[int, int]], int]:
        """Return starts, ends, refused ranges and the end of what is consumed in the content's own encoding."""
        marks = [(refused.start, refused.end) for refused in framed.refused]
        if self._transcoder is None:
            return framed.starts, framed.ends, marks, framed.consumed
        flat = np.array([place for mark in marks for place in mark] + [framed.consumed], np.int64)
        places = utf16_offsets(self._rest, np.concatenate((framed.starts, framed.ends, flat)))
        count = len(framed.starts)
        moved = places[2 * count :].tolist()
        return places[:count], places[count : 2 * count], list(zip(moved[:-1:2], moved[1:-1:2], strict=True)), moved[-1]

    def _must_parse(self, buffer: bytes, framed: Framed, *, has_rows: bool) -> npt.NDArray[np.bool_] | None:
        if has_rows or self._transcoder is not None:
            return np.ones(len(framed.starts), np.bool_)
        data = np.frombuffer(buffer, np.uint8)
        # The least byte, read as signed, tells in one pass whether any has its high bit set.
        if not len(framed.starts) or data.view(np.int8).min() >= 0:
            return None
        places = (data >= 0x80).nonzero()[0]
        owners = framed.starts.searchsorted(places, side="right") - 1
        is_inside = (owners >= 0) & (places < framed.ends[owners])
        flags = np.zeros(len(framed.starts), np.bool_)
        flags[owners[is_inside]] = True
        return flags if flags.any() else None

"""How the content is written, and where a byte of our UTF-8 stands in it.

Everything downstream reads UTF-8. Content in UTF-16 is rewritten on the way in, and positions are counted back, so that
an account and a piece of evidence speak of the file's own bytes.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

UTF_8, UTF_16_LE, UTF_16_BE = "utf-8", "utf-16-le", "utf-16-be"
PROBE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the first bytes say.

    Attributes:
        name: `utf-8`, `utf-16-le` or `utf-16-be`.
        mark_bytes: Length of the byte order mark; 0 when there is none.
    """

    name: str
    mark_bytes: int


def encoding_of(head: bytes) -> Encoding | None:
    """Return the encoding that the first bytes of some content show; None for UTF-32, which is not read.

    Args:
        head: The first PROBE_BYTES bytes, or all there are.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    if head.startswith(codecs.BOM_UTF8):
        return Encoding(UTF_8, 3)
    if head.startswith(codecs.BOM_UTF16_LE):
        return Encoding(UTF_16_LE, 2)
    if head.startswith(codecs.BOM_UTF16_BE):
        return Encoding(UTF_16_BE, 2)
    return Encoding(_unmarked(head), 0)


def _unmarked(head: bytes) -> str:
    """Tell UTF-16 without a mark by its zeros: the first signs of JSON and of a CSV header are ASCII."""
    signs = head[: min(len(head) & ~1, 8)]
    low, high = signs[0::2], signs[1::2]
    if signs and not any(high) and all(low):
        return UTF_16_LE
    if signs and not any(low) and all(high):
        return UTF_16_BE
    return UTF_8


@dataclass(slots=True)
class Transcoder:
    """Rewrites UTF-16 as UTF-8, piece by piece; what is no UTF-16 becomes U+FFFD, one for each code unit.

    Attributes:
        name: `utf-16-le` or `utf-16-be`.
        has_replaced: True once something was replaced.
    """

    name: str
    has_replaced: bool = False
    _rest: bytes = field(default=b"")

    def feed(self, piece: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
        """Return the original bytes that are done with, and the same text in UTF-8.

        An odd byte at the very end is left out of both: `odd_bytes` tells of it.
        """
        data = self._rest + piece
        size = len(data) & ~1
        if size and not is_last and self._is_high(data[size - 2 : size]):
            size -= 2
        self._rest = data[size:]
        return data[:size], self._text(data[:size]).encode()

    @property
    def odd_bytes(self) -> int:
        """Bytes left over after the last piece: 0, or 1 when the content ends inside a code unit."""
        return len(self._rest)

    def _is_high(self, unit: bytes) -> bool:
        return (unit[1] if self.name == UTF_16_LE else unit[0]) & 0xFC == 0xD8

    def _text(self, data: bytes) -> str:
        try:
            return data.decode(self.name)
        except UnicodeDecodeError:
            self.has_replaced = True
            return data.decode(self.name, "replace")


def utf16_offsets(text: bytes, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return, for positions in UTF-8 `text`, the byte offsets of the same places in UTF-16."""
    data = np.frombuffer(text, np.uint8)
    units = ((data & 0xC0) != 0x80).astype(np.int8) + (data >= 0xF0)
    before = np.zeros(len(data) + 1, np.int64)
    np.cumsum(units, out=before[1:])
    return before[positions] * 2

"""The running account of one file: what became of each byte, and what the reader should know besides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aibr_hunt.model.event import ByteClass, Refusal

# The codes by which an engine says what it did with a record: positions in this tuple. FRAMING is never a record's class.
CLASSES = (ByteClass.FRAMING, ByteClass.MATCHED, ByteClass.PARSED, ByteClass.SKIMMED, ByteClass.REFUSED)
MATCHED, PARSED, SKIMMED, REFUSED = 1, 2, 3, 4


class Tally:
    """Byte and record counts, refusals and notes of one file.

    Args:
        refusals_kept: How many refusals are kept one by one; the rest is counted.
    """

    def __init__(self, *, refusals_kept: int) -> None:
        """Start at nothing."""
        self._kept = refusals_kept
        self._bytes = [0] * len(CLASSES)
        self._records = [0] * len(CLASSES)
        self._content: list[Refusal] = []
        self._stored: list[Refusal] = []
        self._notes: dict[str, None] = {}
        self.left_out = 0

    @property
    def byte_counts(self) -> dict[ByteClass, int]:
        """Bytes for each class."""
        return dict(zip(CLASSES, self._bytes, strict=True))

    @property
    def record_counts(self) -> dict[ByteClass, int]:
        """Records for each class that a record can have."""
        return dict(zip(CLASSES[1:], self._records[1:], strict=True))

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Refused ranges of the content in the order of their offsets, then those of the stored file."""
        return tuple(sorted(self._content, key=_offset) + sorted(self._stored, key=_offset))

    @property
    def notes(self) -> tuple[str, ...]:
        """Each note once, in the order in which it was first made."""
        return tuple(self._notes)

    def note(self, text: str) -> None:
        """Keep a fact for the reader; one that starts with `!` makes the account incomplete."""
        self._notes[text] = None

    def add_framing(self, size: int) -> None:
        """Count `size` bytes as framing."""
        self._bytes[0] += size

    def add_records(self, classes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64]) -> None:
        """Count records of the given classes with their lengths."""
        records = np.bincount(classes, minlength=len(CLASSES))
        sizes = np.bincount(classes, weights=lengths, minlength=len(CLASSES))
        for code in range(1, len(CLASSES)):
            self._records[code] += int(records[code])
            self._bytes[code] += int(sizes[code])

    def refuse(self, refusal: Refusal, *, is_continued: bool = False) -> None:
        """Count a content range as refused.

        Args:
            refusal: The range.
            is_continued: True when it goes on where the last one ended, so that both are one.
        """
        self._bytes[REFUSED] += refusal.length
        if is_continued and self._content and self._content[-1].offset + self._content[-1].length == refusal.offset:
            last = self._content.pop()
            self._content.append(_widened(last, refusal.length))
        elif not is_continued or not self._records[REFUSED]:
            self._records[REFUSED] += 1
            self.list_refusal(refusal)

    def list_refusal(self, refusal: Refusal) -> None:
        """Keep a refusal for the reader without counting its bytes."""
        kept = self._stored if refusal.is_stored else self._content
        # What is refused of the stored file is at most a handful, and the gravest: it is never left out.
        if refusal.is_stored or len(kept) < self._kept:
            kept.append(refusal)
        else:
            self.left_out += 1


def _offset(refusal: Refusal) -> int:
    return refusal.offset


def _widened(refusal: Refusal, size: int) -> Refusal:
    return Refusal(
        reason=refusal.reason,
        offset=refusal.offset,
        length=refusal.length + size,
        is_stored=refusal.is_stored,
        detail=refusal.detail,
    )


def share_of(names: Sequence[str], *, most: int) -> str:
    """Return the names for a note: printable, short, and at most `most` of them."""
    shown = [name[:64].encode("ascii", "backslashreplace").decode() for name in names[:most]]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(text if text.isprintable() else repr(text) for text in shown) + rest

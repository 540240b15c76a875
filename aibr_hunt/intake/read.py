"""One pass over one file: its content in batches of framed records, and afterwards its account."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from aibr_hunt.errors import IntakeError
from aibr_hunt.intake.batch import Batch, Text
from aibr_hunt.intake.csv_rows import CsvFramer, CsvShape, Header, find_header
from aibr_hunt.intake.decompress import NONE, Content, Stored
from aibr_hunt.intake.encoding import PROBE_BYTES, UTF_8, Encoding, encoding_of
from aibr_hunt.intake.files import Found
from aibr_hunt.intake.frame import JsonFramer
from aibr_hunt.intake.framed import without_large
from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.intake.memory import keep_freed_memory
from aibr_hunt.intake.parse import Parsed
from aibr_hunt.intake.tally import REFUSED, Tally, share_of
from aibr_hunt.model.event import Account, ByteClass, Refusal

_MEMBERS_NAMED = 20
_BLANKS = b" \t\r\n"
_FOREIGN = (
    (b"PAR1", "Parquet"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x1f\x8b", "compressed twice"),
    (b"\x28\xb5\x2f\xfd", "compressed twice"),
    (b"Obj\x01", "Avro"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
)


class FileReading:
    """One pass over one file.

    Iterate `batches` to its end, call `classify` for each batch before the next is asked for, then `account`.

    Args:
        found: The file, as discovery saw it.
        limits: What is accepted at most.
        csv: The export forms that a CSV header is compared with.

    Attributes:
        csv_shape: The export form that the file turned out to have; None for any other file.
        odd_numbers, repeated_keys, untimed: Counters over the parsed records; `count` adds to the first two.
    """

    def __init__(self, found: Found, *, limits: Limits = LIMITS, csv: Sequence[CsvShape] | CsvShape | None = None) -> None:
        """Touch nothing yet: the file is opened when the first batch is asked for."""
        keep_freed_memory()
        self.found = found
        self.csv_shape: CsvShape | None = None
        self.odd_numbers = self.repeated_keys = self.untimed = 0
        self._limits = limits
        self._csv: Sequence[CsvShape] = (csv,) if isinstance(csv, CsvShape) else tuple(csv or ())
        self._tally = Tally(refusals_kept=limits.refusals_kept)
        self._framer: JsonFramer | CsvFramer | None = None
        self._encoding = Encoding(UTF_8, 0)
        self._stored_size, self._digest, self._content_size = found.size, "", 0
        self._compression = NONE
        self._times: tuple[datetime, datetime] | None = None
        self._open_batch: Batch | None = None
        self._refused: dict[int, tuple[str, str]] = {}

    def batches(self) -> Iterator[Batch]:
        """Yield the file's records in order, batch by batch; faults of the file become refusals of its account.

        Raises:
            IntakeError: When a batch was not classified before the next one was asked for: a fault of the caller.
        """
        try:
            stored = Stored(self.found.real, read_bytes=self._limits.read_bytes)
        except IntakeError as error:
            self._refuse_stored("unreadable file", self.found.size, error.what)
            return
        try:
            content = Content(stored, limits=self._limits, tally=self._tally)
            self._compression = content.compression
            for batch in self._read(content):
                self._open_batch = batch
                yield batch
                if self._open_batch is not None:
                    raise IntakeError(f"A batch of {self.found.shown} was not classified.", hint="Call classify for each batch.")
            self._note_change(stored)
            self._stored_size, self._digest, self._content_size = stored.position, stored.digest, content.size
        except OSError as error:
            self._refuse_stored("unreadable file", 0, error.strerror or str(error))
        finally:
            stored.close()

    def _read(self, content: Content) -> Iterator[Batch]:
        text: Text | None = None
        pieces = content.pieces()
        pending: list[bytes] = []
        size, wanted, is_last = 0, max(PROBE_BYTES, self._limits.chunk_bytes), False
        while not is_last:
            piece = next(pieces, None)
            is_last = piece is None
            if piece is not None:
                pending.append(piece)
                size += len(piece)
            if size < wanted and not is_last:
                continue
            if text is None:
                text = self._begin(pending)
            batch = self._take(text, pending, is_last=is_last)
            if batch is not None:
                yield batch
            # Doubling keeps the work on a record that is larger than the buffer linear.
            pending, size, wanted = [], 0, max(self._limits.chunk_bytes, text.rest_bytes)

    def _begin(self, pending: list[bytes]) -> Text:
        """Learn the encoding from the first bytes, and drop the byte order mark from them."""
        head = b"".join(pending)
        encoding = encoding_of(head[:PROBE_BYTES])
        if encoding is None:
            self._tally.note("!the content is UTF-32, which is not read")
            encoding = Encoding(UTF_8, 0)
        self._encoding = encoding
        self._tally.add_framing(encoding.mark_bytes)
        pending[:] = [head[encoding.mark_bytes :]]
        return Text(encoding)

    def _take(self, text: Text, pieces: Sequence[bytes], *, is_last: bool) -> Batch | None:
        """Frame what is there and count what is no record; None when there is no record."""
        buffer = text.extend(pieces, is_last=is_last)
        framer = self._framer = self._framer or self._choose_framer(buffer, is_last=is_last)
        if framer is None:
            return None
        most = self._limits.record_bytes
        framed = without_large(framer.frame(buffer, is_last=is_last, most_bytes=most), most)
        taken = text.take(framed, framer.json_of if isinstance(framer, CsvFramer) else None)
        self._tally.add_framing(taken.framing_bytes)
        for refused, (offset, length) in zip(framed.refused, taken.refused, strict=True):
            self._tally.refuse(Refusal(reason=refused.reason, offset=offset, length=length), is_continued=refused.is_continued)
        if is_last:
            self._finish(text, framer)
        return taken.batch if len(taken.batch) else None

    def _choose_framer(self, text: bytes, *, is_last: bool) -> JsonFramer | CsvFramer | None:
        """Tell JSON from CSV by the first sign; None while that needs more text."""
        head = text.lstrip(_BLANKS)
        if not head and not is_last:
            return None
        if head[:1] in {b"{", b"["} or not head:
            return JsonFramer(self._tally.note)
        for magic, name in _FOREIGN:
            if head.startswith(magic):
                self._tally.note(f"!the content is {name}: not read")
                return JsonFramer(self._tally.note)
        header = find_header(text, self._csv, is_last=is_last)
        if isinstance(header, Header):
            self.csv_shape = header.shape
            return CsvFramer(header)
        return None if header is False else JsonFramer(self._tally.note)

    def _finish(self, text: Text, framer: JsonFramer | CsvFramer) -> None:
        """Account for the very last bytes, and say what the framing knows."""
        if text.odd_bytes:
            self._tally.refuse(Refusal(reason="truncated UTF-16", offset=text.offset, length=text.odd_bytes))
        if text.has_replaced:
            self._tally.note("invalid UTF-16 was replaced")
        for doubt in framer.doubts() if isinstance(framer, CsvFramer) else ():
            self._tally.note(doubt)
        if framer.members:
            names = share_of(tuple(framer.members), most=_MEMBERS_NAMED)
            self._tally.note(f"envelope members beside the records are framing: {names}")

    def _note_change(self, stored: Stored) -> None:
        """Say when the file is not what discovery saw, or changed under the reading."""
        before = (self.found.size, self.found.mtime_ns, self.found.inode)
        now = os.stat(self.found.real)  # noqa: PTH116 - as discovery asks
        seen = {_mark(status) for status in (stored.status, now)}
        if seen != {before} or stored.position != self.found.size:
            self._tally.note("!changed while read")

    def _refuse_stored(self, reason: str, length: int, detail: str) -> None:
        self._tally.list_refusal(Refusal(reason=reason, offset=0, length=length, is_stored=True, detail=detail))

    # What the engine says

    def classify(self, batch: Batch, classes: npt.NDArray[np.uint8]) -> None:
        """Count what became of each record of `batch`.

        Args:
            batch: The batch that was yielded last.
            classes: For each record MATCHED, PARSED, SKIMMED or REFUSED of `intake.tally`; a record for which `refuse`
                was called counts as refused whatever stands here.
        """
        for index, (reason, detail) in self._refused.items():
            classes[index] = REFUSED
            offset, length = int(batch.offsets[index]), int(batch.lengths[index])
            self._tally.list_refusal(Refusal(reason=reason, offset=offset, length=length, detail=detail))
        self._refused.clear()
        self._tally.add_records(classes, batch.lengths)
        self._open_batch = None

    def refuse(self, batch: Batch, index: int, reason: str, detail: str = "") -> None:  # noqa: PLR0917 - reason and detail are one refusal
        """Refuse record `index` of `batch`, before the batch is classified.

        Args:
            batch: The batch that was yielded last.
            index: The record.
            reason: A short fixed phrase; refusals are counted by it.
            detail: What the decoder said, never data of the log.
        """
        if batch is not self._open_batch:
            raise IntakeError("Only a record of the batch that was yielded last can be refused.")
        self._refused[index] = (reason, detail)

    def count(self, parsed: Parsed) -> None:
        """Add what parsing one record showed: odd numbers, repeated keys, and what had to be replaced."""
        self.odd_numbers += parsed.odd_numbers
        self.repeated_keys += parsed.repeated_keys
        for note in parsed.notes:
            self._tally.note(note)

    def note(self, text: str) -> None:
        """Keep a fact for the reader of the account; one that starts with `!` makes the account incomplete."""
        self._tally.note(text)

    def note_time(self, first: datetime, last: datetime) -> None:
        """Widen the time span of the parsed records to hold `first` and `last` (aware UTC)."""
        if self._times is not None:
            first, last = min(first, self._times[0]), max(last, self._times[1])
        self._times = (first, last)

    def account(self, *, source: str) -> Account:
        """Return what became of every byte; to be asked after the last batch. Bad input never raises here.

        Args:
            source: Name of the log source by which the file was read.
        """
        tally = self._tally
        first, last = self._times or (None, None)
        is_parsed = not tally.record_counts[ByteClass.SKIMMED] and self._times is not None and not self.untimed
        return Account(
            path=self.found.shown,
            stored_size=self._stored_size,
            digest=self._digest,
            content_size=self._content_size,
            format=self._form(),
            compression=self._compression,
            encoding=self._encoding.name,
            source=source,
            byte_counts=tally.byte_counts,
            record_counts=tally.record_counts,
            refusals=tally.refusals,
            refusals_left_out=tally.left_out,
            notes=tally.notes,
            first_time=first,
            last_time=last,
            span="parsed" if is_parsed else "file-bounded",
            odd_numbers=self.odd_numbers,
            repeated_keys=self.repeated_keys,
            untimed=self.untimed,
        )

    def _form(self) -> str:
        if self._framer is not None and self._framer.forms:
            return "+".join(self._framer.forms)
        return "unknown" if self._tally.refusals else "empty"


def _mark(status: os.stat_result) -> tuple[int, int, tuple[int, int]]:
    return status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino)

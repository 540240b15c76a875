"""Reads bytes as a file and tells what came of them: what the tests of intake share."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.csv_rows import CsvShape
from aibr_hunt.intake.files import Found, discover
from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.intake.read import FileReading
from aibr_hunt.intake.tally import PARSED
from aibr_hunt.model.event import Account, Json

SMALL = Limits(chunk_bytes=64, read_bytes=16)


@dataclass(frozen=True, slots=True)
class Read:
    """What one file held.

    Attributes:
        values: The records that parsed.
        raws, places: Their bytes as delivered, and where they lay (offset, length, ordinal).
        account: What became of every byte.
        reading: The reading itself.
    """

    values: list[Json]
    raws: list[bytes]
    places: list[tuple[int, int, int]]
    account: Account
    reading: FileReading

    @property
    def reasons(self) -> list[str]:
        """The reasons of the refusals, in order."""
        return [refusal.reason for refusal in self.account.refusals]


def read_found(found: Found, *, limits: Limits = LIMITS, csv: Sequence[CsvShape] = ()) -> Read:
    """Read one discovered file, parse every record, and check that its account adds up."""
    reading = FileReading(found, limits=limits, csv=csv)
    values: list[Json] = []
    raws: list[bytes] = []
    places: list[tuple[int, int, int]] = []
    for batch in reading.batches():
        for index in range(len(batch)):
            try:
                parsed = parse_record(batch.text(index))
            except RecordRefused as refusal:
                reading.refuse(batch, index, refusal.reason, refusal.detail)
                continue
            reading.count(parsed)
            values.append(parsed.value)
            raws.append(batch.raw(index))
            places.append(_place(batch, index))
        reading.classify(batch, np.full(len(batch), PARSED, np.uint8))
    account = reading.account(source="test")
    assert account.is_balanced, account
    return Read(values, raws, places, account, reading)


def _place(batch: Batch, index: int) -> tuple[int, int, int]:
    return int(batch.offsets[index]), int(batch.lengths[index]), batch.first_ordinal + index


def read_bytes(content: bytes, *, limits: Limits = LIMITS, csv: Sequence[CsvShape] = (), name: str = "log.json") -> Read:
    """Read `content` as if it lay in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return read_found(discover([path]).files[0], limits=limits, csv=csv)

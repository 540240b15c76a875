"""Large records: whole up to the limit, refused by name beyond it, and the records around them are read."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from zlib_ng import zlib_ng

from aibr_hunt.intake.limits import Limits
from aibr_hunt.model.event import ByteClass
from tests.unit.intake_samples import read_bytes

BEFORE, AFTER = {"n": 1}, {"n": 3}
KIB, MIB = 1 << 10, 1 << 20


def large(size: int) -> dict[str, object]:
    """A record of about `size` bytes, with all that makes framing hard inside."""
    item = {"text": '},{"Records":[{ \\" "', "list": [1, {"x": "y"}]}
    count = size // len(json.dumps(item))
    return {"n": 2, "items": [item] * count}


def wrapped(record: dict[str, object], layout: str) -> bytes:
    records = [BEFORE, record, AFTER]
    if layout == "lines":
        return b"\n".join(json.dumps(one).encode() for one in records)
    if layout == "pretty":
        return json.dumps({"Records": records}, indent=1).encode()
    return json.dumps({"Records": records}, separators=(",", ":")).encode()


LAYOUTS = pytest.mark.parametrize("layout", ["lines", "records", "pretty"])


@LAYOUTS
@pytest.mark.parametrize("chunk", [512, 4 * KIB, MIB])
def test_an_event_of_sixty_kilobytes_is_read_whole(layout: str, chunk: int) -> None:
    record = large(60 * KIB)
    read = read_bytes(zlib_ng.compress(wrapped(record, layout), 6, 31), limits=Limits(chunk_bytes=chunk, read_bytes=512))
    assert read.values == [BEFORE, record, AFTER]
    assert read.account.is_complete


@LAYOUTS
def test_an_event_of_twenty_mebibytes_is_read_whole(layout: str) -> None:
    record = {"n": 2, "text": "x" * (20 * MIB), "list": [{"a": '"'}]}
    started = time.process_time()
    read = read_bytes(wrapped(record, layout))
    assert read.values == [BEFORE, record, AFTER]
    assert read.account.is_complete
    assert time.process_time() - started < 20


@LAYOUTS
@pytest.mark.parametrize("chunk", [64, KIB, MIB])
def test_a_record_beyond_the_limit_is_refused_alone(layout: str, chunk: int) -> None:
    record = large(50 * KIB)
    read = read_bytes(wrapped(record, layout), limits=Limits(record_bytes=20 * KIB, chunk_bytes=chunk, read_bytes=512))
    assert read.values == [BEFORE, AFTER]
    assert read.account.record_counts[ByteClass.REFUSED] == 1
    (refusal,) = read.account.refusals
    assert refusal.reason == "record larger than the limit"
    assert refusal.length >= len(json.dumps(record, separators=(",", ":")))


def test_a_broken_record_beyond_the_limit_ends_at_a_line() -> None:
    text = b'{"n":1}\n{"n":2,"list":[' + b"{},\n" * 20_000 + b'"open\n{"n":3}\n'
    read = read_bytes(text, limits=Limits(record_bytes=16 * KIB, chunk_bytes=KIB))
    assert read.values[0] == BEFORE
    assert read.values[-1] == AFTER
    assert read.reasons


def test_a_large_member_beside_the_records_is_passed_over() -> None:
    text = json.dumps({"blob": "x" * 300_000, "list": [{"y": []}] * 5000, "Records": [BEFORE, AFTER]}).encode()
    read = read_bytes(text, limits=Limits(chunk_bytes=KIB))
    assert read.values == [BEFORE, AFTER]
    assert read.account.is_complete


def test_memory_does_not_grow_with_the_file() -> None:
    peaks = []
    for count in (20_000, 200_000):
        lines = b"".join(b'{"n":%d,"pad":"%s"}\n' % (number, b"y" * 80) for number in range(count))
        stored = zlib_ng.compress(lines, 1, 31)
        del lines
        tracemalloc.start()
        peaks.append(peak_of_reading(stored))
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4 * MIB


def peak_of_reading(stored: bytes) -> int:
    """Read without keeping anything, and return the most memory that was held."""
    import tempfile
    from pathlib import Path

    import numpy as np

    from aibr_hunt.intake.files import discover
    from aibr_hunt.intake.read import FileReading
    from aibr_hunt.intake.tally import SKIMMED

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.gz")
        path.write_bytes(stored)
        reading = FileReading(discover([path]).files[0])
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for batch in reading.batches():
            reading.classify(batch, np.full(len(batch), SKIMMED, np.uint8))
        return tracemalloc.get_traced_memory()[1] - before

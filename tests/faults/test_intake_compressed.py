"""Faulty compressed files: whole records before a fault count, the fault is refused in stored bytes, nothing hangs or swells."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.model.event import ByteClass
from tests.unit.intake_samples import SMALL, Read, read_bytes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = [json.dumps({"n": number, "pad": f"{number * 7919:x}" * 3}) for number in range(400)]
TEXT = ("\n".join(LINES) + "\n").encode()
HALF = TEXT.index(b"\n", len(TEXT) // 2) + 1
EACH = pytest.mark.parametrize("kind", ["gzip", "zstd"])
EACH_SIZE = pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["whole", "small"])


def packed(text: bytes, kind: str) -> bytes:
    if kind == "gzip":
        return zlib_ng.compress(text, 6, 31)
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


def numbers(read: Read) -> list[object]:
    return [value["n"] for value in read.values if isinstance(value, dict)]


@EACH
@EACH_SIZE
def test_compression_is_told_by_the_first_bytes(kind: str, limits: Limits) -> None:
    stored = packed(TEXT, kind)
    read = read_bytes(stored, limits=limits, name="misnamed.json")
    assert numbers(read) == list(range(400))
    assert (read.account.compression, read.account.is_complete) == (kind, True)
    assert (read.account.stored_size, read.account.content_size) == (len(stored), len(TEXT))
    assert read.account.digest == hashlib.sha256(stored).hexdigest()


@EACH
@EACH_SIZE
def test_several_members_are_one_content(kind: str, limits: Limits) -> None:
    # The border runs through a record, as in a file that was put together from parts.
    read = read_bytes(packed(TEXT[: HALF + 9], kind) + packed(b"", kind) + packed(TEXT[HALF + 9 :], kind), limits=limits)
    assert numbers(read) == list(range(400))
    assert read.account.is_complete
    assert read.account.notes[0].startswith("3 ")


@EACH
@EACH_SIZE
def test_trailing_bytes_are_refused_where_they_lie(kind: str, limits: Limits) -> None:
    stored = packed(TEXT, kind)
    read = read_bytes(stored + b"garbage" * 9, limits=limits)
    assert numbers(read) == list(range(400))
    (refusal,) = read.account.refusals
    assert (refusal.reason, refusal.is_stored) == (f"trailing bytes after the {kind} data", True)
    assert (refusal.offset, refusal.length) == (len(stored), 63)
    assert read.account.digest == hashlib.sha256(stored + b"garbage" * 9).hexdigest()


@EACH
def test_trailing_zeros_are_padding(kind: str) -> None:
    read = read_bytes(packed(TEXT, kind) + bytes(512))
    assert read.account.is_complete
    assert read.account.notes == ("512 bytes of zero padding after the compressed data",)


@EACH
@EACH_SIZE
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_gives_its_whole_records(kind: str, limits: Limits, share: float) -> None:
    stored = packed(TEXT, kind)
    cut = int(len(stored) * share)
    read = read_bytes(stored[:cut], limits=limits)
    found = numbers(read)
    assert found == list(range(len(found)))
    if kind == "gzip":
        assert len(found) > 400 * share - 60
    (refusal,) = [refusal for refusal in read.account.refusals if refusal.is_stored]
    assert (refusal.reason, refusal.offset, refusal.length) == (f"truncated {kind} data", cut, 0)
    assert not read.account.is_complete


@EACH
@EACH_SIZE
def test_a_truncated_last_member_leaves_the_members_before(kind: str, limits: Limits) -> None:
    stored = packed(TEXT[:HALF], kind) + packed(TEXT[HALF:], kind)[:-7]
    read = read_bytes(stored, limits=limits)
    assert len(read.values) >= TEXT[:HALF].count(b"\n")
    assert read.reasons[-1] == f"truncated {kind} data"


@EACH
@EACH_SIZE
def test_a_wrong_checksum_costs_no_record_and_is_said(kind: str, limits: Limits) -> None:
    stored = bytearray(packed(TEXT, kind))
    stored[-6 if kind == "gzip" else -2] ^= 0xFF
    read = read_bytes(bytes(stored), limits=limits)
    if kind == "gzip":
        assert numbers(read) == list(range(400))
    (refusal,) = [refusal for refusal in read.account.refusals if refusal.is_stored]
    assert refusal.reason == f"damaged {kind} data"
    assert refusal.detail
    assert not read.account.is_complete


@EACH
@EACH_SIZE
def test_damage_in_the_middle_costs_what_lies_behind_it(kind: str, limits: Limits) -> None:
    seed = random.Random(5)
    text = b"".join(b'{"n":%d,"pad":"%x"}\n' % (number, seed.getrandbits(400)) for number in range(6000))
    stored = bytearray(packed(text, kind))
    at = len(stored) // 2
    stored[at : at + 40] = bytes(40)
    read = read_bytes(bytes(stored), limits=limits)
    found = numbers(read)
    assert found[:2000] == list(range(2000))
    assert read.reasons[-1] == f"damaged {kind} data"
    refusal = read.account.refusals[-1]
    assert refusal.offset + refusal.length == len(stored)
    assert read.account.digest == hashlib.sha256(stored).hexdigest()


def test_skippable_frames_are_skipped() -> None:
    skippable = bytes.fromhex("5a2a4d18") + (5).to_bytes(4, "little") + b"abcde"
    read = read_bytes(skippable + packed(TEXT, "zstd") + skippable)
    assert numbers(read) == list(range(400))
    assert read.account.is_complete


@EACH
def test_an_empty_member_is_an_empty_file(kind: str) -> None:
    read = read_bytes(packed(b"", kind))
    assert (read.account.format, read.account.content_size, read.account.is_complete) == ("empty", 0, True)


@pytest.mark.parametrize("stored", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"])
def test_a_file_that_ends_in_its_header_is_truncated(stored: bytes) -> None:
    read = read_bytes(stored)
    assert read.values == []
    assert [reason.split()[0] for reason in read.reasons] == ["truncated"]


@EACH
def test_compressed_twice_is_refused_by_name(kind: str) -> None:
    read = read_bytes(packed(packed(TEXT, kind), kind))
    assert read.values == []
    assert read.account.notes[0] == "!the content is compressed twice: not read"


@EACH
def test_a_bomb_is_stopped_at_the_stated_ratio(kind: str) -> None:
    stored = packed(b'{"a":1}\n' + b" " * 30_000_000, kind)
    limits = Limits(bomb_ratio=100, bomb_floor_bytes=1 << 20)
    tracemalloc.start()
    read = read_bytes(stored, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.values == [{"a": 1}]
    (refusal,) = read.account.refusals
    assert refusal.reason == "more content than the limit on compressed files"
    assert read.account.content_size < 10 << 20
    assert peak < 30 << 20
    assert read.account.digest == hashlib.sha256(stored).hexdigest()


@EACH
def test_an_ordinary_ratio_is_no_bomb(kind: str) -> None:
    text = b'{"eventName":"GetObject","eventSource":"s3.amazonaws.com","pad":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' * 30_000
    assert read_bytes(
        packed(text, kind), limits=Limits(bomb_floor_bytes=1 << 20, bomb_ratio=1100 if kind == "gzip" else 20_000)
    ).account.is_complete


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_content_beyond_the_limit_is_refused(kind: str) -> None:
    stored = TEXT if kind == "none" else packed(TEXT, kind)
    read = read_bytes(stored, limits=Limits(content_bytes=5000, chunk_bytes=1024, read_bytes=512))
    found = numbers(read)
    assert found == list(range(len(found)))
    assert 50 < len(found) < 400
    assert any(refusal.is_stored and refusal.reason.startswith("more content than the limit") for refusal in read.account.refusals)


@EACH
@given(data=st.data())
def test_any_damage_gives_a_balanced_account_and_the_right_digest(kind: str, data: st.DataObject) -> None:
    stored = bytearray(packed(TEXT, kind) + packed(TEXT[:HALF], kind))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stored) - 1))
        if data.draw(st.booleans()):
            stored[at] ^= data.draw(st.integers(1, 255))
        else:
            del stored[at : at + data.draw(st.integers(1, 50))]
        if not stored:
            break
    read = read_bytes(bytes(stored), limits=data.draw(st.sampled_from([LIMITS, SMALL])))
    assert read.account.digest == hashlib.sha256(stored).hexdigest()
    assert read.account.stored_size == len(stored)
    assert sum(read.account.byte_counts.values()) == read.account.content_size
    # Where nothing was found, nothing is missing but whole members: a checksum guards each.
    assert not read.account.is_complete or read.account.content_size in {len(TEXT) + HALF, len(TEXT), HALF, 0}


def test_gzip_reads_as_the_standard_library_does() -> None:
    stored = zlib.compress(TEXT, 9, 31)
    assert numbers(read_bytes(stored)) == list(range(400))
    assert read_bytes(stored).account.byte_counts[ByteClass.FRAMING] == 400

"""Faulty text: one bad place costs its own record, is refused with its range, and never the rest of the file."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.model.event import ByteClass
from tests.unit.intake_samples import SMALL, read_bytes

BYTE_BY_BYTE = Limits(chunk_bytes=1, read_bytes=1)
EACH_SIZE = pytest.mark.parametrize("limits", [LIMITS, SMALL, BYTE_BY_BYTE], ids=["whole", "small", "byte by byte"])

# Name: text, records that are read, refused ranges as text.
BAD_LINES = {
    "words": (b'{"a":1}\nERROR not json\n{"b":2}\n', [{"a": 1}, {"b": 2}], [b"ERROR not json\n"]),
    "words with quotes and braces": (b'{"a":1}\nfoo "bar {\n{"b":2}\n', [{"a": 1}, {"b": 2}], [b'foo "bar {\n']),
    "words before all": (b'# log\n// "\n{"a":1}\n', [{"a": 1}], [b'# log\n// "\n']),
    "words before a record": (b'INFO {"a":1}\n{"b":2}\n', [{"b": 2}], [b'INFO {"a":1}\n']),
    "words after a record": (b'{"a":1} trailing\n{"b":2}\n', [{"a": 1}, {"b": 2}], [b"trailing\n"]),
    "text is not closed": (b'{"a":"b}\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":"b}\n']),
    "text is not opened": (b'{"a":b"}\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":b"}\n']),
    "quote too many behind": (b'{"a":1}"\n{"c":2}\n', [{"a": 1}, {"c": 2}], [b'"\n']),
    "object is not closed": (b'{"a":{"b":1}\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":{"b":1}\n']),
    "object is not closed, last but one": (b'{"a":{"b":1}\n{"c":2}', [{"c": 2}], [b'{"a":{"b":1}\n']),
    "cut behind a colon": (b'{"a":\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":\n']),
    "cut behind a comma": (b'{"a":1,\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":1,\n']),
    "cut in a list": (b'{"a":[\n{"c":2}\n{"d":3}\n', [{"c": 2}, {"d": 3}], [b'{"a":[\n']),
    "brace too many": (b'{"a":1}}\n{"c":2}\n', [{"a": 1}, {"c": 2}], [b"}\n"]),
    "the last line is cut": (b'{"a":1}\n{"b":"x', [{"a": 1}], [b'{"b":"x']),
    "feed in a text": (b'{"a":"x\ny"}\n{"c":2}\n', [{"c": 2}], [b'{"a":"x\ny"}\n']),
    "zeros": (b'{"a":1}\n\x00\x00\x00\n{"c":2}\n', [{"a": 1}, {"c": 2}], [b"\x00\x00\x00\n"]),
    "a list that is none": (b'[INFO] x\n{"c":2}\n', [{"c": 2}], [b"[INFO] x\n"]),
}


@EACH_SIZE
@pytest.mark.parametrize(("text", "values", "refused"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_costs_only_itself(text: bytes, values: list[object], refused: list[bytes], limits: Limits) -> None:
    read = read_bytes(text, limits=limits)
    assert read.values == values
    assert [text[refusal.offset : refusal.offset + refusal.length] for refusal in read.account.refusals] == refused
    assert not read.account.is_complete


LINE = st.dictionaries(
    st.sampled_from(["a", "b\\", 'c"']),
    st.one_of(st.integers(), st.text(max_size=9), st.lists(st.dictionaries(st.text(max_size=2), st.none()))),
    max_size=3,
)


@given(records=st.lists(LINE, min_size=2, max_size=7), data=st.data())
def test_a_mutilated_line_leaves_the_other_lines_whole(records: list[dict[str, object]], data: st.DataObject) -> None:
    lines = [json.dumps({"id": number, **record}) for number, record in enumerate(records)]
    bad = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(1, len(lines[bad]) - 1))
    signs = data.draw(st.text(st.sampled_from('{}[]"\\,:x '), max_size=3))
    lines[bad] = lines[bad][:cut] + signs + lines[bad][cut + data.draw(st.integers(0, 8)) :]
    read = read_bytes("\n".join(lines).encode(), limits=data.draw(st.sampled_from([LIMITS, SMALL, BYTE_BY_BYTE])))
    found = [value.get("id") for value in read.values if isinstance(value, dict)]
    others = [number for number in range(len(records)) if number != bad]
    assert [number for number in found if number in others] == others


def test_a_broken_element_of_a_pretty_printed_list_costs_only_itself() -> None:
    text = json.dumps({"Records": [{"id": number, "in": {"x": [1]}} for number in range(5)]}, indent=2)
    broken = text.replace('"id": 2', '"id: 2')
    read = read_bytes(broken.encode())
    assert [value["id"] for value in read.values if isinstance(value, dict)] == [0, 1, 3, 4]
    assert read.reasons == ["broken record"]
    assert read.account.record_counts[ByteClass.REFUSED] == 1


def test_a_broken_element_of_a_list_on_one_line_refuses_to_the_end() -> None:
    read = read_bytes(b'{"Records":[{"a":1},{"b":"x},{"c":3}]}')
    assert read.values == [{"a": 1}]
    assert read.reasons == ["truncated record"]
    assert read.account.refusals[0].offset == 20
    assert read.account.refusals[0].length == 18


def test_a_document_after_a_broken_one_is_an_envelope_again() -> None:
    read = read_bytes(b'{"Records":[{"a":1},{"b":"x},{"c":3}]}\n{"Records":[{"d":4},{"e":5}]}\n')
    assert read.values == [{"a": 1}, {"d": 4}, {"e": 5}]
    assert read.reasons == ["broken record"]


@EACH_SIZE
def test_a_list_that_ends_too_early_is_said(limits: Limits) -> None:
    read = read_bytes(b'{"Records":[{"a":1},{"b":2}', limits=limits)
    assert read.values == [{"a": 1}, {"b": 2}]
    assert read.account.notes == ("!the content ends inside a list or an envelope",)
    assert not read.account.is_complete


def test_a_broken_record_is_proven_early_and_not_buffered_to_the_limit() -> None:
    # The brace that is missing stands in the first line; nothing but its grammar shows it for the next 3 MiB.
    lines = [b'{"a":{"b":1,', *(b'{"n":%d,"pad":"%s"},' % (number, b"x" * 1000) for number in range(3000))]
    read = read_bytes(b"\n".join(lines), limits=Limits(record_bytes=1 << 30))
    assert len(read.values) == 3000
    assert read.reasons == ["broken record"]


def test_a_file_of_broken_lines_takes_no_quadratic_time() -> None:
    spent = []
    for lines in (1_000, 4_000):
        started = time.process_time()
        read = read_bytes(b'{"a":"broken}\n' * lines)
        spent.append(time.process_time() - started)
        assert read.account.record_counts[ByteClass.REFUSED] == lines
    assert spent[1] < 10 * spent[0]


def test_the_list_of_refusals_is_capped_and_the_rest_counted() -> None:
    read = read_bytes(b'{"a":"broken}\n' * 50, limits=Limits(refusals_kept=7))
    assert len(read.account.refusals) == 7
    assert read.account.refusals_left_out == 43
    assert read.account.record_counts[ByteClass.REFUSED] == 50


# Encodings

SAMPLE = '{"a":"é😀"}\r\n{"b":"x"}\n'
VALUES = [{"a": "é😀"}, {"b": "x"}]


@EACH_SIZE
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_gives_the_same_records_at_their_own_places(encoding: str, limits: Limits) -> None:
    content = SAMPLE.encode(encoding)
    read = read_bytes(content, limits=limits)
    assert read.values == VALUES
    assert read.account.is_complete
    for raw, (offset, length, _) in zip(read.raws, read.places, strict=True):
        assert content[offset : offset + length] == raw
    wide = encoding.replace("utf-16", "utf-16-le") if encoding == "utf-16" else encoding
    assert read.account.encoding == wide.replace("-sig", "")


def test_utf_16_with_the_other_mark_is_read() -> None:
    read = read_bytes(b"\xfe\xff" + SAMPLE.encode("utf-16-be"))
    assert (read.values, read.account.encoding) == (VALUES, "utf-16-be")


@EACH_SIZE
def test_what_is_no_utf_16_is_replaced_and_said(limits: Limits) -> None:
    content = '{"a":"'.encode("utf-16-le") + b"\x00\xd8" + '"}\n{"b":1}'.encode("utf-16-le") + b"\x7d"
    read = read_bytes(content, limits=limits)
    assert read.values == [{"a": "\ufffd"}, {"b": 1}]
    assert "invalid UTF-16 was replaced" in read.account.notes
    assert read.reasons == ["truncated UTF-16"]


def test_utf_32_is_refused_by_name() -> None:
    read = read_bytes('{"a":1}'.encode("utf-32"))
    assert read.values == []
    assert "!the content is UTF-32, which is not read" in read.account.notes


@EACH_SIZE
def test_bytes_that_are_no_utf_8_are_replaced_and_kept_in_the_evidence(limits: Limits) -> None:
    read = read_bytes(b'{"a":"\xff\xc3("}\n{"b":1}\n', limits=limits)
    assert read.values == [{"a": "\ufffd\ufffd("}, {"b": 1}]
    assert read.raws[0] == b'{"a":"\xff\xc3("}'
    assert read.account.notes == ("invalid UTF-8 was replaced",)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"PAR1\x15\x04", "Parquet"), (b"PK\x03\x04abc", "a zip archive"), (b"Obj\x01\x04", "Avro"), (b"%PDF-1.7", "a PDF document")],
)
def test_other_formats_are_refused_by_name(content: bytes, name: str) -> None:
    read = read_bytes(content)
    assert read.account.notes == (f"!the content is {name}: not read",)
    assert read.account.format == "unknown"
    assert read.account.byte_counts[ByteClass.REFUSED] == len(content)


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_complete_and_empty(content: bytes) -> None:
    read = read_bytes(content)
    assert (read.values, read.account.format, read.account.is_complete) == ([], "empty", True)


# Any bytes at all

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"[",
                b"]",
                b'"',
                b"\\",
                b",",
                b":",
                b"\n",
                b"\r\n",
                b" ",
                b'{"a":1}',
                b'{"Records":[',
                b"]}",
                b'"b"',
                b"\xef\xbb\xbf",
            ]
        ),
        st.binary(max_size=6),
    ),
    max_size=60,
).map(b"".join)


@given(content=PIECES, chunk=st.sampled_from([1, 5, 64, 1 << 20]), largest=st.sampled_from([64, 1 << 20]))
@example(content=b'{"a":"' + b"\\" * 64, chunk=1, largest=64)
@example(content=b"\xff\xfe{\x00", chunk=1, largest=64)
@example(content=b"[[[[", chunk=1, largest=64)
def test_any_bytes_give_a_balanced_account(content: bytes, chunk: int, largest: int) -> None:
    read = read_bytes(content, limits=Limits(chunk_bytes=chunk, read_bytes=7, record_bytes=largest))
    assume(read.account.compression == "none")
    assert read.account.content_size == len(content)
    assert [place[2] for place in read.places] == sorted(place[2] for place in read.places)
    for raw, (offset, length, _) in zip(read.raws, read.places, strict=True):
        assert read.account.encoding != "utf-8" or read.account.format == "csv" or content[offset : offset + length] == raw


JSON_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.sampled_from(["", "é", '"{}[],', "\\", "\n", "😀", "Records", "x" * 70])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["k", "ds", 'q"', "\\", "é"]), inner, max_size=4)),
    max_leaves=12,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "\\", 'd"']), JSON_VALUES, max_size=4), max_size=6)


def serialised(value: object, seed: random.Random) -> str:
    return json.dumps(
        value,
        ensure_ascii=seed.random() < 0.5,
        indent=seed.choice([None, None, 0, 2]),
        separators=seed.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
        sort_keys=seed.random() < 0.5,
    )


@given(
    records=RECORDS,
    layout=st.sampled_from(["lines", "list", "envelope", "joined", "spaced"]),
    seed=st.randoms(use_true_random=False),
    data=st.data(),
)
def test_well_formed_content_reads_as_an_obvious_reader_does(
    records: list[object], layout: str, seed: random.Random, data: st.DataObject
) -> None:
    if layout == "lines":
        text = "".join(json.dumps(record, ensure_ascii=seed.random() < 0.5) + "\n" for record in records)
    elif layout == "list":
        text = serialised(records, seed)
    elif layout == "envelope":
        members = {"x": data.draw(JSON_VALUES), "Records": records, "y": data.draw(JSON_VALUES)}
        text = serialised(members, seed)
    else:
        text = ("" if layout == "joined" else "\n ").join(serialised(record, seed) for record in records)
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    content = text.encode(encoding)
    read = read_bytes(content, limits=Limits(chunk_bytes=data.draw(st.sampled_from([1, 3, 64, 500, 1 << 20])), read_bytes=11))
    assert read.values == records
    assert read.account.is_complete
    for raw, (offset, length, _) in zip(read.raws, read.places, strict=True):
        assert content[offset : offset + length] == raw

"""Portal exports: rows become JSON objects, with the mapping's names where it has some."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.intake.csv_rows import CsvShape, shape_of
from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import LogSource
from tests.unit.intake_samples import SMALL, read_bytes

ACTIVITY = CsvShape(
    name="azure_activity",
    headers=(
        ("timegenerated", ("time",)),
        ("caller", ("identity", "caller")),
        ("properties", ("properties",)),
        ("operation", ("operationName",)),
    ),
    json_members=frozenset({"properties"}),
)
OTHER = CsvShape(name="other", headers=(("caller", ("who",)), ("x", ("y",))))
TEXT = (
    "TimeGenerated [UTC],Caller,Properties,Added later\r\n"
    '2026-01-02T00:00:00Z,a@example.com,"{""entity"": ""/x"", ""n"": [1, ""é""]}",1\r\n'
    '2026-01-02T00:00:01Z,"b, ""c""","not\r\njson",\r\n'
    "\r\n"
    "2026-01-02T00:00:02Z,d,,;\r\n"
)
VALUES = [
    {
        "time": "2026-01-02T00:00:00Z",
        "identity": {"caller": "a@example.com"},
        "properties": {"entity": "/x", "n": [1, "é"]},
        "Added later": "1",
    },
    {"time": "2026-01-02T00:00:01Z", "identity": {"caller": 'b, "c"'}, "properties": "not\r\njson", "Added later": ""},
    {"time": "2026-01-02T00:00:02Z", "identity": {"caller": "d"}, "properties": "", "Added later": ";"},
]
EACH_SIZE = pytest.mark.parametrize("limits", [LIMITS, SMALL, Limits(chunk_bytes=1, read_bytes=1)], ids=["whole", "small", "byte by byte"])


@EACH_SIZE
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_rows_become_the_objects_that_the_mapping_names(encoding: str, limits: Limits) -> None:
    content = TEXT.encode(encoding)
    read = read_bytes(content, limits=limits, csv=(OTHER, ACTIVITY))
    assert read.values == VALUES
    assert (read.account.format, read.account.is_complete) == ("csv", True)
    assert read.reading.csv_shape is ACTIVITY
    for raw, (offset, length, _) in zip(read.raws, read.places, strict=True):
        assert content[offset : offset + length] == raw
    assert read.raws[2].decode(encoding.removesuffix("-sig") if encoding != "utf-16" else "utf-16-le") == "2026-01-02T00:00:02Z,d,,;"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_without_a_mapping_headers_are_names(delimiter: str) -> None:
    text = f"a{delimiter}b c\n1{delimiter}2\n3{delimiter}\n".encode()
    assert read_bytes(text).values == [{"a": "1", "b c": "2"}, {"a": "3", "b c": ""}]


def test_the_line_of_spreadsheets_that_names_the_delimiter_is_framing() -> None:
    read = read_bytes(b"sep=;\r\na;b\r\n1;2\r\n")
    assert read.values == [{"a": "1", "b": "2"}]
    assert read.account.byte_counts[ByteClass.FRAMING] == len(b"sep=;\r\na;b\r\n\r\n")


def test_the_last_row_needs_no_line_feed() -> None:
    assert read_bytes(b"a,b\n1,2").values == [{"a": "1", "b": "2"}]


def test_a_known_header_alone_is_an_export_without_rows() -> None:
    read = read_bytes(b"caller,x\n", csv=(OTHER,))
    assert (read.values, read.account.format, read.account.is_complete) == ([], "csv", True)


@pytest.mark.parametrize("text", [b"a,b\n", b"a,b", b"a,b\r\n\r\n", b"a,b\r"])
@EACH_SIZE
def test_an_unknown_header_that_is_the_whole_content_makes_the_account_incomplete(text: bytes, limits: Limits) -> None:
    read = read_bytes(text, limits=limits)
    assert (read.values, read.account.format, read.account.is_complete) == ([], "csv", False)
    assert any(note.startswith("!the only row") for note in read.account.notes)


@EACH_SIZE
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_a_quote_in_mid_field_joins_no_rows(end: str, limits: Limits) -> None:
    rows = ["id,name,tag", 'n1,5" disk,x', "n2,evilthing,y", 'n3,6" disk,z', "n4,evilthing,q"]
    read = read_bytes(end.join(rows).encode(), limits=limits)
    assert read.values == [dict(zip(("id", "name", "tag"), row.split(","), strict=True)) for row in rows[1:]]
    assert read.account.is_complete


def test_a_quote_that_opens_nothing_at_the_start_of_a_field_refuses_what_it_joins() -> None:
    text = b'id,name,tag\nn0,a,b\nn1,"5 disk,x\nn2,evilthing,y\nn3,"6 disk,z\nn4,evilthing,q\n'
    read = read_bytes(text)
    assert [value["id"] for value in read.values if isinstance(value, dict)] == ["n0", "n4"]
    (refusal,) = read.account.refusals
    assert refusal.reason == "row does not parse as one CSV row"
    assert b"n2,evilthing" in text[refusal.offset : refusal.offset + refusal.length]


@EACH_SIZE
@pytest.mark.parametrize("row", [b"n1,a\rb,evilthing", b'n1,a\r"b,evilthing', b'n1,"a"\rb,evilthing'])
def test_a_carriage_return_in_an_unquoted_cell_refuses_the_row(row: bytes, limits: Limits) -> None:
    read = read_bytes(b"id,name,tag\n" + row + b"\nn2,c,d\n", limits=limits)
    assert read.values == [{"id": "n2", "name": "c", "tag": "d"}]
    assert [(one.reason, one.offset, one.length) for one in read.account.refusals] == [("row does not parse as one CSV row", 12, len(row))]


@EACH_SIZE
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lone_carriage_returns_end_rows_when_the_first_row_ends_so(encoding: str, limits: Limits) -> None:
    read = read_bytes('sep=;\rid;name\r1;"a\rb"\r\r2;é\r'.encode(encoding), limits=limits)
    assert read.values == [{"id": "1", "name": "a\rb"}, {"id": "2", "name": "é"}]
    assert read.account.is_complete


def test_a_header_that_holds_line_breaks_makes_the_account_incomplete() -> None:
    shape = CsvShape(name="s", headers=(("time", ("time",)), ("caller", ("caller",))))
    read = read_bytes(b'time,caller,"x\n1,evilthing,",y\n1,2,3,4\n', csv=(shape,))
    assert len(read.values) == 1
    assert not read.account.is_complete


@EACH_SIZE
@pytest.mark.parametrize("text", [b'time,caller,"x\n1,2,3\n', b"time,caller," + b"x" * 70_000 + b"\n1,2,3\n"], ids=["open", "long"])
def test_a_header_without_an_end_takes_no_records_along(text: bytes, limits: Limits) -> None:
    shape = CsvShape(name="s", headers=(("time", ("time",)), ("caller", ("caller",))))
    read = read_bytes(text, limits=limits if len(text) < 1000 else LIMITS, csv=(shape,))
    assert read.values == []
    assert read.account.byte_counts[ByteClass.REFUSED] >= len(text) - 2
    assert not read.account.is_complete


def test_quotes_that_open_again_on_every_line_are_refused_in_few_passes() -> None:
    text = b"a,b\n" + b'a"b,"\n' * 50_000
    read = read_bytes(text)
    assert read.values == []
    assert read.account.byte_counts[ByteClass.REFUSED] == len(text) - len(b"a,b\n")


def test_json_in_a_cell_that_nests_too_deep_refuses_its_row() -> None:
    shape = CsvShape(name="s", headers=(("time", ("time",)), ("p", ("p",))), json_members=frozenset({"p"}))
    read = read_bytes(b"time,p\n1," + b"[" * 300 + b"]" * 300 + b"\n2,[]\n", csv=(shape,))
    assert (read.values, read.reasons) == ([{"time": "2", "p": []}], ["nested too deep"])


def test_names_that_are_missing_or_twice_and_fields_without_a_name_are_kept() -> None:
    shape = CsvShape(name="s", headers=(("a", ("a",)), ("b", ("b",))))
    read = read_bytes(b"a,b,,z,z\n1,2,3,4,5,6\n7\n", csv=(shape,))
    assert read.values == [{"a": "1", "b": "2", "column 3": "3", "z": "4", "z (2)": "5", "column 6": "6"}, {"a": "7"}]


def test_columns_that_would_stand_in_each_others_way_are_both_kept() -> None:
    shape = CsvShape(name="s", headers=(("a", ("x",)), ("b", ("x", "y"))))
    assert read_bytes(b"a,b\n1,2\n", csv=(shape,)).values == [{"x": "1", "x.y": "2"}]
    assert read_bytes(b"b,a\n1,2\n", csv=(shape,)).values == [{"x": {"y": "1"}, "x (2)": "2"}]
    assert read_bytes(b"a,b,A,a [UTC]\n1,2,3,4\n", csv=(shape,)).values == [{"x": "1", "x.y": "2", "x (2)": "3", "x (3)": "4"}]


@EACH_SIZE
def test_a_quote_that_is_not_closed_costs_its_line(limits: Limits) -> None:
    text = b'a,b\n1,2\n3,"x\n5,6\n7,8\n'
    read = read_bytes(text, limits=limits)
    assert read.values == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}, {"a": "7", "b": "8"}]
    assert [(text[one.offset : one.offset + one.length], one.reason) for one in read.account.refusals] == [(b'3,"x\n', "unbalanced quote")]


def test_a_row_beyond_the_limit_is_refused() -> None:
    text = b"a,b\n1,2\n3," + b"x" * 5000 + b"\n5,6\n"
    for chunk in (64, 1 << 20):
        read = read_bytes(text, limits=Limits(record_bytes=1000, chunk_bytes=chunk, read_bytes=64))
        assert read.values[0] == {"a": "1", "b": "2"}
        assert read.values[-1] == {"a": "5", "b": "6"}
        assert set(read.reasons) == {"record larger than the limit"}


@pytest.mark.parametrize(
    "text", [b"plain words\nand more\n", b"Jan 1, 10:00 host sshd[1]: x, y\nJan 2 10:00 host\n", b"1,2\n3,4\n", b"a,a\n1,2\n"]
)
def test_other_text_is_no_export(text: bytes) -> None:
    read = read_bytes(text)
    assert (read.values, read.account.format) == ([], "unknown")
    assert read.account.record_counts[ByteClass.REFUSED] > 0
    assert not read.account.is_complete


def test_a_mapping_without_headers_has_no_export_form() -> None:
    mapping = Mapping(name="m", logsource=LogSource(product="p"), provider="p", identity=(), time=("t",), fields=())
    assert shape_of(mapping) is None


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@given(
    rows=st.lists(st.lists(FIELDS, min_size=2, max_size=2), max_size=8),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
    chunk=st.sampled_from([1, 64, 1 << 20]),
)
def test_what_a_writer_quotes_reads_back(rows: list[list[str]], encoding: str, chunk: int) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerows([["time", "caller"], *rows])
    content = table.getvalue().encode(encoding)
    read = read_bytes(content, limits=Limits(chunk_bytes=chunk, read_bytes=9))
    assert read.values == [{"time": first, "caller": second} for first, second in rows]
    assert read.account.is_complete == bool(rows)


ALL_DELIMITERS = [",", ";", "\t"]
CELLS = st.text(st.sampled_from('ab1é"",;\t \r\n\x00'), max_size=6)


def texts_of(value: object) -> list[str]:
    """Return the values of a record of texts."""
    assert isinstance(value, dict)
    return [str(text) for text in value.values()]


def refused_text(content: bytes, encoding: str, ranges: list[tuple[int, int]]) -> str:
    """Return the refused ranges as text; marks are no text."""
    marked = {"utf-16": "utf-16-le"}.get(encoding, encoding)
    return "\n".join(content[offset : offset + length].decode(marked) for offset, length in ranges)


@given(
    rows=st.lists(st.tuples(st.lists(CELLS, min_size=3, max_size=3), st.booleans()), max_size=6),
    delimiter=st.sampled_from(ALL_DELIMITERS),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
    chunk=st.sampled_from([1, 64, 1 << 20]),
)
def test_every_cell_of_any_table_is_in_a_record_or_refused(
    rows: list[tuple[list[str], bool]], delimiter: str, end: str, quoting: int, encoding: str, chunk: int
) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    written = [["1", "2", "3"]]  # the row that bears out an unknown header
    writer.writerows([["first", "second", "third"], *written])
    for cells, has_stray_quotes in rows:
        # A row with stray quotes is written bare: a sign in front keeps the quotes from opening a field.
        bare = [re.sub(f"[{delimiter}\r\n]", "", cell) for cell in cells]
        if has_stray_quotes:
            written.append([f"x{cell}" for cell in bare])
            table.write(delimiter.join(written[-1]) + end)
        else:
            written.append(cells)
            writer.writerow(cells)
    content = table.getvalue().encode(encoding)
    read = read_bytes(content, limits=Limits(chunk_bytes=chunk, read_bytes=9))
    assert read.account.format == "csv"
    found = list(itertools.chain.from_iterable(texts_of(value) for value in read.values))
    refused = refused_text(content, encoding, [(one.offset, one.length) for one in read.account.refusals]).replace('"', "")
    for cell in itertools.chain.from_iterable(written):
        # What the writer left bare may hold the other line break, which ends a row: then each piece is somewhere.
        pieces = [piece for piece in re.split(r"[\r\n]", cell) if piece.strip()]
        assert cell in found or all(any(piece in text for text in found) or piece.replace('"', "") in refused for piece in pieces)
    if quoting == csv.QUOTE_ALL:
        assert [texts_of(value) for value in read.values] == written
        assert not refused


@given(
    signs=st.lists(st.sampled_from(['"', '""', ",", "\r", "\n", "\r\n", "word"]), max_size=30),
    header=st.sampled_from(["a,b\n", "a,b\r\n", "a,b\r"]),
    chunk=st.sampled_from([1, 16, 1 << 20]),
)
def test_whatever_the_quotes_no_word_is_lost(signs: list[str], header: str, chunk: int) -> None:
    words = [f"w{index}w" for index, sign in enumerate(signs) if sign == "word"]
    content = (header + "".join(f"w{index}w" if sign == "word" else sign for index, sign in enumerate(signs))).encode()
    read = read_bytes(content, limits=Limits(chunk_bytes=chunk, read_bytes=9))
    refused = refused_text(content, "utf-8", [(one.offset, one.length) for one in read.account.refusals])
    everything = json.dumps(read.values) + refused
    assert [word for word in words if word not in everything] == []
    assert read.values == read_bytes(content).values

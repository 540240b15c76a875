"""Portal exports: rows become JSON objects, with the mapping's names where it has some."""

from __future__ import annotations

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


def test_a_header_alone_is_an_export_without_rows() -> None:
    read = read_bytes(b"a,b\n")
    assert (read.values, read.account.format, read.account.is_complete) == ([], "csv", True)


def test_names_that_are_missing_or_twice_and_fields_without_a_name_are_kept() -> None:
    shape = CsvShape(name="s", headers=(("a", ("a",)), ("b", ("b",))))
    read = read_bytes(b"a,b,,z,z\n1,2,3,4,5,6\n7\n", csv=(shape,))
    assert read.values == [{"a": "1", "b": "2", "column 3": "3", "z": "4", "z (2)": "5", "column 6": "6"}, {"a": "7"}]


def test_columns_that_would_stand_in_each_others_way_are_both_kept() -> None:
    shape = CsvShape(name="s", headers=(("a", ("x",)), ("b", ("x", "y"))))
    assert read_bytes(b"a,b\n1,2\n", csv=(shape,)).values == [{"x": "1", "x.y": "2"}]


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
    import csv
    import io

    table = io.StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerows([["time", "caller"], *rows])
    content = table.getvalue().encode(encoding)
    read = read_bytes(content, limits=Limits(chunk_bytes=chunk, read_bytes=9))
    assert read.values == [{"time": first, "caller": second} for first, second in rows]
    assert read.account.is_complete

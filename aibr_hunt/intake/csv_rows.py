"""Portal exports: rows of separated values become JSON objects, each with its own byte range.

Rows are split at line feeds outside quotes (RFC 4180); a file whose first row ends in a lone carriage return is split there too.
A quote opens a quoted field only where a field begins: the one in `5" disk` is a sign like any other and joins no rows. A mapping
may say which header stands for which member; every other column keeps its header as its name, so nothing is dropped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import orjson

from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.framed import TOO_LARGE, Framed, Refused
from aibr_hunt.intake.structure import Positions
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath, Mapping

UNBALANCED = "unbalanced quote"
NOT_ONE_ROW = "row does not parse as one CSV row"
_MANY_LINES = "!the header of the export runs over several lines: records among them are not read"
_HEADER_ALONE = "!the only row was taken for the header of an export of unknown form"
_DELIMITERS = (",", ";", "\t")
_PLAIN_NAME = re.compile(r"[^\W\d_][\w .,/()\[\]@:#$%&+-]{0,127}")
_SUFFIX = re.compile(r"\s*\[[^\]]*\]$")  # `TimeGenerated [UTC]`: the portal adds the zone of its display
_SPREADSHEET_LINE = re.compile(rb"sep=[^\r\n]?(?:\r\n|\r|\n)", re.IGNORECASE)  # says the delimiter, before the header
_LINE_FEED, _ANY_BREAK = b"\n", b"\r\n"
_HEAD_BYTES = 1 << 16
_MOST_RESUMED = 16  # fresh starts behind an open quote, for each buffer: each one reads the rest anew
_FEWEST_SHARED, _MOST_SHARED = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """How one log source looks as a portal export.

    Attributes:
        name: The mapping's name.
        headers: Header text in lower case to member path.
        json_members: Names of members whose text is JSON that the JSON form holds as objects.
    """

    name: str
    headers: tuple[tuple[str, FieldPath], ...]
    json_members: frozenset[str] = frozenset()


def shape_of(mapping: Mapping) -> CsvShape | None:
    """Return the export form that a mapping describes; None when it has none."""
    if not mapping.csv:
        return None
    return CsvShape(name=mapping.name, headers=mapping.csv, json_members=frozenset(mapping.csv_json))


@dataclass(frozen=True, slots=True)
class Header:
    """The first row: what the columns are called and what parts them.

    Attributes:
        names: Column names, each one once.
        delimiter: One of comma, semicolon, tab.
        end: Position after the header's line.
        shape: The export form that it fits; None when it is none that is known.
        breaks: The bytes that end a row: line feed, or carriage return too.
        has_many_lines: True when a quoted name holds a line break.
    """

    names: tuple[str, ...]
    delimiter: str
    end: int
    shape: CsvShape | None
    breaks: bytes = _LINE_FEED
    has_many_lines: bool = False


def find_header(text: bytes, shapes: Sequence[CsvShape], *, is_last: bool) -> Header | bool | None:
    """Return the header that begins `text`, None when it is no CSV, False when more text is needed to say.

    A header fits a shape when they share two to four names. Without a shape it must look like one (names, all different) and
    the next row must have as many fields.
    """
    line = _SPREADSHEET_LINE.match(text)
    start = line.end() if line else 0
    head = text[start : start + _HEAD_BYTES]
    first_line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    for delimiter in sorted(_DELIMITERS, key=lambda sign: first_line.count(sign.encode()), reverse=True):
        breaks = _breaks(head, delimiter)
        ends, is_open = _row_ends(head, delimiter, breaks)
        if len(ends) < 2 and not is_last and len(head) < _HEAD_BYTES:
            return False
        if not len(ends) and (is_open or start + len(head) < len(text) or not is_last):
            continue  # no end of a first row: what follows would vanish in the header
        first_end = int(ends[0]) if len(ends) else len(head)
        second_end = int(ends[1]) if len(ends) > 1 else len(head)
        rows = [rows.decode("utf-8", "replace").strip("\r\n") for rows in (head[:first_end], head[first_end:second_end])]
        if found := _header(rows[0], rows[1], shapes, delimiter=delimiter):
            many = "\n" in rows[0] or "\r" in rows[0]
            return Header(found[0], delimiter, start + first_end, found[1], breaks, many)
    return None


def _header(first: str, second: str, shapes: Sequence[CsvShape], *, delimiter: str) -> tuple[tuple[str, ...], CsvShape | None] | None:
    """Return the names and the shape when `first` is a header with `delimiter`."""
    names = _fields_if_one(first, delimiter) or []
    if len(names) < 2:
        return None
    shape = _fitting(names, shapes)
    plain = [name.strip() for name in names]
    is_plain = all(_PLAIN_NAME.fullmatch(name) for name in plain) and len(set(plain)) == len(plain)
    # A second row that does not parse is refused by name later; it says nothing against the header.
    fields = _fields_if_one(second, delimiter) if second else None
    if shape or (is_plain and (fields is None or len(fields) == len(names))):
        return _distinct(plain), shape
    return None


def _breaks(head: bytes, delimiter: str) -> bytes:
    """Return the bytes that end rows: carriage returns do when a lone one ends the first row."""
    ends, _ = _row_ends(head, delimiter, _ANY_BREAK)
    first_end = int(ends[0]) if len(ends) else 0
    is_lone = head[first_end - 1 : first_end] == b"\r" and head[first_end : first_end + 1] != b"\n"
    return _ANY_BREAK if is_lone else _LINE_FEED


def _fitting(names: Sequence[str], shapes: Sequence[CsvShape]) -> CsvShape | None:
    """Return the shape that shares the most headers, the first of equals; None when none shares enough."""
    keys = {key for name in names for key in _keys(name)}
    best = max(shapes, key=lambda shape: sum(header in keys for header, _ in shape.headers), default=None)
    shared = sum(header in keys for header, _ in best.headers) if best else 0
    # `time` and `status` stand in anybody's table: the more headers a form has, the more of them must be there.
    needed = min(_MOST_SHARED, max(_FEWEST_SHARED, len(best.headers) // 3 + 1)) if best else 0
    return best if shared >= needed else None


def _keys(name: str) -> tuple[str, str]:
    lower = name.strip().lower()
    return lower, _SUFFIX.sub("", lower)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for index, name in enumerate(names, 1):
        text = name or f"column {index}"
        seen[text] = seen.get(text, 0) + 1
        found.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return tuple(found)


def _fields(row: str, delimiter: str) -> list[str]:
    """Return the fields of exactly one row.

    Raises:
        RecordRefused: When a line ends outside quotes, or a field of several lines goes on behind its closing quote: then a
            quote that opened nothing has joined rows.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(row) + 1))
    has_lines = "\n" in row or "\r" in row
    try:
        return next(csv.reader([row], delimiter=delimiter, strict=has_lines), [])
    except csv.Error:
        raise RecordRefused(NOT_ONE_ROW) from None


def _fields_if_one(row: str, delimiter: str) -> list[str] | None:
    try:
        return _fields(row, delimiter)
    except RecordRefused:
        return None


@cache
def _quoted_field(delimiter: str, breaks: bytes) -> re.Pattern[bytes]:
    """Return what finds quoted fields; the group is empty where the closing quote is missing."""
    before = re.escape(delimiter.encode() + breaks)
    return re.compile(rb'"(?<![^' + before + rb']")[^"]*+(?:""[^"]*+)*+("?)')


def _row_ends(text: bytes, delimiter: str, breaks: bytes, *, start: int = 0) -> tuple[Positions, bool]:
    """Return the places after each break outside quoted fields, and whether the text ends inside one; `start` begins a row."""
    data = np.frombuffer(text, np.uint8)[start:]
    is_break = data == breaks[0]
    for sign in breaks[1:]:
        is_break |= data == sign
    feeds: Positions = np.flatnonzero(is_break) + start
    if text.find(b'"', start) < 0:
        return feeds + 1, False
    places, is_open = [-1, -1], False
    for match in _quoted_field(delimiter, breaks).finditer(text, start):
        places += match.span()
        is_open = not match.group(1)
    spans = np.array(places, np.int64).reshape(-1, 2)
    last = np.searchsorted(spans[:, 0], feeds) - 1
    ends: Positions = feeds[feeds >= spans[last, 1]] + 1
    return ends, is_open


class CsvFramer:
    """Finds the rows of an export, and says each as JSON.

    Args:
        header: The first row.

    Attributes:
        forms, members: As those of JsonFramer.
    """

    def __init__(self, header: Header) -> None:
        """Resolve each column to a member path."""
        self.forms: dict[str, None] = {"csv": None}
        self.members: dict[str, None] = {}
        self._header = header
        self._header_left = header.end
        self._has_rows = False
        shape = header.shape
        known = dict(shape.headers) if shape else {}
        self._paths = tuple(next((known[key] for key in _keys(name) if key in known), (name,)) for name in header.names)
        named = shape.json_members if shape else frozenset[str]()
        self._is_json = tuple(bool(named & {name, ".".join(path), path[-1]}) for name, path in zip(header.names, self._paths, strict=True))

    def frame(self, buffer: bytes, *, is_last: bool, most_bytes: int) -> Framed:
        """Return the rows of `buffer`, which begins where the last one was consumed."""
        start = min(self._header_left, len(buffer))
        self._header_left -= start
        refused: list[Refused] = []
        parts: list[Positions] = []
        while True:
            ends, is_open = _row_ends(buffer, self._header.delimiter, self._header.breaks, start=start)
            parts.append(np.stack((np.concatenate(([start], ends[:-1])), ends)) if len(ends) else np.empty((2, 0), np.int64))
            start = int(ends[-1]) if len(ends) else start
            if start == len(buffer) or not (is_last or len(buffer) - start >= most_bytes):
                break
            if not is_open and is_last:
                parts.append(np.array([[start], [len(buffer)]], np.int64))
                start = len(buffer)
                break
            line = self._line_end(buffer, start) if len(refused) < _MOST_RESUMED else len(buffer)
            refused.append(Refused(start, line, UNBALANCED if is_open else TOO_LARGE))
            start = line
        starts, ends = _trimmed(buffer, np.concatenate(parts, axis=1))
        self._has_rows |= bool(len(starts) or refused)
        return Framed(starts, ends, tuple(refused), start)

    def doubts(self) -> tuple[str, ...]:
        """Return what makes the account incomplete, to be asked after the last buffer: a header that may hold records."""
        is_alone = not self._has_rows and self._header.shape is None
        return (_MANY_LINES,) * self._header.has_many_lines + (_HEADER_ALONE,) * is_alone

    def _line_end(self, buffer: bytes, start: int) -> int:
        found = (buffer.find(sign, start) + 1 for sign in (self._header.breaks[:1], self._header.breaks[1:]) if sign)
        return min((end for end in found if end), default=len(buffer))

    def json_of(self, row: bytes) -> bytes:
        """Return the row as the UTF-8 text of a JSON object; values are texts, but for members that hold JSON.

        Raises:
            RecordRefused: When it is not exactly one row, or JSON in it nests deeper than can be written again.
        """
        fields = _fields(row.decode("utf-8", "replace"), self._header.delimiter)
        record: dict[str, Json] = {}
        for index, text in enumerate(fields):
            if index < len(self._paths):
                _put(record, self._paths[index], _parsed(text) if self._is_json[index] else text)
            else:
                _put(record, (f"column {index + 1}",), text)
        try:
            return orjson.dumps(record)
        except orjson.JSONEncodeError:
            raise RecordRefused("nested too deep") from None


def _trimmed(buffer: bytes, rows: npt.NDArray[np.int64]) -> tuple[Positions, Positions]:
    """Return the rows without their line ends, and without those that are blank."""
    kept = [(start, end) for start, full in rows.T.tolist() if (end := start + len(buffer[start:full].rstrip(b"\r\n"))) > start]
    spans = np.array([span for span in kept if buffer[span[0] : span[1]].strip()], np.int64).reshape(-1, 2)
    return spans[:, 0].copy(), spans[:, 1].copy()


def _parsed(text: str) -> Json:
    """Return the object or list that a text holds; other text stays text."""
    if text[:1] in {"{", "["}:
        try:
            found: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return found
    return text


def _put(record: dict[str, Json], path: FieldPath, value: Json) -> None:
    """Set the member at `path`; where another column already put a value there or on the way, a joined name that is free is used."""
    inner = record
    for name in path[:-1]:
        step = inner.setdefault(name, {})
        if not isinstance(step, dict):
            break
        inner = step
    else:
        if path[-1] not in inner:
            inner[path[-1]] = value
            return
    joined = free = ".".join(path)
    number = 1
    while free in record:
        number += 1
        free = f"{joined} ({number})"
    record[free] = value

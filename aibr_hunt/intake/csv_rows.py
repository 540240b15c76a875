"""Portal exports: rows of separated values become JSON objects, each with its own byte range.

Rows are split at line feeds outside quotes (RFC 4180). A mapping may say which header stands for which member; every other
column keeps its header as its name, so nothing is dropped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from aibr_hunt.intake.framed import TOO_LARGE, Framed, Refused
from aibr_hunt.intake.structure import Positions
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath, Mapping

UNBALANCED = "unbalanced quote"
_DELIMITERS = (",", ";", "\t")
_PLAIN_NAME = re.compile(r"[^\W\d_][\w .,/()\[\]@:#$%&+-]{0,127}")
_SUFFIX = re.compile(r"\s*\[[^\]]*\]$")  # `TimeGenerated [UTC]`: the portal adds the zone of its display
_HEAD_BYTES = 1 << 16
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
    """

    names: tuple[str, ...]
    delimiter: str
    end: int
    shape: CsvShape | None


def find_header(text: bytes, shapes: Sequence[CsvShape], *, is_last: bool) -> Header | bool | None:
    """Return the header that begins `text`, None when it is no CSV, False when more text is needed to say.

    A header fits a shape when they share two to four names. Without a shape it must look like one (names, all different) and
    the next row must have as many fields.
    """
    start = 0
    if text[:4].lower() == b"sep=":  # the spreadsheet's own first line
        start = text.find(b"\n") + 1
    rows = _row_ends(text[: start + _HEAD_BYTES], start)
    if len(rows) < 2 and not is_last and len(text) < start + _HEAD_BYTES:
        return False
    if not len(rows):
        rows = np.array([len(text)], np.int64)
    first = text[start : rows[0]].decode("utf-8", "replace").strip("\r\n")
    second = text[rows[0] : rows[1] if len(rows) > 1 else len(text)].decode("utf-8", "replace").strip("\r\n")
    return _header(first, second, shapes, end=int(rows[0]))


def _header(first: str, second: str, shapes: Sequence[CsvShape], *, end: int) -> Header | None:
    for delimiter in sorted(_DELIMITERS, key=first.count, reverse=True):
        names = _fields(first, delimiter)
        if len(names) < 2:
            continue
        shape = _fitting(names, shapes)
        plain = [name.strip() for name in names]
        is_plain = all(_PLAIN_NAME.fullmatch(name) for name in plain) and len(set(plain)) == len(plain)
        if shape or (is_plain and (not second or len(_fields(second, delimiter)) == len(names))):
            return Header(_distinct(plain), delimiter, end, shape)
    return None


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
    csv.field_size_limit(max(csv.field_size_limit(), len(row) + 1))
    return next(csv.reader(io.StringIO(row, newline=""), delimiter=delimiter), [])


def _row_ends(text: bytes, start: int) -> Positions:
    """Return the places after each line feed outside quotes."""
    data = np.frombuffer(text, np.uint8)[start:]
    feeds = np.flatnonzero(data == ord("\n"))
    quotes = np.flatnonzero(data == ord('"'))
    ends: Positions = feeds[(np.searchsorted(quotes, feeds) & 1) == 0] + 1 + start
    return ends


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
            ends = _row_ends(buffer, start)
            parts.append(np.stack((np.concatenate(([start], ends[:-1])), ends)) if len(ends) else np.empty((2, 0), np.int64))
            start = int(ends[-1]) if len(ends) else start
            if start == len(buffer) or not (is_last or len(buffer) - start >= most_bytes):
                break
            has_open_quote = buffer.count(b'"', start) & 1
            if not has_open_quote and is_last:
                parts.append(np.array([[start], [len(buffer)]], np.int64))
                start = len(buffer)
                break
            line = buffer.find(b"\n", start) + 1 or len(buffer)
            refused.append(Refused(start, line, UNBALANCED if has_open_quote else TOO_LARGE))
            start = line
        starts, ends = _trimmed(buffer, np.concatenate(parts, axis=1))
        return Framed(starts, ends, tuple(refused), start)

    def json_of(self, row: bytes) -> bytes:
        """Return the row as the UTF-8 text of a JSON object; values are texts, but for members that hold JSON."""
        fields = _fields(row.decode("utf-8", "replace"), self._header.delimiter)
        record: dict[str, Json] = {}
        for index, text in enumerate(fields):
            if index < len(self._paths):
                _put(record, self._paths[index], _parsed(text) if self._is_json[index] else text)
            else:
                record[f"column {index + 1}"] = text
        return orjson.dumps(record)


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
    """Set the member at `path`; where another column already put a value on the way, the joined name is used."""
    inner = record
    for name in path[:-1]:
        step = inner.setdefault(name, {})
        if not isinstance(step, dict):
            record[".".join(path)] = value
            return
        inner = step
    inner[path[-1]] = value

"""A row of a table becomes the record that the cloud delivered, as far as its columns carry it: the layout's places, read backwards.

The matcher decides on that record, so a row must not lose or gain what a rule can ask: tests turn records of every mapping into rows and
back, and hold the verdicts of drawn and shipped rules to be the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import orjson

from aibr_hunt.engines.cloud.protocol import Row
from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.identity import canonical_of, first_text, identity_of, time_of
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.event import Event, Json, SpelledNumber
from aibr_hunt.model.event import Place as EventPlace
from aibr_hunt.model.layout import ColumnPath, ColumnType, Kind, Layout, Place
from aibr_hunt.model.mapping import Mapping

ELEMENT: Final = "[]"
_NESTED: Final = frozenset((Kind.STRUCT, Kind.ARRAY, Kind.MAP, Kind.JSON, Kind.JSON_TEXT))


@dataclass(slots=True)
class _Node:
    """A part of the record while it is filled: values, members or elements."""

    values: list[Json] = field(default_factory=list)
    members: dict[str, _Node] = field(default_factory=dict)
    elements: dict[int, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One column path of one place, worked out once: at which depths of the member its lists stand."""

    place: Place
    path: ColumnPath
    type: ColumnType
    depths: tuple[int, ...]


class RowReader:
    """Reads the rows of one layout.

    Args:
        mapping: The log source: it says which members hold lists.
        layout: Where its members lie.
    """

    def __init__(self, mapping: Mapping, layout: Layout) -> None:
        """Work out every way from a column to a member."""
        self.mapping = mapping
        self.layout = layout
        self._types = {column.name: column.type for column in layout.columns}
        places = sorted(layout.places, key=lambda each: len(each.member))
        self._ways = tuple(self._way(place, path) for place in places for path in place.paths if path.column in self._types)

    def _way(self, place: Place, path: ColumnPath) -> _Way:
        lists = [at for at, step in enumerate(path.steps) if step == ELEMENT]
        declared = [size for size in range(1, len(place.member) + 1) if place.member[:size] in self.mapping.arrays]
        if len(declared) == len(lists):
            depths = tuple(declared)
        else:
            depths = tuple(max(0, len(place.member) - sum(step != ELEMENT for step in path.steps[at:])) for at in lists)
        return _Way(place=place, path=path, type=self._types[path.column], depths=depths)

    def record(self, row: Row) -> dict[str, Json]:
        """Return the record of a row. Blank cells leave no member."""
        root = _Node()
        cells = {name: _json_of(row.get(name), of) for name, of in self._types.items()}
        for way in self._ways:
            for indexes, value in _walk(cells[way.path.column], way.path.steps, ()):
                if value is not None:
                    _node_of(root, way, indexes).values.append(_as_delivered(value, way.place))
        made = _finished(root)
        return made if isinstance(made, dict) else {}

    def event(self, row: Row, *, source: str, now: datetime, place: EventPlace, raw: bytes) -> Event:
        """Return the row as it is kept for evidence.

        Args:
            row: The row.
            source: Name of the log source, as events of files carry it.
            now: Moment of the run, aware UTC.
            place: Where it lies: the job, and the row's place among its rows.
            raw: The row as JSON (`row_json`).
        """
        value, mapping = self.record(row), self.mapping
        canonical = canonical_of(value, raw)
        time, time_text = time_of(value, mapping, now)
        return Event(
            value=value,
            raw=raw,
            raw_digest=hashlib.sha256(raw).hexdigest(),
            canonical=canonical,
            canonical_digest=hashlib.sha256(canonical).hexdigest(),
            source=source,
            identity=identity_of(value, mapping, canonical),
            place=place,
            time=time,
            time_text=time_text,
            principal=first_text(value, mapping.principal),
            address=first_text(value, mapping.address),
            resource=first_text(value, mapping.resource),
            action=first_text(value, mapping.action),
            region=first_text(value, mapping.region),
            account=first_text(value, mapping.account),
        )


def row_json(row: Row) -> bytes:
    """Return the row as JSON, as the engine gave it: columns in its order, moments as ISO 8601 text, bytes as hexadecimal digits."""
    return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _plain(value: object) -> object:
    if isinstance(value, SpelledNumber):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, MappingABC):
        return dict(value)
    return str(value)


# -- cells ----------------------------------------------------------------------------------------------------------


def _json_of(cell: object, of: ColumnType) -> Json:
    """Return a cell as JSON. Nested columns may come as values or as JSON text; JSON text that is none stays text."""
    if cell is None:
        return None
    if of.kind in _NESTED and isinstance(cell, str):
        return _shaped(_parsed(cell), of)
    match of.kind:
        case Kind.TIME:
            return _moment_text(cell)
        case Kind.INTEGER | Kind.REAL | Kind.BOOLEAN:
            return _scalar(cell, of.kind)
        case Kind.TEXT:
            return cell if isinstance(cell, str) else _text(cell)
        case _:
            return _shaped(_plain_json(cell), of)


def _parsed(text: str) -> Json:
    """Return what JSON text of an object or a list holds, numbers as spelled; any other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return parse_record(b'{"it":' + text.encode("utf-8", "surrogatepass") + b"}").value["it"]
    except RecordRefused:
        return text


def _shaped(value: Json, of: ColumnType) -> Json:
    """Return a nested value with scalars of its declared types: a struct that came as a list takes its members in order."""
    match of.kind:
        case Kind.STRUCT:
            if isinstance(value, list) and len(value) == len(of.members):
                value = {name: item for (name, _), item in zip(of.members, value, strict=True)}
            if not isinstance(value, dict):
                return value
            names = {name.lower(): name for name in value}
            found = {name: value.get(name, value.get(names.get(name.lower(), name))) for name, _ in of.members}
            return {name: None if found[name] is None else _json_of(found[name], inner) for name, inner in of.members}
        case Kind.ARRAY if of.item is not None and isinstance(value, list):
            return [_json_of(item, of.item) for item in value]
        case Kind.MAP if isinstance(value, dict):
            # Keys and values of a map are texts: what was an object or a list stands there as JSON text.
            return {name: _parsed(item) if isinstance(item, str) else item for name, item in value.items()}
        case _:
            return value


def _plain_json(cell: object) -> Json:
    if isinstance(cell, MappingABC):
        return {str(name): _plain_json(value) for name, value in cell.items()}
    if isinstance(cell, list | tuple):
        return [_plain_json(item) for item in cell]
    if isinstance(cell, bool | int | float | str) or cell is None:
        return cell
    return _moment_text(cell) if isinstance(cell, datetime | date) else _text(cell)


def _scalar(cell: object, kind: Kind) -> Json:
    """Return a number or a boolean; text that is none stays text."""
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if not isinstance(cell, str):
        return cell if isinstance(cell, bool | int | float) else _text(cell)
    try:
        if kind is Kind.BOOLEAN:
            return {"true": True, "false": False}.get(cell.lower(), cell)
        return int(cell) if kind is Kind.INTEGER else float(cell)
    except ValueError:
        return cell


def _moment_text(cell: object) -> Json:
    """Return a moment as logs write it: RFC 3339 in UTC, decimals in threes and only where there are some."""
    if isinstance(cell, datetime):
        moment = cell.astimezone(UTC) if cell.tzinfo else cell
        text = moment.strftime("%Y-%m-%dT%H:%M:%S")
        if not moment.microsecond:
            return f"{text}Z"
        return f"{text}.{moment.microsecond // 1000:03d}Z" if moment.microsecond % 1000 == 0 else f"{text}.{moment.microsecond:06d}Z"
    return cell if isinstance(cell, str) else _text(cell)


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


# -- from the cell to the record -------------------------------------------------------------------------------------


def _walk(value: Json, steps: tuple[str, ...], indexes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Json]]:
    """Yield what lies behind the steps, with the place in each list on the way; a list that no step opens is one value."""
    if not steps:
        yield indexes, value
    elif steps[0] == ELEMENT:
        for number, item in enumerate(value if isinstance(value, list) else () if value is None else (value,)):
            yield from _walk(item, steps[1:], (*indexes, number))
    elif isinstance(value, dict) and steps[0] in value:
        yield from _walk(value[steps[0]], steps[1:], indexes)


def _as_delivered(value: Json, place: Place) -> Json:
    """Return a value without the port that the table writes behind an address."""
    if not place.has_port or not isinstance(value, str):
        return value
    if value.startswith("["):
        return value[1:].split("]", 1)[0]
    return value.rsplit(":", 1)[0] if value.count(":") == 1 else value


def _node_of(root: _Node, way: _Way, indexes: tuple[int, ...]) -> _Node:
    """Return the node of a way's member, made on first sight, below the elements that the indexes name."""
    node, left = root, list(zip(way.depths, indexes, strict=True))
    for depth, name in enumerate((*way.place.member, None)):
        while left and left[0][0] == depth:
            node = node.elements.setdefault(left.pop(0)[1], _Node())
        if name is not None:
            node = node.members.setdefault(name, _Node())
    return node


def _finished(node: _Node) -> Json:
    """Return a node's value: members that stand on their own lie over a whole; several different values are a list."""
    if node.elements:
        return [_finished(node.elements[number]) if number in node.elements else None for number in range(max(node.elements) + 1)]
    whole: dict[str, Json] = {}
    plain: list[Json] = []
    for value in node.values:
        if isinstance(value, dict):
            whole |= value
        elif value not in plain:
            plain.append(value)
    if node.members or whole:
        made = {name: _finished(inner) for name, inner in node.members.items()}
        return {**whole, **{name: value for name, value in made.items() if value is not None}}
    return None if not plain else plain[0] if len(plain) == 1 else list(plain)


def lacking(layout: Layout, seen: frozenset[str]) -> tuple[str, ...]:
    """Return the columns that a layout reads and a table does not have, those that it may lack left out; without case."""
    known = {name.lower() for name in seen}
    return tuple(column.name for column in layout.columns if not column.is_optional and column.name.lower() not in known)


__all__ = ["RowReader", "lacking", "row_json"]

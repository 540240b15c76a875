"""A record of a log source as a row of one of its layouts: the layout's places, read the other way round."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from aibr_hunt.meaning.bind import binder_of, fields_of
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import ColumnPath, ColumnType, EngineKind, Kind, Layout, Partition, PartitionForm, Place, TimeForm
from aibr_hunt.model.mapping import FieldPath, Mapping
from aibr_hunt.model.rule import Rule

DAYS: Final = {PartitionForm.SLASHED: "%Y/%m/%d", PartitionForm.DASHED: "%Y-%m-%d", PartitionForm.COMPACT: "%Y%m%d"}
_OTHERWISE: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Misfit(Exception):
    """The layout's columns cannot hold what the record holds."""


@dataclass(slots=True)
class _Cell:
    """What one column, struct or element holds while it is filled: a value, members, or elements."""

    value: object = None
    members: dict[str, _Cell] = field(default_factory=dict)
    elements: dict[int, _Cell] = field(default_factory=dict)


def row_of_record(record: Json, mapping: Mapping, layout: Layout) -> dict[str, object]:
    """Return a record as the row that a layout's table holds of it.

    A record that is delivered in several forms (an export, an interface, table rows) is read in that in which the place is not blank.

    Raises:
        Misfit: A column cannot hold what the record holds at its place.
    """
    cells = {column.name: _Cell() for column in layout.columns}
    for place in sorted(layout.places, key=lambda each: len(each.member)):
        for path in place.paths:
            _place(record, place, path, cells=cells, mapping=mapping, layout=layout)
    row = {column.name: _finished(cells[column.name], column.type) for column in layout.columns}
    for fixed in layout.fixed:
        _set(row, fixed.path, fixed.values[0])
    _fill_times(row, layout)
    return {name: value for name, value in row.items() if value is not None}


def mark(row: dict[str, object], path: ColumnPath, name: str) -> None:
    """Give a row a name of its own at the path that `unread` found."""
    _set(row, path, name)


def unread(rule: Rule, mapping: Mapping, layout: Layout) -> ColumnPath:
    """Return where a name can stand that the rule does not see: a text of the identity where that may be, else any text column.

    Raises:
        LookupError: The rule reads every text.
    """
    binder = binder_of(mapping)
    read = [path for name in fields_of(rule.predicate) for path in binder.field(name).paths]
    taken = [_full(path) for place in layout.places if any(_overlap(place.member, one) for one in read) for path in place.paths]
    taken += [_full(layout.time), *(_full(fixed.path) for fixed in layout.fixed), *((part.column,) for part in layout.partitions)]
    columns = [ColumnPath(column=column.name) for column in layout.columns]
    for path in (*reversed(layout.identity), *columns):
        if _is_text(path, layout) and not any(_overlap(_full(path), one) for one in taken):
            return path
    raise LookupError(f"{rule.name} reads every text of {layout.label}")


def _full(path: ColumnPath) -> tuple[str, ...]:
    return path.column, *path.steps


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """True when one path is the other, or leads through it."""
    return all(left.lower() == right.lower() for left, right in zip(one, other, strict=False))


def _is_text(path: ColumnPath, layout: Layout) -> bool:
    column = layout.column(path.column)
    of = None if column is None or column.is_optional else column.type
    for step in path.steps:
        of = None if of is None else of.member(step)
    return of is not None and of.kind is Kind.TEXT


def _set(row: dict[str, object], path: ColumnPath, value: object) -> None:
    at: dict[str, object] = row
    for step in (path.column, *path.steps)[:-1]:
        inner = at.get(step)
        at[step] = dict(cast("dict[str, object]", inner)) if inner else {}
        at = cast("dict[str, object]", at[step])
    at[(path.column, *path.steps)[-1]] = value


def _fill_times(row: dict[str, object], layout: Layout) -> None:
    """Fill the event time where the record has none, and partitions by it."""
    column = layout.column(layout.time.column)
    at: object = row.get(layout.time.column)
    found = at if isinstance(at, datetime) else _moment(at) if isinstance(at, str) else None
    if isinstance(at, int) and layout.time_form is TimeForm.EPOCH_SECONDS:
        found = datetime.fromtimestamp(at, UTC)
    moment = found or _OTHERWISE
    if found is None:
        is_time = column is not None and column.type.kind is Kind.TIME
        row[layout.time.column] = moment if is_time else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    for partition in layout.partitions:
        if partition.column != layout.time.column:
            row[partition.column] = _day(partition, moment)


def _day(partition: Partition, moment: datetime) -> object:
    return moment.strftime(DAYS[partition.form]) if partition.form in DAYS else moment


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


# -- from the record to its column --------------------------------------------------------------------------------


def _place(record: Json, place: Place, path: ColumnPath, *, cells: dict[str, _Cell], mapping: Mapping, layout: Layout) -> None:
    column = layout.column(path.column)
    if column is None:
        raise Misfit(f"{layout.label} has no column {path.column}")
    refused: Misfit | None = None
    for member in _spellings(place.member, mapping):
        found = [(indexes, value) for indexes, value in _found(record, member, ()) if value is not None and value not in ("", [], {})]
        try:
            fitted = [_filled(column.type, path.steps, indexes, _recased(value, place)) for indexes, value in found]
        except Misfit as error:
            # Where this form of the record has a text, another has an object with the text in it.
            refused = refused or error
            continue
        for way, held in fitted:
            _put(cells[path.column], way, held)
        if fitted:
            return
    if refused:
        raise refused


# By identity of the mapping, which is kept with it: to hash one means to hash all of its layouts.
_KNOWN: Final[dict[tuple[int, FieldPath], tuple[Mapping, tuple[FieldPath, ...]]]] = {}


def _spellings(member: FieldPath, mapping: Mapping) -> tuple[FieldPath, ...]:
    """Return the member, then the paths at which other forms of the record have it."""
    key = id(mapping), member
    if key not in _KNOWN:
        _KNOWN[key] = mapping, _spelled(member, mapping)
    return _KNOWN[key][1]


def _spelled(member: FieldPath, mapping: Mapping) -> tuple[FieldPath, ...]:
    others = [path for spec in mapping.fields if member in spec.paths and spec.paths[0] == member for path in spec.paths]
    return tuple(dict.fromkeys((member, *others)))


def _found(value: Json, member: FieldPath, indexes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Json]]:
    """Yield what lies at a member path, with the place in each list on the way; a list at its end is one value."""
    if not member:
        yield indexes, value
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from _found(element, member, (*indexes, number))
    elif isinstance(value, dict) and member[0] in value:
        yield from _found(value[member[0]], member[1:], indexes)


Step = str | int


def _filled(of: ColumnType, steps: tuple[str, ...], indexes: tuple[int, ...], value: Json) -> tuple[tuple[Step, ...], object]:
    """Return where in a column a value goes, and the value as the column holds it there."""
    way, end = _target(of, steps, indexes)
    return way, _fitted(value, end)


def _target(of: ColumnType, steps: tuple[str, ...], indexes: tuple[int, ...]) -> tuple[tuple[Step, ...], ColumnType]:
    """Return the way into a column, with a number for each array on it, and the type at its end."""
    way: list[Step] = []
    left = list(indexes)
    for step in steps:
        if step == "[]":
            if of.kind is Kind.ARRAY and of.item is not None and (left or step == steps[-1]):
                if not left:
                    return tuple(way), of  # the list itself is the value
                way.append(left.pop(0))
                of = of.item
                continue
            if of.kind is not Kind.ARRAY or of.item is None:
                raise Misfit("a list in a column that has none")
            way.append(0)  # a lone value is a list of one
            of = of.item
            continue
        inner = of.member(step)
        if inner is None:
            raise Misfit(f"no member {step}")
        way.append(step)
        of = inner
    if left:
        raise Misfit("a list where the column has a single value")
    return tuple(way), of


def _put(cell: _Cell, steps: tuple[Step, ...], value: object) -> None:
    for step in steps:
        cell = cell.elements.setdefault(step, _Cell()) if isinstance(step, int) else cell.members.setdefault(step, _Cell())
    cell.value = value


def _finished(cell: _Cell, of: ColumnType) -> object:
    """Return a cell's value; parts that were put on their own lie over a whole that was put before."""
    if cell.elements and of.item is not None:
        whole = cell.value if isinstance(cell.value, list) else []
        size = max(len(whole), *(number + 1 for number in cell.elements))
        return [_over(whole[n] if n < len(whole) else None, cell.elements.get(n, _Cell()), of.item) for n in range(size)]
    if cell.members:
        return _over(cell.value, cell, of)
    return cell.value


def _over(whole: object, cell: _Cell, of: ColumnType) -> object:
    if of.kind is not Kind.STRUCT:
        made = _finished(cell, of)
        return whole if made is None else made
    below = dict(cast("dict[str, object]", whole)) if isinstance(whole, dict) else {}
    made = {name: _finished(part, inner) for name, inner in of.members if (part := cell.members.get(name)) is not None}
    return {**below, **{name: value for name, value in made.items() if value is not None}}


# -- values as columns hold them ----------------------------------------------------------------------------------


def _recased(value: Json, place: Place) -> Json:
    if isinstance(value, str) and place.has_port and value.count(":") != 1:  # one is that of a port that is there already
        return f"{value}:443"
    return value.lower() if isinstance(value, str) and place.is_caseless else value


def _fitted(value: Json, of: ColumnType) -> object:
    """Return a JSON value as a column of that type holds it.

    Raises:
        Misfit: It cannot.
    """
    match of.kind:
        case Kind.TEXT:
            return _text(value)
        case Kind.JSON_TEXT:
            return value if isinstance(value, str) and _is_json(value) else _dumped(value)
        case Kind.JSON:
            return json.loads(value) if isinstance(value, str) and _is_json(value) else value
        case Kind.STRUCT:
            members = _object(value)
            names = {name.lower(): name for name in members}
            return {name: _fitted_or_none(members.get(names.get(name.lower(), name)), inner) for name, inner in of.members}
        case Kind.ARRAY if of.item is not None:
            return [_fitted(item, of.item) for item in (value if isinstance(value, list) else [value])]
        case Kind.MAP:
            return {name: item if isinstance(item, str) else _dumped(item) for name, item in _object(value).items() if item is not None}
        case _:
            return _typed(value, of.kind)


def _fitted_or_none(value: Json, of: ColumnType) -> object:
    return None if value is None else _fitted(value, of)


def _typed(value: Json, kind: Kind) -> object:
    match kind, value:
        case Kind.BOOLEAN, bool():
            return value
        case Kind.BOOLEAN, str() if value.lower() in {"true", "false"}:
            return value.lower() == "true"
        case Kind.INTEGER, int() if not isinstance(value, bool):
            return value
        case Kind.INTEGER, str() if value.removeprefix("-").isdecimal():
            return int(value)
        case Kind.REAL, (int() | float()) if not isinstance(value, bool):
            return float(value)
        case Kind.TIME, str() if (moment := _moment(value)) is not None:
            return moment
        case _:
            raise Misfit(f"{type(value).__name__} in a column of type {kind.value}")


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise Misfit(f"{type(value).__name__} in a column of type text")


def _object(value: Json) -> dict[str, Json]:
    if isinstance(value, dict):
        return value
    raise Misfit(f"{type(value).__name__} in a struct or a map")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def raw_row(record: Json, layout: Layout) -> dict[str, object]:
    """Return a record as a row of the layout `duckdb/raw`."""
    if layout.engine is not EngineKind.DUCKDB:
        raise ValueError(layout.label)
    return {"event_time": _OTHERWISE, "record": record}

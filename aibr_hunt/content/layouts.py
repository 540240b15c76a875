"""Layouts in mapping files: `layouts:` to `aibr_hunt.model.layout.Layout`, with every contradiction told at its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from aibr_hunt.content.schemas import CheckedFile, YamlMap, nearest
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import ContentError
from aibr_hunt.meaning.bind import split_path
from aibr_hunt.model.layout import (
    Column,
    ColumnPath,
    ColumnType,
    EngineKind,
    Fixed,
    Kind,
    Layout,
    Partition,
    PartitionForm,
    Place,
    TimeForm,
)

_TOKEN: Final = re.compile(r"\s*([A-Za-z0-9_@$/-]+|[<>:,])")
_SIMPLE: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN, Kind.TIME, Kind.JSON, Kind.JSON_TEXT})
_OPEN_ENDED: Final = frozenset({Kind.JSON, Kind.JSON_TEXT})


def parse_type(text: str) -> ColumnType:
    """Return the type that a text names: `text`, `array<text>`, `map<json_text>`, `struct<arn: text, tags: array<text>>`.

    Raises:
        ValueError: It names none; the message says why.
    """
    tokens: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text[at:].strip()!r} cannot be read")
        tokens.append(found.group(1))
        at = found.end()
    tokens.reverse()
    parsed = _type(tokens)
    if tokens:
        raise ValueError(f"{tokens[-1]!r} stands behind the type")
    return parsed


def _type(tokens: list[str]) -> ColumnType:
    word = _next(tokens)
    try:
        kind = Kind(word)
    except ValueError:
        raise ValueError(f"{word!r} is no type; types are {', '.join(Kind)}") from None
    if kind in _SIMPLE:
        return ColumnType(kind=kind)
    _expect(tokens, "<")
    if kind is not Kind.STRUCT:
        item = _type(tokens)
        _expect(tokens, ">")
        return ColumnType(kind=kind, item=item)
    members: list[tuple[str, ColumnType]] = []
    while True:
        name = _next(tokens)
        _expect(tokens, ":")
        members.append((name, _type(tokens)))
        if _next(tokens, peek=True) != ",":
            break
        tokens.pop()
    _expect(tokens, ">")
    return ColumnType(kind=kind, members=tuple(members))


def _next(tokens: list[str], *, peek: bool = False) -> str:
    if not tokens:
        raise ValueError("it ends too early")
    return tokens[-1] if peek else tokens.pop()


def _expect(tokens: list[str], wanted: str) -> None:
    found = _next(tokens)
    if found != wanted:
        raise ValueError(f"{wanted!r} is expected where {found!r} stands")


def parse_column_path(text: str) -> ColumnPath:
    """Return the column path that a text such as `resources[].arn` names."""
    steps: list[str] = []
    for part in text.split("."):
        name = part.rstrip("[]")
        steps += [name, *(["[]"] * (part.count("[")))]
    return ColumnPath(column=steps[0], steps=tuple(steps[1:]))


def type_at(columns: dict[str, ColumnType], path: ColumnPath) -> ColumnType:
    """Return the type at the end of a column path; below JSON every step is JSON.

    Raises:
        ValueError: The path leads nowhere; the message names the step.
    """
    if path.column not in columns:
        raise ValueError(f"there is no column {path.column}. {nearest(path.column, columns)}".strip())
    here = columns[path.column]
    for step in path.steps:
        inside: ColumnType | None = ColumnType(kind=Kind.JSON) if here.kind in _OPEN_ENDED else None
        if here.kind is Kind.ARRAY and step == "[]":
            inside = here.item
        elif here.kind is Kind.STRUCT:
            inside = here.member(step)
        elif here.kind is Kind.MAP and step != "[]":
            inside = here.item
        if inside is None:
            raise ValueError(f"{step} leads nowhere in {path.column}: what stands there is {here.kind.value}")
        here = inside
    return here


def read_layout(row: YamlMap) -> Layout:
    """Return the layout that a checked row of `layouts` holds."""
    columns = tuple(_column(name, value) for name, value in _map(row["columns"]).items())
    return Layout(
        name=_text(row["name"]),
        engine=EngineKind(_text(row["engine"])),
        table=_text(row["table"]),
        columns=columns,
        places=tuple(_place(member, value) for member, value in _map(row["places"]).items()),
        time=parse_column_path(_text(row["time"])),
        time_form=TimeForm(_text(row.get("time_form", "typed"))),
        identity=_column_paths(row.get("identity")),
        arrival=_text(row.get("arrival", "")),
        partitions=tuple(_partition(_map(each)) for each in _list(row.get("partitions"))),
        fixed=tuple(_fixed(_map(each)) for each in _list(row.get("fixed"))),
        pulse=_column_paths(row.get("pulse")),
        settle_s=cast("int", row.get("settle_s", 3600)),
        recheck_s=cast("int", row.get("recheck_s", 86_400)),
        is_full=bool(row.get("full", False)),
        notes=tuple(_text(note) for note in _list(row.get("notes"))),
    )


def layout_faults(checked: CheckedFile) -> Iterator[ContentError]:
    """Yield what no schema can see in the layouts: types and paths that lead nowhere, names used twice."""
    seen: set[tuple[str, str]] = set()
    for index, value in enumerate(_list(checked.root.get("layouts"))):
        row = _map(value)
        key = (_text(row["engine"]), _text(row["name"]))
        if key in seen:
            yield checked.fault(f"The layout {key[0]}/{key[1]} is defined twice.", "layouts", index)
        seen.add(key)
        yield from _faults_of(checked, row, index)


def _faults_of(checked: CheckedFile, row: YamlMap, index: int) -> Iterator[ContentError]:
    columns: dict[str, ColumnType] = {}
    label = f"{row['engine']}/{row['name']}"
    for name, value in _map(row["columns"]).items():
        text = _text(_map(value)["type"] if isinstance(value, dict) else value)
        try:
            columns[name] = parse_type(text)
        except ValueError as error:
            yield checked.fault(f"The column {name} of {label} has the type {text}: {error}.", "layouts", index, "columns", name)
    used = [("time", [row["time"]])]
    used += [(key, _list(row.get(key))) for key in ("identity", "pulse")]
    used += [("fixed", [_map(each)["path"] for each in _list(row.get("fixed"))])]
    used += [("places", _paths_of(value)) for value in _map(row["places"]).values()]
    for key, paths in used:
        for path in paths:
            try:
                type_at(columns, parse_column_path(_text(path)))
            except ValueError as error:
                yield checked.fault(f"{key} of {label} names {path}: {error}.", "layouts", index, key)


def _column(name: str, value: YamlValue) -> Column:
    if isinstance(value, dict):
        return Column(name=name, type=parse_type(_text(value["type"])), is_optional=bool(value.get("optional", False)))
    return Column(name=name, type=parse_type(_text(value)))


def _paths_of(value: YamlValue) -> list[YamlValue]:
    found = value["paths"] if isinstance(value, dict) else value
    return found if isinstance(found, list) else [found]


def _place(member: str, value: YamlValue) -> Place:
    claims = value if isinstance(value, dict) else {}
    return Place(
        member=split_path(member),
        paths=_column_paths(_paths_of(value)),
        is_caseless=bool(claims.get("caseless", False)),
        has_port=bool(claims.get("port", False)),
    )


def _partition(row: YamlMap) -> Partition:
    return Partition(column=_text(row["column"]), form=PartitionForm(_text(row["form"])), slack_days=cast("int", row.get("slack_days", 1)))


def _fixed(row: YamlMap) -> Fixed:
    return Fixed(path=parse_column_path(_text(row["path"])), values=tuple(_text(value) for value in _list(row["values"])))


def _column_paths(value: YamlValue) -> tuple[ColumnPath, ...]:
    return tuple(parse_column_path(_text(text)) for text in _list(value))


# The schema has proven the shapes that these name: they cost nothing and tell the type checker.
def _map(value: YamlValue) -> YamlMap:
    return cast("YamlMap", value)


def _list(value: YamlValue) -> list[YamlValue]:
    return cast("list[YamlValue]", value or [])


def _text(value: YamlValue) -> str:
    return cast("str", value)

"""Trino itself: its parser, analyzer, planner and operators in one JVM behind two pipes. See trino/README.md."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from types import TracebackType
from typing import IO, Final, Self, TypeAlias, cast

from aibr_hunt.model.layout import ColumnType, EngineKind, Kind, Layout
from tests.standins.contract import Rejected, Row, TableColumn, check_names, columns_of, day, utc
from tests.standins.trino.fetch import HOME, MAIN, Missing, lack, tool

Answer: TypeAlias = Mapping[str, object]

_CATALOG: Final = "awsdatacatalog"
_SCHEMA: Final = "default"
_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_SIMPLE: Final = {
    Kind.TEXT: "varchar",
    Kind.JSON_TEXT: "varchar",
    Kind.INTEGER: "bigint",
    Kind.REAL: "double",
    Kind.BOOLEAN: "boolean",
    Kind.JSON: "json",
}


class Trino:
    """Trino as it is; the rows lie in its memory connector.

    Args:
        time: Trino's type for a TIME. Tables of Hive's kind have no zone, and are read in UTC.

    Raises:
        Missing: It has not been fetched, or Java is missing.
    """

    name = "trino"
    engine = EngineKind.ATHENA

    def __init__(self, *, time: str = "timestamp(6)") -> None:
        if reason := lack():
            raise Missing(reason)
        self._time = time
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the process
        command = [tool("java"), "-Xmx1g", "-XX:+UseSerialGC", "-XX:+DisplayVMOutputToStderr", "-cp"]
        command += [f"{HOME / 'classes'}{':' if sys.platform != 'win32' else ';'}{HOME / 'lib'}/*", MAIN]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._log.closed:
            return
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()
        self._log.close()

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others."""
        check_names(layout, rows)
        self.load_table(layout.table, columns_of(layout), rows)

    def load_table(self, table: str, columns: Sequence[TableColumn], rows: Sequence[Row]) -> None:
        """Make a table hold these rows and no others."""
        catalog, schema, name = _place(table)
        # The rows go as one JSON text, so that a value of any type needs no expression, and then each column is brought to its type.
        values = [[_value(column, row.get(column.name)) for column in columns] for row in rows]
        text = json.dumps(values, allow_nan=False)
        wire = ", ".join(f"{_quoted(column.name)} {self._wire(column)}" for column in columns)
        shown = ", ".join(f"{self._typed(column)} AS {_quoted(column.name)}" for column in columns)
        names = ", ".join(_quoted(column.name) for column in columns)
        where = ".".join(map(_quoted, (catalog, schema, name)))
        unnested = f"UNNEST(CAST(JSON {_text(text)} AS array(row({wire})))) AS wire({names})"
        fill = f"CREATE TABLE {where} AS SELECT {shown} FROM {unnested}"  # noqa: S608 # names and texts are quoted
        answer = self.ask({"load": {"catalog": catalog, "schema": schema, "table": name, "fill": fill}})
        if "loaded" not in answer:
            raise ValueError(f"Trino did not take the rows: {answer}")

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a statement gives; times are aware datetimes in UTC, rows of Trino's type are lists.

        Raises:
            Rejected: Trino refuses it or fails on it; the text begins with Trino's name of the error.
        """
        answer = self.ask({"sql": text})
        if "error" in answer:
            raise Rejected(f"{answer['error']}: {answer['message']}")
        types = cast("list[str]", answer["types"])
        found = cast("list[list[object]]", answer["rows"])
        return [tuple(_read(kind, value) for kind, value in zip(types, row, strict=True)) for row in found]

    def ask(self, request: Mapping[str, object]) -> Answer:
        """Send one request and return its answer."""
        pipe = _pipe(self._process.stdin)
        pipe.write(json.dumps(request).encode("ascii") + b"\n")
        pipe.flush()
        return self._answer()

    def _answer(self) -> Answer:
        line = _pipe(self._process.stdout).readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"Trino has ended:\n{self._log.read()[-3000:].decode(errors='replace')}")
        return cast("Answer", json.loads(line))

    def _type(self, column: TableColumn) -> str:
        return "date" if column.is_date else _type(column.type, self._time)

    def _wire(self, column: TableColumn) -> str:
        return "varchar" if column.is_date or column.type.kind is Kind.JSON else _type(column.type, "varchar")

    def _typed(self, column: TableColumn) -> str:
        name = _quoted(column.name)
        return f"json_parse({name})" if column.type.kind is Kind.JSON else f"CAST({name} AS {self._type(column)})"


def _type(of: ColumnType, time: str) -> str:
    if of.kind in _SIMPLE:
        return _SIMPLE[of.kind]
    if of.kind is Kind.TIME:
        return time
    if of.kind is Kind.STRUCT:
        return f"row({', '.join(f'{_quoted(name)} {_type(member, time)}' for name, member in of.members)})"
    item = _type(_item(of), time)
    return f"array({item})" if of.kind is Kind.ARRAY else f"map(varchar, {item})"


def _value(column: TableColumn, value: object) -> object:
    if column.is_date:
        return None if value is None else day(value).isoformat()
    if column.type.kind is Kind.JSON:  # as text, for a JSON null in a row would be one in the table
        return None if value is None else json.dumps(value, allow_nan=False)
    return _leaf(column.type, value) if column.type.kind in _SIMPLE or column.type.kind is Kind.TIME else _nested(column.type, value)


def _nested(of: ColumnType, value: object) -> object:
    if value is None:
        return None
    match of.kind, value:
        case Kind.STRUCT, dict():
            inside = cast("dict[str, object]", value)
            if unknown := inside.keys() - {name for name, _ in of.members}:
                raise ValueError(f"the struct has no member {', '.join(sorted(unknown))}")
            return [_nested(member, inside.get(name)) for name, member in of.members]
        case Kind.ARRAY, list():
            return [_nested(_item(of), item) for item in cast("list[object]", value)]
        case Kind.MAP, dict():
            return {key: _nested(_item(of), item) for key, item in cast("dict[str, object]", value).items()}
        case _:
            return _leaf(of, value)


def _leaf(of: ColumnType, value: object) -> object:
    match of.kind, value:
        case _, None:
            return None
        case Kind.TIME, _:
            return utc(value).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        case Kind.JSON, _:
            return value
        case ((Kind.TEXT | Kind.JSON_TEXT), str()):
            value.encode()  # a lone surrogate is no text of Trino's
            return value
        case Kind.BOOLEAN, bool():
            return value
        case (Kind.INTEGER, int()) | (Kind.REAL, (float() | int())) if not isinstance(value, bool):
            return value
        case _:
            raise TypeError(f"{value!r} is no {of.kind.value}")


def _read(kind: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if kind.startswith("timestamp"):
        # The digits beyond the sixth are cut: a datetime has none.
        moment = re.sub(r"(\.\d{6})\d+", r"\1", value)
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    if kind == "date":
        return date.fromisoformat(value)
    if kind.startswith("decimal"):
        return Decimal(value)
    return float(value) if kind in {"double", "real"} else value


def _place(table: str) -> tuple[str, str, str]:
    parts = [quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(table)]
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"{table!r} names no table")
    catalog, schema, name = (_CATALOG, _SCHEMA)[: 3 - len(parts)] + tuple(parts)
    return catalog.lower(), schema.lower(), name.lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _item(of: ColumnType) -> ColumnType:
    if of.item is None:
        raise ValueError(f"the type {of.kind.value} lacks its item")
    return of.item


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process has no pipe")
    return pipe


@cache
def trino() -> Trino:
    """Return this process's stand-in; it ends with the process."""
    engine = Trino()
    atexit.register(engine.close)
    return engine

"""DuckDB itself, and the tables of the stand-ins that run on DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast

import duckdb
from duckdb.func import FunctionNullHandling

from aibr_hunt.model.layout import ColumnType, EngineKind, Kind, Layout
from tests.standins.contract import Rejected, Row, TableColumn, check_names, columns_of, day, utc

_BATCH: Final = 100
_SIMPLE: Final = {
    Kind.TEXT: "VARCHAR",
    Kind.JSON_TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.REAL: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.JSON: "JSON",
}


def connect() -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory that fetches no extension."""
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def register(connection: duckdb.DuckDBPyConnection, name: str, function: Callable[..., Any], types: Sequence[str]) -> None:
    """Give a connection a function of Python's. It sees NULLs. The last of the types is what it returns."""
    parameters: list[Any] = list(types[:-1])
    connection.create_function(name, function, parameters, types[-1], null_handling=FunctionNullHandling.SPECIAL)


def quoted(name: str) -> str:
    """Return a name between double quotes."""
    return '"' + name.replace('"', '""') + '"'


class Tables:
    """Writes the tables of layouts into a connection.

    Args:
        connection: Where to.
        time: DuckDB's name of the type of a TIME.
        is_split: The dots of a table's name separate database, schema and table.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, time: str, is_split: bool) -> None:
        self._connection = connection
        self._time = time
        self._is_split = is_split

    def write(self, table: str, columns: Sequence[TableColumn], rows: Sequence[Row]) -> None:
        """Make the table hold these rows and no others."""
        name = self._place(table)
        declared = ", ".join(f"{quoted(column.name)} {self._column_type(column)}" for column in columns)
        self._connection.execute(f"DROP TABLE IF EXISTS {name}")
        self._connection.execute(f"CREATE TABLE {name} ({declared})")
        for start in range(0, len(rows), _BATCH):
            parameters: list[object] = []
            lines = [
                "(" + ", ".join(self._value(column, row.get(column.name), parameters) for column in columns) + ")"
                for row in rows[start : start + _BATCH]
            ]
            self._connection.execute(f"INSERT INTO {name} VALUES {', '.join(lines)}", parameters)  # noqa: S608 # names are quoted

    def _place(self, table: str) -> str:
        parts = table.split(".") if self._is_split else [table]
        if len(parts) > 2:
            self._connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {quoted(parts[0])}")
        if len(parts) > 1:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(map(quoted, parts[:-1]))}")
        return ".".join(map(quoted, parts))

    def _column_type(self, column: TableColumn) -> str:
        return "DATE" if column.is_date else self._type(column.type)

    def _type(self, of: ColumnType) -> str:
        if of.kind in _SIMPLE:
            return _SIMPLE[of.kind]
        if of.kind is Kind.TIME:
            return self._time
        if of.kind is Kind.STRUCT:
            return f"STRUCT({', '.join(f'{quoted(name)} {self._type(member)}' for name, member in of.members)})"
        item = self._type(_item(of))
        return f"{item}[]" if of.kind is Kind.ARRAY else f"MAP(VARCHAR, {item})"

    def _value(self, column: TableColumn, value: object, parameters: list[object]) -> str:
        if column.is_date and value is not None:
            parameters.append(day(value))
            return "CAST(? AS DATE)"
        return f"CAST({self._expression(column.type, value, parameters)} AS {self._column_type(column)})"

    def _expression(self, of: ColumnType, value: object, parameters: list[object]) -> str:
        """Return SQL for the value; its texts and numbers become parameters."""
        if value is None:
            return f"CAST(NULL AS {self._type(of)})"
        if of.kind is Kind.STRUCT:
            inside = _mapping(value)
            if unknown := inside.keys() - {name for name, _ in of.members}:
                raise ValueError(f"the struct has no member {', '.join(sorted(unknown))}")
            return "{" + ", ".join(f"{_text(name)}: {self._expression(t, inside.get(name), parameters)}" for name, t in of.members) + "}"
        if of.kind is Kind.ARRAY:
            items = [self._expression(_item(of), item, parameters) for item in _list(value)]
            return f"CAST([{', '.join(items)}] AS {self._type(of)})"
        if of.kind is Kind.MAP:
            return self._map(of, _mapping(value), parameters)
        parameters.append(_leaf(of.kind, value))
        return f"CAST(? AS {self._type(of)})"

    def _map(self, of: ColumnType, value: dict[str, object], parameters: list[object]) -> str:
        parameters.extend(value)
        keys = ", ".join("CAST(? AS VARCHAR)" for _ in value)
        values = ", ".join(self._expression(_item(of), item, parameters) for item in value.values())
        return f"CAST(map([{keys}], [{values}]) AS {self._type(of)})"


def _leaf(kind: Kind, value: object) -> object:
    match kind, value:
        case Kind.TIME, _:
            return utc(value)
        case Kind.JSON, _:
            return json.dumps(value, ensure_ascii=False)
        case ((Kind.TEXT | Kind.JSON_TEXT), str()) | (Kind.BOOLEAN, bool()):
            return value
        case (Kind.INTEGER, int()) | (Kind.REAL, (float() | int())) if not isinstance(value, bool):
            return value
        case _:
            raise TypeError(f"{value!r} is no {kind.value}")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _item(of: ColumnType) -> ColumnType:
    if of.item is None:
        raise ValueError(f"the type {of.kind.value} lacks its item")
    return of.item


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no dict")
    return cast("dict[str, object]", value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return cast("list[object]", value)


def fetch(connection: duckdb.DuckDBPyConnection, text: str) -> list[tuple[object, ...]]:
    """Run one statement and return its rows; times are aware, in UTC.

    Raises:
        Rejected: DuckDB refuses it or fails on it.
    """
    try:
        found = connection.execute(text).fetchall()
    except duckdb.Error as error:
        raise Rejected(str(error).strip()) from error
    return [tuple(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row) for row in found]


class DuckDbEngine:
    """DuckDB as it is."""

    name = "duckdb"
    engine = EngineKind.DUCKDB

    def __init__(self) -> None:
        self._connection = connect()
        self._tables = Tables(self._connection, time="TIMESTAMPTZ", is_split=True)

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others."""
        check_names(layout, rows)
        self._tables.write(layout.table, columns_of(layout), rows)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a statement gives."""
        return fetch(self._connection, text)


@cache
def duckdb_engine() -> DuckDbEngine:
    """Return this process's stand-in."""
    return DuckDbEngine()

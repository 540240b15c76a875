"""KQL: programs run on duckdb-kql, and Microsoft's own parser (Kusto.Language) says what is wrong with a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, cast

import duckdb
import duckdb_kql
from duckdb_kql.errors import KqlError, KqlUnsupportedError

from aibr_hunt.model.layout import ColumnType, EngineKind, Kind, Layout
from tests.standins import kusto_functions
from tests.standins.apart import Apart
from tests.standins.contract import Gap, Rejected, Row, TableColumn, check_names, columns_of
from tests.standins.duckdb_engine import Tables, connect, fetch
from tests.standins.kusto_functions import HIDDEN

INGESTION: Final = "ingestion_time()"
_DYNAMIC: Final = frozenset({Kind.JSON, Kind.STRUCT, Kind.ARRAY, Kind.MAP})
_TYPES: Final = {Kind.INTEGER: "long", Kind.REAL: "real", Kind.BOOLEAN: "bool", Kind.TIME: "datetime"}
_TEXTS: Final = frozenset({Kind.TEXT, Kind.JSON_TEXT})


# -- programs ---------------------------------------------------------------------------------------------------


# duckdb-kql reads a code point written as \\uXXXX as six letters; what may stand in a literal as it is, is put there.
_ESCAPED: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9a-f]{4})")


def _decoded(found: re.Match[str]) -> str:
    character = chr(int(found.group(2), 16))
    if character in '\n\r"\\\0':
        raise Gap("a line break or NUL written as a code point in a literal")
    return found.group(1) + character


class Kusto:
    """Tables in memory and programs over them. A text column knows no null: it holds empty text instead."""

    name = "duckdb-kql"
    engine = EngineKind.KQL

    def __init__(self) -> None:
        self._loaded: dict[str, tuple[list[TableColumn], list[Row]]] = {}
        self._connection = self._connected()

    @staticmethod
    def _connected() -> duckdb.DuckDBPyConnection:
        _teach()
        connection = connect()
        kusto_functions.prepare(connection)
        return connection

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others; an optional column that no row holds is left out."""
        check_names(layout, [{name: value for name, value in row.items() if name != INGESTION} for row in rows])
        held = {name for row in rows for name in row}
        columns = [_stored(column) for column in columns_of(layout) if column.name in held or not column.is_optional]
        if layout.arrival == INGESTION:
            columns.append(TableColumn(HIDDEN, ColumnType(kind=Kind.TIME)))
        self._loaded[layout.table] = (columns, [_completed(row, columns) for row in rows])
        self._write(layout.table)

    def _write(self, table: str) -> None:
        columns, rows = self._loaded[table]
        Tables(self._connection, time="TIMESTAMP", is_split=False).write(table, columns, rows)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a query gives."""
        text = _ESCAPED.sub(_decoded, text)
        mentioned = {column.name for table, (columns, _) in self._loaded.items() if table in text for column in columns}
        try:
            program = duckdb_kql.to_sql(_settled(text, mentioned), schema=self._schema())
        except KqlUnsupportedError as error:
            raise Gap(str(error.construct)) from error
        except KqlError as error:
            raise Rejected(str(error).strip()) from error
        try:
            return fetch(self._connection, kusto_functions.folded_as_kusto_does(str(program)))
        except Rejected as error:
            if isinstance(error.__cause__, duckdb.FatalException | duckdb.InternalException):
                self.forget()
                raise Gap(f"a construct that DuckDB fails on: {error}") from error
            raise

    def forget(self) -> None:
        """Begin anew with the same tables: an internal error leaves a database that answers nothing more."""
        self._connection = self._connected()
        for table in self._loaded:
            self._write(table)

    def _schema(self) -> dict[str, list[str]]:
        return {table: [column.name for column in columns] for table, (columns, _) in self._loaded.items()}


_teach = cache(kusto_functions.extend)


def _stored(column: TableColumn) -> TableColumn:
    kind = Kind.JSON if column.type.kind in _DYNAMIC else column.type.kind
    return TableColumn(column.name, ColumnType(kind=kind))


def _completed(row: Row, columns: Sequence[TableColumn]) -> Row:
    found = {column.name: row.get(INGESTION if column.name == HIDDEN else column.name) for column in columns}
    return {column.name: "" if found[column.name] is None and column.type.kind in _TEXTS else found[column.name] for column in columns}


_TOKEN: Final = re.compile(r"""//[^\n]*|@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\bcolumn_ifexists\s*\(|[(),]""")


def _settled(text: str, columns: Collection[str]) -> str:
    """Return the program with each `column_ifexists` replaced by the column or by its default.

    Raises:
        Gap: The name is no plain literal.
    """
    done = ""
    at = 0
    while found := _TOKEN.search(text, at):
        done += text[at : found.start()]
        at = found.end()
        if not found.group().startswith("column_ifexists"):
            done += found.group()
            continue
        name = re.compile(r"""\s*(["'])([^"'\\]*)\1\s*,""").match(text, at)
        if name is None:
            raise Gap("column_ifexists with anything but a literal name")
        end = _closing(text, name.end())
        done += f"['{name.group(2)}']" if name.group(2) in columns else f"({_settled(text[name.end() : end], columns)})"
        at = end + 1
    return done + text[at:]


def _closing(text: str, at: int) -> int:
    """Return where the parenthesis that is open at `at` closes."""
    depth = 1
    for found in _TOKEN.finditer(text, at):
        depth += found.group().endswith("(") - (found.group() == ")")
        if not depth:
            return found.start()
    raise Rejected("a parenthesis is never closed")


@cache
def kusto() -> Kusto:
    """Return this process's stand-in."""
    return Kusto()


# -- Microsoft's parser -----------------------------------------------------------------------------------------


def schema(layouts: Sequence[Layout]) -> dict[str, dict[str, str]]:
    """Return names and types of columns as Kusto knows them. Optional columns are left out: a program must not lean on them."""
    return {
        layout.table: {
            column.name: "dynamic" if column.type.kind in _DYNAMIC else _TYPES.get(column.type.kind, "string")
            for column in columns_of(layout)
            if not column.is_optional
        }
        for layout in layouts
    }


_apart: Final = Apart("tests.standins.kusto_parser")


def check(text: str, layouts: Sequence[Layout]) -> list[str]:
    """Return what Microsoft's parser has against a program over the tables of these layouts: errors and warnings."""
    return cast("list[str]", _apart(text, schema(layouts)))

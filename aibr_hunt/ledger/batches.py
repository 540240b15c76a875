"""Cutting long lists into pieces that one statement or one memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection, insert

from aibr_hunt.ledger.tables import TableValue

T = TypeVar("T")
Column: TypeAlias = "str | int | bytes | None"
_PARAMETERS = 900  # builds of SQLite older than 3.32 take 999 in one statement


def chunks(items: Iterable[T], size: int = _PARAMETERS) -> Iterator[list[T]]:
    """Yield `items` in lists of at most `size`."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def weighed_chunks(items: Iterable[T], weight: Callable[[T], int], *, size: int, heaviest: int) -> Iterator[list[T]]:
    """Yield `items` in lists of at most `size` items; a list ends when its weights have reached `heaviest`."""
    chunk: list[T] = []
    total = 0
    for item in items:
        chunk.append(item)
        total += weight(item)
        if len(chunk) >= size or total >= heaviest:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def insert_rows(connection: Connection, table: TableValue, rows: Sequence[Mapping[str, Column]]) -> None:
    """Insert rows that all name the same columns, two or more.

    The statement is SQLAlchemy's; the rows go straight to the driver, which takes these plain values as they are.
    SQLAlchemy's own preparation of every row costs as much as the database does.
    """
    if not rows:
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    if statement.positional and statement.positiontup is not None:
        in_order = itemgetter(*statement.positiontup)
        connection.exec_driver_sql(statement.string, [in_order(row) for row in rows])
    else:
        connection.exec_driver_sql(statement.string, [dict(row) for row in rows])

"""Answers: the rows that a question gives, read as far as they are asked for."""

from __future__ import annotations

import contextlib
import html
import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import duckdb

from aibr_hunt.engines.lake.ask_cells import cell_text, told_apart
from aibr_hunt.errors import UsageError
from aibr_hunt.model.text import for_terminal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
Row = tuple[object, ...]
SHOWN_ROWS: Final = 50
_BATCH: Final = 10_000
_REPR_ROWS: Final = 10
_CELL_SIGNS: Final = 100
_WAIT_S: Final = 0.1


def interruptible(connection: DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Return what `work` gives; Ctrl-C ends the statement that the connection is at.

    The work is done by another thread: while a statement runs, the engine hands no signal on to Python.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="question") as threads:
        answer = threads.submit(work)
        try:
            while not wait((answer,), timeout=_WAIT_S).done:
                pass
        except KeyboardInterrupt:
            connection.interrupt()
            _wait_out(answer)
            raise
        return answer.result()


def _wait_out(answer: Future[T]) -> None:
    """Return when a statement that was told to end has ended, however often Ctrl-C comes: leaving before it would crash the process."""
    while not answer.done():
        with contextlib.suppress(KeyboardInterrupt):
            wait((answer,))


class Turn:
    """Whose rows a connection is at: answers that share a connection take turns."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.holder: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A statement that has been checked, ready to be asked.

    Attributes:
        connection: Used by this question alone, or by questions that share its `turn`.
        text: One statement.
        parameters: Values of its parameters.
        told: Turns an error of DuckDB into one of ours.
        notes: Sentences that a reader of the answer should know.
        turn: Shared by the questions of one connection.
    """

    connection: DuckDBPyConnection
    text: str
    told: Callable[[duckdb.Error], Exception]
    parameters: Sequence[object] = ()
    notes: tuple[str, ...] = ()
    turn: Turn = field(default_factory=Turn)


class Answer:
    """The rows of a question. The first reading takes what has begun to run, each further one asks again: the lake stands still.

    Attributes:
        columns: Names of the columns.
        types: Their types, as DuckDB names them.
        notes: Sentences that a reader of the answer should know.
        taken: Rows that the last reading has given so far.
    """

    def __init__(self, question: Question) -> None:
        """Begin to ask.

        Raises:
            UsageError: The question cannot be asked; the message says where and why.
            EngineError: The lake cannot be read.
        """
        self._question = question
        self._is_fresh = True
        self._rounds = 0
        self.taken = 0
        self._execute()
        described = question.connection.description or []
        self.columns = tuple(str(each[0]) for each in described)
        self.types = tuple(str(each[1]) for each in described)
        self.notes = question.notes

    def _execute(self) -> DuckDBPyConnection:
        question = self._question
        question.turn.holder = self
        self._rounds += 1
        return self._guarded(lambda: question.connection.execute(question.text, list(question.parameters) or None))

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return interruptible(self._question.connection, work)
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise self._question.told(error) from None

    def _begun(self) -> DuckDBPyConnection:
        """Return the connection with the rows before it, none of them taken."""
        is_at_start, self._is_fresh = self._is_fresh and self._has_turn, False
        return self._question.connection if is_at_start else self._execute()

    @property
    def _has_turn(self) -> bool:
        return self._question.turn.holder is self

    def batches(self, size: int = _BATCH) -> Iterator[list[Row]]:
        """Yield the rows in lists of at most `size`; no more than one list is in memory.

        Raises:
            UsageError: The rows of this answer, or of one that shares its connection, were asked for anew meanwhile.
        """
        cursor = self._begun()
        round_, self.taken = self._rounds, 0
        while rows := self._guarded(lambda: cursor.fetchmany(size)):
            self.taken += len(rows)
            yield rows
            if not self._has_turn or self._rounds != round_:
                raise UsageError("Two answers were read in turns.", hint="Read one to its end first: rows() gives all of its rows.")

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        for batch in self.batches():
            yield from batch

    def rows(self) -> list[Row]:
        """Return all rows as tuples; times are naive and in UTC."""
        return list(self)

    def dicts(self) -> list[dict[str, object]]:
        """Return all rows by column name; of columns with one name the later ones are numbered."""
        names = told_apart(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self]

    def first(self, count: int) -> tuple[list[Row], int]:
        """Return the first `count` rows, and how many there are."""
        kept: list[Row] = []
        total = 0
        for batch in self.batches():
            kept += batch[: max(0, count - len(kept))]
            total += len(batch)
        return kept, total

    def arrow(self) -> Any:
        """Return the answer as a table of pyarrow.

        Raises:
            UsageError: The package is not installed.
        """
        _package("pyarrow")
        return self._guarded(lambda: self._relation().to_arrow_table())

    def pandas(self) -> Any:
        """Return the answer as a data frame of pandas.

        Raises:
            UsageError: The package is not installed.
        """
        _package("pandas")
        return self._guarded(lambda: self._relation().df())

    def polars(self) -> Any:
        """Return the answer as a data frame of polars.

        Raises:
            UsageError: The package, or pyarrow, through which DuckDB hands rows to it, is not installed.
        """
        polars = _package("polars")
        return polars.from_arrow(self.arrow())

    def _relation(self) -> duckdb.DuckDBPyRelation:
        """Return the question as a relation, which hands its rows over without a copy in Python."""
        self._question.turn.holder = None
        return self._question.connection.sql(self._question.text, params=list(self._question.parameters))

    def show(self, rows: int = SHOWN_ROWS) -> None:
        """Print the first rows as a table, and how many there are."""
        print(self.as_text(rows))  # noqa: T201 - it is what the method is for

    def as_text(self, rows: int = SHOWN_ROWS) -> str:
        """Return the first rows as a table that is safe for a terminal, and how many there are."""
        kept, total = self.first(rows)
        table = table_lines(self.columns, self.types, kept)
        return "\n".join([*table, f"{len(kept):,} of {total:,} rows"])

    def __repr__(self) -> str:
        """Return the first rows as a table."""
        return self.as_text(_REPR_ROWS)

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table in which every text is only text."""
        kept, total = self.first(SHOWN_ROWS)

        def cells(tag: str, row: Sequence[object]) -> str:
            return "".join(f"<{tag}>{html.escape(for_terminal(cell_text(cell)), quote=True)}</{tag}>" for cell in row)

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in kept)
        return (
            f"<table><thead><tr>{cells('th', self.columns)}</tr></thead><tbody>{body}</tbody></table><p>{len(kept):,} of {total:,} rows</p>"
        )


def _package(name: str) -> Any:
    """Return a package that the user has.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        hint = f"Install it beside aibr_hunt (pip install {name}), or use rows() or dicts()."
        raise UsageError(f"The package {name} is not installed.", hint=hint) from None


def is_number(kind: str) -> bool:
    """True for types that are aligned to the right."""
    return kind.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or kind.endswith(("INT", "INTEGER"))


def table_lines(columns: Sequence[str], types: Sequence[str], rows: Sequence[Row], *, limit: int = _CELL_SIGNS) -> list[str]:
    """Return a plain table, safe for a terminal; a long cell is shortened in its middle.

    Args:
        columns: Headers.
        types: Type of each column; numbers are aligned to the right.
        rows: Cells.
        limit: Signs of a cell that are shown; 0 shows all.
    """
    shown = [[for_terminal(cell_text(cell), limit=limit) for cell in row] for row in rows]
    headers = [for_terminal(name) for name in columns]
    widths = [max(map(len, column)) for column in zip(headers, *shown, strict=True)]
    right = [is_number(kind) for kind in types]

    def line(cells: Sequence[str]) -> str:
        parts = (cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in zip(cells, widths, right, strict=True))
        return "  ".join(parts).rstrip()

    return [line(cells) for cells in (headers, *shown)]

"""Rows of a lake read into one table for counting: by the engine where columns say exactly what a field is, else as the matcher reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING, Final, TypeAlias

from aibr_hunt.engines.lake.ask_ground import COMMON_TEXTS, all_of, begin, more, quoted, run, within
from aibr_hunt.engines.lake.ask_where import Where, where_on
from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.bind import BoundField, binder_of
from aibr_hunt.meaning.scalar import text_of
from aibr_hunt.meaning.view import View, compact
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from aibr_hunt.model.predicate import Predicate

Connect: TypeAlias = "Callable[[], DuckDBPyConnection]"
# Combinations of one event's values that are counted: a record with long lists in several fields would make millions.
MOST_COMBINATIONS: Final = 1_000
_BATCH: Final = 5_000
_SURE: Final = "TRUE"
# Texts that a view's column may show for a list, an object, or a number that the matcher spells otherwise.
_UNSURE: Final = "'^[\\[{]|^-?[0-9]+[.eE]|^-0|^-?[0-9]{16}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Where one field is read.

    Attributes:
        column: A column of the view that shows it; empty when there is none.
        bound: Where it lies in the record; None for what every view has a column for.
        sure: SQL that is true where the column shows exactly the field's one value, or that it is blank.
    """

    column: str
    bound: BoundField | None
    sure: str = _SURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one source is read.

    Attributes:
        view: Its view.
        fields: Where each field is read.
        where: The condition; None for none.
    """

    view: str
    fields: tuple[Held, ...]
    where: Where | None

    @property
    def sure(self) -> str | None:
        """SQL that is true on rows that the engine can count by itself; None when there are none."""
        if self.where is not None or not all(held.column for held in self.fields):
            return None
        return all_of(dict.fromkeys(held.sure for held in self.fields if held.sure != _SURE))


def plan_of(view: str, mapping: LogMapping | None, fields: Sequence[str], *, columns: Sequence[str], predicate: Predicate | None) -> Plan:
    """Return how a source is read.

    Args:
        view: Its view.
        mapping: Its mapping; None where records are taken as written.
        fields: Fields as rules name them, or columns that every view has.
        columns: The view's columns.
        predicate: A condition; None for none.

    Raises:
        Unsupported: The mapping lacks a field.
    """
    where = None if predicate is None else where_on(predicate, mapping)
    return Plan(view=view, fields=tuple(_held(name, mapping, columns) for name in fields), where=where)


def _held(name: str, mapping: LogMapping | None, columns: Sequence[str]) -> Held:
    if name in COMMON_TEXTS:
        return Held(column=name, bound=None)
    bound = binder_of(mapping).field(name)
    spec = bound.spec
    is_plain = bound.key == spec.name and len(bound.paths) == 1 and not spec.derive and not bound.blanks
    is_plain = (
        is_plain and bound.key in columns and bound.key.lower() not in COMMON_TEXTS and all(type(part) is str for part in bound.paths[0])
    )
    if not is_plain:
        return Held(column="", bound=bound)
    column = quoted(bound.key)
    told = f"coalesce(NOT regexp_matches({column}, {_UNSURE}), TRUE)"
    # Nothing in a column may stand for a list on the way, which the column's path does not open.
    sure = told if len(bound.paths[0]) == 1 else f"({told} AND coalesce({column}, '') != '')"
    return Held(column=bound.key, bound=bound, sure=sure)


def column_names(count: int) -> list[str]:
    """Return the names that fields have in the table."""
    return [f"field_{number}" for number in range(count)]


class Filling:
    """Fills the table `stacked` with one row for each combination of field values of each event.

    Args:
        connection: Whose temporary table it is.
        connect: Gives connections that read: rows are read while others are written.
        count: How many fields there are.
        window: Bounds of the event time.

    Attributes:
        events: Events that were taken in.
        cut: Of these, events with more combinations than are kept.
    """

    def __init__(self, connection: DuckDBPyConnection, connect: Connect, count: int, *, window: Window) -> None:
        """Make the table."""
        self._connection = connection
        self._connect = connect
        self._bounds, self._edges = within(window, '"time"')
        self.events = self.cut = 0
        columns = ", ".join(f"{name} VARCHAR" for name in column_names(count))
        connection.execute(f'CREATE OR REPLACE TEMP TABLE stacked ("time" TIMESTAMP, principal VARCHAR, {columns})')
        self._unnested = ", ".join(f"unnest(?::{kind}[])" for kind in ("TIMESTAMP", *("VARCHAR" for _ in range(count + 1))))

    def take(self, plan: Plan) -> None:
        """Take the events of one source in."""
        sure = plan.sure
        if sure is None:
            self._read(plan, [plan.where.sieve] if plan.where else [])
            return
        self._copy(plan, sure)
        if sure != _SURE:
            self._read(plan, [f"NOT ({sure})"])

    def _copy(self, plan: Plan, sure: str) -> None:
        """Copy rows whose columns say all."""
        columns = ", ".join(_column(held.column) for held in plan.fields)
        condition = all_of([*self._bounds, sure])
        text = f"INSERT INTO stacked SELECT \"time\", NULLIF(principal, ''), {columns} FROM {quoted(plan.view)} WHERE {condition}"  # noqa: S608 - names are quoted
        self.events += sum(count for (count,) in run(self._connection, text, self._edges) if isinstance(count, int))

    def _read(self, plan: Plan, conditions: Sequence[str]) -> None:
        """Read records as the matcher does."""
        columns = "".join(f", {_column(held.column)}" for held in plan.fields if held.bound is None)
        condition = all_of([*self._bounds, *conditions])
        text = f"SELECT \"time\", NULLIF(principal, ''), CAST(record AS VARCHAR){columns} FROM {quoted(plan.view)} WHERE {condition}"  # noqa: S608 - names are quoted
        reader = self._connect()
        try:
            begin(reader, text, self._edges)
            while rows := more(reader, _BATCH):
                self._insert([line for row in rows for line in self._lines(plan, row)])
        finally:
            reader.close()

    def _lines(self, plan: Plan, row: tuple[object, ...]) -> list[tuple[object, ...]]:
        """Return the lines of one event; none when it does not meet the condition."""
        try:
            view = View(parse_record(str(row[2]).encode(errors="surrogateescape")).value)
        except RecordRefused:
            return []  # the lake keeps none of these: each of its records was read once already
        if plan.where is not None and not plan.where.test(view):
            return []
        given: Iterator[object] = iter(row[3:])
        values = [[next(given)] if held.bound is None else _texts(view.values(held.bound)) for held in plan.fields]
        found = list(dict.fromkeys(islice(product(*values), MOST_COMBINATIONS + 1)))
        self.events += 1
        self.cut += len(found) > MOST_COMBINATIONS
        return [(row[0], row[1], *each) for each in found[:MOST_COMBINATIONS]]

    def _insert(self, lines: Sequence[tuple[object, ...]]) -> None:
        """Append lines, a column at a time: that is a hundred times as fast as a row at a time."""
        if lines:
            self._connection.execute(f"INSERT INTO stacked SELECT {self._unnested}", [list(column) for column in zip(*lines, strict=True)])


def _column(name: str) -> str:
    return f"NULLIF({quoted(name)}, '')"


def _texts(values: Sequence[Json]) -> list[str | None]:
    """Return each value as it is shown, once; a blank field is one null."""
    return list(dict.fromkeys(map(_shown, values))) or [None]


def _shown(value: Json) -> str:
    if isinstance(value, dict | list):
        return compact(value)
    text = text_of(value)
    return repr(value) if text is None else text

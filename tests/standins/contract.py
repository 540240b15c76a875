"""What every stand-in offers, and what all of them say of a layout's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol, TypeAlias

from aibr_hunt.model.layout import Column, ColumnType, EngineKind, Kind, Layout, PartitionForm

Row: TypeAlias = Mapping[str, object]


class Gap(Exception):
    """The stand-in lacks something that the real engine has.

    Attributes:
        construct: Function, operator or clause.
    """

    def __init__(self, construct: str) -> None:
        super().__init__(f"the stand-in lacks {construct}")
        self.construct = construct


class Rejected(Exception):
    """The program is wrong: the engine would refuse it or fail on it."""


class StandIn(Protocol):
    """Holds tables and runs programs in one engine's language.

    Attributes:
        name: What it is, for reports.
        engine: Whose language it speaks.
    """

    name: str
    engine: EngineKind

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others.

        A row maps names of columns to values: TEXT and JSON_TEXT str; INTEGER int; REAL float; BOOLEAN bool; TIME aware datetime; JSON any
        JSON value; STRUCT dict; ARRAY list; MAP dict. None is NULL, and so is a column that a row lacks.
        """
        ...

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a program gives.

        Raises:
            Gap: The stand-in lacks a construct that the real engine has.
            Rejected: The program is wrong.
        """
        ...


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column as a table has it; `is_date` for a partition of type DATE, `is_pseudo` when `SELECT *` does not show it."""

    name: str
    type: ColumnType
    is_date: bool = False
    is_pseudo: bool = False
    is_optional: bool = False


def columns_of(layout: Layout) -> tuple[TableColumn, ...]:
    """Return the columns of the layout's table: those it declares, then the partitions that it does not."""
    dates = {partition.column for partition in layout.partitions if partition.form is PartitionForm.DATE}
    declared = [
        TableColumn(column.name, column.type, column.name in dates, _is_pseudo(column), column.is_optional) for column in layout.columns
    ]
    names = {column.name for column in declared}
    for partition in layout.partitions:
        if partition.column not in names:
            kind = Kind.TIME if partition.form in {PartitionForm.DATE, PartitionForm.TIMESTAMP} else Kind.TEXT
            is_pseudo = partition.column.startswith("_")
            declared.append(TableColumn(partition.column, ColumnType(kind=kind), partition.column in dates, is_pseudo))
    if layout.table.endswith("*") and "_TABLE_SUFFIX" not in {column.name for column in declared}:
        declared.append(TableColumn("_TABLE_SUFFIX", ColumnType(kind=Kind.TEXT), is_pseudo=True))
    return tuple(declared)


def _is_pseudo(column: Column) -> bool:
    return column.name.startswith(("_TABLE_", "_PARTITION"))


def utc(value: object) -> datetime:
    """Return a time as an aware datetime in UTC.

    Raises:
        TypeError: It is no aware datetime.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"a time must be an aware datetime, not {value!r}")
    return value.astimezone(UTC)


def day(value: object) -> date:
    """Return a date; that of an aware datetime in UTC."""
    return value if isinstance(value, date) and not isinstance(value, datetime) else utc(value).date()


def check_names(layout: Layout, rows: Sequence[Row]) -> None:
    """Refuse a row that holds a column which the layout does not declare: a slip in a test would read as a NULL.

    Raises:
        ValueError: There is such a row.
    """
    known = {column.name for column in columns_of(layout)}
    for row in rows:
        if unknown := row.keys() - known:
            raise ValueError(f"{layout.label} declares no column {', '.join(sorted(unknown))}")

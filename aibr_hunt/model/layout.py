"""Layouts: how a log source lies in the tables of one engine.

A mapping says what fields are; a layout says in which columns they lie, of what type, and how a time span is bounded. Values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EngineKind(StrEnum):
    """The engines that a rule is printed for."""

    ATHENA = "athena"
    BIGQUERY = "bigquery"
    KQL = "kql"
    DUCKDB = "duckdb"


class Kind(StrEnum):
    """What one value of a column is, whatever its engine calls the type."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    TIME = "time"
    JSON = "json"
    JSON_TEXT = "json_text"
    STRUCT = "struct"
    ARRAY = "array"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """The type of a column or of a part of it.

    Attributes:
        kind: What a value is. JSON is the engine's own type (JSON, dynamic), JSON_TEXT a text that holds JSON.
        members: For STRUCT: names and types, in order.
        item: For ARRAY the type of an element, for MAP that of a value (keys are texts).
    """

    kind: Kind
    members: tuple[tuple[str, ColumnType], ...] = ()
    item: ColumnType | None = None

    def member(self, name: str) -> ColumnType | None:
        """Return the type of a struct's member, None when it has no such member."""
        return dict(self.members).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a layout's table.

    Attributes:
        name: Exact in case, as the engine shows it; never quoted here.
        type: Its type.
        is_optional: The table may lack it (sparse or widening tables): blank while absent.
    """

    name: str
    type: ColumnType
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPath:
    """Where values lie: a column, then members of structs, keys of maps or members of JSON; `[]` stands for any element of an array.

    Attributes:
        column: Name of the column.
        steps: What follows, outermost first.
    """

    column: str
    steps: tuple[str, ...] = ()


class TimeForm(StrEnum):
    """How a layout writes the event time."""

    TYPED = "typed"
    """A column of the engine's own time type."""
    ISO_TEXT = "iso_text"
    """RFC 3339 text in UTC, to the second or with decimals behind it, ending in Z: compares as text with a time to the second."""
    EPOCH_SECONDS = "epoch_seconds"
    """A whole number of seconds since 1970."""
    EPOCH_MILLISECONDS = "epoch_milliseconds"
    """A whole number of milliseconds since 1970."""
    BRACKETED = "bracketed"
    """Text such as `[06/Feb/2026:00:00:38 +0000]`."""


class PartitionForm(StrEnum):
    """How a partition column writes a day."""

    SLASHED = "yyyy/MM/dd"
    DASHED = "yyyy-MM-dd"
    COMPACT = "yyyyMMdd"
    DATE = "date"
    """A column of type DATE."""
    TIMESTAMP = "timestamp"
    """A column of a time type that the engine partitions by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A column that an engine prunes by.

    Attributes:
        column: Its name; a pseudo column such as `_TABLE_SUFFIX` is allowed.
        form: How it writes a day.
        slack_days: Days by which the bound is wider than the window, on either side.
    """

    column: str
    form: PartitionForm
    slack_days: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What every row of the log source holds in a shared table: the column reads one of `values`, without case."""

    path: ColumnPath
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one member of the record, and everything below it, lies.

    Attributes:
        member: Member path in the record as the cloud delivers it; the longest place in front of a field's path wins.
        paths: Column paths; a value of any of them is a value of the member.
        is_caseless: The column holds the text in another case than the log does (an id stored in lower case).
        has_port: The text is an address with a port behind it.
    """

    member: tuple[str, ...]
    paths: tuple[ColumnPath, ...]
    is_caseless: bool = False
    has_port: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way in which a log source lies on one engine.

    Attributes:
        name: Such as `projection` or `lake`; unique among the layouts of one engine in a mapping.
        engine: The engine.
        table: The table's usual name, dotted; configuration may give another.
        columns: Every column that is used or shown.
        places: Where members of the record lie. A member without a place is not carried by this layout.
        time: Column path of the event time, and `time_form` how it is written.
        identity: Column paths that make up the event's identity, in the mapping's order; empty when the layout lacks a part.
        arrival: Column of the arrival time; `ingestion_time()` for Log Analytics; empty when there is none.
        partitions: Columns that prune, besides the event time.
        fixed: Conditions that hold for every row of this source in a shared table.
        pulse: Column paths by which the source's pulse is counted.
        settle_s: Seconds after which a window can be expected to be complete.
        recheck_s: Seconds after an event when a sweep takes another look, for what arrived later than that.
        is_full: The layout carries everything that the log source delivers, else it is a projection.
        notes: What a reader of compiled text should know, one sentence each.
    """

    name: str
    engine: EngineKind
    table: str
    columns: tuple[Column, ...]
    places: tuple[Place, ...]
    time: ColumnPath
    time_form: TimeForm = TimeForm.TYPED
    identity: tuple[ColumnPath, ...] = ()
    arrival: str = ""
    partitions: tuple[Partition, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    pulse: tuple[ColumnPath, ...] = ()
    settle_s: int = 3600
    recheck_s: int = 86_400
    is_full: bool = False
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return the column of that name, None when the layout declares none."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def label(self) -> str:
        """Engine and layout, as commands name them: `athena/projection`."""
        return f"{self.engine.value}/{self.name}"

"""What questions stand on: connections to a lake's views, and the mapping behind each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb

from aibr_hunt.engines.lake.ask_answer import Answer, Question, Turn, interruptible
from aibr_hunt.engines.lake.ask_sql import Names, names_of, told
from aibr_hunt.engines.lake.views import view_name
from aibr_hunt.errors import UsageError
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from aibr_hunt.engines.lake.ask_event import Delivery

T = TypeVar("T")
# Columns that every view has, whatever its log source, and that hold a text.
COMMON_TEXTS: Final = ("source", "action", "principal", "address", "resource", "region", "account", "file", "event_id", "identity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A lake as questions see it.

    Attributes:
        connect: Gives a locked connection that nobody else uses.
        sources: Name of each view with its mapping; None where records are taken as written.
        deliveries: Gives every delivery of the event with an identity, by the name of its view, in the order in which they were added.
        placeholders: Values of each `%name%` in conditions.
    """

    connect: Callable[[], DuckDBPyConnection]
    sources: Mapping[str, LogMapping | None]
    deliveries: Callable[[DuckDBPyConnection, str, str], Sequence[Delivery]]
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def chosen(self, names: Sequence[str]) -> dict[str, LogMapping | None]:
        """Return the named sources, all of them when none is named.

        Raises:
            UsageError: There is no such source in the lake.
        """
        views = [view_name(name) for name in names]
        for name, view in zip(names, views, strict=True):
            if view not in self.sources:
                near = difflib.get_close_matches(name, list(self.sources), n=1)
                known = f"The lake holds: {', '.join(self.sources)}." if self.sources else "The lake is empty: add logs to it first."
                raise UsageError(f"The lake has no source {name}.", hint=f"Did you mean {near[0]}?" if near else known)
        return {view: self.sources[view] for view in views} if views else dict(self.sources)


def ask(
    connection: DuckDBPyConnection, text: str, *, parameters: Sequence[object] = (), notes: tuple[str, ...] = (), turn: Turn | None = None
) -> Answer:
    """Return the answer to a statement.

    Args:
        connection: Used by this answer alone from here on, or by answers with the same `turn`.
        text: One statement.
        parameters: Values of its parameters.
        notes: Sentences for the reader of the answer.
        turn: Shared by answers that share the connection.

    Raises:
        UsageError: It cannot be asked.
    """

    def turned(error: duckdb.Error) -> Exception:
        return told(error, text, names_of(connection))

    return Answer(Question(connection=connection, text=text, parameters=parameters, told=turned, notes=notes, turn=turn or Turn()))


def run(connection: DuckDBPyConnection, text: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
    """Return the rows of a statement of our own; Ctrl-C ends it.

    Raises:
        EngineError: The lake cannot be read.
        UsageError: A value of the user's fits nowhere.
    """
    begin(connection, text, parameters)
    return more(connection, None)


def begin(connection: DuckDBPyConnection, text: str, parameters: Sequence[object] = ()) -> None:
    """Begin a statement of our own, whose rows `more` gives."""
    _turned(connection, lambda: connection.execute(text, list(parameters) or None), text)


def more(connection: DuckDBPyConnection, count: int | None) -> list[tuple[object, ...]]:
    """Return the next rows of what was begun; all of them when `count` is None."""
    return _turned(connection, lambda: connection.fetchall() if count is None else connection.fetchmany(count), "")


def _turned(connection: DuckDBPyConnection, work: Callable[[], T], text: str) -> T:
    try:
        return interruptible(connection, work)
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise told(error, text, Names(by_view={})) from None


def quoted(name: str) -> str:
    """Return a name between double quotes."""
    return '"' + name.replace('"', '""') + '"'


def within(window: Window, column: str = "time") -> tuple[list[str], list[object]]:
    """Return conditions on a naive UTC column that bound it by a window, and their parameters."""
    edges = ((">=", window.start), ("<", window.end))
    found = [(f"{column} {sign} ?", _naive(edge)) for sign, edge in edges if edge is not None]
    return [condition for condition, _ in found], [moment for _, moment in found]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def all_of(conditions: Iterable[str]) -> str:
    """Return a conjunction; TRUE of none."""
    return " AND ".join(conditions) or "TRUE"

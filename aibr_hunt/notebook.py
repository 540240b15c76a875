"""The lake in Python and in notebooks: `import aibr_hunt; lake = aibr_hunt.open()`."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aibr_hunt.cli.parts import duration_of, lake_folder, library_of, now, window_of
from aibr_hunt.cli.settings import Settings
from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.questions import Answer, EventFound, Questions, StackAsked, Timeline, TimelineAsked
from aibr_hunt.engines.lake.store import BOOK
from aibr_hunt.errors import UsageError
from aibr_hunt.model.text import for_terminal
from aibr_hunt.model.window import Window

__all__ = ["OpenLake", "open_lake"]

Edge = str | date | datetime | None
Condition = str | Mapping[str, object] | Sequence[Mapping[str, object]]


def open_lake(folder: str | Path | None = None) -> OpenLake:
    """Return the lake in a folder, ready to be asked.

    Args:
        folder: The lake's folder, or the folder of a ledger with a lake in it; None for the home in force, as on the command line.

    Raises:
        UsageError: There is no lake.
        EngineError: It cannot be read.
    """
    settings = Settings.load({}, here=Path.cwd())
    if folder is None:
        return OpenLake(lake_folder(settings), settings)
    given = Path(folder).expanduser()
    is_lake = (given / BOOK).is_file()
    return OpenLake(given if is_lake else lake_folder(settings.with_option("home", str(given))), settings)


class OpenLake:
    """An open lake, as it was when it was opened. Made by `aibr_hunt.open`; a context manager.

    Attributes:
        folder: Where it lies.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Open the lake with the content in force."""
        library = library_of(settings)
        self.folder = folder
        self._questions: Questions | None = questions_on(Lake.open(folder, mappings=library.mappings), library.placeholders)

    @property
    def _open(self) -> Questions:
        if self._questions is None:
            raise UsageError(f"The lake {self.folder} is closed.", hint="Open it again: aibr_hunt.open().")
        return self._questions

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the log sources that the lake holds."""
        return self._open.sources

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """The columns of each view: what may stand after FROM and after SELECT."""
        return self._open.views

    def sql(self, text: str) -> Answer:
        """Return the answer to one SELECT in the SQL of DuckDB.

        Raises:
            UsageError: It is no SQL, names what is not there, or does more than read.
        """
        return self._open.sql(text)

    def stack(  # noqa: PLR0913 - the words of one question, as on the command line
        self,
        *fields: str,
        where: Condition = "",
        source: str | Sequence[str] = (),
        start: Edge = None,
        end: Edge = None,
        last: str | None = None,
        by: str = "",
        commonest: bool = False,
        limit: int | None = None,
    ) -> Answer:
        """Return how often each combination of the fields' values occurs, the rarest first.

        Args:
            *fields: Fields as rules name them, or what every event has: action, principal, address, ….
            where: A condition as in a rule: YAML, or a map or list of maps.
            source: One log source, or several.
            start: Included. A datetime or text with an offset, or a date (UTC day). `end`: not included.
            end: See `start`.
            last: In place of start, such as `14d`.
            by: `hour` or `day`.
            commonest: True puts the commonest first.
            limit: Rows to give at most.

        Raises:
            UsageError: No source has the fields, or the window cannot be.
            ContentErrors: The condition is wrong.
        """
        return self._open.stack(
            StackAsked(
                fields=fields,
                where=_condition(where),
                sources=_names(source),
                window=_window(start, end, last),
                by=by,
                is_commonest_first=commonest,
                limit=limit,
            )
        )

    def timeline(  # noqa: PLR0913 - as above
        self,
        *names: str,
        source: str | Sequence[str] = (),
        start: Edge = None,
        end: Edge = None,
        last: str | None = None,
        anywhere: bool = False,
        gap: str = "30m",
    ) -> Timeline:
        """Return what principals, addresses, keys or other identifiers did over all sources, in order of time.

        Args:
            *names: Whole names, in any case.
            source: One log source, or several.
            start: As for `stack`.
            end: As for `stack`.
            last: As for `stack`.
            anywhere: True also looks for the names in the raw text of every record.
            gap: A longer silence parts two sessions.

        Raises:
            UsageError: No name is given, or the window cannot be.
        """
        return self._open.timeline(
            TimelineAsked(
                values=names,
                sources=_names(source),
                window=_window(start, end, last),
                is_anywhere=anywhere,
                gap=duration_of(gap),
            )
        )

    def show(self, event_id: str) -> EventFound:
        """Return one event in full.

        Args:
            event_id: Its id, six or more of its first digits, or a whole identity.

        Raises:
            UsageError: There is no such event, or there are several.
        """
        return self._open.show(event_id)

    def close(self) -> None:
        """Let go of the lake."""
        if self._questions is not None:
            self._questions.close()
            self._questions = None

    def __enter__(self) -> Self:
        """Return the lake."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the lake."""
        self.close()

    def __repr__(self) -> str:
        """Return where the lake lies, what it holds, and what to type next."""
        place = for_terminal(str(self.folder))
        if self._questions is None:
            return f"<lake {place}: closed>"
        held = ", ".join(self.sources) or "nothing yet"
        return f"<lake {place}: {held}; ask .sql(), .stack(), .timeline(), .show(); .views lists columns>"

    def _repr_html_(self) -> str:
        """Return the same as HTML."""
        return f"<code>{html.escape(repr(self), quote=True)}</code>"


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _condition(where: Condition) -> str:
    return where if isinstance(where, str) else json.dumps(where, ensure_ascii=False)


def _window(start: Edge, end: Edge, last: str | None) -> Window:
    return window_of(_edge(start, "start"), _edge(end, "end"), last, now=now())


def _edge(edge: Edge, name: str) -> str | None:
    if isinstance(edge, datetime):
        if edge.tzinfo is None:
            raise UsageError(f"{name} has no time zone.", hint="Give an aware datetime, such as datetime(2026, 1, 31, tzinfo=UTC).")
        return edge.astimezone(UTC).isoformat()
    return edge.isoformat() if isinstance(edge, date) else edge

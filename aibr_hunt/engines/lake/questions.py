"""Ad-hoc questions over a lake: SQL, stacks, timelines, and one event in full."""

from __future__ import annotations

from collections.abc import Callable

from aibr_hunt.engines.lake.ask_answer import Answer
from aibr_hunt.engines.lake.ask_event import EventFound, find_event
from aibr_hunt.engines.lake.ask_ground import Ground, ask
from aibr_hunt.engines.lake.ask_sql import check_statement, names_of
from aibr_hunt.engines.lake.ask_stack import StackAsked, stack
from aibr_hunt.engines.lake.ask_timeline import Timeline, TimelineAsked, timeline

__all__ = ["Answer", "EventFound", "Ground", "Questions", "StackAsked", "Timeline", "TimelineAsked"]


class Questions:
    """Questions over one lake.

    Args:
        ground: The lake as questions see it.
        close: Lets go of the lake.
    """

    def __init__(self, ground: Ground, *, close: Callable[[], None] = lambda: None) -> None:
        """Keep what questions stand on; nothing is read yet."""
        self._ground = ground
        self._close = close

    def close(self) -> None:
        """Let go of the lake; answers that were not read to their end cannot be read on."""
        self._close()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the log sources that the lake holds."""
        return tuple(self._ground.sources)

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """The columns of each view: what may stand after FROM and after SELECT."""
        return dict(names_of(self._ground.connect()).by_view)

    def sql(self, text: str) -> Answer:
        """Return the answer to one statement that reads.

        Raises:
            UsageError: It is no SQL, names what is not there, or does more than read.
            EngineError: The lake cannot be read.
        """
        connection = self._ground.connect()
        return ask(connection, check_statement(connection, text, names_of(connection)))

    def stack(self, asked: StackAsked) -> Answer:
        """Return each combination of some fields' values with how often it occurs; see `ask_stack.stack`."""
        return stack(self._ground, asked)

    def timeline(self, asked: TimelineAsked) -> Timeline:
        """Return what some names, addresses or keys did; see `ask_timeline.timeline`."""
        return timeline(self._ground, asked)

    def show(self, event_id: str) -> EventFound:
        """Return one event in full: its record, where it lay, and its other deliveries; see `ask_event.find_event`."""
        return find_event(self._ground, event_id)

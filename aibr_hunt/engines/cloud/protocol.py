"""What every cloud engine does, whatever its driver: one program in, every row out, or an error that says which of few things happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from aibr_hunt.errors import EngineError, LimitExceeded
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window

Row = Mapping[str, object]
"""A row by column name. A cell is None, a text, a number, a boolean, an aware moment, a list or a mapping.

Nested columns may come as JSON text.
"""


class PartialResult(EngineError):
    """The engine gave a part of the rows, or may not give more: the same program over half of the window may succeed."""


class TooComplex(EngineError):
    """The engine's planner refused the text: half of its rules may succeed."""


class NotThere(EngineError):
    """The table, or a column that the program names, is not there: nothing was looked at."""


class AccessRefused(EngineError):
    """The credentials are missing, expired beyond renewal, or lack a permission."""


class OverBudget(LimitExceeded):
    """A ceiling forbade the program, or ended it."""


class Stopped(EngineError):
    """The user stopped the run; the remote job was told to stop too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One program for one Source.

    Attributes:
        text: The program: one SELECT, or one tabular expression of KQL.
        window: The event times that it bounds.
        token: 64 hex digits that follow from run, source, text and window: the engine starts one job for it, however often it is sent.
        most_bytes: Scanning more than this is refused or ended by the engine; None for no ceiling.
    """

    source: Source
    text: str
    window: Window
    token: str
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a program would scan.

    Attributes:
        scanned_bytes: None when nothing can be said.
        basis: On what it rests, in a sentence: `dry run`, `objects below the partitions of the window`, `volume of the table`.
    """

    scanned_bytes: int | None
    basis: str


@dataclass(slots=True, kw_only=True)
class Statistics:
    """What the engine tells of a job; complete when its rows were read to the end."""

    job: str = ""
    counted_rows: int | None = None
    scanned_bytes: int | None = None
    billed_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rows of a program.

    Attributes:
        rows: Every row, page by page, once. It ends only when the engine has no more and, where the engine counts them, as many came as it
            counted; otherwise it raises, and what came before must not be taken for the answer.
        statistics: Of the job.
    """

    rows: Iterator[Row]
    statistics: Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSeen:
    """A column as the engine describes it: name and the engine's own type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a Source looks like from here.

    Attributes:
        is_there: The table exists and may be read.
        columns: As the engine describes them; empty when it does not say.
        newest: Newest event time that the table holds, of the last days; None when there is none or it was not asked.
        partitions: In words, such as `region, account, timestamp (projected)`.
        notes: Sentences for the operator.
    """

    is_there: bool
    columns: tuple[ColumnSeen, ...] = ()
    newest: datetime | None = None
    partitions: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How patient an engine's client is.

    Attributes:
        deadline_s: Seconds that one program may take, queue included.
        call_s: Seconds that one call of the interface may take.
        attempts: How often a call that may be repeated is made.
        wait_s: First wait between attempts and between polls; it grows, with jitter, to `longest_wait_s`.
        at_once: Programs that run at the same time.
    """

    deadline_s: float = 3600.0
    call_s: float = 60.0
    attempts: int = 6
    wait_s: float = 0.5
    longest_wait_s: float = 20.0
    at_once: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What an engine heeds and tells while a program runs.

    Attributes:
        is_stopped: True once the user asked to stop: the engine then stops the remote job and raises Stopped.
        tell: Called with a sentence when something takes long: a retry, a queue, a slow poll.
        started: Called with the job's id as soon as it is known, so that it can be written down before rows come.
    """

    is_stopped: Callable[[], bool] = field(default=lambda: False)
    tell: Callable[[str], None] = field(default=lambda _: None)
    started: Callable[[str], None] = field(default=lambda _: None)


class CloudEngine(Protocol):
    """One engine of one Source's account: opened once a run, closed at its end. Only it knows the driver."""

    @property
    def kind(self) -> EngineKind:
        """Which engine it is."""

    @property
    def price(self) -> Price | None:
        """What it charges; None when the configuration names no price."""

    def estimate(self, question: Question) -> Estimate:
        """Return what the program would scan, before it is started.

        Raises:
            NotThere, AccessRefused, TooComplex, EngineError: The engine says so.
        """

    def ask(self, question: Question, watch: Watch) -> Answer:
        """Start the program, or take up the job that its token started before, and wait for its end.

        Raises:
            PartialResult, TooComplex, NotThere, AccessRefused, OverBudget, Stopped: As their names say.
            EngineError: It failed otherwise; `retryable` says whether asking later makes sense.
        """

    def inspect(self, source: Source) -> Inspection:
        """Return what the Source looks like.

        Raises:
            AccessRefused: It may not be looked at.
            EngineError: The engine does not answer.
        """

    def close(self) -> None:
        """Give up connections; programs that still run are stopped."""

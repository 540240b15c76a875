"""Jobs: what became of one program that was handed to a cloud engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aibr_hunt.model.window import Window


class JobState(StrEnum):
    """How a job ended."""

    DONE = "done"
    """Every row came, and their number is what the engine counted."""
    PARTIAL = "partial"
    """The engine gave a part and said so; its window was asked again in halves."""
    TOO_COMPLEX = "too complex"
    """The engine's planner refused the text; its rules were asked again in halves."""
    OVER_BUDGET = "over budget"
    """A ceiling forbade it, or ended it."""
    NOT_COVERED = "not covered"
    """The table or a column is not there."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an engine charges.

    Attributes:
        per_tib: Money for a tebibyte that is scanned.
        currency: ISO 4217 code.
        least_bytes: Bytes that are billed at least for each program.
    """

    per_tib: float
    currency: str = "USD"
    least_bytes: int = 0

    def of(self, scanned_bytes: int) -> float:
        """Return the money for bytes."""
        return max(scanned_bytes, self.least_bytes) / (1 << 40) * self.per_tib


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program as it ran.

    Attributes:
        id: As the engine names it; empty when it never started.
        source: Label of the Source. `place`: account, project or workspace.
        window: What it was asked for. `rules`: ids of the rules that it asks for.
        text: The program, letter by letter. `digest`: SHA-256 of it, hex.
        estimated_bytes: What the engine or its table's size said before; None when nothing did. `estimate`: on what that rests.
        rows: Rows that came. `counted_rows`: what the engine says there are; None when it does not say.
        scanned_bytes, billed_bytes: As the engine tells; None when it does not.
        money: What that costs by the configured price; None without a price.
        attempts: How often it was started, retries by the engine's client left out.
        state: How it ended. `cause`: why, in a sentence; empty for DONE.
    """

    id: str
    source: str
    place: str
    window: Window
    rules: tuple[str, ...]
    text: str
    digest: str
    started: datetime
    ended: datetime
    state: JobState
    cause: str = ""
    estimated_bytes: int | None = None
    estimate: str = ""
    rows: int = 0
    counted_rows: int | None = None
    scanned_bytes: int | None = None
    billed_bytes: int | None = None
    money: float | None = None
    currency: str = ""
    attempts: int = 1

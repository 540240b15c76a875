"""One program while it is asked: estimate, ceilings, rows, and the job that is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from aibr_hunt.engines.cloud.budget import Budget
from aibr_hunt.engines.cloud.protocol import (
    CloudEngine,
    Estimate,
    NotThere,
    OverBudget,
    PartialResult,
    Question,
    Row,
    Statistics,
    TooComplex,
    Watch,
)
from aibr_hunt.errors import AibrError, EngineError
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window, utc_text

LOST: Final = (EngineError, OverBudget)
"""Errors that end a program and are told of it; anything else is a fault of our own."""
_STATES: Final[tuple[tuple[type[AibrError], JobState], ...]] = (
    (PartialResult, JobState.PARTIAL),
    (TooComplex, JobState.TOO_COMPLEX),
    (OverBudget, JobState.OVER_BUDGET),
    (NotThere, JobState.NOT_COVERED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the asking of every Source of a run has in common.

    Attributes:
        run: Says one run from another: jobs are started under tokens that follow from it, so that a run that goes on after a crash
            takes up its jobs and starts none twice.
        clock: Gives the present, aware UTC.
        budget: What may be spent.
        watch: What the engine heeds and tells.
        began: When a run that goes on after a crash asked its first program: jobs that it takes up saw nothing later. None for a new run.
    """

    run: str
    clock: Callable[[], datetime]
    budget: Budget
    watch: Watch = field(default_factory=Watch)
    began: datetime | None = None


def question_of(source: Source, text: str, window: Window, *, run: str) -> Question:
    """Return a program as it is handed to an engine, under the token that says this program of this run from every other."""
    edges = "|".join(utc_text(edge) for edge in (window.start, window.end) if edge)
    digest = hashlib.sha256(text.encode()).hexdigest()
    token = hashlib.sha256(f"{run}|{source.label}|{edges}|{digest}".encode()).hexdigest()
    return Question(source=source, text=text, window=window, token=token)


def state_of(error: AibrError) -> JobState:
    """Return how a job ended that an error ended."""
    return next((state for kind, state in _STATES if isinstance(error, kind)), JobState.FAILED)


class Asking:
    """One program of one Source.

    Args:
        engine: Who is asked.
        question: What; the ceiling is put in when it starts.
        around: Of the run.
        rules: Ids of the rules that it asks for.
    """

    def __init__(self, engine: CloudEngine, question: Question, around: Surroundings, *, rules: Sequence[str] = ()) -> None:
        """Ask nothing yet."""
        self._engine, self._question, self._around, self._rules = engine, question, around, tuple(rules)
        self._started = around.clock()
        self._estimate: Estimate | None = None
        self._statistics = Statistics()
        self._rows = 0

    @property
    def place(self) -> str:
        """What evidence calls the place of its rows: Source and job. Known once rows come."""
        return f"{self._question.source.label}/{self._statistics.job}"

    def rows(self) -> Iterator[Row]:
        """Yield every row; an error that ends it before says that they are not all.

        Raises:
            EngineError, OverBudget: As `CloudEngine.ask` says.
        """
        self._estimate = self._engine.estimate(self._question)
        most = self._around.budget.hold(self._question.token, self._estimate, self._engine.price)
        answer = self._engine.ask(replace(self._question, most_bytes=most), replace(self._around.watch, started=self._note))
        answer.statistics.job = answer.statistics.job or self._statistics.job
        self._statistics = answer.statistics
        for row in answer.rows:
            self._rows += 1
            yield row

    def _note(self, job: str) -> None:
        self._statistics.job = job
        self._around.watch.started(job)

    def job(self, state: JobState, error: AibrError | None = None) -> Job:
        """Return the job as it ended, and count what it cost. Called once."""
        told, price, question = self._statistics, self._engine.price, self._question
        billed = told.scanned_bytes if told.billed_bytes is None else told.billed_bytes
        money = None if price is None or billed is None else price.of(billed)
        if told.job:
            self._around.budget.spend(question.token, told.scanned_bytes, money)
        else:
            self._around.budget.release(question.token)
        return Job(
            id=told.job,
            source=question.source.label,
            place=question.source.place,
            window=question.window,
            rules=self._rules,
            text=question.text,
            digest=hashlib.sha256(question.text.encode()).hexdigest(),
            started=self._started,
            ended=self._around.clock(),
            state=state,
            cause="" if error is None else str(error),
            estimated_bytes=None if self._estimate is None else self._estimate.scanned_bytes,
            estimate="" if self._estimate is None else self._estimate.basis,
            rows=self._rows,
            counted_rows=told.counted_rows,
            scanned_bytes=told.scanned_bytes,
            billed_bytes=told.billed_bytes,
            money=money,
            currency="" if price is None else price.currency,
        )

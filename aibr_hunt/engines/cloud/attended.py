"""A cloud engine whose jobs are written down before their rows come, and of which no more run at once than its account allows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from aibr_hunt.engines.cloud.journal import Journal
from aibr_hunt.engines.cloud.protocol import Answer, CloudEngine, Estimate, Inspection, Question, Stopped, Watch
from aibr_hunt.errors import EngineError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source

_STEP_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """An engine and its journal.

    Attributes:
        engine: Who is asked.
        journal: Where its jobs are written down.
        clock: Gives the present, aware UTC.
        gate: Lets in as many programs as may run at once.
    """

    engine: CloudEngine
    journal: Journal
    clock: Callable[[], datetime]
    gate: threading.Semaphore

    @property
    def kind(self) -> EngineKind:
        """The engine's."""
        return self.engine.kind

    @property
    def price(self) -> Price | None:
        """The engine's."""
        return self.engine.price

    def estimate(self, question: Question) -> Estimate:
        """Return the engine's estimate."""
        return self.engine.estimate(question)

    def ask(self, question: Question, watch: Watch) -> Answer:
        """Ask the engine, write down what it starts, and what that cost."""
        self._enter(question, watch)
        try:
            return self._ask(question, watch)
        finally:
            self.gate.release()

    def _ask(self, question: Question, watch: Watch) -> Answer:
        def started(job: str) -> None:
            self.journal.started(question, job, self.clock())
            watch.started(job)

        try:
            answer = self.engine.ask(self.journal.asked(question), replace(watch, started=started))
        except EngineError as error:
            # What was stopped is gone; what failed by itself fails again when it is taken up, without a bill.
            if isinstance(error, Stopped) or error.retryable:
                self.journal.lost(question)
            raise
        told = answer.statistics
        billed = told.scanned_bytes if told.billed_bytes is None else told.billed_bytes
        money = None if self.price is None or billed is None else self.price.of(billed)
        self.journal.ended(question, scanned_bytes=told.scanned_bytes, money=money)
        return answer

    def _enter(self, question: Question, watch: Watch) -> None:
        """Wait for the gate.

        Raises:
            Stopped: The user asked to stop.
        """
        while not self.gate.acquire(timeout=_STEP_S):
            if watch.is_stopped():
                raise Stopped(f"The run was stopped before {question.source.label} was asked.")

    def inspect(self, source: Source) -> Inspection:
        """Return what the engine sees of the Source."""
        return self.engine.inspect(source)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

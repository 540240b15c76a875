"""How an engine's client waits: calls that may be repeated, polls that slow down, and a deadline over all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from aibr_hunt.engines.cloud.protocol import Manners, Stopped, Watch
from aibr_hunt.errors import EngineError

T = TypeVar("T")
# A wait is told once it has lasted this long.
_TOLD_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """That a call may be made again.

    Attributes:
        why: In words, such as `too many requests`.
        after_s: What the engine asks to wait; None when it says nothing.
    """

    why: str
    after_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Patience:
    """What one program may take of time.

    Args:
        manners: How patient.
        watch: What the user wants, and is told.
        what: The program, in words, for messages: `athena:trail`.
        now, sleep: The clock and the wait, in seconds.
    """

    manners: Manners
    watch: Watch
    what: str
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the deadline."""
        self._started = self.now()

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; 0 when it is over."""
        return max(0.0, self._started + self.manners.deadline_s - self.now())

    def call(self, make: Callable[[], T], again: Callable[[Exception], Again | None], kinds: tuple[type[Exception], ...]) -> T:
        """Return what a call gives, made again while `again` says that it may be after an error of these kinds.

        Raises:
            Stopped: The user asked to stop.
            EngineError: The deadline is over, or the last attempt failed; the driver's error is its cause.
        """
        for attempt, wait in enumerate(self._waits(), start=1):
            try:
                return make()
            except kinds as error:
                reason = again(error)
                if reason is None:
                    raise
                if attempt >= self.manners.attempts:
                    raise EngineError(
                        f"{self.what} answers {attempt} times with {reason.why}.", retryable=True, hint="Try again later."
                    ) from error
                self.watch.tell(f"{self.what}: {reason.why}; asked again ({attempt} of {self.manners.attempts - 1})")
                self.pause(max(wait, reason.after_s or 0.0))
        raise AssertionError("waits do not end")

    def polls(self) -> Iterator[None]:
        """Yield before each poll, further and further apart, until the caller has its answer.

        Raises:
            Stopped: The user asked to stop.
            EngineError: The deadline is over.
        """
        is_told = False
        for wait in self._waits():
            yield
            self.pause(wait)
            if not is_told and self.now() - self._started > _TOLD_AFTER_S:
                is_told = True
                self.watch.tell(f"{self.what} is still at work; given up after {self.manners.deadline_s:,.0f} s")

    def pause(self, seconds: float) -> None:
        """Wait, in small steps, so that a stop is heeded soon.

        Raises:
            Stopped, EngineError: As `polls`.
        """
        until = self.now() + seconds
        while True:
            self.heed()
            left = min(until - self.now(), self.left_s)
            if left <= 0:
                break
            self.sleep(min(0.2, left))
        self.heed()

    def heed(self) -> None:
        """Return when the program may go on.

        Raises:
            Stopped, EngineError: As `polls`.
        """
        if self.watch.is_stopped():
            raise Stopped(f"The run was stopped; {self.what} was told to stop too.")
        if self.left_s <= 0:
            what = f"{self.what} gave no answer within {self.manners.deadline_s:,.0f} s and was stopped."
            raise EngineError(what, retryable=True, hint="Give it more time (deadline_s of the Source), or ask a shorter window.")

    def _waits(self) -> Iterator[float]:
        """Yield seconds that double up to the longest, each with jitter, so that many clients do not come back together."""
        wait = self.manners.wait_s
        while True:
            yield wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
            wait = min(self.manners.longest_wait_s, wait * 2)

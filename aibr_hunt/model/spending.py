"""What jobs came to together: how many, their rows, their bytes, their money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aibr_hunt.model.job import Job

_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The sum of some jobs.

    Attributes:
        jobs: Programs that were started. `refused`: programs that never were: a ceiling, a missing table, no credentials.
        rows: Rows that came.
        scanned_bytes, billed_bytes: As far as the engines tell. `untold`: started programs of which no bytes are told.
        money: By currency, of the Sources that have a price.
    """

    jobs: int = 0
    refused: int = 0
    rows: int = 0
    scanned_bytes: int = 0
    billed_bytes: int = 0
    untold: int = 0
    money: Mapping[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """The sums by name, as a run keeps them: `jobs`, `job_rows`, `scanned_bytes`, `billed_bytes`, `money_USD`."""
        counts = {
            "jobs": self.jobs,
            "job_rows": self.rows,
            "scanned_bytes": self.scanned_bytes,
            "billed_bytes": self.billed_bytes,
        }
        return {**{name: float(count) for name, count in counts.items()}, **{f"money_{unit}": cost for unit, cost in self.money.items()}}

    @property
    def text(self) -> str:
        """The sums as one phrase: `4 jobs, 120 rows, 1.20 GB scanned, 0.0060 USD`."""
        parts = [_counted(self.jobs, "job"), _counted(self.rows, "row"), f"{size_text(self.scanned_bytes)} scanned"]
        parts += [f"{cost:,.4f} {unit}" for unit, cost in self.money.items()]
        parts += [f"{_counted(self.untold, 'job')} without figures"] if self.untold else []
        parts += [f"{_counted(self.refused, 'program')} not started"] if self.refused else []
        return ", ".join(parts)


def spending_of(jobs: Iterable[Job]) -> Spending:
    """Return what jobs came to."""
    every = list(jobs)
    started = [job for job in every if job.id]
    money: dict[str, float] = {}
    for job in started:
        if job.money is not None:
            money[job.currency] = money.get(job.currency, 0.0) + job.money
    return Spending(
        jobs=len(started),
        refused=len(every) - len(started),
        rows=sum(job.rows for job in every),
        scanned_bytes=sum(job.scanned_bytes or 0 for job in started),
        billed_bytes=sum((job.scanned_bytes or 0) if job.billed_bytes is None else job.billed_bytes for job in started),
        untold=sum(job.scanned_bytes is None for job in started),
        money=dict(sorted(money.items())),
    )


def spent_notes(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield the sentence in which a run says what its programs came to; none when it asked none."""
    if jobs:
        yield f"Asked of the clouds: {spending_of(jobs).text}."


def size_text(count: int) -> str:
    """Return a number of bytes in thousands, as clouds bill them."""
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:,.2f} {unit}"
    return f"{count:,} bytes"


def money_text(job: Job) -> str:
    """Return what a job cost; empty where it has no price."""
    return "" if job.money is None else f"{job.money:,.4f} {job.currency}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

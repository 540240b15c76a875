"""What jobs came to together is told once, by currency, and what an engine does not tell is told as untold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.spending import money_text, size_text, spending_of, spent_notes
from aibr_hunt.model.window import Window

NOW = datetime(2026, 2, 1, tzinfo=UTC)
JOB = Job(
    id="job-1",
    source="athena:trail",
    place="123456789012",
    window=Window(),
    rules=("r",),
    text="SELECT 1",
    digest="d",
    started=NOW,
    ended=NOW,
    state=JobState.DONE,
    rows=3,
    scanned_bytes=1_500,
    billed_bytes=10_000_000,
    money=0.5,
    currency="USD",
)


def test_jobs_add_up_by_currency() -> None:
    jobs = [JOB, replace(JOB, money=0.25), replace(JOB, currency="EUR"), replace(JOB, id="", rows=0, scanned_bytes=None, money=None)]
    spent = spending_of(jobs)
    assert (spent.jobs, spent.refused, spent.rows, spent.scanned_bytes, spent.billed_bytes) == (3, 1, 9, 4_500, 30_000_000)
    assert spent.money == {"EUR": 0.5, "USD": 0.75}
    assert spent.text == "3 jobs, 9 rows, 4.50 kB scanned, 0.5000 EUR, 0.7500 USD, 1 program not started"
    assert spent.figures == {
        "jobs": 3,
        "job_rows": 9,
        "scanned_bytes": 4500,
        "billed_bytes": 30_000_000,
        "money_EUR": 0.5,
        "money_USD": 0.75,
    }


def test_what_an_engine_does_not_tell_is_said() -> None:
    spent = spending_of([replace(JOB, scanned_bytes=None, billed_bytes=None, money=None)])
    assert spent.text == "1 job, 3 rows, 0 bytes scanned, 1 job without figures"
    assert spending_of([replace(JOB, billed_bytes=None)]).billed_bytes == 1_500
    assert list(spent_notes([])) == []
    assert list(spent_notes([JOB])) == ["Asked of the clouds: 1 job, 3 rows, 1.50 kB scanned, 0.5000 USD."]


def test_money_is_shown_where_there_is_a_price() -> None:
    assert money_text(JOB) == "0.5000 USD"
    assert money_text(replace(JOB, money=None)) == ""


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.00 kB"), (2_500_000_000_000, "2.50 TB")])
def test_sizes_are_told_in_thousands(size: int, text: str) -> None:
    assert size_text(size) == text

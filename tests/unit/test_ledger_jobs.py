"""Jobs in the ledger: written once, read back, checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.window import Window
from tests.unit.ledger_samples import hit, opened, record, tampering

AT = datetime(2026, 1, 12, tzinfo=UTC)
DONE = Job(
    id="example-job-1",
    source="athena:trail",
    place="123456789012",
    window=Window(start=AT, end=AT + timedelta(days=1)),
    rules=("r1", "r2"),
    text="SELECT 'a' -- \u2028 ü",
    digest="0" * 64,
    started=AT + timedelta(days=2),
    ended=AT + timedelta(days=2, seconds=3),
    state=JobState.DONE,
    estimated_bytes=5_000,
    estimate="objects below the partitions of the window",
    rows=7,
    counted_rows=7,
    scanned_bytes=1 << 55,
    billed_bytes=10_485_760,
    money=0.1 + 0.2,
    currency="USD",
)
LOST = replace(
    DONE,
    id="",
    state=JobState.OVER_BUDGET,
    cause="It would cost too much.",
    scanned_bytes=None,
    billed_bytes=None,
    money=None,
    counted_rows=None,
)


def test_jobs_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        base = record()
        ledger.record(replace(base, jobs=(DONE, LOST)), [hit("e1")])
        assert ledger.jobs(base.run.id) == (DONE, LOST)
        assert ledger.jobs_since(DONE.started) == (DONE, LOST)
        assert ledger.jobs_since(DONE.started + timedelta(microseconds=1)) == ()
        assert ledger.verify().is_clean


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET document = replace(document, '\"rows\":7', '\"rows\":8')",
        "UPDATE jobs SET job = 'another' WHERE position = 0",
        "UPDATE jobs SET state = 'failed' WHERE position = 0",
        "DELETE FROM jobs WHERE position = 1",
    ],
)
def test_a_job_that_was_changed_is_named(tmp_path: Path, change: str) -> None:
    home = tmp_path / "home"
    with opened(home) as ledger:
        ledger.record(replace(record(), jobs=(DONE, LOST)), [hit("e1")])
    with tampering(home) as connection:
        connection.execute(change)
    with opened(home) as ledger:
        assert not ledger.verify().is_clean

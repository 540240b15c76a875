"""Rows of jobs: what became of each program that a run handed to a cloud engine, with its text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.batches import Column
from aibr_hunt.ledger.canonical import canonical_form, parsed, storable
from aibr_hunt.ledger.columns import row_text
from aibr_hunt.ledger.documents import Document, Reader, document_of_window, moment_text
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.window import Window


def row_of_job(job: Job) -> Mapping[str, Column]:
    """Return the columns of one job."""
    return {
        "job": storable(job.id),
        "source": storable(job.source),
        "started": moment_text(job.started),
        "state": job.state.value,
        "scanned_bytes": job.scanned_bytes or 0,
        "document": canonical_form(document_of_job(job)).decode(),
    }


def document_of_job(job: Job) -> Document:
    """Return all that is known of a job."""
    return {
        "attempts": job.attempts,
        "billed_bytes": job.billed_bytes,
        "cause": job.cause,
        "counted_rows": job.counted_rows,
        "currency": job.currency,
        "digest": job.digest,
        "ended": moment_text(job.ended),
        "estimate": job.estimate,
        "estimated_bytes": job.estimated_bytes,
        "id": job.id,
        "money": None if job.money is None else repr(job.money),
        "place": job.place,
        "rows": job.rows,
        "rules": [*job.rules],
        "scanned_bytes": job.scanned_bytes,
        "source": job.source,
        "started": moment_text(job.started),
        "state": job.state.value,
        "text": job.text,
        "window": document_of_window(job.window),
    }


def job_of(row: RowMapping) -> Job:
    """Return the job of a row.

    Raises:
        LedgerError: Its document is not what was written, or speaks of another job than its columns.
    """
    document = parsed(row_text(row, "document"), what="The document of a job")
    read = Reader(document)
    try:
        state = JobState(read.text("state"))
    except ValueError as error:
        raise LedgerError(f"A job of the ledger has an unknown state: {error}.") from error
    edges = Reader(read.members("window"))
    job = Job(
        id=read.text("id"),
        source=read.text("source"),
        place=read.text("place"),
        window=Window(start=edges.moment("start"), end=edges.moment("end")),
        rules=read.texts("rules"),
        text=read.text("text"),
        digest=read.text("digest"),
        started=_certain(read, "started"),
        ended=_certain(read, "ended"),
        state=state,
        cause=read.text("cause"),
        estimated_bytes=_count(read, document, "estimated_bytes"),
        estimate=read.text("estimate"),
        rows=read.whole("rows"),
        counted_rows=_count(read, document, "counted_rows"),
        scanned_bytes=_count(read, document, "scanned_bytes"),
        billed_bytes=_count(read, document, "billed_bytes"),
        money=None if document.get("money") is None else float(read.text("money")),
        currency=read.text("currency"),
        attempts=read.whole("attempts"),
    )
    if (job.id, job.source, job.state.value) != (row_text(row, "job"), row_text(row, "source"), row_text(row, "state")):
        raise LedgerError(f"The job {row_text(row, 'job')} speaks of another one than its document.")
    return job


def _count(read: Reader, document: Mapping[str, Json], name: str) -> int | None:
    return None if document.get(name) is None else read.whole(name)


def _certain(read: Reader, name: str) -> datetime:
    moment = read.moment(name)
    if moment is None:
        raise LedgerError(f"A job of the ledger has no time {name}.")
    return moment

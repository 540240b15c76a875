"""Reading what runs left: each answer is the values that the run was recorded with."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping, select

from aibr_hunt.errors import UsageError
from aibr_hunt.ledger import tables
from aibr_hunt.ledger.canonical import parsed
from aibr_hunt.ledger.documents import certain_moment, rule_of, run_of
from aibr_hunt.ledger.episoderows import episode_of, link_of
from aibr_hunt.ledger.jobrows import job_of
from aibr_hunt.ledger.runrows import account_of_row, coverage_of, noise_of, pulse_of
from aibr_hunt.model.episode import EpisodeRow, LeadLink
from aibr_hunt.model.event import Account
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import CoverageRow, Look, NoiseRow, Pulse, RuleRow, RunRow


def read_runs(connection: Connection, *, limit: int | None = None) -> tuple[RunRow, ...]:
    """Return the runs, the last one first."""
    latest = select(tables.runs.c.document).order_by(tables.runs.c.number.desc()).limit(limit)
    return tuple(run_of(parsed(str(text), what="The document of a run")) for text in connection.execute(latest).scalars())


def read_run(connection: Connection, run_id: str) -> RunRow:
    """Return one run.

    Raises:
        UsageError: No run has that id.
    """
    text = connection.execute(select(tables.runs.c.document).where(tables.runs.c.id == run_id)).scalar()
    if text is None:
        raise UsageError(f"The ledger holds no run {run_id!r}.", hint="`ledger status` names the last run.")
    return run_of(parsed(str(text), what=f"The document of run {run_id}"))


def last_run_id(connection: Connection) -> str | None:
    """Return the id of the run that was recorded last; None when there is none."""
    found = connection.execute(select(tables.runs.c.id).order_by(tables.runs.c.number.desc()).limit(1)).scalar()
    return None if found is None else str(found)


def run_number(connection: Connection, run_id: str) -> int:
    """Return the number of a run.

    Raises:
        UsageError: No run has that id.
    """
    number = connection.execute(select(tables.runs.c.number).where(tables.runs.c.id == run_id)).scalar()
    if number is None:
        raise UsageError(f"The ledger holds no run {run_id!r}.", hint="`ledger status` names the last run.")
    return int(number)


def read_rules(connection: Connection, run_id: str) -> tuple[RuleRow, ...]:
    """Return the rules of a run as it froze them, in their order."""
    table, asked = tables.rules, tables.run_rules
    query = select(table.c.document).join(asked, asked.c.rule == table.c.number)
    query = query.where(asked.c.run == run_number(connection, run_id)).order_by(asked.c.position)
    return tuple(rule_of(parsed(str(text), what="The document of a rule")) for text in connection.execute(query).scalars())


def read_accounts(connection: Connection, run_id: str) -> tuple[Account, ...]:
    """Return what became of the bytes of each file of a run."""
    return tuple(account_of_row(row) for row in _rows_of_run(connection, tables.accounts, run_id))


def read_jobs(connection: Connection, run_id: str) -> tuple[Job, ...]:
    """Return what became of each program that a run handed to a cloud engine."""
    return tuple(job_of(row) for row in _rows_of_run(connection, tables.jobs, run_id))


def read_spent(connection: Connection, since: str) -> tuple[Job, ...]:
    """Return the jobs of all runs that started at or after a time, as fixed-width UTC text."""
    query = select(tables.jobs).where(tables.jobs.c.started >= since).order_by(tables.jobs.c.run, tables.jobs.c.position)
    return tuple(job_of(row) for row in connection.execute(query).mappings())


def read_coverage(connection: Connection, run_id: str) -> tuple[CoverageRow, ...]:
    """Return what a run looked at."""
    return tuple(coverage_of(row) for row in _rows_of_run(connection, tables.coverage, run_id))


def read_looks(connection: Connection, meaning_digest: str) -> tuple[Look, ...]:
    """Return what all runs looked at for one meaning, on whatever Source, in the order of the runs."""
    table, runs = tables.coverage, tables.runs
    query = select(table, runs.c.started).join(runs, runs.c.number == table.c.run).where(table.c.meaning_digest == meaning_digest)
    rows = connection.execute(query.order_by(table.c.run, table.c.position)).mappings()
    return tuple(Look(row=coverage_of(row), began=certain_moment(str(row["started"]))) for row in rows)


def read_pulses(connection: Connection, run_id: str) -> tuple[Pulse, ...]:
    """Return the pulses that a run took."""
    return tuple(pulse_of(row) for row in _rows_of_run(connection, tables.pulses, run_id))


def read_noise(connection: Connection, run_id: str) -> tuple[NoiseRow, ...]:
    """Return the noise rules of a run."""
    return tuple(noise_of(row) for row in _rows_of_run(connection, tables.noise, run_id))


def read_episodes(connection: Connection, run_id: str) -> tuple[EpisodeRow, ...]:
    """Return the components that a run committed."""
    return tuple(episode_of(row) for row in _rows_of_run(connection, tables.episodes, run_id))


def read_links(connection: Connection, run_id: str) -> tuple[LeadLink, ...]:
    """Return how a run linked leads of its correlations."""
    return tuple(link_of(row) for row in _rows_of_run(connection, tables.links, run_id))


def _rows_of_run(connection: Connection, table: tables.TableValue, run_id: str) -> Iterator[RowMapping]:
    query = select(table).where(table.c.run == run_number(connection, run_id)).order_by(table.c.position)
    return iter(connection.execute(query.execution_options(yield_per=1000)).mappings())

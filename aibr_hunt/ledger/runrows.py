"""The tables whose rows belong to one run: how a value becomes a row, a row a value, and both a digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import tables
from aibr_hunt.ledger.batches import Column
from aibr_hunt.ledger.canonical import canonical_form, digest_of, parsed, storable
from aibr_hunt.ledger.columns import optional_text, row_bytes, row_text, row_whole
from aibr_hunt.ledger.documents import (
    Document,
    account_of,
    document_of_account,
    document_of_coverage,
    document_of_noise,
    document_of_pulse,
    moment_of,
    moment_text,
)
from aibr_hunt.ledger.episoderows import (
    document_of_episode,
    document_of_link,
    document_of_sheet,
    episode_of,
    link_of,
    row_of_episode,
    row_of_link,
    row_of_sheet,
    sheet_of_row,
)
from aibr_hunt.ledger.jobrows import document_of_job, job_of, row_of_job
from aibr_hunt.model.event import Account
from aibr_hunt.model.lead import CoverageRow, CoverageState, NoiseRow, Pulse, RuleRow, RunRecord
from aibr_hunt.model.window import Window

T = TypeVar("T")
ROWS_PER_RECORD = 256
"""How many row digests one evidence record holds: enough to name a changed row, few enough to read."""

RowValues: TypeAlias = Mapping[str, Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRule:
    """A rule of a run and the row that holds it."""

    rule: RuleRow
    digest: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """Rows of one run for one table, each with its digest."""

    name: str
    table: tables.TableValue
    rows: Iterable[tuple[RowValues, str]]


def run_tables(record: RunRecord, rules: Mapping[str, FrozenRule]) -> tuple[RunTable, ...]:
    """Return the rows that `record` brings for every table, made one by one as they are asked for."""
    asked = (({"rule": rules[rule.id].number}, rules[rule.id].digest) for rule in record.rules)
    return (
        RunTable(name="run_rules", table=tables.run_rules, rows=asked),
        RunTable(name="accounts", table=tables.accounts, rows=_account_rows(record.accounts)),
        RunTable(name="coverage", table=tables.coverage, rows=_rows(record.coverage, row_of_coverage, document_of_coverage)),
        RunTable(name="pulses", table=tables.pulses, rows=_rows(record.pulses, row_of_pulse, document_of_pulse)),
        RunTable(name="noise", table=tables.noise, rows=_rows(record.noise, row_of_noise, document_of_noise)),
        RunTable(name="episodes", table=tables.episodes, rows=_rows(record.episodes, row_of_episode, document_of_episode)),
        RunTable(name="links", table=tables.links, rows=_rows(record.links, row_of_link, document_of_link)),
        RunTable(name="tallies", table=tables.tallies, rows=_rows(record.tallies, row_of_sheet, document_of_sheet)),
        RunTable(name="jobs", table=tables.jobs, rows=_rows(record.jobs, row_of_job, document_of_job)),
    )


def _rows(values: Iterable[T], row_of: Callable[[T], RowValues], document_of: Callable[[T], Document]) -> Iterator[tuple[RowValues, str]]:
    return ((row_of(value), digest_of(canonical_form(document_of(value)))) for value in values)


def _account_rows(accounts: Iterable[Account]) -> Iterator[tuple[RowValues, str]]:
    for account in accounts:
        document = canonical_form(document_of_account(account))
        yield {"path": storable(account.path), "file_digest": account.digest, "document": document.decode()}, digest_of(document)


def row_of_coverage(row: CoverageRow) -> RowValues:
    """Return the columns of one row of what was looked at."""
    return {
        "meaning_digest": row.meaning_digest,
        "rule_id": storable(row.rule_id),
        "source": storable(row.source),
        "window_start": moment_text(row.window.start),
        "window_end": moment_text(row.window.end),
        "state": row.state.value,
        "cause": storable(row.cause),
    }


def coverage_of(row: RowMapping) -> CoverageRow:
    """Return the value that `row_of_coverage` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    try:
        state = CoverageState(row_text(row, "state"))
    except ValueError as error:
        raise LedgerError(f"A coverage row holds an unknown state: {error}.") from error
    return CoverageRow(
        meaning_digest=row_text(row, "meaning_digest"),
        rule_id=row_text(row, "rule_id"),
        source=row_text(row, "source"),
        window=Window(start=moment_of(optional_text(row, "window_start")), end=moment_of(optional_text(row, "window_end"))),
        state=state,
        cause=row_text(row, "cause"),
    )


def row_of_pulse(pulse: Pulse) -> RowValues:
    """Return the columns of one hour of one pulse key."""
    return {
        "source": storable(pulse.source),
        "key": storable(pulse.key),
        "hour": moment_text(pulse.hour),
        "events": pulse.events,
        "earliest": moment_text(pulse.earliest),
        "latest": moment_text(pulse.latest),
    }


def pulse_of(row: RowMapping) -> Pulse:
    """Return the value that `row_of_pulse` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    return Pulse(
        source=row_text(row, "source"),
        key=row_text(row, "key"),
        hour=moment_of(optional_text(row, "hour")),
        events=row_whole(row, "events"),
        earliest=moment_of(optional_text(row, "earliest")),
        latest=moment_of(optional_text(row, "latest")),
    )


def row_of_noise(row: NoiseRow) -> RowValues:
    """Return the columns of one noise rule."""
    return {
        "rule_id": storable(row.rule_id),
        "source": storable(row.source),
        "events": row.events,
        "considered": row.considered,
        "keys_digest": row.keys_digest,
        "keys": row.keys,
    }


def noise_of(row: RowMapping) -> NoiseRow:
    """Return the value that `row_of_noise` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    return NoiseRow(
        rule_id=row_text(row, "rule_id"),
        source=row_text(row, "source"),
        events=row_whole(row, "events"),
        considered=row_whole(row, "considered"),
        keys=row_bytes(row, "keys"),
        keys_digest=row_text(row, "keys_digest"),
    )


def account_of_row(row: RowMapping) -> Account:
    """Return the account of a row.

    Raises:
        LedgerError: Its document is not what was written, or speaks of another file than its columns.
    """
    account = account_of(parsed(row_text(row, "document"), what="The document of an account"))
    if (account.path, account.digest) != (row_text(row, "path"), row_text(row, "file_digest")):
        raise LedgerError(f"The account of {row_text(row, 'path')} speaks of another file than its document.")
    return account


def digest_of_row(table: str, row: RowMapping) -> str:
    """Return the digest of a row as it lies now, by the same way as when it was written.

    Raises:
        LedgerError: The row holds what never was written.
    """
    digest = _DIGESTS.get(table)
    if digest is None:
        raise LedgerError(f"The evidence names a table {table!r} that no run writes.")
    return digest(row)


def _digest_of_account(row: RowMapping) -> str:
    account_of_row(row)
    return digest_of(row_text(row, "document").encode())


def _digest_by(value_of: Callable[[RowMapping], T], document_of: Callable[[T], Document]) -> Callable[[RowMapping], str]:
    return lambda row: digest_of(canonical_form(document_of(value_of(row))))


_DIGESTS: Final[Mapping[str, Callable[[RowMapping], str]]] = {
    "run_rules": lambda row: row_text(row, "digest"),  # of the rule's own row, which is checked by itself
    "accounts": _digest_of_account,
    "coverage": _digest_by(coverage_of, document_of_coverage),
    "pulses": _digest_by(pulse_of, document_of_pulse),
    "noise": _digest_by(noise_of, document_of_noise),
    "episodes": _digest_by(episode_of, document_of_episode),
    "links": _digest_by(link_of, document_of_link),
    "tallies": _digest_by(sheet_of_row, document_of_sheet),
    "jobs": _digest_by(job_of, document_of_job),
}

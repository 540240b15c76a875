"""The tables whose rows belong to one run: how a value becomes a row, a row a value, and both a digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import tables
from aibr_hunt.ledger.batches import Column
from aibr_hunt.ledger.canonical import canonical_form, digest_of, parsed, storable
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
        state = CoverageState(_text(row, "state"))
    except ValueError as error:
        raise LedgerError(f"A coverage row holds an unknown state: {error}.") from error
    return CoverageRow(
        meaning_digest=_text(row, "meaning_digest"),
        rule_id=_text(row, "rule_id"),
        source=_text(row, "source"),
        window=Window(start=moment_of(_optional(row, "window_start")), end=moment_of(_optional(row, "window_end"))),
        state=state,
        cause=_text(row, "cause"),
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
        source=_text(row, "source"),
        key=_text(row, "key"),
        hour=moment_of(_optional(row, "hour")),
        events=_whole(row, "events"),
        earliest=moment_of(_optional(row, "earliest")),
        latest=moment_of(_optional(row, "latest")),
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
    keys = row["keys"]
    if not isinstance(keys, bytes):
        raise LedgerError("A noise row holds no bytes where its keys belong.")
    return NoiseRow(
        rule_id=_text(row, "rule_id"),
        source=_text(row, "source"),
        events=_whole(row, "events"),
        considered=_whole(row, "considered"),
        keys=keys,
        keys_digest=_text(row, "keys_digest"),
    )


def account_of_row(row: RowMapping) -> Account:
    """Return the account of a row.

    Raises:
        LedgerError: Its document is not what was written, or speaks of another file than its columns.
    """
    account = account_of(parsed(_text(row, "document"), what="The document of an account"))
    if (account.path, account.digest) != (_text(row, "path"), _text(row, "file_digest")):
        raise LedgerError(f"The account of {_text(row, 'path')} speaks of another file than its document.")
    return account


def digest_of_row(table: str, row: RowMapping) -> str:
    """Return the digest of a row as it lies now, by the same way as when it was written.

    Raises:
        LedgerError: The row holds what never was written.
    """
    match table:
        case "run_rules":
            return _text(row, "digest")  # of the rule's own row, which is checked by itself
        case "accounts":
            account_of_row(row)
            return digest_of(_text(row, "document").encode())
        case "coverage":
            return digest_of(canonical_form(document_of_coverage(coverage_of(row))))
        case "pulses":
            return digest_of(canonical_form(document_of_pulse(pulse_of(row))))
        case "noise":
            return digest_of(canonical_form(document_of_noise(noise_of(row))))
        case _:
            raise LedgerError(f"The evidence names a table {table!r} that no run writes.")


def _text(row: RowMapping, name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise LedgerError(f"A row of the ledger holds {value!r:.40} in {name}, where a text belongs.")
    return value


def _optional(row: RowMapping, name: str) -> str | None:
    return None if row[name] is None else _text(row, name)


def _whole(row: RowMapping, name: str) -> int:
    value = row[name]
    if not isinstance(value, int):
        raise LedgerError(f"A row of the ledger holds {value!r:.40} in {name}, where a number belongs.")
    return value

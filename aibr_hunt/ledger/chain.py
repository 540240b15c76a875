"""The evidence chain: records that are only ever appended, each bound to the one before it by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import tables
from aibr_hunt.ledger.batches import insert_rows
from aibr_hunt.ledger.canonical import canonical_form, digest_of, storable
from aibr_hunt.ledger.merkle import MerkleTree
from aibr_hunt.model.event import Json
from aibr_hunt.model.window import utc_text

GENESIS = "0" * 64
"""What stands where the first record names the digest of the record before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who does what to what: the part of a record around its body."""

    kind: str
    subject: str = ""
    actor: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One evidence record as it lies in the chain. `at` is UTC text, `body` canonical JSON."""

    sequence: int
    previous: str
    digest: str
    at: str
    kind: str
    run_id: str
    subject: str
    actor: str
    body: str


def envelope_of(record: Record) -> bytes:
    """Return the bytes that the record's digest and its Merkle leaf are taken over: RFC 8785, the body in place.

    The body is put in as it lies: it is canonical already, and a hit's record should cost microseconds.
    """
    document = {
        "actor": record.actor,
        "at": record.at,
        "body": orjson.Fragment(record.body),
        "kind": record.kind,
        "previous": record.previous,
        "run": record.run_id,
        "sequence": record.sequence,
        "subject": record.subject,
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


class ChainWriter:
    """Appends records to the chain within one write transaction.

    Records wait in memory until `flush`; the head of the chain is written by `finish`.
    """

    __slots__ = ("_pending", "head", "sequence", "tree")

    def __init__(self, *, sequence: int, head: str) -> None:
        """Go on after record `sequence`, whose digest is `head`."""
        self.sequence = sequence
        self.head = head
        self.tree = MerkleTree()
        self._pending: list[dict[str, str | int]] = []

    def append(self, entry: Entry, body: Mapping[str, Json], *, at: datetime) -> int:
        """Append a record and return its sequence number."""
        return self.append_canonical(entry, canonical_form(body), at=utc_text(at))

    def append_canonical(self, entry: Entry, body: bytes, *, at: str) -> int:
        """Append a record whose body is canonical JSON already."""
        row: dict[str, str | int] = {
            "sequence": self.sequence + 1,
            "previous": self.head,
            "at": at,
            "kind": storable(entry.kind),
            "run_id": storable(entry.run_id),
            "subject": storable(entry.subject),
            "actor": storable(entry.actor),
            "body": body.decode(),
        }
        envelope = envelope_of(_record_of(row, digest=""))
        row["digest"] = digest_of(envelope)
        self.tree.add(envelope)
        self.sequence += 1
        self.head = str(row["digest"])
        self._pending.append(row)
        return self.sequence

    def flush(self, connection: Connection) -> None:
        """Write what waits in memory."""
        if self._pending:
            insert_rows(connection, tables.evidence, self._pending)
            self._pending = []

    def finish(self, connection: Connection, *, at: datetime) -> None:
        """Write what waits, and the chain's new head."""
        self.flush(connection)
        connection.execute(update(tables.chain).values(length=self.sequence, head=self.head, at=utc_text(at)))


def start(connection: Connection, *, at: datetime) -> ChainWriter:
    """Begin the chain of a new ledger."""
    connection.execute(insert(tables.chain).values(id=1, length=0, head=GENESIS, at=utc_text(at)))
    return ChainWriter(sequence=0, head=GENESIS)


def head_of(connection: Connection) -> tuple[int, str]:
    """Return the length of the chain and the digest of its last record, as the ledger states them.

    Raises:
        LedgerError: The ledger does not state them.
    """
    row = connection.execute(select(tables.chain.c.length, tables.chain.c.head)).one_or_none()
    if row is None:
        raise LedgerError("The ledger's evidence chain has no head.", hint="Run `evidence verify`, then restore a backup.")
    return int(row.length), str(row.head)


def resume(connection: Connection) -> ChainWriter:
    """Go on at the end of the chain.

    Raises:
        LedgerError: The chain's last record is not the one that its head names: nothing is built on that.
    """
    length, head = head_of(connection)
    last = connection.execute(select(func.max(tables.evidence.c.sequence))).scalar() or 0
    digest = connection.execute(select(tables.evidence.c.digest).where(tables.evidence.c.sequence == length)).scalar()
    if last != length or digest != head:
        raise LedgerError(
            f"The evidence chain does not end as its head says: record {length} was expected last, record {last} is.",
            hint="Run `evidence verify`. Nothing is recorded on a ledger that was tampered with: restore a backup.",
        )
    return ChainWriter(sequence=length, head=head)


def record_of(row: RowMapping) -> Record:
    """Return the record that a row of the evidence table holds."""
    return _record_of(row, digest=str(row["digest"]))


def _record_of(row: RowMapping | Mapping[str, str | int], *, digest: str) -> Record:
    return Record(
        sequence=int(str(row["sequence"])),
        previous=str(row["previous"]),
        digest=digest,
        at=str(row["at"]),
        kind=str(row["kind"]),
        run_id=str(row["run_id"]),
        subject=str(row["subject"]),
        actor=str(row["actor"]),
        body=str(row["body"]),
    )

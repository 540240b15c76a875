"""Verification: one walk along the chain, each row and object of the ledger held against it."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, func, select

from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger import chain, migrations, sqlite, tables, vault
from aibr_hunt.ledger.batches import chunks
from aibr_hunt.ledger.canonical import digest_of, parsed, plain_form
from aibr_hunt.ledger.check_findings import FindingsCheck, HitRecord, hit_record_of
from aibr_hunt.ledger.check_judgements import JudgementsCheck
from aibr_hunt.ledger.check_runs import RunsCheck
from aibr_hunt.ledger.documents import Document, Reader
from aibr_hunt.ledger.faults import Faults
from aibr_hunt.ledger.values import Verification

_SPAN = 500


def verify_ledger(connection: Connection, *, checkpoint: str = "") -> Verification:
    """Return what was checked and what does not fit (see `Ledger.verify`)."""
    faults = Faults()
    known = _read_checkpoint(checkpoint) if checkpoint else None
    _check_database(connection, faults)
    walk = _Walk(connection, faults)
    walk.run()
    if known is not None:
        _check_against(connection, known, faults)
    objects = _check_contents(connection, faults)
    return Verification(
        records=walk.records,
        runs=walk.runs.count,
        leads=walk.findings.leads,
        sightings=walk.findings.sightings,
        vault_objects=objects,
        rows=walk.runs.rows,
        head=walk.head if walk.records else "",
        faults=tuple(faults.found),
        faults_left_out=faults.left_out,
    )


class _Walk:
    """The walk: record by record for the chain, span by span for what rests on it."""

    def __init__(self, connection: Connection, faults: Faults) -> None:
        self._connection = connection
        self._faults = faults
        self.records = 0
        self.sequence = 0
        self.head = chain.GENESIS
        self.runs = RunsCheck(connection, faults)
        self.findings = FindingsCheck(connection, faults)
        self.judgements = JudgementsCheck(connection, faults)
        self._properties: dict[str, str] = {}
        self._hits: list[HitRecord] = []

    def run(self) -> None:
        """Walk the whole chain."""
        ordered = select(tables.evidence).order_by(tables.evidence.c.sequence).execution_options(yield_per=_SPAN)
        for span in chunks(self._connection.execute(ordered).mappings(), _SPAN):
            first = self.sequence + 1
            self._hits = []
            for row in span:
                self._step(row)
            self.findings.check_span(self._hits, first, self.sequence)
        self._check_end()
        self.findings.check_whole(self.sequence)
        self.runs.finish()
        self.judgements.finish()

    def _step(self, row: RowMapping) -> None:
        record = chain.record_of(row)
        where = f"evidence record {record.sequence}"
        envelope = chain.envelope_of(record)
        self._check_link(record, where, envelope)
        self.records += 1
        self.sequence, self.head = record.sequence, record.digest
        with self._faults.guarding(where):
            document = parsed(record.body, what="Its body")
            if plain_form(document) != record.body.encode():
                self._faults.add(where, "its body is not in canonical form.")
            self._follow(record, envelope, document)

    def _check_link(self, record: chain.Record, where: str, envelope: bytes) -> None:
        if record.sequence != self.sequence + 1:
            missing = f"{self.sequence + 1}" if record.sequence == self.sequence + 2 else f"{self.sequence + 1} to {record.sequence - 1}"
            self._faults.add(f"evidence record {missing}", "missing from the chain.")
        elif record.previous != self.head:
            self._faults.add(where, f"it names {record.previous} as the digest of the record before it, which is {self.head}.")
        if digest_of(envelope) != record.digest:
            self._faults.add(where, "it was changed: its digest is not its own any more.")

    def _follow(self, record: chain.Record, envelope: bytes, document: Document) -> None:
        body = Reader(document)
        self.runs.follow(record, envelope, body)
        self.judgements.follow(record, body)
        match record.kind:
            case "ledger created":
                self._properties = {name: body.text(name) for name in ("ledger_id", "schema", "tool_version")}
            case "ledger upgraded":
                self._properties |= {"schema": str(body.whole("to")), "tool_version": body.text("tool_version")}
            case "hit" | "member":
                self._hits.append(hit_record_of(record.sequence, record.run_id, body, is_member=record.kind == "member"))
            case _:
                pass

    def _check_end(self) -> None:
        with self._faults.guarding("chain head"):
            length, head = chain.head_of(self._connection)
            if length > self.sequence:
                where = f"evidence record {self.sequence + 1}"
                self._faults.add(where, f"missing from the chain: the head says that it ends with record {length}.")
            elif (length, head) != (self.sequence, self.head):
                self._faults.add("chain head", f"it names record {length}, digest {head}; the last is {self.sequence}, {self.head}.")
        found = {str(row.name): str(row.value) for row in self._connection.execute(select(tables.meta))}
        self._faults.expect("ledger properties", found, self._properties, source="the evidence chain")


def _check_database(connection: Connection, faults: Faults) -> None:
    for line in sqlite.damage(connection):
        faults.add("database", line)
    present = sqlite.guards(connection)
    for table in tables.metadata.sorted_tables:
        for statement in sqlite.guard_statements(table, tables.MUTABLE.get(table.name, ())):
            if statement not in present.values():
                faults.add(f"table {table.name}", "a guard that keeps its rows from being changed was removed or altered.")


def _check_contents(connection: Connection, faults: Faults) -> int:
    """Unpack every vault object and compare it with its digest; return how many there are."""
    count = 0
    for row in connection.execute(select(tables.vault).execution_options(yield_per=64)):
        count += 1
        with faults.guarding(f"vault object {row.digest}"):
            content = vault.unpacked(row)
            if digest_of(content) != row.digest:
                faults.add(f"vault object {row.digest}", "it was changed: its bytes have another digest.")
            elif (len(content), len(row.content)) != (row.size, row.stored_size):
                faults.add(f"vault object {row.digest}", "its sizes are not those that its row says.")
    return count


def _read_checkpoint(text: str) -> Reader:
    try:
        return Reader(parsed(text, what="The checkpoint"))
    except LedgerError as error:
        raise UsageError(error.what, hint="A checkpoint is the one line that `evidence checkpoint` prints.") from error


def _check_against(connection: Connection, known: Reader, faults: Faults) -> None:
    if known.text("ledger") != migrations.ledger_id_of(connection):
        raise UsageError(f"The checkpoint is of ledger {known.text('ledger')}, this is {migrations.ledger_id_of(connection)}.")
    length = known.whole("length")
    records = tables.evidence
    last = int(connection.execute(select(func.max(records.c.sequence))).scalar() or 0)
    if last < length:
        faults.add(f"evidence record {last + 1}", f"missing from the chain: the checkpoint knew {length} records, {last} are left.")
        return
    digest = connection.execute(select(records.c.digest).where(records.c.sequence == length)).scalar()
    if digest != known.text("head"):
        faults.add(f"evidence record {length}", "it is not the record that the checkpoint knew: the chain up to it was rewritten.")

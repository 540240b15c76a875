"""Recording a run: one transaction, in batches, so that memory does not grow with the hits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import chain as chained

from sqlalchemy import Connection, func, insert, select

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import chain, tables
from aibr_hunt.ledger.batches import Column, insert_rows, weighed_chunks
from aibr_hunt.ledger.canonical import canonical_form, digest_of, parsed
from aibr_hunt.ledger.documents import Document, Reader, document_of_rule, document_of_run, document_of_window
from aibr_hunt.ledger.episodes import EarlierEpisodes
from aibr_hunt.ledger.findings import FindingsWriter
from aibr_hunt.ledger.hits import Delivery, body_of, delivery_of, rule_named, rules_named
from aibr_hunt.ledger.runrows import ROWS_PER_RECORD, FrozenRule, RunTable, run_tables
from aibr_hunt.ledger.store import Store
from aibr_hunt.ledger.values import Recorded
from aibr_hunt.ledger.vault import VaultWriter
from aibr_hunt.model.event import Hit, Json
from aibr_hunt.model.lead import RuleRow, RunRecord
from aibr_hunt.model.window import utc_text

_BATCH_HITS = 800
_BATCH_BYTES = 8 * 2**20

Settle = Callable[[], RunRecord]
Later = Callable[[EarlierEpisodes], Iterable[Hit]]


def record_run(store: Store, record: RunRecord, hits: Iterable[Hit], *, later: Later | None, settle: Settle | None) -> Recorded:
    """Leave the whole run on record, or nothing of it (see `Ledger.record`)."""
    earlier = _recorded_before(store, record.run.id)
    if earlier is not None:
        return earlier
    batches = weighed_chunks(hits, _weight, size=_BATCH_HITS, heaviest=_BATCH_BYTES)
    first = next(batches, [])  # until a batch is full or the hits end, others may write
    with store.writing() as connection:
        if _number_of(connection, record.run.id) is None:
            return _RunWriter(store, connection, record).write(chained([first], batches), later=later, settle=settle)
    earlier = _recorded_before(store, record.run.id)
    if earlier is None:
        raise LedgerError(f"Run {record.run.id} is on record without a closing record.", hint="Run `evidence verify`.")
    return earlier


class _RunWriter:
    """Writes one run within one write transaction."""

    def __init__(self, store: Store, connection: Connection, record: RunRecord) -> None:
        self._clock = store.clock
        self._connection = connection
        self._record = record
        self._chain = chain.resume(connection)
        self._vault = VaultWriter(connection)
        self._rules = _freeze(connection, record.rules)
        self._named: dict[tuple[str, ...], bytes] = {}
        self._number = int(connection.execute(select(func.max(tables.runs.c.number))).scalar() or 0) + 1
        self._findings = FindingsWriter(connection, run=self._number, rules=self._rules)
        if len(self._rules) != len(record.rules):
            raise LedgerError(f"Run {record.run.id} names a rule twice.")

    def write(self, batches: Iterable[list[Hit]], *, later: Later | None, settle: Settle | None) -> Recorded:
        """Write everything and return what it came to."""
        first_sequence = self._open()
        hits = sum(self._write_hits(batch) for batch in batches)
        if later is not None:
            found = later(EarlierEpisodes(self._connection))
            hits += sum(self._write_hits(batch) for batch in weighed_chunks(found, _weight, size=_BATCH_HITS, heaviest=_BATCH_BYTES))
        settled = self._record if settle is None else settle()
        if settled.run.id != self._record.run.id or settled.rules != self._record.rules:
            raise LedgerError(f"Run {self._record.run.id} was settled under another id or with other rules than it began with.")
        row_counts = {table.name: self._write_rows(table) for table in run_tables(settled, self._rules)}
        recorded = self._recorded(hits, first_sequence)
        self._close(settled, recorded, row_counts)
        return recorded

    def _open(self) -> int:
        run = self._record.run
        body: Document = {
            "asked": run.asked,
            "host": run.host,
            "kind": run.kind,
            "query": run.query_digest,
            "rules": [rule_named(rule) for rule in self._record.rules],
            "started": utc_text(run.started),
            "tool_version": run.tool_version,
            "window": document_of_window(run.window),
        }
        return self._append("run opened", body)

    def _write_hits(self, batch: list[Hit]) -> int:
        collected = utc_text(self._clock())
        deliveries = [(delivery, self._append_hit(delivery, collected)) for delivery in map(delivery_of, batch)]
        self._vault.add(_objects(deliveries))
        self._findings.add([pair for pair in deliveries if pair[0].rule_ids], collected=collected)
        self._chain.flush(self._connection)
        return sum(bool(delivery.rule_ids) for delivery, _ in deliveries)

    def _append_hit(self, delivery: Delivery, collected: str) -> int:
        run = self._record.run
        kind, rule_ids = ("hit", delivery.rule_ids) if delivery.rule_ids else ("member", delivery.member_of)
        body = body_of(delivery, collected=collected, query_digest=run.query_digest, rules=self._rules_named(rule_ids))
        return self._chain.append_canonical(chain.Entry(kind=kind, actor=run.actor, run_id=run.id), body, at=collected)

    def _rules_named(self, rule_ids: tuple[str, ...]) -> bytes:
        named = self._named.get(rule_ids)
        if named is None:
            unknown = [rule_id for rule_id in rule_ids if rule_id not in self._rules]
            if unknown:
                raise LedgerError(f"A hit names rules that run {self._record.run.id} did not ask: {', '.join(unknown)}.")
            named = rules_named(tuple(self._rules[rule_id].rule for rule_id in rule_ids))
            self._named[rule_ids] = named
        return named

    def _write_rows(self, table: RunTable) -> int:
        """Write one table's rows, and the records that hold a digest for each of them."""
        count = 0
        for chunk in weighed_chunks(table.rows, lambda _: 1, size=ROWS_PER_RECORD, heaviest=ROWS_PER_RECORD):
            rows = [{"run": self._number, "position": count + place, **row} for place, (row, _) in enumerate(chunk)]
            insert_rows(self._connection, table.table, rows)
            digests: list[Json] = [digest for _, digest in chunk]
            self._append("rows", {"digests": digests, "first": count, "table": table.name})
            count += len(chunk)
        return count

    def _recorded(self, hits: int, first_sequence: int) -> Recorded:
        self._chain.flush(self._connection)
        records, of_hits = tables.evidence, tables.evidence.c.kind == "hit"
        written = self._connection.execute(
            select(func.count()).select_from(records).where(records.c.sequence >= first_sequence, of_hits)
        ).scalar_one()
        if written != hits:
            raise LedgerError(f"Run {self._record.run.id} returned {hits} rows and {written} were recorded: nothing was kept.")
        return Recorded(
            run_id=self._record.run.id,
            is_new=True,
            hits=hits,
            leads=self._findings.count_leads(),
            leads_new=self._findings.leads_new,
            sightings_new=self._findings.sightings_new,
            conflicts_new=self._findings.conflicts_new,
            first_sequence=first_sequence,
            last_sequence=self._chain.sequence + 1,
            merkle_root=self._chain.tree.root(),
        )

    def _close(self, settled: RunRecord, recorded: Recorded, row_counts: Mapping[str, int]) -> None:
        run = settled.run
        document = canonical_form(document_of_run(run))
        body: Document = {
            "conflicts_new": recorded.conflicts_new,
            "ended": utc_text(run.ended),
            "first": recorded.first_sequence,
            "leads": recorded.leads,
            "leads_new": recorded.leads_new,
            "leaves": self._chain.tree.leaves,
            "merkle_root": recorded.merkle_root,
            "outcome": run.outcome,
            "rows": dict(row_counts),
            "rows_recorded": recorded.hits,
            "rows_returned": recorded.hits,
            "run": digest_of(document),
            "sightings_new": recorded.sightings_new,
        }
        self._append("run closed", body)
        row: dict[str, str | int] = {
            "number": self._number,
            "id": run.id,
            "started": utc_text(run.started),
            "outcome": run.outcome,
            "document": document.decode(),
            "first_sequence": recorded.first_sequence,
            "last_sequence": recorded.last_sequence,
        }
        self._connection.execute(insert(tables.runs).values(**row))
        self._chain.finish(self._connection, at=self._clock())

    def _append(self, kind: str, body: Mapping[str, Json]) -> int:
        run = self._record.run
        return self._chain.append(chain.Entry(kind=kind, subject=run.id, actor=run.actor, run_id=run.id), body, at=self._now())

    def _now(self) -> datetime:
        return self._clock()


def _objects(deliveries: Iterable[tuple[Delivery, int]]) -> dict[str, tuple[bytes, int]]:
    found: dict[str, tuple[bytes, int]] = {}
    for delivery, sequence in deliveries:
        event = delivery.event
        found.setdefault(event.raw_digest, (event.raw, sequence))
        found.setdefault(event.canonical_digest, (event.canonical, sequence))
    return found


def _freeze(connection: Connection, rules: tuple[RuleRow, ...]) -> dict[str, FrozenRule]:
    """Leave each rule on record, once for all runs that ask it with the same text, meaning and catalogue."""
    table = tables.rules
    known = {str(row.digest): int(row.number) for row in connection.execute(select(table.c.digest, table.c.number))}
    last = max(known.values(), default=0)
    rows: list[dict[str, Column]] = []
    frozen: dict[str, FrozenRule] = {}
    for rule in rules:
        document = canonical_form(document_of_rule(rule))
        digest = digest_of(document)
        if digest not in known:
            known[digest] = last = last + 1
            rows.append(_row_of_rule(rule, document) | {"digest": digest, "number": last})
        frozen[rule.id] = FrozenRule(rule=rule, digest=digest, number=known[digest])
    insert_rows(connection, table, rows)
    return frozen


def _row_of_rule(rule: RuleRow, document: bytes) -> dict[str, Column]:
    return {
        "id": rule.id,
        "name": rule.name,
        "level": rule.level,
        "text_digest": rule.text_digest,
        "meaning_digest": rule.meaning_digest,
        "document": document.decode(),
    }


def _weight(hit: Hit) -> int:
    return len(hit.event.raw) + len(hit.event.canonical)


def _number_of(connection: Connection, run_id: str) -> int | None:
    number = connection.execute(select(tables.runs.c.number).where(tables.runs.c.id == run_id)).scalar()
    return None if number is None else int(number)


def _recorded_before(store: Store, run_id: str) -> Recorded | None:
    runs, records = tables.runs, tables.evidence
    closing = select(runs.c.first_sequence, runs.c.last_sequence, records.c.body).join(records, records.c.sequence == runs.c.last_sequence)
    with store.reading() as connection:
        row = connection.execute(closing.where(runs.c.id == run_id)).one_or_none()
    if row is None:
        return None
    body = Reader(parsed(str(row.body), what=f"The closing record of run {run_id}"))
    return Recorded(
        run_id=run_id,
        is_new=False,
        hits=body.whole("rows_recorded"),
        leads=body.whole("leads"),
        leads_new=body.whole("leads_new"),
        sightings_new=body.whole("sightings_new"),
        conflicts_new=body.whole("conflicts_new"),
        first_sequence=int(row.first_sequence),
        last_sequence=int(row.last_sequence),
        merkle_root=body.text("merkle_root"),
    )

"""Whether runs, and the rows that they wrote, are what their closing records commit to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping, func, select

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import noise, tables
from aibr_hunt.ledger.canonical import canonical_form, digest_of, parsed
from aibr_hunt.ledger.chain import Record
from aibr_hunt.ledger.documents import Reader, document_of_rule, rule_of
from aibr_hunt.ledger.faults import Faults
from aibr_hunt.ledger.merkle import MerkleTree
from aibr_hunt.ledger.runrows import digest_of_row, noise_of

_FIRST_TABLES = (tables.run_rules, tables.accounts, tables.coverage, tables.pulses, tables.noise)
TABLES = {table.name: table for table in (*_FIRST_TABLES, *tables.SINCE_SCHEMA_2, *tables.SINCE_SCHEMA_3)}


@dataclass(slots=True)
class _OpenRun:
    """What was seen of a run between its opening and its closing record."""

    id: str
    number: int
    first: int
    rules: tuple[tuple[str, str, str], ...]
    tree: MerkleTree = field(default_factory=MerkleTree)
    hits: int = 0
    rows: dict[str, int] = field(default_factory=dict)


class RunsCheck:
    """Follows the runs along the chain; one run's records lie together, because one process writes at a time."""

    def __init__(self, connection: Connection, faults: Faults) -> None:
        """Read from `connection`, name what is wrong in `faults`."""
        self._connection = connection
        self._faults = faults
        self._open: _OpenRun | None = None
        self._closed: set[str] = set()
        self.rows = 0

    @property
    def count(self) -> int:
        """How many runs were closed so far."""
        return len(self._closed)

    def follow(self, record: Record, envelope: bytes, body: Reader) -> None:
        """Take the next record of the chain.

        Raises:
            LedgerError: Its body cannot be read.
        """
        if record.kind == "run opened":
            self._leave()
            self._open = self._opened(record, body)
        run = self._open
        if run is None or record.run_id != run.id:
            if record.run_id:
                self._faults.add(f"evidence record {record.sequence}", f"it belongs to run {record.run_id}, which is not open there.")
            self._leave()
            return
        if record.kind == "run closed":
            self._open = None
            self._close(run, record, body)
            return
        run.tree.add(envelope)
        run.hits += record.kind == "hit"
        if record.kind == "rows":
            self._check_rows(run, record, body)

    def finish(self) -> None:
        """Check what only the whole shows: runs without records, and rules that are not what they were."""
        self._leave()
        for run_id in self._connection.execute(select(tables.runs.c.id)).scalars():
            if str(run_id) not in self._closed:
                self._faults.add(f"run {run_id}", "the evidence chain holds no closing record of it.")
        for row in self._connection.execute(select(tables.rules).execution_options(yield_per=500)).mappings():
            with self._faults.guarding(f"rule {row['id']}"):
                self._check_rule(row)

    def _leave(self) -> None:
        if self._open is not None:
            self._faults.add(f"run {self._open.id}", f"the evidence chain opens it at record {self._open.first} and never closes it.")
            self._open = None

    def _opened(self, record: Record, body: Reader) -> _OpenRun:
        number = self._connection.execute(select(tables.runs.c.number).where(tables.runs.c.id == record.run_id)).scalar()
        if number is None:
            self._faults.add(f"run {record.run_id}", f"its row is missing; evidence record {record.sequence} opens it.")
        named = tuple((rule.text("id"), rule.text("text"), rule.text("meaning")) for rule in body.objects("rules"))
        return _OpenRun(id=record.run_id, number=-1 if number is None else int(number), first=record.sequence, rules=named)

    def _check_rows(self, run: _OpenRun, record: Record, body: Reader) -> None:
        name, first, digests = body.text("table"), body.whole("first"), body.texts("digests")
        table = TABLES.get(name)
        if table is None:
            raise LedgerError(f"It speaks of a table {name!r} that no run writes.")
        run.rows[name] = run.rows.get(name, 0) + len(digests)
        query = select(table)
        if table is tables.run_rules:
            query = select(table, tables.rules.c.digest).join(tables.rules, tables.rules.c.number == table.c.rule)
        query = query.where(table.c.run == run.number, table.c.position.between(first, first + len(digests) - 1))
        found = {int(row["position"]): row for row in self._connection.execute(query).mappings()}
        for position, digest in enumerate(digests, start=first):
            self.rows += 1
            self._check_row(f"{name} row {position} of run {run.id}", found.get(position), name=name, digest=digest, record=record)

    def _check_row(self, where: str, row: RowMapping | None, *, name: str, digest: str, record: Record) -> None:
        if row is None:
            self._faults.add(where, f"it is missing; evidence record {record.sequence} holds its digest.")
            return
        called = _called(name, row)
        with self._faults.guarding(f"{where}{called}"):
            if digest_of_row(name, row) != digest:
                self._faults.add(f"{where}{called}", f"it was changed: its digest is not the one in evidence record {record.sequence}.")
            if name == tables.noise.name:
                noise.keys_of(noise_of(row))

    def _close(self, run: _OpenRun, record: Record, body: Reader) -> None:
        where, source = f"run {run.id}", f"closing record {record.sequence}"
        self._closed.add(run.id)
        seen = {"merkle_root": run.tree.root(), "leaves": run.tree.leaves, "first": run.first, "rows_recorded": run.hits}
        said = {"merkle_root": body.text("merkle_root"), **{name: body.whole(name) for name in ("leaves", "first", "rows_recorded")}}
        self._faults.expect(where, seen, said, source=source)
        returned, recorded = body.whole("rows_returned"), body.whole("rows_recorded")
        self._faults.expect(where, {"rows_recorded": recorded}, {"rows_recorded": returned}, source=source)
        self._check_counts(run, Reader(body.members("rows")), record)
        row = self._connection.execute(select(tables.runs).where(tables.runs.c.id == run.id)).mappings().one_or_none()
        if row is not None:
            self._check_run(row, run, body=body, record=record)

    def _check_counts(self, run: _OpenRun, said: Reader, record: Record) -> None:
        for name, table in TABLES.items():
            lying = int(self._connection.execute(select(func.count()).select_from(table).where(table.c.run == run.number)).scalar_one())
            for count, what in ((lying, "in the table"), (run.rows.get(name, 0), "with a digest")):
                if count != said.whole(name):
                    told = f"closing record {record.sequence} says {said.whole(name)}"
                    self._faults.add(f"{name} of run {run.id}", f"{count} rows {what}; {told}.")
        if self._rules_of(run) != run.rules:
            self._faults.add(f"run_rules of run {run.id}", "the rules are not those that its opening record names.")

    def _rules_of(self, run: _OpenRun) -> tuple[tuple[str, str, str], ...]:
        rules, asked = tables.rules, tables.run_rules
        query = select(rules.c.id, rules.c.text_digest, rules.c.meaning_digest).join(asked, asked.c.rule == rules.c.number)
        rows = self._connection.execute(query.where(asked.c.run == run.number).order_by(asked.c.position))
        return tuple((str(row.id), str(row.text_digest), str(row.meaning_digest)) for row in rows)

    def _check_run(self, row: RowMapping, run: _OpenRun, *, body: Reader, record: Record) -> None:
        where = f"run {run.id}"
        if digest_of(str(row["document"]).encode()) != body.text("run"):
            self._faults.add(where, f"what it says of itself was changed: its digest is not the one in closing record {record.sequence}.")
        told = Reader(parsed(str(row["document"]), what="Its document"))
        wanted: dict[str, object] = {
            "id": told.text("id"),
            "started": told.text("started"),
            "outcome": body.text("outcome"),
            "first_sequence": run.first,
            "last_sequence": record.sequence,
        }
        self._faults.expect(where, row, wanted, source=f"closing record {record.sequence}")

    def _check_rule(self, row: RowMapping) -> None:
        where = f"rule {row['id']} ({row['digest']})"
        rule = rule_of(parsed(str(row["document"]), what="Its document"))
        if digest_of(canonical_form(document_of_rule(rule))) != row["digest"]:
            self._faults.add(where, "it was changed: its digest is not its own any more.")
        wanted: Mapping[str, object] = {
            "id": rule.id,
            "name": rule.name,
            "level": rule.level,
            "text_digest": rule.text_digest,
            "meaning_digest": rule.meaning_digest,
        }
        self._faults.expect(where, row, wanted, source="its document")


def _called(name: str, row: RowMapping) -> str:
    match name:
        case "accounts":
            return f" ({row['path']})"
        case "coverage" | "noise":
            return f" (rule {row['rule_id']}, source {row['source']})"
        case "episodes" | "links" | "tallies":
            return f" (correlation {row['correlation_id']})"
        case "jobs":
            return f" (source {row['source']}, job {row['job']})"
        case "pulses":
            return f" (source {row['source']}, key {row['key']})"
        case _:
            return ""

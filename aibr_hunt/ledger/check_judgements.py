"""Whether triage states and suppressions are those that the chain tells of."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, or_, select

from aibr_hunt.ledger import tables
from aibr_hunt.ledger.chain import Record
from aibr_hunt.ledger.documents import Reader
from aibr_hunt.ledger.faults import Faults


class JudgementsCheck:
    """Follows the judgements along the chain."""

    def __init__(self, connection: Connection, faults: Faults) -> None:
        """Read from `connection`, name what is wrong in `faults`."""
        self._connection = connection
        self._faults = faults
        self._suppressions: dict[str, dict[str, object]] = {}

    def follow(self, record: Record, body: Reader) -> None:
        """Take the next record of the chain.

        Raises:
            LedgerError: Its body cannot be read.
        """
        match record.kind:
            case "triage":
                self._check_triage(record, body)
            case "suppress":
                names = ("actor", "predicate", "reason", "rule_id", "start")
                self._suppressions[record.subject] = {
                    **{name: body.text(name) for name in names},
                    "end": body.text("end") if body.moment("end") else None,
                    "withdrawn": None,
                    "sequence": record.sequence,
                }
            case "unsuppress":
                self._suppressions.setdefault(record.subject, {})["withdrawn"] = record.at
            case _:
                pass

    def finish(self) -> None:
        """Check what only the whole shows: states without an act, and suppressions that are not in the chain."""
        leads, records = tables.leads, tables.evidence
        query = select(leads.c.id, leads.c.triage_sequence).outerjoin(records, records.c.sequence == leads.c.triage_sequence)
        unfounded = or_(records.c.sequence.is_(None), records.c.kind != "triage", records.c.subject != leads.c.id)
        for row in self._connection.execute(query.where(leads.c.triage_sequence.is_not(None), unfounded)):
            self._faults.add(f"lead {row.id}", f"evidence record {row.triage_sequence}, which it names as its triage, is none of it.")
        found = {str(row["id"]): row for row in self._connection.execute(select(tables.suppressions)).mappings()}
        for suppression_id in sorted(found.keys() | self._suppressions.keys()):
            self._check_suppression(f"suppression {suppression_id}", found.get(suppression_id), self._suppressions.get(suppression_id))

    def _check_triage(self, record: Record, body: Reader) -> None:
        leads = tables.leads
        where, source = f"lead {record.subject}", f"the triage in evidence record {record.sequence}"
        row = self._connection.execute(select(leads).where(leads.c.id == record.subject)).mappings().one_or_none()
        if row is None:
            self._faults.add(where, f"it is missing; {source} is about it.")
        elif row["triage_sequence"] is None or int(row["triage_sequence"]) < record.sequence:
            self._faults.add(where, f"{source} came after the one that it shows.")
        elif int(row["triage_sequence"]) == record.sequence:
            self._faults.expect(where, row, {"state": body.text("to"), "note": body.text("note")}, source=source)

    def _check_suppression(self, where: str, row: RowMapping | None, told: Mapping[str, object] | None) -> None:
        if told is None:
            self._faults.add(where, "the evidence chain does not tell of it.")
        elif row is None:
            self._faults.add(where, "it is missing; the evidence chain tells of it.")
        else:
            self._faults.expect(where, row, told, source="the evidence chain")

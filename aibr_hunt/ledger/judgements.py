"""What people decide about leads: triage and suppression, each an evidence record too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from aibr_hunt.errors import UsageError
from aibr_hunt.ledger import chain, tables
from aibr_hunt.ledger.canonical import canonical_form, digest_of, storable
from aibr_hunt.ledger.documents import Document, certain_moment, moment_of, moment_text
from aibr_hunt.ledger.values import Act, Suppression
from aibr_hunt.model.event import Json
from aibr_hunt.model.lead import TriageState
from aibr_hunt.model.window import utc_text

RESERVED_KINDS = frozenset(
    {"hit", "rows", "run opened", "run closed", "triage", "suppress", "unsuppress", "ledger created", "ledger upgraded", "backup"}
)
"""Kinds that the ledger writes itself, beside the rows that they speak of."""


def append_act(connection: Connection, entry: chain.Entry, detail: Mapping[str, Json], *, at: datetime) -> int:
    """Append one record and return its sequence number."""
    writer = chain.resume(connection)
    sequence = writer.append(entry, detail, at=at)
    writer.finish(connection, at=at)
    return sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person decided about a lead, and why."""

    state: TriageState
    note: str
    actor: str


def set_state(connection: Connection, lead_id: str, verdict: Verdict, *, at: datetime) -> None:
    """Leave the verdict on the lead and in the chain.

    Raises:
        UsageError: The ledger holds no such lead.
    """
    leads = tables.leads
    earlier = connection.execute(select(leads.c.state).where(leads.c.id == lead_id)).scalar()
    if earlier is None:
        raise UsageError(f"The ledger holds no lead {lead_id!r}.", hint="`leads list` shows those that there are.")
    note = storable(verdict.note)
    body: Document = {"from": str(earlier), "note": note, "to": verdict.state.value}
    sequence = append_act(connection, chain.Entry(kind="triage", subject=lead_id, actor=verdict.actor), body, at=at)
    connection.execute(update(leads).where(leads.c.id == lead_id).values(state=verdict.state.value, note=note, triage_sequence=sequence))


def add_suppression(connection: Connection, wanted: Suppression, *, at: datetime) -> Suppression:
    """Leave a suppression on record and return it with its id.

    Raises:
        UsageError: It ends before it starts, or gives no reason.
    """
    if not wanted.reason.strip():
        raise UsageError("A suppression needs a reason: someone will ask for it.")
    if wanted.end is not None and wanted.end <= wanted.start:
        raise UsageError(f"The suppression ends at {utc_text(wanted.end)}, before it starts at {utc_text(wanted.start)}.")
    writer = chain.resume(connection)
    body = document_of_suppression(wanted)
    suppression_id = f"S-{digest_of(canonical_form({**body, 'at': utc_text(at), 'sequence': writer.sequence}))[:12]}"
    sequence = writer.append(chain.Entry(kind="suppress", subject=suppression_id, actor=wanted.actor), body, at=at)
    writer.finish(connection, at=at)
    row = {name: storable(value) if isinstance(value, str) else None for name, value in body.items()}
    connection.execute(insert(tables.suppressions).values(**row, id=suppression_id, withdrawn=None, sequence=sequence))
    return next(one for one in read_suppressions(connection) if one.id == suppression_id)


def document_of_suppression(suppression: Suppression) -> Document:
    """Return what the evidence says of a suppression."""
    return {
        "actor": suppression.actor,
        "end": moment_text(suppression.end),
        "predicate": suppression.predicate,
        "reason": suppression.reason,
        "rule_id": suppression.rule_id,
        "start": utc_text(suppression.start),
    }


def withdraw(connection: Connection, suppression_id: str, entry: chain.Entry, *, reason: str, at: datetime) -> None:
    """End a suppression now.

    Raises:
        UsageError: There is no such suppression, or it was withdrawn before.
    """
    found = [one for one in read_suppressions(connection) if one.id == suppression_id]
    if not found or found[0].withdrawn is not None:
        raise UsageError(f"The ledger holds no suppression {suppression_id!r} that could be withdrawn.")
    append_act(connection, entry, {"reason": reason}, at=at)
    table = tables.suppressions
    connection.execute(update(table).where(table.c.id == suppression_id).values(withdrawn=utc_text(at)))


def read_suppressions(connection: Connection) -> tuple[Suppression, ...]:
    """Return all suppressions, also those that ended, in the order in which they were made."""
    table = tables.suppressions
    return tuple(
        Suppression(
            id=str(row.id),
            rule_id=str(row.rule_id),
            predicate=str(row.predicate),
            reason=str(row.reason),
            actor=str(row.actor),
            start=certain_moment(str(row.start)),
            end=moment_of(row.end),
            withdrawn=moment_of(row.withdrawn),
        )
        for row in connection.execute(select(table).order_by(table.c.sequence))
    )


def read_acts(connection: Connection, subject: str) -> tuple[Act, ...]:
    """Return every record about one lead, run or suppression, oldest first; for a lead also the hits behind it."""
    records, sightings, leads = tables.evidence, tables.sightings, tables.leads
    hits = select(sightings.c.sequence).join(leads, leads.c.number == sightings.c.lead).where(leads.c.id == subject)
    about = records.c.subject.in_([subject]) if subject else records.c.sequence < 0
    query = select(records).where(about | records.c.sequence.in_(hits)).order_by(records.c.sequence)
    return tuple(
        Act(
            sequence=int(row.sequence),
            digest=str(row.digest),
            at=certain_moment(str(row.at)),
            kind=str(row.kind),
            run_id=str(row.run_id),
            subject=str(row.subject),
            actor=str(row.actor),
            body=str(row.body),
        )
        for row in connection.execute(query)
    )

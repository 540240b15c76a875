"""Events, deliveries, leads and sightings: what a batch of hits adds to what is known already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection, bindparam, distinct, func, select, update

from aibr_hunt.ledger import tables
from aibr_hunt.ledger.batches import Column, chunks, insert_rows
from aibr_hunt.ledger.canonical import lead_id
from aibr_hunt.ledger.hits import Delivery
from aibr_hunt.ledger.levels import rank_of
from aibr_hunt.ledger.runrows import FrozenRule
from aibr_hunt.model.episode import EPISODES
from aibr_hunt.model.lead import TriageState

Row: TypeAlias = dict[str, Column]
Numbered: TypeAlias = Sequence[tuple[Delivery, int]]
"""Deliveries, each with the sequence number of its evidence record."""

_ID_DIGITS = (12, 20, 32, 64)


@dataclass(frozen=True, slots=True)
class _KnownLead:
    number: int
    rule: int


class FindingsWriter:
    """Writes what hits add, within one write transaction; whatever is known already is looked up per batch."""

    def __init__(self, connection: Connection, *, run: int, rules: Mapping[str, FrozenRule]) -> None:
        """Write for the run with this number and these rules."""
        self._connection = connection
        self._run = run
        self._rules = rules
        self._next_event = self._last(tables.events.c.number) + 1
        self._next_delivery = self._last(tables.deliveries.c.number) + 1
        self._next_lead = self._last(tables.leads.c.number) + 1
        self.leads_new = 0
        self.sightings_new = 0
        self.conflicts_new = 0

    def add(self, deliveries: Numbered, *, collected: str) -> None:
        """Write one batch.

        Args:
            deliveries: The hits, in their order.
            collected: When they were recorded, UTC text.
        """
        first_new = self._next_event
        events = self._add_events(deliveries)
        known_events = {key: number for key, number in events.items() if number < first_new}
        numbers, known = self._add_deliveries(deliveries, events, known_events)
        leads = self._add_leads(deliveries, events, known=self._known_leads(known_events.values()), collected=collected)
        self._add_sightings(deliveries, events=events, numbers=numbers, leads=leads, known=known)

    def count_leads(self) -> int:
        """Return how many leads the run saw."""
        counted = select(func.count(distinct(tables.sightings.c.lead))).where(tables.sightings.c.run == self._run)
        return int(self._connection.execute(counted).scalar_one())

    def _last(self, number: ColumnElement[int]) -> int:
        return int(self._connection.execute(select(func.max(number))).scalar() or 0)

    def _add_events(self, deliveries: Numbered) -> dict[str, int]:
        """Leave every identity on record, and every further content of one as a conflict."""
        table = tables.events
        known: dict[str, tuple[int, str]] = {}
        for chunk in chunks(dict.fromkeys(delivery.key for delivery, _ in deliveries)):
            columns = select(table.c.key, table.c.number, table.c.canonical_digest)
            found = self._connection.execute(columns.where(table.c.key.in_(chunk)))
            known.update((str(row.key), (int(row.number), str(row.canonical_digest))) for row in found)
        rows: list[Row] = []
        others: dict[tuple[int, str], int] = {}
        for delivery, sequence in deliveries:
            digest = delivery.event.canonical_digest
            number, first_digest = known.setdefault(delivery.key, (self._next_event, digest))
            if number == self._next_event:
                self._next_event += 1
                is_weak = int(delivery.event.identity.is_weak)
                rows.append({"number": number, "key": delivery.key, "is_weak": is_weak, "canonical_digest": digest})
            if digest != first_digest and delivery.event.source != EPISODES:  # a longer episode contradicts nothing
                others.setdefault((number, digest), sequence)
        insert_rows(self._connection, tables.events, rows)
        self._add_conflicts(others)
        return {key: number for key, (number, _) in known.items()}

    def _add_conflicts(self, others: Mapping[tuple[int, str], int]) -> None:
        table = tables.conflicts
        known: set[tuple[int, str]] = set()
        for chunk in chunks(others, 400):
            wanted = table.c.event.in_({event for event, _ in chunk}) & table.c.canonical_digest.in_({digest for _, digest in chunk})
            known.update((int(row.event), str(row.canonical_digest)) for row in self._connection.execute(select(table).where(wanted)))
        rows: list[Row] = [
            {"event": event, "canonical_digest": digest, "sequence": sequence}
            for (event, digest), sequence in others.items()
            if (event, digest) not in known
        ]
        insert_rows(self._connection, table, rows)
        self.conflicts_new += len(rows)

    def _add_deliveries(
        self, deliveries: Numbered, events: Mapping[str, int], known_events: Mapping[str, int]
    ) -> tuple[dict[str, int], frozenset[int]]:
        """Leave every delivery on record; return their numbers, and which of them were known.

        A new event has no known delivery, so only those of known events are looked up.
        """
        table = tables.deliveries
        numbers: dict[str, int] = {}
        wanted = dict.fromkeys(delivery.place_digest for delivery, _ in deliveries if delivery.key in known_events)
        for chunk in chunks(wanted):
            found = self._connection.execute(select(table.c.place_digest, table.c.number).where(table.c.place_digest.in_(chunk)))
            numbers.update((str(row.place_digest), int(row.number)) for row in found)
        known = frozenset(numbers.values())
        rows: list[Row] = []
        for delivery, sequence in deliveries:
            if delivery.place_digest not in numbers:
                numbers[delivery.place_digest] = self._next_delivery
                row = _row_of_delivery(delivery, number=self._next_delivery, event=events[delivery.key])
                rows.append({**row, "sequence": sequence})
                self._next_delivery += 1
        insert_rows(self._connection, table, rows)
        return numbers, known

    def _add_leads(
        self, deliveries: Numbered, events: Mapping[str, int], *, known: Mapping[tuple[int, str], _KnownLead], collected: str
    ) -> dict[tuple[int, str], int]:
        """Leave a lead for every event under every rule; return their numbers by event and rule."""
        self._follow_rules(known, deliveries, events)
        numbers = {pair: lead.number for pair, lead in known.items()}
        rows: list[Row] = []
        for delivery, sequence in deliveries:
            event = events[delivery.key]
            for rule_id in delivery.rule_ids:
                if (event, rule_id) not in numbers:
                    numbers[event, rule_id] = self._next_lead
                    rows.append(self._row_of_lead(delivery, rule_id, event) | {"sequence": sequence, "first_seen": collected})
                    self._next_lead += 1
        self._give_ids(rows, {number: key for key, number in events.items()})
        insert_rows(self._connection, tables.leads, rows)
        self.leads_new += len(rows)
        return numbers

    def _known_leads(self, events: Iterable[int]) -> dict[tuple[int, str], _KnownLead]:
        table = tables.leads
        columns = select(table.c.event, table.c.rule_id, table.c.number, table.c.rule)
        return {
            (int(row.event), str(row.rule_id)): _KnownLead(int(row.number), int(row.rule))
            for chunk in chunks(events)
            for row in self._connection.execute(columns.where(table.c.event.in_(chunk)))
        }

    def _follow_rules(self, known: Mapping[tuple[int, str], _KnownLead], deliveries: Numbered, events: Mapping[str, int]) -> None:
        """Let leads that were known show their rule as this run froze it; what a person set on them stays."""
        seen = {(events[delivery.key], rule_id) for delivery, _ in deliveries for rule_id in delivery.rule_ids}
        rows = [
            {"lead": lead.number, "rule_number": self._rules[rule_id].number, "rank": rank_of(self._rules[rule_id].rule.level)}
            for (event, rule_id), lead in known.items()
            if (event, rule_id) in seen and lead.rule != self._rules[rule_id].number
        ]
        if rows:
            changed = update(tables.leads).where(tables.leads.c.number == bindparam("lead"))
            self._connection.execute(changed.values(rule=bindparam("rule_number"), level=bindparam("rank")), rows)

    def _row_of_lead(self, delivery: Delivery, rule_id: str, event: int) -> Row:
        return {
            "number": self._next_lead,
            "rule_id": rule_id,
            "event": event,
            "rule": self._rules[rule_id].number,
            "level": rank_of(self._rules[rule_id].rule.level),
            "time": delivery.time,
            **delivery.facts,
            "canonical_digest": delivery.event.canonical_digest,
            "state": TriageState.NEW.value,
            "note": "",
        }

    def _give_ids(self, rows: list[Row], keys: Mapping[int, str]) -> None:
        """Give each new lead its id; where two would share one, the later of them gets a longer one."""
        pairs = [(str(row["rule_id"]), keys[int(str(row["event"]))]) for row in rows]
        wanted = [lead_id(rule_id, key, digits=_ID_DIGITS[0]) for rule_id, key in pairs]
        taken = self._taken_ids(wanted)
        for row, short_id, pair in zip(rows, wanted, pairs, strict=True):
            row["id"] = short_id if short_id not in taken else self._longer_id(pair, taken)
            taken.add(str(row["id"]))

    def _longer_id(self, pair: tuple[str, str], taken: set[str]) -> str:
        for digits in _ID_DIGITS[1:]:
            longer = lead_id(*pair, digits=digits)
            if longer not in taken and not self._taken_ids([longer]):
                return longer
        raise AssertionError("two leads with one SHA-256")

    def _taken_ids(self, ids: Iterable[str]) -> set[str]:
        return {
            str(found)
            for chunk in chunks(ids)
            for found in self._connection.execute(select(tables.leads.c.id).where(tables.leads.c.id.in_(chunk))).scalars()
        }

    def _add_sightings(
        self,
        deliveries: Numbered,
        *,
        events: Mapping[str, int],
        numbers: Mapping[str, int],
        leads: Mapping[tuple[int, str], int],
        known: frozenset[int],
    ) -> None:
        """Link run, lead and delivery, once each however often the run returned them."""
        seen_before, seen_in_run = self._known_sightings(known)
        rows: list[Row] = []
        for delivery, sequence in deliveries:
            number = numbers[delivery.place_digest]
            for rule_id in delivery.rule_ids:
                pair = (leads[events[delivery.key], rule_id], number)
                if pair in seen_in_run:
                    continue
                seen_in_run.add(pair)
                self.sightings_new += pair not in seen_before
                rule = self._rules[rule_id].number
                rows.append({"lead": pair[0], "delivery": number, "run": self._run, "rule": rule, "sequence": sequence})
        insert_rows(self._connection, tables.sightings, rows)

    def _known_sightings(self, deliveries: frozenset[int]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        table = tables.sightings
        before: set[tuple[int, int]] = set()
        in_run: set[tuple[int, int]] = set()
        columns = select(table.c.lead, table.c.delivery, func.max(table.c.run).label("last_run")).group_by(table.c.lead, table.c.delivery)
        for chunk in chunks(deliveries):
            for row in self._connection.execute(columns.where(table.c.delivery.in_(chunk))):
                pair = (int(row.lead), int(row.delivery))
                before.add(pair)
                if int(row.last_run) == self._run:
                    in_run.add(pair)
        return before, in_run


def _row_of_delivery(delivery: Delivery, *, number: int, event: int) -> Row:
    place = delivery.event.place
    return {
        "number": number,
        "place_digest": delivery.place_digest,
        "event": event,
        "path": delivery.path,
        "file_digest": place.file_digest,
        "offset": place.offset,
        "length": place.length,
        "ordinal": place.ordinal,
        "raw_digest": delivery.event.raw_digest,
        "canonical_digest": delivery.event.canonical_digest,
    }

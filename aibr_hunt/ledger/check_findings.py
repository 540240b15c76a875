"""Whether leads, sightings, deliveries and conflicts are what the hit records say, no more and no less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Select, exists, func, or_, select

from aibr_hunt.ledger import tables, vault
from aibr_hunt.ledger.canonical import lead_id
from aibr_hunt.ledger.documents import Reader
from aibr_hunt.ledger.faults import Faults
from aibr_hunt.ledger.hits import FACTS, place_digest
from aibr_hunt.ledger.levels import rank_of
from aibr_hunt.model.episode import EPISODES


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRecord:
    """One hit record, read, or that of a member, which makes no lead.

    Attributes:
        rules: Rule id to (text digest, meaning digest).
        facts: What a lead shows of its event, `time` among it.
    """

    sequence: int
    run_id: str
    key: str
    is_weak: bool
    path: str
    place: Mapping[str, object]
    raw: str
    canonical: str
    collected: str
    facts: Mapping[str, object]
    rules: Mapping[str, tuple[str, str]]
    is_member: bool = False

    @property
    def name(self) -> str:
        """How faults call it."""
        return f"evidence record {self.sequence}"

    @property
    def place_digest(self) -> str:
        """The digest of its delivery."""
        file_digest, offset, length = (str(self.place[name]) for name in ("file_digest", "offset", "length"))
        return place_digest(file_digest=file_digest, offset=int(offset), length=int(length), raw_digest=self.raw, key=self.key)


def hit_record_of(sequence: int, run_id: str, body: Reader, *, is_member: bool = False) -> HitRecord:
    """Return the hit or member that an evidence body tells.

    Raises:
        LedgerError: It does not tell one.
    """
    identity, place, event = (Reader(body.members(name)) for name in ("identity", "place", "event"))
    return HitRecord(
        sequence=sequence,
        run_id=run_id,
        key=identity.text("key"),
        is_weak=identity.flag("weak"),
        path=place.text("path"),
        place={
            "file_digest": place.text("file"),
            "offset": place.whole("offset"),
            "length": place.whole("length"),
            "ordinal": place.whole("ordinal"),
        },
        raw=body.text("raw"),
        canonical=body.text("canonical"),
        collected=body.text("collected"),
        facts={name: event.text(name) for name in FACTS} | {"time": body.members("event").get("time")},
        rules={rule.text("id"): (rule.text("text"), rule.text("meaning")) for rule in body.objects("rules")},
        is_member=is_member,
    )


class FindingsCheck:
    """Compares findings with hit records, a span of the chain at a time: memory does not grow with the ledger."""

    def __init__(self, connection: Connection, faults: Faults) -> None:
        """Read from `connection`, name what is wrong in `faults`."""
        self._connection = connection
        self._faults = faults
        self.leads = 0
        self.sightings = 0

    def check_span(self, told: Sequence[HitRecord], first: int, last: int) -> None:
        """Check everything that names evidence records from `first` to `last`, of which `told` are the hits and members."""
        hits = {hit.sequence: hit for hit in told if not hit.is_member}
        self._check_sightings(hits, first, last)
        self._check_leads(hits, first, last)
        self._check_vault({hit.sequence: hit for hit in told}, first, last)

    def check_whole(self, length: int) -> None:
        """Check what only the whole shows: first and last sightings, conflicts, and rows beyond the chain's end."""
        self._check_beyond(length)
        self._check_firsts()
        self._check_rules_followed()
        self._check_conflicts()

    def _check_sightings(self, hits: Mapping[int, HitRecord], first: int, last: int) -> None:
        query = _sightings_with_all().where(tables.sightings.c.sequence.between(first, last))
        found: dict[tuple[int, str], RowMapping] = {}
        for row in self._connection.execute(query).mappings():
            self.sightings += 1
            hit = hits.get(int(row["sequence"]))
            where = f"sighting of lead {row['lead_id']} at {row['path']}:{row['offset']}"
            if hit is None or str(row["rule_id"]) not in hit.rules or str(row["key"]) != hit.key:
                self._faults.add(where, f"it names evidence record {row['sequence']}, which tells of no such hit.")
                continue
            found[hit.sequence, str(row["rule_id"])] = row
            self._check_sighting(where, row, hit)
        for hit in hits.values():
            for rule_id in hit.rules:
                if (hit.sequence, rule_id) not in found:
                    self._check_missing(hit, rule_id)

    def _check_sighting(self, where: str, row: RowMapping, hit: HitRecord) -> None:
        text_digest, meaning_digest = hit.rules[str(row["rule_id"])]
        wanted: dict[str, object] = {
            **hit.place,
            "raw_digest": hit.raw,
            "canonical_digest": hit.canonical,
            "place_digest": hit.place_digest,
            "is_weak": int(hit.is_weak),
            "run_id": hit.run_id,
            "lead_event": row["event"],
            "sighting_rule": str(row["rule_id"]),
            "text_digest": text_digest,
            "meaning_digest": meaning_digest,
        }
        if int(row["delivery_sequence"]) == hit.sequence:
            wanted["path"] = hit.path  # a later run may have found the same file under another name
        self._faults.expect(where, row, wanted, source=hit.name)

    def _check_missing(self, hit: HitRecord, rule_id: str) -> None:
        """Name what is missing, unless the same run returned the same delivery before."""
        query = _sightings_with_all().where(
            tables.deliveries.c.place_digest == hit.place_digest,
            tables.leads.c.rule_id == rule_id,
            tables.runs.c.id == hit.run_id,
            tables.sightings.c.sequence < hit.sequence,
        )
        if self._connection.execute(query.limit(1)).first() is not None:
            return
        name = lead_id(rule_id, hit.key)
        leads, events = tables.leads, tables.events
        of_hit = select(leads.c.number).join(events, events.c.number == leads.c.event)
        if self._connection.execute(of_hit.where(leads.c.rule_id == rule_id, events.c.key == hit.key)).first() is None:
            self._faults.add(f"lead {name}", f"it is missing; {hit.name} tells of it.")
        self._faults.add(f"sighting of lead {name} at {hit.path}:{hit.place['offset']}", f"it is missing; {hit.name} tells of it.")

    def _check_leads(self, hits: Mapping[int, HitRecord], first: int, last: int) -> None:
        leads, events = tables.leads, tables.events
        query = select(leads, events.c.key).outerjoin(events, events.c.number == leads.c.event)
        for row in self._connection.execute(query.where(leads.c.sequence.between(first, last))).mappings():
            self.leads += 1
            where = f"lead {row['id']}"
            hit = hits.get(int(row["sequence"]))
            if hit is None or str(row["rule_id"]) not in hit.rules or row["key"] != hit.key:
                self._faults.add(where, f"it names evidence record {row['sequence']}, which tells of no such hit.")
                continue
            wanted = {**hit.facts, "canonical_digest": hit.canonical, "first_seen": hit.collected}
            self._faults.expect(where, row, wanted, source=hit.name)
            if not lead_id(str(row["rule_id"]), hit.key, digits=64).startswith(str(row["id"])):
                self._faults.add(where, f"its id is not that of rule {row['rule_id']} and event {hit.key}.")
            if row["triage_sequence"] is None:
                self._faults.expect(where, row, {"state": "new", "note": ""}, source="the chain, which holds no triage of it,")

    def _check_vault(self, hits: Mapping[int, HitRecord], first: int, last: int) -> None:
        named = {digest: hit for hit in reversed(list(hits.values())) for digest in (hit.raw, hit.canonical)}
        held = vault.held_digests(self._connection, named)
        for digest in named.keys() - held:
            self._faults.add(f"vault object {digest}", f"it is missing; {named[digest].name} names it.")
        table = tables.vault
        query = select(table.c.digest, table.c.sequence).where(table.c.sequence.between(first, last))
        for row in self._connection.execute(query):
            hit = hits.get(int(row.sequence))
            if hit is None or row.digest not in {hit.raw, hit.canonical}:
                where = f"vault object {row.digest}"
                self._faults.add(where, f"evidence record {row.sequence}, which it says brought it, does not name it.")

    def _check_beyond(self, length: int) -> None:
        for table, name in ((tables.sightings, "sighting"), (tables.leads, "lead"), (tables.vault, "vault object")):
            beyond = or_(table.c.sequence < 1, table.c.sequence > length)
            count = int(self._connection.execute(select(func.count()).select_from(table).where(beyond)).scalar_one())
            if count:
                self._faults.add(f"table {table.name}", f"{count} rows ({name}) name evidence records that do not exist.")

    def _check_firsts(self) -> None:
        sightings = tables.sightings
        for table, reference, name in ((tables.leads, sightings.c.lead, "lead"), (tables.deliveries, sightings.c.delivery, "delivery")):
            first = select(func.min(sightings.c.sequence)).where(reference == table.c.number).scalar_subquery()
            label = table.c.id if table is tables.leads else table.c.path
            query = select(label, table.c.sequence, first.label("first")).where(func.coalesce(first, 0) != table.c.sequence)
            for label_text, sequence, found in self._connection.execute(query):
                told = f"its first sighting is in record {found}" if found else "it has no sighting"
                self._faults.add(f"{name} {label_text}", f"it names evidence record {sequence} as its first; {told}.")

    def _check_rules_followed(self) -> None:
        leads, sightings, rules = tables.leads, tables.sightings, tables.rules
        newest = select(sightings.c.rule).where(sightings.c.lead == leads.c.number).order_by(sightings.c.sequence.desc()).limit(1)
        shown = select(leads.c.id, leads.c.rule, newest.scalar_subquery().label("newest"))
        for row in self._connection.execute(shown.where(leads.c.rule != newest.scalar_subquery())):
            self._faults.add(f"lead {row.id}", f"it shows rule row {row.rule}; its last sighting was under {row.newest}.")
        ranked = select(leads.c.level, rules.c.level.label("name")).join(rules, rules.c.number == leads.c.rule).distinct()
        for rank, name in [(int(row.level), str(row.name)) for row in self._connection.execute(ranked)]:
            if rank != rank_of(name):
                query = select(leads.c.id).join(rules, rules.c.number == leads.c.rule)
                for one in self._connection.execute(query.where(leads.c.level == rank, rules.c.level == name)).scalars():
                    self._faults.add(f"lead {one}", f"its level ranks {rank}; its rule says {name}.")

    def _check_conflicts(self) -> None:
        events, deliveries, conflicts = tables.events, tables.deliveries, tables.conflicts
        first = select(deliveries.c.canonical_digest).where(deliveries.c.event == events.c.number).order_by(deliveries.c.number).limit(1)
        changed = select(events.c.key).where(func.coalesce(first.scalar_subquery(), "") != events.c.canonical_digest)
        for key in self._connection.execute(changed).scalars():
            self._faults.add(f"event {key}", "its first content is not that of its first delivery.")
        same = (conflicts.c.event == deliveries.c.event) & (conflicts.c.canonical_digest == deliveries.c.canonical_digest)
        other = select(events.c.key).distinct().join(deliveries, deliveries.c.event == events.c.number)
        other = other.where(deliveries.c.canonical_digest != events.c.canonical_digest, ~exists().where(same))
        other = other.where(events.c.key.not_in(select(events.c.key).join(tables.leads).where(tables.leads.c.source == EPISODES)))
        for key in self._connection.execute(other).scalars():
            self._faults.add(f"conflict of event {key}", "it is missing: the event was delivered with different contents.")
        unfounded = select(conflicts.c.canonical_digest).where(~exists().where(same))
        for digest in self._connection.execute(unfounded).scalars():
            self._faults.add(f"conflict {digest}", "no delivery has that content.")


def _sightings_with_all() -> Select[*tuple[object, ...]]:
    sightings, leads, deliveries, events, rules = tables.sightings, tables.leads, tables.deliveries, tables.events, tables.rules
    return (
        select(
            sightings.c.sequence,
            leads.c.id.label("lead_id"),
            leads.c.rule_id,
            leads.c.event.label("lead_event"),
            deliveries.c.event,
            deliveries.c.path,
            deliveries.c.place_digest,
            deliveries.c.file_digest,
            deliveries.c.offset,
            deliveries.c.length,
            deliveries.c.ordinal,
            deliveries.c.raw_digest,
            deliveries.c.canonical_digest,
            deliveries.c.sequence.label("delivery_sequence"),
            events.c.key,
            events.c.is_weak,
            tables.runs.c.id.label("run_id"),
            rules.c.id.label("sighting_rule"),
            rules.c.text_digest,
            rules.c.meaning_digest,
        )
        .join(leads, leads.c.number == sightings.c.lead)
        .join(deliveries, deliveries.c.number == sightings.c.delivery)
        .join(events, events.c.number == deliveries.c.event)
        .join(tables.runs, tables.runs.c.number == sightings.c.run)
        .join(rules, rules.c.number == sightings.c.rule)
    )

"""Reading leads: whole values, page by page, with the suppressions that hide them now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from aibr_hunt.errors import UsageError
from aibr_hunt.ledger import tables, vault
from aibr_hunt.ledger.canonical import event_value, parsed
from aibr_hunt.ledger.documents import moment_of, moment_text, rule_of
from aibr_hunt.ledger.judgements import read_suppressions
from aibr_hunt.ledger.levels import rank_of
from aibr_hunt.ledger.values import Judge, LeadFilter, Suppression
from aibr_hunt.model.episode import EPISODES, LinkKind
from aibr_hunt.model.event import Json
from aibr_hunt.model.lead import Lead, RuleRow, Sighting, TriageState

_PAGE = 500
_SUGGESTIONS = 5


class LeadReader:
    """Reads leads from one unchanging state of the ledger.

    Args:
        connection: Where to read.
        at: The moment for which suppressions are judged.
        judge: Says whether a suppression's predicate holds; without it only suppressions of whole rules hide
            anything, because what nobody judged must stay visible.
    """

    def __init__(self, connection: Connection, *, at: datetime, judge: Judge | None) -> None:
        """Read the suppressions that hold now."""
        self._connection = connection
        self._judge = judge
        self._rules: dict[int, RuleRow] = {}
        self._active: dict[str, list[Suppression]] = {}
        for suppression in read_suppressions(connection):
            if suppression.is_active(at) and (judge is not None or not suppression.predicate):
                self._active.setdefault(suppression.rule_id, []).append(suppression)

    def leads(self, wanted: LeadFilter) -> Iterator[Lead]:
        """Yield the leads that are wanted, by event time."""
        query = _leads().where(*self._wanted(wanted)).order_by(tables.leads.c.time.asc().nulls_first(), tables.leads.c.number)
        if wanted.include_suppressed or not self._active:
            yield from self._read(query.limit(wanted.limit).offset(wanted.offset), with_events=wanted.with_events)
            return
        shown = (lead for lead in self._read(query, with_events=wanted.with_events) if not lead.suppressed_by)
        end = None if wanted.limit is None else wanted.offset + wanted.limit
        yield from islice(shown, wanted.offset, end)

    def count(self, wanted: LeadFilter) -> int:
        """Return how many leads are wanted, whatever the filter's limit and offset."""
        conditions = self._wanted(wanted)
        total = int(self._connection.execute(select(func.count()).select_from(tables.leads).where(*conditions)).scalar_one())
        if wanted.include_suppressed or not self._active:
            return total
        judged = _leads().where(*conditions, tables.leads.c.rule_id.in_(self._active))
        return total - sum(bool(lead.suppressed_by) for lead in self._read(judged, with_events=False))

    def lead(self, lead_id: str) -> Lead:
        """Return the one lead with that id, or whose id begins so.

        Raises:
            UsageError: There is none, or more than one.
        """
        exact = list(self._read(_leads().where(tables.leads.c.id == lead_id), with_events=True))
        if exact:
            return exact[0]
        begins = lead_id if lead_id.startswith("L-") else f"L-{lead_id}"
        ids = select(tables.leads.c.id).where(tables.leads.c.id >= begins, tables.leads.c.id < begins + "\uffff")
        found = [str(one) for one in self._connection.execute(ids.order_by(tables.leads.c.id).limit(_SUGGESTIONS)).scalars()]
        if len(found) == 1:
            return self.lead(found[0])
        hint = f"Several begin so: {', '.join(found)}." if found else "`leads list` shows those that there are."
        raise UsageError(f"The ledger holds no lead {lead_id!r}.", hint=hint)

    def _wanted(self, wanted: LeadFilter) -> list[ColumnElement[bool]]:
        conditions = list(_conditions(wanted))
        if wanted.run_id:
            numbers = select(tables.sightings.c.lead).join(tables.runs, tables.runs.c.number == tables.sightings.c.run)
            conditions.append(tables.leads.c.number.in_(numbers.where(tables.runs.c.id == wanted.run_id)))
        if wanted.rule:
            rules = tables.rules
            named = select(rules.c.id).where(or_(rules.c.id == wanted.rule, rules.c.name == wanted.rule))
            conditions.append(tables.leads.c.rule_id.in_(named))
        return conditions

    def _read(self, query: Select[*tuple[object, ...]], *, with_events: bool) -> Iterator[Lead]:
        for page in self._connection.execute(query.execution_options(yield_per=_PAGE)).partitions():
            yield from self._page(page, with_events=with_events)

    def _page(self, rows: Iterable[Row[*tuple[object, ...]]], *, with_events: bool) -> Iterator[Lead]:
        page = list(rows)
        self._learn_rules({int(row.rule) for row in page})
        conflicting = self._conflicting({int(row.event) for row in page})
        sightings = self._sightings([int(row.number) for row in page], conflicting)
        digests = {int(row.number): _shown_digest(row, sightings.get(int(row.number), ())) for row in page}
        shown = [digests[int(row.number)] for row in page if with_events or str(row.rule_id) in self._active]
        events = vault.contents(self._connection, shown)
        standings = self._standings([int(row.number) for row in page if str(row.source) == EPISODES])
        for row in page:
            number = int(row.number)
            lead = self._lead(row, sightings.get(number, ()), event_value(events.get(digests[number])))
            lead = replace(lead, suppressed_by=self._suppressed_by(lead), standing=standings.get(number, ""))
            yield lead if with_events else replace(lead, event_value=None)

    def _lead(self, row: Row[*tuple[object, ...]], sightings: tuple[Sighting, ...], value: Json) -> Lead:
        rule = self._rules[int(row.rule)]
        return Lead(
            id=str(row.id),
            rule_id=str(row.rule_id),
            rule_name=rule.name,
            rule_title=rule.title,
            level=rule.level,
            techniques=rule.techniques,
            event_key=str(row.key),
            is_weak=bool(row.is_weak),
            source=str(row.source),
            time=moment_of(row.time),
            action=str(row.action),
            principal=str(row.principal),
            address=str(row.address),
            resource=str(row.resource),
            region=str(row.region),
            account=str(row.account),
            event_value=value,
            sightings=sightings,
            state=TriageState(str(row.state)),
            note=str(row.note),
            first_seen=moment_of(row.first_seen),
        )

    def _suppressed_by(self, lead: Lead) -> str:
        for suppression in self._active.get(lead.rule_id, ()):
            if not suppression.predicate or (self._judge is not None and self._judge(suppression, lead)):
                return suppression.id
        return ""

    def _learn_rules(self, numbers: set[int]) -> None:
        table = tables.rules
        new = sorted(numbers - self._rules.keys())
        if new:
            for row in self._connection.execute(select(table.c.number, table.c.document).where(table.c.number.in_(new))):
                self._rules[int(row.number)] = rule_of(parsed(str(row.document), what="The document of a rule"))

    def _conflicting(self, events: set[int]) -> frozenset[int]:
        table = tables.conflicts
        found = self._connection.execute(select(table.c.event).distinct().where(table.c.event.in_(events)))
        return frozenset(int(event) for event in found.scalars())

    def _standings(self, numbers: list[int]) -> Mapping[int, str]:
        """Return how leads of episodes stand to others, by number: the last link that no later sighting has overtaken."""
        links, events, leads, sightings = tables.links, tables.events, tables.leads, tables.sightings
        own, other_event, other = leads.alias("own"), events.alias("other_event"), leads.alias("other")
        last = select(func.max(sightings.c.run)).where(sightings.c.lead == own.c.number).scalar_subquery()
        query = (
            select(own.c.number, links.c.kind, other.c.id)
            .join(events, events.c.number == own.c.event)
            .join(links, (links.c.lead_key == events.c.key) & (links.c.correlation_id == own.c.rule_id))
            .outerjoin(other_event, other_event.c.key == links.c.other_key)
            .outerjoin(other, (other.c.event == other_event.c.number) & (other.c.rule_id == own.c.rule_id))
            .where(own.c.number.in_(numbers), or_(links.c.run >= last, links.c.kind != LinkKind.SUPERSEDED.value))
            .order_by(links.c.run, links.c.position)
        )
        rows = self._connection.execute(query) if numbers else ()
        return {int(row.number): f"{row.kind} {row.id or ''}".strip() for row in rows}

    def _sightings(self, leads: list[int], conflicting: frozenset[int]) -> Mapping[int, tuple[Sighting, ...]]:
        """Return each lead's deliveries in the order in which they were first recorded, once each."""
        found: dict[int, dict[int, Sighting]] = {}
        for row in self._connection.execute(_sightings().where(tables.sightings.c.lead.in_(leads))):
            found.setdefault(int(row.lead), {}).setdefault(int(row.delivery), _sighting(row, is_conflict=int(row.event) in conflicting))
        return {lead: tuple(by_delivery.values()) for lead, by_delivery in found.items()}


def _shown_digest(row: Row[*tuple[object, ...]], sightings: tuple[Sighting, ...]) -> str:
    """Return the content that a lead shows: the first, and of an episode, which grows, the newest."""
    is_episode = str(row.source) == EPISODES and sightings
    return sightings[-1].canonical_digest if is_episode else str(row.canonical_digest)


def _leads() -> Select[*tuple[object, ...]]:
    leads, events = tables.leads, tables.events
    return select(leads, events.c.key, events.c.is_weak).join(events, events.c.number == leads.c.event)


def _conditions(wanted: LeadFilter) -> Iterator[ColumnElement[bool]]:
    leads = tables.leads
    if wanted.level:
        yield leads.c.level >= rank_of(wanted.level)
    if wanted.state is not None:
        yield leads.c.state == wanted.state.value
    if wanted.source:
        yield leads.c.source == wanted.source
    if wanted.since is not None:
        yield leads.c.time >= moment_text(wanted.since)
    if wanted.until is not None:
        yield leads.c.time < moment_text(wanted.until)


def _sightings() -> Select[*tuple[object, ...]]:
    sightings, deliveries, rules = tables.sightings, tables.deliveries, tables.rules
    return (
        select(
            sightings.c.lead,
            sightings.c.delivery,
            tables.runs.c.id.label("run_id"),
            deliveries,
            rules.c.text_digest,
            rules.c.meaning_digest,
        )
        .join(deliveries, deliveries.c.number == sightings.c.delivery)
        .join(tables.runs, tables.runs.c.number == sightings.c.run)
        .join(rules, rules.c.number == sightings.c.rule)
        .order_by(sightings.c.lead, sightings.c.sequence)
    )


def _sighting(row: Row[*tuple[object, ...]], *, is_conflict: bool) -> Sighting:
    return Sighting(
        run_id=str(row.run_id),
        path=str(row.path),
        file_digest=str(row.file_digest),
        offset=int(row.offset),
        length=int(row.length),
        ordinal=int(row.ordinal),
        raw_digest=str(row.raw_digest),
        canonical_digest=str(row.canonical_digest),
        rule_digest=str(row.text_digest),
        meaning_digest=str(row.meaning_digest),
        is_conflict=is_conflict,
    )

"""The tables, as SQLAlchemy Core sees them: no SQL of one database stands here.

Times are fixed-width UTC text, which sorts as the times do in every database; digests are hex, so that a person with
a database shell can follow them. Numbers are given by the writer, who holds the only write lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint, text

if TYPE_CHECKING:
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

TableValue: TypeAlias = "Table[ReadOnlyColumnCollection[str, Column[object]]]"

metadata = MetaData()

_number = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is SQLite's own row number


def _required(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, _number, nullable=False)


def _of_run(*, is_key: bool = False) -> Column[int]:
    """Return the reference to a run, checked at commit: the run's own row is written last."""
    return Column("run", _number, ForeignKey("runs.number", deferrable=True, initially="DEFERRED"), nullable=False, primary_key=is_key)


def _position() -> Column[int]:
    return Column("position", _number, primary_key=True, nullable=False)


meta = Table("meta", metadata, Column("name", Text, primary_key=True), _required("value"))

# The evidence chain, and its head: the one row that tells when records were cut off at the end.
evidence = Table(
    "evidence",
    metadata,
    Column("sequence", _number, primary_key=True, autoincrement=False),
    _required("previous"),
    _required("digest"),
    _required("at"),
    _required("kind"),
    _required("run_id"),
    _required("subject"),
    _required("actor"),
    _required("body"),
)
Index(
    "evidence_by_subject",
    evidence.c.subject,
    evidence.c.sequence,
    sqlite_where=text("subject <> ''"),
    postgresql_where=text("subject <> ''"),
)
chain = Table(
    "chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _count("length"),
    _required("head"),
    _required("at"),
)

vault = Table(
    "vault",
    metadata,
    Column("digest", Text, primary_key=True),
    _required("encoding"),
    _count("size"),
    _count("stored_size"),
    _count("sequence"),
    Column("content", LargeBinary, nullable=False),
)
Index("vault_by_sequence", vault.c.sequence, vault.c.size, vault.c.stored_size)

# What a run says of itself.
runs = Table(
    "runs",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _required("started"),
    _required("outcome"),
    _required("document"),
    _count("first_sequence"),
    _count("last_sequence"),
)
Index("runs_by_start", runs.c.started)
rules = Table(
    "rules",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False, unique=True),
    _required("id"),
    _required("name"),
    _required("level"),
    _required("text_digest"),
    _required("meaning_digest"),
    _required("document"),
)
Index("rules_by_id", rules.c.id)
Index("rules_by_name", rules.c.name)
run_rules = Table(
    "run_rules",
    metadata,
    _of_run(is_key=True),
    _position(),
    Column("rule", _number, ForeignKey("rules.number"), nullable=False),
)
accounts = Table(
    "accounts",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("path"),
    _required("file_digest"),
    _required("document"),
)
Index("accounts_by_file", accounts.c.file_digest)
coverage = Table(
    "coverage",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("meaning_digest"),
    _required("rule_id"),
    _required("source"),
    Column("window_start", Text),
    Column("window_end", Text),
    _required("state"),
    _required("cause"),
)
Index("coverage_by_meaning", coverage.c.meaning_digest, coverage.c.source, coverage.c.window_start, coverage.c.window_end)
pulses = Table(
    "pulses",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("source"),
    _required("key"),
    Column("hour", Text),
    _count("events"),
    Column("earliest", Text),
    Column("latest", Text),
)
Index("pulses_by_source", pulses.c.source, pulses.c.key, pulses.c.hour)
noise = Table(
    "noise",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("rule_id"),
    _required("source"),
    _count("events"),
    _count("considered"),
    _required("keys_digest"),
    Column("keys", LargeBinary, nullable=False),
)

# Correlations: what runs committed of episodes, how their leads stand to each other, and the history that baselines rest on.
episodes = Table(
    "episodes",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("correlation_id"),
    _required("meaning_digest"),
    _required("group_key"),
    _required("first"),
    _required("last"),
    _required("anchor"),
    _count("windows"),
    _required("figure"),
    Column("is_provisional", Integer, nullable=False),
    _required("lead_key"),
    _required("members_digest"),
    Column("members", LargeBinary, nullable=False),
)
Index("episodes_by_group", episodes.c.correlation_id, episodes.c.group_key, episodes.c.last)
Index("episodes_by_time", episodes.c.correlation_id, episodes.c.last)
links = Table(
    "links",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("correlation_id"),
    _required("lead_key"),
    _required("kind"),
    _required("other_key"),
)
Index("links_by_lead", links.c.lead_key)
tallies = Table(
    "tallies",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("correlation_id"),
    _required("meaning_digest"),
    Column("window_start", Text),
    Column("window_end", Text),
    _count("count"),
    _required("content_digest"),
    Column("content", LargeBinary, nullable=False),
)
Index("tallies_by_meaning", tallies.c.correlation_id, tallies.c.meaning_digest, tallies.c.window_end)

# What was asked of clouds.
jobs = Table(
    "jobs",
    metadata,
    _of_run(is_key=True),
    _position(),
    _required("job"),
    _required("source"),
    _required("started"),
    _required("state"),
    _count("scanned_bytes"),
    _required("document"),
)
Index("jobs_by_start", jobs.c.started)

# What was found. An event is an identity; its contents beyond the first are conflicts; a delivery is one place of one content.
events = Table(
    "events",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    Column("is_weak", Integer, nullable=False),
    _required("canonical_digest"),
)
conflicts = Table(
    "conflicts",
    metadata,
    Column("event", _number, ForeignKey("events.number"), primary_key=True),
    Column("canonical_digest", Text, primary_key=True),
    _count("sequence"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("place_digest", Text, nullable=False, unique=True),
    Column("event", _number, ForeignKey("events.number"), nullable=False),
    _required("path"),
    _required("file_digest"),
    _count("offset"),
    _count("length"),
    _count("ordinal"),
    _required("raw_digest"),
    _required("canonical_digest"),
    _count("sequence"),
)
Index("deliveries_by_event", deliveries.c.event, deliveries.c.number)
leads = Table(
    "leads",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _required("rule_id"),
    Column("event", _number, ForeignKey("events.number"), nullable=False),
    Column("rule", _number, ForeignKey("rules.number"), nullable=False),
    Column("level", Integer, nullable=False),
    _required("source"),
    Column("time", Text),
    _required("time_text"),
    _required("principal"),
    _required("address"),
    _required("resource"),
    _required("action"),
    _required("region"),
    _required("account"),
    _required("canonical_digest"),
    _required("first_seen"),
    _count("sequence"),
    _required("state"),
    _required("note"),
    Column("triage_sequence", _number),
    UniqueConstraint("event", "rule_id"),
)
Index("leads_by_sequence", leads.c.sequence)
Index("leads_by_time", leads.c.time, leads.c.number)
Index("leads_by_rule", leads.c.rule_id, leads.c.time, leads.c.number)
Index("leads_by_level", leads.c.level, leads.c.time, leads.c.number)
Index("leads_by_state", leads.c.state, leads.c.time, leads.c.number)
sightings = Table(
    "sightings",
    metadata,
    Column("lead", _number, ForeignKey("leads.number"), primary_key=True),
    Column("delivery", _number, ForeignKey("deliveries.number"), primary_key=True),
    _of_run(is_key=True),
    Column("rule", _number, ForeignKey("rules.number"), nullable=False),
    _count("sequence"),
)
Index("sightings_by_run", sightings.c.run, sightings.c.lead)
Index("sightings_by_delivery", sightings.c.delivery, sightings.c.lead)
Index("sightings_by_sequence", sightings.c.sequence)

# What people judged.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Text, primary_key=True),
    _required("rule_id"),
    _required("predicate"),
    _required("reason"),
    _required("actor"),
    _required("start"),
    Column("end", Text),
    Column("withdrawn", Text),
    _count("sequence"),
)
Index("suppressions_by_rule", suppressions.c.rule_id)

SINCE_SCHEMA_2 = (episodes, links, tallies)
"""Tables that ledgers of schema 1 do not have."""
SINCE_SCHEMA_3 = (jobs,)
"""Tables that ledgers of schema 2 do not have."""

MUTABLE: dict[str, tuple[str, ...]] = {
    "meta": ("value",),
    "chain": ("length", "head", "at"),
    "leads": ("rule", "level", "state", "note", "triage_sequence"),
    "suppressions": ("withdrawn",),
}
"""Columns that may change; every other column of every table is written once, and no row is ever deleted."""

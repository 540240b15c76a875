"""Leads, their sightings and what a Run says of itself: what the ledger keeps and a report tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aibr_hunt.model.episode import EpisodeRow, LeadLink, LinkKind, TallySheet
from aibr_hunt.model.event import Account, Json
from aibr_hunt.model.job import Job
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window


class TriageState(StrEnum):
    """What a person decided about a lead."""

    NEW = "new"
    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class CoverageState(StrEnum):
    """What is known of one rule over one Source and Window (docs/record.md section 3)."""

    SETTLED = "settled"
    PROVISIONAL = "provisional"
    STALE = "stale"
    FAILED = "failed"
    OVER_BUDGET = "over budget"
    NOT_COVERED = "not covered"
    SOURCE_SILENT = "source silent"
    NOT_KNOWN_ALIVE = "not known to be alive"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One delivery of an event under a lead.

    Attributes:
        run_id: The run that saw it.
        path, file_digest, offset, length, ordinal: Where it lay, as in model.event.Place.
        raw_digest, canonical_digest: SHA-256 of the delivered bytes and of the canonical form, hex.
        rule_digest, meaning_digest: Text and meaning of the rule that matched it.
        is_conflict: True when this delivery carries the identity of another event with other content.
    """

    run_id: str
    path: str
    file_digest: str
    offset: int
    length: int
    ordinal: int
    raw_digest: str
    canonical_digest: str
    rule_digest: str
    meaning_digest: str
    is_conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A finding: one event under one rule, as the ledger gives it back.

    Attributes:
        id: `L-` and 12 hex digits of the SHA-256 of rule id and event identity: the same in every ledger.
            More digits where two leads of one ledger would share 12.
        event_value: The event's JSON (that of the first sighting).
        suppressed_by: Id of the suppression that hides it now; empty when none.
        standing: How it stands to other leads of its correlation: `merged into L-…`, `continued from L-…`, `superseded`; mostly empty.
    """

    id: str
    rule_id: str
    rule_name: str
    rule_title: str
    level: str
    techniques: tuple[Technique, ...]
    event_key: str
    is_weak: bool
    source: str
    time: datetime | None
    action: str
    principal: str
    address: str
    resource: str
    region: str
    account: str
    event_value: Json
    sightings: tuple[Sighting, ...]
    state: TriageState = TriageState.NEW
    note: str = ""
    first_seen: datetime | None = None
    suppressed_by: str = ""
    standing: str = ""

    @property
    def is_told_elsewhere(self) -> bool:
        """True when it no longer speaks for itself: another lead goes on with it, or late data took its episode back."""
        return self.standing.startswith((LinkKind.MERGED_INTO.value, LinkKind.SUPERSEDED.value))

    @property
    def has_conflict(self) -> bool:
        """True when deliveries of one identity differ in content."""
        return any(sighting.is_conflict for sighting in self.sightings)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule as a run froze it: enough to say later, exactly, what was asked."""

    id: str
    name: str
    title: str
    level: str
    path: str
    text_digest: str
    meaning_digest: str
    logsource: str
    techniques: tuple[Technique, ...] = ()
    requires: tuple[str, ...] = ()
    triage: tuple[str, ...] = ()
    preserve_first: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    synthetic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """What was looked at: one rule's meaning, one Source, one Window."""

    meaning_digest: str
    rule_id: str
    source: str
    window: Window
    state: CoverageState
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a committed run looked at.

    Attributes:
        row: The coverage.
        began: When the run began (aware UTC): what arrived later it may not have seen.
    """

    row: CoverageRow
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """That a Source is alive, by hour and key. `key` joins the mapping's pulse columns with `|`."""

    source: str
    key: str
    hour: datetime | None
    events: int
    earliest: datetime | None = None
    latest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRow:
    """A rule that met so many events of a run that they were counted, not kept one by one.

    Attributes:
        source: Name of the Source.
        events: Events that the rule met and that made no lead of their own.
        considered: Events of the Source in the run: the share's denominator.
        keys: Identity keys of those events, a line each, compressed by zlib.
        keys_digest: SHA-256 of the lines before compression, hex.
    """

    rule_id: str
    source: str
    events: int
    considered: int
    keys: bytes
    keys_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One execution, with its outcome.

    Attributes:
        id: `R-` and 16 hex digits.
        kind: `files`, or `hunt` and `sweep` when one of these asked.
        asked: What was asked, in one line (rules and inputs as the user named them).
        query_digest: SHA-256 of the Query (sieve program and the meaning digests), hex.
        started, ended: Aware UTC.
        actor, host, tool_version: Who ran what, where.
        outcome: `complete` or `incomplete`.
        gaps: Sentences that name what was not seen, gravest first.
        refused_rules: Pairs of rule path or id and reason.
        statistics: Counters and seconds by name.
        notes: Sentences that bound what was found though nothing went unseen, such as events that lie in no group.
    """

    id: str
    kind: str
    asked: str
    window: Window
    query_text: str
    query_digest: str
    started: datetime
    ended: datetime
    actor: str
    host: str
    tool_version: str
    outcome: str
    gaps: tuple[str, ...] = ()
    refused_rules: tuple[tuple[str, str], ...] = ()
    statistics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """All that one transaction commits: the run and everything that rests on it."""

    run: RunRow
    rules: tuple[RuleRow, ...]
    accounts: tuple[Account, ...]
    coverage: tuple[CoverageRow, ...]
    pulses: tuple[Pulse, ...] = ()
    noise: tuple[NoiseRow, ...] = ()
    episodes: tuple[EpisodeRow, ...] = ()
    links: tuple[LeadLink, ...] = ()
    tallies: tuple[TallySheet, ...] = ()
    jobs: tuple[Job, ...] = ()

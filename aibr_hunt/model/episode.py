"""Episodes as the ledger keeps them across runs (docs/record.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aibr_hunt.model.window import Window

EPISODES = "episodes"
"""Name of the Source under which an Episode is an event."""


class LinkKind(StrEnum):
    """How one lead of a correlation stands to another."""

    MERGED_INTO = "merged into"
    CONTINUED_FROM = "continued from"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """One event of an Episode.

    Attributes:
        time_us: Event time, microseconds of the epoch.
        event: Its id: identity key, `#`, canonical digest.
    """

    time_us: int
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """One connected component of satisfying windows that one run committed.

    Attributes:
        correlation_id, meaning_digest: Which correlation, and what it meant.
        group: The group's values, in the order of `group-by`.
        first, last: Times of the earliest and latest member.
        anchor: Time of the earliest window's last event: what a later run must cover to take this row's place.
        windows: How many windows satisfied.
        figure: Greatest count, sum or ratio of its windows, as text; empty for temporal types.
        members: Ascending.
        is_provisional: True when not everything that it rests on was covered; more events could not unmake it.
        lead_key: Identity key of the lead that tells it.
    """

    correlation_id: str
    meaning_digest: str
    group: tuple[str, ...]
    first: datetime
    last: datetime
    anchor: datetime
    windows: int
    members: tuple[Member, ...]
    figure: str = ""
    is_provisional: bool = False
    lead_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadLink:
    """How two leads of one correlation stand to each other, or that one no longer stands (`other_key` empty)."""

    correlation_id: str
    lead_key: str
    kind: LinkKind
    other_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often the population showed a combination in one hour.

    Attributes:
        combination: Group and value texts.
        hour: Hours since the epoch.
        first_us, last_us: Times of the first and last such event in the hour.
    """

    combination: tuple[str, ...]
    hour: int
    events: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TallySheet:
    """The tallies that one run counted for one baseline.

    Attributes:
        window: The time that they cover without a hole.
        count: How many.
        content: JSON lines of them, compressed by zlib. `content_digest`: SHA-256 of the lines, hex.
    """

    correlation_id: str
    meaning_digest: str
    window: Window
    count: int
    content: bytes
    content_digest: str

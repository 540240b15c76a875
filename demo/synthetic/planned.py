"""What is written into a log, and what a rule is to find in it: decided here, before any rule is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Record = dict[str, Any]
Files = dict[str, bytes]

EVERYDAY_STORY: str = "everyday"

_ODD: int = 0x5DEECE66D
# Members that expected.json names one by one; of a longer episode their digest has to do.
_NAMED_MEMBERS: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """What several events come to together: a correlation is to find just those that are planted with it.

    Attributes:
        correlation: Its name.
        group: Field and value in which its events agree.
        figure: What the correlation measures, where it measures something.
        begins: When it begins, where that is not the time of its first event: one that rests on other correlations begins with the
            end of the first of their windows that counts.
    """

    correlation: str
    story: str
    group: tuple[tuple[str, str], ...]
    figure: str = ""
    begins: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the log of invocations has of a call: tokens in and out, and the episodes to which that record belongs."""

    tokens: tuple[int, int]
    episodes: tuple[Episode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What is planted with an event.

    Attributes:
        rules: Names of the rules that are to find it; empty for an event that no rule may find.
        story: To which story it belongs; `everyday` for what belongs to none.
        deliveries: How often the cloud delivers it; 0 leaves that to chance.
        conflict: Members that differ in the last delivery, by dotted name.
        episodes: Those to which it belongs.
        logged: What the log of invocations has of it; None leaves that to chance.
    """

    rules: tuple[str, ...] = ()
    story: str = EVERYDAY_STORY
    deliveries: int = 0
    conflict: Mapping[str, str] = field(default_factory=dict)
    episodes: tuple[Episode, ...] = ()
    logged: Logged | None = None


EVERYDAY = Plant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One event before it is delivered.

    Attributes:
        time: When it happened.
        place: By what deliveries are told apart (account and region, log, subscription).
        record: The event as the cloud writes it.
        source: Name of the log source that will read it.
        identity: The parts of its identity; empty when the cloud gives it none.
        label: Members by which a reader tells it apart: `time`, `action`, `resource`, `principal`.
    """

    time: datetime
    place: tuple[str, ...]
    record: Record
    source: str
    identity: tuple[str, ...]
    label: Mapping[str, str]
    plant: Plant = EVERYDAY


class Ids:
    """Identifiers of the reserved form 00000000-0000-4000-8000-…, each one once, in no order that tells a story.

    Args:
        first: Offset that keeps one cloud's identifiers apart from another's.
    """

    def __init__(self, first: int) -> None:
        """Begin at the offset."""
        self._next = first

    def number(self) -> int:
        """Return the next number of 48 bits."""
        self._next += 1
        return (self._next * _ODD) & 0xFFFFFFFFFFFF

    def guid(self) -> str:
        """Return the next identifier."""
        return f"00000000-0000-4000-8000-{self.number():012x}"


def line_of(record: Record) -> bytes:
    """Return a record as a line of JSON, without the line's end."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def lines_of(records: Iterable[Record]) -> bytes:
    """Return records as JSON lines."""
    return b"".join(line_of(record) + b"\n" for record in records)


def altered(record: Record, changes: Mapping[str, str]) -> Record:
    """Return a copy of the record in which the named members say something else."""
    copy: Record = json.loads(json.dumps(record))
    for path, value in changes.items():
        *way, last = path.split(".")
        inner = copy
        for name in way:
            inner = inner[name]
        inner[last] = value
    return copy


def deliveries_of(event: Planned, *, repeated: int) -> Iterator[Record]:
    """Yield the record once for each delivery.

    Args:
        event: What is delivered.
        repeated: How often chance would have it delivered; what was planted says so itself.
    """
    times = event.plant.deliveries or (1 if event.plant.rules else repeated)
    for number in range(times):
        is_last = number == times - 1
        yield altered(event.record, event.plant.conflict) if is_last and event.plant.conflict else event.record


def key_of(event: Planned) -> str:
    """Return what tells an event from all others: its identity, or time, action and principal where the cloud gives it none."""
    if event.identity:
        return "|".join((event.source, *event.identity))
    whole, _, fraction = event.label["time"].removesuffix("Z").partition(".")
    return "|".join((event.source, f"{whole}.{fraction[:6]:0<6}Z", event.label["action"], event.label["principal"]))


def planted_events(events: Iterable[Planned]) -> dict[str, list[str]]:
    """Return the keys of the events of each story, sorted: whatever rests on none of these rests on everyday traffic."""
    found: dict[str, set[str]] = {}
    for event in events:
        if event.plant.story != EVERYDAY_STORY:
            found.setdefault(event.plant.story, set()).add(key_of(event))
    return {story: sorted(found[story]) for story in sorted(found)}


def expected_leads(events: Iterable[Planned]) -> list[Record]:
    """Return the leads that must come out, sorted by time."""
    return [
        {
            "rule": rule,
            "story": event.plant.story,
            "source": event.source,
            "identity": list(event.identity) or None,
            **event.label,
            "deliveries": event.plant.deliveries or 1,
            "conflict": bool(event.plant.conflict),
        }
        for event in sorted(events, key=lambda each: (each.time, each.identity))
        for rule in event.plant.rules
    ]


def expected_episodes(events: Iterable[Planned]) -> list[Record]:
    """Return the episodes that must come out, sorted by time, each with the identities of its events."""
    found: dict[Episode, list[Planned]] = {}
    for event in sorted(events, key=lambda each: (each.time, each.identity)):
        for episode in event.plant.episodes:
            found.setdefault(episode, []).append(event)
    return [_expected_episode(episode, members) for episode, members in sorted(found.items(), key=lambda pair: pair[1][0].time)]


def _expected_episode(episode: Episode, members: list[Planned]) -> Record:
    # Deliveries that contradict each other are as many members: nobody knows which of them is true.
    keys = sorted(key_of(member) for member in members for _ in range(1 + bool(member.plant.conflict)))
    told: Record = {
        "correlation": episode.correlation,
        "story": episode.story,
        "group": dict(episode.group),
        "first": episode.begins or members[0].label["time"],
        "last": members[-1].label["time"],
        "figure": episode.figure,
        "members_count": len(keys),
        "members_digest": members_digest(keys),
    }
    return told | ({"members": keys} if len(keys) <= _NAMED_MEMBERS else {})


def members_digest(keys: Iterable[str]) -> str:
    """Return the SHA-256 of identities, sorted, one a line."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()

"""Episodes as events: the document that vault, evidence and reports hold of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from aibr_hunt.hunt.covered import moment_at
from aibr_hunt.hunt.episodes import Story
from aibr_hunt.hunt.spool import event_id
from aibr_hunt.intake.identity import canonical_of
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.episode import EPISODES
from aibr_hunt.model.event import Event, Identity, Json, Place
from aibr_hunt.model.window import utc_text

# Members that the document lists; all of them stand in the ledger's row of the episode.
SHOWN_MEMBERS: Final = 1_000


def event_of_story(correlation: Correlation, meaning: str, story: Story, *, shown: Sequence[Event]) -> Event:
    """Return an episode as the event that its lead rests on.

    Args:
        correlation: The correlation.
        meaning: Its meaning digest.
        story: The episode.
        shown: Those of its first members that this run saw; of others only identity and time are told.
    """
    value = _document(correlation, meaning, story, shown={event_id(event): event for event in shown})
    canonical = canonical_of(value, b"")
    digest = hashlib.sha256(canonical).hexdigest()
    return Event(
        value=value,
        raw=canonical,
        raw_digest=digest,
        canonical=canonical,
        canonical_digest=digest,
        source=EPISODES,
        identity=Identity(key=story.lead_key, is_weak=False),
        place=Place(path=EPISODES, file_digest=meaning, offset=0, length=len(canonical), ordinal=1),
        time=story.first,
        time_text=utc_text(story.first),
        action=f"{correlation.type.value}: {len(story.members):,} event{'' if len(story.members) == 1 else 's'}",
        principal=_shared(event.principal for event in shown),
        address=_shared(event.address for event in shown),
        resource=_shared(event.resource for event in shown),
        region=_shared(event.region for event in shown),
        account=_shared(event.account for event in shown),
    )


def _shared(texts: Iterable[str]) -> str:
    """Return what all members agree in; of several values one and how many more there are."""
    found = list(dict.fromkeys(text for text in texts if text))
    return found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1:,} more" if found else ""


def _document(correlation: Correlation, meaning: str, story: Story, *, shown: dict[str, Event]) -> dict[str, Json]:
    members: list[Json] = [_member(each.event, each.time_us, shown.get(each.event)) for each in story.members[:SHOWN_MEMBERS]]
    ids = "\n".join(each.event for each in story.members).encode("utf-8", "surrogatepass")
    document: dict[str, Json] = {
        "correlation": {"id": correlation.id, "name": correlation.name, "type": correlation.type.value, "meaning": meaning},
        "group": {field.name: value for field, value in zip(correlation.group_by, story.group, strict=True)},
        "first": utc_text(story.first),
        "last": utc_text(story.last),
        "windows": story.windows,
        "provisional": story.is_provisional,
        "members": members,
        "members_count": len(story.members),
        "members_digest": hashlib.sha256(ids).hexdigest(),
    }
    if story.figure:
        document["figure"] = story.figure
    if story.continues:
        document["continues"] = story.continues
    return document


def _member(event: str, time_us: int, seen: Event | None) -> Json:
    key, _, canonical = event.rpartition("#")
    told: dict[str, Json] = {"time": utc_text(moment_at(time_us)), "event": key, "canonical": canonical}
    if seen is not None:
        place = seen.place
        told |= {"action": seen.action, "principal": seen.principal, "address": seen.address, "resource": seen.resource}
        told |= {"raw": seen.raw_digest, "source": seen.source}
        told |= {"file": place.path, "file_digest": place.file_digest, "offset": place.offset, "length": place.length}
    return told

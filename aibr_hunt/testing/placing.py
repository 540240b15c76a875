"""Events of cases, placed in time: with the time and the identity that their log source's mapping has."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.content.case_reader import with_member
from aibr_hunt.content.timed_events import TimedEvent
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath
from aibr_hunt.model.mapping import Mapping as LogMapping

HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Where the time of a case is 0: a whole hour, so that hours in a case are hours of the clock.
START_US: Final = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * 1_000_000


def dated(timed: TimedEvent, mapping: LogMapping | None, time_us: int) -> Json:
    """Return the event with its time and identity where the mapping has them.

    What is the record's own id is replaced, so that an event that is repeated is another one each time. An id of something else (a run,
    an interface, a correlation of several records) is only set where the event holds none; what else is part of the identity, such as
    a call or a status, says what happened and is left alone.
    """
    event = timed.event
    if mapping is not None:
        moment = _EPOCH + timedelta(microseconds=time_us)
        event = with_member(event, mapping.time, moment.isoformat().replace("+00:00", "Z"))
        members = [path for path in mapping.identity if path != mapping.time]
        naming = next((path for path in reversed(members) if path[-1].lower().endswith("id")), ())
        is_own = len(naming) == 1 and naming == members[-1]
        if naming and (is_own or not _has(event, naming)):
            event = with_member(event, naming, timed.name)
    return event


def _has(event: Json, path: FieldPath) -> bool:
    for member in path:
        if not isinstance(event, dict) or member not in event:
            return False
        event = event[member]
    return True


def digest_of(timed: TimedEvent, event: Json, time_us: int) -> str:
    """Return what names a placed event to the correlator: the same for two deliveries of it, different otherwise."""
    return hashlib.sha256(json.dumps([timed.name, time_us, event], sort_keys=True).encode()).hexdigest()


def moment_text(time_us: int) -> str:
    """Return a time as cases write it: seconds after the start."""
    return f"{(time_us - START_US) / 1_000_000:g}s"

"""Who an event is, and the value that is kept of it (docs/record.md sections 2, 3 and 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
import re2
import rfc8785

from aibr_hunt.intake.batch import Batch
from aibr_hunt.model.event import Event, Identity, Json, LongNumber, Place, SpelledNumber
from aibr_hunt.model.mapping import FieldPath, Mapping
from aibr_hunt.model.times import parse_time

# Members that hold the event time in records of no known source, most telling first.
COMMON_TIMES: Final[tuple[FieldPath, ...]] = (
    ("eventTime",),
    ("timestamp",),
    ("@timestamp",),
    ("TimeGenerated",),
    ("time",),
    ("createdDateTime",),
    ("activityDateTime",),
)
_AHEAD: Final = timedelta(hours=24)
_SAFE_INTEGER: Final = 2**53
# A number that orjson and RFC 8785 may write differently: with a point or an exponent, or too large for a double. RE2 finds it faster.
_UNLIKE: Final = re2.compile(rb"(?:^|[:,\[])-?(?:[0-9]+[.eE]|[0-9]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the events of one file have in common.

    Attributes:
        path: The file as shown.
        source: Name of the Source.
        mapping: How the source lies in files; None for records of no known source.
        now: The moment of the run, aware UTC: bounds what counts as a time.
        file_digest: SHA-256 of the file, hex; empty while it is still being read.
    """

    path: str
    source: str
    mapping: Mapping | None
    now: datetime
    file_digest: str = ""


def canonical_of(value: Json, raw: bytes) -> bytes:
    """Return the RFC 8785 form of `value`, or `raw` where it has none (an integer that no double holds, an infinity)."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        return _canonical_slowly(value, raw)
    # Both write the same signs when all is ASCII and numbers are small integers: member names beyond ASCII may sort
    # differently, and fractions are spelled differently.
    return text if text.isascii() and not _UNLIKE.search(text) else _canonical_slowly(value, raw)


def _canonical_slowly(value: Json, raw: bytes) -> bytes:
    if _has_unsafe(value):
        return raw
    try:
        return rfc8785.dumps(_with_plain_numbers(value))
    except rfc8785.CanonicalizationError:
        return raw


def _with_plain_numbers(value: Json) -> Json:
    """Return the value with doubles for numbers that keep their spelling: RFC 8785 writes doubles."""
    if isinstance(value, dict):
        return {name: _with_plain_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_plain_numbers(item) for item in value]
    return float(value) if isinstance(value, SpelledNumber) else value


def _has_unsafe(value: Json) -> bool:
    """True when some number is so large that neighbours share its double: their canonical forms would be equal."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, LongNumber) or (isinstance(item, int | float) and abs(item) >= _SAFE_INTEGER):
            return True
    return False


def identity_of(value: Json, mapping: Mapping | None, canonical: bytes) -> Identity:
    """Return what makes two deliveries the same event.

    Args:
        value: The record.
        mapping: Says which fields identify an event; None for records of no known source.
        canonical: The record's canonical form, which stands in where nothing else identifies it.
    """
    if mapping is None:
        return _weak(canonical)
    for spelling in (mapping.identity, *mapping.identity_also):
        parts = [first_text(value, (path,)) for path in spelling]
        if parts and all(parts):
            return Identity(key="|".join(_escaped(part) for part in (mapping.provider, *parts)), is_weak=False)
    mapped: dict[str, Json] = {}
    for field in mapping.fields:
        found = [item for path in field.paths for item in _values(value, path) if not _is_blank(item)]
        if found:
            mapped[field.name] = found
    return _weak(canonical_of(mapped, canonical) if mapped else canonical)


def _weak(canonical: bytes) -> Identity:
    return Identity(key=f"sha256:{hashlib.sha256(canonical).hexdigest()}", is_weak=True)


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("|", "\\|")


def time_of(value: Json, mapping: Mapping | None, now: datetime) -> tuple[datetime | None, str]:
    """Return the event time and the text that says it; the time is None when the event is untimed.

    Untimed is an event whose time is absent, no RFC 3339 time, more than 24 hours after `now`, or older than the
    mapping's lookback.
    """
    paths = (mapping.time, *mapping.time_also) if mapping is not None else COMMON_TIMES
    text = first_text(value, paths)
    moment = parse_time(text)
    if moment is None or moment > now + _AHEAD:
        return None, text
    if mapping is not None and moment < now - timedelta(days=mapping.lookback_days):
        return None, text
    return moment, text


def event_of(batch: Batch, index: int, value: Json, *, origin: Origin) -> Event:
    """Return record `index` of `batch` as it is kept for evidence.

    Args:
        batch: The batch.
        index: The record in it.
        value: What the record was parsed to.
        origin: What the file's events have in common. Its digest is known only after the file was read to the end:
            `dataclasses.replace` puts it into the event's place then.
    """
    raw = batch.raw(index)
    canonical = canonical_of(value, raw)
    mapping = origin.mapping
    time, time_text = time_of(value, mapping, origin.now)
    return Event(
        value=value,
        raw=raw,
        raw_digest=hashlib.sha256(raw).hexdigest(),
        canonical=canonical,
        canonical_digest=hashlib.sha256(canonical).hexdigest(),
        source=origin.source,
        identity=identity_of(value, mapping, canonical),
        place=_place(batch, index, origin),
        time=time,
        time_text=time_text,
        principal=first_text(value, mapping.principal if mapping else ()),
        address=first_text(value, mapping.address if mapping else ()),
        resource=first_text(value, mapping.resource if mapping else ()),
        action=first_text(value, mapping.action if mapping else ()),
        region=first_text(value, mapping.region if mapping else ()),
        account=first_text(value, mapping.account if mapping else ()),
    )


def _place(batch: Batch, index: int, origin: Origin) -> Place:
    return Place(
        path=origin.path,
        file_digest=origin.file_digest,
        offset=int(batch.offsets[index]),
        length=int(batch.lengths[index]),
        ordinal=batch.first_ordinal + index,
    )


def first_text(value: Json, paths: Sequence[FieldPath]) -> str:
    """Return the text of the first value at `paths` that is not blank and no object; empty when there is none."""
    for path in paths:
        for item in _values(value, path):
            if isinstance(item, bool):
                return "true" if item else "false"
            if isinstance(item, int | float):
                return str(item)
            if isinstance(item, str) and item:
                return item
    return ""


def _values(value: Json, path: FieldPath) -> Iterator[Json]:
    """Yield the values at `path`; a list on the way or at the end stands for its elements."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _is_blank(value: Json) -> bool:
    return value is None or value in ("", {}, [])

"""One event in full: its record, where it lay, each of its deliveries, and in what contradicting deliveries differ."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import orjson

from aibr_hunt.engines.lake.ask_answer import table_lines
from aibr_hunt.engines.lake.ask_cells import moment_of
from aibr_hunt.engines.lake.ask_ground import Ground, quoted, run
from aibr_hunt.errors import RecordRefused, UsageError
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.view import compact
from aibr_hunt.model.event import Json, SpelledNumber
from aibr_hunt.model.text import for_terminal, visible

FEWEST_DIGITS: Final = 6
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_LISTED: Final = 8
_BLANK: Final = "—"
_RISKY: Final = re.compile("[\x7f-\U0010ffff]")
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One time that an event was delivered.

    Attributes:
        source: Name of the log source.
        event_id: Sixteen hex digits, as views have them.
        identity: What makes deliveries the same event. `is_weak`: it is only the digest of the content.
        time: Event time, naive in UTC; None when untimed.
        file: Path of the file as it was added. `offset`, `length`, `ordinal`: where in its decoded content.
        raw: The bytes as delivered.
        text: The record as JSON.
        copies: Paths of files with the same bytes, which were added besides.
        canonical_digest: SHA-256 of the canonical form, hex; empty where the lake does not keep it.
    """

    source: str
    event_id: str
    identity: str
    time: datetime | None
    file: str
    offset: int
    length: int
    ordinal: int
    raw: bytes
    text: str
    copies: tuple[str, ...] = ()
    canonical_digest: str = ""
    is_weak: bool = False

    @property
    def raw_digest(self) -> str:
        """SHA-256 of the bytes as delivered, hex."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def content(self) -> str:
        """What is equal in deliveries of one content."""
        return self.canonical_digest or self.raw_digest


@dataclass(frozen=True)
class EventFound:
    """An event with all its deliveries.

    Attributes:
        deliveries: In the order in which they were added; at least one.
        chosen: Number of the delivery that was asked for, from 0.
    """

    deliveries: tuple[Delivery, ...]
    chosen: int = 0

    @property
    def shown(self) -> Delivery:
        """The delivery that was asked for."""
        return self.deliveries[self.chosen]

    @cached_property
    def record(self) -> dict[str, Json]:
        """The record, parsed; numbers that a double does not tell whole keep their spelling."""
        return _parsed(self.shown.text)

    @property
    def raw(self) -> bytes:
        """The bytes as delivered."""
        return self.shown.raw

    @property
    def versions(self) -> tuple[Delivery, ...]:
        """The first delivery of each content: more than one is a conflict."""
        return tuple({each.content: each for each in reversed(self.deliveries)}.values())[::-1]

    @property
    def has_conflict(self) -> bool:
        """True when deliveries of this identity differ in content."""
        return len({each.content for each in self.deliveries}) > 1

    def differences(self) -> list[tuple[str, ...]]:
        """Return each member on which the versions differ: its path, and its value in each version."""
        flat = [dict(_flat(_parsed(each.text))) for each in self.versions]
        paths = dict.fromkeys(path for each in flat for path in each)
        rows = [(path, *(each.get(path, _BLANK) for each in flat)) for path in paths]
        return [row for row in rows if len(set(row[1:])) > 1]

    def as_dict(self) -> dict[str, object]:
        """Return the event for machines; the record stands as text."""
        return {
            "source": self.shown.source,
            "event_id": self.shown.event_id,
            "identity": self.shown.identity,
            "is_weak": self.shown.is_weak,
            "has_conflict": self.has_conflict,
            "deliveries": [_delivery_row(each) for each in self.deliveries],
        }

    def as_text(self) -> str:
        """Return the event as text that is safe for a terminal."""
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Yield the event in lines that are safe for a terminal."""
        shown = self.shown
        facts = {
            "event": shown.event_id,
            "identity": f"{shown.identity}{' (weak: repetition and re-delivery cannot be told apart)' if shown.is_weak else ''}",
            "source": shown.source,
            "time": _BLANK + " (untimed)" if shown.time is None else moment_of(shown.time),
            "file": shown.file,
            "copies": ", ".join(shown.copies),
            "place": f"record {shown.ordinal:,}, bytes {shown.offset:,} to {shown.offset + shown.length:,} of the decoded content",
            "raw sha256": shown.raw_digest,
            "canonical": shown.canonical_digest,
        }
        yield from (f"{name:<11} {for_terminal(text)}" for name, text in facts.items() if text)
        yield ""
        yield from pretty(self.record).split("\n")
        if len(self.deliveries) > 1:
            yield ""
            yield f"{len(self.deliveries)} deliveries{', which contradict each other' if self.has_conflict else ''}:"
            yield from self._delivery_lines()
        if self.has_conflict:
            yield ""
            yield "Where they differ:"
            headers = ("member", *(f"version {number}" for number in range(1, len(self.versions) + 1)))
            yield from table_lines(headers, ["VARCHAR"] * len(headers), self.differences())

    def _delivery_lines(self) -> Iterator[str]:
        version_of = {each.content: number for number, each in enumerate(self.versions, 1)}
        rows = [
            (number, each.event_id, version_of[each.content], each.file, each.offset, each.length, each.raw_digest[:_ID_DIGITS])
            for number, each in enumerate(self.deliveries, 1)
        ]
        kinds = ["BIGINT", "VARCHAR", "BIGINT", "VARCHAR", "BIGINT", "BIGINT", "VARCHAR"]
        yield from table_lines(("delivery", "event", "version", "file", "offset", "length", "raw sha256"), kinds, rows, limit=0)

    def __repr__(self) -> str:
        """Return the event as people read it."""
        return self.as_text()

    def _repr_html_(self) -> str:
        """Return the event as HTML in which every text is only text."""
        return f"<pre>{html.escape(self.as_text(), quote=True)}</pre>"


def find_event(ground: Ground, name: str) -> EventFound:
    """Return the event that a name means.

    Args:
        ground: The lake.
        name: An event id, the first six or more of its digits where no other event begins so, or a whole identity.

    Raises:
        UsageError: There is no such event, or there are several.
    """
    wanted = name.strip()
    is_prefix = bool(_HEX.fullmatch(wanted)) and len(wanted) <= _ID_DIGITS
    if is_prefix and len(wanted) < FEWEST_DIGITS:
        raise UsageError(f"{wanted} is too short for an event id.", hint=f"Give at least {FEWEST_DIGITS} of its digits.")
    test, value = ("starts_with(event_id, ?)", wanted.lower()) if is_prefix else ("identity = ?", wanted)
    connection = ground.connect()
    found: dict[tuple[str, str], list[str]] = {}
    for view in ground.sources:
        text = f"SELECT DISTINCT identity, event_id FROM {quoted(view)} WHERE {test} ORDER BY ALL LIMIT {_LISTED + 1}"  # noqa: S608 - names are quoted
        for identity, event_id in run(connection, text, [value]):
            found.setdefault((view, str(identity)), []).append(str(event_id))
    if not found:
        hint = '`aibr-hunt logs sql "SELECT event_id FROM events LIMIT 10"` shows some; ids of other lakes mean nothing here.'
        raise UsageError(f"The lake holds no event {wanted}.", hint=hint)
    if len(found) > 1:
        ids = [event_id for each in found.values() for event_id in each]
        more = " …" if len(ids) > _LISTED else ""
        raise UsageError(f"{wanted} means {len(found)} events.", hint=f"Give more of the id: {', '.join(ids[:_LISTED])}{more}.")
    ((view, identity), ids) = next(iter(found.items()))
    deliveries = tuple(ground.deliveries(connection, view, identity))
    chosen = next((number for number, each in enumerate(deliveries) if each.event_id in ids), 0)
    return EventFound(deliveries, chosen)


def pretty(value: Mapping[str, Json]) -> str:
    """Return a record as JSON in indented lines that no terminal acts on; numbers stand as they are spelled."""
    try:
        text = orjson.dumps(value, default=_as_spelled, option=orjson.OPT_INDENT_2).decode()
    except (TypeError, orjson.JSONEncodeError):  # integers beyond 64 bits, and objects nested over orjson's limit
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return _RISKY.sub(_escaped, text)


def _escaped(sign: re.Match[str]) -> str:
    """Return a sign as JSON escapes it, where a terminal would act on it."""
    return sign[0] if visible(sign[0]) == sign[0] else json.dumps(sign[0])[1:-1].replace("\x7f", "\\u007f")


def _as_spelled(value: object) -> orjson.Fragment:
    if isinstance(value, SpelledNumber):
        return orjson.Fragment(repr(value))
    raise TypeError


def _parsed(text: str) -> dict[str, Json]:
    try:
        return parse_record(text.encode(errors="surrogateescape")).value
    except RecordRefused as refusal:
        raise UsageError(f"The record cannot be read any more: {refusal}.", hint="`--raw` gives its bytes.") from None


def _flat(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every scalar, and of every empty list and object."""
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _flat(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}[{number}]")
    else:
        yield path, compact(value)


def _delivery_row(each: Delivery) -> dict[str, object]:
    return {
        "event_id": each.event_id,
        "time": None if each.time is None else moment_of(each.time),
        "file": each.file,
        "copies": list(each.copies),
        "offset": each.offset,
        "length": each.length,
        "ordinal": each.ordinal,
        "raw_sha256": each.raw_digest,
        "canonical_sha256": each.canonical_digest,
        "record": each.text,
    }

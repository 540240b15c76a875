"""Rows of episodes, links and tallies: how a value becomes a row, a row a value, and both a digest."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.batches import Column
from aibr_hunt.ledger.canonical import storable
from aibr_hunt.ledger.columns import optional_text, row_bytes, row_text, row_whole
from aibr_hunt.ledger.documents import Document, document_of_window, moment_of, moment_text
from aibr_hunt.model.episode import EpisodeRow, LeadLink, LinkKind, Member, Tally, TallySheet
from aibr_hunt.model.window import Window


def group_key(group: Iterable[str]) -> str:
    """Return a group's values as one text."""
    return json.dumps([storable(value) for value in group], ensure_ascii=False, separators=(",", ":"))


def row_of_episode(row: EpisodeRow) -> dict[str, Column]:
    """Return the columns of one component that a run committed."""
    lines = _lines([member.time_us, member.event] for member in row.members)
    return {
        "correlation_id": storable(row.correlation_id),
        "meaning_digest": row.meaning_digest,
        "group_key": group_key(row.group),
        "first": moment_text(row.first),
        "last": moment_text(row.last),
        "anchor": moment_text(row.anchor),
        "windows": row.windows,
        "figure": row.figure,
        "is_provisional": int(row.is_provisional),
        "lead_key": storable(row.lead_key),
        "members_digest": hashlib.sha256(lines).hexdigest(),
        "members": zlib.compress(lines, 6),
    }


def episode_of(row: RowMapping) -> EpisodeRow:
    """Return the value that `row_of_episode` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    lines = _unpacked(row, "members", what="The members of an episode")
    first, last, anchor = (moment_of(row_text(row, name)) for name in ("first", "last", "anchor"))
    if first is None or last is None or anchor is None:
        raise LedgerError("An episode of the ledger has no time.")
    return EpisodeRow(
        correlation_id=row_text(row, "correlation_id"),
        meaning_digest=row_text(row, "meaning_digest"),
        group=tuple(json.loads(row_text(row, "group_key"))),
        first=first,
        last=last,
        anchor=anchor,
        windows=row_whole(row, "windows"),
        figure=row_text(row, "figure"),
        is_provisional=bool(row_whole(row, "is_provisional")),
        lead_key=row_text(row, "lead_key"),
        members=tuple(Member(time_us=int(str(time_us)), event=str(event)) for time_us, event in _parsed(lines)),
    )


def document_of_episode(row: EpisodeRow) -> Document:
    """Return one component; its members stand there by their digest."""
    lines = _lines([member.time_us, member.event] for member in row.members)
    return {
        "anchor": moment_text(row.anchor),
        "correlation_id": storable(row.correlation_id),
        "figure": row.figure,
        "first": moment_text(row.first),
        "group": [storable(value) for value in row.group],
        "last": moment_text(row.last),
        "lead_key": storable(row.lead_key),
        "meaning_digest": row.meaning_digest,
        "members": hashlib.sha256(lines).hexdigest(),
        "provisional": row.is_provisional,
        "windows": row.windows,
    }


def row_of_link(link: LeadLink) -> dict[str, Column]:
    """Return the columns of one link."""
    return {
        "correlation_id": storable(link.correlation_id),
        "lead_key": storable(link.lead_key),
        "kind": link.kind.value,
        "other_key": storable(link.other_key),
    }


def link_of(row: RowMapping) -> LeadLink:
    """Return the value that `row_of_link` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    try:
        kind = LinkKind(row_text(row, "kind"))
    except ValueError as error:
        raise LedgerError(f"A link between leads is of an unknown kind: {error}.") from error
    return LeadLink(
        correlation_id=row_text(row, "correlation_id"),
        lead_key=row_text(row, "lead_key"),
        kind=kind,
        other_key=row_text(row, "other_key"),
    )


def document_of_link(link: LeadLink) -> Document:
    """Return one link."""
    return {
        "correlation_id": storable(link.correlation_id),
        "kind": link.kind.value,
        "lead_key": storable(link.lead_key),
        "other_key": storable(link.other_key),
    }


def sheet_of(correlation_id: str, meaning_digest: str, window: Window, *, tallies: Iterable[Tally]) -> TallySheet:
    """Return the tallies of one baseline and window as a run records them."""
    kept = sorted(tallies, key=lambda tally: (tally.hour, tally.combination))
    lines = _lines([list(map(storable, one.combination)), one.hour, one.events, one.first_us, one.last_us] for one in kept)
    return TallySheet(
        correlation_id=correlation_id,
        meaning_digest=meaning_digest,
        window=window,
        count=len(kept),
        content=zlib.compress(lines, 6),
        content_digest=hashlib.sha256(lines).hexdigest(),
    )


def tallies_of(sheet: TallySheet) -> Iterator[Tally]:
    """Yield the tallies of a sheet.

    Raises:
        LedgerError: They are not what the sheet's digest names.
    """
    lines = _checked(sheet.content, sheet.content_digest, what=f"The tallies of {sheet.correlation_id}")
    for combination, hour, events, first_us, last_us in _parsed(lines):
        if not isinstance(combination, list):
            raise LedgerError(f"The tallies of {sheet.correlation_id} hold a combination that is none.")
        numbers = (int(str(number)) for number in (hour, events, first_us, last_us))
        hour_number, count, first, last = numbers
        yield Tally(combination=tuple(map(str, combination)), hour=hour_number, events=count, first_us=first, last_us=last)


def row_of_sheet(sheet: TallySheet) -> dict[str, Column]:
    """Return the columns of one sheet of tallies."""
    return {
        "correlation_id": storable(sheet.correlation_id),
        "meaning_digest": sheet.meaning_digest,
        "window_start": moment_text(sheet.window.start),
        "window_end": moment_text(sheet.window.end),
        "count": sheet.count,
        "content_digest": sheet.content_digest,
        "content": sheet.content,
    }


def sheet_of_row(row: RowMapping) -> TallySheet:
    """Return the value that `row_of_sheet` wrote.

    Raises:
        LedgerError: The row holds what never was written.
    """
    _unpacked(row, "content", what="The tallies of a baseline")
    return TallySheet(
        correlation_id=row_text(row, "correlation_id"),
        meaning_digest=row_text(row, "meaning_digest"),
        window=Window(start=moment_of(optional_text(row, "window_start")), end=moment_of(optional_text(row, "window_end"))),
        count=row_whole(row, "count"),
        content=row_bytes(row, "content"),
        content_digest=row_text(row, "content_digest"),
    )


def document_of_sheet(sheet: TallySheet) -> Document:
    """Return one sheet; its tallies stand there by their digest."""
    return {
        "content": sheet.content_digest,
        "correlation_id": storable(sheet.correlation_id),
        "count": sheet.count,
        "meaning_digest": sheet.meaning_digest,
        "window": document_of_window(sheet.window),
    }


def _lines(rows: Iterable[list[object]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n" for row in rows)


def _parsed(lines: bytes) -> Iterator[list[object]]:
    for line in lines.splitlines():
        row = json.loads(line)
        if not isinstance(row, list):
            raise LedgerError("A packed row of the ledger is no list.")
        yield row


def _unpacked(row: RowMapping, name: str, *, what: str) -> bytes:
    return _checked(row_bytes(row, name), row_text(row, f"{name}_digest"), what=what)


def _checked(packed: bytes, digest: str, *, what: str) -> bytes:
    try:
        lines = zlib.decompress(packed)
    except zlib.error as error:
        raise LedgerError(f"{what} cannot be unpacked: {error}.") from error
    if hashlib.sha256(lines).hexdigest() != digest:
        raise LedgerError(f"{what} have another digest than the row says.")
    return lines

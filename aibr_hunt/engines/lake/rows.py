"""Records become rows: every record of a file is parsed, accounted for as the files engine does, and told apart by day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

import numpy as np

from aibr_hunt.engines.files import FileScan, Scope
from aibr_hunt.engines.lake.hot import Cell, HotReader, hot_paths, text_reader
from aibr_hunt.engines.lake.store import UNTIMED
from aibr_hunt.engines.program import Options, Part, Program
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.files import Found
from aibr_hunt.intake.identity import COMMON_TIMES, canonical_of, first_text, identity_of, time_of
from aibr_hunt.intake.parse import Parsed, RecordRefused, parse_record
from aibr_hunt.intake.tally import PARSED
from aibr_hunt.meaning.view import compact
from aibr_hunt.model.event import Account, Identity, Json
from aibr_hunt.model.mapping import FieldPath, Mapping

US: Final = 1_000_000
DAY_US: Final = 86_400 * US
NO_DAY: Final = -(1 << 40)  # the day number of untimed events
_MOMENTS_KEPT: Final = 100_000
# Rows of one file that lie in memory before they are judged.
MOST_AT_ONCE: Final = 25_000


@dataclass(slots=True)
class Row:
    """One record.

    Attributes:
        day: Days since 1970, or NO_DAY.
        head: What every record has, in the order of `segments.HEAD`.
        cells: Its hot values. `is_odd`: some value of them is none that a cell can hold.
    """

    day: int
    head: tuple[object, ...]
    cells: list[Cell]
    is_odd: bool
    length: int


@dataclass(slots=True)
class FileRows:
    """What one file gave, or a part of it.

    Attributes:
        account: What became of the file's bytes; before the last part it tells nothing but the source.
        is_last: No further part of the file follows.
        paths: The member paths of the rows' cells.
        rows: In the file's order.
        ids, digests: First eight bytes of the SHA-256 of each row's identity, and of its canonical digest.
    """

    number: int
    account: Account
    is_last: bool = False
    strangers: int = 0
    looks: tuple[str, ...] = ()
    paths: tuple[FieldPath, ...] = ()
    rows: list[Row] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)


def read_rows(found: Found, number: int, mappings: Sequence[Mapping], *, scope: Scope) -> Iterator[FileRows]:
    """Yield every record of a file as a row, some tens of thousands at a time, and with the last of them the account of its bytes.

    Args:
        found: The file.
        number: Its number in the lake.
        mappings: Every mapping in force.
        scope: The log source, or that it is to be recognised; its window is not looked at.
    """
    return _Reading(found, number, Program((), mappings=mappings, mapping_of={}, options=Options(use_sieve=False)), scope=scope).parts()


class _Ways:
    """How the records of one log source are read, worked out once a file."""

    def __init__(self, mapping: Mapping | None, now: datetime) -> None:
        named: tuple[tuple[FieldPath, ...], ...] = ((),) * 6
        if mapping is not None:
            named = (mapping.principal, mapping.address, mapping.resource, mapping.action, mapping.region, mapping.account)
        self.mapping = mapping
        self.hot = HotReader(hot_paths(mapping))
        self.texts = tuple(text_reader(paths, first_text) for paths in named)
        self._parts = () if mapping is None else tuple(text_reader((path,), first_text) for path in mapping.identity)
        self._time = text_reader(COMMON_TIMES if mapping is None else (mapping.time, *mapping.time_also), first_text)
        # Signatures that only ask for members of the record itself are asked in one step.
        plain = () if mapping is None else mapping.signatures
        self.signs = tuple(
            frozenset(each.has)
            for each in plain
            if not (each.lacks or each.equals or each.prefixes or any("." in name for name in each.has))
        )
        self._now = now
        self._moments: dict[str, datetime | None] = {}

    def time(self, value: dict[str, Json]) -> tuple[datetime | None, str]:
        """Return what `time_of` says; many events share a time, which is read once."""
        text = self._time(value)
        if text not in self._moments:
            if len(self._moments) >= _MOMENTS_KEPT:
                self._moments.clear()
            self._moments[text] = time_of(value, self.mapping, self._now)[0]
        return self._moments[text], text

    def identity(self, value: dict[str, Json], canonical: bytes) -> Identity:
        """Return what `identity_of` says, by the short way where the first spelling is whole and needs no escape."""
        if self.mapping is not None and self._parts:
            parts = [read(value) for read in self._parts]
            key = "|".join((self.mapping.provider, *parts))
            if all(parts) and key.count("|") == len(parts) and "\\" not in key:
                return Identity(key=key, is_weak=False)
        return identity_of(value, self.mapping, canonical)


class _Reading(FileScan):
    """One pass over one file, in which no rule is asked and every record is kept."""

    def __init__(self, found: Found, number: int, program: Program, *, scope: Scope) -> None:
        super().__init__(found, program, scope)
        self.kept = FileRows(number=number, account=_NO_ACCOUNT)
        self.ways = _Ways(None, scope.now)

    def parts(self) -> Iterator[FileRows]:
        """Read the file to its end; no more than one part of it lies in memory here."""
        for batch in self.reading.batches():
            if self.part is None:
                self.part = self._part_for(batch)
            self._read(batch, self.part)
            if len(self.kept.rows) >= MOST_AT_ONCE:
                full, self.kept = self.kept, FileRows(number=self.kept.number, account=self.kept.account, paths=self.kept.paths)
                yield full
        name = self.part.name if self.part else "" if self.scope.mapping is None else self.scope.mapping.name
        self.kept.account, self.kept.is_last = self.reading.account(source=name), True
        self.kept.strangers, self.kept.looks = self.strangers, tuple(sorted(self.strangers_look_like))
        yield self.kept

    def _part_for(self, batch: Batch) -> Part:
        part = super()._part_for(batch)
        self.ways = _Ways(part.mapping, self.scope.now)
        self.kept.paths = self.ways.hot.paths
        self.kept.account = replace(_NO_ACCOUNT, source=part.name)
        return part

    def _is_stranger(self, value: Json, part: Part) -> bool:
        if type(value) is dict and any(sign <= value.keys() for sign in self.ways.signs):
            return False
        return super()._is_stranger(value, part)

    def _read(self, batch: Batch, part: Part) -> None:
        """Keep every record of a batch; the scan's own way asks more of each."""
        classes = np.full(len(batch), PARSED, np.uint8)
        has_own_text = batch.json_of is not None or batch.origin is not None
        offsets, lengths = batch.offsets.tolist(), batch.lengths.tolist()
        for index, (start, end) in enumerate(zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)):
            text = batch.text(index) if has_own_text else batch.buffer[start:end]
            try:
                parsed = parse_record(text)
                place = (offsets[index], lengths[index], batch.first_ordinal + index)
                self._keep(parsed, part, (batch.raw(index), text) if has_own_text else (text, None), place)
            except RecordRefused as refusal:
                self.reading.refuse(batch, index, refusal.reason, refusal.detail)
            except RecursionError:  # one record must not end the addition; it is refused by name instead
                self.reading.refuse(batch, index, "too deep to match")
        self.reading.classify(batch, classes)

    def _keep(self, parsed: Parsed, part: Part, record: tuple[bytes, bytes | None], place: tuple[int, int, int]) -> None:  # noqa: PLR0917 - called for every record: names would cost
        """Keep one record.

        Args:
            parsed: What its text was parsed to.
            part: Its log source.
            record: Its bytes as delivered, and its text where that is another.
            place: Offset, length and ordinal.
        """
        value, ways, kept = parsed.value, self.ways, self.kept
        raw, text = record
        canonical = canonical_of(value, raw)
        digest = hashlib.sha256(canonical).digest()
        identity = ways.identity(value, canonical)
        id_digest = hashlib.sha256(identity.key.encode("utf-8", "surrogatepass")).digest()
        cells, is_odd = ways.hot.read(value)
        moment, time_text = ways.time(value)
        self._count(parsed, part, moment)
        time_us = None if moment is None else round(moment.timestamp() * US)
        plain = _decoded(raw)
        head = (
            *(time_us, time_text, kept.number, *place, identity.key, identity.is_weak, digest),
            *[read(value) or None for read in ways.texts],
            *(plain, raw if plain is None else None, text, _plain_json(parsed, raw if text is None else text, canonical)),
        )
        kept.rows.append(Row(NO_DAY if time_us is None else time_us // DAY_US, head, cells, is_odd, len(raw)))
        kept.ids.append(int.from_bytes(id_digest[:8], "big"))
        kept.digests.append(int.from_bytes(digest[:8], "big"))


def _decoded(raw: bytes) -> str | None:
    """Return the record's bytes as the text that they are in UTF-8, None when they are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _plain_json(parsed: Parsed, text: bytes, canonical: bytes) -> str | None:
    """Return JSON that every reader takes as the record was taken, None when the record's own text is such.

    A text in which something was replaced or accepted is refused by strict readers, and of members that are repeated they take another.
    """
    if not parsed.notes and (len(canonical) == len(text) or not _repeats_members(text)):
        return None
    return compact(parsed.value)


def _repeats_members(text: bytes) -> bool:
    repeated = False

    def members(pairs: list[tuple[str, object]]) -> None:
        nonlocal repeated
        repeated = repeated or len({name for name, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=members, parse_int=str, parse_float=str)
    return repeated


_NO_ACCOUNT: Final = Account(
    path="",
    stored_size=0,
    digest="",
    content_size=0,
    format="",
    compression="",
    encoding="",
    source="",
    byte_counts={},
    record_counts={},
)


def day_name(day: int) -> str:
    """Return a day number as its folder is called."""
    return UNTIMED if day == NO_DAY else date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()

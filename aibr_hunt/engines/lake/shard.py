"""One process's share of an addition: it reads files, learns which rows are repeats, and writes segments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.remote import INCOMING, Remote, fetched
from aibr_hunt.engines.lake.rows import FileRows, Row, day_name, read_rows
from aibr_hunt.engines.lake.segments import Bundle, working, write_segment
from aibr_hunt.engines.lake.store import EVENTS, Segment
from aibr_hunt.intake.files import Found
from aibr_hunt.model.event import Account
from aibr_hunt.model.mapping import FieldPath, Mapping

# Rows that wait for their segment: what bounds a process's memory. A day that has this many alone is written at once.
MOST_ROWS: Final = 100_000
MOST_BYTES: Final = 192 << 20
# A file of more bytes is hashed before it is parsed: it may have several parts, and what it copies must be known with the first.
_LARGE: Final = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every process of an addition knows."""

    folder: Path
    mappings: tuple[Mapping, ...]
    scope: Scope
    known: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Of a file's rows on one day: which rows they are, and the keys by which repeats are told."""

    day: str
    places: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    digests: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one file gave, or a part of it, without its rows: these stay in the process that read them.

    Attributes:
        account: As in `FileRows`; None for a file that the lake held before, of which nothing was parsed.
        digest: SHA-256 of the file as far as it is known yet.
        is_last: No further part of the file follows.
        version: As in `Account`.
    """

    number: int
    account: Account | None
    digest: str
    is_last: bool = True
    version: str = ""
    strangers: int = 0
    looks: tuple[str, ...] = ()
    keys: tuple[Keys, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to become of one file's rows: None for both of a copy, whose rows are given up."""

    is_repeat: npt.NDArray[np.bool_] | None = None
    is_conflict: npt.NDArray[np.bool_] | None = None


@dataclass(slots=True)
class _Pile:
    """Rows of one source and day that wait."""

    paths: tuple[FieldPath, ...]
    rows: list[Row] = field(default_factory=list)
    is_repeat: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    is_conflict: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    raw_bytes: int = 0


class Shard:
    """Reads and writes in one process.

    Args:
        work: What every process knows.
    """

    def __init__(self, work: Work) -> None:
        """Start with nothing read."""
        self._work = work
        self._read: dict[int, FileRows] = {}
        self._piles: dict[tuple[str, int], _Pile] = {}
        self._connection = working(work.folder)

    def read(self, files: Sequence[tuple[int, Found | Remote]]) -> Iterator[list[Read]]:
        """Read files, and yield what they gave; before the next is asked for, `keep` must be told what is to become of the rows."""
        reads: list[Read] = []
        remotes = [found for _, found in files if isinstance(found, Remote)]
        with fetched(remotes, self._work.folder / EVENTS / INCOMING) as copies:
            for number, found in files:
                for read in self._read_one(number, found, copies):
                    reads.append(read)
                    if not read.is_last:
                        yield reads
                        reads = []
        yield reads

    def _read_one(self, number: int, found: Found | Remote, copies: dict[str, Found | Account]) -> Iterator[Read]:
        """Yield the parts of a file or of an object's copy; of an object that the lake holds there is no copy."""
        if isinstance(found, Found):
            yield from self._read_file(number, found)
        elif found.digest:
            yield Read(number=number, account=None, digest=found.digest, version=found.version)
        else:
            copy = copies[found.shown]
            if isinstance(copy, Found):
                yield from self._read_file(number, copy, found.version)
            else:
                self._read[number] = FileRows(number=number, account=copy, is_last=True)
                yield Read(number=number, account=copy, digest="")

    def _read_file(self, number: int, found: Found, version: str = "") -> Iterator[Read]:
        """Yield the parts of a file; one that the lake holds already is only hashed."""
        digest = _digest_of(found.real) if self._work.known or found.size > _LARGE else ""
        if digest in self._work.known:
            yield Read(number=number, account=None, digest=digest, version=version)
            return
        for rows in read_rows(found, number, self._work.mappings, scope=self._work.scope):
            if version and rows.is_last:
                rows.account = replace(rows.account, version=version)
            self._read[number] = rows
            yield Read(
                number=number,
                account=rows.account,
                digest=rows.account.digest or digest,
                is_last=rows.is_last,
                version=version,
                strangers=rows.strangers,
                looks=rows.looks,
                keys=tuple(_keys_of(rows)),
            )

    def keep(self, verdicts: Sequence[tuple[int, Verdict]]) -> list[Segment]:
        """Put rows on the piles of their days, and return the segments that were written of piles grown large."""
        for number, verdict in verdicts:
            rows = self._read.pop(number)
            if verdict.is_repeat is not None and verdict.is_conflict is not None:
                self._pile(rows, verdict.is_repeat, verdict.is_conflict)
        written: list[Segment] = []
        while self._piles and not self._fits():
            written.append(self._write(max(self._piles, key=lambda each: self._piles[each].raw_bytes)))
        return written

    def finish(self) -> list[Segment]:
        """Write what waits, and return its segments."""
        return [self._write(key) for key in sorted(self._piles)]

    def _fits(self) -> bool:
        piles = self._piles.values()
        return sum(len(each.rows) for each in piles) <= MOST_ROWS and sum(each.raw_bytes for each in piles) <= MOST_BYTES

    def _pile(self, rows: FileRows, is_repeat: npt.NDArray[np.bool_], is_conflict: npt.NDArray[np.bool_]) -> None:
        by_day: dict[int, list[int]] = {}
        for place, row in enumerate(rows.rows):
            by_day.setdefault(row.day, []).append(place)
        for day, places in by_day.items():
            pile = self._piles.setdefault((rows.account.source, day), _Pile(rows.paths))
            pile.rows += [rows.rows[place] for place in places]
            pile.is_repeat.append(is_repeat[places])
            pile.is_conflict.append(is_conflict[places])
            pile.raw_bytes += sum(rows.rows[place].length for place in places)

    def _write(self, key: tuple[str, int]) -> Segment:
        pile = self._piles.pop(key)
        bundle = Bundle(
            source=key[0],
            day=day_name(key[1]),
            paths=pile.paths,
            rows=pile.rows,
            is_repeat=np.concatenate(pile.is_repeat),
            is_conflict=np.concatenate(pile.is_conflict),
        )
        return write_segment(self._work.folder, bundle, self._connection)


def _keys_of(rows: FileRows) -> list[Keys]:
    days = np.array([row.day for row in rows.rows], np.int64)
    ids, digests = np.array(rows.ids, np.uint64), np.array(rows.digests, np.uint64)
    found: list[Keys] = []
    for day in np.unique(days).tolist():
        places = np.flatnonzero(days == day)
        found.append(Keys(day=day_name(day), places=places, ids=ids[places], digests=digests[places]))
    return found


def _digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as it lies, empty when it cannot be read: reading it says why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""

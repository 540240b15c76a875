"""Events that may become members of an episode, kept on disk until the run knows which of them did."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import fields
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from aibr_hunt.hunt.covered import time_us_of
from aibr_hunt.model.event import Event, Identity, Place
from aibr_hunt.model.times import parse_time
from aibr_hunt.model.window import utc_text

_BATCH: Final = 2000
_LOOKED_UP: Final = 500
_TEXTS: Final = tuple(each.name for each in fields(Event) if each.type == "str")


def event_id(event: Event) -> str:
    """Return by what correlations know an event: its identity together with its content (docs/meaning.md section 7.1)."""
    return f"{event.identity.key}#{event.canonical_digest}"


class Spool:
    """Keeps events by id in a private temporary file, the first delivery of each; use it as a context manager."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make the file in `folder`, or where the system keeps temporary files."""
        self._folder = tempfile.TemporaryDirectory(prefix="aibr-spool-", dir=folder)
        self._database = sqlite3.connect(Path(self._folder.name) / "events.sqlite3", isolation_level=None)
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        self._database.execute("CREATE TABLE events (id TEXT PRIMARY KEY, time_us INTEGER, head BLOB, raw BLOB, canonical BLOB)")
        self._waiting: list[tuple[str, int | None, bytes, bytes, bytes]] = []

    def __enter__(self) -> Self:
        """Return the spool itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the file."""
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._database.close()
        self._folder.cleanup()

    def keep(self, event: Event) -> None:
        """Keep an event; of several with one id the first stays."""
        time_us = None if event.time is None else time_us_of(event.time)
        self._waiting.append((event_id(event), time_us, _head(event), event.raw, event.canonical))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def events(self, ids: Iterable[str]) -> Iterator[Event]:
        """Yield the kept events among `ids`, in their order; ids of events that were never kept are passed over."""
        for batch in self._batches(ids):
            found = {str(row[0]): row for row in self._look_up("id, head, raw, canonical", batch)}
            yield from (_event(*found[one][1:]) for one in batch if one in found)

    def times(self, ids: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield each kept id among `ids` with its event's time in microseconds of the epoch; untimed events have none."""
        for batch in self._batches(ids):
            yield from ((str(row[0]), int(row[1])) for row in self._look_up("id, time_us", batch) if row[1] is not None)

    def _batches(self, ids: Iterable[str]) -> Iterator[list[str]]:
        self._flush()
        rest = iter(ids)
        while batch := list(islice(rest, _LOOKED_UP)):
            yield batch

    def _look_up(self, columns: str, batch: list[str]) -> list[tuple[Any, ...]]:
        marks = ",".join("?" * len(batch))
        query = f"SELECT {columns} FROM events WHERE id IN ({marks})"  # noqa: S608 - our own column names and question marks
        with closing(self._database.execute(query, batch)) as rows:
            return rows.fetchall()

    def _flush(self) -> None:
        self._database.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()


def _head(event: Event) -> bytes:
    place, identity = event.place, event.identity
    time = None if event.time is None else utc_text(event.time)
    where = [place.path, place.file_digest, place.offset, place.length, place.ordinal]
    texts = [getattr(event, name).encode("utf-8", "surrogatepass").hex() for name in _TEXTS]
    where[0] = place.path.encode("utf-8", "surrogatepass").hex()
    return orjson.dumps([time, where, identity.key.encode("utf-8", "surrogatepass").hex(), identity.is_weak, texts])


def _event(head: Any, raw: Any, canonical: Any) -> Event:
    time, where, key, is_weak, texts = orjson.loads(head)
    path, file_digest, offset, length, ordinal = where
    named = {name: _text(text) for name, text in zip(_TEXTS, texts, strict=True)}
    return Event(
        value=None,  # only what is kept as evidence is needed of a member
        raw=raw,
        canonical=canonical,
        identity=Identity(key=_text(key), is_weak=is_weak),
        place=Place(path=_text(path), file_digest=file_digest, offset=offset, length=length, ordinal=ordinal),
        time=None if time is None else parse_time(time),
        **named,
    )


def _text(coded: str) -> str:
    return bytes.fromhex(coded).decode("utf-8", "surrogatepass")

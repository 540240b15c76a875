"""A bucket for tests: a folder that answers as a store does, with its refusals. It crosses process borders as real ones do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aibr_hunt.engines.lake.remote import Entry
from aibr_hunt.errors import EngineError

WRITTEN = datetime(2026, 1, 20, 8, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderBucket:
    """A bucket whose objects are the files of a folder.

    Attributes:
        folder: Its objects, by key.
        has_etags: False is a store that gives none.
        denied: Keys that may be listed and not read. `may_list`: False refuses to list.
        broken: Keys at which the connection is lost.
        changing: Keys that are written anew while they are read. `fading`: keys that are deleted after they were listed.
        asked: Keys and ranges that were read in this process.
    """

    folder: Path
    url: str = "s3://example-logs"
    has_etags: bool = True
    may_list: bool = True
    denied: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    changing: frozenset[str] = frozenset()
    fading: frozenset[str] = frozenset()
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def _entry(self, key: str, content: bytes) -> Entry:
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest() if self.has_etags else ""
        return Entry(key=key, size=len(content), modified=WRITTEN, etag=etag)

    def head(self, key: str) -> Entry:
        if not self.may_list:
            raise PermissionError("403 AccessDenied")
        path = self.folder / key
        if not path.is_file():
            raise FileNotFoundError("404 NoSuchKey")
        return self._entry(key, path.read_bytes())

    def entries(self, prefix: str) -> Iterator[Entry]:
        if not self.folder.is_dir():
            raise FileNotFoundError("404 NoSuchBucket")
        if not self.may_list:
            raise PermissionError("403 AccessDenied")
        for path in sorted(self.folder.rglob("*"), reverse=True):  # a store promises no order
            key = path.relative_to(self.folder).as_posix()
            if path.is_file() and key.startswith(prefix):
                yield self._entry(key, path.read_bytes())

    def read(self, key: str, start: int, end: int) -> tuple[Entry, bytes]:
        self.asked.append((key, start, end))
        if key in self.denied:
            raise PermissionError("403 InvalidObjectState")
        if key in self.broken:
            raise EngineError(f"{self.url}/{key} cannot be read: no connection.", retryable=True)
        if key in self.fading:
            raise FileNotFoundError("404 NoSuchKey")
        content = (self.folder / key).read_bytes()
        entry = self._entry(key, content)
        if key in self.changing:
            (self.folder / key).write_bytes(content[::-1])
        return entry, content[start:end]

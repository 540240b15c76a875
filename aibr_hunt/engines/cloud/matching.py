"""The rows of one program, matched and accounted for: a line of JSON each, as if they lay in a file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from aibr_hunt.engines.cloud.protocol import Row
from aibr_hunt.engines.cloud.rows import RowReader, row_json
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import Part
from aibr_hunt.model.event import Account, ByteClass, Hit, Place
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.source import Source

FORMAT: Final = "rows"


class Matching:
    """Takes rows one by one.

    Args:
        source: Where they come from.
        part: The rules of its log source, with their matcher.
        rules: Those of them that the program asks for.
        scope: Moment of the run, and the window: rows outside it are no hits.
    """

    def __init__(self, source: Source, part: Part, rules: Sequence[Rule], *, scope: Scope) -> None:
        """Start without rows."""
        self._reader = RowReader(source.mapping, source.layout)
        self._part = part
        self._asked = frozenset(rule.id for rule in rules)
        self._scope = scope
        self._hits: list[Hit] = []
        self._sizes: Counter[ByteClass] = Counter()
        self._counts: Counter[ByteClass] = Counter()
        self._offset = 0
        self._outside = self._untimed = 0
        self._digest = hashlib.sha256()
        self._times: tuple[datetime, datetime] | None = None

    def take(self, row: Row, path: str) -> None:
        """Match one row; `path` is what evidence calls the place: Source and job."""
        raw = row_json(row)
        self._digest.update(raw + b"\n")
        place = Place(path=path, file_digest="", offset=self._offset, length=len(raw), ordinal=self._counts.total() + 1)
        self._offset += len(raw) + 1
        self._sizes[ByteClass.FRAMING] += 1
        kind = self._match(row, raw, place)
        self._sizes[kind] += len(raw)
        self._counts[kind] += 1

    def _match(self, row: Row, raw: bytes, place: Place) -> ByteClass:
        event = self._reader.event(row, source=self._part.name, now=self._scope.now, place=place, raw=raw)
        if event.time is None:
            self._untimed += 1
        else:
            first, last = self._times or (event.time, event.time)
            self._times = min(first, event.time), max(last, event.time)
        matched = [self._part.rules[number].id for number in self._part.ruleset.match(event.value)]
        matched = [rule_id for rule_id in matched if rule_id in self._asked]
        if not matched:
            return ByteClass.PARSED
        if event.time is not None and not self._scope.window.holds(event.time):
            self._outside += 1
            return ByteClass.PARSED
        self._hits.append(Hit(event=event, rule_ids=tuple(matched)))
        return ByteClass.MATCHED

    def result(self, path: str) -> FileResult:
        """Return hits and account of all rows, which lay at `path`, each row under the digest of all of them."""
        digest = self._digest.hexdigest()
        hits = (replace(hit, event=replace(hit.event, place=replace(hit.event.place, file_digest=digest))) for hit in self._hits)
        account = Account(
            path=path,
            stored_size=self._offset,
            digest=digest,
            content_size=self._offset,
            format=FORMAT,
            compression="none",
            encoding="utf-8",
            source=self._part.name,
            byte_counts={kind: self._sizes[kind] for kind in ByteClass},
            record_counts={kind: self._counts[kind] for kind in ByteClass if kind is not ByteClass.FRAMING},
            first_time=self._times and self._times[0],
            last_time=self._times and self._times[1],
            span="parsed",
            untimed=self._untimed,
        )
        return FileResult(account=account, hits=tuple(hits), outside_window=self._outside)

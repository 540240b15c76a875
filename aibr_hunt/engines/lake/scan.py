"""Rules over the lake: the same hits as over the files themselves, from as few rows as the hot values allow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

import duckdb
import numpy as np

from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.lake.asking import Delivery, Found, ask_segment
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.pruning import Pruner
from aibr_hunt.engines.lake.segments import working
from aibr_hunt.engines.lake.store import UNTIMED, Input, Segment
from aibr_hunt.engines.pool import pool_of
from aibr_hunt.engines.program import AS_WRITTEN, Part, Program
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.identity import Origin, event_of
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.event import Account, ByteClass, Hit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(hours=24)
_SPOOL_BYTES: Final = 64 << 20
_TOO_DEEP: Final = "!a record was too deep to match"


def scan_lake(lake: Lake, program: Program, scope: Scope, *, processes: int = 1) -> Iterator[FileResult]:
    """Yield the result of every file in the lake, in the order in which they were added.

    Hits, places, identities and digests are those of a scan over the files. Each record was parsed when it was added, so that accounts
    are those of a scan without a sieve. Days outside the window are not read: `outside_window` counts only on days that the window touches.

    Args:
        lake: The lake.
        program: What is asked.
        scope: Source and window; a source asks only the files that were added as such.
        processes: Processes that read.

    Raises:
        UsageError: The lake holds a source that no mapping in force defines.
        EngineError: The lake cannot be read, or a process died.
    """
    with closing(lake.store.reading()):
        inputs, segments = lake.store.snapshot(with_contents=True)
        inputs = tuple(each for each in inputs if _is_asked(each.account.source, scope))
        sources = sorted({each.account.source for each in inputs if each.account.source})
        parts = {source: _part(program, source) for source in sources}
        asked = [each for each in segments if _may_answer(each, parts, scope)]
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            answers = _Answers(spool)
            asking = Asked(folder=lake.store.folder, parts=parts, scope=scope)
            for found in _ask(asked, asking, processes=processes):
                answers.take(found)
            for each in inputs:
                yield _result(each, answers, parts.get(each.account.source), scope=scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every process of a scan knows."""

    folder: Path
    parts: dict[str, Part]
    scope: Scope


@dataclass(frozen=True, slots=True)
class _Kept:
    """A delivery of which the bytes lie in the spool: at `at`, `raw` of them as delivered, then `text` where that is another."""

    ordinal: int
    offset: int
    numbers: tuple[int, ...]
    at: int
    raw: int
    text: int


@dataclass(slots=True)
class _Answers:
    """All that the segments gave, by file; bytes wait on disk when there are many."""

    spool: IO[bytes]
    hits: dict[int, list[_Kept]] = field(default_factory=dict)
    outside: dict[int, int] = field(default_factory=dict)
    too_deep: set[int] = field(default_factory=set)
    size: int = 0

    def take(self, found: Found) -> None:
        """Keep what one segment gave."""
        for each in found.hits:
            text = each.text or b""
            self.spool.write(each.raw + text)
            kept = _Kept(each.ordinal, each.offset, each.numbers, self.size, len(each.raw), len(text))
            self.hits.setdefault(each.file, []).append(kept)
            self.size += len(each.raw) + len(text)
        for file, count in found.outside.items():
            self.outside[file] = self.outside.get(file, 0) + count
        self.too_deep |= found.too_deep

    def of(self, file: int) -> Iterator[Delivery]:
        """Yield the deliveries of a file in its order."""
        for kept in sorted(self.hits.get(file, ()), key=lambda each: each.ordinal):
            self.spool.seek(kept.at)
            raw, text = self.spool.read(kept.raw), self.spool.read(kept.text)
            yield Delivery(file=file, ordinal=kept.ordinal, offset=kept.offset, numbers=kept.numbers, raw=raw, text=text or None)


def _is_asked(source: str, scope: Scope) -> bool:
    if scope.is_as_written:
        return source in {AS_WRITTEN, ""}
    return scope.mapping is None or source in {scope.mapping.name, ""}


def _part(program: Program, source: str) -> Part:
    if source == AS_WRITTEN:
        return program.part(None)
    mapping = program.mapping_named(source)
    if mapping is None:
        raise UsageError(
            f"The lake holds events of {source}, which no mapping defines.", hint="Bring the mapping back, or drop the source."
        )
    return program.part(mapping)


def _may_answer(segment: Segment, parts: dict[str, Part], scope: Scope) -> bool:
    """True when a segment can hold a hit: its source is asked something, and some event may lie in the window or have no time."""
    part = parts.get(segment.source)
    if part is None or not part.rules:
        return False
    if segment.day == UNTIMED or segment.first_us is None or segment.last_us is None:
        return True
    # What was timed when it was added may be untimed to this run: untimed events are in every window.
    latest = _us(scope.now + _AHEAD)
    oldest = None if part.mapping is None else _us(scope.now - timedelta(days=part.mapping.lookback_days))
    if segment.last_us > latest or (oldest is not None and segment.first_us < oldest):
        return True
    start, end = scope.window.start, scope.window.end
    return (start is None or segment.last_us >= _us(start)) and (end is None or segment.first_us < _us(end))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _result(each: Input, answers: _Answers, part: Part | None, *, scope: Scope) -> FileResult:
    number = each.number if each.copy_of is None else each.copy_of
    account = replace(each.account, duplicate_of="")
    hits: list[Hit] = []
    matched = 0
    if part is not None:
        origin = Origin(path=account.path, source=part.name, mapping=part.mapping, now=scope.now, file_digest=account.digest)
        for delivery in answers.of(number):
            hits.append(_hit(delivery, part, origin))
            matched += len(delivery.raw)
    if number in answers.too_deep:
        account = replace(account, notes=(*account.notes, _TOO_DEEP))
    return FileResult(
        account=_with_matched(account, len(hits), matched),
        hits=tuple(hits),
        outside_window=answers.outside.get(number, 0),
        strangers=each.strangers,
        strangers_look_like=each.looks,
    )


def _hit(delivery: Delivery, part: Part, origin: Origin) -> Hit:
    text = delivery.raw if delivery.text is None else delivery.text
    one = np.zeros(1, np.int64)
    batch = Batch(
        buffer=text,
        starts=one,
        ends=one + len(text),
        offsets=one + delivery.offset,
        lengths=one + len(delivery.raw),
        first_ordinal=delivery.ordinal,
        must_parse=None,
        origin=None if delivery.text is None else delivery.raw,
        origin_offset=delivery.offset,
    )
    event = event_of(batch, 0, parse_record(text).value, origin=origin)
    return Hit(event=event, rule_ids=tuple(part.rules[number].id for number in delivery.numbers))


def _with_matched(account: Account, records: int, size: int) -> Account:
    """Return an account of parsed records of which some are matched."""
    if not records:
        return account
    by_bytes, by_records = dict(account.byte_counts), dict(account.record_counts)
    for counts, number in ((by_bytes, size), (by_records, records)):
        counts[ByteClass.MATCHED] += number
        counts[ByteClass.PARSED] -= number
    return replace(account, byte_counts=by_bytes, record_counts=by_records)


# Processes


def _ask(segments: Sequence[Segment], asked: Asked, *, processes: int) -> Iterator[Found]:
    try:
        if processes <= 1 or len(segments) <= 1:
            asker = _Asker(asked)
            yield from (asker.ask(each) for each in segments)
        else:
            yield from _ask_in_pool(segments, asked, processes=min(processes, len(segments)))
    except BrokenProcessPool:
        hint = "Is memory short? Try again with AIBR_PROCESSES=1."
        raise EngineError("A process that read the lake died.", retryable=True, hint=hint) from None
    except duckdb.Error as error:
        hint = "`aibr-hunt logs status` shows what is there; a damaged segment can be dropped by its day and added again."
        raise EngineError(f"The lake {asked.folder} cannot be read: {str(error).splitlines()[0]}", hint=hint) from None


def _ask_in_pool(segments: Sequence[Segment], asked: Asked, *, processes: int) -> Iterator[Found]:
    with pool_of(processes, _start, (asked,)) as pool:
        # The largest first, so that the last to end is a small one.
        ordered: Iterable[Segment] = sorted(segments, key=lambda each: -each.events)
        futures: list[Future[Found]] = [pool.submit(_run, each) for each in ordered]
        for future in futures:
            yield future.result()


class _Asker:
    """Asks segments in one process; what was worked out for one serves the next."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._connection = working(asked.folder)
        self._pruners: dict[str, Pruner] = {}

    def ask(self, segment: Segment) -> Found:
        part = self._asked.parts[segment.source]
        pruner = self._pruners.get(segment.source)
        if pruner is None:
            pruner = self._pruners[segment.source] = Pruner(part)
        return ask_segment(self._asked.folder, segment, part=part, pruner=pruner, scope=self._asked.scope, connection=self._connection)


_PROCESS: dict[str, _Asker] = {}


def _start(asked: Asked) -> None:
    _PROCESS["asker"] = _Asker(asked)


def _run(segment: Segment) -> Found:
    return _PROCESS["asker"].ask(segment)

"""The files engine: log files as the clouds deliver them → framed records → sieve → parse → match → hits and accounts.

A record is parsed only when it holds a literal of some rule, an escape or a non-ASCII byte. Every byte range of every
file ends in its account, whatever happened to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

import numpy as np

from aibr_hunt.engines.pool import START_METHOD, pool_of
from aibr_hunt.engines.program import Part, Program
from aibr_hunt.errors import EngineError
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.csv_rows import shape_of
from aibr_hunt.intake.detect import recognise
from aibr_hunt.intake.files import Found
from aibr_hunt.intake.identity import Origin, event_of, time_of
from aibr_hunt.intake.parse import Parsed, RecordRefused, parse_record
from aibr_hunt.intake.read import FileReading
from aibr_hunt.intake.tally import MATCHED, PARSED, REFUSED, SKIMMED
from aibr_hunt.model.event import Account, Hit, Json
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.window import Window

SAMPLE_RECORDS: Final = 20
# A task for one process: enough to outweigh handing it over, little enough to share the work evenly.
TASK_FILES: Final = 256
TASK_BYTES: Final = 8 << 20
# Tasks handed out ahead of the one whose result is awaited: bounds what lies finished in memory.
TASKS_AHEAD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a scan looks at in every file.

    Attributes:
        mapping: The log source of every file; None recognises it file by file.
        is_as_written: True takes fields as written in every file.
        window: Events outside it are no hits; untimed events are kept.
        now: Moment of the run, aware UTC: an event time far beyond it is no time.
    """

    now: datetime

    mapping: Mapping | None = None
    is_as_written: bool = False
    window: Window = field(default_factory=Window)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What one file gave.

    Attributes:
        account: What became of its bytes.
        hits: In the file's order.
        outside_window: Matching events that lie outside the window.
        strangers: Records that do not look like the file's log source, of those parsed or of those sampled: the greater count.
            In a file that nothing recognised at its beginning: those that look like a known source after all.
        strangers_look_like: Names of the known sources that they look like, sorted.
    """

    account: Account
    hits: tuple[Hit, ...]
    outside_window: int = 0
    strangers: int = 0
    strangers_look_like: tuple[str, ...] = ()


def scan(
    found: Sequence[Found], program: Program, scope: Scope, *, processes: int = 1, start_method: str = START_METHOD
) -> Iterator[FileResult]:
    """Yield the result of every file, in the order of `found`.

    Args:
        found: The files.
        program: What is asked.
        scope: Source and window.
        processes: Processes that read; 1 reads in this one.
        start_method: How further processes come to be: a start method of `multiprocessing`.

    Raises:
        EngineError: A process died, or memory ran out.
    """
    tasks = list(_tasks(found))
    try:
        if processes <= 1 or len(tasks) <= 1:
            yield from (scan_file(file, program, scope) for file in found)
        else:
            yield from _scan_in_pool(tasks, program, scope, processes=processes, start_method=start_method)
    except BrokenProcessPool:
        raise EngineError(
            "A process that read log files died.", retryable=True, hint="Is memory short? Try again with AIBR_PROCESSES=1."
        ) from None
    except MemoryError:
        raise EngineError(
            "Memory ran out while log files were read.", retryable=True, hint="Try again with AIBR_PROCESSES=1, or with fewer files."
        ) from None


def _scan_in_pool(
    tasks: Sequence[tuple[Found, ...]], program: Program, scope: Scope, *, processes: int, start_method: str
) -> Iterator[FileResult]:
    if start_method == "fork":
        program.warm()  # a forked process shares what is compiled already; any other compiles its own
    with pool_of(processes, _start, (program, scope), start_method=start_method) as pool:
        yield from _in_order(pool, tasks, ahead=processes * TASKS_AHEAD)


def _in_order(pool: ProcessPoolExecutor, tasks: Iterable[tuple[Found, ...]], *, ahead: int) -> Iterator[FileResult]:
    """Yield results in the order of the tasks, with a bounded number of them under way."""
    waiting: list[Future[list[FileResult]]] = []
    rest = iter(tasks)
    waiting += [pool.submit(_run_task, task) for task in islice(rest, ahead)]
    while waiting:
        results = waiting.pop(0).result()
        waiting += [pool.submit(_run_task, task) for task in islice(rest, 1)]
        yield from results


def _tasks(found: Iterable[Found]) -> Iterator[tuple[Found, ...]]:
    """Yield runs of neighbouring files, closed by number or size."""
    run: list[Found] = []
    size = 0
    for file in found:
        run.append(file)
        size += file.size
        if len(run) >= TASK_FILES or size >= TASK_BYTES:
            yield tuple(run)
            run, size = [], 0
    if run:
        yield tuple(run)


_PROCESS: dict[str, tuple[Program, Scope]] = {}


def _start(program: Program, scope: Scope) -> None:
    _PROCESS["work"] = (program, scope)


def _run_task(files: tuple[Found, ...]) -> list[FileResult]:
    program, scope = _PROCESS["work"]
    return [scan_file(file, program, scope) for file in files]


def scan_file(found: Found, program: Program, scope: Scope) -> FileResult:
    """Return what one file gives; an unreadable file gives an account that says so."""
    return FileScan(found, program, scope).run()


class FileScan:
    """One pass over one file."""

    def __init__(self, found: Found, program: Program, scope: Scope) -> None:
        """Start at the file's beginning."""
        self.program = program
        self.scope = scope
        shapes = [shape for mapping in program.mappings if (shape := shape_of(mapping)) is not None]
        self.reading = FileReading(found, csv=shapes)
        self.found = found
        self.part: Part | None = None
        self.origin = Origin(path=found.shown, source="", mapping=None, now=scope.now)
        self.hits: list[Hit] = []
        self.outside_window = 0
        self.strangers = 0
        self.sampled_strangers = 0
        self.strangers_look_like: set[str] = set()

    def run(self) -> FileResult:
        """Read the file to its end."""
        for batch in self.reading.batches():
            if self.part is None:
                self.part = self._part_for(batch)
                self.origin = replace(self.origin, source=self.part.name, mapping=self.part.mapping)
            self._read(batch, self.part)
        name = self.part.name if self.part else "" if self.scope.mapping is None else self.scope.mapping.name
        account = self.reading.account(source=name)
        hits = tuple(_with_digest(hit, account.digest) for hit in self.hits)
        strangers = max(self.strangers, self.sampled_strangers)
        return FileResult(
            account=account,
            hits=hits,
            outside_window=self.outside_window,
            strangers=strangers,
            strangers_look_like=tuple(sorted(self.strangers_look_like)),
        )

    def _part_for(self, batch: Batch) -> Part:
        if self.scope.is_as_written:
            return self.program.part(None)
        if self.scope.mapping is not None:
            return self.program.part(self.scope.mapping)
        if self.reading.csv_shape is not None:
            return self.program.part(self.program.mapping_named(self.reading.csv_shape.name))
        for index in range(min(len(batch.starts), SAMPLE_RECORDS)):
            try:
                mapping = recognise(parse_record(batch.text(index)).value, self.program.mappings)
            except RecordRefused:
                continue
            if mapping is not None:
                return self.program.part(mapping)
        return self.program.part(None)

    def _read(self, batch: Batch, part: Part) -> None:
        classes = np.full(len(batch.starts), SKIMMED, np.uint8)
        self._sample(batch, part)
        for index, numbers in self._chosen(batch, part):
            classes[index] = self._match(batch, index, part, numbers=numbers)
        self.reading.classify(batch, classes)

    def _sample(self, batch: Batch, part: Part) -> None:
        """Look at the first and last record of a batch, skimmed or not.

        They tell from when to when the file speaks, and that it changes its log source midway.
        """
        for index in {0, len(batch) - 1} if len(batch) else ():
            try:
                value = parse_record(batch.text(index)).value
            except RecordRefused:
                continue  # refused by name when, and if, it is parsed for a rule
            moment, _ = time_of(value, part.mapping, self.scope.now)
            if moment is not None:
                self.reading.note_time(moment, moment)
            self.sampled_strangers += self._is_stranger(value, part)

    def _chosen(self, batch: Batch, part: Part) -> Iterator[tuple[int, Sequence[int] | None]]:
        """Yield the records to parse, ascending, each with the rules that it could meet (None: all of them)."""
        if not part.parses_everything:
            yield from candidates(batch, part) if part.rules else ()
        elif not self.program.options.use_sieve or not part.rules:
            yield from ((index, None) for index in range(len(batch)))
        else:
            # Every record is parsed, yet only rules without a literal are tried on all of them.
            hinted = dict(candidates(batch, part))
            for index in range(len(batch)):
                yield index, hinted.get(index, part.sieve.unsieved)

    def _match(self, batch: Batch, index: int, part: Part, *, numbers: Sequence[int] | None) -> int:
        """Return the class of one record that is parsed; `numbers` are the rules that its literals hint at, None for all."""
        try:
            parsed = parse_record(batch.text(index), strict=self.program.options.is_strict)
        except RecordRefused as refusal:
            self.reading.refuse(batch, index, refusal.reason, refusal.detail)
            return REFUSED
        try:
            return self._match_value(batch, index, part, parsed=parsed, numbers=numbers)
        except RecursionError:  # one record must not end the run; it is refused by name instead
            self.reading.refuse(batch, index, "too deep to match")
            return REFUSED

    def _match_value(self, batch: Batch, index: int, part: Part, *, parsed: Parsed, numbers: Sequence[int] | None) -> int:
        """Return the class of one record that was parsed, and keep it when it is a hit."""
        value: Json = parsed.value
        moment, _ = time_of(value, part.mapping, self.scope.now)
        self._count(parsed, part, moment)
        matched = part.ruleset.match(value) if numbers is None else part.ruleset.match_among(value, numbers)
        if not matched:
            return PARSED
        if moment is not None and not self.scope.window.holds(moment):
            self.outside_window += 1
            return PARSED
        event = event_of(batch, index, value, origin=self.origin)
        self.hits.append(Hit(event=event, rule_ids=tuple(part.rules[number].id for number in matched)))
        return MATCHED

    def _count(self, parsed: Parsed, part: Part, moment: datetime | None) -> None:
        self.reading.count(parsed)
        if moment is None:
            self.reading.untimed += 1
        else:
            self.reading.note_time(moment, moment)
        self.strangers += self._is_stranger(parsed.value, part)

    def _is_stranger(self, value: Json, part: Part) -> bool:
        """True when a record does not look like its file's log source; the known source that it looks like is noted."""
        if self.scope.is_as_written or (part.mapping is not None and recognise(value, (part.mapping,)) is not None):
            return False
        looks = recognise(value, self.program.mappings)
        if looks is not None:
            self.strangers_look_like.add(looks.name)
        return part.mapping is not None or looks is not None


def _with_digest(hit: Hit, digest: str) -> Hit:
    """Return the hit with its file's digest, which is known only after the file was read to its end."""
    return replace(hit, event=replace(hit.event, place=replace(hit.event.place, file_digest=digest)))


def candidates(batch: Batch, part: Part) -> Iterator[tuple[int, Sequence[int] | None]]:
    """Yield the records that must be parsed, ascending, with the rules that their literals hint at (None: all rules)."""
    ends, literals = part.scanner.scan(batch.buffer)
    records = np.searchsorted(batch.starts, ends - 1, side="right") - 1
    inside = records >= 0
    inside[inside] = ends[inside] <= batch.ends[records[inside]]
    records, literals = records[inside], literals[inside]
    forced = np.flatnonzero(batch.must_parse) if batch.must_parse is not None else np.empty(0, np.int64)
    escape = len(part.sieve.literals)
    hinted: dict[int, set[int] | None] = dict.fromkeys(forced.tolist())
    for record, literal in zip(records.tolist(), literals.tolist(), strict=True):
        if literal == escape:
            hinted[record] = None
            continue
        known = hinted.setdefault(record, set())
        if known is not None:
            known.update(part.sieve.rules_by_literal[literal])
    for record in sorted(hinted):
        known = hinted[record]
        yield record, None if known is None else (*known, *part.sieve.unsieved)

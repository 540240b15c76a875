"""A lake folder: logs are added once, then asked by rules and in SQL, merged, and dropped."""

from __future__ import annotations

import hashlib
import shutil
import weakref
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.adding import Judge, KeyArray, gather
from aibr_hunt.engines.lake.compacting import compact
from aibr_hunt.engines.lake.remote import INCOMING, Remote, with_known
from aibr_hunt.engines.lake.segments import quoted, working
from aibr_hunt.engines.lake.shard import Work
from aibr_hunt.engines.lake.store import EVENTS, UNTIMED, Segment, Store
from aibr_hunt.engines.lake.values import Added, Compacted, Dropped, SourceStatus
from aibr_hunt.engines.lake.views import connected
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.intake.files import Found
from aibr_hunt.model.event import Account
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.window import Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Lake:
    """An open lake. Made by `open`.

    Attributes:
        store: Its book.
        mappings: The mappings in force.
    """

    def __init__(self, store: Store, mappings: Sequence[Mapping]) -> None:
        """Hold nothing open: every act opens what it needs."""
        self.store = store
        self.mappings = tuple(mappings)

    @classmethod
    def open(cls, folder: Path, *, mappings: Sequence[Mapping], create: bool = False) -> Lake:
        """Return the lake in a folder.

        Args:
            folder: Its folder.
            mappings: The mappings in force: files are recognised by them, and views have their fields.
            create: True makes the lake when there is none.

        Raises:
            UsageError: There is no lake in the folder, or it cannot be made there.
            EngineError: It is of another format.
        """
        return cls(Store.create(folder) if create else Store(folder), mappings)

    def add(
        self,
        found: Sequence[Found | Remote],
        scope: Scope,
        *,
        processes: int = 1,
        tell: Callable[[Account], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Added:
        """Read files into the lake; all of it is visible afterwards, or, after any failure, nothing.

        Args:
            found: The files, as discovery saw them, and the objects, as they were listed.
            scope: Their log source, or that it is to be recognised; the window is not looked at.
            processes: Processes that read.
            tell: Called with the account of each file, in order.
            say: Called with a sentence when another process has to be waited for.

        Raises:
            EngineError: The lake is locked for long, a process died, memory ran out, the disk is full or a store fails.
        """
        with self.store.writing(say):
            self._forget_copies()
            self.store.sweep()
            inputs, segments = self.store.snapshot()
            first = max((each.number for each in inputs), default=0) + 1
            judge = Judge(inputs, _KeyReader(self.store.folder, segments), tell)
            work = Work(folder=self.store.folder, mappings=self.mappings, scope=scope, known=judge.known)
            try:
                gather(list(enumerate(with_known(found, inputs), first)), work, judge, processes=processes)
            finally:
                self._forget_copies()
            gathered = judge.gathered
            self.store.commit_added(gathered.inputs, gathered.segments)
        return Added(
            accounts=tuple(gathered.accounts),
            events=sum(each.events for each in gathered.segments),
            repeats=sum(each.repeats for each in gathered.segments),
            conflicts=sum(each.conflicts for each in gathered.segments),
            skipped=gathered.skipped,
        )

    def _forget_copies(self) -> None:
        """Delete what was downloaded, also by a process that died; only for who holds the writer's lock."""
        shutil.rmtree(self.store.folder / EVENTS / INCOMING, ignore_errors=True)

    def status(self) -> tuple[SourceStatus, ...]:
        """Return what the lake holds, by source."""
        inputs, segments = self.store.snapshot()
        files: dict[str, int] = {}
        for each in inputs:
            if each.portions:
                files[each.account.source] = files.get(each.account.source, 0) + 1
        return tuple(
            _status(source, files.get(source, 0), [each for each in segments if each.source == source])
            for source in sorted({each.source for each in segments})
        )

    def drop(self, *, source: str | None, window: Window, say: Callable[[str], None] = lambda _: None) -> Dropped:
        """Take whole days of events away; files of which nothing is left can be added again.

        Args:
            source: Only of this source; None of all.
            window: From and to midnight UTC; unbounded on both sides takes untimed events too.
            say: Called with a sentence when another process has to be waited for.

        Raises:
            UsageError: The source is not in the lake, or the window cuts through a day.
        """
        for edge in (window.start, window.end):
            if edge is not None and edge.astimezone(UTC).time() != datetime.min.time():
                raise UsageError("A drop takes whole days.", hint="Give --from and --to as dates.")
        with self.store.writing(say):
            segments = self.store.segments()
            if source is not None and source not in {each.source for each in segments}:
                known = ", ".join(sorted({each.source for each in segments})) or "nothing"
                raise UsageError(f"The lake holds no events of {source}.", hint=f"It holds {known}.")
            gone = [each for each in segments if source in {None, each.source} and _is_within(each.day, window)]
            files, cut = self.store.commit_dropped(gone)
            self.store.sweep()
        return Dropped(events=sum(each.events for each in gone), segments=len(gone), files=files, cut_files=cut)

    def compact(self, *, say: Callable[[str], None] = lambda _: None) -> Compacted:
        """Merge the segments of each source and day; what readers still hold is deleted later.

        Args:
            say: Called with a sentence when another process has to be waited for.

        Raises:
            EngineError: The disk is full; days that were merged before stay merged.
        """
        with self.store.writing(say):
            return compact(self.store)

    def connect(self, *, threads: int | None = None) -> duckdb.DuckDBPyConnection:
        """Return a connection with one view a source, and `events` over all of them, as they are now.

        It reads this lake's segments and nothing else. Segments that a compaction replaces stay on disk until the connection
        is let go of.

        Args:
            threads: Threads that a query may take; None for one a core.

        Raises:
            EngineError: The lake cannot be read.
        """
        lock = self.store.reading()
        try:
            inputs, segments = self.store.snapshot()
            connection = connected(self.store.folder, inputs, segments, mappings=self.mappings, threads=threads)
        except duckdb.Error as error:
            lock.close()
            raise EngineError(f"The lake {self.store.folder} cannot be read: {str(error).splitlines()[0]}") from None
        weakref.finalize(connection, lock.close)
        return connection


class _KeyReader:
    """Gives the keys of the deliveries that the lake holds of a source and day."""

    def __init__(self, folder: Path, segments: Iterable[Segment]) -> None:
        self._folder = folder
        self._by_day: dict[tuple[str, str], list[Segment]] = {}
        for each in segments:
            self._by_day.setdefault((each.source, each.day), []).append(each)

    def __call__(self, source: str, day: str) -> tuple[KeyArray, KeyArray]:
        segments = self._by_day.get((source, day), [])
        if not segments:
            return np.empty(0, np.uint64), np.empty(0, np.uint64)
        files = ", ".join(quoted((self._folder / each.name).as_posix()) for each in segments)
        with working(self._folder) as connection:
            rows = connection.execute(f"SELECT identity, canonical_digest FROM read_parquet([{files}])").fetchall()  # noqa: S608 - our own paths
        ids = [int.from_bytes(hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest()[:8], "big") for each, _ in rows]
        return np.array(ids, np.uint64), np.array([int.from_bytes(each[:8], "big") for _, each in rows], np.uint64)


def _status(source: str, files: int, segments: Sequence[Segment]) -> SourceStatus:
    firsts = [each.first_us for each in segments if each.first_us is not None]
    lasts = [each.last_us for each in segments if each.last_us is not None]
    return SourceStatus(
        source=source,
        files=files,
        events=sum(each.events for each in segments),
        repeats=sum(each.repeats for each in segments),
        conflicts=sum(each.conflicts for each in segments),
        untimed=sum(each.events for each in segments if each.day == UNTIMED),
        first_time=_EPOCH + timedelta(microseconds=min(firsts)) if firsts else None,
        last_time=_EPOCH + timedelta(microseconds=max(lasts)) if lasts else None,
        days=len({each.day for each in segments} - {UNTIMED}),
        segments=len(segments),
        parquet_bytes=sum(each.parquet_bytes for each in segments),
        raw_bytes=sum(each.raw_bytes for each in segments),
    )


def _is_within(day: str, window: Window) -> bool:
    if window.start is None and window.end is None:
        return True
    if day == UNTIMED:
        return False
    begin = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
    return window.holds(begin)

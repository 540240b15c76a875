"""An addition: files are read by several processes, judged in one place in the order of the files, and made visible at once."""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aibr_hunt.engines.lake.remote import Remote
from aibr_hunt.engines.lake.repeats import Seen
from aibr_hunt.engines.lake.shard import Keys, Read, Shard, Verdict, Work
from aibr_hunt.engines.lake.store import Input, Segment
from aibr_hunt.engines.pool import START_METHOD
from aibr_hunt.errors import AibrError, EngineError
from aibr_hunt.intake.files import Found
from aibr_hunt.model.event import Account

# A task for one process: its rows lie in memory twice over, so it is less than the files engine's.
TASK_FILES: Final = 64
TASK_BYTES: Final = 2 << 20
_PATIENCE_S: Final = 5.0
Task = list[tuple[int, Found | Remote]]
KeyArray = npt.NDArray[np.uint64]
KnownKeys = Callable[[str, str], tuple[KeyArray, KeyArray]]


@dataclass(slots=True)
class Gathered:
    """What an addition has come to so far.

    Attributes:
        inputs: Files to be recorded. `accounts`: one for each file that was given.
        segments: On disk, not visible yet.
        skipped: Copies of files that the lake holds, or that came earlier.
    """

    inputs: list[Input] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    skipped: int = 0


class Judge:
    """Decides in the order of the files which are copies and which rows repeat others.

    Args:
        inputs: What the lake holds, by number.
        keys_of: Gives the keys that the lake holds of a source and day.
        tell: Called with each account.
    """

    def __init__(self, inputs: Sequence[Input], keys_of: KnownKeys, tell: Callable[[Account], None]) -> None:
        """Know the lake's files by digest."""
        self.gathered = Gathered()
        self._firsts: dict[str, Input] = {}
        self._pairs = {(each.account.path, each.account.digest) for each in inputs}
        for each in inputs:
            if each.account.digest:
                self._firsts.setdefault(each.account.digest, each)
        self._keys_of = keys_of
        self._tell = tell
        self._seen: dict[tuple[str, str], Seen] = {}
        self._copies: set[int] = set()
        self._portions: dict[int, dict[str, int]] = {}

    @property
    def known(self) -> frozenset[str]:
        """Digests of the lake's files."""
        return frozenset(self._firsts)

    def take(self, read: Read, path: str) -> Verdict:
        """Return what is to become of rows, and keep the account of a file that ends with them."""
        if read.number in self._copies:
            return Verdict()
        if read.number not in self._portions:
            first = self._firsts.get(read.digest) if read.digest else None
            if first is not None:
                self._copies.add(read.number)
                self._take_copy(read, path, first)
                return Verdict()
        portions = self._portions.setdefault(read.number, {})
        marks = self._marks(read)
        for each in read.keys:
            portions[each.day] = portions.get(each.day, 0) + len(each.places)
        if read.is_last and read.account is not None:
            days = tuple(sorted(portions.items()))
            new = Input(number=read.number, account=read.account, strangers=read.strangers, looks=read.looks, portions=days)
            if read.account.digest:
                self._firsts.setdefault(read.account.digest, new)
            self._keep(new)
        return marks

    def _take_copy(self, read: Read, path: str, first: Input) -> None:
        self.gathered.skipped += 1
        account = replace(first.account, path=path, duplicate_of=first.account.path, version=read.version)
        if (path, first.account.digest) in self._pairs:
            self.gathered.accounts.append(account)
            self._tell(account)
            return
        original = first.number if first.copy_of is None else first.copy_of
        self._keep(Input(number=read.number, account=account, copy_of=original, strangers=first.strangers, looks=first.looks))

    def _keep(self, new: Input) -> None:
        self._pairs.add((new.account.path, new.account.digest))
        self.gathered.inputs.append(new)
        self.gathered.accounts.append(new.account)
        self._tell(new.account)

    def _marks(self, read: Read) -> Verdict:
        size = sum(len(each.places) for each in read.keys)
        is_repeat, is_conflict = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        source = "" if read.account is None else read.account.source
        for each in read.keys:
            is_repeat[each.places], is_conflict[each.places] = self._seen_on(source, each).add(each.ids, each.digests)
        return Verdict(is_repeat=is_repeat, is_conflict=is_conflict)

    def _seen_on(self, source: str, keys: Keys) -> Seen:
        seen = self._seen.get((source, keys.day))
        if seen is None:
            seen = self._seen[source, keys.day] = Seen()
            seen.add(*self._keys_of(source, keys.day))
        return seen


def gather(found: Sequence[tuple[int, Found | Remote]], work: Work, judge: Judge, *, processes: int) -> None:
    """Read all files and write their segments; what it came to stands in the judge.

    Raises:
        EngineError: A process died, memory ran out, or the disk is full. Nothing is visible then.
    """
    tasks = list(_tasks(found))
    was_collecting = gc.isenabled()
    # Rows make no cycles, and there are so many that looking for some would take as long as reading them. Processes inherit this.
    gc.disable()
    try:
        if processes <= 1 or len(tasks) <= 1:
            _gather_here(tasks, work, judge)
        else:
            # A fork would inherit the store's connections and threads, which do not survive it.
            method = "spawn" if any(isinstance(file, Remote) for _, file in found) else START_METHOD
            _Pool(work, min(processes, len(tasks)), method).run(tasks, judge)
    except MemoryError:
        hint = "Try again with AIBR_PROCESSES=1, or with fewer files."
        raise EngineError("Memory ran out while log files were read.", retryable=True, hint=hint) from None
    finally:
        if was_collecting:
            gc.enable()


def _gather_here(tasks: Sequence[Task], work: Work, judge: Judge) -> None:
    shard = Shard(work)
    for task in tasks:
        for reads in shard.read(task):
            judge.gathered.segments += shard.keep(_verdicts(judge, task, reads))
    judge.gathered.segments += shard.finish()


def _verdicts(judge: Judge, task: Task, reads: Sequence[Read]) -> list[tuple[int, Verdict]]:
    shown = {number: found.shown for number, found in task}
    judged = [(read, judge.take(read, shown[read.number])) for read in reads]
    return [(read.number, verdict) for read, verdict in judged if read.account is not None]


def _tasks(found: Sequence[tuple[int, Found | Remote]]) -> Iterator[Task]:
    """Yield runs of neighbouring files, closed by number or size."""
    run: Task = []
    size = 0
    for number, file in found:
        run.append((number, file))
        size += file.size
        if len(run) >= TASK_FILES or size >= TASK_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a process says: reads that wait for their verdicts, that its task is done, segments that it wrote, or why it cannot go on."""

    reads: tuple[Read, ...] | None = None
    segments: tuple[Segment, ...] = ()
    error: BaseException | None = None


@dataclass(slots=True)
class _Worker:
    """A process, our end of its pipe, and the number of its task: it says nothing more before it is answered."""

    process: BaseProcess
    pipe: Connection
    task: int = -1


class _Pool:
    """Processes with a pipe each: a file's rows stay where it was read, and only keys and verdicts travel."""

    def __init__(self, work: Work, count: int, start_method: str) -> None:
        context: Any = multiprocessing.get_context(start_method)  # the stubs give the common base no processes
        self._workers: list[_Worker] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            # A forked process holds our ends too: unless it lets go of them, none of the others would see that we died.
            held = [*(each.pipe for each in self._workers), ours] if start_method == "fork" else []
            process = context.Process(target=_serve, args=(theirs, held, work), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def run(self, tasks: Sequence[Task], judge: Judge) -> None:
        """Read all tasks, judge them in order, and write."""
        try:
            self._judge_all(tasks, judge)
            for worker in self._workers:
                worker.pipe.send(None)
            for worker in self._workers:
                judge.gathered.segments += self._hear(worker).segments
        except (EOFError, ConnectionError):
            raise EngineError(
                "A process that read log files died.", retryable=True, hint="Is memory short? Try again with AIBR_PROCESSES=1."
            ) from None
        finally:
            self._stop()

    def _judge_all(self, tasks: Sequence[Task], judge: Judge) -> None:
        """Hand out tasks and answer what they give, strictly in their order: a process that is ahead waits for its turn."""
        waiting = deque(range(len(tasks)))
        heard: dict[int, _Said] = {}
        owners: dict[int, _Worker] = {}
        for worker in self._workers:
            self._hand_out(worker, waiting, owners, tasks=tasks)
        following = 0
        while following < len(tasks):
            silent = [each for each in owners.values() if each.task not in heard]
            ready = wait([each.pipe for each in silent]) if following not in heard else []
            for worker in (each for each in silent if each.pipe in ready):
                heard[worker.task] = self._hear(worker)
            if following not in heard:
                continue
            said, worker = heard.pop(following), owners[following]
            judge.gathered.segments += said.segments
            if said.reads is not None:
                worker.pipe.send(_verdicts(judge, tasks[following], said.reads))
                continue
            del owners[following]
            following += 1
            self._hand_out(worker, waiting, owners, tasks=tasks)

    @staticmethod
    def _hand_out(worker: _Worker, waiting: deque[int], owners: dict[int, _Worker], *, tasks: Sequence[Task]) -> None:
        if waiting:
            worker.task = waiting.popleft()
            owners[worker.task] = worker
            worker.pipe.send(tasks[worker.task])

    @staticmethod
    def _hear(worker: _Worker) -> _Said:
        said = worker.pipe.recv()
        if not isinstance(said, _Said):
            raise EngineError("A process that read log files said what nobody expected.")
        if said.error is not None:
            raise said.error
        return said

    def _stop(self) -> None:
        for worker in self._workers:
            worker.pipe.close()
            worker.process.join(timeout=_PATIENCE_S if worker.process.exitcode is None else 0)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _serve(pipe: Connection, held: Sequence[Connection], work: Work) -> None:
    """Do what is asked through the pipe until it is done or the other end is gone."""
    gc.disable()
    for each in held:
        each.close()
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        try:
            _work_off(pipe, Shard(work))
        except (AibrError, MemoryError, OSError) as error:
            pipe.send(_Said(error=error))


def _work_off(pipe: Connection, shard: Shard) -> None:
    while (task := pipe.recv()) is not None:
        segments: list[Segment] = []
        for reads in shard.read(task):
            pipe.send(_Said(reads=tuple(reads), segments=tuple(segments)))
            segments = shard.keep(pipe.recv())
        pipe.send(_Said(segments=tuple(segments)))
    pipe.send(_Said(segments=tuple(shard.finish())))

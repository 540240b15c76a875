"""The journal of a cloud run: which programs it has started, on disk before their rows come, until the run is on record.

A run that dies leaves nothing in the ledger, but its jobs were started and are billed. Its journal says under which id it must go on, so
that they are taken up and not started twice, and what they cost counts for the day.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final, Self, cast

from aibr_hunt.engines.cloud.protocol import Question
from aibr_hunt.errors import UsageError
from aibr_hunt.model.times import parse_time
from aibr_hunt.model.window import Window, utc_text

SUFFIX: Final = ".jsonl"
# Looking at a Source costs too: such a journal only counts for the day, and is gone after it.
LOOKING: Final = "looking"
_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a run was begun with; whoever takes it up again asks the same.

    Attributes:
        run: Its id. `kind`: `files`, `hunt`, `sweep`, or LOOKING for what is no run.
        words: The command without its window, word by word.
        sources: Labels of the Sources.
        window: What it was asked for.
        began: When.
        rules: Digest of the rules' texts.
    """

    run: str
    kind: str
    words: tuple[str, ...]
    sources: tuple[str, ...]
    window: Window
    began: datetime
    rules: str = ""


@dataclass(slots=True)
class _Started:
    """One program that was started under a token."""

    source: str
    jobs: list[str] = field(default_factory=list)
    at: str = ""
    scanned_bytes: int = 0
    money: float = 0.0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """A run that is not on record, and that nobody carries on.

    Attributes:
        begun: What it was begun with.
        jobs: Jobs that it had started.
        path: Its journal.
    """

    begun: Begun
    jobs: int
    path: Path


class Journal:
    """The journal of one run that goes on; used by several threads. `create` or `resume` make it."""

    def __init__(self, path: Path, begun: Begun, file: IO[str]) -> None:
        """Take an open file that this process holds."""
        self.path, self.begun = path, begun
        self._file = file
        self._lock = threading.RLock()
        self._started: dict[str, _Started] = {}

    @classmethod
    def create(cls, folder: Path, begun: Begun) -> Self:
        """Return the journal of a new run.

        Raises:
            UsageError: It cannot be written.
        """
        path = folder / f"{begun.run}{SUFFIX}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600), "a+", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"The journal {path} cannot be written: {error.strerror}.", hint="Name another --home.") from error
        _hold(file)
        made = cls(path, begun, file)
        made._write(_row_of(begun))
        return made

    @classmethod
    def resume(cls, folder: Path, run: str) -> Self:
        """Return the journal of a run that was cut off.

        Raises:
            UsageError: There is none, it cannot be read, or another process carries the run on.
        """
        path = folder / f"{run}{SUFFIX}"
        hint = "`aibr-hunt sources list` names the runs that can be taken up again."
        if not run.replace("-", "").isalnum() or not path.is_file():
            raise UsageError(f"There is no run {run} that was cut off.", hint=hint)
        file = path.open("a+", encoding="utf-8")
        if not _hold(file):
            file.close()
            raise UsageError(f"The run {run} still goes on.", hint="Wait for its end.")
        read = _read(path)
        if read is None:
            file.close()
            raise UsageError(f"The journal {path} cannot be read.", hint="Delete it; the run cannot be taken up again.")
        made = cls(path, read[0], file)
        made._started = read[1]
        file.write("\n")  # what was being written when the run died is no part of a new line
        return made

    # -- what happens -----------------------------------------------------------------------------------------------

    def asked(self, question: Question) -> Question:
        """Return the question under the token by which it is asked now: of a job that was stopped or lost, it is a new one."""
        with self._lock:
            found = self._started.get(question.token)
            if found is None or not found.lost:
                return question
            return replace(question, token=_again(question.token, found.lost))

    def started(self, question: Question, job: str, at: datetime) -> None:
        """Write down that a job was started for a question, before its rows come."""
        with self._lock:
            found = self._started.setdefault(question.token, _Started(source=question.source.label))
            if job in found.jobs:
                return
            found.jobs.append(job)
            found.at = utc_text(at)
            self._write({"token": question.token, "source": found.source, "job": job, "at": found.at})

    def ended(self, question: Question, *, scanned_bytes: int | None, money: float | None) -> None:
        """Write down what a job cost."""
        self._write({"token": question.token, "scanned_bytes": scanned_bytes or 0, "money": money or 0.0})

    def lost(self, question: Question) -> None:
        """Write down that the job of a question was stopped: whoever takes the run up again asks it anew."""
        with self._lock:
            found = self._started.get(question.token)
            if found is not None:
                found.lost += 1
                self._write({"token": question.token, "lost": True})

    def _write(self, row: Mapping[str, object]) -> None:
        with self._lock:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    @property
    def jobs(self) -> int:
        """How many jobs were started."""
        return sum(len(each.jobs) for each in self._started.values())

    def finish(self) -> None:
        """Take the journal away: the run is on record, or has started nothing."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the journal for whoever takes the run up again."""
        self._file.close()


def cut_off(folder: Path) -> tuple[CutOff, ...]:
    """Return the runs whose journals nobody holds, oldest first."""
    found = []
    for path, begun, started in _journals(folder):
        if begun.kind != LOOKING and _is_free(path):
            found.append(CutOff(begun=begun, jobs=sum(len(each.jobs) for each in started.values()), path=path))
    return tuple(sorted(found, key=lambda each: each.begun.began))


def spent_since(folder: Path, moment: datetime, *, without: str = "") -> tuple[int, float]:
    """Return what jobs cost that started since a moment (aware) and are not on record yet: bytes and money.

    Args:
        folder: Of the journals.
        without: Id of a run that is left out, for its jobs are counted when they are taken up.
        moment: Jobs of journals that ended a day before it are forgotten.
    """
    size, money = 0, 0.0
    for path, begun, started in _journals(folder):
        if begun.kind == LOOKING and begun.began < moment - _KEPT:
            path.unlink(missing_ok=True)
        elif begun.run != without:
            today = [each for each in started.values() if each.at >= utc_text(moment)]
            size += sum(each.scanned_bytes for each in today)
            money += sum(each.money for each in today)
    return size, money


def _journals(folder: Path) -> Iterator[tuple[Path, Begun, dict[str, _Started]]]:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        read = _read(path)
        if read is not None:
            yield path, *read


def _read(path: Path) -> tuple[Begun, dict[str, _Started]] | None:
    """Return what a journal holds; lines that are no JSON are what was being written when the run died. None for what is none."""
    rows: list[dict[str, object]] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                rows += [row] if isinstance(row, dict) else []
    begun = _begun_of(rows[0]) if rows else None
    if begun is None:
        return None
    started: dict[str, _Started] = {}
    for row in rows[1:]:
        token = str(row.get("token") or "")
        found = started.setdefault(token, _Started(source=str(row.get("source") or "")))
        if "job" in row:
            found.jobs.append(str(row["job"]))
            found.at = str(row.get("at") or "")
        elif "lost" in row:
            found.lost += 1
        else:
            found.scanned_bytes += int(str(row.get("scanned_bytes") or 0))
            found.money += float(str(row.get("money") or 0))
    return begun, started


def _row_of(begun: Begun) -> dict[str, object]:
    edges = {name: utc_text(edge) if edge else None for name, edge in (("start", begun.window.start), ("end", begun.window.end))}
    listed = {"words": list(begun.words), "sources": list(begun.sources)}
    return {"run": begun.run, "kind": begun.kind, **listed, **edges, "began": utc_text(begun.began), "rules": begun.rules}


def _begun_of(row: Mapping[str, object]) -> Begun | None:
    try:
        words, sources = cast("list[str]", row["words"]), cast("list[str]", row["sources"])
        edges = [None if row[name] is None else parse_time(str(row[name])) for name in ("start", "end")]
        return Begun(
            run=str(row["run"]),
            kind=str(row["kind"]),
            words=tuple(words),
            sources=tuple(sources),
            window=Window(start=edges[0], end=edges[1]),
            began=parse_time(str(row["began"])) or datetime.min.replace(tzinfo=UTC),
            rules=str(row["rules"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _again(token: str, lost: int) -> str:
    return hashlib.sha256(f"{token}|{lost}".encode()).hexdigest()


def _hold(file: IO[str]) -> bool:
    """Return True when no other process holds the file; this one does from now until it is closed."""
    try:
        import fcntl  # noqa: PLC0415 - not every system has it
    except ImportError:  # two processes are then not kept apart
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_free(path: Path) -> bool:
    try:
        with path.open("a", encoding="utf-8") as file:
            return _hold(file)
    except OSError:
        return False

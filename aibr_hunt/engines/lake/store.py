"""The lake's book: which files were read, which segments hold their events, who writes and who reads.

One SQLite transaction makes an addition visible, whole. Parquet files that no committed row names are leftovers of a process that died.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.event import Account, ByteClass, Refusal

FORMAT: Final = 1
BOOK: Final = "lake.db"
EVENTS: Final = "events"
UNTIMED: Final = "untimed"
_WRITER: Final = "writer.lock"
_READERS: Final = "readers.lock"
_WAIT_S: Final = 60.0
_POLL_S: Final = 0.25
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE input (
  number INTEGER PRIMARY KEY, path TEXT NOT NULL, digest TEXT NOT NULL, source TEXT NOT NULL, copy_of INTEGER REFERENCES input(number),
  account TEXT NOT NULL, strangers INTEGER NOT NULL, looks TEXT NOT NULL);
CREATE INDEX input_digest ON input(digest);
CREATE TABLE portion (
  input INTEGER NOT NULL REFERENCES input(number), source TEXT NOT NULL, day TEXT NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (input, day)) WITHOUT ROWID;
CREATE INDEX portion_day ON portion(source, day);
CREATE TABLE segment (
  name TEXT PRIMARY KEY, source TEXT NOT NULL, day TEXT NOT NULL, events INTEGER NOT NULL, repeats INTEGER NOT NULL,
  conflicts INTEGER NOT NULL, first_us INTEGER, last_us INTEGER, parquet_bytes INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,
  hot TEXT NOT NULL, contents BLOB NOT NULL, is_dead INTEGER NOT NULL DEFAULT 0);
CREATE INDEX segment_day ON segment(source, day);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One Parquet file.

    Attributes:
        name: Path below the lake's folder, with `/`.
        source, day: What it holds; the day is `YYYY-MM-DD` in UTC or `untimed`.
        events, repeats, conflicts: Rows, and how many of them are marked so.
        first_us, last_us: Event times in microseconds of the Unix epoch; None without a time.
        parquet_bytes: Its size. `raw_bytes`: that of the records in it.
        hot: The member paths that have columns.
        contents: Which values its hot columns hold (`contents`), packed; empty when it was not asked for.
    """

    name: str
    source: str
    day: str
    events: int
    repeats: int
    conflicts: int
    first_us: int | None
    last_us: int | None
    parquet_bytes: int
    raw_bytes: int
    hot: tuple[tuple[str, ...], ...]
    contents: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One file that was added.

    Attributes:
        number: Ascending in the order in which files were added.
        copy_of: Number of an earlier file with the same digest, whose events are this one's too; None for a file of its own.
        portions: Rows of the file, by day.
    """

    number: int
    account: Account
    copy_of: int | None = None
    strangers: int = 0
    looks: tuple[str, ...] = ()
    portions: tuple[tuple[str, int], ...] = ()


class Store:
    """An open lake folder.

    Args:
        folder: The lake's folder, made by `create` or by an earlier one.
    """

    def __init__(self, folder: Path) -> None:
        """Check that the folder holds a lake of a format that this version reads."""
        self.folder = folder
        if not (folder / BOOK).is_file():
            raise UsageError(f"There is no lake in {folder}.", hint="`aibr-hunt logs add PATH` makes one.")
        with self._book() as book:
            row = book.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        found = int(row[0]) if row else 0
        if found != FORMAT:
            raise EngineError(
                f"The lake {folder} has format {found}; this version reads format {FORMAT}.",
                hint="Use the version of aibr-hunt that wrote it." if found > FORMAT else "Add the logs anew to another folder.",
            )

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Return the lake in the folder; it is made when there is none.

        Raises:
            UsageError: The folder cannot be made, or holds other things.
        """
        if not (folder / BOOK).is_file():
            _make(folder)
        return cls(folder)

    @contextmanager
    def _book(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / BOOK
        try:
            book = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise EngineError(f"The lake's book {path} cannot be opened: {error}.", hint="Check its permissions.") from None
        try:
            yield book
        except sqlite3.Error as error:
            raise EngineError(f"The lake's book {path} cannot be used: {error}.", hint="Is the disk full, or the file damaged?") from None
        finally:
            book.close()

    # Reading

    def segments(self, *, with_contents: bool = False) -> tuple[Segment, ...]:
        """Return what is visible now, by source, day and name."""
        contents = "contents" if with_contents else "x''"
        columns = "name, source, day, events, repeats, conflicts, first_us, last_us, parquet_bytes, raw_bytes, hot"
        with self._book() as book:
            rows = book.execute(f"SELECT {columns}, {contents} FROM segment WHERE NOT is_dead ORDER BY source, day, name").fetchall()  # noqa: S608 - fixed texts
        return tuple(_segment(row) for row in rows)

    def snapshot(self, *, with_contents: bool = False) -> tuple[tuple[Input, ...], tuple[Segment, ...]]:
        """Return files and segments as one commit left them."""
        with self._book() as book:
            book.execute("BEGIN")
            inputs = tuple(_inputs(book))
            contents = "contents" if with_contents else "x''"
            columns = "name, source, day, events, repeats, conflicts, first_us, last_us, parquet_bytes, raw_bytes, hot"
            rows = book.execute(f"SELECT {columns}, {contents} FROM segment WHERE NOT is_dead ORDER BY source, day, name").fetchall()  # noqa: S608 - fixed texts
            book.execute("COMMIT")
        return inputs, tuple(_segment(row) for row in rows)

    def known(self) -> tuple[int, dict[str, int], set[tuple[str, str]]]:
        """Return the next free number, the number of the first file of each digest, and every pair of path and digest."""
        with self._book() as book:
            number = book.execute("SELECT coalesce(max(number), 0) + 1 FROM input").fetchone()[0]
            rows = book.execute("SELECT path, digest, number FROM input WHERE digest != '' ORDER BY number DESC").fetchall()
        return int(number), {digest: number for _, digest, number in rows}, {(path, digest) for path, digest, _ in rows}

    # Writing: only by who holds the writer's lock

    def commit_added(self, inputs: Sequence[Input], segments: Sequence[Segment]) -> None:
        """Make files and their events visible, all at once."""
        with self._book() as book:
            book.execute("BEGIN IMMEDIATE")
            for each in inputs:
                # An unreadable file is read anew each time: the last reading counts.
                kept = " AND number NOT IN (SELECT input FROM portion)" if each.account.digest else ""
                book.execute(f"DELETE FROM input WHERE digest = '' AND path = ?{kept}", (each.account.path,))  # noqa: S608 - fixed texts
                book.execute("INSERT INTO input VALUES (?,?,?,?,?,?,?,?)", _input_row(each))
                rows = [(each.number, each.account.source, day, events) for day, events in each.portions]
                book.executemany("INSERT INTO portion VALUES (?,?,?,?)", rows)
            _insert(book, segments)
            book.execute("COMMIT")

    def commit_merged(self, old: Sequence[Segment], new: Sequence[Segment]) -> None:
        """Put segments in the place of others, all at once."""
        with self._book() as book:
            book.execute("BEGIN IMMEDIATE")
            _insert(book, new)
            book.executemany("UPDATE segment SET is_dead = 1 WHERE name = ?", [(each.name,) for each in old])
            book.execute("COMMIT")

    def commit_dropped(self, segments: Sequence[Segment]) -> tuple[int, int]:
        """Take segments away, with the files of which nothing is left; return how many went and how many are cut."""
        with self._book() as book:
            book.execute("BEGIN IMMEDIATE")
            book.executemany("UPDATE segment SET is_dead = 1 WHERE name = ?", [(each.name,) for each in segments])
            days = sorted({(each.source, each.day) for each in segments})
            touched: set[int] = set()
            for source, day in days:
                touched |= {row[0] for row in book.execute("SELECT input FROM portion WHERE source = ? AND day = ?", (source, day))}
                book.execute("DELETE FROM portion WHERE source = ? AND day = ?", (source, day))
            left = {row[0] for row in book.execute("SELECT DISTINCT input FROM portion")}
            for number in sorted(touched - left):
                book.execute("DELETE FROM input WHERE copy_of = ?", (number,))
                book.execute("DELETE FROM input WHERE number = ?", (number,))
            for number in sorted(touched & left):
                _note_cut(book, number)
            book.execute("COMMIT")
        return len(touched - left), len(touched & left)

    @contextmanager
    def writing(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Hold the writer's lock: one addition, drop or compaction at a time. It ends with the process, however that ends.

        Raises:
            EngineError: Another one holds it, and still did after a minute.
        """
        path = self.folder / _WRITER
        lock = sqlite3.connect(path, timeout=0.1, isolation_level=None)
        try:
            if not _lock(lock):
                tell(f"Another process writes to the lake {self.folder}: waiting for it.")
                lock.execute(f"PRAGMA busy_timeout = {int(_WAIT_S * 1000)}")
                if not _lock(lock):
                    raise EngineError(
                        f"Another process has been writing to the lake {self.folder} for more than {_WAIT_S:.0f} s.",
                        retryable=True,
                        hint="Try again when it is done.",
                    )
            yield
        except sqlite3.Error as error:
            raise EngineError(f"The lake {self.folder} cannot be locked: {error}.", hint="Is the folder writable?") from None
        finally:
            lock.close()

    def reading(self) -> sqlite3.Connection:
        """Return a lock that keeps segments from being deleted while it is open; close it when done.

        To be taken before the snapshot is. A folder that cannot be written has no deleter: there any failure is passed over.
        """
        path = self.folder / _READERS
        lock = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            lock.execute("BEGIN")
            lock.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            lock.close()
            raise EngineError(f"The lake {self.folder} cannot be locked for reading: {error}.", retryable=True) from None
        return lock

    def sweep(self) -> tuple[int, int]:
        """Delete the Parquet files that no visible segment names, unless somebody reads; return how many went and how many wait.

        Only for who holds the writer's lock.
        """
        lock = sqlite3.connect(self.folder / _READERS, timeout=0, isolation_level=None)
        try:
            with self._book() as book:
                kept = {row[0] for row in book.execute("SELECT name FROM segment WHERE NOT is_dead")}
            on_disk = {path.relative_to(self.folder).as_posix(): path for path in (self.folder / EVENTS).rglob("*") if path.is_file()}
            gone = [name for name in on_disk if name not in kept]
            if not _lock(lock):
                return 0, len(gone)
            removed = sum(_removed(on_disk[name]) for name in gone)
            with self._book() as book:
                book.execute("DELETE FROM segment WHERE is_dead")
            return removed, len(gone) - removed
        finally:
            lock.close()


def _lock(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise
    return True


def _removed(path: Path) -> bool:
    try:
        path.chmod(0o644)  # Windows deletes nothing that is read-only
        path.unlink()
    except OSError:  # still open somewhere (Windows); the next sweep finds it
        return False
    return True


def _make(folder: Path) -> None:
    """Make an empty lake: its book appears last, whole."""
    # SQLite's journals stand beside what it was making when a process died: they bear its name and more.
    ours = (BOOK, _WRITER, _READERS)
    if folder.is_dir() and any(each.name != EVENTS and not each.name.startswith(ours) for each in folder.iterdir()):
        raise UsageError(f"The folder {folder} holds other things than a lake.", hint="Name an empty folder, or one that does not exist.")
    try:
        (folder / EVENTS).mkdir(parents=True, exist_ok=True)
        for name in (_WRITER, _READERS):
            with sqlite3.connect(folder / name) as lock:
                lock.execute("CREATE TABLE IF NOT EXISTS held (number INTEGER)")
            lock.close()
        fresh = folder / f"{BOOK}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        book = sqlite3.connect(fresh)
        book.executescript(_SCHEMA)
        book.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
        book.commit()
        book.close()
        fresh.replace(folder / BOOK)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"A lake cannot be made in {folder}: {error}.", hint="Name a folder that can be written.") from None


def _insert(book: sqlite3.Connection, segments: Sequence[Segment]) -> None:
    columns = "name, source, day, events, repeats, conflicts, first_us, last_us, parquet_bytes, raw_bytes, hot, contents"
    rows = [
        (
            *(each.name, each.source, each.day, each.events, each.repeats, each.conflicts, each.first_us, each.last_us),
            *(each.parquet_bytes, each.raw_bytes, json.dumps(each.hot), each.contents),
        )
        for each in segments
    ]
    book.executemany(f"INSERT INTO segment ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608 - fixed texts


def _segment(row: Sequence[Any]) -> Segment:
    return Segment(
        name=row[0],
        source=row[1],
        day=row[2],
        events=row[3],
        repeats=row[4],
        conflicts=row[5],
        first_us=row[6],
        last_us=row[7],
        parquet_bytes=row[8],
        raw_bytes=row[9],
        hot=tuple(tuple(path) for path in json.loads(row[10])),
        contents=row[11],
    )


def _inputs(book: sqlite3.Connection) -> Iterator[Input]:
    portions: dict[int, list[tuple[str, int]]] = {}
    for number, day, events in book.execute("SELECT input, day, events FROM portion ORDER BY input, day"):
        portions.setdefault(number, []).append((day, events))
    for number, account, copy_of, strangers, looks in book.execute(
        "SELECT number, account, copy_of, strangers, looks FROM input ORDER BY number"
    ):
        yield Input(
            number=number,
            account=account_of(account),
            copy_of=copy_of,
            strangers=strangers,
            looks=tuple(json.loads(looks)),
            portions=tuple(portions.get(number, ())),
        )


def _input_row(each: Input) -> tuple[object, ...]:
    account = each.account
    return (
        *(each.number, account.path, account.digest, account.source, each.copy_of),
        *(text_of(account), each.strangers, json.dumps(each.looks)),
    )


CUT: Final = "!some of its events were dropped from the lake"


def _note_cut(book: sqlite3.Connection, number: int) -> None:
    for row in book.execute("SELECT number, account FROM input WHERE number = ? OR copy_of = ?", (number, number)).fetchall():
        account = account_of(row[1])
        if CUT not in account.notes:
            book.execute("UPDATE input SET account = ? WHERE number = ?", (text_of(replace(account, notes=(*account.notes, CUT))), row[0]))


def text_of(account: Account) -> str:
    """Return an account as JSON."""
    plain = asdict(account)
    plain["byte_counts"] = {name.value: count for name, count in account.byte_counts.items()}
    plain["record_counts"] = {name.value: count for name, count in account.record_counts.items()}
    for name in ("first_time", "last_time"):
        plain[name] = plain[name] and plain[name].isoformat()
    return json.dumps(plain)


def account_of(text: str) -> Account:
    """Return an account from its JSON."""
    plain = json.loads(text)
    for name in ("byte_counts", "record_counts"):
        plain[name] = {ByteClass(each): count for each, count in plain[name].items()}
    for name in ("first_time", "last_time"):
        plain[name] = plain[name] and datetime.fromisoformat(plain[name])
    plain["refusals"] = tuple(Refusal(**each) for each in plain["refusals"])
    plain["notes"] = tuple(plain["notes"])
    return Account(**plain)

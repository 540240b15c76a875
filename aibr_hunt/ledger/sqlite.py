"""SQLite: the one module that knows which database it is. Another database is another module with these functions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger.tables import TableValue

FILE_NAME = "ledger.sqlite3"
WRITES = "aibr_writes"

_SETTINGS = (
    "busy_timeout = 200",  # milliseconds; store.py repeats, so that a person hears of the wait
    "journal_mode = WAL",  # readers go on while one writes, and a killed writer leaves nothing
    "synchronous = FULL",  # a commit is on the disk when it returns
    "fullfsync = ON",  # macOS: past the drive's own cache too; elsewhere without effect
    "foreign_keys = ON",
    "recursive_triggers = ON",  # INSERT OR REPLACE must meet the guards against deletion
    "trusted_schema = OFF",  # a doctored schema must not call functions
    "cell_size_check = ON",
    "cache_size = -32768",  # KiB
    "journal_size_limit = 67108864",
)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def open_engine(path: Path) -> Engine:
    """Return an engine on the database file at `path`; transactions begin as `begin` says."""
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(path)), connect_args={"timeout": 0.2})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def open_copy(path: Path) -> Engine:
    """Return an engine on a copy that nobody else uses; it reads and leaves the file as it is."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    engine = create_engine("sqlite+pysqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)
    event.listen(engine, "connect", _read_only)
    event.listen(engine, "begin", _begin)
    return engine


def is_busy(error: BaseException) -> bool:
    """True when another process holds the lock that was asked for."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(cause, sqlite3.OperationalError) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _BUSY


def create_file(path: Path) -> None:
    """Make an empty database file that only its owner can read; one that exists stays as it is."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def guard_statements(table: TableValue, mutable: Iterable[str]) -> tuple[str, ...]:
    """Return the statements that make the database itself refuse to change or delete rows of `table`.

    Args:
        table: Any table.
        mutable: Names of the columns that may change.
    """
    changing = set(mutable)
    fixed = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in changing)
    return tuple(
        f'CREATE TRIGGER "{name}" BEFORE {act} ON "{table.name}" BEGIN SELECT RAISE(ABORT, \'{table.name}: {refusal}\'); END'
        for name, act, refusal in (
            (f"{table.name}_keeps_rows", "DELETE", "rows are never deleted"),
            (f"{table.name}_keeps_values", f"UPDATE OF {fixed}", "what was recorded is never changed"),
        )
    )


def guards(connection: Connection) -> dict[str, str]:
    """Return the triggers of the database: name to statement."""
    return {str(name): str(text) for name, text in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")}


def table_names(connection: Connection) -> frozenset[str]:
    """Return the names of the tables that exist."""
    return frozenset(str(name) for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'"))


def damage(connection: Connection, *, limit: int = 20) -> tuple[str, ...]:
    """Return what the database's own check of pages and indexes finds wrong, and which references lead nowhere."""
    pages = [str(line) for (line,) in connection.exec_driver_sql(f"PRAGMA integrity_check({int(limit)})") if line != "ok"]
    dangling = [
        f"row {row} of {table} refers to a row of {parent} that does not exist"
        for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(limit)
    ]
    return (*pages, *dangling)


def tidy(engine: Engine) -> None:
    """Move the journal into the database file where no reader is in the way; without effect otherwise."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    except sqlite3.OperationalError:  # a reader is at work: the next commit tries again
        pass
    finally:
        raw.close()


def copy(path: Path, target: Path) -> None:
    """Write a consistent copy of the database at `path` to `target`, while others may read and write it.

    Raises:
        UsageError: `target` exists, or cannot be written.
        LedgerError: The copy does not hold together.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        hint = "Name a new file in a folder that exists."
        raise UsageError(f"The backup cannot be written to {target}: {error.strerror}.", hint=hint) from error
    try:
        _copy(path, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _copy(path: Path, target: Path) -> None:
    source, copied = sqlite3.connect(path, timeout=60), sqlite3.connect(target)
    try:
        source.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")  # one file, without a journal beside it
        found = copied.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise LedgerError(f"The copy of {path} does not hold together: {found[0]}.", hint="Run `evidence verify` on the ledger.")
    except sqlite3.Error as error:
        raise LedgerError(f"The ledger {path} cannot be copied: {error}.", hint="Run `evidence verify` on the ledger.") from error
    finally:
        copied.close()
        source.close()


def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions: `_begin` does
    cursor = connection.cursor()
    for setting in _SETTINGS:
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _read_only(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # as in `_configure`


def _begin(connection: Connection) -> None:
    """Take the write lock at once where the transaction writes: two writers can then never meet half way."""
    is_writing = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

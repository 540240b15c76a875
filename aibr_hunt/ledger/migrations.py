"""The schema's numbered steps. A step that was released is never edited: the next change is the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, insert, select, update

from aibr_hunt import __version__
from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import chain, sqlite
from aibr_hunt.ledger.store import Store
from aibr_hunt.ledger.tables import MUTABLE, SINCE_SCHEMA_2, SINCE_SCHEMA_3, TableValue, meta, metadata
from aibr_hunt.ledger.values import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from the schema before it to schema `number`."""

    number: int
    what: str
    apply: Callable[[Connection], None]


Migrations: TypeAlias = tuple[Migration, ...]


def _create_first_tables(connection: Connection) -> None:
    _create_tables(connection, [table for table in metadata.sorted_tables if table not in (*SINCE_SCHEMA_2, *SINCE_SCHEMA_3)])


def _create_episodes(connection: Connection) -> None:
    _create_tables(connection, SINCE_SCHEMA_2)


def _create_jobs(connection: Connection) -> None:
    _create_tables(connection, SINCE_SCHEMA_3)


def _create_tables(connection: Connection, wanted: Sequence[TableValue]) -> None:
    metadata.create_all(connection, tables=wanted, checkfirst=False)
    for table in wanted:
        for statement in sqlite.guard_statements(table, MUTABLE.get(table.name, ())):
            connection.exec_driver_sql(statement)


MIGRATIONS: Migrations = (
    Migration(number=1, what="runs, leads, coverage, evidence chain and vault", apply=_create_first_tables),
    Migration(number=2, what="episodes, links between leads, tallies", apply=_create_episodes),
    Migration(number=3, what="jobs of cloud engines", apply=_create_jobs),
)


def bring_up_to_date(store: Store, migrations: Migrations, *, ledger_id: str) -> Upgrade | None:
    """Leave the ledger at the newest schema; a new file gets its tables, an older ledger a backup first.

    Args:
        store: The ledger's store.
        migrations: All steps, in order.
        ledger_id: Id for a ledger that is made now.

    Returns:
        What was done to an older ledger; None for one that was new or up to date.

    Raises:
        LedgerError: The ledger is newer than this program, or the file is no ledger.
    """
    newest = migrations[-1].number
    with store.reading() as connection:
        schema = _schema_of(connection, store.path)
        _refuse_newer(connection, schema, newest=newest, path=store.path)
    if schema == newest:
        return None
    with store.writing() as connection:
        schema = _schema_of(connection, store.path)  # another process may have been faster
        if schema is None:
            _create(connection, migrations, ledger_id=ledger_id, at=store.clock())
            return None
        return _upgrade(store, connection, migrations, schema=schema) if schema < newest else None


def schema_of(connection: Connection) -> int:
    """Return the schema's version as the ledger states it."""
    return int(_meta(connection, "schema"))


def ledger_id_of(connection: Connection) -> str:
    """Return the id that the ledger got when it was made."""
    return _meta(connection, "ledger_id")


def _schema_of(connection: Connection, path: Path) -> int | None:
    names = sqlite.table_names(connection)
    if not names:
        return None
    if meta.name not in names:
        raise LedgerError(f"{path} is a database, but no ledger.", hint="Name another --home.")
    return schema_of(connection)


def _refuse_newer(connection: Connection, schema: int | None, *, newest: int, path: Path) -> None:
    if schema is not None and schema > newest:
        raise LedgerError(
            f"The ledger {path} has schema {schema}; aibr_hunt {__version__} knows schemas up to {newest}.",
            hint=f"It needs aibr_hunt {_meta(connection, 'tool_version')} or newer.",
        )


def _meta(connection: Connection, name: str) -> str:
    value = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
    if value is None:
        raise LedgerError(f"The ledger does not say its {name}: its table of properties was changed.", hint="Restore a backup.")
    return str(value)


def _create(connection: Connection, migrations: Migrations, *, ledger_id: str, at: datetime) -> None:
    for migration in migrations:
        migration.apply(connection)
    properties = {"schema": str(migrations[-1].number), "ledger_id": ledger_id, "tool_version": __version__}
    connection.execute(insert(meta), [{"name": name, "value": value} for name, value in properties.items()])
    writer = chain.start(connection, at=at)
    writer.append(chain.Entry(kind="ledger created", subject=ledger_id, actor=""), {**properties}, at=at)
    writer.finish(connection, at=at)


def _upgrade(store: Store, connection: Connection, migrations: Migrations, *, schema: int) -> Upgrade:
    at = store.clock()
    backup = store.path.with_name(f"{store.path.stem}-schema{schema}-{at:%Y%m%dT%H%M%S%fZ}.sqlite3")
    store.tell(f"The ledger has schema {schema}: a backup goes to {backup}, then it is upgraded.")
    sqlite.copy(store.path, backup)
    due = [migration for migration in migrations if migration.number > schema]
    for migration in due:
        migration.apply(connection)
    for name, value in (("schema", str(due[-1].number)), ("tool_version", __version__)):
        connection.execute(update(meta).where(meta.c.name == name).values(value=value))
    writer = chain.resume(connection)
    writer.append(
        chain.Entry(kind="ledger upgraded", subject=ledger_id_of(connection), actor=""),
        {"backup": str(backup), "from": schema, "to": due[-1].number, "tool_version": __version__},
        at=at,
    )
    writer.finish(connection, at=at)
    steps = tuple(f"{migration.number:03d} {migration.what}" for migration in due)
    return Upgrade(from_schema=schema, to_schema=due[-1].number, steps=steps, backup=backup)

"""How a ledger stands, and the few words about it that can be kept elsewhere."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from aibr_hunt import __version__
from aibr_hunt.ledger import chain, migrations, runreader, tables
from aibr_hunt.ledger.canonical import canonical_form
from aibr_hunt.ledger.values import LedgerStatus
from aibr_hunt.model.window import utc_text


def checkpoint(connection: Connection, *, at: datetime) -> str:
    """Return the chain's head and length as canonical JSON."""
    length, head = chain.head_of(connection)
    ledger_id = migrations.ledger_id_of(connection)
    return canonical_form({"at": utc_text(at), "head": head, "ledger": ledger_id, "length": length, "tool_version": __version__}).decode()


def read_status(connection: Connection, path: Path) -> LedgerStatus:
    """Return counts and sizes."""
    length, head = chain.head_of(connection)
    size, stored = connection.execute(select(func.sum(tables.vault.c.size), func.sum(tables.vault.c.stored_size))).one()
    return LedgerStatus(
        path=path,
        schema=migrations.schema_of(connection),
        ledger_id=migrations.ledger_id_of(connection),
        runs=count_of(connection, tables.runs),
        leads=count_of(connection, tables.leads),
        sightings=count_of(connection, tables.sightings),
        conflicts=count_of(connection, tables.conflicts),
        vault_objects=count_of(connection, tables.vault),
        vault_bytes=int(size or 0),
        vault_stored_bytes=int(stored or 0),
        size_bytes=sum(os.path.getsize(file) for file in path.parent.glob(f"{path.name}*")),  # noqa: PTH202 - one call a file
        chain_length=length,
        chain_head=head,
        last_run_id=runreader.last_run_id(connection) or "",
    )


def count_of(connection: Connection, table: tables.TableValue) -> int:
    """Return how many rows a table has."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

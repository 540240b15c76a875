"""Backups: a copy that was read back, and a manifest that says what is in it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sqlalchemy import Connection, select

from aibr_hunt.errors import UsageError
from aibr_hunt.ledger import sqlite, status, tables
from aibr_hunt.ledger.canonical import canonical_form, parsed
from aibr_hunt.ledger.documents import Document
from aibr_hunt.ledger.merkle import MerkleTree
from aibr_hunt.ledger.store import Store
from aibr_hunt.ledger.values import Backup


def back_up(store: Store, target: Path) -> Backup:
    """Write the copy and its manifest, `<target>.manifest.json`.

    Raises:
        UsageError: One of them exists, or cannot be written.
    """
    manifest = target.with_name(f"{target.name}.manifest.json")
    if manifest.exists():
        raise UsageError(f"{manifest} exists.", hint="Name a new file for the backup.")
    sqlite.copy(store.path, target)
    digest, size_bytes = _digest_of_file(target)
    copied = Store(path=target, engine=sqlite.open_copy(target), clock=store.clock, wait_s=store.wait_s, tell=store.tell)
    try:
        with copied.reading() as connection:
            document = _manifest(connection, store) | {"digest": digest, "size_bytes": size_bytes}
    finally:
        copied.engine.dispose()
    _write(manifest, canonical_form(document))
    return Backup(path=target, manifest=manifest, digest=digest, size_bytes=size_bytes)


def _manifest(connection: Connection, store: Store) -> Document:
    found = status.read_status(connection, store.path)
    return {
        "checkpoint": parsed(status.checkpoint(connection, at=store.clock()), what="The checkpoint"),
        "leads": found.leads,
        "runs": found.runs,
        "schema": found.schema,
        "vault": {"bytes": found.vault_bytes, "objects": found.vault_objects, "root_of_sorted_digests": _vault_root(connection)},
    }


def _vault_root(connection: Connection) -> str:
    tree = MerkleTree()
    digests = select(tables.vault.c.digest).order_by(tables.vault.c.digest).execution_options(yield_per=10_000)
    for digest in connection.execute(digests).scalars():
        tree.add(str(digest).encode())
    return tree.root()


def _digest_of_file(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

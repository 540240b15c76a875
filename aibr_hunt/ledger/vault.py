"""The vault: raw and canonical events by the SHA-256 of their bytes, kept once whatever finds them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Row, select
from zlib_ng import zlib_ng

from aibr_hunt.errors import LedgerError, LimitExceeded, UsageError
from aibr_hunt.ledger import tables
from aibr_hunt.ledger.batches import Column, chunks, insert_rows
from aibr_hunt.ledger.canonical import digest_of

_PLAIN = "plain"
_ZLIB = "zlib"
_SMALLEST_COMPRESSED = 256
_CONTENT_LIMIT = 256 * 2**20


class VaultWriter:
    """Adds objects to the vault within one write transaction, each digest once."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        """Write through `connection`."""
        self._connection = connection

    def add(self, objects: dict[str, tuple[bytes, int]]) -> None:
        """Keep every object that the vault does not hold yet.

        Args:
            objects: Digest to content and the sequence number of the evidence record that names it first.
        """
        held = held_digests(self._connection, objects)
        rows = [_row(digest, content, sequence) for digest, (content, sequence) in objects.items() if digest not in held]
        insert_rows(self._connection, tables.vault, rows)


def held_digests(connection: Connection, digests: Iterable[str]) -> frozenset[str]:
    """Return those of `digests` that the vault has a row for."""
    return frozenset(
        str(digest)
        for chunk in chunks(digests)
        for digest in connection.execute(select(tables.vault.c.digest).where(tables.vault.c.digest.in_(chunk))).scalars()
    )


def contents(connection: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Return the content of each of `digests` that the vault holds.

    Raises:
        LedgerError: An object cannot be unpacked.
    """
    found: dict[str, bytes] = {}
    wanted = select(tables.vault.c.digest, tables.vault.c.encoding, tables.vault.c.size, tables.vault.c.content)
    for chunk in chunks(dict.fromkeys(digests)):
        found.update((str(row.digest), unpacked(row)) for row in connection.execute(wanted.where(tables.vault.c.digest.in_(chunk))))
    return found


def content(connection: Connection, digest: str) -> bytes:
    """Return one object, checked against its digest.

    Raises:
        UsageError: The vault holds no such object.
        LedgerError: It does not have that digest any more.
    """
    found = contents(connection, [digest]).get(digest)
    if found is None:
        raise UsageError(f"The vault holds no object {digest!r}.", hint="`leads show` names the digests of a lead.")
    if digest_of(found) != digest:
        raise LedgerError(f"The vault object {digest} was changed: its bytes have another digest.", hint="Run `evidence verify`.")
    return found


def unpacked(row: Row[*tuple[object, ...]]) -> bytes:
    """Return the content of a vault row, bounded by the size that the row states.

    Raises:
        LedgerError: It cannot be unpacked to that size.
    """
    packed, size = bytes(row.content), int(row.size)
    if row.encoding == _PLAIN:
        return packed
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, min(max(size, 0), _CONTENT_LIMIT) + 1)
    except zlib.error as error:
        raise LedgerError(f"The vault object {row.digest} cannot be unpacked: {error}.", hint="Restore a backup.") from error
    if row.encoding != _ZLIB or len(content) != size or not unpacker.eof or unpacker.unused_data:
        raise LedgerError(f"The vault object {row.digest} does not unpack to its {size} bytes.", hint="Restore a backup.")
    return content


def _row(digest: str, content: bytes, sequence: int) -> dict[str, Column]:
    if len(content) > _CONTENT_LIMIT:
        raise LimitExceeded(f"An event of {len(content)} bytes is beyond what the vault keeps, {_CONTENT_LIMIT} bytes.")
    packed = zlib_ng.compress(content, 1) if len(content) >= _SMALLEST_COMPRESSED else content
    is_smaller = len(packed) < len(content)
    return {
        "digest": digest,
        "encoding": _ZLIB if is_smaller else _PLAIN,
        "size": len(content),
        "stored_size": len(packed) if is_smaller else len(content),
        "sequence": sequence,
        "content": packed if is_smaller else content,
    }

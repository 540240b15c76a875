"""What a column of a row must hold, read strictly: a ledger that holds anything else was changed from outside."""

from __future__ import annotations

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError


def row_text(row: RowMapping, name: str) -> str:
    """Return the text of a column.

    Raises:
        LedgerError: It holds something else.
    """
    value = row[name]
    if not isinstance(value, str):
        raise LedgerError(f"A row of the ledger holds {value!r:.40} in {name}, where a text belongs.")
    return value


def optional_text(row: RowMapping, name: str) -> str | None:
    """Return the text of a column, None where it holds none.

    Raises:
        LedgerError: It holds something else.
    """
    return None if row[name] is None else row_text(row, name)


def row_whole(row: RowMapping, name: str) -> int:
    """Return the whole number of a column.

    Raises:
        LedgerError: It holds something else.
    """
    value = row[name]
    if not isinstance(value, int):
        raise LedgerError(f"A row of the ledger holds {value!r:.40} in {name}, where a number belongs.")
    return value


def row_bytes(row: RowMapping, name: str) -> bytes:
    """Return the bytes of a column.

    Raises:
        LedgerError: It holds something else.
    """
    value = row[name]
    if not isinstance(value, bytes):
        raise LedgerError(f"A row of the ledger holds no bytes in {name}.")
    return value

"""Transactions on the ledger's database: patient ones, whose failures speak the project's own errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, exc

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import sqlite

T = TypeVar("T")
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One database and what the ledger needs to wait for it.

    Attributes:
        path: The database file.
        clock: Returns the present as aware UTC.
        wait_s: Seconds to wait for another process that writes.
        tell: Takes one sentence for the person who waits.
    """

    path: Path
    engine: Engine
    clock: Callable[[], datetime]
    wait_s: float
    tell: Callable[[str], None]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on one unchanging state of the ledger.

        Raises:
            LedgerError: The database cannot be read.
        """
        with self._translated(), self._begun(is_writing=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the only connection that writes; commit at the end, undo everything on an error.

        Raises:
            LedgerError: Another process writes for longer than `wait_s`, or the database refuses.
        """
        with self._translated(), self._begun(is_writing=True) as connection:
            yield connection

    @contextmanager
    def _begun(self, *, is_writing: bool) -> Iterator[Connection]:
        connection = self._patiently(self.engine.connect)
        try:
            connection = connection.execution_options(**{sqlite.WRITES: is_writing})
            with self._patiently(connection.begin):
                yield connection
        finally:
            connection.close()

    def _patiently(self, act: Callable[[], T]) -> T:
        deadline = time.monotonic() + self.wait_s
        has_told = False
        while True:
            try:
                return act()
            except exc.DBAPIError as error:
                if not sqlite.is_busy(error):
                    raise
                if time.monotonic() >= deadline:
                    raise LedgerError(
                        f"Another process has been writing to {self.path} for {self.wait_s:g} s.",
                        hint="Let it finish, then try again; nothing was written.",
                    ) from error
            if not has_told:
                self.tell(f"Another process is writing to {self.path}: waiting up to {self.wait_s:g} s.")
                has_told = True
            time.sleep(_PAUSE_S)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise LedgerError(
                f"The ledger {self.path} failed: {error.orig}. Nothing of this step was kept.",
                hint="Check free space and permissions, then run `evidence verify`.",
            ) from error

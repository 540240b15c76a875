"""Faults that a verification finds, named one by one up to a cap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import RowMapping

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.values import Fault

_CAP = 1000


class Faults:
    """Collects faults; beyond the cap they are only counted."""

    __slots__ = ("found", "left_out")

    def __init__(self) -> None:
        """Start without any."""
        self.found: list[Fault] = []
        self.left_out = 0

    def add(self, where: str, what: str) -> None:
        """Name one fault."""
        if len(self.found) < _CAP:
            self.found.append(Fault(where=where, what=what))
        else:
            self.left_out += 1

    def expect(self, where: str, found: RowMapping | Mapping[str, object], wanted: Mapping[str, object], *, source: str) -> None:
        """Name every member of `wanted` that is something else in `found`.

        Args:
            where: The row that `found` was read from.
            found: What the ledger holds now.
            wanted: What it should hold.
            source: What says so, such as `evidence record 12`.
        """
        for name, value in wanted.items():
            if found.get(name) != value:
                self.add(where, f"{name} is {_short(found.get(name))}; {source} says {_short(value)}.")

    @contextmanager
    def guarding(self, where: str) -> Iterator[None]:
        """Turn what cannot even be read into a fault, and go on."""
        try:
            yield
        except LedgerError as error:
            self.add(where, error.what)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."

"""Chance that comes out the same on every machine and under every version of Python, and the days on which it plays.

The standard library's generator would do as well today, but it promises the same numbers only for some of its functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

SEED: Final = "aibr_hunt synthetic clouds, 2026"
START: Final = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAYS: Final = 14

_MASK: Final = (1 << 64) - 1
_Item = TypeVar("_Item")


def at(text: str) -> datetime:
    """Return a time of January 2026 written as `12 01:12:40`: day, then the time of day in UTC."""
    return datetime.strptime(f"2026-01-{text} +0000", "%Y-%m-%d %H:%M:%S %z")


def later(moment: datetime, seconds: int) -> datetime:
    """Return the moment so many seconds later."""
    return moment + timedelta(seconds=seconds)


class Dice:
    """A stream of chance with a name: streams do not disturb each other (SplitMix64).

    Args:
        name: What it is for.
    """

    def __init__(self, name: str) -> None:
        """Begin the stream of this name."""
        self._state = int.from_bytes(hashlib.sha256(f"{SEED}/{name}".encode()).digest()[:8], "big")

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % limit

    def pick(self, items: Sequence[_Item]) -> _Item:
        """Return one of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[int, _Item]]) -> _Item:
        """Return one of the items, each as often as its weight says."""
        left = self.below(sum(weight for weight, _ in items))
        for weight, item in items:
            left -= weight
            if left < 0:
                return item
        raise AssertionError("the weights add up to more than their sum")

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.below(100) < percent

    def text(self, size: int, letters: str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") -> str:
        """Return so many letters."""
        return "".join(self.pick(letters) for _ in range(size))

    def any_time(self) -> datetime:
        """Return a time at which machines work: any, but more by day."""
        hour = self.below(24) if self.chance(45) else 6 + self.below(14)
        return START + timedelta(days=self.below(DAYS), hours=hour, microseconds=self.below(3_600_000_000))

    def batch_time(self) -> datetime:
        """Return a time in one of the six hours of a day in which batches run."""
        hour = (2, 8, 11, 14, 17, 20)[self.below(6)]
        return START + timedelta(days=self.below(DAYS), hours=hour, microseconds=self.below(3_600_000_000))

    def office_time(self) -> datetime:
        """Return a time at which people work: Monday to Friday, 7 to 17 h UTC."""
        day = self.pick([day for day in range(DAYS) if day % 7 < 5])
        return START + timedelta(days=day, hours=7 + self.below(10), microseconds=self.below(3_600_000_000))

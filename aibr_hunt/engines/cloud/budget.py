"""Ceilings on what programs may scan and cost: of one program, of one run, of one day."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from aibr_hunt.engines.cloud.protocol import Estimate, OverBudget
from aibr_hunt.model.job import Price

_GB = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What may be spent; None where nothing is forbidden.

    Attributes:
        query_bytes: Bytes that one program may scan.
        run_bytes: Bytes that all programs of a run may scan.
        day_bytes: Bytes that all programs of a UTC day may scan, those of earlier runs included.
        run_money, day_money: The same in the currency of the price; a Source without a price is bounded by bytes alone.
    """

    query_bytes: int | None = None
    run_bytes: int | None = None
    day_bytes: int | None = None
    run_money: float | None = None
    day_money: float | None = None


class Budget:
    """What is left of the ceilings while a run goes on; used by several threads.

    Args:
        ceilings: The ceilings.
        spent_bytes, spent_money: What earlier runs of the day spent.
    """

    def __init__(self, ceilings: Ceilings, *, spent_bytes: int = 0, spent_money: float = 0.0) -> None:
        """Start with what the day has left."""
        self.ceilings = ceilings
        self.run_bytes = 0
        self.run_money = 0.0
        self._day_bytes = spent_bytes
        self._day_money = spent_money
        self._held: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def most_bytes(self) -> int | None:
        """Return how many bytes the next program may scan: the narrowest of the ceilings; None without one."""
        with self._lock:
            held = sum(size for size, _ in self._held.values())
            ceilings = self.ceilings
            left = [
                ceilings.query_bytes,
                None if ceilings.run_bytes is None else ceilings.run_bytes - self.run_bytes - held,
                None if ceilings.day_bytes is None else ceilings.day_bytes - self._day_bytes - held,
            ]
        known = [each for each in left if each is not None]
        return max(0, min(known)) if known else None

    def hold(self, token: str, estimate: Estimate, price: Price | None) -> int | None:
        """Set the estimate aside for a program, and return how many bytes the engine may let it scan.

        Raises:
            OverBudget: A ceiling is lower. What it is, and what was estimated, stands in the message.
        """
        size = estimate.scanned_bytes or 0
        money = price.of(size) if price is not None else 0.0
        most = self.most_bytes()
        if most is not None and size > most:
            what = f"It would scan {_size(size)} ({estimate.basis}), and the ceilings leave {_size(most)}."
            raise OverBudget(what, hint="Raise the ceiling, shorten the window, or ask fewer rules.")
        with self._lock:
            held = sum(cost for _, cost in self._held.values())
            for name, ceiling, spent in (
                ("the run", self.ceilings.run_money, self.run_money),
                ("the day", self.ceilings.day_money, self._day_money),
            ):
                if ceiling is not None and spent + held + money > ceiling:
                    left = max(0.0, ceiling - spent - held)
                    what = f"It would cost {money:.2f} ({estimate.basis}), and the ceiling of {name} leaves {left:.2f}."
                    raise OverBudget(what, hint="Raise the ceiling, shorten the window, or ask fewer rules.")
            self._held[token] = (size, money)
        return most

    def spend(self, token: str, scanned_bytes: int | None, money: float | None) -> None:
        """Take what a program scanned in place of what was set aside for it; what the engine does not tell counts as estimated."""
        with self._lock:
            size, cost = self._held.pop(token, (0, 0.0))
            size, cost = size if scanned_bytes is None else scanned_bytes, cost if money is None else money
            self.run_bytes += size
            self._day_bytes += size
            self.run_money += cost
            self._day_money += cost

    def release(self, token: str) -> None:
        """Give back what was set aside for a program that never started."""
        with self._lock:
            self._held.pop(token, None)


def _size(count: int) -> str:
    return f"{count / _GB:,.2f} GB" if count >= _GB // 100 else f"{count:,} bytes"

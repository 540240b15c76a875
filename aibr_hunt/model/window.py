"""Half-open spans of time, and the one way in which the project reads and writes times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`[start, end)` in aware UTC; None on a side means unbounded there."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """True when `moment` (aware) lies in the window."""
        return (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)


def utc_text(moment: datetime) -> str:
    """Return `moment` (aware) as RFC 3339 in UTC with six decimals and `Z`."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"  # strftime does not pad years before 1000

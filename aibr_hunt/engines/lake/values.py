"""What the lake says of itself and of what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aibr_hunt.model.event import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What one `add` came to.

    Attributes:
        accounts: What became of the bytes of every file, in the order in which the files were given.
        events: Rows that were written, every delivery counted.
        repeats: Of these the deliveries of an event that the lake held already, byte for byte the same after canonical form.
        conflicts: Of these the events whose identity the lake held already with other content.
        skipped: Files that the lake held already under their digest; nothing of them was written.
    """

    accounts: tuple[Account, ...]
    events: int
    repeats: int
    conflicts: int
    skipped: int

    @property
    def refused(self) -> int:
        """Records and byte ranges that were not read as events."""
        return sum(len(account.refusals) + account.refusals_left_out for account in self.accounts)

    @property
    def is_complete(self) -> bool:
        """True when every byte of every file was read."""
        return all(account.is_complete for account in self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What the lake holds of one log source.

    Attributes:
        source: The mapping's name, or `as-written`.
        files: Files that gave its events; copies of a file that is held are not counted.
        events: Rows, every delivery counted; `repeats`, `conflicts` and `untimed` are shares of them.
        first_time, last_time: Event times, aware UTC; None when no event has one.
        days: Days that hold events, the untimed ones not counted.
        segments: Parquet files.
        parquet_bytes: Their size. `raw_bytes`: that of the records in them, as delivered and decompressed.
    """

    source: str
    files: int
    events: int
    repeats: int
    conflicts: int
    untimed: int
    first_time: datetime | None
    last_time: datetime | None
    days: int
    segments: int
    parquet_bytes: int
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What one `drop` took away.

    Attributes:
        events: Rows. `segments`: Parquet files.
        files: Files of which nothing is left: they can be added again.
        cut_files: Files of which a part is left.
    """

    events: int
    segments: int
    files: int
    cut_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What one `compact` did.

    Attributes:
        segments_before, segments_after: Parquet files of the days that were merged.
        events: Rows that were rewritten.
        removed: Parquet files that were deleted from disk; those still read by others go later.
        waiting: Parquet files that nothing refers to and that a reader still holds.
    """

    segments_before: int
    segments_after: int
    events: int
    removed: int
    waiting: int

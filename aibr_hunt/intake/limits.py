"""What intake accepts at most: every limit has a name, a value and a reason."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_MIB = 1024 * _KIB
_GIB = 1024 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one reading. What lies beyond a bound is refused by name, never cut in silence.

    Attributes:
        record_bytes: Largest record in UTF-8 bytes; it also bounds the memory of one reading.
        nesting: Deepest nesting of objects and lists that a record may have.
        content_bytes: Most bytes that one stored file may decompress to.
        bomb_ratio: Most content bytes for one stored byte, asked once `bomb_floor_bytes` of content are out.
        bomb_floor_bytes: Content below which a high ratio is not held against a file.
        refusals_kept: Refusals that an account lists one by one; the rest is counted.
        read_bytes: Stored bytes taken from the disk in one step.
        chunk_bytes: Content bytes that are framed together: large enough for few steps, small enough for the cache.
    """

    record_bytes: int = 64 * _MIB
    nesting: int = 256
    content_bytes: int = 64 * _GIB
    bomb_ratio: int = 500
    bomb_floor_bytes: int = 64 * _MIB
    refusals_kept: int = 1000
    read_bytes: int = 64 * _KIB
    chunk_bytes: int = 1 * _MIB


LIMITS = Limits()

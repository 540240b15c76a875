"""Gzip with the same content on every machine, whole and broken off."""

from __future__ import annotations

import zlib
from typing import Final

_KEPT_OF_RECORD: Final = 300


def gzipped(content: bytes) -> bytes:
    """Return the content in gzip, with neither name nor time in its head."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return squeezer.compress(content) + squeezer.flush()


def broken_off(lines: bytes) -> bytes:
    """Return lines in gzip whose transfer broke off in the middle of a record, somewhere past their half.

    A full flush stands just before the break, so that what can still be read is the same whatever library packs it.
    """
    kept = lines.index(b"\n", len(lines) // 2) + 1 + _KEPT_OF_RECORD
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    readable = squeezer.compress(lines[:kept]) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return readable + (squeezer.compress(lines[kept:]) + squeezer.flush())[:6]

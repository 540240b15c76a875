"""Stored bytes become content: gzip and zstd in several members or frames, told by their first bytes, in bounded steps.

A fault in the stored bytes costs what lies behind it and nothing before it: what a damaged member still gives is read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, cast

from zlib_ng import zlib_ng

from aibr_hunt.errors import IntakeError
from aibr_hunt.intake.limits import Limits
from aibr_hunt.intake.tally import Tally
from aibr_hunt.model.event import Refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTD, NONE = "gzip", "zstd", "none"
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_TAIL = b"\x2a\x4d\x18"  # RFC 8878 section 3.1.2: 0x184D2A50 to 0x184D2A5F, little endian
_MAGIC_BYTES = 4

Step: TypeAlias = tuple[bytes, bytes, bool]


class _Member(Protocol):
    """One gzip member or zstd frame on its way out."""

    def step(self, data: bytes, most: int) -> Step:
        """Return at most `most` bytes of content, the input that is not used yet, and whether the member is complete."""


class _GzipMember:
    def __init__(self) -> None:
        self._inner = zlib_ng.decompressobj(wbits=31)

    def step(self, data: bytes, most: int) -> Step:
        content = self._inner.decompress(data, most)
        if self._inner.eof:
            return content, self._inner.unused_data, True
        return content, self._inner.unconsumed_tail, False


class _ZstdFrame:
    def __init__(self) -> None:
        self._inner = zstd.ZstdDecompressor()

    def step(self, data: bytes, most: int) -> Step:
        content = self._inner.decompress(data, most)
        if self._inner.eof:
            return content, self._inner.unused_data, True
        return content, b"", False


# The stub of zlib_ng calls its error class an instance.
_FAULTS = (cast("type[Exception]", zlib_ng.error), zstd.ZstdError, EOFError)


def compression_of(head: bytes) -> str:
    """Return `gzip`, `zstd` or `none` for the first bytes of a stored file."""
    if head.startswith(_GZIP_MAGIC):
        return GZIP
    if head.startswith(_ZSTD_MAGIC) or (head[1:4] == _SKIPPABLE_TAIL and head[0] & 0xF0 == 0x50):
        return ZSTD
    return NONE


class Stored:
    """One stored file: opened without waiting, read in steps, hashed as it is read.

    Args:
        path: The file.
        read_bytes: Size of a step.

    Raises:
        IntakeError: When it cannot be opened or is no regular file.
    """

    def __init__(self, path: Path, *, read_bytes: int) -> None:
        """Open the file; a pipe or device that took its place is refused, not waited for."""
        self.path = path
        self.position = 0
        self._read_bytes = read_bytes
        self._hash = hashlib.sha256()
        try:
            # Without O_NONBLOCK the opening of a pipe would wait for a writer.
            self._file: BinaryIO = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise IntakeError(f"{path} cannot be opened: {error.strerror or error}.") from error
        self.status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(self.status.st_mode):
            self._file.close()
            raise IntakeError(f"{path} is no regular file.")

    @property
    def digest(self) -> str:
        """SHA-256, hex, of all that was read."""
        return self._hash.hexdigest()

    def read(self, size: int = 0) -> bytes:
        """Return the next bytes, empty at the end.

        Raises:
            OSError: When the disk or the network behind it fails.
        """
        data = self._file.read(size or self._read_bytes) or b""
        self._hash.update(data)
        self.position += len(data)
        return data

    def drain(self) -> None:
        """Read to the end, so that the digest covers the whole file."""
        while self.read():
            pass

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))


class Content:
    """The content of one stored file, in pieces.

    Args:
        stored: The open file.
        limits: Sizes of steps and the caps on what may come out.
        tally: Takes what is refused of the stored bytes.
    """

    def __init__(self, stored: Stored, *, limits: Limits, tally: Tally) -> None:
        """Read the first step, which tells the compression."""
        self._stored = stored
        self._limits = limits
        self._tally = tally
        # Pieces are gathered up to `chunk_bytes`: halves keep what comes together below one and a half of it.
        self._piece_bytes = max(1, limits.chunk_bytes // 2)
        self._data = stored.read()
        self.compression = compression_of(self._data)
        self.size = 0
        self._fault_at = 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most half of `chunk_bytes`; the digest covers all stored bytes afterwards."""
        try:
            yield from self._plain() if self.compression == NONE else self._members()
            self._stored.drain()
        except OSError as error:
            self._refuse("stored bytes cannot be read", self._stored.position, detail=error.strerror or str(error))

    def _plain(self) -> Iterator[bytes]:
        piece = self._data
        while piece:
            self.size += len(piece)
            if self.size > self._limits.content_bytes:
                excess = self.size - self._limits.content_bytes
                self.size -= excess
                yield piece[:-excess]
                self._refuse("more content than the limit", self._stored.position - excess)
                return
            yield piece
            piece = self._stored.read(self._piece_bytes)

    def _members(self) -> Iterator[bytes]:
        count = 0
        while self._fill(_MAGIC_BYTES):
            if compression_of(self._data) != self.compression:
                self._refuse_trailer(self._consumed)
                return
            count += 1
            if not (yield from self._member()):
                return
        if count > 1:
            self._tally.note(f"{count} {'gzip members' if self.compression == GZIP else 'zstd frames'}")

    def _fill(self, size: int) -> bool:
        while len(self._data) < size:
            more = self._stored.read()
            if not more:
                break
            self._data += more
        return bool(self._data)

    @property
    def _consumed(self) -> int:
        return self._stored.position - len(self._data)

    def _member(self) -> Generator[bytes, None, bool]:
        """Yield one member's content; the value returned says whether the next member may follow."""
        start, given = self._consumed, 0
        member = self._new_member()
        while True:
            before = self._consumed
            try:
                piece, self._data, is_done = member.step(self._data, self._piece_bytes)
            except _FAULTS as error:
                self._fault_at = before
                yield from self._salvage(start, given)
                self._refuse(f"damaged {self.compression} data", self._fault_at, detail=str(error))
                return False
            self.size += len(piece)
            given += len(piece)
            if piece:
                yield piece
            if self._is_bomb():
                self._refuse("more content than the limit on compressed files", self._consumed, detail=f"{self.size} bytes came out")
                return False
            if is_done:
                return True
            if not piece and not self._data:
                self._data = self._stored.read()
                if not self._data:
                    self._refuse(f"truncated {self.compression} data", self._stored.position)
                    return False

    def _new_member(self) -> _Member:
        return _GzipMember() if self.compression == GZIP else _ZstdFrame()

    def _is_bomb(self) -> bool:
        limits = self._limits
        if self.size > limits.content_bytes:
            return True
        return self.size > limits.bomb_floor_bytes and self.size > limits.bomb_ratio * max(1, self._consumed)

    def _salvage(self, start: int, given: int) -> Iterator[bytes]:
        """Yield what the failing step still held: the member is run again, and byte by byte from where it stopped."""
        member, rest = self._new_member(), bytearray()
        with self._stored.path.open("rb") as again, suppress(*_FAULTS):
            again.seek(start)
            data = _skip(member, again, given, limits=self._limits)
            _drain(member, b"", into=rest)
            # A step ends at `_piece_bytes`: had it held more, it had not failed, so the file changed below us.
            while data and len(rest) <= self._piece_bytes:
                for index in range(len(data)):
                    self._fault_at = again.tell() - len(data) + index
                    _drain(member, data[index : index + 1], into=rest)
                data = again.read(self._limits.read_bytes)
        self.size += len(rest)
        if rest:
            yield bytes(rest)

    def _refuse_trailer(self, start: int) -> None:
        """Refuse what follows the last member, unless it is padding with zeros, as tapes and some copies leave it."""
        is_padding = not any(self._data)
        while more := self._stored.read():
            is_padding = is_padding and not any(more)
        if is_padding:
            self._tally.note(f"{self._stored.position - start} bytes of zero padding after the compressed data")
        else:
            self._refuse(f"trailing bytes after the {self.compression} data", start)

    def _refuse(self, reason: str, start: int, *, detail: str = "") -> None:
        self._stored.drain()
        length = max(0, self._stored.position - start)
        self._tally.list_refusal(Refusal(reason=reason, offset=start, length=length, is_stored=True, detail=detail))


def _skip(member: _Member, file: BinaryIO, size: int, *, limits: Limits) -> bytes:
    """Run `member` until `size` bytes of content came out, and return the input that it has not taken yet."""
    data = b""
    while size:
        data = data or file.read(limits.read_bytes)
        piece, data, _ = member.step(data, min(size, limits.chunk_bytes))
        if not piece and not data and not (data := file.read(limits.read_bytes)):
            return b""
        size -= len(piece)
    return data or file.read(limits.read_bytes)


def _drain(member: _Member, data: bytes, *, into: bytearray) -> None:
    """Add all that the input gives, taken out byte by byte: a step that fails loses what it had."""
    while True:
        piece, data, is_done = member.step(data, 1)
        into += piece
        if is_done or (not piece and not data):
            return

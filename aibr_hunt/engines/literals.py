r"""Finds the literals of a sieve in bytes, without ASCII case: hyperscan where it can be had, RE2 elsewhere.

Both give the same answer. `\u` is always looked for too: a record that holds it must be parsed, because an escape can
spell any literal. Non-ASCII bytes are the caller's matter.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import re2

from aibr_hunt.content.cache import write_whole

try:
    import hyperscan
except ImportError:  # no wheel for this platform
    hyperscan = None  # type: ignore[assignment] # asked before each use

ESCAPE: Final = b"\\u"
# A raw control byte inside a string reads as an escape in an object's text, which its bytes do not hold. Tab, line feed and
# carriage return also stand between tokens, in every record of some files: for those the sieve shortens its literals.
_CONTROL: Final = rb"[\x00-\x08\x0b\x0c\x0e-\x1f]"
_FIRST_PRINTABLE: Final = 0x20
_START: Final = 4  # no literal of a sieve is shorter
Places = npt.NDArray[np.int64]


class LiteralScanner(Protocol):
    """Finds literals in bytes.

    Attributes:
        name: Which implementation it is, for `engines` and the run's statistics.
    """

    name: str

    def scan(self, buffer: bytes) -> tuple[Places, Places]:
        """Return where literals end (ascending) and their numbers; the number after the last literal is an escape or a control byte."""
        ...

    def may_hold_any(self, record: bytes) -> bool:
        """True when the record must be parsed: it holds a literal, an escape, a control byte or a non-ASCII byte."""
        ...


def scanner_for(literals: Sequence[str], *, cache: Path | None = None, use_hyperscan: bool = True) -> LiteralScanner:
    """Return a scanner of the literals.

    Args:
        literals: Folded, printable ASCII, without `"`, `/` and backslash.
        cache: Folder for compiled databases; None compiles anew.
        use_hyperscan: False takes the RE2 scanner even where hyperscan is installed.
    """
    if use_hyperscan and hyperscan is not None:
        return HyperscanScanner(literals, cache)
    return Re2Scanner(literals)


class HyperscanScanner:
    """All literals in one pass at some 2 GB/s a core, however many there are."""

    name = "hyperscan"

    def __init__(self, literals: Sequence[str], cache: Path | None = None) -> None:
        """Compile the literals, or take the compiled form from the cache."""
        self._plain = [*(literal.encode() for literal in literals), ESCAPE]
        self._patterns = [*(re.escape(literal) for literal in self._plain), _CONTROL]
        self._database = self._from_cache(cache) or self._compiled(cache)

    def _compiled(self, cache: Path | None) -> hyperscan.Database:
        database = hyperscan.Database()
        flags = [hyperscan.HS_FLAG_CASELESS] * len(self._patterns)
        numbers = [*range(len(self._plain)), len(self._plain) - 1]  # a control byte is as good a reason as an escape
        database.compile(expressions=self._patterns, ids=numbers, elements=len(self._patterns), flags=flags)
        if cache is not None:
            with contextlib.suppress(OSError):
                write_whole(self._path(cache), hyperscan.dumpb(database))
        return database

    def _from_cache(self, cache: Path | None) -> hyperscan.Database | None:
        if cache is None:
            return None
        try:
            database = hyperscan.loadb(self._path(cache).read_bytes(), hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
            return database if self._is_ours(database) else None
        except (OSError, hyperscan.error):
            return None

    def _is_ours(self, database: hyperscan.Database) -> bool:
        """True when the database finds each literal by its number: a file under a wrong name would lose leads in silence."""
        found: set[tuple[int, int]] = set()
        database.scan(b"\n".join(self._plain), match_event_handler=lambda number, _start, end, *_: found.add((number, end)))
        ends = accumulate(self._plain, lambda end, literal: end + 1 + len(literal), initial=-1)
        return found >= set(enumerate(islice(ends, 1, None))) and all(number < len(self._plain) for number, _ in found)

    def _path(self, cache: Path) -> Path:
        stamp = f"{importlib.metadata.version('hyperscan')}|{platform.machine()}|{platform.node()}".encode()
        return cache / f"literals-{hashlib.sha256(stamp + b'|'.join(self._patterns)).hexdigest()[:32]}.hs"

    def scan(self, buffer: bytes) -> tuple[Places, Places]:
        """Return the places where literals end (ascending) and their numbers."""
        ends: list[int] = []
        numbers: list[int] = []
        add_end, add_number = ends.append, numbers.append

        def found(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            add_end(end)
            add_number(number)

        self._database.scan(buffer, match_event_handler=found)
        return np.array(ends, np.int64), np.array(numbers, np.int64)

    def may_hold_any(self, record: bytes) -> bool:
        """True when the record must be parsed."""
        return not record.isascii() or self.scan(record)[0].size > 0


class Re2Scanner:
    """The same answers from RE2: slower, and everywhere."""

    name = "re2"

    def __init__(self, literals: Sequence[str]) -> None:
        """Compile one alternation that finds where any literal starts to match."""
        self._literals = [literal.encode() for literal in literals] + [ESCAPE]
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.case_sensitive = False
        options.max_mem = 256 << 20
        self._any = re2.compile(b"|".join([*map(re2.escape, self._literals), _CONTROL]), options)
        self._by_start: dict[bytes, list[tuple[int, bytes]]] = {}
        for number, literal in enumerate(self._literals):
            self._by_start.setdefault(literal[:_START], []).append((number, literal))

    def scan(self, buffer: bytes) -> tuple[Places, Places]:
        """Return the places where literals end (ascending) and their numbers."""
        lower = buffer.lower()
        found: list[tuple[int, int]] = []
        at = 0
        while (hit := self._any.search(lower, at)) is not None:
            start = hit.start()
            # RE2 names one alternative for a place; every literal that starts here counts.
            for opening in {lower[start : start + _START], lower[start : start + len(ESCAPE)]}:
                for number, literal in self._by_start.get(opening, ()):
                    if lower.startswith(literal, start):
                        found.append((start + len(literal), number))
            if lower[start] < _FIRST_PRINTABLE:
                found.append((start + 1, len(self._literals) - 1))
            at = start + 1
        found.sort()
        return np.array([end for end, _ in found], np.int64), np.array([number for _, number in found], np.int64)

    def may_hold_any(self, record: bytes) -> bool:
        """True when the record must be parsed."""
        return not record.isascii() or self._any.search(record) is not None

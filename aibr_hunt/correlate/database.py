"""Opens the embedded engine: one private in-memory database for all correlators of a process, or one of its own.

Opening a database costs some 25 ms, a connection to an open one next to nothing; tables are temporary ones, which each
connection has for itself. What does not fit in memory goes to files in a folder of the process, which is removed at its end.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Final

import duckdb

from aibr_hunt.errors import EngineError, UsageError

_MEMORY: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?\s*[KMGT]i?B", re.ASCII | re.IGNORECASE)
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_OPENED: Final[dict[tuple[int, str], duckdb.DuckDBPyConnection]] = {}


class Sql(str):
    """Text of a statement or a part of one, made by `sql` from our own text and checked names."""

    __slots__ = ()


def sql(text: str, **parts: int | str) -> Sql:
    """Return the text with each `$name` replaced by a number, a lower-case name, or text that `sql` made."""
    return Sql(Template(text).substitute({name: _written(part) for name, part in parts.items()}))


def _written(part: int | str) -> str:
    if isinstance(part, int):
        return str(int(part)) if part >= 0 else f"({int(part)})"
    if isinstance(part, Sql) or _NAME.fullmatch(part):
        return str(part)
    raise AssertionError(part)


def joined(parts: list[Sql] | tuple[Sql, ...], separator: str) -> Sql:
    """Return the parts with a fixed text between them."""
    return Sql(separator.join(parts))


def connect(memory_limit: str, temporary: Path | None) -> duckdb.DuckDBPyConnection:
    """Return a new connection: to the database of the process, or to one of its own when it has its own folder to spill to.

    Raises:
        UsageError: `memory_limit` is no size.
    """
    if _MEMORY.fullmatch(memory_limit) is None:
        raise UsageError(f"The memory limit {memory_limit} is no size.", hint="Write a number and a unit, such as 2GB.")
    with told("opening the correlation engine"):
        if temporary is not None:
            return _opened(memory_limit, temporary)
        # A forked child must not touch the threads of its parent's database.
        key = (os.getpid(), memory_limit)
        if key not in _OPENED:
            _OPENED[key] = _opened(memory_limit, _spill_folder())
        return _OPENED[key].cursor()


def _opened(memory_limit: str, folder: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": memory_limit,
            "preserve_insertion_order": False,
            "temp_directory": str(folder),
        },
    )


def _spill_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="aibr-hunt-correlate-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn the engine's errors into ours."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "Give it more memory or a folder with more room." if isinstance(error, duckdb.OutOfMemoryException) else ""
        raise EngineError(f"The correlation engine failed while {doing}: {reason}", hint=hint) from error

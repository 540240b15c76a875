"""Rows become Parquet files: sorted by shape and time, written to the side, made durable, then given their name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from aibr_hunt.engines.lake.contents import column_of_cells, contents_of, packed
from aibr_hunt.engines.lake.hot import column_of, shown
from aibr_hunt.engines.lake.rows import Row
from aibr_hunt.engines.lake.store import EVENTS, Segment
from aibr_hunt.errors import EngineError
from aibr_hunt.model.mapping import FieldPath

# Columns of every segment, in the order of `Row.head`, with their types in Parquet.
HEAD: Final[tuple[tuple[str, str], ...]] = (
    ("time_us", "BIGINT"),
    ("time_text", "VARCHAR"),
    ("file", "INTEGER"),
    ("offset", "BIGINT"),
    ("length", "INTEGER"),
    ("ordinal", "INTEGER"),
    ("identity", "VARCHAR"),
    ("is_weak", "BOOLEAN"),
    ("canonical_digest", "BLOB"),
    ("principal", "VARCHAR"),
    ("address", "VARCHAR"),
    ("resource", "VARCHAR"),
    ("action", "VARCHAR"),
    ("region", "VARCHAR"),
    ("account", "VARCHAR"),
    ("raw", "VARCHAR"),
    ("raw_bytes", "BLOB"),
    ("text", "BLOB"),
    ("json", "VARCHAR"),
)
MARKS: Final = (("is_repeat", "BOOLEAN"), ("is_conflict", "BOOLEAN"), ("is_odd", "BOOLEAN"), ("shape", "INTEGER"))
ROW_GROUP: Final = 20_480
_READ_ONLY: Final = 0o444
MOST_MEMORY: Final = "1GB"
_DTYPES: Final = {"BIGINT": np.int64, "INTEGER": np.int64, "BOOLEAN": np.bool_}
LOCKED_DOWN: Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Rows of one source and day that go into one segment.

    Attributes:
        rows: With cells at `paths`.
        is_repeat, is_conflict: For each row, whether its event was delivered before, and whether its identity was with other content.
    """

    source: str
    day: str
    paths: tuple[FieldPath, ...]
    rows: Sequence[Row]
    is_repeat: npt.NDArray[np.bool_]
    is_conflict: npt.NDArray[np.bool_]


def working(folder: Path, *, threads: int = 1, most_memory: str = MOST_MEMORY) -> duckdb.DuckDBPyConnection:
    """Return a connection that writes segments; it loads nothing, and spills into the lake's folder."""
    config: dict[str, Any] = {**LOCKED_DOWN, "threads": str(threads), "memory_limit": most_memory, "preserve_insertion_order": "true"}
    connection = duckdb.connect(":memory:", config=config)
    connection.execute(f"SET temp_directory = {quoted((folder / EVENTS / 'spill').as_posix())}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def write_segment(folder: Path, bundle: Bundle, connection: duckdb.DuckDBPyConnection) -> Segment:
    """Return a segment that is on disk, whole and under its name, though not visible yet.

    Raises:
        EngineError: The disk is full or cannot be written.
    """
    rows = bundle.rows
    odd = np.array([row.is_odd for row in rows], np.bool_)
    columns = [column_of_cells(cells) for cells in zip(*(row.cells for row in rows), strict=True)]
    contents, shapes = contents_of(columns, odd)
    heads = list(zip(*(row.head for row in rows), strict=True))
    times, lengths = heads[0], heads[4]
    order = np.lexsort((np.array([-1 if each is None else each for each in times]), shapes))
    frame: dict[str, Any] = {}
    casts: list[str] = []
    for place, ((name, kind), cells) in enumerate(zip(HEAD, heads, strict=True)):
        is_blank = cells.count(None) == len(cells)
        if not is_blank:
            frame[f"h{place}"] = _array(cells, kind)[order]
        casts.append(f"CAST({'NULL' if is_blank else f'h{place}'} AS {kind}) AS {named(name)}")
    for (name, kind), marks in zip(MARKS, (bundle.is_repeat, bundle.is_conflict, odd, shapes), strict=True):
        frame[f"m_{name}"] = marks[order]
        casts.append(f"CAST(m_{name} AS {kind}) AS {name}")
    for number, column in enumerate(columns):
        is_blank = column.cells == [None]
        if not is_blank:
            texts = np.array([*map(shown, column.cells), None], object)[:-1]
            frame[f"c{number}"] = texts[column.numbers[order]]
        casts.append(f"CAST({'NULL' if is_blank else f'c{number}'} AS VARCHAR) AS {named(column_of(bundle.paths[number]))}")
    connection.register("frame", frame)
    try:
        name, size = write_parquet(folder, bundle.source, bundle.day, select=f"SELECT {', '.join(casts)} FROM frame", connection=connection)  # noqa: S608 - names are quoted
    finally:
        connection.unregister("frame")
    known = [each for each in times if each is not None]
    return Segment(
        name=name,
        source=bundle.source,
        day=bundle.day,
        events=len(rows),
        repeats=int(bundle.is_repeat.sum()),
        conflicts=int(bundle.is_conflict.sum()),
        first_us=min(known, default=None),
        last_us=max(known, default=None),
        parquet_bytes=size,
        raw_bytes=sum(lengths),
        hot=bundle.paths,
        contents=packed(contents),
    )


def _array(cells: Sequence[Any], kind: str) -> Any:
    dtype = _DTYPES.get(kind)
    if dtype is None:
        return np.array([*cells, None], object)[:-1]  # the None keeps numpy from looking for a deeper shape
    if None not in cells:
        return np.array(cells, dtype)
    return np.ma.masked_array([0 if each is None else each for each in cells], [each is None for each in cells], dtype)


def write_parquet(folder: Path, source: str, day: str, *, select: str, connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """Write what a query gives as a segment's file; return the name and size.

    Raises:
        EngineError: The disk is full or cannot be written.
    """
    name = f"{EVENTS}/{source}/{day}/{secrets.token_hex(8)}.parquet"
    path = folder / name
    aside = path.with_suffix(".writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"COPY ({select}) TO {quoted(aside.as_posix())} "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP}, USE_TMP_FILE false)"
        )
        _make_durable(aside)
        aside.chmod(_READ_ONLY)  # a statement of SQL that may read it may otherwise write over it
        aside.replace(path)
        _make_durable(path.parent)
        return name, path.stat().st_size
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException) as error:
        first = str(error).splitlines()[0]
        hint = "Is the disk full? What was visible in the lake before is untouched."
        raise EngineError(f"A segment of the lake {folder} cannot be written: {first}", retryable=True, hint=hint) from None


def _make_durable(path: Path) -> None:
    """Wait until the disk has what was written; folders can be waited for on POSIX only."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

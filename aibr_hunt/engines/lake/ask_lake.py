"""Questions over a lake folder: its views, and below them the deliveries that views leave out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from aibr_hunt.engines.lake.ask_event import Delivery
from aibr_hunt.engines.lake.ask_ground import Ground, run
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.questions import Questions
from aibr_hunt.engines.lake.segments import quoted
from aibr_hunt.engines.lake.views import view_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_EVENT_ID: Final = "substr(sha256(identity || '|' || lower(hex(canonical_digest))), 1, 16)"


def questions_on(lake: Lake, placeholders: Mapping[str, tuple[str, ...]]) -> Questions:
    """Return what asks a lake as it is now; additions that come later are not seen.

    Args:
        lake: An open lake.
        placeholders: Values of each `%name%` in conditions.

    Raises:
        EngineError: The lake cannot be read.
    """
    connection = lake.connect()
    known = {mapping.name: mapping for mapping in lake.mappings}
    held = dict.fromkeys(path.parts[-3] for path in _segments(connection))
    sources = {view_name(source): known.get(source) for source in held}
    ground = Ground(connect=connection.cursor, sources=sources, deliveries=_deliveries, placeholders=placeholders)
    return Questions(ground, close=connection.close)


def _segments(connection: DuckDBPyConnection) -> list[PurePosixPath]:
    """Return the Parquet files that the connection may read: `…/events/<source>/<day>/<name>`."""
    rows = run(connection, "SELECT unnest(current_setting('allowed_paths')) AS path ORDER BY path")
    return [PurePosixPath(str(path)) for (path,) in rows]


def _deliveries(connection: DuckDBPyConnection, view: str, identity: str) -> Sequence[Delivery]:
    """Return every delivery of an event, repeats too, in the order in which their files were added."""
    files = [quoted(str(path)) for path in _segments(connection) if view_name(path.parts[-3]) == view]
    rows = run(
        connection,
        f'SELECT {_EVENT_ID}, time_us, is_weak, lower(hex(canonical_digest)), file, "offset", length, ordinal, raw, raw_bytes, '  # noqa: S608 - our own paths
        f"coalesce(json, decode(text), raw) FROM read_parquet([{', '.join(files)}], union_by_name = true) "
        'WHERE identity = ? ORDER BY file, "offset"',
        [identity],
    )
    paths = _paths(connection)
    return list(_read(rows, paths, view=view, identity=identity))


def _paths(connection: DuckDBPyConnection) -> dict[int, tuple[str, ...]]:
    """Return the path of each file by its number, and those of its copies behind it."""
    found: dict[int, tuple[str, ...]] = {}
    for number, path, copy_of in run(connection, "SELECT number, path, copy_of FROM files ORDER BY number"):
        first = _number(number if copy_of is None else copy_of)
        found[first] = (*found.get(first, ()), str(path))
    return found


def _read(rows: Sequence[tuple[object, ...]], paths: Mapping[int, tuple[str, ...]], *, view: str, identity: str) -> Iterator[Delivery]:
    for event_id, time_us, is_weak, digest, file, offset, length, ordinal, raw, raw_bytes, text in rows:
        places = paths.get(_number(file), ("",))
        yield Delivery(
            source=view,
            event_id=str(event_id),
            identity=identity,
            time=None if time_us is None else _EPOCH + timedelta(microseconds=_number(time_us)),
            file=places[0],
            copies=places[1:],
            offset=_number(offset),
            length=_number(length),
            ordinal=_number(ordinal),
            raw=raw_bytes if isinstance(raw_bytes, bytes) else str(raw).encode(),
            text=str(text),
            canonical_digest=str(digest),
            is_weak=bool(is_weak),
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1

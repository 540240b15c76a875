"""Compaction: the segments of one source and day become one, sorted anew; readers go on with what they began with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from aibr_hunt.engines.lake.contents import MOST_SHAPES, MOST_VALUES, Contents, packed, unpacked
from aibr_hunt.engines.lake.hot import Cell, column_of
from aibr_hunt.engines.lake.segments import HEAD, MARKS, named, quoted, working, write_parquet
from aibr_hunt.engines.lake.store import Segment, Store
from aibr_hunt.engines.lake.values import Compacted

# A merged segment holds no more than this: a day of more becomes several. Sorting it takes some five times its records' bytes.
MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 384 << 20
MOST_MEMORY: Final = "3GB"


def compact(store: Store) -> Compacted:
    """Merge what can be merged, a day at a time, and delete what nobody reads; who calls this holds the writer's lock.

    Raises:
        EngineError: The disk is full; days that were merged before stay merged.
    """
    earlier, _ = store.sweep()
    before = after = events = 0
    with working(store.folder, most_memory=MOST_MEMORY) as connection:
        for group in list(_groups(store.segments(with_contents=True))):
            merged = _merged(store.folder, group, connection)
            store.commit_merged(group, [merged])
            before += len(group)
            after += 1
            events += merged.events
    removed, waiting = store.sweep()
    return Compacted(segments_before=before, segments_after=after, events=events, removed=earlier + removed, waiting=waiting)


def _groups(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield segments of one source, day and set of columns that together are small enough, where there are at least two."""
    piles: dict[tuple[str, str, object], list[Segment]] = {}
    for segment in sorted(segments, key=lambda each: (each.source, each.day, each.events)):
        key = (segment.source, segment.day, segment.hot)
        pile = piles.setdefault(key, [])
        if pile and not _fit([*pile, segment]):
            if len(pile) > 1:
                yield pile
            pile = piles[key] = []
        pile.append(segment)
    yield from (pile for pile in piles.values() if len(pile) > 1)


def _fit(pile: Sequence[Segment]) -> bool:
    return sum(each.events for each in pile) <= MOST_ROWS and sum(each.raw_bytes for each in pile) <= MOST_BYTES


def _merged(folder: Path, group: Sequence[Segment], connection: duckdb.DuckDBPyConnection) -> Segment:
    """Return one segment with all rows of a group, on disk and not visible yet."""
    first = group[0]
    contents, renumbered = merged_contents([unpacked(each.contents) for each in group])
    names = [name for name, _ in (*HEAD, *MARKS[:-1])] + [column_of(path) for path in first.hot]
    columns = ", ".join(map(named, names))
    parts = []
    for number, (segment, numbers) in enumerate(zip(group, renumbered, strict=True)):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE shapes_{number} AS SELECT unnest(?::INTEGER[]) AS new", [numbers or [-1]])
        shape = f"coalesce((SELECT list(new ORDER BY rowid) FROM shapes_{number})[shape + 1], -1)"  # noqa: S608 - names are quoted
        parts.append(f"SELECT {columns}, CAST({shape} AS INTEGER) AS shape FROM read_parquet({quoted((folder / segment.name).as_posix())})")  # noqa: S608 - our own names
    select = " UNION ALL ".join(parts) + " ORDER BY shape, time_us, file, ordinal"
    name, size = write_parquet(folder, first.source, first.day, select=select, connection=connection)
    firsts = [each.first_us for each in group if each.first_us is not None]
    lasts = [each.last_us for each in group if each.last_us is not None]
    return Segment(
        name=name,
        source=first.source,
        day=first.day,
        events=sum(each.events for each in group),
        repeats=sum(each.repeats for each in group),
        conflicts=sum(each.conflicts for each in group),
        first_us=min(firsts, default=None),
        last_us=max(lasts, default=None),
        parquet_bytes=size,
        raw_bytes=sum(each.raw_bytes for each in group),
        hot=first.hot,
        contents=packed(contents),
    )


def merged_contents(parts: Sequence[Contents]) -> tuple[Contents, list[list[int]]]:
    """Return the contents of all parts together, and for each part the new number of each of its shapes.

    Shapes are cut down to the columns that all parts have in them, and further to those that keep them few; a column that one part
    does not tell of is told of no more.
    """
    together = tuple(sorted(set(parts[0].together).intersection(*(each.together for each in parts[1:]))))
    while len(_shapes(parts, together)) > MOST_SHAPES and len(together) > 1:
        together = together[:-1]  # the action stands first
    shapes = _shapes(parts, together)
    order = sorted(shapes, key=lambda cells: ["" if cell is None else cell[0] if isinstance(cell, tuple) else cell for cell in cells])
    place = {cells: number for number, cells in enumerate(order)}
    renumbered = [[place[_cut(each.together, cells, together)] for cells, _ in each.shapes] for each in parts]
    values: dict[int, tuple[tuple[Cell, int], ...]] = {}
    for number in sorted(set().union(*(_told(each) for each in parts)) - set(together)):
        counts = _counts(parts, number)
        if counts is not None and len(counts) <= MOST_VALUES:
            values[number] = tuple(counts.items())
    kept = tuple((cells, shapes[cells]) for cells in order)
    return Contents(together=together, shapes=kept, values=values, odd=sum(each.odd for each in parts)), renumbered


def _told(contents: Contents) -> set[int]:
    return {*contents.together, *contents.values}


def _cut(columns: Sequence[int], cells: tuple[Cell, ...], wanted: Sequence[int]) -> tuple[Cell, ...]:
    by_column = dict(zip(columns, cells, strict=True))
    return tuple(by_column[number] for number in wanted)


def _shapes(parts: Sequence[Contents], together: Sequence[int]) -> dict[tuple[Cell, ...], int]:
    found: dict[tuple[Cell, ...], int] = {}
    for part in parts:
        for cells, count in part.shapes:
            cut = _cut(part.together, cells, together)
            found[cut] = found.get(cut, 0) + count
    return found


def _counts(parts: Sequence[Contents], number: int) -> dict[Cell, int] | None:
    """Return the values of a column over all parts; None when one of them does not tell."""
    found: dict[Cell, int] = {}
    for part in parts:
        if number in part.together:
            place = part.together.index(number)
            pairs = [(cells[place], count) for cells, count in part.shapes]
        elif number in part.values:
            pairs = list(part.values[number])
        else:
            return None
        for cell, count in pairs:
            found[cell] = found.get(cell, 0) + count
    return found

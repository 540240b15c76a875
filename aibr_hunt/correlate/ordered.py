"""Satisfying windows of `temporal_ordered`: different events, one for each operand, in order (docs/meaning.md section 7.2).

Where no event serves two operands, a chain of joins to the nearest earlier event finds for each last event the sequence that
begins last. Elsewhere one event must not stand for two operands. It could only do so between operands that meet at one time,
so each time is one block: operands i+1 to j can end a sequence in it when they can be given different events of the block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeAlias

import duckdb

from aibr_hunt.correlate.database import Sql, joined, sql
from aibr_hunt.correlate.plan import Node
from aibr_hunt.correlate.sliding import FIGURE, Source
from aibr_hunt.correlate.stage import Table

FOUND: Final = (("g", "INTEGER"), ("first", "BIGINT"), ("last", "BIGINT"))
_FETCH: Final = 10_000

# The events of one block: how many (no more than there are operands) serve just this set of operands.
Block: TypeAlias = tuple[tuple[int, int], ...]


def statement(connection: duckdb.DuckDBPyConnection, node: Node, source: Source) -> Sql:
    """Return the statement for an ordered correlation; groups with shared events are searched first, into a table."""
    if not source.is_shared:
        return _chain(node, sql("(SELECT o, g, t FROM $rows)", rows=source.rows))
    shared = f"shared{node.index}"
    connection.execute(
        sql(
            "CREATE OR REPLACE TEMP TABLE $shared AS SELECT DISTINCT g FROM (SELECT g FROM $rows GROUP BY g, e HAVING count(*) > 1)",
            shared=shared,
            rows=source.rows,
        )
    )
    found = Table(f"found{node.index}", FOUND)
    found.rows += _searched(connection, node, sql("SELECT * FROM $rows SEMI JOIN $shared USING (g)", rows=source.rows, shared=shared))
    found.create(connection)
    found.write(connection)
    rest = _chain(node, sql("(SELECT o, g, t FROM $rows ANTI JOIN $shared USING (g))", rows=source.rows, shared=shared))
    return sql("$rest UNION ALL SELECT g, first, last, $figure FROM $found", rest=rest, figure=FIGURE, found=found.name)


def _chain(node: Node, rows: Sql) -> Sql:
    """Return the chain of joins; a sequence that already took too long is dropped, for no later step mends that."""
    span = node.correlation.timespan_us
    first = sql("s0 AS (SELECT g, t, t AS f FROM $rows WHERE o = 0)", rows=rows)
    steps = [first, *(_step(place, rows, span) for place in range(1, len(node.sources)))]
    return sql(
        "SELECT * FROM (WITH $steps SELECT DISTINCT g, f AS first, t AS last, $figure FROM $last)",
        steps=joined(steps, ", "),
        figure=FIGURE,
        last=f"s{len(node.sources) - 1}",
    )


def _step(place: int, rows: Sql, span: int) -> Sql:
    return sql(
        "$this AS (SELECT r.g, r.t, s.f FROM (SELECT * FROM $rows WHERE o = $place) r"
        " ASOF JOIN $last s ON r.g = s.g AND r.t >= s.t WHERE r.t - s.f <= $span)",
        this=f"s{place}",
        last=f"s{place - 1}",
        rows=rows,
        place=place,
        span=span,
    )


def _searched(connection: duckdb.DuckDBPyConnection, node: Node, rows: Sql) -> Iterator[tuple[int, int, int]]:
    """Yield group, first and last of every satisfying window among the rows."""
    connection.execute(
        sql(
            "SELECT g, t, mask, least(count(*), $size) FROM"
            " (SELECT g, t, e, CAST(sum(CAST(1 AS BIGINT) << o) AS BIGINT) AS mask"
            " FROM (SELECT DISTINCT g, t, e, o FROM ($rows)) GROUP BY g, t, e)"
            " GROUP BY g, t, mask ORDER BY g, t, mask",
            size=len(node.sources),
            rows=rows,
        )
    )
    for group, lines in groupby(_fetched(connection), key=lambda line: line[0]):
        blocks = ((time, tuple((line[2], line[3]) for line in block)) for time, block in groupby(lines, key=lambda line: line[1]))
        for first, last in sequences(blocks, size=len(node.sources), span_us=node.correlation.timespan_us):
            yield group, first, last


def _fetched(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, int, int, int]]:
    while part := connection.fetchmany(_FETCH):
        yield from part


def sequences(blocks: Iterable[tuple[int, Block]], *, size: int, span_us: int) -> Iterator[tuple[int, int]]:
    """Yield first and last of the tightest sequence that ends at each time, where there is one within the span.

    Args:
        blocks: Times, ascending, each with its events by the set of operands (a bit each) that they serve.
        size: Number of operands.
        span_us: Longest distance from first to last.
    """
    # starts[k]: the latest start of a sequence of the first k operands that ended before; None when there is none.
    starts: list[int | None] = [None] * (size + 1)
    for time, block in blocks:
        ways = _ways(block, size)
        after = list(starts)
        for begin, end in ways:
            start = time if begin == 0 else starts[begin]
            if start is not None:
                best = after[end]
                after[end] = start if best is None else max(best, start)
        ends_here = [time if begin == 0 else starts[begin] for begin, end in ways if end == size]
        first = max((start for start in ends_here if start is not None), default=None)
        if first is not None and time - first <= span_us:
            yield first, time
        starts = after


@lru_cache(maxsize=4096)
def _ways(block: Block, size: int) -> tuple[tuple[int, int], ...]:
    """Return every (i, j) such that operands i to j - 1, counted from 0, can be given different events of the block."""
    events = [mask for mask, count in block for _ in range(count)]
    found: list[tuple[int, int]] = []
    for begin in range(size):
        taken: dict[int, int] = {}
        for end in range(begin + 1, size + 1):
            if not _give(end - 1, events, taken=taken, tried=set()):
                break
            found.append((begin, end))
    return tuple(found)


def _give(place: int, events: list[int], *, taken: dict[int, int], tried: set[int]) -> bool:
    """Give an operand an event, moving others to other events where that makes room; return False when it cannot be."""
    for number, mask in enumerate(events):
        if mask >> place & 1 and number not in tried:
            tried.add(number)
            holder = taken.get(number)
            if holder is None or _give(holder, events, taken=taken, tried=tried):
                taken[number] = place
                return True
    return False

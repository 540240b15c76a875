"""The events of windows and of episodes, down through chains to the events of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, TypeAlias

import duckdb

from aibr_hunt.correlate.database import Sql, joined, sql
from aibr_hunt.correlate.judged import Judged
from aibr_hunt.correlate.plan import Measure, Node
from aibr_hunt.correlate.sliding import NUMBER, Source

_FETCH: Final = 10_000

# Least and greatest group, first time and last time.
Bounds: TypeAlias = tuple[int, int, int, int]


def islands(spans: Sql) -> Sql:
    """Return the spans (k, g, first, last, p, num, den), those of one k and group that overlap or touch made one.

    Each has the number of its windows, the earliest of their last times (anchor) and their greatest figure.
    """
    # Spans that agree are peers (RANGE): each sort may order them anew, and all belong to the island that one of them begins.
    return sql(
        "SELECT k, g, min(first) AS first, max(last) AS last, count(*) AS windows, bool_or(p) AS p, min(last) AS anchor,"
        " arg_max(num, num / den) AS num, arg_max(den, num / den) AS den"
        " FROM (SELECT k, g, first, last, p, num, den, sum(is_new)"
        " OVER (PARTITION BY k, g ORDER BY first, last RANGE UNBOUNDED PRECEDING) AS island FROM (SELECT k, g, first, last, p, num, den,"
        " CASE WHEN first <= max(last) OVER (PARTITION BY k, g ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        " THEN 0 ELSE 1 END AS is_new FROM ($spans))) GROUP BY k, g, island",
        spans=spans,
    )


class Members:
    """Finds the events of spans.

    Args:
        nodes: The correlations.
        judged: What was found for them.
        connection: Where the tables are.
    """

    def __init__(self, nodes: Sequence[Node], judged: Judged, connection: duckdb.DuckDBPyConnection) -> None:
        """Start without spans."""
        self._nodes = nodes
        self._judged = judged
        self._connection = connection

    def of(self, node: Node, spans: Sql, *, bounds: Bounds, are_apart: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield for each k of the spans its event ids, sorted; a k without events is left out.

        Args:
            node: The correlation whose spans they are.
            spans: Rows of (k, g, first, last) and, for single events, e.
            bounds: What groups and times they lie in.
            are_apart: True when no two spans of one group share a time.
        """
        source = self._judged.sources[node.index]
        if source is None:
            return
        hits = self._hits(node, source, spans, bounds=bounds, are_apart=are_apart)
        if node.inner:
            self._connection.execute("CREATE OR REPLACE TEMP TABLE members (k BIGINT, e BIGINT)")
            self._expand(node, hits, depth=0)
            hits = Sql("SELECT k, e FROM members")
        self._connection.execute(sql("SELECT DISTINCT k, id FROM ($hits) JOIN events USING (e) ORDER BY k, id", hits=hits))
        for k, rows in groupby(_fetched(self._connection), key=lambda row: int(row[0])):
            yield k, tuple(str(row[1]) for row in rows)

    def _expand(self, node: Node, found: Sql, *, depth: int) -> None:
        """Add the events that were hit to `members`; windows of inner correlations are spans in their turn."""
        hits = f"hits{depth}"
        self._connection.execute(sql("CREATE OR REPLACE TEMP TABLE $hits AS $found", hits=hits, found=found))
        self._connection.execute(sql("INSERT INTO members SELECT DISTINCT k, e FROM $hits WHERE e >= 0", hits=hits))
        for place, at in node.inner:
            if self._judged.windows[at] and place in node.anchors:
                self._go_inside(at, place, hits=hits, depth=depth)

    def _go_inside(self, at: int, place: int, *, hits: str, depth: int) -> None:
        inner, deeper, source = self._nodes[at], f"spans{depth}", self._judged.sources[at]
        found = sql(
            "SELECT DISTINCT h.k, w.g, w.first, w.last, w.e, FALSE AS p, NULL::HUGEINT AS num, NULL::HUGEINT AS den"
            " FROM $hits h JOIN $windows w ON w.w = -h.e WHERE h.o = $place",
            hits=hits,
            windows=self._judged.windows[at],
            place=place,
        )
        # An episode of inner windows has the members of all of them, once.
        spans = found if inner.is_single else islands(found)
        self._connection.execute(sql("CREATE OR REPLACE TEMP TABLE $deeper AS $spans", deeper=deeper, spans=spans))
        bounds = self._connection.execute(sql("SELECT min(g), max(g), min(first), max(last) FROM $deeper", deeper=deeper)).fetchone()
        if source is not None and bounds is not None and bounds[0] is not None:
            hit = self._hits(inner, source, sql("$deeper", deeper=deeper), bounds=bounds, are_apart=False)
            self._expand(inner, hit, depth=depth + 1)

    def _hits(self, node: Node, source: Source, spans: Sql, *, bounds: Bounds, are_apart: bool) -> Sql:
        """Return the statement for (k, e, o): what the spans hold of the operands that are not negated."""
        parts: dict[str, str | int] = {
            "spans": spans,
            "rows": _near(source.rows, bounds),
            "places": joined([sql("$place", place=place) for place in node.anchors], ", "),
        }
        if node.is_single:
            return sql("SELECT s.k, r.e, r.o FROM $spans s JOIN $rows r ON r.g = s.g AND r.e = s.e WHERE r.o IN ($places)", **parts)
        if are_apart:
            return sql(
                "SELECT s.k, r.e, r.o FROM $rows r ASOF JOIN $spans s ON r.g = s.g AND r.t >= s.first"
                " WHERE r.t <= s.last AND r.o IN ($places)",
                **parts,
            )
        return sql(
            "SELECT s.k, r.e, r.o FROM $spans s JOIN $rows r ON r.g = s.g AND r.t BETWEEN s.first AND s.last WHERE r.o IN ($places)",
            **parts,
        )

    def percentiles(self, node: Node, spans: Sql, *, bounds: Bounds) -> dict[int, Decimal]:
        """Return for each k of the spans the percentile of the numbers in it, exact but for the digits of a Decimal."""
        source = self._judged.sources[node.index]
        if source is None or node.measure is not Measure.NUMBERS:
            return {}
        share = Decimal(50) if node.correlation.percentile is None else node.correlation.percentile
        self._connection.execute(
            sql(
                "SELECT s.k, $number AS x FROM $spans s JOIN $rows r ON r.g = s.g AND r.t BETWEEN s.first AND s.last ORDER BY s.k, x",
                number=NUMBER,
                spans=spans,
                rows=_near(source.values, bounds),
            )
        )
        lines = groupby(_fetched(self._connection), key=lambda row: row[0])
        return {k: _percentile([number for _, number in rows], share) for k, rows in lines}


def _near(rows: str, bounds: Bounds) -> Sql:
    """Return the rows of the groups and times of some spans, so that a few spans do not meet all rows."""
    low, high, first, last = bounds
    return sql(
        "(SELECT * FROM $rows WHERE g BETWEEN $low AND $high AND t BETWEEN $first AND $last)",
        rows=rows,
        low=low,
        high=high,
        first=first,
        last=last,
    )


def _fetched(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while part := connection.fetchmany(_FETCH):
        yield from part


def _percentile(ascending: list[int], share: Decimal) -> Decimal:
    """Return the percentile of numbers given a million times, interpolated linearly between ranks."""
    rank = share / 100 * (len(ascending) - 1)
    low = int(rank)
    above = ascending[min(low + 1, len(ascending) - 1)]
    return (ascending[low] + (rank - low) * (above - ascending[low])) / 1_000_000

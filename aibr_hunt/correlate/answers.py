"""Reads what was found for one correlation: a run's windows, its episodes, and the tallies to keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import duckdb

from aibr_hunt.correlate.baselines import tally_statement
from aibr_hunt.correlate.chosen import chosen
from aibr_hunt.correlate.database import Sql, sql, told
from aibr_hunt.correlate.judged import Judged
from aibr_hunt.correlate.members import Bounds, Members, islands
from aibr_hunt.correlate.plan import Node
from aibr_hunt.correlate.stage import Stage, apart
from aibr_hunt.correlate.values import Component, SatisfyingWindow
from aibr_hunt.errors import UsageError
from aibr_hunt.model.correlation import CorrelationType
from aibr_hunt.model.episode import Tally

_BATCH: Final = 2_048
# When episodes are read: how many at once, and how many windows they hold together unless one holds more.
_EPISODES: Final = 16_384
_PORTION: Final = 65_536
_FAR: Final = 2**62
_RANKED: Final = frozenset((CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN))

Span: TypeAlias = tuple[int | None, int | None]
Spans: TypeAlias = Sequence[tuple[int, int]]


class Answers:
    """What is found in the rows that a Stage has written.

    Args:
        nodes: The correlations.
        stage: The rows.
        connection: Where the tables are.

    Attributes:
        is_outdated: True once something was added: iterators that are still read end with an error.
    """

    def __init__(self, nodes: Sequence[Node], stage: Stage, connection: duckdb.DuckDBPyConnection) -> None:
        """Judge every correlation."""
        self._nodes = nodes
        self._groups = stage.groups
        self._connection = connection
        self._judged = Judged(nodes, stage, connection)
        self._members = Members(nodes, self._judged, connection)
        self._kept = 0
        self.is_outdated = False

    def windows(self, node: Node, *, span: Span, covered: Spans | None) -> Iterator[SatisfyingWindow]:
        """Yield a run's own windows of one correlation."""
        statement = self._chosen(node, span=span, covered=covered)
        if statement is None:
            return
        table, size = self._keep(statement)
        for low in range(1, size + 1, _BATCH):
            yield from self._window_batch(node, table, low)
        self._drop(table)

    def components(self, node: Node, *, span: Span, covered: Spans | None) -> Iterator[Component]:
        """Yield the connected components of those windows."""
        statement = self._chosen(node, span=span, covered=covered)
        if statement is None:
            return
        # Single events need their windows again to find their events; others are found by time alone.
        windows = self._keep(statement)[0] if node.is_single else ""
        found = islands(sql("SELECT 0 AS k, g, first, last, p, num, den FROM $windows", windows=windows or sql("($it)", it=statement)))
        episodes, size = self._keep(
            sql(
                "SELECT row_number() OVER (ORDER BY g, first) AS k, * FROM ($found)", found=sql("SELECT * EXCLUDE (k) FROM ($it)", it=found)
            )
        )
        for low in range(1, size + 1, _EPISODES):
            rows = self._part(episodes, "k, g, first, last, windows, p, anchor, num, den", low=low, size=_EPISODES)
            for portion in _portions(rows):
                yield from self._component_batch(node, portion, episodes=episodes, windows=windows)
        for table in (episodes, windows):
            self._drop(table)

    def tallies(self, node: Node, *, start_us: int | None, end_us: int | None) -> Iterator[Tally]:
        """Yield the tallies of the population's events in [start, end)."""
        source = self._judged.sources[node.index]
        if source is None:
            return
        start, end = (-_FAR if start_us is None else start_us), (_FAR if end_us is None else end_us)
        found = tally_statement(node, source, start_us=start, end_us=end)
        table, size = self._keep(sql("SELECT row_number() OVER (ORDER BY g, h, v) AS k, * FROM ($found)", found=found))
        for low in range(1, size + 1, _BATCH):
            for g, v, hour, events, first, last in self._part(table, "g, v, h, n, first, last", low=low):
                values = () if v is None else apart(v, len(node.correlation.values))
                keys = (*self._groups.keys[g], *values)
                yield Tally(combination=keys, hour=hour, events=events, first_us=first, last_us=last)
        self._drop(table)

    def _chosen(self, node: Node, *, span: Span, covered: Spans | None) -> Sql | None:
        """Return the statement for a run's own windows, None when there are none at all."""
        by_id = {each.correlation.id: each.correlation for each in self._nodes}
        windows = self._judged.windows[node.index]
        return chosen(node.correlation, by_id, windows=windows, span=span, covered=covered) if windows else None

    def _keep(self, statement: Sql) -> tuple[str, int]:
        """Return a new table with the rows of the statement, and their number: answers that are read bit by bit do not disturb others."""
        self._kept += 1
        name = f"kept{self._kept}"
        with told("choosing windows"):
            row = self._connection.execute(
                sql("CREATE OR REPLACE TEMP TABLE $name AS $statement", name=name, statement=statement)
            ).fetchone()
        return name, 0 if row is None else int(row[0])

    def _drop(self, table: str) -> None:
        if table:
            self._connection.execute(sql("DROP TABLE $table", table=table))

    def _part(self, table: str, columns: str, *, low: int, size: int = _BATCH) -> list[tuple[Any, ...]]:
        """Return a batch of the table's rows."""
        if self.is_outdated:
            raise UsageError("Something was added while answers were read.", hint="Read them to their end, then add, then ask again.")
        with told("reading what was found"):
            return self._connection.execute(
                sql(
                    "SELECT $columns FROM $table WHERE k BETWEEN $low AND $high ORDER BY k",
                    columns=Sql(columns),
                    table=table,
                    low=low,
                    high=low + size - 1,
                )
            ).fetchall()

    def _window_batch(self, node: Node, table: str, low: int) -> list[SatisfyingWindow]:
        rows = self._part(table, "k, g, first, last, num, den, p", low=low)
        spans = sql("(SELECT * FROM $table WHERE k BETWEEN $low AND $high)", table=table, low=low, high=low + _BATCH - 1)
        bounds = _bounds([row[1:4] for row in rows])
        with told("reading the events of windows"):
            members = dict(self._members.of(node, spans, bounds=bounds, are_apart=False))
            ranked = self._members.percentiles(node, spans, bounds=bounds) if node.correlation.type in _RANKED else {}
        return [
            SatisfyingWindow(
                correlation_id=node.correlation.id,
                group=self._groups.keys[g],
                first_us=first,
                last_us=last,
                members=members[k],
                figure=ranked.get(k) if num is None else Decimal(num) / Decimal(den),
                is_provisional=is_provisional,
            )
            for k, g, first, last, num, den, is_provisional in rows
        ]

    def _component_batch(self, node: Node, rows: list[tuple[Any, ...]], *, episodes: str, windows: str) -> list[Component]:
        spans = sql("(SELECT * FROM $episodes WHERE k BETWEEN $low AND $high)", episodes=episodes, low=rows[0][0], high=rows[-1][0])
        if node.is_single:
            spans = sql(
                "(SELECT i.k, w.g, w.first, w.last, w.e FROM $spans i JOIN $windows w ON i.g = w.g AND w.first BETWEEN i.first AND i.last)",
                spans=spans,
                windows=windows,
            )
        bounds = _bounds([row[1:4] for row in rows])
        with told("reading the events of episodes"):
            members = dict(self._members.of(node, spans, bounds=bounds, are_apart=not node.is_single))
        return [
            Component(
                correlation_id=node.correlation.id,
                group=self._groups.keys[g],
                first_us=first,
                last_us=last,
                members=members[k],
                windows=count,
                is_provisional=is_provisional,
                anchor_us=anchor,
                figure=None if num is None else Decimal(num) / Decimal(den),
            )
            for k, g, first, last, count, is_provisional, anchor, num, den in rows
        ]


def _bounds(spans: list[tuple[Any, ...]]) -> Bounds:
    groups, firsts, lasts = zip(*spans, strict=True)
    return min(groups), max(groups), min(firsts), max(lasts)


def _portions(rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the episodes (k, g, first, last, windows, p) in portions that hold few windows together, or one episode."""
    portion: list[tuple[Any, ...]] = []
    held = 0
    for row in rows:
        if portion and held + row[4] > _PORTION:
            yield portion
            portion, held = [], 0
        portion.append(row)
        held += row[4]
    if portion:
        yield portion

"""Judges all correlations over the rows that are there, those that others rest on first: one table of satisfying windows each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from aibr_hunt.correlate import baselines, ordered, sliding
from aibr_hunt.correlate.database import Sql, sql
from aibr_hunt.correlate.plan import Measure, Node, field_names
from aibr_hunt.correlate.sliding import Source
from aibr_hunt.correlate.stage import Stage, Table, together
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.model.correlation import CorrelationType

_GROUPS: Final = (("a", "INTEGER"), ("b", "INTEGER"))
_TEXTS: Final = (("a", "INTEGER"), ("f", "INTEGER"), ("v", "VARCHAR"))


class Judged:
    """What was found in the rows that a Stage has written.

    Attributes:
        sources: For each correlation that has rows, where they lie; for others None.
        windows: For each correlation the name of its table of satisfying windows (w, g, first, last, num, den, e), numbered by
            group and time; empty when there can be none.
    """

    def __init__(self, nodes: Sequence[Node], stage: Stage, connection: duckdb.DuckDBPyConnection) -> None:
        """Judge every correlation."""
        self._nodes = nodes
        self._stage = stage
        self._connection = connection
        self._windows = 0
        self._has_repeats = self._find_repeats()
        self.sources: list[Source | None] = []
        self.windows: list[str] = []
        for node in nodes:
            self.sources.append(self._source(node))
            self.windows.append(self._judge(node))

    def _find_repeats(self) -> bool:
        """Note events that were delivered again in a later batch: their first number stands for all."""
        if self._stage.events.writes < 2:
            return False
        row = self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE repeats AS SELECT s.e, c.e AS first FROM events s JOIN"
            " (SELECT id, min(e) AS e FROM events GROUP BY id HAVING count(*) > 1) c USING (id)"
        ).fetchone()
        return row is not None and row[0] > 0

    def _source(self, node: Node) -> Source | None:
        """Return where the rows of a correlation lie, events told apart and inner windows among them; None when there are none."""
        tables = (self._stage.rows[node.index], self._stage.values[node.index], self._stage.history[node.index])
        inner = [(place, at) for place, at in node.inner if self.windows[at]]
        if not tables[0].exists and not inner:
            return None
        has_values = node.measure is not Measure.NOTHING
        for table, is_used in zip(tables, (True, has_values, node.is_tallied), strict=True):
            if is_used:
                table.create(self._connection)
        rows, values = tables[0].name, tables[1].name
        if self._has_repeats or inner:
            rows = self._told_apart(tables[0], f"told_rows{node.index}")
            values = self._told_apart(tables[1], f"told_vals{node.index}") if has_values else values
        for place, at in inner:
            self._add_inner(node, place, at=at, rows=rows, values=values)
        is_shared = len(node.correlation.operands) > 1 and (self._has_repeats or node.index in self._stage.shared)
        if has_values and not node.is_tallied:
            values = self._prepared_values(node, values, is_shared=is_shared)
        return Source(rows=rows, values=values, history=tables[2].name, is_shared=is_shared)

    def _told_apart(self, table: Table, name: str) -> str:
        columns = ", ".join(f"COALESCE(c.first, r.e) AS {column}" if column == "e" else f"r.{column}" for column, _ in table.columns)
        join = Sql("LEFT JOIN repeats c ON r.e = c.e" if self._has_repeats else "")
        self._connection.execute(
            sql(
                "CREATE OR REPLACE TEMP TABLE $name AS SELECT DISTINCT $columns FROM $table r $join",
                name=name,
                columns=Sql(columns if self._has_repeats else "r.*"),
                table=table.name,
                join=join,
            )
        )
        return name

    def _add_inner(self, node: Node, place: int, *, at: int, rows: str, values: str) -> None:
        """Add the satisfying windows of an operand that is a correlation as events: numbers below zero, at their last event's time."""
        groups, texts = Table("inner_groups", _GROUPS), Table("inner_texts", _TEXTS)
        found = self._connection.execute(sql("SELECT DISTINCT g FROM $windows", windows=self.windows[at])).fetchall()
        operand = node.sources[place]
        names = [field.name for field in self._nodes[at].correlation.group_by]
        group = [names.index(name) for name in field_names(node.correlation.group_by, operand)]
        fields = field_names(node.correlation.values, operand) if node.measure is not Measure.NOTHING else ()
        for (number,) in found:
            keys = self._stage.groups.keys[number]
            groups.rows.append((number, self._stage.groups.number(tuple(keys[each] for each in group))))
            measured = node.measured_fields.index(fields[0]) if node.measure is Measure.NUMBERS else 0
            text = together([keys[names.index(name)] for name in fields])
            if node.measure is Measure.KEYS or (node.measure is Measure.NUMBERS and canonical_number(text) is not None):
                texts.rows.append((number, measured, text))
        groups.write(self._connection)
        texts.write(self._connection)
        base = sql("SELECT $place, -w.w, w.last, i.b", place=place)
        parts = {"rows": rows, "values": values, "windows": self.windows[at], "base": base}
        self._connection.execute(sql("INSERT INTO $rows $base FROM $windows w JOIN inner_groups i ON w.g = i.a", **parts))
        if not texts.exists:
            return
        self._connection.execute(
            sql(
                "INSERT INTO $values $base, x.f, 0, x.v FROM $windows w JOIN inner_groups i ON w.g = i.a JOIN inner_texts x ON w.g = x.a",
                **parts,
            )
        )

    def _prepared_values(self, node: Node, values: str, *, is_shared: bool) -> str:
        """Return a table in which an event of two operands has its values once, and `share` sees the listed values alone."""
        is_share = node.correlation.type is CorrelationType.SHARE
        if not is_share and not is_shared:
            return values
        listed = Table(f"listed{node.index}", (("v", "VARCHAR"),))
        listed.rows += [(fold(text),) for text in sorted(set(node.correlation.listed))]
        listed.create(self._connection)
        listed.write(self._connection)
        name = f"used_vals{node.index}"
        self._connection.execute(
            sql(
                "CREATE OR REPLACE TEMP TABLE $name AS SELECT DISTINCT e, t, g, f, k, v FROM $values $only",
                name=name,
                values=values,
                only=sql("SEMI JOIN $listed USING (v)", listed=listed.name) if is_share else Sql(""),
            )
        )
        return name

    def _judge(self, node: Node) -> str:
        source = self.sources[node.index]
        if source is None:
            return ""
        name = f"windows{node.index}"
        statement = self._statement(node, source)
        row = self._connection.execute(
            sql(
                "CREATE OR REPLACE TEMP TABLE $name AS SELECT row_number() OVER (ORDER BY g, last, e) + $before AS w, * FROM ($statement)",
                name=name,
                before=self._windows,
                statement=statement,
            )
        ).fetchone()
        count = 0 if row is None else int(row[0])
        self._windows += count
        return name if count else ""

    def _statement(self, node: Node, source: Source) -> Sql:
        if node.is_tallied:
            return baselines.statement(node, source)
        if node.correlation.type is CorrelationType.TEMPORAL_ORDERED:
            return ordered.statement(self._connection, node, source)
        return sliding.statement(node, source)

"""What all windows of correlations in SQL are printed with: tables, frames over sorted events, thresholds, the last statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aibr_hunt.compile.correlation_fields import SEQUELS
from aibr_hunt.compile.correlation_plan import Plan
from aibr_hunt.compile.program import SQL_PRINTERS
from aibr_hunt.model.correlation import Comparison, Threshold
from aibr_hunt.model.layout import EngineKind

SIGNS: Final = {
    Comparison.GT: ">",
    Comparison.GTE: ">=",
    Comparison.LT: "<",
    Comparison.LTE: "<=",
    Comparison.EQ: "=",
    Comparison.NEQ: "<>",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One common table expression: its name, what it is for, and its lines."""

    name: str
    note: str
    body: tuple[str, ...]


def group_names(plan: Plan) -> list[str]:
    """Return the columns that hold the group's values."""
    return [f"g_{number}" for number in range(1, len(plan.correlation.group_by) + 1)]


def value_names(plan: Plan) -> list[str]:
    """Return the columns that hold the values."""
    return [f"v_{number}" for number in range(1, len(plan.correlation.values) + 1)]


class SqlTables:
    """Prints the tables behind `occurrences_N` of one plan.

    Args:
        plan: What is printed.
        engine: For whom.
    """

    def __init__(self, plan: Plan, engine: EngineKind) -> None:
        """Name the columns once."""
        self._plan = plan
        self._found = plan.correlation
        self._engine = engine
        self._sequel = SEQUELS[engine]
        self._literal = SQL_PRINTERS[engine].dialect.literal
        self._from = f"occurrences_{plan.number}"
        self._groups = group_names(plan)
        self._values = value_names(plan)

    def _over(self, frame: str, *, by: Sequence[str] | None = None, order: str = "t") -> str:
        names = self._groups if by is None else by
        partition = f"PARTITION BY {', '.join(names)} " if names else ""
        return f"OVER ({partition}ORDER BY {order}{f' {frame}' if frame else ''})"

    @property
    def _frame(self) -> str:
        return f"RANGE BETWEEN {self._found.timespan_us} PRECEDING AND CURRENT ROW"

    def _meets(self, figure: str, scale: str = "") -> str:
        """Return the thresholds on figure ÷ scale, without dividing."""
        return " AND ".join(f"{figure} {SIGNS[each.comparison]} {self._scaled(each, scale)}" for each in self._found.thresholds) or "TRUE"

    def _scaled(self, threshold: Threshold, scale: str) -> str:
        number = self._sequel.decimal(threshold.number)
        return f"{number} * {scale}" if scale else number

    def _table(self, name: str, note: str, *body: str) -> Table:
        return Table(name=f"{name}_{self._plan.number}", note=note, body=body)

    def _closing(self, table: str, where: str, *, figure: str = "", values: Sequence[str] = ()) -> Table:
        """Return the last table: one row for each group and last time."""
        keys = [*self._groups, *values, "t"]
        shown = [*self._groups, *values, "MIN(started) AS started", "t"]
        shown += [f"MIN({figure}) AS figure"] if figure else []
        select = f"SELECT {', '.join([*shown, 'MIN(event_id) AS event_id'])}"
        return self._table("windows", "one row for each window", select, f"FROM {table}", f"WHERE {where}", f"GROUP BY {', '.join(keys)}")

"""Windows of baselines in SQL: what is new, what is rare, and the hour far above the usual; from occurrences to one row a window."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from aibr_hunt.compile.correlation_plan import HOUR_US
from aibr_hunt.compile.correlation_sql_tables import SqlTables, Table
from aibr_hunt.model.correlation import CorrelationType

_MAD: Final = Decimal("1.4826")


class SqlBaselines(SqlTables):
    """Prints the tables behind `occurrences_N` of a plan whose correlation compares with history."""

    def tables(self) -> list[Table]:
        """Return the tables; the last one is named `windows_N`."""
        match self._found.type:
            case CorrelationType.FIRST_SEEN:
                return self._first_seen()
            case CorrelationType.RARE:
                return self._rare()
            case _:
                return self._spike()

    def _is_population(self) -> str:
        return f"operand IN ({', '.join(map(str, self._plan.population))})"

    def _is_operand(self) -> str:
        return f"operand IN ({', '.join(map(str, self._plan.operands))})"

    def _first_seen(self) -> list[Table]:
        by = [*self._groups, *self._values]
        over = self._over(f"RANGE BETWEEN {self._found.lookback_us} PRECEDING AND 1 PRECEDING", by=by)
        shown = ", ".join(["operand", "source", "event_id", "t", *by])
        measured = self._table(
            "measured",
            "how often the population shows the combination within the lookback",
            f"SELECT {shown}, COUNT(CASE WHEN {self._is_population()} THEN 1 END) {over} AS earlier",
            f"FROM {self._from}",
        )
        known = [f"{value} IS NOT NULL" for value in self._values]
        where = " AND ".join([self._is_operand(), "earlier = 0", *known])
        return [measured, self._single(measured, where, figure="")]

    def _single(self, table: Table, where: str, *, figure: str) -> Table:
        """Return the last table of a baseline whose window is the event itself."""
        keys = ", ".join(["source", "event_id", "t", *self._groups])
        shown = [
            *self._groups,
            *(f"MIN({value}) AS {value}" for value in self._values),
            "t AS started",
            "t",
            *([f"MIN({figure}) AS figure"] if figure else []),
            "event_id",
        ]
        return self._table(
            "windows", "one row for each event", f"SELECT {', '.join(shown)}", f"FROM {table.name}", f"WHERE {where}", f"GROUP BY {keys}"
        )

    def _rare(self) -> list[Table]:
        frame = f"RANGE BETWEEN {self._found.lookback_us // HOUR_US} PRECEDING AND CURRENT ROW"
        count = f"COUNT(CASE WHEN {self._is_population()} THEN 1 END)"
        by = [*self._groups, *self._values]
        hours = self._table(
            "hours",
            "each occurrence in its hour",
            f"SELECT {', '.join(['operand', 'source', 'event_id', 't', *by])}, {self._sequel.quotient('t', str(HOUR_US))} AS hour_number",
            f"FROM {self._from}",
        )
        measured = self._table(
            "measured",
            "what the population holds from the lookback to the end of the hour",
            f"SELECT {', '.join(['operand', 'source', 'event_id', 't', *by])},",
            f"  {count} {self._over(frame, by=by, order='hour_number')} AS of_value,",
            f"  {count} {self._over(frame, order='hour_number')} AS of_group",
            f"FROM {hours.name}",
        )
        known = [f"{value} IS NOT NULL" for value in self._values]
        where = " AND ".join(
            [self._is_operand(), *known, f"of_group >= {max(self._found.minimum, 1)}", self._meets("of_value", "of_group")]
        )
        return [hours, measured, self._single(measured, where, figure=f"CAST(of_value AS {self._sequel.real}) / of_group")]

    def _spike(self) -> list[Table]:
        hour = self._sequel.quotient("t", str(HOUR_US))
        keys = [*self._groups, "hour_number"]
        lasts = self._table(
            "lasts",
            "each occurrence in its hour, with the hour's last event",
            f"SELECT {', '.join(['operand', 'event_id', 't', *self._groups])}, {hour} AS hour_number,",
            f"  MAX(CASE WHEN {self._is_operand()} THEN t END) OVER (PARTITION BY {', '.join([*self._groups, hour])}) AS last_t",
            f"FROM {self._from}",
        )
        tallies = self._table(
            "tallies",
            "the population of each hour",
            f"SELECT {', '.join(keys)}, COUNT(CASE WHEN {self._is_population()} THEN 1 END) AS c,",
            f"  MIN(CASE WHEN {self._is_operand()} THEN t END) AS started, MAX(last_t) AS t,",
            f"  MIN(CASE WHEN {self._is_operand()} AND t = last_t THEN event_id END) AS event_id",
            f"FROM {lasts.name}",
            f"GROUP BY {', '.join(keys)}",
        )
        return [lasts, tallies, *self._deviations(tallies.name)]

    def _deviations(self, tallies: str) -> list[Table]:
        hours = self._found.lookback_us // HOUR_US
        keys = [*self._groups, "hour_number", "c", "started", "t", "event_id"]
        same = " AND ".join(["p.hour_number = h.hour_number - back", *(f"p.{group} = h.{group}" for group in self._groups)])
        series = self._table(
            "series",
            "each hour of the lookback, 0 where it holds nothing",
            f"SELECT {', '.join(f'h.{key}' for key in keys)}, COALESCE(p.c, 0) AS past",
            f"FROM (SELECT * FROM {tallies} WHERE started IS NOT NULL AND c >= {max(self._found.minimum, 1)}) AS h",  # noqa: S608 - our own names
            f"CROSS JOIN {self._sequel.numbers(hours)}",
            f"LEFT JOIN {tallies} AS p ON {same}",
        )
        # Twice the median, and four times the distances' median, are whole.
        middle = self._middle(hours)
        medians = self._table(
            "medians",
            "each hour of the lookback with twice the median of all",
            f"SELECT {', '.join(keys)}, 2 * past AS doubled, {middle('past')} AS median_2",
            f"FROM {self._placed(series.name, 'past')}",
        )
        distances = self._table(
            "distances",
            "each hour of the lookback with twice its distance from the median",
            f"SELECT {', '.join([*keys, 'median_2'])}, ABS(doubled - median_2) AS distance",
            f"FROM {medians.name}",
        )
        measured = self._table(
            "measured",
            "the hour's count beside four times the median distance",
            f"SELECT {', '.join([*keys, 'median_2'])}, {middle('distance')} AS mad_4",
            f"FROM {self._placed(distances.name, 'distance')}",
        )
        scale = f"GREATEST({self._sequel.decimal(_MAD)} * mad_4, 4)"
        figure = f"CAST(4 * c - 2 * median_2 AS {self._sequel.real}) / {scale}"
        return [
            series,
            medians,
            distances,
            measured,
            self._closing(measured.name, self._meets("(4 * c - 2 * median_2)", scale), figure=figure),
        ]

    def _placed(self, table: str, column: str) -> str:
        """Return the rows of a table with their place in the order of their hour."""
        order = self._over("", by=self._hour_keys, order=column)
        return f"(SELECT *, ROW_NUMBER() {order} AS place FROM {table}) AS r"  # noqa: S608 - our own names

    @property
    def _hour_keys(self) -> list[str]:
        return [*self._groups, "hour_number"]

    def _middle(self, count: int) -> Callable[[str], str]:
        """Return what sums the two middle values of `count` in order: twice their median."""
        places = (count + 1) // 2, count // 2 + 1
        partition = f"OVER (PARTITION BY {', '.join(self._hour_keys)})"
        return lambda column: (
            f"CAST(SUM({column} * (CASE WHEN place = {places[0]} THEN 1 ELSE 0 END + CASE WHEN place = {places[1]} THEN 1 ELSE 0 END))"
            f" {partition} AS {self._sequel.integer})"
        )

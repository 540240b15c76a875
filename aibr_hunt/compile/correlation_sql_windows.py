"""Windows of correlations in SQL: from occurrences to one row for each satisfying window.

Windows are frames of RANGE over whole microseconds, so ties belong to every window that they touch. Where a distinct count is asked, values
are swept: each occurrence counts from its time until the next one of its value, or until it leaves the window. Percentiles and hour series
join the occurrences with themselves, within neighbouring slots of the timespan. All else reads the occurrences once, in sorted order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

from aibr_hunt.compile.correlation_plan import leaf_of
from aibr_hunt.compile.correlation_sql_baselines import SqlBaselines
from aibr_hunt.compile.correlation_sql_tables import SqlTables, Table
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.correlation import Both, CorrelationType, TemporalCondition


class SqlWindows(SqlTables):
    """Prints the tables behind `occurrences_N` of one plan."""

    def tables(self) -> list[Table]:
        """Return the tables; the last one is named `windows_N`."""
        match self._found.type:
            case CorrelationType.EVENT_COUNT:
                return self._event_count()
            case CorrelationType.VALUE_SUM | CorrelationType.VALUE_AVG:
                return self._sum()
            case CorrelationType.VALUE_COUNT | CorrelationType.SHARE:
                return self._value_count()
            case CorrelationType.VALUE_PERCENTILE | CorrelationType.VALUE_MEDIAN:
                return self._percentile()
            case CorrelationType.TEMPORAL:
                return self._temporal()
            case CorrelationType.TEMPORAL_ORDERED:
                return self._ordered()
            case CorrelationType.FIRST_SEEN | CorrelationType.RARE | CorrelationType.SPIKE:
                return SqlBaselines(self._plan, self._engine).tables()

    def _distinct(self) -> tuple[str, list[Table]]:
        """Return a table in which an event of several operands stands once."""
        if len(self._plan.operands) == 1:
            return self._from, []
        names = ", ".join(["source", "event_id", "t", *self._groups, *self._values])
        note = "an event of several operands is one event"
        return f"single_{self._plan.number}", [self._table("single", note, f"SELECT DISTINCT {names}{self._field()}", f"FROM {self._from}")]

    def _field(self) -> str:
        """Return a column that tells from which field a number was read, where operands read different ones."""
        fields = [(step.rule > 0, step.values) for step in self._plan.steps]
        if len(set(fields)) == 1:
            return ""
        read = " ".join(f"WHEN {number} THEN {fields.index(each)}" for number, each in enumerate(fields, start=1))
        return f", CASE operand {read} END AS field"

    # -- counts and numbers ----------------------------------------------------------------------------------------

    def _event_count(self) -> list[Table]:
        table, before = self._distinct()
        over = self._over(self._frame)
        shown = f"SELECT {', '.join([*self._groups, 't', 'event_id'])}, COUNT(*) {over} AS figure, MIN(t) {over} AS started"
        measured = self._table("measured", "what each window holds", shown, f"FROM {table}")
        return [*before, measured, self._closing(measured.name, self._meets("figure"), figure="figure")]

    def _sum(self) -> list[Table]:
        table, before = self._distinct()
        over = self._over(self._frame)
        shown = ", ".join([*self._groups, "t", "event_id"])
        measured = self._table(
            "measured",
            "what each window holds",
            f"SELECT {shown}, SUM(v_1) {over} AS total, COUNT(v_1) {over} AS numbers, MIN(t) {over} AS started",
            f"FROM {table}",
        )
        is_average = self._found.type is CorrelationType.VALUE_AVG
        figure = f"CAST(total AS {self._sequel.real}) / numbers" if is_average else "total"
        where = f"numbers > 0 AND {self._meets('total', 'numbers' if is_average else '')}"
        return [*before, measured, self._closing(measured.name, where, figure=figure)]

    def _value_count(self) -> list[Table]:
        """Sweep: a value counts from each occurrence until its next one, or until the occurrence is older than the timespan."""
        by = [*self._groups, *self._values]
        listed = [f"v_1 IN ({', '.join(self._literal(fold(text)) for text in self._found.listed)})"] if self._found.listed else []
        counted = " AND ".join([*(f"{value} IS NOT NULL" for value in self._values), *listed])
        times = self._table(
            "times",
            "each value once at each time, with the next time at which it occurs",
            f"SELECT {', '.join([*by, 't'])}, MIN(event_id) AS event_id,",
            f"  LEAD(t) {self._over('', by=by)} AS next_t",
            f"FROM {self._from}",
            f"GROUP BY {', '.join([*by, 't'])}",
        )
        ends = f"t + {self._found.timespan_us + 1}"
        swept = self._table(
            "swept",
            "a value counts from an occurrence until the next one, or until it is older than the timespan",
            f"SELECT {', '.join([*self._groups, 's.side', 'event_id'])},",
            f"  CASE s.side WHEN 0 THEN t ELSE LEAST(COALESCE(next_t, {ends}), {ends}) END AS t,",
            f"  CASE WHEN {counted} THEN 1 - 2 * s.side ELSE 0 END AS delta",
            f"FROM {times.name} CROSS JOIN (SELECT 0 AS side UNION ALL SELECT 1 AS side) AS s",
        )
        total = f"CAST(SUM(delta) {self._over('RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW')} AS {self._sequel.integer})"
        first = f"MIN(CASE WHEN side = 0 THEN t END) {self._over(self._frame)}"
        shown = ", ".join([*self._groups, "t", "side", "event_id"])
        measured = self._table(
            "measured", "how many values each window holds", f"SELECT {shown}, {total} AS figure, {first} AS started", f"FROM {swept.name}"
        )
        return [times, swept, measured, self._value_count_closing(measured)]

    def _value_count_closing(self, measured: Table) -> Table:
        if self._found.type is CorrelationType.VALUE_COUNT:
            return self._closing(measured.name, f"side = 0 AND {self._meets('figure')}", figure="figure")
        size = str(len(set(map(fold, self._found.listed))))
        where = f"side = 0 AND {self._meets('figure', size)}"
        return self._closing(measured.name, where, figure=f"CAST(figure AS {self._sequel.real}) / {size}")

    def _percentile(self) -> list[Table]:
        table, before = self._distinct()
        span = max(self._found.timespan_us, 1)
        slot = self._sequel.quotient("t", str(span))
        slotted = self._table(
            "slotted",
            "each occurrence in its slot of the timespan and in the next one",
            f"SELECT {', '.join([*self._groups, 't AS seen', 'v_1'])}, {slot} + s.side AS slot",
            f"FROM {table} CROSS JOIN (SELECT 0 AS side UNION ALL SELECT 1 AS side) AS s",
        )
        ends = self._table(
            "ends",
            "each time at which a window ends",
            f"SELECT {', '.join([*self._groups, 't'])}, {slot} AS slot, MIN(event_id) AS event_id",
            f"FROM {table}",
            f"GROUP BY {', '.join([*self._groups, 't'])}",
        )
        keys = [*(f"e.{group}" for group in self._groups), "e.t"]
        joined = " AND ".join(["o.slot = e.slot", *(f"o.{group} = e.{group}" for group in self._groups)])
        measured = self._table(
            "measured",
            "the numbers of each window, in order",
            f"SELECT {', '.join([*keys, 'MIN(e.event_id) AS event_id', 'MIN(o.seen) AS started'])},",
            "  ARRAY_AGG(o.v_1 ORDER BY o.v_1) FILTER (WHERE o.v_1 IS NOT NULL) AS numbers, COUNT(o.v_1) AS n"
            if self._sequel.integer == "BIGINT"
            else "  ARRAY_AGG(o.v_1 IGNORE NULLS ORDER BY o.v_1) AS numbers, COUNT(o.v_1) AS n",
            f"FROM {ends.name} AS e JOIN {slotted.name} AS o ON {joined} AND o.seen BETWEEN e.t - {self._found.timespan_us} AND e.t",
            f"GROUP BY {', '.join(keys)}",
        )
        return [*before, slotted, ends, measured, *self._interpolated(measured)]

    def _interpolated(self, measured: Table) -> list[Table]:
        """The rank is the share of n - 1: whole part and rest as integers, so that nothing is rounded."""
        given = None if self._found.type is CorrelationType.VALUE_MEDIAN else self._found.percentile
        percent = Decimal(50) if given is None else given
        share = Fraction(percent) / 100
        rank = f"({share.numerator} * (n - 1))"
        below, rest = self._sequel.quotient(rank, str(share.denominator)), f"MOD({rank}, {share.denominator})"
        small = "NUMERIC" if self._sequel.integer != "BIGINT" else "DECIMAL(9, 0)"
        low, high = self._sequel.item("numbers", below), self._sequel.item("numbers", f"LEAST({below} + 1, n - 1)")
        weights = (f"CAST({share.denominator} - {rest} AS {small})", f"CAST({rest} AS {small})")
        ranked = self._table(
            "ranked",
            f"the percentile times {share.denominator}, exactly",
            f"SELECT {', '.join([*self._groups, 't', 'event_id', 'started'])},",
            f"  {low} * {weights[0]} + {high} * {weights[1]} AS scaled",
            f"FROM {measured.name}",
            "WHERE n > 0",
        )
        figure = f"CAST(scaled AS {self._sequel.real}) / {share.denominator}"
        return [ranked, self._closing(ranked.name, self._meets("scaled", str(share.denominator)), figure=figure)]

    # -- temporal --------------------------------------------------------------------------------------------------

    def _temporal(self) -> list[Table]:
        over = self._over(self._frame)
        around = self._over(f"RANGE BETWEEN {self._found.timespan_us} PRECEDING AND {self._found.timespan_us} FOLLOWING")
        anchors = f"operand IN ({', '.join(map(str, self._plan.anchors))})"
        condition = self._plan.condition
        wanted = {(number, True) for number in self._plan.operands} if condition is None else set(self._leaves(condition))
        columns = [
            f"MAX(CASE WHEN operand = {number} THEN 1 ELSE 0 END) {over if is_there else around} AS {_flag(number, is_there)}"
            for number, is_there in sorted(wanted)
        ]
        shown = ", ".join([*self._groups, "operand", "t", "event_id"])
        measured = self._table(
            "measured",
            "which operands each window holds; `near` looks as far ahead as back",
            f"SELECT {shown},",
            *(f"  {column}," for column in columns),
            f"  MIN(CASE WHEN {anchors} THEN t END) {over} AS started",
            f"FROM {self._from}",
        )
        holds = " AND ".join(f"has_{number} = 1" for number in self._plan.operands) if condition is None else self._said(condition)
        return [measured, self._closing(measured.name, f"{anchors} AND {holds}")]

    def _leaves(self, condition: TemporalCondition) -> Iterator[tuple[int, bool]]:
        leaf = leaf_of(condition)
        if leaf is not None:
            yield self._plan.step_of(leaf[0]), leaf[1]
            return
        for item in getattr(condition, "items", ()):
            yield from self._leaves(item)

    def _said(self, condition: TemporalCondition) -> str:
        leaf = leaf_of(condition)
        if leaf is not None:
            number = self._plan.step_of(leaf[0])
            return f"{_flag(number, leaf[1])} = {1 if leaf[1] else 0}"
        joiner = " AND " if isinstance(condition, Both) else " OR "
        return "(" + joiner.join(self._said(item) for item in getattr(condition, "items", ())) + ")"

    def _ordered(self) -> list[Table]:
        """Hall's condition tells which runs of steps the events of one time can take, each event once; maxima chain the runs."""
        steps = self._plan.operands
        marked = self._table(
            "marked",
            "each event with the steps that it can take",
            f"SELECT {', '.join([*self._groups, 't', 'source', 'event_id'])},",
            "  " + ", ".join(f"MAX(CASE WHEN operand = {step} THEN 1 ELSE 0 END) AS is_{step}" for step in steps),
            f"FROM {self._from}",
            f"GROUP BY {', '.join([*self._groups, 't', 'source', 'event_id'])}",
        )
        counts = [
            f"SUM(CASE WHEN {' + '.join(f'is_{step}' for step in chosen)} > 0 THEN 1 ELSE 0 END) AS {_set_name(chosen)}"
            for size in steps
            for chosen in combinations(steps, size)
        ]
        ties = self._table(
            "ties",
            "how many events of each time can take each set of steps",
            f"SELECT {', '.join([*self._groups, 't'])}, MIN(CASE WHEN is_{steps[-1]} = 1 THEN event_id END) AS event_id,",
            *(f"  {count}{',' if place < len(counts) else ''}" for place, count in enumerate(counts, start=1)),
            f"FROM {marked.name}",
            f"GROUP BY {', '.join([*self._groups, 't'])}",
        )
        found = [marked, ties]
        for last in steps:
            found.append(self._step(found[-1].name, last))
        reached = f"from_{steps[-1]}"
        finish = self._table(
            "measured",
            "the tightest sequence that ends at each time",
            f"SELECT {', '.join([*self._groups, 't', 'event_id'])}, {reached} AS started",
            f"FROM {found[-1].name}",
        )
        return [*found, finish, self._closing(finish.name, f"started >= 0 AND t - started <= {self._found.timespan_us}")]

    def _step(self, table: str, last: int) -> Table:
        """Return a table with the latest start of a sequence of the first `last` steps that ends at each time; -1 for none."""
        before = self._over("ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING")
        earlier = f", COALESCE(MAX(from_{last - 1}) {before}, -1) AS before_{last}" if last > 1 else ""
        options = [
            f"CASE WHEN {run_is_feasible(first, last)} THEN {'t' if first == 1 else f'before_{first}'} ELSE -1 END"
            for first in range(1, last + 1)
        ]
        best = options[0] if len(options) == 1 else f"GREATEST({', '.join(options)})"
        inner = table if not earlier else f"(SELECT *{earlier} FROM {table}) AS earlier"  # noqa: S608 - our own names
        return Table(
            name=f"step_{self._plan.number}_{last}",
            note=f"the latest start of a sequence that takes step {last} at each time; -1 for none",
            body=(f"SELECT *, {best} AS from_{last}", f"FROM {inner}"),
        )


def _flag(number: int, is_there: bool) -> str:  # noqa: FBT001 - a leaf's sign
    return f"has_{number}" if is_there else f"near_{number}"


def _set_name(chosen: Sequence[int]) -> str:
    return "can_" + "_".join(map(str, chosen))


def run_is_feasible(first: int, last: int) -> str:
    """Return whether the events of one time can take the steps `first` to `last`, each event one of them (Hall's condition)."""
    steps = range(first, last + 1)
    tests = [f"{_set_name(chosen)} >= {size}" for size in range(1, len(steps) + 1) for chosen in combinations(steps, size)]
    return " AND ".join(tests)

"""Correlations in SQL: one scan, then a chain of common table expressions that ends in one row for each satisfying window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aibr_hunt.compile.correlation_fields import SEQUELS, identity_of, key_of, micros_of
from aibr_hunt.compile.correlation_plan import Plan, Scan, Step
from aibr_hunt.compile.correlation_sql_tables import Table, group_names, value_names
from aibr_hunt.compile.correlation_sql_windows import SqlWindows
from aibr_hunt.compile.program import SQL_PRINTERS, fixed_condition
from aibr_hunt.compile.span import sql_bounds
from aibr_hunt.compile.text import lines
from aibr_hunt.model.condition import both
from aibr_hunt.model.layout import Layout
from aibr_hunt.model.query import Span


class SqlCorrelation:
    """Prints one plan in the dialect of a layout.

    Args:
        scan: What the scan reads.
        layout: Where.
        scanned: The span of the scan.
    """

    def __init__(self, scan: Scan, layout: Layout, scanned: Span) -> None:
        """Keep what all tables share."""
        self._scan = scan
        self._layout = layout
        self._scanned = scanned
        self._printer = SQL_PRINTERS[layout.engine]
        self.sequel = SEQUELS[layout.engine]

    # -- the scan --------------------------------------------------------------------------------------------------

    def scan(self) -> list[Table]:
        """Return the tables `scanned` and `confirmed`."""
        names = self._columns()
        chosen = " OR ".join(name for name in names if name.startswith("is_"))
        events = (
            f"SELECT event_id, MIN(t) AS t{_listed(names)}",
            "FROM scanned",
            f"WHERE t IS NOT NULL AND ({chosen})",
            f"GROUP BY event_id{_listed(names)}",
        )
        return [
            Table(name="scanned", note="rows of the span, with the truth of each rule on them", body=tuple(self._scanning())),
            Table(name="confirmed", note="an event counts once, however often it was delivered", body=events),
        ]

    def _columns(self) -> list[str]:
        keys = [f"key_{number}" for number in range(1, len(self._scan.reads) + 1)]
        return [*keys, *(f"is_{number}" for number in range(1, len(self._scan.rules) + 1))]

    def _scanning(self) -> Iterator[str]:
        printer = self._printer
        yield "SELECT"
        yield f"  {identity_of(self._layout, printer)} AS event_id,"
        yield f"  {micros_of(self._layout, printer)} AS t,"
        for number, read in enumerate(self._scan.reads, start=1):
            yield f"  {key_of(read, printer)} AS key_{number},"
        for number, (_, condition) in enumerate(self._scan.rules, start=1):
            block = lines(printer.condition(condition), indent=2)
            yield "  COALESCE("
            yield from block
            yield f"  , FALSE) AS is_{number}{'' if number == len(self._scan.rules) else ','}"
        yield f"FROM {printer.dialect.table(self._layout.table)}"
        word = "WHERE"
        fixed = fixed_condition(self._layout)
        shared = [] if fixed == both() else [" ".join(line.strip() for line in lines(printer.condition(fixed)))]
        for bound in (*sql_bounds(self._layout, self._scanned, printer), *shared):
            yield f"{word} {bound}"
            word = "  AND"

    # -- one correlation -------------------------------------------------------------------------------------------

    def tables(self, plan: Plan) -> list[Table]:
        """Return the tables of a plan, those of its chained correlations first; the last is named `windows_N`."""
        found = [table for step in plan.steps if step.of for table in self.tables(step.of)]
        found.append(self.occurrences(plan))
        return [*found, *SqlWindows(plan, self._layout.engine).tables()]

    def identifier(self, name: str) -> str:
        """Return a name, quoted where needed."""
        return self._printer.dialect.identifier(name)

    def occurrences(self, plan: Plan) -> Table:
        """Return the table of a plan's events by operand and group."""
        parts: list[list[str]] = []
        ruled = [(number, step) for number, step in enumerate(plan.steps, start=1) if step.of is None]
        if ruled:
            parts.append(list(_from_events(plan, ruled)))
        for number, step in enumerate(plan.steps, start=1):
            if step.of is not None:
                parts.append(_from_windows(plan, number, of=step.of))
        body = [line for place, part in enumerate(parts) for line in ([*(["UNION ALL"] if place else []), *part])]
        names = ", ".join(f"{number} is {step.name}" for number, step in enumerate(plan.steps, start=1))
        return Table(name=f"occurrences_{plan.number}", note=f"events by operand and group: {names}", body=tuple(body))


def _listed(names: Sequence[str]) -> str:
    return "".join(f", {name}" for name in names)


def _from_events(plan: Plan, ruled: Sequence[tuple[int, Step]]) -> Iterator[str]:
    """Yield a statement that gives each event under each of its operands, in one reading of the events."""
    groups = [_choice("key", [(number, step.groups[place]) for number, step in ruled]) for place in range(len(plan.correlation.group_by))]
    values = [_choice("key", [(number, step.values[place]) for number, step in ruled]) for place in range(len(plan.correlation.values))]
    operand = str(ruled[0][0]) if len(ruled) == 1 else "o.operand"
    shown = [f"{text} AS {name}" for text, name in zip([*groups, *values], [*group_names(plan), *value_names(plan)], strict=True)]
    yield f"SELECT {', '.join([f'{operand} AS operand', '0 AS source', 'e.event_id', 'e.t', *shown])}"
    if len(ruled) == 1:
        yield "FROM confirmed AS e"
    else:
        yield f"FROM confirmed AS e CROSS JOIN ({' UNION ALL '.join(f'SELECT {number} AS operand' for number, _ in ruled)}) AS o"
    here = _choice("is", [(number, step.rule) for number, step in ruled])
    yield f"WHERE {' AND '.join([here, *(f'{group} IS NOT NULL' for group in groups)])}"


def _choice(prefix: str, numbers: Sequence[tuple[int, int]]) -> str:
    """Return the column that stands for an operand: one, or one for each."""
    if len({column for _, column in numbers}) == 1:
        return f"e.{prefix}_{numbers[0][1]}"
    return "CASE o.operand " + " ".join(f"WHEN {number} THEN e.{prefix}_{column}" for number, column in numbers) + " END"


def _from_windows(plan: Plan, number: int, *, of: Plan) -> list[str]:
    step = plan.steps[number - 1]
    groups = [f"g_{group} AS {name}" for group, name in zip(step.groups, group_names(plan), strict=True)]
    values = [f"g_{value} AS {name}" for value, name in zip(step.values, value_names(plan), strict=True)]
    shown = ", ".join([f"{number} AS operand", f"{number} AS source", "event_id", "t", *groups, *values])
    return [f"SELECT {shown}", f"FROM windows_{of.number}"]

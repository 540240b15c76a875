"""Correlations in KQL: one scan, then named tables that end in one row for each satisfying window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from aibr_hunt.compile.correlation_kql_windows import KqlWindows, length, let
from aibr_hunt.compile.correlation_plan import HOUR_US, Plan, Read, Scan, Step
from aibr_hunt.compile.correlation_sql_tables import group_names, value_names
from aibr_hunt.compile.kql import identifier, literal
from aibr_hunt.compile.program import KQL_PRINTER, fixed_condition
from aibr_hunt.compile.span import kql_bounds
from aibr_hunt.compile.text import lines
from aibr_hunt.meaning.places import typed_path
from aibr_hunt.model.condition import Value, both
from aibr_hunt.model.correlation import CorrelationType
from aibr_hunt.model.layout import Kind, Layout
from aibr_hunt.model.query import Last, Span


class KqlCorrelation:
    """Prints one plan for a layout.

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

    def text(self, plan: Plan, edges: Sequence[str], columns: Sequence[tuple[str, str]]) -> list[str]:
        """Return the program in lines; `edges` are the conditions on a window's last event."""
        shown = [*(f"{name} = {column}" for column, name in columns), "window_start = started", "window_end = t"]
        shown += [] if plan.correlation.type in _WITHOUT_FIGURE else ["figure"]
        end = [f"windows_{plan.number}", *(f"| where {edge}" for edge in edges), "| order by t asc"]
        return [*self._scanning(), *self._tables(plan), *end, f"| project {', '.join([*shown, 'event_id'])}"]

    def groups(self, plan: Plan, least: int, names: Sequence[str]) -> list[str]:
        """Return a program that gives each group with at least so many events."""
        groups = group_names(plan)
        counted = "events = count(), first_time = min(t), last_time = max(t)"
        shown = [f"{name} = {column}" for column, name in zip(groups, names, strict=True)]
        return [
            *self._scanning(),
            *self._occurrences(plan),
            f"occurrences_{plan.number}",
            f"| summarize {counted}{_by(groups)}",
            f"| where events >= {least}",
            f"| project {', '.join([*shown, 'events', 'first_time', 'last_time'])}",
        ]

    def tallies(self, plan: Plan, names: Sequence[str], span: Span) -> list[str]:
        """Return a program that gives the tallies of hours that lie whole in the span."""
        groups = group_names(plan)
        shown = [f"{name} = {column}" for column, name in zip(groups, names, strict=True)]
        return [
            *self._scanning(),
            *self._occurrences(plan),
            f"occurrences_{plan.number}",
            f"| summarize events = count(), first_time = min(t), last_time = max(t) by {', '.join([*groups, 'tally_hour = bin(t, 1h)'])}",
            *(f"| where {edge}" for edge in _whole_hours(span)),
            f"| project {', '.join([*shown, 'tally_hour', 'events', 'first_time', 'last_time'])}",
        ]

    # -- the scan --------------------------------------------------------------------------------------------------

    def _scanning(self) -> Iterator[str]:
        printer, names = KQL_PRINTER, self._columns()
        body = [identifier(self._layout.table)]
        bounds = kql_bounds(self._layout, self._scanned, printer)
        body += [f"| where {' and '.join(bounds)}"] if bounds else []
        fixed = fixed_condition(self._layout)
        body += [f"| where {' '.join(line.strip() for line in lines(printer.condition(fixed)))}"] if fixed != both() else []
        body.append("| project")
        body.append(f"    event_id = {self._identity()},")
        body.append(f"    t = bin({printer.value(typed_path(self._layout, self._layout.time))}, 1microsecond),")
        for number, read in enumerate(self._scan.reads, start=1):
            body.append(f"    key_{number} = {_key_of(read)},")
        for number, (_, condition) in enumerate(self._scan.rules, start=1):
            body.append(f"    is_{number} = coalesce(")
            body += lines(printer.condition(condition), indent=3)
            body.append(f"    , false){'' if number == len(self._scan.rules) else ','}")
        chosen = " or ".join(name for name in names if name.startswith("is_"))
        body += [f"| where isnotnull(t) and ({chosen})", f"| summarize t = min(t) by {', '.join(['event_id', *names])}"]
        yield from let("confirmed", body, "events that some rule finds, each once, however often it was delivered", is_kept=True)

    def _columns(self) -> list[str]:
        keys = [f"key_{number}" for number in range(1, len(self._scan.reads) + 1)]
        return [*keys, *(f"is_{number}" for number in range(1, len(self._scan.rules) + 1))]

    def _identity(self) -> str:
        parts = [typed_path(self._layout, path) for path in self._layout.identity]
        texts = [KQL_PRINTER.text(value) for value in parts]
        joined = ', "|", '.join(texts)
        return texts[0] if len(texts) == 1 else f"strcat({joined})"

    # -- one correlation -------------------------------------------------------------------------------------------

    def _tables(self, plan: Plan) -> list[str]:
        inner = [line for step in plan.steps if step.of for line in self._tables(step.of)]
        return [*inner, *self._occurrences(plan), *KqlWindows(plan).text()]

    def _occurrences(self, plan: Plan) -> list[str]:
        parts = [_part(plan, number, step) for number, step in enumerate(plan.steps, start=1)]
        names = ", ".join(f"{number} is {step.name}" for number, step in enumerate(plan.steps, start=1))
        note = f"events by operand and group: {names}"
        if len(parts) == 1:
            return let(f"occurrences_{plan.number}", parts[0], note, is_kept=True)
        body = [f"({' '.join(part)}){',' if place < len(parts) else ''}" for place, part in enumerate(parts, start=1)]
        return let(f"occurrences_{plan.number}", ["union", *(f"    {line}" for line in body)], note, is_kept=True)


def _part(plan: Plan, number: int, step: Step) -> list[str]:
    """Return what gives the events of one operand."""
    prefix, table = ("key", "confirmed") if step.of is None else ("g", f"windows_{step.of.number}")
    groups = [f"{prefix}_{column}" for column in step.groups]
    shown = [f"{name} = {prefix}_{column}" for column, name in zip(step.groups, group_names(plan), strict=True)]
    shown += [f"{name} = {prefix}_{column}" for column, name in zip(step.values, value_names(plan), strict=True)]
    tests = [*([f"is_{step.rule}"] if step.of is None else []), *(f"isnotempty({group})" for group in groups)]
    where = [f"| where {' and '.join(tests)}"] if tests else []
    source = 0 if step.of is None else number
    return [table, *where, f"| project {', '.join([f'operand = {number}', f'source = {source}', 'event_id', 't', *shown])}"]


def _key_of(read: Read) -> str:
    """Return a field as a key's text, empty where it is blank, or as the number that is measured, null where it is none."""
    parts = [KQL_PRINTER.number(value) if read.is_number else _key(value, read.blanks) for value in read.values]
    if len(parts) == 1:
        return parts[0]
    if read.is_number:
        return f"coalesce({', '.join(parts)})"
    *firsts, last = parts
    return "case(" + ", ".join(f"isnotempty({part}), {part}" for part in firsts) + f", {last})"


def _key(value: Value, blanks: Sequence[str]) -> str:
    text = KQL_PRINTER.text(value)
    if value.type.kind in {Kind.INTEGER, Kind.BOOLEAN}:
        return f"tolower({text})"
    folded = f"tolower({text})"
    if value.type.kind is Kind.JSON:
        # A number's key has no `.0`; a text keeps it, and an object or a list has none.
        kind = f"gettype({KQL_PRINTER.value(value)})"
        folded = f'case({kind} == "string", {folded}, {kind} in ("array", "dictionary"), "", replace_regex({folded}, @\'[.]0+$\', ""))'
    if not blanks:
        return folded
    return f'iff({text} in ({", ".join(map(literal, blanks))}), "", {folded})'


def kql_edges(span: Span, ahead_us: int) -> list[str]:
    """Return the conditions on the last event of windows that end in a span; a relative one ends so much before now."""
    if isinstance(span, Last):
        begins = f"t >= ago({length(span.hours * HOUR_US + ahead_us)})"
        return [begins, f"t < ago({length(ahead_us)})"] if ahead_us else [begins]
    sides = ((">=", span.start), ("<", span.end))
    return [f"t {sign} datetime({edge.replace(tzinfo=None).isoformat()}Z)" for sign, edge in sides if edge is not None]


def _whole_hours(span: Span) -> Iterator[str]:
    if isinstance(span, Last):
        yield f"tally_hour >= ago({span.hours}h)"
        yield "tally_hour <= ago(1h)"
        return
    if span.start is not None:
        yield f"tally_hour >= datetime({span.start.replace(tzinfo=None).isoformat()}Z)"
    if span.end is not None:
        yield f"tally_hour + 1h <= datetime({span.end.replace(tzinfo=None).isoformat()}Z)"


def _by(names: Sequence[str]) -> str:
    return f" by {', '.join(names)}" if names else ""


_WITHOUT_FIGURE: Final = frozenset((CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED, CorrelationType.FIRST_SEEN))

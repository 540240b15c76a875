"""Rules as programs: the whole predicate of one or several rules, or the sieve of many, with time bounds, columns and a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from aibr_hunt.compile.athena import TRINO
from aibr_hunt.compile.bigquery import GOOGLE
from aibr_hunt.compile.dialects import Dialect
from aibr_hunt.compile.duckdb import DUCK
from aibr_hunt.compile.kql import KqlPrinter, identifier, optional_column
from aibr_hunt.compile.span import kql_bounds, sql_bounds
from aibr_hunt.compile.sql import SqlPrinter
from aibr_hunt.compile.text import Joined, Node, lines
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bounds import Bounds, bounds_of
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.narrow import narrowed
from aibr_hunt.meaning.places import Locator, typed_path
from aibr_hunt.model.condition import Condition, TextIs, both, either
from aibr_hunt.model.layout import Column, EngineKind, Kind, Layout
from aibr_hunt.model.predicate import TextOp
from aibr_hunt.model.query import Form, Last, Query, Span
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.text import visible
from aibr_hunt.model.window import utc_text

SQL_PRINTERS: Final = {dialect.engine: SqlPrinter(dialect) for dialect in (TRINO, GOOGLE, DUCK)}
KQL_PRINTER: Final = KqlPrinter()
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What programs are made for.

    Attributes:
        locator: Mapping and layout.
        span: The window.
        meanings: Meaning digest of each rule, by rule id; a rule without one is headed without it.
        is_read_back: The rows are read by a program of ours: nested columns are selected so that nothing of them is lost.
    """

    locator: Locator
    span: Span
    meanings: Mapping[str, str]
    is_read_back: bool = False

    @property
    def layout(self) -> Layout:
        """Where the programs read."""
        return self.locator.layout


def whole_query(rules: Sequence[Rule], asking: Asking) -> Query:
    """Return one program that gives exactly the rows which meet some of the rules.

    Raises:
        Unsupported: A rule cannot be asked of the layout, or cannot be said whole there; the message names the construct.
    """
    found = [(rule, bounds_of(rule.predicate, asking.locator)) for rule in rules]
    conditions: list[tuple[Rule, Condition]] = []
    for rule, bounds in found:
        if bounds.high is None:
            what = ", ".join(bounds.obstacles)
            hint = "Its sieve form remains (`--form sieve`, in sigma-cli `-f sieve`); what that returns is matched."
            raise Unsupported(f"rule {rule.name} as a whole on {asking.layout.label}", f"it asks for {what}.", hint=hint)
        conditions.append((rule, bounds.high))
    assumptions = tuple(dict.fromkeys(each for _, bounds in found for each in bounds.assumptions))
    return _query(Form.WHOLE, rules, _either_of(conditions), asking=asking, assumptions=assumptions)


def sieve_query(rules: Sequence[Rule], asking: Asking) -> Query:
    """Return one program that gives a superset of the rows which meet some of the rules, as short as that can be said.

    Raises:
        Unsupported: A rule cannot be asked of the layout.
    """
    condition = either(*(narrowed(bounds_of(rule.predicate, asking.locator).may, asking.locator.weights) for rule in rules))
    return _query(Form.SIEVE, rules, condition, asking=asking)


def rule_bounds(rule: Rule, locator: Locator) -> Bounds:
    """Return what a rule is on a layout: whether it can be said whole, what stands in the way, what its sieve asks.

    Raises:
        Unsupported: It cannot be asked at all.
    """
    return bounds_of(rule.predicate, locator)


def _either_of(conditions: Sequence[tuple[Rule, Condition]]) -> Condition:
    return either(*(condition for _, condition in conditions))


def _query(form: Form, rules: Sequence[Rule], condition: Condition, *, asking: Asking, assumptions: tuple[str, ...] = ()) -> Query:
    body = _kql(condition, asking) if asking.layout.engine is EngineKind.KQL else _sql(condition, asking)
    text = "\n".join([*_header(form, rules, asking=asking, assumptions=assumptions), *body]) + "\n"
    ids = tuple(rule.id for rule in rules)
    return Query(layout=asking.layout, form=form, span=asking.span, text=text, rules=ids, assumptions=assumptions)


def _header(form: Form, rules: Sequence[Rule], *, asking: Asking, assumptions: Sequence[str]) -> list[str]:
    mark = "//" if asking.layout.engine is EngineKind.KQL else "--"
    shown: list[str] = []
    for rule in rules[:_MOST_NAMED]:
        shown += [rule.title, f"rule {rule.id}, text sha256 {rule.text_digest[:16]}"]
        meaning = asking.meanings.get(rule.id, "")
        shown[-1] += f", meaning sha256 {meaning[:16]}" if meaning else ""
    if len(rules) > _MOST_NAMED:
        shown.append(f"and {len(rules) - _MOST_NAMED} more rules")
    if form is Form.SIEVE:
        shown.append("sieve: a necessary condition; the matcher decides on each row")
    shown.append(f"layout {asking.layout.label}, {span_text(asking.span)}")
    shown += [f"assumes: {each}" for each in assumptions]
    shown += [f"note: {each}" for each in asking.layout.notes]
    return [f"{mark} {visible(line)}" for line in shown]


def span_text(span: Span) -> str:
    """Return a window as people read it."""
    if isinstance(span, Last):
        return f"the last {span.hours} hours"
    start, end = (utc_text(edge) if edge else "unbounded" for edge in (span.start, span.end))
    return f"[{start}, {end})"


def fixed_condition(layout: Layout) -> Condition:
    """Return what tells the source's rows apart in a table that it shares."""
    conditions = []
    for fixed in layout.fixed:
        value = typed_path(layout, fixed.path)
        conditions.append(either(*(TextIs(value=value, op=TextOp.EQUALS, literal=fold(text)) for text in fixed.values)))
    return both(*conditions)


def _conditions(bounds: Sequence[str], fixed: Condition, condition: Condition, *, printer: SqlPrinter | KqlPrinter) -> list[Node]:
    found: list[Node] = list(bounds)
    if fixed != both():
        node = printer.condition(fixed)
        found += node.parts if isinstance(node, Joined) and node.joiner.strip().upper() == "AND" else [node]
    node = printer.condition(condition)
    # The parts of a conjunction stand beside the bounds.
    is_flat = isinstance(node, Joined) and node.joiner.strip().upper() == "AND" and node.opening == "("
    return [*found, *(node.parts if isinstance(node, Joined) and is_flat else [node])]


def _sql(condition: Condition, asking: Asking) -> list[str]:
    layout = asking.layout
    printer = SQL_PRINTERS[layout.engine]
    select = partial(_selected, dialect=printer.dialect, is_read_back=asking.is_read_back)
    columns = [select(column) for column in layout.columns]
    parts = _conditions(sql_bounds(layout, asking.span, printer), fixed_condition(layout), condition, printer=printer)
    text = ["SELECT", *_columns(columns), f"FROM {printer.dialect.table(layout.table)}"]
    for number, part in enumerate(parts):
        block = lines(part, indent=1)
        block[0] = f"{'WHERE' if number == 0 else '  AND'} {block[0].strip()}"
        text += block
    return text


def _selected(column: Column, dialect: Dialect, *, is_read_back: bool) -> str:
    """Return a column as it is selected."""
    name = dialect.identifier(column.name)
    is_nested = column.type.kind in {Kind.STRUCT, Kind.ARRAY, Kind.MAP}
    return f"{dialect.cell(name)} AS {name}" if is_read_back and is_nested and dialect.cell is not None else name


def _columns(names: Sequence[str]) -> list[str]:
    return (
        lines(Joined(joiner=", ", parts=tuple(names), opening="", closing=""), indent=0)[1:-1]
        if len(", ".join(names)) > 100
        else ["  " + ", ".join(names)]
    )


def _kql(condition: Condition, asking: Asking) -> list[str]:
    layout = asking.layout
    bounds = kql_bounds(layout, asking.span, KQL_PRINTER)
    parts = _conditions((), fixed_condition(layout), condition, printer=KQL_PRINTER)
    text = [identifier(layout.table)]
    text += [f"| where {' and '.join(bounds)}"] if bounds else []
    for part in parts:
        block = lines(part, indent=1)
        block[0] = f"| where {block[0].strip()}"
        text += block
    columns = [
        f"{identifier(column.name)} = {optional_column(column.name, column.type.kind)}" if column.is_optional else identifier(column.name)
        for column in layout.columns
    ]
    return [*text, "| project", *_columns(columns)]

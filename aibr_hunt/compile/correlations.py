"""Correlations and baselines as complete queries, for people who let an engine run the text itself (docs/meaning.md section 7).

A query gives one row for each satisfying window: the group's values, first and last time, the figure, and the native id of an event at its
end. It says exactly what the correlation means or is refused by name. `pushdown_query` is what an engine may be asked to narrow a hunt by,
and `tally_query` the history that baselines of later runs need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.compile.correlation_fields import SEQUELS
from aibr_hunt.compile.correlation_kql import KqlCorrelation, kql_edges
from aibr_hunt.compile.correlation_kql_windows import length
from aibr_hunt.compile.correlation_plan import HOUR_US, Plan, Scan, Sources, planned
from aibr_hunt.compile.correlation_sql import SqlCorrelation
from aibr_hunt.compile.correlation_sql_tables import Table, group_names, value_names
from aibr_hunt.compile.program import Asking, span_text
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, KeyField, Operand
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.query import Form, Last, Query, Span
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.text import visible
from aibr_hunt.model.window import Window

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OWN: Final = ("window_start", "window_end", "figure", "event_id")
_WITH_VALUES: Final = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE))
WITHOUT_FIGURE: Final = frozenset((CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED, CorrelationType.FIRST_SEEN))
_COUNTED: Final = frozenset((CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT))
_ONE_EVENT: Final = "one native identity is one event: two contents under one identity that differ in nothing which is read count once"


def correlation_query(correlation: Correlation, rules: Sources, asking: Asking) -> Query:
    """Return one program that gives a row for each window which satisfies the correlation and ends in the span.

    Args:
        correlation: What is asked.
        rules: The rules and correlations that its operands and population name, by id.
        asking: Mapping and layout of all of them, the span of windows' last events, meaning digests by id.

    Raises:
        Unsupported: Something in it cannot be said exactly on the layout; the message names it.
    """
    plan, scan = planned(correlation, rules, asking)
    return _whole(_Page(correlation, plan, scan, asking))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A correlation as a program for a schedule: consecutive runs tell of each window once.

    A run tells of the windows whose last event lies in the asked hours. These end so long before the whole hour in which it starts that
    what is there can no longer change: runs may start some minutes late and still share all windows out.

    Attributes:
        query: The program; its span is what it reads, up to the time of the run.
        columns: Names of the columns that hold the group's values, in the order of the group fields.
        edges: The conditions on a window's last event, as whole lines of the program end.
        held_us: How long before the run's hour the windows end.
        back_us: How far before its end the events of a window may lie, history included.
    """

    query: Query
    columns: tuple[str, ...]
    edges: tuple[str, ...]
    held_us: int
    back_us: int


def scheduled_query(correlation: Correlation, rules: Sources, asking: Asking) -> Scheduled:
    """Return one program for a schedule that runs it each time after the asked span's hours.

    Args:
        correlation: What is asked.
        rules: The rules and correlations that its operands and population name, by id.
        asking: Mapping and layout of all of them; a span that says how often the program runs; meaning digests by id.

    Raises:
        Unsupported: Something in it cannot be said exactly on the layout, or the span is an absolute window.
    """
    if not isinstance(asking.span, Last):
        raise Unsupported(f"the schedule of {correlation.name}", "its span is an absolute window.", hint="Give hours.")
    plan, scan = planned(correlation, rules, asking)
    page = _Page(correlation, plan, scan, asking, held_us=plan.ahead_us + asking.layout.settle_s * 1_000_000)
    groups = len(correlation.group_by)
    return Scheduled(
        query=replace(_whole(page), span=page.scanned),
        columns=tuple(page.names()[:groups]),
        edges=tuple(page.edges()),
        held_us=page.held_us or 0,
        back_us=plan.back_us,
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """A query in the making: what header, tables and last statement share; `held_us` is that of a schedule, None without one."""

    correlation: Correlation
    plan: Plan
    scan: Scan
    asking: Asking
    held_us: int | None = None

    @property
    def layout(self) -> Layout:
        return self.asking.layout

    @property
    def scanned(self) -> Span:
        """The span that must be read so that every window which ends in the asked one is whole."""
        if self.held_us is None:
            return widened(self.asking.span, self.plan.back_us, self.plan.ahead_us)
        return widened(self.asking.span, self.plan.back_us + self.held_us, HOUR_US)  # and the part of an hour before the run

    @property
    def assumptions(self) -> tuple[str, ...]:
        return (*self.scan.assumptions, _ONE_EVENT)

    def names(self) -> list[str]:
        """Return names for the columns of the group, and of the values where a row has them: plain words, each once."""
        fields = [*self.correlation.group_by, *(self.correlation.values if self.correlation.type in _WITH_VALUES else ())]
        taken = {name.lower() for name in _OWN}
        found: list[str] = []
        for field in fields:
            plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in field.name)
            name = plain if plain[:1].isalpha() else f"by_{plain}"
            while name.lower() in taken:
                name += "_"
            taken.add(name.lower())
            found.append(name)
        return found

    def columns(self) -> list[str]:
        """Return the columns that hold them."""
        return [*group_names(self.plan), *(value_names(self.plan) if self.correlation.type in _WITH_VALUES else ())]

    def header(self) -> list[str]:
        """Return the comment lines that say what the text is, and what it assumes."""
        mark = "//" if self.layout.engine is EngineKind.KQL else "--"
        found = self.correlation
        shown = [found.title, f"correlation {found.id} ({found.type.value}), text sha256 {found.text_digest[:16]}"]
        for rule, _ in self.scan.rules:
            meaning = self.asking.meanings.get(rule.id, "")
            shown.append(
                f"of rule {rule.id}, text sha256 {rule.text_digest[:16]}" + (f", meaning sha256 {meaning[:16]}" if meaning else "")
            )
        shown.append(f"layout {self.layout.label}; windows whose last event lies in {self._span_said()}")
        shown.append(_reach_text(self.plan))
        shown += self._settling()
        shown += [f"assumes: {each}" for each in self.assumptions]
        shown += [f"note: {each}" for each in self.layout.notes]
        return [f"{mark} {visible(line)}" for line in shown]

    def _span_said(self) -> str:
        if self.held_us is None:
            return span_text(self.asking.span)
        hours = self.asking.span.hours if isinstance(self.asking.span, Last) else 0
        return f"the {hours} hours that end {_length(self.held_us)} before the whole hour in which this runs"

    def _settling(self) -> Iterator[str]:
        settle = _length(self.layout.settle_s * 1_000_000)
        if self.held_us is not None:
            yield f"late data: what arrives more than {settle} after it happened is missed; runs share all windows out, each to one of them"
            return
        if isinstance(self.asking.span, Last) and self.plan.ahead_us:
            yield f"the span ends {_length(self.plan.ahead_us)} before now: until then a later event could unmake a window"
        yield f"late data: events arrive up to {settle} after they happen; let runs overlap by that much"

    def edges(self) -> list[str]:
        """Return the conditions on a window's last event."""
        is_kql = self.layout.engine is EngineKind.KQL
        if self.held_us is None:
            span, ahead = self.asking.span, self.plan.ahead_us
            return kql_edges(span, ahead) if is_kql else list(_sql_edges(span, ahead, SEQUELS[self.layout.engine].now))
        ends = self.held_us
        begins = ends + (self.asking.span.hours * HOUR_US if isinstance(self.asking.span, Last) else 0)
        if is_kql:
            return [f"t >= bin(now(), 1h) - {length(begins)}", f"t < bin(now(), 1h) - {length(ends)}"]
        sequel = SEQUELS[self.layout.engine]
        hour = f"{sequel.quotient(sequel.now, str(HOUR_US))} * {HOUR_US}"
        return [f"t >= {hour} - {begins}", f"t < {hour} - {ends}"]

    def query(self, text: Sequence[str], form: Form = Form.WHOLE) -> Query:
        """Return the lines of a text as a Query."""
        ids = (self.correlation.id, *(rule.id for rule, _ in self.scan.rules))
        return Query(
            layout=self.layout,
            form=form,
            span=self.asking.span,
            text="\n".join(text) + "\n",
            rules=tuple(dict.fromkeys(ids)),
            assumptions=self.assumptions,
        )


def _whole(page: _Page) -> Query:
    body = _kql(page) if page.layout.engine is EngineKind.KQL else _sql(page)
    return page.query([*page.header(), *body])


def _reach_text(plan: Plan) -> str:
    ahead = f", and until {_length(plan.ahead_us)} behind it" if plan.ahead_us else ""
    return f"reads from {_length(plan.back_us)} before the span{ahead}"


def _length(micros: int) -> str:
    for unit, size in (("d", 24 * HOUR_US), ("h", HOUR_US), ("min", HOUR_US // 60), ("s", 1_000_000)):
        if micros and micros % size == 0:
            return f"{micros // size} {unit}"
    return f"{micros} microseconds" if micros else "0 s"


# -- spans ----------------------------------------------------------------------------------------------------------


def widened(span: Span, back_us: int, ahead_us: int) -> Span:
    """Return the span that reaches so much further back and ahead; a relative one begins earlier and ends now anyway."""
    if isinstance(span, Last):
        return Last(hours=span.hours + -(-back_us // HOUR_US) + -(-ahead_us // HOUR_US))
    start = None if span.start is None else span.start - timedelta(microseconds=back_us)
    end = None if span.end is None else span.end + timedelta(microseconds=ahead_us)
    return Window(start=start, end=end)


def edges_us(span: Window) -> tuple[int | None, int | None]:
    """Return the edges of a window as microseconds since 1970."""
    start, end = (None if edge is None else (edge - _EPOCH) // timedelta(microseconds=1) for edge in (span.start, span.end))
    return start, end


def _sql_edges(span: Span, ahead_us: int, now: str) -> Iterator[str]:
    if isinstance(span, Last):
        yield f"t >= {now} - {span.hours * HOUR_US + ahead_us}"
        if ahead_us:
            yield f"t < {now} - {ahead_us}"
        return
    start, end = edges_us(span)
    if start is not None:
        yield f"t >= {start}"
    if end is not None:
        yield f"t < {end}"


# -- SQL ------------------------------------------------------------------------------------------------------------


def _sql(page: _Page) -> list[str]:
    writer = SqlCorrelation(page.scan, page.layout, page.scanned)
    text = with_tables([*writer.scan(), *writer.tables(page.plan)])
    shown = [f"{column} AS {writer.identifier(name)}" for column, name in zip(page.columns(), page.names(), strict=True)]
    moment = writer.sequel.moment
    shown += [f"{moment('started')} AS window_start", f"{moment('t')} AS window_end"]
    shown += [] if page.correlation.type in WITHOUT_FIGURE else ["figure"]
    text += ["SELECT", *(f"  {column}," for column in shown), "  event_id", f"FROM windows_{page.plan.number}"]
    for number, edge in enumerate(page.edges()):
        text.append(f"{'  AND' if number else 'WHERE'} {edge}")
    return [*text, "ORDER BY window_end"]


def with_tables(tables: Sequence[Table]) -> list[str]:
    """Return the beginning of a statement: each table with its note."""
    text = ["WITH"]
    for number, table in enumerate(tables):
        text += [f"-- {visible(table.note)}", f"{table.name} AS (", *(f"  {line}" for line in table.body)]
        text.append(")," if number < len(tables) - 1 else ")")
    return text


# -- KQL ------------------------------------------------------------------------------------------------------------


def _kql(page: _Page) -> list[str]:
    writer = KqlCorrelation(page.scan, page.layout, page.scanned)
    return writer.text(page.plan, page.edges(), list(zip(page.columns(), page.names(), strict=True)))


# -- narrowing and tallies ------------------------------------------------------------------------------------------


def pushdown_query(correlation: Correlation, rules: Sources, asking: Asking) -> Query:
    """Return one program that gives each group whose events could satisfy the correlation: a superset, to be judged by the evaluator.

    A row holds the group's values, its number of events, and its first and last time. Groups with too few events are left out only where
    every threshold is `gt` or `gte` on a count (docs/meaning.md section 7.1); else every group with an event comes back.

    Raises:
        Unsupported: A rule has no exact whole form there, or a group field no exact text.
    """
    if any(each.is_correlation for each in correlation.operands):
        raise Unsupported(f"the groups of {correlation.name}", "its operands are correlations.", hint="Narrow those.")
    # Only the groups are asked for: values, conditions and history stay with the evaluator.
    bare = replace(correlation, type=CorrelationType.EVENT_COUNT, values=(), condition=None, population=None, lookback_us=0)
    plan, scan = planned(bare, rules, asking)
    page = _Page(bare, plan, scan, asking)
    least = least_events(correlation)
    if asking.layout.engine is EngineKind.KQL:
        writer = KqlCorrelation(scan, asking.layout, page.scanned)
        return page.query([*page.header(), *writer.groups(plan, least, page.names()[: len(correlation.group_by)])], Form.SIEVE)
    return page.query([*page.header(), *_sql_groups(page, least)], Form.SIEVE)


def least_events(correlation: Correlation) -> int:
    """Return how many events a group needs so that a window of it can satisfy; 1 where that says nothing."""
    rising = all(each.comparison in {Comparison.GT, Comparison.GTE} for each in correlation.thresholds)
    if correlation.type not in _COUNTED or not rising:
        return 1
    needs = [int(each.number // 1) + (each.comparison is Comparison.GT or each.number % 1 > 0) for each in correlation.thresholds]
    return max([1, *needs])


def _sql_groups(page: _Page, least: int) -> list[str]:
    writer = SqlCorrelation(page.scan, page.layout, page.scanned)
    groups = group_names(page.plan)
    text = with_tables([*writer.scan(), writer.occurrences(page.plan)])
    shown = [f"{column} AS {writer.identifier(name)}" for column, name in zip(groups, page.names(), strict=False)]
    moment = writer.sequel.moment
    counted = ["COUNT(*) AS events", f"{moment('MIN(t)')} AS first_time", f"{moment('MAX(t)')} AS last_time"]
    text += ["SELECT", *(f"  {column}," for column in [*shown, *counted[:-1]]), f"  {counted[-1]}", f"FROM occurrences_{page.plan.number}"]
    text += [f"GROUP BY {', '.join(groups)}"] if groups else []
    return [*text, f"HAVING COUNT(*) >= {least}"]


def tally_query(rule: Rule, fields: Sequence[str], asking: Asking) -> Query:
    """Return one program that gives Tallies: for each combination of the fields' values and hour the events, the first and the last time.

    Only hours that lie whole in the span are tallied. Blank values make no combination.

    Raises:
        Unsupported: The rule has no exact whole form there, or a field no exact text.
    """
    keys = tuple(KeyField(name=name) for name in fields)
    operand = Operand(name=rule.name, id=rule.id)
    correlation = Correlation(
        id=rule.id,
        name=rule.name,
        title=f"Tallies of {rule.title}",
        path=rule.path,
        text_digest=rule.text_digest,
        type=CorrelationType.RARE,
        operands=(operand,),
        population=operand,
        group_by=keys,
    )
    plan, scan = planned(correlation, {rule.id: rule}, asking)
    page = _Page(correlation, plan, scan, asking)
    if asking.layout.engine is EngineKind.KQL:
        return page.query([*page.header(), *KqlCorrelation(scan, asking.layout, page.scanned).tallies(plan, page.names(), asking.span)])
    return page.query([*page.header(), *_sql_tallies(page)])


def _sql_tallies(page: _Page) -> list[str]:
    writer = SqlCorrelation(page.scan, page.layout, page.scanned)
    groups = group_names(page.plan)
    hour = f"{writer.sequel.quotient('t', str(HOUR_US))} * {HOUR_US}"
    moment = writer.sequel.moment
    shown = [f"{column} AS {writer.identifier(name)}" for column, name in zip(groups, page.names(), strict=True)]
    shown += [f"{moment('hour_start')} AS tally_hour", "COUNT(*) AS events", f"{moment('MIN(t)')} AS first_time"]
    hours = Table(
        name="hours",
        note="each event in its hour",
        body=(f"SELECT {', '.join(['t', *groups])}, {hour} AS hour_start", f"FROM occurrences_{page.plan.number}"),
    )
    text = with_tables([*writer.scan(), writer.occurrences(page.plan), hours])
    text += ["SELECT", *(f"  {column}," for column in shown), f"  {moment('MAX(t)')} AS last_time", "FROM hours"]
    for number, edge in enumerate(_whole_hours(page.asking.span, "hour_start", writer.sequel.now)):
        text.append(f"{'  AND' if number else 'WHERE'} {edge}")
    return [*text, f"GROUP BY {', '.join([*groups, 'hour_start'])}"]


def _whole_hours(span: Span, begins: str, now: str) -> Iterator[str]:
    """Yield the conditions on a tally's hour that lies whole in the span."""
    if isinstance(span, Last):
        yield f"{begins} >= {now} - {span.hours * HOUR_US}"
        yield f"{begins} + {HOUR_US} <= {now}"
        return
    start, end = edges_us(span)
    if start is not None:
        yield f"{begins} >= {start}"
    if end is not None:
        yield f"{begins} + {HOUR_US} <= {end}"

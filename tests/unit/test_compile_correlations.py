"""What correlations' texts say and refuse, without any engine; that they mean what the document means is told by tests/parity."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest

from aibr_hunt.compile.correlations import correlation_query, least_events, pushdown_query, tally_query, widened
from aibr_hunt.compile.program import Asking
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.correlation import Both, Comparison, Correlation, CorrelationType, Has, KeyField, Lacks, Operand, Threshold
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place
from aibr_hunt.model.predicate import Keyword, Text, TextOp
from aibr_hunt.model.query import Form, Last, Span
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.window import Window

NOON: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY: Final = Window(start=NOON, end=NOON + timedelta(days=1))
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
SQL: Final = (EngineKind.ATHENA, EngineKind.BIGQUERY, EngineKind.DUCKDB)


def rule(name: str) -> Rule:
    return Rule(
        id=f"id-{name}",
        name=name,
        title=f"Rule {name}",
        path="rule.yml",
        text_digest="a" * 64,
        logsource=LogSource(product="made"),
        predicate=Text(field="kind", op=TextOp.EQUALS, literal=name),
    )


RULES: Final = {each.id: each for each in map(rule, ("start", "stop", "ask"))}


def layout(engine: EngineKind, **changes: object) -> Layout:
    kinds = {
        "id": Kind.TEXT,
        "at": Kind.TIME,
        "kind": Kind.TEXT,
        "who": Kind.TEXT,
        "user.name": Kind.TEXT,
        "size": Kind.REAL,
        "made": Kind.TIME,
        "record": Kind.JSON,
    }
    columns = [Column(name=name, type=ColumnType(kind=kind)) for name, kind in kinds.items()]
    columns.append(Column(name="tags", type=ColumnType(kind=Kind.ARRAY, item=ColumnType(kind=Kind.TEXT))))
    names = [column.name for column in columns if column.name != "user.name"]
    places = [Place(member=(name,), paths=(ColumnPath(column=name),)) for name in names]
    places += [
        Place(member=("user", "name"), paths=(ColumnPath(column="user.name"),)),
        Place(member=("either",), paths=(ColumnPath(column="who"), ColumnPath(column="kind"))),
        Place(member=("peer",), paths=(ColumnPath(column="who"),), has_port=True),
        Place(member=("figure",), paths=(ColumnPath(column="who"),)),
    ]
    made = Layout(
        name="made",
        engine=engine,
        table="made",
        columns=tuple(columns),
        places=tuple(places),
        time=ColumnPath(column="at"),
        identity=(ColumnPath(column="id"),),
        settle_s=7200,
        notes=("a note of the layout",),
    )
    return replace(made, **changes)  # type: ignore[arg-type] # names of the class


def asking(engine: EngineKind, span: Span = DAY, **changes: object) -> Asking:
    return Asking(locator=Locator(None, layout(engine, **changes)), span=span, meanings={"id-start": "b" * 64})


def operand(name: str) -> Operand:
    return Operand(name=name, id=f"id-{name}")


def correlation(kind: CorrelationType = CorrelationType.EVENT_COUNT, *names: str, **changes: object) -> Correlation:
    made = Correlation(
        id="id-many",
        name="many",
        title="Many starts",
        path="many.yml",
        text_digest="c" * 64,
        type=kind,
        operands=tuple(map(operand, names or ("start",))),
        group_by=(KeyField(name="who"),),
        timespan_us=10 * MINUTE_US,
        thresholds=(Threshold(comparison=Comparison.GTE, number=Decimal(5)),),
    )
    return replace(made, **changes)  # type: ignore[arg-type] # names of the class


def refusal(of: Correlation, about: Asking) -> str:
    with pytest.raises(Unsupported) as caught:
        correlation_query(of, RULES, about)
    return f"{caught.value.construct}: {caught.value.why}"


# -- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", EngineKind)
def test_header_names_the_correlation_its_rules_the_reach_and_what_is_assumed(engine: EngineKind) -> None:
    query = correlation_query(correlation(), RULES, asking(engine))
    mark = "//" if engine is EngineKind.KQL else "--"
    assert [line.removeprefix(f"{mark} ") for line in query.text.splitlines()[:6]] == [
        "Many starts",
        "correlation id-many (event_count), text sha256 cccccccccccccccc",
        "of rule id-start, text sha256 aaaaaaaaaaaaaaaa, meaning sha256 bbbbbbbbbbbbbbbb",
        f"layout {engine.value}/made; windows whose last event lies in [2026-01-05T12:00:00.000000Z, 2026-01-06T12:00:00.000000Z)",
        "reads from 10 min before the span",
        "late data: events arrive up to 2 h after they happen; let runs overlap by that much",
    ]
    assert f"{mark} note: a note of the layout" in query.text
    assert all(f"{mark} assumes: {each}" in query.text for each in query.assumptions)
    assert query.rules == ("id-many", "id-start")
    assert query.form is Form.WHOLE


@pytest.mark.parametrize("engine", EngineKind)
def test_a_title_cannot_leave_its_comment(engine: EngineKind) -> None:
    text = correlation_query(correlation(title="x\nDROP TABLE made\u2028y\x07"), RULES, asking(engine)).text
    assert text.splitlines()[0].endswith("x\\u000aDROP TABLE made\\u2028y\\u0007")


@pytest.mark.parametrize("engine", EngineKind)
def test_columns_of_the_group_are_plain_words_each_once(engine: EngineKind) -> None:
    group = tuple(KeyField(name=name) for name in ("user.name", "figure", "who", "record.9x"))
    text = correlation_query(correlation(group_by=group), RULES, asking(engine)).text
    shown = text[text.rindex("windows_1") :] if engine is EngineKind.KQL else text[text.rindex("SELECT") :]
    for name in ("user_name", "figure_", "who", "record_9x", "window_start", "window_end", "event_id"):
        assert name in shown


@pytest.mark.parametrize("engine", EngineKind)
def test_a_group_field_in_two_columns_is_assumed_to_agree(engine: EngineKind) -> None:
    query = correlation_query(correlation(group_by=(KeyField(name="either"),)), RULES, asking(engine))
    assert "columns that carry either agree, or all but one are blank" in query.assumptions


@pytest.mark.parametrize("engine", EngineKind)
def test_the_scan_reaches_back_by_the_timespan_and_ahead_where_a_negation_looks(engine: EngineKind) -> None:
    alone = Both(items=(Has(operand="start"), Lacks(item=Has(operand="stop"))))
    text = correlation_query(correlation(CorrelationType.TEMPORAL, "start", "stop", condition=alone), RULES, asking(engine)).text
    assert "reads from 10 min before the span, and until 10 min behind it" in text
    written = text.replace("T11:50", " 11:50").replace("T12:10", " 12:10")
    assert "2026-01-05 11:50:00" in written
    assert "2026-01-06 12:10:00" in written


def test_a_relative_span_begins_earlier_and_says_that_it_ends_before_now() -> None:
    alone = Both(items=(Has(operand="start"), Lacks(item=Has(operand="stop"))))
    of = correlation(CorrelationType.TEMPORAL, "start", "stop", condition=alone)
    text = correlation_query(of, RULES, asking(EngineKind.KQL, Last(hours=24))).text
    assert "the span ends 10 min before now" in text
    assert "at >= ago(26h)" in text
    assert "t >= ago(87000s)" in text
    assert "t < ago(600s)" in text


def test_spans_are_widened_on_both_sides_and_stay_open_where_they_are() -> None:
    assert widened(DAY, HOUR_US, 0) == Window(start=NOON - timedelta(hours=1), end=DAY.end)
    assert widened(Window(end=NOON), HOUR_US, HOUR_US) == Window(end=NOON + timedelta(hours=1))
    assert widened(Last(hours=2), 1, HOUR_US) == Last(hours=4)


def test_chained_correlations_add_up_their_reach() -> None:
    inner = correlation(id="id-inner", name="inner")
    outer = correlation(operands=(Operand(name="inner", id="id-inner", is_correlation=True),))
    text = correlation_query(outer, {**RULES, "id-inner": inner}, asking(EngineKind.DUCKDB)).text
    assert "reads from 20 min before the span" in text
    assert text.index("windows_2 AS") < text.index("occurrences_1 AS")


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", EngineKind)
@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("tags", "it is a list"),
        ("size", "a value of type real has no text that is the same on every engine"),
        ("made", "a value of type time has no text"),
        ("peer", "a port stands behind the address"),
    ],
)
def test_a_group_field_without_an_exact_text_is_refused_by_name(engine: EngineKind, field: str, why: str) -> None:
    told = refusal(correlation(group_by=(KeyField(name=field),)), asking(engine))
    assert told.startswith(f"the field {field} as a key on {engine.value}/made: {why}")


def test_a_layout_without_the_event_identity_is_refused() -> None:
    assert "lacks a part of the event's identity" in refusal(correlation(), asking(EngineKind.KQL, identity=()))


def test_a_rule_without_an_exact_form_is_refused() -> None:
    keyword = replace(rule("start"), predicate=Keyword(pattern=("x",)))
    with pytest.raises(Unsupported, match="rule start as a whole on duckdb/made") as caught:
        correlation_query(correlation(), {"id-start": keyword}, asking(EngineKind.DUCKDB))
    assert "keyword" in caught.value.why


def test_a_rule_that_was_not_read_is_named() -> None:
    assert refusal(correlation(CorrelationType.EVENT_COUNT, "elsewhere"), asking(EngineKind.DUCKDB)).endswith(
        "its rule elsewhere was not read."
    )


def test_an_order_with_a_condition_and_one_of_too_many_steps_are_refused() -> None:
    ordered = correlation(CorrelationType.TEMPORAL_ORDERED, "start", "stop", condition=Has(operand="start"))
    assert "an order with a condition has no meaning" in refusal(ordered, asking(EngineKind.DUCKDB))
    long = correlation(CorrelationType.TEMPORAL_ORDERED, *["start", "stop"] * 3)
    assert "more than 5 steps" in refusal(long, asking(EngineKind.DUCKDB))


@pytest.mark.parametrize("kind", [CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN])
def test_percentiles_are_refused_where_an_engine_approximates_them(kind: CorrelationType) -> None:
    of = correlation(kind, values=(KeyField(name="size"),), percentile=Decimal(95))
    assert "percentiles there are approximations" in refusal(of, asking(EngineKind.KQL))
    for engine in SQL:
        assert "numbers" in correlation_query(of, RULES, asking(engine)).text


def test_a_chain_that_is_too_deep_and_a_field_that_it_does_not_carry_are_refused() -> None:
    sources: dict[str, Rule | Correlation] = dict(RULES)
    last = correlation(id="id-0", name="c0")
    for depth in range(1, 7):
        sources[last.id] = last
        operands = (Operand(name=last.name, id=last.id, is_correlation=True),)
        last = correlation(id=f"id-{depth}", name=f"c{depth}", operands=operands)
    with pytest.raises(Unsupported, match="chained more than 4 deep"):
        correlation_query(last, sources, asking(EngineKind.DUCKDB))
    first = correlation(operands=(Operand(name="c0", id="id-0", is_correlation=True),), group_by=(KeyField(name="kind"),))
    with pytest.raises(Unsupported, match="its group fields only"):
        correlation_query(first, sources, asking(EngineKind.DUCKDB))


# -- narrowing and tallies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bounds", "least"),
    [
        (CorrelationType.EVENT_COUNT, ((Comparison.GTE, "5"),), 5),
        (CorrelationType.EVENT_COUNT, ((Comparison.GT, "5"),), 6),
        (CorrelationType.EVENT_COUNT, ((Comparison.GT, "4.5"),), 5),
        (CorrelationType.EVENT_COUNT, ((Comparison.GTE, "4.5"),), 5),
        (CorrelationType.VALUE_COUNT, ((Comparison.GT, "1"), (Comparison.GTE, "3")), 3),
        (CorrelationType.EVENT_COUNT, ((Comparison.GT, "5"), (Comparison.LTE, "9")), 1),
        (CorrelationType.EVENT_COUNT, ((Comparison.LT, "5"),), 1),
        (CorrelationType.EVENT_COUNT, ((Comparison.NEQ, "5"),), 1),
        (CorrelationType.VALUE_SUM, ((Comparison.GT, "100"),), 1),
        (CorrelationType.EVENT_COUNT, ((Comparison.GTE, "-3"),), 1),
    ],
)
def test_only_rising_thresholds_on_counts_narrow_groups(
    kind: CorrelationType, bounds: tuple[tuple[Comparison, str], ...], least: int
) -> None:
    thresholds = tuple(Threshold(comparison=comparison, number=Decimal(number)) for comparison, number in bounds)
    assert least_events(correlation(kind, thresholds=thresholds)) == least


@pytest.mark.parametrize("engine", EngineKind)
def test_narrowing_reads_group_fields_and_no_values(engine: EngineKind) -> None:
    of = correlation(CorrelationType.VALUE_AVG, values=(KeyField(name="size"),))
    query = pushdown_query(of, RULES, asking(engine))
    assert query.form is Form.SIEVE
    assert "size" not in query.text


def test_narrowing_a_chain_is_refused() -> None:
    outer = correlation(operands=(Operand(name="inner", id="id-inner", is_correlation=True),))
    with pytest.raises(Unsupported, match="its operands are correlations"):
        pushdown_query(outer, RULES, asking(EngineKind.DUCKDB))


@pytest.mark.parametrize("engine", EngineKind)
def test_tallies_need_an_exact_rule(engine: EngineKind) -> None:
    assert "tally_hour" in tally_query(rule("start"), ("who",), asking(engine)).text
    with pytest.raises(Unsupported):
        tally_query(replace(rule("start"), predicate=Keyword(pattern=("x",))), ("who",), asking(engine))

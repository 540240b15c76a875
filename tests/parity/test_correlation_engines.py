"""One meaning of correlations on every engine: drawn correlations over small histories, their texts run on each stand-in beside the oracle.

After a change that is meant, `AIBR_RENEW_GOLDEN=1 pytest tests/parity/test_correlation_engines.py` renews the texts and the table.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from aibr_hunt.compile.correlation_plan import rules_below
from aibr_hunt.compile.correlations import correlation_query, pushdown_query, tally_query
from aibr_hunt.compile.program import Asking
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.correlation import Both, Comparison, Correlation, CorrelationType, Has, KeyField, Lacks
from aibr_hunt.model.layout import EngineKind, Layout, TimeForm
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.query import Last, Query
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY, every_rule
from tests.parity.correlation_parity import Outcome, asking, compare, run
from tests.parity.correlation_world import (
    HOUR_US,
    MINUTE_US,
    RULES,
    START,
    Moment,
    drawn_chain,
    history,
    layouts,
    made,
    micros,
    operand,
    row_of,
    threshold,
    time_of,
)
from tests.parity.sections import hold, section
from tests.parity.test_engine_parity import STANDINS
from tests.standins import googlesql, kusto, trino_grammar
from tests.standins.contract import Gap, Rejected
from tests.standins.trino.fetch import Missing
from tests.standins.trino_engine import trino

GOLDEN: Final = Path(__file__).resolve().parent.parent / "golden" / "correlations"
LAYOUTS: Final = layouts()
PLAIN: Final = {layout.engine: layout for layout in LAYOUTS if layout.name == "plain"}
DRAWS: Final = int(os.environ.get("AIBR_PARITY_CORRELATIONS", "3"))
SLOW_DRAWS: Final = 60
Record = Callable[[str, object], None]


def settle(outcome: Outcome, record_property: Record, label: str) -> None:
    """Fail on a disagreement; keep the figures."""
    assert not outcome.wrong, f"{len(outcome.wrong)} disagreements; the first:\n{outcome.wrong[0]}"
    figures = f"{outcome.ran} ran with {outcome.windows} windows, {outcome.refused.total()} refused, {dict(outcome.gaps)} gaps"
    record_property("correlations", f"{label}: {figures}")


@pytest.mark.parametrize("kind", CorrelationType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_engine_agrees_with_the_oracle_on_drawn_correlations(layout: Layout, kind: CorrelationType, record_property: Record) -> None:
    outcome = Outcome()
    for seed in range(DRAWS):
        run(kind, seed, layout=layout, standin=STANDINS[layout.engine](), outcome=outcome)
    settle(outcome, record_property, f"{layout.label} {kind.value}")
    assert outcome.ran + outcome.refused.total() == DRAWS, outcome.gaps


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_engine_agrees_with_the_oracle_on_chains(layout: Layout, record_property: Record) -> None:
    outcome = Outcome()
    for seed in range(4 * DRAWS):
        rng = random.Random(f"{seed} chain")
        inner, outer = drawn_chain(rng, step_us=MINUTE_US)
        moments = history(rng, step_us=MINUTE_US, count=14)
        compare([inner, outer], moments, layout=layout, standin=STANDINS[layout.engine](), outcome=outcome)
    settle(outcome, record_property, f"{layout.label} chains")
    assert outcome.ran == 4 * DRAWS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", CorrelationType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_engine_agrees_with_the_oracle_on_many_correlations(layout: Layout, kind: CorrelationType, record_property: Record) -> None:
    """Other seeds than every test run's."""
    outcome = Outcome()
    for seed in range(1_000, 1_000 + SLOW_DRAWS):
        run(kind, seed, layout=layout, standin=STANDINS[layout.engine](), outcome=outcome)
    settle(outcome, record_property, f"{layout.label} {kind.value}, slow")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.native
@pytest.mark.parametrize("kind", CorrelationType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("name", ["plain", "raw"])
def test_trino_itself_agrees_with_the_oracle(name: str, kind: CorrelationType, record_property: Record) -> None:
    """Nothing is a gap here: the text is run by Trino's own parser, planner and operators."""
    try:
        standin = trino()
    except Missing as error:
        pytest.skip(str(error))
    layout = next(each for each in LAYOUTS if each.label == f"athena/{name}")
    outcome = Outcome()
    for seed in range(2_000, 2_004):
        run(kind, seed, layout=layout, standin=standin, outcome=outcome)
    settle(outcome, record_property, f"Trino 435 {name} {kind.value}")
    assert not outcome.gaps


# -- texts that people get ------------------------------------------------------------------------------------------


_WHAT: Final = (KeyField(name="what"),)
_SPAN: Final = 10 * MINUTE_US
_DAY: Final = 24 * HOUR_US
_NUMBERS: Final = tuple(
    made(kind, "a", values=(KeyField(name="n"),), percentile=Decimal(95), thresholds=(threshold(Comparison.GT, "2.5"),), timespan_us=_SPAN)
    for kind in (
        CorrelationType.VALUE_SUM,
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_PERCENTILE,
        CorrelationType.VALUE_MEDIAN,
    )
)
# One correlation of each type, with most of what it may hold.
EXAMPLES: Final = (
    *_NUMBERS,
    made(
        CorrelationType.EVENT_COUNT,
        "ab",
        by=("other",),
        thresholds=(threshold(Comparison.GT, "1"), threshold(Comparison.LTE, "3")),
        timespan_us=_SPAN,
    ),
    made(
        CorrelationType.VALUE_COUNT,
        "a",
        values=(*_WHAT, KeyField(name="alias")),
        thresholds=(threshold(Comparison.GTE, "2"),),
        timespan_us=_SPAN,
    ),
    made(
        CorrelationType.TEMPORAL,
        "abc",
        condition=Both(items=(Has(operand="a"), Has(operand="b"), Lacks(item=Has(operand="c")))),
        timespan_us=_SPAN,
    ),
    made(CorrelationType.TEMPORAL_ORDERED, "abc", timespan_us=_SPAN),
    made(CorrelationType.FIRST_SEEN, "a", lookback_us=30 * _DAY, values=_WHAT, population=operand("*")),
    made(
        CorrelationType.RARE,
        "a",
        lookback_us=_DAY,
        values=_WHAT,
        population=operand("*"),
        minimum=100,
        thresholds=(threshold(Comparison.LT, "0.01"),),
    ),
    made(CorrelationType.SHARE, "a", values=_WHAT, listed=("u", "V"), thresholds=(threshold(Comparison.GTE, "0.5"),), timespan_us=_SPAN),
    made(
        CorrelationType.SPIKE,
        "a",
        lookback_us=_DAY,
        population=operand("*"),
        minimum=10,
        thresholds=(threshold(Comparison.GTE, "5"),),
    ),
)


def made_texts(correlation: Correlation, layout: Layout) -> Iterator[tuple[str, Query | Unsupported]]:
    """Yield the texts of one correlation: over a window, over a span that ends now, and what narrows."""
    window = asking(layout, Window(start=START, end=START + timedelta(days=1)))
    last = asking(layout, Last(hours=24))
    for suffix, make, about in (("", correlation_query, window), ("-last", correlation_query, last), ("-groups", pushdown_query, window)):
        name = f"{correlation.type.value}{suffix}"
        try:
            yield name, make(correlation, RULES, about)
        except Unsupported as refusal:
            yield name, refusal


def texts(layout: Layout) -> Iterator[tuple[str, Query | Unsupported]]:
    """Yield the texts of every type, and those that tally."""
    for correlation in EXAMPLES:
        yield from made_texts(correlation, layout)
    window = Window(start=START, end=START + timedelta(days=1))
    yield "tallies", tally_query(RULES["rule-*"], ("who", "what"), asking(layout, window))
    yield "tallies-last", tally_query(RULES["rule-*"], ("who", "what"), asking(layout, Last(hours=24)))


def complaints(layout: Layout, text: str) -> list[str]:
    """Return what the engine's official checker has against a text, and what its stand-in has that runs it over no rows."""
    match layout.engine:
        case EngineKind.BIGQUERY:
            return googlesql.analyze(text, [layout])
        case EngineKind.KQL:
            return kusto.check(text, [layout])
        case EngineKind.ATHENA:
            return [*trino_grammar.check(text), *_run(layout, text)]
        case EngineKind.DUCKDB:
            return _run(layout, text)


def _run(layout: Layout, text: str) -> list[str]:
    try:
        return [f"row {row}" for row in STANDINS[layout.engine]().rows(text)]
    except (Gap, Rejected) as error:
        return [str(error)]


@pytest.mark.native
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_official_checker_accepts_every_text(layout: Layout, record_property: Record) -> None:
    STANDINS[layout.engine]().load(layout, [])
    wrong: list[str] = []
    accepted = 0
    for name, answer in texts(layout):
        if isinstance(answer, Query):
            found = complaints(layout, answer.text)
            wrong += [f"{name}: {each}\n{answer.text}" for each in found]
            accepted += not found
    assert not wrong, f"{len(wrong)} complaints; the first:\n{wrong[0]}"
    record_property("correlations", f"{layout.label}: the checker accepts {accepted} texts")
    assert accepted >= 30
    broken = next(answer.text for _, answer in texts(layout) if isinstance(answer, Query)).replace("event_id", "no_such_column", 1)
    assert complaints(layout, broken), "what accepts everything proves nothing"


def test_every_type_has_an_example() -> None:
    assert {each.type for each in EXAMPLES} == set(CorrelationType)


@pytest.mark.parametrize("engine", EngineKind)
def test_texts_are_those_that_were_looked_at(engine: EngineKind) -> None:
    for name, answer in texts(PLAIN[engine]):
        if name.endswith(("-last", "-groups")) or isinstance(answer, Unsupported):
            continue
        path = GOLDEN / f"{engine.value}-{name}.txt"
        if os.environ.get("AIBR_RENEW_GOLDEN"):
            path.write_text(answer.text, encoding="utf-8", newline="\n")
        assert answer.text == path.read_text(encoding="utf-8"), "set AIBR_RENEW_GOLDEN=1 to renew it, and read the difference"


def test_table_of_what_is_said_is_the_one_that_was_looked_at() -> None:
    lines = []
    for layout in PLAIN.values():
        for name, answer in texts(layout):
            if not name.endswith("-last"):
                said = f"refused, {answer.construct}: {answer.why}" if isinstance(answer, Unsupported) else "exact"
                lines.append(f"{layout.engine.value}\t{name}\t{said}")
    text = "".join(f"{line}\n" for line in lines)
    path = GOLDEN / "table.txt"
    if os.environ.get("AIBR_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8"), "set AIBR_RENEW_GOLDEN=1 to renew it, and read the difference"


def test_every_text_fits_into_a_scheduled_rule_of_sentinel() -> None:
    longest = max((len(answer.text), name) for name, answer in texts(PLAIN[EngineKind.KQL]) if isinstance(answer, Query))
    assert longest[0] <= 10_000, longest


# -- what is shipped ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A layout with the built-in correlations of its log source; `is_first` of its engine there."""

    mapping: Mapping
    layout: Layout
    correlations: tuple[Correlation, ...]
    is_first: bool

    @property
    def name(self) -> str:
        """How tests and the list call it."""
        return f"{self.mapping.name}-{self.layout.label}"


SHIPPED: Final = every_rule()
SOURCES: Final = {each.id: each for each in SHIPPED.things}


def sites() -> Iterator[Site]:
    """Yield every layout of the log source of each built-in correlation's first rule."""
    found: dict[str, tuple[Mapping, list[Correlation]]] = {}
    for correlation in SHIPPED.correlations:
        mapping = LIBRARY.mapping_for(rules_below(correlation, SOURCES)[0].logsource)
        assert mapping is not None, correlation.name
        found.setdefault(mapping.name, (mapping, []))[1].append(correlation)
    for mapping, correlations in found.values():
        seen: set[EngineKind] = set()
        for layout in (*mapping.layouts, raw_layout()):
            yield Site(mapping=mapping, layout=layout, correlations=tuple(correlations), is_first=layout.engine not in seen)
            seen.add(layout.engine)


SITES: Final = tuple(sites())


def answers(site: Site) -> Iterator[tuple[str, Query | Unsupported]]:
    """Yield what each correlation becomes on the layout."""
    about = Asking(locator=Locator(site.mapping, site.layout), span=Last(hours=25), meanings={})
    for correlation in site.correlations:
        try:
            yield correlation.name, correlation_query(correlation, SOURCES, about)
        except Unsupported as refusal:
            yield correlation.name, refusal


def check_texts(site: Site, found: Sequence[tuple[str, Query | Unsupported]]) -> int:
    """Fail on the first text that the official checker does not accept; return how many it accepts."""
    STANDINS[site.layout.engine]().load(site.layout, [])
    asked = [(name, answer.text) for name, answer in found if isinstance(answer, Query)]
    for name, text in asked:
        wrong = complaints(site.layout, text)
        assert not wrong, f"{name} on {site.name}: {wrong[0]}\n{text}"
    return len(asked)


@pytest.mark.native
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_official_checkers_accept_what_built_in_correlations_become(site: Site, record_property: Record) -> None:
    """On the first layout of each engine for their log source; of the others the list is held here, and the slow test checks them."""
    found = list(answers(site))
    named: dict[str, list[str]] = {}
    for name, answer in found:
        said = f"refused, {answer.construct}: {answer.why}" if isinstance(answer, Unsupported) else "exact"
        named.setdefault(said, []).append(name)
    text = section(site.name, {f"{len(names)} of {len(found)} {said}": names for said, names in named.items()})
    hold(GOLDEN / "built_in.txt", site.name, text, [each.name for each in SITES])
    accepted = check_texts(site, found) if site.is_first else 0
    exact = len(named.get("exact", ()))
    record_property("correlations", f"built-in on {site.name}: {exact} of {len(found)} are exact, {accepted} accepted")


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.parametrize("site", [site for site in SITES if not site.is_first], ids=lambda site: site.name)
def test_official_checkers_accept_built_in_correlations_on_every_layout(site: Site) -> None:
    check_texts(site, list(answers(site)))


# -- narrowing and tallies ------------------------------------------------------------------------------------------


def moments_of(*events: tuple[str, int, str]) -> list[Moment]:
    """Return events of kind ka: name, minutes after the start, who."""
    return [Moment(name, micros(START) + minutes * MINUTE_US, {"kind": "ka", "who": who, "what": "u"}) for name, minutes, who in events]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_narrowing_keeps_each_group_that_could_satisfy(layout: Layout) -> None:
    moments = moments_of(("e1", 1, "x"), ("e2", 2, "X"), ("e3", 3, "y"), ("e4", 4, ""))
    standin = STANDINS[layout.engine]()
    standin.load(layout, [row_of(moment, layout) for moment in [*moments, moments[2]]])
    window = Window(start=START, end=START + timedelta(hours=1))

    def groups(comparison: Comparison) -> set[object]:
        counted = made(CorrelationType.EVENT_COUNT, "a", timespan_us=MINUTE_US, thresholds=(threshold(comparison, "2"),))
        return {row[0] for row in standin.rows(pushdown_query(counted, RULES, asking(layout, window)).text)}

    assert groups(Comparison.GTE) == {"x"}
    assert groups(Comparison.GT) == set()
    assert groups(Comparison.LT) == {"x", "y"}, "few events are what it asks for"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_tallies_count_whole_hours_of_the_span(layout: Layout) -> None:
    moments = moments_of(("e1", 1, "x"), ("e2", 2, "X"), ("e3", 59, "x"), ("e4", 60, "x"), ("e5", 121, "x"))
    standin = STANDINS[layout.engine]()
    standin.load(layout, [row_of(moment, layout) for moment in [*moments, moments[0]]])
    window = Window(start=START, end=START + timedelta(hours=2, minutes=30))
    rows = standin.rows(tally_query(RULES["rule-*"], ("who",), asking(layout, window)).text)
    start = micros(START)
    found = {(who, micros(_time(hour)), count, micros(_time(first)), micros(_time(last))) for who, hour, count, first, last in rows}
    assert found == {
        ("x", start, 3, start + MINUTE_US, start + 59 * MINUTE_US),
        ("x", start + HOUR_US, 1, start + HOUR_US, start + HOUR_US),
    }


def _time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


@pytest.mark.parametrize("engine", [EngineKind.ATHENA, EngineKind.BIGQUERY, EngineKind.DUCKDB], ids=str)
def test_a_span_that_ends_now_tells_windows_that_are_settled(engine: EngineKind) -> None:
    """A negation that looks ahead is judged when nothing can unmake it any more."""
    layout = PLAIN[engine]
    now = micros(datetime.now(tz=UTC))
    ages = {"e1": 1, "e2": 30, "e3": 25 * 60}
    moments = [Moment(name, now - age * MINUTE_US, {"kind": "ka", "who": name}) for name, age in ages.items()]
    standin = STANDINS[engine]()
    standin.load(layout, [row_of(moment, layout) for moment in moments])
    alone = Both(items=(Has(operand="a"), Lacks(item=Has(operand="b"))))
    correlation = made(CorrelationType.TEMPORAL, "ab", condition=alone, timespan_us=10 * MINUTE_US)
    rows = standin.rows(correlation_query(correlation, RULES, asking(layout, Last(hours=24))).text)
    assert {row[0] for row in rows} == {"e2"}
    plain = replace(correlation, condition=Has(operand="a"))
    rows = standin.rows(correlation_query(plain, RULES, asking(layout, Last(hours=24))).text)
    assert {row[0] for row in rows} == {"e1", "e2"}


# -- planted faults -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a text could get wrong: its family, a type that shows it, and what is put for what."""

    name: str
    kind: CorrelationType
    old: str
    new: str
    is_kql: bool = False

    def plant(self, text: str) -> str:
        """Return the text with the fault in it; the same where it has no place."""
        return re.sub(self.old, self.new, text)


_T = CorrelationType
FAULTS: Final = (
    Fault(
        "the window's start is exclusive", _T.EVENT_COUNT, r"RANGE BETWEEN (\d+)(\d) PRECEDING", r"RANGE BETWEEN \g<1>\g<2> - 1 PRECEDING"
    ),
    Fault("ties are lost", _T.EVENT_COUNT, r"ORDER BY t RANGE BETWEEN (\d+) PRECEDING", "ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING"),
    Fault("the timespan is ignored", _T.VALUE_SUM, r"RANGE BETWEEN \d+ PRECEDING", "RANGE BETWEEN UNBOUNDED PRECEDING"),
    Fault(
        "deliveries count twice",
        _T.EVENT_COUNT,
        r"(?s)SELECT event_id, MIN\(t\) AS t(.*?)\n  GROUP BY event_id[^\n]*",
        r"SELECT event_id, t\1",
    ),
    Fault("an event of two operands counts twice", _T.EVENT_COUNT, r"SELECT DISTINCT source", "SELECT source"),
    Fault("a blank group is kept", _T.EVENT_COUNT, r"key_1 NOT IN|\bNOT IN \(''\)", "IS NOT NULL OR TRUE OR '' NOT IN ('')"),
    Fault("letters are not folded", _T.EVENT_COUNT, r"THEN LOWER\((\w+)\) END", r"THEN \1 END"),
    Fault("an alias is not read", _T.TEMPORAL, r"CASE o.operand WHEN 1 THEN e.key_(\d) .* END AS g_1", r"e.key_\1 AS g_1"),
    Fault("distinct values are not distinct", _T.VALUE_COUNT, r"LEAST\(COALESCE\(next_t, (t \+ \d+)\), t \+ \d+\)", r"\1"),
    Fault("blank values are counted", _T.VALUE_COUNT, r"CASE WHEN v_1 IS NOT NULL( AND v_2 IS NOT NULL)? THEN", "CASE WHEN TRUE THEN"),
    Fault(
        "values never leave the window",
        _T.VALUE_COUNT,
        r"LEAST\(COALESCE\(next_t, t \+ \d+\), t \+ \d+\)",
        "COALESCE(next_t, 9000000000000000)",
    ),
    Fault("an average is rounded", _T.VALUE_AVG, r"(total) (<=|>=|<|>|=|<>) (\S+) \* numbers", r"ROUND(total / numbers) \2 \3"),
    Fault("a percentile is no longer interpolated", _T.VALUE_PERCENTILE, r"CAST\(MOD\([^)]*\)+, \d+\) AS DECIMAL\(9, 0\)\)", "0"),
    Fault("the median is that of all history", _T.VALUE_MEDIAN, r"o.seen BETWEEN e.t - \d+ AND e.t", "o.seen <= e.t + 9"),
    Fault("a negation does not look ahead", _T.TEMPORAL, r"PRECEDING AND \d+ FOLLOWING", "PRECEDING AND CURRENT ROW"),
    Fault("a negation is ignored", _T.TEMPORAL, r"near_(\d) = 0", r"near_\1 >= 0"),
    Fault("a negated rule anchors windows", _T.TEMPORAL, r"WHERE operand IN \([\d, ]+\) AND", "WHERE"),
    Fault(
        "order is ignored",
        _T.TEMPORAL_ORDERED,
        r"ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
        "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    ),
    Fault("one event takes two steps", _T.TEMPORAL_ORDERED, r"can_1_2 >= 2", "can_1_2 >= 1"),
    Fault("the loosest sequence is told", _T.TEMPORAL_ORDERED, r"MAX\(from_", "MIN(from_"),
    Fault("events of one time precede one another", _T.FIRST_SEEN, r"AND 1 PRECEDING", "AND CURRENT ROW"),
    Fault("history begins a moment late", _T.FIRST_SEEN, r"RANGE BETWEEN (\d+) PRECEDING AND 1", r"RANGE BETWEEN \1 - 1 PRECEDING AND 1"),
    Fault(
        "the population is the rule itself", _T.FIRST_SEEN, r"CASE WHEN operand IN \(\d\) THEN 1 END", "CASE WHEN operand = 1 THEN 1 END"
    ),
    Fault(
        "the hour of the event is left out",
        _T.RARE,
        r"ORDER BY hour_number RANGE BETWEEN (\d+) PRECEDING AND CURRENT ROW",
        r"ORDER BY hour_number RANGE BETWEEN \1 PRECEDING AND 1 PRECEDING",
    ),
    Fault("the minimum is ignored", _T.RARE, r"of_group >= \d+", "of_group >= 1"),
    Fault("values that are not listed are divided by", _T.SHARE, r" AND v_1 IN \([^)]*\)", ""),
    Fault("hours without events are dropped", _T.SPIKE, r"LEFT JOIN tallies", "JOIN tallies"),
    Fault("the spread is not scaled", _T.SPIKE, r"1\.4826", "1.0"),
    Fault("windows outside the span are told", _T.EVENT_COUNT, r"WHERE t >= \d+\n  AND t < \d+", ""),
    Fault("KQL: the window's start is exclusive", _T.EVENT_COUNT, r"seen >= t - ", "seen > t - ", is_kql=True),
    Fault("KQL: ties are lost", _T.EVENT_COUNT, r"seen <= t\b", "seen < t", is_kql=True),
    Fault("KQL: one slot only", _T.EVENT_COUNT, r"slot = bin\(t, (\w+)\) \+ \w+", r"slot = bin(t, \1) + 900d", is_kql=True),
    Fault(
        "KQL: deliveries count twice",
        _T.EVENT_COUNT,
        r"summarize t = min\(t\) by event_id",
        "extend event_id = strcat(event_id, new_guid()) | summarize t = min(t) by event_id",
        is_kql=True,
    ),
    Fault("KQL: a blank group is kept", _T.EVENT_COUNT, r"and isnotempty\(key_1\)", "", is_kql=True),
    Fault("KQL: a negation does not look ahead", _T.TEMPORAL, r"seen <= t \+ \d+s", "seen <= t", is_kql=True),
    Fault("KQL: one event takes two steps", _T.TEMPORAL_ORDERED, r"can_1_2 >= 2", "can_1_2 >= 1", is_kql=True),
    Fault("KQL: events of one time precede one another", _T.FIRST_SEEN, r"seen < t and", "seen <= t and", is_kql=True),
    Fault("KQL: hours without events are dropped", _T.SPIKE, r"kind=leftouter \(tallies", "kind=inner (tallies", is_kql=True),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_turns_parity_red(fault: Fault) -> None:
    layout = PLAIN[EngineKind.KQL if fault.is_kql else EngineKind.DUCKDB]
    standin = STANDINS[layout.engine]()
    outcome = Outcome()
    for seed in range(40 if fault.is_kql else 120):
        run(fault.kind, seed, layout=layout, standin=standin, outcome=outcome, mutation=fault.plant)
        if outcome.wrong:
            return
    pytest.fail(f"{outcome.ran} texts ran and nothing told the fault")


def test_times_in_text_keep_their_microseconds() -> None:
    layout = next(each for each in LAYOUTS if each.label == "athena/raw")
    assert layout.time_form is TimeForm.ISO_TEXT
    base = micros(START)
    moments = [Moment(f"e{number}", base + number, {"kind": "ka", "who": "x"}) for number in (0, 1, 500_000, 1_000_000)]
    standin = STANDINS[EngineKind.ATHENA]()
    standin.load(layout, [row_of(moment, layout) for moment in moments])
    counted = made(CorrelationType.EVENT_COUNT, "a", timespan_us=1_000_000, thresholds=(threshold(Comparison.GTE, "1"),))
    span = Window(start=START, end=time_of(base + HOUR_US))
    rows = standin.rows(correlation_query(counted, RULES, asking(layout, span)).text)
    assert [(micros(_time(row[2])) - base, row[3]) for row in rows] == [(0, 1), (1, 2), (500_000, 3), (1_000_000, 4)]

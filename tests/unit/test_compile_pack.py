"""Many rules in few queries: within the limits, every rule in exactly one query or refused by name, and sieves that stay sieves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from aibr_hunt.compile.limits import LIMITS, SCHEDULED_RULE, Limits, Unit, terms_in
from aibr_hunt.compile.pack import bisect, pack
from aibr_hunt.compile.program import Asking, rule_bounds, sieve_query, whole_query
from aibr_hunt.errors import LimitExceeded, Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.condition import YES, AnyElement, ColumnValue, Condition, ElementValue, IsPresent, TextIs, both, either, negated
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place, TimeForm
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import Exists, Keyword, Not, Or, Predicate, Star, Text, TextOp
from aibr_hunt.model.query import Form, Last, Query
from aibr_hunt.model.rule import LogSource, Rule

ENGINES = list(EngineKind)
MAPPING = Mapping(
    name="m",
    logsource=LogSource(product="m"),
    provider="m",
    identity=(("name",),),
    time=("time",),
    fields=tuple(FieldSpec(name=name, paths=((name,),), is_ascii=True) for name in ("name", "agent", "elsewhere")),
)


def layout(engine: EngineKind) -> Layout:
    kinds = {"time": Kind.TIME, "name": Kind.TEXT, "agent": Kind.TEXT}
    return Layout(
        name="table",
        engine=engine,
        table="t",
        columns=tuple(Column(name=name, type=ColumnType(kind=kind)) for name, kind in kinds.items()),
        places=tuple(Place(member=(name,), paths=(ColumnPath(column=name),)) for name in kinds),
        time=ColumnPath(column="time"),
    )


def asking(engine: EngineKind = EngineKind.ATHENA, meanings: dict[str, str] | None = None) -> Asking:
    return Asking(locator=Locator(MAPPING, layout(engine)), span=Last(hours=24), meanings=meanings or {})


def rule(number: int, predicate: Predicate) -> Rule:
    name = f"rule_{number}"
    return Rule(id=name, name=name, title=name, path="", text_digest="", logsource=LogSource(product="m"), predicate=predicate)


def named(number: int, *names: str) -> Rule:
    return rule(number, Or(items=tuple(Text(field="name", op=TextOp.EQUALS, literal=name) for name in names or (f"call-{number}",))))


def holding(number: int, count: int = 1) -> Rule:
    tests = tuple(Text(field="agent", op=TextOp.CONTAINS, literal=f"probe-{number}-{each}-{'x' * 40}") for each in range(count))
    return rule(number, Or(items=tests))


KEYWORD = rule(90, Keyword(pattern=(Star.ANY, "xyz", Star.ANY)))
LACKING = rule(91, Text(field="elsewhere", op=TextOp.EQUALS, literal="x"))
UNKNOWN = rule(92, Text(field="nmae", op=TextOp.EQUALS, literal="x"))
ABSENCE = rule(93, Not(item=Exists(field="name")))


def ids(queries: Sequence[Query]) -> list[str]:
    return [each for query in queries for each in query.rules]


def at_most(text: int | None = None, terms: int | None = None, unit: Unit = Unit.BYTES) -> Limits:
    return Limits(taker="a test", text=text, terms=terms, unit=unit)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("engine", ENGINES)
def test_rules_that_fit_stand_in_one_query(engine: EngineKind, form: Form) -> None:
    packed = pack([named(1), holding(2), named(3, "a", "b")], asking(engine), form)
    assert [query.rules for query in packed.queries] == [("rule_1", "rule_2", "rule_3")]
    assert (packed.refused, packed.unsieved) == ((), ())
    assert packed.queries[0].form is form


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_pack_of_one_rule_is_the_query_of_that_rule(engine: EngineKind, form: Form) -> None:
    make = whole_query if form is Form.WHOLE else sieve_query
    target = asking(engine, {"rule_1": "ab" * 32})
    assert pack([named(1)], target, form).queries == (make([named(1)], target),)


@pytest.mark.parametrize("engine", ENGINES)
def test_sieves_of_many_rules_share_one_list_for_each_column(engine: EngineKind) -> None:
    rules = [named(number) for number in range(200)]
    (query,) = pack(rules, asking(engine), Form.SIEVE).queries
    word = "in~" if engine is EngineKind.KQL else "IN"
    assert query.text.count(f" {word} (") == 1
    assert all(f"call-{number}" in query.text for number in range(200))


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("limit", [1200, 2000, 5000, 20_000])
def test_queries_stay_under_the_limit_and_ask_for_every_rule_once_in_order(limit: int, form: Form) -> None:
    rules = [holding(number, 1 + number % 4) for number in range(60)]
    packed = pack(rules, asking(), form, limits=at_most(limit))
    assert packed.refused == ()
    assert ids(packed.queries) == [each.id for each in rules]
    assert max(query.size for query in packed.queries) <= limit


def test_few_queries_are_made_not_halves_of_halves() -> None:
    rules = [holding(number) for number in range(200)]
    whole = pack(rules, asking(), Form.SIEVE).queries[0].size
    limit = whole * 2 // 3
    assert len(pack(rules, asking(), Form.SIEVE, limits=at_most(limit)).queries) == 2


def test_a_group_that_was_thought_shorter_than_it_is_is_halved() -> None:
    """What the first half shares makes the whole look short; the second half shares nothing."""
    same = [named(number, *(f"a-rather-long-name-of-a-call-{each}" for each in range(20))) for number in range(100)]
    rules = [*same, *(holding(number) for number in range(100, 200))]
    packed = pack(rules, asking(), Form.SIEVE, limits=at_most(6_000))
    assert ids(packed.queries) == [each.id for each in rules]
    assert max(query.size for query in packed.queries) <= 6_000


def test_values_of_one_list_count_as_one_test() -> None:
    rules = [named(number, *(f"{number}-{each}" for each in range(40))) for number in range(100)]
    assert len(pack(rules, asking(), Form.SIEVE, limits=at_most(terms=1)).queries) == 1


def test_tests_beyond_the_bound_go_to_further_queries() -> None:
    packed = pack([holding(number, 3) for number in range(10)], asking(), Form.WHOLE, limits=at_most(terms=7))
    assert [len(query.rules) for query in packed.queries] == [2, 2, 2, 2, 2]


def test_one_rule_may_hold_more_tests_than_the_bound_but_no_longer_text_than_the_limit() -> None:
    packed = pack([holding(1, 50)], asking(), Form.WHOLE, limits=at_most(terms=7))
    assert len(packed.queries) == 1
    packed = pack([named(1), holding(2, 500), named(3)], asking(), Form.WHOLE, limits=at_most(4_000))
    assert ids(packed.queries) == ["rule_1", "rule_3"]
    ((refused, error),) = packed.refused
    assert refused.name == "rule_2"
    assert isinstance(error, LimitExceeded)
    assert [each for each in ("rule_2", "athena/table", "a test takes 4,000", "bytes") if each not in str(error)] == []


def test_characters_are_counted_where_the_limit_counts_characters() -> None:
    wide = rule(1, Text(field="name", op=TextOp.EQUALS, literal="\u6a21" * 300))
    length = len(whole_query([wide], asking()).text)
    assert pack([wide], asking(), Form.WHOLE, limits=at_most(length, unit=Unit.CHARACTERS)).refused == ()
    assert pack([wide], asking(), Form.WHOLE, limits=at_most(length)).queries == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rule_that_cannot_be_asked_is_refused_and_the_others_are_packed(engine: EngineKind) -> None:
    packed = pack([named(1), LACKING, UNKNOWN, named(2)], asking(engine), Form.WHOLE)
    assert ids(packed.queries) == ["rule_1", "rule_2"]
    assert [each.name for each, _ in packed.refused] == ["rule_91", "rule_92"]
    assert all(isinstance(error, Unsupported) for _, error in packed.refused)
    assert "Did you mean name?" in str(packed.refused[1][1])


def test_a_rule_that_cannot_be_said_whole_is_refused_in_that_form_alone() -> None:
    ((refused, error),) = pack([KEYWORD], asking(), Form.WHOLE).refused
    assert (refused, "it asks for a keyword search." in str(error)) == (KEYWORD, True)
    assert pack([KEYWORD], asking(), Form.SIEVE).refused == ()


def test_a_rule_whose_sieve_is_empty_is_named_and_packed_apart() -> None:
    packed = pack([named(1), ABSENCE, holding(2), KEYWORD], asking(), Form.SIEVE)
    assert packed.unsieved == (ABSENCE, KEYWORD)
    assert [query.rules for query in packed.queries] == [("rule_1", "rule_2"), ("rule_93", "rule_90")]
    assert "probe-2" in packed.queries[0].text
    assert "TRUE" in packed.queries[1].text.splitlines()[-1]


def test_a_whole_form_needs_no_sieve() -> None:
    packed = pack([named(1), ABSENCE], asking(), Form.WHOLE)
    assert (packed.unsieved, len(packed.queries)) == ((), 1)


def test_no_rules_make_no_query() -> None:
    assert pack([], asking(), Form.SIEVE).queries == ()
    assert pack([UNKNOWN], asking(), Form.WHOLE).queries == ()


def test_a_span_that_a_layout_cannot_say_is_no_rule_s_fault() -> None:
    table = replace(layout(EngineKind.DUCKDB), time=ColumnPath(column="name"), time_form=TimeForm.BRACKETED)
    target = Asking(locator=Locator(MAPPING, table), span=Last(hours=1), meanings={})
    with pytest.raises(Unsupported, match="brackets"):
        pack([named(1)], target, Form.WHOLE)


@pytest.mark.parametrize("form", Form)
def test_halves_ask_for_all_the_rules(form: Form) -> None:
    rules = [named(number) for number in range(5)]
    first, second = bisect(rules, asking(), form)
    assert (first.rules, second.rules) == (("rule_0", "rule_1", "rule_2"), ("rule_3", "rule_4"))


@pytest.mark.parametrize("rules", [[], [named(1)]], ids=["none", "one"])
def test_one_rule_cannot_be_halved(rules: list[Rule]) -> None:
    with pytest.raises(LimitExceeded, match="too complex for athena"):
        bisect(rules, asking(), Form.WHOLE)


def test_every_engine_has_limits_and_each_says_where_its_limit_comes_from() -> None:
    assert set(LIMITS) == set(EngineKind)
    assert [each.taker for each in (*LIMITS.values(), SCHEDULED_RULE) if not each.basis] == []
    assert {engine: LIMITS[engine].text for engine in ENGINES} == {
        EngineKind.ATHENA: 262_144,
        EngineKind.BIGQUERY: 1_000_000,
        EngineKind.KQL: 100_000,
        EngineKind.DUCKDB: None,
    }


def _text(literal: str, op: TextOp = TextOp.EQUALS, column: str = "name") -> Condition:
    return TextIs(value=ColumnValue(name=column, type=ColumnType(kind=Kind.TEXT)), op=op, literal=literal)


ELEMENT = ElementValue(number=1, type=ColumnType(kind=Kind.TEXT))
ARRAY = ColumnValue(name="list", type=ColumnType(kind=Kind.ARRAY, item=ELEMENT.type))


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        (YES, 0),
        (_text("a"), 1),
        (either(_text("a"), _text("b"), _text("c")), 1),
        (either(_text("a"), _text("b"), _text("c", column="agent")), 2),
        (either(_text("a"), _text("b", TextOp.CONTAINS), _text("c", TextOp.CONTAINS)), 3),
        (both(_text("a"), negated(either(_text("b"), _text("c")))), 2),
        (AnyElement(array=ARRAY, number=1, body=both(IsPresent(value=ELEMENT), IsPresent(value=ARRAY))), 3),
    ],
)
def test_tests_are_counted_as_the_text_has_them(condition: Condition, count: int) -> None:
    assert terms_in(condition) == count


def test_every_log_source_lies_in_a_table_of_whole_records() -> None:
    target = Asking(locator=Locator(None, raw_layout("logs.raw")), span=Last(hours=1), meanings={})
    found = rule(1, Text(field="some.path", op=TextOp.EQUALS, literal="x"))
    assert rule_bounds(found, target.locator).high is not None
    assert "FROM logs.raw" in whole_query([found], target).text

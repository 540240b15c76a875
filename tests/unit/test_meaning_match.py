"""Predicates put together, selection maps that share list elements, and the index that no rule may fall through."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder, binder_of
from aibr_hunt.meaning.match import anchors, compile_predicate, compile_rules
from aibr_hunt.meaning.view import View
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import And, Exists, FieldRef, Not, Or, Order, OrderOp, Predicate, Regex, Star, Text, TextOp, Together
from aibr_hunt.model.rule import LogSource, Rule

MAPPING = Mapping(
    name="m",
    logsource=LogSource(product="m"),
    provider="m",
    identity=(("id",),),
    time=("t",),
    fields=(
        FieldSpec(name="name", paths=(("name",),), sieve_weight=1),
        FieldSpec(name="source", paths=(("source",),), sieve_weight=9),
        FieldSpec(name="either", paths=(("one",), ("list", "two"))),
        FieldSpec(name="list.two", paths=(("list", "two"),)),
        FieldSpec(name="list.three", paths=(("list", "three"),)),
        FieldSpec(name="doc", paths=(("doc",),), is_open=True, json_text=1, is_verbatim=False),
    ),
)


def text(field: str, literal: str, op: TextOp = TextOp.EQUALS) -> Text:
    return Text(field=field, op=op, literal=literal)


def together(*items: Predicate) -> Together:
    def name(item: Predicate) -> str:
        return name(item.item) if isinstance(item, Not) else name(item.items[0]) if isinstance(item, Or | And) else item.field  # type: ignore[union-attr]

    return Together(items=tuple((name(item), item) for item in items))


def holds(predicate: Predicate, event: Json, mapping: Mapping | None = None) -> bool:
    answer = compile_predicate(predicate, Binder(mapping))(View(event))
    assert type(answer) is bool
    return answer


def rule(predicate: Predicate, name: str = "r") -> Rule:
    return Rule(id=name, name=name, title=name, path=f"{name}.yml", text_digest="", logsource=LogSource(), predicate=predicate)


A, B, C = text("a", "1"), text("b", "2"), text("c", "3")


@pytest.mark.parametrize(
    ("predicate", "answer"),
    [
        (And(items=()), True),
        (Or(items=()), False),
        (And(items=(A,)), True),
        (And(items=(A, B)), False),
        (And(items=(A, C, A)), True),
        (And(items=(A, C, B)), False),
        (Or(items=(B, A)), True),
        (Or(items=(B, Order(field="c", op=OrderOp.GT, number="5"))), False),
        (Or(items=(text("a", "x"), text("a", "y"), text("w", "WORD"))), True),
        (Not(item=Not(item=A)), True),
        (Not(item=B), True),
        (Together(items=()), True),
    ],
    ids=str,
)
def test_and_or_not_on_an_event(predicate: Predicate, *, answer: bool) -> None:
    assert holds(predicate, {"a": 1, "c": "3", "w": ["x", "word"]}) is answer


GRANTS: dict[str, Json] = {"auth": [{"permission": "read", "granted": True}, {"permission": "write", "granted": False}]}
READ, WRITE, GRANTED = text("auth.permission", "read"), text("auth.permission", "write"), text("auth.granted", "true")


@pytest.mark.parametrize(
    ("predicate", "answer"),
    [
        (together(READ, GRANTED), True),
        (together(WRITE, GRANTED), False),
        (And(items=(WRITE, GRANTED)), True),
        (together(WRITE, Not(item=GRANTED)), True),
        (together(READ, Not(item=GRANTED)), False),
        (together(Not(item=text("auth.permission", "read")), text("other", "x")), False),
        (together(Not(item=READ), Not(item=GRANTED)), True),
        (Not(item=together(WRITE, GRANTED)), True),
        (together(WRITE, Not(item=Exists(field="auth.reason"))), True),
        (together(And(items=(READ, WRITE)), text("top", "x")), True),
        (together(And(items=(READ, WRITE)), GRANTED), False),
        (together(Or(items=(READ, WRITE)), GRANTED), True),
    ],
    ids=str,
)
def test_items_of_one_selection_hold_on_one_element(predicate: Predicate, *, answer: bool) -> None:
    assert holds(predicate, {**GRANTS, "top": "x"}) is answer


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ({"a": [{"b": [{"c": 1, "d": 2}], "e": 3}]}, True),
        ({"a": [{"b": [{"c": 1}, {"d": 2}], "e": 3}]}, False),
        ({"a": [{"b": [{"c": 1, "d": 2}]}, {"e": 3}]}, False),
        ({"a": {"b": {"c": 1, "d": 2}, "e": 3}}, True),
        ({"a": [[{"b": [[{"c": 1, "d": 2}]], "e": 3}]]}, True),
        ({"a": [{"b": {"c": 1, "d": 2}, "e": [9, 3]}]}, True),
        ({}, False),
        ({"a": []}, False),
    ],
    ids=repr,
)
def test_nested_lists_are_shared_inside_out(event: Json, *, answer: bool) -> None:
    assert holds(together(text("a.b.c", "1"), text("a.b.d", "2"), text("a.e", "3")), event) is answer


@pytest.mark.parametrize(
    "event", [{}, {"a": None}, {"a": []}, {"a": [[], None, ""]}, {"a": {}}, {"a": ""}, {"a": "x"}, {"a": [{}]}], ids=repr
)
def test_a_shared_list_that_is_missing_is_one_missing_element(event: Json) -> None:
    blank = Not(item=Exists(field="a.b")), Not(item=Exists(field="a.c"))
    assert holds(together(*blank), event)
    assert not holds(together(blank[0], Exists(field="a.c")), event)


def test_items_on_one_field_share_its_element() -> None:
    both = together(text("tags", "prod", TextOp.STARTSWITH), text("tags", "eu", TextOp.ENDSWITH))
    assert holds(both, {"tags": ["x", "prod-eu"]})
    assert not holds(both, {"tags": ["prod-us", "test-eu"]})


def test_a_list_and_what_lies_below_it_share_the_element() -> None:
    both = together(text("a", "evil", TextOp.CONTAINS), text("a.kind", "x"))
    assert holds(both, {"a": [{"kind": "x", "name": "evil"}]})
    assert not holds(both, {"a": [{"kind": "x"}, {"name": "evil"}]})


def test_a_reference_reads_the_other_field_on_the_same_element() -> None:
    same = together(FieldRef(field="a.from", other="a.to"), text("a.kind", "x"))
    assert holds(same, {"a": [{"from": "1", "to": "1", "kind": "x"}]})
    assert not holds(same, {"a": [{"from": "1", "to": "2", "kind": "x"}, {"from": "2", "to": "1"}]})


def test_a_reference_to_a_field_elsewhere_reads_the_whole_event() -> None:
    elsewhere = together(FieldRef(field="a.from", other="owner"), text("a.kind", "x"))
    assert holds(elsewhere, {"a": [{"from": "me", "kind": "x"}], "owner": "ME"})
    assert not holds(elsewhere, {"a": [{"from": "me", "kind": "y"}, {"from": "you", "kind": "x"}], "owner": "me"})


NESTED_REFERENCE = together(FieldRef(field="p.a", other="p.b"), text("p.a", "x", TextOp.STARTSWITH))


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ({"p": [{"a": "x1", "b": "y"}, {"a": "y", "b": "x1"}]}, False),
        ({"p": [{"a": ["x1", "y"], "b": "x1"}]}, True),
        ({"p": [{"a": ["x1", "y"], "b": "y"}]}, False),
    ],
    ids=repr,
)
def test_a_reference_from_a_shared_inner_list_reads_the_element_of_the_outer_one(event: Json, *, answer: bool) -> None:
    assert holds(NESTED_REFERENCE, event) is answer


STATEMENTS = '{"Statement":[{"Effect":"Allow","Action":"s3:GetObject"},{"Effect":"Deny","Action":["s3:PutObject"]}]}'


@pytest.mark.parametrize(
    ("predicate", "answer"),
    [
        (together(text("doc.Statement.Effect", "Allow"), text("doc.Statement.Action", "s3:GetObject")), True),
        (together(text("doc.Statement.Effect", "Allow"), text("doc.Statement.Action", "s3:PutObject")), False),
        (together(text("doc.Statement.Effect", "Deny"), Not(item=text("doc.Statement.Action", "s3:GetObject"))), True),
        (together(text("doc", "Deny", TextOp.CONTAINS), text("doc.Statement.Effect", "Allow")), True),
        (together(text("doc", "{", TextOp.STARTSWITH), Exists(field="doc.Statement.Nothing")), False),
    ],
    ids=str,
)
def test_items_share_elements_inside_json_text_too(predicate: Predicate, *, answer: bool) -> None:
    assert holds(predicate, {"doc": STATEMENTS}, MAPPING) is answer
    assert holds(predicate, {"doc": ["plain", STATEMENTS]}, MAPPING) is answer


def test_a_field_with_several_places_is_read_whole_by_a_reference_in_a_shared_element() -> None:
    shared = together(FieldRef(field="list.two", other="either"), text("list.three", "z"))
    assert holds(shared, {"one": "a", "list": [{"two": "a", "three": "z"}]}, MAPPING)
    assert holds(shared, {"list": [{"two": "a", "three": "z"}]}, MAPPING)
    assert not holds(shared, {"one": "a", "list": [{"two": "a"}, {"three": "z"}]}, MAPPING)


def test_a_field_with_several_places_binds_on_its_own() -> None:
    mixed = together(text("either", "x"), text("list.three", "y"))
    assert holds(mixed, {"one": "x", "list": [{"three": "y"}]}, MAPPING)
    assert holds(mixed, {"list": [{"two": "x"}, {"three": "y"}]}, MAPPING)
    assert not holds(together(text("list.two", "x"), text("list.three", "y")), {"list": [{"two": "x"}, {"three": "y"}]}, MAPPING)


def test_a_predicate_that_a_mapping_cannot_answer_is_refused() -> None:
    with pytest.raises(Unsupported, match="field nowhere"):
        compile_rules([rule(text("name", "x")), rule(Not(item=Exists(field="nowhere")))], MAPPING)


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        (text("name", "Ab"), {"name": {"ab"}}),
        (Text(field="name", op=TextOp.EQUALS, literal="Ab", cased=True), {"name": {"ab"}}),
        (text("name", "5"), {}),
        (text("name", "ab", TextOp.CONTAINS), {}),
        (Not(item=text("name", "ab")), {}),
        (Regex(field="name", pattern="ab"), {}),
        (And(items=(text("name", "ab"), text("source", "s"))), {"name": {"ab"}, "source": {"s"}}),
        (together(text("name", "ab"), Exists(field="source")), {"name": {"ab"}}),
        (Or(items=(text("name", "ab"), text("NAME", "cd"))), {"name": {"ab", "cd"}}),
        (Or(items=(text("name", "ab"), text("source", "s"))), {}),
        (Or(items=(And(items=(text("name", "a"), text("source", "s"))), text("name", "b"))), {"name": {"a", "b"}}),
        (And(items=(Or(items=(text("name", "a"), text("name", "b"))), text("name", "c"))), {"name": {"c"}}),
        (And(items=()), {}),
        (Or(items=()), {}),
    ],
    ids=lambda value: None if isinstance(value, set | dict) else str(value),  # a set prints in another order in each process
)
def test_the_values_without_which_a_predicate_is_false(predicate: Predicate, found: dict[str, set[str]]) -> None:
    assert anchors(predicate, binder_of(MAPPING)) == {key: frozenset(values) for key, values in found.items()}


def test_a_rule_is_tried_only_where_its_most_selective_value_occurs() -> None:
    rules = compile_rules(
        [
            rule(And(items=(text("source", "s3"), text("name", "GetObject"))), "get"),
            rule(And(items=(text("source", "s3"), text("name", "PutObject"))), "put"),
            rule(Exists(field="source"), "any"),
        ],
        MAPPING,
    )
    assert rules.unanchored == (2,)
    assert rules.candidates(View({"source": "S3", "name": "getobject"})) == {0, 2}
    assert rules.candidates(View({"source": "s3"})) == {2}
    assert rules.match({"source": "s3", "name": ["x", "PUTOBJECT"]}) == (1, 2)


def test_hits_are_numbered_in_the_order_of_the_rules() -> None:
    rules = compile_rules([rule(text("a", literal)) for literal in ("x", "y", "x", "5")], None)
    assert rules.match({"a": ["X", 5]}) == (0, 2, 3)
    assert rules.match_among({"a": "x"}, [2, 1]) == (2,)


NAMES = st.sampled_from(["a", "b", "c.d", "c.e", "f"])
WORDS = st.sampled_from(["x", "Y", "5", "5.0", "é", "É", "true", "-", "xy"])
LEAVES = st.one_of(
    st.builds(Text, field=NAMES, op=st.sampled_from([TextOp.EQUALS] * 4 + [TextOp.CONTAINS]), literal=WORDS, cased=st.booleans()),
    st.builds(Text, field=NAMES, op=st.just(TextOp.WILDCARD), pattern=st.tuples(WORDS, st.just(Star.ANY))),
    st.builds(Exists, field=NAMES),
    st.builds(Order, field=NAMES, op=st.sampled_from(OrderOp), number=st.just("5")),
    st.builds(FieldRef, field=NAMES, other=NAMES),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, item=inner),
        st.builds(And, items=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, items=st.lists(inner, max_size=3).map(tuple)),
        st.lists(LEAVES, min_size=2, max_size=3).map(lambda items: together(*items)),
    ),
    max_leaves=8,
)
SCALARS = st.one_of(WORDS, st.sampled_from([5, 5.0, True, None, "", "XY"]))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))
INNER = st.fixed_dictionaries({}, optional={"d": VALUES, "e": VALUES})
EVENTS = st.fixed_dictionaries(
    {}, optional={"a": VALUES, "b": VALUES, "f": VALUES, "c": st.one_of(INNER, st.lists(INNER, max_size=3), VALUES)}
)


@given(st.lists(TREES, min_size=1, max_size=6), st.lists(EVENTS, min_size=1, max_size=4))
def test_the_index_never_loses_a_rule(trees: list[Predicate], events: list[Json]) -> None:
    rules = compile_rules([rule(tree) for tree in trees], None)
    for event in events:
        assert rules.match(event) == rules.match_among(event, range(len(trees)))


@given(TREES, EVENTS)
def test_a_predicate_that_is_true_has_a_value_of_each_of_its_anchors(tree: Predicate, event: Json) -> None:
    binder = binder_of(None)
    if holds(tree, event):
        view = View(event)
        for key, values in anchors(tree, binder).items():
            assert not values.isdisjoint(view.folded(binder.field(key)))


@given(TREES, EVENTS)
def test_not_is_the_complement(tree: Predicate, event: Json) -> None:
    assert holds(tree, event) is not holds(Not(item=tree), event)


def test_a_thousand_rules_cost_an_event_what_its_candidates_cost() -> None:
    """Counted, not timed: how many rules are tried."""
    numbers = random.Random(7).sample(range(1000), 1000)
    rules = compile_rules([rule(And(items=(text("name", f"Call{number}"), Exists(field="source")))) for number in numbers], MAPPING)
    tried = [len(rules.candidates(View({"name": f"call{number}", "source": "s"}))) for number in range(1000)]
    assert tried == [1] * 1000

"""Why a rule is true or false: the tree says what the matcher says, and shows the values and the list element that made it so."""

from __future__ import annotations

import random

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import AibrError, Unsupported
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning import explain as explain_module
from aibr_hunt.meaning.explain import Explained, asked_by, explain
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Leaf,
    Not,
    Or,
    Order,
    OrderOp,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    TimePart,
    Together,
)
from aibr_hunt.model.rule import LogSource
from tests.oracle.mapped_world import MAPPING as DRAWN_MAPPING
from tests.oracle.mapped_world import draw_mapped_world
from tests.oracle.serialisers import draw_spelling, spell
from tests.oracle.strategies import draw_rule
from tests.oracle.worlds import draw_event, draw_world

MAPPING = Mapping(
    name="m",
    logsource=LogSource(product="m"),
    provider="m",
    identity=(("id",),),
    time=("t",),
    keywords=("agent",),
    fields=(
        FieldSpec(name="agent", paths=(("agent",),)),
        FieldSpec(name="either", paths=(("one",), ("two",))),
        FieldSpec(name="doc", paths=(("doc",),), is_open=True, json_text=1, is_verbatim=False),
    ),
)
EVENT: Json = {
    "name": "Delete",
    "count": 5,
    "agent": "Boto3",
    "tags": [{"key": "k", "value": "x"}, {"key": "owner", "value": "X"}],
    "none": [],
    "two": "2",
    "doc": '{"items":[{"a":"1","b":"2"},{"a":"3","b":"4"}]}',
}


def text(field: str, literal: str, op: TextOp = TextOp.EQUALS) -> Text:
    return Text(field=field, op=op, literal=literal)


def together(*items: Text | Exists) -> Together:
    return Together(items=tuple((item.field, item) for item in items))


NAME, OTHER = text("name", "delete"), text("name", "create")


@pytest.mark.parametrize(
    ("predicate", "what", "answers"),
    [
        (And(items=(NAME, OTHER)), "all of", (False, [True, False])),
        (Or(items=(NAME, OTHER)), "any of", (True, [True, False])),
        (Or(items=()), "any of", (False, [])),
        (And(items=()), "all of", (True, [])),
        (Not(item=OTHER), "not", (True, [False])),
        (together(NAME, Exists(field="absent")), "all of", (False, [True, False])),
    ],
    ids=str,
)
def test_a_node_has_its_own_answer_and_those_below_it(predicate: Predicate, what: str, answers: tuple[bool, list[bool]]) -> None:
    found = explain(predicate, EVENT, None)
    assert (found.what, (found.holds, [item.holds for item in found.items])) == (what, answers)


def test_one_alternative_alone_needs_no_node_above_it() -> None:
    assert explain(Or(items=(And(items=(NAME,)),)), EVENT, None) == explain(NAME, EVENT, None)


@pytest.mark.parametrize(
    ("leaf", "values"),
    [
        (text("name", "x"), ("Delete",)),
        (text("absent", "x"), ()),
        (text("none", "x"), ()),
        (text("tags.key", "x"), ("k", "owner")),
        (Order(field="count", op=OrderOp.GT, number="4"), (5,)),
        (FieldRef(field="name", other="agent"), ("Delete", "Boto3")),
        (Keyword(pattern=(Star.ANY, "boto", Star.ANY)), ("Boto3",)),
        (Keyword(pattern=(Star.ANY, "nowhere", Star.ANY)), ()),
    ],
    ids=str,
)
def test_a_leaf_shows_the_values_that_it_read(leaf: Leaf, values: tuple[Json, ...]) -> None:
    found = explain(leaf, EVENT, None)
    assert (found.is_leaf, found.values) == (True, values)


def test_on_a_mapping_values_are_those_of_the_mapping_s_places() -> None:
    assert explain(text("either", "2"), EVENT, MAPPING).values == ("2",)
    assert explain(Keyword(pattern=(Star.ANY, "delete", Star.ANY)), EVENT, MAPPING).values == ()
    assert explain(Keyword(pattern=(Star.ANY, "boto", Star.ANY)), EVENT, MAPPING).values == ("Boto3",)


def test_a_field_that_the_mapping_does_not_define_is_refused() -> None:
    with pytest.raises(Unsupported, match="does not define it"):
        explain(text("agnet", "x"), EVENT, MAPPING)


def test_the_element_that_meets_all_tests_is_named() -> None:
    found = explain(together(text("tags.key", "owner"), text("tags.value", "x")), EVENT, None)
    assert (found.what, found.holds, found.note) == ("one element of tags", True, "element 2 of 2")
    assert [item.values for item in found.items] == [("owner",), ("X",)]


def test_where_no_element_meets_all_tests_the_nearest_is_shown() -> None:
    found = explain(together(text("tags.key", "owner"), text("tags.value", "y")), EVENT, None)
    assert (found.holds, found.note) == (False, "no element meets all; element 2 of 2 comes nearest")
    assert [item.holds for item in found.items] == [True, False]


def test_a_list_without_elements_is_one_missing_element() -> None:
    missing = Together(items=tuple((name, Not(item=Exists(field=name))) for name in ("none.a", "none.b")))
    found = explain(missing, EVENT, None)
    assert (found.holds, found.note) == (True, "the list holds no element")


def test_members_of_one_object_are_shown_without_an_element() -> None:
    found = explain(together(text("a.b", "1"), text("a.c", "2")), {"a": {"b": "1", "c": "2"}}, None)
    assert [item.what for item in found.items] == ["a.b equals '1'", "a.c equals '2'"]


def test_lists_in_a_text_that_holds_json_are_opened_too() -> None:
    found = explain(together(text("doc.items.a", "3"), text("doc.items.b", "4")), EVENT, MAPPING)
    assert (found.what, found.holds, found.note) == ("one element of doc.items", True, "element 2 of 2")


@pytest.mark.parametrize(
    ("leaf", "said"),
    [
        (text("a", "x"), "a equals 'x'"),
        (Text(field="a", op=TextOp.CONTAINS, literal="x", cased=True), "a contains cased 'x'"),
        (Text(field="a", op=TextOp.WILDCARD, pattern=("x", Star.ANY, "y", Star.ONE)), "a wildcard 'x*y?'"),
        (Regex(field="a", pattern="x+", flags="i"), "a re|i 'x+'"),
        (Cidr(field="a", network="192.0.2.0/24"), "a cidr 192.0.2.0/24"),
        (Order(field="a", op=OrderOp.GTE, number="5"), "a gte 5"),
        (Exists(field="a"), "a exists"),
        (FieldRef(field="a", other="b", cased=True), "a equals cased the value of b"),
        (TimeIs(field="a", part=TimePart.HOUR, number=5), "hour of a is 5"),
        (TimeIs(field="a", part=TimePart.HOUR, number=5, op=OrderOp.LT), "hour of a lt 5"),
        (Keyword(pattern=(Star.ANY, "x", Star.ANY)), "keyword 'x'"),
    ],
    ids=str,
)
def test_a_leaf_is_told_in_the_words_of_its_author(leaf: Leaf, said: str) -> None:
    assert asked_by(leaf) == said


def is_sound(node: Explained) -> bool:
    """True when each node's answer follows from those below it."""
    if node.is_leaf:
        return not node.items
    answers = [item.holds for item in node.items]
    expected = not answers[0] if node.what == explain_module.NOT else any(answers) if node.what == explain_module.ANY else all(answers)
    return node.holds is expected and all(map(is_sound, node.items))


@pytest.mark.parametrize("mapping", [None, DRAWN_MAPPING], ids=["as written", "mapped"])
def test_the_tree_says_of_drawn_rules_and_events_what_the_matcher_says(mapping: Mapping | None) -> None:
    said = {True: 0, False: 0}
    for seed in range(120):
        rng = random.Random(seed)
        world = draw_world(rng) if mapping is None else draw_mapped_world(rng)
        events = [parse_record(spell(rng, draw_event(rng, world), draw_spelling(rng, is_line=True)).encode()).value for _ in range(4)]
        for number in range(4):
            try:
                rule = load_rule_text(draw_rule(rng, world, number), "drawn.yml")
                matcher = compile_rules([rule], mapping)
            except AibrError:
                continue
            for event in events:
                found = explain(rule.predicate, event, mapping)
                assert found.holds is bool(matcher.match(event))
                assert is_sound(found), (rule.predicate, event)
                said[found.holds] += 1
    assert min(said.values()) > 50

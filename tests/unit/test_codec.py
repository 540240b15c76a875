"""Predicates and rules as plain JSON and back: nothing is lost, and nothing else is taken for one of ours."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.model.codec import Plain, predicate_from_plain, predicate_to_plain, rule_from_plain, rule_to_plain
from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
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
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.technique import Technique

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
PATTERNS = st.lists(st.one_of(TEXTS, st.sampled_from(Star)), min_size=1, max_size=4).map(tuple)
PLAIN_OPS = st.sampled_from([op for op in TextOp if op is not TextOp.WILDCARD])
LEAVES = st.one_of(
    st.builds(Text, field=TEXTS, op=PLAIN_OPS, literal=TEXTS, cased=st.booleans()),
    st.builds(Text, field=TEXTS, op=st.just(TextOp.WILDCARD), pattern=PATTERNS, cased=st.booleans()),
    st.builds(Regex, field=TEXTS, pattern=TEXTS, flags=st.sampled_from(["", "i", "ims"])),
    st.builds(Cidr, field=TEXTS, network=st.just("192.0.2.0/24")),
    st.builds(Order, field=TEXTS, op=st.sampled_from(OrderOp), number=st.just("-5.5")),
    st.builds(Exists, field=TEXTS),
    st.builds(FieldRef, field=TEXTS, other=TEXTS, op=PLAIN_OPS, cased=st.booleans()),
    st.builds(TimeIs, field=TEXTS, part=st.sampled_from(TimePart), number=st.integers(-5, 9999), op=st.none() | st.sampled_from(OrderOp)),
    st.builds(Keyword, pattern=PATTERNS, cased=st.booleans()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, item=inner),
        st.builds(And, items=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, items=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Together, items=st.lists(st.tuples(TEXTS, inner), max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
RULE = Rule(
    id="i",
    name="n",
    title="t",
    path="p",
    text_digest="d",
    logsource=LogSource(product="a", service="b", category="c"),
    predicate=Exists(field="f"),
    status="test",
    level="high",
    description="é",
    author="x",
    date="2026-01-02",
    tags=("attack.t1078",),
    techniques=(
        Technique(framework="attack", id="T1078", name="Valid Accounts", tactics=("a", "b"), version="19"),
        Technique(framework="atlas", id="AML.T0054", name="y", tactics=(), version="5"),
    ),
    references=("r",),
    falsepositives=("f",),
    fields=("g",),
    requires=("q",),
    triage=("1", "2"),
    preserve_first=("v",),
    evades=("e",),
    synthetic="schema-only",
    filters=("fi",),
    tests_path="tp",
    warnings=("w",),
)


@given(TREES)
def test_a_predicate_comes_back_from_json_as_it_was(tree: Predicate) -> None:
    assert predicate_from_plain(orjson.loads(orjson.dumps(predicate_to_plain(tree)))) == tree


@given(TREES, TREES)
def test_two_predicates_have_one_plain_form_only_when_they_are_equal(left: Predicate, right: Predicate) -> None:
    assert (json.dumps(predicate_to_plain(left)) == json.dumps(predicate_to_plain(right))) == (left == right)


@given(PATTERNS)
def test_a_star_comes_back_as_a_wildcard_and_a_text_as_a_text(pattern: tuple[str | Star, ...]) -> None:
    found = predicate_from_plain(predicate_to_plain(Keyword(pattern=pattern)))
    assert isinstance(found, Keyword)
    assert [type(part) for part in found.pattern] == [type(part) for part in pattern]


def test_a_rule_comes_back_whole() -> None:
    found = rule_from_plain(orjson.loads(orjson.dumps(rule_to_plain(RULE))))
    assert found == RULE
    assert found.warnings == RULE.warnings


@pytest.mark.parametrize("name", [field.name for field in fields(Rule)])
def test_every_attribute_of_a_rule_is_in_its_plain_form(name: str) -> None:
    """A new attribute that the codec forgets would vanish from cached rules."""
    empty = Rule(id="", name="", title="", path="", text_digest="", logsource=LogSource(), predicate=And(items=()), level="")
    changed = replace(empty, **{name: getattr(RULE, name)})
    assert getattr(rule_from_plain(rule_to_plain(changed)), name) == getattr(RULE, name)


WRONG: list[Plain] = [
    None,
    5,
    "and",
    [],
    {},
    ["nope"],
    [["and"]],
    ["not"],
    ["not", 5],
    ["and", 5],
    ["together", 5],
    ["together", ["f"]],
    ["together", ["f", ["exists", "f"], 1]],
    ["text", "f"],
    ["text", "f", "almost", "x", False],
    ["text", "f", "wildcard", "x", False],
    ["text", "f", "wildcard", [{"star": "!"}], False],
    ["text", "f", "wildcard", [{}], False],
    ["regex", "f"],
    ["cidr"],
    ["order", "f", "eq", "5"],
    ["exists"],
    ["fieldref", "f", "g"],
    ["time", "f", "hour", "5", None],
    ["time", "f", "second", 5, None],
    ["keyword", "x", False],
]


@pytest.mark.parametrize("plain", WRONG, ids=repr)
def test_another_form_is_refused(plain: Plain) -> None:
    with pytest.raises(ValueError):
        predicate_from_plain(plain)


@pytest.mark.parametrize("name", ["id", "tags", "logsource", "predicate", "techniques"])
def test_a_rule_without_one_of_its_parts_is_refused(name: str) -> None:
    plain = rule_to_plain(RULE)
    del plain[name]
    with pytest.raises(KeyError):
        rule_from_plain(plain)


@pytest.mark.parametrize(("name", "value"), [("tags", "x"), ("logsource", ["a"]), ("techniques", [["attack"]]), ("techniques", [5])])
def test_a_rule_with_a_part_of_another_form_is_refused(name: str, value: Plain) -> None:
    with pytest.raises(ValueError):
        rule_from_plain(rule_to_plain(RULE) | {name: value})

"""Mutants: every kind of change, once, under a name that stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.mutants import describe, mutants_of
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

ANY = Star.ANY
A = Text(field="a", op=TextOp.CONTAINS, literal="x")
B = Exists(field="b")
OPS = ["equals", "startswith", "endswith"]
OF_A = ["negate a contains 'x'", *(f"{op} for a contains 'x'" for op in OPS)]

OF_REFERENCE = [f"{op} for a fieldref b" for op in ("contains", "startswith", "endswith")]


def names(predicate: Predicate) -> list[str]:
    return [mutant.what for mutant in mutants_of(predicate)]


TABLE: list[tuple[Predicate, list[str]]] = [
    (A, OF_A),
    (B, ["negate b exists"]),
    (
        Text(field="a", op=TextOp.EQUALS, literal="5.5", cased=True),
        [
            "negate a equals '5.5'",
            "drop cased of a equals '5.5'",
            *(f"{op} for a equals '5.5'" for op in ("contains", "startswith", "endswith")),
            "-1 on a equals '5.5'",
            "+1 on a equals '5.5'",
        ],
    ),
    (
        Text(field="a", op=TextOp.WILDCARD, pattern=("x", ANY, "y"), cased=True),
        ["negate a wildcard 'x*y'", "drop cased of a wildcard 'x*y'"],
    ),
    (
        Regex(field="a", pattern="x", flags="im"),
        ["negate a re 'x'", "drop flag i of a re 'x'", "drop flag m of a re 'x'"],
    ),
    (Cidr(field="a", network="192.0.2.0/24"), ["negate a cidr 192.0.2.0/24"]),
    (
        Order(field="a", op=OrderOp.GT, number="5"),
        ["negate a gt 5", "gte for a gt 5", "-1 on a gt 5", "+1 on a gt 5"],
    ),
    (
        TimeIs(field="t", part=TimePart.HOUR, number=5, op=OrderOp.LT),
        ["negate t hour lt 5", "-1 on t hour lt 5", "+1 on t hour lt 5"],
    ),
    (TimeIs(field="t", part=TimePart.DAY, number=1), ["negate t day 1", "-1 on t day 1", "+1 on t day 1"]),
    (FieldRef(field="a", other="b", cased=True), ["negate a fieldref b", "drop cased of a fieldref b", *OF_REFERENCE]),
    (FieldRef(field="a", other="b"), ["negate a fieldref b", *OF_REFERENCE]),
    (Keyword(pattern=(ANY, "x", ANY), cased=True), ["negate keyword '*x*'", "drop cased of keyword '*x*'"]),
    (Not(item=B), ["negate b exists"]),
    (
        And(items=(A, B)),
        ["or for and: (a contains 'x' and b exists)", "remove a contains 'x'", *OF_A, "remove b exists", "negate b exists"],
    ),
    (Or(items=(B, A)), ["and for or: (b exists or a contains 'x')", "remove b exists", "negate b exists", "remove a contains 'x'", *OF_A]),
    (Or(items=(B,)), ["and for or: (b exists)", "negate b exists"]),
    (
        Together(items=(("a", A), ("b", B))),
        ["or for and: (a contains 'x' and b exists)", "remove a contains 'x'", *OF_A, "remove b exists", "negate b exists"],
    ),
    (
        And(items=(A, Not(item=B))),
        ["or for and: (a contains 'x' and not (b exists))", "remove a contains 'x'", *OF_A, "remove not (b exists)", "negate b exists"],
    ),
]


@pytest.mark.parametrize(
    ("predicate", "mutants"), TABLE, ids=[f"{number} {describe(predicate)}" for number, (predicate, _) in enumerate(TABLE)]
)
def test_the_mutants_of_a_predicate(predicate: Predicate, mutants: list[str]) -> None:
    assert names(predicate) == mutants


@pytest.mark.parametrize(
    ("number", "moved"),
    [("5", {"4", "6"}), ("0", {"-1", "1"}), ("-0.5", {"-1.5", "0.5"}), ("9.9", {"8.9", "10.9"}), ("-1", {"-2", "0"})],
)
def test_a_number_moves_by_one(number: str, moved: set[str]) -> None:
    found = {
        mutant.predicate.number
        for mutant in mutants_of(Order(field="a", op=OrderOp.LT, number=number))
        if isinstance(mutant.predicate, Order)
    }
    assert found == moved | {number}


def test_each_changed_meaning_is_listed_once() -> None:
    assert names(And(items=(B, B))) == ["or for and: (b exists and b exists)", "remove b exists", "negate b exists", "negate b exists"]


def test_each_value_of_a_list_can_be_removed() -> None:
    values = Or(items=tuple(Text(field="a", op=TextOp.EQUALS, literal=f"v{number}") for number in range(6)))
    assert [name for name in names(values) if name.startswith("remove")] == [f"remove a equals 'v{number}'" for number in range(6)]


def test_a_long_list_is_described_by_its_beginning() -> None:
    values = Or(items=tuple(Exists(field=f"f{number}") for number in range(7)))
    assert describe(values) == "(f0 exists or f1 exists or f2 exists or f3 exists or 3 more)"


@pytest.mark.parametrize(
    ("predicate", "text"),
    [
        (Text(field="a", op=TextOp.WILDCARD, pattern=("x", Star.ONE, ANY)), "a wildcard 'x?*'"),
        (Not(item=And(items=(B, Not(item=B)))), "not ((b exists and not (b exists)))"),
        (Together(items=(("b", B), ("a", A))), "(b exists and a contains 'x')"),
    ],
)
def test_a_predicate_in_a_few_words(predicate: Predicate, text: str) -> None:
    assert describe(predicate) == text


LEAVES = st.sampled_from([predicate for predicate, _ in TABLE[:12]])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, item=inner),
        st.builds(And, items=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, items=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Together, items=st.lists(inner.map(lambda item: ("f", item)), min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(TREES)
def test_mutants_differ_from_the_rule_and_from_each_other_and_never_from_run_to_run(tree: Predicate) -> None:
    found = mutants_of(tree)
    assert found == mutants_of(tree)
    assert len({mutant.predicate for mutant in found} | {tree}) == len(found) + 1
    assert found

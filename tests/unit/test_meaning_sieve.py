"""The sieve: which literals follow from a predicate, and that no matching event is ever without one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.engines.literals import scanner_for
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.bind import Binder, binder_of
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.sieve import is_literal, need_of, sieve_of
from aibr_hunt.meaning.view import View, object_texts
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldSpec, Mapping
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
from aibr_hunt.testing import serialisations

ANY, ONE = Star.ANY, Star.ONE
MAPPING = Mapping(
    name="m",
    logsource=LogSource(product="m"),
    provider="m",
    identity=(("id",),),
    time=("t",),
    fields=(
        FieldSpec(name="name", paths=(("name",),), sieve_weight=1, common=("assumerole",)),
        FieldSpec(name="source", paths=(("source",),), sieve_weight=9),
        FieldSpec(name="joined", paths=(("joined",),), is_verbatim=False),
        FieldSpec(name="small", paths=(("small",),), derive="lower"),
        FieldSpec(name="request", paths=(("request",),), is_object=True, is_open=True),
    ),
)


def text(field: str, literal: str, op: TextOp = TextOp.EQUALS) -> Text:
    return Text(field=field, op=op, literal=literal)


def wild(field: str, *pattern: str | Star) -> Text:
    return Text(field=field, op=TextOp.WILDCARD, pattern=pattern)


def literals(predicate: Predicate, mapping: Mapping | None = MAPPING) -> set[str] | None:
    need = need_of(predicate, binder_of(mapping))
    return None if need is None else set(need.literals)


def rule(predicate: Predicate, name: str = "r") -> Rule:
    return Rule(id=name, name=name, title=name, path=f"{name}.yml", text_digest="", logsource=LogSource(), predicate=predicate)


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        (text("name", "GetObject"), {"getobject"}),
        (text("name", "PutObject", TextOp.STARTSWITH), {"putobject"}),
        (text("name", "abc"), None),
        (text("name", "abc/defg"), {"defg"}),
        (text("name", 'ab"cdef'), {"cdef"}),
        (text("name", "C:\\tempfile"), {"tempfile"}),
        (text("name", "Ärger-im-Büro"), {"rger-im-b"}),
        (text("name", "12345"), None),
        (text("name", "1e-05"), None),
        (text("name", "2026-01-02T00:00"), None),
        (text("name", "false"), None),
        (text("name", "NULL"), None),
        (text("joined", "GetObject"), None),
        (text("small", "getobject"), None),
        (wild("name", "Get", ANY, "Object", ONE, "Acl"), {"object"}),
        (wild("name", ANY), None),
        (Regex(field="name", pattern="^(?:Get|Put)Object$"), {"object"}),
        (Regex(field="name", pattern="GetObject|PutObject"), {"getobject", "putobject"}),
        (Regex(field="name", pattern="GetObject|x"), None),
        (Regex(field="name", pattern=r"\QGetObject"), None),
        (Regex(field="joined", pattern="GetObject"), None),
        (Keyword(pattern=(ANY, "evil thing", ANY)), {"evil thing"}),
        (Keyword(pattern=(ANY, "a", ANY)), None),
        (And(items=(text("source", "s3.amazonaws.com"), text("name", "GetObject"))), {"getobject"}),
        (And(items=(text("source", "s3.amazonaws.com"), text("name", "AssumeRole"))), {"s3.amazonaws.com"}),
        (And(items=(Exists(field="name"), text("source", "s3.amazonaws.com"))), {"s3.amazonaws.com"}),
        (Together(items=(("name", text("name", "abc")), ("source", text("source", "s3.amazonaws.com")))), {"s3.amazonaws.com"}),
        (Or(items=(text("name", "GetObject"), text("name", "PutObject"))), {"getobject", "putobject"}),
        (Or(items=(text("name", "GetObject"), Exists(field="name"))), None),
        (Or(items=()), None),
        (And(items=()), None),
        (Not(item=text("name", "GetObject")), None),
        (Exists(field="name"), None),
        (Cidr(field="name", network="192.0.2.0/24"), None),
        (Order(field="name", op=OrderOp.GT, number="1000"), None),
        (FieldRef(field="name", other="source"), None),
        (TimeIs(field="name", part=TimePart.YEAR, number=2026), None),
    ],
    ids=lambda value: None if isinstance(value, set | dict) else str(value),  # a set prints in another order in each process
)
def test_what_must_stand_in_the_bytes(predicate: Predicate, found: set[str] | None) -> None:
    assert literals(predicate) == found


@pytest.mark.parametrize(
    ("literal", "found"),
    [
        ('"Action":"s3:GetObject"', {"getobject"}),
        ("abcd,efghi", {"efghi"}),
        ("[abcd]", {"abcd"}),
        ("a\\tabcd", {"abcd"}),
        ("a\\Nabcd", {"abcd"}),
        ("C:\\Users", {"users"}),
    ],
)
def test_a_literal_that_may_read_an_object_is_cut_at_what_serialisations_spell_in_several_ways(literal: str, found: set[str]) -> None:
    assert literals(text("request", literal, TextOp.CONTAINS)) == found
    assert literals(wild("request", ANY, literal, ANY)) == found


def test_keywords_give_no_literal_where_a_searched_field_is_not_verbatim() -> None:
    some = Mapping(
        name="k", logsource=LogSource(), provider="k", identity=(("id",),), time=("t",), fields=MAPPING.fields, keywords=("name", "joined")
    )
    assert literals(Keyword(pattern=(ANY, "evil", ANY)), some) is None


@pytest.mark.parametrize(
    ("run", "answer"), [("abcd", True), ("abc", False), ("1234", False), ("-1.5e3", False), ("TRUE", False), ("12:34", True)]
)
def test_a_literal_is_long_enough_and_reads_one_way_only(run: str, *, answer: bool) -> None:
    assert is_literal(run) is answer


def test_the_sieve_of_a_rule_set_names_the_rules_of_each_literal_and_those_without() -> None:
    rules = [
        rule(text("name", "GetObject")),
        rule(Exists(field="name")),
        rule(Or(items=(text("name", "Getobject"), text("name", "PutObject")))),
    ]
    sieve = sieve_of(rules, MAPPING)
    assert (sieve.literals, sieve.rules_by_literal, sieve.unsieved) == (("getobject", "putobject"), ((0, 2), (2,)), (1,))


def test_the_same_rules_have_the_same_sieve_whatever_their_order_inside() -> None:
    one, other = text("name", "abcdefgh"), text("name", "hgfedcba")
    assert sieve_of([rule(And(items=(one, other)))], MAPPING) == sieve_of([rule(And(items=(other, one)))], MAPPING)


# --- soundness ---------------------------------------------------------------------------------------------------------------------

WORDS = [
    "GetObject",
    "s3.amazonaws.com",
    "a\tbcdef",
    "x/yzabc",
    'say "hello"',
    "C:\\temp\\file",
    "Kelvin",
    "false",
    "12345",
    "ÄÖabcd",
    '{"in":"GetObject"}',
]
NAMES = ["name", "source", "request", "request.name", "other"]
PARTS = st.sampled_from([ANY, ONE, *WORDS, "Obj", "temp", "\\tbcdef", "hello"])
LEAVES = st.one_of(
    st.builds(
        Text,
        field=st.sampled_from(NAMES),
        op=st.sampled_from([TextOp.EQUALS, TextOp.CONTAINS, TextOp.STARTSWITH, TextOp.ENDSWITH]),
        literal=st.sampled_from([*WORDS, "object", "amazonaws", "bcdef", "\\tbcdef", "elvi", '"in":"getobject"']),
    ),
    st.builds(Text, field=st.sampled_from(NAMES), op=st.just(TextOp.WILDCARD), pattern=st.lists(PARTS, min_size=1, max_size=4).map(tuple)),
    st.builds(
        Regex,
        field=st.sampled_from(NAMES),
        pattern=st.sampled_from(["Get.*ject", "(?i)OBJECT|elvin", r"temp\\file", "a.bcdef"]),
        flags=st.just("s"),
    ),
    st.builds(Keyword, pattern=st.sampled_from(WORDS).map(lambda word: (ANY, word, ANY))),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, items=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, items=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, item=inner),
    ),
    max_leaves=5,
)
SCALARS = st.sampled_from([*WORDS, "getobject", "ſource", "\u212aelvin", False, 12345, 12345.0])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(["name", "in", "k"]), SCALARS, max_size=2))
EVENTS = st.fixed_dictionaries({}, optional={"name": VALUES, "source": VALUES, "request": VALUES, "other": VALUES})


@given(TREES, st.lists(EVENTS, min_size=1, max_size=3))
def test_no_serialisation_of_a_matching_event_is_without_a_needed_literal(tree: Predicate, events: list[Json]) -> None:
    """An escape or a non-ASCII byte sends a record to the parser anyway; everything else must hold a literal."""
    need = need_of(tree, binder_of(None))
    test = compile_predicate(tree, binder_of(None))
    for event in events:
        if need is None or not test(View(event)):
            continue
        raw_controls = json.dumps(event, ensure_ascii=False).replace("\\t", "\t").encode()
        for name, spelled in (*serialisations(event), ("with raw control signs", raw_controls)):
            assert b"\\u" in spelled or not spelled.isascii() or any(each.encode() in spelled.lower() for each in need.literals), name


@pytest.mark.parametrize("control", ["\t", "\r", "\x00", "\x17", "\x1f", "\x0b"], ids=repr)
@pytest.mark.parametrize("use_hyperscan", [True, False])
def test_a_raw_control_byte_never_hides_what_an_object_holds(control: str, *, use_hyperscan: bool) -> None:
    """The decoder takes raw control bytes in strings, and the object's text spells them as escapes."""
    record = b'{"req":{"k":"x' + control.encode() + b'oken wxyz"}}'
    text = object_texts(parse_record(record).value["req"])[0]  # type: ignore[arg-type] # an object
    escape = text[text.index("\\") + 1 :]
    for start in range(len(escape) - 7):
        leaf = Text(field="req", op=TextOp.CONTAINS, literal=escape[start : start + 6].split('"')[0])
        need = need_of(leaf, Binder(None))
        if need is not None:
            assert scanner_for(sorted(need.literals), use_hyperscan=use_hyperscan).may_hold_any(record), leaf

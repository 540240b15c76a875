"""Each test of a Predicate on one event: when it is true, when it is false, and that it is never anything else."""

from __future__ import annotations

import pytest

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder
from aibr_hunt.meaning.leaf import compile_program
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.view import View
from aibr_hunt.model.event import Json, OddNumber
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import (
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Leaf,
    Not,
    Order,
    OrderOp,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    TimePart,
)
from aibr_hunt.model.rule import LogSource

ANY, ONE = Star.ANY, Star.ONE


def holds(predicate: Predicate, event: Json, mapping: Mapping | None = None) -> bool:
    answer = compile_predicate(predicate, Binder(mapping))(View(event))
    assert type(answer) is bool
    assert compile_predicate(Not(item=predicate), Binder(mapping))(View(event)) is not answer
    return answer


def on_a(leaf: Leaf, value: Json) -> bool:
    return holds(leaf, {"a": value})


def equals(literal: str, *, cased: bool = False) -> Text:
    return Text(field="a", op=TextOp.EQUALS, literal=literal, cased=cased)


def wild(*pattern: str | Star, cased: bool = False) -> Text:
    return Text(field="a", op=TextOp.WILDCARD, pattern=pattern, cased=cased)


@pytest.mark.parametrize(
    ("literal", "value", "answer"),
    [
        ("x", "X", True),
        ("ÄB", "äb", True),
        ("x", "xx", False),
        ("x", ["y", ["X"]], True),
        ("x", {"x": "x"}, False),
        ("", "", False),
        ("K", "\u212a", False),
        ("σ", "ς", False),
        ("5", 5, True),
        ("5", 5.0, True),
        ("5", "5.0", True),
        ("5.0", 5, True),
        ("5.50", 5.5, True),
        ("5", "05", False),
        ("5", "+5", False),
        ("05", 5, False),
        ("-0", 0, True),
        ("5", OddNumber("5e0"), False),
        ("1000", OddNumber("1e3"), False),
        ("1e3", OddNumber("1e3"), False),
        ("true", True, True),
        ("TRUE", True, True),
        ("1", True, False),
        ("0", False, False),
        ("null", None, False),
    ],
    ids=repr,
)
def test_equality(literal: str, value: Json, *, answer: bool) -> None:
    assert on_a(equals(literal), value) is answer


@pytest.mark.parametrize(
    ("literal", "value", "answer"), [("X", "X", True), ("X", "x", False), ("5", 5, True), ("5.0", 5, False), ("5", "5.0", False)], ids=repr
)
def test_cased_equality_compares_texts_only(literal: str, value: Json, *, answer: bool) -> None:
    assert on_a(equals(literal, cased=True), value) is answer


@pytest.mark.parametrize(
    ("op", "literal", "value", "answer"),
    [
        (TextOp.CONTAINS, "B", "abc", True),
        (TextOp.CONTAINS, "%", "100%", True),
        (TextOp.CONTAINS, "4", 5432, True),
        (TextOp.CONTAINS, "5", 5.5, False),
        (TextOp.CONTAINS, "ru", True, True),
        (TextOp.CONTAINS, "x", ["y", "x1"], True),
        (TextOp.CONTAINS, ",", ["y", "x1"], False),
        (TextOp.CONTAINS, "e", OddNumber("1e5"), False),
        (TextOp.STARTSWITH, "AB", "abc", True),
        (TextOp.STARTSWITH, "b", "abc", False),
        (TextOp.STARTSWITH, "54", 5432, True),
        (TextOp.STARTSWITH, "5.", 5.0, False),
        (TextOp.ENDSWITH, "BC", "abc", True),
        (TextOp.ENDSWITH, "b", "abc", False),
        (TextOp.STARTSWITH, "{", {"b": 1}, False),
        (TextOp.ENDSWITH, "}", {"b": 1}, False),
    ],
    ids=repr,
)
def test_position_prefix_and_suffix(op: TextOp, literal: str, value: Json, *, answer: bool) -> None:
    assert on_a(Text(field="a", op=op, literal=literal), value) is answer


@pytest.mark.parametrize(
    ("pattern", "value", "answer"),
    [
        ((ANY,), "x", True),
        ((ANY,), 5, True),
        ((ANY,), False, True),
        ((ANY,), {"b": None}, True),
        ((ANY,), "", False),
        ((ANY,), {}, False),
        ((ANY,), None, False),
        ((ANY,), [None], False),
        ((ANY,), 5.5, False),
        ((ONE,), "é", True),
        ((ONE,), "\U0001f600", True),
        ((ONE,), "ab", False),
        ((ONE,), "?", True),
        ((ONE, ANY), "x", True),
        ((ANY, ONE), "xy", True),
        (("a", ANY, "c"), "A\nbC", True),
        (("a", ANY, "c"), "ac", True),
        (("a", ANY, "c"), "acd", False),
        (("a", ONE, "c"), "a\nc", True),
        (("a", ONE, "c"), "ac", False),
        (("a.c", ANY), "abcd", False),
        (("[", ANY, "]"), "[x]", True),
        ((ANY, "b", ANY, "d", ANY), "abcde", True),
        ((ANY, "d", ANY, "b", ANY), "abcde", False),
        (("Ä", ANY), "äx", True),
    ],
    ids=repr,
)
def test_wildcards(pattern: tuple[str | Star, ...], value: Json, *, answer: bool) -> None:
    assert on_a(wild(*pattern), value) is answer


def test_cased_wildcards_compare_exactly() -> None:
    assert on_a(wild("A", ANY, cased=True), "Ab")
    assert not on_a(wild("A", ANY, cased=True), "ab")


def test_a_hostile_wildcard_takes_linear_time() -> None:
    assert not on_a(wild(*[ANY, "a"] * 40, "b"), "a" * 20_000)


POLICY: Json = {"document": '{"Action": ["s3:GetObject"]}', "n": 1}


@pytest.mark.parametrize(
    ("leaf", "answer"),
    [
        (Text(field="a", op=TextOp.CONTAINS, literal='"s3:getobject"'), True),
        (Text(field="a", op=TextOp.CONTAINS, literal='\\"s3:GetObject\\"'), True),
        (Text(field="a", op=TextOp.CONTAINS, literal='"n":1}'), True),
        (Text(field="a", op=TextOp.CONTAINS, literal='"n": 1}'), False),
        (Text(field="a", op=TextOp.CONTAINS, literal='"s3:GetObject"', cased=True), True),
        (Text(field="a", op=TextOp.CONTAINS, literal='"s3:getobject"', cased=True), False),
        (wild(ANY, '"action":["s3:', ANY, '"]', ANY), True),
        (wild("{", ANY), False),
        (equals('{"n":1}'), False),
        (Regex(field="a", pattern="GetObject"), False),
    ],
    ids=str,
)
def test_only_open_tests_read_an_object_and_they_read_both_of_its_texts(leaf: Leaf, *, answer: bool) -> None:
    assert on_a(leaf, POLICY) is answer
    assert on_a(leaf, [["x"], POLICY]) is answer


@pytest.mark.parametrize(
    ("pattern", "flags", "value", "answer"),
    [
        ("b", "", "abc", True),
        ("B", "", "abc", False),
        ("B", "i", "abc", True),
        ("^b", "", "a\nb", False),
        ("^b", "m", "a\nb", True),
        ("a$", "", "a\n", False),
        ("a.b", "", "a\nb", False),
        ("a.b", "s", "a\nb", True),
        (r"\d", "", "٥", False),
        (r"^\d+$", "", 5.0, True),
        (r"^true$", "", True, True),
        (r".", "", 5.5, False),
        (r"^$", "", "", False),
        (r"^.$", "", "é", True),
        (r"\pL", "", "é", True),
        ("[[:alpha:]]+", "", "x", True),
        ("a|b", "i", "xB", True),
        ("x", "", ["y", "ax"], True),
        ("k", "i", "\u212a", True),
    ],
    ids=repr,
)
def test_regular_expressions_are_those_of_re2(pattern: str, flags: str, value: Json, *, answer: bool) -> None:
    assert on_a(Regex(field="a", pattern=pattern, flags=flags), value) is answer


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?<!a)b", r"(a)\1", "a{1001}", "(((a{100}){100}){100})", "(", "[z-a]", "a**", "(?x)a", r"\k", "[[:nope:]]"]
)
def test_an_expression_that_re2_refuses_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(Unsupported) as refused:
        compile_program(pattern, "")
    assert refused.value.construct == f"regular expression {pattern!r}"
    assert refused.value.why.startswith("RE2 says: ")


def test_a_catastrophic_expression_takes_linear_time() -> None:
    assert not on_a(Regex(field="a", pattern="^(a+)+$"), "a" * 50_000 + "b")


@pytest.mark.parametrize(
    ("network", "value", "answer"),
    [
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24", ["AWS Internal", "192.0.2.1"], True),
        ("192.0.2.0/24", "AWS Internal", False),
        ("192.0.2.0/24", "192.0.2.1:443", False),
        ("192.0.2.0/24", 3221225985, False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "192.0.2.1", False),
        ("::/0", "::ffff:192.0.2.1", False),
        ("2001:db8::/32", "2001:0DB8:0:0::1", True),
        ("192.0.2.7/32", "192.0.2.7", True),
    ],
)
def test_cidr(network: str, value: Json, *, answer: bool) -> None:
    assert on_a(Cidr(field="a", network=network), value) is answer


@pytest.mark.parametrize(
    ("op", "number", "value", "answer"),
    [
        (OrderOp.GT, "5", 5.5, True),
        (OrderOp.GT, "5", "5.5", True),
        (OrderOp.GT, "5", 5, False),
        (OrderOp.GTE, "5", "5.0", True),
        (OrderOp.LT, "0", -1, True),
        (OrderOp.LT, "0", "-0", False),
        (OrderOp.LTE, "5", 5.0, True),
        (OrderOp.LTE, "0.1", 0.1, True),
        (OrderOp.LT, "9", "10", False),
        (OrderOp.LT, "5", True, False),
        (OrderOp.LT, "5", "x", False),
        (OrderOp.LT, "5", "05", False),
        (OrderOp.GT, "5", OddNumber("1e9"), False),
        (OrderOp.LT, "5", OddNumber("1e-9"), False),
        (OrderOp.GT, "5", [1, 9], True),
        (OrderOp.GT, "5", None, False),
    ],
    ids=repr,
)
def test_order_is_numeric_and_exact(op: OrderOp, number: str, value: Json, *, answer: bool) -> None:
    assert on_a(Order(field="a", op=op, number=number), value) is answer


@pytest.mark.parametrize("value", ["x", 0, False, " ", OddNumber("1e3"), {"b": None}, [None, "x"]], ids=repr)
def test_a_value_that_is_not_blank_exists(value: Json) -> None:
    assert on_a(Exists(field="a"), value)


@pytest.mark.parametrize("value", [None, "", [], {}, [[None], ""]], ids=repr)
def test_a_blank_value_does_not_exist(value: Json) -> None:
    assert not on_a(Exists(field="a"), value)


@pytest.mark.parametrize(
    ("op", "cased", "left", "right", "answer"),
    [
        (TextOp.EQUALS, False, "X", "x", True),
        (TextOp.EQUALS, True, "X", "x", False),
        (TextOp.EQUALS, True, "X", "X", True),
        (TextOp.EQUALS, False, 5, "5.0", True),
        (TextOp.EQUALS, True, 5, "5.0", False),
        (TextOp.EQUALS, False, 5.5, "5.5", True),
        (TextOp.EQUALS, False, 5.5, 5.5, True),
        (TextOp.EQUALS, False, True, "TRUE", True),
        (TextOp.EQUALS, False, None, None, False),
        (TextOp.EQUALS, False, "", "", False),
        (TextOp.EQUALS, False, {"k": 1}, {"k": 1}, False),
        (TextOp.EQUALS, False, OddNumber("1e3"), OddNumber("1e3"), False),
        (TextOp.EQUALS, False, ["x", "y"], ["z", "Y"], True),
        (TextOp.EQUALS, False, ["x", "y"], ["z"], False),
        (TextOp.STARTSWITH, False, "Xyz", "xy", True),
        (TextOp.STARTSWITH, False, "xy", "xyz", False),
        (TextOp.ENDSWITH, False, "xyz", "YZ", True),
        (TextOp.CONTAINS, False, "xyz", "Y", True),
        (TextOp.CONTAINS, True, "xyz", "Y", False),
        (TextOp.CONTAINS, False, "x%z", "%", True),
        (TextOp.STARTSWITH, False, 55, 5, True),
        (TextOp.STARTSWITH, False, 55.5, 55, False),
        (TextOp.STARTSWITH, False, "xyz", "", False),
    ],
    ids=repr,
)
def test_a_field_may_be_compared_with_another(op: TextOp, left: Json, right: Json, *, cased: bool, answer: bool) -> None:
    assert holds(FieldRef(field="a", other="b", op=op, cased=cased), {"a": left, "b": right}) is answer


def test_a_comparison_with_an_absent_field_is_false_and_its_negation_true() -> None:
    assert not holds(FieldRef(field="a", other="b"), {"a": "x"})


@pytest.mark.parametrize(
    ("part", "op", "number", "value", "answer"),
    [
        (TimePart.HOUR, None, 23, "2026-01-02T00:30:00+01:00", True),
        (TimePart.DAY, None, 1, "2026-01-02T00:30:00+01:00", True),
        (TimePart.HOUR, OrderOp.GTE, 22, "2026-01-02T22:00:00Z", True),
        (TimePart.HOUR, OrderOp.GT, 22, "2026-01-02T22:59:59Z", False),
        (TimePart.MINUTE, OrderOp.LT, 1, "2026-01-02T22:00:59Z", True),
        (TimePart.WEEK, None, 53, "2027-01-01T00:00:00Z", True),
        (TimePart.MONTH, OrderOp.LTE, 1, "2026-01-31T00:00:00Z", True),
        (TimePart.YEAR, None, 2026, "2026-06-01", False),
        (TimePart.YEAR, None, 2026, 2026, False),
        (TimePart.HOUR, None, 22, ["x", "2026-01-02T22:00:00Z"], True),
    ],
)
def test_parts_of_a_time(part: TimePart, op: OrderOp | None, number: int, value: Json, *, answer: bool) -> None:
    assert on_a(TimeIs(field="a", part=part, number=number, op=op), value) is answer


@pytest.mark.parametrize(
    ("pattern", "event", "answer"),
    [
        ((ANY, "evil", ANY), {"a": [{"b": "an EVIL thing"}]}, True),
        ((ANY, "evil", ANY), {"evil": "x"}, False),
        ((ANY, "4625", ANY), {"a": 46250}, True),
        ((ANY, "5.5", ANY), {"a": 5.5}, False),
        ((ANY, "true", ANY), {"a": True}, True),
        ((ANY, "null", ANY), {"a": None}, False),
        ((ANY, "a", ANY, "z", ANY), {"k": "1 a to z 2"}, True),
        ((ANY, ONE, ANY), {"k": "x"}, True),
        ((ANY, ONE, ANY), {"k": ""}, False),
        ((ANY,), {"k": "x"}, True),
        ((ANY,), {"k": [None, "", 5.5]}, False),
        ((ANY, "{", ANY), {"k": {"l": "x"}}, False),
    ],
    ids=repr,
)
def test_keywords_search_every_scalar_of_the_event_and_no_name(pattern: tuple[str | Star, ...], event: Json, *, answer: bool) -> None:
    assert holds(Keyword(pattern=pattern), event) is answer


def test_cased_keywords_compare_exactly() -> None:
    assert holds(Keyword(pattern=(ANY, "Evil", ANY), cased=True), {"a": "Evil"})
    assert not holds(Keyword(pattern=(ANY, "Evil", ANY), cased=True), {"a": "evil"})


def test_a_mapping_says_which_fields_keywords_search() -> None:
    mapping = Mapping(
        name="m",
        logsource=LogSource(product="m"),
        provider="m",
        identity=(("id",),),
        time=("t",),
        fields=(FieldSpec(name="message", paths=(("message",),)), FieldSpec(name="other", paths=(("other",),))),
        keywords=("message",),
    )
    word = Keyword(pattern=(ANY, "evil", ANY))
    assert holds(word, {"message": {"text": ["so evil"]}}, mapping)
    assert not holds(word, {"other": "so evil"}, mapping)

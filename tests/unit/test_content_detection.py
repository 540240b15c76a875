"""The detection part of a Sigma rule: every construct that has a meaning, and every other refused by name with its line."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
import yaml

from aibr_hunt.content import detection, sigma
from aibr_hunt.content.sigma import load_rule_text, pysigma_version
from aibr_hunt.errors import AibrError, ContentErrors, Unsupported
from aibr_hunt.meaning.bind import leaves
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.model.event import Json
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

ROOT = Path(__file__).resolve().parents[2]
ANY, ONE = Star.ANY, Star.ONE
PLACEHOLDERS = {"names": ("alice", "b*b"), "one": ("only",), "dash": ("-x",), "back": ("c\\",)}
IS_OLD = pysigma_version().startswith("1.")
HEAD = """\
title: Example
id: 00000000-0000-4000-8000-000000000001
logsource: {product: example}
detection:
"""


def predicate_of(written: str) -> Predicate:
    body = "".join(f"  {line}\n" for line in written.splitlines())
    return load_rule_text(HEAD + body, "rule.yml", placeholders=PLACEHOLDERS).predicate


def item(key: str, value: str = "x") -> Predicate:
    return predicate_of(f"sel:\n  {key}: {value}\ncondition: sel")


def matches(written: str, event: Json) -> bool:
    rule = load_rule_text(HEAD + "".join(f"  {line}\n" for line in written.splitlines()), "rule.yml", placeholders=PLACEHOLDERS)
    return bool(compile_rules([rule], None).match(event))


def faults(written: str) -> list[str]:
    with pytest.raises(AibrError) as refused:
        predicate_of(written)
    return [str(each) for each in refused.value.errors] if isinstance(refused.value, ContentErrors) else [str(refused.value)]


def item_fault(key: str, value: str = "x") -> str:
    [fault] = faults(f"sel:\n  {key}: {value}\ncondition: sel")
    assert fault.startswith("rule.yml:6: "), fault
    return fault


def text(literal: str, op: TextOp = TextOp.EQUALS, *, cased: bool = False) -> Text:
    return Text(field="f", op=op, literal=literal, cased=cased)


def wild(*pattern: str | Star, cased: bool = False) -> Text:
    return Text(field="f", op=TextOp.WILDCARD, pattern=pattern, cased=cased)


BLANK = Not(item=Exists(field="f"))


# --- values ------------------------------------------------------------------------------------------------------------------------

PLAIN: list[tuple[str, Predicate]] = [
    ("abc", text("abc")),
    ("5", text("5")),
    ("-5", text("-5")),
    ("'5'", text("5")),
    ("5.0", text("5")),
    ("5.50", text("5.5")),
    ("0.000001", text("0.000001")),
    ("99999999999", text("99999999999")),
    ("true", text("true")),
    ("False", text("false")),
    ("'true'", text("true")),
    ("null", BLANK),
    ("''", BLANK),
    ("[]", BLANK),
    ("{}", BLANK),
    ("[a, null]", Or(items=(text("a"), BLANK))),
    ("[a, '', 5]", Or(items=(text("a"), BLANK, text("5")))),
    ("[a]", text("a")),
    ("' '", text(" ")),
]


@pytest.mark.parametrize(("value", "meaning"), PLAIN, ids=[value for value, _ in PLAIN])
def test_a_plain_value(value: str, meaning: Predicate) -> None:
    assert item("f", value) == meaning


WILDCARDS: list[tuple[str, Predicate]] = [
    ("*", wild(ANY)),
    ("**", wild(ANY)),
    ("?", wild(ONE)),
    ("?*", wild(ONE, ANY)),
    ("*?", wild(ANY, ONE)),
    ("*?*", wild(ANY, ONE, ANY)),
    ("??", wild(ONE, ONE)),
    ("abc*", text("abc", TextOp.STARTSWITH)),
    ("*abc", text("abc", TextOp.ENDSWITH)),
    ("*abc*", text("abc", TextOp.CONTAINS)),
    ("**abc**", text("abc", TextOp.CONTAINS)),
    ("a*c", wild("a", ANY, "c")),
    ("a?c", wild("a", ONE, "c")),
    ("?abc", wild(ONE, "abc")),
    ("*a*c*", wild(ANY, "a", ANY, "c", ANY)),
    (r"a\*c", text("a*c")),
    (r"a\?c", text("a?c")),
    (r"a\\*", text("a\\", TextOp.STARTSWITH)),
    (r"a\\\*", text("a\\*")),
    (r"C:\dir\file", text("C:\\dir\\file")),
    (r"C:\\dir", text("C:\\dir")),
    (r"\\\\host", text("\\\\host")),
    ("a\\", text("a\\")),
    ("100%", text("100%")),
    ("%names%", text("%names%")),
    ("a_b", text("a_b")),
    ("it's", text("it's")),
]


@pytest.mark.parametrize(("value", "meaning"), WILDCARDS, ids=[value for value, _ in WILDCARDS])
def test_wildcards_and_their_escapes(value: str, meaning: Predicate) -> None:
    assert item("f", json.dumps(value)) == meaning


def test_a_star_alone_asks_for_a_value_and_not_for_a_star() -> None:
    star = "sel: {f: '*'}\ncondition: sel"
    values: list[Json] = ["anything", 5, {"k": None}, "", None]
    assert [matches(star, {"f": value}) for value in values] == [True, True, True, False, False]


# --- modifiers ---------------------------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


MODIFIED: list[tuple[str, str, Predicate]] = [
    ("f|contains", "abc", text("abc", TextOp.CONTAINS)),
    ("f|contains", "''", wild(ANY)),
    ("f|contains", "'a*b'", wild(ANY, "a", ANY, "b", ANY)),
    ("f|contains", "'*abc*'", text("abc", TextOp.CONTAINS)),
    ("f|startswith", "abc", text("abc", TextOp.STARTSWITH)),
    ("f|endswith", "abc", text("abc", TextOp.ENDSWITH)),
    ("f|startswith", "'*abc'", text("abc", TextOp.CONTAINS)),
    ("f|cased", "Abc", text("Abc", cased=True)),
    ("f|cased", "''", BLANK),
    ("f|utf16", "abc", text("\ufeffa\0b\0c\0")),
    ("f|cased", "'A*'", text("A", TextOp.STARTSWITH, cased=True)),
    ("f|cased", "'A?'", wild("A", ONE, cased=True)),
    ("f|contains|cased", "Abc", text("Abc", TextOp.CONTAINS, cased=True)),
    ("f|cased|contains", "Abc", text("Abc", TextOp.CONTAINS, cased=True)),
    ("f|all", "[a, b]", And(items=(text("a"), text("b")))),
    ("f|contains|all", "[a, b]", And(items=(text("a", TextOp.CONTAINS), text("b", TextOp.CONTAINS)))),
    ("f|all|contains", "[a, b]", And(items=(text("a", TextOp.CONTAINS), text("b", TextOp.CONTAINS)))),
    ("f|all", "a", text("a")),
    ("f|neq", "a", Not(item=text("a"))),
    ("f|neq", "[a, b]", Not(item=Or(items=(text("a"), text("b"))))),
    ("f|neq", "null", Not(item=BLANK)),
    ("f|neq|contains", "a", Not(item=text("a", TextOp.CONTAINS))),
    ("f|contains|neq", "a", Not(item=text("a", TextOp.CONTAINS))),
    ("f|contains|all|neq", "[a, b]", Not(item=And(items=(text("a", TextOp.CONTAINS), text("b", TextOp.CONTAINS))))),
    ("f|re", "'^a.c$'", Regex(field="f", pattern="^a.c$")),
    ("f|re", r"'a\\b\*c'", Regex(field="f", pattern=r"a\\b\*c")),
    ("f|re", "'it''s %x%'", Regex(field="f", pattern="it's %x%")),
    ("f|re|i", "abc", Regex(field="f", pattern="abc", flags="i")),
    ("f|re|ignorecase", "abc", Regex(field="f", pattern="abc", flags="i")),
    ("f|re|s|m|i", "abc", Regex(field="f", pattern="abc", flags="ims")),
    ("f|re|multiline|dotall", "abc", Regex(field="f", pattern="abc", flags="ms")),
    ("f|re|all", "[a, b]", And(items=(Regex(field="f", pattern="a"), Regex(field="f", pattern="b")))),
    ("f|re|neq", "a", Not(item=Regex(field="f", pattern="a"))),
    ("f|cidr", "192.0.2.0/24", Cidr(field="f", network="192.0.2.0/24")),
    ("f|cidr", "192.0.2.1", Cidr(field="f", network="192.0.2.1/32")),
    ("f|cidr", "'2001:DB8::/32'", Cidr(field="f", network="2001:db8::/32")),
    ("f|cidr|neq", "192.0.2.0/24", Not(item=Cidr(field="f", network="192.0.2.0/24"))),
    ("f|lt", "5", Order(field="f", op=OrderOp.LT, number="5")),
    ("f|lte", "-5.5", Order(field="f", op=OrderOp.LTE, number="-5.5")),
    ("f|gt", "0", Order(field="f", op=OrderOp.GT, number="0")),
    ("f|gte", "[1, 2]", Or(items=(Order(field="f", op=OrderOp.GTE, number="1"), Order(field="f", op=OrderOp.GTE, number="2")))),
    ("f|lt|neq", "5", Not(item=Order(field="f", op=OrderOp.LT, number="5"))),
    ("f|exists", "true", Exists(field="f")),
    ("f|exists", "false", BLANK),
    ("f|exists|neq", "true", BLANK),
    ("f|fieldref", "g.h", FieldRef(field="f", other="g.h")),
    ("f|fieldref|startswith", "g", FieldRef(field="f", other="g", op=TextOp.STARTSWITH)),
    ("f|fieldref|endswith", "g", FieldRef(field="f", other="g", op=TextOp.ENDSWITH)),
    ("f|fieldref|contains", "g", FieldRef(field="f", other="g", op=TextOp.CONTAINS)),
    ("f|fieldref|neq", "g", Not(item=FieldRef(field="f", other="g"))),
    ("f|fieldref|cased", "g", FieldRef(field="f", other="g", cased=True)),
    ("f|cased|fieldref", "g", FieldRef(field="f", other="g", cased=True)),
    ("f|minute", "5", TimeIs(field="f", part=TimePart.MINUTE, number=5)),
    ("f|hour", "5", TimeIs(field="f", part=TimePart.HOUR, number=5)),
    ("f|day", "5", TimeIs(field="f", part=TimePart.DAY, number=5)),
    ("f|week", "5", TimeIs(field="f", part=TimePart.WEEK, number=5)),
    ("f|month", "5", TimeIs(field="f", part=TimePart.MONTH, number=5)),
    ("f|year", "2026", TimeIs(field="f", part=TimePart.YEAR, number=2026)),
    ("f|hour|gte", "22", TimeIs(field="f", part=TimePart.HOUR, number=22, op=OrderOp.GTE)),
    ("f|hour|lt|neq", "6", Not(item=TimeIs(field="f", part=TimePart.HOUR, number=6, op=OrderOp.LT))),
    ("f|base64", "abc", text(b64(b"abc"))),
    ("f|base64", "é", text(b64("é".encode()))),
    ("f|base64|contains", "abc", text(b64(b"abc"), TextOp.CONTAINS)),
    ("f|wide|base64", "abc", text(b64("abc".encode("utf-16-le")))),
    ("f|utf16le|base64", "abc", text(b64("abc".encode("utf-16-le")))),
    ("f|utf16be|base64", "abc", text(b64("abc".encode("utf-16-be")))),
    ("f|base64|cased", "abc", text(b64(b"abc"), cased=True)),
    ("f|base64offset|contains", "abc", Or(items=tuple(text(part, TextOp.CONTAINS) for part in ("YWJj", "FiY", "hYm")))),
    ("f|windash", "'-x'", Or(items=tuple(text(f"{dash}x") for dash in "-/–—―"))),
    ("f|windash|contains", "' /x y-z'", Or(items=tuple(text(f" {dash}x y-z", TextOp.CONTAINS) for dash in "-/–—―"))),
    ("f|contains|windash", "' -x'", Or(items=tuple(text(f" {dash}x", TextOp.CONTAINS) for dash in "-/–—―"))),
    ("f|windash|contains|all", "['-x']", Or(items=tuple(text(f"{dash}x", TextOp.CONTAINS) for dash in "-/–—―"))),
    ("f|expand", "'%names%'", Or(items=(text("alice"), text("b*b")))),
    ("f|expand", "'%one%'", text("only")),
    ("f|expand", "'plain 5%'", text("plain 5%")),
    ("f|expand", "'%names%-%one%*'", Or(items=(text("alice-only", TextOp.STARTSWITH), text("b*b-only", TextOp.STARTSWITH)))),
    ("f|expand|contains", "'%names%'", Or(items=(text("alice", TextOp.CONTAINS), text("b*b", TextOp.CONTAINS)))),
    ("f|contains|expand", "'%names%'", Or(items=(text("alice", TextOp.CONTAINS), text("b*b", TextOp.CONTAINS)))),
    ("f|expand|all", "['%names%', c]", And(items=(Or(items=(text("alice"), text("b*b"))), text("c")))),
    ("f|expand|neq", "'%one%'", Not(item=text("only"))),
    ("f|expand|base64", "'%one%'", text(b64(b"only"))),
    ("f|base64|expand", "'%one%'", text(b64(b"only"))),
    ("f|expand|wide|base64", "'%one%'", text(b64("only".encode("utf-16-le")))),
    ("f|expand|cased", "'%one%'", text("only", cased=True)),
    ("f|expand|fieldref", "'%one%'", FieldRef(field="f", other="only")),
    ("f|expand|windash", "'%dash%'", Or(items=tuple(text(f"{dash}x") for dash in "-/–—―"))),
    ("f|expand", "'%back%*'", text("c\\", TextOp.STARTSWITH)),
    ("f|expand", r"'\%one%'", text("\\only")),
    ("f|expand", r"'\%names%'", Or(items=(text("\\alice"), text("\\b*b")))),
    ("f.g|contains", "x", Text(field="f.g", op=TextOp.CONTAINS, literal="x")),
    ("'f g-h@i'", "x", Text(field="f g-h@i", op=TextOp.EQUALS, literal="x")),
    (r"'f\.g'", "x", Text(field=r"f\.g", op=TextOp.EQUALS, literal="x")),
]


@pytest.mark.parametrize(("key", "value", "meaning"), MODIFIED, ids=[f"{key}: {value}" for key, value, _ in MODIFIED])
def test_a_modified_value(key: str, value: str, meaning: Predicate) -> None:
    assert item(key, value) == meaning


@pytest.mark.skipif(IS_OLD, reason="refused with pySigma 1")
@pytest.mark.parametrize(
    ("key", "value", "meaning"),
    [
        ("f|utf16|base64", "abc", text(b64(b"\xff\xfe" + "abc".encode("utf-16-le")))),
        ("f|base64", r"'a\*b'", text(b64(b"a*b"))),
        ("f|base64offset", "é", Or(items=(text("w6"), text("Op"), text("Dq")))),
        ("f|windash|base64", "'-x'", Or(items=tuple(text(b64(f"{dash}x".encode())) for dash in "-/–—―"))),
    ],
)
def test_encodings_that_only_pysigma_2_gets_right(key: str, value: str, meaning: Predicate) -> None:
    assert item(key, value) == meaning


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("f|utf16|base64", "abc"),
        ("f|base64", r"'a\*b'"),
        ("f|base64offset", "é"),
        ("f|windash|base64offset", "'-x'"),
        ("f|utf16|base64offset", "abc"),
    ],
)
def test_encodings_that_pysigma_1_gets_wrong_are_refused_there(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigma, "pysigma_version", lambda: "1.5.1")
    assert "base64 of such a text is not supported: this version of pySigma encodes it wrongly. Use pySigma 2." in item_fault(key, value)


REFUSED: list[tuple[str, str, str]] = [
    ("f|contans", "x", "f|contans has the unknown modifier 'contans'. Did you mean contains?"),
    ("f|startwith", "x", "unknown modifier 'startwith'. Did you mean startswith?"),
    ("f|zzz", "x", "f|zzz has the unknown modifier 'zzz'."),
    ("f|", "x", "f| has the unknown modifier ''."),
    ("f|Contains", "x", "unknown modifier 'Contains'. Did you mean contains?"),
    ("f|re|contains", "x", "re with contains is not supported: an expression says itself where it starts and ends. Use ^ and $"),
    ("f|startswith|re", "x", "re with startswith is not supported"),
    ("f|re|endswith", "x", "re with endswith is not supported"),
    ("f|re", "'(?=x)'", "regular expression '(?=x)' is not supported: RE2 says: "),
    ("f|re", "'(a)\\1'", "RE2 says: invalid escape sequence"),
    ("f|re", "'a{1001}'", "RE2 says: invalid repetition size"),
    ("f|re", "'((a{100}){100}){100}'", "RE2 says: "),
    ("f|re", "'('", "RE2 says: missing )"),
    ("f|re", "5", "f|re: an expression is a text. Quote it."),
    ("f|re", "true", "f|re: an expression is a text. Quote it."),
    ("f|re", "[a, 5.5]", "f|re: an expression is a text. Quote it."),
    ("f|expand|re", "'%one%'", "expand with re is not supported: a list has no meaning inside an expression. List the expressions."),
    ("f|re|expand", "'%one%'", "expand with re is not supported"),
    ("f|re|cidr", "x", "f|re|cidr: "),
    ("f|i", "x", "f|i: Modifier"),
    (
        "f|expand",
        "'%nothing%'",
        "the placeholder %nothing% has no values. Add mappings/values/nothing.yml. Known: %back%, %dash%, %names%, %one%.",
    ),
    ("f|cidr", "192.0.2.1/24", "f|cidr: Invalid CIDR expression: 192.0.2.1/24 has host bits set."),
    ("f|cidr", "office", "Invalid CIDR expression"),
    ("f|cidr", "5", "Quote the value if it is text"),
    ("f|cidr", "'192.0.*'", "f|cidr: "),
    ("f|lt", "'5'", "give numbers to lt, lte, gt, gte"),
    ("f|lt", "true", "give numbers to lt"),
    ("f|gt", "1.1234567", "1.1234567 has more than 15 digits before or 6 after the point."),
    ("f|gt|lt", "5", "f|gt|lt: Modifier"),
    ("f|exists", "'true'", "true or false to exists"),
    ("f|exists", "5", "true or false to exists"),
    ("f|contains", "5", "Quote the value if it is text"),
    ("f|contains", "null", "f|contains: contains needs a value. Only a field without modifiers may be null."),
    ("f|contains", "[]", "contains needs a value"),
    ("f|re", "null", "re needs a value"),
    ("f|lt", "null", "lt needs a value"),
    ("f|hour", "x", "f|hour: Modifier"),
    ("f|hour|week", "5", "hour with week is not supported: one test asks for one part of a time. Write one item for each part."),
    ("f|gte|hour", "5", "f|gte|hour: Modifier"),
    ("f|fieldref", "5", "f|fieldref: Modifier"),
    ("f|startswith|fieldref", "g", "f|startswith|fieldref: "),
    ("f|base64", "'a*'", "f|base64: "),
    ("f|base64offset", "'a?'", "f|base64offset: "),
    ("f|wide", "é", "f|wide: "),
    ("f|windash", "'-a -b -c -d'", "windash on more than 3 dashes is not supported: each of them stands for five signs."),
    ("f", "{g: x}", "f has a map as its value. Write nested members with dots: outer.inner."),
    ("f", "[[x]]", "f has a list as its value."),
    ("f", "[a, {b: c}]", "f has a map as its value."),
    ("'|re'", "x", "keyword with re is not supported: keywords are searched with contains only. Name the field that the test is about."),
    ("'|startswith'", "x", "keyword with startswith is not supported"),
    ("'|cidr'", "192.0.2.0/24", "keyword with cidr is not supported"),
    ("'|exists'", "true", "keyword with exists is not supported"),
    ("'|gt'", "5", "keyword with gt is not supported"),
    ("'|fieldref'", "x", "keyword with fieldref is not supported"),
    ("''", "null", "keyword: a keyword is blank. Give it a text to search for."),
    ("''", "''", "a keyword is blank"),
    ("'|cased'", "''", "keyword of this kind is not supported: a keyword is a text. Quote it, or name a field."),
]


@pytest.mark.parametrize(("key", "value", "what"), REFUSED, ids=[f"{key}: {value}" for key, value, _ in REFUSED])
def test_what_has_no_meaning_is_refused_by_name_with_its_line(key: str, value: str, what: str) -> None:
    assert what in item_fault(key, value)


def test_a_single_byte_is_too_short_to_be_found_in_base64() -> None:
    """One of its three offsets is empty, and the test would be true on every value."""
    with pytest.raises(ContentErrors, match="a single byte leaves no sign of its own"):
        matches("sel: {f|base64offset|contains: a}\ncondition: sel", {"f": "-"})


# --- keywords ----------------------------------------------------------------------------------------------------------------------


def word(literal: str, *, cased: bool = False) -> Keyword:
    return Keyword(pattern=(ANY, literal, ANY), cased=cased)


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("sel: evil\ncondition: sel", word("evil")),
        ("sel: 5\ncondition: sel", word("5")),
        ("sel: true\ncondition: sel", word("true")),
        ("sel: [evil, 4625]\ncondition: sel", Or(items=(word("evil"), word("4625")))),
        ("sel: ['*evil*', 'a*b', 'x*']\ncondition: sel", Or(items=(word("evil"), Keyword(pattern=(ANY, "a", ANY, "b", ANY)), word("x")))),
        ("sel: '*'\ncondition: sel", Keyword(pattern=(ANY,))),
        ("sel: {'|all': [a, b]}\ncondition: sel", And(items=(word("a"), word("b")))),
        ("sel: {'|contains|all': [a, b]}\ncondition: sel", And(items=(word("a"), word("b")))),
        ("sel: {'|cased': Evil}\ncondition: sel", word("Evil", cased=True)),
        ("sel: {'': evil}\ncondition: sel", word("evil")),
        ("sel: {'|neq': evil}\ncondition: sel", Not(item=word("evil"))),
        ("sel: {'|windash': '-x'}\ncondition: sel", Or(items=tuple(word(f"{dash}x") for dash in "-/–—―"))),
        ("sel: {'|expand': '%names%'}\ncondition: sel", Or(items=(word("alice"), word("b*b")))),
        ("sel: {f: x, '|all': [a, b]}\ncondition: sel", And(items=(text("x"), And(items=(word("a"), word("b")))))),
        ("sel: [{f: x}, evil]\ncondition: sel", Or(items=(text("x"), word("evil")))),
    ],
    ids=lambda value: value.replace("\n", "; ") if isinstance(value, str) else "",
)
def test_keywords(written: str, meaning: Predicate) -> None:
    assert predicate_of(written) == meaning


# --- selections --------------------------------------------------------------------------------------------------------------------

F, G, H = (Text(field=name, op=TextOp.EQUALS, literal="x") for name in "fgh")


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("sel: {f: x}\ncondition: sel", F),
        ("sel: {f: x, g: x}\ncondition: sel", Together(items=(("f", F), ("g", G)))),
        ("sel: [{f: x}, {g: x}]\ncondition: sel", Or(items=(F, G))),
        ("sel: [{f: x}]\ncondition: sel", Or(items=(F,))),
        ("sel: [{f: x, g: x}, [{h: x}]]\ncondition: sel", Or(items=(Together(items=(("f", F), ("g", G))), Or(items=(H,))))),
        (
            "sel: {f: x, f|contains: z}\ncondition: sel",
            Together(items=(("f", F), ("f", text("z", TextOp.CONTAINS)))),
        ),
        ("sel: {f|neq: x, g: x}\ncondition: sel", Together(items=(("f", Not(item=F)), ("g", G)))),
    ],
    ids=lambda value: value.replace("\n", "; ") if isinstance(value, str) else "",
)
def test_selections(written: str, meaning: Predicate) -> None:
    assert predicate_of(written) == meaning


NESTED: Json = {"a": [{"b": [{"c": "x", "d": "y"}], "e": "z"}, {"b": [{"c": "x"}, {"d": "y"}], "e": "w"}]}


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("sel: {a.b.c: x, a.b.d: 'y', a.e: z}\ncondition: sel", True),
        ("sel: {a.b.c: x, a.b.d: 'y', a.e: w}\ncondition: sel", False),
        ("sel: [{a.b.c: x, a.b.d: 'y'}, {a.e: nope}]\ncondition: sel", True),
        ("one: {a.b.c: x, a.b.d: 'y'}\ntwo: {a.e: w}\ncondition: one and two", True),
        ("sel: {a.e|all: [z, w]}\ncondition: sel", True),
        ("sel: {a.b.c: x, a.b.d: null, a.e: w}\ncondition: sel", True),
        ("sel: {a.b.c: x, a.b.d: null, a.e: z}\ncondition: sel", False),
        ("sel: {a.b.c: x, a.b.d|neq: 'y'}\ncondition: sel", True),
        ("sel: {a.b.d|neq: 'y'}\ncondition: sel", False),
        ("sel: {a.b.c|fieldref: a.b.d, a.e: z}\ncondition: sel", False),
    ],
    ids=lambda value: value.replace("\n", "; ") if isinstance(value, str) else str(value),
)
def test_one_selection_asks_of_one_element_nested_inside_out(written: str, *, answer: bool) -> None:
    assert matches(written, NESTED) is answer


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("sel: {}\ncondition: sel", "rule.yml:5: selection sel is empty. Give it at least one field."),
        ("sel: []\ncondition: sel", "rule.yml:5: selection sel is an empty list. Give it at least one value or map, or remove it."),
        ("sel:\n  - {f: x}\n  - {}\ncondition: sel", "rule.yml:7: selection 1 is empty."),
        ("sel:\ncondition: sel", "rule.yml:5: keyword: a keyword is blank."),
        ("sel: {f: x}", "rule.yml:4: has no condition. Add `condition: selection`, naming a selection."),
        ("sel: {f: x}\ncondition: ''", "rule.yml:6: has no condition."),
        ("sel: {f: x}\ncondition: 5", "rule.yml:6: has no condition."),
        ("sel: {f: x}\ncondition: []", "rule.yml:6: has no condition."),
        ("sel: {f: x}\ncondition: {a: b}", "rule.yml:6: has no condition."),
        ("condition: sel", "rule.yml:5: condition names 'sel', which is no selection."),
    ],
    ids=lambda value: value.replace("\n", "; ")[:40],
)
def test_a_detection_that_says_nothing_is_refused(written: str, what: str) -> None:
    assert faults(written)[0].startswith(what)


# --- conditions --------------------------------------------------------------------------------------------------------------------

SELECTIONS = "f: {f: x}\ng: {g: x}\nh: {h: x}\n_f: {_f: x}\nsel_a: {sel_a: x}\nsel_b: {sel_b: x}\n_sel: {_sel: x}\n"
SA, SB, _SEL, _F = (Text(field=name, op=TextOp.EQUALS, literal="x") for name in ("sel_a", "sel_b", "_sel", "_f"))
CONDITIONS: list[tuple[str, Predicate]] = [
    ("f", F),
    ("not f", Not(item=F)),
    ("not not f", Not(item=Not(item=F))),
    ("f and g", And(items=(F, G))),
    ("f or g", Or(items=(F, G))),
    ("f and g and h", And(items=(F, G, H))),
    ("f or g and h", Or(items=(F, And(items=(G, H))))),
    ("(f or g) and h", And(items=(Or(items=(F, G)), H))),
    ("f and not g or h", Or(items=(And(items=(F, Not(item=G))), H))),
    ("not (f or g)", Not(item=Or(items=(F, G)))),
    ("not f and g", And(items=(Not(item=F), G))),
    ("((f))", F),
    ("  f   and\tg ", And(items=(F, G))),
    ("1 of sel_*", Or(items=(SA, SB))),
    ("any of sel_*", Or(items=(SA, SB))),
    ("all of sel_*", And(items=(SA, SB))),
    ("1 of *_b", Or(items=(SB,))),
    ("1 of s*_*", Or(items=(SA, SB))),
    ("1 of f", Or(items=(F,))),
    ("1 of them", Or(items=(F, G, H, SA, SB))),
    ("all of them", And(items=(F, G, H, SA, SB))),
    ("1 of *", Or(items=(F, G, H, SA, SB))),
    ("1 of _*", Or(items=(_F, _SEL))),
    ("all of _s*", And(items=(_SEL,))),
    ("_f and f", And(items=(_F, F))),
    ("f and not 1 of sel_*", And(items=(F, Not(item=Or(items=(SA, SB)))))),
    ("1 of sel_* or all of them", Or(items=(Or(items=(SA, SB)), And(items=(F, G, H, SA, SB))))),
]


@pytest.mark.parametrize(("condition", "meaning"), CONDITIONS, ids=[condition for condition, _ in CONDITIONS])
def test_conditions(condition: str, meaning: Predicate) -> None:
    assert predicate_of(f"{SELECTIONS}condition: {json.dumps(condition)}") == meaning


def test_several_conditions_are_alternatives() -> None:
    assert predicate_of(f"{SELECTIONS}condition: [f and g, h]") == Or(items=(And(items=(F, G)), H))
    assert predicate_of(f"{SELECTIONS}condition: [h]") == H


@pytest.mark.parametrize("name", ["rules", "them", "of", "all", "sel-1", "a_b-c", "SEL", "1", "filter_main"])
def test_a_selection_may_have_any_name_of_the_grammar(name: str) -> None:
    assert predicate_of(f"'{name}': {{f: x}}\ng: {{g: x}}\ncondition: g and {name}") == And(items=(G, F))


GLUED = ["notsel", "andy", "order", "1st", "allow", "anyone", "office", "all_of", "1_of_x", "Nothing"]


@pytest.mark.parametrize("name", GLUED)
def test_a_selection_whose_name_begins_like_a_keyword_is_read_as_a_name_or_refused_by_name(name: str) -> None:
    """pySigma 1 reads `notsel` as `not sel`."""
    for condition, meaning in ((name, F), (f"g and not {name}", And(items=(G, Not(item=F)))), (f"1 of {name}", Or(items=(F,)))):
        written = f"{name}: {{f: x}}\ng: {{g: x}}\nsel: {{h: x}}\ncondition: {condition}"
        assert read_or_refused(written, f"selection name {name}") in ([meaning, None] if IS_OLD else [meaning])


@pytest.mark.parametrize("name", GLUED)
def test_with_pysigma_1_such_a_name_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigma, "pysigma_version", lambda: "1.5.1")
    [fault] = faults(f"{name}: {{f: x}}\ncondition: {name}")
    why = "this version of pySigma reads its start as a keyword."
    assert fault == f"rule.yml:6: selection name {name} is not supported: {why} Rename it, or use pySigma 2."


def read_or_refused(written: str, construct: str) -> Predicate | None:
    try:
        return predicate_of(written)
    except Unsupported as refused:
        return None if (refused.construct, refused.hint) == (construct, "Rename it, or use pySigma 2.") else And(items=())


BAD_CONDITIONS: list[tuple[str, str]] = [
    ("sel and fitler", "condition names 'fitler', which is no selection. Did you mean filter?"),
    ("sel and zzz", "condition names 'zzz', which is no selection. There are: sel, filter."),
    ("1 of nope_*", "condition asks for nope_*, and no selection has such a name."),
    ("all of _*", "condition asks for _*, and no selection has such a name."),
    ("2 of them", "condition names '2', which is no selection."),
    ("sel | count() > 5", "aggregation in a condition is not supported: it belonged to Sigma 1. Write a correlation."),
    ("sel | count(user) by ip > 5", "aggregation in a condition is not supported"),
    ("sel near filter", "near is not supported: it belonged to Sigma 1. Write a correlation."),
    ("sel AND filter", "Join selections with and, or, not, 1 of x*, all of x* (in small letters) and brackets."),
    ("sel or", "Join selections with"),
    ("sel filter", "Join selections with"),
    ("(sel", "Join selections with"),
    ("sel)", "Join selections with"),
    ("not", "Join selections with"),
    ("and", "'and' is no selection. Join selections with"),
    ("them", "'them' is no selection. Join selections with"),
    ("1 of", "Join selections with"),
]


@pytest.mark.parametrize(("condition", "what"), BAD_CONDITIONS, ids=[condition for condition, _ in BAD_CONDITIONS])
def test_a_condition_that_means_nothing_is_refused_with_its_line(condition: str, what: str) -> None:
    [fault] = faults(f"sel: {{f: x}}\nfilter: {{g: x}}\ncondition: {json.dumps(condition)}")
    assert fault.startswith("rule.yml:7: ")
    assert what in fault


@pytest.mark.parametrize("condition", ["not " * 3000 + "sel", "(sel and " * 3000 + "sel" + ")" * 3000], ids=["not", "brackets"])
def test_a_condition_that_nests_too_deeply_is_refused(condition: str) -> None:
    [fault] = faults(f"sel: {{f: x}}\ncondition: {condition}")
    assert fault.startswith("rule.yml:6: ")
    assert "nests too deeply" in fault


def test_a_long_condition_is_no_deep_one() -> None:
    predicate = predicate_of(f"sel: {{f: x}}\ncondition: {' or '.join(['sel'] * 3000)}")
    assert isinstance(predicate, Or)
    assert len(predicate.items) == 3000


def test_every_condition_of_a_list_is_checked() -> None:
    assert len(faults("sel: {f: x}\ncondition: [sel, nope, 1 of no_*]")) == 2


def test_all_faults_of_a_detection_are_shown_in_the_order_of_their_lines() -> None:
    found = faults("sel:\n  f|contans: x\n  g|re: '('\n  h: {a: b}\nother: []\nfine: {f: x}\ncondition: sel and fime")
    places = [fault.split(" ", 1)[0] for fault in found]
    assert places == ["rule.yml:6:", "rule.yml:7:", "rule.yml:8:", "rule.yml:9:", "rule.yml:11:"]


def test_timeframe_is_refused_by_name() -> None:
    [fault] = faults("sel: {f: x}\ntimeframe: 5m\ncondition: sel")
    assert fault == "rule.yml:6: timeframe is not supported: it belonged to aggregations of Sigma 1. Write a correlation."


# --- size --------------------------------------------------------------------------------------------------------------------------


def test_ten_thousand_values_are_read_and_matched_fast() -> None:
    """Within a tenth of what would be felt; measured at 0.15 s."""
    names = ", ".join(f"name{number}" for number in range(10_000))
    started = time.process_time()
    rule = load_rule_text(f"{HEAD}  sel: {{f: [{names}]}}\n  condition: sel\n", "rule.yml")
    rules = compile_rules([rule], None)
    assert rules.match({"f": "NAME9999"}) == (0,)
    assert rules.match({"f": "name10000"}) == ()
    assert time.process_time() - started < 5
    assert sum(1 for _ in leaves(rule.predicate)) == 10_000


def test_an_expansion_to_ten_million_tests_is_refused_at_once() -> None:
    long = {"a": tuple(f"a{number}" for number in range(400)), "b": tuple(f"b{number}" for number in range(25_000))}
    started = time.process_time()
    with pytest.raises(ContentErrors, match=r"it stands for 10,000,000 texts, at most 100,000 are taken\. Split the lists\."):
        load_rule_text(f"{HEAD}  sel: {{f|expand: '%a%%b%'}}\n  condition: sel\n", "rule.yml", placeholders=long)
    assert time.process_time() - started < 1


def test_tests_are_counted_over_the_whole_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "MAX_TESTS", 200)
    body = "".join(f"  s{number}: {{f|expand|contains: '%names%'}}\n" for number in range(100)) + "  condition: 1 of s*\n"
    assert sum(1 for _ in leaves(load_rule_text(HEAD + body, "rule.yml", placeholders=PLACEHOLDERS).predicate)) == 200
    with pytest.raises(ContentErrors, match=r"the rule expands to more than 200 tests\. Split the rule or its lists\."):
        load_rule_text(HEAD + "  t: {f: x}\n" + body, "rule.yml", placeholders=PLACEHOLDERS)


def test_dashes_and_offsets_multiply_within_the_count() -> None:
    assert sum(1 for _ in leaves(item("f|windash|contains", "'-a -b -c'"))) == 125
    assert sum(1 for _ in leaves(item("f|windash|contains|all", "['-a -b', '-c -d -e']"))) == 150


def test_no_built_in_selection_has_a_name_whose_start_pysigma_1_reads_as_a_keyword() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "rules").rglob("*.yml")}
    documents = [(name, each) for name, text in texts.items() for each in yaml.safe_load_all(text)]
    names = [(name, each) for name, document in documents for each in document.get("detection", {}) if each != "condition"]
    assert len(names) > 1000
    assert [pair for pair in names if detection._GLUED_KEYWORD.match(pair[1])] == []

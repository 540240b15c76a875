"""What a text encodes is what docs/meaning.md says it is, it is bounded, and nothing but the matcher ever claims to know it."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder
from aibr_hunt.meaning.bounds import Bounds, bounds_of
from aibr_hunt.meaning.derive import (
    MAX_ENCODED,
    MAX_GZIP_MEMBERS,
    MAX_UNZIPPED,
    Opening,
    decoded,
    decodings_of,
    from_base64,
    from_percent,
    gunzipped,
    text_of_bytes,
)
from aibr_hunt.meaning.explain import explain
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.sieve import sieve_of
from aibr_hunt.meaning.view import View
from aibr_hunt.model.condition import NO, YES
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.rule import LogSource
from tests.oracle.mapped_decoding import decode
from tests.oracle.mapped_world import draw_encoded
from tests.oracle.strategies import rule_text
from tests.parity.engine_world import mapping as engine_mapping

SCRIPT = FieldSpec(name="decoded.script", paths=(("hooks", "content"),), derive="base64 gunzip", is_verbatim=False)
POLICY = FieldSpec(name="decoded.policy", paths=(("policy",),), derive="url", is_verbatim=False, is_open=True, json_text=1)
MAPPING = Mapping(
    name="encoded",
    logsource=LogSource(product="example"),
    provider="example",
    identity=(("id",),),
    time=("when",),
    fields=(
        FieldSpec(name="name", paths=(("name",),)),
        FieldSpec(name="hooks.content", paths=(("hooks", "content"),)),
        FieldSpec(name="hooks.kind", paths=(("hooks", "kind"),)),
        FieldSpec(name="policy", paths=(("policy",),)),
        SCRIPT,
        POLICY,
    ),
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def matches(detection: dict[str, object], event: Json) -> bool:
    """True when the event meets the one selection, and when the explanation of the answer says the same."""
    rule = load_rule_text(rule_text({"sel": detection, "condition": "sel"}, 1), "rule.yml")
    answer = bool(compile_rules([rule], MAPPING).match(event))
    assert explain(rule.predicate, event, MAPPING).holds is answer
    return answer


# -- base64 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("aGk=", b"hi"),
        ("aGk", b"hi"),
        ("aGl0cw==", b"hits"),
        ("aGl0cw", b"hits"),
        ("  aG\tk\r\n= \n", b"hi"),
        ("a\vG\fk=", b"hi"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("+_-/", b"\xfb\xff\xbf"),
        ("aGl=", b"hi"),  # bits of the last digit that are left over
        ("", b""),
        (" \n", b""),
        ("aGk==", None),
        ("aGl0=", None),
        ("aGl0====", None),
        ("aGl0cw=", None),
        ("aG=k", None),
        ("=", None),
        ("====", None),
        ("aGl0c", None),
        ("a", None),
        ("aGk*", None),
        ("aG\u00a0k=", None),
        ("\uff41Gk=", None),
        ("<sensitiveDataRemoved>", None),
    ],
)
def test_base64_is_read_in_both_alphabets_with_or_without_filling_and_as_nothing_when_it_is_broken(text: str, raw: bytes | None) -> None:
    assert from_base64(text) == raw


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("%7B%22a%22%3A1%7D", b'{"a":1}'),
        ("%7b+%7d", b"{+}"),
        ("%C3%A9\u00e9", b"\xc3\xa9\xc3\xa9"),
        ("%2541", b"%41"),
        ("plain", b"plain"),
        ("%", None),
        ("100%", None),
        ("%4", None),
        ("%4g", None),
        ("%\uff11\uff11", None),
        ("\ud800", None),
    ],
)
def test_percent_encoding_is_undone_once_and_a_stray_sign_spoils_it(text: str, raw: bytes | None) -> None:
    assert from_percent(text) == raw


# -- bytes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"echo \xc3\xa9", "echo \u00e9"),
        (b"\xef\xbb\xbfecho", "echo"),
        ("echo".encode("utf-16-le"), "echo"),
        (b"\xff\xfe" + "\u0436x".encode("utf-16-le"), "\u0436x"),
        (b"\xff\xfe", ""),
        (b"", ""),
        (b"a\x00b", "a\x00b"),
        (b"\xff\xfea", None),
        (b"\xff\xfe\x00\xd8", None),
        (b"\xe9", None),
        (b"\xed\xa0\x80", None),
    ],
)
def test_bytes_are_utf_16_when_they_look_so_else_utf_8_else_no_text(raw: bytes, text: str | None) -> None:
    assert text_of_bytes(raw) == text


def member(raw: bytes) -> bytes:
    return gzip.compress(raw, mtime=0)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"as it is", b"as it is"),
        (member(b"one"), b"one"),
        (member(b"one") + member(b"two"), b"onetwo"),
        (member(b"one") + b"\0\0\0", b"one"),
        (member(b"one") + b"\x1f\x8bnot a member", b"one"),
        (member(b"one") + member(b"two")[:-3], b"one"),
        (member(b""), b""),
        (b"\x1f\x8b", None),
        (member(b"one")[:-1], None),
        (member(b"one")[:-8] + bytes(8), None),
        (member(bytes(MAX_UNZIPPED)), bytes(MAX_UNZIPPED)),
        (member(bytes(MAX_UNZIPPED + 1)), None),
        (member(bytes(MAX_UNZIPPED)) + member(b""), bytes(MAX_UNZIPPED)),
        (member(bytes(MAX_UNZIPPED)) + member(b"x"), None),
        (member(b"x") * (MAX_GZIP_MEMBERS + 1), b"x" * MAX_GZIP_MEMBERS),
    ],
    ids=range(15),
)
def test_gzip_is_unzipped_member_by_member_and_within_bounds(raw: bytes, found: bytes | None) -> None:
    assert gunzipped(raw) == found


def test_a_bomb_is_blank_and_costs_no_more_than_its_bound() -> None:
    bomb = member(bytes(64 * MAX_UNZIPPED))
    assert len(bomb) < MAX_UNZIPPED
    assert decoded(base64.b64encode(bomb).decode(), ("base64", "gunzip")) == ""


def test_a_text_beyond_the_bound_is_blank_and_one_at_it_is_read() -> None:
    longest = "QUFB" * (MAX_ENCODED // 4)
    assert len(decoded(longest, ("base64",))) == MAX_ENCODED // 4 * 3
    assert decoded(longest + "QUFB", ("base64",)) == ""


def test_steps_are_undone_one_after_another() -> None:
    assert decoded(b64(b64("%41")), ("base64", "base64", "url")) == "A"
    assert decoded(b64(b64("%")), ("base64", "base64", "url")) == ""
    assert decoded("%61%47%6B%3D", ("url", "base64")) == "hi"


@pytest.mark.parametrize("derive", ["base64", "url", "base64 gunzip", "base64 base64", "base64 url", "url base64 gunzip"])
def test_drawn_texts_nested_and_spoilt_read_as_the_oracle_reads_them(derive: str) -> None:
    rng = random.Random(derive)
    steps = derive.split()
    seen: Counter[str] = Counter()
    for _ in range(600):
        text = plain = "".join(rng.choices("ab \n%+=-_\u00e9\u0436\U0001f600\x00", k=rng.randint(0, 12)))
        for name in reversed([step for step in steps if step != "gunzip"]):
            text = draw_encoded(rng, text, "base64 gunzip" if name == "base64" and "gunzip" in steps else name)
        found = decoded(text, tuple(steps))
        assert found == decode(text, steps), repr(text)
        seen["blank" if not found else "whole" if found == plain else "other"] += 1
    assert seen["whole"] >= 150
    assert seen["blank"] >= 50


# -- fields -------------------------------------------------------------------------------------------------------


def test_the_member_itself_stays_the_text_as_it_stands() -> None:
    event: Json = {"hooks": {"content": b64("echo hi")}}
    assert matches({"hooks.content": b64("echo hi")}, event)
    assert matches({"decoded.script": "ECHO HI"}, event)
    assert not matches({"hooks.content|contains": "echo"}, event)
    assert not matches({"decoded.script": b64("echo hi")}, event)


@pytest.mark.parametrize(
    "value", [None, 5, True, {}, {"a": "b"}, {"<base64 gunzip>": "echo"}, "", "*", " ", [], [["*"]], "aGk=="], ids=repr
)
def test_what_is_no_text_or_does_not_decode_is_blank(value: Json) -> None:
    event: Json = {"hooks": {"content": value}}
    assert View(event).values(Binder(MAPPING).field("decoded.script")) == []
    assert matches({"decoded.script|exists": False}, event)
    assert matches({"decoded.script|neq": "x"}, event)


def test_every_text_of_a_list_is_decoded_and_the_broken_ones_left_out() -> None:
    event: Json = {"hooks": [{"content": [b64("one"), "*", [b64("two")]]}, {"content": b64("three")}]}
    assert View(event).values(Binder(MAPPING).field("decoded.script")) == ["one", "two", "three"]


def test_a_decoded_text_shares_its_element_with_the_members_around_the_text() -> None:
    hooks: Json = [{"kind": "start", "content": b64("harmless")}, {"kind": "create", "content": b64("harmful")}]
    assert matches({"hooks.kind": "create", "decoded.script": "harmful"}, {"hooks": hooks})
    assert not matches({"hooks.kind": "start", "decoded.script": "harmful"}, {"hooks": hooks})
    assert not matches({"hooks.kind|neq": "create", "decoded.script": "harmful"}, {"hooks": hooks})


def test_what_stands_in_decoded_json_is_a_field_and_shares_its_lists() -> None:
    statement = [{"Effect": "Allow", "Principal": {"AWS": "*"}}, {"Effect": "Deny", "Principal": {"AWS": "123456789012"}}]
    event: Json = {"policy": "%20" + json.dumps({"Statement": statement}).replace('"', "%22")}
    assert matches({"decoded.policy.Statement.Effect": "Allow", "decoded.policy.Statement.Principal.AWS": "*"}, event)
    assert not matches({"decoded.policy.Statement.Effect": "Deny", "decoded.policy.Statement.Principal.AWS": "\\*"}, event)
    assert matches({"decoded.policy|contains": '"Statement":', "decoded.policy.Statement.Effect": "Deny"}, event)
    assert matches({"decoded.policy.Statement.Principal|contains": "123456789012"}, event)
    assert not matches({"decoded.policy.statement.Effect": "Allow"}, event)
    for broken in (
        '{"Statement":',
        "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%7D%7",
        json.dumps(json.dumps({"Statement": {"Effect": "Allow"}})),
    ):
        assert not matches({"decoded.policy.Statement.Effect": "Allow"}, {"policy": broken})


def test_blank_json_in_a_decoded_text_is_blank() -> None:
    for text in ("null", '""', "{}", "[]", "%7B%7D"):
        assert View({"policy": text}).values(Binder(MAPPING).field("decoded.policy")) == []


def test_a_member_that_reads_like_the_step_is_not_the_step() -> None:
    step = Opening(("base64",))
    assert str(step) == "<base64>"
    assert [step == other for other in (Opening(("base64",)), Opening(("base64",), 1), "<base64>")] == [True, False, False]
    assert ["<base64>", step].index(step) == 1
    assert {"<base64>": 1}.get(step) is None
    assert (step != "<base64>", hash(step) == hash(Opening(("base64",)))) == (True, True)


def test_a_field_that_is_only_read_in_another_form_is_not_decoded() -> None:
    assert [decodings_of(replace(SCRIPT, derive=derive)) for derive in ("", "lower", "host", "url", "base64 gunzip")] == [
        (),
        (),
        (),
        ("url",),
        ("base64", "gunzip"),
    ]


# -- sieves and engines -------------------------------------------------------------------------------------------


def test_a_sieve_never_looks_for_a_decoded_text_in_bytes() -> None:
    def literals(detection: dict[str, object]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        rule = load_rule_text(rule_text({"sel": detection, "condition": "sel"}, 1), "rule.yml")
        program = sieve_of([rule], replace(MAPPING, fields=tuple(replace(spec, is_verbatim=True) for spec in MAPPING.fields)))
        return program.literals, program.unsieved

    assert literals({"decoded.script": "harmful"}) == ((), (0,))
    assert literals({"decoded.policy.Statement.Effect": "harmful"}) == ((), (0,))
    assert literals({"decoded.script|re": "harmful"}) == ((), (0,))
    assert literals({"decoded.script": "harmful", "name": "anchor"}) == (("anchor",), ())


def test_a_rule_means_another_thing_when_its_field_is_decoded_otherwise() -> None:
    rule = load_rule_text(rule_text({"sel": {"decoded.script": "x"}, "condition": "sel"}, 1), "rule.yml")
    other = replace(MAPPING, fields=tuple(replace(spec, derive="base64") if spec == SCRIPT else spec for spec in MAPPING.fields))
    assert meaning_digest(rule, MAPPING) != meaning_digest(rule, other)


ENGINES = replace(
    engine_mapping(),
    fields=(
        *engine_mapping().fields,
        replace(SCRIPT, paths=(("params", "items", "value"),)),
        replace(POLICY, paths=(("params", "open"),)),
    ),
)


def bounds(detection: dict[str, object], layout: Layout, condition: str = "sel") -> Bounds:
    rule = load_rule_text(rule_text({"sel": detection, "condition": condition}, 1), "rule.yml")
    return bounds_of(rule.predicate, Locator(ENGINES, layout))


@pytest.mark.parametrize("layout", ENGINES.layouts, ids=lambda layout: layout.label)
@pytest.mark.parametrize(
    "detection",
    [
        {"decoded.script": "x"},
        {"decoded.script|exists": True},
        {"decoded.script|re": "x"},
        {"decoded.script|gte": 5},
        {"decoded.script|fieldref": "name"},
        {"name|fieldref": "decoded.policy"},
        {"decoded.policy.Statement.Effect": "Allow"},
    ],
    ids=str,
)
def test_no_engine_is_asked_about_a_decoded_text_whether_it_is_denied_or_not(layout: Layout, detection: dict[str, object]) -> None:
    for condition in ("sel", "not sel"):
        found = bounds(detection, layout, condition)
        assert (found.must, found.may, found.low, found.high) == (NO, YES, None, None)
        assert found.obstacles in {
            ("a decoded text",),
            ("a field reference into a list",),
            ("a list in KQL",),
            ("a list in KQL", "a decoded text"),
        }


@pytest.mark.parametrize("layout", ENGINES.layouts, ids=lambda layout: layout.label)
def test_a_sieve_keeps_what_else_the_rule_asks(layout: Layout) -> None:
    alone, beside = bounds({"code": "AssumeRole"}, layout), bounds({"code": "AssumeRole", "decoded.script": "x"}, layout)
    assert beside.may == alone.may
    assert (beside.must, beside.high) == (NO, None)


def test_a_denied_test_beside_a_decoded_text_of_the_same_list_is_asked_of_one_element() -> None:
    """Alone it would be asked of all elements, which is more than the rule asks."""
    layout = next(each for each in ENGINES.layouts if each.engine is EngineKind.DUCKDB)
    found = bounds({"params.items.key|neq": "k", "decoded.script": "x"}, layout)
    apart = bounds({"params.items.key|neq": "k"}, layout)
    assert found.may != apart.may
    assert found.must == NO


def test_keywords_that_read_a_decoded_field_are_left_to_the_matcher() -> None:
    mapping = replace(ENGINES, keywords=("name", "decoded.script"))
    rule = load_rule_text(rule_text({"keywords": ["harmful"], "condition": "keywords"}, 1), "rule.yml")
    assert all(bounds_of(rule.predicate, Locator(mapping, layout)).may == YES for layout in mapping.layouts)
    assert sieve_of([rule], mapping).unsieved == (0,)
    assert compile_rules([rule], mapping).match({"params": {"items": [{"value": b64("so harmful")}]}}) == (0,)


def test_a_layout_without_the_text_refuses_what_is_decoded_from_it() -> None:
    mapping = replace(ENGINES, fields=(*ENGINES.fields, replace(SCRIPT, name="decoded.none", paths=(("nowhere",),))))
    layout = next(each for each in mapping.layouts if not each.is_full or each.name == "typed")
    rule = load_rule_text(rule_text({"sel": {"decoded.none": "x"}, "condition": "sel"}, 1), "rule.yml")
    with pytest.raises(Unsupported, match="does not carry it"):
        bounds_of(rule.predicate, Locator(mapping, layout))

"""Fields are found on a mapping, or taken as written; what cannot be asked is refused with the nearest name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder, binder_of, check_bindable, fields_of, is_open, leaves, split_path
from aibr_hunt.model.mapping import FieldPath, FieldSpec, Mapping
from aibr_hunt.model.predicate import And, Cidr, Exists, FieldRef, Keyword, Leaf, Not, Or, Regex, Star, Text, TextOp, Together
from aibr_hunt.model.rule import LogSource

MAPPING = Mapping(
    name="example",
    logsource=LogSource(product="example"),
    provider="example",
    identity=(("id",),),
    time=("when",),
    fields=(
        FieldSpec(name="eventName", paths=(("eventName",), ("event_name",))),
        FieldSpec(name="EVENTNAME.raw", paths=(("raw",),)),
        FieldSpec(name="caller.ip", paths=(("caller", "ip"),), is_masked=True),
        FieldSpec(name="request", paths=(("request",),), is_open=True, is_object=True),
        FieldSpec(name="request.policy", paths=(("request", "policy"),), is_open=True, json_text=1, is_verbatim=False),
        FieldSpec(name="bytes", paths=(("bytes",),), blanks=("-",)),
    ),
    aliases=(("src_ip", "caller.ip"), ("req", "request"), ("evnt", "eventName")),
    misspelt=("evnt",),
)
BINDER = Binder(MAPPING)
WILDCARD = TextOp.WILDCARD


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\\.b", ("a\\", "b")),
        (r"a\b", ("a\\b",)),
        ("a\\", ("a\\",)),
        (r"\.", (".",)),
        ("user-agent", ("user-agent",)),
        ("@timestamp", ("@timestamp",)),
        ("a b", ("a b",)),
        ("", ("",)),
    ],
)
def test_dots_separate_members_unless_escaped(name: str, path: FieldPath) -> None:
    assert split_path(name) == path


def test_without_a_mapping_fields_are_taken_as_written_with_their_case() -> None:
    assert Binder(None).field("userIdentity.ARN").paths == (("userIdentity", "ARN"),)
    assert Binder(None).field("a").key != Binder(None).field("A").key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("eventName", "eventName"),
        ("EVENTNAME", "eventName"),
        ("eventname.RAW", "EVENTNAME.raw"),
        ("evnt", "eventName"),
        ("src_ip", "caller.ip"),
        ("SRC_IP", "caller.ip"),
        ("request.a.b", "request.a.b"),
        ("REQUEST.a", "request.a"),
        ("req.a.b", "request.a.b"),
        ("req.policy", "request.policy"),
        (r"request.a\.b", r"request.a\.b"),
        (r"request.a\\.b", r"request.a\\.b"),
    ],
)
def test_a_field_is_found_by_exact_name_then_without_case_then_by_alias_then_below_an_open_field(written: str, key: str) -> None:
    assert BINDER.field(written).key == key


def test_members_below_an_open_field_keep_their_case() -> None:
    assert BINDER.field("request.BucketName").paths == (("request", "BucketName"),)


def test_exact_spelling_wins_over_another_field_of_the_same_letters() -> None:
    twins = replace(MAPPING, fields=(FieldSpec(name="a", paths=(("low",),)), FieldSpec(name="A", paths=(("high",),))), aliases=())
    assert [Binder(twins).field(name).paths for name in ("a", "A")] == [(("low",),), (("high",),)]


def test_all_places_of_a_field_are_kept() -> None:
    assert BINDER.field("eventName").paths == (("eventName",), ("event_name",))


def test_a_path_through_json_text_is_cut_where_the_text_is_parsed() -> None:
    assert BINDER.field("request.policy.Statement").json_cuts == (((2, 1),),)
    assert BINDER.field("request.policy").json_cuts == ()


def test_texts_that_spell_nothing_in_json_are_blank_in_a_json_text_field_only() -> None:
    assert {"null", '""', "{}", "[]"} <= set(BINDER.field("request.policy").blanks)
    assert BINDER.field("eventName").blanks == ()
    assert BINDER.field("bytes").blanks == ("-",)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("eventNam", "Did you mean eventName?"),
        ("caller.ipp", "Did you mean caller.ip?"),
        ("src_ipp", "Did you mean src_ip?"),
        ("zzz", "mappings/logsources/example.yml lists them."),
        ("eventName.inner", "Did you mean eventName?"),
    ],
)
def test_a_field_that_the_mapping_does_not_define_is_refused_with_the_nearest_name(written: str, hint: str) -> None:
    with pytest.raises(Unsupported) as refused:
        BINDER.field(written)
    assert refused.value.construct == f"field {written}"
    assert "the mapping example does not define it" in str(refused.value)
    assert refused.value.hint == hint


def test_a_known_misspelling_earns_a_warning_and_a_habit_does_not() -> None:
    both = And(items=(Exists(field="evnt"), Exists(field="EVNT"), Exists(field="src_ip")))
    assert check_bindable(both, BINDER) == ("field evnt is a known misspelling", "field EVNT is a known misspelling")


def text(field: str, op: TextOp = TextOp.EQUALS, *pattern: str | Star) -> Text:
    return Text(field=field, op=op, literal="" if pattern else "x", pattern=pattern)


@pytest.mark.parametrize(
    ("leaf", "construct"),
    [
        (Cidr(field="caller.ip", network="192.0.2.0/24"), "cidr on caller.ip"),
        (text("request"), "equals on request"),
        (text("request", TextOp.STARTSWITH), "startswith on request"),
        (text("req", TextOp.ENDSWITH), "endswith on req"),
        (text("request", WILDCARD, "a", Star.ANY), "wildcard on request"),
        (text("request", WILDCARD, Star.ANY, "a"), "wildcard on request"),
        (Regex(field="request", pattern="x"), "re on request"),
        (FieldRef(field="eventName", other="nowhere"), "field nowhere"),
    ],
    ids=str,
)
def test_a_test_that_a_field_cannot_answer_is_refused_by_name(leaf: Leaf, construct: str) -> None:
    with pytest.raises(Unsupported) as refused:
        check_bindable(Not(item=leaf), BINDER)
    assert refused.value.construct == construct
    assert refused.value.hint


@pytest.mark.parametrize(
    "leaf",
    [
        text("request", TextOp.CONTAINS),
        text("request", WILDCARD, Star.ANY, "a", Star.ONE, "b", Star.ANY),
        Exists(field="request"),
        text("request.a"),
        Regex(field="request.a", pattern="x"),
        Cidr(field="request.ip", network="192.0.2.0/24"),
        text("caller.ip", TextOp.STARTSWITH),
        Keyword(pattern=(Star.ANY, "x", Star.ANY)),
        FieldRef(field="eventName", other="src_ip"),
    ],
    ids=str,
)
def test_a_test_that_a_field_can_answer_is_taken(leaf: Leaf) -> None:
    assert check_bindable(leaf, BINDER) == ()


def test_only_tests_without_a_fixed_end_may_read_an_object() -> None:
    assert is_open(text("f", TextOp.CONTAINS))
    assert is_open(text("f", WILDCARD, Star.ANY, "a", Star.ANY))
    assert not is_open(text("f", WILDCARD, Star.ONE, "a", Star.ANY))
    assert not is_open(text("f"))


def test_leaves_come_from_left_to_right_and_fields_sorted() -> None:
    tree = And(
        items=(
            Together(items=(("c", Exists(field="c")), ("b", Not(item=FieldRef(field="b", other="a"))))),
            Or(items=(Keyword(pattern=(Star.ANY, "x", Star.ANY)), Exists(field="b"))),
        )
    )
    assert [type(leaf).__name__ for leaf in leaves(tree)] == ["Exists", "FieldRef", "Keyword", "Exists"]
    assert fields_of(tree) == ("a", "b", "c")


def test_a_mapping_has_one_binder() -> None:
    assert binder_of(MAPPING) is binder_of(MAPPING)
    assert binder_of(MAPPING).field("eventName") is binder_of(MAPPING).field("eventName")

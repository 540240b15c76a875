"""What a rule is on a table: where it is said exactly, what is assumed, and what its sieve asks (docs/meaning.md section 8)."""

from __future__ import annotations

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bounds import Bounds, bounds_of
from aibr_hunt.meaning.letters import fragment_of, is_stable, odd_letters
from aibr_hunt.meaning.narrow import is_empty, narrowed
from aibr_hunt.meaning.places import Locator, typed_path
from aibr_hunt.meaning.regex_java import for_java
from aibr_hunt.model.condition import NO, YES, AnyElement, HoldsFragment, Negated, both, either, negated
from aibr_hunt.model.layout import ColumnPath, EngineKind, Layout
from tests.built_in import LIBRARY
from tests.oracle.strategies import rule_text
from tests.parity.cases import IS_OLD_PYSIGMA
from tests.parity.engine_world import mapping


def layout(label: str) -> Layout:
    return next(each for each in mapping().layouts if each.label == label)


def bounds(detection: dict[str, object], label: str = "athena/typed") -> Bounds:
    rule = load_rule_text(rule_text({"sel": detection, "condition": "sel"}, 1), "rule.yml")
    return bounds_of(rule.predicate, Locator(mapping(), layout(label)))


def test_a_text_column_is_exact_and_the_sieve_is_the_rule_itself() -> None:
    found = bounds({"code": "AssumeRole"})
    assert found.must == found.may == found.low == found.high
    assert (found.obstacles, found.assumptions) == ((), ())


def test_a_text_that_may_hold_odd_letters_is_wider_only_where_it_is_not_negated() -> None:
    found = bounds({"name": "kelvin"})
    assert found.may == found.high
    assert found.must != found.may
    assert bounds({"name|neq": "kelvin"}).high == negated(found.low or NO)


def test_below_an_undeclared_path_the_sieve_asks_the_whole_column_and_the_rule_says_what_it_assumes() -> None:
    found = bounds({"params.other": "AssumeRole"})
    assert isinstance(found.may, HoldsFragment)
    assert found.may.fragment == "assumerole"
    assert found.high is not None
    assert found.assumptions == ("params.other holds no list and no object (no mapping says so)",)


def test_a_declared_path_needs_no_assumption() -> None:
    assert bounds({"params.model": "AssumeRole"}).assumptions == ()


def test_a_text_that_is_blank_inside_json_text_equals_nothing_in_a_reference_either() -> None:
    found = bounds({"params.policy|fieldref": "params.policy"}, "kql/typed")
    assert [text for text in ("{}", "[]", "null", '""') if f"literal={text!r}" not in repr(found.must)] == []


def test_where_json_text_may_be_delivered_parsed_the_rule_says_that_it_assumes_text() -> None:
    for label in ("athena/typed", "athena/json"):
        found = bounds({"params.policy": None}, label)
        assert found.high is not None
        assert found.assumptions == ("params.policy holds no list and no object (no mapping says so)",)
        assert found.may != found.high, "the sieve leans on no assumption"


def test_items_that_share_a_list_are_asked_of_one_element() -> None:
    found = bounds({"resources.arn|startswith": "arn", "resources.kind": "x"})
    assert isinstance(found.high, AnyElement)
    apart = bounds({"resources.arn|startswith": "arn", "name": "x"}).high
    assert not isinstance(apart, AnyElement)


def test_a_negation_stands_outside_the_elements() -> None:
    found = bounds({"tags|neq": "GetObject"})
    assert isinstance(found.high, Negated)
    assert isinstance(found.high.item, AnyElement)


def test_a_selection_that_a_missing_element_meets_is_left_to_the_matcher() -> None:
    found = bounds({"resources.arn": None, "resources.kind": None})
    assert (found.must, found.may, found.high) == (NO, YES, None)
    assert found.obstacles == ("a selection on list elements that a missing element meets",)


def test_kql_has_no_test_on_an_element_and_keeps_a_sieve() -> None:
    found = bounds({"tags": "GetObject"}, "kql/typed")
    assert found.high is None
    assert isinstance(found.may, HoldsFragment)
    assert found.obstacles == ("a list in KQL",)


@pytest.mark.parametrize(
    ("detection", "obstacle"),
    [
        ({"who|contains": "arn"}, "the text of an object"),
        ({"moment|contains": "2026"}, ""),
        ({"name": "\u03c3"}, "a letter on whose case engines differ"),
        ({"params.limit|contains": "5"}, "a text test that a JSON number may meet"),
        pytest.param(
            {"name|re": "\\p{Greek}x"},
            "a regular expression that has no proven form in Athena's syntax",
            marks=pytest.mark.skipif(IS_OLD_PYSIGMA, reason="pySigma 1 asks Python's re, which knows no such class"),
        ),
        ({"who|exists": True}, "whether an object is there"),
    ],
)
def test_what_has_no_whole_form_says_why(detection: dict[str, object], obstacle: str) -> None:
    found = bounds(detection)
    assert found.obstacles == ((obstacle,) if obstacle else ())
    assert (found.high is None) is bool(obstacle)


def test_a_field_that_the_layout_does_not_carry_is_refused_by_name() -> None:
    lacking = Layout(
        name="lacking",
        engine=EngineKind.ATHENA,
        table="t",
        columns=layout("athena/typed").columns,
        places=tuple(place for place in layout("athena/typed").places if place.member != ("agent",)),
        time=ColumnPath(column="at"),
    )
    rule = load_rule_text(rule_text({"sel": {"agent": "x"}, "condition": "sel"}, 1), "rule.yml")
    with pytest.raises(Unsupported, match="athena/lacking of engine_world does not carry it"):
        bounds_of(rule.predicate, Locator(mapping(), lacking))
    with pytest.raises(Unsupported, match="has no such value"):
        typed_path(lacking, ColumnPath(column="tags", steps=("[]",)))


def test_of_a_conjunction_the_short_sieve_asks_what_narrows_best() -> None:
    locator = Locator(mapping(), layout("athena/typed"))
    rule = load_rule_text(
        rule_text({"sel": {"code|contains": "ole", "name": "AssumeRoleWithSAML", "flag": True}, "condition": "sel"}, 1), "rule.yml"
    )
    found = bounds_of(rule.predicate, locator)
    short = narrowed(found.may, locator.weights)
    assert short == bounds({"name": "AssumeRoleWithSAML"}).may
    assert is_empty(narrowed(bounds({"name|neq": "x"}).may, {}))


def test_constants_vanish_from_conditions() -> None:
    one = bounds({"code": "x"}).may
    assert (both(), either(), both(YES, one), either(NO, one)) == (YES, NO, one, one)
    assert (both(NO, one), either(YES, one), negated(negated(one)), both(one, one)) == (NO, YES, one, one)


def test_letters_that_engines_take_for_others_are_known_for_each_engine() -> None:
    assert odd_letters("kids", EngineKind.ATHENA) == "\u212a\u0130"
    assert odd_letters("kids", EngineKind.KQL) == "\u212a\u0130\u0131\u017f"
    assert is_stable("stra-\u00e9")
    assert not is_stable("\u03c3")
    assert fragment_of('a"b\\c/long enough=x') == "long enough"


@pytest.mark.parametrize(
    ("pattern", "flags", "java"),
    [
        ("^a.b$", "", r"\Aa[^\n]b\z"),
        (r"\d+\s", "", r"[0-9]+[\t\n\f\r ]"),
        ("ak", "i", "[aA][kK\u212a]"),
        ("[a-c]", "i", "[a-cABC]"),
        (".", "s", r"(?:.|\n)"),
        ("(?i:a)b", "", "(?:[aA])b"),
        (r"a\x{e9}", "", "a\u00e9"),
        ("(?P<n>a|b)+", "", "(?:a|b)+"),
        (r"\pL", "", None),
        ("[[:alpha:]]", "", None),
        ("\u00e9", "i", None),
        (r"\Qa.b\E", "", None),
        ("a**", "", None),
        ("(?U)a+", "", None),
    ],
)
def test_patterns_are_rewritten_for_java_or_left_alone(pattern: str, flags: str, java: str | None) -> None:
    assert for_java(pattern, flags) == java


def test_a_text_where_an_object_may_stand_is_not_lost_to_the_sieve() -> None:
    """Some services write a word in place of an object that they hide."""
    assert bounds({"who.deep": "HIDDEN"}, "athena/json").may != NO
    aws = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")
    for test, value in (("", "HIDDEN_FOR_SECURITY"), ("|re", "^HIDDEN_"), ("|cidr", "192.0.2.0/24")):
        detection: dict[str, object] = {"sel": {f"requestParameters.contentPolicyConfig{test}": value}, "condition": "sel"}
        rule = load_rule_text(rule_text(detection, 1), "rule.yml")
        for each in aws.layouts:
            may = bounds_of(rule.predicate, Locator(aws, each)).may
            assert may != NO, (test, each.label)
            assert test or may != YES, each.label

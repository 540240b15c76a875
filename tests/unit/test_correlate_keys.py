"""Keys and numbers of events (docs/meaning.md section 7.1)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.event import Json, LongNumber, OddNumber
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.rule import LogSource

MAPPING = Mapping(
    name="m",
    logsource=LogSource(product="m"),
    provider="m",
    identity=(("id",),),
    time=("t",),
    fields=(
        FieldSpec(name="who", paths=(("one",), ("other", "name"))),
        FieldSpec(name="policy", paths=(("policy",),), json_text=1, is_open=True, blanks=("-",)),
        FieldSpec(name="address", paths=(("address",),), derive="host"),
    ),
    aliases=(("actor", "who"),),
)


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("Alice", ("alice",)),
        ("", ()),
        (None, ()),
        ({}, ()),
        ({"a": 1}, ()),
        ([], ()),
        (5, ("5",)),
        (5.0, ("5",)),
        ("5.0", ("5.0",)),
        (-0.0, ("0",)),
        (2.50, ("2.5",)),
        (True, ("true",)),
        (False, ("false",)),
        (0, ("0",)),
        (123456789012, ("123456789012",)),
        (OddNumber("1e3"), ()),
        (10**15, ()),
        (LongNumber("123456789012345.5"), ("123456789012345.5",)),
        (["b", "A", "a", None, ["c"], {"d": 1}], ("a", "b", "c")),
        (["1", 1, 1.0], ("1",)),
    ],
)
def test_key_is_the_text_of_a_scalar(value: Json, keys: tuple[str, ...]) -> None:
    assert KeyReader("f", None).keys({"f": value}) == keys


def test_members_of_lists_on_the_way_are_values() -> None:
    assert KeyReader("a.b", None).keys({"a": [{"b": "y"}, {"b": ["X", "y"]}, {"c": 1}]}) == ("x", "y")


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ([3, "3", 1.5, "x", True, None, "007", OddNumber("1e3"), "-0"], ("3", "3", "1.5", "0")),
        ("12", ("12",)),
        ({"a": 1}, ()),
        (LongNumber("123456789012345.123456"), ("123456789012345.123456",)),
    ],
)
def test_numbers_are_all_that_have_number_form_in_order(value: Json, numbers: tuple[str, ...]) -> None:
    assert KeyReader("f", None).numbers({"f": value}) == tuple(map(Decimal, numbers))


def test_field_is_found_as_a_rule_finds_it() -> None:
    event: Json = {"one": "A", "other": {"name": ["b"]}, "policy": '{"x": ["Y"]}', "address": "192.0.2.7:443"}
    assert KeyReader("ACTOR", MAPPING).keys(event) == ("a", "b")
    assert KeyReader("policy.x", MAPPING).keys(event) == ("y",)
    assert KeyReader("address", MAPPING).keys(event) == ("192.0.2.7",)
    assert KeyReader("policy", MAPPING).keys({"policy": "-"}) == ()


def test_field_that_the_mapping_lacks_is_refused() -> None:
    with pytest.raises(Unsupported, match="field whom"):
        KeyReader("whom", MAPPING)

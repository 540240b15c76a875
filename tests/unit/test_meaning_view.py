"""What a path reads in an event: lists opened, blanks left out, JSON texts parsed, an object's text."""

from __future__ import annotations

import json

import pytest

from aibr_hunt.meaning.bind import BoundField, split_path
from aibr_hunt.meaning.scalar import number_of
from aibr_hunt.meaning.view import MAX_JSON_TEXT_NESTING, View, compact, host_of, nesting, object_texts, opened, parsed_text, scalars
from aibr_hunt.model.event import Json, OddNumber
from aibr_hunt.model.mapping import FieldSpec


def field(*names: str, cuts: tuple[tuple[tuple[int, int], ...], ...] = (), blanks: tuple[str, ...] = (), derive: str = "") -> BoundField:
    spec = FieldSpec(name=names[0], paths=(), derive=derive)
    return BoundField(key=names[0], paths=tuple(map(split_path, names)), json_cuts=cuts, blanks=blanks, spec=spec)


@pytest.mark.parametrize(
    ("event", "path", "values"),
    [
        ({"a": 1}, "a", [1]),
        ({"a": {"b": "x"}}, "a.b", ["x"]),
        ({"a": [1, 2]}, "a", [1, 2]),
        ({"a": [[1], [[2, [3]]]]}, "a", [1, 2, 3]),
        ({"a": [{"b": 1}, {"b": [2, 3]}, {"c": 4}, 5]}, "a.b", [1, 2, 3]),
        ({"a": [[{"b": 1}], {"b": 2}]}, "a.b", [1, 2]),
        ({"a": {"b": {}}}, "a", [{"b": {}}]),
        ({"a": {}}, "a", []),
        ({"a": ["", None, {}, [], [[""]], 0, False]}, "a", [0, False]),
        ({"a": "text"}, "a.b", []),
        ({"a": None}, "a.b", []),
        ({"A": 1}, "a", []),
        ({"a.b": 1}, "a.b", []),
        ({"a.b": 1}, r"a\.b", [1]),
        ({"": 1}, "", [1]),
        ({"a": {"0": 1}}, "a.0", [1]),
        ({"a": ["x"]}, "a.0", []),
        ([{"a": 1}, {"a": 2}], "a", [1, 2]),
        ("text", "a", []),
        ({}, "a", []),
    ],
    ids=repr,
)
def test_the_values_of_a_path(event: Json, path: str, values: list[Json]) -> None:
    found = View(event).values(field(path))
    assert found == values
    assert [type(each) for each in found] == [type(each) for each in values]


def test_a_field_with_several_places_has_the_values_of_all() -> None:
    assert View({"a": 1, "b": {"c": [2, 3]}}).values(field("a", "b.c", "d")) == [1, 2, 3]


def test_blank_texts_of_a_mapping_are_no_values_whatever_is_left() -> None:
    assert View({"a": ["-", "x", 5]}).values(field("a", blanks=("-", "5"))) == ["x", 5]


def test_a_derived_field_is_read_in_small_letters() -> None:
    assert View({"a": ["ReadOnly", 5]}).values(field("a", derive="lower")) == ["readonly", 5]


POLICY = '{"Statement":[{"Action":"s3:GetObject"},{"Action":["s3:PutObject"]}]}'


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (POLICY, ["s3:GetObject", "s3:PutObject"]),
        (json.loads(POLICY), ["s3:GetObject", "s3:PutObject"]),
        ([POLICY, POLICY], ["s3:GetObject", "s3:PutObject"] * 2),
        ("  \n" + POLICY, ["s3:GetObject", "s3:PutObject"]),
        ("{not json", []),
        ("plain", []),
        ("5", []),
        (json.dumps(POLICY), []),
        ("[" * 70 + "]" * 70, []),
        (None, []),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_path_goes_on_inside_json_text(value: Json, values: list[Json]) -> None:
    assert View({"policy": value}).values(field("policy.Statement.Action", cuts=(((1, 1),),))) == values


def test_text_in_text_is_parsed_once_for_each_mark() -> None:
    twice = field("policy.Statement.Action", cuts=(((1, 2),),))
    assert View({"policy": json.dumps(POLICY)}).values(twice) == ["s3:GetObject", "s3:PutObject"]
    assert View({"policy": POLICY}).values(twice) == ["s3:GetObject", "s3:PutObject"]
    nested = field("outer.inner.a", cuts=(((1, 1), (2, 1)),))
    assert View({"outer": json.dumps({"inner": '{"a":1}'})}).values(nested) == [1]


def test_json_text_may_nest_64_levels_and_no_more() -> None:
    def nested(levels: int) -> str:
        return '{"a":' * levels + "1" + "}" * levels

    assert parsed_text(nested(MAX_JSON_TEXT_NESTING), 1) is not None
    assert parsed_text(nested(MAX_JSON_TEXT_NESTING + 1), 1) is None
    assert parsed_text("[" * 100_000, 1) is None
    assert parsed_text("[1e5," * 100_000, 1) is None


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("1e3", True),
        ("1E-3", True),
        ("1.0000000", True),
        ("1.000000", False),
        ("10", False),
        ("-1.5e0", True),
        ("1234567890123456.5", True),
    ],
)
def test_a_number_in_json_text_is_odd_by_its_spelling(text: str, *, is_odd: bool) -> None:
    [value] = View({"t": f'{{"n":{text}}}'}).values(field("t.n", cuts=(((1, 1),),)))
    assert isinstance(value, OddNumber) is is_odd


@pytest.mark.parametrize("text", ["123456789012345.123456", "999999999999999.999999", "1234567890.123456", "12345678901234.5"])
def test_a_long_number_in_json_text_keeps_all_its_digits(text: str) -> None:
    [value] = View({"t": f'{{"n":{text}}}'}).values(field("t.n", cuts=(((1, 1),),)))
    assert number_of(value) == text


@pytest.mark.parametrize("text", ['{"n":1e3,"x":"\\ud800"}', '{"n":1.5,"x":"\\ud800"}', '{"n":NaN}', '{"n":1e3,"m":NaN}'])
def test_json_text_that_no_utf_8_can_hold_is_plain_text(text: str) -> None:
    assert parsed_text(text, 1) is None


def test_scalars_are_found_at_any_depth_and_names_are_not() -> None:
    assert sorted(map(repr, scalars({"a": [1, {"b": ["x", None]}], "c": True}))) == ["'x'", "1", "None", "True"]


def test_nesting_counts_lists_and_objects() -> None:
    values: list[Json] = [1, [], {}, [[]], {"a": [1, {"b": 2}]}]
    assert [nesting(value) for value in values] == [0, 1, 1, 2, 3]


def test_opening_a_list_a_hundred_thousand_deep_needs_no_deep_stack() -> None:
    deep: Json = "x"
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(deep, list)
    assert list(opened(deep)) == ["x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"b":1,"a":[true,null]}'),
        ({"a": "x/y"}, '{"a":"x/y"}'),
        ({"a": "é\u2028"}, '{"a":"é\u2028"}'),
        ({"a": 'q"\\\n\t\x01'}, '{"a":"q\\"\\\\\\n\\t\\u0001"}'),
        ({"a": 10**30}, '{"a":' + str(10**30) + "}"),
        ({"a": OddNumber("1.5")}, '{"a":1.5}'),
    ],
)
def test_the_text_of_an_object_is_compact_and_in_source_order(value: Json, text: str) -> None:
    assert compact(value) == text


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ({"a": 1}, ['{"a":1}']),
        ({"a": "plain", "b": ["{not json", "5", '"x"']}, ['{"a":"plain","b":["{not json","5","\\"x\\""]}']),
        ({"a": '{"b":1}'}, ['{"a":"{\\"b\\":1}"}', '{"a":{"b":1}}']),
        ({"a": " [1, 2]\n"}, ['{"a":" [1, 2]\\n"}', '{"a":[1,2]}']),
        ({"a": ['{"b":"[1]"}', "x"]}, ['{"a":["{\\"b\\":\\"[1]\\"}","x"]}', '{"a":[{"b":[1]},"x"]}']),
    ],
    ids=repr,
)
def test_json_texts_in_an_object_are_opened_in_a_second_text(value: dict[str, Json], texts: list[str]) -> None:
    assert list(object_texts(value)) == texts


def test_texts_in_texts_are_opened_to_64_levels() -> None:
    text = "1"
    for _ in range(8):
        text = json.dumps({"a": text}, separators=(",", ":"))
    assert object_texts({"x": text})[1] == '{"x":' + '{"a":' * 8 + '"1"' + "}" * 9


def test_an_event_is_read_once_for_each_question() -> None:
    view, name = View({"a": ["B", 5, None]}), field("a")
    assert view.folded(name) is view.folded(name)
    assert (view.values(name), view.texts(name), view.folded(name)) == (["B", 5], ["B", "5"], ["b", "5"])


def test_an_element_knows_the_record_that_it_lies_in() -> None:
    whole = View({"a": [{"b": 1}]})
    element = View({"b": 1}, whole)
    assert element.outer is whole
    assert whole.outer is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.7:443", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("storage.example.com:443", "storage.example.com:443"),
        ("192.0.2.7:", "192.0.2.7:"),
        ("192.0.2.7:443000", "192.0.2.7:443000"),
    ],
)
def test_host_is_the_address_in_front_of_a_port_and_any_other_text_as_it_is(text: str, host: str) -> None:
    assert host_of(text) == host


def test_a_field_that_derives_its_host_is_tested_without_the_port() -> None:
    field = BoundField(
        key="caller", paths=(("caller",),), spec=FieldSpec(name="caller", paths=(("caller",),), derive="host", is_verbatim=False)
    )
    assert View({"caller": ["192.0.2.7:5678", 5]}).values(field) == ["192.0.2.7", 5]

"""One record's text becomes a value: exactly, or it is refused by name."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.errors import RecordRefused
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.event import OddNumber


@pytest.mark.parametrize("spelling", ["0", "-0", "5", "-12", "5.0", "5.000000", "0.123456", "999999999999999", "-999999999999999.999999"])
@pytest.mark.parametrize("strict", [False, True])
def test_numbers_in_the_form_are_plain(spelling: str, strict: bool) -> None:  # noqa: FBT001
    parsed = parse_record(f'{{"a": [{spelling}]}}'.encode(), strict=strict)
    numbers = parsed.value["a"]
    assert isinstance(numbers, list)
    number = numbers[0]
    assert not isinstance(number, OddNumber)
    assert number == float(spelling)
    assert parsed.odd_numbers == 0


@pytest.mark.parametrize(
    "spelling",
    [
        "1e5",
        "1E5",
        "-1.5e-3",
        "0e0",
        "1000000000000000",
        "-1234567890123456789",
        "0.1234567",
        "1.0000000",
        "12345678901234567890.5",
        "1e400",
        "9" * 5000,
    ],
)
@pytest.mark.parametrize("around", ['{"a":%s}', '{"a" :\t\n%s }', '{"a":{"b":[1, %s]}}', '{"a":[%s]}'])
def test_numbers_outside_the_form_are_odd_and_counted(spelling: str, around: str) -> None:
    parsed = parse_record((around % spelling).encode())
    assert parsed.odd_numbers == 1
    value = parsed.value["a"]
    while not isinstance(value, float):
        value = value["b"] if isinstance(value, dict) else value[-1]  # type: ignore[index]
    assert isinstance(value, OddNumber)


@given(st.recursive(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()), st.lists))
def test_every_odd_number_is_found_and_no_other(value: object) -> None:
    import re

    text = json.dumps({"a": value})
    spellings: list[str] = []

    def keep(number: str) -> int:
        spellings.append(number)
        return 0

    json.loads(text, parse_int=keep, parse_float=keep)
    odd = [number for number in spellings if not re.fullmatch(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?", number)]
    assert parse_record(text.encode()).odd_numbers == len(odd)


@pytest.mark.parametrize("spelling", ["123456789012345.123456", "-1234567890.123456", "999999999999999.9"])
def test_a_number_with_more_digits_than_a_double_keeps_its_spelling(spelling: str) -> None:
    parsed = parse_record(f'{{"a":{spelling}}}'.encode())
    again = pickle.loads(pickle.dumps(parsed.value["a"]))  # noqa: S301
    assert repr(parsed.value["a"]) == repr(again) == spelling
    assert again == float(spelling)
    assert parsed.odd_numbers == 0


def test_what_looks_like_an_odd_number_in_a_text_is_text() -> None:
    assert parse_record(b'{"a":"x:1e5,[12345678901234567890"}').value == {"a": "x:1e5,[12345678901234567890"}


def test_escapes_read_as_what_they_stand_for() -> None:
    parsed = parse_record(rb'{"\u0061\/":"\u0041\/\ud83d\ude00\n"}')
    assert parsed.value == {"a/": "A/\U0001f600\n"}
    assert parsed.notes == ()


@pytest.mark.parametrize("text", [rb'{"a":"x\ud800y"}', rb'{"a":"x\uDFFFy"}', rb'{"b":[{"c":"\ud800"}],"a":"x\udc00y"}'])
def test_a_lone_surrogate_is_replaced_and_said(text: bytes) -> None:
    parsed = parse_record(text)
    assert parsed.value["a"] == "x\ufffdy"
    assert parsed.notes == ("lone surrogates were replaced",)
    json.dumps(parsed.value, ensure_ascii=False).encode()


def test_a_lone_surrogate_in_a_name_is_replaced() -> None:
    assert parse_record(rb'{"\ud800":1}').value == {"\ufffd": 1}


def test_bytes_that_are_no_utf_8_are_replaced_and_said() -> None:
    parsed = parse_record(b'{"a\xff":"\xe2\x82"}')
    assert parsed.value == {"a\ufffd": "\ufffd"}
    assert parsed.notes == ("invalid UTF-8 was replaced",)


def test_raw_control_signs_in_a_text_are_accepted_and_said() -> None:
    parsed = parse_record(b'{"a":"x\ty\x01"}')
    assert parsed.value == {"a": "x\ty\x01"}
    assert parsed.notes == ("raw control signs in strings were accepted",)


def test_white_space_between_tokens_is_no_control_sign() -> None:
    assert parse_record(b'{\r\n\t"a" : 1e5\n}').notes == ()


def test_the_last_of_repeated_names_wins_and_strict_counts_the_others() -> None:
    text = b'{"a":1,"a":2,"b":{"c":1,"c":2,"c":3}}'
    assert parse_record(text).value == parse_record(text, strict=True).value == {"a": 2, "b": {"c": 3}}
    assert parse_record(text).repeated_keys == 0
    assert parse_record(text, strict=True).repeated_keys == 3


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinities_are_refused_by_name(name: str) -> None:
    with pytest.raises(RecordRefused) as caught:
        parse_record(f'{{"a":{name}}}'.encode())
    assert (caught.value.reason, caught.value.detail) == ("NaN or an infinity", name)


@pytest.mark.parametrize("levels", [257, 1000, 1025, 200_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_deep_nesting_is_refused_by_name(levels: int, pair: str) -> None:
    opening, closing = (pair[0], pair[1]) if pair == "[]" else ('{"a":', "}")
    inner = opening * (levels - 1) + "1" + closing * (levels - 1)
    with pytest.raises(RecordRefused, match="nested too deep"):
        parse_record(f'{{"x":{inner}}}'.encode())


@pytest.mark.parametrize("strict", [False, True])
def test_nesting_up_to_the_limit_is_read(strict: bool) -> None:  # noqa: FBT001
    text = '{"x":' + "[" * 255 + "]" * 255 + "}"
    assert parse_record(text.encode(), strict=strict).value


def test_brackets_in_texts_are_no_nesting() -> None:
    text = json.dumps({"a": "[{" * 400, "b": [{}] * 300}).encode()
    assert parse_record(text).value["a"] == "[{" * 400


@pytest.mark.parametrize("text", [b"5", b'"x"', b"null", b"[1]", b"[{}]", b"1e5"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(RecordRefused, match="record is not an object"):
        parse_record(text)


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1,}', b'{"a":01}', b"{'a':1}", b'{"a":1}x', b'{"a":.5}', b'{"a":\\u0031}'])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(RecordRefused) as caught:
        parse_record(text)
    assert caught.value.reason == "not JSON"
    assert caught.value.detail


def test_a_refusal_crosses_a_process_border() -> None:
    again = pickle.loads(pickle.dumps(RecordRefused("not JSON", "at sign 3")))  # noqa: S301
    assert (again.reason, again.detail, str(again)) == ("not JSON", "at sign 3", "not JSON: at sign 3")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**14), 10**14), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_reading_gives_back_what_was_written(value: dict[str, object], strict: bool) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=strict, indent=None if strict else 1).encode("utf-8", "replace")
    assert parse_record(text, strict=strict).value == json.loads(text)

"""Single values: what is blank, which text, number, address and time a value is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.meaning.scalar import NUMBER_FORM, address_of, canonical_number, is_blank, number_of, text_of, time_of, time_part
from aibr_hunt.model.event import Json, LongNumber, OddNumber
from aibr_hunt.model.predicate import TimePart

BLANK: list[Json] = [None, "", [], {}, [None], [[], {}, ""], [[[None]]]]
NOT_BLANK: list[Json] = [0, False, " ", "null", [0], [None, "x"], {"a": None}, [{"a": ""}], 0.0, OddNumber("1e9")]


@pytest.mark.parametrize("value", BLANK, ids=repr)
def test_blank(value: Json) -> None:
    assert is_blank(value)


@pytest.mark.parametrize("value", NOT_BLANK, ids=repr)
def test_not_blank(value: Json) -> None:
    assert not is_blank(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (5.0, "5"),
        (-0.0, "0"),
        (5.5, None),
        (999_999_999_999_999, "999999999999999"),
        (10**15, None),
        (1e15, None),
        (1e300, None),
        (OddNumber("1e3"), None),
        (OddNumber("5.0000000"), None),
        (None, None),
        ([], None),
        ({}, None),
        ({"a": 1}, None),
    ],
    ids=repr,
)
def test_the_text_of_a_value(value: Json, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, "5"),
        ("5", "5"),
        (5.0, "5"),
        ("5.0", "5"),
        ("5.000000", "5"),
        ("-0", "0"),
        (-0.0, "0"),
        (-0, "0"),
        ("0.10", "0.1"),
        (0.1, "0.1"),
        (0.000001, "0.000001"),
        ("-5.50", "-5.5"),
        (10, "10"),
        ("100", "100"),
        (LongNumber("123456789012345.123456"), "123456789012345.123456"),
        (LongNumber("123456789012345.500000"), "123456789012345.5"),
        (True, None),
        ("true", None),
        (OddNumber("5e0"), None),
        (0.0000001, None),
        ([5], None),
        (None, None),
    ],
    ids=repr,
)
def test_the_number_of_a_value(value: Json, number: str | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+5",
        "05",
        "00",
        "-05",
        "5.",
        ".5",
        "1e3",
        "1E3",
        " 5",
        "5 ",
        "5\n",
        "1.1234567",
        "1000000000000000",
        "0x5",
        "1_0",
        "٥",
        "５",
        "5,0",
    ],
)
def test_a_text_outside_the_number_form_is_no_number(text: str) -> None:
    assert canonical_number(text) is None


@given(st.from_regex(NUMBER_FORM, fullmatch=True), st.from_regex(NUMBER_FORM, fullmatch=True))
def test_two_spellings_are_one_number_exactly_when_their_decimals_are_equal(left: str, right: str) -> None:
    assert (canonical_number(left) == canonical_number(right)) == (Decimal(left) == Decimal(right))


@given(st.from_regex(NUMBER_FORM, fullmatch=True))
def test_the_canonical_spelling_is_a_number_of_the_same_value(text: str) -> None:
    canonical = canonical_number(text)
    assert canonical is not None
    assert Decimal(canonical) == Decimal(text)
    assert canonical_number(canonical) == canonical


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_an_integer_and_its_digits_are_one_number(number: int) -> None:
    assert number_of(number) == number_of(str(number)) == number_of(float(number))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("1.0.0.0", "1.0.0.0"),
        ("255.255.255.255", "255.255.255.255"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::", "::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:0201", "192.0.2.1"),
        ("::192.0.2.1", "::c000:201"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ],
)
def test_a_bare_address_is_read(text: str, address: str) -> None:
    assert str(address_of(text)) == address


@pytest.mark.parametrize(
    "value",
    [
        *(
            "192.0.2.01",
            "192.0.2.256",
            "192.0.2",
            "192.0.2.1:443",
            "192.0.2.1/32",
            " 192.0.2.1",
            "192.0.2.1\n",
            "192.0.2.***",
            "AWS Internal",
            "",
        ),
        *("[2001:db8::1]", "2001:db8::1/64", "fe80::1%eth0", "2001:db8::g", "::ffff:192.0.2.256", "２００１:db8::1", "1::2::3", ":"),
        *(3221225985, True, None, ["192.0.2.1"]),
    ],
    ids=repr,
)
def test_everything_else_is_no_address(value: Json) -> None:
    assert address_of(value) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2026-01-01T23:30:00-01:00", datetime(2026, 1, 2, 0, 30, tzinfo=UTC)),
        ("2026-01-01T00:30:00+01:00", datetime(2025, 12, 31, 23, 30, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_rfc_3339_time_is_read_in_utc(text: str, moment: datetime) -> None:
    assert time_of(text) == moment


@pytest.mark.parametrize(
    "value",
    [
        *(
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04:05",
            "2026-01-02",
            "2026-13-02T03:04:05Z",
            "2026-02-30T00:00:00Z",
            "2026-01-02T24:00:00Z",
        ),
        *("2026-01-02T03:04Z", "20260102T030405Z", "2026-01-02T03:04:05+0100", "2026-01-02T03:04:05+25:00", "0001-01-01T00:00:00+01:00"),
        *("2026-01-02T03:04:05Z ", "٢026-01-02T03:04:05Z", 1767323045, None, True),
    ],
    ids=repr,
)
def test_everything_else_is_no_time(value: Json) -> None:
    assert time_of(value) is None


@pytest.mark.parametrize(
    ("part", "number"),
    [(TimePart.MINUTE, 59), (TimePart.HOUR, 23), (TimePart.DAY, 1), (TimePart.WEEK, 53), (TimePart.MONTH, 1), (TimePart.YEAR, 2027)],
)
def test_the_parts_of_a_time(part: TimePart, number: int) -> None:
    """The first of January 2027 lies in the last ISO week of 2026."""
    assert time_part(datetime(2027, 1, 1, 23, 59, 5, tzinfo=UTC), part) == number

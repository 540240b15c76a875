"""What makes two deliveries the same event, and what is kept of one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.detect import recognise
from aibr_hunt.intake.identity import Origin, canonical_of, event_of, first_text, identity_of, time_of
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.event import Json, LongNumber, OddNumber
from aibr_hunt.model.mapping import FieldSpec, Mapping, Signature
from aibr_hunt.model.rule import LogSource

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TRAIL = Mapping(
    name="aws_cloudtrail",
    logsource=LogSource(product="aws", service="cloudtrail"),
    provider="aws",
    identity=(("recipientAccountId",), ("eventID",)),
    time=("eventTime",),
    fields=(
        FieldSpec(name="eventName", paths=(("eventName",),)),
        FieldSpec(name="resources.ARN", paths=(("resources", "ARN"),)),
    ),
    signatures=(Signature(has=("eventVersion", "userIdentity.type"), prefixes=(("eventVersion", "1."),)),),
    principal=(("userIdentity", "arn"), ("userIdentity", "invokedBy")),
    resource=(("resources", "ARN"),),
    action=(("eventName",),),
    account=(("recipientAccountId",),),
    lookback_days=30,
)
EVENT: dict[str, Json] = {
    "eventVersion": "1.09",
    "userIdentity": {"type": "AWSService", "arn": "", "invokedBy": "s3.amazonaws.com"},
    "eventTime": "2026-02-27T01:02:03Z",
    "eventName": "GetObject",
    "recipientAccountId": "123456789012",
    "eventID": "id|1",
    "resources": [{"ARN": None}, {"ARN": "arn:aws:s3:::b"}],
}


def batch_of(text: bytes) -> Batch:
    start = np.array([2], np.int64)
    length = np.array([len(text)], np.int64)
    return Batch(b"[ " + text + b"]", start, start + length, start + 100, length, first_ordinal=7, must_parse=None)


def test_identity_joins_provider_and_parts() -> None:
    identity = identity_of(EVENT, TRAIL, b"")
    assert (identity.key, identity.is_weak) == ("aws|123456789012|id\\|1", False)


@pytest.mark.parametrize("blank", [None, "", [], {}])
def test_a_missing_part_makes_the_identity_weak(blank: Json) -> None:
    event = {**EVENT, "eventID": blank}
    identity = identity_of(event, TRAIL, b"")
    mapped = {"eventName": ["GetObject"], "resources.ARN": ["arn:aws:s3:::b"]}
    assert identity.is_weak
    assert identity.key == "sha256:" + hashlib.sha256(rfc8785.dumps(mapped)).hexdigest()
    assert identity_of({**event, "awsRegion": "elsewhere"}, TRAIL, b"").key == identity.key


def test_without_a_mapping_the_canonical_form_identifies() -> None:
    assert identity_of({"a": 1}, None, b'{"a":1}').key == "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()


def test_nothing_mapped_at_all_leaves_the_canonical_form() -> None:
    assert identity_of({"a": 1}, TRAIL, b"x").key == "sha256:" + hashlib.sha256(b"x").hexdigest()


def test_an_event_keeps_what_was_delivered_and_where() -> None:
    raw = json.dumps(EVENT, indent=1).encode()
    event = event_of(batch_of(raw), 0, EVENT, origin=Origin(path="p.json", source="s", mapping=TRAIL, now=NOW))
    assert event.raw == raw
    assert event.raw_digest == hashlib.sha256(raw).hexdigest()
    assert event.canonical == rfc8785.dumps(EVENT)
    assert event.canonical_digest == hashlib.sha256(event.canonical).hexdigest()
    assert (event.place.offset, event.place.length, event.place.ordinal) == (102, len(raw), 7)
    assert (event.time, event.time_text) == (datetime(2026, 2, 27, 1, 2, 3, tzinfo=UTC), "2026-02-27T01:02:03Z")
    assert (event.principal, event.resource, event.action, event.account) == (
        "s3.amazonaws.com",
        "arn:aws:s3:::b",
        "GetObject",
        "123456789012",
    )
    assert (event.address, event.region) == ("", "")


@pytest.mark.parametrize(
    ("text", "is_timed"),
    [
        ("2026-03-01T23:59:59Z", True),
        ("2026-03-02T00:00:00Z", True),
        ("2026-03-02T00:00:01Z", False),
        ("2026-01-30T00:00:00Z", True),
        ("2026-01-29T23:59:59Z", False),
        ("yesterday", False),
        (None, False),
    ],
)
def test_an_event_out_of_bounds_is_untimed(text: str | None, is_timed: bool) -> None:  # noqa: FBT001
    assert (time_of({"eventTime": text}, TRAIL, NOW)[0] is not None) is is_timed


def test_without_a_mapping_common_names_tell_the_time_and_nothing_is_too_old() -> None:
    assert time_of({"@timestamp": "1999-01-01T00:00:00Z"}, None, NOW)[0] == datetime(1999, 1, 1, tzinfo=UTC)
    assert time_of({"timestamp": "2026-03-09T00:00:00Z"}, None, NOW)[0] is None


def test_the_first_text_skips_blanks_and_objects() -> None:
    value: Json = {"a": [None, "", {}, [[]], {"b": 1}], "c": [[True]], "d": 5, "e": ["x", "y"]}
    assert first_text(value, (("a",), ("c",))) == "true"
    assert first_text(value, (("none",), ("d",))) == "5"
    assert first_text(value, (("e",),)) == "x"
    assert first_text(value, (("a", "b"),)) == "1"
    assert first_text(value, (("a", "c"), ())) == ""


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda number: abs(number) < 2**53),
    st.text(),
    st.sampled_from([0.0, -0.0, 1e-7, 123456.789, "\x7f", "\ue000", "\U0001f600", "\u2028", "\x00\x1f\b", ":1.5", ",1e3"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=20)


@given(VALUES)
def test_the_canonical_form_is_that_of_rfc_8785(value: Json) -> None:
    assert canonical_of(value, b"raw") == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "number", [2**53, -(2**53), 10**30, OddNumber("1234567890123456789"), OddNumber("inf"), 1e300, LongNumber("123456789012.123456")]
)
def test_a_number_that_no_double_tells_apart_leaves_the_raw_form(number: Json) -> None:
    assert canonical_of({"a": [1, {"b": number}]}, b"raw") == b"raw"


def test_an_odd_number_that_a_double_holds_is_canonical() -> None:
    assert canonical_of(parse_record(b'{"b":1e2,"a":0.12345678}').value, b"raw") == b'{"a":0.12345678,"b":100}'


def test_a_record_is_recognised_by_its_members() -> None:
    lake = Mapping(
        name="other",
        logsource=LogSource(product="x"),
        provider="x",
        identity=(),
        time=("t",),
        fields=(),
        signatures=(Signature(has=("eventVersion",), lacks=("nothing",)), Signature(equals=(("type", "X"),))),
    )
    assert recognise(EVENT, (lake, TRAIL)) is TRAIL
    assert recognise({"eventVersion": "2.0", "userIdentity": {"type": "x"}}, (TRAIL, lake)) is lake
    assert recognise({"type": "X"}, (TRAIL, lake)) is lake
    assert recognise({"eventVersion": None, "nothing": None}, (lake, TRAIL)) is None
    assert recognise({"eventVersion": 1, "userIdentity": "text"}, (TRAIL,)) is None
    assert recognise([EVENT], (TRAIL, lake)) is None


def test_another_spelling_of_identity_and_time_counts_where_the_first_is_blank() -> None:
    mapping = replace(TRAIL, identity_also=((("account",), ("id",)),), time_also=(("When",),))
    value: Json = {"account": "123456789012", "id": "e-1", "When": "2026-02-27T00:00:00Z"}
    identity = identity_of(value, mapping, b"{}")
    assert (identity.key, identity.is_weak) == (f"{mapping.provider}|123456789012|e-1", False)
    assert time_of(value, mapping, NOW) == (datetime(2026, 2, 27, tzinfo=UTC), "2026-02-27T00:00:00Z")

"""Events of cases get a time and an id; what else they say stays."""

from __future__ import annotations

import pytest

from aibr_hunt.content.timed_events import TimedEvent
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.testing.placing import START_US, dated, digest_of, moment_text
from tests.built_in import LIBRARY

MAPPINGS = {mapping.name: mapping for mapping in LIBRARY.mappings}


def made(source: str, event: Json) -> Json:
    return dated(TimedEvent(name="n", at_us=0, event=event), MAPPINGS[source], START_US)


@pytest.mark.parametrize(
    ("source", "event", "expected"),
    [
        ("aws_cloudtrail", {}, {"eventTime": "2026-03-02T12:00:00Z", "eventID": "n"}),
        ("aws_cloudtrail", {"eventID": "own", "eventTime": "old"}, {"eventTime": "2026-03-02T12:00:00Z", "eventID": "n"}),
        ("gcp_audit", {"logName": "l"}, {"logName": "l", "timestamp": "2026-03-02T12:00:00Z", "insertId": "n"}),
        ("azure_activitylogs", {}, {"time": "2026-03-02T12:00:00Z", "eventDataId": "n"}),
        ("azure_acr", {"operationName": "Push"}, {"operationName": "Push", "time": "2026-03-02T12:00:00Z", "correlationId": "n"}),
        ("azure_acr", {"correlationId": "own"}, {"correlationId": "own", "time": "2026-03-02T12:00:00Z"}),
        ("aws_guardduty", {"type": "t"}, {"type": "t", "updatedAt": "2026-03-02T12:00:00Z", "id": "n"}),
        (
            "azure_aml_run_status",
            {"properties": {"RunId": "r", "Status": "Failed"}},
            {"properties": {"RunId": "r", "Status": "Failed"}, "time": "2026-03-02T12:00:00Z"},
        ),
    ],
    ids=[
        "of none",
        "the record's own",
        "insertId",
        "eventDataId",
        "not the call",
        "of several records",
        "not the time",
        "not what happened",
    ],
)
def test_time_and_id_are_set(source: str, event: Json, expected: Json) -> None:
    assert made(source, event) == expected


def test_the_author_s_event_stays_as_it_is() -> None:
    event: dict[str, Json] = {"properties": {"id": None}}
    assert made("azure_auditlogs", event) != event
    assert event == {"properties": {"id": None}}


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=list(MAPPINGS))
def test_nothing_but_time_and_the_record_s_own_id_is_replaced_in_any_log_source(mapping: Mapping) -> None:
    event: dict[str, Json] = {}
    for path in mapping.identity:
        at = event
        for member in path[:-1]:
            inner = at.setdefault(member, {})
            assert isinstance(inner, dict)
            at = inner
        at[path[-1]] = "own"
    found = dated(TimedEvent(name="n", at_us=0, event=event), mapping, START_US)
    own = {"aws_cloudtrail": "eventID", "aws_bedrock_invocation": "requestId", "aws_guardduty": "id", "azure_activitylogs": "eventDataId"}
    own |= {"gcp_audit": "insertId", "gcp_vpcflow": "insertId"}
    assert isinstance(found, dict)
    assert [member for member, value in found.items() if value == "n"] == ([own[mapping.name]] if mapping.name in own else [])
    assert str(found).count("'n'") == (mapping.name in own)


def test_without_a_mapping_an_event_is_as_written() -> None:
    assert dated(TimedEvent(name="n", at_us=0, event={"a": 1}), None, START_US) == {"a": 1}


def test_an_event_is_the_same_only_where_name_time_and_content_are() -> None:
    timed = TimedEvent(name="n", at_us=0, event={"a": 1})
    same = digest_of(timed, {"a": 1}, START_US)
    assert same == digest_of(TimedEvent(name="n", at_us=5, event={}), {"a": 1}, START_US)
    others = {digest_of(timed, {"a": 2}, START_US), digest_of(timed, {"a": 1}, START_US + 1)}
    others.add(digest_of(TimedEvent(name="m", at_us=0, event={}), {"a": 1}, START_US))
    assert len(others | {same}) == 4


def test_times_are_told_from_the_start_of_the_case() -> None:
    assert [moment_text(START_US + each) for each in (0, 90_000_000, -500_000)] == ["0s", "90s", "-0.5s"]

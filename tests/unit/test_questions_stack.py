"""Stacks count what the matcher sees: the same numbers whether the engine counts, the record is read, or all is done by hand."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from aibr_hunt.engines.lake import ask_rows
from aibr_hunt.engines.lake.ask_condition import read_where
from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.ask_rows import Plan
from aibr_hunt.engines.lake.questions import Questions, StackAsked
from aibr_hunt.errors import ContentErrors, UsageError
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.bind import Binder
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.scalar import text_of
from aibr_hunt.meaning.view import View, compact
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import Event, cloudtrail, write_bytes
from tests.unit.lake_questions import HOSTILE, MAPPINGS, asking, lake_of, person, plain_trail, standard

TRAIL = MAPPINGS["aws_cloudtrail"]
# Fields of every kind: hot and not, declared lists, free-form, JSON in text, an object, one with several paths.
FIELDS = (
    *("eventName", "errorCode", "sourceIPAddress", "readOnly", "userIdentity.arn", "userIdentity.accessKeyId", "userIdentity"),
    *("resources.ARN", "requestParameters.modelId", "requestParameters.tags.key", "requestParameters", "userAgent", "eventname"),
    "userIdentity.sessionContext.sessionIssuer.arn",
)
CONDITIONS = (
    "{eventName: ListModels, errorCode: null}",
    "eventName|startswith: Del",
    "{eventName|contains: ['odel', 'Zzz']}",
    "{sourceIPAddress|cidr: 192.0.2.0/30}",
    "{errorCode: '*'}",
    "{errorCode|exists: false}",
    "{userIdentity.arn|endswith: ['p1', 'p2'], errorCode|neq: AccessDenied}",
    "{requestParameters.modelId|re: '^a[0-9]+$'}",
    "{requestParameters.maxTokens|gte: 3}",
    "{requestParameters.tags.key: a, requestParameters.tags.value: b}",
    "{resources.ARN|contains: bucket}",
    "{requestParameters|contains: '\"a1\"'}",
    "{readOnly: true}",
    "{readOnly: 'false'}",
    "{userAgent|contains: 'É'}",
    "{userAgent|cased|contains: 'Agent'}",
    "[{eventName: DeleteGuardrail}, {errorCode: AccessDenied}]",
    "{a: {eventName: DeleteGuardrail}, b: {errorCode: '*'}, condition: a and not b}",
    "['agent']",
    "{requestParameters.modelId: 'null'}",
    "{eventName|fieldref: requestParameters.modelId}",
)


def drawn(random_: random.Random, number: int) -> Event:
    """Return a record whose values are of every shape that a field may have."""

    def scalar() -> Any:
        return random_.choice(["a1", "A1", "b", "", None, 1, 1.0, 2.5, True, False, "1", "é", "[x", "{", "-0", [], {}, "null"])

    def some() -> Any:
        return random_.choice([scalar(), [scalar(), scalar()], [[scalar()], scalar()], {"k": scalar()}])

    tags = [{"key": random_.choice("ab"), "value": random_.choice("ab")} for _ in range(random_.randrange(3))]
    parameters = random_.choice([None, {}, "text", {"modelId": some(), "maxTokens": random_.randrange(6), "tags": tags}])
    issuer = random_.choice([None, {"arn": some()}, [{"arn": "x"}, {"arn": "y"}]])
    identity = {"arn": f"arn:aws:iam::123456789012:user/p{number % 4}", "accessKeyId": some(), "sessionContext": {"sessionIssuer": issuer}}
    return cloudtrail(
        number,
        random_.choice(["ListModels", "DeleteGuardrail", "InvokeModel", "a1"]),
        errorCode=random_.choice([None, "", "AccessDenied", ["AccessDenied", "Throttled"], []]),
        readOnly=random_.choice([None, True, False, "true"]),
        userAgent=random_.choice(["agent/1 é", "Agent É", HOSTILE, "K\u212a", None, 7]),
        userIdentity=random_.choice([identity, identity, [identity, {"arn": "second"}], "nobody"]),
        requestParameters=parameters,
        resources=random_.choice([None, [{"ARN": "arn:aws:s3:::bucket"}, {"ARN": "arn:aws:s3:::other"}], {"ARN": some()}]),
    )


@pytest.fixture(scope="module")
def records() -> list[Event]:
    return [drawn(random.Random(number), number) for number in range(400)]


@pytest.fixture(scope="module")
def mixed(records: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return asking(tmp_path_factory.mktemp("mixed"), {"mixed.json.gz": records})


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return standard(tmp_path_factory.mktemp("standard"))


def by_hand(records: list[Event], fields: tuple[str, ...], where: str = "") -> Counter[tuple[str | None, ...]]:
    """Count with the matcher alone."""
    binder = Binder(TRAIL)
    test = compile_predicate(read_where(where, LIBRARY.placeholders), binder) if where else lambda _: True
    found: Counter[tuple[str | None, ...]] = Counter()
    for record in records:
        view = View(record)
        if test(view):
            values: list[set[str | None]] = [{shown(value) for value in view.values(binder.field(name))} or {None} for name in fields]
            found.update(set(product(*values)))
    return found


def shown(value: Any) -> str:
    text = None if isinstance(value, dict) else text_of(value)
    return text if text is not None else compact(value) if isinstance(value, dict) else repr(value)


def counts(asked: Questions, fields: tuple[str, ...], where: str = "") -> Counter[tuple[str | None, ...]]:
    answer = asked.stack(StackAsked(fields=fields, where=where))
    at = answer.columns.index("count")
    rows: list[Any] = answer.rows()
    return Counter({tuple(row[:at]): row[at] for row in rows})


@pytest.mark.parametrize("field", FIELDS)
def test_a_stack_counts_what_the_matcher_sees(mixed: Questions, records: list[Event], field: str) -> None:
    assert counts(mixed, (field,)) == by_hand(records, (field,))


@pytest.mark.parametrize("seed", range(8))
def test_a_stack_of_several_fields_counts_their_combinations(mixed: Questions, records: list[Event], seed: int) -> None:
    fields = tuple(random.Random(seed).sample(FIELDS[:-2], 3))
    assert counts(mixed, fields) == by_hand(records, fields)


@pytest.mark.parametrize("where", CONDITIONS)
def test_a_condition_means_what_it_means_in_a_rule(mixed: Questions, records: list[Event], where: str) -> None:
    expected = by_hand(records, ("eventName",), where)
    assert counts(mixed, ("eventName",), where) == expected
    negated = yaml.safe_dump({"s": yaml.safe_load(where), "condition": "not s"}) if ", condition" not in where else ""
    if negated:
        rest = counts(mixed, ("eventName",), negated)
        assert expected + rest == by_hand(records, ("eventName",))


def test_the_conditions_above_tell_records_apart(records: list[Event]) -> None:
    """Without this the test above could agree on nothing."""
    sizes = [by_hand(records, ("eventName",), where).total() for where in CONDITIONS]
    assert sum(0 < size < len(records) for size in sizes) >= len(CONDITIONS) - 3


def test_letters_that_a_record_spells_as_escapes_are_found(tmp_path: Path) -> None:
    line = '{"eventVersion":"1.11","eventSource":"bedrock.amazonaws.com","eventID":"1","recipientAccountId":"123456789012",'
    line += '"awsRegion":"us-east-1","eventTime":"2026-01-01T00:00:00Z",'
    line += '"eventName":"\\u0044eleteGuardrail","eventName":"Delete\\u0047uardrail"}'
    write_bytes(tmp_path / "logs" / "e.json", line.encode() + b"\n")
    asked = questions_on(lake_of(tmp_path / "lake", tmp_path / "logs"), {})
    assert parse_record(line.encode()).value["eventName"] == "DeleteGuardrail"
    assert counts(asked, ("eventName",), "{eventName|contains: teGuard}") == {("DeleteGuardrail",): 1}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read record by record: the conditions under which."""
    found: list[str] = []
    original = ask_rows.Filling._read

    def noted(self: ask_rows.Filling, plan: Plan, conditions: Any) -> None:
        found.append(f"{plan.view}: {conditions}")
        original(self, plan, conditions)

    monkeypatch.setattr(ask_rows.Filling, "_read", noted)
    return found


def test_columns_that_every_view_has_are_counted_by_the_engine_alone(ask: Questions, read: list[str]) -> None:
    assert counts(ask, ("action", "source"))[("ListModels", "aws_cloudtrail")] == 178
    assert read == []


def test_rows_are_ordered_from_the_rarest_and_carry_share_people_and_times(ask: Questions) -> None:
    answer = ask.stack(StackAsked(fields=("eventName",), sources=("aws_cloudtrail",)))
    assert answer.columns == ("eventName", "count", "share", "principals", "first_seen", "last_seen", "over_time")
    rows = answer.rows()
    assert [row[:4] for row in rows[-2:]] == [("DeleteGuardrail", 22, round(22 / 202, 6), 7), ("ListModels", 178, round(178 / 202, 6), 7)]
    assert {row[0] for row in rows[:2]} == {"Forged", HOSTILE}
    assert rows[-1][4:6] == (datetime(2026, 1, 1), datetime(2026, 1, 1, 3, 19))  # noqa: DTZ001 - naive UTC
    reverse = ask.stack(StackAsked(fields=("eventName",), sources=("aws_cloudtrail",), is_commonest_first=True, limit=1)).rows()
    assert [row[:2] for row in reverse] == [("ListModels", 178)]


def test_the_line_of_bars_shows_when(tmp_path: Path) -> None:
    trail = [person(number, "Early" if number < 12 else "Late") for number in range(24)]
    rows = asking(tmp_path, {"a.json.gz": trail}).stack(StackAsked(fields=("eventName",))).rows()
    assert {str(row[0]): row[-1] for row in rows} == {"Early": "█" * 12 + "·" * 12, "Late": "·" * 12 + "█" * 12}


def test_hours_and_days_are_stacked_apart(ask: Questions) -> None:
    answer = ask.stack(StackAsked(fields=("eventName",), where="eventName: DeleteGuardrail", by="hour"))
    assert answer.columns[:3] == ("hour", "eventName", "count")
    assert [(row[0].hour, row[2]) for row in answer.rows()] == [(0, 7), (1, 6), (2, 7), (3, 2)]  # type: ignore[attr-defined]
    days = ask.stack(StackAsked(fields=("eventName",), where="eventName: DeleteGuardrail", by="day")).rows()
    assert [row[2] for row in days] == [22]


def test_a_window_bounds_the_event_time_and_its_end_is_not_included(ask: Questions) -> None:
    window = Window(start=datetime(2026, 1, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, 2, tzinfo=UTC))
    for field in ("action", "eventName", "requestParameters.modelId"):
        rows = ask.stack(StackAsked(fields=(field,), sources=("aws_cloudtrail",), window=window)).rows()
        assert sum(row[1] for row in rows) == 60  # type: ignore[misc]


def test_a_source_without_the_field_is_left_out_and_named(ask: Questions) -> None:
    answer = ask.stack(StackAsked(fields=("protoPayload.methodName",), sources=("aws_cloudtrail", "gcp_audit")))
    assert [row[1] for row in answer.rows()] == [3]
    assert answer.notes == ("Left out for lack of field protoPayload.methodName: aws_cloudtrail.",)


def test_records_of_no_known_source_are_stacked_as_they_are_written(ask: Questions) -> None:
    answer = ask.stack(StackAsked(fields=("hello", "a\x1b[31m"), sources=("as-written",)))
    assert [row[:3] for row in answer.rows()] == [("0", HOSTILE, 1), ("1", HOSTILE, 1)]
    assert "\x1b" not in repr(answer)


def test_one_event_makes_no_more_than_a_thousand_combinations(tmp_path: Path) -> None:
    many = [f"m{number}" for number in range(40)]
    asked = asking(tmp_path, {"a.json.gz": [person(1, "X", requestParameters={"a": many, "b": many})]})
    answer = asked.stack(StackAsked(fields=("requestParameters.a", "requestParameters.b")))
    assert len(answer.rows()) == 1000
    assert answer.notes == ("1 events hold more than 1,000 combinations: the rest of theirs is not counted.",)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fields": ()}, "No field"),
        ({"fields": ("eventNam",), "sources": ("aws_cloudtrail",)}, "Did you mean eventName?"),
        ({"fields": ("action",), "sources": ("aws_cloudtral",)}, "Did you mean aws_cloudtrail?"),
        ({"fields": ("action",), "by": "week"}, "hour or day"),
        ({"fields": ("action",), "where": "text"}, "no map of fields"),
        ({"fields": ("action",), "where": "{eventNam: x}", "sources": ("aws_cloudtrail",)}, "Did you mean eventName?"),
    ],
)
def test_what_cannot_be_stacked_is_the_user_s_mistake(ask: Questions, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        ask.stack(StackAsked(**asked))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("{eventName|startwith: x}", "Did you mean startswith?"),
        ("{eventName: [", "no YAML"),
        ("{eventName: {a: b}}", "has a map as its value"),
        ("{recipientAccountId: 123456789012}", "account id"),
        ("{a: {eventName: x}, condition: b}", "is no selection"),
    ],
)
def test_a_condition_that_is_wrong_is_told_as_a_rule_would_be(ask: Questions, where: str, said: str) -> None:
    with pytest.raises(ContentErrors) as told:
        ask.stack(StackAsked(fields=("action",), where=where))
    assert said in str(told.value)
    assert "--where" in str(told.value)


def test_an_empty_lake_has_an_empty_stack(tmp_path: Path) -> None:
    asked = asking(tmp_path, {})
    assert asked.stack(StackAsked(fields=("eventName",), where="eventName: x")).rows() == []


def test_a_name_with_quotes_is_only_a_name(ask: Questions) -> None:
    rows = ask.stack(StackAsked(fields=('x" FROM files; DROP VIEW events; --', "'"), sources=("as_written",))).rows()
    assert [row[:3] for row in rows] == [(None, None, 2)]


def test_plain_trails_are_what_the_tests_think(ask: Questions) -> None:
    assert len(plain_trail()) == 200
    assert ask.sources == ("as_written", "aws_cloudtrail", "gcp_audit")

"""One event in full, and what one name did over all sources."""

from __future__ import annotations

import hashlib
import html
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.engines.lake.ask_event import pretty
from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.questions import Questions, TimelineAsked
from aibr_hunt.errors import UsageError
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.window import Window
from tests.cli.samples import write_azure_csv, write_bytes
from tests.unit.lake_questions import HOSTILE, asking, lake_of, person, standard

DOUBLED = "aws_cloudtrail|123456789012|00000000-0000-4000-8000-000000000000"
TORN = "aws_cloudtrail|123456789012|00000000-0000-4000-8000-000000000007"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return standard(tmp_path_factory.mktemp("standard"))


def of(*values: str, **changes: object) -> TimelineAsked:
    return TimelineAsked(values=values, **changes)  # type: ignore[arg-type]


# -- one event --------------------------------------------------------------------------------------------------------


def test_an_event_is_found_by_its_id_a_prefix_and_its_identity(ask: Questions) -> None:
    ((event_id,),) = ask.sql(f"SELECT event_id FROM events WHERE identity = '{DOUBLED}'").rows()  # noqa: S608 - our own text
    for name in (event_id, str(event_id)[:8], str(event_id)[:6].upper(), f" {DOUBLED} "):
        assert ask.show(str(name)).shown.identity == DOUBLED


def test_an_event_is_shown_with_all_its_deliveries(ask: Questions) -> None:
    found = ask.show(DOUBLED)
    assert [Path(each.file).name for each in found.deliveries] == ["a.json.gz", "b.json.gz"]
    assert [Path(path).name for path in found.deliveries[1].copies] == ["c.json.gz"]
    assert not found.has_conflict
    assert found.record["eventName"] == "ListModels"
    assert json.loads(found.raw) == found.record
    assert found.shown.raw_digest == hashlib.sha256(found.raw).hexdigest()
    assert "2 deliveries:" in found.as_text()


def test_contradicting_deliveries_stand_side_by_side(ask: Questions) -> None:
    found = ask.show(TORN)
    assert found.has_conflict
    assert len(found.versions) == 2
    assert found.differences() == [("eventName", '"ListModels"', '"Forged"'), ("x.y[0]", "—", "1"), ("x.y[1]", "—", "2")]
    assert "which contradict each other" in found.as_text()
    rows = ask.sql(f"SELECT event_id, action FROM events WHERE identity = '{TORN}'").rows()  # noqa: S608 - our own text
    assert {str(action): ask.show(str(event_id)).record["eventName"] for event_id, action in rows} == {
        "ListModels": "ListModels",
        "Forged": "Forged",
    }


def test_raw_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    line = '{"b": 1e3, "a": "\\u00e9\\/", "n": 12345678901234567890.5}'.encode("utf-16")
    write_bytes(tmp_path / "logs" / "wide.json", line + "\n".encode("utf-16-le"))
    asked = questions_on(lake_of(tmp_path / "lake", tmp_path / "logs"), {})
    ((event_id,),) = asked.sql("SELECT event_id FROM as_written").rows()
    found = asked.show(str(event_id))
    content = (tmp_path / "logs" / "wide.json").read_bytes()
    assert content[found.shown.offset : found.shown.offset + found.shown.length] == found.raw
    assert '"b": 1e3' in pretty(found.record)
    assert '"n": 12345678901234567890.5' in pretty(found.record)


def test_a_row_of_csv_is_shown_as_the_record_that_it_makes(tmp_path: Path) -> None:
    write_azure_csv(tmp_path / "logs" / "portal.csv", ["Delete deployment"])
    asked = questions_on(lake_of(tmp_path / "lake", tmp_path / "logs"), {})
    ((event_id,),) = asked.sql("SELECT event_id FROM events").rows()
    found = asked.show(str(event_id))
    assert found.raw.startswith(b"00000000-")
    assert found.record


def test_a_shown_event_acts_on_no_terminal_and_no_page(ask: Questions) -> None:
    ((event_id,),) = ask.sql("SELECT event_id FROM aws_cloudtrail WHERE action LIKE '=cmd%'").rows()
    found = ask.show(str(event_id))
    assert all(line.isprintable() for line in found.lines())
    assert found.record["eventName"] == HOSTILE
    body = found.as_text().split("\n\n")[1]
    assert parse_record(body.encode()).value == found.record
    page = found._repr_html_()
    assert "<script" not in page
    assert "&lt;script" in html.unescape(page).replace("<", "&lt;")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("abc", "too short"),
        ("ffffffffffff", "holds no event"),
        ("aws_cloudtrail|123456789012|nosuch", "holds no event"),
        ("' OR 1=1 --", "holds no event"),
        ("", "holds no event"),
    ],
)
def test_an_event_that_is_not_there_is_the_user_s_mistake(ask: Questions, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask.show(name)


def test_a_prefix_of_several_events_is_refused_with_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asking(tmp_path, {"a.json.gz": [person(number, "X") for number in range(300)]})
    monkeypatch.setattr("aibr_hunt.engines.lake.ask_event.FEWEST_DIGITS", 1)
    with pytest.raises(UsageError, match=r"means \d+ events") as told:
        asked.show("a")
    assert "…" in told.value.hint


# -- timelines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "place", "total"),
    [
        ("192.0.2.1", "address", 68),
        ("ARN:AWS:iam::123456789012:user/P3", "principal", 29),
        ("akia3", "userIdentity.accessKeyId", 40),
        ("123456789012", "account", 202),
    ],
)
def test_a_name_is_found_wherever_it_names_who_acted_in_any_case(ask: Questions, value: str, place: str, total: int) -> None:
    found = ask.timeline(of(value))
    events = found.events
    at = events.columns.index("found_in")
    assert {row[at] for row in events.rows()} == {place}
    assert found.total == total


def test_a_part_of_a_name_is_found_only_anywhere(ask: Questions) -> None:
    assert ask.timeline(of("user/p3")).total == 0
    assert ask.timeline(of("USER/p3", is_anywhere=True)).total == 29


def test_events_of_several_names_lie_in_one_order_of_time(ask: Questions) -> None:
    rows = ask.timeline(of("akia1", "akia2")).events.rows()
    times = [row[1] for row in rows]
    assert len(rows) == 81  # forty each, and one that another delivery contradicts
    assert times == sorted(times)  # type: ignore[type-var]


def test_a_silence_longer_than_the_gap_parts_sessions(tmp_path: Path) -> None:
    minutes = [0, 1, 31, 62, 63, 200]
    trail = [person(minute, "X", userIdentity={"arn": "one"}) for minute in minutes]
    asked = asking(tmp_path, {"a.json.gz": trail, "u.json": []})
    sessions = [(row[0], row[3]) for row in asked.timeline(of("one")).sessions.rows()]
    assert sessions == [(1, 3), (2, 2), (3, 1)]  # thirty minutes to the second are no gap yet
    hours = asked.timeline(of("one", gap=timedelta(hours=2))).sessions.rows()
    assert [row[3] for row in hours] == [5, 1]


def test_calls_of_one_action_that_follow_one_another_are_one_line(tmp_path: Path) -> None:
    names = ["A", "A", "A", "B", "A", "A"]
    trail = [person(0, name, eventTime=f"2026-01-01T00:00:0{number}Z", eventID=f"e{number}") for number, name in enumerate(names)]
    found = asking(tmp_path, {"a.json.gz": trail}).timeline(of("192.0.2.0"))
    at = {name: number for number, name in enumerate(found.lines.columns)}
    assert [(row[at["action"]], row[at["events"]]) for row in found.lines.rows()] == [("A", 3), ("B", 1), ("A", 2)]
    assert found.lines.rows()[0][at["event_id"]] == found.events.rows()[0][-1]
    assert [(row[1], row[2]) for row in found.actions.rows()] == [("A", 5), ("B", 1)]


def test_who_shares_an_address_or_a_key_is_told(tmp_path: Path) -> None:
    def call(number: int, who: str, address: str, key: str) -> dict[str, object]:
        return person(number, "X", sourceIPAddress=address, userIdentity={"arn": who, "accessKeyId": key})

    trail = [
        call(0, "thief", "192.0.2.1", "K1"),
        call(1, "thief", "192.0.2.2", "K2"),
        call(2, "neighbour", "192.0.2.1", "K9"),
        call(3, "neighbour", "192.0.2.1", "K9"),
        call(4, "victim", "192.0.2.9", "K2"),
        call(5, "stranger", "192.0.2.8", "K8"),
    ]
    asked = asking(tmp_path, {"a.json.gz": trail})
    assert [row[:4] for row in asked.timeline(of("thief")).shared.rows()] == [
        ("address", "192.0.2.1", "neighbour", 2),
        ("userIdentity.accessKeyId", "K2", "victim", 1),
    ]
    assert [row[:4] for row in asked.timeline(of("192.0.2.1")).shared.rows()] == [("principal", "thief", "192.0.2.2", 1)]


def test_untimed_events_come_last_and_lie_in_no_session(tmp_path: Path) -> None:
    trail = [person(0, "X"), person(7, "Y", eventTime="never")]
    rows = asking(tmp_path, {"a.json.gz": trail}).timeline(of("arn:aws:iam::123456789012:user/p0")).events.rows()
    assert [(row[0], row[3]) for row in rows] == [(1, "X"), (None, "Y")]


def test_a_timeline_is_bounded_by_window_and_source(ask: Questions) -> None:
    window = Window(start=datetime(2026, 1, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, 2, tzinfo=UTC))
    assert ask.timeline(of("123456789012", window=window)).total == 60
    assert ask.timeline(of("123456789012", sources=("gcp_audit",))).total == 0
    with pytest.raises(UsageError, match="Did you mean gcp_audit"):
        ask.timeline(of("x", sources=("gcp_audt",)))


def test_hostile_names_find_what_they_name_and_nothing_else(ask: Questions) -> None:
    assert ask.timeline(of("' OR 1=1 --")).total == 0
    found = ask.timeline(of("<script>alert(1)</script>", is_anywhere=True))
    assert found.total == 3
    assert all(line.isprintable() for line in repr(found).split("\n"))
    assert "<script" not in found._repr_html_()


def test_a_timeline_of_nobody_is_refused_and_one_of_an_empty_lake_is_empty(tmp_path: Path) -> None:
    asked = asking(tmp_path, {})
    with pytest.raises(UsageError, match="Whose timeline"):
        asked.timeline(of(" "))
    found = asked.timeline(of("x"))
    assert (found.total, found.shared.rows(), found.events.rows()) == (0, [], [])
    with pytest.raises(UsageError, match="holds no event"):
        asked.show("abcdef")

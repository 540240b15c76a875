"""Incidents: how a file becomes a value, and what is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.case_reader import with_value
from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.hunts import load_hunt, load_hunts
from aibr_hunt.content.incidents import Incidents, Known, incidents_path, load_incidents
from aibr_hunt.content.timed_events import MAX_EVENTS
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.event import Json
from tests.built_in import LIBRARY
from tests.unit.incident_samples import HUNT, INCIDENTS, write_hunt

KNOWN = Known(
    sources=["aws_cloudtrail", "aws_bedrock_invocation", "as-written"],
    switches=["aws.cloudtrail.management", "aws.bedrock.invocation_logging"],
)
ONE = "hunt: small\nincidents:\n  one:\n    of: stolen\n    what: w\n    events: [{events}]\n    observes: [{observes}]\n"
AT = "incidents.one.events[0]"
EVENT = "{source: aws_cloudtrail, at: 0s, event: {a: 1}}"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return LIBRARY.catalogue


def loaded(folder: Path, catalogue: Catalogue, text: str = INCIDENTS) -> Incidents:
    path = write_hunt(folder, incidents=text, rules={})
    return load_incidents(incidents_path(path), load_hunt(path, catalogue=catalogue), KNOWN)


def member(event: Json, name: str) -> Json:
    assert isinstance(event, dict)
    return event[name]


def one(events: str = EVENT, observes: str = "") -> str:
    return ONE.replace("{events}", events).replace("{observes}", observes)


def faults(folder: Path, catalogue: Catalogue, text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ContentErrors) as refused:
        loaded(folder, catalogue, text)
    return [(getattr(error, "line", None), f"{error.what} {error.hint}".strip()) for error in refused.value.errors]


def test_an_incident_is_read_as_written(tmp_path: Path, catalogue: Catalogue) -> None:
    found = loaded(tmp_path, catalogue)
    assert (found.hunt, found.path) == ("small", tmp_path / "hunts" / "small.incidents.yaml")
    sold_on, begins = found.incidents
    assert (sold_on.name, sold_on.of, sold_on.what, sold_on.line) == ("sold_on", "stolen", "A key is tried and used.", 7)
    assert (sold_on.observes, sold_on.off, sold_on.undecided) == (("probe", "flood", "fresh"), frozenset(), "")
    assert [(each.source, each.name, each.at_us // 1_000_000, each.deliveries) for each in sold_on.events] == [
        ("aws_cloudtrail", "try", 0, 1),
        ("aws_cloudtrail", "use[1]", 3600, 2),
        ("aws_cloudtrail", "use[2]", 4200, 2),
        ("aws_cloudtrail", "use[3]", 4800, 2),
    ]
    assert member(sold_on.events[0].event, "errorCode") == "AccessDenied"
    assert [each.source for each in begins.events] == ["as-written", "aws_cloudtrail"]


def test_an_incident_may_say_which_logs_are_off_and_why_nothing_is_decided(tmp_path: Path, catalogue: Catalogue) -> None:
    text = one() + "    off: [aws.bedrock.invocation_logging]\n    undecided: nothing is seen\n"
    [incident] = loaded(tmp_path, catalogue, text).incidents
    assert incident.off == {"aws.bedrock.invocation_logging"}
    assert (incident.undecided, incident.observes) == ("nothing is seen", ())


def test_one_entry_may_stand_for_an_event_of_each_value(tmp_path: Path, catalogue: Catalogue) -> None:
    events = "{source: aws_cloudtrail, at: -1h, event: {a: 1}, each: {b.c: [v, w]}, every: 1m}"
    [incident] = loaded(tmp_path, catalogue, one(events)).incidents
    assert [(each.event, each.at_us) for each in incident.events] == [
        ({"a": 1, "b": {"c": "v"}}, -3_600_000_000),
        ({"a": 1, "b": {"c": "w"}}, -3_540_000_000),
    ]


def test_events_that_share_an_anchor_are_values_of_their_own(tmp_path: Path, catalogue: Catalogue) -> None:
    first, second, *_ = loaded(tmp_path, catalogue).incidents[0].events[1:]
    assert first.event == second.event
    changed = with_value(first.event, "userIdentity.arn", "another")
    assert (first.event == second.event, member(member(changed, "userIdentity"), "arn")) == (True, "another")


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("hunt: small", "hunt: smal", 1, "The incidents are those of smal, and lie beside the hunt small. Write `hunt: small`."),
        ("of: stolen", "of: stole", 4, "The incident one is one of stole, which is no rival of the hunt. Did you mean stolen?"),
        ("of: stolen", "of: x", 4, "The incident one is one of x, which is no rival of the hunt. The rivals are stolen, team, test."),
        (
            "observes: []",
            "observes: [fresh, prob]",
            7,
            "The incident one observes prob, which is no observation of the hunt. Did you mean probe?",
        ),
        (
            "observes: []",
            "observes: []\n    off: [aws.cloudtrail.managment]",
            8,
            "aws.cloudtrail.managment is no log switch of any mapping. Did you mean aws.cloudtrail.management?",
        ),
        ("source: aws_cloudtrail", "source: aws_cloudtrial", 6, "There is no log source aws_cloudtrial. Did you mean aws_cloudtrail?"),
        (
            "source: aws_cloudtrail",
            "source: x",
            6,
            "There is no log source x. Write the name of a file in mappings/logsources/, without its suffix.",
        ),
        ("of: stolen", "fo: stolen", 3, "incidents.one lacks the key of."),
        ("what: w", "waht: w", 5, "incidents.one has no key waht. Did you mean what?"),
        ("at: 0s, ", "", 6, "incidents.one.events[0] lacks the key at."),
        ("source: aws_cloudtrail, ", "", 6, "incidents.one.events[0] lacks the key source."),
        ("at: 0s", "at: 5", 6, "incidents.one.events[0].at must be a time such as 0s, -2h or 1h30m, not 5."),
        ("at: 0s", "at: 0s, late: 1h", 6, "incidents.one.events[0] has no key late. Did you mean at?"),
        ("at: 0s", "at: 0s, every: -1h", 6, f"{AT}.every must be a length of time such as 90s, 15m or 1h30m, not the text '-1h'."),
        ("at: 0s", "at: 0s, repeat: 0", 6, "incidents.one.events[0].repeat must be a whole number of at least 1, not 0."),
        ("at: 0s", "at: 0s, each: {a: []}", 6, "incidents.one.events[0].each.a must be a list of values, at least one, not an empty list."),
        ("at: 0s", "at: 0s, each: {a: [1], b: [2]}", 6, "incidents.one.events[0].each must be one field with a list of values, not a map."),
        ("event: {a: 1}", "event: [1]", 6, "incidents.one.events[0].event must be a record, which is a map, not a list."),
        (EVENT, "", 6, "incidents.one.events must be a list of events, at least one, not an empty list."),
        ("observes: []", "observes: [probe, probe]", 7, "incidents.one.observes holds a value twice."),
        ("observes: []", "observes: []\n    off: aws", 8, "incidents.one.off must be a list of names, not the text 'aws'."),
        ("  one:", "  One:", 3, "A key of incidents must be a name of lower-case letters, digits and underscores, not the text 'One'."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, catalogue: Catalogue, old: str, new: str, line: int, what: str) -> None:
    assert old in one()
    assert (line, what) in faults(tmp_path, catalogue, one().replace(old, new, 1))


def test_all_faults_are_shown_together_in_the_order_of_their_lines(tmp_path: Path, catalogue: Catalogue) -> None:
    text = one(EVENT.replace("trail", "rail"), "x").replace("of: stolen", "of: gone").replace("hunt: small", "hunt: other")
    assert [line for line, _ in faults(tmp_path, catalogue, text)] == [1, 4, 6, 7]


def test_more_events_than_are_judged_are_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    text = one(EVENT.replace("at: 0s", f"at: 0s, repeat: {MAX_EVENTS}"))
    assert len(loaded(tmp_path, catalogue, text).incidents[0].events) == MAX_EVENTS
    found = faults(tmp_path, catalogue, one(f"{EVENT}, {EVENT.replace('at: 0s', f'at: 0s, repeat: {MAX_EVENTS}')}"))
    assert found[0][1].startswith("incident one has over 20,000 events.")


def test_files_of_incidents_are_no_hunts(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write_hunt(tmp_path, rules={})
    (path.parent / "other.incidents.yml").write_text(INCIDENTS, encoding="utf-8")
    assert [hunt.name for hunt in load_hunts([path.parent], catalogue=catalogue)] == ["small"]


def test_incidents_lie_beside_the_hunt_that_a_later_folder_brings(tmp_path: Path) -> None:
    path = write_hunt(tmp_path, rules={}, hunt=HUNT)
    assert incidents_path(path) == tmp_path / "hunts" / "small.incidents.yaml"

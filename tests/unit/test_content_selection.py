"""What a sweep selects of its rules and why; that the shipped sweeps leave nothing out between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aibr_hunt.content.mappings import switches_of
from aibr_hunt.content.selection import Selection, length_text, select
from aibr_hunt.content.sweeps import Sweep, load_sweep, load_sweeps
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.correlation import Correlation
from tests.built_in import LIBRARY, rules_asked

ROOT = Path(__file__).resolve().parents[2]
GUID = "00000000-0000-4000-8000-{:012d}"
RULE = """\
title: {name}
id: {guid}
name: {name}
level: {level}
requires: {requires}
logsource: {{product: aws, service: cloudtrail}}
detection: {{sel: {{eventSource: bedrock.amazonaws.com, eventName: {name}}}, condition: sel}}
"""
CORRELATION = """\
title: {name}
id: {guid}
name: {name}
level: {level}
correlation: {body}
"""

Pick = Callable[[str], dict[str, str]]


def rule(number: int, level: str, requires: str = "[]") -> str:
    return RULE.format(name=f"rule_{number}", guid=GUID.format(number), level=level, requires=requires)


def correlation(number: int, level: str, body: str) -> str:
    return CORRELATION.format(name=f"corr_{number}", guid=GUID.format(number), level=level, body=f"{{{body}}}")


TEXTS = {
    "low": rule(1, "low", "[aws.cloudtrail.management]"),
    "high": rule(2, "high", "[aws.cloudtrail.management]"),
    "data": rule(3, "medium", "[aws.cloudtrail.management, 'aws.cloudtrail.data:AWS::S3::Object']"),
    "part": rule(4, "informational", "[aws.bedrock.invocation_logging]"),
    "new": correlation(5, "medium", "type: first_seen, rules: [rule_4], group-by: [awsRegion], field: userAgent, lookback: 30d"),
    "burst": correlation(6, "critical", "type: event_count, rules: [rule_2], group-by: [awsRegion], timespan: 7d, condition: {gte: 2}"),
    "chain": correlation(
        7, "high", "type: event_count, rules: [corr_6], group-by: [awsRegion], timespan: 36h, condition: {gte: 2}, generate: true"
    ),
}
EVERY = {"rule_1", "rule_3", "corr_5", "corr_6", "corr_7"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def selection(folder: Path, text: str) -> Selection:
    path = folder.parent / "some.yml"
    path.write_text(f"sweep: some\nrules: ['{folder}']\n{text}", encoding="utf-8")
    sweep = load_sweep(path)
    return select(sweep, LIBRARY.load_rules(sweep.rules), switches_of(LIBRARY.mappings))


@pytest.fixture
def picked(folder: Path) -> Pick:
    return lambda text: {each.thing.name: each.why for each in selection(folder, text).choices if each.is_selected}


def test_a_sweep_that_says_nothing_selects_all_that_makes_leads(picked: Pick) -> None:
    assert picked("") == dict.fromkeys(EVERY, "nothing leaves it out")


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("levels: [low, critical]", {"rule_1", "corr_6"}),
        ("exclude: [rule_1, corr_7]", {"rule_3", "corr_5", "corr_6"}),
        (f"exclude: ['{GUID.format(3)}']", EVERY - {"rule_3"}),
        ("requires_only: default", {"rule_1", "corr_6", "corr_7"}),
        ("only: [{types: [first_seen]}, {levels: [low]}]", {"corr_5", "rule_1"}),
        ("only: [{types: [event_count], levels: [high, low]}]", {"corr_7"}),
        ("only: [{types: [rule]}]", {"rule_1", "rule_3"}),
        ("leave_out: [{types: [event_count]}, {levels: [low]}]", {"rule_3", "corr_5"}),
        ("only: [{looks_back: P7D}]", {"corr_5", "corr_6", "corr_7"}),
        ("only: [{looks_back: P8D}]", {"corr_5", "corr_7"}),
        ("only: [{looks_back: P9D}]", {"corr_5"}),
        ("only: [{looks_back: P30D}]", {"corr_5"}),
        ("only: [{looks_back: P31D}]", set()),
        ("levels: [medium]\nonly: [{looks_back: P1D}]\nleave_out: [{types: [first_seen]}]", set()),
    ],
)
def test_all_that_a_sweep_says_holds_together(picked: Pick, text: str, selected: set[str]) -> None:
    assert set(picked(text)) == selected


def test_what_is_left_out_is_told_with_its_reason(folder: Path) -> None:
    text = "requires_only: default\nexclude: [corr_7]\nleave_out: [{levels: [low]}]\nonly: [{types: [share]}]\n"
    found = {each.thing.name: each.why for each in selection(folder, text).choices}
    assert found == {
        "rule_1": "level low",
        "rule_3": "requires aws.cloudtrail.data:AWS::S3::Object, not on by default",
        "corr_5": "requires aws.bedrock.invocation_logging, not on by default",
        "corr_6": "not among what the sweep is only for",
        "corr_7": "excluded by name",
    }


def test_what_is_selected_is_told_with_what_met_the_selector(picked: Pick) -> None:
    found = picked("only: [{types: [event_count], looks_back: P8D}, {looks_back: P1D}, {levels: [medium]}]")
    assert found == {
        "corr_7": "type event_count, looks back 204h",
        "corr_6": "looks back 7d",
        "corr_5": "looks back 30d",
        "rule_3": "level medium",
    }


def test_what_only_serves_the_selected_comes_along_in_silence(folder: Path) -> None:
    corpus = selection(folder, "only: [{types: [first_seen]}]").corpus
    assert [each.name for each in corpus.correlations] == ["corr_5"]
    assert ([each.name for each in corpus.rules], [each.name for each in corpus.operands]) == ([], ["rule_4"])
    assert corpus.silent == {GUID.format(4)}


def test_what_is_left_out_makes_no_leads_though_it_serves_the_selected_and_would(folder: Path) -> None:
    corpus = selection(folder, "exclude: [corr_6]").corpus
    assert {each.name for each in corpus.correlations} == {"corr_5", "corr_6", "corr_7"}
    assert GUID.format(6) in corpus.silent
    assert GUID.format(7) not in corpus.silent


def test_what_could_not_be_read_is_still_named(folder: Path) -> None:
    (folder / "bad.yml").write_text("title: x\n", encoding="utf-8")
    assert [shown for shown, _ in selection(folder, "levels: [low]").corpus.refused] == [(folder / "bad.yml").as_posix()]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("rule_11", "Did you mean rule_1?"), ("rule_4", ""), ("corr_55", "Did you mean corr_5?")],
    ids=["typo", "operand", "typo 2"],
)
def test_an_exclusion_of_nothing_is_refused_with_its_line(folder: Path, name: str, hint: str) -> None:
    with pytest.raises(ContentErrors, match=rf"some\.yml:5: The sweep excludes {name}, which is none of its rules") as refused:
        selection(folder, f"exclude:\n  - corr_7\n  - {name}\n")
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0d"), (1, "1us"), (90_000_000, "90s"), (3_600_000_000, "1h"), (2_592_000_000_000, "30d"), (129_600_000_000, "36h")],
)
def test_a_length_is_told_in_its_greatest_whole_unit(length: int, text: str) -> None:
    assert length_text(length) == text


# --- what is shipped -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Mapping[str, tuple[Sweep, Selection]]:
    switches = switches_of(LIBRARY.mappings)
    sweeps = load_sweeps([ROOT / "hunts" / "sweeps"])
    return {sweep.name: (sweep, select(sweep, LIBRARY.load_rules(sweep.rules), switches)) for sweep in sweeps}


def names(selection: Selection, *, is_selected: bool = True) -> set[str]:
    return {each.thing.name for each in selection.choices if each.is_selected is is_selected}


def test_the_shipped_sweeps_are_those_that_the_manual_names(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    clouds = ("aws", "azure", "gcp")
    assert shipped.keys() == {"nightly_default_logs", *(f"{when}_{cloud}" for when in ("nightly", "weekly") for cloud in clouds)}
    assert all(names(found) for _, found in shipped.values())
    assert {sweep.every for name, (sweep, _) in shipped.items() if name.startswith("weekly")} == {"P7D"}
    assert {sweep.every for name, (sweep, _) in shipped.items() if name.startswith("nightly")} == {"P1D"}


def test_every_shipped_rule_stands_in_a_nightly_or_a_weekly_sweep(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    corpus = rules_asked()
    speaking = {each.name for each in corpus.things if each.id not in corpus.silent}
    swept = set().union(*(names(found) for name, (_, found) in shipped.items() if name != "nightly_default_logs"))
    assert speaking - swept == set()


def test_what_a_nightly_sweep_leaves_out_the_weekly_one_holds(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    for cloud in ("aws", "azure", "gcp"):
        left = names(shipped[f"nightly_{cloud}"][1], is_selected=False)
        assert left - names(shipped[f"weekly_{cloud}"][1]) == set()


def test_what_is_high_or_critical_is_never_left_to_the_week(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    for cloud in ("aws", "azure", "gcp"):
        left = [each.thing for each in shipped[f"nightly_{cloud}"][1].choices if not each.is_selected]
        assert [each.name for each in left if each.level in {"high", "critical"}] == []


def test_every_baseline_of_a_week_or_longer_stands_in_a_weekly_sweep(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    for cloud in ("aws", "azure", "gcp"):
        long = {
            each.thing.name
            for each in shipped[f"weekly_{cloud}"][1].choices
            if isinstance(each.thing, Correlation) and each.thing.lookback_us >= 7 * 86_400_000_000
        }
        assert long - names(shipped[f"weekly_{cloud}"][1]) == set()


def test_the_sweep_of_default_logs_is_what_the_nightly_ones_hold_of_them(shipped: Mapping[str, tuple[Sweep, Selection]]) -> None:
    off = {ident for ident, switch in switches_of(LIBRARY.mappings).items() if not switch.is_on_by_default}
    nightly = [each for cloud in ("aws", "azure", "gcp") for each in shipped[f"nightly_{cloud}"][1].choices if each.is_selected]
    assert names(shipped["nightly_default_logs"][1]) == {each.thing.name for each in nightly if off.isdisjoint(each.requires)}

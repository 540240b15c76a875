"""The runner of hunts' incidents: what passes, what fails and why, and what `hunt check` asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.hunts import load_hunt
from aibr_hunt.errors import UsageError
from aibr_hunt.testing import HuntBench, HuntResult
from aibr_hunt.testing.hunts import balances, favours
from tests.built_in import library_with
from tests.unit.incident_samples import HUNT, INCIDENTS, RULES, write_hunt

ROOT = Path(__file__).resolve().parents[2]


def result(folder: Path, **changes: object) -> HuntResult:
    write_hunt(folder, **changes)  # type: ignore[arg-type] # texts of the sample's parts
    [found] = HuntBench(library_with(folder)).run(["small"])
    return found


def failures(folder: Path, **changes: object) -> list[tuple[str, str]]:
    """Return the incident and the sentence of each failure, without the path."""
    found = result(folder, **changes)
    return [(each.case, each.what.removeprefix(str(folder / "hunts" / "small.incidents.yaml")).lstrip(":")) for each in found.failures]


def incident(observes: str, *, events: str = "", of: str = "stolen", more: str = "") -> str:
    """Return incidents of which the first is another one; the two others stay, so that nothing is left out."""
    usual = "{source: aws_cloudtrail, at: 0s, id: e, event: *run}"
    first = f"  one: {{of: {of}, what: w, events: [{events or usual}], observes: [{observes}]{more}}}\n"
    return INCIDENTS.replace("incidents:\n", f"incidents:\n{first}", 1)


def test_incidents_that_are_observed_as_they_say_have_no_failure(tmp_path: Path) -> None:
    found = result(tmp_path)
    assert (found.hunt, found.incidents, found.events, found.failures) == ("small", 2, 6, ())


def test_an_observation_that_was_not_foreseen_is_named_with_its_events(tmp_path: Path) -> None:
    [(case, what)] = failures(tmp_path, incidents=INCIDENTS.replace("observes: [fresh, known]", "observes: [known]"))
    found = "new finds an episode from 3600s to 3600s of arn:aws:iam::123456789012:user/a (the event at 3600s)"
    assert (case, what) == ("begins", f"14: observes fresh too: {found}.")


def test_an_observation_of_a_rule_is_told_by_the_names_and_times_of_its_events(tmp_path: Path) -> None:
    events = "{source: aws_cloudtrail, at: 0s, id: e, event: *tried, repeat: 6, every: 1s, deliveries: 2}"
    [(case, what)] = failures(tmp_path, incidents=incident("", events=events, more=", undecided: nothing is seen"))
    assert (case, what) == ("one", "7: observes probe too: tried finds e[1] at 0s, e[2] at 1s, e[3] at 2s, e[4] at 3s and 2 more.")


def test_an_observation_that_stayed_away_is_told_with_what_its_rules_met(tmp_path: Path) -> None:
    events = "{source: aws_cloudtrail, at: 0s, event: *run, repeat: 2, deliveries: 9}"
    assert failures(tmp_path, incidents=incident("fresh, flood, probe", events=events)) == [
        ("one", "7: does not observe probe: tried meets no event."),
        (
            "one",
            "7: does not observe flood: often finds no episode (events met: run 2); both finds no episode (events met: run 2, asked 0).",
        ),
    ]


def test_an_event_without_a_value_in_what_groups_is_named_as_the_reason(tmp_path: Path) -> None:
    events = "{source: aws_cloudtrail, at: 0s, event: {<<: *run, sourceIPAddress: null}, repeat: 3}"
    [(_, what), *_] = failures(tmp_path, incidents=incident("flood", events=events, more=", undecided: whichever"))
    assert "often finds no episode (events met: run 3; no value in sourceIPAddress of 3)" in what


def test_what_requires_a_log_that_is_off_is_not_asked(tmp_path: Path) -> None:
    more = ", off: [aws.cloudtrail.management], undecided: nothing is left"
    found = failures(tmp_path, incidents=incident("fresh, probe", more=more))
    assert found == [
        ("one", "7: does not observe probe: tried is not asked, a log that it requires is off."),
        ("one", "7: does not observe fresh: new finds no episode (events met: run 0)."),
    ]
    assert failures(tmp_path, incidents=incident("", more=more)) == []


MANY = "{source: aws_cloudtrail, at: 0s, event: *run, repeat: 3}"
ASKED = "{source: aws_bedrock_invocation, at: 1m, event: {modelId: example.model-v1}}"


@pytest.mark.parametrize(("off", "is_seen"), [("[]", True), ("[aws.bedrock.invocation_logging]", False)])
def test_a_chain_that_rests_on_a_log_that_is_off_finds_nothing(tmp_path: Path, off: str, *, is_seen: bool) -> None:
    hunt = HUNT.replace("rules: [often, both]", "rules: [both]")
    text = incident(
        f"fresh{', flood' if is_seen else ''}", events=f"{MANY}, {ASKED}", more=f", off: {off}, undecided: it is only the first run"
    )
    kept = text.replace("observes: [probe, flood, fresh]", "observes: [probe, fresh]")
    assert [each for each in failures(tmp_path, hunt=hunt, incidents=kept) if each[0] == "one"] == []


def test_what_rests_on_absence_is_not_judged_where_the_log_of_what_is_absent_is_off(tmp_path: Path) -> None:
    """As in a run: nobody can say that something did not happen where nothing was looked at."""
    without = RULES["both"].replace(
        "rules: [often, asked], timespan: 2h", "rules: [run, asked], timespan: 2h, condition: run and not asked"
    )
    hunt = HUNT.replace("rules: [often, both]", "rules: [both]")
    for off, observes in (("[]", "fresh, flood"), ("[aws.bedrock.invocation_logging]", "fresh")):
        text = incident(observes, more=f", off: {off}, undecided: whichever")
        found = failures(tmp_path, hunt=hunt, incidents=text, rules={**RULES, "both": without})
        assert [each for each in found if each[0] == "one"] == [], off


def test_what_is_present_in_part_of_the_logs_is_found_though_another_is_off(tmp_path: Path) -> None:
    either = RULES["both"].replace("rules: [often, asked], timespan: 2h", "rules: [run, asked], timespan: 2h, condition: run or asked")
    hunt = HUNT.replace("rules: [often, both]", "rules: [both]")
    text = incident("fresh, flood", more=", off: [aws.bedrock.invocation_logging], undecided: whichever")
    found = failures(tmp_path, hunt=hunt, incidents=text, rules={**RULES, "both": either})
    assert [each for each in found if each[0] == "one"] == []


def test_a_correlation_that_requires_a_log_itself_is_not_asked_without_it(tmp_path: Path) -> None:
    needing = RULES["often"].replace("name: often\n", "name: often\nrequires: [aws.bedrock.invocation_logging]\n")
    more = ", off: [aws.bedrock.invocation_logging], undecided: whichever"
    for observes, expected in (("fresh", []), ("fresh, flood", ["often is not asked", "both is not asked"])):
        found = failures(tmp_path, incidents=incident(observes, events=MANY, more=more), rules={**RULES, "often": needing})
        told = " ".join(what for case, what in found if case == "one")
        assert [each for each in expected if each not in told] == []
        assert bool(told) is bool(expected)


@pytest.mark.parametrize(
    ("days", "is_new"),
    [(-61, True), (-31, True), (-30, False), (-1, False)],
    ids=["long ago", "a day too long ago", "at the edge", "yesterday"],
)
def test_sixty_days_before_the_incident_count_as_looked_at(tmp_path: Path, days: int, *, is_new: bool) -> None:
    """The first event is new too, as nothing of it was seen in the sixty days before it; then it hangs on the second one."""
    events = f"{{source: aws_cloudtrail, at: {days}d, id: first, event: *run}}, {{source: aws_cloudtrail, at: 0s, id: then, event: *run}}"
    [(_, what)] = failures(tmp_path, incidents=incident("", events=events, more=", undecided: it is only a count"))
    assert ("first at" in what, "then at" in what) == (True, is_new)


def test_an_incident_must_speak_most_for_what_happened(tmp_path: Path) -> None:
    [(case, what)] = failures(tmp_path, incidents=incident("fresh"))
    told = "7: what it observes does not speak most for stolen (for less against: stolen +1, team +1, test +0). "
    assert (case, what) == ("one", f"{told}Change the hunt or the incident, or say `undecided: <why>`.")
    assert failures(tmp_path, incidents=incident("fresh", more=", undecided: a first call looks like any other")) == []


def test_the_reckoning_counts_what_speaks_for_each_rival_less_what_speaks_against_it(tmp_path: Path) -> None:
    hunt = load_hunt(write_hunt(tmp_path), catalogue=library_with().catalogue)
    assert balances(hunt, []) == {"stolen": 0, "team": 0, "test": 0}
    assert balances(hunt, ["probe", "flood", "fresh", "known"]) == {"stolen": 2, "team": 1, "test": 1}
    assert [favours(hunt, each) for each in ([], ["probe"], ["flood"], ["known"], ["fresh", "known"])] == ["", "", "stolen", "team", "team"]


def test_what_no_incident_shows_is_told(tmp_path: Path) -> None:
    alone = INCIDENTS.partition("  begins:")[0]
    assert failures(tmp_path, incidents=alone) == [
        ("", " no incident observes known."),
        ("", " every incident is one of the hypothesis (stolen): none is of a rival."),
    ]
    begins = INCIDENTS.partition("  sold_on:")[0] + INCIDENTS[INCIDENTS.index("  begins:") :]
    assert [what for _, what in failures(tmp_path, incidents=begins)] == [
        " no incident observes probe.",
        " no incident observes flood.",
        " no incident is one of the hypothesis (stolen).",
    ]


def test_events_of_another_log_source_meet_nothing(tmp_path: Path) -> None:
    events = "{source: gcp_audit, at: 0s, event: *run}, {source: as-written, at: 0s, event: *tried}"
    assert failures(tmp_path, incidents=incident("", events=events, more=", undecided: nothing is seen")) == []


def test_a_hunt_without_incidents_fails(tmp_path: Path) -> None:
    [(case, what)] = failures(tmp_path, incidents=None)
    assert (case, what) == ("", f"{tmp_path / 'hunts' / 'small.yml'}: The hunt has no incidents. Write small.incidents.yaml beside it.")


def test_incidents_may_be_called_yml_too(tmp_path: Path) -> None:
    write_hunt(tmp_path)
    (tmp_path / "hunts" / "small.incidents.yaml").rename(tmp_path / "hunts" / "small.incidents.yml")
    [found] = HuntBench(library_with(tmp_path)).run(["small"])
    assert (found.incidents, found.failures) == (2, ())


def test_a_rule_that_is_not_there_and_one_that_is_refused_are_told_apart(tmp_path: Path) -> None:
    rules = {**RULES, "tried": "title: x\n"}
    del rules["door"]
    [(_, what)] = failures(tmp_path, rules=rules)
    assert "small.yml:6: The hunt names the rule tried, which does not exist." in what
    assert "small.yml:9: The hunt names the rule door, which does not exist." in what
    assert "tried.yml" in what


def test_a_rule_that_its_log_source_cannot_be_asked_fails_the_hunt(tmp_path: Path) -> None:
    rules = {**RULES, "tried": RULES["tried"].replace("errorCode|exists: true", "errorKode: x")}
    [(_, what)] = failures(tmp_path, rules=rules)
    assert "errorKode" in what


@pytest.mark.parametrize("name", ["small", "hunts", "hunts/small.yml", "small.yml"])
def test_hunts_are_named_by_name_file_or_folder(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hunt(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert [each.hunt for each in HuntBench(library_with(Path())).run([name])] == ["small"]


def test_without_a_name_all_hunts_are_meant_and_none_twice(tmp_path: Path) -> None:
    write_hunt(tmp_path)
    bench = HuntBench(library_with(tmp_path))
    every = [name for name, _ in bench.check()]
    assert "small" in every
    assert "stolen_key_llmjacking" in every
    assert [name for name, _ in bench.check(["small", "small"])] == ["small"]
    assert [name for name, _ in bench.check(["shipped:"])] == [name for name in every if name != "small"]
    with pytest.raises(UsageError, match="There is no hunt smal"):
        list(bench.check(["smal"]))


# --- what is checked -----------------------------------------------------------------------------------------------------------


def findings(folder: Path, **changes: object) -> list[tuple[str, str, bool]]:
    write_hunt(folder, **changes)  # type: ignore[arg-type] # texts of the sample's parts
    [(name, found)] = HuntBench(library_with(folder)).check(["small"])
    assert name == "small"
    return [(each.check, each.what, each.is_error) for each in found if each.check != "metadata"]


def test_a_hunt_that_is_as_it_should_be_has_no_error(tmp_path: Path) -> None:
    assert findings(tmp_path) == [
        ("incidents", "no incident is one of test.", False),
    ]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (
            ", test: A test was agreed on.",
            "",
            ("rivals", "has 1 rival besides the hypothesis, 2 are needed: what else could leave such traces?", False),
        ),
        (
            "  - {id: fresh, rules: [new], supports: [stolen, team], note: A new address.}\n",
            "",
            ("observations", "has 3 observations, 4 are needed.", False),
        ),
        ("[stolen, test]", "[stolen]", ("rivals", "no observation speaks for test: nothing that is seen could favour it.", False)),
        (
            "rules: [new]",
            "rules: [new, tried]",
            ("observations", "the rule tried stands in 2 observations: one event counts as often.", False),
        ),
    ],
    ids=["rivals", "observations", "nothing for a rival", "a rule twice"],
)
def test_what_an_own_hunt_lacks_is_advice(tmp_path: Path, old: str, new: str, finding: tuple[str, str, bool]) -> None:
    text = HUNT.replace(old, new)
    assert text != HUNT
    if "test:" not in text:
        text = text.replace("[stolen, test]", "[stolen]")
    incidents = INCIDENTS if "id: fresh" in text else INCIDENTS.replace(", fresh]", "]").replace("[fresh, known]", "[known]")
    assert finding in findings(tmp_path, hunt=text, incidents=incidents)


def test_what_a_hunt_does_not_say_is_told(tmp_path: Path) -> None:
    write_hunt(tmp_path, hunt=HUNT.replace(", note: Many calls.", ""))
    [(_, found)] = HuntBench(library_with(tmp_path)).check(["small"])
    told = [each.what for each in found if each.check == "metadata"]
    assert {"has no window.", "has no limits.", "has no actor.", "the observation flood has no note: what does it mean?"} <= set(told)
    assert "has no title." not in told


def test_a_missing_rule_a_fault_of_form_and_one_of_the_incidents_are_errors(tmp_path: Path) -> None:
    [(check, what, is_error)] = findings(tmp_path, hunt=HUNT.replace("[door]", "[doors]"))[:1]
    assert (check, "which does not exist. Did you mean door?" in what, is_error) == ("rules", True, True)
    [(check, what, is_error)] = findings(tmp_path, hunt=HUNT.replace("hypothesis: A", "hypotesis: A"))[:1]
    assert (check, is_error) == ("hunt", True)
    [(check, what, is_error)] = findings(tmp_path, incidents=INCIDENTS.replace("of: team", "of: teem"))
    assert (check, "no rival of the hunt. Did you mean team?" in what, is_error) == ("incidents", True, True)


def test_missing_incidents_are_advice_for_an_own_hunt(tmp_path: Path) -> None:
    assert findings(tmp_path, incidents=None) == [("incidents", "has no incidents: write small.incidents.yaml beside it.", False)]


def test_a_hunt_without_an_incident_of_the_hypothesis_is_an_error(tmp_path: Path) -> None:
    found = findings(tmp_path, incidents=INCIDENTS.replace("of: stolen", "of: test"))
    assert found == [("incidents", "no incident is one of stolen.", True)]


def test_undecided_where_it_is_decided_earns_advice(tmp_path: Path) -> None:
    text = INCIDENTS.replace("of: team", "of: team\n    undecided: nobody knows")
    assert (
        "incidents",
        "the incident begins says `undecided`, and what it observes speaks most for team all the same.",
        False,
    ) in findings(tmp_path, incidents=text)


def test_undecided_where_another_is_favoured_earns_advice(tmp_path: Path) -> None:
    text = INCIDENTS.replace("of: team", "of: test\n    undecided: nobody knows")
    [what] = [what for _, what, _ in findings(tmp_path, incidents=text) if "undecided" in what]
    assert what.endswith("what it observes speaks most for team, though test happened: whoever hunts is led astray.")
    silent = incident("fresh", more=", undecided: a first call looks like any other")
    assert "undecided" not in str(findings(tmp_path, incidents=silent))


# --- what is shipped -----------------------------------------------------------------------------------------------------------


SHIPPED = sorted(path.stem for path in (ROOT / "hunts").glob("*.yml"))


@pytest.fixture(scope="module")
def shipped() -> HuntBench:
    return HuntBench(library_with())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_hunt_passes_its_own_check(shipped: HuntBench, name: str) -> None:
    [(_, found)] = shipped.check([f"shipped:{name}"])
    assert [(each.check, each.what) for each in found if each.is_error] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_incident_of_every_shipped_hunt_is_observed_as_it_says(shipped: HuntBench, name: str) -> None:
    [found] = shipped.run([f"shipped:{name}"])
    assert [(each.case, each.what) for each in found.failures] == []

"""Hunts: what is shipped, how a file becomes a value, and which arguments are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.content.hunts import THE_HYPOTHESIS, load_hunt, load_hunts, unknown_rules
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.hunt import Hunt, Observation
from tests.built_in import every_rule, rules_asked

ROOT = Path(__file__).resolve().parents[2]

SMALL = """\
hunt: small
hypothesis: Somebody is in.
tags: [attack.initial-access]
techniques: [attack.t1078.004]
rivals:
  breach: the hypothesis
  routine: It is work.
expect:
  - {id: door, rules: [rule_one], supports: [breach]}
  - {id: notice, rules: [rule_two, 00000000-0000-4000-8000-000000000001], supports: [routine], against: [breach], note: Planned.}
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "mappings")


@pytest.fixture(scope="module")
def shipped(catalogue: Catalogue) -> tuple[Hunt, ...]:
    return load_hunts([ROOT / "hunts"], catalogue=catalogue)


def write(folder: Path, text: str, name: str = "small") -> Path:
    path = folder / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path, catalogue: Catalogue) -> list[tuple[int | None, str]]:
    with pytest.raises(ContentErrors) as refused:
        load_hunt(path, catalogue=catalogue)
    return [(getattr(error, "line", None), f"{error.what} {error.hint}".strip()) for error in refused.value.errors]


# --- what is shipped ---------------------------------------------------------------------------------------------------------------


def test_the_promised_hunts_are_shipped(shipped: tuple[Hunt, ...]) -> None:
    assert {"azure_training_data_tampering", "sagemaker_model_theft", "stolen_key_llmjacking"} <= {hunt.name for hunt in shipped}


def test_a_shipped_hunt_says_who_does_what_where_and_what_would_show_it(shipped: tuple[Hunt, ...]) -> None:
    for hunt in shipped:
        told = (hunt.title, hunt.actor, hunt.behaviour, hunt.location, hunt.evidence, hunt.when_logs_are_off, hunt.last, hunt.scan_bytes)
        assert all(told), hunt.name
        assert hunt.triage, hunt.name
        assert hunt.preserve_first, hunt.name
        assert all(observation.note for observation in hunt.expect), hunt.name


def test_a_shipped_hunt_has_rivals_that_its_observations_tell_apart(shipped: tuple[Hunt, ...]) -> None:
    for hunt in shipped:
        assert len(hunt.rivals) >= 3, hunt.name
        told = [(set(observation.supports), set(observation.against)) for observation in hunt.expect]
        assert {rival for supports, against in told for rival in supports | against} == set(hunt.rivals), hunt.name


def test_every_rule_that_a_shipped_hunt_names_is_shipped(shipped: tuple[Hunt, ...]) -> None:
    names = rules_asked().names
    assert [error for hunt in shipped for error in unknown_rules(hunt, names)] == []


# --- how a file becomes a value ----------------------------------------------------------------------------------------------------


def test_a_hunt_is_read_as_written(tmp_path: Path, catalogue: Catalogue) -> None:
    text = (
        SMALL + "window: {last: P14D}\nlimits: {scan_bytes: 50GB}\nauthor: a\ndate: '2026-01-01'\nreferences: ['https://example.com/a']\n"
    )
    path = write(tmp_path, text)
    hunt = load_hunt(path, catalogue=catalogue)
    assert (hunt.name, hunt.hypothesis, hunt.path) == ("small", "Somebody is in.", str(path))
    assert hunt.text_digest == hashlib.sha256(text.encode()).hexdigest()
    assert hunt.expect == (
        Observation(id="door", rules=("rule_one",), supports=("breach",)),
        Observation(
            id="notice",
            rules=("rule_two", "00000000-0000-4000-8000-000000000001"),
            supports=("routine",),
            against=("breach",),
            note="Planned.",
        ),
    )
    assert dict(hunt.rivals) == {"breach": THE_HYPOTHESIS, "routine": "It is work."}
    assert [(technique.id, technique.version) for technique in hunt.techniques] == [("T1078.004", "19.1")]
    assert (hunt.last, hunt.scan_bytes) == ("P14D", 50_000_000_000)
    assert dict(hunt.extra) == {"author": "a", "date": "2026-01-01", "references": "https://example.com/a"}


def test_case_studies_are_kept_as_ids_of_atlas(tmp_path: Path, catalogue: Catalogue) -> None:
    assert load_hunt(write(tmp_path, SMALL), catalogue=catalogue).case_studies == ()
    hunt = load_hunt(write(tmp_path, f"{SMALL}case_studies: [AML.CS0012, AML.CS0030]\n"), catalogue=catalogue)
    assert hunt.case_studies == ("AML.CS0012", "AML.CS0030")


@pytest.mark.parametrize("written", ["AML.CS12", "aml.cs0012", "AML.CS00123", "CS0012", "AML.T0012"])
def test_what_is_no_id_of_a_case_study_is_refused(tmp_path: Path, catalogue: Catalogue, written: str) -> None:
    [(line, what)] = faults_of(write(tmp_path, f"{SMALL}case_studies:\n  - AML.CS0001\n  - {written}\n"), catalogue)
    assert (line, what) == (13, f"case_studies[1] must be the id of an ATLAS case study, such as AML.CS0012, not the text '{written}'.")


def test_a_hunt_without_window_and_limits_sets_none(tmp_path: Path, catalogue: Catalogue) -> None:
    hunt = load_hunt(write(tmp_path, SMALL), catalogue=catalogue)
    assert (hunt.last, hunt.scan_bytes, hunt.pivots) == ("", 0, ())


@pytest.mark.parametrize(
    ("written", "size"),
    [("1", 1), ("500B", 500), ("50GB", 50 * 10**9), ("1.5 TB", 1_500 * 10**9), ("2GiB", 2 * 2**30), ("3 KB", 3_000), ("1PiB", 2**50)],
)
def test_sizes_count_in_thousands_unless_they_say_otherwise(tmp_path: Path, catalogue: Catalogue, written: str, size: int) -> None:
    hunt = load_hunt(write(tmp_path, f"{SMALL}limits: {{scan_bytes: {written}}}\n"), catalogue=catalogue)
    assert hunt.scan_bytes == size


@pytest.mark.parametrize("last", ["P1W", "P14D", "PT36H", "P1DT12H", "PT30M"])
def test_a_window_is_an_iso_8601_duration(tmp_path: Path, catalogue: Catalogue, last: str) -> None:
    assert load_hunt(write(tmp_path, f"{SMALL}window: {{last: {last}}}\n"), catalogue=catalogue).last == last


def test_a_user_s_file_of_the_same_name_replaces_the_shipped_hunt(tmp_path: Path, catalogue: Catalogue) -> None:
    write(tmp_path, SMALL.replace("hunt: small", "hunt: stolen_key_llmjacking"), "stolen_key_llmjacking")
    (tmp_path / "sweeps").mkdir()
    write(tmp_path / "sweeps", "not: a hunt\n", "nightly")
    found = {hunt.name: hunt for hunt in load_hunts([ROOT / "hunts", tmp_path], catalogue=catalogue)}
    assert found["stolen_key_llmjacking"].hypothesis == "Somebody is in."
    assert "sagemaker_model_theft" in found
    assert "nightly" not in found


# --- rules that a hunt names -------------------------------------------------------------------------------------------------------


def test_a_rule_may_be_named_by_name_or_by_id(tmp_path: Path, catalogue: Catalogue) -> None:
    hunt = load_hunt(write(tmp_path, SMALL), catalogue=catalogue)
    assert unknown_rules(hunt, {"rule_one", "rule_two", "00000000-0000-4000-8000-000000000001"}) == ()


def test_correlations_and_baselines_may_be_named_as_rules_are(tmp_path: Path, catalogue: Catalogue) -> None:
    text = SMALL.replace("rule_one", "aws_bedrock_key_from_new_address").replace("rule_two", "aws_bedrock_models_listed_then_run")
    hunt = load_hunt(write(tmp_path, text.replace("00000000-0000-4000-8000-000000000001", "aws_bedrock_asked_often")), catalogue=catalogue)
    every = every_rule()
    assert unknown_rules(hunt, every.names) == ()
    named = every.only({name for each in hunt.expect for name in each.rules})
    assert [each.name for each in named.correlations] == [
        "aws_bedrock_asked_often",
        "aws_bedrock_key_from_new_address",
        "aws_bedrock_models_listed_then_run",
    ]
    assert named.silent.isdisjoint(each.id for each in named.correlations)


def test_a_rule_that_does_not_exist_is_shown_with_its_line_and_the_nearest(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path, SMALL)
    errors = unknown_rules(load_hunt(path, catalogue=catalogue), {"rule_one_", "rule_two", "unlike"})
    assert [str(error) for error in errors] == [
        f"{path}:9: The hunt names the rule rule_one, which does not exist. Did you mean rule_one_?",
        f"{path}:10: The hunt names the rule 00000000-0000-4000-8000-000000000001, which does not exist.",
    ]


# --- what is refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("hunt: small", "hunt: other", 1, "The hunt is called other, its file small.yml. Give both the same stem."),
        ("hypothesis: Somebody", "hypotesis: Somebody", None, "The file has no key hypotesis. Did you mean hypothesis?"),
        ("breach: the hypothesis", "breach: An intruder.", 5, "0 of the rivals say `the hypothesis`: exactly one must."),
        ("routine: It is work.", "routine: the hypothesis", 5, "2 of the rivals say `the hypothesis`: exactly one must."),
        (
            "against: [breach], ",
            "",
            8,
            "No observation would speak against the hypothesis (breach). Add an observation with `against: [breach]`.",
        ),
        ("supports: [breach]}", "supports: [routine]}", 8, "No observation would speak for the hypothesis (breach)."),
        ("supports: [routine]", "supports: [rutine]", 10, "The observation notice names rutine, which is no rival. Did you mean routine?"),
        (
            "supports: [routine]",
            "supports: [qqqqqq]",
            10,
            "The observation notice names qqqqqq, which is no rival. The rivals are breach, routine.",
        ),
        ("supports: [routine]", "supports: [routine, breach]", 10, "The observation notice speaks both for and against breach."),
        ("id: notice", "id: door", 10, "Two observations are called door."),
        ("attack.t1078.004", "attack.t1562.001", 4, "attack.t1562.001 (Disable or Modify Tools) is retired since version 19.0"),
        (
            "attack.t1078.004",
            "attack.initial-access",
            4,
            "attack.initial-access is no technique of ATT&CK or ATLAS. Tactics stand under tags.",
        ),
        ("attack.t1078.004", "atlas.aml.t9999", 4, "atlas.aml.t9999 is no technique of ATLAS 2026.09."),
        ("attack.initial-access", "attack.defense-evasion", 3, "The tactic attack.defense-evasion is retired since version 19.0"),
        ("attack.initial-access", "attack.initial-access, attack.impact", 3, "No technique in the tags serves the tactic Impact."),
        ("rules: [rule_one]", "rules: []", 9, "expect[0].rules must be a list of rules' names or ids, at least one, not an empty list."),
        ("rules: [rule_one]", "rule: [rule_one]", None, "expect[0] has no key rule. Did you mean rules?"),
    ],
)
def test_a_hunt_that_does_not_argue_is_refused_with_its_line(
    tmp_path: Path, catalogue: Catalogue, old: str, new: str, line: int | None, what: str
) -> None:
    assert old in SMALL
    faults = faults_of(write(tmp_path, SMALL.replace(old, new)), catalogue)
    found = [at for at, text in faults if text.startswith(what)]
    assert found, faults
    assert line in (None, *found)


def test_an_observation_that_says_nothing_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path, SMALL + "  - {id: idle, rules: [rule_one]}\n")
    assert faults_of(path, catalogue) == [(11, "The observation idle speaks for and against nothing. Add supports or against.")]


@pytest.mark.parametrize("last", ["14d", "P", "PT", "P1Y", "P1DT"])
def test_a_window_of_another_form_is_refused(tmp_path: Path, catalogue: Catalogue, last: str) -> None:
    ((line, what),) = faults_of(write(tmp_path, f"{SMALL}window: {{last: {last}}}\n"), catalogue)
    assert line == 11
    assert what.startswith("window.last must be an ISO 8601 duration")


@pytest.mark.parametrize("size", ["50 gigabytes", "-5", "0GB", "many"])
def test_a_size_of_another_form_is_refused(tmp_path: Path, catalogue: Catalogue, size: str) -> None:
    ((line, what),) = faults_of(write(tmp_path, f"{SMALL}limits: {{scan_bytes: {size}}}\n"), catalogue)
    assert line == 11
    assert what.startswith("limits.scan_bytes must be a number of bytes, or a text such as 50GB or 2TiB")


def test_every_fault_of_every_file_is_shown_together(tmp_path: Path, catalogue: Catalogue) -> None:
    write(
        tmp_path,
        SMALL.replace("hunt: small", "hunt: one").replace("id: notice", "id: door").replace("[breach], note", "[brech], note"),
        "one",
    )
    write(tmp_path, "hunt: two\n", "two")
    with pytest.raises(ContentErrors) as refused:
        load_hunts([tmp_path], catalogue=catalogue)
    assert len(refused.value.errors) == 3 + 3

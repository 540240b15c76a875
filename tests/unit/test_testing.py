"""The public runner of rules' cases: what passes, what fails and why, for shipped rules and for anyone's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.cases import Case
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.literals import scanner_for
from aibr_hunt.errors import UsageError
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.model.event import Json, OddNumber
from aibr_hunt.testing import Bench, RuleResult, _Trial, serialisations
from tests.built_in import LIBRARY, every_rule

RULE = """\
title: Door opened
id: 00000000-0000-4000-8000-00000000000{number}
description: Says why.
falsepositives: [none]
tags: [attack.initial-access]
logsource: {{product: example}}
detection:
  sel: {{action: OpenDoor, who|startswith: 'mallory-'}}
  condition: sel
"""
CASES = """\
rule: {name}
base: &base {{action: OpenDoor, who: mallory-1}}
cases:
  plain: {{hit: true, event: *base}}
  strange: {{hit: true, event: {{<<: *base, who: 'Mallory-/"é\\'}}}}
  other_action: {{hit: false, event: {{<<: *base, action: CloseDoor}}}}
  longer_action: {{hit: false, event: {{<<: *base, action: OpenDoors}}}}
  other_person: {{hit: false, event: {{<<: *base, who: x-mallory-1}}}}
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, text: str) -> Path:
        path = tmp_path / "rules" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def results(folder: Path) -> dict[str, RuleResult]:
    return {result.rule: result for result in Bench(LIBRARY).run([str(folder)])}


def test_a_rule_whose_cases_all_get_their_answer_has_no_failure(write: Write) -> None:
    write("door.yml", RULE.format(number=1))
    path = write("door.tests.yaml", CASES.format(name="door"))
    [result] = results(path.parent).values()
    assert (result.rule, result.cases, result.failures) == ("door", 5, ())
    assert result.path == (path.parent / "door.yml").as_posix()


def test_a_case_that_gets_another_answer_fails_with_its_line(write: Write) -> None:
    write("door.yml", RULE.format(number=1))
    cases = write(
        "door.tests.yaml",
        CASES.format(name="door")
        .replace("plain: {hit: true", "plain: {hit: false")
        .replace("other_action: {hit: false", "other_action: {hit: true"),
    )
    [result] = results(cases.parent).values()
    assert [(failure.case, failure.what) for failure in result.failures] == [
        ("plain", f"{cases.as_posix()}:4: expected a miss, the rule matches."),
        ("other_action", f"{cases.as_posix()}:6: expected a hit, the rule does not match."),
    ]


def test_what_cannot_be_run_fails_by_name_and_the_rest_is_run(write: Write) -> None:
    for number, name in enumerate(("alone", "broken", "good", "wrong"), start=1):
        write(f"{name}.yml", RULE.format(number=number))
        if name != "alone":
            write(f"{name}.tests.yaml", CASES.format(name=name))
    write("broken.yml", "title: x\n")
    folder = write("wrong.tests.yaml", "cases: {a: 5}\n").parent
    found = results(folder)
    assert found["good"].failures == ()
    assert [(name, result.cases, result.failures[0].case) for name, result in found.items() if result.failures] == [
        (f"{folder.as_posix()}/broken.yml", 0, ""),
        ("alone", 0, ""),
        ("wrong", 0, ""),
    ]
    told = [found[name].failures[0].what for name in ("alone", "wrong", f"{folder.as_posix()}/broken.yml")]
    assert "alone.tests.yaml: cannot be read" in told[0]
    assert "wrong.tests.yaml:1: case a is no map" in told[1]
    assert "has no logsource" in told[2]


def test_a_rule_that_its_log_source_cannot_answer_fails_by_name(write: Write) -> None:
    write("door.yml", RULE.format(number=1).replace("{product: example}", "{product: aws, service: cloudtrail}"))
    folder = write("door.tests.yaml", CASES.format(name="door")).parent
    [result] = results(folder).values()
    assert "field action is not supported: the mapping aws_cloudtrail does not define it" in result.failures[0].what


def test_a_rule_may_name_its_cases(write: Write) -> None:
    write("door.yml", RULE.format(number=1) + "regression_tests_path: other.tests.yaml\n")
    folder = write("other.tests.yaml", CASES.format(name="door")).parent
    assert results(folder)["door"].cases == 5


def test_a_name_that_means_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no built-in rule shipped:nope\."):
        list(Bench().run(["shipped:nope"]))


def with_cases(folder: str) -> set[str]:
    """Return the names of the shipped rules that have cases of their own; parts of a correlation are tested by its cases."""
    rules = LIBRARY.roots[0] / "rules" / folder
    return {path.name.removesuffix(".tests.yaml") for path in rules.glob("*.tests.yaml")}


# One test a folder, so that workers share them out: here the whole corpus is tested and checked, once.
BENCH = Bench(LIBRARY)
SHIPPED = BENCH.library.roots[0] / "rules"
# Folders whose mutants are tried in each test run; those of all are tried in `make slow`, and by `rules check`.
SCORED = ("aws/iam", "azure/acr", "gcp/iam")
FOLDERS = sorted(path.relative_to(SHIPPED).as_posix() for path in SHIPPED.glob("*/*") if path.is_dir())


def test_every_shipped_rule_lies_in_a_folder_that_is_tested() -> None:
    corpus = every_rule()
    assert corpus.refused == ()
    paths = [*(rule.path for rule in corpus.matched), *(correlation.path for correlation in corpus.correlations)]
    assert len(paths) >= 690
    assert {"/".join(path.removeprefix("shipped:").split("/")[:2]) for path in paths} == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_shipped_cases_get_their_answers(folder: str) -> None:
    found = list(BENCH.run([f"shipped:{folder}"]))
    own = with_cases(folder)
    assert own
    assert own <= {result.rule for result in found}
    assert [result.rule for result in found if result.failures or (not result.cases and result.rule in own)] == []


# --- how a case is tried -----------------------------------------------------------------------------------------------------------


def trial() -> _Trial:
    return _Trial(load_rule_text(RULE.format(number=1), "door.yml"), None)


def test_a_hit_that_the_sieve_would_drop_is_a_failure_for_each_spelling() -> None:
    blind = trial()
    blind.scanner = scanner_for(["nowhere"])
    told = list(blind.faults(Case(name="c", hit=True, event={"action": "OpenDoor", "who": "mallory-1"})))
    assert told == [
        f"the sieve drops the hit when the event is written {name}."
        for name in ("compactly", "with spaces", "with sorted keys and ASCII escapes", r"with \/ for /")
    ]


def test_an_answer_that_depends_on_the_spelling_is_a_failure() -> None:
    """A number that no log can spell so: the matcher sees another one in the bytes."""
    rule = load_rule_text(RULE.format(number=1).replace("action: OpenDoor", "action: 1000"), "door.yml")
    told = list(_Trial(rule, None).faults(Case(name="c", hit=False, event={"action": OddNumber("1000"), "who": "mallory-1"})))
    assert told[0] == "the matcher changes its answer when the event is written compactly."


def test_a_rule_without_a_literal_is_matched_all_the_same() -> None:
    rule = load_rule_text(RULE.format(number=1).replace("action: OpenDoor, who|startswith: 'mallory-'", "action|exists: true"), "door.yml")
    assert list(_Trial(rule, None).faults(Case(name="c", hit=True, event={"action": "x"}))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15) + 1, 10**15 - 1) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), JSON, max_size=3))
def test_every_serialisation_is_the_same_event(event: Json) -> None:
    spelled = dict(serialisations(event))
    assert len(spelled) == 5
    for text in spelled.values():
        assert json.loads(text) == event
        assert json.dumps(parse_record(text).value, sort_keys=True) == json.dumps(event, sort_keys=True)


def test_serialisations_differ_where_a_sieve_could_stumble() -> None:
    spelled = dict(serialisations({"b/": "x/é", "a": [1.5]}))
    assert spelled["compactly"] == '{"b/":"x/é","a":[1.5]}'.encode()
    assert spelled["with spaces"].count(b"\n") == 5
    assert spelled["with sorted keys and ASCII escapes"] == b'{"a" : [1.5], "b/" : "x/\\u00e9"}'
    assert spelled[r"with \/ for /"] == '{"b\\/": "x\\/é", "a": [1.5]}'.encode()
    assert spelled[r"with every letter as \uXXXX"] == b'{"\\u0062\\u002f":"\\u0078\\u002f\\u00e9","\\u0061":[1.5]}'


# --- check -------------------------------------------------------------------------------------------------------------------------


def checked(*names: str, bench: Bench | None = None) -> dict[str, tuple[list[str], float | None]]:
    found = (bench or Bench()).check(names)
    return {
        name: ([f"{each.check}{'' if each.is_error else '?'}" for each in findings], None if score is None else score.value)
        for name, findings, score in found
    }


def test_check_gives_each_rule_its_findings_and_its_score(write: Write) -> None:
    write("bare.yml", RULE.format(number=2).replace("description: Says why.\n", ""))
    write("door.yml", RULE.format(number=1))
    write("door.tests.yaml", CASES.format(name="door"))
    write("hurt.yml", RULE.format(number=3))
    write("hurt.tests.yaml", "cases: {a: 5}\n")
    write("unread.yml", "title: x\n")
    folder = write("foreign.yml", RULE.format(number=4).replace("{product: example}", "{product: aws, service: cloudtrail}")).parent
    write("foreign.tests.yaml", CASES.format(name="foreign"))
    found = checked(str(folder))
    assert found[f"{folder.as_posix()}/unread.yml"] == (["rule"], None)
    assert found["bare"] == (["metadata?", "fields?", "cases?"], None)
    assert found["hurt"] == (["fields?", "cases", "twin?"], None)
    assert found["foreign"] == (["fields"], None)
    assert found["door"][0] == ["fields?", "mutation?", "twin?"]
    score = found["door"][1]
    assert score is not None
    assert 0.5 < score < 0.95


def test_no_check_finds_an_error_in_shipped_content() -> None:
    found = checked("shipped:", bench=Bench(is_scoring=False))
    assert len(found) >= 690
    assert [name for name, (findings, _) in found.items() if any(not each.endswith("?") for each in findings)] == []


@pytest.mark.parametrize("folder", [pytest.param(each, marks=() if each in SCORED else pytest.mark.slow) for each in FOLDERS])
def test_check_is_strict_with_shipped_rules(folder: str) -> None:
    """A part without cases has no score, and is named by advice: the cases of the correlation in its file test it."""
    found = checked(f"shipped:{folder}", bench=BENCH)
    assert any(score is not None for _, score in found.values())
    assert [
        name
        for name, (findings, score) in found.items()
        if (score is None and "cases?" not in findings)
        or (score is not None and score < 0.95)
        or any(not each.endswith("?") for each in findings)
    ] == []


def test_survivors_are_named(write: Write) -> None:
    write("door.yml", RULE.format(number=1))
    path = write("door.tests.yaml", CASES.format(name="door"))
    [(_, findings, _)] = Bench().check([str(path.parent)])
    [finding] = [each for each in findings if each.check == "mutation"]
    assert "unnoticed: " in finding.what
    assert "endswith for action equals 'OpenDoor'" in finding.what

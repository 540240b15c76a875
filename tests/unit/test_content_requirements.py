"""What a hunt needs: the log switches of its rules, of what correlations rest on, and what is blind without each."""

from __future__ import annotations

from pathlib import Path

from aibr_hunt.content.hunts import load_hunt
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.content.requirements import Need, looks_back_us, needs_of, requirements
from tests.built_in import library_with
from tests.unit.incident_samples import GUID, HUNT, RULES, write_hunt

HOUR = 3_600_000_000
MANAGEMENT, INVOCATION = "aws.cloudtrail.management", "aws.bedrock.invocation_logging"


def test_a_correlation_requires_what_all_that_it_rests_on_requires(tmp_path: Path) -> None:
    write_hunt(tmp_path)
    corpus = library_with(tmp_path).load_all()
    found = requirements(corpus)
    assert [found[GUID.format(each)] for each in range(1, 8)] == [
        *({MANAGEMENT}, {MANAGEMENT}, {INVOCATION}, {MANAGEMENT}, {MANAGEMENT}, {MANAGEMENT, INVOCATION}, set())
    ]


def test_lengths_add_up_along_a_chain(tmp_path: Path) -> None:
    write_hunt(tmp_path)
    found = looks_back_us(library_with(tmp_path).load_all())
    assert [found[GUID.format(each)] // HOUR for each in range(1, 8)] == [0, 0, 0, 1, 30 * 24, 3, 0]


def needs(folder: Path, hunt: str = HUNT, rules: dict[str, str] | None = None) -> dict[str, Need]:
    path = write_hunt(folder, hunt=hunt, rules=rules)
    library = library_with(folder)
    found = needs_of(load_hunt(path, catalogue=library.catalogue), library.load_all(), switches_of(library.mappings))
    return {need.switch: need for need in found}


def test_an_observation_is_blind_when_all_of_its_rules_require_the_log_and_weaker_when_some_do(tmp_path: Path) -> None:
    found = needs(tmp_path)
    assert list(found) == [INVOCATION, MANAGEMENT]
    assert (found[INVOCATION].blind, found[INVOCATION].weaker, found[INVOCATION].is_on_by_default) == ((), ("flood",), False)
    assert (found[MANAGEMENT].blind, found[MANAGEMENT].weaker) == (("probe", "flood", "fresh"), ())
    assert found[MANAGEMENT].is_on_by_default is True
    assert "Control-plane calls" in found[MANAGEMENT].what


def test_a_switch_that_no_mapping_knows_and_a_rule_that_is_not_there_are_borne(tmp_path: Path) -> None:
    rules = {**RULES, "tried": RULES["tried"].replace(MANAGEMENT, "example.log")}
    del rules["new"]
    found = needs(tmp_path, rules=rules)
    assert (found["example.log"].is_on_by_default, found["example.log"].what, found["example.log"].blind) == (None, "", ("probe",))
    assert found[MANAGEMENT].blind == ("flood",)

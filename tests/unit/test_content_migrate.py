"""Retired ids in tags: what takes their place, what is left to a person, and that nothing else of a file changes."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.content.migrate import Migrated, OpenTag, TagChange, migrate_text
from aibr_hunt.content.yaml import load_documents
from aibr_hunt.errors import ContentErrors

CATALOGUE: Catalogue = load_catalogue(Path(__file__).resolve().parents[2] / "mappings")

BLOCK = """\
title: Logging off    # what it finds
tags:   # the tags
    - attack.defense-impairment
    - 'attack.t1562.008'      # was its own technique
    - "attack.t1110"
level: high
"""


def migrated(text: str) -> Migrated:
    return migrate_text(text, "x.yml", CATALOGUE)


def tags(line: str) -> str:
    """Return what becomes of one flow list."""
    return migrated(f"tags: [{line}]\n").after.removeprefix("tags: [").removesuffix("]\n")


# --- what is replaced --------------------------------------------------------------------------------------------------------------


def test_only_the_characters_of_the_tag_change() -> None:
    found = migrated(BLOCK)
    assert found.after == BLOCK.replace("attack.t1562.008", "attack.t1685.002")
    assert found.changes == (TagChange(line=4, old="attack.t1562.008", new=("attack.t1685.002",)),)
    assert found.open_tags == ()


def test_a_file_that_is_up_to_date_stays_byte_for_byte() -> None:
    text = "tags: [attack.impact, attack.t1485]\r\n# end\r\n"
    assert migrated(text) == Migrated(before=text, after=text, changes=(), open_tags=())


def test_line_ends_of_windows_stay() -> None:
    text = "a: b\r\ntags:\r\n- attack.t1562.008\r\n- attack.impact\r\n"
    assert migrated(text).after == text.replace("attack.t1562.008", "attack.t1685.002")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("attack.t1562.008", "attack.t1685.002"),
        ("attack.T1562.008", "attack.t1685.002"),
        ("'attack.t1562.008', attack.t1110", "'attack.t1685.002', attack.t1110"),
        ("atlas.aml.t0058", "atlas.aml.t0115.001"),
        ("atlas.ai-attack-staging, atlas.aml.t0018", "atlas.ai-attack-adaptation, atlas.aml.t0018"),
        ("attack.credential_access, attack.t1110", "attack.credential-access, attack.t1110"),
        ("cve.2021-44228, attack.g0016, attack.t1485", "cve.2021-44228, attack.g0016, attack.t1485"),
    ],
)
def test_a_tag_with_one_successor_gives_way_to_it(before: str, after: str) -> None:
    assert tags(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("attack.t1562.001, attack.t1685, attack.impact", "attack.t1685, attack.impact"),
        ("attack.impact, attack.t1685, attack.t1562.001", "attack.impact, attack.t1685"),
        ("attack.t1562.001, attack.t1562, attack.impact", "attack.t1685, attack.impact"),
        ("attack.t1685 , attack.t1562.001", "attack.t1685 "),
        ("attack.t1562.001, attack.t1562, attack.t1685", "attack.t1685"),
        ("attack.t1685, attack.t1562.001, attack.t1562", "attack.t1685"),
        ("attack.t1562, attack.t1685, attack.t1562.001, attack.t1562.006, attack.impact", "attack.t1685, attack.impact"),
        ("cve.2024-1, attack.t1562, attack.t1685", "cve.2024-1, attack.t1685"),
    ],
)
def test_no_tag_comes_to_stand_twice(before: str, after: str) -> None:
    assert tags(before) == after


def test_a_flow_list_over_lines_keeps_its_comments() -> None:
    text = "tags: [\n  attack.t1685,  # one\n  attack.t1562.001,\n  attack.impact, attack.t1562\n]\n"
    found = migrated(text)
    assert "# one" in found.after
    assert found.after == "tags: [\n  attack.t1685,  # one\n  attack.t1562.001,\n  attack.impact\n]\n"
    assert [each.tag for each in found.open_tags] == ["attack.t1562.001"]


def test_a_line_of_a_tag_that_is_there_already_goes_with_its_line() -> None:
    text = "tags:\n  - attack.t1685\n  - attack.t1562.001\n  - attack.impact\n"
    assert migrated(text).after == "tags:\n  - attack.t1685\n  - attack.impact\n"


def test_a_comment_never_goes_with_a_tag() -> None:
    text = "tags:\n  - attack.t1685\n  - attack.t1562.001  # keep me\n"
    found = migrated(text)
    assert (found.after, found.changes) == (text, ())
    (left,) = found.open_tags
    assert (left.line, left.tag) == (3, "attack.t1562.001")


def test_every_document_of_a_file_is_migrated() -> None:
    text = "title: a\ntags: [attack.t1562.008]\n---\ntitle: b\ntags:\n- attack.t1562.008\n"
    assert migrated(text).after == text.replace("t1562.008", "t1685.002")
    assert [each.line for each in migrated(text).changes] == [2, 6]


def test_the_techniques_of_a_hunt_are_migrated_too() -> None:
    text = "hunt: x\ntechniques:\n  - attack.t1562.008\n  - atlas.aml.t0019\n"
    assert migrated(text).after == "hunt: x\ntechniques:\n  - attack.t1685.002\n  - atlas.aml.t0115.000\n"


def test_words_of_a_detection_are_no_tags() -> None:
    text = "detection:\n  tags: [attack.t1562.001]\n  sel:\n    x: attack.t1562.001\nreferences: [attack.t1562.001]\n# attack.t1562.001\n"
    assert migrated(text).after == text


def test_an_alias_of_a_list_is_changed_where_the_list_stands() -> None:
    text = "tags: &t [attack.t1562.008]\ntechniques: *t\n"
    found = migrated(text)
    assert (found.after, len(found.changes)) == (text.replace("t1562.008", "t1685.002"), 1)


def test_an_anchor_on_a_tag_leaves_it_to_a_person() -> None:
    text = "tags:\n- &a attack.t1562.008\n"
    found = migrated(text)
    if found.changes:
        assert found.after == "tags:\n- &a attack.t1685.002\n"
    else:
        assert (found.after, [each.candidates for each in found.open_tags]) == (text, [("attack.t1685.002",)])


# --- the tactic that was split -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("attack.defense-evasion, attack.t1685", "attack.defense-impairment, attack.t1685"),
        ("attack.defense_evasion, attack.t1685", "attack.defense-impairment, attack.t1685"),
        ("attack.defense-evasion, attack.t1562.001", "attack.defense-impairment, attack.t1685"),
        ("attack.defense-evasion, attack.t1070", "attack.stealth, attack.t1070"),
        ("attack.defense-evasion, attack.t1070, attack.t1685", "attack.stealth, attack.defense-impairment, attack.t1070, attack.t1685"),
        ("attack.defense-evasion, attack.defense-impairment, attack.t1685", "attack.defense-impairment, attack.t1685"),
        ("attack.persistence, attack.defense-evasion, attack.t1078.004", "attack.persistence, attack.stealth, attack.t1078.004"),
    ],
)
def test_techniques_that_leave_no_choice_decide_about_the_tactic(before: str, after: str) -> None:
    assert tags(before) == after


def test_the_techniques_of_a_hunt_decide_about_its_tags() -> None:
    text = "hunt: x\ntags: [attack.defense-evasion]\ntechniques: [attack.t1562.008]\n"
    assert migrated(text).after == "hunt: x\ntags: [attack.defense-impairment]\ntechniques: [attack.t1685.002]\n"


def test_two_tactics_in_a_block_list_take_two_lines() -> None:
    text = "tags:\n  - attack.defense-evasion\n  - attack.t1070\n  - attack.t1685\n"
    assert migrated(text).after == "tags:\n  - attack.stealth\n  - attack.defense-impairment\n  - attack.t1070\n  - attack.t1685\n"


def test_a_tactic_without_a_technique_is_never_guessed() -> None:
    found = migrated("tags: [attack.defense-evasion]\n")
    why = "the catalogue names several successors"
    candidates = ("attack.stealth", "attack.defense-impairment")
    assert found.open_tags == (OpenTag(line=1, tag="attack.defense-evasion", why=why, candidates=candidates),)
    assert (found.after, found.changes) == (found.before, ())


def test_what_was_withdrawn_without_a_successor_is_told_of() -> None:
    (left,) = migrated("tags: [attack.t1061]\n").open_tags
    assert (left.tag, left.candidates, left.why) == ("attack.t1061", (), "it is retired, and nothing took its place")


def test_atlas_keeps_its_tactic_of_the_same_name() -> None:
    assert tags("atlas.defense-evasion, atlas.aml.t0015") == "atlas.defense-evasion, atlas.aml.t0015"


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(ContentErrors, match="no YAML"):
        migrated("tags: [attack.t1562.001\n")


# --- properties --------------------------------------------------------------------------------------------------------------------

KNOWN = [*sorted(CATALOGUE.retired), "attack.t1685", "attack.t1070", "attack.t1078.004", "attack.impact", "cve.2024-1", "attack.s0001"]
# All of them become one technique: what is left must not be told twice.
SAME = [
    "attack.t1562",
    "attack.t1562.001",
    "attack.t1562.006",
    "attack.t1089",
    "attack.t1054",
    "attack.t1685",
    "attack.impact",
    "attack.defense-evasion",
]
TEXTS = st.builds(
    lambda listed, is_block, quote: (
        "a: 1 # first\ntags:" + "".join(f"\n  - {quote}{each}{quote}" for each in listed) + "\nz: 'attack.t1562.001' # last\n"
        if is_block
        else f"a: 1 # first\ntags: [{', '.join(f'{quote}{each}{quote}' for each in listed)}]\nz: 'attack.t1562.001' # last\n"
    ),
    st.one_of(
        st.lists(st.sampled_from(KNOWN), min_size=1, max_size=8, unique=True),
        st.lists(st.sampled_from(SAME), min_size=1, max_size=8, unique=True),
    ),
    st.booleans(),
    st.sampled_from(["", "'", '"']),
)


@given(TEXTS)
def test_a_second_migration_changes_nothing_and_no_retired_tag_is_left_unsaid(text: str) -> None:
    once = migrated(text)
    twice = migrated(once.after)
    assert (twice.after, twice.changes) == (once.after, ())
    (document,) = load_documents(once.after, "x")
    assert isinstance(document.value, dict)
    left = document.value["tags"]
    assert isinstance(left, list)
    gone = {str(each) for each in left if str(each) in CATALOGUE.retired}
    assert gone == {each.tag for each in twice.open_tags}
    assert len(left) == len({str(each) for each in left})


@given(TEXTS)
def test_lines_besides_the_tags_are_never_touched(text: str) -> None:
    changed = [line for line in difflib.ndiff(text.splitlines(), migrated(text).after.splitlines()) if line[0] in "+-"]
    assert all("attack." in line or "atlas." in line for line in changed)
    assert not any("first" in line or "last" in line for line in changed)

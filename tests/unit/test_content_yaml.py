"""YAML as content is written: values that mean what they look like, lines of everything, and bombs refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.yaml import MAX_NESTING, YamlValue, load_documents, load_yaml
from aibr_hunt.errors import ContentErrors


def value(text: str) -> YamlValue:
    return load_yaml(text, "f.yml").value


def faults(text: str) -> list[str]:
    with pytest.raises(ContentErrors) as refused:
        load_documents(text, "f.yml")
    return [str(error) for error in refused.value.errors]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("x", "x"),
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("5.0", 5.0),
        ("-1.50", -1.5),
        ("123456789.123456", 123456789.123456),
        ("99999999999", 99_999_999_999),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("[]", []),
        ("{}", {}),
        ("'0123'", "0123"),
        ('"no"', "no"),
        ("'123456789012'", "123456789012"),
        ("|-\n  0123", "0123"),
        (">-\n  no", "no"),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("1.2.3.4", "1.2.3.4"),
        ("1,000", "1,000"),
        ("=", "="),
        ("<<", "<<"),
        ("1-2", "1-2"),
        ("nope", "nope"),
        ("NaN", "NaN"),
        ("'*'", "*"),
        ("!!binary aGk=", "aGk="),
        ("!!python/object/apply:os.system [x]", ["x"]),
    ],
)
def test_a_value_means_what_it_looks_like(written: str, read: YamlValue) -> None:
    found = value(f"a: {written}")
    assert found == {"a": read}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(read)


TRAPS = {
    "0123": "octal",
    "007": "octal",
    "00": "octal",
    "0_1": "octal",
    "-012": "octal",
    "012345678901": "octal",
    "0x1F": "another base",
    "0b101": "another base",
    "0o17": "another base",
    "1_000": "underscores",
    "685_230.15": "underscores",
    "1:30": "base 60",
    "190:20:30": "base 60",
    "12:30:45.5": "base 60",
    "1e5": "float",
    "1.5E-3": "float",
    ".inf": "float",
    "-.Inf": "float",
    ".NaN": "float",
    "+5": "sign or the dot",
    ".5": "sign or the dot",
    "5.": "sign or the dot",
    "123456789012345.1": "a float keeps 15 digits",
    "0.1234567890123456": "a float keeps 15 digits",
    "123456789012": "account id",
    "-123456789012": "account id",
    **dict.fromkeys(("y", "Y", "yes", "YES", "n", "N", "no", "No", "on", "On", "off", "OFF"), "true or false"),
}


@pytest.mark.parametrize(("written", "why"), TRAPS.items(), ids=TRAPS)
def test_a_value_that_yaml_would_change_is_refused_unquoted_with_its_line(written: str, why: str) -> None:
    [fault] = faults(f"# first\nb: 1\na:\n  - x\n  - {written}\n")
    assert fault.startswith(f"f.yml:5: has the unquoted value {written}: ")
    assert why in fault
    assert fault.endswith(f"Write '{written}' to mean the text.")
    assert value(f"a: '{written}'") == {"a": written}


def test_a_file_on_which_nothing_depends_may_hold_traps() -> None:
    assert load_yaml("a: [0123, no, 5]", "f.yml", catch_traps=False).value == {"a": ["0123", "no", 5]}


def test_keys_are_texts() -> None:
    assert value("5: a\nno: b\n~: c\n0123: d") == {"5": "a", "no": "b", "~": "c", "0123": "d"}


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3", "x:\n  - {a: 1,\n     a: 2}", "1: x\n'1': z"], ids=repr)
def test_a_repeated_key_is_refused_at_its_second_place(text: str) -> None:
    [fault] = faults(text)
    assert "repeats the key" in fault
    assert fault.startswith(("f.yml:3:", "f.yml:2:"))


def test_every_fault_of_every_document_is_shown() -> None:
    found = faults("a: 0123\nb: no\nb: x\n---\nc: 1e5\n? [k]\n: v\n")
    assert [fault.split(": ")[0] for fault in found] == ["f.yml:1", "f.yml:2", "f.yml:3", "f.yml:5", "f.yml:6"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", 2),
        ("a: 'x", 1),
        ("\ta: 1", 1),
        ("a: b: c", 1),
        ("*nowhere", 1),
        ('a: "\\uD800"', 1),
        ("a: 1\n- b", 2),
        ("%YAML 3.0\n---\na", 1),
    ],
)
def test_text_that_is_no_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    [fault] = faults(text)
    assert "is no YAML: " in fault
    assert fault.startswith(f"f.yml:{line}: ")


def test_control_signs_are_refused() -> None:
    assert faults("a: \x01")[0].startswith("f.yml: is no YAML: ")


def test_a_mark_at_the_start_of_the_file_is_no_part_of_it() -> None:
    assert value("\ufeffa: 1") == {"a": 1}


def test_merged_maps_give_way_to_own_keys_and_earlier_ones_to_later_never() -> None:
    text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nboth: {<<: [*one, *two], c: 3}\nsingle: {<<: *two, b: 9}"
    found = value(text)
    assert isinstance(found, dict)
    assert found["both"] == {"a": 1, "b": 1, "c": 3}
    assert found["single"] == {"b": 9, "c": 2}


@pytest.mark.parametrize("merged", ["5", "[x]", "[{a: 1}, x]"])
def test_only_maps_can_be_merged(merged: str) -> None:
    assert faults(f"a: 1\nb:\n  <<: {merged}") == ["f.yml:3: merges what is no map. After << write the alias of a map, or a list of such."]


# --- lines -------------------------------------------------------------------------------------------------------------------------


def test_every_key_and_item_knows_its_line_and_what_is_missing_that_of_its_parent() -> None:
    document = load_yaml("# c\na:\n  b:\n    - x\n    - c: 1\n", "f.yml")
    places = [(), ("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1, "c"), ("a", "b", 7), ("a", "z", "y"), ("q",)]
    assert [document.line(*place) for place in places] == [2, 2, 3, 4, 5, 3, 2, 2]


# --- documents ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a: 1\n", ["a: 1\n"]),
        ("a: 1\n---\nb: 2\n", ["a: 1\n", "b: 2\n"]),
        ("---\na: 1\n---\nb: 2\n---\n", ["a: 1\n", "b: 2\n"]),
        ("a: 1\n---\n---\nb: 2\n", ["a: 1\n", "b: 2\n"]),
        ("{a: 1}\n--- {b: 2}\n--- {c: 3}\n", ["{a: 1}\n", "--- {b: 2}\n", "--- {c: 3}\n"]),
        ("a: 1\n...\n---\nb: 2\n", ["a: 1\n...\n", "b: 2\n"]),
        ("", []),
        ("# only a comment\n", []),
        ("---\n", []),
    ],
    ids=repr,
)
def test_documents_keep_their_own_text_and_empty_ones_are_left_out(text: str, texts: list[str]) -> None:
    assert [document.text for document in load_documents(text, "f.yml")] == texts


def test_lines_are_those_of_the_file_in_every_document() -> None:
    assert [document.line("b") for document in load_documents("b: 1\n---\n\nb: 2\n", "f.yml")] == [1, 4]


@pytest.mark.parametrize(("text", "what"), [("", "holds no YAML document"), ("a: 1\n---\nb: 1\n", "holds 2 documents, one was expected")])
def test_one_document_is_asked_for_and_one_is_given(text: str, what: str) -> None:
    with pytest.raises(ContentErrors, match=what):
        load_yaml(text, "f.yml")


# --- bombs -------------------------------------------------------------------------------------------------------------------------


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    [fault] = faults(bomb)
    assert "opens to more than 400,000 values. Split the file." in fault


def test_an_alias_of_its_own_parent_is_refused() -> None:
    assert "nests over 60 levels" in faults("a: &a [*a]")[0]


def test_a_merge_of_its_own_parent_is_refused() -> None:
    assert "nests over 60 levels" in faults("a: &a {<<: *a}")[0]


DEEP = 200_000  # libyaml composes by recursion: unchecked, each of these ends the process
SHAPES = {
    "lists": "a: " + "[" * DEEP,
    "closed lists": "a: " + "[" * DEEP + "]" * DEEP,
    "maps": "{a: " * DEEP,
    "dashes": "- " * DEEP + "x",
    "question marks": "? " * DEEP + "x",
    "indented": "\n".join(" " * level + "a:" for level in range(2000)),
    "indented dashes": "\n".join(f"{' ' * level}- a:\n{' ' * level}  - a:" for level in range(0, 2000, 2)),
    "many lines": "\n".join(["["] * DEEP),
    "anchored": "- &a " * DEEP,
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_deep_nesting_is_refused_before_it_can_do_harm(text: str) -> None:
    [fault] = faults(text)
    assert "nests over 60 levels. Write it flatter." in fault or "is no YAML" in fault


def test_nesting_up_to_the_limit_is_read() -> None:
    assert value("a: " + "[" * (MAX_NESTING - 2) + "]" * (MAX_NESTING - 2))
    assert "nests over" in faults("a: " + "[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1))[0]


def test_brackets_in_texts_are_no_nesting() -> None:
    assert value("a: '" + "[{" * 500 + "'") == {"a": "[{" * 500}


SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**10), 10**10) | SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAFE_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_json_means_the_same_as_yaml(read: YamlValue) -> None:
    """JSON without escapes is YAML; NEL and its kin are line breaks to YAML, so they are escaped."""
    text = json.dumps(read, ensure_ascii=True)
    if "\\ud" not in text:  # YAML has no surrogate pairs
        assert load_yaml(text, "f.json").value == read

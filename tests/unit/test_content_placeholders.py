"""Lists for placeholders, and texts with placeholders replaced by every choice of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.placeholders import expanded, load_placeholders
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.content.values import Refused
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.predicate import Star, Text, TextOp

LISTS = {"a": ("1", "2"), "b c": ("x*",), "slash": ("d\\",)}


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_lists_are_read_with_or_without_their_provenance_and_later_folders_win(tmp_path: Path) -> None:
    write(tmp_path / "one", "short.yml", "['x', 'y']\n")
    write(tmp_path / "one", "long.yaml", "provenance: somewhere\nverified: 2026-01-02\nvalues:\n  - 'p'\n  - '123456789012'\n")
    write(tmp_path / "two", "short.yml", "values: ['z']\n")
    write(tmp_path / "two", "notes.md", "nothing")
    assert load_placeholders([tmp_path / "one", tmp_path / "two"]) == {"short": ("z",), "long": ("p", "123456789012")}
    assert load_placeholders([]) == {}


@pytest.mark.parametrize(
    "text", ["[]", "values: []", "values: x", "values: ['']", "values: [5]", "values: [null]", "values: [[x]]", "x: [a]", "text"]
)
def test_a_file_that_holds_no_list_of_texts_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "one", "list.yml", text)
    with pytest.raises(ContentErrors, match=r"list\.yml:1: holds no list of texts\. Write `values:` and one quoted text a line\."):
        load_placeholders([tmp_path / "one"])


def test_a_trap_in_a_list_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "one", "list.yml", "values:\n  - x\n  - 123456789012\n")
    with pytest.raises(ContentErrors, match=r"list\.yml:3: has the unquoted value 123456789012"):
        load_placeholders([tmp_path / "one"])


def test_a_file_that_is_no_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "list.yml").write_bytes(b"values: ['\xff']")
    with pytest.raises(ContentErrors, match=r"list\.yml: cannot be read"):
        load_placeholders([tmp_path])


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("plain", ["plain"]),
        ("%a%", ["1", "2"]),
        ("x%a%y", ["x1y", "x2y"]),
        ("%a%%a%", ["11", "12", "21", "22"]),
        ("*%b c%", ["*x\\*"]),
        ("%slash%", ["d\\\\"]),
        ("100%", ["100%"]),
        ("%%", ["%%"]),
        ("5% of", ["5% of"]),
        (r"\%a%", [r"\\1", r"\\2"]),
        (r"\\%a%", [r"\\1", r"\\2"]),
        (r"\\\%a%", [r"\\\\1", r"\\\\2"]),
        ("%a*b%", ["%a*b%"]),
    ],
)
def test_every_choice_of_values_is_written_out(text: str, texts: list[str]) -> None:
    assert list(expanded(text, LISTS)) == texts


def test_a_placeholder_without_values_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"the placeholder %nope% has no values\.") as refused:
        list(expanded("%a% %nope%", LISTS))
    assert refused.value.hint == "Add mappings/values/nope.yml. Known: %a%, %b c%, %slash%."
    with pytest.raises(Refused) as refused:
        list(expanded("%x%", {}))
    assert refused.value.hint.endswith("Known: none.")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_listed_value_is_a_plain_text_whatever_it_holds(value: str) -> None:
    text = "title: t\nlogsource: {product: p}\ndetection: {s: {'f|expand': '%v%'}, condition: s}\n"
    assert load_rule_text(text, "r.yml", placeholders={"v": (value,)}).predicate == Text(field="f", op=TextOp.EQUALS, literal=value)


@given(st.text("a\\*?", max_size=4), st.text("a\\*?", min_size=1, max_size=4), st.text("a\\*?", max_size=4))
def test_a_listed_value_keeps_its_letters_between_any_neighbours(before: str, value: str, after: str) -> None:
    """A harmless value in its place shows what stands around it."""
    written, harmless = (parts_of(next(expanded(f"{before}%v%{after}", {"v": (each,)}))) for each in (value, "V"))
    assert written == [part if isinstance(part, Star) else part.replace("V", value) for part in harmless]


def parts_of(sigma_text: str) -> list[str | Star]:
    """The plain runs and wildcards that a Sigma text stands for."""
    quoted = sigma_text.replace("'", "''")
    text = f"title: t\nlogsource: {{product: p}}\ndetection: {{s: {{f: '{quoted}'}}, condition: s}}\n"
    found = load_rule_text(text, "r.yml").predicate
    assert isinstance(found, Text)
    start = [Star.ANY] if found.op in {TextOp.CONTAINS, TextOp.ENDSWITH} else []
    end = [Star.ANY] if found.op in {TextOp.CONTAINS, TextOp.STARTSWITH} else []
    return list(found.pattern) if found.op is TextOp.WILDCARD else [*start, found.literal, *end]

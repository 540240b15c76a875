"""Literals that an expression cannot do without: never more than can be proven, whatever the expression looks like."""

from __future__ import annotations

import itertools
import random

import pytest
import re2
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from aibr_hunt.meaning.regex_literal import required_runs

PIECES = st.sampled_from(
    [
        "abcd",
        "ab",
        "x",
        r"\.",
        r"\d",
        r"\w+",
        "[a-c]",
        "[^x]",
        r"[\]a]",
        ".",
        "^",
        "$",
        r"\b",
        "a?",
        "b*",
        "c+",
        "d{2}",
        "e{0,3}",
        "f{2,}",
        "{",
        "}",
        "-",
    ]
)


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3)
    group = st.sampled_from(["({})", "(?:{})", "(?P<n>{})?", "({})*", "({})+", "(?:{}){{0,2}}", "(?i:{})"])
    return st.one_of(several.map("".join), several.map("|".join), st.builds(lambda shape, one: shape.format(one), group, inner))


PATTERNS = st.recursive(PIECES, joined, max_leaves=8)


def holds_a_branch(pattern: str, text: str) -> bool:
    branches = required_runs(pattern)
    return branches is None or any(all(run.lower() in text.lower() for run in runs) for runs in branches)


def compiled(pattern: str) -> re2._Regexp | None:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


@given(st.data(), PATTERNS)
def test_a_text_that_matches_holds_all_runs_of_one_branch(data: st.DataObject, pattern: str) -> None:
    program = compiled(pattern)
    assume(program is not None)
    try:
        text = data.draw(st.from_regex(pattern), label="text")
    except Exception:  # noqa: BLE001 - Python refuses some expressions that RE2 takes, each with a class of its own
        reject()
    assert program is not None
    if program.search(text):
        assert holds_a_branch(pattern, text)


@pytest.mark.parametrize("seed", range(6))
def test_no_expression_of_strange_signs_proves_too_much(seed: int) -> None:
    """Random expressions from the signs that are hardest to read, each tried on every short text."""
    rng = random.Random(seed)
    signs = [
        "a",
        "b",
        "|",
        "(",
        ")",
        "*",
        "?",
        "+",
        "[",
        "]",
        "^",
        "-",
        "\\",
        "\\Q",
        "\\E",
        "{",
        "}",
        "{2}",
        "{0,1}",
        ",",
        "[:",
        ":]",
        "\\x61",
        "\\pL",
        "(?i)",
    ]
    texts = ["".join(text) for size in range(5) for text in itertools.product("ab)|", repeat=size)]
    tried = 0
    while tried < 250:
        pattern = "".join(rng.choices(signs, k=rng.randint(2, 9)))
        program = compiled(pattern)
        if program is None:
            continue
        tried += 1
        wrong = [text for text in texts if program.search(text) and not holds_a_branch(pattern, text)]
        assert wrong == [], pattern


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        ("abcd", [["abcd"]]),
        ("^abcd$", [["abcd"]]),
        ("(?i)AbCd", [["AbCd"]]),
        ("ab.cd", [["ab", "cd"]]),
        (r"a\.b", [["a.b"]]),
        (r"a\\b\/c\-d", [["a\\b/c-d"]]),
        ("abcd|efgh", [["abcd"], ["efgh"]]),
        ("abcd|", [["abcd"], []]),
        ("(abcd|x)efgh", [["efgh"]]),
        ("abc(?:d)e", [["abc", "e"]]),
        ("abcd?e", [["abc", "e"]]),
        ("abcd*", [["abc"]]),
        ("abcd+e", [["abcd", "e"]]),
        ("abcd{2}e", [["abc", "e"]]),
        ("abcd{0,}e", [["abc", "e"]]),
        ("abcd{,2}e", [["abcd{,2}e"]]),
        ("abcd{x", [["abcd{x"]]),
        ("abcd{}", [["abcd{}"]]),
        ("ab[cd]ef", [["ab", "ef"]]),
        ("ab[]c]ef", [["ab", "ef"]]),
        ("ab[^]c]ef", [["ab", "ef"]]),
        (r"ab[\]c]ef", [["ab", "ef"]]),
        ("ab[[:alpha:]x]ef", [["ab", "ef"]]),
        ("ab[:]ef", [["ab", "ef"]]),
        (r"ab\x41cd\x{1F600}ef", [["ab", "cd", "ef"]]),
        (r"ab\101cd", [["ab", "cd"]]),
        (r"ab\pLcd\p{Greek}ef\PN", [["ab", "cd", "ef"]]),
        (r"ab\bcd\Aef\zgh", [["ab", "cd", "ef", "gh"]]),
        (r"ab(c\)d)ef", [["ab", "ef"]]),
        ("ab(c[)]d)ef", [["ab", "ef"]]),
        ("ab(c(d)e)fg", [["ab", "fg"]]),
        ("", [[]]),
        (".*", [[]]),
    ],
)
def test_the_runs_of_an_expression(pattern: str, runs: list[list[str]]) -> None:
    assert compiled(pattern) is not None
    assert [list(branch) for branch in required_runs(pattern) or ()] == runs


@pytest.mark.parametrize("pattern", [r"\Qa|b\E", r"(\Q)\Ewxyz|bcde)", r"abcd\Q*"])
def test_quoting_is_not_followed_wherever_it_stands(pattern: str) -> None:
    assert compiled(pattern) is not None
    assert required_runs(pattern) is None


@pytest.mark.parametrize("pattern", ["ab(", "ab[", "ab\\", "ab\\x{41", "ab[\\", "ab(c\\"])
def test_a_broken_expression_is_read_to_its_end(pattern: str) -> None:
    """RE2 refuses these before anybody asks; reading them must only end."""
    assert required_runs(pattern) is not None

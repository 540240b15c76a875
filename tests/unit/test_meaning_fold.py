"""The fold: one pinned table, the eight letters that stand for themselves, and nothing else."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.meaning.fold import fold

UNFOLDED = "\u0130\u0131\u017f\u212a\u212b\u2126\u1e9e\u03c2"
EVERY = "".join(chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000)


@pytest.mark.parametrize("letter", UNFOLDED, ids=lambda letter: f"U+{ord(letter):04X}")
def test_a_letter_on_which_engines_differ_stands_for_itself(letter: str) -> None:
    assert fold(letter) == letter
    assert fold(f"A{letter}B") == f"a{letter}b"


def test_no_other_letter_folds_to_a_letter_on_which_engines_differ() -> None:
    assert [f"U+{ord(other):04X}" for other in EVERY if other not in UNFOLDED and fold(other) in UNFOLDED] == []


@pytest.mark.skipif(not unicodedata.unidata_version.startswith("14."), reason="this Python knows another Unicode than the pinned table")
def test_the_pinned_table_is_the_simple_lower_case_of_unicode_14() -> None:
    """Python gives the full mapping; it differs from the simple one only where the result is longer, which is U+0130 alone."""
    wrong = [f"U+{ord(each):04X}" for each in EVERY if each not in UNFOLDED and fold(each) != each.lower()]
    assert wrong == []


def test_newer_unicode_changes_nothing_that_the_table_folds() -> None:
    """Case mappings are stable: a later Python may fold more letters, never another way."""
    wrong = [f"U+{ord(each):04X}" for each in EVERY if fold(each) != each and fold(each) != each.lower()]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ÀÉ", "àé"),
        ("Straße", "straße"),
        ("ΣΑΣ", "σασ"),
        ("ΌΧΙ", "όχι"),
        ("ДА", "да"),
        ("Ǆ ǅ ǆ", "ǆ ǆ ǆ"),
        ("ﬀ", "ﬀ"),
        ("Å", "å"),
        ("A\u030a", "a\u030a"),
    ],
)
def test_single_letters_fold_and_nothing_is_normalised(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_keeps_the_length_and_is_done_once(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(), st.text())
def test_folding_goes_letter_by_letter(left: str, right: str) -> None:
    assert fold(left + right) == fold(left) + fold(right)

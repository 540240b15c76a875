"""Text of an attacker stays text, wherever it is shown."""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aibr_hunt.model.text import for_csv, for_markdown, for_markdown_prose, for_terminal, shorten, visible
from tests.unit.report_samples import PAYLOADS

ANY_TEXT = st.text(st.characters(codec=None)) | st.text(st.sampled_from("\\u0aU\x1b\u202e\nx1"))
# Signs of category Cf that are seen: Arabic and Kaithi number marks.
SEEN_FORMAT = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def undo(text: str) -> str:
    """Return what `visible` was given: the proof that nothing was lost and no two texts look alike."""

    def read(match: re.Match[str]) -> str:
        slashes, code = match[1], match[2]
        kept = "\\" * (len(slashes) // 2)
        return kept + chr(int(code[1:], 16)) if len(slashes) % 2 else kept + code

    return re.sub(r"(\\+)(u[0-9a-f]{4}|U[0-9a-f]{8})", read, text)


@given(ANY_TEXT)
def test_visible_can_be_undone_so_no_two_texts_look_alike(text: str) -> None:
    assert undo(visible(text)) == text


def test_no_code_point_that_cannot_be_seen_stays() -> None:
    everything = "x".join(chr(code) for code in range(sys.maxunicode + 1))
    left = {char for char in set(visible(everything)) if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}}
    assert {ord(char) for char in left} <= SEEN_FORMAT


@pytest.mark.parametrize("code", [0x115F, 0x3164, 0xFFA0, 0x2800, 0x34F, 0xFE0F, 0xE0100, 0x180E, 0x17B4])
def test_fillers_and_selectors_that_show_nothing_are_written_out(code: int) -> None:
    assert visible(chr(code)) == (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


@pytest.mark.parametrize("text", ["", "CORP\\user", "C:\\temp\\x", "arn:aws:iam::123456789012:user/a", "日本語", "naïve ☃ 🎉", "עברית"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_a_text_that_looks_like_an_escape_is_told_from_the_character() -> None:
    assert visible("\\u202e") == "\\\\u202e"
    assert visible("\u202e") == "\\u202e"


def test_a_tower_of_combining_marks_ends_after_four() -> None:
    assert visible("e" + "\u0301" * 9) == "e" + "\u0301" * 4 + "\\u0301" * 5


@given(ANY_TEXT)
def test_output_can_always_be_encoded(text: str) -> None:
    visible(text).encode("utf-8")
    for_terminal(text, keep_lines=True).encode("utf-8")


def test_lines_stay_only_when_asked_for() -> None:
    assert for_terminal("a\n\tb\r\x1b[0m") == "a\\u000a\\u0009b\\u000d\\u001b[0m"
    assert for_terminal("a\n\tb\r\x1b[0m", keep_lines=True) == "a\n\tb\\u000d\\u001b[0m"
    assert for_terminal("a\\\nb", keep_lines=True) == "a\\\nb"


@given(ANY_TEXT, st.integers(24, 200))
def test_shortening_keeps_the_limit_and_both_ends(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (text.startswith(short[:1]) and text.endswith(short[-1:]) and f"{len(text)} characters" in short)


def test_shortening_says_how_long_the_text_was() -> None:
    assert shorten("a" * 500 + "b" * 500, 60) == "a" * 28 + "[…1000 characters…]" + "b" * 13
    assert shorten("abc", 0) == "abc"
    assert shorten("x" * 10_000_000, 24) == "x" * 23 + "…"  # no room for the count
    assert len(for_terminal("x" * 999, limit=40)) == 40


def inline(text: str) -> list[str]:
    """Return the types of what a renderer finds in `text`, plain text and code left out."""
    tokens = [child for token in MARKDOWN.parse(text) for child in (token, *(token.children or ()))]
    return [token.type for token in tokens if token.type not in {"text", "code_inline", "text_special"}]


def shown(text: str) -> str:
    return "".join(child.content for token in MARKDOWN.parse(text) for child in token.children or ())


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("frame", ["{}", "- {}", "- **{}** x", "### {}", "| a | b |\n| - | - |\n| {} | x |", "x {} y"])
@pytest.mark.parametrize("escape", [for_markdown, for_markdown_prose])
def test_nothing_is_active_in_markdown(payload: str, frame: str, escape: type[str]) -> None:
    assert inline(frame.replace("{}", escape(payload))) == inline(frame.replace("{}", "benign"))


@given(st.text(st.sampled_from("\\`*_[]()<>&|~$!#^{}-+=.:1a @\n\t\x1b/w")))
def test_markdown_escapes_hold_in_a_table_cell(text: str) -> None:
    for escape in (for_markdown, for_markdown_prose):
        table = f"| a | b |\n| - | - |\n| {escape(text)} | x |"
        assert inline(table) == inline("| a | b |\n| - | - |\n| benign | x |")


@given(st.text(st.sampled_from("\\*_[]()<>&~$!^{}-+=.1a "), min_size=1))
def test_prose_reads_as_it_was_written(text: str) -> None:
    rendered = shown(f"x {for_markdown_prose(text)} x")
    assert rendered.split() == ["x", *text.split(), "x"]


@pytest.mark.parametrize(
    "word", ["https://evil.example.com", "www.evil.example.com", "a@example.com", "javascript:alert(1)", "#12", "@team"]
)
def test_a_word_that_renderers_link_by_themselves_becomes_code(word: str) -> None:
    assert for_markdown_prose(f"see {word} now") == f"see `{word}` now"


def test_an_empty_value_is_a_dash_in_markdown() -> None:
    assert for_markdown("") == "—"


def cells(text: str, delimiter: str) -> list[str]:
    sheet = io.StringIO()
    csv.writer(sheet, quoting=csv.QUOTE_ALL).writerow([text, "x"])
    line = sheet.getvalue().strip()
    return next(csv.reader([line], delimiter=delimiter))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_cell_is_a_formula_whatever_separates_them(payload: str, delimiter: str) -> None:
    assert not [cell for cell in cells(for_csv(payload), delimiter) if cell.lstrip(" \"'").startswith(FORMULA) and not cell.startswith("'")]


@given(st.text(st.sampled_from("=+-@;\t\r\n\"' a,|\uff1d")))
def test_the_guard_holds_for_any_mixture_of_separators_quotes_and_signs(text: str) -> None:
    for delimiter in ",;":
        for cell in cells(for_csv(text), delimiter):
            assert not cell.lstrip(" \"'").startswith(FORMULA) or cell.startswith("'")


def test_ordinary_cells_are_left_alone() -> None:
    for text in ("arn:aws:iam::123456789012:user/a", "2026-03-14T02:07:00Z", "a-b=c", "Mozilla/5.0 (X11; Linux)"):
        assert for_csv(text) == text

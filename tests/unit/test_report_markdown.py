"""The Markdown report says what the page says, and stays text in every renderer."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from aibr_hunt.report import Extent, render_markdown
from tests.unit.report_samples import PAYLOADS, clean, findings, lead, poison

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> list[Token]:
    return [child for token in MARKDOWN.parse(text) for child in (token, *(token.children or ()))]


def skeleton(text: str) -> list[tuple[str, list[str]]]:
    """Return what a renderer would build, running text and code spans left out."""
    left_out = {"text", "code_inline", "softbreak", "text_special"}
    return [(token.type, sorted(token.attrs)) for token in tokens(text) if token.type not in left_out]


def harmless(payload: str) -> str:
    """Return a twin of the payload that keeps what has a meaning to the report: slashes of paths, a note's first mark."""
    return re.sub(r"(?!^!)[^/]+", "é", payload)


@cache
def benign_skeleton(payload: str) -> list[tuple[str, list[str]]]:
    return skeleton(render_markdown(poison(findings(), payload)))


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_payload_in_every_text_changes_nothing_that_a_renderer_builds(payload: str) -> None:
    hostile = render_markdown(poison(findings(), payload))
    assert skeleton(hostile) == benign_skeleton(harmless(payload))
    assert not [
        token for token in tokens(hostile) if token.type in {"html_inline", "html_block", "image", "link_open", "fence", "code_block"}
    ]
    hostile.encode("utf-8")
    running = " ".join(token.content for token in tokens(hostile) if token.type == "text")
    assert not re.search(r"://|www\.|\S@\S|javascript:|mailto:", running, flags=re.IGNORECASE)


def test_no_control_or_bidirectional_character_reaches_the_text() -> None:
    hostile = render_markdown(poison(findings(), "a\x1b[31m\u202eb\u200b\x00\r\n\u2066"))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", hostile)


def test_what_was_not_seen_comes_before_what_was_found() -> None:
    headings = re.findall(r"^## (.*)$", render_markdown(findings()), flags=re.MULTILINE)
    assert headings == [
        *("What was not seen", "What was looked at", "Hypotheses", "Leads", "Who and what is involved", "Techniques", "Next steps"),
        "Appendix: what this rests on",
    ]


def test_every_link_leads_to_a_heading_and_every_lead_has_one() -> None:
    text = render_markdown(findings())
    headings = {heading.lower() for heading in re.findall(r"^### (L-[0-9a-f]+)$", text, flags=re.MULTILINE)}
    targets = {str(token.attrs["href"]).removeprefix("#") for token in tokens(text) if token.type == "link_open"}
    assert targets == headings
    assert headings == {item.id.lower() for item in findings().leads}


def test_beyond_its_extent_it_links_to_nothing_that_it_does_not_tell() -> None:
    crowd = replace(findings(), leads=tuple(lead(number) for number in range(30)), extent=Extent(cards=2, rows=10, links=3))
    text = render_markdown(crowd)
    headings = {heading.lower() for heading in re.findall(r"^### (L-[0-9a-f]+)$", text, flags=re.MULTILINE)}
    assert len(headings) == 2
    assert {str(token.attrs["href"]).removeprefix("#") for token in tokens(text) if token.type == "link_open"} <= headings


def test_every_table_is_a_table_with_as_many_cells_as_its_head() -> None:
    text = render_markdown(findings())
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(blocks) > 10
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1
    assert len(blocks) == sum(1 for token in tokens(text) if token.type == "table_open")


def test_a_clean_run_still_says_what_was_not_seen() -> None:
    text = render_markdown(clean())
    assert "**In any case not seen:**" in text
    assert "**No rule matched any event that was read.**" in text


def test_equal_findings_give_equal_text() -> None:
    assert render_markdown(findings()) == render_markdown(findings())

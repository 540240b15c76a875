"""The page of coverage: tiers, heat maps and case studies in HTML and Markdown; the rows of CSV and JSON."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.report.coverage_page import CoveragePage, build_coverage_page, render_coverage_html, render_coverage_markdown
from aibr_hunt.report.coverage_rows import STUDY_COLUMNS, TECHNIQUE_COLUMNS, other_rows, studies_csv, technique_row, techniques_csv
from aibr_hunt.report.studies import judge_studies
from aibr_hunt.report.techniques import KnownRule, Scope, Sight, TechniqueCoverage, cover
from tests.unit.coverage_samples import row, rule, studies, target

WORLD = target(
    row("T1485", "C", {"aws": ("s3:DeleteBucket",)}, note="only with a trail"),
    row("T1530", "D", {"gcp": ("storage.objects.get",)}),
    row("T1190", "X"),
    row("AML.T0048", "P", {"aws": ("bedrock-runtime:Converse",)}),
    row("AML.T0047", "N"),
    unclassified=["T1531"],
)
RULES = (
    rule("deletes", "attack.t1485", requires=("aws.x",)),
    rule("claims", "attack.t1190"),
    rule("draft", "atlas.aml.t0048", tested=False),
)
VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta"})


class Reader(HTMLParser):
    """Keeps the tags and the words of a page, and refuses a tag that does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text.append(data)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(Path(__file__).resolve().parents[2] / "mappings")


def page_of(catalogue: Catalogue, *rules: KnownRule, sight: Sight | None = None, scope: Scope = "all") -> CoveragePage:
    found = cover(WORLD, rules, sight or Sight())
    answers = judge_studies(studies(CS0001=["AML.T0048", "AML.T0047"], CS0002=["AML.T0047"]), found, scope=scope)
    return build_coverage_page(
        found,
        catalogue,
        answers,
        scope=scope,
        studies_version="5.6.0",
        made_at=datetime(2026, 2, 1, tzinfo=UTC),
        tool_version="0.0.0",
    )


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_needs_nothing_from_outside_and_holds_no_script(catalogue: Catalogue) -> None:
    text = render_coverage_html(page_of(catalogue, *RULES))
    reader = read(text)
    names = {tag for tag, _ in reader.tags}
    assert not names & {"script", "link", "iframe", "img", "object", "form"}
    assert not [attributes for _, attributes in reader.tags if "src" in attributes or any(key.startswith("on") for key in attributes)]
    assert [each for _, each in reader.tags if (each.get("href") or "#")[0] != "#"] == []
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text


def test_equal_coverage_gives_equal_pages(catalogue: Catalogue) -> None:
    assert render_coverage_html(page_of(catalogue, *RULES)) == render_coverage_html(page_of(catalogue, *RULES))


def test_each_cell_says_its_state_in_words_beside_its_colour(catalogue: Catalogue) -> None:
    reader = read(render_coverage_html(page_of(catalogue, *RULES, sight=Sight(off=frozenset({"aws.x"})))))
    cells = [attributes for _, attributes in reader.tags if (attributes.get("class") or "").startswith("cell ")]
    states = sorted({(attributes["class"] or "").split(" ", 1)[1] for attributes in cells})
    assert states == ["blind", "no-rule", "not-classified", "not-observable", "written"]
    words = " ".join(reader.text)
    for state in ("blind, C, 1 rule", "no rule, D", "not classified", "not observable, X", "written, P"):
        assert state in words
    decorative = [attributes for tag, attributes in reader.tags if tag == "i"]
    assert decorative
    assert all(attributes.get("aria-hidden") == "true" for attributes in decorative)


def test_every_table_has_a_caption_and_heads_with_a_scope(catalogue: Catalogue) -> None:
    reader = read(render_coverage_html(page_of(catalogue, *RULES)))
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("table") == tags.count("caption") == 3
    assert all("scope" in attributes for tag, attributes in reader.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    links = {(attributes.get("href") or "")[1:] for tag, attributes in reader.tags if tag == "a"}
    assert len(ids) == len(set(ids))
    assert links <= set(ids)


def test_text_of_others_is_inert_on_the_page(catalogue: Catalogue) -> None:
    evil = replace(rule("x", "attack.t1485"), name="<script>alert(1)</script>\u202e|x")
    page = page_of(catalogue, evil)
    html, markdown = render_coverage_html(page), render_coverage_markdown(page)
    assert "<script>" not in html
    assert "\u202e" not in html
    assert "\u202e" not in markdown
    assert "<script>" not in re.sub(r"`[^`\n]*`", "", markdown)
    read(html)


def test_the_owners_notices_stand_on_the_page(catalogue: Catalogue) -> None:
    page = page_of(catalogue)
    for text in (" ".join(read(render_coverage_html(page)).text), render_coverage_markdown(page).replace("\\", "")):
        assert "reproduced and distributed with the permission of The MITRE Corporation" in text
        assert "Apache License, Version 2.0" in text


def test_the_markdown_has_the_figures_and_the_answers(catalogue: Catalogue) -> None:
    text = render_coverage_markdown(page_of(catalogue, *RULES)).replace("\\", "")
    assert "| aws | C, control plane | 1 | 1 | 0 | 0 | 0 | 0 |" in text
    assert "| all clouds | P, prompt and response | 1 | 0 | 1 | 0 | 0 | 0 |" in text
    assert "**yes** 0, **partly** 0, **no** 2 of 2 case studies" in text
    assert "1 technique: not classified yet. They count in no tier." in text
    rows = [line for line in text.splitlines() if line.startswith("| AML.CS")]
    assert len(rows) == 2
    assert all(row.count("|") == 7 for row in rows)


def test_one_cloud_shows_its_own_tiers_and_greys_the_rest(catalogue: Catalogue) -> None:
    page = page_of(catalogue, *RULES, scope="aws")
    assert {each.scope for each in page.figures} == {"aws"}
    states = {cell.technique.id: (cell.state, cell.note) for map_ in page.maps for column in map_.columns for cell in column.cells}
    assert states["T1530"] == ("not observable", "no event of aws is known for it")
    assert states["T1485"] == ("tested", "only with a trail")


def test_a_column_counts_what_is_observable_and_tested_in_it(catalogue: Catalogue) -> None:
    (attack,) = [map_ for map_ in page_of(catalogue, *RULES).maps if map_.framework == "attack"]
    (impact,) = attack.columns
    assert (impact.tactic.name, impact.observable, impact.tested, len(impact.cells)) == ("Impact", 2, 1, 4)


# --- rows --------------------------------------------------------------------------------------------------------------------------


def coverage_of(*rules: KnownRule) -> TechniqueCoverage:
    return cover(WORLD, rules, Sight())


def test_csv_has_one_row_for_each_technique_of_each_scope_and_no_formula() -> None:
    evil = replace(rule("x", "attack.t1485"), name="=cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO(techniques_csv(coverage_of(evil), ("aws", "all")))))
    assert [(each["scope"], each["technique"]) for each in rows] == [
        ("aws", "T1485"),
        ("aws", "AML.T0048"),
        ("all", "T1485"),
        ("all", "T1530"),
        ("all", "AML.T0048"),
    ]
    assert tuple(rows[0]) == TECHNIQUE_COLUMNS
    assert not rows[0]["rules"].startswith("=")
    assert (rows[0]["state"], rows[0]["blind"], rows[0]["events"]) == ("tested", "false", "s3:DeleteBucket")


def test_csv_of_case_studies_names_the_state_of_each_technique() -> None:
    answers = judge_studies(studies(CS0001=["AML.T0048", "AML.T0047"]), coverage_of(*RULES))
    (only,) = csv.DictReader(io.StringIO(studies_csv(answers)))
    assert tuple(only) == STUDY_COLUMNS
    assert (only["seen"], only["techniques"]) == ("no", "AML.T0048 written; AML.T0047 not observable")


def test_a_row_says_why_a_rule_is_not_tested() -> None:
    cell = coverage_of(*RULES).cell("atlas.aml.t0048")
    assert cell is not None
    assert technique_row(cell)["untested_rules"] == ["draft: it has no cases"]


def test_what_no_tier_counts_has_rows_of_its_own() -> None:
    rows = list(other_rows(coverage_of(*RULES, rule("odd", "attack.t1003"), rule("far", "attack.t1485", clouds="azure"))))
    assert [(each["kind"], each["technique"], each["rules"]) for each in rows] == [
        ("not observable", "T1190", ["claims"]),
        ("not observable", "AML.T0047", []),
        ("not classified", "T1531", []),
        ("not held", "attack.t1003", ["odd"]),
        ("beyond known events", "T1485", ["far"]),
    ]

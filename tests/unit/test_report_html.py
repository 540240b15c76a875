"""The HTML report: whole, linked, bounded, and inert whatever the logs say."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aibr_hunt.model.lead import TriageState
from aibr_hunt.report import Extent, Findings, render_html
from tests.unit.report_samples import PAYLOADS, account, broken_account, clean, findings, lead, poison

VOID = {"meta", "br", "link", "img", "input", "hr"}


@dataclass
class Reading(HTMLParser):
    """What a parser finds in a page: its elements with attributes, and its text."""

    elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def read(page: str) -> Reading:
    reading = Reading()
    reading.feed(page)
    reading.close()
    assert not reading.open
    return reading


def skeleton(page: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Return the page's elements with the names of their attributes, and the values of those that could act."""
    kept = {"class", "role", "http-equiv", "content", "lang", "rel"}
    return [
        (tag, [(name, value if name in kept and "aibr-hunt" not in (value or "") else None) for name, value in attrs])
        for tag, attrs in read(page).elements
    ]


def harmless(payload: str) -> str:
    """Return a twin of the payload that keeps what has a meaning to the report: slashes of paths, a note's first mark."""
    return re.sub(r"(?!^!)[^/]+", "é", payload)


def attributes(page: str, name: str) -> list[str]:
    return [value or "" for _, attrs in read(page).elements for key, value in attrs if key == name]


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(findings())


@cache
def benign_skeleton(payload: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    return skeleton(render_html(poison(findings(), payload)))


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_payload_in_every_text_changes_no_element_and_every_link_stays_in_the_page(payload: str) -> None:
    hostile = render_html(poison(findings(), payload))
    assert skeleton(hostile) == benign_skeleton(harmless(payload))
    assert read(hostile).comments == []
    hostile.encode("utf-8")
    ids = attributes(hostile, "id")
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in ids)
    assert {target.removeprefix("#") for target in attributes(hostile, "href")} <= set(ids)


def test_no_control_or_bidirectional_character_reaches_the_page() -> None:
    hostile = render_html(poison(findings(), "a\x1b[31m\u202eb\u200b\x00\u2066"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", hostile)
    assert "a\\u001b[31m\\u202eb\\u200b\\u0000\\u2066" in hostile


def test_the_page_forbids_everything_but_its_own_style(page: str) -> None:
    reading = read(page)
    policy = next(dict(attrs)["content"] for tag, attrs in reading.elements if dict(attrs).get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert not {tag for tag, _ in reading.elements} & {
        "script",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "link",
        "img",
        "image",
        "foreignobject",
    }
    assert not [name for _, attrs in reading.elements for name, _ in attrs if name.startswith("on")]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_link_and_every_lead_id_has_its_place(page: str) -> None:
    ids = set(attributes(page, "id"))
    assert {target.removeprefix("#") for target in attributes(page, "href")} <= ids
    mentioned = set(re.findall(r"L-[0-9a-f]{12}", page))
    assert mentioned == {item.id for item in findings().leads}
    assert mentioned <= ids


def test_what_was_not_seen_comes_before_what_was_found(page: str) -> None:
    places = [page.index(f'id="{name}"') for name in ("summary", "not-seen", "looked-at", "hypotheses", "timeline", "leads", "involved")]
    places += [page.index(f'id="{name}"') for name in ("techniques", "next-steps", "appendix")]
    assert places == sorted(places)
    assert page.index('id="G-1"') < page.index('id="leads"')


def test_gaps_stand_before_cautions(page: str) -> None:
    kinds = [
        dict(attrs).get("class") for tag, attrs in read(page).elements if tag == "li" and (dict(attrs).get("id") or "").startswith("G-")
    ]
    assert None in kinds
    assert "caution" in kinds
    assert kinds == sorted(kinds, key=lambda kind: kind is not None)


def test_a_run_without_leads_and_gaps_still_says_what_was_not_seen() -> None:
    quiet = render_html(clean())
    assert "No lead; no gap is on record within what was asked. That bounds the question, not what happened." in quiet
    assert "In any case not seen:" in quiet
    assert "No rule matched any event that was read." in quiet
    assert "There is no lead to draw." in quiet


def test_a_run_without_leads_but_with_gaps_leads_with_the_gaps() -> None:
    blind = render_html(findings(0))
    assert re.search(r'class="outcome">No lead; \d+ gaps: rules refused', blind)
    assert "No gap is on record" not in blind


def file_table(page: str) -> list[list[str]]:
    table = page[page.index('class="files"') :]
    table = table[: table.index("</table>")]
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    return [re.findall(r'<td class="n">([^<]*)</td>', row) for row in rows[1:]]


@pytest.mark.parametrize("files", [3, 500])
def test_the_table_of_files_adds_up_to_the_byte(files: int) -> None:
    accounts = (*(account(number) for number in range(files - 1)), broken_account(files))
    shown = render_html(findings(accounts=accounts))
    *rows, total = [[int(cell.replace(",", "")) for cell in row] for row in file_table(shown)]
    assert [sum(column) for column in zip(*rows, strict=True)] == total
    classes = total[-6:-1]
    content = total[-7]
    assert sum(classes) == content == sum(item.content_size for item in accounts)
    assert "adds up to the byte" in shown


def test_a_total_that_does_not_add_up_says_so() -> None:
    wrong = replace(account(0), content_size=1)
    shown = render_html(findings(accounts=(wrong, account(1))))
    assert "does not add up" in shown
    assert "adds up to the byte" not in shown
    assert "Do not rely on these files" in shown


def test_equal_findings_give_equal_pages(page: str) -> None:
    assert render_html(findings()) == page


def test_the_page_is_the_same_in_another_process_with_other_hash_seeds(tmp_path: Path) -> None:
    code = "import sys; from tests.unit.report_samples import findings; from aibr_hunt.report import render_html; "
    code += "sys.stdout.write(render_html(findings()))"
    pages = []
    for seed in ("1", "2"):
        environment = {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": ".",
            "PYTHONIOENCODING": "utf-8",
            "MPLCONFIGDIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        root = Path(__file__).resolve().parents[2]
        pages.append(subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True).stdout)
    assert pages[0] == pages[1]
    assert len(pages[0]) > 10_000


def many(count: int) -> Findings:
    return replace(findings(), leads=tuple(lead(number) for number in range(count)))


def test_five_thousand_leads_stay_small_and_fast() -> None:
    crowd = many(5000)
    render_html(findings())  # the first use of matplotlib is not what is measured
    started = time.process_time()
    shown = render_html(crowd)
    assert time.process_time() - started < 5
    assert len(shown.encode()) < 5_000_000
    assert set(re.findall(r"L-[0-9a-f]{12}", shown)) == {item.id for item in crowd.leads}
    ids = {name.removeprefix("row-") for name in attributes(shown, "id")}
    assert {item.id for item in crowd.leads} <= ids
    assert shown.count("<article") == crowd.extent.cards


def test_beyond_its_extent_the_page_links_to_nothing_that_it_does_not_show() -> None:
    crowd = replace(many(60), extent=Extent(cards=3, rows=10, links=4, items=2, fields=3))
    shown = render_html(crowd)
    assert {target.removeprefix("#") for target in attributes(shown, "href")} <= set(attributes(shown, "id"))
    assert shown.count("<article") == 3
    assert "10 of 60 leads, in order of time (UTC). The gravest are shown" in shown
    assert "57 further leads are told in full in the JSON report." in shown


def test_leads_that_were_set_aside_give_way_to_live_ones() -> None:
    grave = replace(lead(0), level="critical", state=TriageState.DISMISSED)
    mild = replace(lead(1), level="low")
    shown = render_html(replace(findings(0), leads=(grave, mild), extent=Extent(cards=1)))
    assert f'<article id="{mild.id}"' in shown
    assert f'<article id="{grave.id}"' not in shown


def test_a_hundred_thousand_files_make_a_small_page() -> None:
    one = account(0)
    accounts = tuple(replace(one, path=f"logs/2026/03/{number % 28:02d}/{number}.json.gz") for number in range(120_000))
    shown = render_html(clean(accounts=accounts))
    assert len(shown) < 200_000
    assert "120,000 files" in shown
    assert "Grouped by folder" in shown


def test_without_matplotlib_the_page_says_so_and_keeps_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    shown = render_html(findings())
    assert "The timeline could not be drawn:" in shown
    assert "matplotlib is not installed" in shown
    assert "<svg" not in shown
    assert '<table class="leads">' in shown


def test_long_values_are_shortened_around_their_length() -> None:
    long = replace(lead(0), principal="arn:" + "a" * 3000 + ":end")
    shown = render_html(replace(findings(0), leads=(long,)))
    assert "a" * 400 not in shown
    assert "3008 characters…]" in shown
    assert ":end" in shown


def test_sentences_of_authors_are_bounded_too() -> None:
    assert "a" * 2500 not in render_html(replace(findings(), title="a" * 90_000))


def test_a_lead_whose_id_is_no_plain_name_gets_a_numbered_anchor() -> None:
    odd = replace(lead(0), id='x" onclick="y')
    shown = render_html(replace(findings(0), leads=(odd,)))
    assert 'id="lead-1"' in shown
    assert 'href="#lead-1"' in shown
    assert 'onclick="' not in shown


def test_suppressed_and_dismissed_leads_are_counted_and_shown(page: str) -> None:
    assert "9</b><span>leads, 2 set aside" in page
    assert "suppressed by" in page
    assert "dismissed" in page


def test_the_catalogues_are_named_with_version_and_notice(page: str) -> None:
    assert "MITRE ATT&amp;CK 19.1" in page
    assert "MITRE ATLAS 2026.09" in page
    assert "ATT&amp;CK is a registered trademark of The MITRE Corporation" in page
    assert "No rule of this report asks about: Impact." in page


def test_the_appendix_names_every_digest_and_the_way_to_verify(page: str) -> None:
    whole = findings()
    appendix = page[page.index('id="appendix"') :]
    assert "aibr-hunt evidence verify" in appendix
    for digest in (whole.runs[0].query_digest, *(item.text_digest for item in whole.rules), *(item.digest for item in whole.accounts)):
        assert digest in appendix
    for item in whole.leads:
        assert all(sighting.raw_digest in page and sighting.canonical_digest in page for sighting in item.sightings)

"""The timeline: every timed lead has a mark, whatever their number and their times."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.model.window import Window
from aibr_hunt.report import timeline_svg
from aibr_hunt.report.timeline import Plot, lay_out
from tests.unit.report_samples import START, coverage, lead, rule

SVG = "{http://www.w3.org/2000/svg}"


def at(*moments: datetime) -> list[Lead]:
    return [replace(lead(number), time=moment) for number, moment in enumerate(moments)]


def plotted(leads: Sequence[Lead]) -> Plot:
    plot = lay_out(leads)
    assert plot is not None
    return plot


def drawn(leads: Sequence[Lead]) -> ET.Element:
    text = timeline_svg(leads)
    assert text is not None
    return ET.fromstring(text)  # noqa: S314 - as above


def test_no_lead_with_a_time_makes_no_picture() -> None:
    assert timeline_svg([]) is None
    assert timeline_svg([replace(lead(0), time=None)]) is None


def test_one_lead_makes_one_mark_that_links_to_it() -> None:
    root = drawn([lead(0)])
    links = [link.get("href") for link in root.iter(f"{SVG}a")]
    assert links == [f"#{lead(0).id}"]


def test_leads_of_one_instant_share_one_mark_with_their_number() -> None:
    root = drawn([replace(lead(number * 5), time=START) for number in range(12)])
    assert len(list(root.iter(f"{SVG}a"))) == 1
    assert "12" in ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_picture_has_a_title_and_a_description_in_words() -> None:
    root = drawn([lead(number) for number in range(6)])
    assert root.findtext(f"{SVG}title") == "Timeline of leads"
    assert (root.findtext(f"{SVG}desc") or "").startswith("6 leads in 5 rows, from 2026-03-14")
    assert root.get("aria-labelledby") == "timeline-title timeline-desc"


def test_the_picture_stands_alone_and_leaves_the_page_in_peace() -> None:
    text = timeline_svg([lead(number) for number in range(6)])
    assert text is not None
    for foreign in ("<style", "<script", "<image", "<metadata", "DOCTYPE", "<?xml", "@font-face", "xlink"):
        assert foreign not in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_labels_of_rules_are_text_and_no_mathematics() -> None:
    named = [replace(lead(0), rule_name="$\\frac{1}{0}$ <b>&\u202e日本語")]
    root = drawn(named)
    assert "$\\frac{1}{0}$ <b>&\\u202e日本語" in ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_equal_leads_give_equal_pictures() -> None:
    leads = [lead(number) for number in range(40)]
    assert timeline_svg(leads) == timeline_svg(leads)


def test_five_thousand_leads_are_gathered_into_few_marks_that_lose_none() -> None:
    leads = [lead(number) for number in range(5000)]
    plot = plotted(leads)
    assert len(plot.marks) <= 5 * 37
    assert sorted(lead_id for mark in plot.marks for lead_id in mark.lead_ids) == sorted(item.id for item in leads)


def test_a_mark_shows_the_gravest_of_its_leads() -> None:
    pair = [replace(lead(0), level="low", time=START), replace(lead(5), level="critical", time=START)]
    mark = plotted(pair).marks[0]
    assert mark.level == "critical"
    assert mark.lead_ids[0] == lead(5).id


def test_rows_beyond_eighteen_share_the_last() -> None:
    crowd = [replace(lead(number), rule_name=f"rule {number:02d}", level="low") for number in range(30)]
    plot = plotted(crowd)
    assert len(plot.lanes) == 18
    assert plot.lanes[-1].label == "13 more"
    assert plot.lanes[-1].leads == 13
    assert sum(lane.leads for lane in plot.lanes) == 30


def test_rows_can_stand_for_principals() -> None:
    plot = lay_out([lead(0), lead(1), replace(lead(2), principal="")], lanes="principal")
    assert plot is not None
    assert {lane.label for lane in plot.lanes} == {lead(0).principal, lead(1).principal, "no principal named"}


def test_untimed_leads_are_named_and_not_placed() -> None:
    plot = plotted([lead(0), replace(lead(1), time=None)])
    assert plot.untimed == (lead(1).id,)
    assert plot.leads == 1


def test_windows_that_nobody_looked_at_are_shaded_in_their_row_only() -> None:
    rules = [rule(0), rule(1)]
    leads = [lead(number, asked=rules[number % 2]) for number in range(10)]
    dark = Window(start=START + timedelta(seconds=100), end=START + timedelta(days=400))
    rows = [coverage(rules[0], CoverageState.SOURCE_SILENT, window=dark), coverage(rules[1])]
    plot = lay_out(leads, coverage=rows)
    assert plot is not None
    blind = {lane.label: lane.blind for lane in plot.lanes}
    assert blind["rule_1"] == ()
    assert blind["rule_0"] == ((START.timestamp() + 100, plot.end_s),)
    text = timeline_svg(leads, coverage=rows)
    assert text is not None
    assert "not looked at" in text


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1, max_size=8))
def test_any_times_give_few_ticks_inside_the_plot_and_a_mark_for_each_lead(moments: list[datetime]) -> None:
    plot = plotted(at(*moments))
    assert plot.start_s < plot.end_s
    assert len(plot.ticks) <= 12
    assert all(plot.start_s <= tick <= plot.end_s for tick, _ in plot.ticks)
    assert all(plot.start_s <= mark.at_s <= plot.end_s for mark in plot.marks)
    assert sum(len(mark.lead_ids) for mark in plot.marks) == len(moments)


@pytest.mark.parametrize("year", [1, 1969, 2026, 9999])
def test_times_at_the_edges_of_the_calendar_can_be_drawn(year: int) -> None:
    edge = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) if year == 9999 else datetime(year, 1, 1, tzinfo=UTC)
    assert timeline_svg(at(edge, START)) is not None
    assert timeline_svg(at(edge)) is not None


def test_without_matplotlib_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert timeline_svg([lead(0)]) is None

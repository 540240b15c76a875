"""The parts of a page: words, totals, who is involved, the matrix, the fields of an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aibr_hunt.model.event import Json
from aibr_hunt.model.lead import CoverageState, Pulse
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window
from aibr_hunt.report.involved import involved, key_ids
from aibr_hunt.report.matrix import matrices
from aibr_hunt.report.page import build_page, flatten
from aibr_hunt.report.totals import common_folder, coverage_lines, file_rows, source_pulses, spanned, total_row
from aibr_hunt.report.words import by_time, byte_size, level_name, listed, number, plural, span_text, time_text, window_text
from tests.unit.report_samples import START, TACTICS, WINDOW, account, broken_account, coverage, findings, lead, rule, technique


def test_times_are_told_in_utc_with_a_fraction_only_where_there_is_one() -> None:
    assert time_text(datetime(2026, 3, 14, 4, 7, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-14 02:07:00Z"
    assert time_text(datetime(2026, 3, 14, 2, 7, 0, 120_000, tzinfo=UTC)) == "2026-03-14 02:07:00.12Z"
    assert time_text(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01 00:00:00Z"
    assert time_text(None) == "untimed"


def test_windows_say_which_side_has_no_bound() -> None:
    assert window_text(Window()) == span_text(Window()) == "no bound on time"
    assert window_text(Window(start=START)) == "from 2026-03-14 02:07:00Z to no end"
    assert window_text(Window(end=START)) == "from the beginning to 2026-03-14 02:07:00Z (not included)"
    assert span_text(WINDOW) == "2026-03-01 to 2026-03-15"
    assert span_text(Window(start=START)) == "2026-03-14 02:07:00Z to open end"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (9999, "9,999 bytes"),
        (10_000, "10.0 kB"),
        (999_999, "1000.0 kB"),
        (2_500_000, "2.5 MB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_sizes_are_exact_while_small_and_rounded_when_large(count: int, text: str) -> None:
    assert byte_size(count) == text


def test_counts_read_as_english() -> None:
    assert plural(1, "lead") == "1 lead"
    assert plural(1200, "lead") == "1,200 leads"
    assert plural(2, "rule was", "rules were") == "2 rules were"
    assert number(3.0) == "3"
    assert number(3.25) == "3.25"
    assert [listed([]), listed("a"), listed("ab"), listed("abc")] == ["", "a", "a and b", "a, b and c"]


def test_a_level_that_sigma_does_not_know_gets_a_style_of_ours() -> None:
    assert level_name("critical") == "critical"
    assert level_name('x" onclick="') == "other"


def test_leads_are_ordered_by_time_and_untimed_ones_come_last() -> None:
    late, early, untimed = lead(5), lead(1), replace(lead(0), time=None)
    assert by_time([untimed, late, early]) == (early, late, untimed)


def test_files_keep_their_names_below_the_folder_they_share() -> None:
    accounts = (account(0), account(1))
    assert common_folder(accounts) == "logs/2026/03/"
    assert [row.name for row in file_rows(accounts, limit=5, root="logs/2026/03/")] == ["01/0.json.gz", "02/1.json.gz"]
    assert common_folder(accounts[:1]) == ""
    assert common_folder((replace(account(0), path="a"), replace(account(1), path="b"))) == ""


def test_groups_of_files_are_as_deep_as_the_limit_allows_and_lose_no_byte() -> None:
    accounts = tuple(replace(account(number), path=f"logs/{number % 3}/{number % 50}/{number}.gz") for number in range(300))
    rows = file_rows(accounts, limit=60, root="logs/")
    assert len(rows) == 3
    assert file_rows(accounts, limit=299, root="logs/")[0].name == "0/0/…"
    assert sum(row.content_bytes for row in rows) == total_row(accounts).content_bytes
    assert sum(row.files for row in rows) == 300


def test_a_group_says_how_many_of_its_files_are_in_doubt() -> None:
    accounts = tuple(replace(broken_account(number) if number < 2 else account(number), path=f"a/{number}.gz") for number in range(9))
    (row,) = file_rows(accounts, limit=3, root="a/")
    assert row.doubt == "2 of these files in doubt"
    assert row.duplicates == 2


def test_coverage_is_one_line_a_rule_and_source_the_gravest_first() -> None:
    rules = [rule(0), rule(1)]
    rows = [coverage(rules[0]), coverage(rules[1]), coverage(rules[1], CoverageState.STALE, cause="older meaning"), coverage(rule(9))]
    lines = coverage_lines(rows, rules)
    assert [(line.rule_id, line.worst) for line in lines] == [
        (rules[1].id, CoverageState.STALE),
        (rule(9).id, CoverageState.SETTLED),
        (rules[0].id, CoverageState.SETTLED),
    ]
    assert lines[0].states == ((CoverageState.STALE, 1), (CoverageState.SETTLED, 1))
    assert lines[0].causes == ("older meaning",)


def test_a_span_without_a_bound_stays_without_it() -> None:
    assert spanned([WINDOW, Window(start=START)]) == Window(start=WINDOW.start)
    assert spanned([Window(end=START), WINDOW]) == Window(end=WINDOW.end)


def test_the_longest_silence_of_a_source_lies_between_two_hours_with_events() -> None:
    hour = START.replace(minute=0)
    beats = [
        Pulse(source="s", key="k", hour=hour + timedelta(hours=gone), events=count) for gone, count in ((0, 5), (1, 1), (4, 0), (9, 2))
    ]
    (pulse,) = source_pulses(beats)
    assert (pulse.events, pulse.hours, pulse.silence, pulse.silence_after) == (8, 3, timedelta(hours=7), hour + timedelta(hours=1))
    (steady,) = source_pulses(beats[:2])
    assert steady.silence_after is None


def test_those_involved_are_told_with_all_their_leads_the_gravest_first() -> None:
    leads = [replace(lead(number), principal="p" if number % 2 else "q", level="low" if number % 2 else "high") for number in range(4)]
    principals = involved(leads)[0]
    assert [name.value for name in principals.names] == ["q", "p"]
    assert principals.names[0].lead_ids == (leads[0].id, leads[2].id)
    assert (principals.names[0].first, principals.names[0].last) == (leads[0].time, leads[2].time)


def test_leads_that_name_nobody_are_counted() -> None:
    assert involved([replace(lead(0), address="")])[1].unnamed == 1


def test_key_ids_are_found_at_any_depth_under_their_names_only() -> None:
    event: Json = {
        "a": [{"accessKeyId": "AKIAIOSFODNN7EXAMPLE"}],
        "secretAccessKey": "no",
        "accessKeyId": 5,
        "b": {"serviceAccountKeyName": "k"},
    }
    assert key_ids(event) == ("AKIAIOSFODNN7EXAMPLE", "k")
    deep: Json = {"accessKeyId": "too deep"}
    for _ in range(5000):
        deep = [deep]
    assert key_ids(deep) == ()


def test_an_event_is_flattened_in_its_own_order_with_a_count_of_the_rest() -> None:
    event: Json = {"b": 1, "a": [None, {"c": True}], "e": {}, "f": [], "g": "text", "h": 2.5}
    assert flatten(event, limit=20) == (
        (("b", "1"), ("a[0]", "null"), ("a[1].c", "true"), ("e", "{}"), ("f", "[]"), ("g", "text"), ("h", "2.5")),
        0,
    )
    assert flatten(event, limit=2) == ((("b", "1"), ("a[0]", "null")), 5)
    assert flatten("bare", limit=2) == ((("(the record)", "bare"),), 0)


def test_flattening_ends_at_a_depth() -> None:
    deep: Json = "bottom"
    for _ in range(5000):
        deep = {"x": deep}
    ((_, text),), left_out = flatten(deep, limit=5)
    assert text == "{…}"
    assert left_out == 0


def test_the_matrix_keeps_the_order_of_tactics_and_shows_what_was_asked_in_vain() -> None:
    asked = [rule(0, techniques=(technique(1),)), rule(1, techniques=(technique(1), technique(2)))]
    (matrix,) = matrices(asked, [replace(lead(0), techniques=(technique(2),))], TACTICS)
    assert [column.tactic.name for column in matrix.columns] == ["Persistence", "Privilege Escalation"]
    assert [(cell.technique.id, cell.rules, cell.lead_ids) for cell in matrix.columns[0].cells] == [
        ("T1002", 1, (lead(0).id,)),
        ("T1001", 2, ()),
    ]
    assert [tactic.name for tactic in matrix.unasked] == ["Impact"]
    assert matrix.versions == ("19.1",)


def test_a_tactic_that_the_catalogue_lacks_is_shown_by_its_id() -> None:
    foreign = Technique(framework="atlas", id="AML.T9", name="n", tactics=("AML.TA9999",), version="1")
    (matrix,) = matrices([rule(0, techniques=(foreign,))], [], TACTICS)
    assert matrix.columns[0].tactic.name == "AML.TA9999"


def test_a_technique_without_a_tactic_is_still_shown() -> None:
    homeless = Technique(framework="attack", id="T9", name="n", tactics=(), version="1")
    (matrix,) = matrices([rule(0, techniques=(homeless,))], [], ())
    assert matrix.columns[0].cells[0].technique == homeless


def test_equal_findings_give_equal_pages() -> None:
    assert build_page(findings()) == build_page(findings())

"""What every test may ask for: hypothesis profiles (AIBR_HYPOTHESIS chooses one) and published log samples (AIBR_SAMPLES says where)."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time is measured by benches only, so no profile has a deadline. A slow machine is no fault of a rule.
settings.register_profile(
    "ci",  # the same examples each time: a push is judged by what it changes
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", deadline=None, print_blob=True)  # new examples each time, failures remembered
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("AIBR_HYPOTHESIS", "ci"))

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of published log samples; a test that asks for it is skipped, visibly, where AIBR_SAMPLES is unset."""
    named = os.environ.get("AIBR_SAMPLES", "")
    if not named:
        pytest.skip("AIBR_SAMPLES is unset: no published log samples")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"AIBR_SAMPLES names no folder: {folder}")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what parity tests recorded of their cells: a green dot does not say how much it stands for."""
    rows = [
        str(value)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in report.user_properties
        if name == "parity"
    ]
    if rows:
        terminalreporter.section("parity")
        for row in sorted(rows):
            terminalreporter.line(row)


# These load a JVM and .NET, with threads and signal handlers of their own, into the test process; others ask them in a process apart.
_NATIVE = ("tests/parity/test_injection",)


# These run over the whole content, draw thousands of cells or start commands: to trace every line of that would double the time.
_UNTRACED = (
    "tests/cli/test_cli_hunts.py::TestDemo",
    "tests/cli/test_cli_offline.py",
    "tests/docs/test_docs_lake.py",
    "tests/faults/test_ledger_kill.py",
    "tests/golden/",
    "tests/parity/",
    "tests/unit/test_deploy_pack.py",
    "tests/unit/test_hunt_lake.py",
    "tests/unit/test_intake_parse.py::test_reading_gives_back_what_was_written",
    "tests/unit/test_lake_scan.py::test_a_thousand_random_rules",
    "tests/unit/test_oracle_bench.py",
    "tests/unit/test_oracle_cases.py",
    "tests/unit/test_sigma_plugin.py",
    "tests/unit/test_testing.py::test_shipped_cases_get_their_answers",
    "tests/unit/test_testing.py::test_check_is_strict_with_shipped_rules",
    "tests/unit/test_testing.py::test_no_check_finds_an_error_in_shipped_content",
    "tests/unit/test_testing_hunts.py::test_every_incident_of_every_shipped_hunt",
    "tests/wire/test_faults.py",
    "tests/wire/test_scenarios.py",
)


# Families of like cases: each test run takes one of so many, always the same ones, and `make slow` takes the rest.
_THINNED = {
    "tests/parity/test_checkers.py::test_programs_find_the_cases_that_the_matcher_finds": 4,
    "tests/unit/test_report_html.py::test_a_payload_in_every_text_changes_no_element_and_every_link_stays_in_the_page": 3,
    "tests/unit/test_report_jobs.py::test_no_text_of_a_job_is_active": 3,
    "tests/unit/test_report_markdown.py::test_a_payload_in_every_text_changes_nothing_that_a_renderer_builds": 3,
    "tests/unit/test_sigma_plugin.py::test_two_conversions_of_one_collection_give_the_same_text": 3,
    "tests/unit/test_testing_hunts.py::test_every_incident_of_every_shipped_hunt_is_observed_as_it_says": 6,
    "tests/wire/test_athena.py::test_a_fault_that_passes_is_waited_out": 6,
    "tests/wire/test_bigquery.py::test_a_fault_that_passes_is_waited_out": 8,
    "tests/wire/test_bigquery.py::test_the_reason_of_a_call_says_what_is_raised": 6,
}


# Long, and apart from these the same is held by shorter tests of each run: `make slow` takes them, and `make parity` those of its folders.
_LONG = (
    "tests/faults/test_lake_kill.py::test_a_lake_that_is_killed_six_times_holds_whole_additions_each_once",
    "tests/golden/test_demo.py::test_other_ways_of_reading_find_the_same_leads",
    "tests/parity/test_correlate_parity.py::test_comparison_turns_red_for_every_wrong_reading",
    "tests/parity/test_files_parity.py::test_sieve_on_is_sieve_off_is_the_oracle_over_twenty_thousand_cells",
    "tests/parity/test_mapped_parity.py::test_files_engine_agrees_with_the_oracle_on_a_mapping_sieve_on_and_off",
    "tests/parity/test_planted_faults.py",
    "tests/parity/test_rows.py::test_a_record_meets_the_same_rules_after_its_way_through_a_row",
    "tests/parity/test_scheduled_correlations.py",
    "tests/standins/test_deployed_texts.py",
    "tests/unit/test_hunt_lake.py::test_a_window_narrows_both_alike",
    "tests/unit/test_hunt_lake.py::test_published_samples_give_the_same_leads",
    "tests/unit/test_oracle_bench.py::test_every_planted_event_meets_its_rule_and_no_other_and_no_decoy_meets_any",
    "tests/unit/test_oracle_cases.py::test_drawn_corpus_tells_every_wrong_reading_from_the_oracle",
    "tests/unit/test_testing.py::test_check_is_strict_with_shipped_rules",
    "tests/wire/test_faults.py::test_what_comes_of_a_fault",
)
_PARITY = ("tests/parity/", "tests/standins/") if "AIBR_PARITY_CELLS" in os.environ else ()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test` gives them processes of their own: others fork, and a child forked beside a JVM may die.

    What is marked untraced runs without measuring coverage, and what is thinned out is slow.
    """
    for item in items:
        if item.nodeid.startswith(_NATIVE):
            item.add_marker(pytest.mark.native)
        if item.nodeid.startswith(_UNTRACED):
            item.add_marker(pytest.mark.untraced)
        if item.nodeid.startswith(_LONG) and not item.nodeid.startswith(_PARITY):
            item.add_marker(pytest.mark.slow)
        one_of = _THINNED.get(item.nodeid.partition("[")[0], 1)
        if zlib.crc32(item.nodeid.encode()) % one_of:
            item.add_marker(pytest.mark.slow)

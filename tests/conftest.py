"""What every test may ask for: hypothesis profiles (AIBR_HYPOTHESIS chooses one) and published log samples (AIBR_SAMPLES says where)."""

from __future__ import annotations

import os
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


# These load a JVM and .NET, with threads and signal handlers of their own, into the test process.
_NATIVE = ("tests/standins/", "tests/parity/test_window", "tests/parity/test_checkers", "tests/parity/test_injection")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test` gives them processes of their own: others fork, and a child forked beside a JVM may die."""
    for item in items:
        if item.nodeid.startswith(_NATIVE):
            item.add_marker(pytest.mark.native)

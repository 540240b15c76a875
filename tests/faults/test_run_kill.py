"""kill -9 in the middle of a run: the record stays clean, and in the end no lead is lost or doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.ledger import Ledger
from tests.cli.samples import cloudtrail, rule_text, write_records, write_rules

ROOT = Path(__file__).resolve().parents[2]
SEED = 20260101


class Case:
    """A folder with rules and logs, and homes beside them.

    Args:
        folder: An empty folder.
        files: How many log files, of 400 records each, 24 of them hits, so few that 400 files make no noise
            rule; each second file repeats the hits of the one before.
    """

    def __init__(self, folder: Path, *, files: int) -> None:
        self.folder = folder
        self.rules = write_rules(folder / "rules", {"a.yml": rule_text(1), "b.yml": rule_text(2, "{userAgent|contains: curl/8}")})
        for number in range(files):
            start = (number - number % 2) * 400
            events = [cloudtrail(start + each, "DeleteGuardrail" if each < 24 else f"List{number}") for each in range(400)]
            events = [event | ({"userAgent": "curl/8.0"} if place % 50 == 0 else {}) for place, event in enumerate(events)]
            write_records(folder / "logs" / f"{number:04d}.json.gz", events)

    def run(self, *, home: str) -> subprocess.Popen[str]:
        """Start the run, in a process group of its own."""
        own = {
            "AIBR_HOME": str(self.folder / home),
            "AIBR_CACHE": str(self.folder / "cache"),
            "AIBR_PROCESSES": "2",
            "HOME": str(self.folder),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "aibr_hunt", "run", str(self.rules), "--logs", str(self.folder / "logs")],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def record(self, home: str) -> list[tuple[str, str, str, int]]:
        """Return what identifies each lead of a home, and how often it was delivered; its evidence is clean."""
        with Ledger.open(self.folder / home, clock=lambda: datetime.now(tz=UTC), tell=print) as ledger:
            verified = ledger.verify()
            assert verified.is_clean, verified.faults[:3]
            return [(lead.id, lead.rule_id, lead.event_key, len(lead.sightings)) for lead in ledger.each_lead()]


def check(case: Case, *, kills: int) -> int:
    """Kill runs at random moments and compare in the end with a run that nobody disturbed; return how many were hit alive."""
    out, err = case.run(home="calm").communicate(timeout=300)
    assert "(complete)" in out, err
    calm = case.record("calm")
    assert len(calm) > 24
    started = time.monotonic()
    case.run(home="calm").communicate(timeout=300)
    whole_s = time.monotonic() - started  # what a run takes once its rules are in the cache
    rng = random.Random(SEED)
    alive = storms = 0
    home = "storm0"
    for number in range(kills):
        home = f"storm{storms}"
        process = case.run(home=home)
        time.sleep(rng.uniform(0.1, 1.0) * whole_s)
        with contextlib.suppress(ProcessLookupError):
            alive += process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        if (case.folder / home / "ledger.sqlite3").exists():
            found = case.record(home)
            assert found in ([], calm), number
            storms += found == calm  # the next one starts anew, so that each may lose something
    last = case.run(home=home)
    last.communicate(timeout=300)
    assert last.returncode == 1
    assert case.record(home) == calm
    return alive


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the processes")
@pytest.mark.timeout(600)
def test_the_processes_of_a_run_that_is_killed_end_with_it(tmp_path: Path) -> None:
    case = Case(tmp_path, files=1200)
    run = case.run(home="home")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    until = time.monotonic() + 60
    while len(children.read_text(encoding="ascii").split()) < 2:
        assert time.monotonic() < until, "the run started no processes"
        assert run.poll() is None, "the run was over too soon"
        time.sleep(0.005)
    run.kill()
    try:
        run.communicate(timeout=30)  # ends when nobody holds its output any more
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.timeout(600)
def test_a_run_that_is_killed_ten_times_leaves_what_an_undisturbed_run_leaves(tmp_path: Path) -> None:
    assert check(Case(tmp_path, files=12), kills=10) >= 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_fifty_times_leaves_what_an_undisturbed_run_leaves(tmp_path: Path) -> None:
    assert check(Case(tmp_path, files=400), kills=50) >= 25

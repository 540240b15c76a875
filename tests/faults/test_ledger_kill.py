"""A writer that is killed at any instant leaves whole runs or nothing of them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aibr_hunt.ledger import LeadFilter
from tests.unit.ledger_samples import hit, opened, record, rule

HITS = 1000  # two batches: a kill may fall between them
RULES = (rule(1), rule(2))

WRITER = """
import sys
from itertools import count
from pathlib import Path
sys.path.insert(0, {checkout!r})
from tests.faults.test_ledger_kill import write_run
print("ready", flush=True)
for number in count(int(sys.argv[2])):
    write_run(Path(sys.argv[1]), number)
    print(number, flush=True)
"""


def write_run(home: Path, number: int) -> None:
    """Record run `number`: most events were seen by the run before it too, and one in ten meets a second rule."""
    events = range(number * HITS // 2, number * HITS // 2 + HITS)
    hits = (hit(f"e{event}", *RULES[: 1 + (event % 10 == 0)], path=f"logs/{event % 7}.json", offset=event * 100) for event in events)
    with opened(home) as ledger:
        ledger.record(record(f"R-{number:016d}", rules=RULES), hits)


def kill_while_writing(home: Path, checkout: Path, *, first: int, delay_s: float) -> int:
    """Kill a writer that has been at work for `delay_s`; return the number of the last run that it said was recorded, or `first` - 1."""
    command = [sys.executable, "-c", WRITER.format(checkout=str(checkout)), str(home), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(delay_s)
        writer.kill()
        said = writer.stdout.read().split()
    return int(said[-1]) if said else first - 1


def check(home: Path, *, said: int) -> int:
    """Check that the ledger holds whole runs up to `said` or one more, which was committed unsaid; return how many."""
    with opened(home) as ledger:
        found = ledger.verify()
        assert found.is_clean, found.faults
        runs = ledger.status().runs
        assert said + 1 <= runs <= said + 2
        last = (runs - 1) * HITS // 2 + HITS if runs else 0
        assert ledger.count() == sum(1 + (event % 10 == 0) for event in range(last))
        if runs:
            events = range((runs - 1) * HITS // 2, (runs - 1) * HITS // 2 + HITS)
            wanted = LeadFilter(run_id=f"R-{runs - 1:016d}")
            assert ledger.count(wanted) == sum(1 + (event % 10 == 0) for event in events)
        return runs


def kill_often(home: Path, checkout: Path, times: int) -> None:
    chance = random.Random(times)
    runs = 0
    for _ in range(times):
        said = kill_while_writing(home, checkout, first=runs, delay_s=chance.uniform(0.0, 0.5))
        runs = check(home, said=said)
    write_run(home, runs)
    assert check(home, said=runs) == runs + 1
    write_run(home, runs)
    assert check(home, said=runs) == runs + 1, "a run that is on record is recorded once"


@pytest.mark.timeout(300)
def test_a_writer_killed_at_ten_instants_loses_and_doubles_nothing(tmp_path: Path, checkout: Path) -> None:
    kill_often(tmp_path / "home", checkout, 10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_writer_killed_at_fifty_instants_loses_and_doubles_nothing(tmp_path: Path, checkout: Path) -> None:
    kill_often(tmp_path / "home", checkout, 50)

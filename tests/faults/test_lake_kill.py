"""kill -9 in the middle of an addition or a compaction: the lake holds whole additions, each once, and takes the next one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.store import EVENTS
from tests.built_in import LIBRARY
from tests.cli.samples import cloudtrail, write_records
from tests.unit.lake_samples import identities

ROOT = Path(__file__).resolve().parents[2]
SEED = 20260106
PARTS = 4
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """A folder with logs in parts, and homes beside them.

    Attributes:
        files: How many log files a part has, of 300 records each; neighbours share a third.
    """

    folder: Path
    files: int

    def write(self) -> None:
        """Write the logs."""
        for part in range(PARTS):
            for number in range(self.files):
                start = (part * self.files + number) * 200
                events = [
                    cloudtrail(start + each, f"Call{each % 9}", eventTime=f"2026-01-0{1 + each % 5}T00:00:00Z") for each in range(300)
                ]
                write_records(self.folder / "logs" / str(part) / f"{number:04d}.json", events)

    def start(self, home: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `aibr-hunt logs`, in a process group of its own."""
        own = {
            "AIBR_HOME": str(self.folder / home),
            "AIBR_CACHE": str(self.folder / "cache"),
            "AIBR_PROCESSES": "2",
            "HOME": str(self.folder),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "aibr_hunt", "logs", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, home: str, *arguments: str) -> None:
        """Run it to its end, which is a good one."""
        process = self.start(home, *arguments)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err

    def part(self, number: int) -> str:
        """The folder of a part's logs."""
        return str(self.folder / "logs" / str(number))

    def rows(self, home: str) -> Rows:
        """Every delivery of a home's lake with its marks; nothing when there is no lake yet."""
        folder = self.folder / home / "lake"
        if not (folder / "lake.db").exists():
            return []
        lake = Lake.open(folder, mappings=LIBRARY.mappings)
        inputs = {each.number: each.account.path for each in lake.store.snapshot()[0]}
        assert sum(each.events for each in lake.status()) == sum(count for each in lake.store.snapshot()[0] for _, count in each.portions)
        return [(inputs[row[0]], *row[1:]) for row in identities(lake)]


def check(case: Case, *, kills: int) -> int:
    """Kill at random moments and compare each time with lakes that nobody disturbed; return how many were hit alive."""
    case.write()
    calm: list[Rows] = [[]]
    took: list[float] = []
    for part in range(PARTS):
        started = time.monotonic()
        case.finish("calm", "add", case.part(part))
        took.append(time.monotonic() - started)
        calm.append(case.rows("calm"))
    started = time.monotonic()
    case.finish("calm", "compact")
    compaction_s = time.monotonic() - started
    assert case.rows("calm") == calm[-1]
    rng = random.Random(SEED)
    alive, done, storm = 0, 0, 0
    for _ in range(kills):
        home = f"storm{storm}"
        is_compaction = done == PARTS or (done > 1 and rng.random() < 0.4)
        arguments = ("compact",) if is_compaction else ("add", case.part(done))
        process = case.start(home, *arguments)
        time.sleep(rng.uniform(0.2, 1.0) * (compaction_s if is_compaction else took[done]))
        with contextlib.suppress(ProcessLookupError):
            alive += process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        found = case.rows(home)
        if is_compaction:
            assert found == calm[done]
            case.finish(home, "compact")
            assert case.rows(home) == calm[done]
            storm += done == PARTS
            done = 0 if done == PARTS else done
        else:
            assert found in (calm[done], calm[done + 1])
            case.finish(home, "add", case.part(done))  # added again where it had been, it is passed over
            done += 1
            assert case.rows(home) == calm[done]
    home = f"storm{storm}"
    for part in range(PARTS):
        case.finish(home, "add", case.part(part))
    case.finish(home, "compact")
    assert case.rows(home) == calm[-1]
    lake = Lake.open(case.folder / home / "lake", mappings=LIBRARY.mappings)
    on_disk = {path.relative_to(lake.store.folder).as_posix() for path in (lake.store.folder / EVENTS).rglob("*") if path.is_file()}
    assert on_disk == {each.name for each in lake.store.segments()}
    return alive


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.timeout(900)
def test_a_lake_that_is_killed_six_times_holds_whole_additions_each_once(tmp_path: Path) -> None:
    assert check(Case(tmp_path, files=4), kills=6) >= 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.timeout(7200)
def test_a_lake_that_is_killed_a_hundred_times_holds_whole_additions_each_once(tmp_path: Path) -> None:
    assert check(Case(tmp_path, files=30), kills=100) >= 50


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes cannot be limited on Windows")
@pytest.mark.parametrize("room", [8_000, 40_000], ids=["at a segment", "at the book"])
def test_a_disk_that_is_full_ends_an_addition_with_a_sentence_and_leaves_nothing_behind(tmp_path: Path, room: int) -> None:
    case = Case(tmp_path, files=2)
    case.write()
    case.finish("home", "add", case.part(0))
    before = case.rows("home")
    limited = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room})); "
    process = subprocess.run(
        [sys.executable, "-c", limited + "from aibr_hunt.cli import main; sys.exit(main())", "logs", "add", case.part(1)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AIBR_HOME": str(tmp_path / "home"), "AIBR_CACHE": str(tmp_path / "cache"), "AIBR_PROCESSES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 3, process.stderr
    assert "Is the disk full" in process.stderr
    assert "Traceback" not in process.stderr
    assert case.rows("home") == before
    case.finish("home", "add", case.part(1))
    assert len(case.rows("home")) == 2 * len(before)

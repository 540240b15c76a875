"""Runs a command and says what it cost: wall and CPU seconds of all its processes, and the peak of their memory together."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SAMPLE_S = 0.05
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024 if hasattr(os, "sysconf") else 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost.

    Attributes:
        wall_s: From start to exit. `cpu_s`: user and system seconds of all processes.
        peak_mb: Greatest sum over its processes, proportional set size where the system tells it; 0 when not sampled.
        first_line_s: Until the first line of standard output; 0 when there was none.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    first_line_s: float
    code: int
    output: str
    errors: str


def run(command: Sequence[str], *, env: dict[str, str] | None = None, is_sampled: bool = False) -> Cost:
    """Run a command to its end and return its cost.

    Args:
        command: Program and arguments.
        env: Variables set beside those of this process.
        is_sampled: Also sample memory (Linux), which slows the run a little.
    """
    before = os.times()
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(env or {})})
        sampler = _Sampler(process.pid) if is_sampled else None
        assert process.stdout is not None
        with process.stdout as told_lines:
            first = told_lines.readline()
            first_line_s = time.perf_counter() - started if first else 0.0
            rest = told_lines.read()
        code = process.wait()
        wall_s = time.perf_counter() - started
        after = os.times()
        errors.seek(0)
        told = errors.read().decode(errors="replace")
    peak_mb = sampler.stop() if sampler else 0.0
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall_s, cpu_s, peak_mb, first_line_s, code, (first + rest).decode(errors="replace"), told)


def middle(costs: Sequence[Cost]) -> tuple[float, float]:
    """Return the medians of wall and CPU seconds."""
    return median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs)


class _Sampler:
    """A thread that adds up the memory of a process and all below it, again and again."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak_kb = 0
        self.is_done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> float:
        """Return the peak in MB."""
        self.is_done.set()
        self.thread.join()
        return self.peak_kb / 1024

    def _watch(self) -> None:
        while not self.is_done.wait(SAMPLE_S):
            self.peak_kb = max(self.peak_kb, sum(_memory_kb(pid) for pid in _family(self.pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _memory_kb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KB
    except (OSError, IndexError):
        return 0

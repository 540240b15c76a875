"""Measures `aibr-hunt run` beside the floor, checks every planted hit, and prints a table of ratios. No timing is asserted."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from zlib_ng import zlib_ng

from tests.bench.cloudtrail import EVENTS_PER_FILE, changed, path_of
from tests.bench.generate import GZIP_WINDOW, REPORT_SEED, TUNING_SEED, Trail, make_trail, records_of
from tests.bench.measure import Cost, middle, run
from tests.bench.rulesets import BenchRule, master_set, write_rules

RULE_COUNTS = (10, 60, 300, 1000)
SMALL_RULES = 24
FINDINGS_OR_NONE = (0, 1)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is asked of a bench.

    Attributes:
        folder: Where trails lie; kept between benches.
        runs: Runs of each measurement; medians are printed.
        processes: Processes that read, on both sides.
    """

    folder: Path
    seed: int
    runs: int
    processes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    rules: int
    wall_s: float
    cpu_s: float
    floor_wall_s: float
    floor_cpu_s: float
    first_run_s: float
    peak_mb: float
    leads: int
    parsed_share: float

    def markdown(self) -> str:
        """Return the line as Markdown."""
        ratio, cpu_ratio = self.wall_s / self.floor_wall_s, self.cpu_s / self.floor_cpu_s
        return (
            f"| {self.name} | {self.rules} | {self.wall_s:.2f} | {self.cpu_s:.2f} | **{ratio:.2f}** | {cpu_ratio:.2f} | "
            f"{self.first_run_s:.2f} | {self.peak_mb:.0f} | {100 * self.parsed_share:.2f} % | {self.leads} |"
        )


HEAD = (
    "| trail | rules | wall s | CPU s | wall / floor | CPU / floor | first run s | peak MB, all processes | parsed | leads |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench as asked on the command line; 1 when a hit is missed or made up."""
    asked = _options().parse_args(arguments)
    bench = Bench(asked.folder, asked.seed, asked.runs, asked.processes)
    print(f"seed {bench.seed}, {bench.runs} runs each, {bench.processes} processes, Python {sys.version.split()[0]}\n")
    faults: list[str] = []
    trails = [(events, False) for events in asked.events] + [(events, True) for events in asked.mix]
    for events, is_mixed in trails:
        faults += _measure(bench, events, asked.rules, is_mixed=is_mixed)
    if asked.latency:
        faults += _latency(bench)
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000], help="sizes of trails, in deliveries (5000000 needs 1.2 GB)")
    parser.add_argument("--mix", type=int, nargs="*", default=[], help="sizes of trails in which 40 %% of events carry watched names")
    parser.add_argument("--rules", type=int, nargs="*", default=list(RULE_COUNTS), help="numbers of rules, each a prefix of the master set")
    parser.add_argument(
        "--seed", type=int, default=REPORT_SEED, help=f"seed of events and rules; {TUNING_SEED} is for tuning, never for reports"
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "aibr-bench")
    parser.add_argument("--latency", action=argparse.BooleanOptionalAction, default=True, help="measure the first lead on a small file")
    return parser


def _measure(bench: Bench, events: int, rule_counts: Sequence[int], *, is_mixed: bool) -> list[str]:
    name = f"{events:,}{' mixed' if is_mixed else ''}"
    root = bench.folder / f"{'mix' if is_mixed else 'trail'}-{bench.seed}-{events}"
    trail = make_trail(root, seed=bench.seed, deliveries=events, is_mixed=is_mixed)
    mean = trail.content_bytes / trail.deliveries
    print(
        f"{name}: {trail.deliveries:,} deliveries of {trail.events:,} events, {mean:.0f} B each, "
        f"{trail.content_bytes / 1e6:,.0f} MB in {trail.stored_bytes / 1e6:,.0f} MB of gzip, {len(trail.expected)} planted"
    )
    floor = [sys.executable, "-m", "tests.bench.floor", str(trail.logs), str(bench.processes)]
    run(floor)  # the page cache is warm for both sides
    floor_wall_s, floor_cpu_s = middle([run(floor) for _ in range(bench.runs)])
    print(f"floor: {floor_wall_s:.2f} s wall, {floor_cpu_s:.2f} s CPU\n\n{HEAD}")
    faults: list[str] = []
    rules = master_set(bench.seed, max(rule_counts, default=0))
    for count in rule_counts:
        row, found = _measure_rules(bench, trail, rules[:count], (floor_wall_s, floor_cpu_s), name)
        print(row.markdown(), flush=True)
        faults += [f"{name}, {count} rules: {fault}" for fault in found]
    print()
    return faults


def _measure_rules(
    bench: Bench, trail: Trail, rules: tuple[BenchRule, ...], floor: tuple[float, float], name: str
) -> tuple[Row, list[str]]:
    with _ground(bench) as ground:
        write_rules(ground.rules, rules)
        first = ground.run(trail.logs)
        costs = [ground.run(trail.logs) for _ in range(bench.runs)]
        sampled = ground.run(trail.logs, is_sampled=True)
    wall_s, cpu_s = middle(costs)
    leads, statistics = read_leads(sampled)
    faults = compare(leads, rules, trail.expected_for(len(rules)))
    faults += [f"exit code {cost.code}: {cost.errors[-500:]}" for cost in (first, *costs, sampled) if cost.code not in FINDINGS_OR_NONE]
    records = sum(statistics.get(f"records_{kind}", 0.0) for kind in ("matched", "parsed", "skimmed", "refused"))
    parsed = records - statistics.get("records_skimmed", 0.0)
    row = Row(name, len(rules), wall_s, cpu_s, *floor, first.wall_s, sampled.peak_mb, len(leads), parsed / max(records, 1))
    return row, faults


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder with rules and a cache of its own; each run gets a ledger of its own."""

    folder: Path
    processes: int

    @property
    def rules(self) -> Path:
        """Where the rules lie."""
        return self.folder / "rules"

    def run(self, logs: Path, *, is_sampled: bool = False) -> Cost:
        """Run the rules over the logs with a fresh ledger."""
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            command = [sys.executable, "-m", "aibr_hunt.cli", "run", str(self.rules), "--logs", str(logs), "--json"]
            command += ["--processes", str(self.processes)]
            return run(command, env={"AIBR_HOME": home, "AIBR_CACHE": str(self.folder / "cache")}, is_sampled=is_sampled)


@contextmanager
def _ground(bench: Bench) -> Iterator[Ground]:
    bench.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    try:
        yield Ground(folder, bench.processes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_leads(cost: Cost) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """Return the run's leads as (rule id, event id), and its statistics."""
    rows = [json.loads(line) for line in cost.output.splitlines() if line.startswith("{")]
    leads = [(row["rule_id"], row["event"].rpartition("|")[2]) for row in rows if "rule_id" in row]
    statistics: dict[str, float] = next((row["statistics"] for row in rows if "statistics" in row), {})
    return leads, statistics


def compare(leads: list[tuple[str, str]], rules: Sequence[BenchRule], expected: frozenset[tuple[int, str]]) -> list[str]:
    """Return what is wrong with the leads: doubled, missed or made up."""
    wanted = {(rules[number].id, event) for number, event in expected}
    found = set(leads)
    faults = [f"{len(leads) - len(found)} leads doubled"] if len(leads) != len(found) else []
    faults += [f"missed: {len(wanted - found)}, such as {min(wanted - found)}"] if wanted - found else []
    faults += [f"made up: {len(found - wanted)}, such as {min(found - wanted)}"] if found - wanted else []
    return faults


def _latency(bench: Bench) -> list[str]:
    """Print how long a small file takes until its first lead, without and with a cache of rules."""
    rules = master_set(bench.seed, SMALL_RULES)
    with _ground(bench) as ground:
        write_rules(ground.rules, rules)
        logs = ground.folder / "logs"
        _write_small(logs, bench.seed, rules[0])
        cold = []
        for _ in range(bench.runs):
            shutil.rmtree(ground.folder / "cache", ignore_errors=True)
            cold.append(ground.run(logs))
        warm = [ground.run(logs) for _ in range(bench.runs)]
    print(f"First lead, {SMALL_RULES} rules on one file of {EVENTS_PER_FILE:,} events:")
    print("| | first line s | whole process s |\n|---|---|---|")
    for name, costs in (("no cache", cold), ("rules cached", warm)):
        print(f"| {name} | {median(cost.first_line_s for cost in costs):.2f} | {median(cost.wall_s for cost in costs):.2f} |")
    print()
    return [f"latency: {len(read_leads(cost)[0])} leads instead of 1" for cost in (*cold, *warm) if len(read_leads(cost)[0]) != 1]


def _write_small(logs: Path, seed: int, rule: BenchRule) -> None:
    records, planted = records_of(seed, 0)
    hits = {event for _, event in planted}
    kept = [record for record in records if json.loads(record)["eventID"] not in hits]
    kept[len(kept) // 2] = changed(kept[len(kept) // 2], rule.hit)
    path = logs / path_of(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib_ng.compress(('{"Records":[' + ",".join(kept) + "]}").encode(), 6, GZIP_WINDOW))

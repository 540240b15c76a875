"""Measures the lake: additions, a sweep of many rules beside one query a rule, what a compaction changes. No timing is asserted.

`python -m tests.bench.lake_bench --events 1000000 --folder F` prints a table; 1 when the lake and the files disagree on a hit.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aibr_hunt.compile.program import Asking, sieve_query
from aibr_hunt.content.library import Library
from aibr_hunt.engines.files import FileResult, Scope, scan
from aibr_hunt.engines.lake.hot import hot_paths
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.scan import scan_lake
from aibr_hunt.engines.program import Options, Program
from aibr_hunt.errors import AibrError
from aibr_hunt.intake.files import discover
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.bench.generate import REPORT_SEED, Trail, make_trail
from tests.bench.rulesets import master_set, write_rules

RULE_COUNTS = (10, 60, 300, 1000)
RULES_MEASURED = 300
RULES_ALONE = 30
SOURCE = "aws_cloudtrail"
Hits = set[tuple[str, int, tuple[str, ...]]]
"""Path and number of each record that was met, and the ids of the rules."""


@dataclass(slots=True)
class Spent:
    """Wall and CPU seconds, this process and those it waited for."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def timed() -> Iterator[Spent]:
    """Give what the block cost, once it is over."""
    spent = Spent()
    wall, times = time.perf_counter(), os.times()
    yield spent
    after = os.times()
    spent.wall_s = time.perf_counter() - wall
    spent.cpu_s = sum(after[:4]) - sum(times[:4])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench as asked on the command line; 1 when lake and files disagree."""
    asked = _options().parse_args(arguments)
    trail = make_trail(asked.folder / "trail", seed=asked.seed, deliveries=asked.events, days=asked.days)
    library = Library()
    rules = _rules(library, asked.folder / "rules", asked.seed)
    folder = asked.folder / "lake"
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake.open(folder, mappings=library.mappings, create=True)
    sizes = f"{trail.content_bytes / 1e6:,.0f} MB, {trail.stored_bytes / 1e6:,.0f} MB as .json.gz"
    print(f"{trail.deliveries:,} events over {asked.days} days, {sizes}, {asked.processes} processes, load {os.getloadavg()[0]:.1f}\n")
    print("| step | wall s | CPU s | |\n|---|---|---|---|")
    _measure_adding(lake, trail, asked.processes)
    programs = {count: _program(rules[:count], library) for count in asked.rules}
    right = _hits_of_files(trail, programs, asked.processes)
    is_right = True
    for _ in _before_and_after_compaction(lake):
        is_right &= _measure_sweeps(lake, programs, right, asked.processes)
    _measure_rules_alone(lake, rules[:RULES_MEASURED])
    return 0 if is_right else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    parser.add_argument("--rules", type=int, nargs="+", default=RULE_COUNTS, help="how many rules sweeps ask")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, required=True)
    return parser


def _rules(library: Library, folder: Path, seed: int) -> tuple[Rule, ...]:
    if not folder.exists():
        write_rules(folder, master_set(seed)[: RULE_COUNTS[-1]])
    return library.load_rules((str(folder),)).rules


def _say(name: str, spent: Spent, note: str = "") -> None:
    print(f"| {name} | {spent.wall_s:.2f} | {spent.cpu_s:.2f} | {note} |", flush=True)


def _peak_mb() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def _measure_adding(lake: Lake, trail: Trail, processes: int) -> None:
    found = discover([trail.logs]).files
    with timed() as spent:
        added = lake.add(found, Scope(now=datetime.now(tz=UTC)), processes=processes)
    (status,) = lake.status()
    per_s, size = added.events / spent.wall_s, status.parquet_bytes / 1e6
    note = f"{per_s:,.0f} events/s, {status.segments} segments, {size:,.0f} MB Parquet, largest process {_peak_mb():,.0f} MB"
    _say(f"add ({added.repeats:,} repeats)", spent, note)


def _before_and_after_compaction(lake: Lake) -> Iterator[None]:
    yield
    with timed() as spent:
        done = lake.compact()
    _say("compact", spent, f"{done.segments_before} into {done.segments_after}; largest process {_peak_mb():,.0f} MB")
    yield


def _program(rules: Sequence[Rule], library: Library) -> Program:
    mapping_of = {rule.id: library.mapping_for(rule.logsource) for rule in rules}
    return Program(rules, mappings=library.mappings, mapping_of=mapping_of, options=Options())


def _hits_of_files(trail: Trail, programs: Mapping[int, Program], processes: int) -> dict[int, Hits]:
    """Return what the files hold for each number of rules, read once for the most of them."""
    most = programs[max(programs)]
    scope = Scope(now=datetime.now(tz=UTC))
    found = _hits(scan(discover([trail.logs]).files, most, scope, processes=processes))
    asked = {count: {rule.id for rule in program.rules} for count, program in programs.items()}
    return {count: _only(found, ids) for count, ids in asked.items()}


def _only(hits: Hits, ids: AbstractSet[str]) -> Hits:
    """Return the hits as fewer rules would make them."""
    kept = ((path, ordinal, tuple(each for each in rules if each in ids)) for path, ordinal, rules in hits)
    return {each for each in kept if each[2]}


def _measure_sweeps(lake: Lake, programs: Mapping[int, Program], right: Mapping[int, Hits], processes: int) -> bool:
    scope = Scope(now=datetime.now(tz=UTC))
    is_right = True
    for count, program in programs.items():
        program.warm()
        with timed() as spent:
            found = _hits(scan_lake(lake, program, scope, processes=processes))
        is_right &= found == right[count]
        _say(f"sweep, {count} rules", spent, f"{len(found):,} hits{'' if found == right[count] else ': NOT those of the files'}")
    return is_right


def _hits(results: Iterable[FileResult]) -> Hits:
    return {(hit.event.place.path, hit.event.place.ordinal, hit.rule_ids) for each in results for hit in each.hits}


def _measure_rules_alone(lake: Lake, rules: Sequence[Rule]) -> None:
    """Ask each of a sample of rules in a query of its own, of typed columns where there are any, and scale it up."""
    mapping = next(each for each in lake.mappings if each.name == SOURCE)
    asking = Asking(locator=Locator(mapping, _layout(mapping)), span=Window(), meanings={})
    sample = rules[:: max(1, len(rules) // RULES_ALONE)]
    asked = refused = 0
    with lake.connect() as connection, timed() as spent:
        for rule in sample:
            try:
                connection.execute(sieve_query([rule], asking).text).fetchall()
                asked += 1
            except AibrError:
                refused += 1
    scale = len(rules) / max(1, asked)
    total = Spent(spent.wall_s * scale, spent.cpu_s * scale)
    _say(f"one query a rule, {len(rules)} rules", total, f"from {asked} of them ({refused} cannot be asked)")


def _layout(mapping: LogMapping) -> Layout:
    """Return the source's view as a layout: a text column for each field that has a hot one, the record for the rest."""
    hot = set(hot_paths(mapping))
    names = {field.paths[0]: field.name for field in mapping.fields if len(field.paths) == 1 and field.paths[0] in hot}
    texts = tuple(Column(name=name, type=ColumnType(kind=Kind.TEXT)) for name in names.values())
    rest = (
        Column(name="event_id", type=ColumnType(kind=Kind.TEXT)),
        Column(name="event_time", type=ColumnType(kind=Kind.TIME)),
        Column(name="record", type=ColumnType(kind=Kind.JSON)),
    )
    places = tuple(Place(member=path, paths=(ColumnPath(column=name),)) for path, name in names.items())
    return Layout(
        name="lake",
        engine=EngineKind.DUCKDB,
        table=SOURCE,
        columns=(*rest, *texts),
        places=(*places, Place(member=(), paths=(ColumnPath(column="record"),))),
        time=ColumnPath(column="event_time"),
    )


if __name__ == "__main__":
    sys.exit(main())

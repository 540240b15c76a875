"""Writes a synthetic trail to a folder, with the planted hits beside it, on all cores."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from zlib_ng import zlib_ng

from tests.bench.cloudtrail import APART_S, EVENTS_PER_FILE, REDELIVERED_PER_FILE, Draw, changed, path_of, twin_of
from tests.bench.rulesets import BenchRule, master_set

TUNING_SEED = 1
REPORT_SEED = 77003
GZIP_WINDOW = 31
EXPECTED = "expected.jsonl"


@dataclass(frozen=True, slots=True)
class Trail:
    """A generated folder: where the logs lie and what must be found in them.

    Attributes:
        deliveries: Records, re-delivered ones included; `events`: distinct ones.
        expected: Pairs of rule number and event id.
    """

    root: Path
    deliveries: int
    events: int
    content_bytes: int
    stored_bytes: int
    expected: frozenset[tuple[int, str]]

    @property
    def logs(self) -> Path:
        """The folder to hand to --logs."""
        return self.root / "logs"

    def expected_for(self, rules: int) -> frozenset[tuple[int, str]]:
        """Return what the first `rules` rules must find."""
        return frozenset(pair for pair in self.expected if pair[0] < rules)


def make_trail(root: Path, *, seed: int, deliveries: int, is_mixed: bool = False, days: int = 0) -> Trail:
    """Return the trail of the seed, written to `root` unless it lies there already.

    Args:
        root: A folder that is this trail's alone.
        seed: Says everything: events and rules.
        deliveries: Records to write; rounded up to whole pairs of files.
        is_mixed: 40 % of events carry watched names instead of 1.5 %.
        days: Over how many days the files are spread; 0 for one file a region every five minutes.
    """
    done = root / "trail.json"
    asked = {"seed": seed, "deliveries": deliveries, "is_mixed": is_mixed, "days": days}
    if not done.exists() or json.loads(done.read_text())["asked"] != asked:
        _write(root, done, asked)
    facts = json.loads(done.read_text())
    lines = (root / EXPECTED).read_text().splitlines()
    expected = frozenset((int(row["rule"]), str(row["event"])) for row in map(json.loads, lines))
    return Trail(root, facts["deliveries"], facts["events"], facts["content_bytes"], facts["stored_bytes"], expected)


def _write(root: Path, done: Path, asked: dict[str, int]) -> None:
    files = -(-asked["deliveries"] // (2 * EVENTS_PER_FILE)) * 2
    (root / "logs").mkdir(parents=True, exist_ok=True)
    apart_s = asked["days"] * 86_400 * 4 // files if asked["days"] else APART_S
    work = partial(_write_number, root / "logs", asked["seed"], bool(asked["is_mixed"]), apart_s)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(work, range(files), chunksize=8))
    with (root / EXPECTED).open("w") as out:
        for rule, event in sorted({pair for part in parts for pair in part[2]}):
            out.write(json.dumps({"rule": rule, "event": event}) + "\n")
    facts = {
        "asked": asked,
        "deliveries": files * EVENTS_PER_FILE,
        "events": files * (EVENTS_PER_FILE - REDELIVERED_PER_FILE),
        "content_bytes": sum(part[0] for part in parts),
        "stored_bytes": sum(part[1] for part in parts),
    }
    done.write_text(json.dumps(facts))


def _write_number(logs: Path, seed: int, is_mixed: bool, apart_s: int, number: int) -> tuple[int, int, list[tuple[int, str]]]:  # noqa: FBT001 - for map
    return write_file(logs, seed, is_mixed=is_mixed, number=number, apart_s=apart_s)


def write_file(logs: Path, seed: int, *, is_mixed: bool, number: int, apart_s: int = APART_S) -> tuple[int, int, list[tuple[int, str]]]:
    """Write file `number`; return its content bytes, stored bytes and planted hits."""
    records, planted = records_of(seed, number, is_mixed=is_mixed, apart_s=apart_s)
    content = ('{"Records":[' + ",".join(records) + "]}").encode()
    stored = zlib_ng.compress(content, 6, GZIP_WINDOW)
    path = logs / path_of(number, apart_s=apart_s)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stored)
    return len(content), len(stored), planted


def records_of(seed: int, number: int, *, is_mixed: bool = False, apart_s: int = APART_S) -> tuple[list[str], list[tuple[int, str]]]:
    """Return a file's records (its own, then the first of its twin's) and the hits planted in them."""
    own, again = (Draw(seed, each, is_mixed=is_mixed, apart_s=apart_s) for each in (number, twin_of(number)))
    chosen = [(own, at) for at in range(EVENTS_PER_FILE - REDELIVERED_PER_FILE)] + [(again, at) for at in range(REDELIVERED_PER_FILE)]
    rules = _rules(seed)
    records = [_record(draw, at, rules) for draw, at in chosen]
    planted = [(draw.planted[at], draw.event_id(at)) for draw, at in chosen if at in draw.planted]
    return records, planted


def _record(draw: Draw, at: int, rules: tuple[BenchRule, ...]) -> str:
    record = draw.record(at)
    if at in draw.planted:
        return changed(record, rules[draw.planted[at]].hit)
    if at in draw.decoys:
        return changed(record, rules[draw.decoys[at]].decoy)
    return record


@cache
def _rules(seed: int) -> tuple[BenchRule, ...]:
    return master_set(seed)

"""What a night of `first_seen` costs with the tallies that earlier nights kept, beside reading its lookback out of the lake again.

Both must find the same episodes; that alone is asserted.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.hunt.run import Outcome, run_files
from aibr_hunt.intake.files import discover
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.window import Window
from tests.bench.cloudtrail import START
from tests.bench.generate import REPORT_SEED, make_trail
from tests.unit.run_samples import request_of

DELIVERIES = int(os.environ.get("AIBR_BENCH_EVENTS", "1000000"))
NIGHTS = 6
NOW = datetime(2026, 2, 20, tzinfo=UTC)
LIBRARY = Library()
RULES = """\
title: Roles taken
id: 00000000-0000-4000-8000-00000000b001
status: experimental
logsource: {product: aws, service: cloudtrail}
detection:
  taken: {eventSource: sts.amazonaws.com}
  condition: taken
level: informational
---
title: Address that never took a role with the principal
id: 00000000-0000-4000-8000-00000000b002
status: experimental
correlation:
  type: first_seen
  rules: [00000000-0000-4000-8000-00000000b001]
  group-by: [userIdentity.arn]
  field: sourceIPAddress
  lookback: 5d
level: low
"""


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_a_night_on_kept_tallies_finds_what_reading_the_lookback_finds(tmp_path: Path) -> None:
    trail = make_trail(tmp_path / "trail", seed=REPORT_SEED, deliveries=DELIVERIES, days=NIGHTS)
    lake = Lake.open(tmp_path / "lake", mappings=LIBRARY.mappings, create=True)
    lake.add(discover([trail.logs]).files, Scope(now=NOW), processes=os.cpu_count() or 1)
    (tmp_path / "taken.yml").write_text(RULES)
    corpus = LIBRARY.load_rules([str(tmp_path / "taken.yml")])
    nights = [Window(start=START + timedelta(days=day), end=START + timedelta(days=day + 1)) for day in range(NIGHTS)]
    print(f"\n{trail.events:,} events; the last of {NIGHTS} nights, lookback 5 d\n{'':24} {'wall s':>8} {'CPU s':>8} {'episodes':>9}")
    for night in nights[:-1]:
        _night(tmp_path / "nightly", lake, corpus, night)
    kept = _told("tallies kept", tmp_path / "nightly", lake, corpus, night=nights[-1])
    read = _told("lookback read again", tmp_path / "fresh", lake, corpus, night=nights[-1])
    assert kept == read != set()


def _told(what: str, home: Path, lake: Lake, corpus: Corpus, *, night: Window) -> set[tuple[object, ...]]:
    """Run one night, print what it cost, and return its episodes' spans."""
    wall, spent = time.perf_counter(), time.process_time()
    outcome = _night(home, lake, corpus, night)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    print(f"{what:24} {wall:8.2f} {spent:8.2f} {len(outcome.record.episodes):9,}")
    return {(row.group, row.first, row.last, len(row.members)) for row in outcome.record.episodes}


def _night(home: Path, lake: Lake, corpus: Corpus, night: Window) -> Outcome:
    morning = (night.end or NOW) + timedelta(hours=3)  # a run of the same moment would be the same run
    with Ledger.open(home, clock=lambda: morning, tell=lambda _: None) as ledger:
        return run_files(request_of(corpus, night, morning, lake=lake), ledger, clock=lambda: morning, tell=lambda _: None)

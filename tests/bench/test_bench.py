"""`make bench`: prints the tables; what is asserted is that every planted hit is found and none else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench.run_bench import main

DELIVERIES = int(os.environ.get("AIBR_BENCH_EVENTS", "1000000"))


@pytest.mark.bench
def test_every_planted_hit_is_found_and_none_else_at_any_number_of_rules(tmp_path: Path) -> None:
    assert main(["--events", str(DELIVERIES), "--mix", str(DELIVERIES // 10), "--folder", str(tmp_path)]) == 0

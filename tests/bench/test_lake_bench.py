"""`make bench`: prints the lake's table; what is asserted is that the lake finds what the files hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench.lake_bench import main

DELIVERIES = int(os.environ.get("AIBR_BENCH_EVENTS", "1000000"))


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_the_lake_finds_what_the_files_hold_at_any_number_of_rules(tmp_path: Path) -> None:
    assert main(["--events", str(DELIVERIES), "--folder", str(tmp_path)]) == 0

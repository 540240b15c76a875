"""A run over the lake finds what a run over the files finds: leads, sightings, evidence, coverage and episodes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.hunt.run import Outcome
from aibr_hunt.intake.files import discover
from aibr_hunt.model.event import Account
from aibr_hunt.model.lead import Lead
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.run_samples import request_of, run

DEMO = Path(__file__).resolve().parents[2] / "demo" / "logs"
NOW = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
SAMPLES = os.environ.get("AIBR_SAMPLES", "")
EVER = Window()


def found_in(
    home: Path, names: Sequence[str], *, logs: Path | None = None, lake: Lake | None = None, window: Window = EVER
) -> tuple[Outcome, list[Lead]]:
    corpus = LIBRARY.load_rules(names)
    assert corpus.refused == ()
    return run(home, request_of(corpus, window, NOW, paths=() if logs is None else (logs,), lake=lake))


def told(lead: Lead) -> tuple[object, ...]:
    """Return what must be the same of a lead, wherever it was read."""
    places = [(each.path, each.file_digest, each.offset, each.ordinal, each.raw_digest, each.is_conflict) for each in lead.sightings]
    return lead.id, lead.rule_id, lead.event_key, lead.time, lead.action, lead.principal, lead.event_value, sorted(places)


def lake_of(folder: Path, *logs: Path) -> Lake:
    lake = Lake.open(folder, mappings=LIBRARY.mappings, create=True)
    lake.add(discover(logs).files, Scope(now=NOW), processes=1)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lake_of(tmp_path_factory.mktemp("lake"), DEMO)


@pytest.fixture(scope="module")
def from_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, list[Lead]]:
    return found_in(tmp_path_factory.mktemp("files"), ["shipped:"], logs=DEMO)


@pytest.fixture(scope="module")
def from_lake(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, list[Lead]]:
    return found_in(tmp_path_factory.mktemp("home"), ["shipped:"], lake=lake)


def test_leads_episodes_and_their_sightings_are_the_same(
    from_files: tuple[Outcome, list[Lead]], from_lake: tuple[Outcome, list[Lead]]
) -> None:
    assert any(lead.has_conflict for lead in from_files[1])
    assert any(lead.source == "episodes" for lead in from_files[1])
    assert [told(lead) for lead in from_lake[1]] == [told(lead) for lead in from_files[1]]


def test_coverage_and_counts_by_rule_are_the_same(from_files: tuple[Outcome, list[Lead]], from_lake: tuple[Outcome, list[Lead]]) -> None:
    def states(outcome: Outcome) -> set[tuple[str, str, str]]:
        return {(row.rule_id, row.source, row.state.value) for row in outcome.record.coverage}

    assert from_lake[0].hits_by_rule == from_files[0].hits_by_rule
    assert states(from_lake[0]) == states(from_files[0])
    assert from_lake[0].record.run.notes == from_files[0].record.run.notes


def test_refused_bytes_are_told_by_a_run_over_the_lake_too(
    from_files: tuple[Outcome, list[Lead]], from_lake: tuple[Outcome, list[Lead]]
) -> None:
    def refusals(accounts: Sequence[Account]) -> list[tuple[str, str, int]]:
        return [(account.path, each.reason, each.offset) for account in accounts for each in account.refusals]

    assert refusals(from_lake[0].record.accounts) == refusals(from_files[0].record.accounts) != []
    assert from_lake[0].record.run.outcome == "incomplete"


def test_a_window_narrows_both_alike(lake: Lake, tmp_path: Path) -> None:
    window = Window(start=datetime(2026, 1, 12, 2, 5, tzinfo=UTC), end=datetime(2026, 1, 13, tzinfo=UTC))
    files = found_in(tmp_path / "files", ["shipped:aws"], logs=DEMO, window=window)[1]
    assert files
    assert [told(lead) for lead in found_in(tmp_path / "home", ["shipped:aws"], lake=lake, window=window)[1]] == [
        told(lead) for lead in files
    ]


def test_an_empty_lake_is_refused(tmp_path: Path) -> None:
    from aibr_hunt.errors import UsageError

    empty = Lake.open(tmp_path / "lake", mappings=LIBRARY.mappings, create=True)
    with pytest.raises(UsageError, match="lake is empty"):
        found_in(tmp_path / "home", ["shipped:aws"], lake=empty)


@pytest.mark.skipif(not SAMPLES, reason="AIBR_SAMPLES names no folder of published samples")
def test_published_samples_give_the_same_leads(tmp_path: Path) -> None:
    files = found_in(tmp_path / "files", ["shipped:"], logs=Path(SAMPLES))[1]
    assert files
    found = found_in(tmp_path / "home", ["shipped:"], lake=lake_of(tmp_path / "lake", Path(SAMPLES)))[1]
    assert [told(lead) for lead in found] == [told(lead) for lead in files]

"""`aibr_hunt.open()`: the lake in Python and in notebooks."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import aibr_hunt
from aibr_hunt.errors import UsageError
from aibr_hunt.notebook import OpenLake
from tests.cli.samples import write_records
from tests.unit.lake_questions import HOSTILE, lake_of, person, plain_trail

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_records(folder / "logs" / "a.json.gz", [*plain_trail(), person(900, HOSTILE)])
    lake_of(folder / "lake", folder / "logs")
    return folder


@pytest.fixture(autouse=True)
def _of_its_own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AIBR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AIBR_HOME", str(home))


def test_a_lake_is_opened_by_its_folder_by_the_home_or_by_neither(home: Path) -> None:
    for given in (None, home, str(home), home / "lake"):
        with aibr_hunt.open(given) as lake:
            assert lake.folder == home / "lake"
            assert lake.sources == ("aws_cloudtrail",)


def test_importing_the_package_loads_nothing_that_is_heavy() -> None:
    heavy = ("aibr_hunt", "duckdb", "sigma", "numpy", "click")
    code = f"import sys, aibr_hunt; print(sorted(name for name in sys.modules if name.startswith({heavy})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['aibr_hunt']"


def test_a_name_that_the_package_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nosuch"):
        _ = aibr_hunt.nosuch  # type: ignore[attr-defined]


def test_every_question_can_be_asked() -> None:
    with aibr_hunt.open() as lake:
        assert lake.sql("SELECT count(*) AS n FROM events").dicts() == [{"n": 201}]
        rows = lake.stack("eventName", where={"eventName|startswith": "Del", "errorCode": None}, source="aws_cloudtrail").rows()
        assert [row[:2] for row in rows] == [("DeleteGuardrail", 18)]
        assert lake.stack("eventName", commonest=True, limit=1, last="14d").rows() == []
        assert lake.timeline("akia3").total == 40
        event_id = str(lake.sql("SELECT event_id FROM events LIMIT 1").rows()[0][0])
        assert lake.show(event_id).shown.event_id == event_id
        assert "userIdentity.arn" in lake.views["aws_cloudtrail"]


def test_edges_are_moments_dates_or_texts() -> None:
    with aibr_hunt.open() as lake:
        for start, end in (
            (datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)),
            ("2026-01-01T01:00:00Z", "2026-01-01T03:00:00+01:00"),
        ):
            assert lake.timeline("123456789012", start=start, end=end).total == 60
        assert lake.timeline("123456789012", start=date(2026, 1, 1), end=date(2026, 1, 2)).total == 201
        with pytest.raises(UsageError, match="no time zone"):
            lake.timeline("x", start=datetime(2026, 1, 1))  # noqa: DTZ001 - it is what is refused


def test_what_is_shown_helps_and_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    with aibr_hunt.open() as lake:
        assert ".sql(" in repr(lake)
        assert "aws_cloudtrail" in lake._repr_html_()
        lake.sql("SELECT action FROM events WHERE action LIKE '=cmd%'").show()
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert shown.endswith("1 of 1 rows\n")


def test_a_lake_that_was_closed_says_so() -> None:
    lake = aibr_hunt.open()
    answer = lake.sql("SELECT * FROM events")
    lake.close()
    lake.close()
    assert "closed" in repr(lake)
    with pytest.raises(UsageError, match="is closed"):
        lake.sql("SELECT 1")
    assert isinstance(lake, OpenLake)
    assert answer.columns


def test_a_folder_without_a_lake_is_the_user_s_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lake"):
        aibr_hunt.open(tmp_path)

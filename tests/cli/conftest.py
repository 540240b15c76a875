"""The command line inside this process: fast, with its own home and configuration, and the terminal's bytes in hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from aibr_hunt.cli.main import cli
from aibr_hunt.cli.output import run_guarded
from tests.cli.samples import cloudtrail, rule_text, write_records, write_rules


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines of standard output; every line must be one."""
        return [orjson.loads(line) for line in self.out.splitlines()]


Aibr = Callable[..., Said]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parsed rules, shared by the tests of one process."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def aibr(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Aibr:
    """Run a command in an empty working folder and return how it ended."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name, value in {
        "HOME": tmp_path,
        "XDG_CONFIG_HOME": tmp_path / "config",
        "AIBR_HOME": tmp_path / "home",
        "AIBR_CACHE": cache,
        "AIBR_PROCESSES": 1,
        "AIBR_ACTOR": "tester",
    }.items():
        monkeypatch.setenv(name, str(value))

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = run_guarded(cli, [str(each) for each in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with one rule, which finds deleted guardrails."""
    return write_rules(tmp_path / "rules", {"guardrail.yml": rule_text(1)})


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with one log file: 20 records, two of them hits."""
    events = [cloudtrail(each, "DeleteGuardrail" if each in {3, 7} else "ListModels") for each in range(20)]
    write_records(tmp_path / "logs" / "trail.json.gz", events)
    return tmp_path / "logs"

"""Truths typed by hand from docs/meaning.md: each case pins one sentence of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.oracle.strategies import rule_text


@dataclass(frozen=True, slots=True)
class Case:
    """One rule, what it pins, and the truth of each event (JSON text) under it."""

    name: str
    pins: str
    rule: str
    truths: Mapping[str, bool]


def all_cases() -> tuple[Case, ...]:
    """Return every case on fields as written, named after its file and place."""
    return _cases_in(Path(__file__).parent)


def mapped_cases() -> tuple[Case, ...]:
    """Return every case on the mapping of tests/oracle/mapped_world.py."""
    return _cases_in(Path(__file__).parent / "mapped")


@cache
def _cases_in(folder: Path) -> tuple[Case, ...]:
    found: list[Case] = []
    for path in sorted(folder.glob("*.yaml")):
        for place, body in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
            rule = rule_text(body["detection"], len(found))
            found.append(Case(f"{path.stem}-{place:02d}", body["pins"], rule, body["events"]))
    return tuple(found)

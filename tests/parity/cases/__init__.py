"""Truths typed by hand from docs/meaning.md: each case pins one sentence of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from aibr_hunt.content.sigma import pysigma_version
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


# What pySigma 1 misreads is refused by name there: these cases are told by pySigma 2 alone.
NEEDS_PYSIGMA_2 = frozenset(("conditions-06", "encodings-04"))
IS_OLD_PYSIGMA = pysigma_version().startswith("1.")


def refused_cases() -> tuple[Case, ...]:
    """Return the cases on fields as written that the installed pySigma makes us refuse."""
    return tuple(case for case in _every_case_in(Path(__file__).parent) if IS_OLD_PYSIGMA and case.name in NEEDS_PYSIGMA_2)


def _cases_in(folder: Path) -> tuple[Case, ...]:
    return tuple(case for case in _every_case_in(folder) if not (IS_OLD_PYSIGMA and case.name in NEEDS_PYSIGMA_2))


@cache
def _every_case_in(folder: Path) -> tuple[Case, ...]:
    found: list[Case] = []
    for path in sorted(folder.glob("*.yaml")):
        for place, body in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
            rule = rule_text(body["detection"], len(found))
            found.append(Case(f"{path.stem}-{place:02d}", body["pins"], rule, body["events"]))
    return tuple(found)

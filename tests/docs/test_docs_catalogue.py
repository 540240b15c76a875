"""docs/catalogue.md says what is built in, as of now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aibr_hunt.cli.catalogue import COMMAND, found_in
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.report.catalogue import Entry, Kind, catalogue_text, counts_of
from tests.built_in import LIBRARY, rules_asked

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "catalogue.md"

Found = tuple[tuple[Entry, ...], tuple[Hunt, ...]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Every built-in rule, correlation and hunt."""
    return found_in(LIBRARY, rules_asked())


def test_the_catalogue_is_in_step_with_what_is_built_in(found: Found) -> None:
    entries, hunts = found
    command = f"{COMMAND} --out docs/catalogue.md"
    text = catalogue_text(entries, hunts, command=command)
    assert PAGE.read_text(encoding="utf-8") == text, f"Write it anew: {command}"


def test_each_rule_has_one_place_in_the_catalogue(found: Found) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    operands = [name for line in lines if line.startswith("Operands: ") for name in line.split("`")[1::2]]
    entries, hunts = found
    assert sorted(rows) == sorted([*(entry.name for entry in entries if entry.kind is not Kind.OPERAND), *(hunt.name for hunt in hunts)])
    assert sorted(operands) == sorted(entry.name for entry in entries if entry.kind is Kind.OPERAND)


def test_figures_add_up(found: Found) -> None:
    entries, hunts = found
    counts = counts_of(entries, hunts)
    assert sum(counts["cloud"].values()) == sum(counts["kind"].values()) == counts["all"]["rules and correlations"] == len(entries)
    told = counts["all"]["that make leads"]
    assert sum(counts["level"].values()) == sum(counts["service"].values()) == told == len(entries) - counts["kind"][Kind.OPERAND]
    assert all(counts["kind"].values())
    assert set(counts["cloud"]) == {"aws", "azure", "gcp"}


def test_the_readme_tells_the_figures_of_what_is_built_in(found: Found) -> None:
    entries, hunts = found
    corpus = rules_asked()
    counts = counts_of(entries, hunts)
    with_rules = {mapping.name for rule in (*corpus.rules, *corpus.operands) if (mapping := LIBRARY.mapping_for(rule.logsource))}
    alone = (counts["kind"][Kind.SINGLE] + counts["kind"][Kind.CONTENT]) / counts["all"]["that make leads"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"(\d+) log sources are mapped, (\d+) of them have rules", text) == [
        (str(len(LIBRARY.mappings)), str(len(with_rules)))
    ]
    assert re.findall(r"(\d+) % look at a single event", text) == [f"{alone:.0%}".rstrip("%")]
    of_aws = LIBRARY.load_rules(["shipped:aws"])
    asked = (str(len(of_aws.rules)), str(len(of_aws.correlations)))
    assert re.findall(r"Asked: (\d+) rules and (\d+) correlations from shipped:aws", text) == [asked]

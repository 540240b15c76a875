"""What docs/correlations.md says of the engines is what the golden texts are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aibr_hunt.model.correlation import CorrelationType

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "correlations"
ENGINES = ("athena", "bigquery", "duckdb", "kql")


def told() -> dict[tuple[str, str], str]:
    """Return what the page's table says, by engine and type."""
    page = (ROOT / "docs" / "correlations.md").read_text(encoding="utf-8")
    heads = "| type | " + " | ".join(f"`{engine}`" for engine in ENGINES) + " |"
    rows = page[page.index(heads) :].split("\n\n")[0].splitlines()[2:]
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        types, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        for kind in re.findall(r"`(\w+)`", types):
            found |= {(engine, kind): cell for engine, cell in zip(ENGINES, cells, strict=True)}
    return found


def test_the_table_of_types_and_engines_is_the_golden_one() -> None:
    lines = [line.split("\t") for line in (GOLDEN / "table.txt").read_text(encoding="utf-8").splitlines()]
    kinds = {kind.value for kind in CorrelationType}
    golden = {(engine, kind): answer.partition(",")[0] for engine, kind, answer in lines if kind in kinds}
    assert {key: cell.partition(":")[0] for key, cell in told().items()} == golden
    assert {kind for _, kind in golden} == kinds


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*-*.txt")), ids=lambda path: path.stem)
def test_a_text_names_its_table_once(path: Path) -> None:
    body = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(("--", "//"))]
    assert len(re.findall(r"\bmoments_\w+", "\n".join(body), re.IGNORECASE)) == 1

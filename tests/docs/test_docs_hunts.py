"""The hunt, the incidents and the sweep that docs/hunts.md shows are right ones, and its tables name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aibr_hunt.content.library import Library
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.content.selection import select
from aibr_hunt.content.sweeps import load_sweep, load_sweeps
from aibr_hunt.testing import HuntBench

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "hunts.md").read_text(encoding="utf-8")
SCHEMAS = ROOT / "aibr_hunt" / "content" / "schema"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A content folder that holds the page's examples."""
    folder = tmp_path_factory.mktemp("content")
    (folder / "hunts" / "sweeps").mkdir(parents=True)
    hunt, incidents, sweep = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    files = {"our_key_sold.yml": hunt, "our_key_sold.incidents.yaml": incidents, "sweeps/nightly_ours.yml": sweep}
    for name, text in files.items():
        (folder / "hunts" / name).write_text(text, encoding="utf-8")
    return folder


def test_the_hunt_of_the_page_goes_as_its_incidents_say(content: Path) -> None:
    bench = HuntBench(Library([content]))
    [result] = bench.run(["our_key_sold"])
    assert (result.incidents, result.failures) == (4, ())
    [(_, findings)] = bench.check(["our_key_sold"])
    assert findings == ()


def test_the_sweep_of_the_page_selects_what_it_says(content: Path) -> None:
    library = Library([content])
    sweep = load_sweep(content / "hunts" / "sweeps" / "nightly_ours.yml")
    chosen = select(sweep, library.load_rules(["shipped:aws"]), switches_of(library.mappings)).choices
    assert {each.is_selected for each in chosen} == {True, False}
    assert "excluded by name" in {each.why for each in chosen}


def test_the_table_of_sweeps_names_each_that_is_shipped() -> None:
    named = set(re.findall(r"`((?:nightly|weekly)_\w+)`", PAGE)) - {"nightly_ours"}
    assert named == {sweep.name for sweep in load_sweeps([ROOT / "hunts" / "sweeps"])}


@pytest.mark.parametrize("name", ["hunt", "sweep", "incidents"])
def test_every_key_that_may_be_written_stands_on_the_page(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    keys = {*schema["properties"], *(key for part in schema["$defs"].values() for key in part.get("properties", {}))}
    usual = {"author", "date", "status", "references", "description", "what", "scan_bytes", "last"}  # as in rules, or inside another
    assert sorted(key for key in keys - usual if not re.search(rf"\b{key}\b", PAGE)) == []

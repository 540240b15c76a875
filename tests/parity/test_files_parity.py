"""The files engine beside the oracle: whatever a record looks like in bytes, sieve on = sieve off = the oracle."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.files import Scope, scan
from aibr_hunt.engines.program import Options, Program
from aibr_hunt.intake.files import discover
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.rule import Rule
from tests.oracle.jsontext import parse
from tests.oracle.serialisers import FRAMINGS, Spelling, spell
from tests.parity.batches import Batch, Cell, draw_batch, is_sieved, make_file
from tests.parity.cases import IS_OLD_PYSIGMA, Case, all_cases
from tests.parity.test_matcher_parity import told

NOW = datetime(2026, 6, 1, tzinfo=UTC)
# A seed does not shrink: the failing test says the smallest rule and record itself.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# The fewer rules share a sieve, the more records it lets through unparsed.
FEW_RULES = 3
SMALL = {"rules": 25, "events": 15, "files": 3}
READINGS = {
    "sieve": Options(),
    "sieve without hyperscan": Options(use_hyperscan=False),
    "no sieve": Options(use_sieve=False),
    "strict": Options(is_strict=True),
}


@dataclass(slots=True)
class Seen:
    """What one reading found in each file, and how many records it did not have to parse."""

    cells: dict[str, set[Cell]]
    skimmed: int = 0


def scan_batch(batch: Batch, folder: Path, options: Options, *, processes: int = 1) -> Seen:
    """Read a batch's files: the rules that have a sieve a few at a time, then the others, which turn it off for all."""
    seen = Seen({file.name: set() for file in batch.files})
    sieved = [rule for rule in batch.rules if is_sieved(rule)]
    size = FEW_RULES if options.use_sieve and not options.is_strict else len(batch.rules)
    for rules in (*batched(sieved, size), tuple(rule for rule in batch.rules if not is_sieved(rule))):
        _scan_pass(rules, folder, options, seen, processes)
    return seen


def batched(rules: Sequence[Rule], size: int) -> Iterator[tuple[Rule, ...]]:
    """Yield the rules `size` at a time."""
    for first in range(0, len(rules), size):
        yield tuple(rules[first : first + size])


def _scan_pass(rules: Sequence[Rule], folder: Path, options: Options, seen: Seen, processes: int) -> None:
    program = Program(rules, mappings=(), mapping_of=dict.fromkeys(rule.id for rule in rules), options=options)
    assert not program.refused
    for result in scan(discover([folder]).files, program, Scope(is_as_written=True, now=NOW), processes=processes):
        assert result.account.is_complete, result.account
        assert result.account.is_balanced, result.account
        cells = [(int(rule[-12:], 16), hit.event.place.ordinal - 1) for hit in result.hits for rule in hit.rule_ids]
        assert len(cells) == len(set(cells))
        seen.cells.setdefault(Path(result.account.path).name, set()).update(cells)
        seen.skimmed += result.account.record_counts[ByteClass.SKIMMED]


def check(batch: Batch, options: Options, *, processes: int = 1) -> Seen:
    """Compare one reading of a batch with the oracle and return what was read.

    Raises:
        AssertionError: With the smallest rule and record that show the disagreement.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in batch.files:
            file.write(Path(folder))
        seen = scan_batch(batch, Path(folder), options, processes=processes)
    for file in batch.files:
        for number, place in sorted(seen.cells[file.name] ^ batch.truth[file.name])[:1]:
            said = f"{'found' if (number, place) in seen.cells[file.name] else 'missed'} in a file of {file.framing}, seed {batch.seed}"
            pytest.fail(f"{said}\n{file.records[place]}\n{told(batch.texts[number], file.records[place])}")
    return seen


@dataclass(slots=True)
class Tally:
    """What a run over many batches compared: cells, those under a sieve, true ones, skimmed records, rules refused at load."""

    cells: int = 0
    sieved: int = 0
    true: int = 0
    skimmed: int = 0
    refused: int = 0

    def compare(self, batch: Batch) -> None:
        """Compare every reading of a batch with the oracle and add it up."""
        seen = {name: check(batch, options) for name, options in READINGS.items()}
        records = sum(len(file.records) for file in batch.files)
        self.cells += batch.cells
        self.sieved += records * sum(map(is_sieved, batch.rules))
        self.true += sum(map(len, batch.truth.values()))
        self.skimmed += seen["sieve"].skimmed
        self.refused += len(batch.refused)
        assert seen["no sieve"].skimmed == seen["strict"].skimmed == 0


def tally_of(examples: int, sizes: dict[str, int]) -> Tally:
    """Draw batches and compare each."""
    tally = Tally()

    @settings(max_examples=examples, phases=PHASES)
    @given(st.integers(0, 2**64 - 1))
    def run(seed: int) -> None:
        tally.compare(draw_batch(seed, **sizes))

    run()
    return tally


def test_sieve_on_is_sieve_off_is_the_oracle_over_twenty_thousand_cells() -> None:
    """A cell is one rule and one record; each of the readings above is compared with the oracle on every cell."""
    tally = tally_of(22, SMALL)
    print(tally)  # noqa: T201 - shown by pytest -rP
    assert tally.cells >= 20_000
    assert tally.sieved >= tally.cells // 3, "a sieve that is off proves nothing"
    assert tally.skimmed >= 500, "a sieve that lets everything through proves nothing"
    assert tally.cells // 20 <= tally.true <= tally.cells // 2, "rules must hit often, and miss often"
    assert tally.refused <= (200 if IS_OLD_PYSIGMA else 20), "refused rules prove nothing"


SPELLINGS = {
    "as typed": Spelling(),
    "spaced": Spelling(space_rate=1.0),
    "escaped here and there": Spelling(escape_rate=0.2, slash_rate=0.5),
    "escaped throughout": Spelling(escape_rate=1.0),
}


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_truth_typed_by_hand_survives_every_spelling_and_framing(case: Case, tmp_path: Path) -> None:
    rng = random.Random(case.name)
    rule = load_rule_text(case.rule, "case.yml")
    truths = [truth for truth in case.truths.values() for _ in SPELLINGS]
    records = [spell(rng, parse(event), spelling) for event in case.truths for spelling in SPELLINGS.values()]
    for number, framing in enumerate(FRAMINGS):
        make_file(rng, f"{number}", framing, records).write(tmp_path)
    seen = Seen({})
    _scan_pass([rule], tmp_path, Options(), seen, 1)
    for name, cells in seen.cells.items():
        met = {place for _, place in cells}
        assert [place in met for place in range(len(records))] == truths, (case.pins, name)
    assert len(seen.cells) == len(FRAMINGS)


def test_two_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aibr_hunt.engines.files.TASK_FILES", 1)
    check(draw_batch(5, rules=20, events=10, files=6), Options(), processes=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sieve_on_is_sieve_off_is_the_oracle_over_a_hundred_thousand_cells() -> None:
    assert tally_of(60, {"rules": 40, "events": 15, "files": 4}).cells >= 100_000

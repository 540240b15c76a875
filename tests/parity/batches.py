"""Batches: many drawn rules, many drawn events in several spellings and files, and what the oracle says of each pair."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import ContentError, ContentErrors, Unsupported
from aibr_hunt.meaning.sieve import sieve_of
from aibr_hunt.model.predicate import Predicate
from aibr_hunt.model.rule import Rule
from tests.oracle.evaluate import Evaluator
from tests.oracle.jsontext import parse
from tests.oracle.serialisers import FRAMINGS, draw_spelling, frame, needs_lines, spell
from tests.oracle.sigma import predicate_of_rule
from tests.oracle.strategies import draw_rule
from tests.oracle.worlds import draw_event, draw_world

ORACLE = Evaluator()
# A read of a plain file ends here; white space in front of the records puts the border inside one of them.
READ_BORDER = 64 * 1024

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DrawnFile:
    """One file: how its records are framed, their texts, and its content as stored."""

    name: str
    framing: str
    records: tuple[str, ...]
    stored: bytes

    def write(self, folder: Path) -> Path:
        """Write the file and return its path."""
        path = folder / self.name
        path.write_bytes(self.stored)
        return path


@dataclass(frozen=True)
class Batch:
    """Rules that loaded, files, and the oracle's word on every rule and record."""

    seed: int
    texts: tuple[str, ...]
    rules: tuple[Rule, ...]
    predicates: tuple[Predicate, ...]
    refused: tuple[str, ...]
    files: tuple[DrawnFile, ...]

    @property
    def cells(self) -> int:
        """How many pairs of rule and record the batch holds."""
        return len(self.rules) * sum(len(file.records) for file in self.files)

    @cached_property
    def truth(self) -> dict[str, frozenset[Cell]]:
        """For each file the pairs (rule, record), both from 0, that the oracle says hold."""
        return {file.name: frozenset(self._true_cells(file)) for file in self.files}

    def _true_cells(self, file: DrawnFile) -> Iterator[Cell]:
        for place, record in enumerate(file.records):
            event = parse(record)
            for number, predicate in enumerate(self.predicates):
                if ORACLE.matches(predicate, event):
                    yield number, place


def draw_batch(seed: int, *, rules: int, events: int, files: int) -> Batch:
    """Return the batch of a seed: `rules` rules, half of them with a sieve, and `files` files of `events` events each."""
    rng = random.Random(seed)
    world = draw_world(rng)
    loaded: list[tuple[str, Rule]] = []
    refused: list[str] = []
    while len(loaded) < rules:
        text = draw_rule(rng, world, len(loaded))
        try:
            rule = load_rule_text(text, "drawn.yml")
        except (ContentError, ContentErrors, Unsupported) as error:
            refused.append(str(error))
            continue
        # A drawn rule often negates and so has nothing to sieve by: most of those are drawn again.
        if is_sieved(rule) or rng.random() < 0.3:
            loaded.append((text, rule))
    drawn = []
    for number in range(files):
        framing = rng.choice(FRAMINGS)
        spelling = draw_spelling(rng, is_line=needs_lines(framing))
        records = [spell(rng, draw_event(rng, world), spelling) for _ in range(events)]
        drawn.append(make_file(rng, f"{number:03d}", framing, records))
    texts, kept = tuple(text for text, _ in loaded), tuple(rule for _, rule in loaded)
    return Batch(seed, texts, kept, tuple(map(predicate_of_rule, texts)), tuple(refused), tuple(drawn))


def is_sieved(rule: Rule) -> bool:
    """True when some literal must occur in each record that meets the rule."""
    return not sieve_of([rule], None).unsieved


def make_file(rng: random.Random, name: str, framing: str, records: Sequence[str]) -> DrawnFile:
    """Return a file of the records, at times compressed, at times with the reader's border inside a record."""
    content = frame(framing, records).encode()
    if rng.random() < 0.3:
        content = b" " * (READ_BORDER - rng.randrange(len(content))) + content
    if rng.random() < 0.3:
        return DrawnFile(f"{name}.json.gz", framing, tuple(records), gzip.compress(content, mtime=0))
    return DrawnFile(f"{name}.json", framing, tuple(records), content)


def minimise(rule: str, record: str, is_wrong: Callable[[str, str], bool]) -> str:
    """Return the record with every member and element left out that the disagreement does not need."""
    event = json.loads(record)
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(event):
            text = json.dumps(smaller, ensure_ascii=False)
            if is_wrong(rule, text):
                event, record, progress = smaller, text, True
                break
    return record


def _smaller(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key in value:
            yield {name: member for name, member in value.items() if name != key}
        for key, member in value.items():
            for smaller in _smaller(member):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, element in enumerate(value):
            for smaller in _smaller(element):
                yield [*value[:place], smaller, *value[place + 1 :]]

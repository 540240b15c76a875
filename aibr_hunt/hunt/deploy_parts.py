"""What a deployment pack is made of: the request, each rule with its program, and the files that go out."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aibr_hunt.compile.correlations import Scheduled
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.layout import EngineKind, Kind, Layout
from aibr_hunt.model.mapping import FieldPath, Mapping
from aibr_hunt.model.query import Last, Query
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.technique import Tactic
from aibr_hunt.model.text import visible

# Names that Windows keeps for devices, whatever follows the first dot.
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))})
_LONGEST_STEM: Final = 80
# The namespace of ids that are derived; a constant, so that a pack is the same wherever it is written.
_NAMESPACE: Final = uuid.UUID("6c0c1c1e-0d57-5d0a-9c43-2f2f7f0f9f11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a pack is asked for.

    Attributes:
        engine: KQL, BIGQUERY or ATHENA.
        every_hours: How often the rules are to run, in whole hours.
        layout: Name of the layout to read; empty for the first that a mapping has for the engine.
        table: The table's name where the operator has another; empty for the layout's.
        forms: Of Sentinel's forms, those to write.
    """

    engine: EngineKind
    every_hours: int = 24
    layout: str = ""
    table: str = ""
    forms: tuple[str, ...] = ("arm", "yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One rule or correlation with the program that says it whole.

    Attributes:
        rule: The rule, or the correlation.
        mapping: Its log source.
        query: The program, over a span that ends when it runs.
        meaning: Meaning digest of the rule on the mapping.
        stem: Name of its files: lower-case ASCII letters, digits and underscores, unique in the pack.
        tactics: ATT&CK tactics, in the order of the matrix.
        scheduled: Of a correlation: what its windows are told by; None for a rule.
        below: Of a correlation: the rules that it rests on, with their meaning digests.
        group: Of a correlation: for each group field where the records of the rules below have it.
    """

    rule: Rule | Correlation
    mapping: Mapping
    query: Query
    meaning: str
    stem: str
    tactics: tuple[Tactic, ...]
    scheduled: Scheduled | None = None
    below: tuple[tuple[Rule, str], ...] = ()
    group: tuple[frozenset[FieldPath], ...] = ()

    @property
    def requires(self) -> tuple[str, ...]:
        """The log switches that must be on, those of the rules below included."""
        return tuple(dict.fromkeys([*self.rule.requires, *(switch for rule, _ in self.below for switch in rule.requires)]))

    @property
    def filters(self) -> tuple[str, ...]:
        """The filters that are in force, those on the rules below included."""
        rules = [*([self.rule] if isinstance(self.rule, Rule) else []), *(rule for rule, _ in self.below)]
        return tuple(dict.fromkeys(each for rule in rules for each in rule.filters))

    @property
    def layout(self) -> Layout:
        """Where the program reads."""
        return self.query.layout

    @property
    def hours(self) -> int:
        """How far the program looks back."""
        span = self.query.span
        return span.hours if isinstance(span, Last) else 0

    @property
    def guid(self) -> str:
        """The rule's own UUID, or one that is derived from its id."""
        try:
            return str(uuid.UUID(self.rule.id))
        except ValueError:
            return str(uuid.uuid5(_NAMESPACE, self.rule.id))

    @property
    def title(self) -> str:
        """The title, with nothing in it that hides or reorders text."""
        return visible(self.rule.title).strip() or self.stem

    @property
    def description(self) -> str:
        """The description, likewise; the title for a rule without one."""
        return visible(self.rule.description, keep_lines=True).strip() or self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One file of a pack.

    Attributes:
        path: Below the pack's folder, with slashes.
        content: Its bytes.
        rules: Ids of the rules that it deploys.
    """

    path: str
    content: bytes
    rules: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the content, hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A rule or correlation that is not in the pack, and why.

    Attributes:
        rule: Its id; the path of a file that could not be read.
        name: Its name, as lists show it.
        reason: One sentence or several.
        is_unread: The file itself is at fault: its author can mend it.
    """

    rule: str
    name: str
    reason: str
    is_unread: bool = False


def stems_of(rules: Sequence[Rule | Correlation]) -> dict[str, str]:
    """Return a file name without suffix for each rule, by id: safe on every platform, and told apart where two would be one."""
    plain = {rule.id: _stem(rule.name) for rule in rules}
    counted = Counter(plain.values())
    return {id_: stem if counted[stem] == 1 else f"{stem}_{hashlib.sha256(id_.encode()).hexdigest()[:8]}" for id_, stem in plain.items()}


def _stem(name: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST_STEM].strip("_") or "rule"
    return f"rule_{stem}" if stem in _DEVICES else stem


def plain_json(value: object) -> bytes:
    """Return JSON of printable ASCII: what strangers wrote can act on nothing that shows it."""
    return (json.dumps(value, ensure_ascii=True, indent=2).replace("\x7f", r"\u007f") + "\n").encode()


def group_columns(prepared: Prepared, paths: Sequence[FieldPath]) -> Iterator[tuple[frozenset[FieldPath], str]]:
    """Yield the places and the column of each group field of a correlation whose places are among the paths in every rule below it."""
    columns = () if prepared.scheduled is None else prepared.scheduled.columns
    for places, column in zip(prepared.group, columns, strict=False):
        if places and places <= set(paths):
            yield places, column


def columns_at(prepared: Prepared, paths: Sequence[FieldPath]) -> Iterator[tuple[FieldPath, str, bool]]:
    """Yield path, column and whether a port may stand behind its value, for each path that is a text column of its own."""
    seen: set[str] = set()
    places = {place.member: place for place in prepared.layout.places}
    for path in paths:
        place = places.get(path)
        for found in () if place is None else place.paths:
            column = prepared.layout.column(found.column)
            if not found.steps and column is not None and column.type.kind is Kind.TEXT and column.name not in seen:
                seen.add(column.name)
                yield path, column.name, place is not None and place.has_port

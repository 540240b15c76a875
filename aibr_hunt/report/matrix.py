"""The ATT&CK and ATLAS matrix of a report: what was asked, and under which technique leads were found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aibr_hunt.model.lead import Lead, RuleRow
from aibr_hunt.model.technique import Tactic, Technique

Framework = Literal["attack", "atlas"]
TITLES: Mapping[Framework, str] = {"attack": "MITRE ATT&CK", "atlas": "MITRE ATLAS"}
# The wording that MITRE's terms of use ask for, kept as they give it.
NOTICES: Mapping[Framework, str] = {
    "attack": "\u00a9 2026 The MITRE Corporation. This work is reproduced and distributed with the permission of "
    "The MITRE Corporation. ATT&CK is a registered trademark of The MITRE Corporation.",
    "atlas": "MITRE ATLAS (TM). Copyright 2021-2026 The MITRE Corporation. Licensed under the Apache License, Version 2.0.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One technique under one tactic: the rules that ask for it and the leads found under it."""

    technique: Technique
    rules: int
    lead_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One tactic with its techniques, those with leads first, then by id."""

    tactic: Tactic
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """One catalogue's matrix. `unasked`: tactics of which no rule of the runs asks for any technique."""

    framework: Framework
    title: str
    versions: tuple[str, ...]
    columns: tuple[Column, ...]
    unasked: tuple[Tactic, ...]
    notice: str


def matrices(rules: Iterable[RuleRow], leads: Iterable[Lead], tactics: Sequence[Tactic]) -> tuple[Matrix, ...]:
    """Return a matrix for each catalogue of which a rule or a lead names a technique; `leads` in order of time."""
    asked: dict[Technique, int] = {}
    found: dict[Technique, list[str]] = {}
    for rule in rules:
        for technique in rule.techniques:
            asked[technique] = asked.get(technique, 0) + 1
    for lead in leads:
        for technique in lead.techniques:
            found.setdefault(technique, []).append(lead.id)
    cells = [
        Cell(technique=technique, rules=asked.get(technique, 0), lead_ids=tuple(found.get(technique, ())))
        for technique in dict.fromkeys([*asked, *found])
    ]
    frameworks: tuple[Framework, ...] = ("attack", "atlas")
    return tuple(_matrix(name, cells, tactics) for name in frameworks if any(cell.technique.framework == name for cell in cells))


def _matrix(framework: Framework, cells: Iterable[Cell], tactics: Sequence[Tactic]) -> Matrix:
    mine = [cell for cell in cells if cell.technique.framework == framework]
    known = {tactic.id: tactic for tactic in tactics if tactic.framework == framework}
    under: dict[str, list[Cell]] = {}
    for cell in mine:
        for tactic_id in cell.technique.tactics or ("no tactic",):
            under.setdefault(tactic_id, []).append(cell)
    last = len(known) + 1
    columns = [
        Column(
            tactic=known.get(tactic_id) or Tactic(framework=framework, id=tactic_id, name=tactic_id, tag="", order=last),
            cells=tuple(sorted(members, key=lambda cell: (not cell.lead_ids, cell.technique.id))),
        )
        for tactic_id, members in under.items()
    ]
    return Matrix(
        framework=framework,
        title=TITLES[framework],
        versions=tuple(sorted({cell.technique.version for cell in mine})),
        columns=tuple(sorted(columns, key=lambda column: (column.tactic.order, column.tactic.id))),
        unasked=tuple(sorted((tactic for tactic in known.values() if tactic.id not in under), key=lambda tactic: tactic.order)),
        notice=NOTICES[framework],
    )

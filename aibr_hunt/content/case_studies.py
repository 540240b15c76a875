"""Case studies of ATLAS: which techniques an incident or exercise used, in `mappings/case_studies.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.facts import read_facts
from aibr_hunt.model.technique import Technique


class _Step(TypedDict):
    tactic: str
    technique: str
    was: NotRequired[str]


class _Row(TypedDict):
    id: str
    name: str
    type: str
    date: str
    granularity: str
    steps: list[_Step]


class _Document(TypedDict):
    version: str
    notice: str
    case_studies: list[_Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStudy:
    """One incident or exercise.

    Attributes:
        id: Such as `AML.CS0030`.
        kind: `incident` or `exercise`.
        date: As precise as it is known: a year, a month or a day.
        techniques: Those that it used, each once, in the order of its steps.
        lost: Ids of steps that the catalogue in force does not have.
    """

    id: str
    name: str
    kind: str
    date: str
    techniques: tuple[Technique, ...]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStudies:
    """All case studies of one release, with the notice of their owner."""

    version: str
    notice: str
    studies: tuple[CaseStudy, ...]


def load_case_studies(folders: Sequence[Path], catalogue: Catalogue) -> CaseStudies:
    """Return the case studies that the last folder holds that has any.

    Raises:
        ContentError: No folder holds them, or the file breaks its schema.
    """
    _, found = read_facts(folders, "case_studies")
    document = cast("_Document", found)
    studies = tuple(_study(row, catalogue) for row in document["case_studies"])
    return CaseStudies(version=document["version"], notice=document["notice"], studies=studies)


def _study(row: _Row, catalogue: Catalogue) -> CaseStudy:
    ids = list(dict.fromkeys(step["technique"] for step in row["steps"]))
    known = {id_: catalogue.techniques.get(f"atlas.{id_.lower()}") for id_ in ids}
    return CaseStudy(
        id=row["id"],
        name=row["name"],
        kind=row["type"],
        date=row["date"][: {"year": 4, "month": 7}.get(row["granularity"], 10)],
        techniques=tuple(found for found in known.values() if found is not None),
        lost=tuple(id_ for id_, found in known.items() if found is None),
    )

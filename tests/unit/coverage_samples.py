"""A small classification, a few rules and case studies that the tests of coverage share."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aibr_hunt.content.case_studies import CaseStudies, CaseStudy
from aibr_hunt.content.target import CLOUDS, Cloud, LogClass, Target, TargetRow
from aibr_hunt.model.technique import Technique
from aibr_hunt.report.techniques import KnownRule


def technique(id_: str, *, tactics: tuple[str, ...] = ("TA0040",)) -> Technique:
    """Return a technique of either catalogue, named after its id."""
    is_atlas = id_.startswith("AML.")
    return Technique(
        framework="atlas" if is_atlas else "attack",
        id=id_,
        name=f"Name of {id_}",
        tactics=("AML.TA0011",) if is_atlas else tactics,
        version="2026.09" if is_atlas else "19.1",
    )


def row(id_: str, log_class: str, events: Mapping[Cloud, tuple[str, ...]] | None = None, *, note: str = "") -> TargetRow:
    """Return a row of the classification."""
    return TargetRow(technique=technique(id_), log_class=LogClass(log_class), events=events or {}, note=note)


def target(*rows: TargetRow, unclassified: Collection[str] = ()) -> Target:
    """Return a classification of these rows."""
    open_ones = [technique(id_) for id_ in unclassified]
    return Target(
        version="2026-11-29",
        catalogues={"attack": "19.1", "atlas": "2026.09"},
        status="for tests",
        rows={each.tag: each for each in rows},
        unclassified={f"{each.framework}.{each.id.lower()}": each for each in open_ones},
    )


def rule(name: str, *tags: str, clouds: str = "aws", tested: bool = True, **more: tuple[str, ...]) -> KnownRule:
    """Return a rule; `clouds` holds the names of its clouds, `requires` and `sources` may be given."""
    return KnownRule(
        id=f"id of {name}",
        name=name,
        tags=frozenset(tags),
        clouds=frozenset(cloud for cloud in CLOUDS if cloud in clouds),
        is_tested=tested,
        why="" if tested else "it has no cases",
        requires=more.get("requires", ()),
        sources=more.get("sources", ("aws_cloudtrail",)),
    )


def studies(**techniques: Collection[str]) -> CaseStudies:
    """Return case studies by the last part of their id, such as CS0001."""
    found = tuple(
        CaseStudy(id=f"AML.{key}", name=f"Study {key}", kind="incident", date="2025", techniques=tuple(technique(id_) for id_ in ids))
        for key, ids in techniques.items()
    )
    return CaseStudies(version="5.6.0", notice="Licensed under the Apache License, Version 2.0.", studies=found)

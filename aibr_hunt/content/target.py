"""What logs can show of each technique at all: our own classification, in `mappings/coverage_target.json`.

A technique of class C, D or P belongs to the tier of logs that can show it. One of class X or N is not observable in the
logs of AI services, whatever rules say. Those that nobody has classified count in no tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, NotRequired, TypeAlias, TypedDict, cast

from aibr_hunt.content.catalogue import Catalogue, tag_of
from aibr_hunt.content.facts import read_facts
from aibr_hunt.model.technique import Framework, Technique

Cloud: TypeAlias = Literal["aws", "gcp", "azure"]
CLOUDS: Final[tuple[Cloud, ...]] = ("aws", "gcp", "azure")


class LogClass(StrEnum):
    """Where a technique shows, if anywhere."""

    CONTROL = "C"
    DATA = "D"
    PROMPT = "P"
    ELSEWHERE = "X"
    NOWHERE = "N"

    @property
    def is_observable(self) -> bool:
        """True for a tier of the logs that this project reads."""
        return self in TIERS


TIERS: Final = (LogClass.CONTROL, LogClass.DATA, LogClass.PROMPT)
TIER_NAMES: Final[Mapping[LogClass, str]] = {
    LogClass.CONTROL: "control plane",
    LogClass.DATA: "data plane",
    LogClass.PROMPT: "prompt and response",
    LogClass.ELSEWHERE: "only outside these logs",
    LogClass.NOWHERE: "in no log of the victim",
}


class _Row(TypedDict):
    id: str
    aws: NotRequired[list[str]]
    gcp: NotRequired[list[str]]
    azure: NotRequired[list[str]]
    inherited: NotRequired[bool]
    note: NotRequired[str]


class _Document(TypedDict):
    version: str
    status: str
    catalogues: dict[Framework, str]
    techniques: list[_Row]
    unclassified: list[_Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """What logs can show of one technique.

    Attributes:
        events: Events of each cloud that show it, as `service:Operation`, `Service/Method` or an Azure operation; a cloud without any
            is absent.
        is_inherited: A sub-technique that has the class of its technique.
        note: What bounds the answer; may be empty.
    """

    technique: Technique
    log_class: LogClass
    events: Mapping[Cloud, tuple[str, ...]]
    is_inherited: bool = False
    note: str = ""

    @property
    def tag(self) -> str:
        """The Sigma tag of the technique."""
        return tag_of(self.technique)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The classification as a whole.

    Attributes:
        version: Date of the classification.
        catalogues: Versions of the catalogues that it was made for.
        status: Who judged, and what was checked.
        rows: Classified techniques by tag.
        unclassified: Cloud techniques that nobody has classified, by tag.
        lost: Ids of the file that the catalogues in force do not have: they were retired since.
    """

    version: str
    catalogues: Mapping[Framework, str]
    status: str
    rows: Mapping[str, TargetRow]
    unclassified: Mapping[str, Technique]
    lost: tuple[str, ...] = ()

    def of(self, classes: Iterable[LogClass]) -> tuple[TargetRow, ...]:
        """Return the rows of some classes, in the file's order."""
        wanted = frozenset(classes)
        return tuple(row for row in self.rows.values() if row.log_class in wanted)


def load_target(folders: Sequence[Path], catalogue: Catalogue) -> Target:
    """Return the classification that stands: that of the last folder that holds one.

    Args:
        folders: Folders of mappings, the shipped one first.
        catalogue: The catalogues in force.

    Raises:
        ContentError: No folder holds one, or the file breaks its schema.
    """
    _, found = read_facts(folders, "coverage_target")
    document = cast("_Document", found)
    rows = {row.tag: row for each in document["techniques"] if (row := _row(each, catalogue)) is not None}
    open_ones = [_technique(each["id"], catalogue) for each in document["unclassified"]]
    every = [each["id"] for each in (*document["techniques"], *document["unclassified"])]
    return Target(
        version=document["version"],
        catalogues=document["catalogues"],
        status=document["status"],
        rows=rows,
        unclassified={tag_of(each): each for each in open_ones if each is not None},
        lost=tuple(id_ for id_ in every if _technique(id_, catalogue) is None),
    )


def _row(each: _Row, catalogue: Catalogue) -> TargetRow | None:
    technique = _technique(each["id"], catalogue)
    if technique is None:
        return None
    named = cast("Mapping[str, list[str]]", each)
    return TargetRow(
        technique=technique,
        log_class=LogClass(cast("Mapping[str, str]", each)["class"]),
        events={cloud: tuple(named[cloud]) for cloud in CLOUDS if cloud in named},
        is_inherited=each.get("inherited", False),
        note=each.get("note", ""),
    )


def _technique(id_: str, catalogue: Catalogue) -> Technique | None:
    framework = "atlas" if id_.startswith("AML.") else "attack"
    return catalogue.techniques.get(f"{framework}.{id_.lower()}")

"""ATT&CK and ATLAS as Sigma tags name them: techniques, tactics, and what became of retired ids.

The facts lie in `mappings/attack.json` and `mappings/atlas.json`, each with its version, its provenance and the
notice of its owner. Tags are read without case: `attack.t1078.004`, `atlas.aml.t0024`, `attack.credential-access`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypedDict, cast

from aibr_hunt.errors import ContentError
from aibr_hunt.model.technique import Framework, Tactic, Technique

FRAMEWORKS: Final[tuple[Framework, ...]] = ("attack", "atlas")

_TECHNIQUE_TAG: Final = re.compile(r"attack\.t\d{4}(\.\d{3})?|atlas\.aml\.t\d{4}(\.\d{3})?")
_TACTIC_ID_TAG: Final = re.compile(r"attack\.ta\d{4}|atlas\.aml\.ta\d{4}")
# Groups, software, campaigns, mitigations, data sources and case studies: Sigma allows them, we hold no list of them.
_OTHER_TAG: Final = re.compile(r"attack\.([gscm]|ds|dc|det|an)\d{4}|atlas\.aml\.(m|cs)\d{4}")


class _TacticRow(TypedDict):
    id: str
    name: str
    tag: str


class _RetiredTacticRow(TypedDict):
    tag: str
    id: str
    since: str
    successors: list[str]


class _RequiredTechniqueRow(TypedDict):
    id: str
    name: str
    tactics: list[str]


class _TechniqueRow(_RequiredTechniqueRow, total=False):
    parent: str
    cloud: list[str]
    attack: str


class _RequiredRetiredRow(TypedDict):
    id: str
    name: str


class _RetiredRow(_RequiredRetiredRow, total=False):
    successors: list[str]
    since: str


class _Document(TypedDict):
    format: int
    framework: Framework
    name: str
    version: str
    notice: str
    tactics: list[_TacticRow]
    retired_tactics: list[_RetiredTacticRow]
    techniques: list[_TechniqueRow]
    retired: list[_RetiredRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFault:
    """Why one tag, or a set of tags, cannot stand.

    Attributes:
        tag: The tag as written, or the framework's name when the set as a whole is at fault.
        what: The fault, as a sentence.
        hint: What to write instead.
        successors: Techniques that took the place of a retired one.
    """

    tag: str
    what: str
    hint: str = ""
    successors: tuple[Technique, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """An id or tactic tag that its catalogue has given up: its name then, and the tags that took its place."""

    name: str
    successors: tuple[str, ...]
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Both catalogues at one version each.

    Attributes:
        versions: Framework to version.
        notices: The owners' notices, to be shown wherever names of the catalogues are reproduced at length.
        tactics: All tactics, ATT&CK first, each framework in the order of its matrix.
        techniques: Active techniques by tag, such as `attack.t1078.004`.
        retired: Given-up technique ids and tactics, by tag.
        parents: Sub-technique's tag to its technique's tag.
        attack_relations: ATLAS technique's tag to the tag of the ATT&CK technique that it refers to.
        cloud_platforms: ATT&CK technique's tag to the cloud platforms that it applies to; absent when none.
    """

    versions: Mapping[Framework, str]
    notices: tuple[str, ...]
    tactics: tuple[Tactic, ...]
    techniques: Mapping[str, Technique]
    retired: Mapping[str, Retired]
    parents: Mapping[str, str]
    attack_relations: Mapping[str, str]
    cloud_platforms: Mapping[str, tuple[str, ...]]
    _tactics_by_tag: Mapping[str, Tactic] = field(repr=False)

    def technique(self, tag: str) -> Technique:
        """Return the technique that `tag` names.

        Args:
            tag: Such as `attack.t1078.004` or `atlas.aml.t0024`, in any case.

        Raises:
            ContentError: When no catalogue knows the id. For a retired id the message names its successor.
        """
        found = self.techniques.get(tag.lower())
        if found is None:
            fault = self._fault_of_technique(tag)
            raise ContentError(fault.what, hint=fault.hint)
        return found

    def techniques_of(self, tags: Iterable[str]) -> tuple[Technique, ...]:
        """Return the active techniques among `tags`, in their order, each once."""
        found = (self.techniques.get(tag.lower()) for tag in tags)
        return tuple(dict.fromkeys(technique for technique in found if technique is not None))

    def tactic(self, tag: str) -> Tactic | None:
        """Return the tactic that `tag` names by its short name or its id, or None."""
        return self._tactics_by_tag.get(tag.lower())

    def tactics_of(self, framework: Framework) -> tuple[Tactic, ...]:
        """Return the tactics of one framework in the order of its matrix."""
        return tuple(tactic for tactic in self.tactics if tactic.framework == framework)

    def parent(self, technique: Technique) -> Technique | None:
        """Return the technique that a sub-technique belongs to, None for a technique of its own."""
        above = self.parents.get(tag_of(technique))
        return None if above is None else self.techniques[above]

    def check_tags(self, tags: Iterable[str]) -> tuple[TagFault, ...]:
        """Return what is wrong with a rule's tags: unknown and retired ids, and tactics that do not fit.

        Tags of other namespaces, and ids of groups, software, campaigns and the like, are not judged.
        """
        lowered = tuple(tag.lower() for tag in tags)
        faults = [fault for tag in lowered for fault in self._faults_of_tag(tag)]
        faults += [fault for framework in FRAMEWORKS for fault in self._disagreements(framework, lowered)]
        return tuple(faults)

    def _faults_of_tag(self, tag: str) -> tuple[TagFault, ...]:
        if not tag.startswith(("attack.", "atlas.")) or tag in self.techniques or tag in self._tactics_by_tag:
            return ()
        if _TECHNIQUE_TAG.fullmatch(tag):
            return (self._fault_of_technique(tag),)
        return () if _OTHER_TAG.fullmatch(tag) else (self._fault_of_tactic(tag),)

    def _fault_of_technique(self, tag: str) -> TagFault:
        lowered = tag.lower()
        gone = self.retired.get(lowered)
        if gone is not None:
            since = f" since version {gone.since}" if gone.since else ""
            what = f"{tag} ({gone.name}) is retired{since} in {self._name_of(lowered)}."
            successors = tuple(self.techniques[successor] for successor in gone.successors if successor in self.techniques)
            return TagFault(tag=tag, what=what, hint=self._advise(gone.successors), successors=successors)
        return TagFault(tag=tag, what=f"{tag} is no technique of {self._name_of(lowered)}.", hint=self._siblings(lowered))

    def _fault_of_tactic(self, tag: str) -> TagFault:
        spelled = tag.replace("_", "-")  # as tags were written before version 2 of the Sigma specification
        gone = self.retired.get(spelled)
        if gone is not None:
            what = f"The tactic {tag} is retired since version {gone.since} in {self._name_of(tag)}."
            return TagFault(tag=tag, what=what, hint=self._advise(gone.successors))
        framework = tag.split(".", 1)[0]
        near = get_close_matches(spelled, [f"{framework}.{tactic.tag}" for tactic in self.tactics if tactic.framework == framework], n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        return TagFault(tag=tag, what=f"{tag} is neither a technique nor a tactic of {self._name_of(tag)}.", hint=hint)

    def _advise(self, successors: tuple[str, ...]) -> str:
        if not successors:
            return "Nothing took its place: choose the technique that fits what the rule sees."
        named = (f"{tag} ({self.techniques[tag].name})" if tag in self.techniques else tag for tag in successors)
        return f"Write {' or '.join(named)}."

    def _siblings(self, tag: str) -> str:
        above = tag.rsplit(".", 1)[0]
        if above not in self.techniques:
            return ""
        below = sorted(child for child, parent in self.parents.items() if parent == above)
        known = f" and {', '.join(below)}" if below else ""
        return f"The catalogue knows {above} ({self.techniques[above].name}){known}."

    def _name_of(self, tag: str) -> str:
        framework = FRAMEWORKS[0] if tag.startswith("attack.") else FRAMEWORKS[1]
        return f"{'ATT&CK' if framework == 'attack' else 'ATLAS'} {self.versions[framework]}"

    def _disagreements(self, framework: Framework, tags: tuple[str, ...]) -> list[TagFault]:
        techniques = [found for found in self.techniques_of(tags) if found.framework == framework]
        tactics = [found for found in map(self.tactic, tags) if found is not None and found.framework == framework]
        if not techniques or (framework == "atlas" and not tactics):
            return []  # Sigma corpora write no ATLAS tactics: only those that are written must fit
        ids = {tactic.id for tactic in tactics}
        faults = [self._unserved(technique) for technique in techniques if not ids.intersection(technique.tactics)]
        served = {id_ for technique in techniques for id_ in technique.tactics}
        return faults + [self._idle(tactic) for tactic in tactics if tactic.id not in served]

    def _unserved(self, technique: Technique) -> TagFault:
        wanted = " or ".join(f"{t.framework}.{t.tag}" for t in self.tactics_of(technique.framework) if t.id in technique.tactics)
        what = f"{technique.id} ({technique.name}) serves none of the tactics in the tags."
        return TagFault(tag=tag_of(technique), what=what, hint=f"Add {wanted}.")

    def _idle(self, tactic: Tactic) -> TagFault:
        what = f"No technique in the tags serves the tactic {tactic.name}."
        return TagFault(tag=f"{tactic.framework}.{tactic.tag}", what=what, hint="Remove the tactic, or add the technique that serves it.")


def tag_of(technique: Technique) -> str:
    """Return the Sigma tag that names `technique`: `attack.t1078.004`."""
    return f"{technique.framework}.{technique.id.lower()}"


def load_catalogue(folder: Path) -> Catalogue:
    """Return the catalogues that lie in `folder` as `attack.json` and `atlas.json`.

    Raises:
        ContentError: When a file is missing, is no JSON, or contradicts itself.
    """
    documents = [_read(folder / f"{framework}.json", framework) for framework in FRAMEWORKS]
    tactics = tuple(tactic for document in documents for tactic in _tactics(document))
    techniques = {tag_of(found): found for document in documents for found in _techniques(document)}
    rows = [(f"{document['framework']}.{row['id'].lower()}", row) for document in documents for row in document["techniques"]]
    return Catalogue(
        versions={document["framework"]: document["version"] for document in documents},
        notices=tuple(document["notice"] for document in documents),
        tactics=tactics,
        techniques=techniques,
        retired={tag: gone for document in documents for tag, gone in _retired(document)},
        parents={tag: f"{tag.split('.', 1)[0]}.{row['parent'].lower()}" for tag, row in rows if "parent" in row},
        attack_relations={tag: f"attack.{row['attack'].lower()}" for tag, row in rows if "attack" in row},
        cloud_platforms={tag: tuple(row["cloud"]) for tag, row in rows if "cloud" in row},
        _tactics_by_tag={f"{t.framework}.{key}": t for t in tactics for key in (t.tag, t.id.lower())},
    )


def _read(path: Path, framework: Framework) -> _Document:
    hint = "Restore the file from the distribution of aibr_hunt."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ContentError(f"The catalogue cannot be read: {fault.strerror}.", path=path, hint=hint) from fault
    except ValueError as fault:
        raise ContentError(f"The catalogue is no JSON: {fault}.", path=path, hint=hint) from fault
    if not isinstance(document, dict) or document.get("format") != 1 or document.get("framework") != framework:
        raise ContentError(f"The file is no catalogue of {framework} in format 1.", path=path, hint=hint)
    found = cast("_Document", document)
    try:
        _check(found)
    except (KeyError, TypeError) as fault:
        raise ContentError(f"The catalogue lacks a part: {fault}.", path=path, hint=hint) from fault
    except ValueError as fault:
        raise ContentError(f"The catalogue contradicts itself: {fault}.", path=path, hint=hint) from fault
    return found


def _check(document: _Document) -> None:
    """Raise unless every reference inside the document meets its target and every part is there."""
    ids = {row["id"] for row in document["techniques"] if row["name"]}
    tactics = {row["id"] for row in document["tactics"] if row["name"] and row["tag"]}
    tags = {row["tag"] for row in document["tactics"]}
    lost = {row["parent"] for row in document["techniques"] if "parent" in row} - ids
    lost |= {tactic for row in document["techniques"] for tactic in row["tactics"]} - tactics
    lost |= {successor for row in document["retired"] if row["name"] for successor in row.get("successors", [])} - ids
    lost |= {successor for row in document["retired_tactics"] if row["since"] for successor in row["successors"]} - tags
    lost |= {row["id"] for row in document["retired"]} & ids
    if lost or not document["version"] or not document["notice"]:
        msg = ", ".join(sorted(lost)) or "the version or the notice is empty"
        raise ValueError(msg)


def _tactics(document: _Document) -> list[Tactic]:
    rows = enumerate(document["tactics"], start=1)
    return [Tactic(framework=document["framework"], id=row["id"], name=row["name"], tag=row["tag"], order=order) for order, row in rows]


def _techniques(document: _Document) -> list[Technique]:
    return [
        Technique(
            framework=document["framework"], id=row["id"], name=row["name"], tactics=tuple(row["tactics"]), version=document["version"]
        )
        for row in document["techniques"]
    ]


def _retired(document: _Document) -> list[tuple[str, Retired]]:
    prefix = document["framework"]
    gone = [
        (
            f"{prefix}.{row['id'].lower()}",
            Retired(
                name=row["name"],
                successors=tuple(f"{prefix}.{successor.lower()}" for successor in row.get("successors", [])),
                since=row.get("since", ""),
            ),
        )
        for row in document["retired"]
    ]
    for row in document["retired_tactics"]:
        successors = tuple(f"{prefix}.{successor}" for successor in row["successors"])
        gone.append((f"{prefix}.{row['tag']}", Retired(name=row["tag"], successors=successors, since=row["since"])))
    return gone

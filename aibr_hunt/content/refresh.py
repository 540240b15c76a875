"""A newer release as our catalogue files hold it, and what changed: facts without descriptions, retired ids with successors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aibr_hunt.content.bundles import Bundle, BundleStudy, BundleTactic, BundleTechnique
from aibr_hunt.model.technique import Framework

_ROWS: Final = ("provenance", "tactics", "retired_tactics", "techniques", "retired", "case_studies")
_LONGEST_CHAIN: Final = 20
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """One technique that has another name, or serves other tactics."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """One technique that was given up since the catalogue in force."""

    id: str
    name: str
    successors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueChanges:
    """What a release changes.

    Attributes:
        added: Id and name of new techniques.
        moved: Techniques that serve other tactics now.
        lost_tactics: Tags of tactics that are no more.
    """

    framework: Framework
    before: str
    after: str
    added: tuple[tuple[str, str], ...]
    renamed: tuple[Renamed, ...]
    moved: tuple[Renamed, ...]
    retired: tuple[Gone, ...]
    lost_tactics: tuple[str, ...]

    @property
    def touched_tags(self) -> frozenset[str]:
        """Sigma tags that a rule may carry and that mean something else now, or nothing."""
        ids = [*(each.id for each in (*self.renamed, *self.moved)), *(each.id for each in self.retired)]
        return frozenset({f"{self.framework}.{id_.lower()}" for id_ in ids} | {f"{self.framework}.{tag}" for tag in self.lost_tactics})


def refreshed(bundle: Bundle, old: Document, *, source: str, attack_now: Mapping[str, str] | None = None) -> Document:
    """Return the catalogue file for a release.

    Args:
        bundle: The release.
        old: The catalogue file in force: what it knows of retired ids is kept, as releases forget them.
        source: Where the release was read, as a sentence for the file's provenance.
        attack_now: For ATLAS: ATT&CK ids, retired ones too, to the id that stands for them now.
    """
    active = {each.id for each in bundle.techniques}
    document: Document = {key: old[key] for key in ("format", "framework", "name")}
    document |= {"version": bundle.version, "notice": old["notice"], "terms": old["terms"], "provenance": _provenance(source, old)}
    document["tactics"] = [_tactic_row(each, old) for each in bundle.tactics]
    document["retired_tactics"] = _retired_tactics(bundle, old)
    known = {row["id"]: row.get("attack", "") for row in old["techniques"]}
    document["techniques"] = [_technique_row(each, active, known=known, attack_now=attack_now) for each in bundle.techniques]
    document["retired"] = _retired(bundle, old, active)
    return document


def changes_between(old: Document, new: Document) -> CatalogueChanges:
    """Return what the new catalogue file changes in the old one."""
    was, now = ({row["id"]: row for row in document["techniques"]} for document in (old, new))
    gone = {row["id"]: tuple(row.get("successors", ())) for row in new["retired"]}
    both = [id_ for id_ in now if id_ in was]
    return CatalogueChanges(
        framework=new["framework"],
        before=old["version"],
        after=new["version"],
        added=tuple((id_, row["name"]) for id_, row in now.items() if id_ not in was),
        renamed=tuple(
            Renamed(id=id_, before=was[id_]["name"], after=now[id_]["name"]) for id_ in both if was[id_]["name"] != now[id_]["name"]
        ),
        moved=tuple(
            Renamed(id=id_, before=" ".join(was[id_]["tactics"]), after=" ".join(now[id_]["tactics"]))
            for id_ in both
            if set(was[id_]["tactics"]) != set(now[id_]["tactics"])
        ),
        retired=tuple(Gone(id=id_, name=row["name"], successors=gone.get(id_, ())) for id_, row in was.items() if id_ not in now),
        lost_tactics=tuple(row["tag"] for row in old["tactics"] if row["tag"] not in {each["tag"] for each in new["tactics"]}),
    )


def refreshed_studies(bundle: Bundle, old: Document, catalogue: Document, *, source: str) -> Document:
    """Return the file of case studies for a release of ATLAS; a step that names a retired technique names its successor.

    Args:
        bundle: The release.
        old: The file in force.
        catalogue: The catalogue file of the same release.
        source: Where the release was read, as a sentence.
    """
    now = {row["id"]: row["successors"][0] for row in catalogue["retired"] if len(row.get("successors", [])) == 1}
    document: Document = {key: old[key] for key in ("format", "framework", "name")}
    document |= {"version": bundle.version, "notice": old["notice"], "terms": old["terms"]}
    document["provenance"] = [source, "Descriptions are left out; `was` keeps the id of the source where a step names a retired technique."]
    document["case_studies"] = [_study_row(each, now) for each in bundle.studies]
    return document


def text_of(document: Document) -> str:
    """Return the file's text: a row a line, so that a comparison of two releases can be read."""
    parts: list[str] = []
    for key, value in document.items():
        if key in _ROWS:
            rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in value)
            parts.append(f" {json.dumps(key)}: [\n{rows}\n ]" if value else f" {json.dumps(key)}: []")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _provenance(source: str, old: Document) -> list[str]:
    kept = "Retired ids of before, and relations that the release does not tell, are those of version {} of this file."
    return [source, kept.format(old["version"]), "Descriptions are left out. A retired id without a successor has nothing in its place."]


def _tactic_row(tactic: BundleTactic, old: Document) -> dict[str, str]:
    row = {"id": tactic.id, "name": tactic.name, "tag": tactic.tag}
    known = {each["id"]: each["attack"] for each in old["tactics"] if "attack" in each}
    return row | ({"attack": known[tactic.id]} if tactic.id in known else {})


def _retired_tactics(bundle: Bundle, old: Document) -> list[dict[str, Any]]:
    """Return tactics that are no more: one whose id goes on under another name has that name as its successor."""
    tags = {each.tag for each in bundle.tactics}
    by_id = {each.id: each.tag for each in bundle.tactics}
    lost = [
        {"tag": row["tag"], "id": row["id"], "since": bundle.version, "successors": [by_id[row["id"]]] if row["id"] in by_id else []}
        for row in old["tactics"]
        if row["tag"] not in tags
    ]
    renamed = {row["tag"]: row["successors"] for row in lost}
    before = [
        row | {"successors": list(dict.fromkeys(new for tag in row["successors"] for new in renamed.get(tag, [tag])))}
        for row in old["retired_tactics"]
        if row["tag"] not in tags
    ]
    return [*before, *lost]


def _technique_row(
    each: BundleTechnique, active: set[str], *, known: Mapping[str, str], attack_now: Mapping[str, str] | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"id": each.id, "name": each.name}
    above = each.id.rsplit(".", 1)[0]
    if above in active and above != each.id:
        row["parent"] = above
    row["tactics"] = list(each.tactics)
    if each.cloud:
        row["cloud"] = list(each.cloud)
    if attack_now is not None:
        attack = attack_now.get(each.attack if each.attack is not None else known.get(each.id, ""), "")
        row |= {"attack": attack} if attack else {}
    return row


def _retired(bundle: Bundle, old: Document, active: set[str]) -> list[dict[str, Any]]:
    """Return every given-up technique: those of the release, those that it forgot, and those that it no longer has."""
    rows: dict[str, dict[str, Any]] = {row["id"]: dict(row) for row in old["retired"] if row["id"] not in active}
    was = {row["id"]: row["name"] for row in old["techniques"]}
    for id_, (name, successor) in bundle.retired.items():
        before = rows.get(id_, {})
        since = {"since": before["since"]} if "since" in before else {"since": bundle.version} if id_ in was else {}
        rows[id_] = {"id": id_, "name": name} | ({"successors": [successor]} if successor else {}) | since
    for id_, name in was.items():
        if id_ not in active and id_ not in rows:
            rows[id_] = {"id": id_, "name": name, "since": bundle.version}
    for row in rows.values():
        successors = _followed(row.get("successors", []), rows, active)
        row.pop("successors", None)
        if successors:
            row["successors"] = successors
    return [_ordered(rows[id_]) for id_ in sorted(rows)]


def _followed(successors: Sequence[str], rows: Mapping[str, Mapping[str, Any]], active: set[str]) -> list[str]:
    """Return the active techniques at the end of each chain of successors."""
    found: list[str] = []
    waiting = [(id_, 0) for id_ in successors]
    while waiting:
        id_, depth = waiting.pop(0)
        if id_ in active:
            found.append(id_)
        elif depth < _LONGEST_CHAIN:
            waiting += [(each, depth + 1) for each in rows.get(id_, {}).get("successors", [])]
    return list(dict.fromkeys(found))


def _ordered(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "name", "successors", "since") if key in row}


def _study_row(each: BundleStudy, now: Mapping[str, str]) -> dict[str, Any]:
    steps: Iterable[dict[str, str]] = (
        {"tactic": tactic, "technique": now[id_], "was": id_} if id_ in now else {"tactic": tactic, "technique": id_}
        for tactic, id_ in each.steps
    )
    kept = {"id": each.id, "name": each.name, "type": each.kind, "date": each.date, "granularity": each.granularity}
    return kept | {"steps": list(steps)}

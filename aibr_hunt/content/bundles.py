"""Releases of ATT&CK and ATLAS as their owners publish them, read from a file: facts only, descriptions left where they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from aibr_hunt.content.yaml import load_documents
from aibr_hunt.errors import ContentError, UsageError

# What ATT&CK calls its cloud platforms: the only ones that are kept.
CLOUD_PLATFORMS: Final = ("IaaS", "Identity Provider", "Office Suite", "SaaS")
_ATTACK_SOURCE: Final = "mitre-attack"
_KINDS: Final = ("x-mitre-collection", "x-mitre-matrix", "x-mitre-tactic", "attack-pattern", "relationship")
_BUNDLE_HINT: Final = "Give enterprise-attack.json of a release."
_REFERENCES: Final = ("ATT&CK-reference", "attack-reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleTactic:
    """One tactic; `tag` is how Sigma writes it after the framework."""

    id: str
    name: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleTechnique:
    """One active technique.

    Attributes:
        tactics: Ids.
        cloud: Cloud platforms of ATT&CK.
        attack: Id of the ATT&CK technique that one of ATLAS refers to; None when the release does not say.
    """

    id: str
    name: str
    tactics: tuple[str, ...]
    cloud: tuple[str, ...] = ()
    attack: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleStudy:
    """One case study; steps are pairs of tactic and technique."""

    id: str
    name: str
    kind: str
    date: str
    granularity: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One release.

    Attributes:
        tactics: In the order of the matrix.
        retired: Given-up techniques: id to name and successor, which is empty when nothing took its place.
        studies: Case studies; ATLAS only.
    """

    version: str
    tactics: tuple[BundleTactic, ...]
    techniques: tuple[BundleTechnique, ...]
    retired: Mapping[str, tuple[str, str]]
    studies: tuple[BundleStudy, ...] = ()


def read_attack_bundle(path: Path, *, version: str = "") -> Bundle:
    """Return a release of ATT&CK from its STIX bundle.

    Args:
        path: The bundle, as MITRE publishes it.
        version: Its version, when the bundle does not say.

    Raises:
        UsageError: mitreattack-python is not installed.
        ContentError: The file is no STIX bundle of ATT&CK.
    """
    try:
        from mitreattack.stix20 import MitreAttackData  # noqa: PLC0415 - an extra, and slow
        from stix2.exceptions import STIXError  # noqa: PLC0415 - what mitreattack-python reads with
    except ImportError:
        hint = "Install it with `pip install 'aibr_hunt[attack]'`."
        raise UsageError("Reading a STIX bundle of ATT&CK needs mitreattack-python.", hint=hint) from None
    _check_bundle(path)
    try:
        release = MitreAttackData(str(path))
        objects: list[Mapping[str, Any]] = [each for kind in _KINDS for each in release.get_objects_by_type(kind)]
    except (STIXError, AttributeError, KeyError, TypeError, ValueError) as fault:
        what = f"The file is no STIX bundle of ATT&CK: {str(fault).splitlines()[0] if str(fault) else type(fault).__name__}."
        raise ContentError(what, path=path, hint=_BUNDLE_HINT) from None
    return attack_bundle(objects, path=path, version=version)


def _check_bundle(path: Path) -> None:
    """Refuse what the library would fail over in ways of its own.

    Raises:
        ContentError: The file is no JSON, or no bundle of objects.
    """
    try:
        root = json.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise ContentError(f"The file is no JSON: {fault}.", path=path, hint=_BUNDLE_HINT) from None
    objects = root.get("objects") if isinstance(root, dict) and root.get("type") == "bundle" else None
    if not isinstance(objects, list) or not objects or not all(isinstance(each, dict) and each.get("type") for each in objects):
        raise ContentError("The file is no STIX bundle of ATT&CK.", path=path, hint=_BUNDLE_HINT)


def attack_bundle(objects: Sequence[Mapping[str, Any]], *, path: Path, version: str = "") -> Bundle:
    """Return the release that STIX objects hold.

    Args:
        objects: STIX objects, plain or of the stix2 library; those of other kinds are passed over.
        path: What to call the bundle in errors.
        version: Its version, when the bundle does not say.

    Raises:
        ContentError: No version, no tactic or no technique is in it.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for each in objects:
        by_kind.setdefault(str(each.get("type")), []).append(each)
    tactics = _attack_tactics(by_kind)
    ids = {tactic.tag: tactic.id for tactic in tactics}
    patterns = [each for each in by_kind.get("attack-pattern", []) if _external_id(each)]
    gone = [each for each in patterns if each.get("revoked") or each.get("x_mitre_deprecated")]
    active = [each for each in patterns if each not in gone]
    names = {str(each["id"]): _external_id(each) for each in patterns}
    revoked = {
        str(each["source_ref"]): names.get(str(each["target_ref"]), "")
        for each in by_kind.get("relationship", [])
        if each.get("relationship_type") == "revoked-by"
    }
    said = [str(each["x_mitre_version"]) for each in by_kind.get("x-mitre-collection", []) if each.get("x_mitre_version")]
    found = Bundle(
        version=version or (said[0] if said else ""),
        tactics=tactics,
        techniques=tuple(sorted((_attack_technique(each, ids) for each in active), key=lambda technique: technique.id)),
        retired={_external_id(each): (str(each["name"]), revoked.get(str(each["id"]), "")) for each in gone},
    )
    return _complete(found, path)


def read_atlas_bundle(path: Path, *, version: str = "") -> Bundle:
    """Return a release of ATLAS from its YAML, in format 6 or an earlier one with a list of matrices, or from the same as JSON.

    Raises:
        ContentError: The file is no release of ATLAS.
        ContentErrors: The file is no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ContentError(f"The release cannot be read: {fault}.", path=path) from None
    root = _parsed(text, path)
    if not isinstance(root, dict):
        raise ContentError("The file is no release of ATLAS.", path=path, hint="Give ATLAS.yaml, or ATLAS-<version>.yaml of format 6.")
    try:
        found = _atlas_of_format_6(root, version) if isinstance(root.get("techniques"), dict) else _atlas_of_matrices(root, version)
    except (KeyError, TypeError, AttributeError) as fault:
        raise ContentError(f"The release of ATLAS lacks a part: {fault}.", path=path) from None
    return _complete(found, path)


def _parsed(text: str, path: Path) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as fault:
            raise ContentError(f"The file is no JSON: {fault}.", path=path) from None
    load_documents(text, str(path), catch_traps=False)  # refuses what is no YAML, too deep or too wide, by name
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _complete(found: Bundle, path: Path) -> Bundle:
    if not found.version:
        raise ContentError("The release does not say its version.", path=path, hint="Give it with --version.")
    if not found.tactics or not found.techniques:
        raise ContentError("The file holds no tactics or no techniques.", path=path, hint="Give a whole release, not an extract.")
    return found


def _external_id(each: Mapping[str, Any]) -> str:
    references = each.get("external_references") or []
    return next((str(r["external_id"]) for r in references if r.get("source_name") == _ATTACK_SOURCE and r.get("external_id")), "")


def _attack_tactics(by_kind: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[BundleTactic, ...]:
    """Return the tactics in the order of the matrix; one that no matrix names comes last."""
    order = [str(ref) for matrix in by_kind.get("x-mitre-matrix", []) for ref in matrix.get("tactic_refs", [])]
    places = {ref: place for place, ref in reversed(list(enumerate(order)))}
    active = [each for each in by_kind.get("x-mitre-tactic", []) if not each.get("revoked") and not each.get("x_mitre_deprecated")]
    active.sort(key=lambda each: (places.get(str(each["id"]), len(order)), _external_id(each)))
    return tuple(BundleTactic(id=_external_id(each), name=str(each["name"]), tag=str(each["x_mitre_shortname"])) for each in active)


def _attack_technique(each: Mapping[str, Any], tactics: Mapping[str, str]) -> BundleTechnique:
    phases = [str(phase["phase_name"]) for phase in each.get("kill_chain_phases", []) if phase.get("kill_chain_name") == _ATTACK_SOURCE]
    platforms = each.get("x_mitre_platforms", [])
    return BundleTechnique(
        id=_external_id(each),
        name=str(each["name"]),
        tactics=tuple(tactics[phase] for phase in phases if phase in tactics),
        cloud=tuple(platform for platform in CLOUD_PLATFORMS if platform in platforms),
    )


def _atlas_of_format_6(root: Mapping[str, Any], version: str) -> Bundle:
    relations: Mapping[str, Any] = root.get("relationships") or {}
    order = [str(edge["target"]) for edge in _edges(relations, str(root.get("matrix", {}).get("id", "ATLAS-matrix")), "sequences")]
    tactics = sorted(root["tactics"], key=lambda id_: order.index(id_) if id_ in order else len(order))
    return Bundle(
        version=version or str(root.get("collection", {}).get("version", "")),
        tactics=tuple(_atlas_tactic(id_, root["tactics"][id_]) for id_ in tactics),
        techniques=tuple(
            _atlas_technique(id_, each, [str(edge["target"]) for edge in _edges(relations, id_, "achieves")])
            for id_, each in sorted(root["techniques"].items())
        ),
        retired={},
        studies=tuple(
            _study(id_, each, [(str(edge["tactic"]), str(edge["target"])) for edge in _in_order(_edges(relations, id_, "employs"))])
            for id_, each in sorted((root.get("case-studies") or {}).items())
        ),
    )


def _edges(relations: Mapping[str, Any], source: str, kind: str) -> Sequence[Mapping[str, Any]]:
    return (relations.get(source) or {}).get(kind) or []


def _in_order(edges: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(edges, key=lambda edge: str(edge.get("step-id", "")))


def _atlas_of_matrices(root: Mapping[str, Any], version: str) -> Bundle:
    matrices = root["matrices"]
    techniques = {str(each["id"]): each for matrix in matrices for each in matrix["techniques"]}
    return Bundle(
        version=version or str(root.get("version", "")),
        tactics=tuple(_atlas_tactic(str(each["id"]), each) for matrix in matrices for each in matrix["tactics"]),
        techniques=tuple(_atlas_technique(id_, each, _old_tactics(each, techniques)) for id_, each in sorted(techniques.items())),
        retired={},
        studies=tuple(
            _study(str(each["id"]), each, [(str(step["tactic"]), str(step["technique"])) for step in each["procedure"]])
            for each in root.get("case-studies") or []
        ),
    )


def _old_tactics(each: Mapping[str, Any], techniques: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the tactics of a technique; before format 6 a sub-technique that names none has those of its technique."""
    above = techniques.get(str(each.get("subtechnique-of", "")), {})
    return [str(tactic) for tactic in each.get("tactics") or above.get("tactics") or []]


def _atlas_tactic(id_: str, each: Mapping[str, Any]) -> BundleTactic:
    name = str(each["name"])
    return BundleTactic(id=id_, name=name, tag=name.lower().replace(" ", "-"))


def _atlas_technique(id_: str, each: Mapping[str, Any], tactics: Iterable[str]) -> BundleTechnique:
    reference = next((each[key] for key in _REFERENCES if isinstance(each.get(key), dict)), None)
    return BundleTechnique(id=id_, name=str(each["name"]), tactics=tuple(tactics), attack=str(reference["id"]) if reference else None)


def _study(id_: str, each: Mapping[str, Any], steps: Iterable[tuple[str, str]]) -> BundleStudy:
    date, granularity = _date_of(each)
    kind = str(each.get("type") or each.get("case-study-type") or "exercise").lower()
    return BundleStudy(id=id_, name=str(each["name"]), kind=kind, date=date, granularity=granularity, steps=tuple(steps))


def _date_of(each: Mapping[str, Any]) -> tuple[str, str]:
    """Return day and precision of an incident: releases name the members in two ways."""
    date = next((str(each[key]) for key in ("date", "incident-date", "created-date") if each.get(key)), "1970-01-01")
    said = next((str(each[key]) for key in ("date-granularity", "incident-date-granularity") if each.get(key)), "date").lower()
    return date[:10], said if said in {"year", "month"} else "date"

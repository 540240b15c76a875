"""Small releases of ATT&CK and ATLAS, written by hand in the forms of their owners, and small catalogues before them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Thing = dict[str, Any]
NOW = "2026-01-31T00:00:00.000Z"


def stix_id(kind: str, name: str) -> str:
    """Return the same id for the same name."""
    return f"{kind}--{uuid.UUID(bytes=hashlib.sha256(f'{kind}.{name}'.encode()).digest()[:16], version=4)}"


def _object(kind: str, key: str, **members: Any) -> Thing:
    return {"type": kind, "spec_version": "2.1", "id": stix_id(kind, key), "created": NOW, "modified": NOW, **members}


def tactic(id_: str, name: str, tag: str) -> Thing:
    """Return a tactic of ATT&CK."""
    references = [{"source_name": "mitre-attack", "external_id": id_}]
    return _object("x-mitre-tactic", id_, name=name, x_mitre_shortname=tag, description="Prose.", external_references=references)


def pattern(id_: str, name: str, *tags: str, **members: Any) -> Thing:
    """Return a technique of ATT&CK."""
    return _object(
        "attack-pattern",
        id_,
        name=name,
        description="Prose that must not be kept.",
        external_references=[{"source_name": "capec", "external_id": "CAPEC-1"}, {"source_name": "mitre-attack", "external_id": id_}],
        kill_chain_phases=[{"kill_chain_name": "mitre-attack", "phase_name": tag} for tag in tags],
        x_mitre_platforms=["Windows", "IaaS", "SaaS"],
        x_mitre_is_subtechnique="." in id_,
        **members,
    )


def revoked_by(old: str, new: str) -> Thing:
    """Return the relation that names a successor."""
    ends = {"source_ref": stix_id("attack-pattern", old), "target_ref": stix_id("attack-pattern", new)}
    return _object("relationship", f"{old} to {new}", relationship_type="revoked-by", **ends)


def attack_objects(*, version: str = "20.0") -> list[Thing]:
    """Return a release that gives up, withdraws, renames and adds a technique each, and renames a tactic."""
    tactics = [tactic("TA0001", "First", "first"), tactic("TA0002", "Second New", "second-new")]
    refs = [tactics[1]["id"], tactics[0]["id"]]
    return [
        _object("x-mitre-collection", "collection", name="Enterprise ATT&CK", x_mitre_version=version, description="Prose."),
        _object("x-mitre-matrix", "matrix", name="Enterprise ATT&CK", tactic_refs=refs),
        *tactics,
        pattern("T1001", "Given Up", "first", revoked=True),
        pattern("T1002", "Given Up Too", "first", revoked=True),
        pattern("T1003", "Stays", "first", "second-new"),
        pattern("T1003.001", "Below", "first"),
        pattern("T1004", "Has Another Name", "first"),
        pattern("T1005", "Withdrawn", "first", x_mitre_deprecated=True),
        pattern("T1006", "New", "second-new"),
        revoked_by("T1001", "T1002"),
        revoked_by("T1002", "T1003"),
    ]


def bundle(objects: Sequence[Thing]) -> Thing:
    """Return a STIX bundle."""
    return {"type": "bundle", "id": stix_id("bundle", "all"), "objects": list(objects)}


def old_attack() -> Thing:
    """Return the catalogue file before that release."""
    return {
        "format": 1,
        "framework": "attack",
        "name": "MITRE ATT&CK Enterprise",
        "version": "19.1",
        "notice": "(c) The MITRE Corporation, reproduced and distributed with the permission of The MITRE Corporation.",
        "terms": "https://example.com/terms",
        "provenance": ["For tests."],
        "tactics": [{"id": "TA0001", "name": "First", "tag": "first"}, {"id": "TA0002", "name": "Second", "tag": "second"}],
        "retired_tactics": [{"tag": "oldest", "id": "TA0002", "since": "18.0", "successors": ["second"]}],
        "techniques": [
            {"id": "T1001", "name": "Given Up", "tactics": ["TA0001"]},
            {"id": "T1002", "name": "Given Up Too", "tactics": ["TA0001"]},
            {"id": "T1003", "name": "Stays", "tactics": ["TA0001"]},
            {"id": "T1003.001", "name": "Below", "parent": "T1003", "tactics": ["TA0001"]},
            {"id": "T1004", "name": "Had This Name", "tactics": ["TA0001"]},
            {"id": "T1005", "name": "Withdrawn", "tactics": ["TA0001"]},
        ],
        "retired": [{"id": "T0900", "name": "Long Gone", "successors": ["T1001"], "since": "17.0"}],
    }


def old_atlas() -> Thing:
    """Return the catalogue file of ATLAS before the releases below."""
    return {
        "format": 1,
        "framework": "atlas",
        "name": "MITRE ATLAS",
        "version": "2026.09",
        "notice": "MITRE ATLAS. Licensed under the Apache License, Version 2.0.",
        "terms": "https://example.com/terms",
        "provenance": ["For tests."],
        "tactics": [{"id": "AML.TA0002", "name": "Reconnaissance", "tag": "reconnaissance", "attack": "TA0001"}],
        "retired_tactics": [],
        "techniques": [
            {"id": "AML.T0001", "name": "One", "tactics": ["AML.TA0002"], "attack": "T1001"},
            {"id": "AML.T0002", "name": "Two", "tactics": ["AML.TA0002"]},
        ],
        "retired": [{"id": "AML.T0009", "name": "Nine", "successors": ["AML.T0001"], "since": "2026.07"}],
    }


def old_studies() -> Thing:
    """Return the file of case studies before the releases below."""
    return {
        "format": 1,
        "framework": "atlas",
        "name": "MITRE ATLAS case studies",
        "version": "5.6.0",
        "notice": "MITRE ATLAS. Licensed under the Apache License, Version 2.0.",
        "terms": "https://example.com/terms",
        "provenance": ["For tests."],
        "case_studies": [],
    }


ATLAS_6 = """\
format-version: 6.0.0
collection: {id: ATLAS-collection, version: '2026.12', description: Prose.}
matrix: {id: ATLAS-matrix, name: ATLAS}
tactics:
  AML.TA0001: {id: AML.TA0001, name: AI Attack Adaptation, description: Prose.}
  AML.TA0002: {id: AML.TA0002, name: Reconnaissance, description: Prose.}
techniques:
  AML.T0001: {id: AML.T0001, name: One, description: Prose that must not be kept.}
  AML.T0001.000: {id: AML.T0001.000, name: Below One, description: Prose.}
  AML.T0003: {id: AML.T0003, name: Three, description: Prose.}
case-studies:
  AML.CS0001: {id: AML.CS0001, name: A study, type: Incident, date: '2026-05-01', date-granularity: Month, description: Prose.}
relationships:
  ATLAS-matrix:
    sequences:
    - {source: ATLAS-matrix, target: AML.TA0002, relationship-type: sequences}
    - {source: ATLAS-matrix, target: AML.TA0001, relationship-type: sequences}
  AML.T0001:
    achieves: [{source: AML.T0001, target: AML.TA0002, relationship-type: achieves}]
  AML.T0001.000:
    achieves: [{source: AML.T0001.000, target: AML.TA0001, relationship-type: achieves}]
    specializes: [{source: AML.T0001.000, target: AML.T0001, relationship-type: specializes}]
  AML.T0003:
    achieves: [{source: AML.T0003, target: AML.TA0001, relationship-type: achieves}]
  AML.CS0001:
    employs:
    - {source: AML.CS0001, target: AML.T0009, tactic: AML.TA0002, step-id: S01, leads-to: []}
    - {source: AML.CS0001, target: AML.T0003, tactic: AML.TA0001, step-id: S00, leads-to: [S01]}
"""

ATLAS_5 = """\
id: ATLAS
version: 5.7.0
matrices:
- id: ATLAS
  name: ATLAS Matrix
  tactics:
  - {id: AML.TA0002, name: Reconnaissance, description: Prose.}
  techniques:
  - {id: AML.T0001, name: One, tactics: [AML.TA0002], ATT&CK-reference: {id: T1003, url: https://example.com}, description: Prose.}
  - {id: AML.T0001.000, name: Below One, subtechnique-of: AML.T0001, description: Prose.}
case-studies:
- id: AML.CS0001
  name: A study
  case-study-type: exercise
  incident-date: 2020-01-01
  incident-date-granularity: YEAR
  procedure:
  - {tactic: AML.TA0002, technique: AML.T0001.000, description: Prose.}
"""


def write_stix(path: Path, objects: Sequence[Thing] | None = None) -> Path:
    """Write a STIX bundle and return where."""
    path.write_text(json.dumps(bundle(attack_objects() if objects is None else objects)), encoding="utf-8")
    return path

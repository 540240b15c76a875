"""Hunts: a hypothesis, what would speak for and against it, and what is asked to find out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aibr_hunt.model.technique import Technique


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that a hunt looks for.

    Attributes:
        id: Its short name in the hunt.
        rules: Names or ids of rules; any of them counts as the observation.
        supports, against: Keys of `Hunt.rivals` that it speaks for and against.
        note: What it means, in a sentence; may be empty.
    """

    id: str
    rules: tuple[str, ...]
    supports: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """A hypothesis with its rules, scope and observations (ABLE: actor, behaviour, location, evidence).

    Attributes:
        name: The file's stem.
        hypothesis: One claim that can be wrong.
        actor, behaviour, location, evidence: The four parts of ABLE, each a sentence; may be empty.
        rivals: Key to sentence; exactly one sentence is `the hypothesis`.
        last: ISO 8601 duration that `window.last` gave, such as `P14D`; empty when the hunt sets none.
        scan_bytes: Upper bound of bytes to scan; 0 when the hunt sets none.
        pivots: Fields on which to go on.
        when_logs_are_off: What to do when a log that it needs is off; may be empty.
        case_studies: Ids of ATLAS case studies in which it happened like this, such as `AML.CS0012`.
    """

    name: str
    path: str
    text_digest: str
    hypothesis: str
    expect: tuple[Observation, ...]
    rivals: Mapping[str, str]
    title: str = ""
    actor: str = ""
    behaviour: str = ""
    location: str = ""
    evidence: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()
    last: str = ""
    scan_bytes: int = 0
    pivots: tuple[str, ...] = ()
    triage: tuple[str, ...] = ()
    preserve_first: tuple[str, ...] = ()
    when_logs_are_off: str = ""
    case_studies: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

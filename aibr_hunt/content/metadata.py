"""What every Sigma document says of itself: id, title, level, tags. Read leniently, for rules and correlations alike."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final, TypedDict

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.yaml import Document, YamlValue
from aibr_hunt.errors import AibrError, ContentError, Unsupported
from aibr_hunt.model.technique import Technique

LEVELS: Final = ("informational", "low", "medium", "high", "critical")
STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
SIGMA_KEYS: Final = frozenset(
    (
        *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date", "modified"),
        *("logsource", "detection", "fields", "falsepositives", "level", "tags", "scope", "filter", "correlation"),
        *("requires", "triage", "preserve_first", "evades", "synthetic", "regression_tests_path", "simulation"),
    )
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Attributes(TypedDict):
    """The attributes that a Rule and a Correlation have in common."""

    id: str
    name: str
    title: str
    path: str
    text_digest: str
    status: str
    level: str
    description: str
    author: str
    date: str
    tags: tuple[str, ...]
    techniques: tuple[Technique, ...]
    references: tuple[str, ...]
    falsepositives: tuple[str, ...]
    requires: tuple[str, ...]
    triage: tuple[str, ...]
    preserve_first: tuple[str, ...]
    evades: tuple[str, ...]
    synthetic: str
    tests_path: str
    warnings: tuple[str, ...]


class DocumentReader:
    """Reads one Sigma document; faults and warnings are collected.

    Args:
        document: The document.
        path: What to call its file.
        catalogue: Gives tags their techniques; None gives none.
    """

    def __init__(self, document: Document, path: str, *, catalogue: Catalogue | None) -> None:
        """Begin without a fault."""
        self.document = document
        self.path = path
        self.catalogue = catalogue
        self.faults: list[AibrError] = []
        self.warnings: list[str] = []

    def fault(self, what: str, *at: str | int, hint: str = "") -> None:
        """Note what is wrong at a place of the document."""
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def refuse(self, construct: str, why: str, *at: str | int, hint: str = "") -> None:
        """Note a construct without meaning here; its place is the key of its name unless `at` says where."""
        place = f"{self.path}:{self.document.line(*(at or (construct,)))}"
        self.faults.append(Unsupported(construct, why, hint=hint, place=place))

    def check_keys(self, body: Mapping[str, YamlValue]) -> None:
        """Note keys that are nearly one of Sigma's; other keys are the author's own."""
        for key in body:
            near = difflib.get_close_matches(key, SIGMA_KEYS, n=1, cutoff=0.8) if key not in SIGMA_KEYS else []
            if near and near[0] not in body:
                self.fault(f"has the unknown key {key!r}.", key, hint=f"Did you mean {near[0]}?")

    def attributes(self, body: Mapping[str, YamlValue]) -> Attributes:
        """Return what the document says of itself; what is odd becomes a warning."""
        digest = hashlib.sha256(self.document.text.encode()).hexdigest()
        ident = self._id(body.get("id"), digest)
        tags = tuple(str(tag).lower() for tag in texts(body.get("tags")))
        status = self._choice(body, "status", known=STATUSES, default="")
        level = self._choice(body, "level", known=LEVELS, default="medium")
        return Attributes(
            id=ident,
            name=str(body.get("name") or "") or PurePath(self.path).name.removesuffix(".yml").removesuffix(".yaml") or ident,
            title=str(body.get("title") or "(no title)"),
            path=self.path,
            text_digest=digest,
            status=status,
            level=level,
            description=str(body.get("description") or "").strip(),
            author=str(body.get("author") or ""),
            date=str(body.get("date") or ""),
            tags=tags,
            techniques=self._techniques(tags),
            references=texts(body.get("references")),
            falsepositives=texts(body.get("falsepositives")),
            requires=texts(body.get("requires")),
            triage=texts(body.get("triage")),
            preserve_first=texts(body.get("preserve_first")),
            evades=texts(body.get("evades")),
            synthetic=str(body.get("synthetic") or ""),
            tests_path=str(body.get("regression_tests_path") or ""),
            warnings=tuple(self.warnings),
        )

    def _id(self, value: YamlValue, digest: str) -> str:
        if value is not None:
            if not _UUID.fullmatch(str(value)):
                self.warnings.append(f"id {value!r} is no UUID")
            return as_id(str(value))
        self.warnings.append("has no id; the digest of its text stands for it")
        return f"sha256:{digest}"

    def _choice(self, body: Mapping[str, YamlValue], key: str, *, known: Sequence[str], default: str) -> str:
        value = body.get(key)
        if value is None:
            return default
        if str(value).lower() not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            self.warnings.append(f"{key} {value!r} is not one of {', '.join(known)}" + (f" (did you mean {near[0]}?)" if near else ""))
            return default
        return str(value).lower()

    def _techniques(self, tags: Iterable[str]) -> tuple[Technique, ...]:
        if self.catalogue is None:
            return ()
        return tuple(self.catalogue.techniques[tag] for tag in tags if tag in self.catalogue.techniques)


def as_id(text: str) -> str:
    """Return an id or a name; case means nothing in a UUID."""
    return text.lower() if _UUID.fullmatch(text) else text


def texts(value: YamlValue) -> tuple[str, ...]:
    """Return one value or a list of them as texts; blanks are left out."""
    if value is None:
        return ()
    return tuple(str(each) for each in value if each is not None) if isinstance(value, list) else (str(value),)

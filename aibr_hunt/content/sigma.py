"""Sigma documents become Rules and filters. Metadata is read leniently, meaning strictly: a rule from anywhere can be tried."""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePath
from typing import Final, TypeAlias

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.detection import DetectionReader
from aibr_hunt.content.yaml import Document, YamlValue, load_documents
from aibr_hunt.errors import AibrError, ContentError, ContentErrors, Unsupported
from aibr_hunt.model.predicate import And, Predicate
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.technique import Technique

Placeholders: TypeAlias = Mapping[str, tuple[str, ...]]

LEVELS: Final = ("informational", "low", "medium", "high", "critical")
STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
_SIGMA_KEYS: Final = frozenset(
    (
        *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date", "modified"),
        *("logsource", "detection", "fields", "falsepositives", "level", "tags", "scope", "filter", "correlation"),
        *("requires", "triage", "preserve_first", "evades", "synthetic", "regression_tests_path", "simulation"),
    )
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A Sigma filter: a condition that is added to the rules it names.

    Attributes:
        rules: Ids or names of rules; empty means every rule of the log source.
        label: Its id, else its title.
    """

    label: str
    path: str
    logsource: LogSource
    rules: tuple[str, ...]
    predicate: Predicate

    def applies_to(self, rule: Rule) -> bool:
        """True when the rule is named (or all are) and lies in the filter's log source."""
        mine, its = self.logsource, rule.logsource
        parts = ((mine.product, its.product), (mine.service, its.service), (mine.category, its.category))
        return all(not want or want == has for want, has in parts) and (not self.rules or bool({rule.id, rule.name} & set(self.rules)))


@cache
def pysigma_version() -> str:
    """Return the version of the installed pySigma, looked up once: that costs a third of what a rule costs."""
    return importlib.metadata.version("pysigma")


def load_rule_text(text: str, path: str, *, placeholders: Placeholders | None = None, catalogue: Catalogue | None = None) -> Rule:
    """Return the one rule that a YAML text holds.

    Args:
        text: The text.
        path: What to call it in errors and in the rule.
        placeholders: Values of each `%name%`.
        catalogue: Gives tags their techniques; None leaves `techniques` empty.

    Raises:
        ContentErrors: Everything that is wrong with it, with lines.
        Unsupported: It is right, and asks for something without meaning here.
    """
    found = read_sigma_text(text, path, placeholders=placeholders, catalogue=catalogue)
    if found.faults:
        raise found.faults[0] if len(found.faults) == 1 else ContentErrors(found.faults)
    if len(found.rules) != 1:
        raise ContentErrors((ContentError(f"holds {len(found.rules)} rules, one was expected.", path=path),))
    return found.rules[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigmaFile:
    """What one YAML text holds, filters not yet applied.

    Attributes:
        faults: One error a document that is refused; the other documents stand.
    """

    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    faults: tuple[AibrError, ...] = ()


def read_sigma_text(text: str, path: str, *, placeholders: Placeholders | None = None, catalogue: Catalogue | None = None) -> SigmaFile:
    """Return the rules and filters of a YAML text, and why each of the other documents is refused.

    Raises:
        ContentErrors: The text as a whole is no YAML, or holds no Sigma document.
    """
    rules: list[Rule] = []
    filters: list[Filter] = []
    faults: list[AibrError] = []
    for document in load_documents(text, path):
        reader = _Reader(document, path, placeholders=placeholders or {}, catalogue=catalogue)
        found = reader.read()
        if reader.faults:
            faults.append(_joined(reader.faults))
        elif isinstance(found, Rule):
            rules.append(found)
        elif found is not None:
            filters.append(found)
    if not faults and not rules and not filters:
        raise ContentErrors((ContentError("holds no Sigma rule.", path=path, line=1),))
    return SigmaFile(rules=tuple(rules), filters=tuple(filters), faults=tuple(faults))


def _joined(faults: Sequence[AibrError]) -> AibrError:
    """Return several errors as one; a lone refusal stays what it is."""
    return faults[0] if len(faults) == 1 and isinstance(faults[0], Unsupported) else ContentErrors(tuple(faults))


def apply_filters(rules: Sequence[Rule], filters: Sequence[Filter]) -> tuple[Rule, ...]:
    """Return the rules with every filter that applies to them added to their condition."""
    return tuple(_filtered(rule, filters) for rule in rules)


def _filtered(rule: Rule, filters: Sequence[Filter]) -> Rule:
    for each in filters:
        if each.applies_to(rule):
            rule = replace(rule, predicate=And(items=(rule.predicate, each.predicate)), filters=(*rule.filters, each.label))
    return rule


class _Reader:
    """Reads one Sigma document."""

    def __init__(self, document: Document, path: str, *, placeholders: Placeholders, catalogue: Catalogue | None) -> None:
        self.document = document
        self.path = path
        self.placeholders = placeholders
        self.catalogue = catalogue
        self.faults: list[AibrError] = []
        self.warnings: list[str] = []

    def read(self) -> Rule | Filter | None:
        """Return what the document is; None when `faults` says what is wrong."""
        body = self.document.value
        if not isinstance(body, dict):
            self._fault("is no Sigma rule: the document is not a map of title, logsource, detection.")
            return None
        if "action" in body:
            self._refuse("action", "Sigma 2 has no rule collections with global parts.", hint="Write the shared part into each rule.")
        if "correlation" in body:
            self._refuse("correlation", "this version matches single events.", hint="Its referenced rules run on their own.")
            return None
        self._check_keys(body)
        logsource = self._logsource(body.get("logsource"))
        detection = self._detection(body)
        if self.faults or detection is None:
            return None
        return self._filter(body, logsource, detection) if "filter" in body else self._rule(body, logsource, detection)

    def _fault(self, what: str, *at: str, hint: str = "") -> None:
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def _refuse(self, construct: str, why: str, *, hint: str = "") -> None:
        self.faults.append(Unsupported(construct, why, hint=hint, place=f"{self.path}:{self.document.line(construct)}"))

    def _check_keys(self, body: Mapping[str, YamlValue]) -> None:
        for key in body:
            near = difflib.get_close_matches(key, _SIGMA_KEYS, n=1, cutoff=0.8) if key not in _SIGMA_KEYS else []
            if near and near[0] not in body:
                self._fault(f"has the unknown key {key!r}.", key, hint=f"Did you mean {near[0]}?")

    def _logsource(self, value: YamlValue) -> LogSource:
        if not isinstance(value, dict) or not value:
            self._fault("has no logsource.", "logsource", hint="Add `logsource: {product: aws, service: cloudtrail}` or what fits.")
            return LogSource()
        for key in value:
            near = difflib.get_close_matches(key, ("product", "service", "category"), n=1)
            if near and key not in {"product", "service", "category", "definition"}:
                self._fault(f"logsource has the unknown key {key!r}.", "logsource", key, hint=f"Did you mean {near[0]}?")
        return LogSource(**{part: str(value.get(part) or "").lower() for part in ("product", "service", "category")})

    def _detection(self, body: Mapping[str, YamlValue]) -> Predicate | None:
        at = "filter" if "filter" in body else "detection"
        value = body.get(at)
        if not isinstance(value, dict):
            self._fault("has no detection.", at, hint="Add a `detection:` map with a selection and a condition.")
            return None
        if "timeframe" in value:
            self.faults.append(
                Unsupported(
                    "timeframe",
                    "it belonged to aggregations of Sigma 1.",
                    hint="Write a correlation.",
                    place=f"{self.path}:{self.document.line(at, 'timeframe')}",
                )
            )
        reader = DetectionReader(
            document=self.document,
            path=self.path,
            at=at,
            placeholders=self.placeholders,
            is_old_pysigma=pysigma_version().startswith("1."),
        )
        predicate = reader.read(value)
        self.faults += reader.faults
        return predicate

    def _filter(self, body: Mapping[str, YamlValue], logsource: LogSource, predicate: Predicate) -> Filter | None:
        inner = body["filter"]
        named = inner.get("rules") if isinstance(inner, dict) else None
        if named is None:
            self._fault(
                "the filter does not say which rules it filters.", "filter", hint="Add `rules: any` or a list of rule ids or names."
            )
            return None
        is_any = named == [] or (isinstance(named, str) and named.lower() == "any")
        rules = () if is_any else tuple(_as_id(str(each)) for each in (named if isinstance(named, list) else [named]))
        label = str(body.get("id") or body.get("title") or self.path)
        return Filter(label=label, path=self.path, logsource=logsource, rules=rules, predicate=predicate)

    def _rule(self, body: Mapping[str, YamlValue], logsource: LogSource, predicate: Predicate) -> Rule:
        digest = hashlib.sha256(self.document.text.encode()).hexdigest()
        rule_id = self._id(body.get("id"), digest)
        tags = tuple(str(tag).lower() for tag in _texts(body.get("tags")))
        return Rule(
            id=rule_id,
            name=str(body.get("name") or "") or PurePath(self.path).name.removesuffix(".yml").removesuffix(".yaml") or rule_id,
            title=str(body.get("title") or "(no title)"),
            path=self.path,
            text_digest=digest,
            logsource=logsource,
            predicate=predicate,
            status=self._choice(body, "status", known=STATUSES, default=""),
            level=self._choice(body, "level", known=LEVELS, default="medium"),
            description=str(body.get("description") or "").strip(),
            author=str(body.get("author") or ""),
            date=str(body.get("date") or ""),
            tags=tags,
            techniques=self._techniques(tags),
            references=_texts(body.get("references")),
            falsepositives=_texts(body.get("falsepositives")),
            fields=_texts(body.get("fields")),
            requires=_texts(body.get("requires")),
            triage=_texts(body.get("triage")),
            preserve_first=_texts(body.get("preserve_first")),
            evades=_texts(body.get("evades")),
            synthetic=str(body.get("synthetic") or ""),
            tests_path=str(body.get("regression_tests_path") or ""),
            warnings=tuple(self.warnings),
        )

    def _id(self, value: YamlValue, digest: str) -> str:
        if value is not None:
            if not _UUID.fullmatch(str(value)):
                self.warnings.append(f"id {value!r} is no UUID")
            return _as_id(str(value))
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

    def _techniques(self, tags: Sequence[str]) -> tuple[Technique, ...]:
        if self.catalogue is None:
            return ()
        return tuple(self.catalogue.techniques[tag] for tag in tags if tag in self.catalogue.techniques)


def _as_id(text: str) -> str:
    """Return an id or a name; case means nothing in a UUID."""
    return text.lower() if _UUID.fullmatch(text) else text


def _texts(value: YamlValue) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(each) for each in value if each is not None) if isinstance(value, list) else (str(value),)

"""Sigma documents become Rules and filters. Metadata is read leniently, meaning strictly: a rule from anywhere can be tried."""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.correlations import read_correlation
from aibr_hunt.content.detection import DetectionReader
from aibr_hunt.content.drafts import Draft
from aibr_hunt.content.metadata import DocumentReader, as_id, texts
from aibr_hunt.content.yaml import Document, YamlValue, load_documents
from aibr_hunt.errors import AibrError, ContentError, ContentErrors, Unsupported
from aibr_hunt.model.predicate import And, Predicate
from aibr_hunt.model.rule import LogSource, Rule

Placeholders: TypeAlias = Mapping[str, tuple[str, ...]]


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
    """What one YAML text holds, filters not yet applied, references of correlations not yet followed.

    Attributes:
        correlations: Each with the lines of its references.
        faults: One error a document that is refused; the other documents stand.
    """

    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    correlations: tuple[Draft, ...] = ()
    faults: tuple[AibrError, ...] = ()


def read_sigma_text(text: str, path: str, *, placeholders: Placeholders | None = None, catalogue: Catalogue | None = None) -> SigmaFile:
    """Return the rules, filters and correlations of a YAML text, and why each of the other documents is refused.

    Raises:
        ContentErrors: The text as a whole is no YAML, or holds no Sigma document.
    """
    rules: list[Rule] = []
    filters: list[Filter] = []
    drafts: list[Draft] = []
    faults: list[AibrError] = []
    for document in load_documents(text, path):
        if isinstance(document.value, dict) and "correlation" in document.value and "action" not in document.value:
            draft, wrong = read_correlation(document, path, placeholders=placeholders or {}, catalogue=catalogue)
            drafts += [] if draft is None else [draft]
            faults += [_joined(wrong)] if wrong else []
            continue
        reader = _Reader(document, path, placeholders=placeholders or {}, catalogue=catalogue)
        found = reader.read()
        if reader.faults:
            faults.append(_joined(reader.faults))
        elif isinstance(found, Rule):
            rules.append(found)
        elif found is not None:
            filters.append(found)
    if not faults and not rules and not filters and not drafts:
        raise ContentErrors((ContentError("holds no Sigma rule.", path=path, line=1),))
    return SigmaFile(rules=tuple(rules), filters=tuple(filters), correlations=tuple(drafts), faults=tuple(faults))


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


class _Reader(DocumentReader):
    """Reads one rule or filter."""

    def __init__(self, document: Document, path: str, *, placeholders: Placeholders, catalogue: Catalogue | None) -> None:
        super().__init__(document, path, catalogue=catalogue)
        self.placeholders = placeholders

    def read(self) -> Rule | Filter | None:
        """Return what the document is; None when `faults` says what is wrong."""
        body = self.document.value
        if not isinstance(body, dict):
            self.fault("is no Sigma rule: the document is not a map of title, logsource, detection.")
            return None
        if "action" in body:
            self.refuse("action", "Sigma 2 has no rule collections with global parts.", hint="Write the shared part into each rule.")
        self.check_keys(body)
        logsource = self._logsource(body.get("logsource"))
        detection = self._detection(body)
        if self.faults or detection is None:
            return None
        return self._filter(body, logsource, detection) if "filter" in body else self._rule(body, logsource, detection)

    def _logsource(self, value: YamlValue) -> LogSource:
        if not isinstance(value, dict) or not value:
            self.fault("has no logsource.", "logsource", hint="Add `logsource: {product: aws, service: cloudtrail}` or what fits.")
            return LogSource()
        for key in value:
            near = difflib.get_close_matches(key, ("product", "service", "category"), n=1)
            if near and key not in {"product", "service", "category", "definition"}:
                self.fault(f"logsource has the unknown key {key!r}.", "logsource", key, hint=f"Did you mean {near[0]}?")
        return LogSource(**{part: str(value.get(part) or "").lower() for part in ("product", "service", "category")})

    def _detection(self, body: Mapping[str, YamlValue]) -> Predicate | None:
        at = "filter" if "filter" in body else "detection"
        value = body.get(at)
        if not isinstance(value, dict):
            self.fault("has no detection.", at, hint="Add a `detection:` map with a selection and a condition.")
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
            self.fault("the filter does not say which rules it filters.", "filter", hint="Add `rules: any` or a list of rule ids or names.")
            return None
        is_any = named == [] or (isinstance(named, str) and named.lower() == "any")
        rules = () if is_any else tuple(as_id(str(each)) for each in (named if isinstance(named, list) else [named]))
        label = str(body.get("id") or body.get("title") or self.path)
        return Filter(label=label, path=self.path, logsource=logsource, rules=rules, predicate=predicate)

    def _rule(self, body: Mapping[str, YamlValue], logsource: LogSource, predicate: Predicate) -> Rule:
        about = self.attributes(body)
        return Rule(logsource=logsource, predicate=predicate, fields=texts(body.get("fields")), **about)

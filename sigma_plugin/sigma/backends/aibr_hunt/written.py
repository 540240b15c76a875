"""A rule as pySigma holds it becomes one of ours: from its own text where that still says the same, else from Sigma written anew."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Final

import yaml
from sigma.conditions import ConditionItem
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetections, SigmaRule
from sigma.types import SigmaString

from aibr_hunt.content.sigma import SigmaFile, load_rule_text, read_sigma_text
from aibr_hunt.content.yaml import YamlValue, load_documents
from aibr_hunt.errors import ContentError, ContentErrors, Unsupported
from aibr_hunt.model.rule import Rule

# Filters and add_condition name their selections by ten letters drawn anew each time: one rule would have a new digest in every run.
_DRAWN: Final = re.compile(r"_(filt|cond)_[a-z]{10}")


class _Quoting(yaml.SafeDumper):
    """Writes every text in quotes, so that none is read back as something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write a value that occurs twice twice."""
        return True


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def read_rule(rule: SigmaRule, placeholders: Mapping[str, tuple[str, ...]]) -> Rule:
    """Return the rule that pySigma holds, read by our own loader.

    Args:
        rule: As parsed; or as filters and processing pipelines left it.
        placeholders: Values of each `%name%`.

    Raises:
        AibrError: The rule is wrong, asks for something without meaning here, or was changed into what cannot be written as Sigma.
    """
    path = None if rule.source is None else rule.source.path
    if path is not None and path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ContentError(f"cannot be read: {error}.", path=path) from None
        for document in load_documents(text, str(path)):
            if _is_of(rule, document.value):
                # From the whole file, for the lines in errors.
                found = read_sigma_text(text, str(path), placeholders=placeholders)
                return _one_of(found, hashlib.sha256(document.text.encode()).hexdigest())
    return load_rule_text(_written_anew(rule), str(path or rule.name or rule.title), placeholders=placeholders)


def _is_of(rule: SigmaRule, value: YamlValue) -> bool:
    """True when a document still says what the rule says."""
    if not isinstance(value, dict) or {"correlation", "filter", "action"} & value.keys():
        return False
    try:
        written = SigmaRule.from_dict(value, collect_errors=True, source=rule.source)
    except SigmaError:
        return False
    return (
        (written.id, written.title, written.name, written.logsource) == (rule.id, rule.title, rule.name, rule.logsource)
        and _plain_tree(written.detection.detections) == _plain_tree(rule.detection.detections)
        and _conditions(written.detection) == _conditions(rule.detection)
    )


def _conditions(detection: SigmaDetections) -> list[str]:
    """Return the conditions in force: pipelines change these, and not the list that the rule was read from."""
    return [each.condition for each in detection.parsed_condition]


def _one_of(found: SigmaFile, digest: str) -> Rule:
    """Return the rule of the document that has a digest."""
    for rule in found.rules:
        if rule.text_digest == digest:
            return rule
    raise found.faults[0] if len(found.faults) == 1 else ContentErrors(found.faults)


def _written_anew(rule: SigmaRule) -> str:
    """Return Sigma text that says what the rule says now.

    Raises:
        Unsupported: There is none: what was written, read again, would ask something else.
    """
    names: dict[str, str] = {}

    def renamed(text: str) -> str:
        return _DRAWN.sub(lambda drawn: names.setdefault(drawn[0], f"_{drawn[1]}_{len(names) + 1}"), text)

    try:
        selections = {renamed(name): each.to_plain() for name, each in rule.detection.detections.items()}
        conditions = [renamed(each) for each in _conditions(rule.detection)]
        detection = {**selections, "condition": conditions if len(conditions) > 1 else conditions[0]}
        is_same = _trees(SigmaDetections.from_dict(detection)) == _trees(rule.detection)
    except (SigmaError, LookupError, TypeError, AttributeError) as error:
        raise _unwritable(f"pySigma cannot write it back as Sigma ({error})") from None
    if not is_same:
        raise _unwritable("written back as Sigma it asks for something else")
    head = {"title": rule.title, "id": None if rule.id is None else str(rule.id), "name": rule.name}
    parts = ("product", "service", "category")
    body = {
        **{key: value for key, value in head.items() if value},
        "logsource": {part: value for part in parts if (value := getattr(rule.logsource, part))},
        "detection": detection,
    }
    return yaml.dump(body, Dumper=_Quoting, sort_keys=False, width=10_000)


def _trees(detection: SigmaDetections) -> list[object]:
    return [_plain_tree(each.parsed) for each in detection.parsed_condition]


def _plain_tree(node: object) -> object:
    """Return a condition's tree, or a part of it, without what pySigma remembers of where it came from.

    pySigma's own comparison raises when a text meets another kind of value.
    """
    if isinstance(node, ConditionItem):
        return type(node).__name__, [_plain_tree(each) for each in node.args]
    if isinstance(node, SigmaString):
        return type(node).__name__, _plain_tree(node.s)
    if isinstance(node, dict):
        return [(name, _plain_tree(each)) for name, each in node.items()]
    if isinstance(node, list | tuple):
        return [_plain_tree(each) for each in node]
    if is_dataclass(node) and not isinstance(node, type):
        kept = [each.name for each in fields(node) if each.compare and each.name not in {"source", "parent", "policy"}]
        return type(node).__name__, [(name, _plain_tree(getattr(node, name))) for name in kept]
    return node


def _unwritable(why: str) -> Unsupported:
    hint = "Convert the rule as it was written, or write the change into it."
    return Unsupported("the rule as filters and processing pipelines left it", f"{why}.", hint=hint)

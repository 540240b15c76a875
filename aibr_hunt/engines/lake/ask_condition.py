"""A condition on a question, read as the detection of a Sigma rule. Apart from who asks: the parser takes a third of a second to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aibr_hunt.content.detection import DetectionReader
from aibr_hunt.content.sigma import pysigma_version
from aibr_hunt.content.yaml import YamlValue, load_yaml
from aibr_hunt.errors import ContentErrors, UsageError
from aibr_hunt.model.predicate import Predicate

_SHOWN_AS: Final = "--where"
_SELECTION: Final = "where"
_HINT: Final = "Write a map of fields as in a rule: '{eventSource: bedrock.amazonaws.com, eventName|startswith: Invoke}'."


def read_where(text: str, placeholders: Mapping[str, tuple[str, ...]]) -> Predicate:
    """Return what a condition means.

    Args:
        text: YAML or JSON: the map of a selection, a list of such maps or of keywords, or selections with a `condition`.
        placeholders: Values of each `%name%`.

    Raises:
        ContentErrors: Everything that is wrong with it.
        UsageError: It is no map and no list.
    """
    document = load_yaml(text, _SHOWN_AS)
    body = _body(document.value)
    reader = DetectionReader(
        document=document,
        path=_SHOWN_AS,
        at="detection",
        placeholders=placeholders,
        is_old_pysigma=pysigma_version().startswith("1."),
    )
    found = reader.read(body)
    if found is None:
        raise ContentErrors(tuple(reader.faults))
    return found


def _body(value: YamlValue) -> dict[str, YamlValue]:
    if isinstance(value, dict) and value:
        others = [each for name, each in value.items() if name != "condition"]
        is_detection = isinstance(value.get("condition"), str) and others and all(isinstance(each, dict | list) for each in others)
        return value if is_detection else {_SELECTION: value, "condition": _SELECTION}
    if isinstance(value, list) and value:
        return {_SELECTION: value, "condition": _SELECTION}
    raise UsageError(f"{_SHOWN_AS} is no map of fields.", hint=_HINT)

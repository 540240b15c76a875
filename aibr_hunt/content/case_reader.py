"""What the readers of cases share: faults with their lines, keys that are known, one value of a list after another."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from aibr_hunt.content.yaml import Document, YamlValue, load_yaml
from aibr_hunt.errors import ContentError, ContentErrors
from aibr_hunt.meaning.bind import split_path
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath


class CaseReader:
    """Reads one file of cases; `faults` says what is wrong with it.

    Args:
        document: The file's one YAML document.
        path: What to call the file.
    """

    def __init__(self, document: Document, path: str) -> None:
        """Begin without a fault."""
        self.document = document
        self.path = path
        self.faults: list[ContentError] = []

    def fault(self, what: str, *at: str | int, hint: str = "") -> None:
        """Note what is wrong at a place of the document."""
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def check_keys(self, value: Mapping[str, YamlValue], known: frozenset[str], whose: str, *at: str | int) -> None:
        """Note every key that is not known; `whose` begins the sentence."""
        for key in value:
            if key not in known:
                self.fault(f"{whose} has the unknown key {key!r}.".lstrip(), *at, key, hint=nearest_key(key, known))

    def one_field(self, each: YamlValue, whose: str, *at: str | int) -> tuple[str, list[YamlValue]]:
        """Return the field of an `each` and its values; no values, and a fault, when it is no such thing."""
        field, values = next(iter(each.items())) if isinstance(each, dict) and len(each) == 1 else ("", None)
        if not isinstance(values, list) or not values:
            self.fault(f"{whose}: each must be one field with a list of values.", *at, hint="Write each: {field: [v1, v2]}.")
            return "", []
        return field, values

    def number(self, row: Mapping[str, YamlValue], key: str, *at: str | int, least: int) -> int | None:
        """Return a whole number, None where there is none or, with a fault, where something else stands."""
        value = row.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.fault(f"{key} must be a whole number of at least {least}, not {value!r}.", *at, key)
            return None
        return value

    def equivalent(self, value: YamlValue) -> dict[str, str]:
        """Return the mutants that no case can tell from the original, each with its reason."""
        found: dict[str, str] = {}
        for index, row in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            if not isinstance(row, dict) or not row.get("mutant") or not row.get("why"):
                self.fault("an equivalent mutant needs `mutant` and `why`.", "equivalent", index)
                continue
            found[str(row["mutant"])] = str(row["why"])
        return found


def read_document(path: Path, name: str) -> Document:
    """Return the one YAML document of a file of cases.

    Args:
        path: The file.
        name: What to call it.

    Raises:
        ContentErrors: The file cannot be read, or holds no single YAML document.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentErrors((ContentError(f"cannot be read: {error}.", path=name),)) from None
    return load_yaml(text, name)


def with_value(event: Json, field: str, value: Json) -> Json:
    """Return the event with the member at a dotted path set; whatever else stands on the way gives way to objects."""
    return _with(event, split_path(field), value, gives_way=True)


def with_member(event: Json, path: FieldPath, value: Json) -> Json:
    """Return the event with the member at a path set where its objects are, or can be made; lists and texts on the way stay as they are."""
    return _with(event, path, value, gives_way=False)


def _with(event: Json, path: Sequence[str], value: Json, *, gives_way: bool) -> Json:
    # Copies what is on the path and shares the rest: YAML anchors share it with other cases, so nothing is changed in place.
    if not isinstance(event, dict):
        return event
    if len(path) == 1:
        return {**event, path[0]: value}
    inner = event.get(path[0], {})
    inner = {} if gives_way and not isinstance(inner, dict) else inner
    return {**event, path[0]: _with(inner, path[1:], value, gives_way=gives_way)}


def nearest_key(key: str, known: frozenset[str]) -> str:
    """Return a hint with the nearest known key, or with all of them."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."

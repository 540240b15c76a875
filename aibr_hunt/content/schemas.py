"""Content files against their JSON Schemas: every fault with its line and the nearest right spelling.

A schema's `description` is part of the message: it ends the sentence "x must be ...".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from aibr_hunt.content.cache import Passed
from aibr_hunt.content.yaml import Document, YamlKey, YamlValue, load_yaml
from aibr_hunt.errors import ContentError, ContentErrors

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

SchemaName: TypeAlias = Literal["logsource", "hunt", "incidents", "sweep"]
YamlMap: TypeAlias = dict[str, YamlValue]

SUFFIXES: Final = (".yml", ".yaml")
# Incidents lie beside their hunts and are no hunts themselves.
INCIDENTS_SUFFIXES: Final = (".incidents.yaml", ".incidents.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """A content file that fits its schema.

    Attributes:
        path: Where it was read.
        document: Its one YAML document.
        root: The document's value, a map.
        digest: SHA-256 of the file's bytes, hex.
    """

    path: Path
    document: Document
    root: YamlMap
    digest: str

    def fault(self, what: str, *place: str | int, hint: str = "") -> ContentError:
        """Return an error that points at the line of `place`."""
        return ContentError(what, path=self.path, line=self.document.line(*place), hint=hint)


def content_files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the YAML files of the folders, by stem; a later folder's file replaces an earlier one's of the same stem.

    Files of incidents are left out: their hunts name them.

    Raises:
        ContentErrors: A folder cannot be listed.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            listed = sorted(folder.iterdir())
        except OSError as fault:
            raise ContentErrors((ContentError(f"The folder cannot be listed: {fault.strerror}.", path=folder),)) from fault
        found |= {
            path.stem: path for path in listed if path.suffix in SUFFIXES and not path.name.endswith(INCIDENTS_SUFFIXES) and path.is_file()
        }
    return tuple(found[stem] for stem in sorted(found))


def read_checked(path: Path, schema: SchemaName, *, passed: Passed | None = None) -> CheckedFile:
    """Return a file's content, which fits the schema.

    Args:
        path: The file.
        schema: Which schema.
        passed: Remembers which contents fit: they are not checked again.

    Raises:
        ContentErrors: The file cannot be read, is no single YAML document, or breaks the schema; all faults together.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is no UTF-8"
        raise ContentErrors((ContentError(f"The file cannot be read: {why}.", path=path),)) from fault
    document = load_yaml(text, str(path))
    digest = hashlib.sha256(raw).hexdigest()
    if passed is None or not passed.has(schema, digest):
        faults = check_schema(document, schema, path)
        if faults:
            raise ContentErrors(faults)
        if passed is not None:
            passed.add(schema, digest)
    return CheckedFile(path=path, document=document, root=cast("YamlMap", document.value), digest=digest)


def check_schema(document: Document, schema: SchemaName, path: Path | str | None = None) -> tuple[ContentError, ...]:
    """Return every way in which the document breaks the schema, in the order of its lines."""
    seen: dict[tuple[YamlKey, str], ContentError] = {}
    for fault in _validator(schema).iter_errors(document.value):
        for place, what, hint in _explain(fault):
            error = ContentError(what, path=path, line=document.line(*place), hint=hint)
            seen.setdefault((place, what), error)
    return tuple(sorted(seen.values(), key=lambda error: (error.line or 0, error.what)))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `Did you mean x?` for the known name that is closest to `name`, without case; empty when none is close."""
    by_fold = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), by_fold, n=1, cutoff=0.6)
    return f"Did you mean {by_fold[near[0]]}?" if near else ""


@cache
def _validator(schema: SchemaName) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s that commands without YAML do not pay

    text = files("aibr_hunt.content").joinpath("schema", f"{schema}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _explain(fault: ValidationError) -> Iterator[tuple[YamlKey, str, str]]:
    """Yield place, sentence and hint for each thing that one error of the validator stands for."""
    place: YamlKey = tuple(fault.absolute_path)
    schema = cast("dict[str, object]", fault.schema)
    instance = cast("YamlValue", fault.instance)
    if fault.validator == "additionalProperties" and isinstance(instance, dict):
        known = cast("dict[str, object]", schema.get("properties", {}))
        for key in sorted(instance.keys() - known.keys()):
            yield (*place, key), f"{_named(place)} has no key {key}.", nearest(key, known) or f"Its keys are {', '.join(known)}."
    elif fault.validator == "required" and isinstance(instance, dict):
        for key in cast("list[str]", schema["required"]):
            if key not in instance:
                yield place, f"{_named(place)} lacks the key {key}.", ""
    elif fault.validator == "uniqueItems":
        yield place, f"{_named(place)} holds a value twice.", ""
    else:
        is_of_key = "propertyNames" in fault.absolute_schema_path and isinstance(instance, str)
        # A fault in a key's name lies at the key; the validator reports the map that holds it.
        at = (*place, str(instance)) if is_of_key else place
        what = f"{'A key of ' if is_of_key else ''}{_named(place)} must be {schema.get('description', 'a map')}, not {_shown(instance)}."
        hint = nearest(instance, cast("list[str]", schema["enum"])) if "enum" in schema and isinstance(instance, str) else ""
        yield at, what, hint


def _named(place: YamlKey) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "The file"


def _shown(value: YamlValue) -> str:
    match value:
        case dict():
            return "a map" if value else "an empty map"
        case list():
            return "a list" if value else "an empty list"
        case None:
            return "nothing"
        case str():
            return f"the text {value[:60]!r}"
        case _:
            return f"{str(value).lower()}"

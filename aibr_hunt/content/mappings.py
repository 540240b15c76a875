"""Log source mappings: YAML in `mappings/logsources/` to `aibr_hunt.model.mapping.Mapping`.

A user's own folder comes after the shipped one: a file of the same stem replaces the shipped mapping whole, any
other file adds one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from aibr_hunt.content.cache import Passed
from aibr_hunt.content.layouts import layout_faults, read_layout
from aibr_hunt.content.schemas import CheckedFile, YamlMap, content_files, nearest, read_checked
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import AibrError, ContentError, ContentErrors, Unsupported
from aibr_hunt.meaning.bind import BoundField, binder_of, split_path
from aibr_hunt.meaning.derive import DECODINGS
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.mapping import FieldPath, FieldSpec, LogSwitch, Mapping, Signature
from aibr_hunt.model.rule import LogSource


def load_mappings(folders: Sequence[Path], *, passed: Passed | None = None) -> tuple[Mapping, ...]:
    """Return the mappings of the folders, by name; a later folder's file replaces an earlier one's of the same stem.

    Args:
        folders: Folders that exist, the shipped one first.
        passed: Remembers which files fit their schema.

    Raises:
        ContentErrors: Every fault of every file, together.
    """
    mappings: list[Mapping] = []
    faults: list[AibrError] = []
    for path in content_files(folders):
        try:
            mappings.append(load_mapping(path, passed=passed))
        except ContentErrors as found:
            faults += found.errors
    faults += _shared_sources(mappings)
    if faults:
        raise ContentErrors(tuple(faults))
    return tuple(mappings)


def load_mapping(path: Path, *, passed: Passed | None = None) -> Mapping:
    """Return the mapping that one file holds; a file that is read again unchanged gives the same value.

    Args:
        path: The file.
        passed: Remembers which files fit their schema.

    Raises:
        ContentErrors: The file breaks the schema, or its parts contradict each other; all faults together.
    """
    key = (path, _digest_of(path))
    found = _LOADED.get(key)
    if found is not None:
        return found
    checked = read_checked(path, "logsource", passed=passed)
    faults = tuple(_contradictions(checked))
    if faults:
        raise ContentErrors(faults)
    if len(_LOADED) >= _MOST_LOADED:
        _LOADED.clear()
    found = _LOADED[path, checked.digest] = _mapping(checked)
    return found


# Values by path and digest: a process that runs many commands reads each mapping once.
_LOADED: Final[dict[tuple[Path, str], Mapping]] = {}
_MOST_LOADED: Final = 256


def _digest_of(path: Path) -> str:
    """Return the SHA-256 of the file as it is now; of one that cannot be read, which loading tells of, the empty text."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def mapping_for(logsource: LogSource, mappings: Iterable[Mapping]) -> Mapping | None:
    """Return the mapping that serves exactly this log source (without case), None when no mapping does.

    A rule that leaves out the service or the category says less than the mapping does: guessing could read it wrongly.
    """
    wanted = _folded(logsource)
    served = (mapping for mapping in mappings if wanted in map(_folded, (mapping.logsource, *mapping.also)))
    return next(served, None)


def resolve_field(mapping: Mapping, name: str) -> BoundField | None:
    """Return where a field lies on a mapping, None when the mapping does not define it.

    The rule of resolution is the one that the matcher follows: exact spelling, without case, aliases, open fields.
    """
    try:
        return binder_of(mapping).field(name)
    except Unsupported:
        return None


def suggest_field(mapping: Mapping, name: str) -> str:
    """Return `Did you mean x?` for the nearest field or alias of the mapping; empty when none is near."""
    return nearest(name, [*(spec.name for spec in mapping.fields), *(alias for alias, _ in mapping.aliases)])


def switches_of(mappings: Iterable[Mapping]) -> dict[str, LogSwitch]:
    """Return all log switches that the mappings define, by id: what a rule's `requires` may name."""
    return {switch.id: switch for mapping in mappings for switch in mapping.switches}


def _folded(source: LogSource) -> tuple[str, str, str]:
    return source.product.lower(), source.service.lower(), source.category.lower()


def _shared_sources(mappings: Iterable[Mapping]) -> Iterator[ContentError]:
    """Yield an error for each log source that two mappings claim."""
    owners: dict[tuple[str, str, str], str] = {}
    for mapping in mappings:
        for served in (mapping.logsource, *mapping.also):
            owner = owners.setdefault(_folded(served), mapping.name)
            if owner != mapping.name:
                what = f"The mappings {owner} and {mapping.name} both serve the log source {served}."
                yield ContentError(what, hint="A mapping of your own replaces a shipped one when its file has the same name.")


def _contradictions(checked: CheckedFile) -> Iterator[ContentError]:
    """Yield what no schema can see: names that do not meet, and claims that exclude each other."""
    root = checked.root
    if root["name"] != checked.path.stem:
        yield checked.fault(f"The name is {root['name']}, the file is called {checked.path.name}.", "name", hint="Give both the same stem.")
    fields = [_map(row) for row in _list(root["fields"])]
    names = [_text(row["name"]) for row in fields]
    yield from _repeated(checked, names)
    for index, row in enumerate(fields):
        yield from _field_faults(checked, row, index)
    yield from _unmet_names(checked, names, {_text(row["name"]) for row in fields if row.get("open")})
    yield from layout_faults(checked)
    ids = [_text(_map(row)["id"]) for row in _list(root.get("switches"))]
    for index, switch in enumerate(ids):
        if switch in ids[:index]:
            yield checked.fault(f"The switch {switch} is defined twice.", "switches", index)


def _repeated(checked: CheckedFile, names: list[str]) -> Iterator[ContentError]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.lower() in seen:
            yield checked.fault(f"The field {name} is defined twice: rules find fields without case.", "fields", index)
        seen.add(name.lower())


def _field_faults(checked: CheckedFile, row: YamlMap, index: int) -> Iterator[ContentError]:
    name = row["name"]
    if row.get("derive") and row.get("verbatim"):
        why = "its derived text does not stand in the record's bytes"
        yield checked.fault(f"The field {name} cannot be verbatim: {why}.", "fields", index, "verbatim", hint="Remove verbatim.")
    yield from _decoding_faults(checked, row, index)
    if row.get("time") and row.get("open"):
        yield checked.fault(f"The field {name} cannot be a time and open at once.", "fields", index)


def _decoding_faults(checked: CheckedFile, row: YamlMap, index: int) -> Iterator[ContentError]:
    """Yield what is wrong with a field that is decoded: steps out of order, and claims that only other fields can meet."""
    name, steps = row["name"], _steps(row.get("derive"))
    for before, step in zip(("", *steps), steps, strict=False):
        if step == "gunzip" and before != "base64":
            what = f"The field {name} cannot begin with gunzip, nor have it behind anything but base64."
            yield checked.fault(what, "fields", index, "derive", hint="Only base64 gives bytes: write [base64, gunzip].")
    if not steps or steps[0] not in DECODINGS:
        return
    if row.get("open") and not row.get("json_text"):
        what = f"The field {name} is decoded and open: a decoded text has members only as JSON."
        yield checked.fault(what, "fields", index, "open", hint="Add json_text: 1, or remove open.")
    if row.get("object"):
        yield checked.fault(f"The field {name} is decoded: it is a text and no object.", "fields", index, "object", hint="Remove object.")
    opened = {path for other in map(_map, _list(checked.root["fields"])) if _is_json(other) for path in _paths_of(other)}
    for path in _paths_of(row):
        if path in opened:
            what = f"The field {name} decodes a text that another field parses as JSON."
            yield checked.fault(what, "fields", index, hint="A member holds the one or the other.")


def _is_json(row: YamlMap) -> bool:
    steps = _steps(row.get("derive"))
    return bool(row.get("json_text")) and not (steps and steps[0] in DECODINGS)


def _paths_of(row: YamlMap) -> tuple[FieldPath, ...]:
    return _paths(row["paths"]) if "paths" in row else (split_path(_text(row["name"])),)


def _steps(value: YamlValue) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _texts(value)


def _unmet_names(checked: CheckedFile, names: list[str], open_names: set[str]) -> Iterator[ContentError]:
    """Yield an error for each alias, misspelling and keyword field that leads nowhere."""
    root = checked.root
    aliases = _map(root.get("aliases") or {})
    for alias, target in aliases.items():
        text = _text(target)
        is_met = any(text == name or name.startswith(f"{text}.") for name in names)
        if not is_met and not any(text.startswith(f"{prefix}.") for prefix in open_names):
            yield checked.fault(f"The alias {alias} leads to {text}, which is no field.", "aliases", alias, hint=nearest(text, names))
        if alias in {name.lower() for name in names}:
            yield checked.fault(f"The alias {alias} hides behind the field of that name.", "aliases", alias, hint="Remove the alias.")
    for key, known in (("misspelt", list(aliases)), ("keywords", names)):
        for index, name in enumerate(_list(root.get(key))):
            if name not in known:
                kind = "alias" if key == "misspelt" else "field"
                yield checked.fault(f"{key} names {name}, which is no {kind}.", key, index, hint=nearest(_text(name), known))


def _mapping(checked: CheckedFile) -> Mapping:
    root = checked.root
    return Mapping(
        name=_text(root["name"]),
        logsource=_logsource(root["logsource"]),
        also=tuple(_logsource(row) for row in _list(root.get("also"))),
        provider=_text(root["provider"]),
        identity=_paths(root["identity"]),
        identity_also=tuple(_paths(row) for row in _list(root.get("identity_also"))),
        time=split_path(_text(root["time"])),
        time_also=_paths(root.get("time_also")),
        arrival=split_path(_text(root["arrival"])) if "arrival" in root else (),
        lookback_days=cast("int", root.get("lookback_days", 4000)),
        fields=tuple(_field(_map(row)) for row in _list(root["fields"])),
        aliases=_pairs(root.get("aliases")),
        misspelt=_texts(root.get("misspelt")),
        keywords=_texts(root.get("keywords")),
        pulse=_paths(root.get("pulse")),
        signatures=tuple(_signature(_map(row)) for row in _list(root["signatures"])),
        switches=tuple(_switch(_map(row)) for row in _list(root.get("switches"))),
        principal=_paths(root.get("principal")),
        address=_paths(root.get("address")),
        resource=_paths(root.get("resource")),
        action=_paths(root.get("action")),
        region=_paths(root.get("region")),
        account=_paths(root.get("account")),
        csv=tuple((header, split_path(path)) for header, path in _pairs(root.get("csv"))),
        csv_json=_texts(root.get("csv_json")),
        arrays=_paths(root.get("arrays")),
        layouts=tuple(read_layout(_map(row)) for row in _list(root.get("layouts"))),
        digest=checked.digest,
    )


def _logsource(value: YamlValue) -> LogSource:
    row = _map(value)
    return LogSource(
        product=_text(row.get("product", "")),
        service=_text(row.get("service", "")),
        category=_text(row.get("category", "")),
    )


def _field(row: YamlMap) -> FieldSpec:
    derive = " ".join(_steps(row.get("derive")))
    json_text = cast("int", row.get("json_text", 0))
    return FieldSpec(
        name=_text(row["name"]),
        paths=_paths_of(row),
        is_open=bool(row.get("open", False)),
        # Text that is parsed again or derived need not stand in the bytes as rules see it: only its author can say that it does.
        is_verbatim=bool(row.get("verbatim", not derive and not json_text)),
        json_text=json_text,
        is_masked=bool(row.get("masked", False)),
        is_time=bool(row.get("time", False)),
        blanks=_texts(row.get("blanks")),
        sieve_weight=cast("int", row.get("sieve_weight", 5)),
        common=tuple(fold(text) for text in _texts(row.get("common"))),
        is_object=bool(row.get("object", False)),
        derive=derive,
        is_ascii=bool(row.get("ascii", False)),
    )


def _signature(row: YamlMap) -> Signature:
    return Signature(
        has=_texts(row.get("has")),
        lacks=_texts(row.get("lacks")),
        equals=_pairs(row.get("equals")),
        prefixes=_pairs(row.get("prefixes")),
    )


def _switch(row: YamlMap) -> LogSwitch:
    return LogSwitch(
        id=_text(row["id"]),
        is_on_by_default=cast("bool | None", row["on_by_default"]),
        what=_text(row["what"]),
        how=_text(row["how"]),
    )


def _paths(value: YamlValue) -> tuple[FieldPath, ...]:
    return tuple(split_path(text) for text in _texts(value))


def _pairs(value: YamlValue) -> tuple[tuple[str, str], ...]:
    return tuple((key, _text(item)) for key, item in _map(value or {}).items())


def _texts(value: YamlValue) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


# The schema has proven the shapes that these name: they cost nothing and tell the type checker.
def _map(value: YamlValue) -> YamlMap:
    return cast("YamlMap", value)


def _list(value: YamlValue) -> list[YamlValue]:
    return cast("list[YamlValue]", value or [])


def _text(value: YamlValue) -> str:
    return cast("str", value)

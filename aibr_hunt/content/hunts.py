"""Hunts: YAML in `hunts/` to `aibr_hunt.model.hunt.Hunt`.

A hunt argues. So it is refused unless exactly one rival is the hypothesis, something would speak for it, and
something would speak against it: a claim that nothing could refute is no hypothesis.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.schemas import CheckedFile, YamlMap, content_files, nearest, read_checked
from aibr_hunt.content.shipped import PREFIX
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import AibrError, ContentError, ContentErrors
from aibr_hunt.model.hunt import Hunt, Observation

THE_HYPOTHESIS: Final = "the hypothesis"

_SIZE: Final = re.compile(r"([0-9.]+) ?([KMGTP]?)(i?)B")
_EXTRA: Final = ("author", "date", "status")


def load_hunts(folders: Sequence[Path], *, catalogue: Catalogue) -> tuple[Hunt, ...]:
    """Return the hunts of the folders, by name; a later folder's file replaces an earlier one's of the same stem.

    Args:
        folders: Folders that exist, the shipped one first. Folders inside them (sweeps) are not read.
        catalogue: Knows the techniques.

    Raises:
        ContentErrors: Every fault of every file, together.
    """
    hunts: list[Hunt] = []
    faults: list[AibrError] = []
    for path in content_files(folders):
        try:
            hunts.append(load_hunt(path, catalogue=catalogue))
        except ContentErrors as found:
            faults += found.errors
    if faults:
        raise ContentErrors(tuple(faults))
    return tuple(hunts)


def load_hunt(path: Path, *, catalogue: Catalogue) -> Hunt:
    """Return the hunt that one file holds. Whether its rules exist is asked by `unknown_rules`.

    Raises:
        ContentErrors: The file breaks the schema, contradicts itself, or names a technique that no catalogue knows;
            all faults together.
    """
    checked = read_checked(path, "hunt")
    faults = tuple(_contradictions(checked, catalogue))
    if faults:
        raise ContentErrors(faults)
    return _hunt(checked, catalogue)


def unknown_rules(hunt: Hunt, known: Collection[str]) -> tuple[ContentError, ...]:
    """Return an error for each rule that the hunt names and `known` (names and ids of rules) does not hold."""
    missing = {name for observation in hunt.expect for name in observation.rules if name not in known and name.lower() not in known}
    if not missing:
        return ()
    checked = read_checked(Path(hunt.path), "hunt")
    return tuple(
        checked.fault(f"The hunt names the rule {name}, which does not exist.", "expect", index, "rules", at, hint=nearest(name, known))
        for index, row in enumerate(_rows(checked.root["expect"]))
        for at, name in enumerate(_texts(row["rules"]))
        if name in missing
    )


def missing_rules(hunt: Hunt, every: Corpus) -> tuple[AibrError, ...]:
    """Return an error for each rule that the hunt names and that is not among `every`; one whose file is refused says why besides."""
    missing = unknown_rules(hunt, every.names)
    if not missing:
        return ()
    named = {name for each in hunt.expect for name in each.rules} - every.names
    refused = [error for shown, error in every.refused if Path(shown.removeprefix(PREFIX)).stem in named]
    return (*missing, *refused)


def _contradictions(checked: CheckedFile, catalogue: Catalogue) -> Iterator[ContentError]:
    """Yield what no schema can see."""
    root = checked.root
    if root["hunt"] != checked.path.stem:
        yield checked.fault(f"The hunt is called {root['hunt']}, its file {checked.path.name}.", "hunt", hint="Give both the same stem.")
    yield from _tag_faults(checked, catalogue)
    claims = [key for key, sentence in _map(root["rivals"]).items() if sentence == THE_HYPOTHESIS]
    if len(claims) != 1:
        what = f"{len(claims)} of the rivals say `{THE_HYPOTHESIS}`: exactly one must."
        yield checked.fault(what, "rivals", hint=f"Write `key: {THE_HYPOTHESIS}` for the one that the hunt claims.")
    yield from _observation_faults(checked)
    if len(claims) == 1:
        yield from _balance_faults(checked, claims[0])


def _tag_faults(checked: CheckedFile, catalogue: Catalogue) -> Iterator[ContentError]:
    tags, techniques = _texts(checked.root.get("tags")), _texts(checked.root.get("techniques"))
    for key, names in (("tags", tags), ("techniques", techniques)):
        for index, tag in enumerate(names):
            faults = () if tag in catalogue.techniques else catalogue.check_tags((tag,))
            for fault in faults:
                yield checked.fault(fault.what, key, index, hint=fault.hint)
            if key == "techniques" and not faults and tag not in catalogue.techniques:
                yield checked.fault(f"{tag} is no technique of ATT&CK or ATLAS.", key, index, hint="Tactics stand under tags.")
    known = [tag for tag in (*tags, *techniques) if tag in catalogue.techniques or catalogue.tactic(tag)]
    for fault in catalogue.check_tags(known) if tags else ():
        key, names = ("techniques", techniques) if fault.tag in techniques else ("tags", tags)
        place = (key, names.index(fault.tag)) if fault.tag in names else (key,)
        yield checked.fault(fault.what, *place, hint=fault.hint)


def _observation_faults(checked: CheckedFile) -> Iterator[ContentError]:
    rivals = _map(checked.root["rivals"])
    seen: set[str] = set()
    for index, row in enumerate(_rows(checked.root["expect"])):
        name = cast("str", row["id"])
        if name in seen:
            yield checked.fault(f"Two observations are called {name}.", "expect", index, "id")
        seen.add(name)
        supports, against = _texts(row.get("supports")), _texts(row.get("against"))
        if not supports and not against:
            yield checked.fault(f"The observation {name} speaks for and against nothing.", "expect", index, hint="Add supports or against.")
        for key, rows in (("supports", supports), ("against", against)):
            for at, rival in enumerate(rows):
                if rival not in rivals:
                    hint = nearest(rival, rivals) or f"The rivals are {', '.join(rivals)}."
                    yield checked.fault(f"The observation {name} names {rival}, which is no rival.", "expect", index, key, at, hint=hint)
        for rival in sorted(set(supports).intersection(against)):
            yield checked.fault(f"The observation {name} speaks both for and against {rival}.", "expect", index)


def _balance_faults(checked: CheckedFile, claim: str) -> Iterator[ContentError]:
    rows = _rows(checked.root["expect"])
    for key, word in (("supports", "for"), ("against", "against")):
        if not any(claim in _texts(row.get(key)) for row in rows):
            what = f"No observation would speak {word} the hypothesis ({claim})."
            yield checked.fault(what, "expect", hint=f"Add an observation with `{key}: [{claim}]`.")


def _hunt(checked: CheckedFile, catalogue: Catalogue) -> Hunt:
    root = checked.root
    extra: dict[str, str] = {key: _text(root, key) for key in _EXTRA if key in root}
    if "references" in root:
        extra["references"] = "\n".join(_texts(root["references"]))
    return Hunt(
        name=_text(root, "hunt"),
        path=str(checked.path),
        text_digest=checked.digest,
        title=_text(root, "title"),
        hypothesis=_text(root, "hypothesis"),
        actor=_text(root, "actor"),
        behaviour=_text(root, "behaviour"),
        location=_text(root, "location"),
        evidence=_text(root, "evidence"),
        expect=tuple(_observation(row) for row in _rows(root["expect"])),
        rivals={key: cast("str", sentence) for key, sentence in _map(root["rivals"]).items()},
        tags=_texts(root.get("tags")),
        techniques=catalogue.techniques_of(_texts(root.get("techniques"))),
        last=_text(_map(root.get("window") or {}), "last"),
        scan_bytes=_bytes(_map(root.get("limits") or {}).get("scan_bytes", 0)),
        pivots=_texts(root.get("pivots")),
        triage=_texts(root.get("triage")),
        preserve_first=_texts(root.get("preserve_first")),
        when_logs_are_off=_text(root, "when_logs_are_off"),
        case_studies=_texts(root.get("case_studies")),
        extra=extra,
    )


def _observation(row: YamlMap) -> Observation:
    return Observation(
        id=_text(row, "id"),
        rules=_texts(row["rules"]),
        supports=_texts(row.get("supports")),
        against=_texts(row.get("against")),
        note=_text(row, "note"),
    )


def _bytes(value: YamlValue) -> int:
    """Return a size in bytes: `50GB` counts in thousands, `50GiB` in 1024s."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return cast("int", value)
    number, prefix, binary = match.groups()
    power: int = (1024 if binary else 1000) ** " KMGTP".index(prefix or " ")
    return round(float(number) * power)


# The schema has proven the shapes that these name: they cost nothing and tell the type checker.
def _map(value: YamlValue) -> YamlMap:
    return cast("YamlMap", value)


def _rows(value: YamlValue) -> list[YamlMap]:
    return cast("list[YamlMap]", value)


def _texts(value: YamlValue) -> tuple[str, ...]:
    return tuple(cast("Iterable[str]", value or ()))


def _text(row: YamlMap, key: str) -> str:
    return cast("str", row.get(key, ""))

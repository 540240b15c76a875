"""A rule's cases: `<name>.tests.yaml` beside the rule, events with the answer that each must get."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aibr_hunt.content.yaml import Document, YamlValue, load_yaml
from aibr_hunt.errors import ContentError, ContentErrors
from aibr_hunt.meaning.bind import split_path
from aibr_hunt.model.event import Json

_KEYS: Final = frozenset(("hit", "event", "why", "each"))
_TOP_KEYS: Final = frozenset(("rule", "base", "cases", "equivalent"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One event and whether the rule must match it.

    Attributes:
        name: Unique in its file; a case that stands for several values ends in `[value]`.
        hit: True for a hit, False for a near miss.
        event: The event.
        why: Why it is there; may be empty.
        line: Line in the file, from 1.
    """

    name: str
    hit: bool
    event: Json
    why: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """All cases of one rule.

    Attributes:
        rule: Name of the rule.
        equivalent: Mutant to reason: mutants that no event can tell from the rule.
    """

    rule: str
    path: str
    cases: tuple[Case, ...]
    equivalent: Mapping[str, str]

    @property
    def hits(self) -> tuple[Case, ...]:
        """The cases that the rule must match."""
        return tuple(case for case in self.cases if case.hit)

    @property
    def misses(self) -> tuple[Case, ...]:
        """The near misses."""
        return tuple(case for case in self.cases if not case.hit)


def cases_path(rule_file: Path, named: str = "") -> Path:
    """Return where a rule's cases lie: the file that it names, else `<name>.tests.yaml` beside it."""
    return rule_file.parent / (named or f"{rule_file.name.removesuffix('.yml').removesuffix('.yaml')}.tests.yaml")


def load_cases(path: Path, shown: str | None = None) -> CaseFile:
    """Return the cases of a file.

    Raises:
        ContentErrors: Everything that is wrong with it, with lines.
    """
    name = shown or path.as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentErrors((ContentError(f"cannot be read: {error}.", path=name),)) from None
    reader = _Reader(load_yaml(text, name), name)
    found = reader.read()
    if reader.faults:
        raise ContentErrors(tuple(reader.faults))
    return found


class _Reader:
    """Reads one file of cases."""

    def __init__(self, document: Document, path: str) -> None:
        self.document = document
        self.path = path
        self.faults: list[ContentError] = []

    def read(self) -> CaseFile:
        """Return the cases; `faults` says what is wrong."""
        body = self.document.value if isinstance(self.document.value, dict) else {}
        for key in body:
            if key not in _TOP_KEYS:
                self._fault(f"has the unknown key {key!r}.", key, hint=nearest_key(key, _TOP_KEYS))
        cases = body.get("cases")
        if not isinstance(cases, dict) or not cases:
            self._fault("has no cases.", "cases", hint="Add `cases:` with one named case for each event.")
            cases = {}
        found = tuple(case for key, value in cases.items() for case in self._cases(key, value))
        return CaseFile(rule=str(body.get("rule") or ""), path=self.path, cases=found, equivalent=self._equivalent(body.get("equivalent")))

    def _fault(self, what: str, *at: str | int, hint: str = "") -> None:
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def _cases(self, name: str, value: YamlValue) -> Iterator[Case]:
        if not isinstance(value, dict):
            self._fault(f"case {name} is no map.", "cases", name, hint="Write {hit: true, event: {...}}.")
            return
        for key in value:
            if key not in _KEYS:
                self._fault(f"case {name} has the unknown key {key!r}.", "cases", name, key, hint=nearest_key(key, _KEYS))
        hit, event, each = value.get("hit"), value.get("event"), value.get("each")
        if not isinstance(hit, bool) or not isinstance(event, dict):
            self._fault(f"case {name} needs `hit: true` or `hit: false`, and an event.", "cases", name)
            return
        line, why = self.document.line("cases", name), str(value.get("why") or "")
        if each is None:
            yield Case(name=name, hit=hit, event=own(event), why=why, line=line)
            return
        field, values = next(iter(each.items())) if isinstance(each, dict) and len(each) == 1 else ("", None)
        if not isinstance(values, list) or not values:
            self._fault(f"case {name}: each must be one field with a list of values.", "cases", name, hint="Write each: {field: [v1, v2]}.")
            return
        for one in values:
            yield Case(name=f"{name}[{one}]", hit=hit, event=with_value(own(event), field, own(one)), why=why, line=line)

    def _equivalent(self, value: YamlValue) -> dict[str, str]:
        found: dict[str, str] = {}
        for index, row in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            if not isinstance(row, dict) or not row.get("mutant") or not row.get("why"):
                self._fault("an equivalent mutant needs `mutant` and `why`.", "equivalent", index)
                continue
            found[str(row["mutant"])] = str(row["why"])
        return found


def own(value: YamlValue) -> Json:
    """Return a copy that shares nothing with other cases: YAML anchors do share."""
    return copy.deepcopy(value)


def with_value(event: Json, field: str, value: Json) -> Json:
    """Return the event with the member at a dotted path set; objects on the way are made."""
    at = event
    path = split_path(field)
    for member in path[:-1]:
        if not isinstance(at, dict):
            break
        if not isinstance(at.get(member), dict):
            at[member] = {}
        at = at[member]
    if isinstance(at, dict):
        at[path[-1]] = value
    return event


def nearest_key(key: str, known: frozenset[str]) -> str:
    """Return a hint with the nearest known key, or with all of them."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."

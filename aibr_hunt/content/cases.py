"""A rule's cases: `<name>.tests.yaml` beside the rule, events with the answer that each must get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aibr_hunt.content.case_reader import CaseReader, read_document, with_value
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import ContentErrors
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
    reader = _Reader(read_document(path, name), name)
    found = reader.read()
    if reader.faults:
        raise ContentErrors(tuple(reader.faults))
    return found


class _Reader(CaseReader):
    """Reads one file of cases."""

    def read(self) -> CaseFile:
        """Return the cases; `faults` says what is wrong."""
        body = self.document.value if isinstance(self.document.value, dict) else {}
        self.check_keys(body, _TOP_KEYS, "")
        cases = body.get("cases")
        if not isinstance(cases, dict) or not cases:
            self.fault("has no cases.", "cases", hint="Add `cases:` with one named case for each event.")
            cases = {}
        found = tuple(case for key, value in cases.items() for case in self._cases(key, value))
        return CaseFile(rule=str(body.get("rule") or ""), path=self.path, cases=found, equivalent=self.equivalent(body.get("equivalent")))

    def _cases(self, name: str, value: YamlValue) -> Iterator[Case]:
        at = ("cases", name)
        if not isinstance(value, dict):
            self.fault(f"case {name} is no map.", *at, hint="Write {hit: true, event: {...}}.")
            return
        self.check_keys(value, _KEYS, f"case {name}", *at)
        hit, event, each = value.get("hit"), value.get("event"), value.get("each")
        if not isinstance(hit, bool) or not isinstance(event, dict):
            self.fault(f"case {name} needs `hit: true` or `hit: false`, and an event.", *at)
            return
        line, why = self.document.line(*at), str(value.get("why") or "")
        if each is None:
            yield Case(name=name, hit=hit, event=event, why=why, line=line)
            return
        field, values = self.one_field(each, f"case {name}", *at)
        for one in values:
            yield Case(name=f"{name}[{one}]", hit=hit, event=with_value(event, field, one), why=why, line=line)

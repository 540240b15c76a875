"""A sound necessary condition of many rules at once: literals of which a record must hold one (docs/meaning.md section 8).

A record without any literal of a rule cannot meet the rule. The reverse is not claimed: whatever passes is matched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aibr_hunt.meaning.bind import Binder, binder_of, is_open
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.regex_literal import required_runs
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.predicate import And, Keyword, Or, Predicate, Regex, Star, Text, TextOp, Together
from aibr_hunt.model.rule import Rule

MIN_LITERAL: Final = 4
_WEIGHT_OF_COMMON: Final = 9
_RUNS: Final = re.compile(r"[ !#-.0-\[\]-~]+")  # printable ASCII without " / \
_RUNS_IN_OBJECTS: Final = re.compile(r"[ !#-+.0-9;-Z^-z|~-]+")  # ... and without , : [ ] { }, which serialisations space differently
_LEADING: Final = re.compile(r"\A[rt]", re.IGNORECASE)
_ESCAPES: Final = re.compile(r"\\[bfnrt]", re.IGNORECASE)
_NUMBER_LIKE: Final = re.compile(r"[-+0-9.e]+")
_DATE_LIKE: Final = re.compile(r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?.*")
_WORDS_OF_JSON: Final = frozenset(("true", "false", "null"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One of `literals` (folded ASCII) must occur; `cost` grows with how often that is expected."""

    literals: frozenset[str]
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SieveProgram:
    """The sieve of a rule set.

    Attributes:
        literals: Sorted; compared with bytes without ASCII case.
        rules_by_literal: For each literal the numbers of the rules that it may hint at.
        unsieved: Numbers of the rules without a literal: they force every record to be parsed.
    """

    literals: tuple[str, ...]
    rules_by_literal: tuple[tuple[int, ...], ...]
    unsieved: tuple[int, ...]


def sieve_of(rules: Sequence[Rule], mapping: Mapping | None) -> SieveProgram:
    """Return the sieve of rules that are bound on `mapping` (None: fields as written)."""
    binder = binder_of(mapping)
    by_literal: dict[str, list[int]] = {}
    unsieved: list[int] = []
    for number, rule in enumerate(rules):
        need = need_of(rule.predicate, binder)
        if need is None:
            unsieved.append(number)
            continue
        for literal in need.literals:
            by_literal.setdefault(literal, []).append(number)
    literals = tuple(sorted(by_literal))
    return SieveProgram(literals=literals, rules_by_literal=tuple(tuple(by_literal[each]) for each in literals), unsieved=tuple(unsieved))


def need_of(predicate: Predicate, binder: Binder) -> Need | None:
    """Return what a record must hold for the predicate to be true; None when no byte literal follows from it."""
    match predicate:
        case And(items=items):
            return _cheapest(need_of(item, binder) for item in items)
        case Together(items=pairs):
            return _cheapest(need_of(item, binder) for _, item in pairs)
        case Or(items=items):
            return _union([need_of(item, binder) for item in items])
        case Text():
            return _need_of_text(predicate, binder)
        case Regex():
            return _need_of_regex(predicate, binder)
        case Keyword():
            return _need_of_keyword(predicate, binder)
        case _:
            return None


def _cheapest(needs: Iterable[Need | None]) -> Need | None:
    return min((need for need in needs if need is not None), key=lambda need: (need.cost, sorted(need.literals)), default=None)


def _union(needs: Sequence[Need | None]) -> Need | None:
    known = [need for need in needs if need is not None]
    if not known or len(known) < len(needs):
        return None
    return Need(literals=frozenset().union(*(need.literals for need in known)), cost=sum(need.cost for need in known))


def _need_of_text(leaf: Text, binder: Binder) -> Need | None:
    texts = [leaf.literal] if leaf.op is not TextOp.WILDCARD else [part for part in leaf.pattern if not isinstance(part, Star)]
    if not is_open(leaf):
        return _need_of_runs(leaf, binder, texts=texts, shape=_RUNS)
    # A tab or carriage return that stands raw in the bytes reads as `\t` or `\r` in an object's text, and a text may begin
    # behind that backslash. Other control bytes force a parse.
    return _need_of_runs(leaf, binder, texts=[_ESCAPES.sub("\\\\", _LEADING.sub("", text)) for text in texts], shape=_RUNS_IN_OBJECTS)


def _need_of_regex(leaf: Regex, binder: Binder) -> Need | None:
    branches = required_runs(leaf.pattern)
    if branches is None:
        return None
    return _union([_need_of_runs(leaf, binder, texts=runs, shape=_RUNS) for runs in branches])


def _need_of_keyword(leaf: Keyword, binder: Binder) -> Need | None:
    fields = () if binder.mapping is None else binder.mapping.keywords
    if not all(binder.field(name).spec.is_verbatim for name in fields):
        return None
    runs = [run for part in leaf.pattern if not isinstance(part, Star) for run in _RUNS.findall(part)]
    return _best_literal(runs, weight=7)


def _need_of_runs(leaf: Text | Regex, binder: Binder, *, texts: Sequence[str], shape: re.Pattern[str]) -> Need | None:
    spec = binder.field(leaf.field).spec
    if not spec.is_verbatim or spec.derive:
        return None
    return _best_literal([run for text in texts for run in shape.findall(text)], weight=spec.sieve_weight, common=spec.common)


def _best_literal(runs: Iterable[str], *, weight: int, common: tuple[str, ...] = ()) -> Need | None:
    literals = sorted((fold(run) for run in runs if is_literal(run)), key=lambda each: (-len(each), each))
    if not literals:
        return None
    cost = 4.0 ** (_WEIGHT_OF_COMMON if literals[0] in common else weight)
    return Need(literals=frozenset(literals[:1]), cost=cost / min(len(literals[0]), 24))


def is_literal(run: str) -> bool:
    """True when a run of plain characters may be looked for in bytes: long enough, no number, date, boolean or null."""
    lower = run.lower()
    return len(run) >= MIN_LITERAL and not _NUMBER_LIKE.fullmatch(lower) and not _DATE_LIKE.fullmatch(run) and lower not in _WORDS_OF_JSON

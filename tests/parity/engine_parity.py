"""Asks many rules of a stand-in's table at once, whole and as bounds, and counts what ran, was refused, or fell into a stand-in's gap.

Each rule gives four conditions: the whole predicate (`high`), the sieve (`may`), the sieve made short (`narrowed`), and the sieve of its
negation, which says that `must` implies the rule. A *cell* is one condition on one event on one engine.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aibr_hunt.compile.kql import identifier
from aibr_hunt.compile.program import KQL_PRINTER, SQL_PRINTERS
from aibr_hunt.compile.text import flat
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import fields_of, leaves
from aibr_hunt.meaning.bounds import bounds_of
from aibr_hunt.meaning.narrow import narrowed
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.condition import Condition, negated
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.predicate import Cidr, FieldRef, Predicate, Regex, Text
from tests.standins.contract import Gap, Rejected, StandIn

AT_ONCE = 24
# docs/meaning.md section 4, and the capitals that become the last of them in some engine.
ODD = "\u0130\u0131\u017f\u212a\u212b\u2126\u1e9e\u03c2\u03a3"


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule under test.

    Attributes:
        text: As its author wrote it; `predicate`: what it means.
        hits: Ids of the events that meet it.
        is_as_assumed: The events have the shapes that the whole form assumes.
        scope: Ids of the events that it is asked of; None for all in the table.
    """

    text: str
    predicate: Predicate
    hits: frozenset[str]
    is_as_assumed: bool = True
    scope: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition: of which rule, in which form, and which ids it must and may give."""

    subject: Subject
    form: str
    condition: Condition
    least: frozenset[str]
    most: frozenset[str]


@dataclass
class Tally:
    """What became of cells: those that ran (by form), were refused (by reason), or fell into a gap (by construct); and disagreements."""

    ran: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def cells(self) -> int:
        """How many cells ran."""
        return self.ran.total()


def _folds(predicate: Predicate) -> bool:
    return any(isinstance(leaf, Text | FieldRef | Regex) and not getattr(leaf, "cased", False) for leaf in leaves(predicate))


def holds_odd_letter(event: Json) -> bool:
    """True when an event holds a letter on whose case engines differ."""
    return any(letter in json.dumps(event, ensure_ascii=False) for letter in ODD)


def asked_of(subject: Subject, ids: frozenset[str], locator: Locator, tally: Tally, *, odd: frozenset[str], is_whole: bool) -> list[Asked]:
    """Return the conditions that a rule becomes on a layout; a refusal is counted."""
    try:
        bounds = bounds_of(subject.predicate, locator)
    except Unsupported as error:
        tally.refused[f"{locator.layout.label} {error.what}"] += len(ids)
        return []
    found = [
        Asked(subject, "sieve", bounds.may, subject.hits, ids),
        Asked(subject, "short sieve", narrowed(bounds.may, locator.weights), subject.hits, ids),
        Asked(subject, "sieve of the negation", negated(bounds.must), ids - subject.hits, ids),
    ]
    if bounds.high is None or bounds.low is None:
        for obstacle in bounds.obstacles or ("no reason given",):
            tally.refused[f"{locator.layout.label} whole: {obstacle}"] += len(ids)
    elif is_whole and subject.is_as_assumed:
        # Where letters are compared without case, the whole form may differ on events that hold one of those on which engines differ.
        doubt = odd if _folds(subject.predicate) else frozenset()
        for form, condition, hits in (
            ("whole", bounds.high, subject.hits),
            ("whole of the negation", negated(bounds.low), ids - subject.hits),
        ):
            found.append(Asked(subject, form, condition, hits - doubt, hits | doubt))
    return found


def breaks_an_assumption(predicate: Predicate, events: Sequence[Json], locator: Locator) -> bool:
    """True when some event is not as the whole form assumes: an undeclared field meets a list or an object, or a mapped address is odd."""
    asks_addresses = any(isinstance(leaf, Cidr) for leaf in leaves(predicate)) and locator.layout.engine in {
        EngineKind.KQL,
        EngineKind.DUCKDB,
    }
    if asks_addresses and any(map(_holds_odd_mapped, events)):
        return True
    arrays = frozenset(() if locator.mapping is None else locator.mapping.arrays)
    for name in fields_of(predicate):
        try:
            is_declared = all(access.is_declared for access in locator.access(name))
        except Unsupported:
            continue
        paths = locator.binder.field(name).paths
        if not is_declared and any(_is_shaped(event, path, arrays) for event in events for path in paths):
            return True
    return False


def _holds_odd_mapped(event: Json) -> bool:
    """True when an IPv4 address stands inside IPv6 in another spelling than `::ffff:a.b.c.d`."""
    text = json.dumps(event).lower()
    return re.search(r'"(?!::ffff:[0-9]+\.)[0:]*:ffff:[0-9a-f.:]+"', text) is not None


def _is_shaped(value: Json, path: tuple[str, ...], arrays: frozenset[tuple[str, ...]], done: int = 0) -> bool:
    """True when a list stands on the way that the mapping does not know of, or an object at its end."""
    if isinstance(value, list) and path[:done] in arrays:
        return any(isinstance(element, list) or _is_shaped(element, path, arrays, done) for element in value)
    if isinstance(value, list):
        return bool(value)
    if done == len(path):
        return isinstance(value, dict)
    return isinstance(value, dict) and _is_shaped(value.get(path[done]), path, arrays, done + 1)


def compare(
    subjects: Sequence[Subject],
    ids: frozenset[str],
    *,
    locator: Locator,
    standin: StandIn,
    tally: Tally,
    odd: frozenset[str],
    is_whole: bool = True,
) -> None:
    """Ask every rule of the table that the stand-in holds, and tell each disagreement.

    Args:
        subjects: The rules.
        ids: Ids of all events in the table.
        locator: Mapping and layout.
        standin: Holds the events as rows of that layout.
        tally: Where the outcome is counted.
        odd: Ids of the events that hold an odd letter.
        is_whole: False leaves out the whole form, for events with shapes that it does not assume.
    """
    asked = [
        each
        for subject in subjects
        for each in asked_of(subject, ids if subject.scope is None else subject.scope, locator, tally, odd=odd, is_whole=is_whole)
    ]
    for start in range(0, len(asked), AT_ONCE):
        _ask(asked[start : start + AT_ONCE], locator.layout, standin, tally, ids)


def _ask(asked: Sequence[Asked], layout: Layout, standin: StandIn, tally: Tally, ids: frozenset[str]) -> None:
    try:
        rows = standin.rows(program(layout, [each.condition for each in asked]))
    except (Gap, Rejected) as error:
        if "invalid perl operator" in str(error):  # RE2 under the shim has no look-around, which our rewritten \b and ^ need
            error = Gap("look-around in a rewritten regular expression")
        if len(asked) > 1:
            half = len(asked) // 2
            _ask(asked[:half], layout, standin, tally, ids)
            _ask(asked[half:], layout, standin, tally, ids)
        elif isinstance(error, Gap):
            tally.gaps[f"{standin.name}: {error.construct}"] += len(scope_of(asked[0], ids))
        else:
            tally.wrong.append(_told(asked[0], layout, f"rejected: {error}"))
        return
    for place, each in enumerate(asked, start=1):
        scope = scope_of(each, ids)
        found = frozenset(str(row[0]) for row in rows if row[place]) & scope
        tally.ran[each.form] += len(scope)
        if not each.least <= found <= each.most:
            what = f"missed {sorted(each.least - found)}, invented {sorted(found - each.most)}"
            tally.wrong.append(_told(each, layout, what))


def scope_of(asked: Asked, ids: frozenset[str]) -> frozenset[str]:
    """Return the ids of the events that a condition is judged on."""
    return ids if asked.subject.scope is None else asked.subject.scope


def _told(asked: Asked, layout: Layout, what: str) -> str:
    return f"{layout.label} {asked.form}: {what}\n{asked.subject.text}\n{flat(printed(layout, asked.condition))}"


def printed(layout: Layout, condition: Condition) -> str:
    """Return a condition as the layout's engine reads it."""
    printer = KQL_PRINTER if layout.engine is EngineKind.KQL else SQL_PRINTERS[layout.engine]
    return flat(printer.condition(condition))


def program(layout: Layout, conditions: Sequence[Condition]) -> str:
    """Return a program that gives each row's id and the truth of every condition on it."""
    texts = [printed(layout, condition) for condition in conditions]
    if layout.engine is EngineKind.KQL:
        columns = ", ".join(f"c{number} = coalesce({text}, false)" for number, text in enumerate(texts))
        return f"{identifier(layout.table)} | project id, {columns}"
    dialect = SQL_PRINTERS[layout.engine].dialect
    columns = ", ".join(f"COALESCE({text}, FALSE) AS c{number}" for number, text in enumerate(texts))
    return f"SELECT id, {columns} FROM {dialect.table(layout.table)}"  # noqa: S608 - the printers' own text

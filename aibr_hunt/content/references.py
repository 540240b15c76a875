"""Correlations find their rules: in their own file first, then among what was asked for, then in every content folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final, TypeAlias

from aibr_hunt.content.drafts import Draft
from aibr_hunt.errors import AibrError, ContentError, ContentErrors, Unsupported
from aibr_hunt.model.correlation import Correlation, Operand
from aibr_hunt.model.rule import Rule

Thing: TypeAlias = "Rule | Draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Correlations whose rules are known.

    Attributes:
        correlations: Those that serve another one stand before it.
        rules: Rules that were fetched for them.
        faults: Path and error of each correlation that is refused.
    """

    correlations: tuple[Correlation, ...]
    rules: tuple[Rule, ...] = ()
    faults: tuple[tuple[str, AibrError], ...] = ()


# A chain of correlations that is longer is an accident, or an attack on the reader.
MAX_CHAIN: Final = 100

Fetch: TypeAlias = Callable[[str, str], "Sequence[Thing]"]
Names: TypeAlias = Callable[[], "Iterable[str]"]


def resolve_references(rules: Sequence[Rule], drafts: Sequence[Draft], *, fetch: Fetch, names: Names) -> Resolved:
    """Return the correlations with the ids of their rules.

    Args:
        rules: What was read.
        drafts: Correlations that were read.
        fetch: Gives what a name (first) means beyond what was read, for a correlation in a file (second). Raises what is wrong with it.
        names: Every name that a correlation could use, for hints.
    """
    return _Resolver(rules, drafts, fetch=fetch, names=names).resolved()


class _Resolver:
    """Follows references, depth first, so that a correlation stands behind those that it needs."""

    def __init__(self, rules: Sequence[Rule], drafts: Sequence[Draft], *, fetch: Fetch, names: Names) -> None:
        self.drafts = list(drafts)
        self.fetch = fetch
        self.names = names
        self.rules: dict[str, Rule] = {rule.id: rule for rule in rules}
        self.asked = set(self.rules)
        self.keys: dict[str, list[Thing]] = {}
        things: list[Thing] = [*rules, *drafts]
        for thing in things:
            self._index(thing)
        self.done: dict[str, Correlation] = {}
        self.faults: dict[str, tuple[str, AibrError]] = {}
        self.open: list[str] = []

    def resolved(self) -> Resolved:
        for draft in self.drafts:
            self._resolve(draft)
        fetched = tuple(rule for ident, rule in self.rules.items() if ident not in self.asked)
        return Resolved(correlations=tuple(self.done.values()), rules=fetched, faults=tuple(self.faults.values()))

    def _index(self, thing: Thing) -> None:
        for key in keys_of(thing):
            known = self.keys.setdefault(key, [])
            if all(ident_of(each) != ident_of(thing) for each in known):
                known.append(thing)

    def _resolve(self, draft: Draft) -> Correlation | None:
        """Return the correlation, None when it is refused; `faults` says why."""
        ident = draft.correlation.id
        if ident in self.done or ident in self.faults:
            return self.done.get(ident)
        self.open.append(ident)
        wrong: list[AibrError] = []
        found: dict[str, Operand] = {}
        for operand in draft.correlation.sources:
            try:
                found[operand.name] = self._operand(operand.name, draft)
            except (ContentError, Unsupported) as fault:
                wrong.append(fault)
        self.open.pop()
        made = _with_operands(draft.correlation, found) if not wrong else draft.correlation
        wrong += _faults_of(draft, made, self.done) if not wrong else []
        if wrong:
            error = wrong[0] if len(wrong) == 1 else ContentErrors(tuple(wrong))
            self.faults[ident] = (draft.correlation.path, error)
            return None
        self.done[ident] = made
        return made

    def _operand(self, name: str, draft: Draft) -> Operand:
        thing = self._find(name, draft)
        if not isinstance(thing, Draft):
            self.rules.setdefault(thing.id, thing)
            return Operand(name=name, id=thing.id)
        inner = thing.correlation
        if inner.id in self.open:
            what = f"the correlation {draft.correlation.name} comes back to itself by way of {name}."
            raise draft.fault(what, name, hint="A correlation cannot count itself.")
        if len(self.open) > MAX_CHAIN:
            raise draft.fault(f"chains over {MAX_CHAIN} correlations.", name, hint="Build on rules.")
        if self._resolve(thing) is None:
            raise draft.fault(f"names {name}, which is refused itself.", name, hint="Mend that one first.")
        return Operand(name=name, id=inner.id, is_correlation=True)

    def _find(self, name: str, draft: Draft) -> Thing:
        path = draft.correlation.path
        others = [thing for thing in self.keys.get(name, ()) if ident_of(thing) != draft.correlation.id]
        mine = [thing for thing in others if path_of(thing) == path]
        for found in (mine, others):
            if found:
                return _only(name, found, draft)
        try:
            fetched = [thing for thing in self.fetch(name, path) if ident_of(thing) != draft.correlation.id]
        except AibrError as error:
            raise draft.fault(f"names the rule {name}, which is refused: {error}", name) from None
        if not fetched:
            if name in keys_of(draft):
                raise draft.fault(f"the correlation {name} names itself.", name, hint="A correlation cannot count itself.")
            near = difflib.get_close_matches(name, list(dict.fromkeys((*self.keys, *self.names()))), n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]}?" if near else "Write the name, the id or the file's stem of a rule."
            raise draft.fault(f"names the rule {name}, which does not exist.", name, hint=hint)
        found_one = _only(name, fetched, draft)
        self._index(found_one)
        return found_one


def _only(name: str, found: Sequence[Thing], draft: Draft) -> Thing:
    if len(found) > 1:
        places = ", ".join(sorted(f"{ident_of(thing)} ({path_of(thing)})" for thing in found))
        raise draft.fault(f"names {name}, which {len(found)} rules are called.", name, hint=f"Write one of the ids {places}.")
    return found[0]


def _with_operands(correlation: Correlation, found: Mapping[str, Operand]) -> Correlation:
    population = correlation.population
    return replace(
        correlation,
        operands=tuple(found[each.name] for each in correlation.operands),
        population=None if population is None else found[population.name],
    )


def _faults_of(draft: Draft, made: Correlation, known: Mapping[str, Correlation]) -> list[AibrError]:
    """Return what is wrong once it is known what the names mean."""
    return [*_population_faults(draft, made), *_twice_faults(draft, made), *_chain_faults(draft, made, known)]


def _population_faults(draft: Draft, made: Correlation) -> Iterator[AibrError]:
    if made.population is not None and made.population.is_correlation:
        what = f"the population {made.population.name} is a correlation."
        yield draft.fault(what, made.population.name, hint="A population is a rule: its events are counted by the hour.")


def _twice_faults(draft: Draft, made: Correlation) -> Iterator[AibrError]:
    """Yield an error for each rule that is meant under two names: they could not be told apart."""
    seen: dict[str, str] = {}
    for operand in made.sources:
        other = seen.setdefault(operand.id, operand.name)
        if other != operand.name:
            yield draft.fault(f"{other} and {operand.name} are one rule.", operand.name, hint="Write one name for it.")


def _chain_faults(draft: Draft, made: Correlation, known: Mapping[str, Correlation]) -> Iterator[AibrError]:
    """Yield an error for each field that a correlation among the operands does not give: it has its group's values only."""
    for operand in made.operands:
        inner = known.get(operand.id)
        if inner is None:
            continue
        given = [field.name for field in inner.group_by]
        for field in (*made.group_by, *made.values):
            wanted = field.of(operand.name)
            if wanted not in given:
                near = difflib.get_close_matches(wanted, given, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Its group-by has {', '.join(given) or 'no field'}."
                what = f"reads {wanted} of the correlation {operand.name}, which has only the fields that it groups by."
                yield draft.fault(what, operand.name, hint=hint)


def keys_of(thing: Thing) -> tuple[str, ...]:
    """Return what a rule or correlation may be called by: name, id, stem of its file."""
    value: Rule | Correlation = thing.correlation if isinstance(thing, Draft) else thing
    stem = PurePath(value.path).name.removesuffix(".yml").removesuffix(".yaml")
    return tuple(dict.fromkeys((value.name, value.id, stem)))


def ident_of(thing: Thing) -> str:
    """Return the id of a rule or correlation."""
    return thing.correlation.id if isinstance(thing, Draft) else thing.id


def path_of(thing: Thing) -> str:
    """Return where a rule or correlation was read."""
    return thing.correlation.path if isinstance(thing, Draft) else thing.path


def silent_ids(correlations: Iterable[Correlation], asked: Iterable[str] = ()) -> frozenset[str]:
    """Return the ids of rules and correlations that only serve others: they make no leads of their own (docs/meaning.md section 7.2).

    Args:
        correlations: All that were read, resolved.
        asked: Ids that were asked for by themselves.
    """
    serving: set[str] = set()
    speaking: set[str] = set(asked)
    for each in correlations:
        serving |= {source.id for source in each.sources}
        speaking |= {operand.id for operand in each.operands} if each.is_generating else set()
    return frozenset(serving - speaking)

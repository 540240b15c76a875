"""What a sweep selects of the rules that it names, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.requirements import looks_back_us, requirements
from aibr_hunt.content.schemas import nearest, read_checked
from aibr_hunt.content.sweeps import Selector, Sweep
from aibr_hunt.errors import ContentError, ContentErrors
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.rule import Rule

_LENGTHS_US: Final = (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One rule or correlation that makes leads of its own, and whether a sweep selects it.

    Attributes:
        type: `rule`, or the type of the correlation.
        looks_back_us: How far before an event it may look.
        requires: The log switches that it and all that it rests on require, sorted.
        is_selected: True when the sweep runs it.
        why: What decided, as the end of a sentence.
    """

    thing: Rule | Correlation
    type: str
    looks_back_us: int
    requires: tuple[str, ...]
    is_selected: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A sweep's choices, and what remains to be run."""

    corpus: Corpus
    choices: tuple[Choice, ...]


def select(sweep: Sweep, corpus: Corpus, switches: Mapping[str, LogSwitch]) -> Selection:
    """Return what the sweep selects.

    Args:
        sweep: The sweep.
        corpus: What its `rules` name.
        switches: The log switches that the mappings define, by id.

    Raises:
        ContentErrors: It excludes what is not among its rules; each with its line.
    """
    faults = tuple(_unknown(sweep, corpus))
    if faults:
        raise ContentErrors(faults)
    required, reach = requirements(corpus), looks_back_us(corpus)
    judge = _Judge(sweep, {ident for ident, switch in switches.items() if switch.is_on_by_default})
    speaking: list[Rule | Correlation] = [*corpus.rules, *(each for each in corpus.correlations if each.id not in corpus.silent)]
    choices = tuple(
        judge.judged(
            Choice(
                thing=each,
                type=each.type.value if isinstance(each, Correlation) else "rule",
                looks_back_us=reach[each.id],
                requires=tuple(sorted(required[each.id])),
            )
        )
        for each in speaking
    )
    return Selection(corpus=_only(corpus, {each.thing.id for each in choices if each.is_selected}), choices=choices)


def _only(corpus: Corpus, wanted: set[str]) -> Corpus:
    """Return the corpus without what is not wanted; what only serves the rest makes no leads, though it would by itself."""
    part = replace(corpus.only(wanted), refused=corpus.refused)
    operands = tuple(rule for rule in part.matched if rule.id not in wanted)
    silent = frozenset(each.id for each in part.things if each.id not in wanted)
    return replace(part, rules=tuple(rule for rule in part.matched if rule.id in wanted), operands=operands, silent=silent)


class _Judge:
    """Decides for one thing after the other."""

    def __init__(self, sweep: Sweep, on: set[str]) -> None:
        self.sweep = sweep
        self.on = on

    def judged(self, choice: Choice) -> Choice:
        """Return the choice, decided."""
        against = next(self._against(choice), "")
        if against:
            return replace(choice, is_selected=False, why=against)
        meant = next((_because(each, choice) for each in self.sweep.only if _means(each, choice)), "")
        return replace(choice, why=meant or "nothing leaves it out")

    def _against(self, choice: Choice) -> Iterator[str]:
        sweep, thing = self.sweep, choice.thing
        if not {thing.name, thing.id}.isdisjoint(sweep.exclude):
            yield "excluded by name"
        off = [switch for switch in choice.requires if switch not in self.on]
        if sweep.needs_only_defaults and off:
            yield f"requires {', '.join(off)}, not on by default"
        if sweep.levels and thing.level not in sweep.levels:
            yield f"level {thing.level}"
        for each in sweep.leave_out:
            if _means(each, choice):
                yield _because(each, choice)
        if sweep.only and not any(_means(each, choice) for each in sweep.only):
            yield "not among what the sweep is only for"


def _means(selector: Selector, choice: Choice) -> bool:
    return (
        (not selector.levels or choice.thing.level in selector.levels)
        and (not selector.types or choice.type in selector.types)
        and choice.looks_back_us >= selector.looks_back_us
    )


def _because(selector: Selector, choice: Choice) -> str:
    """Return what of the thing meets the selector."""
    parts = [f"level {choice.thing.level}"] if selector.levels else []
    parts += [f"type {choice.type}"] if selector.types else []
    parts += [f"looks back {length_text(choice.looks_back_us)}"] if selector.looks_back else []
    return ", ".join(parts)


def length_text(length_us: int) -> str:
    """Return a length of time in its greatest whole unit, such as `14d` or `36h`."""
    unit, size = next(((unit, size) for unit, size in _LENGTHS_US if length_us % size == 0), ("us", 1))
    return f"{length_us // size}{unit}"


def _unknown(sweep: Sweep, corpus: Corpus) -> Iterable[ContentError]:
    """Return an error for each name under `exclude` that is no rule of the sweep: a typing error there would go unseen."""
    speaking = [each for each in corpus.things if each.id not in corpus.silent]
    known = {key for each in speaking for key in (each.id, each.name)}
    missing = [name for name in sweep.exclude if name not in known]
    if not missing:
        return ()
    checked = read_checked(sweep.path, "sweep")
    return [
        checked.fault(
            f"The sweep excludes {name}, which is none of its rules that make leads.",
            *("exclude", sweep.exclude.index(name)),
            hint=nearest(name, known),
        )
        for name in missing
    ]

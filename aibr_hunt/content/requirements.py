"""What rules and correlations rest on: the log switches that must be on, and how far back they look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.mapping import LogSwitch


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One log switch that a hunt's rules require.

    Attributes:
        switch: Its id.
        is_on_by_default: True, False, or None when it depends on the deployment or no mapping knows the switch.
        what: What it records; empty when no mapping knows it.
        blind: Ids of observations that nothing can make while it is off.
        weaker: Ids of observations that fewer of their rules can make.
    """

    switch: str
    is_on_by_default: bool | None
    what: str
    blind: tuple[str, ...]
    weaker: tuple[str, ...]


def requirements(corpus: Corpus) -> dict[str, frozenset[str]]:
    """Return for each rule and correlation, by id, the log switches that it and all that it rests on require."""
    found = {rule.id: frozenset(rule.requires) for rule in corpus.matched}
    for each in corpus.correlations:  # what serves others stands before them
        found[each.id] = frozenset(each.requires).union(*(found.get(source.id, frozenset()) for source in each.sources))
    return found


def looks_back_us(corpus: Corpus) -> dict[str, int]:
    """Return for each rule and correlation, by id, how far before an event it may look; 0 for a rule.

    Along a chain the lengths add up: the inner window may lie at the start of the outer one.
    """
    found = dict.fromkeys((rule.id for rule in corpus.matched), 0)
    for each in corpus.correlations:
        inner = max((found.get(source.id, 0) for source in each.sources), default=0)
        found[each.id] = max(each.timespan_us, each.lookback_us) + inner
    return found


def needs_of(hunt: Hunt, corpus: Corpus, switches: Mapping[str, LogSwitch]) -> tuple[Need, ...]:
    """Return the log switches that a hunt's rules require; those that are not on by default first.

    Args:
        hunt: The hunt.
        corpus: Holds its rules; one that is not there requires nothing that could be told.
        switches: The switches that the mappings define, by id.
    """
    required = requirements(corpus)
    by_name = {key: required[each.id] for each in corpus.things for key in (each.id, each.name)}
    rows = [(each.id, [by_name.get(name, by_name.get(name.lower(), frozenset())) for name in each.rules]) for each in hunt.expect]
    ids = {switch for _, sets in rows for each in sets for switch in each}
    needs = [
        Need(
            switch=ident,
            is_on_by_default=switches[ident].is_on_by_default if ident in switches else None,
            what=switches[ident].what if ident in switches else "",
            blind=_names(rows, ident, is_whole=True),
            weaker=_names(rows, ident, is_whole=False),
        )
        for ident in sorted(ids)
    ]
    return tuple(sorted(needs, key=lambda need: need.is_on_by_default is True))


def _names(rows: Iterable[tuple[str, list[frozenset[str]]]], switch: str, *, is_whole: bool) -> tuple[str, ...]:
    """Return the observations of which all rules (`is_whole`), or some and not all, require the switch."""
    return tuple(
        name
        for name, sets in rows
        if (all(switch in each for each in sets) if is_whole else len({switch in each for each in sets}) == 2)  # both True and False
    )

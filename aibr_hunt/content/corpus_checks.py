"""What `rules check` asks of rules and correlations together: that none is another one over again, and none is silenced by accident."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from aibr_hunt.content.checks import Finding
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.normal import Forms
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import LogSource, Rule

# What has this level may serve as a building block and make no leads.
BLOCK_LEVEL: Final = "informational"


def check_corpus(
    corpus: Corpus,
    *,
    mapping_for: Callable[[LogSource], LogMapping | None],
    is_shipped: Callable[[str], bool],
    silent: Collection[str] | None = None,
) -> dict[str, tuple[Finding, ...]]:
    """Return by id what is wrong with rules and correlations among the others; an error for shipped ones, advice for others.

    Args:
        corpus: What is checked together.
        mapping_for: Gives the mapping of a log source.
        is_shipped: Says of an id whether it is of the built-in set.
        silent: Ids that make no leads; None for those of the corpus.
    """
    things: dict[str, Rule | Correlation] = {thing.id: thing for thing in corpus.things}
    found: dict[str, list[Finding]] = {}
    told = [*_twins(corpus, mapping_for), *_silenced(corpus, corpus.silent if silent is None else silent)]
    for ident, check, what in told:
        found.setdefault(ident, []).append(Finding(rule=things[ident].path, check=check, what=what, is_error=is_shipped(ident)))
    return {ident: tuple(each) for ident, each in found.items()}


def _twins(corpus: Corpus, mapping_for: Callable[[LogSource], LogMapping | None]) -> Iterator[tuple[str, str, str]]:
    """Yield each rule and correlation that asks the same as one before it."""
    rules = {rule.id: rule for rule in corpus.matched}
    correlations = {each.id: each for each in corpus.correlations}
    forms = Forms(rules, correlations, mapping_for=mapping_for)
    for kind, things in (("rule", rules), ("correlation", correlations)):
        first: dict[str, Rule | Correlation] = {}
        for ident, thing in things.items():
            other = first.setdefault(forms.of(ident), thing)
            if other is not thing:
                what = f"asks the same as the {kind} {other.name} ({other.path}), up to names and order: keep one of them."
                yield ident, "twin", what


def _silenced(corpus: Corpus, silent: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each rule and correlation that has the level of a lead and makes none, with those that silence it."""
    for thing in corpus.things:
        if thing.id not in silent or thing.id not in corpus.silent or thing.level == BLOCK_LEVEL:
            continue
        users = [each.name for each in corpus.correlations if thing.id in {source.id for source in each.sources}]
        many = f"{', '.join(users[:3])}{' and others' if len(users) > 3 else ''}"
        what = (
            f"has the level {thing.level or 'medium'} and makes no leads, because it only serves {many}: write `generate: true` there, "
            f"or the level {BLOCK_LEVEL} here."
        )
        yield thing.id, "silenced", what

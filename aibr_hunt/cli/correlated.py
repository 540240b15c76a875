"""Correlations as text of an engine: all rules below one lie on one layout, or it is refused by name."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import TYPE_CHECKING

from aibr_hunt.cli.compile import asking_of, layout_of
from aibr_hunt.cli.layouts import Layouts, name_of
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.query import Query, Span
from aibr_hunt.model.rule import Rule

if TYPE_CHECKING:
    from aibr_hunt.content.corpus import Corpus
    from aibr_hunt.model.mapping import Mapping

Sources = Map[str, Rule | Correlation]


def sources_of(corpus: Corpus) -> Sources:
    """Return every rule and correlation by its id."""
    return {each.id: each for each in corpus.things}


def compiled(correlation: Correlation, sources: Sources, *, chooser: Layouts, at: tuple[EngineKind, Span]) -> tuple[Query, Mapping]:
    """Return a correlation's text and the mapping on which it lies.

    Raises:
        Unsupported: Its rules lie in several log sources, or something in it cannot be said exactly.
    """
    from aibr_hunt.compile.correlation_plan import rules_below
    from aibr_hunt.compile.correlations import correlation_query

    engine, span = at
    rules = rules_below(correlation, sources)
    mappings = {name_of(mapping): mapping for mapping in (chooser.mapping_of(rule.logsource) for rule in rules)}
    if len(mappings) > 1:
        raise Unsupported(f"correlation {correlation.name} as one query", f"its rules lie in {', '.join(sorted(mappings))}.")
    mapping = next(iter(mappings.values()))
    layout = layout_of(rules[0], mapping, engine, chooser)
    asking = asking_of(rules, mapping, layout, span)
    if mapping is None:
        raise Unsupported(f"log source {rules[0].logsource} on {engine.value}", "no mapping serves it.")
    return correlation_query(correlation, sources, asking), mapping

"""How much one program may hold on each engine: a vendor's limit where one is known, our own caution elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aibr_hunt.model.condition import AnyElement, Both, Condition, Either, Negated, TextIs, Truth, Value
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.predicate import TextOp
from aibr_hunt.model.query import Query


class Unit(StrEnum):
    """What the length of a text is counted in."""

    BYTES = "bytes"
    """Bytes of UTF-8."""
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one program may hold.

    Attributes:
        taker: Who sets the limit, as people know it: `Athena`.
        text: Longest text; None for no limit.
        unit: What `text` counts.
        terms: Most tests, a list of values being one, by our own caution; None for no bound. A single rule may hold more.
        basis: Where `text` comes from.
    """

    taker: str
    text: int | None = None
    unit: Unit = Unit.BYTES
    terms: int | None = None
    basis: str = ""

    def length(self, query: Query) -> int:
        """Return the length of a query's text as the taker counts it."""
        return query.size if self.unit is Unit.BYTES else len(query.text)

    def admits(self, query: Query) -> bool:
        """True when the text is not too long."""
        return self.text is None or self.length(query) <= self.text


# Engines that make code of a condition fail on thousands of tests, long before their limit of text (Presto issue 12983: "Method too
# large"; BigQuery: "query is too complex"). No vendor says where: this is our own caution, and `bisect` answers what still fails.
_MOST_TERMS: Final = 1_000

LIMITS: Final[Mapping[EngineKind, Limits]] = {
    EngineKind.ATHENA: Limits(
        taker="Athena", text=262_144, terms=_MOST_TERMS, basis="docs.aws.amazon.com/athena/latest/ug/service-limits.html"
    ),
    EngineKind.BIGQUERY: Limits(taker="BigQuery", text=1_000_000, terms=_MOST_TERMS, basis="quotas page: 1 MB of unresolved text"),
    EngineKind.KQL: Limits(
        taker="Log Analytics",
        text=100_000,
        unit=Unit.CHARACTERS,
        terms=_MOST_TERMS,
        basis="our own caution: no published limit of text was found",
    ),
    EngineKind.DUCKDB: Limits(taker="DuckDB", basis="none: a hundred thousand tests in one condition were tried"),
}

SCHEDULED_RULE: Final = Limits(
    taker="a scheduled rule of Microsoft Sentinel", text=10_000, unit=Unit.CHARACTERS, basis="Microsoft Sentinel documentation"
)


def terms_in(condition: Condition) -> int:
    """Return how many tests a condition has as text; texts that one value may equal stand in one list and are one test."""
    match condition:
        case Truth():
            return 0
        case Both(items=items):
            return sum(map(terms_in, items))
        case Either(items=items):
            keys = [list_key(item) for item in items]
            return len(set(keys) - {None}) + sum(terms_in(item) for item, key in zip(items, keys, strict=True) if key is None)
        case Negated(item=item):
            return terms_in(item)
        case AnyElement(body=body):
            return 1 + terms_in(body)
        case _:
            return 1


def list_key(condition: Condition) -> tuple[Value, bool] | None:
    """Return what tells apart the lists of values that a disjunction writes; None for a test that stands in none."""
    return (condition.value, condition.cased) if isinstance(condition, TextIs) and condition.op is TextOp.EQUALS else None

"""A condition on a question, written as the detection of a Sigma rule, with exactly its meaning (docs/meaning.md).

The engine narrows by the condition's sieve; the matcher decides on every record that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from aibr_hunt.compile.program import SQL_PRINTERS
from aibr_hunt.compile.text import flat
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import binder_of, leaves
from aibr_hunt.meaning.bounds import bounds_of
from aibr_hunt.meaning.leaf import Test
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import FieldRef, Predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A condition on one log source.

    Attributes:
        sieve: SQL on the columns of the source's view that every record of the condition meets.
        test: The condition on a parsed record.
    """

    sieve: str
    test: Test


def where_on(predicate: Predicate, mapping: LogMapping | None) -> Where:
    """Return a condition on the records of one log source.

    Raises:
        Unsupported: The mapping does not define a field, or a test cannot be asked of it.
    """
    test = compile_predicate(predicate, binder_of(mapping))
    return Where(sieve=_sieve(predicate, mapping), test=test)


def _sieve(predicate: Predicate, mapping: LogMapping | None) -> str:
    """Return the sieve as SQL. A record that spells letters as escapes passes: fragments of it cannot be looked for.

    A comparison of two fields has no sieve that holds whatever shape a record has: a list where the mapping declares one value.
    """
    if any(isinstance(leaf, FieldRef) for leaf in leaves(predicate)):
        return "TRUE"
    try:
        may = bounds_of(predicate, Locator(mapping, raw_layout())).may
    except Unsupported:
        return "TRUE"  # what the table form cannot ask, the matcher can: all records are its candidates
    return rf"({flat(SQL_PRINTERS[EngineKind.DUCKDB].condition(may))} OR contains(CAST(record AS VARCHAR), '\u'))"

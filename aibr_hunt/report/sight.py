"""What is known of the user's own logs: from leads, from what was read, and from what the user states. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from aibr_hunt.content.catalogue import Catalogue, tag_of
from aibr_hunt.content.schemas import nearest
from aibr_hunt.content.target import CLOUDS
from aibr_hunt.errors import UsageError
from aibr_hunt.model.lead import CoverageRow, CoverageState, Lead
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.report.techniques import Scope

DEFAULT: Final = "default"
_UNREAD: Final = frozenset((CoverageState.NOT_COVERED, CoverageState.SOURCE_SILENT))
_EXPORT: Final = ".export"


def switches_named(patterns: Iterable[str], switches: Mapping[str, LogSwitch]) -> frozenset[str]:
    """Return the switches that the user means: ids, ids with `*`, or `default` for all that are off unless somebody turned them on.

    Raises:
        UsageError: A name means no switch.
    """
    found: set[str] = set()
    for pattern in patterns:
        if pattern == DEFAULT:
            found |= {id_ for id_, switch in switches.items() if switch.is_on_by_default is False}
            continue
        named = {id_ for id_ in switches if fnmatchcase(id_, pattern)}
        if not named:
            hint = nearest(pattern, switches) or "`aibr-hunt rules show NAME` says what a rule requires; `*` stands for any text."
            raise UsageError(f"There is no log switch {pattern}.", hint=hint)
        found |= named
    return frozenset(found)


def switches_shown(mapping: LogMapping) -> frozenset[str]:
    """Return the switches that were on because records of the source were read.

    Those are the ones that are on by default, the export that every record passes, and the one switch of a source that has no other.
    Of several opt-in switches none is shown: the record read may have come by another.
    """
    exports = {switch.id for switch in mapping.switches if switch.id.endswith(_EXPORT)}
    others = [switch for switch in mapping.switches if switch.id not in exports]
    alone = {others[0].id} if len(others) == 1 else set()
    return frozenset({switch.id for switch in others if switch.is_on_by_default} | alone | exports)


def unread_rules(coverage: Iterable[CoverageRow]) -> frozenset[str]:
    """Return the rules for which a run had no log at all."""
    states: dict[str, set[CoverageState]] = {}
    for row in coverage:
        states.setdefault(row.rule_id, set()).add(row.state)
    return frozenset(rule for rule, found in states.items() if found <= _UNREAD)


def count_leads(leads: Iterable[Lead], catalogue: Catalogue, products: Mapping[str, str]) -> dict[tuple[str, Scope], int]:
    """Return the leads by technique and cloud; one under a retired technique counts for its successor when there is exactly one.

    Args:
        leads: Without their events will do.
        catalogue: The catalogues in force.
        products: Name of a log source to its product, lower case.
    """
    counts: dict[tuple[str, Scope], int] = {}
    for lead in leads:
        product = products.get(lead.source, "")
        scopes: list[Scope] = ["all", *(cloud for cloud in CLOUDS if cloud == product)]
        for tag in {tag for technique in lead.techniques if (tag := _current(tag_of(technique), catalogue))}:
            for scope in scopes:
                counts[tag, scope] = counts.get((tag, scope), 0) + 1
    return counts


def shown_by_leads(rule_ids: Collection[str], requires: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the switches without which the leads of these rules could not be there.

    Args:
        rule_ids: Rules that have leads.
        requires: Switches of each rule that is no correlation: one of several operands may have seen nothing.
    """
    return frozenset(switch for rule_id in rule_ids for switch in requires.get(rule_id, ()))


def _current(tag: str, catalogue: Catalogue) -> str:
    if tag in catalogue.techniques:
        return tag
    gone = catalogue.retired.get(tag)
    return gone.successors[0] if gone is not None and len(gone.successors) == 1 else ""

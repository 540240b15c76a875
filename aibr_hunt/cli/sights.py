"""What commands know of the user's own logs: the ledger's leads, a run, the lake, and the user's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aibr_hunt.cli.output import complain
from aibr_hunt.cli.parts import lake_of, opened_ledger
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.library import Library
from aibr_hunt.report.techniques import Scope, Sight

_LEDGER_FILE = "ledger.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user said of the logs.

    Attributes:
        off, on: Log switches as typed.
        run_id: The run to ask; empty for every lead on record.
        lake: True when the lake counts as read.
    """

    off: Sequence[str] = ()
    on: Sequence[str] = ()
    run_id: str = ""
    lake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What the ledger knows."""

    leads: dict[tuple[str, Scope], int]
    leading: frozenset[str]
    sources: frozenset[str]
    unread: frozenset[str]


def sight_of(settings: Settings, library: Library, corpus: Corpus, *, asked: Asked) -> tuple[Sight, str]:
    """Return what is known of the user's logs, and a sentence that says on what it rests.

    Raises:
        UsageError: A switch is none, or there is no lake.
        LedgerError: The run is not on record.
    """
    from aibr_hunt.content.mappings import switches_of
    from aibr_hunt.report.sight import shown_by_leads, switches_named, switches_shown

    switches = switches_of(library.mappings)
    stated = switches_named(asked.off, switches)
    on = switches_named(asked.on, switches)
    has_ledger = bool(asked.run_id) or (settings.home / _LEDGER_FILE).is_file()
    known = (
        _recorded(settings, library, asked.run_id)
        if has_ledger
        else _Recorded(leads={}, leading=frozenset(), sources=frozenset(), unread=frozenset())
    )
    sources = _sources(settings, library, asked, known)
    read = [mapping for mapping in library.mappings if sources is not None and mapping.name in sources]
    requires = {rule.id: rule.requires for rule in corpus.matched}
    shown = frozenset(switch for mapping in read for switch in switches_shown(mapping)) | shown_by_leads(known.leading, requires) | on
    by_name = {each for each in asked.off if each in switches}
    for name in sorted(by_name & shown - on):
        complain(f"{name} is said to be off, and what was read shows that it was on.", level="warning")
    sight = Sight(off=(stated - shown) | by_name, shown=shown, sources=sources, unread=known.unread, leads=known.leads)
    return sight, _basis(asked, has_ledger=has_ledger)


def _sources(settings: Settings, library: Library, asked: Asked, known: _Recorded) -> frozenset[str] | None:
    """Return the log sources that were read; None when neither a run nor the lake was named."""
    if not asked.run_id and not asked.lake:
        return None
    held = {each.source for each in lake_of(settings, library).status() if each.events} if asked.lake else set()
    return frozenset(held | (known.sources if asked.run_id else frozenset()))


def _recorded(settings: Settings, library: Library, run_id: str) -> _Recorded:
    from aibr_hunt.ledger.values import LeadFilter
    from aibr_hunt.report.sight import count_leads, unread_rules

    products = {mapping.name: mapping.logsource.product.lower() for mapping in library.mappings}
    with opened_ledger(settings, create=False) as ledger:
        if run_id:
            ledger.run(run_id)  # refuses a run that is not on record
        leads = list(ledger.each_lead(LeadFilter(run_id=run_id, include_suppressed=True, with_events=False)))
        accounts = ledger.accounts(run_id) if run_id else ()
        coverage = ledger.coverage(run_id) if run_id else ()
    return _Recorded(
        leads=count_leads(leads, library.catalogue, products),
        leading=frozenset(lead.rule_id for lead in leads),
        sources=frozenset(account.source for account in accounts if any(account.record_counts.values())),
        unread=unread_rules(coverage),
    )


def _basis(asked: Asked, *, has_ledger: bool) -> str:
    parts = [f"run {asked.run_id}"] if asked.run_id else ["the leads on record"] if has_ledger else []
    parts += ["the lake"] if asked.lake else []
    if not parts:
        return "Seen: nothing is known of your data; name a run with --run, or say --lake."
    more = "" if asked.run_id or asked.lake else "; --run or --lake also count logs that were read without a lead"
    return f"Seen: as {' and '.join(parts)} show{'s' if len(parts) == 1 and 'leads' not in parts[0] else ''}{more}."

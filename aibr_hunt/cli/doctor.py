"""`aibr-hunt doctor`: what the configured Sources show, and what no rule can see there."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.cloud_options import on_option
from aibr_hunt.cli.output import Exit, counted, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, json_option, ledger_exists, library_of, moment_text, now, opened_ledger, tell_refused
from aibr_hunt.cli.settings import Settings
from aibr_hunt.model.window import Window, utc_text

if TYPE_CHECKING:
    from aibr_hunt.content.corpus import Corpus
    from aibr_hunt.content.library import Library
    from aibr_hunt.hunt.deployment import HuntSight, Seen, Sight
    from aibr_hunt.model.mapping import LogSwitch

# Rules that one reason names; --all and --json name every one.
SHOWN: Final = 6


@click.command("doctor", epilog="Example: aibr-hunt doctor --on trail")
@click.argument("rules", nargs=-1)
@on_option
@click.option("--no-pulse", "no_pulse", is_flag=True, help="Ask no program: then nothing is known of newest events.")
@json_option
@all_option
@click.pass_obj
def command(settings: Settings, rules: tuple[str, ...], *, on: tuple[str, ...], no_pulse: bool, as_json: bool, show_all: bool) -> int:
    """Look at the configured Sources: credentials, table, columns, partitions, newest event; and say which RULES are blind there.

    Without RULES all rules and hunts are told of. Each Source is asked one small program for its newest event, within the ceilings. The
    exit code is 0 only if everything can be seen, and 4 otherwise: also where a rule needs a log switch that is off by default.
    """
    from aibr_hunt.content.hunts import load_hunts
    from aibr_hunt.content.mappings import switches_of
    from aibr_hunt.hunt.deployment import LOOKED_BACK, Deployment, hunt_sight

    library = library_of(settings)
    seen = _looked_at(settings, library, on, asks_pulse=not no_pulse)
    corpus = library.load_rules(rules) if rules else library.load_all()
    tell_refused(corpus.refused)
    switches = switches_of(library.mappings)
    window = Window(start=now() - LOOKED_BACK, end=now())
    deployment = Deployment(seen, mapping_for=library.mapping_for, switches=switches, window=window)
    sights = deployment.sights(corpus)
    told = _told(sights, corpus)
    hunts = () if rules else load_hunts(library.folders("hunts"), catalogue=library.catalogue)
    hunt_sights = [hunt_sight(hunt, sights) for hunt in hunts]
    if as_json:
        _say_rows(seen, told, hunt_sights)
    else:
        _say_sources(seen)
        _say_rules(told, switches, show_all=show_all)
        _say_hunts(hunt_sights)
    is_fresh = all(each.events for each in seen)
    is_whole = all(not each.faults for each in seen) and all(sight.is_whole for sight in told) and is_fresh and not corpus.refused
    return int(Exit.NOTHING_FOUND if is_whole else Exit.INCOMPLETE)


def _told(sights: Iterable[Sight], corpus: Corpus) -> list[Sight]:
    """Return what makes leads of its own; what only serves correlations is told with those."""
    return [sight for sight in sights if sight.id not in corpus.silent]


def _looked_at(settings: Settings, library: Library, on: Sequence[str], *, asks_pulse: bool) -> list[Seen]:
    """Look at each Source, within the ceilings; what that costs counts for the day."""
    from aibr_hunt.cli.clouds import Teller, ceilings_of, spent_today
    from aibr_hunt.cli.sources import ALL, journals_of, sources_of
    from aibr_hunt.engines.cloud.asking import Surroundings
    from aibr_hunt.engines.cloud.budget import Budget
    from aibr_hunt.engines.cloud.journal import LOOKING, Begun, Journal
    from aibr_hunt.engines.cloud.opening import Opener
    from aibr_hunt.engines.cloud.protocol import Watch
    from aibr_hunt.hunt.deployment import look

    sources = sources_of(settings, library, on or (ALL,))
    if ledger_exists(settings):
        with opened_ledger(settings, create=False) as ledger:
            size, money = spent_today(settings, ledger)
    else:
        size, money = spent_today(settings, None)
    run = f"D-{platform.node()}-{secrets.token_hex(8)}"
    labels = tuple(source.label for source in sources)
    begun = Begun(run=run, kind=LOOKING, words=("doctor",), sources=labels, window=Window(), began=now())
    journal = Journal.create(journals_of(settings), begun)
    budget = Budget(ceilings_of(settings, sources), spent_bytes=size, spent_money=money)
    around = Surroundings(run=run, clock=now, budget=budget, watch=Watch(tell=Teller(settings)))
    try:
        return [look(source, Opener(journal=journal, clock=now), around, asks_pulse=asks_pulse) for source in sources]
    finally:
        journal.close() if journal.jobs else journal.finish()


def _say_sources(seen: Sequence[Seen]) -> None:
    for each in seen:
        source = each.source
        say(f"{source.label}: {source.mapping.name}, {source.layout.label}, {source.layout.table} of {source.place}")
        say(f"  table       {_table_text(each)}")
        if each.inspection is not None and each.inspection.partitions:
            say(f"  partitions  {each.inspection.partitions}")
        say(f"  newest      {_newest_text(each)}")
        for fault in each.faults:
            say(f"  FAULT       {fault}")
        for note in dict.fromkeys(note for note in each.notes if not any(note in fault for fault in each.faults)):
            say(f"  note        {note}")
    say()


def _table_text(each: Seen) -> str:
    if each.inspection is None:
        return "could not be looked at"
    if not each.inspection.is_there:
        return "is not there"
    columns = len(each.inspection.columns)
    return f"is there, {counted(columns, 'column')}" if columns else "is there; its columns are not told"


def _newest_text(each: Seen) -> str:
    if each.events is None:
        return "not asked" if each.newest is None else moment_text(each.newest)
    when = "none" if each.newest is None else moment_text(each.newest)
    return f"{when}; {counted(each.events, 'event')} in two days"


def _say_rules(sights: Sequence[Sight], switches: dict[str, LogSwitch], *, show_all: bool) -> None:
    whole = [sight for sight in sights if sight.is_whole]
    blind = [sight for sight in sights if sight.blind]
    doubtful = [sight for sight in sights if sight.switches and not sight.blind]
    say(f"{counted(len(sights), 'rule')}: {len(whole)} see all that they ask for, {len(doubtful)} if a log is on, {len(blind)} are blind")
    for title, reasons in (("blind", _by_reason(blind, by_switch=False)), ("need a log", _by_reason(sights, by_switch=True))):
        for reason, names in reasons.items():
            more = "" if show_all or len(names) <= SHOWN else f" and {len(names) - SHOWN} more"
            say(f"  {title}: {_reason_text(reason, switches)}")
            say(f"    {', '.join(names if show_all else names[:SHOWN])}{more}")
    say()


def _by_reason(sights: Sequence[Sight], *, by_switch: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sight in sights:
        for reason in sight.switches if by_switch else sight.blind:
            found.setdefault(reason, []).append(sight.name)
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def _reason_text(reason: str, switches: dict[str, LogSwitch]) -> str:
    known = switches.get(reason)
    if known is None:
        return reason
    default = "off by default" if known.is_on_by_default is False else "not on everywhere"
    return f"{reason}, {default}. {known.how}"


def _say_hunts(hunts: Sequence[HuntSight]) -> None:
    if hunts:
        rows = [(each.name, f"{len(each.whole)}", f"{len(each.doubtful)}", f"{len(each.blind)}", ", ".join(each.blind)) for each in hunts]
        headers = ("hunt", "see all", "if a log is on", "blind", "blind rules")
        say_table(headers, rows, show_all=True, right=frozenset((1, 2, 3)))


def _say_rows(seen: Sequence[Seen], sights: Sequence[Sight], hunts: Sequence[HuntSight]) -> None:
    for each in seen:
        found = each.inspection
        about = {"source": each.source.label, "table": each.source.layout.table, "place": each.source.place}
        looks = {"is_there": found is not None and found.is_there, "partitions": "" if found is None else found.partitions}
        fresh = {"newest": None if each.newest is None else utc_text(each.newest), "events": each.events}
        say_json({**about, **looks, **fresh, "faults": list(each.faults), "notes": list(each.notes)})
    for sight in sights:
        say_json({"rule": sight.name, "sources": list(sight.sources), "blind": list(sight.blind), "switches": list(sight.switches)})
    for hunt in hunts:
        say_json({"hunt": hunt.name, "whole": list(hunt.whole), "doubtful": list(hunt.doubtful), "blind": list(hunt.blind)})

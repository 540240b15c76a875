"""`aibr-hunt sources`: the Sources in clouds that configuration names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, say, say_json, say_table
from aibr_hunt.cli.parts import json_option, ledger_exists, library_of, opened_ledger
from aibr_hunt.cli.sections import SOURCES
from aibr_hunt.cli.settings import FILE_NAME, Chosen, Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from aibr_hunt.content.library import Library
    from aibr_hunt.model.mapping import Mapping

ALL: Final = "all"
_KINDS: Final = {"athena": EngineKind.ATHENA, "bigquery": EngineKind.BIGQUERY, "log_analytics": EngineKind.KQL}
# The key that names who pays.
_PLACES: Final = {EngineKind.ATHENA: "account", EngineKind.BIGQUERY: "project", EngineKind.KQL: "workspace"}
# Stands in the table of a layout for a name that every deployment has its own of.
_PLACEHOLDER: Final = re.compile(r"(?<![A-Za-z])[A-Z][A-Z_]{3,}(?![A-Za-z])")
_OWN: Final = frozenset(("mapping", "engine", "layout", "table"))


@click.group("sources", cls=NearestGroup)
def command() -> None:
    """Show the Sources in clouds that configuration names."""


@command.command("list", epilog="Example: aibr-hunt sources list --json")
@json_option
@click.pass_obj
def list_sources(settings: Settings, *, as_json: bool) -> int:
    """List the configured Sources and the runs over them that were cut off. Nothing is asked; `doctor` looks at them."""
    from aibr_hunt.cli.clouds import forget_recorded, tell_cut_off

    library = library_of(settings)
    sources = sources_of(settings, library, (ALL,)) if settings.sources else ()
    origins = {name: next(iter(keys.values())).origin for name, keys in settings.sources.items()}
    for source in sources if as_json else ():
        say_json(_row(source, origins[source.name]))
    if not as_json and sources:
        rows = [
            (source.name, source.label, source.mapping.name, source.layout.label, source.layout.table, source.place, origins[source.name])
            for source in sources
        ]
        say_table(("name", "label", "log source", "layout", "table", "who pays", "from"), rows, show_all=True)
    if not sources and not as_json:
        say(f"No Source is configured: write a section [{SOURCES}.NAME] into {FILE_NAME} (docs/clouds.md).")
    if ledger_exists(settings):
        with opened_ledger(settings, create=False) as ledger:
            forget_recorded(settings, ledger)
    tell_cut_off(settings)
    return int(Exit.NOTHING_FOUND)


def _row(source: Source, origin: str) -> dict[str, object]:
    named = {"name": source.name, "label": source.label, "mapping": source.mapping.name, "layout": source.layout.label}
    return {**named, "table": source.layout.table, "place": source.place, "settings": dict(source.settings), "origin": origin}


def journals_of(settings: Settings) -> Path:
    """Return the folder of the journals of cloud runs."""
    return settings.home / "runs"


def sources_of(settings: Settings, library: Library, names: Sequence[str]) -> tuple[Source, ...]:
    """Return the Sources of these names, `all` for every one, in the order of configuration.

    Raises:
        UsageError: A name means none, or configuration names a mapping or a layout that there is not.
    """
    configured = settings.sources
    if not configured:
        what = f"No Source is configured, so --on has none to ask: {' '.join(names)}."
        raise UsageError(what, hint=f"Write a section [{SOURCES}.NAME] into {FILE_NAME} (docs/clouds.md).")
    for name in names:
        if name != ALL and name not in configured:
            near = difflib.get_close_matches(name, configured, n=1)
            raise UsageError(f"There is no Source {name}.", hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(configured)}.")
    wanted = configured if ALL in names else {name: keys for name, keys in configured.items() if name in names}
    return tuple(_source(name, keys, settings, library) for name, keys in wanted.items())


def _source(name: str, keys: dict[str, Chosen], settings: Settings, library: Library) -> Source:
    from aibr_hunt.cli.layouts import Layouts, Wanted

    said = {key: str(each.value) for key, each in keys.items()}
    mapping, engine = _mapping(name, keys["mapping"], library), _KINDS[said["engine"]]
    own = [layout.name for layout in mapping.layouts if layout.engine is engine]
    wanted = said.get("layout", "").removeprefix(f"{engine.value}/")
    if not own or (wanted and wanted not in own):
        engines = ", ".join(layout.label for layout in mapping.layouts) or "none"
        what = f"{keys.get('layout', keys['engine']).origin} names for the Source {name} a layout {said['engine']}/{wanted or '…'}"
        near = difflib.get_close_matches(wanted, own, n=1)
        raise UsageError(f"{what}, which {mapping.name} has not.", hint=f"Did you mean {near[0]}?" if near else f"It has {engines}.")
    layout = Layouts(library, settings, Wanted(layout=wanted, table=said.get("table", ""))).layout(mapping, engine)
    if layout is None:
        raise AssertionError("it was found above")
    if engine is not EngineKind.KQL and _PLACEHOLDER.search(layout.table):
        what = f"{keys['mapping'].origin} names no table for the Source {name}"
        raise UsageError(f"{what}; {layout.label} lies in {layout.table}, where words in capitals stand for yours.", hint="Write table = …")
    more = {key: value for key, value in said.items() if key not in _OWN}
    return Source(name=name, mapping=mapping, layout=layout, place=said[_PLACES[engine]], settings=more)


def _mapping(name: str, chosen: Chosen, library: Library) -> Mapping:
    wanted = str(chosen.value)
    known = {mapping.name: mapping for mapping in library.mappings}
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`aibr-hunt engines` lists them."
        raise UsageError(f"{chosen.origin} names for the Source {name} the mapping {wanted}, which there is not.", hint=hint)
    return known[wanted]

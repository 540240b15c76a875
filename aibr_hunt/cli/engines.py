"""`aibr-hunt engines`: what each engine can say, where each log source lies there, and what this machine has."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.output import Exit, say, say_json, say_table
from aibr_hunt.cli.parts import json_option, library_of
from aibr_hunt.cli.settings import Settings
from aibr_hunt.model.layout import EngineKind

if TYPE_CHECKING:
    from aibr_hunt.compile.capabilities import Capability
    from aibr_hunt.model.layout import Layout
    from aibr_hunt.model.mapping import Mapping

_LEGEND: Final = (
    ("exact", "exactly the rows that the rule means"),
    ("assuming", "exactly those, if what the text says it assumes is so"),
    ("wider", "all of them, and rows with a few letters on which engines fold differently"),
    ("sieve", "only a condition that all of them meet: what comes back is matched"),
    ("nothing", "it can be asked, but nothing narrows it: every row comes back to be matched"),
    ("refused", "it cannot be asked"),
)


@click.command("engines", epilog="Example: aibr-hunt engines --json")
@json_option
@click.pass_obj
def command(settings: Settings, *, as_json: bool) -> int:
    """Show what each engine can say of a rule, the layouts of each log source, and what this machine has.

    The answers are found by compiling a small rule for every construct. Over log files every construct is decided exactly.
    """
    from aibr_hunt.compile.capabilities import capabilities

    found = {engine: capabilities(engine) for engine in EngineKind}
    layouts = [_layout_row(mapping, layout) for mapping in library_of(settings).mappings for layout in mapping.layouts]
    scanner = "hyperscan" if importlib.util.find_spec("hyperscan") is not None else "re2"
    if as_json:
        for engine, rows in found.items():
            for row in rows:
                say_json({"construct": row.construct, "engine": engine.value, "says": row.saying.value, "why": list(row.why)})
        for layout in layouts:
            say_json(layout)
        say_json({"engine": "files", "scanner": scanner})
    else:
        _say_constructs(found)
        _say_layouts(layouts)
        say(f"files: every construct is exact; the scanner of literals is {scanner}{_SLOWER if scanner == 're2' else ''}")
        say("duckdb: every log source also lies as duckdb/raw, a table of whole records")
    return int(Exit.NOTHING_FOUND)


_SLOWER: Final = " (hyperscan is not installed: the same results, more slowly)"


def _say_constructs(found: MappingABC[EngineKind, Sequence[Capability]]) -> None:
    constructs = [row.construct for row in next(iter(found.values()))]
    cells = {(engine, row.construct): row.saying.value for engine, rows in found.items() for row in rows}
    say_table(
        ("construct", *(engine.value for engine in found)),
        [(name, *(cells[engine, name] for engine in found)) for name in constructs],
        show_all=True,
    )
    say()
    for word, meaning in _LEGEND:
        say(f"{word:<9} {meaning}")
    say()
    reasons: dict[str, list[str]] = {}
    for engine, rows in found.items():
        for why in dict.fromkeys(why for row in rows for why in row.why):
            reasons.setdefault(why.replace(f"the layout {engine.value}/probe of probe", "the layout"), []).append(engine.value)
    for why, engines in reasons.items():
        say(f"{', '.join(engines) if len(engines) < len(found) else 'all'}: {why}")
    say()


def _layout_row(mapping: Mapping, layout: Layout) -> dict[str, object]:
    lacking = _not_carried(mapping, layout)
    return {
        "mapping": mapping.name,
        "logsource": str(mapping.logsource),
        "layout": layout.label,
        "table": layout.table,
        "full": layout.is_full,
        "fields": len(mapping.fields),
        "not_carried": lacking,
    }


def _not_carried(mapping: Mapping, layout: Layout) -> list[str]:
    """Return the fields of a mapping that a layout has no place for."""
    from aibr_hunt.errors import Unsupported
    from aibr_hunt.meaning.places import Locator

    locator = Locator(mapping, layout)
    lacking: list[str] = []
    for field in mapping.fields:
        try:
            locator.access(field.name)
        except Unsupported:
            lacking.append(field.name)
    return lacking


def _say_layouts(rows: Sequence[dict[str, object]]) -> None:
    shown = [
        (
            str(row["logsource"]),
            str(row["layout"]),
            str(row["table"]),
            "full" if row["full"] else "projection",
            f"{len(lacking) if isinstance(lacking := row['not_carried'], list) else 0} of {row['fields']}",
        )
        for row in rows
    ]
    say_table(("log source", "layout", "table", "carries", "fields not carried"), shown, show_all=True)
    say()

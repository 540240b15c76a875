"""`aibr-hunt rules deploy-pack`: rules and correlations as files that a cloud deploys and runs by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aibr_hunt.cli.output import Exit, complain, counted, gravest, say, say_json
from aibr_hunt.cli.parts import json_option, library_of, reason_of, tell_warnings
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import Mapping

if TYPE_CHECKING:
    from aibr_hunt.hunt.deploy import Content, Pack


@click.command("deploy-pack", epilog="Example: aibr-hunt rules deploy-pack ./pack shipped:azure --engine kql --every 1")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, required=True)
@click.option("--engine", required=True, type=click.Choice(["kql", "bigquery", "athena"]), help="What the pack is for.")
@click.option("--layout", default="", help="Layout to read (default: the first that a log source has for the engine).")
@click.option("--table", default="", help="The table's name, where yours is another than the layout's.")
@click.option("--format", "form", type=click.Choice(["arm", "yaml"]), help="With kql, the one form to write (default: both).")
@click.option(
    "--every", default=24, show_default=True, type=click.IntRange(1, 336), metavar="HOURS", help="How often the rules are to run."
)
@json_option
@click.pass_obj
def deploy_pack(
    settings: Settings,
    folder: Path,
    names: tuple[str, ...],
    *,
    engine: str,
    layout: str,
    table: str,
    form: str | None,
    every: int,
    as_json: bool,
) -> int:
    """Write the rules and correlations below NAMES into DIR, new or empty, as files that a cloud deploys, with a manifest and a README.

    For kql: scheduled analytics rules of Microsoft Sentinel. For bigquery: scheduled queries and a Dataform project. For athena: saved
    queries and CloudFormation. What cannot be said whole there is refused by name; the exit code is 4 then.
    """
    from aibr_hunt.hunt.deploy import check_folder, make_pack, write_pack
    from aibr_hunt.hunt.deploy_parts import Deployment

    kind = EngineKind(engine)
    if form is not None and kind is not EngineKind.KQL:
        raise UsageError(f"--format does not go with {engine}.", hint="It chooses between the two forms of Sentinel's rules.")
    check_folder(folder)
    forms = ("arm", "yaml") if form is None else (form,)
    asked = Deployment(engine=kind, every_hours=every, layout=layout.removeprefix(f"{engine}/"), table=table, forms=forms)
    pack = make_pack(_content(settings, names, kind), asked)
    write_pack(pack, folder)
    for refused in pack.refused:
        for line in refused.reason.splitlines():
            complain(f"{refused.name}: {reason_of(refused.name, line)}", level="warning")
    if as_json:
        for artefact in pack.artefacts:
            say_json({"path": artefact.path, "sha256": artefact.digest, "bytes": len(artefact.content), "rules": list(artefact.rules)})
    else:
        written, kept_out = _counted(pack), f"{len(pack.refused):,} refused"
        say(f"Pack for {engine}: {written} in {counted(len(pack.artefacts), 'file')}, {kept_out}; {folder}")
        say("None of it was run on a live account. Next: read README.md there.")
    return int(gravest(Exit.USER_MISTAKE if refused.is_unread else Exit.INCOMPLETE for refused in pack.refused))


def _counted(pack: Pack) -> str:
    windows = sum(1 for each in pack.prepared if each.scheduled is not None)
    rules = counted(len(pack.prepared) - windows, "rule")
    return f"{rules} and {counted(windows, 'correlation')}" if windows else rules


def _content(settings: Settings, names: tuple[str, ...], kind: EngineKind) -> Content:
    """Return the rules below the names, with the tables that configuration names for layouts."""
    from aibr_hunt.cli.layouts import Layouts, Wanted
    from aibr_hunt.hunt.deploy import Content

    library = library_of(settings)
    corpus = library.load_rules(names)
    tell_warnings(corpus)

    def table_of(mapping: Mapping, found: Layout) -> str:
        chosen = Layouts(library, settings, Wanted(layout=found.name)).layout(mapping, kind)
        return found.table if chosen is None else chosen.table

    for mapping in library.mappings:  # a fault of configuration is told once, not as the reason why each rule is refused
        if Layouts(library, settings, Wanted()).layout(mapping, kind) is not None:
            break
    return Content(
        rules=corpus.rules,
        unread=corpus.refused,
        correlations=[each for each in corpus.correlations if each.id not in corpus.silent],
        sources={each.id: each for each in corpus.things},
        mapping_of=lambda rule: library.mapping_for(rule.logsource),
        mappings=library.mappings,
        catalogue=library.catalogue,
        table_of=table_of,
    )

"""`aibr-hunt hunt`: list, show and run hunts."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.cloud_options import cloud_options, over_text
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, say, say_json, say_table
from aibr_hunt.cli.parts import fail_on_option, hunt_path, json_option, library_of, logs_option, tell_warnings, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.hunt import Hunt


@click.group("hunt", cls=NearestGroup)
def command() -> None:
    """List, show and run hunts: hypotheses with what speaks for and against them."""


@command.command("list", epilog="Example: aibr-hunt hunt list")
@json_option
@click.pass_obj
def list_hunts(settings: Settings, *, as_json: bool) -> int:
    """List the hunts."""
    from aibr_hunt.content.hunts import load_hunts

    library = library_of(settings)
    hunts = load_hunts(library.folders("hunts"), catalogue=library.catalogue)
    if as_json:
        for hunt in hunts:
            say_json(
                {"name": hunt.name, "hypothesis": hunt.hypothesis, "path": hunt.path, "techniques": [each.id for each in hunt.techniques]}
            )
    else:
        say_table(("name", "hypothesis"), [(hunt.name, hunt.hypothesis) for hunt in hunts], show_all=True)
    return int(Exit.NOTHING_FOUND)


@command.command("show", epilog="Example: aibr-hunt hunt show shipped:sagemaker_model_theft")
@click.argument("name")
@json_option
@click.pass_obj
def show_hunt(settings: Settings, name: str, *, as_json: bool) -> int:
    """Show one hunt: hypothesis, rivals, what each observation would say, what it needs."""
    from aibr_hunt.content.hunts import load_hunt

    library = library_of(settings)
    path = hunt_path(library, name, kind="hunt")
    hunt = load_hunt(path, catalogue=library.catalogue)
    if as_json:
        say_json(_hunt_row(hunt, library.shown(path)))
        return int(Exit.NOTHING_FOUND)
    say(f"{hunt.name}: {hunt.hypothesis}")
    say(f"  file       {library.shown(path)}")
    for label, text in (("actor", hunt.actor), ("behaviour", hunt.behaviour), ("location", hunt.location), ("evidence", hunt.evidence)):
        if text:
            say(f"  {label:<10} {text}")
    for key, sentence in hunt.rivals.items():
        say(f"  rival {key}: {sentence}")
    for each in hunt.expect:
        say(f"  {each.id}: {', '.join(each.rules)}")
        says = [f"for {', '.join(each.supports)}"] if each.supports else []
        says += [f"against {', '.join(each.against)}"] if each.against else []
        say(f"    speaks {'; '.join(says)}. {each.note}".rstrip())
    if hunt.when_logs_are_off:
        say(f"  when logs are off: {hunt.when_logs_are_off}")
    return int(Exit.NOTHING_FOUND)


def _hunt_row(hunt: Hunt, shown: str) -> dict[str, object]:
    """Return a hunt as the row of `--json`; what the row of `hunt list` has stands under the same keys."""
    expected = [
        {"id": each.id, "rules": list(each.rules), "supports": list(each.supports), "against": list(each.against), "note": each.note}
        for each in hunt.expect
    ]
    texts = {name: getattr(hunt, name) for name in ("actor", "behaviour", "location", "evidence", "when_logs_are_off")}
    row = {"name": hunt.name, "hypothesis": hunt.hypothesis, "path": shown, "techniques": [each.id for each in hunt.techniques]}
    return {**row, **texts, "rivals": dict(hunt.rivals), "expect": expected}


@command.command("run", epilog="Example: aibr-hunt hunt run shipped:sagemaker_model_theft --logs ./AWSLogs --report ./case-7")
@click.argument("name")
@logs_option
@cloud_options
@click.option("--source", help="Log source of the files. Default: recognised.")
@window_options
@click.option("--report", "report", type=click.Path(file_okay=False, path_type=Path), help="Also write the report into this folder.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@fail_on_option
@json_option
@click.pass_obj
def run_hunt(
    settings: Settings,
    name: str,
    *,
    logs: tuple[Path, ...],
    lake: bool,
    on: tuple[str, ...],
    dry_run: bool,
    resume: str | None,
    source: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    report: Path | None,
    processes: int | None,
    fail_on: str | None,
    as_json: bool,
) -> int:
    """Run the rules of a hunt over log files, the lake or Sources in clouds, and say what speaks for and against its hypothesis.

    Files are looked at whole unless --from, --to or --last say otherwise; the hunt's own window is for live sources.
    """
    from aibr_hunt.cli.running import Wanted, execute
    from aibr_hunt.content.hunts import load_hunt

    library = library_of(settings)
    hunt = load_hunt(hunt_path(library, name, kind="hunt"), catalogue=library.catalogue)
    corpus = rules_of_hunt(hunt, library)
    tell_warnings(corpus)
    label = f"hunt {hunt.name} over {over_text(logs, is_lake=lake, on=on)}"
    wanted = Wanted(
        rules=(f"hunt {hunt.name}",),
        logs=logs,
        is_lake=lake,
        on=on,
        is_dry=dry_run,
        resume=resume or "",
        words=("hunt", "run", name),
        source=source,
        times=(since, until, last),
        processes=processes or settings.processes,
        as_json=as_json,
        kind="hunt",
        label=label,
        report=report,
        hunt=hunt,
    )
    return int(execute(settings.with_option("fail_on", fail_on), wanted, library, corpus))


def rules_of_hunt(hunt: Hunt, library: Library) -> Corpus:
    """Return the rules that a hunt names, from all content folders.

    Raises:
        ContentErrors: A named rule does not exist.
    """
    from aibr_hunt.content.hunts import unknown_rules

    every = library.load_all()
    missing = unknown_rules(hunt, every.names)
    if missing:
        raise ContentErrors(missing)
    named = {name for each in hunt.expect for name in each.rules}
    return every.only(named)

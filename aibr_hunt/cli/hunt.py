"""`aibr-hunt hunt`: list, show and run hunts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.cloud_options import cloud_options, over_text
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, complain_lines, counted, say, say_json, say_table
from aibr_hunt.cli.parts import fail_on_option, json_option, library_of, logs_option, tell_warnings, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.hunt import Hunt

if TYPE_CHECKING:
    from aibr_hunt.content.requirements import Need


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
    """Show one hunt: hypothesis, rivals, what each observation would say, which logs it needs and what is blind without them."""
    from aibr_hunt.content.hunt_paths import hunt_path
    from aibr_hunt.content.hunts import load_hunt, missing_rules
    from aibr_hunt.content.mappings import switches_of
    from aibr_hunt.content.requirements import needs_of

    library = library_of(settings)
    path = hunt_path(library, name, kind="hunt")
    hunt = load_hunt(path, catalogue=library.catalogue)
    every = library.load_all()
    needs = needs_of(hunt, every, switches_of(library.mappings))
    if as_json:
        say_json(_hunt_row(hunt, library.shown(path), needs))
        return int(Exit.NOTHING_FOUND)
    say(f"{hunt.name}: {hunt.hypothesis}")
    say(f"  file       {library.shown(path)}")
    for label, text in (("actor", hunt.actor), ("behaviour", hunt.behaviour), ("location", hunt.location), ("evidence", hunt.evidence)):
        if text:
            say(f"  {label:<10} {text}")
    if hunt.case_studies:
        say(f"  ATLAS case studies: {', '.join(hunt.case_studies)}")
    for key, sentence in hunt.rivals.items():
        say(f"  rival {key}: {sentence}")
    for each in hunt.expect:
        say(f"  {each.id}: {', '.join(each.rules)}")
        says = [f"for {', '.join(each.supports)}"] if each.supports else []
        says += [f"against {', '.join(each.against)}"] if each.against else []
        say(f"    speaks {'; '.join(says)}. {each.note}".rstrip())
    for need in needs:
        say(f"  log {need.switch} ({_DEFAULTS[need.is_on_by_default]}): {need.what}")
        without = [f"{word} {', '.join(names)}" for word, names in (("nothing for", need.blind), ("less for", need.weaker)) if names]
        say(f"    without it {'; '.join(without)}")
    if hunt.when_logs_are_off:
        say(f"  when logs are off: {hunt.when_logs_are_off}")
    for fault in missing_rules(hunt, every):
        complain_lines(str(fault), level="warning")
    return int(Exit.NOTHING_FOUND)


_DEFAULTS: Final = {True: "on by default", False: "off by default", None: "depends on the deployment"}


def _hunt_row(hunt: Hunt, shown: str, needs: Iterable[Need]) -> dict[str, object]:
    """Return a hunt as the row of `--json`; what the row of `hunt list` has stands under the same keys."""
    expected = [
        {"id": each.id, "rules": list(each.rules), "supports": list(each.supports), "against": list(each.against), "note": each.note}
        for each in hunt.expect
    ]
    texts = {name: getattr(hunt, name) for name in ("actor", "behaviour", "location", "evidence", "when_logs_are_off")}
    row = {"name": hunt.name, "hypothesis": hunt.hypothesis, "path": shown, "techniques": [each.id for each in hunt.techniques]}
    logs = [
        {"switch": each.switch, "on_by_default": each.is_on_by_default, "blind": list(each.blind), "weaker": list(each.weaker)}
        for each in needs
    ]
    studies = {"case_studies": list(hunt.case_studies), "logs": logs}
    return {**row, **texts, "rivals": dict(hunt.rivals), "expect": expected, **studies}


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
    from aibr_hunt.content.hunt_paths import hunt_path
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


@command.command("test", epilog="Example: aibr-hunt hunt test stolen_key_llmjacking")
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def test_hunts(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> int:
    """Judge the incidents of the hunts NAMES (files, folders, shipped:…, names of hunts; default: all), and whom they speak for."""
    from aibr_hunt.testing import HuntBench

    started = time.perf_counter()
    failures = hunts = incidents = 0
    for result in HuntBench(library_of(settings)).run(names):
        hunts, incidents, failures = hunts + 1, incidents + result.incidents, failures + len(result.failures)
        if as_json:
            told = [f"{each.case}: {each.what}" for each in result.failures]
            row = {"hunt": result.hunt, "path": result.path, "incidents": result.incidents, "events": result.events}
            say_json({**row, "failures": told})
            continue
        for failure in result.failures:
            for line in failure.what.splitlines():
                say(f"FAIL {result.hunt}{' ' if failure.case else ''}{failure.case}: {line}")
    if not as_json:
        say(f"{counted(hunts, 'hunt')}, {counted(incidents, 'incident')}, {failures:,} failed, {time.perf_counter() - started:.1f} s")
    return int(Exit.FINDINGS if failures else Exit.NOTHING_FOUND)


@command.command("check", epilog="Example: aibr-hunt hunt check hunts/")
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def check_hunts(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> int:
    """Check hunts: their form, rules, techniques, rivals and observations, and that their incidents are there."""
    from aibr_hunt.testing import HuntBench

    errors = advice = hunts = 0
    for name, findings in HuntBench(library_of(settings)).check(names):
        hunts += 1
        errors += sum(finding.is_error for finding in findings)
        advice += sum(not finding.is_error for finding in findings)
        if as_json:
            say_json({"hunt": name, "findings": [{"check": each.check, "what": each.what, "error": each.is_error} for each in findings]})
            continue
        for finding in findings:
            for line in finding.what.splitlines():
                say(f"{'ERROR' if finding.is_error else 'advice'} {name} [{finding.check}] {line}")
    if not as_json:
        say(f"{counted(hunts, 'hunt')}, {counted(errors, 'error')}, {counted(advice, 'piece')} of advice")
    return int(Exit.FINDINGS if errors else Exit.NOTHING_FOUND)


def rules_of_hunt(hunt: Hunt, library: Library) -> Corpus:
    """Return the rules that a hunt names, from all content folders.

    Raises:
        ContentErrors: A named rule does not exist.
    """
    from aibr_hunt.content.hunts import missing_rules

    every = library.load_all()
    missing = missing_rules(hunt, every)
    if missing:
        raise ContentErrors(missing)
    named = {name for each in hunt.expect for name in each.rules}
    return every.only(named)

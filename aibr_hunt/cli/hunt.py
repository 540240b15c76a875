"""`aibr-hunt hunt`: list, show and run hunts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, complain, gravest, say, say_json, say_table
from aibr_hunt.cli.parts import json_option, library_of, window_options
from aibr_hunt.cli.running import Wanted, code_of, opened_ledger, run_corpus, say_unless, tell_outcome
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.hunts import load_hunt, load_hunts, unknown_rules
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.errors import ContentErrors
from aibr_hunt.hunt.run import Outcome
from aibr_hunt.hunt.suppression import judge
from aibr_hunt.ledger.values import LeadFilter
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.lead import Lead
from aibr_hunt.model.text import for_terminal


@click.group("hunt")
def command() -> None:
    """List, show and run hunts: hypotheses with what speaks for and against them."""


@command.command("list", epilog="Example: aibr-hunt hunt list")
@json_option
@click.pass_obj
def list_hunts(settings: Settings, *, as_json: bool) -> int:
    """List the hunts."""
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
@click.pass_obj
def show_hunt(settings: Settings, name: str) -> int:
    """Show one hunt: hypothesis, rivals, what each observation would say, what it needs."""
    library = library_of(settings)
    hunt = load_hunt(library.resolve(name, "hunts"), catalogue=library.catalogue)
    say(f"{hunt.name}: {hunt.hypothesis}")
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


@command.command("run", epilog="Example: aibr-hunt hunt run shipped:sagemaker_model_theft --logs ./AWSLogs --report ./case-7")
@click.argument("name")
@click.option(
    "--logs", "logs", multiple=True, required=True, type=click.Path(path_type=Path), help="A log file or a folder of them (repeatable)."
)
@click.option("--source", help="Log source of the files. Default: recognised.")
@window_options
@click.option("--report", "report", type=click.Path(file_okay=False, path_type=Path), help="Also write the report into this folder.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@json_option
@click.pass_obj
def run_hunt(
    settings: Settings,
    name: str,
    *,
    logs: tuple[Path, ...],
    source: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    report: Path | None,
    processes: int | None,
    as_json: bool,
) -> int:
    """Run the rules of a hunt over log files and say what speaks for and against its hypothesis.

    Files are looked at whole unless --from, --to or --last say otherwise; the hunt's own window is for live sources.
    """
    library = library_of(settings)
    hunt = load_hunt(library.resolve(name, "hunts"), catalogue=library.catalogue)
    corpus = rules_of_hunt(hunt, library)
    label = f"hunt {hunt.name} over {' '.join(str(path) for path in logs)}"
    wanted = Wanted(
        rules=(f"hunt {hunt.name}",),
        logs=logs,
        source=source,
        times=(since, until, last),
        processes=processes or settings.processes,
        as_json=as_json,
        kind="hunt",
        label=label,
    )
    with opened_ledger(settings) as ledger:
        outcome = run_corpus(settings, wanted, library, corpus, ledger)
        run_id = outcome.record.run.id
        leads = ledger.leads(LeadFilter(run_id=run_id, include_suppressed=True), judge=judge)
        tell_outcome(settings, wanted, outcome, leads)
        if not as_json:
            _argue(hunt, outcome, leads)
        if report is not None:
            from aibr_hunt.cli.reporting import write_report

            for path in write_report(settings, library, ledger, (run_id,), folder=report, hunts=(hunt,)):
                say_unless(wanted, f"Report: {path}")
    return int(gravest([code_of(outcome, leads)]))


def rules_of_hunt(hunt: Hunt, library: Library) -> Corpus:
    """Return the rules that a hunt names, from all content folders.

    Raises:
        ContentErrors: A named rule does not exist.
    """
    every = library.load_all()
    missing = unknown_rules(hunt, {key for rule in every.rules for key in (rule.id, rule.name)})
    if missing:
        raise ContentErrors(missing)
    named = {name for each in hunt.expect for name in each.rules}
    return replace(every, rules=tuple(rule for rule in every.rules if {rule.id, rule.name} & named), refused=())


def _argue(hunt: Hunt, outcome: Outcome, leads: Sequence[Lead]) -> None:
    from aibr_hunt.report import observe_hunt
    from aibr_hunt.report.hypotheses import argue

    argument = argue(observe_hunt(hunt, rules=outcome.record.rules, leads=leads, coverage=outcome.record.coverage))
    say()
    say(for_terminal(f"Hypothesis: {hunt.hypothesis}"))
    for standing in argument.standings:
        say(for_terminal(f"  {standing.key}: {standing.verdict}"))
    complain("An argument from logs, not a proof: read the leads.")

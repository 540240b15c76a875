"""Runs over files, the lake or clouds as commands start them: load, run with progress, tell, export."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aibr_hunt.cli.cloud_options import over_text
from aibr_hunt.cli.gaps import unseen_lines
from aibr_hunt.cli.leadrows import LEAD_HEADERS, lead_cells, lead_row
from aibr_hunt.cli.output import Exit, complain, counted, gravest, progress_wanted, say, say_json, say_table
from aibr_hunt.cli.parts import (
    actor_of,
    lake_of,
    ledger_exists,
    now,
    opened_ledger,
    program_of,
    tell_refused,
    window_of,
    window_text,
)
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.content.shipped import PREFIX
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import AS_WRITTEN, Options
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.hunt.suppression import judge
from aibr_hunt.ledger import Ledger
from aibr_hunt.ledger.values import LeadFilter
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import Lead
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.spending import money_text, size_text, spending_of
from aibr_hunt.model.window import Window, utc_text

# Leads printed after a run; the ledger, --out and the report hold all of them.
SHOWN_LEADS = 20
# Lines of what was not seen; the report holds all of them.
SHOWN_GAPS = 30
SHOWN_NOTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a command wants run.

    Attributes:
        is_lake: True reads the lake below --home in place of log files. `on`: names of Sources in clouds, asked in their place.
        is_dry: True prints what would be asked of the Sources. `resume`: id of a run over them that is taken up again; empty for none.
        times: --from, --to and --last as given.
        kind: `files`, `hunt` or `sweep`. `label`: what was asked, for people; empty names rules and inputs.
        hunt: The hunt that asks; its hypothesis is argued from the leads.
        words: The command without its options of place and window.
    """

    rules: Sequence[str]
    logs: Sequence[Path]
    is_lake: bool = False
    source: str | None = None
    times: tuple[str | None, str | None, str | None] = (None, None, None)
    is_strict: bool = False
    use_sieve: bool = True
    out: Path | None = None
    report: Path | None = None
    processes: int = 1
    as_json: bool = False
    kind: str = "files"
    label: str = ""
    hunt: Hunt | None = None
    on: Sequence[str] = ()
    is_dry: bool = False
    resume: str = ""
    words: tuple[str, ...] = ()


def execute(settings: Settings, wanted: Wanted, library: Library, corpus: Corpus) -> Exit:
    """Run, record, tell and export; return how it ended.

    Raises:
        UsageError: An option cannot be; nothing was run.
    """
    _check_paths(wanted)
    if wanted.is_dry:
        return dry_run(settings, wanted, library, corpus)
    with opened_ledger(settings) as ledger:
        outcome = run_corpus(settings, wanted, library, corpus, ledger)
        run_id = outcome.record.run.id
        leads = ledger.leads(LeadFilter(run_id=run_id, include_suppressed=True), judge=judge)
        tell_outcome(settings, wanted, outcome, leads)
        if wanted.out is not None:
            from aibr_hunt.report.exports import leads_jsonl

            wanted.out.write_text(leads_jsonl(leads), encoding="utf-8", newline="")
            say_unless(wanted, f"Leads: {wanted.out}")
        if wanted.report is not None:
            from aibr_hunt.cli.reporting import write_report

            hunts = () if wanted.hunt is None else (wanted.hunt,)
            for path in write_report(settings, library, ledger, (run_id,), folder=wanted.report, hunts=hunts):
                say_unless(wanted, f"Report: {path}")
    return code_of(outcome, leads, failing=settings.failing)


def _check_paths(wanted: Wanted) -> None:
    """Refuse paths that cannot be, before an hour of reading shows it."""
    given = [name for name, is_there in (("--logs", wanted.logs), ("--lake", wanted.is_lake), ("--on", wanted.on)) if is_there]
    if len(given) != 1:
        what = f"{' and '.join(given)} are both there." if given else "Neither --logs nor --lake nor --on says what to read."
        hint = "Name log files with --logs, take --lake for what `logs add` has read, or ask a configured Source with --on."
        raise UsageError(what, hint=hint)
    _check_clouds(wanted)
    for path in wanted.logs:
        if re.match(r"(s3|gs|az):/", path.as_posix()):  # a path of the file system keeps one slash
            url = path.as_posix().replace(":/", "://", 1)
            raise UsageError(
                f"{url} is not on this machine.", hint=f"`aibr-hunt logs add {url}` reads it into the lake; then run with --lake."
            )
        if not os.path.lexists(path):
            raise UsageError(f"There is no log file or folder {path}.", hint="Check the path that --logs names.")
    if wanted.out is not None and not wanted.out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {wanted.out.absolute().parent}.", hint="Make it, or name another file with --out.")


def _check_clouds(wanted: Wanted) -> None:
    for name, is_there in (("--dry-run", wanted.is_dry), ("--resume", bool(wanted.resume))):
        if is_there and not wanted.on:
            raise UsageError(f"{name} is for Sources in clouds.", hint="Name them with --on.")
    if wanted.on and wanted.source and wanted.kind != "sweep":
        raise UsageError("--source tells what files are; a Source in a cloud has its log source.", hint="Leave it out.")


def dry_run(settings: Settings, wanted: Wanted, library: Library, corpus: Corpus) -> Exit:
    """Print what a run would ask of Sources; return how that ended.

    Raises:
        UsageError: An option cannot be.
    """
    from aibr_hunt.cli.clouds import tell_plan, window_over

    tell_refused(corpus.refused)
    request = _request(settings, wanted, library, corpus, window=window_over(wanted, moment=now()))
    if not ledger_exists(settings):
        is_fine = tell_plan(settings, wanted, library, request=request, ledger=None)
    else:
        with opened_ledger(settings, create=False) as ledger:
            is_fine = tell_plan(settings, wanted, library, request=request, ledger=ledger)
    return gravest([Exit.NOTHING_FOUND if is_fine else Exit.INCOMPLETE, *((Exit.USER_MISTAKE,) if corpus.refused else ())])


def run_corpus(settings: Settings, wanted: Wanted, library: Library, corpus: Corpus, ledger: Ledger) -> Outcome:
    """Run loaded rules and return what it came to."""
    if wanted.as_json and corpus.matched:  # else told once: among what was not seen, or in the error that no rule is left
        tell_refused(corpus.refused)
    if wanted.on:
        return _run_clouds(settings, wanted, library, corpus=corpus, ledger=ledger)
    window = window_of(*wanted.times, now=now())
    _say_asked(wanted, corpus, window)
    with _progress() as tell:
        return run_files(_request(settings, wanted, library, corpus, window=window), ledger, clock=now, tell=tell)


def _run_clouds(settings: Settings, wanted: Wanted, library: Library, *, corpus: Corpus, ledger: Ledger) -> Outcome:
    from aibr_hunt.cli.clouds import begin, cloud_progress

    run = begin(settings, wanted, library, corpus=corpus, ledger=ledger)
    with run.going_on():
        _say_asked(wanted, corpus, run.begun.window)
        request = _request(settings, wanted, library, corpus, window=run.begun.window)
        request = replace(request, clouds=run.clouds, run_id=run.begun.run, began=run.begun.began)
        with cloud_progress(run.tell) as tell:
            return run_files(request, ledger, clock=now, tell=tell)


def _say_asked(wanted: Wanted, corpus: Corpus, window: Window) -> None:
    named = ", ".join("the built-in set" if name == PREFIX else name for name in wanted.rules)
    asked = [counted(len(corpus.rules), "rule")]
    asked += [counted(len(corpus.correlations), "correlation")] if corpus.correlations else []
    say_unless(wanted, f"Asked: {' and '.join(asked)} from {named}; window: {window_text(window)}")


def _request(settings: Settings, wanted: Wanted, library: Library, corpus: Corpus, *, window: Window) -> Request:
    mapping, is_as_written = source_of(wanted.source, library)
    return Request(
        rules=corpus.rules,
        operands=corpus.operands,
        correlations=corpus.correlations,
        silent=corpus.silent,
        mapping_of={rule.id: None if is_as_written else library.mapping_for(rule.logsource) for rule in corpus.matched},
        mappings=library.mappings,
        paths=wanted.logs,
        lake=lake_of(settings, library) if wanted.is_lake else None,
        scope=Scope(mapping=mapping, is_as_written=is_as_written, window=window, now=now()),
        options=Options(is_strict=wanted.is_strict, use_sieve=wanted.use_sieve, cache=settings.cache),
        refused=tuple((shown, str(error)) for shown, error in corpus.refused),
        asked=wanted.label or f"{' '.join(wanted.rules)} over {over_text(wanted.logs, is_lake=wanted.is_lake, on=wanted.on)}",
        actor=actor_of(settings),
        host=platform.node(),
        processes=wanted.processes,
        kind=wanted.kind,
    )


def source_of(name: str | None, library: Library) -> tuple[Mapping | None, bool]:
    """Return the mapping that --source names, and whether fields are to be taken as written."""
    if name is None:
        return None, False
    if name == AS_WRITTEN:
        return None, True
    for mapping in library.mappings:
        if name.lower() in {mapping.name.lower(), *(str(each).lower() for each in (mapping.logsource, *mapping.also))}:
            return mapping, False
    known = ", ".join(mapping.name for mapping in library.mappings)
    raise UsageError(f"There is no log source {name}.", hint=f"Known: {known}; `{AS_WRITTEN}` takes fields as they stand in any JSON.")


@contextmanager
def _progress() -> Iterator[Callable[[FileResult], None]]:
    """Give a function that draws progress on standard error; without a terminal it tells what --log-level asks for."""
    if not progress_wanted():
        yield _tell_file
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawing:
        task = drawing.add_task("reading", total=None)
        files = size = hits = 0

        def tell(result: FileResult) -> None:
            nonlocal files, size, hits
            files += 1
            size += result.account.content_size
            hits += len(result.hits)
            drawing.update(task, description=f"{counted(files, 'file')}, {size / 1e6:,.0f} MB, {counted(hits, 'hit')}")

        yield tell


def _tell_file(result: FileResult) -> None:
    account = result.account
    records = ", ".join(f"{kind.value} {count:,}" for kind, count in account.record_counts.items())
    complain(f"{account.path}: {account.format}, {account.source or 'no source'}; records: {records}", level="info")
    sizes = ", ".join(f"{kind.value} {size:,}" for kind, size in account.byte_counts.items())
    complain(f"  {account.compression}, {account.encoding}, sha256 {account.digest}; bytes: {sizes}", level="debug")


def tell_outcome(settings: Settings, wanted: Wanted, outcome: Outcome, leads: Sequence[Lead]) -> None:
    """Print what a run came to: gaps first, then leads."""
    run = outcome.record.run
    if wanted.as_json:
        for lead in leads:
            say_json(lead_row(lead))
        say_json(outcome_row(outcome, leads))
        return
    if wanted.on:
        _tell_jobs(outcome)
    else:
        _tell_files(outcome)
    tell_gaps(outcome)
    tell_rules(outcome)
    ranked = gravest_first(leads)
    tell_leads(settings, ranked, run.id)
    if wanted.hunt is not None:
        _argue(wanted.hunt, outcome, leads)
    say(f"Run {run.id} ({run.outcome}), ledger {settings.home}")
    if leads:
        say(f"Next: {program_of(settings)} leads show {ranked[0].id}")
        say(f"      {program_of(settings)} report {run.id} --out FOLDER")


def _tell_jobs(outcome: Outcome) -> None:
    rows = [
        (
            job.source,
            job.id or "-",
            window_text(job.window),
            job.state.value,
            f"{job.rows:,}",
            size_text(job.scanned_bytes or 0),
            money_text(job),
        )
        for job in outcome.record.jobs
    ]
    if rows:
        headers = ("source", "job", "window", "state", "rows", "scanned", "money")
        say_table(headers, rows, show_all=True, right=frozenset((4, 5, 6)))
    say(f"Spent: {spending_of(outcome.record.jobs).text}; {outcome.record.run.statistics['seconds']:.2f} s")


def _tell_files(outcome: Outcome) -> None:
    statistics = outcome.record.run.statistics
    read = int(statistics["content_bytes"])
    parts = ", ".join(f"{name.value} {int(statistics.get(f'bytes_{name.value}', 0)):,}" for name in ByteClass)
    say(f"Read: {counted(int(statistics['files']), 'file')}, {read:,} bytes of content = {parts}")
    copies = sum(bool(account.duplicate_of) for account in outcome.record.accounts)
    if copies:
        say(f"Copies: {counted(copies, 'file')} repeated another byte for byte")
    records = ", ".join(
        f"{name.value} {int(statistics.get(f'records_{name.value}', 0)):,}" for name in ByteClass if name is not ByteClass.FRAMING
    )
    say(f"Records: {records}; {statistics['seconds']:.2f} s")


def _argue(hunt: Hunt, outcome: Outcome, leads: Sequence[Lead]) -> None:
    from aibr_hunt.report import observe_hunt
    from aibr_hunt.report.hypotheses import argue

    argument = argue(observe_hunt(hunt, rules=outcome.record.rules, leads=leads, coverage=outcome.record.coverage))
    say()
    say(f"Hypothesis: {hunt.hypothesis}")
    for standing in argument.standings:
        say(f"  {standing.key}: {standing.verdict}")
    say("An argument from logs, not a proof: read the leads.")
    say()


def tell_gaps(outcome: Outcome) -> None:
    """Print what was not seen, or that everything asked for was."""
    record = outcome.record
    lines = [*record.run.gaps]
    lines += [f"rule refused: {name}: {reason}" for name, reason in record.run.refused_rules]
    for account in record.accounts:
        lines += [
            f"{account.path}: {each.reason} at {'stored ' if each.is_stored else ''}byte {each.offset:,}" for each in account.refusals[:3]
        ]
        more = len(account.refusals) - 3 + account.refusals_left_out
        lines += [f"{account.path}: {more:,} more refusals"] if more > 0 else []
        lines += [f"{account.path}: {note.removeprefix('!').strip()}" for note in account.notes if note.startswith("!")]
    lines += unseen_lines(record)
    if lines:
        complain(f"Not seen ({len(lines)}):", level="warning")
        for line in lines[:SHOWN_GAPS]:
            complain(f"  {line}", level="warning")
        if len(lines) > SHOWN_GAPS:
            complain(f"  … and {len(lines) - SHOWN_GAPS} more; the report names all", level="warning")
    for note in record.run.notes[:SHOWN_NOTES]:
        complain(f"Note: {note}", level="warning")
    if len(record.run.notes) > SHOWN_NOTES:
        complain(f"Note: {len(record.run.notes) - SHOWN_NOTES} more; the report names all", level="warning")
    names = {rule.id: rule.name for rule in record.rules}
    for noise in record.noise:
        what = f"{counted(noise.events, 'further event')} of {noise.considered:,} in {noise.source} kept by identity, without leads"
        complain(f"Noise rule {names.get(noise.rule_id, noise.rule_id)}: {what}", level="warning")


def tell_rules(outcome: Outcome) -> None:
    """Print how many events each rule met."""
    names = {rule.id: (rule.name, rule.level) for rule in outcome.record.rules}
    rows = [
        (names[rule_id][0], names[rule_id][1], f"{count:,}")
        for rule_id, count in sorted(outcome.hits_by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    if rows:
        say()
        say_table(("rule", "level", "events"), rows, show_all=True, right=frozenset((2,)))


def gravest_first(leads: Sequence[Lead]) -> list[Lead]:
    """Return leads by level and, within a level, in the order they have; those that somebody set aside come last."""
    from aibr_hunt.report.findings import is_set_aside
    from aibr_hunt.report.words import level_rank

    return sorted(leads, key=lambda lead: (is_set_aside(lead), level_rank(lead.level)))


def tell_leads(settings: Settings, leads: Sequence[Lead], run_id: str) -> None:
    """Print the first of the leads."""
    say()
    if not leads:
        say("No leads.")
        return
    rows = [lead_cells(settings, lead) for lead in leads[:SHOWN_LEADS]]
    say_table(LEAD_HEADERS, rows, show_all=True)
    if len(leads) > SHOWN_LEADS:
        rest = f"{program_of(settings)} leads list --run {run_id} --all for the rest"
        say(f"{SHOWN_LEADS} of {len(leads)} leads shown, the gravest first; {rest}")


def outcome_row(outcome: Outcome, leads: Sequence[Lead]) -> dict[str, object]:
    """Return a run as the last row of `--json`."""
    run = outcome.record.run
    return {
        "run": run.id,
        "outcome": run.outcome,
        "leads": len(leads),
        "new_leads": outcome.recorded.leads_new,
        "hits_by_rule": outcome.hits_by_rule,
        "gaps": list(run.gaps),
        "notes": list(run.notes),
        "refused_rules": [list(pair) for pair in run.refused_rules],
        "statistics": dict(run.statistics),
        "query_digest": run.query_digest,
        "merkle_root": outcome.recorded.merkle_root,
        **({"jobs": [job_row(job) for job in outcome.record.jobs]} if outcome.record.jobs else {}),
    }


def job_row(job: Job) -> dict[str, object]:
    """Return what became of one program as JSON; its text stands in the report."""
    edges = {name: None if edge is None else utc_text(edge) for name, edge in (("from", job.window.start), ("to", job.window.end))}
    names = ("id", "source", "place", "cause", "rows", "counted_rows", "estimated_bytes", "estimate", "scanned_bytes", "billed_bytes")
    more = {name: getattr(job, name) for name in (*names, "money", "currency", "digest")}
    return {**more, **edges, "state": job.state.value, "rules": list(job.rules)}


def code_of(outcome: Outcome, leads: Sequence[Lead], *, failing: Collection[str]) -> Exit:
    """Return how a run ended (docs/record.md section 7).

    Args:
        outcome: The run.
        leads: Those that it saw, suppressed ones included and named as such.
        failing: Which of `findings` and `incomplete` count; a refused rule always does.
    """
    codes = [Exit.NOTHING_FOUND]
    if "findings" in failing and any(not lead.suppressed_by and not lead.is_told_elsewhere for lead in leads):
        codes.append(Exit.FINDINGS)
    if outcome.record.run.refused_rules:
        codes.append(Exit.USER_MISTAKE)
    if "incomplete" in failing and not outcome.is_complete:
        codes.append(Exit.INCOMPLETE)
    return gravest(codes)


def say_unless(wanted: Wanted, line: str) -> None:
    """Print a line for people; on standard error when standard output is for machines."""
    if wanted.as_json:
        complain(line, level="warning")
    else:
        say(line)

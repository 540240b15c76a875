"""Runs over files as commands start them: load, run with progress, tell, export."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aibr_hunt.cli.output import Exit, complain, gravest, progress_wanted, say, say_json, say_table
from aibr_hunt.cli.parts import library_of, window_of, window_text
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import AS_WRITTEN, Options
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.ledger.values import LeadFilter
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.model.mapping import Mapping

# Leads printed after a run; the ledger, --out and the report hold all of them.
SHOWN_LEADS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a command wants run.

    Attributes:
        times: --from, --to and --last as given.
        kind: `files`, `hunt` or `sweep`. `label`: what was asked, for people; empty names rules and inputs.
    """

    rules: Sequence[str]
    logs: Sequence[Path]
    source: str | None = None
    times: tuple[str | None, str | None, str | None] = (None, None, None)
    is_strict: bool = False
    use_sieve: bool = True
    filters: Sequence[Path] = ()
    out: Path | None = None
    report: Path | None = None
    processes: int = 1
    as_json: bool = False
    kind: str = "files"
    label: str = ""


def now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(tz=UTC)


@contextmanager
def opened_ledger(settings: Settings, *, create: bool = True) -> Iterator[Ledger]:
    """Give the ledger below --home; a person who has to wait is told why.

    Raises:
        LedgerError: It cannot be opened.
        UsageError: It does not exist and is not to be made.
    """
    with Ledger.open(settings.home, clock=now, create=create, tell=complain) as ledger:
        yield ledger


def actor_of(settings: Settings) -> str:
    """Return who acts, as the evidence record names it."""
    named = settings.text("actor")
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a login name
        return "unknown"


def execute(settings: Settings, wanted: Wanted) -> Exit:
    """Run, record, tell and export; return how it ended."""
    library = library_of(settings)
    corpus = library.load_rules(wanted.rules, filters=wanted.filters)
    with opened_ledger(settings) as ledger:
        outcome = run_corpus(settings, wanted, library, corpus, ledger)
        leads = ledger.leads(LeadFilter(run_id=outcome.record.run.id, include_suppressed=True))
        tell_outcome(settings, wanted, outcome, leads)
        if wanted.out is not None:
            from aibr_hunt.report.exports import leads_jsonl

            wanted.out.write_text(leads_jsonl(leads), encoding="utf-8")
            say_unless(wanted, f"Leads: {wanted.out}")
        if wanted.report is not None:
            from aibr_hunt.cli.reporting import write_report

            for path in write_report(settings, library, ledger, (outcome.record.run.id,), folder=wanted.report):
                say_unless(wanted, f"Report: {path}")
    return code_of(outcome, leads)


def run_corpus(settings: Settings, wanted: Wanted, library: Library, corpus: Corpus, ledger: Ledger) -> Outcome:
    """Run loaded rules and return what it came to."""
    for shown, error in corpus.refused:
        complain(f"{shown}: {error}" if not str(error).startswith(shown) else str(error))
    mapping, is_as_written = _source(wanted.source, library)
    window = window_of(*wanted.times, now=now())
    say_unless(wanted, f"Window: {window_text(window)}; {len(corpus.rules)} rules from {', '.join(wanted.rules)}")
    request = Request(
        rules=corpus.rules,
        mapping_of={rule.id: None if is_as_written else library.mapping_for(rule.logsource) for rule in corpus.rules},
        mappings=library.mappings,
        paths=wanted.logs,
        scope=Scope(mapping=mapping, is_as_written=is_as_written, window=window, now=now()),
        options=Options(is_strict=wanted.is_strict, use_sieve=wanted.use_sieve, cache=settings.cache),
        refused=tuple((shown, str(error)) for shown, error in corpus.refused),
        asked=wanted.label or f"{' '.join(wanted.rules)} over {' '.join(str(path) for path in wanted.logs)}",
        actor=actor_of(settings),
        host=platform.node(),
        processes=wanted.processes,
        kind=wanted.kind,
    )
    with _progress() as tell:
        return run_files(request, ledger, clock=now, tell=tell)


def _source(name: str | None, library: Library) -> tuple[Mapping | None, bool]:
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
    """Give a function that draws progress on standard error; silent when that is no terminal."""
    if not progress_wanted():
        yield lambda _: None
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
            drawing.update(task, description=f"{files:,} files, {size / 1e6:,.0f} MB, {hits:,} hits")

        yield tell


def tell_outcome(settings: Settings, wanted: Wanted, outcome: Outcome, leads: Sequence[Lead]) -> None:
    """Print what a run came to: gaps first, then leads."""
    run = outcome.record.run
    if wanted.as_json:
        for lead in leads:
            say_json(lead_row(lead))
        say_json(outcome_row(outcome, leads))
        return
    statistics = run.statistics
    read = int(statistics["content_bytes"])
    parts = ", ".join(f"{name.value} {int(statistics.get(f'bytes_{name.value}', 0)):,}" for name in ByteClass)
    say(f"Read: {int(statistics['files']):,} files, {read:,} bytes of content = {parts}")
    records = ", ".join(
        f"{name.value} {int(statistics.get(f'records_{name.value}', 0)):,}" for name in ByteClass if name is not ByteClass.FRAMING
    )
    say(f"Records: {records}; {statistics['seconds']:.2f} s")
    tell_gaps(outcome)
    tell_rules(outcome)
    tell_leads(settings, leads)
    say(f"Run {run.id} ({run.outcome}), ledger {settings.home}")


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
    unseen = {row.source: row.cause for row in record.coverage if row.state is not CoverageState.SETTLED}
    lines += [f"{source}: {cause}" for source, cause in sorted(unseen.items())]
    for noise in record.noise:
        lines.append(f"noise rule {noise.rule_id}: {noise.events:,} further events kept by identity only")
    if lines:
        complain(f"Not seen ({len(lines)}):")
        for line in lines[:30]:
            complain(f"  {line}")
        if len(lines) > 30:
            complain(f"  … and {len(lines) - 30} more; the report names all")


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


def tell_leads(settings: Settings, leads: Sequence[Lead]) -> None:
    """Print the first leads."""
    say()
    if not leads:
        say("No leads.")
        return
    rows = [lead_cells(settings, lead) for lead in leads[:SHOWN_LEADS]]
    say_table(LEAD_HEADERS, rows, show_all=True)
    if len(leads) > SHOWN_LEADS:
        say(f"{SHOWN_LEADS} of {len(leads)} leads shown; `aibr-hunt leads list --all` for the rest")


LEAD_HEADERS = ("lead", "time", "level", "rule", "who", "from", "what", "on", "seen")


def lead_cells(settings: Settings, lead: Lead) -> tuple[str, ...]:
    """Return a lead as cells of a table, long values shortened."""
    when = "untimed" if lead.time is None else lead.time.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S")
    seen = f"{len(lead.sightings)}{' CONFLICT' if lead.has_conflict else ''}"
    cells = (lead.principal, lead.address, lead.action, lead.resource)
    return (lead.id, when, lead.level, lead.rule_name, *(_short(cell) for cell in cells), seen)


def _short(text: str, size: int = 44) -> str:
    return text if len(text) <= size else f"…{text[-size + 1 :]}"


def lead_row(lead: Lead) -> dict[str, object]:
    """Return a lead as the row of `--json`."""
    return {
        "lead": lead.id,
        "time": None if lead.time is None else lead.time.isoformat(),
        "level": lead.level,
        "rule_id": lead.rule_id,
        "rule": lead.rule_name,
        "title": lead.rule_title,
        "techniques": [each.id for each in lead.techniques],
        "event": lead.event_key,
        "source": lead.source,
        "principal": lead.principal,
        "address": lead.address,
        "action": lead.action,
        "resource": lead.resource,
        "account": lead.account,
        "region": lead.region,
        "sightings": len(lead.sightings),
        "conflict": lead.has_conflict,
        "state": lead.state.value,
        "suppressed_by": lead.suppressed_by,
    }


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
        "refused_rules": [list(pair) for pair in run.refused_rules],
        "statistics": dict(run.statistics),
        "query_digest": run.query_digest,
        "merkle_root": outcome.recorded.merkle_root,
    }


def code_of(outcome: Outcome, leads: Sequence[Lead]) -> Exit:
    """Return how a run ended (docs/record.md section 7)."""
    codes = [Exit.NOTHING_FOUND]
    if any(not lead.suppressed_by for lead in leads):
        codes.append(Exit.FINDINGS)
    if outcome.record.run.refused_rules:
        codes.append(Exit.USER_MISTAKE)
    elif not outcome.is_complete:
        codes.append(Exit.INCOMPLETE)
    return gravest(codes)


def say_unless(wanted: Wanted, line: str) -> None:
    """Print a line for people; on standard error when standard output is for machines."""
    complain(line) if wanted.as_json else say(line)

"""Runs over Sources in clouds as commands start them: what may be spent, what is told, how a run is stopped and taken up again."""

from __future__ import annotations

import hashlib
import platform
import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from aibr_hunt.cli.output import complain, counted, progress_wanted, say, say_json
from aibr_hunt.cli.parts import actor_of, now, program_of, window_of, window_text
from aibr_hunt.cli.sections import size_of
from aibr_hunt.cli.settings import LOG_LEVELS, Settings
from aibr_hunt.cli.sources import journals_of, sources_of
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.journal import Begun, Journal, cut_off, spent_since
from aibr_hunt.engines.cloud.opening import Opener, price_of
from aibr_hunt.engines.cloud.protocol import Watch
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt.clouds import Clouds
from aibr_hunt.model.spending import size_text, spending_of
from aibr_hunt.model.text import for_terminal
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from aibr_hunt.cli.running import Wanted
    from aibr_hunt.content.corpus import Corpus
    from aibr_hunt.content.library import Library
    from aibr_hunt.engines.files import FileResult
    from aibr_hunt.hunt.planned import Planned
    from aibr_hunt.hunt.run import Request
    from aibr_hunt.ledger import Ledger
    from aibr_hunt.model.source import Source


class Teller:
    """Tells what takes long, from any thread, and above what is drawn where something is drawn."""

    def __init__(self, settings: Settings) -> None:
        """Tell on standard error, where --log-level wants to know."""
        # A thread of an engine knows no command, so the level is asked for here.
        self._is_wanted = LOG_LEVELS.index(settings.text("log_level")) >= LOG_LEVELS.index("warning")
        self.write: Callable[[str], None] = complain

    def __call__(self, sentence: str) -> None:
        """Tell a sentence."""
        if self._is_wanted:
            self.write(sentence)


@dataclass(slots=True, kw_only=True)
class CloudRun:
    """A run over Sources that has begun.

    Attributes:
        sources: Where. `clouds`: asks them. `journal`: what it has started.
        tell: Tells what takes long. `resume`: the command that takes it up again.
    """

    sources: Sequence[Source]
    clouds: Clouds
    journal: Journal
    tell: Teller
    resume: str

    @property
    def begun(self) -> Begun:
        """What it was begun with: id, window, moment."""
        return self.journal.begun

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Close the journal at the end; when the run does not get there, stop its jobs and say how it is taken up again."""
        try:
            yield
        except BaseException as error:
            self.clouds.close()
            if self.journal.jobs:
                self.journal.close()
                were = "; what still ran was told to stop" if isinstance(error, KeyboardInterrupt) else ""
                complain(f"Run {self.begun.run} is not on record, and has started {counted(self.journal.jobs, 'job')}{were}.")
                complain(f"Take it up again with: {self.resume}")
            else:
                self.journal.finish()
            raise
        self.journal.finish()


def begin(settings: Settings, wanted: Wanted, library: Library, *, corpus: Corpus, ledger: Ledger) -> CloudRun:
    """Return a run over the Sources that are wanted, new or taken up again. Nothing is asked yet.

    Raises:
        UsageError: A Source is not configured, the window has an open side, or what is taken up again asked something else.
    """
    sources = sources_of(settings, library, wanted.on)
    forget_recorded(settings, ledger)
    words = (*wanted.words, *(word for source in sources for word in ("--on", source.name)))
    if wanted.resume:
        journal = _taken_up(settings, wanted, words=words, rules=_rules_digest(corpus))
    else:
        tell_cut_off(settings)
        journal = Journal.create(journals_of(settings), _begun(settings, wanted, sources, words=words, rules=_rules_digest(corpus)))
    tell = Teller(settings)
    try:
        around = _around(settings, wanted, sources, ledger=ledger, tell=tell, begun=journal.begun)
    except BaseException:
        if wanted.resume:
            journal.close()
        else:
            journal.finish()
        raise
    clouds = Clouds(sources, Opener(journal=journal, clock=now), around)
    return CloudRun(sources=sources, clouds=clouds, journal=journal, tell=tell, resume=_resume_text(settings, journal.begun))


def _around(
    settings: Settings, wanted: Wanted, sources: Sequence[Source], *, ledger: Ledger | None, tell: Teller, begun: Begun
) -> Surroundings:
    ceilings = ceilings_of(settings, sources, wanted)
    unpriced = [source.label for source in sources if price_of(source) is None]
    if unpriced and (ceilings.run_money is not None or ceilings.day_money is not None):
        tell(f"No ceiling of money holds for {', '.join(unpriced)}: no price_per_tib is configured.")
    size, money = spent_today(settings, ledger, without=begun.run)
    budget = Budget(ceilings, spent_bytes=size, spent_money=money)
    began = begun.began if wanted.resume else None
    return Surroundings(run=begun.run, clock=now, budget=budget, watch=Watch(tell=tell), began=began)


def _begun(settings: Settings, wanted: Wanted, sources: Sequence[Source], *, words: tuple[str, ...], rules: str) -> Begun:
    moment = now()
    seed = f"{moment.isoformat()}|{platform.node()}|{actor_of(settings)}|{' '.join(words)}|{secrets.token_hex(8)}"
    return Begun(
        run=f"R-{hashlib.sha256(seed.encode()).hexdigest()[:16]}",
        kind=wanted.kind,
        words=words,
        sources=tuple(source.label for source in sources),
        window=window_over(wanted, moment=moment),
        began=moment,
        rules=rules,
    )


def _taken_up(settings: Settings, wanted: Wanted, *, words: tuple[str, ...], rules: str) -> Journal:
    if any(wanted.times):
        what = "--resume takes up the window of the run."
        raise UsageError(what, hint="Leave out --from, --to and --last.")
    journal = Journal.resume(journals_of(settings), wanted.resume)
    begun = journal.begun
    if begun.words != words:
        journal.close()
        raise UsageError(f"The run {begun.run} was begun with another command.", hint=f"Write: {_resume_text(settings, begun)}")
    if begun.rules != rules:
        complain(f"Rules have changed since {begun.run} was begun: what is asked in other words is started anew.", level="warning")
    return journal


def window_over(wanted: Wanted, *, moment: datetime) -> Window:
    """Return the window that a table is asked for: by the options or, without any, the hunt's own.

    Raises:
        UsageError: It has an open side.
    """
    times = wanted.times
    if not any(times) and wanted.hunt is not None and wanted.hunt.last:
        times = (None, None, wanted.hunt.last)
    window = window_of(*times, now=moment)
    if window.start is None or window.end is None:
        what = "A table in a cloud is asked for a window, and this one has an open side."
        raise UsageError(what, hint="Say from when to when with --last, or with --from and --to.")
    return window


def _rules_digest(corpus: Corpus) -> str:
    things = [f"{rule.id} {rule.text_digest}" for rule in corpus.matched]
    things += [f"{each.id} {each.text_digest}" for each in corpus.correlations]
    return hashlib.sha256("\n".join(sorted(things)).encode()).hexdigest()


# -- runs that were cut off -----------------------------------------------------------------------------------------


def tell_cut_off(settings: Settings) -> None:
    """Name the runs that were cut off on standard error, and how each is taken up again."""
    for each in cut_off(journals_of(settings)):
        begun = each.begun
        what = f"The run {begun.run} over {', '.join(begun.sources)}, {window_text(begun.window)}, was cut off"
        complain(f"{what} after {counted(each.jobs, 'job')} and is not on record.", level="warning")
        complain(f"  Take it up again with: {_resume_text(settings, begun)}", level="warning")
        complain(f"  or forget it by deleting {each.path}", level="warning")


def forget_recorded(settings: Settings, ledger: Ledger) -> None:
    """Take away journals of runs that are on record: they were cut off behind their last word."""
    for each in cut_off(journals_of(settings)):
        try:
            ledger.run(each.begun.run)
        except UsageError:
            continue
        each.path.unlink(missing_ok=True)


def _resume_text(settings: Settings, begun: Begun) -> str:
    return f"{program_of(settings)} {shlex.join(begun.words)} --resume {begun.run}"


# -- what may be spent ----------------------------------------------------------------------------------------------


def ceilings_of(settings: Settings, sources: Sequence[Source], wanted: Wanted | None = None) -> Ceilings:
    """Return the ceilings of configuration, those of a hunt within them.

    Raises:
        UsageError: Money is bounded, and the Sources have prices in several currencies.
    """
    said = {name: chosen.value for name, chosen in settings.ceilings.items()}
    sizes = {name: size_of(value) for name, value in said.items() if name.endswith("_bytes")}
    money = {name: float(str(value)) for name, value in said.items() if name.endswith("_money")}
    currencies = sorted({price.currency for source in sources if (price := price_of(source)) is not None})
    if money and len(currencies) > 1:
        what = f"The Sources have prices in {' and '.join(currencies)}, and ceilings of money are in one currency."
        raise UsageError(what, hint="Ask Sources of one currency at a time, or give all prices in one.")
    hunt = 0 if wanted is None or wanted.hunt is None else wanted.hunt.scan_bytes
    known = [size for size in (sizes.get("run_bytes"), hunt) if size]
    return Ceilings(
        query_bytes=sizes.get("query_bytes"),
        run_bytes=min(known) if known else None,
        day_bytes=sizes.get("day_bytes"),
        run_money=money.get("run_money"),
        day_money=money.get("day_money"),
    )


def spent_today(settings: Settings, ledger: Ledger | None, *, without: str = "") -> tuple[int, float]:
    """Return what this UTC day has spent, bytes and money: runs on record, and runs that are not, or not yet.

    Args:
        settings: Whose home it is.
        ledger: Its ledger; None where there is none.
        without: Id of a run that is left out.
    """
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    size, money = spent_since(journals_of(settings), midnight, without=without)
    if ledger is not None:
        spent = spending_of(ledger.jobs_since(midnight))
        size, money = size + spent.scanned_bytes, money + sum(spent.money.values())
    return size, money


# -- what is told ---------------------------------------------------------------------------------------------------


@contextmanager
def cloud_progress(tell: Teller) -> Iterator[Callable[[FileResult], None]]:
    """Give a function that draws progress on standard error; without a terminal it tells each job for --log-level info."""
    if not progress_wanted():
        yield _tell_job
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawing:
        tell.write = lambda sentence: drawing.console.print(for_terminal(sentence), markup=False, highlight=False)
        task = drawing.add_task("asking", total=None)
        answers = rows = hits = 0

        def draw(result: FileResult) -> None:
            nonlocal answers, rows, hits
            answers += 1
            rows += sum(result.account.record_counts.values())
            hits += len(result.hits)
            what = f"{counted(answers, 'answer')}, {counted(rows, 'row')}, {counted(hits, 'hit')}"
            drawing.update(task, description=what)

        try:
            yield draw
        finally:
            tell.write = complain


def _tell_job(result: FileResult) -> None:
    rows = sum(result.account.record_counts.values())
    complain(f"{result.account.path}: {counted(rows, 'row')}, {counted(len(result.hits), 'hit')}", level="info")


@dataclass(slots=True)
class _Sum:
    """What planned programs come to."""

    programs: int = 0
    unknown: int = 0
    size: int = 0
    money: dict[str, float] = field(default_factory=dict)

    def add(self, each: Planned) -> None:
        """Count one program."""
        self.programs += 1
        size = None if each.estimate is None else each.estimate.scanned_bytes
        self.unknown += size is None
        self.size += size or 0
        if each.money is not None:
            self.money[each.currency] = self.money.get(each.currency, 0.0) + each.money


def tell_plan(settings: Settings, wanted: Wanted, library: Library, *, request: Request, ledger: Ledger | None) -> bool:
    """Print the programs that a run would ask and their estimates; return False when an engine gave none for what is wrong.

    Nothing is asked, and nothing is recorded.
    """
    from aibr_hunt.engines.cloud.opening import open_engine
    from aibr_hunt.hunt.planned import Planned, planned
    from aibr_hunt.hunt.run import plan_of

    sources = sources_of(settings, library, wanted.on)
    begun = Begun(run="dry", kind=wanted.kind, words=(), sources=(), window=request.scope.window, began=now())
    around = _around(settings, wanted, sources, ledger=ledger, tell=Teller(settings), begun=begun)
    request = replace(request, clouds=Clouds(sources, open_engine, around))
    plan = plan_of(request, sheets=ledger.sheets if ledger is not None else lambda *_: (), clock=now)
    names = {rule.id: rule.name for rule in plan.program.rules}
    found, is_fine = _Sum(), True
    for each in planned(sources, open_engine, plan=plan, around=around):
        if isinstance(each, Planned):
            found.add(each)
            is_fine = is_fine and not each.fault
            _tell_program(each, names, as_json=wanted.as_json)
        else:
            complain(f"{each.source.label} cannot be asked for {names[each.rule]}: {each.why}", level="warning")
    for source in plan.program.parts.keys() - {each.mapping.name for each in sources}:
        complain(f"No Source that is asked holds the log source {source}.", level="warning")
    if not wanted.as_json:
        _tell_sum(found, around.budget)
    return is_fine


def _tell_program(each: Planned, names: dict[str, str], *, as_json: bool) -> None:
    question, estimate = each.question, each.estimate
    size = None if estimate is None else estimate.scanned_bytes
    if as_json:
        edges = {
            name: None if edge is None else edge.isoformat() for name, edge in zip(("from", "to"), _edges(question.window), strict=True)
        }
        told = {
            "estimated_bytes": size,
            "estimate": "" if estimate is None else estimate.basis,
            "money": each.money,
            "currency": each.currency,
        }
        row = {"source": each.source.label, "place": each.source.place, "table": each.source.layout.table, "form": each.form}
        say_json({**row, "rules": [names[rule] for rule in each.rules], **edges, **told, "fault": each.fault, "text": question.text})
        return
    what = f"{counted(len(each.rules), 'rule')}, {each.form}" if each.rules else each.form
    say(f"{each.source.label}, {what}, {window_text(question.window)}: {_estimate_text(each)}")
    for line in question.text.splitlines():
        say(f"  {line}")
    say()


def _edges(window: Window) -> tuple[datetime | None, datetime | None]:
    return window.start, window.end


def _estimate_text(each: Planned) -> str:
    if each.estimate is None:
        return f"no estimate: {each.fault}"
    size = each.estimate.scanned_bytes
    cost = "" if each.money is None else f", {each.money:,.4f} {each.currency}"
    return f"{'unknown' if size is None else size_text(size)}{cost} ({each.estimate.basis})"


def _tell_sum(found: _Sum, budget: Budget) -> None:
    parts = [counted(found.programs, "program"), f"{size_text(found.size)} by estimate"]
    parts += [f"{cost:,.4f} {unit}" for unit, cost in found.money.items()]
    parts += [f"{found.unknown:,} of unknown size"] if found.unknown else []
    say(f"{', '.join(parts)}. Nothing was asked.")
    most = budget.most_bytes()
    if most is not None:
        say(f"The ceilings leave {size_text(most)} for the next program.")

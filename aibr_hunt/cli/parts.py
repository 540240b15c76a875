"""Options and objects that several commands share."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from aibr_hunt.cli.output import complain
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.errors import AibrError, UsageError
from aibr_hunt.meaning.scalar import time_of
from aibr_hunt.model.window import Window, utc_text

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.lake import Lake
    from aibr_hunt.ledger import Ledger

F = TypeVar("F", bound=Callable[..., object])


def library_of(settings: Settings) -> Library:
    """Return the content in force."""
    return Library(settings.content, cache=RuleCache(settings.cache))


def json_option(function: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON lines for machines.")(function)


def all_option(function: F) -> F:
    """Add `--all`."""
    return click.option("--all", "show_all", is_flag=True, help="Print every row.")(function)


def window_options(function: F) -> F:
    """Add `--from`, `--to` and `--last`."""
    for typed, right in (("--since", "--from"), ("--until", "--to")):
        function = click.option(
            typed,
            f"typed_{typed[2:]}",
            hidden=True,
            expose_value=False,
            callback=_refusing(typed, right),
            help=f"Refused: it is {right} here.",
        )(function)
    function = click.option("--last", "last", help="The time up to now, such as P14D, 14d or 36h.")(function)
    function = click.option("--to", "until", help="End, not included: RFC 3339 with offset, or a date (UTC day).")(function)
    return click.option("--from", "since", help="Start, included: RFC 3339 with offset, or a date (UTC day).")(function)


def _refusing(typed: str, right: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    """Return what refuses an option that other tools have, and names ours."""

    def refuse(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"No such option {typed!r}. Did you mean {right}?", ctx=ctx)

    return refuse


def fail_on_option(function: F) -> F:
    """Add `--fail-on`."""
    return click.option("--fail-on", "fail_on", help="Outcomes that set the exit code: all, none, or a list of findings, incomplete.")(
        function
    )


def lake_folder(settings: Settings) -> Path:
    """Return where the lake of this home lies."""
    return settings.home / "lake"


def lake_of(settings: Settings, library: Library) -> Lake:
    """Return the lake of this home.

    Raises:
        UsageError: There is none.
    """
    from aibr_hunt.engines.lake.lake import Lake

    return Lake.open(lake_folder(settings), mappings=library.mappings)


def ledger_exists(settings: Settings) -> bool:
    """True when there is a ledger below --home."""
    from aibr_hunt.ledger.sqlite import FILE_NAME

    return (settings.home / FILE_NAME).is_file()


def program_of(settings: Settings) -> str:
    """Return how the next command must begin to find the same ledger."""
    home = settings.chosen["home"]
    is_given_here = home.origin == "demo" or home.origin.startswith("option")
    return f"aibr-hunt --home {shlex.quote(str(home.value))}" if is_given_here else "aibr-hunt"


def logs_option(function: F) -> F:
    """Add `--logs` and `--lake`: where to read."""
    kind = click.Path(path_type=Path)
    function = click.option("--lake", "lake", is_flag=True, help="Read the lake instead: what `logs add` has read already.")(function)
    return click.option("--logs", "logs", multiple=True, type=kind, help="A log file or a folder of them (repeatable).")(function)


def window_of(since: str | None, until: str | None, last: str | None, *, now: datetime) -> Window:
    """Return the window that the options mean.

    Raises:
        UsageError: A time without offset, an unreadable one, --last with --from, or an end before the start.
    """
    if last is not None:
        if since is not None:
            raise UsageError("--last and --from exclude each other.", hint="Give one of them.")
        end = _moment(until, "--to") if until else now
        return Window(start=end - duration_of(last), end=end)
    window = Window(start=_moment(since, "--from") if since else None, end=_moment(until, "--to") if until else None)
    if window.start and window.end and window.start >= window.end:
        raise UsageError("--to is not after --from.", hint="The end is not included: give the next day or a later moment.")
    return window


def _moment(text: str, option: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC) if len(text) == 10 else _aware(text, option)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time.", hint="Write 2026-01-31 or 2026-01-31T18:00:00Z.") from None


def _aware(text: str, option: str) -> datetime:
    moment = time_of(text.replace(" ", "T", 1))
    if moment is not None:
        return moment
    if datetime.fromisoformat(text).tzinfo is None:
        raise UsageError(f"{option} {text!r} has no offset.", hint=f"Write {text}Z for UTC, or {text}+02:00.")
    return datetime.fromisoformat(text).astimezone(UTC)


def duration_of(text: str) -> timedelta:
    """Return the length that `P14D`, `PT36H`, `14d`, `36h` or `90m` means.

    Raises:
        UsageError: The text is none of these.
    """
    units = {"W": "weeks", "D": "days", "H": "hours", "M": "minutes"}
    body = text.upper()
    plain = body.removeprefix("PT").removeprefix("P")
    is_iso_minutes = plain[-1:] == "M" and body.startswith("P") and not body.startswith("PT")
    if plain[:-1].isdigit() and plain[-1:] in units and not is_iso_minutes and int(plain[:-1]) > 0:
        return timedelta(**{units[plain[-1]]: int(plain[:-1])})
    raise UsageError(f"{text!r} is no length of time.", hint="Write P14D, PT36H, 14d, 36h or 90m.")


def window_text(window: Window) -> str:
    """Return a window as one phrase."""
    if window.start is None and window.end is None:
        return "all times"
    start = "the beginning" if window.start is None else moment_text(window.start)
    end = "the end" if window.end is None else moment_text(window.end)
    return f"[{start}, {end})"


def moment_text(moment: datetime) -> str:
    """Return `moment` (aware) in UTC, with decimals only where there are any."""
    return utc_text(moment).replace(".000000Z", "Z")


def tell_refused(refused: Iterable[tuple[str, AibrError]]) -> None:
    """Name each refused rule on standard error as `<path or id>: <reason>`, a line for every reason."""
    for shown, error in refused:
        for line in str(error).splitlines():
            complain(f"{shown}: {reason_of(shown, line)}", level="warning")


def reason_of(shown: str, line: str) -> str:
    """Return a line of an error for a place that has named the file `shown` already: `line 20: …`."""
    rest = line.removeprefix(f"{shown}:")
    number, colon, reason = rest.partition(":")
    is_placed = rest != line and bool(colon) and number.isdecimal()
    return f"line {number}:{reason}" if is_placed else rest.strip()


def tell_warnings(corpus: Corpus) -> None:
    """Print on standard error what was read and does not do what it seems to."""
    for warning in corpus.warnings:
        complain(f"warning: {warning}", level="warning")


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
    from aibr_hunt.ledger import Ledger

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

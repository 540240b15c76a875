"""`aibr-hunt coverage techniques` and `coverage studies`: what rules can find, by cloud and tier of logs, in every form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from aibr_hunt.cli.output import Exit, ascii_json, complain, counted, progress_wanted, say, say_json, say_table, say_verbatim
from aibr_hunt.cli.parts import all_option, json_option, library_of, now, tell_refused, tell_warnings
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError

if TYPE_CHECKING:
    from aibr_hunt.cli.sights import Asked
    from aibr_hunt.content.corpus import Corpus
    from aibr_hunt.content.library import Library
    from aibr_hunt.report.studies import StudyAnswer
    from aibr_hunt.report.techniques import Scope, TechniqueCoverage

F = TypeVar("F", bound=Callable[..., object])
_CLOUDS: Final = ("aws", "gcp", "azure")
_TIERS: Final = ("C", "D", "P")
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """One question, answered."""

    library: Library
    corpus: Corpus
    coverage: TechniqueCoverage
    scope: Scope
    basis: str

    @property
    def exit_code(self) -> int:
        """2 when a rule was refused: then the counts are of the others."""
        return int(Exit.USER_MISTAKE if self.corpus.refused else Exit.NOTHING_FOUND)


def _question_options(function: F) -> F:
    """Add the options that both commands share: which cloud, and what is known of the logs."""
    function = click.option("--lake", is_flag=True, help="Count what the lake holds as read.")(function)
    function = click.option("--run", "run_id", default="", help="Count what this run read, and only its leads.")(function)
    function = click.option("--on", "on", multiple=True, metavar="SWITCH", help="A log switch that is on (with --off default).")(function)
    function = click.option(
        "--off",
        "off",
        multiple=True,
        metavar="SWITCH",
        help="A log switch that is off (repeatable; `*` stands for any text; `default`: all that are off unless turned on).",
    )(function)
    return click.option("--cloud", type=click.Choice(_CLOUDS), help="Only this cloud (default: each, and all together).")(function)


def _file_options(function: F) -> F:
    """Add the files that can be written."""
    function = click.option("--md", "md_path", type=_FILE, help="Also write the page as Markdown to this file.")(function)
    return click.option("--html", "html_path", type=_FILE, help="Also write heat maps and case studies as one HTML page to this file.")(
        function
    )


@click.command("techniques", epilog="Example: aibr-hunt coverage techniques --cloud aws --off default --list")
@click.argument("names", nargs=-1)
@_question_options
@click.option("--tier", "tiers", multiple=True, type=click.Choice(_TIERS), help="Only this tier: C control plane, D data plane, P prompts.")
@click.option("--list", "as_list", is_flag=True, help="Also print each technique with its rules.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the techniques as CSV.")
@click.option("--navigator", type=click.Path(path_type=Path, file_okay=False), help="Write Navigator layers (format 4.5) into this folder.")
@_file_options
@json_option
@all_option
@click.pass_obj
def show_techniques(
    settings: Settings,
    *,
    names: tuple[str, ...] = (),
    cloud: str | None = None,
    tiers: tuple[str, ...] = (),
    off: tuple[str, ...] = (),
    on: tuple[str, ...] = (),
    run_id: str = "",
    lake: bool = False,
    as_list: bool = False,
    as_csv: bool = False,
    as_json: bool = False,
    show_all: bool = False,
    navigator: Path | None = None,
    html_path: Path | None = None,
    md_path: Path | None = None,
) -> int:
    """Count which ATT&CK and ATLAS techniques the rules below NAMES find (default: every rule of every content folder).

    \b
    Three tiers of logs, each counted over the techniques that its logs can show:
      C  control plane: logs of management events
      D  data plane: logs of data events and other opt-in logs, metadata is enough
      P  prompt and response: bodies of prompts, answers and traces
    \b
    tested   a rule names the technique, and every case of it that must hit does
    written  a rule names it, without such cases
    seen     a lead on record, or with --run or --lake the logs of a rule that were read
    blind    every rule for it needs a log switch that is off (--off), or had no log in the run or the lake

    What no log shows (classes X and N), and techniques that nobody has classified, stand below the tiers and in none of them. --list and
    --all print techniques and rules one by one.
    """  # noqa: D301 - \b is click's mark for lines that are kept as they are
    from aibr_hunt.cli.sights import Asked
    from aibr_hunt.report.coverage_rows import techniques_csv

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other.", hint="Give one of them.")
    _make_room(navigator, html_path, md_path)
    answered = _answer(settings, names, cloud, asked=Asked(off=off, on=on, run_id=run_id, lake=lake))
    _write_files(answered, navigator=navigator, html_path=html_path, md_path=md_path, is_quiet=as_csv or as_json)
    if as_csv:
        say_verbatim(techniques_csv(answered.coverage, _scopes(answered.scope)).rstrip("\r\n"))
    elif as_json:
        _say_techniques_json(answered, tiers)
    else:
        _say_techniques(answered, tiers, is_listed=as_list or show_all, show_all=show_all)
    return answered.exit_code


@click.command("studies", epilog="Example: aibr-hunt coverage studies --cloud aws --html studies.html")
@click.argument("names", nargs=-1)
@_question_options
@click.option("--list", "as_list", is_flag=True, help="Also print the techniques and rules of each case study.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the case studies as CSV.")
@_file_options
@json_option
@all_option
@click.pass_obj
def show_studies(
    settings: Settings,
    *,
    names: tuple[str, ...],
    cloud: str | None,
    off: tuple[str, ...],
    on: tuple[str, ...],
    run_id: str,
    lake: bool,
    as_list: bool,
    as_csv: bool,
    as_json: bool,
    show_all: bool,
    html_path: Path | None,
    md_path: Path | None,
) -> int:
    """Ask each case study of ATLAS: would the rules below NAMES have shown it, with which logs, and if not, why.

    yes: every technique of it that logs can show has a rule whose cases hit; partly: some have; no: none has, or no log shows any. It is an
    answer about techniques: nobody has replayed the events of the incident.
    """
    from aibr_hunt.cli.sights import Asked
    from aibr_hunt.report.coverage_rows import studies_csv, study_row

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other.", hint="Give one of them.")
    _make_room(None, html_path, md_path)
    answered = _answer(settings, names, cloud, asked=Asked(off=off, on=on, run_id=run_id, lake=lake))
    answers = _answers(answered)[1]
    _write_files(answered, navigator=None, html_path=html_path, md_path=md_path, is_quiet=as_csv or as_json)
    if as_csv:
        say_verbatim(studies_csv(answers).rstrip("\r\n"))
    elif as_json:
        for each in answers:
            say_json(study_row(each))
    else:
        _say_studies(answers, is_listed=as_list, show_all=show_all)
    return answered.exit_code


def _make_room(navigator: Path | None, *files: Path | None) -> None:
    """Make the folders that will be written into, before anything is worked out.

    Raises:
        UsageError: One cannot be made.
    """
    for folder in (navigator, *(file.parent for file in files if file is not None)):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}.", hint="Choose another place.") from None


def _answer(settings: Settings, names: Sequence[str], cloud: str | None, *, asked: Asked) -> _Answered:
    from aibr_hunt.cli.sights import sight_of
    from aibr_hunt.content.target import CLOUDS, load_target
    from aibr_hunt.report.techniques import cover
    from aibr_hunt.testing.tested import known_rules

    library = library_of(settings)
    corpus = library.load_rules(names) if names else library.load_all()
    tell_refused(corpus.refused)
    tell_warnings(corpus)
    target = load_target(library.folders("mappings"), library.catalogue)
    for id_ in target.lost:
        complain(f"{id_} is classified, and the catalogue in force does not have it: it counts nowhere.", level="warning")
    sight, basis = sight_of(settings, library, corpus, asked=asked)
    coverage = cover(target, known_rules(corpus, library, tell=_progress()), sight)
    if progress_wanted():
        click.echo("\r\x1b[K", nl=False, err=True)
    scope: Scope = next((each for each in CLOUDS if each == cloud), "all")
    return _Answered(library=library, corpus=corpus, coverage=coverage, scope=scope, basis=basis)


def _progress() -> Callable[[str], None]:
    """Return what shows, on a terminal, whose cases are being asked."""
    from aibr_hunt.model.text import for_terminal

    def tell(name: str) -> None:
        click.echo(f"\r\x1b[Kasking the cases of {for_terminal(name)[:80]}", nl=False, err=True)

    return tell if progress_wanted() else lambda _: None


def _answers(answered: _Answered) -> tuple[str, tuple[StudyAnswer, ...]]:
    """Return the version of the case studies, and their answers."""
    from aibr_hunt.content.case_studies import load_case_studies
    from aibr_hunt.report.studies import judge_studies

    studies = load_case_studies(answered.library.folders("mappings"), answered.library.catalogue)
    return studies.version, judge_studies(studies, answered.coverage, scope=answered.scope)


def _scopes(scope: Scope) -> tuple[Scope, ...]:
    from aibr_hunt.report.techniques import SCOPES

    return SCOPES if scope == "all" else (scope,)


def _say_techniques(answered: _Answered, tiers: Sequence[str], *, is_listed: bool, show_all: bool) -> None:
    from aibr_hunt.content.target import TIER_NAMES

    figures = [each for each in answered.coverage.figures(_scopes(answered.scope)) if not tiers or each.tier.value in tiers]
    cells = [
        (
            "all clouds" if each.scope == "all" else each.scope,
            f"{each.tier.value} {TIER_NAMES[each.tier]}",
            *map(str, (each.techniques, each.tested, each.written, each.none, each.seen, each.blind)),
        )
        for each in figures
    ]
    headers = ("cloud", "tier", "techniques", "tested", "written", "no rule", "seen", "blind")
    say_table(headers, cells, show_all=True, right=frozenset(range(2, 8)))
    _say_beside(answered.coverage)
    say(answered.basis)
    if is_listed:
        say()
        _say_list(answered, tiers, show_all=show_all)


def _say_beside(coverage: TechniqueCoverage) -> None:
    """Print the lines below the tiers: what they do not count."""
    classes = [row.log_class.value for row, _ in coverage.unobservable]
    claimed = [row.technique.id for row, rules in coverage.unobservable if rules]
    unclassified = sum(bool(rules) for _, rules in coverage.unclassified)
    say(
        f"In no tier: {counted(len(classes), 'technique')} not observable (X {classes.count('X')}, N {classes.count('N')}); "
        f"rules name {len(claimed)} of them{': ' if claimed else ''}{', '.join(claimed)}"
    )
    say(f"In no tier: {counted(len(coverage.unclassified), 'technique')} not classified yet; rules name {unclassified} of them")
    if coverage.elsewhere:
        say(f"In no tier: {counted(len(coverage.elsewhere), 'technique')} that the classification does not hold, named by rules")
    if coverage.unnamed:
        say(f"{counted(len(coverage.unnamed), 'rule')} name no technique" if len(coverage.unnamed) > 1 else "1 rule names no technique")


def _say_list(answered: _Answered, tiers: Sequence[str], *, show_all: bool) -> None:
    cells = [cell for cell in answered.coverage.cells[answered.scope] if not tiers or cell.row.log_class.value in tiers]
    cells.sort(key=lambda cell: ("CDP".index(cell.row.log_class.value), not cell.rules, cell.row.technique.id))
    rows = [
        (
            cell.row.log_class.value,
            cell.row.technique.id,
            cell.row.technique.name,
            f"{cell.standing.value}{', blind' if cell.is_blind else ''}{', seen' if cell.is_seen else ''}",
            " ".join(rule.name if rule.is_tested else f"{rule.name}({rule.why})" for rule in cell.rules),
        )
        for cell in cells
    ]
    say_table(("tier", "id", "technique", "state", "rules"), rows, show_all=show_all)
    beside = [
        ("X/N", row.technique.id, row.technique.name, "not observable", rules) for row, rules in answered.coverage.unobservable if rules
    ]
    beside += [("-", each.id, each.name, "not classified", rules) for each, rules in answered.coverage.unclassified if rules or show_all]
    beside += [("-", tag.partition(".")[2].upper(), "", "not held", rules) for tag, rules in answered.coverage.elsewhere]
    if beside:
        say()
        shown = [(tier, id_, name, state, " ".join(rule.name for rule in rules)) for tier, id_, name, state, rules in beside]
        say_table(("class", "id", "technique", "state", "rules that name it"), shown, show_all=show_all)


def _say_techniques_json(answered: _Answered, tiers: Sequence[str]) -> None:
    from aibr_hunt.report.coverage_rows import figure_row, other_rows, technique_row

    for figures in answered.coverage.figures(_scopes(answered.scope)):
        if not tiers or figures.tier.value in tiers:
            say_json({"kind": "tier", **figure_row(figures)})
    for scope in _scopes(answered.scope):
        for cell in answered.coverage.cells[scope]:
            if not tiers or cell.row.log_class.value in tiers:
                say_json({"kind": "technique", **technique_row(cell)})
    for row in other_rows(answered.coverage):
        say_json(row)


def _say_studies(answers: Sequence[StudyAnswer], *, is_listed: bool, show_all: bool) -> None:
    from aibr_hunt.report.studies import count_answers

    rows = [
        (each.study.id, each.answer.value, str(len(each.rules)), each.study.name, " ".join(each.logs) or "-", each.why) for each in answers
    ]
    say_table(("case study", "seen", "rules", "name", "logs", "why"), rows, show_all=show_all, right=frozenset((2,)))
    if is_listed:
        for each in answers:
            say()
            say(f"{each.study.id} {each.study.name} ({each.study.kind}, {each.study.date}): {each.answer.value}")
            for step in each.steps:
                names = " ".join(rule.name for rule in step.rules)
                say(f"  {step.technique.id:<14} {step.state:<15} {step.technique.name}  {names}".rstrip())
    counts = count_answers(answers)
    say(f"{len(answers)} case studies: {', '.join(f'{answer.value} {count}' for answer, count in counts.items())}")


def _write_files(answered: _Answered, *, navigator: Path | None, html_path: Path | None, md_path: Path | None, is_quiet: bool) -> None:
    """Write what was asked for, and name each file.

    Raises:
        UsageError: A file cannot be written.
    """
    written: list[tuple[str, Path]] = []
    try:
        if navigator is not None:
            written += [("Layer", path) for path in _write_layers(answered, navigator)]
        for path in _write_pages(answered, html_path, md_path):
            written.append(("Page", path))
    except OSError as error:
        raise UsageError(f"{error.filename or navigator} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    for kind, path in written:
        (complain if is_quiet else say)(f"{kind}: {path}")


def _write_layers(answered: _Answered, folder: Path) -> Iterable[Path]:
    from aibr_hunt.content.catalogue import FRAMEWORKS
    from aibr_hunt.report.navigator import navigator_layer

    for framework in FRAMEWORKS:
        layer = navigator_layer(answered.coverage, answered.library.catalogue, framework, scope=answered.scope)
        path = folder / f"{framework}-layer.json"
        path.write_text(ascii_json(layer, indent=1) + "\n", encoding="utf-8")
        yield path


def _write_pages(answered: _Answered, html_path: Path | None, md_path: Path | None) -> Iterable[Path]:
    if html_path is None and md_path is None:
        return
    from aibr_hunt import __version__
    from aibr_hunt.report.coverage_page import build_coverage_page, render_coverage_html, render_coverage_markdown

    version, answers = _answers(answered)
    page = build_coverage_page(
        answered.coverage,
        answered.library.catalogue,
        answers,
        scope=answered.scope,
        studies_version=version,
        made_at=now().replace(microsecond=0),
        tool_version=__version__,
    )
    for path, render in ((html_path, render_coverage_html), (md_path, render_coverage_markdown)):
        if path is not None:
            path.write_text(render(page), encoding="utf-8")
            yield path

"""`aibr-hunt rules compile`: rules and correlations as the text of an engine, to paste, or counted by what becomes of them."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.layouts import Layouts, Wanted, has_layouts, name_of
from aibr_hunt.cli.output import Exit, complain, counted, say, say_json, say_verbatim
from aibr_hunt.cli.parts import duration_of, json_option, library_of, now, tell_refused, tell_warnings, window_of, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import AibrError, Unsupported, UsageError
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.query import Form, Last, Query, Span
from aibr_hunt.model.text import visible

if TYPE_CHECKING:
    from aibr_hunt.compile.program import Asking
    from aibr_hunt.compile.summary import Fate, Reason, Summary
    from aibr_hunt.content.library import Corpus
    from aibr_hunt.model.mapping import Mapping
    from aibr_hunt.model.rule import Rule

_ENGINES: Final = click.Choice([each.value for each in EngineKind])
_FORMS: Final = click.Choice([each.value for each in Form])
_HOURS: Final = 24
# What mappings write in place of a name that every deployment has for itself: PROJECT, EVENT_DATA_STORE_ID.
_TO_FILL: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{4,}(?:_[A-Z]+)*(?![A-Za-z0-9])")
_SHOWN_DETAILS: Final = 5


@click.command("compile", epilog="Example: aibr-hunt rules compile aws_bedrock_guardrail_deleted --engine athena")
@click.argument("names", nargs=-1, required=True)
@click.option("--engine", "engines", multiple=True, required=True, type=_ENGINES, help="Whose text to print.")
@click.option("--layout", default="", help="How the log source lies there, such as lake (default: the mapping's first of the engine).")
@click.option("--form", type=_FORMS, help="whole: exactly the rule (default). sieve: a superset of its rows, to be matched again.")
@window_options
@click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A mapping file that adds or replaces one.")
@click.option("--table", default="", help="The table to read, in place of the layout's.")
@click.option("--summary", is_flag=True, help="Count what becomes of the rules and correlations, by reason; --engine may be repeated.")
@json_option
@click.pass_obj
def compile_text(
    settings: Settings,
    names: tuple[str, ...],
    engines: tuple[str, ...],
    layout: str,
    form: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    mapping: Path | None,
    table: str,
    *,
    summary: bool,
    as_json: bool,
) -> int:
    """Print the rules and correlations below NAMES as text of an engine, one query each; with --form sieve one for all rules that fit.

    Without --from and --to the text bounds the last 24 hours at the time when it runs.
    """
    span = span_of(since, until, last)
    chooser = Layouts(library_of(settings), settings, Wanted(layout=layout, table=table, mapping=mapping))
    if not summary and len(set(engines)) > 1:
        raise UsageError("--engine is given more than once.", hint="Give one, or --summary.")
    if summary and form is not None:
        raise UsageError("--summary tries both forms.", hint="Leave --form out.")
    started = time.perf_counter()
    corpus = library_of(settings).load_rules(names)
    if summary:
        _ = chooser.mappings  # read now: the rate is that of the compiler
    loading_s = time.perf_counter() - started
    tell_warnings(corpus)
    if summary:
        for engine in dict.fromkeys(engines):
            _summarise(corpus, EngineKind(engine), chooser, span, loading_s=loading_s, as_json=as_json)
        return int(Exit.NOTHING_FOUND)
    tell_refused(corpus.refused)
    work = _Work(chooser, EngineKind(engines[0]), span)
    if form == Form.SIEVE:
        # What a sieve gives is matched again, and correlated then: the rules below a correlation are what can be asked.
        work.compile(corpus.matched, Form.SIEVE)
    else:
        work.compile(corpus.rules, Form.WHOLE)
        work.correlate(corpus)
    tell_refused(work.refused)
    work.tell()
    _print(work.made, as_json=as_json)
    return int(Exit.USER_MISTAKE if corpus.refused or work.refused or not work.made else Exit.NOTHING_FOUND)


def span_of(since: str | None, until: str | None, last: str | None) -> Span:
    """Return the span that a text bounds: relative to the time when it runs unless a side is given.

    Raises:
        UsageError: The options contradict each other, or a relative length is no whole number of hours.
    """
    if since is not None or until is not None:
        return window_of(since, until, last, now=now())
    length = timedelta(hours=_HOURS) if last is None else duration_of(last)
    if length % timedelta(hours=1):
        hint = "A query is bounded by hours: write 2h, or give --from and --to."
        raise UsageError(f"--last {last} is no whole number of hours.", hint=hint)
    return Last(hours=length // timedelta(hours=1))


class _Work:
    """Rules on their way to text; keeps what was made, what was refused, and what a reader should know."""

    def __init__(self, chooser: Layouts, engine: EngineKind, span: Span) -> None:
        self._chooser = chooser
        self._engine = engine
        self._span = span
        self.made: list[tuple[Query, str]] = []
        self.refused: list[tuple[str, AibrError]] = []
        self._notes: dict[str, None] = {}
        self._names: dict[str, str] = {}
        self._correlations: set[str] = set()

    def compile(self, rules: Sequence[Rule], form: Form) -> None:
        """Make the text of all rules, layout by layout."""
        from aibr_hunt.compile.pack import pack

        for (mapping, layout), group in self._grouped(rules):
            asking = asking_of(group, mapping, layout, self._span)
            self._note_layouts(mapping, layout)
            for part in [[rule] for rule in group] if form is Form.WHOLE else [group]:
                packed = pack(part, asking, form)
                self.made += [(query, name_of(mapping)) for query in packed.queries]
                self.refused += [(rule.name, error) for rule, error in packed.refused]
                for rule in packed.unsieved:
                    self._note(f"{rule.name}: its sieve lets every row through; its query reads all of the span.")

    def correlate(self, corpus: Corpus) -> None:
        """Make the text of each correlation that was asked for; those that only serve others are part of these."""
        from aibr_hunt.cli.correlated import compiled, sources_of

        sources = sources_of(corpus)
        for correlation in corpus.correlations:
            if correlation.id in corpus.silent:
                continue
            self._names[correlation.id] = correlation.name
            self._correlations.add(correlation.id)
            try:
                query, mapping = compiled(correlation, sources, chooser=self._chooser, at=(self._engine, self._span))
            except Unsupported as refusal:
                self.refused.append((correlation.name, refusal))
                continue
            self._note_layouts(mapping, query.layout)
            self.made.append((query, name_of(mapping)))

    def _grouped(self, rules: Sequence[Rule]) -> Iterable[tuple[tuple[Mapping | None, Layout], list[Rule]]]:
        groups: dict[str, tuple[tuple[Mapping | None, Layout], list[Rule]]] = {}
        for rule in rules:
            self._names[rule.id] = rule.name
            mapping = self._chooser.mapping_of(rule.logsource)
            try:
                layout = layout_of(rule, mapping, self._engine, self._chooser)
            except Unsupported as refusal:
                self.refused.append((rule.name, refusal))
                continue
            groups.setdefault(name_of(mapping), ((mapping, layout), []))[1].append(rule)
        return groups.values()

    def _note(self, line: str) -> None:
        self._notes[line] = None

    def _note_layouts(self, mapping: Mapping | None, layout: Layout) -> None:
        known = {each.name: each.table for each in self._chooser.layouts(mapping, self._engine)}
        others = [name for name in known if name != layout.name]
        blanks = _TO_FILL.findall(layout.table) if known[layout.name] == layout.table else []
        if blanks:
            key = f"{name_of(mapping)}.{layout.engine.value}.{layout.name}"
            self._note(f"{layout.table}: {', '.join(blanks)} is to be filled in: by --table, or by {key} in [tables] of aibr-hunt.toml.")
        if others and not self._chooser.is_layout_given:
            self._note(f"{name_of(mapping)}: read from {layout.label}; --layout chooses another: {', '.join(others)}.")

    def tell(self) -> None:
        """Say on standard error what a reader of the text should know."""
        from aibr_hunt.compile.limits import SCHEDULED_RULE

        for query, _ in self.made:
            if self._engine is EngineKind.KQL and not SCHEDULED_RULE.admits(query):
                is_one = len(query.rules) == 1 or query.rules[0] in self._correlations
                names = self._names.get(query.rules[0], "") if is_one else counted(len(query.rules), "rule")
                length = f"{SCHEDULED_RULE.length(query):,} {SCHEDULED_RULE.unit.value}"
                self._note(f"{names}: the query has {length}; {SCHEDULED_RULE.taker} takes {SCHEDULED_RULE.text:,}.")
        if any("as a whole" in error.construct for _, error in self.refused if isinstance(error, Unsupported)):
            self._note("`--form sieve` prints what such a rule can be narrowed to; what comes back is to be matched.")
        for line in self._notes:
            complain(line, level="warning")


def layout_of(rule: Rule, mapping: Mapping | None, engine: EngineKind, chooser: Layouts) -> Layout:
    """Return the layout on which a rule is asked.

    Raises:
        Unsupported: No mapping serves its log source, or the mapping has no layout of the engine.
        UsageError: A layout was named that the mapping lacks.
    """
    layout = chooser.layout(mapping, engine)
    if layout is None:
        why = "no mapping serves it." if mapping is None else "its mapping has no layout there."
        raise Unsupported(f"log source {rule.logsource} on {engine.value}", why, hint=has_layouts(mapping))
    return layout


def asking_of(rules: Sequence[Rule], mapping: Mapping | None, layout: Layout, span: Span) -> Asking:
    """Return what texts of the rules are made for; a rule that cannot be bound has no meaning there, and no digest."""
    from aibr_hunt.compile.program import Asking
    from aibr_hunt.engines.program import meaning_digest
    from aibr_hunt.meaning.places import Locator

    meanings: dict[str, str] = {}
    for rule in rules:
        try:
            meanings[rule.id] = meaning_digest(rule, mapping)
        except Unsupported:
            continue  # the compiler refuses it by name
    return Asking(locator=Locator(mapping, layout), span=span, meanings=meanings)


def _print(made: Sequence[tuple[Query, str]], *, as_json: bool) -> None:
    for number, (query, mapping) in enumerate(made):
        if as_json:
            say_json(_row(query, mapping))
            continue
        if number:
            say()
        # Several statements are told apart: by a semicolon in SQL, by an empty line in KQL.
        is_parted = len(made) > 1 and query.layout.engine is not EngineKind.KQL
        _say_text(query.text.removesuffix("\n") + (";" if is_parted else ""))


def _say_text(text: str) -> None:
    """Print a text to be pasted: as it is, but for characters that would act on the terminal that shows it."""
    shown = visible(text, keep_lines=True)
    if shown == text or not sys.stdout.isatty():
        say_verbatim(text)
        return
    complain(r"The text holds characters that act on a terminal, shown as \uXXXX: redirect it to a file to paste it.", level="warning")
    say_verbatim(shown)


def _row(query: Query, mapping: str) -> dict[str, object]:
    return {
        "engine": query.layout.engine.value,
        "mapping": mapping,
        "layout": query.layout.name,
        "table": query.layout.table,
        "form": query.form.value,
        "rules": list(query.rules),
        "sha256": query.digest,
        "bytes": query.size,
        "assumptions": list(query.assumptions),
        "text": query.text,
    }


# -- summary ----------------------------------------------------------------------------------------------------------


def _summarise(corpus: Corpus, engine: EngineKind, chooser: Layouts, span: Span, *, loading_s: float, as_json: bool) -> None:
    from aibr_hunt.compile.summary import Fate, Outcome, reason_of, summary_of

    started = time.perf_counter()
    askings: dict[str, Asking] = {}
    fates = [_fate(rule, engine, chooser, span=span, askings=askings) for rule in corpus.rules]
    compiling_s = time.perf_counter() - started
    unread = [Fate(outcome=Outcome.REFUSED, reasons=(_not_read(reason_of(error)),)) for _, error in corpus.refused]
    found = summary_of([*fates, *unread])
    windows = summary_of(_correlation_fates(corpus, engine, chooser, span=span))
    rates = {
        "compiled_per_s": round(len(fates) / max(compiling_s, 1e-9)),
        "loaded_and_compiled_per_s": round(len(fates) / max(compiling_s + loading_s, 1e-9)),
    }
    if as_json:
        say_json(_summary_row(engine, found) | {"correlations": _counts_and_reasons(windows, "correlations")} | rates)
        return
    _say_summary(engine.value, "rule", found)
    say(f"  {rates['compiled_per_s']:,} rules a second; {rates['loaded_and_compiled_per_s']:,} with reading them")
    _say_reasons(found)
    if any(windows.outcomes.values()):
        _say_summary(engine.value, "correlation", windows)
        _say_reasons(windows)


def _not_read(reason: Reason) -> Reason:
    return replace(reason, what=f"not read: {reason.what}")


def _fate(rule: Rule, engine: EngineKind, chooser: Layouts, *, span: Span, askings: dict[str, Asking]) -> Fate:
    from aibr_hunt.compile.summary import Fate, Outcome, fate_of, reason_of

    mapping = chooser.mapping_of(rule.logsource)
    try:
        layout = layout_of(rule, mapping, engine, chooser)
    except Unsupported as refusal:
        return Fate(outcome=Outcome.REFUSED, reasons=(reason_of(refusal),))
    if name_of(mapping) not in askings:
        askings[name_of(mapping)] = asking_of((), mapping, layout, span)
    return fate_of(rule, askings[name_of(mapping)])


def _correlation_fates(corpus: Corpus, engine: EngineKind, chooser: Layouts, *, span: Span) -> Iterable[Fate]:
    """Yield what becomes of each correlation that was asked for: nothing is a superset of its windows, so there is no sieve."""
    from aibr_hunt.cli.correlated import compiled, sources_of
    from aibr_hunt.compile.summary import Fate, Outcome, reason_of

    sources = sources_of(corpus)
    for correlation in corpus.correlations:
        if correlation.id in corpus.silent:
            continue
        try:
            compiled(correlation, sources, chooser=chooser, at=(engine, span))
        except Unsupported as refusal:
            yield Fate(outcome=Outcome.REFUSED, reasons=(reason_of(refusal),))
        else:
            yield Fate(outcome=Outcome.WHOLE)


def _summary_row(engine: EngineKind, found: Summary) -> dict[str, object]:
    return {"engine": engine.value, **_counts_and_reasons(found, "rules")}


def _counts_and_reasons(found: Summary, what: str) -> dict[str, object]:
    reasons = {
        outcome.value: [{"reason": reason, what: count, "details": dict(details)} for reason, count, details in rows]
        for outcome, rows in found.reasons.items()
    }
    return {**{outcome.value: count for outcome, count in found.outcomes.items()}, "reasons": reasons}


def _say_summary(engine: str, what: str, found: Summary) -> None:
    # A correlation is whole or refused: the other outcomes are those of rules.
    shown = {
        outcome: count for outcome, count in found.outcomes.items() if what == "rule" or count or outcome.value in {"whole", "refused"}
    }
    counts = ", ".join(f"{outcome.value} {count:,}" for outcome, count in shown.items())
    say(f"{engine}: {counted(sum(found.outcomes.values()), what)}: {counts}")


def _say_reasons(found: Summary) -> None:
    for outcome, rows in found.reasons.items():
        say(f"  {outcome.value}:")
        for what, count, details in rows:
            named = ", ".join(f"{detail} {times:,}" for detail, times in details[:_SHOWN_DETAILS])
            more = f", {len(details) - _SHOWN_DETAILS:,} more" if len(details) > _SHOWN_DETAILS else ""
            say(f"    {count:>6,}  {what}{f' ({named}{more})' if named else ''}")

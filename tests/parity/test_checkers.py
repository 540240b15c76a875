"""Every shipped rule on every layout of its log source: the official checkers accept what is compiled, refusals are known by name, and the
programs find among the rules' own cases what the matcher finds.

After a change that is meant, `AIBR_RENEW_GOLDEN=1 pytest tests/parity/test_checkers.py` renews the list of refusals.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from aibr_hunt.compile.program import Asking, sieve_query, whole_query
from aibr_hunt.content.cases import Case, cases_path, load_cases
from aibr_hunt.content.library import Library
from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import RAW, raw_layout
from aibr_hunt.model.layout import ColumnPath, EngineKind, Layout
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.query import Form, Last, Query, Span
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.parity.engine_parity import breaks_an_assumption
from tests.parity.rows import Misfit, mark, raw_row, row_of_record
from tests.parity.test_engine_parity import STANDINS
from tests.standins import googlesql, kusto, trino_grammar
from tests.standins.contract import Gap, Rejected

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "refusals.txt"
LIBRARY = Library()
CORPUS = LIBRARY.load_all()
EVER = Window(start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
FORMS: dict[Form, Callable[[Sequence[Rule], Asking], Query]] = {Form.WHOLE: whole_query, Form.SIEVE: sieve_query}
MOST_MISFITS = 0.10
MOST_OF_ONE = 3
Record: TypeAlias = Callable[[str, object], None]


@cache
def mapped() -> tuple[tuple[Mapping, tuple[Rule, ...]], ...]:
    """Return each mapping that shipped rules are for, with those rules."""
    found: dict[str, tuple[Mapping, list[Rule]]] = {}
    for rule in CORPUS.rules:
        mapping = LIBRARY.mapping_for(rule.logsource)
        assert mapping is not None, rule.name
        found.setdefault(mapping.name, (mapping, []))[1].append(rule)
    return tuple((mapping, tuple(rules)) for mapping, rules in found.values())


def places() -> Iterator[tuple[Mapping, Layout, tuple[Rule, ...]]]:
    """Yield every layout on which shipped rules may be asked, the generated one included."""
    for mapping, rules in mapped():
        for layout in (*mapping.layouts, raw_layout()):
            yield mapping, layout, rules


PLACES = tuple(places())
# Layouts that differ by names of tables and by partitions alone: the slow test takes all of them.
UNLIKE = tuple(
    {(mapping.name, layout.engine, layout.places): (mapping, layout, rules) for mapping, layout, rules in reversed(PLACES)}.values()
)
IDS = [f"{mapping.name}-{layout.label}" for mapping, layout, _ in PLACES]


def asking(mapping: Mapping, layout: Layout, span: Span, rules: Sequence[Rule]) -> Asking:
    meanings = {rule.id: meaning_digest(rule, mapping) for rule in rules}
    return Asking(locator=Locator(mapping, layout), span=span, meanings=meanings)


def queries(mapping: Mapping, layout: Layout, rules: Sequence[Rule]) -> Iterator[tuple[str, Query | Unsupported]]:
    """Yield each rule in each form over a window, and all that can be asked in one program over a span that ends now."""
    ever, last = (asking(mapping, layout, span, rules) for span in (EVER, Last(hours=24)))
    for form, query in FORMS.items():
        askable: list[Rule] = []
        for rule in rules:
            name = f"{rule.name}\t{layout.label}\t{form.value}"
            try:
                yield name, query([rule], ever)
                askable.append(rule)
            except Unsupported as refusal:
                yield name, refusal
        if askable:
            yield f"all at once\t{layout.label}\t{form.value}", query(askable, last)


# -- refusals -----------------------------------------------------------------------------------------------------


def test_refusals_are_those_that_were_looked_at(record_property: Record) -> None:
    refused: set[str] = set()
    count = 0
    for mapping, layout, rules in PLACES:
        for name, answer in queries(mapping, layout, rules):
            count += 1
            if isinstance(answer, Unsupported):
                refused.add(f"{name}\t{answer.construct}: {answer.why}")
    text = "".join(f"{line}\n" for line in sorted(refused))
    if os.environ.get("AIBR_RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    assert text == GOLDEN.read_text(encoding="utf-8"), "set AIBR_RENEW_GOLDEN=1 to renew it, and read the difference"
    record_property("parity", f"shipped rules: {count} programs asked for, {len(refused)} refusals")


# -- official checkers --------------------------------------------------------------------------------------------


def complaints(layout: Layout, text: str) -> list[str]:
    """Return what the engine's checker has against a program, and what its stand-in has that runs it over no rows."""
    match layout.engine:
        case EngineKind.BIGQUERY:
            return googlesql.analyze(text, [layout])
        case EngineKind.KQL:
            return kusto.check(text, [layout])
        case EngineKind.ATHENA:
            return [*trino_grammar.check(text), *_run(layout, text)]
        case EngineKind.DUCKDB:
            return _run(layout, text)


def _run(layout: Layout, text: str) -> list[str]:
    try:
        rows = STANDINS[layout.engine]().rows(text)
    except (Gap, Rejected) as error:
        return [str(error)]
    return [f"{len(rows)} rows of an empty table"] if rows else []


@pytest.mark.parametrize(("mapping", "layout", "rules"), PLACES, ids=IDS)
def test_official_checker_accepts_every_program(mapping: Mapping, layout: Layout, rules: tuple[Rule, ...], record_property: Record) -> None:
    if layout.engine in {EngineKind.ATHENA, EngineKind.DUCKDB}:
        STANDINS[layout.engine]().load(layout, [])
    accepted = 0
    wrong: list[str] = []
    for name, answer in queries(mapping, layout, rules):
        if isinstance(answer, Query):
            found = complaints(layout, answer.text)
            accepted += not found
            wrong += [f"{name}: {each}\n{answer.text}" for each in found]
    assert not wrong, f"{len(wrong)} complaints; the first:\n{wrong[0]}"
    assert accepted >= 2 * len(FORMS)
    record_property("parity", f"{mapping.name} {layout.label}: the checker accepts {accepted} programs")


@pytest.mark.parametrize("engine", EngineKind)
def test_checker_complains_of_a_program_that_is_wrong(engine: EngineKind) -> None:
    """What accepts everything proves nothing."""
    mapping, layout, rules = next(each for each in PLACES if each[1].engine is engine)
    if engine in {EngineKind.ATHENA, EngineKind.DUCKDB}:
        STANDINS[engine]().load(layout, [])
    text = next(answer.text for _, answer in queries(mapping, layout, rules) if isinstance(answer, Query))
    assert complaints(layout, text) == []
    column = layout.columns[1].name
    assert complaints(layout, text.replace(column, f"{column}_not_there"))
    assert complaints(layout, f"{text})")


# -- the rules' own cases -----------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What became of the cases of one layout."""

    ran: Counter[str] = field(default_factory=Counter)
    misfits: Counter[str] = field(default_factory=Counter)
    assumed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@cache
def cases_of(rule: Rule) -> tuple[Case, ...]:
    return load_cases(cases_path(CORPUS.files[rule.id], rule.tests_path)).cases


@pytest.mark.parametrize(("mapping", "layout", "rules"), UNLIKE, ids=[f"{mapping.name}-{layout.label}" for mapping, layout, _ in UNLIKE])
def test_programs_find_the_cases_that_the_matcher_finds(
    mapping: Mapping, layout: Layout, rules: tuple[Rule, ...], record_property: Record
) -> None:
    most = MOST_OF_ONE if layout.name != RAW else 1_000
    record_property("parity", f"{mapping.name} {layout.label}: {_compare_all(mapping, layout, rules, most)}")


@pytest.mark.slow
@pytest.mark.parametrize(("mapping", "layout", "rules"), PLACES, ids=IDS)
def test_programs_find_every_case_that_the_matcher_finds(
    mapping: Mapping, layout: Layout, rules: tuple[Rule, ...], record_property: Record
) -> None:
    record_property("parity", f"{mapping.name} {layout.label}: {_compare_all(mapping, layout, rules, 1_000)}")


def _compare_all(mapping: Mapping, layout: Layout, rules: Sequence[Rule], most: int) -> str:
    """Compare the cases of rules, at most so many of those that differ by one listed value; return the figures."""
    found = _Found()
    for rule in rules:
        _compare(rule, mapping, layout, found, most=most)
    total = found.ran[Form.SIEVE] + found.misfits.total()
    if found.wrong:
        pytest.fail(f"{len(found.wrong)} disagreements:\n" + "\n".join(found.wrong), pytrace=False)
    assert found.misfits.total() <= MOST_MISFITS * total, found.misfits
    assert found.assumed.total() <= MOST_MISFITS * total, found.assumed
    return (
        f"{found.ran[Form.WHOLE]} cases whole, {found.ran[Form.SIEVE]} sieved, {dict(found.misfits)} misfits, {dict(found.assumed)} assumed"
    )


def _compare(rule: Rule, mapping: Mapping, layout: Layout, found: _Found, *, most: int) -> None:
    about = asking(mapping, layout, EVER, [rule])
    texts = dict(_texts(rule, about))
    if not texts:
        return
    matcher = compile_rules([rule], mapping)
    cases: dict[str, Case] = {}
    rows: list[dict[str, object]] = []
    families: Counter[str] = Counter()
    for number, case in enumerate(cases_of(rule)):
        family = case.name.partition("[")[0]
        families[family] += 1
        if families[family] > most:
            continue
        try:
            row = raw_row(case.event, layout) if layout.name == RAW else row_of_record(case.event, mapping, layout)
        except Misfit as misfit:
            found.misfits[str(misfit)] += 1
            continue
        mark(row, layout, f"case {number}")
        cases[f"case {number}"] = case
        rows.append(row)
    hits = {name for name, case in cases.items() if matcher.match(case.event)}
    broken = {name for name, case in cases.items() if breaks_an_assumption(rule.predicate, [case.event], about.locator)}
    standin = STANDINS[layout.engine]()
    standin.load(layout, rows)
    for form, text in texts.items():
        got = {_marked(row, layout, layout.identity[-1]) for row in standin.rows(text)}
        doubt = broken if form is Form.WHOLE else set()
        missed, invented = hits - got - doubt, (got - hits - doubt if form is Form.WHOLE else set())
        found.ran[form] += len(rows) - len(doubt)
        found.assumed.update({rule.name: len(doubt)} if doubt else {})
        for what, names in (("missed", missed), ("invented", invented)):
            found.wrong += [f"{layout.label} {rule.name} {form.value}: {what} {cases[name].name}" for name in sorted(names)]


def _texts(rule: Rule, about: Asking) -> Iterator[tuple[Form, str]]:
    for form, query in FORMS.items():
        try:
            yield form, query([rule], about).text
        except Unsupported:
            continue  # told by the list of refusals


def _marked(row: tuple[object, ...], layout: Layout, path: ColumnPath) -> str:
    """Return the name that `mark` gave the event of a row."""
    names = [column.name for column in layout.columns]
    value, of = row[names.index(path.column)], layout.columns[names.index(path.column)].type
    for step in path.steps:
        members = [name for name, _ in of.members]
        value = value[step] if isinstance(value, dict) else cast("tuple[object, ...]", value)[members.index(step)]
        of = dict(of.members)[step]
    return str(value)

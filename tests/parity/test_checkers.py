"""Every shipped rule on every layout of its log source: the official checkers accept what is compiled, refusals are known by name, and the
programs find among the rules' own cases what the matcher finds.

After a change that is meant, `AIBR_RENEW_GOLDEN=1 pytest tests/parity/test_checkers.py`, in one process, renews the list of refusals.
"""

from __future__ import annotations

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
from tests.built_in import LIBRARY, every_rule
from tests.parity.engine_parity import breaks_an_assumption
from tests.parity.rows import Misfit, mark, raw_row, row_of_record, unread
from tests.parity.sections import hold, section, sections
from tests.parity.test_engine_parity import STANDINS
from tests.standins import googlesql, kusto, trino_grammar
from tests.standins.contract import Gap, Rejected

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "refusals.txt"
CORPUS = every_rule()
LEADS = frozenset(rule.id for rule in CORPUS.rules)
EVER = Window(start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
FORMS: dict[Form, Callable[[Sequence[Rule], Asking], Query]] = {Form.WHOLE: whole_query, Form.SIEVE: sieve_query}
MOST_MISFITS = 0.10
MOST_OF_ONE = 3
Record: TypeAlias = Callable[[str, object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A layout on which shipped rules may be asked.

    Attributes:
        rules: Every rule of its log source, those that only serve correlations included.
        is_first: It is the first of its engine for that log source: `make test` asks every single program of it.
    """

    mapping: Mapping
    layout: Layout
    rules: tuple[Rule, ...]
    is_first: bool

    @property
    def name(self) -> str:
        """How tests and the list of refusals call it."""
        return f"{self.mapping.name}-{self.layout.label}"


def mapped() -> dict[str, tuple[Mapping, list[Rule]]]:
    """Return each mapping that shipped rules are for, with those rules."""
    found: dict[str, tuple[Mapping, list[Rule]]] = {}
    for rule in CORPUS.matched:
        mapping = LIBRARY.mapping_for(rule.logsource)
        assert mapping is not None, rule.name
        found.setdefault(mapping.name, (mapping, []))[1].append(rule)
    return found


def sites() -> Iterator[Site]:
    """Yield every layout on which shipped rules may be asked, the generated one included."""
    for mapping, rules in mapped().values():
        seen: set[EngineKind] = set()
        for layout in (*mapping.layouts, raw_layout()):
            yield Site(mapping=mapping, layout=layout, rules=tuple(rules), is_first=layout.engine not in seen)
            seen.add(layout.engine)


SITES = tuple(sites())
# Layouts that differ by names of tables and by partitions alone: the slow test takes all of them.
UNLIKE = tuple({(site.mapping.name, site.layout.engine, site.layout.places): site for site in reversed(SITES)}.values())


def asking(mapping: Mapping, layout: Layout, span: Span, rules: Sequence[Rule]) -> Asking:
    meanings = {rule.id: meaning_digest(rule, mapping) for rule in rules}
    return Asking(locator=Locator(mapping, layout), span=span, meanings=meanings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the compiler says to one rule in one form, or to all that can be asked in one program (then without a rule)."""

    form: Form
    rule: Rule | None
    answer: Query | Unsupported


def answers(site: Site) -> Iterator[Answer]:
    """Yield each rule in each form over a window, and all that can be asked in one program over a span that ends now."""
    ever, last = (asking(site.mapping, site.layout, span, site.rules) for span in (EVER, Last(hours=24)))
    for form, query in FORMS.items():
        askable: list[Rule] = []
        for rule in site.rules:
            try:
                yield Answer(form=form, rule=rule, answer=query([rule], ever))
                askable.append(rule)
            except Unsupported as refusal:
                yield Answer(form=form, rule=rule, answer=refusal)
        if askable:
            yield Answer(form=form, rule=None, answer=query(askable, last))


# -- refusals -----------------------------------------------------------------------------------------------------


def check_refusals(site: Site, found: Sequence[Answer]) -> None:
    """Hold the refusals of a layout to the list: each form and reason with the rules that it meets."""
    named: dict[tuple[str, str], list[str]] = {}
    for each in found:
        if isinstance(each.answer, Unsupported) and each.rule is not None:
            construct = "" if each.answer.construct.startswith(f"rule {each.rule.name} ") else f"{each.answer.construct}: "
            named.setdefault((each.form.value, f"{construct}{each.answer.why}"), []).append(each.rule.name)
    refused = {f"{form}, {len(names)} of {len(site.rules)}: {why}": names for (form, why), names in named.items()}
    hold(GOLDEN, site.name, section(site.name, refused), [each.name for each in SITES])


def test_the_list_of_refusals_names_only_layouts_that_are_there() -> None:
    assert sections(GOLDEN).keys() <= {site.name for site in SITES}


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


def check_programs(site: Site, found: Sequence[Answer], *, every: bool) -> int:
    """Fail on the first program that the checker does not accept; return how many it accepts: those of many rules, or every one."""
    if site.layout.engine in {EngineKind.ATHENA, EngineKind.DUCKDB}:
        STANDINS[site.layout.engine]().load(site.layout, [])
    asked = [each for each in found if isinstance(each.answer, Query) and (every or each.rule is None)]
    for each in asked:
        assert isinstance(each.answer, Query)
        wrong = complaints(site.layout, each.answer.text)
        if wrong:
            of = "all at once" if each.rule is None else each.rule.name
            pytest.fail(f"{of} on {site.name}, {each.form.value}: {wrong[0]}\n{each.answer.text}", pytrace=False)
    assert len(asked) >= (2 if every else 1)
    return len(asked)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_official_checker_accepts_every_program_that_is_not_refused_as_listed(site: Site, record_property: Record) -> None:
    """Every rule once on every engine, on the first layout of its log source there; on further layouts all rules in one program.

    The programs of further layouts differ in names of columns and in how they reach a value, and hold the same conditions as the one
    program that is checked. The slow test asks for each of them alone.
    """
    found = list(answers(site))
    check_refusals(site, found)
    accepted = check_programs(site, found, every=site.is_first)
    refused = sum(isinstance(each.answer, Unsupported) for each in found)
    record_property("parity", f"{site.name}: the checker accepts {accepted} programs of {len(found)}, {refused} refusals")


@pytest.mark.slow
@pytest.mark.parametrize("site", [site for site in SITES if not site.is_first], ids=lambda site: site.name)
def test_official_checker_accepts_every_program_of_every_layout(site: Site, record_property: Record) -> None:
    accepted = check_programs(site, list(answers(site)), every=True)
    record_property("parity", f"{site.name}: the checker accepts {accepted} programs")


@pytest.mark.parametrize("engine", EngineKind)
def test_checker_complains_of_a_program_that_is_wrong(engine: EngineKind) -> None:
    """What accepts everything proves nothing."""
    site = next(site for site in SITES if site.layout.engine is engine)
    layout = site.layout
    if engine in {EngineKind.ATHENA, EngineKind.DUCKDB}:
        STANDINS[engine]().load(layout, [])
    text = next(each.answer.text for each in answers(site) if isinstance(each.answer, Query))
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


@pytest.mark.parametrize("site", UNLIKE, ids=lambda site: site.name)
def test_programs_find_the_cases_that_the_matcher_finds(site: Site, record_property: Record) -> None:
    """Of the cases that differ by one listed value, the first ones stand for the rest; the slow test takes all, on all layouts."""
    most = MOST_OF_ONE if site.layout.name != RAW else 1_000
    record_property("parity", f"{site.name}: {_compare_all(site, most)}")


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_programs_find_every_case_that_the_matcher_finds(site: Site, record_property: Record) -> None:
    record_property("parity", f"{site.name}: {_compare_all(site, 1_000)}")


def _compare_all(site: Site, most: int) -> str:
    """Compare the cases of rules, at most so many of those that differ by one listed value; return the figures."""
    found = _Found()
    for rule in site.rules:
        if rule.id in LEADS:
            _compare(rule, site.mapping, site.layout, found, most=most)
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
    matcher, name_at = compile_rules([rule], mapping), unread(rule, mapping, layout)
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
        mark(row, name_at, f"case {number}")
        cases[f"case {number}"] = case
        rows.append(row)
    hits = {name for name, case in cases.items() if matcher.match(case.event)}
    broken = {name for name, case in cases.items() if breaks_an_assumption(rule.predicate, [case.event], about.locator)}
    standin = STANDINS[layout.engine]()
    standin.load(layout, rows)
    for form, text in texts.items():
        got = {_marked(row, layout, name_at) for row in standin.rows(text)}
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

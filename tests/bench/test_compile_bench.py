"""`make bench`: what compiling costs, and how many queries generated rules become on each engine. What is asserted holds on any machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from aibr_hunt.compile.limits import LIMITS, SCHEDULED_RULE
from aibr_hunt.compile.pack import pack
from aibr_hunt.compile.program import Asking, whole_query
from aibr_hunt.content.library import Library
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.query import Form, Last
from aibr_hunt.model.rule import LogSource, Rule
from tests.bench.rulesets import master_set

SEED = 4177
COUNTS = (10, 60, 300, 1000)
LABELS = ("athena/projection", "athena/lake", "kql/sentinel", "duckdb/raw", "bigquery/raw")


@cache
def texts() -> tuple[str, ...]:
    """Return the rules as YAML; made when first asked, as collecting this file must cost nothing."""
    return tuple(rule.text for rule in master_set(SEED))


@cache
def mapping() -> Mapping:
    """Return the mapping that the rules are bound on."""
    found = Library().mapping_for(LogSource(product="aws", service="cloudtrail"))
    assert found is not None
    return found


def layout_named(label: str) -> Layout:
    """Return a layout of the rules' log source."""
    # No shipped layout has CloudTrail on BigQuery: whole records as JSON stand in for one.
    raw = (raw_layout(), replace(raw_layout(), engine=EngineKind.BIGQUERY))
    return next(layout for layout in (*mapping().layouts, *raw) if layout.label == label)


def load(count: int) -> list[Rule]:
    """Return the first rules, parsed anew."""
    return [load_rule_text(text, "bench.yml") for text in texts()[:count]]


def asking(layout: Layout) -> Asking:
    """Return what the rules are compiled for, with nothing found yet."""
    return Asking(locator=Locator(mapping(), layout), span=Last(hours=24), meanings={})


def compile_all(rules: Sequence[Rule], layout: Layout) -> int:
    """Compile each rule whole; return how many could be."""
    target, made = asking(layout), 0
    for rule in rules:
        try:
            whole_query([rule], target)
        except Unsupported:
            continue
        made += 1
    return made


@pytest.mark.bench
def test_a_thousand_rules_compile_within_seconds() -> None:
    count = 300
    print(f"\n{'layout':<18} {'rules/s':>8} {'with parsing':>13}")
    for layout in map(layout_named, LABELS):
        started = time.perf_counter()
        rules = load(count)
        parsed = time.perf_counter()
        made = compile_all(rules, layout)
        ended = time.perf_counter()
        print(f"{layout.label:<18} {count / (ended - parsed):>8.0f} {count / (ended - started):>13.0f}")
        assert made > count * 0.9
        assert ended - parsed < count / 50, "fewer than 50 rules a second"


@pytest.mark.bench
@pytest.mark.parametrize("label", LABELS)
def test_generated_rules_fit_into_few_queries(label: str) -> None:
    layout, rules = layout_named(label), load(max(COUNTS))
    limits = LIMITS[layout.engine]
    print(f"\n{layout.label}, limit {limits.text or 'none'} {limits.unit.value}")
    print(f"{'rules':>6} {'form':<6} {'queries':>7} {'total':>10} {'longest':>9} {'unsieved':>8} {'refused':>7} {'seconds':>7}")
    for count in COUNTS:
        for form in Form:
            started = time.perf_counter()
            packed = pack(rules[:count], asking(layout), form)
            seconds = time.perf_counter() - started
            sizes = [limits.length(query) for query in packed.queries]
            print(
                f"{count:>6} {form.value:<6} {len(sizes):>7} {sum(sizes):>10,} {max(sizes):>9,} {len(packed.unsieved):>8} "
                f"{len(packed.refused):>7} {seconds:>7.2f}"
            )
            assert all(map(limits.admits, packed.queries))
            assert sum(len(query.rules) for query in packed.queries) + len(packed.refused) == count
            if form is Form.SIEVE and not packed.unsieved:
                # The planners' limit on tests in one query splits before any limit on text does: some 250 rules a query.
                assert len(sizes) <= max(1, count // 250)
    small = pack(rules[:300], asking(layout), Form.SIEVE, limits=SCHEDULED_RULE)
    print(f"   300 sieve  under the {SCHEDULED_RULE.text:,} characters of {SCHEDULED_RULE.taker}: {len(small.queries)} queries")

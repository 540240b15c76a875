"""What a run over cloud Sources would ask, with the engines' estimates: nothing is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aibr_hunt.compile.pulse import pulse_query
from aibr_hunt.engines.cloud.asking import LOST, Surroundings, question_of
from aibr_hunt.engines.cloud.protocol import CloudEngine, Estimate, Question
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Part
from aibr_hunt.hunt.run import Plan
from aibr_hunt.model.source import Source

PULSE = "pulse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One program that would be asked.

    Attributes:
        source: Where. `question`: what.
        rules: Ids of the rules that it asks for; empty for the pulse.
        form: `whole`, `sieve` or PULSE.
        estimate: What the engine says that it would scan; None when it did not say.
        money: What that costs by the configured price; None without a price or an estimate. `currency`: of it.
        fault: Why there is no estimate: what the engine says is wrong; empty otherwise.
    """

    source: Source
    question: Question
    rules: tuple[str, ...]
    form: str
    estimate: Estimate | None = None
    money: float | None = None
    currency: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A rule that a Source would not be asked, and why."""

    source: Source
    rule: str
    why: str


def planned(
    sources: Sequence[Source], open_engine: Callable[[Source], CloudEngine], *, plan: Plan, around: Surroundings
) -> Iterator[Planned | Refused]:
    """Yield each program that would be asked first, Source by Source; what is lost would be asked again in halves."""
    for source in sources:
        part = plan.program.parts.get(source.mapping.name)
        if part is None:
            continue
        engine = open_engine(source)
        try:
            yield from _of_source(source, engine, part, plan=plan, around=around)
        finally:
            engine.close()


def _of_source(source: Source, engine: CloudEngine, part: Part, *, plan: Plan, around: Surroundings) -> Iterator[Planned | Refused]:
    scan = SourceScan(source, engine, part, plan.window, around)
    programs = [(query.text, query.rules, query.form.value) for query in scan.programs()]
    yield from (Refused(source=source, rule=rule, why=why) for rule, why in scan.findings.refused)
    if programs:
        programs.append((pulse_query(source.layout, plan.window), (), PULSE))
    for text, rules, form in programs:
        question = question_of(source, text, plan.window, run=around.run)
        try:
            estimate = engine.estimate(question)
        except LOST as error:
            yield Planned(source=source, question=question, rules=rules, form=form, fault=str(error))
            continue
        size, price = estimate.scanned_bytes, engine.price
        money = None if price is None or size is None else price.of(size)
        currency = "" if price is None else price.currency
        yield Planned(source=source, question=question, rules=rules, form=form, estimate=estimate, money=money, currency=currency)

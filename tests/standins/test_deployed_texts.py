"""What a pack adds to compiled text still is text of its engine: Microsoft's parser, GoogleSQL's analyser and Trino's grammar say so."""

from __future__ import annotations

from aibr_hunt.hunt import deploy_bigquery
from aibr_hunt.hunt.deploy import Pack, text_of
from aibr_hunt.hunt.deploy_parts import Prepared
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.rule import Rule
from tests.standins import kusto, trino_grammar
from tests.standins.googlesql import analyze
from tests.unit.deploy_samples import (
    HOSTILE_TEXTS,
    HOSTILE_TITLE,
    correlation_of,
    pack_of,
    rule_of,
    shipped,
    shipped_correlations,
    shipped_sources,
)

RUN_TIME = "TIMESTAMP '2026-01-01 00:00:00Z'"


def rules_for(engine: EngineKind) -> list[Rule]:
    """Return the shipped rules and one that a stranger wrote."""
    return [*shipped(), rule_of(engine, title=HOSTILE_TITLE, texts=HOSTILE_TEXTS[:-1])]


def pack_for(engine: EngineKind, *more: Rule) -> Pack:
    """Return the pack of those, of the shipped correlations, and of one of each kind of baseline over the stranger's rule."""
    kinds = (
        CorrelationType.EVENT_COUNT,
        CorrelationType.VALUE_COUNT,
        CorrelationType.FIRST_SEEN,
        CorrelationType.RARE,
        CorrelationType.SPIKE,
    )
    made = [correlation_of(engine, kind, id=f"made-{kind}", name=f"made_{kind}", title=HOSTILE_TITLE) for kind in kinds]
    rules = [*rules_for(engine), *more]
    sources: dict[str, Rule | Correlation] = shipped_sources() | {rule.id: rule for rule in rules}
    pack = pack_of(rules, engine, correlations=[*shipped_correlations(), *made], sources=sources)
    assert {each.name for each in made} <= {each.rule.name for each in pack.prepared}
    return pack


def test_every_text_for_sentinel_is_right_by_microsofts_parser() -> None:
    ported = rule_of(
        EngineKind.KQL,
        2,
        logsource={"product": "azure", "service": "storage_blob"},
        detection={"selection": {"operationName": "GetBlob"}, "condition": "selection"},
    )
    pack = pack_for(EngineKind.KQL, ported)
    faults = {each.stem: kusto.check(text_of(each, pack.asked), [each.layout]) for each in pack.prepared}
    assert {"rule_1", "rule_2"} <= faults.keys()
    assert {stem: found for stem, found in faults.items() if found} == {}


def test_every_text_for_bigquery_is_right_by_googlesqls_analyser() -> None:
    pack = pack_for(EngineKind.BIGQUERY)
    assert any(each.stem == "rule_1" for each in pack.prepared)
    for each in pack.prepared:
        assert analyze(text_of(each, pack.asked).replace("@run_time", RUN_TIME), [each.layout]) == []
        assert analyze(body_of(each), [each.layout]) == []


def body_of(prepared: Prepared) -> str:
    """Return the program that Dataform makes of its file: the placeholder gives a dollar sign."""
    return deploy_bigquery.sqlx(prepared).partition("\n}\n\n")[2].replace('${"$"}', "$")


def test_every_text_for_athena_is_right_by_trinos_grammar() -> None:
    pack = pack_for(EngineKind.ATHENA)
    assert any(each.stem == "rule_1" for each in pack.prepared)
    assert {each.stem: found for each in pack.prepared if (found := trino_grammar.check(each.query.text))} == {}

"""The meaning digest of a correlation: the same for one meaning, another for every change of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aibr_hunt.content.correlation_mutants import mutants_of_correlation
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.correlations import correlation_digest
from aibr_hunt.model.correlation import Correlation, Has, KeyField, Operand
from aibr_hunt.model.mapping import Mapping
from tests.built_in import LIBRARY

CORPUS = LIBRARY.load_rules(["shipped:aws/bedrock"])
SHIPPED = {each.name: each for each in CORPUS.correlations}
MAPPINGS: dict[str, Mapping | None] = {rule.id: LIBRARY.mapping_for(rule.logsource) for rule in CORPUS.matched}
DIGESTS = {thing.id: f"digest of {thing.id}" for thing in CORPUS.things}


def digest(correlation: Correlation) -> str:
    return correlation_digest(correlation, digests=DIGESTS, mappings=MAPPINGS)


def test_every_built_in_correlation_has_a_digest_of_its_own() -> None:
    assert len({digest(each) for each in SHIPPED.values()}) == len(SHIPPED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_change_of_meaning_changes_the_digest(name: str) -> None:
    changed = [digest(mutant.correlation) for mutant in mutants_of_correlation(SHIPPED[name])]
    assert len({digest(SHIPPED[name]), *changed}) == len(changed) + 1


def test_what_a_correlation_says_of_itself_changes_nothing() -> None:
    whole = SHIPPED["aws_bedrock_guardrail_not_replaced"]
    assert digest(
        replace(whole, id="x", name="x", title="x", path="x", level="low", tags=(), is_generating=True, text_digest="x")
    ) == digest(whole)


def test_by_what_names_it_calls_its_rules_changes_nothing() -> None:
    whole = SHIPPED["aws_bedrock_models_listed_then_run"]
    renamed = replace(whole, operands=tuple(Operand(name=f"n{index}", id=each.id) for index, each in enumerate(whole.operands)))
    assert digest(renamed) == digest(whole)


def test_the_meaning_of_a_rule_is_part_of_it() -> None:
    whole = SHIPPED["aws_bedrock_guardrail_not_replaced"]
    assert correlation_digest(whole, digests=DIGESTS | {whole.operands[1].id: "other"}, mappings=MAPPINGS) != digest(whole)
    with pytest.raises(KeyError):
        correlation_digest(whole, digests={}, mappings=MAPPINGS)


def test_where_its_fields_lie_is_part_of_it() -> None:
    whole = replace(SHIPPED["aws_bedrock_many_models_probed"], group_by=(KeyField(name="sourceipaddress"),))
    assert correlation_digest(whole, digests=DIGESTS) != digest(whole)
    with pytest.raises(Unsupported, match="field nope"):
        digest(replace(whole, group_by=(KeyField(name="nope"),)))


def test_a_chain_reads_its_inner_fields_by_name() -> None:
    whole = SHIPPED["aws_bedrock_answers_harvested"]
    assert digest(replace(whole, group_by=())) != digest(whole)
    assert digest(replace(whole, condition=Has(operand=whole.operands[0].name))) != digest(whole)

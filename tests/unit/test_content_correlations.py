"""Correlations and baselines as authors write them: what each form means, and what every mistake is called, with its line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aibr_hunt.content.correlations import HOUR_US, SECOND_US, UNITS_S
from aibr_hunt.content.drafts import Draft, draft_from_plain, draft_to_plain
from aibr_hunt.content.expressions import MAX_DEPTH
from aibr_hunt.content.sigma import read_sigma_text
from aibr_hunt.errors import AibrError, ContentErrors, Unsupported
from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    Threshold,
)

PLACEHOLDERS = {"calls": ("ListModels", "listmodels", "GetModel")}
HEAD = "title: C\nid: 00000000-0000-4000-8000-0000000000c1\ncorrelation:\n"
RULE = "title: R\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: x}\ndetection: {sel: {f: x}, condition: sel}\n"


def text_of(body: str) -> str:
    """Return a document whose correlation has these lines, the first of which is line 4."""
    return HEAD + "".join(f"  {line}\n" for line in body.split("\n"))


def draft_of(body: str) -> Draft:
    read = read_sigma_text(text_of(body), "folder/name.yml", placeholders=PLACEHOLDERS)
    assert read.faults == ()
    [draft] = read.correlations
    return draft


def parsed(body: str) -> Correlation:
    return draft_of(body).correlation


def faults(body: str, *, whole: str = "") -> list[str]:
    read = read_sigma_text(whole or text_of(body), "c.yml", placeholders=PLACEHOLDERS)
    found: list[str] = []
    for fault in read.faults:
        parts: tuple[AibrError, ...] = fault.errors if isinstance(fault, ContentErrors) else (fault,)
        found += map(str, parts)
    return found


def operands(*names: str) -> tuple[Operand, ...]:
    return tuple(Operand(name=name, id="") for name in names)


# --- what each form means ----------------------------------------------------------------------------------------------------------


def test_a_count_reads_its_rules_group_span_and_threshold() -> None:
    found = parsed("type: event_count\nrules: [a]\ngroup-by: [user, awsRegion]\ntimespan: 15m\ncondition: {gte: 10}")
    assert found.type is CorrelationType.EVENT_COUNT
    assert found.operands == operands("a")
    assert found.group_by == (KeyField(name="user"), KeyField(name="awsRegion"))
    assert found.timespan_us == 15 * 60 * SECOND_US
    assert found.thresholds == (Threshold(comparison=Comparison.GTE, number=Decimal(10)),)
    assert (found.name, found.path, found.id) == ("name", "folder/name.yml", "00000000-0000-4000-8000-0000000000c1")
    assert (found.values, found.population, found.lookback_us, found.minimum, found.is_generating) == ((), None, 0, 1, False)
    assert found.warnings == ()


def test_one_rule_and_one_group_field_may_be_texts() -> None:
    found = parsed("type: event_count\nrules: a\ngroup-by: user\ntimespan: 1h\ncondition: {gt: 5}\ngenerate: true")
    assert (found.operands, found.group_by, found.is_generating) == (operands("a"), (KeyField(name="user"),), True)


def test_an_id_of_a_rule_is_read_without_case() -> None:
    found = parsed("type: event_count\nrules: [00000000-0000-4000-8000-00000000000A]\ntimespan: 1h\ncondition: {gt: 5}")
    assert found.operands == operands("00000000-0000-4000-8000-00000000000a")


def test_several_thresholds_are_a_range() -> None:
    found = parsed("type: event_count\nrules: a\ntimespan: 1h\ncondition: {gt: 1, lte: 3, neq: 2}")
    assert [(each.comparison.value, each.number) for each in found.thresholds] == [
        ("gt", Decimal(1)),
        ("lte", Decimal(3)),
        ("neq", Decimal(2)),
    ]


@pytest.mark.parametrize(("written", "number"), [("0.1", "0.1"), ("'12345678901234'", "12345678901234"), ("-2.5", "-2.5"), ("5.0", "5.0")])
def test_a_threshold_is_the_number_that_is_written(written: str, number: str) -> None:
    found = parsed(f"type: value_sum\nrules: a\ntimespan: 1h\ncondition: {{field: f, gt: {written}}}")
    assert [str(each.number) for each in found.thresholds] == [number]


@pytest.mark.parametrize(
    ("unit", "seconds"), [("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 604800), ("M", 2629746), ("y", 31556952)]
)
def test_a_length_of_time_has_sigma_s_units(unit: str, seconds: int) -> None:
    assert UNITS_S[unit] == seconds
    assert parsed(f"type: event_count\nrules: a\ntimespan: 2{unit}\ncondition: {{gt: 5}}").timespan_us == 2 * seconds * SECOND_US


@pytest.mark.parametrize("kind", ["value_count", "value_sum", "value_avg", "value_median"])
def test_values_are_read_from_the_field_of_the_condition(kind: str) -> None:
    found = parsed(f"type: {kind}\nrules: a\ntimespan: 1h\ncondition: {{field: modelId, gte: 3}}")
    assert (found.type.value, found.values) == (kind, (KeyField(name="modelId"),))


def test_several_fields_of_value_count_make_combinations() -> None:
    found = parsed("type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: [modelId, awsRegion], gte: 3}")
    assert found.values == (KeyField(name="modelId"), KeyField(name="awsRegion"))


def test_a_percentile_stands_beside_its_threshold() -> None:
    found = parsed("type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, percentile: 99.5, gte: 3}")
    assert found.percentile == Decimal("99.5")


def test_an_alias_reads_another_field_in_each_rule() -> None:
    found = parsed("type: temporal\nrules: [a, b]\ntimespan: 1h\ngroup-by: [who]\naliases:\n  who:\n    a: user\n    b: identity.arn")
    assert found.group_by == (KeyField(name="who", fields=(("a", "user"), ("b", "identity.arn"))),)
    assert [found.group_by[0].of(rule) for rule in ("a", "b", "c")] == ["user", "identity.arn", "who"]


A, B, C = Has(operand="a"), Has(operand="b"), Has(operand="c")
CONDITIONS: list[tuple[str, TemporalCondition]] = [
    ("a and b and c", Both(items=(A, B, C))),
    ("a or b and not c", Either(items=(A, Both(items=(B, Lacks(item=C)))))),
    ("(a or b) and not c", Both(items=(Either(items=(A, B)), Lacks(item=C)))),
    ("not c and a and b", Both(items=(Lacks(item=C), A, B))),
    ("a and not (b or c)", Both(items=(A, Lacks(item=Either(items=(B, C)))))),
    ("a AND b And NOT c", Both(items=(A, B, Lacks(item=C)))),
    ("a and not not b and(c)", Both(items=(A, Lacks(item=Lacks(item=B)), C))),
    ("all of them", Both(items=(A, B, C))),
    ("1 of them", Either(items=(A, B, C))),
    ("any of them", Either(items=(A, B, C))),
]


@pytest.mark.parametrize(("text", "meant"), CONDITIONS)
def test_a_condition_in_words_binds_not_before_and_before_or(text: str, meant: TemporalCondition) -> None:
    assert parsed(f"type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: {text}").condition == meant


def test_a_condition_names_its_rules_when_none_are_listed() -> None:
    found = parsed("type: temporal\ntimespan: 1h\ncondition: b and not a")
    assert found.operands == operands("b", "a")
    assert found.looks_forward


def test_a_rule_may_be_called_like_a_word_of_the_language() -> None:
    found = parsed("type: temporal\nrules: [not, or]\ntimespan: 1h\ncondition: not and or")
    assert found.condition == Both(items=(Has(operand="not"), Has(operand="or")))


@pytest.mark.parametrize("condition", ["{gte: 2}", "{eq: 2}"])
@pytest.mark.parametrize("kind", ["temporal", "temporal_ordered"])
def test_a_number_that_asks_for_every_rule_is_no_condition(kind: str, condition: str) -> None:
    assert parsed(f"type: {kind}\nrules: [a, b]\ntimespan: 1h\ncondition: {condition}").condition is None


def test_an_order_may_ask_for_one_rule_twice() -> None:
    assert parsed("type: temporal_ordered\nrules: [a, b, a]\ntimespan: 1h").operands == operands("a", "b", "a")


def test_first_seen_reads_what_is_new_and_over_what() -> None:
    found = parsed("type: first_seen\nrules: [a]\npopulation: p\ngroup-by: key\nfield: [address, agent]\nlookback: 30d")
    assert (found.population, found.lookback_us) == (Operand(name="p", id=""), 30 * 24 * HOUR_US)
    assert found.values == (KeyField(name="address"), KeyField(name="agent"))
    assert [each.name for each in found.sources] == ["a", "p"]


def test_the_population_is_the_one_rule_where_none_is_named() -> None:
    found = parsed("type: first_seen\nrules: [a]\nfield: address\nlookback: 90m")
    assert found.population == found.operands[0]
    assert found.sources == found.operands


def test_rare_and_spike_have_a_minimum_of_their_own() -> None:
    rare = parsed("type: rare\nrules: a\nfield: f\nlookback: 30d\ncondition: {lte: 0.01}")
    spike = parsed("type: spike\nrules: a\nlookback: 14d\ncondition: {gte: 6}")
    given = parsed("type: spike\nrules: a\nlookback: 14d\nminimum: 3\ncondition: {gte: 6}")
    assert (rare.minimum, spike.minimum, given.minimum) == (100, 10, 3)


def test_the_field_of_a_baseline_may_stand_in_its_condition() -> None:
    found = parsed("type: rare\nrules: a\nlookback: 30d\ncondition: {field: f, lte: 0.01}")
    assert found.values == (KeyField(name="f"),)


def test_share_lists_its_values_once_each_by_name_or_placeholder() -> None:
    found = parsed("type: share\nrules: a\nfield: f\nvalues: ['%calls%', One, one]\ntimespan: 1d\ncondition: {gte: 0.4}")
    assert [each.lower() for each in found.listed] == ["listmodels", "getmodel", "one"]
    assert parsed("type: share\nrules: a\nfield: f\nvalues: '%calls%'\ntimespan: 1d\ncondition: {gte: 0.4}").listed == (
        "listmodels",
        "GetModel",
    )
    assert found.population is None


WARNED = [
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: 1}",
        "every window meets the condition: the number of events is always gte 1",
    ),
    ("type: event_count\nrules: a\ntimespan: 1h\ncondition: {gt: 0, neq: 0}", "the number of events is always gt 0 and neq 0"),
    ("type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1}", "the number of values is always gte 1"),
    ("type: share\nrules: a\nfield: f\nvalues: [a, b, c]\ntimespan: 1h\ncondition: {gte: 0.3}", "the share is always gte 0.3"),
    ("type: rare\nrules: a\nfield: f\nlookback: 1d\ncondition: {lte: 1}", "the share of the value is always lte 1"),
    ("type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a or not b", "the condition holds for every event of its rules"),
]


@pytest.mark.parametrize(("body", "warning"), WARNED)
def test_a_condition_that_asks_nothing_earns_a_warning(body: str, warning: str) -> None:
    [found] = parsed(body).warnings
    assert warning in found


@pytest.mark.parametrize(
    "body",
    [
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: 2}",
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gt: 1, lt: 3}",
        "type: share\nrules: a\nfield: f\nvalues: [a, b, c]\ntimespan: 1h\ncondition: {gte: 0.34}",
        "type: share\nrules: a\nfield: f\nvalues: [a, b, c]\ntimespan: 1h\ncondition: {gte: 1}",
        "type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: f, eq: 0}",
        "type: rare\nrules: a\nfield: f\nlookback: 1d\ncondition: {lte: 0.001}",
        "type: value_sum\nrules: a\ntimespan: 1h\ncondition: {field: f, lt: -5}",
        "type: value_avg\nrules: a\ntimespan: 1h\ncondition: {field: f, gt: 5, lt: 6}",
    ],
)
def test_a_condition_that_can_go_either_way_is_right_as_it_is(body: str) -> None:
    assert parsed(body).warnings == ()


# --- what is wrong -----------------------------------------------------------------------------------------------------------------

COUNT = "type: event_count\nrules: [a]\ntimespan: 1h\ncondition: {gte: 10}"
SPAN = "Write a whole number and one of s, m, h, d, w, M (months), y, such as 15m."
TYPES = ", ".join(each.value for each in CorrelationType)
FAULTS: list[tuple[str, str]] = [
    # the document
    ("rules: [a]\ntimespan: 1h", f"c.yml:3: the correlation has no type. The types are {TYPES}."),
    ("type: event_cuont\nrules: [a]", "c.yml:4: 'event_cuont' is no type of a correlation. Did you mean event_count?"),
    ("type: [a]\nrules: [a]", "c.yml:4: ['a'] is no type of a correlation. The types are"),
    (f"{COUNT}\ngroup_by: [user]", "c.yml:8: the correlation has the unknown key 'group_by'. Did you mean group-by?"),
    (
        f"{COUNT}\nzzzzzz: 1",
        "c.yml:8: the correlation has the unknown key 'zzzzzz'. Its keys are aliases, condition, generate, group-by, rules, timespan,",
    ),
    # parts that a type needs or does not take
    ("type: event_count\nrules: [a]\ncondition: {gte: 10}", "c.yml:3: event_count needs timespan. Add `timespan: 15m`."),
    ("type: event_count\nrules: [a]\ntimespan: 1h", "c.yml:3: event_count needs condition. Add `condition: {gte: 10}`."),
    ("type: event_count\ntimespan: 1h\ncondition: {gte: 10}", "c.yml:3: event_count needs rules. Add `rules: [name_of_a_rule]`."),
    ("type: temporal\ntimespan: 1h", "c.yml:3: temporal needs rules. Add `rules: [name_of_a_rule, name_of_another]`."),
    (
        "type: value_count\nrules: a\ntimespan: 1h\ncondition: {gte: 10}",
        "c.yml:7: value_count needs a field. Add `field:` to the condition.",
    ),
    ("type: first_seen\nrules: a\nfield: f", "c.yml:3: first_seen needs lookback. Add `lookback: 30d`."),
    ("type: rare\nrules: a\nlookback: 1d\ncondition: {lte: 0.1}", "c.yml:3: rare needs field. Add `field: name_of_a_field`."),
    ("type: rare\nrules: a\nlookback: 1d\nfield: f", "c.yml:3: rare needs condition. Add `condition: {lte: 0.01}`."),
    ("type: share\nrules: a\nfield: f\ntimespan: 1d\ncondition: {gte: 0.4}", "c.yml:3: share needs values. Add `values: [one, another]`."),
    ("type: spike\nrules: a\ncondition: {gte: 4}", "c.yml:3: spike needs lookback. Add `lookback: 14d`."),
    ("type: first_seen\nrules: a\nlookback: 1d", "c.yml:3: first_seen needs a field or a group-by: what is seen for the first time?"),
    (f"{COUNT}\nlookback: 1d", "c.yml:8: event_count takes no lookback. Its windows are as long as its timespan."),
    (f"{COUNT}\npopulation: p", "c.yml:8: event_count takes no population. It is judged over its own rules."),
    (f"{COUNT}\nminimum: 3", "c.yml:8: event_count takes no minimum. Only rare and spike ask for a minimum."),
    (f"{COUNT}\nfield: f", "c.yml:8: event_count takes no field. It looks at events, not at values."),
    (f"{COUNT}\nvalues: [f]", "c.yml:8: event_count takes no values. Only share divides by a list of values."),
    (
        "type: first_seen\nrules: a\nfield: f\nlookback: 1d\ntimespan: 1h",
        "c.yml:8: first_seen takes no timespan. It looks back over its lookback.",
    ),
    (
        "type: first_seen\nrules: a\nfield: f\nlookback: 1d\ncondition: {gte: 1}",
        "c.yml:8: first_seen takes no condition. What is seen for the first",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 10}",
        "c.yml:7: event_count takes no field. It looks at events, not at values.",
    ),
    # rules
    ("type: event_count\nrules: []\ntimespan: 1h\ncondition: {gte: 10}", "c.yml:5: rules names no rule. List the names or ids of rules."),
    ("type: event_count\nrules: ''\ntimespan: 1h\ncondition: {gte: 10}", "c.yml:5: rules names no rule."),
    ("type: event_count\nrules: {a: b}\ntimespan: 1h\ncondition: {gte: 10}", "c.yml:5: rules must be a text or a list of texts."),
    ("type: event_count\nrules:\n  - a\n  - a\ntimespan: 1h\ncondition: {gte: 10}", "c.yml:7: rules names a twice. Remove one."),
    (f"{COUNT}\ngroup-by: []", "c.yml:8: group-by must be a text or a list of texts."),
    (f"{COUNT}\ngroup-by: [user, user]", "c.yml:8: group-by names user twice. Remove one."),
    ("type: temporal\nrules: [a]\ntimespan: 1h", "c.yml:5: temporal needs two rules: one alone is event_count. Name another rule."),
    ("type: temporal_ordered\nrules: a\ntimespan: 1h", "c.yml:5: temporal_ordered needs two rules: one alone is event_count."),
    # population
    (
        "type: first_seen\nrules: [a, b]\nfield: f\nlookback: 1d",
        "c.yml:5: first_seen over 2 rules does not say over what it is judged. Add `population:`",
    ),
    ("type: first_seen\nrules: [a]\npopulation: [p]\nfield: f\nlookback: 1d", "c.yml:6: population must be the name or id of one rule."),
    # aliases
    (
        f"{COUNT}\ngroup-by: who\naliases: [a]",
        "c.yml:9: aliases must be a map of names to maps of rules to fields. aliases: {who: {rule_a: user}}",
    ),
    (f"{COUNT}\ngroup-by: who\naliases: {{who: user}}", "c.yml:9: the alias who must be a map of rules to fields. who: {rule_a: user}"),
    (
        f"{COUNT}\ngroup-by: who\naliases: {{who: {{aa: user}}}}",
        "c.yml:9: the alias who names the rule aa, which is none of this correlation's. Did you mean a?",
    ),
    (
        f"{COUNT}\ngroup-by: who\naliases: {{who: {{zz: user}}}}",
        "c.yml:9: the alias who names the rule zz, which is none of this correlation's. The rules are a.",
    ),
    (
        f"{COUNT}\ngroup-by: whom\naliases: {{who: {{a: user}}}}",
        "c.yml:9: the alias who is used by no group-by and no field. Did you mean whom?",
    ),
    # fields and values
    (
        "type: value_sum\nrules: a\ntimespan: 1h\ncondition: {field: [f, g], gt: 1}",
        "c.yml:7: value_sum takes one field. Several make combinations",
    ),
    ("type: share\nrules: a\ntimespan: 1h\nfield: [f, g]\nvalues: [x]\ncondition: {gt: 0.5}", "c.yml:7: share takes one field."),
    ("type: value_sum\nrules: a\ntimespan: 1h\ncondition: {field: [], gt: 1}", "c.yml:7: field must be a text or a list of texts."),
    (
        "type: rare\nrules: a\nlookback: 1d\nfield: f\ncondition: {field: g, lt: 0.5}",
        "c.yml:8: the field is given twice. Keep the one in the condition.",
    ),
    (
        "type: share\nrules: a\ntimespan: 1h\nfield: f\nvalues: []\ncondition: {gt: 0.5}",
        "c.yml:8: values lists nothing to divide by. List the values",
    ),
    (
        "type: share\nrules: a\ntimespan: 1h\nfield: f\nvalues: [1]\ncondition: {gt: 0.5}",
        "c.yml:8: values must be a list of texts, or one %placeholder%.",
    ),
    (
        "type: share\nrules: a\ntimespan: 1h\nfield: f\nvalues: '%no%'\ncondition: {gt: 0.5}",
        "c.yml:8: values: the placeholder %no% has no values. Add mappings/values/no.yml.",
    ),
    # conditions in words
    (
        "type: temporal\nrules: [alpha, beta]\ntimespan: 1h\ncondition: alpha and bete",
        "c.yml:7: the condition names bete, which is not under rules. Did you mean beta?",
    ),
    (
        "type: temporal\nrules: [alpha, beta]\ntimespan: 1h\ncondition: alpha and zz",
        "c.yml:7: the condition names zz, which is not under rules. rules lists alpha, beta.",
    ),
    (
        "type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: a and b",
        "c.yml:5: the condition says nothing of c. Name it in the condition, or remove it.",
    ),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a and",
        "c.yml:7: the condition ends where the name of a rule is expected. Write `a and (b or not c)`",
    ),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a b",
        "c.yml:7: the condition goes wrong at 'b': a whole condition stands before it.",
    ),
    ("type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: (a and b", "c.yml:7: the condition has a parenthesis that is not closed."),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a and or b",
        "c.yml:7: the condition has 'or' where the name of a rule is expected.",
    ),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a and )",
        "c.yml:7: the condition has ')' where the name of a rule is expected.",
    ),
    (
        f"type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: {'not ' * (MAX_DEPTH + 2)}a and b",
        f"c.yml:7: the condition nests over {MAX_DEPTH} levels.",
    ),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: not a and not b",
        "c.yml:7: the condition has nothing but negations: no event anchors a window.",
    ),
    ("type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: not (a or b)", "c.yml:7: the condition has nothing but negations"),
    (
        "type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: a and not a and b",
        "c.yml:7: the condition can never hold. It asks for a rule and for its absence.",
    ),
    ("type: temporal\nrules: [a, b]\ntimespan: 1h\ncondition: [a]", "c.yml:7: condition must be a text such as `a and not b`."),
    (
        "type: temporal\nrules: [a_x, b]\ntimespan: 1h\ncondition: 1 of a_*",
        "c.yml:7: 1 of a_* is not supported: a correlation's condition names rules one by one.",
    ),
    ("type: temporal\nrules: [a_x, b]\ntimespan: 1h\ncondition: all of a_*", "c.yml:7: all of a_* is not supported"),
    (
        "type: temporal\nrules: [a_x, b]\ntimespan: 1h\ncondition: 2 of them",
        "c.yml:7: 2 of them is not supported: a correlation's condition names rules one by one.",
    ),
    (
        "type: temporal\ntimespan: 1h\ncondition: all of them",
        "c.yml:6: all of them is not supported: a correlation's condition names rules one by one. List the rules",
    ),
    (
        "type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: {gte: 2}",
        "c.yml:7: a number as condition of temporal is not supported: it asks for every rule",
    ),
    (
        "type: temporal_ordered\nrules: [a, b]\ntimespan: 1h\ncondition: a and b",
        "c.yml:7: temporal_ordered with a condition is not supported: an order is asked of events",
    ),
    # thresholds
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: a and b",
        "c.yml:7: the condition of event_count must be a map of thresholds. Write `condition: {gte: 10}`",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {}",
        "c.yml:7: the condition has no threshold. Add one of gt, gte, lt, lte, eq, neq.",
    ),
    ("type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: ten}", "c.yml:7: gte must be a number, not 'ten'."),
    ("type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: true}", "c.yml:7: gte must be a number, not True."),
    ("type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: }", "c.yml:7: gte must be a number, not None."),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {get: 10}",
        "c.yml:7: the condition has the unknown key 'get'. Did you mean gt?",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gte: 5, percentile: 95}",
        "c.yml:7: the condition has the unknown key 'percentile'.",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gt: 5, lt: 3}",
        "c.yml:7: the condition can never hold: the number of events is never gt 5 and lt 3.",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {gt: 5, lt: 6}",
        "c.yml:7: the condition can never hold: the number of events is never gt 5 and lt 6.",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {eq: 2.5}",
        "c.yml:7: the condition can never hold: the number of events is never eq 2.5.",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {lt: 1}",
        "c.yml:7: the condition can never hold: the number of events is never lt 1. A group without events",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 1h\ncondition: {eq: 3, neq: 3}",
        "c.yml:7: the condition can never hold: the number of events is never eq 3 and neq 3.",
    ),
    (
        "type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: f, lt: 0}",
        "c.yml:7: the condition can never hold: the number of values is never lt 0.",
    ),
    (
        "type: value_avg\nrules: a\ntimespan: 1h\ncondition: {field: f, gt: 5, lt: 5}",
        "c.yml:7: the condition can never hold: the figure is never gt 5 and lt 5.",
    ),
    (
        "type: share\nrules: a\ntimespan: 1h\nfield: f\nvalues: [x, z]\ncondition: {gt: 1}",
        "c.yml:9: the condition can never hold: the share is never gt 1. The share lies between 0 and 1.",
    ),
    (
        "type: share\nrules: a\ntimespan: 1h\nfield: f\nvalues: [x, z]\ncondition: {gt: 0.5, lt: 1}",
        "c.yml:9: the condition can never hold: the share is never gt 0.5 and lt 1.",
    ),
    (
        "type: rare\nrules: a\nlookback: 1d\nfield: f\ncondition: {gt: 1}",
        "c.yml:8: the condition can never hold: the share of the value is never gt 1.",
    ),
    # percentiles
    (
        "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1}",
        "c.yml:7: value_percentile needs a percentile. Add `percentile: 95`",
    ),
    (
        "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1, percentile: 101}",
        "c.yml:7: percentile must be a number from 0 to 100.",
    ),
    (
        "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1, percentile: -1}",
        "c.yml:7: percentile must be a number from 0 to 100.",
    ),
    (
        "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1, percentile: p95}",
        "c.yml:7: percentile must be a number from 0 to 100.",
    ),
    # lengths of time
    (
        "type: event_count\nrules: a\ntimespan: 0m\ncondition: {gte: 10}",
        "c.yml:6: timespan must be longer than nothing and at most 100 years.",
    ),
    (
        "type: event_count\nrules: a\ntimespan: 101y\ncondition: {gte: 10}",
        "c.yml:6: timespan must be longer than nothing and at most 100 years.",
    ),
    ("type: event_count\nrules: a\ntimespan: 15min\ncondition: {gte: 10}", f"c.yml:6: timespan '15min' is no length of time. {SPAN}"),
    ("type: event_count\nrules: a\ntimespan: 15\ncondition: {gte: 10}", f"c.yml:6: timespan 15 is no length of time. {SPAN}"),
    ("type: event_count\nrules: a\ntimespan: 1.5h\ncondition: {gte: 10}", f"c.yml:6: timespan '1.5h' is no length of time. {SPAN}"),
    (
        "type: spike\nrules: a\nlookback: 90m\ncondition: {gte: 6}",
        "c.yml:6: the lookback of spike must be whole hours: it counts by the hour. Such as 720h or 30d.",
    ),
    ("type: rare\nrules: a\nlookback: 1M\nfield: f\ncondition: {lte: 0.1}", "c.yml:6: the lookback of rare must be whole hours"),
    (
        "type: spike\nrules: a\nlookback: 1d\nminimum: 0\ncondition: {gte: 6}",
        "c.yml:7: minimum must be a whole number of at least 1, not 0.",
    ),
    (
        "type: spike\nrules: a\nlookback: 1d\nminimum: true\ncondition: {gte: 6}",
        "c.yml:7: minimum must be a whole number of at least 1, not True.",
    ),
    (f"{COUNT}\ngenerate: 1", "c.yml:8: generate must be true or false."),
]


@pytest.mark.parametrize(("body", "fault"), FAULTS, ids=[f"{number} {fault[:60]}" for number, (_, fault) in enumerate(FAULTS)])
def test_what_is_wrong_is_named_with_its_line_and_what_to_do(body: str, fault: str) -> None:
    found = faults(body)
    assert [each for each in found if each.startswith(fault)], found
    assert len(found) == 1, found


WHOLE: list[tuple[str, str]] = [
    ("title: C\ncorrelation: []\n", "c.yml:2: correlation must be a map of type, rules and what is asked of their events."),
    (f"{text_of(COUNT)}levle: low\n", "c.yml:8: has the unknown key 'levle'. Did you mean level?"),
    (
        f"{text_of(COUNT)}detection: {{a: b}}\n",
        "c.yml:8: a correlation has no detection. Put the rule into a document of its own, behind ---.",
    ),
    (f"{text_of(COUNT)}logsource: {{product: b}}\n", "c.yml:8: a correlation has no logsource."),
    (f"{text_of(COUNT)}filter: {{rules: any}}\n", "c.yml:8: a correlation has no filter."),
]


@pytest.mark.parametrize(("whole", "fault"), WHOLE)
def test_a_document_that_is_no_correlation_is_named(whole: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults("", whole=whole)), faults("", whole=whole)


def test_all_that_is_wrong_is_shown_together() -> None:
    found = faults("type: value_count\nrules: []\ntimespan: 0s\ngroup_by: x\ncondition: {feild: f, gt: 5, lt: 3}\ngenerate: sure")
    assert [each.split(" ", 1)[0] for each in found] == ["c.yml:7:", "c.yml:5:", "c.yml:8:", "c.yml:6:", "c.yml:8:", "c.yml:8:", "c.yml:9:"]


def test_a_lone_refusal_keeps_its_name_for_machines() -> None:
    [fault] = read_sigma_text(text_of("type: temporal_ordered\nrules: [a, b]\ntimespan: 1h\ncondition: a and b"), "c.yml").faults
    assert isinstance(fault, Unsupported)
    assert (fault.construct, fault.place) == ("temporal_ordered with a condition", "c.yml:7")


def test_rules_and_correlations_may_share_a_file() -> None:
    read = read_sigma_text(f"{RULE}name: a\n---\n{text_of(COUNT)}---\n{text_of('type: nope')}", "many.yml")
    assert ([rule.name for rule in read.rules], [each.correlation.name for each in read.correlations]) == (["a"], ["many"])
    [fault] = read.faults
    assert str(fault).startswith("many.yml:18: 'nope' is no type of a correlation.")


# --- kept ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        COUNT,
        "type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: a and not (b or c)\ngroup-by: w\naliases: {w: {a: u}}\ngenerate: true",
        "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, gte: 1.5, percentile: 99.9}",
        "type: first_seen\nrules: [a, b]\npopulation: p\nfield: f\nlookback: 30d",
        "type: share\nrules: a\nfield: f\nvalues: '%calls%'\ntimespan: 1d\ncondition: {gte: 0.4}",
        "type: spike\nrules: a\nlookback: 14d\ncondition: {gte: 6}\nminimum: 7",
    ],
)
def test_what_is_kept_of_a_correlation_is_all_of_it(body: str) -> None:
    draft = draft_of(body)
    again = draft_from_plain(draft_to_plain(draft))
    assert again == draft
    assert again.correlation.warnings == draft.correlation.warnings
    assert dict(draft.lines)[draft.correlation.operands[0].name] == (4 + [line.split(":")[0] for line in body.split("\n")].index("rules"))


@pytest.mark.parametrize("broken", [{"correlation": [], "lines": []}, {"correlation": {}, "lines": 5}, {"lines": []}])
def test_what_is_no_kept_correlation_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        draft_from_plain(broken)  # type: ignore[arg-type] # a file on disk may hold anything

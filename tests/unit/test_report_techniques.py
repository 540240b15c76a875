"""Coverage of techniques: what a rule counts for, which denominator it counts in, and what the user's own logs say of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.content.target import CLOUDS, TIERS, LogClass
from aibr_hunt.report.techniques import SCOPES, Sight, Standing, TierFigures, cover
from tests.unit.coverage_samples import row, rule, target

DELETE = row("T1485", "C", {"aws": ("s3:DeleteBucket",), "gcp": ("ModelService/DeleteModel",)})
READ = row("T1530", "D", {"aws": ("s3:GetObject",)})
PROMPT = row("AML.T0051", "P", {"aws": ("bedrock-runtime:Converse",)})
HIDDEN = row("AML.T0016", "N")
OUTSIDE = row("T1190", "X", note="application log")
WORLD = target(DELETE, READ, PROMPT, HIDDEN, OUTSIDE, unclassified=["T1136"])
NOTHING = Sight()


def figures(found: Any, scope: str = "aws", tier: str = "C") -> TierFigures:
    (one,) = [each for each in found.figures() if (each.scope, each.tier.value) == (scope, tier)]
    assert isinstance(one, TierFigures)
    return one


def test_a_tier_is_counted_over_the_techniques_of_its_class_only() -> None:
    found = cover(WORLD, [], NOTHING)
    assert [(each.scope, each.tier.value, each.techniques) for each in found.figures(("all",))] == [
        ("all", "C", 1),
        ("all", "D", 1),
        ("all", "P", 1),
    ]
    assert [row.technique.id for row, _ in found.unobservable] == ["AML.T0016", "T1190"]
    assert [technique.id for technique, _ in found.unclassified] == ["T1136"]


def test_a_cloud_of_which_no_event_shows_the_technique_does_not_count_it() -> None:
    found = cover(WORLD, [], NOTHING)
    assert (figures(found, "aws", "D").techniques, figures(found, "gcp", "D").techniques, figures(found, "azure").techniques) == (1, 0, 0)


@pytest.mark.parametrize(("is_tested", "standing"), [(True, Standing.TESTED), (False, Standing.WRITTEN)])
def test_a_rule_makes_a_technique_tested_only_with_cases_that_hit(is_tested: bool, standing: Standing) -> None:  # noqa: FBT001 - drawn values come as parameters
    found = cover(WORLD, [rule("a", "attack.t1485", tested=is_tested)], NOTHING)
    cell = found.cell("attack.t1485", "aws")
    assert cell is not None
    assert cell.standing is standing
    assert (figures(found).tested, figures(found).written, figures(found).none) == (int(is_tested), int(not is_tested), 0)


def test_one_tested_rule_is_enough_and_stands_first() -> None:
    found = cover(WORLD, [rule("a", "attack.t1485", tested=False), rule("b", "attack.t1485")], NOTHING)
    cell = found.cell("attack.t1485")
    assert cell is not None
    assert ([each.name for each in cell.rules], cell.standing) == (["b", "a"], Standing.TESTED)


def test_a_rule_counts_in_its_own_clouds_and_in_all_together() -> None:
    found = cover(WORLD, [rule("a", "attack.t1485", clouds="gcp")], NOTHING)
    assert (figures(found, "aws").tested, figures(found, "gcp").tested, figures(found, "all").tested) == (0, 1, 1)


def test_a_rule_of_no_cloud_counts_only_in_all_together() -> None:
    found = cover(WORLD, [rule("a", "attack.t1485", clouds="")], NOTHING)
    assert [figures(found, scope).tested for scope in (*CLOUDS, "all")] == [0, 0, 0, 1]


def test_a_sub_technique_says_nothing_of_the_technique_above() -> None:
    world = target(row("T1078", "C", {"aws": ("sts:AssumeRole",)}), row("T1078.004", "C", {"aws": ("sts:AssumeRole",)}))
    found = cover(world, [rule("a", "attack.t1078.004")], NOTHING)
    assert (figures(found).techniques, figures(found).tested) == (2, 1)


def test_a_technique_without_events_of_its_own_stands_for_its_sub_techniques() -> None:
    world = target(row("AML.T0010", "C"), row("AML.T0010.003", "C", {"aws": ("sagemaker:CreateModel",)}), row("AML.T0010.000", "N"))
    found = cover(world, [rule("a", "atlas.aml.t0010.003")], NOTHING)
    assert (figures(found, "all").techniques, figures(found, "all").tested) == (2, 2)
    assert (figures(found, "aws").techniques, figures(found, "aws").tested) == (1, 1)
    hidden = cover(world, [rule("a", "atlas.aml.t0010.000")], NOTHING)
    assert figures(hidden, "all").tested == 0


def test_a_rule_for_what_no_log_shows_is_named_and_counts_in_no_tier() -> None:
    found = cover(WORLD, [rule("a", "attack.t1190"), rule("b", "attack.t1136"), rule("c", "attack.t1003"), rule("d")], NOTHING)
    assert sum(each.tested for each in found.figures()) == 0
    assert [(row.technique.id, [each.name for each in rules]) for row, rules in found.unobservable if rules] == [("T1190", ["a"])]
    assert [(each.id, len(rules)) for each, rules in found.unclassified] == [("T1136", 1)]
    assert [(tag, len(rules)) for tag, rules in found.elsewhere] == [("attack.t1003", 1)]
    assert [each.name for each in found.unnamed] == ["d"]


def test_a_rule_in_a_cloud_whose_events_nobody_knows_is_named_beside() -> None:
    found = cover(WORLD, [rule("a", "attack.t1530", clouds="azure")], NOTHING)
    assert [(cloud, row.technique.id) for cloud, row, _ in found.beyond] == [("azure", "T1530")]
    assert (figures(found, "azure", "D").techniques, figures(found, "all", "D").tested) == (0, 1)


# --- the user's own logs -----------------------------------------------------------------------------------------------------------


def test_a_technique_is_blind_only_when_every_rule_for_it_is() -> None:
    needs, free = rule("a", "attack.t1485", requires=("x",)), rule("b", "attack.t1485")
    sight = Sight(off=frozenset({"x"}))
    both = cover(WORLD, [needs, free], sight).cell("attack.t1485", "aws")
    alone = cover(WORLD, [needs], sight)
    assert both is not None
    assert (both.is_blind, both.blind_rules) == (False, frozenset({needs.id}))
    assert (figures(alone).blind, figures(alone).tested, figures(alone).tested_in_sight) == (1, 1, 0)


def test_a_technique_without_a_rule_is_not_blind_but_uncovered() -> None:
    assert figures(cover(WORLD, [], Sight(off=frozenset({"x"})))).blind == 0


def test_an_untested_rule_in_sight_does_not_bring_a_tested_blind_one_back() -> None:
    rules = [rule("a", "attack.t1485", requires=("x",)), rule("b", "attack.t1485", tested=False)]
    found = figures(cover(WORLD, rules, Sight(off=frozenset({"x"}))))
    assert (found.tested, found.blind, found.tested_in_sight) == (1, 0, 0)


def test_a_rule_that_the_run_had_no_log_for_is_blind() -> None:
    one = rule("a", "attack.t1485")
    assert figures(cover(WORLD, [one], Sight(unread=frozenset({one.id})))).blind == 1


def test_a_rule_whose_logs_are_not_among_what_was_read_is_blind() -> None:
    one, both = rule("a", "attack.t1485"), rule("b", "attack.t1530", sources=("aws_cloudtrail", "aws_s3_access"))
    found = cover(WORLD, [one, both], Sight(sources=frozenset({"aws_s3_access"})))
    assert (figures(found).blind, figures(found, "aws", "D").blind) == (1, 0)
    assert figures(cover(WORLD, [one], Sight(sources=None))).blind == 0


def test_a_lead_shows_its_technique_in_its_cloud() -> None:
    sight = Sight(leads={("attack.t1485", "gcp"): 2, ("attack.t1485", "all"): 2})
    found = cover(WORLD, [], sight)
    assert [figures(found, scope).seen for scope in ("aws", "gcp", "all")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("sight", "seen"),
    [
        (Sight(), 0),
        (Sight(sources=frozenset()), 0),
        (Sight(sources=frozenset({"aws_cloudtrail"})), 0),
        (Sight(sources=frozenset({"aws_cloudtrail"}), shown=frozenset({"x"})), 1),
        (Sight(sources=frozenset({"aws_cloudtrail"}), shown=frozenset({"x"}), off=frozenset({"x"})), 0),
        (Sight(sources=frozenset({"other"}), shown=frozenset({"x"})), 0),
    ],
)
def test_logs_that_were_read_show_a_technique_when_each_switch_was_on(sight: Sight, seen: int) -> None:
    assert figures(cover(WORLD, [rule("a", "attack.t1485", requires=("x",))], sight)).seen == seen


def test_a_correlation_is_read_only_when_all_of_its_logs_were() -> None:
    both = rule("a", "attack.t1485", sources=("aws_cloudtrail", "aws_s3_access"))
    assert figures(cover(WORLD, [both], Sight(sources=frozenset({"aws_cloudtrail"})))).seen == 0
    assert figures(cover(WORLD, [both], Sight(sources=frozenset({"aws_cloudtrail", "aws_s3_access"})))).seen == 1


TAGS = st.sampled_from(
    ["attack.t1485", "attack.t1530", "atlas.aml.t0051", "atlas.aml.t0016", "attack.t1190", "attack.t1136", "attack.t9999"]
)
RULES = st.lists(
    st.builds(
        lambda number, tags, clouds, tested, requires: rule(
            f"r{number}", *tags, clouds=" ".join(clouds), tested=tested, requires=tuple(requires)
        ),
        st.integers(0, 9_999),
        st.sets(TAGS, max_size=4),
        st.sets(st.sampled_from(CLOUDS)),
        st.booleans(),
        st.sets(st.sampled_from(["x", "y"])),
    ),
    max_size=12,
    unique_by=lambda each: each.id,
)


@given(RULES, st.sets(st.sampled_from(["x", "y"])))
def test_tested_written_and_uncovered_add_up_and_the_rest_lies_within(rules: list[Any], off: set[str]) -> None:
    found = cover(WORLD, rules, Sight(off=frozenset(off)))
    for each in found.figures():
        assert each.tested + each.written + each.none == each.techniques
        assert each.blind <= each.tested + each.written
        assert each.tested_in_sight <= each.tested
        assert each.seen <= each.techniques
    for tier in TIERS:
        by_scope = {each.scope: each for each in found.figures(SCOPES, [tier])}
        assert all(by_scope[cloud].tested <= by_scope["all"].tested for cloud in CLOUDS)


@given(RULES)
def test_another_rule_never_makes_coverage_less(rules: list[Any]) -> None:
    before, after = cover(WORLD, rules, NOTHING), cover(WORLD, [*rules, rule("one more", "attack.t1485")], NOTHING)
    for was, now in zip(before.figures(), after.figures(), strict=True):
        assert (now.tested >= was.tested, now.none <= was.none, now.techniques == was.techniques) == (True, True, True)


def test_a_class_is_observable_exactly_when_a_tier_carries_it() -> None:
    assert [each.value for each in LogClass if each.is_observable] == ["C", "D", "P"]

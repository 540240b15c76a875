"""Mutants of correlations: what is changed, each change once, and none that the correlator could not judge."""

from __future__ import annotations

import pytest

from aibr_hunt.content.correlation_mutants import mutants_of_correlation
from aibr_hunt.content.sigma import read_sigma_text
from aibr_hunt.model.correlation import Correlation, normal_form


def correlation(body: str) -> Correlation:
    lines = "".join(f"  {line}\n" for line in body.split("\n"))
    read = read_sigma_text(f"title: C\nid: 00000000-0000-4000-8000-0000000000c1\ncorrelation:\n{lines}", "c.yml")
    assert read.faults == ()
    return read.correlations[0].correlation


def changes(body: str) -> list[str]:
    return [mutant.what for mutant in mutants_of_correlation(correlation(body))]


SPANS = ["timespan halved", "timespan doubled", "timespan a second shorter", "timespan a second longer"]
BACK = ["lookback halved", "lookback doubled", "lookback longer by one step", "lookback shorter by one step"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "type: event_count\nrules: [a, b]\ngroup-by: [u]\ntimespan: 1h\ncondition: {gt: 5, lte: 9}",
            [
                *("gt 5: 1 less", "gt 5: 1 more", "gte for gt 5", "remove gt 5"),
                *("lte 9: 1 less", "lte 9: 1 more", "lt for lte 9", "remove lte 9"),
                *(*SPANS, "group-by without u", "rules without a", "rules without b"),
            ],
        ),
        (
            "type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: [f, g], eq: 5}",
            ["eq 5: 1 less", "eq 5: 1 more", "neq for eq 5", *SPANS, "field without f", "field without g", "event_count for value_count"],
        ),
        (
            "type: value_percentile\nrules: a\ntimespan: 1h\ncondition: {field: f, percentile: 100, gte: 5}",
            ["gte 5: 1 less", "gte 5: 1 more", "gt for gte 5", *SPANS, "value_median for value_percentile", "percentile -1"],
        ),
        (
            "type: temporal\nrules: [a, b]\ntimespan: 1h",
            [*SPANS, "rules without a", "rules without b", "temporal_ordered for temporal"],
        ),
        (
            "type: temporal_ordered\nrules: [a, b]\ntimespan: 1h",
            [*SPANS, "rules without a", "b before a", "rules without b", "temporal for temporal_ordered"],
        ),
        (
            "type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: a and (b or not c)",
            [
                *(*SPANS, "or for and between 2", "condition without part 1", "not a", "condition without part 2"),
                *("and for or between 2", "not b", "c without not"),
            ],
        ),
        (
            "type: first_seen\nrules: a\npopulation: p\ngroup-by: u\nfield: f\nlookback: 1d",
            [*BACK, "group-by without u", "field without f", "its own rules as population", "the population as its rule"],
        ),
        (
            "type: rare\nrules: a\nfield: f\nlookback: 1d\ncondition: {lt: 0.01}",
            ["lt 0.01: 0.001000 less", "lt 0.01: 0.001000 more", "lte for lt 0.01", *BACK, "minimum -1", "minimum +1"],
        ),
        (
            "type: share\nrules: a\nfield: f\nvalues: [x, z]\ntimespan: 1d\ncondition: {gte: 0.5}",
            ["gte 0.5: 0.500000 less", "gte 0.5: 0.500000 more", "gt for gte 0.5", *SPANS, "values without x", "values without z"],
        ),
    ],
    ids=["event_count", "value_count", "percentile", "temporal", "ordered", "condition", "first_seen", "rare", "share"],
)
def test_every_part_of_a_correlation_is_changed(body: str, expected: list[str]) -> None:
    found = changes(body)
    if "condition: a and" in body:  # what leaves a rule without its events is another change of the same kind
        assert set(expected) <= set(found)
    else:
        assert found == expected


def test_mutants_have_ids_of_their_own_and_mean_different_things() -> None:
    whole = correlation("type: temporal\nrules: [a, b, c]\ntimespan: 1h\ncondition: a and b and not c\ngroup-by: [u, v]")
    mutants = mutants_of_correlation(whole)
    assert len({mutant.correlation.id for mutant in mutants}) == len(mutants)
    assert all(mutant.correlation.id.startswith(f"{whole.id}#") for mutant in mutants)
    assert len({mutant.what for mutant in mutants}) == len(mutants)


def test_no_mutant_is_left_without_an_anchor() -> None:
    for body in ("condition: a and not b", "condition: a or (b and not a)", "condition: not a and b"):
        for mutant in mutants_of_correlation(correlation(f"type: temporal\nrules: [a, b]\ntimespan: 1h\n{body}")):
            assert mutant.correlation.condition is None or "Has" in repr(normal_form(mutant.correlation.condition)).replace(
                "Lacks(item=Has", ""
            )


def test_an_hourly_lookback_stays_whole_hours() -> None:
    mutants = mutants_of_correlation(correlation("type: spike\nrules: a\nlookback: 3h\ncondition: {gte: 6}"))
    assert all(mutant.correlation.lookback_us % 3_600_000_000 == 0 for mutant in mutants)

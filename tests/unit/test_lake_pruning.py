"""What hot values rule out: never a rule that the whole event meets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aibr_hunt.engines.lake.compacting import merged_contents
from aibr_hunt.engines.lake.contents import Contents, column_of_cells, contents_of, packed, unpacked
from aibr_hunt.engines.lake.hot import Cell
from aibr_hunt.engines.lake.pruning import Pruner, weakened
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.model.predicate import And, Keyword, Not, Or, Predicate, Star, Text, TextOp
from tests.built_in import LIBRARY
from tests.cli.samples import rule

CLOUDTRAIL = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")
NAME, AGENT = ("eventName",), ("userAgent",)


def text(field: str, literal: str = "x") -> Text:
    return Text(field=field, op=TextOp.EQUALS, literal=literal)


KNOWN, UNKNOWN = text("eventName"), text("requestParameters.note")


class TestWeakened:
    @pytest.mark.parametrize(
        ("predicate", "left"),
        [
            (KNOWN, KNOWN),
            (UNKNOWN, True),
            (Not(item=UNKNOWN), True),
            (Not(item=KNOWN), Not(item=KNOWN)),
            (And(items=(KNOWN, UNKNOWN)), KNOWN),
            (Or(items=(KNOWN, UNKNOWN)), True),
            (Not(item=And(items=(KNOWN, UNKNOWN))), True),
            (Not(item=Or(items=(KNOWN, UNKNOWN))), Not(item=KNOWN)),
            (And(items=(Not(item=Or(items=(UNKNOWN, KNOWN))), UNKNOWN)), Not(item=KNOWN)),
            (Keyword(pattern=(Star.ANY, "x", Star.ANY)), True),
            (Or(items=()), False),
            (And(items=()), True),
        ],
    )
    def test_what_is_unknown_holds_and_below_a_not_fails(self, *, predicate: Predicate, left: Predicate | bool) -> None:
        assert weakened(predicate, frozenset((NAME,)), binder_of(CLOUDTRAIL)) == left

    def test_a_field_counts_as_known_only_with_all_of_its_paths(self) -> None:
        mapping = next(each for each in LIBRARY.mappings if each.name == "aws_vpcflow")
        leaf = text("interface_id")
        paths = binder_of(mapping).field("interface_id").paths
        assert len(paths) == 2
        assert weakened(leaf, frozenset(paths[:1]), binder_of(mapping)) is True
        assert weakened(leaf, frozenset(paths), binder_of(mapping)) == leaf


class TestPruner:
    def test_bits_name_the_rules_that_values_allow(self) -> None:
        rules = (
            rule(1, "{eventName: DeleteGuardrail}"),
            rule(2, "{eventName|startswith: List, userAgent|contains: curl}"),
            rule(3, "{requestParameters.name: x}"),
        )
        pruner = Pruner(Part(rules, CLOUDTRAIL, Options()))
        assert pruner.possible((NAME,), ("DELETEGUARDRAIL",)) == 0b101
        assert pruner.possible((NAME,), ("ListModels",)) == 0b110
        assert pruner.possible((NAME,), (None,)) == 0b100
        assert pruner.possible((AGENT, NAME), ("curl/8", "ListModels")) == 0b110
        assert pruner.told_by((AGENT,)) == 0b010
        assert pruner.everything == 0b111

    def test_a_boolean_is_not_taken_for_the_text_that_spells_it(self) -> None:
        pruner = Pruner(Part((rule(1, "{readOnly: true}"), rule(2, "{readOnly|startswith: tr}")), CLOUDTRAIL, Options()))
        as_boolean, as_text = (pruner.possible((("readOnly",),), (cell,)) for cell in (("true",), "true"))
        whole = Part((rule(1, "{readOnly: true}"), rule(2, "{readOnly|startswith: tr}")), CLOUDTRAIL, Options()).ruleset
        assert as_boolean == sum(1 << number for number in whole.match({"readOnly": True}))
        assert as_text == sum(1 << number for number in whole.match({"readOnly": "true"}))


def contents(rows: list[tuple[Cell, Cell]]) -> tuple[Contents, list[int]]:
    columns = [column_of_cells(cells) for cells in zip(*rows, strict=True)]
    made, shapes = contents_of(columns, np.zeros(len(rows), np.bool_))
    return made, shapes.tolist()


class TestContents:
    ROWS: tuple[tuple[Cell, Cell], ...] = tuple((("A", "B", None, ("true",), "true")[each % 5], f"ip{each % 180}") for each in range(1800))

    def test_each_row_s_shape_holds_its_cells_and_values_tell_the_rest(self) -> None:
        made, shapes = contents(list(self.ROWS))
        assert made.together == (0,)
        assert [made.shapes[shape][0] for shape in shapes] == [(row[0],) for row in self.ROWS]
        assert sum(count for _, count in made.shapes) == 1800
        assert dict(made.values[1]) == {f"ip{each}": 10 for each in range(180)}

    def test_they_come_back_from_bytes(self) -> None:
        made, _ = contents(list(self.ROWS))
        assert unpacked(packed(made)) == made

    def test_merged_they_say_what_the_rows_together_say(self) -> None:
        parts = [contents(list(self.ROWS[:900])), contents([("C", "ip1"), ("A", "ip2")] * 450)]
        merged, renumbered = merged_contents([made for made, _ in parts])
        rows = [*self.ROWS[:900], *[("C", "ip1"), ("A", "ip2")] * 450]
        shapes = [numbers[shape] for (_, old), numbers in zip(parts, renumbered, strict=True) for shape in old]
        assert [merged.shapes[shape][0] for shape in shapes] == [tuple(row[number] for number in merged.together) for row in rows]
        told = {*merged.together, *merged.values}
        assert told == {0, 1}


def test_the_shipped_rules_are_told_by_few_columns() -> None:
    corpus = LIBRARY.load_rules((str(Path(__file__).resolve().parents[2] / "rules" / "aws"),))
    rules = [each for each in corpus.rules if LIBRARY.mapping_for(each.logsource) is CLOUDTRAIL]
    pruner = Pruner(Part(rules, CLOUDTRAIL, Options()))
    told = pruner.told_by((NAME, ("eventSource",), AGENT, ("errorCode",)))
    assert told == pruner.everything

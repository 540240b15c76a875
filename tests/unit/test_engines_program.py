"""A program for files: which rules it asks, under which digests."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from aibr_hunt.content.sigma import apply_filters, load_rule_text, read_sigma_text
from aibr_hunt.engines.program import AS_WRITTEN, Options, Program, meaning_digest
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.rule import LogSource, Rule
from tests.built_in import LIBRARY, rules_asked
from tests.cli.samples import cloudtrail, rule, rule_text

TRAIL = Mapping(
    name="trail",
    logsource=LogSource(product="aws", service="cloudtrail"),
    provider="trail",
    identity=(("id",),),
    time=("time",),
    fields=(FieldSpec(name="eventName", paths=(("eventName",),)), FieldSpec(name="agent", paths=(("agent",),), sieve_weight=3)),
)
OBJECT = replace(TRAIL, fields=(*TRAIL.fields, FieldSpec(name="who", paths=(("who",),), is_object=True, is_open=True)))


def program_of(rules: list[Rule], mapping: Mapping | None = TRAIL, options: Options | None = None) -> Program:
    mappings = () if mapping is None else (mapping,)
    return Program(rules, mappings=mappings, mapping_of={each.id: mapping for each in rules}, options=options or Options())


class TestMeaningDigest:
    def digest(self, text: str, mapping: Mapping | None = TRAIL) -> str:
        return meaning_digest(load_rule_text(text, "r.yml"), mapping)

    @pytest.mark.parametrize(
        "change",
        [
            ("title: Rule 1", "title: Another"),
            ("level: high", "level: low"),
            ("level: high", "level: high\ntags: [attack.t1485]\ndescription: Longer\nreferences: [https://example.com]"),
            ("  selection:", "  picked:", "condition: selection", "condition: picked"),
        ],
        ids=["title", "level", "tags and description", "name of a selection"],
    )
    def test_it_is_the_same_when_only_words_about_the_rule_change(self, change: tuple[str, ...]) -> None:
        changed = rule_text(1)
        for old, new in zip(change[::2], change[1::2], strict=True):
            changed = changed.replace(old, new)
        assert changed != rule_text(1)
        assert self.digest(changed) == self.digest(rule_text(1))

    @pytest.mark.parametrize(
        "selection",
        [
            "{eventName: DeleteGuardrails}",
            "{eventName: [DeleteGuardrail, Other]}",
            "{eventName|contains: DeleteGuardrail}",
            "{eventName|cased: DeleteGuardrail}",
            "{eventName: null}",
            "{agent: DeleteGuardrail}",
        ],
    )
    def test_it_changes_with_values_modifiers_and_fields(self, selection: str) -> None:
        assert self.digest(rule_text(1, selection)) != self.digest(rule_text(1))

    def test_it_changes_with_a_filter(self) -> None:
        text = "title: F\nlogsource: {product: aws}\nfilter: {rules: any, quiet: {agent: x}, condition: not quiet}\n"
        filters = read_sigma_text(text, "f.yml").filters
        (filtered,) = apply_filters([rule(1)], filters)
        assert meaning_digest(filtered, TRAIL) != meaning_digest(rule(1), TRAIL)

    @pytest.mark.parametrize(
        "spec",
        [
            FieldSpec(name="eventName", paths=(("event", "name"),)),
            FieldSpec(name="eventName", paths=(("eventName",), ("name",))),
            FieldSpec(name="eventName", paths=(("eventName",),), blanks=("-",)),
            FieldSpec(name="eventName", paths=(("eventName",),), derive="lower"),
        ],
        ids=["path", "second path", "blanks", "derivation"],
    )
    def test_it_changes_with_where_the_field_lies(self, spec: FieldSpec) -> None:
        assert self.digest(rule_text(1), replace(TRAIL, fields=(spec, *TRAIL.fields[1:]))) != self.digest(rule_text(1))

    @pytest.mark.parametrize(
        "mapping",
        [
            replace(TRAIL, fields=(TRAIL.fields[0], FieldSpec(name="agent", paths=(("other",),)))),
            replace(TRAIL, fields=(replace(TRAIL.fields[0], sieve_weight=9), TRAIL.fields[1])),
            replace(TRAIL, principal=(("who",),), name="renamed"),
        ],
        ids=["another field", "cost in the sieve", "what is shown"],
    )
    def test_it_is_the_same_when_the_mapping_changes_elsewhere(self, mapping: Mapping) -> None:
        assert self.digest(rule_text(1), mapping) == self.digest(rule_text(1))

    def test_it_differs_between_a_mapping_and_fields_as_written_where_these_differ(self) -> None:
        moved = replace(TRAIL, fields=(FieldSpec(name="eventName", paths=(("event", "name"),)), *TRAIL.fields[1:]))
        assert self.digest(rule_text(1), None) != self.digest(rule_text(1), moved)

    def test_a_keyword_search_depends_on_the_fields_that_it_reads(self) -> None:
        searched = replace(TRAIL, keywords=("eventName",))
        text = rule_text(1, "[needle]")
        assert len({self.digest(text, each) for each in (TRAIL, searched, replace(searched, keywords=("agent",)))}) == 3

    def test_it_changes_with_the_version_of_the_meaning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = self.digest(rule_text(1))
        monkeypatch.setattr("aibr_hunt.engines.program.MEANING_VERSION", "next")
        assert self.digest(rule_text(1)) != before

    def test_every_shipped_rule_has_its_own_meaning(self) -> None:
        rules = rules_asked().rules
        assert len({meaning_digest(each, LIBRARY.mapping_for(each.logsource)) for each in rules}) == len(rules) > 20


class TestProgram:
    def test_rules_that_cannot_be_bound_are_refused_by_name_and_the_others_are_asked(self) -> None:
        program = program_of([rule(1), rule(2, "{eventNaem: x}"), rule(3, "{who: x}")], OBJECT)
        assert [each.name for each in program.rules] == ["rule_1"]
        (first, why), (second, _) = program.refused
        assert (first, second) == (rule(2).id, rule(3).id)
        assert "field eventNaem" in why
        assert "Did you mean eventName?" in why

    def test_the_query_is_the_same_in_whatever_order_the_rules_come(self) -> None:
        rules = [rule(1), rule(2, "{agent|contains: curl/8}"), rule(3, "{eventName: StopLogging}")]
        assert program_of(rules).text == program_of(rules[::-1]).text
        assert program_of(rules).digest == program_of(rules[::-1]).digest

    def test_the_query_changes_with_any_rule(self) -> None:
        assert program_of([rule(1)]).digest != program_of([rule(1, "{eventName: StopLogging}")]).digest

    def test_the_query_says_in_words_what_is_looked_for(self) -> None:
        body = json.loads(program_of([rule(1)]).text)
        assert body["trail"]["literals"] == ["deleteguardrail"]
        assert not body["trail"]["parses_everything"]

    @pytest.mark.parametrize(
        ("options", "selection"),
        [(Options(is_strict=True), "{eventName: abcd}"), (Options(use_sieve=False), "{eventName: abcd}"), (Options(), "{eventName: null}")],
        ids=["strict", "no sieve", "a rule without a literal"],
    )
    def test_a_record_may_be_skimmed_only_where_the_sieve_is_sound(self, options: Options, selection: str) -> None:
        assert program_of([rule(1, selection)], options=options).parts["trail"].parses_everything

    def test_rules_without_a_mapping_stand_apart_from_those_with_one(self) -> None:
        rules = [rule(1), rule(2, logsource="{category: process_creation}")]
        program = Program(rules, mappings=(TRAIL,), mapping_of={rules[0].id: TRAIL, rules[1].id: None}, options=Options())
        assert {name: [each.name for each in part.rules] for name, part in program.parts.items()} == {
            "trail": ["rule_1"],
            AS_WRITTEN: ["rule_2"],
        }

    def test_another_process_gets_the_rules_and_compiles_its_own(self) -> None:
        program = program_of([rule(1), rule(2, "{eventName: null}")])
        program.warm()
        copied = pickle.loads(pickle.dumps(program))  # noqa: S301 - our own bytes
        assert copied.digest == program.digest
        assert list(copied.part(TRAIL).ruleset.match(cloudtrail(1, "DeleteGuardrail"))) == [0]

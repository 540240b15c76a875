"""Correlations find their rules: by name, id or stem, near before far; and who makes leads of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.content.references import MAX_CHAIN
from aibr_hunt.model.correlation import Operand

HEAD = "title: R\nid: 00000000-0000-4000-8000-{number:011d}a\n"
RULE = f"{HEAD}{{name}}logsource: {{{{product: example}}}}\ndetection: {{{{sel: {{{{f: x}}}}, condition: sel}}}}\n"
FILTER = "title: F\nlogsource: {{product: example}}\nfilter:\n  rules: [{rules}]\n  own: {{user: me}}\n  condition: not own\n"

Write = Callable[[str, str], Path]


def rule(number: int, name: str = "") -> str:
    return RULE.format(number=number, name=f"name: {name}\n" if name else "")


def count(number: int, rules: str, *, name: str = "", more: str = "") -> str:
    """Return a correlation; the line of its rules is line 5, or 6 when it has a name."""
    named = f"name: {name}\n" if name else ""
    body = f"type: event_count\n  rules: [{rules}]\n  timespan: 1h\n  condition: {{gte: 10}}\n"
    return f"title: C\nid: 00000000-0000-4000-8000-{number:011d}a\n{named}correlation:\n  {body}{more}"


def ident(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:011d}a"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, text: str) -> Path:
        path = tmp_path / "own" / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def names(corpus: Corpus) -> tuple[list[str], list[str], list[str]]:
    return [each.name for each in corpus.rules], [each.name for each in corpus.operands], [each.name for each in corpus.correlations]


def told(corpus: Corpus) -> list[str]:
    return [str(error) for _, error in corpus.refused]


# --- where a rule is found ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["door", ident(1), ident(1).upper()], ids=["name", "id", "capitals"])
def test_a_rule_is_named_by_name_or_id(write: Write, reference: str) -> None:
    folder = write("door.yml", rule(1)).parent
    write("many.yml", count(2, reference))
    corpus = Library().load_rules([str(folder)])
    assert (names(corpus), corpus.refused) == (([], ["door"], ["many"]), ())
    assert corpus.correlations[0].operands == (Operand(name=reference.lower(), id=ident(1)),)


def test_a_rule_with_a_name_of_its_own_is_found_by_its_file_too(write: Write) -> None:
    write("door.yml", rule(1, "portal"))
    corpus = Library().load_rules([str(write("many.yml", count(2, "door")).parent)])
    assert names(corpus) == ([], ["portal"], ["many"])


def test_a_file_of_several_documents_is_looked_through_first(write: Write) -> None:
    write("a_base.yml", rule(1))
    both = write("both.yml", f"{rule(2, 'a_base')}---\n{count(3, 'a_base', name='many')}")
    corpus = Library().load_rules([str(both.parent)])
    assert corpus.correlations[0].operands[0].id == ident(2)
    assert [each.id for each in corpus.rules] == [ident(1)]


def test_what_was_read_comes_before_the_content_folders(write: Write, own: Path, tmp_path: Path) -> None:
    write("door.yml", rule(1))
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "door.yml").write_text(rule(7), encoding="utf-8")
    (other / "many.yml").write_text(count(2, "door"), encoding="utf-8")
    assert Library([own]).load_rules([str(other)]).correlations[0].operands[0].id == ident(7)
    assert Library([own]).load_rules([str(other / "many.yml")]).correlations[0].operands[0].id == ident(1)
    assert Library().load_rules([str(other / "many.yml")]).correlations[0].operands[0].id == ident(7), "beside its own file, last"


def test_a_correlation_brings_its_rules_along_transitively(write: Write, own: Path) -> None:
    write("deep/door.yml", rule(1, "base"))
    write("deep/many.yml", count(2, "base"))
    outer = write("outer.yml", count(3, "many"))
    corpus = Library([own]).load_rules([str(outer)])
    assert (names(corpus), corpus.refused) == (([], ["base"], ["many", "outer"]), ())
    assert corpus.silent == {ident(1), ident(2)}
    assert corpus.correlations[1].operands[0].is_correlation
    assert {each.id for each in corpus.things} == set(corpus.files)
    assert corpus.files[ident(1)] == own / "rules" / "deep" / "door.yml"


def test_a_user_s_rule_comes_before_the_built_in_one_of_its_name(write: Write, own: Path) -> None:
    write("aws_bedrock_model_run.yml", rule(1))
    corpus = Library([own]).load_rules([str(write("many.yml", count(2, "aws_bedrock_model_run")))])
    assert corpus.correlations[0].operands[0].id == ident(1)


def test_filters_apply_to_operands(write: Write) -> None:
    write("door.yml", rule(1))
    write("many.yml", count(2, "door"))
    corpus = Library().load_rules([str(write("filter.yml", FILTER.format(rules="door")).parent)])
    assert (corpus.operands[0].filters, corpus.warnings) == (("F",), ())


def test_a_second_run_reads_the_same_from_the_cache(write: Write, own: Path, tmp_path: Path) -> None:
    write("both.yml", f"{rule(1, 'base')}---\n{count(2, 'base', name='many')}")
    outer = write("outer.yml", count(3, "many"))
    found = [Library([own], cache=RuleCache(tmp_path / "cache")).load_rules([str(outer)]) for _ in range(3)]
    assert found[0] == found[1] == found[2]
    assert names(found[2]) == ([], ["base"], ["many", "outer"])


def test_a_kept_correlation_that_cannot_be_read_is_read_anew(write: Write, own: Path, tmp_path: Path) -> None:
    outer = write("both.yml", f"{rule(1, 'base')}---\n{count(2, 'base', name='many')}")
    Library([own], cache=RuleCache(tmp_path / "cache")).load_rules([str(outer)])
    [kept] = (tmp_path / "cache").iterdir()
    kept.write_text(kept.read_text(encoding="utf-8").replace("event_count", "event_cuont"), encoding="utf-8")
    assert names(Library([own], cache=RuleCache(tmp_path / "cache")).load_rules([str(outer)])) == ([], ["base"], ["many"])


# --- who makes leads ---------------------------------------------------------------------------------------------------------------


def test_generate_lets_the_operands_make_leads_of_their_own(write: Write) -> None:
    write("door.yml", rule(1))
    corpus = Library().load_rules([str(write("many.yml", count(2, "door", more="  generate: true\n")).parent)])
    assert (names(corpus), corpus.silent) == ((["door"], [], ["many"]), frozenset())


def test_one_generating_correlation_is_enough(write: Write) -> None:
    write("door.yml", rule(1))
    write("many.yml", count(2, "door"))
    corpus = Library().load_rules([str(write("more.yml", count(3, "door", more="  generate: true\n")).parent)])
    assert names(corpus)[0] == ["door"]


@pytest.mark.parametrize("by_name", [True, False])
def test_what_is_asked_for_by_itself_makes_leads_anyway(write: Write, own: Path, *, by_name: bool) -> None:
    door = write("door.yml", rule(1))
    many = write("many.yml", count(2, "door"))
    corpus = Library([own]).load_rules([str(many), "door" if by_name else str(door)])
    assert names(corpus) == (["door"], [], ["many"])


def test_a_file_that_is_asked_for_does_not_ask_for_what_its_own_correlation_uses(write: Write, own: Path) -> None:
    both = write("both.yml", f"{rule(1, 'base')}---\n{rule(4, 'apart')}---\n{count(2, 'base', name='many')}")
    assert names(Library([own]).load_rules([str(both)])) == (["apart"], ["base"], ["many"])
    assert names(Library([own]).load_rules(["base"])) == (["base", "apart"], [], ["many"])


def test_a_population_makes_no_leads(write: Write) -> None:
    write("door.yml", rule(1))
    write("all.yml", rule(5))
    body = "type: first_seen\n  rules: [door]\n  population: all\n  field: f\n  lookback: 1d\n  generate: true\n"
    leads = "  generate: true\n"
    corpus = Library().load_rules([str(write("new.yml", f"title: New\nid: {ident(2)}\ncorrelation:\n  {body}").parent)])
    assert names(corpus) == (["door"], ["all"], ["new"])
    corpus = Library().load_rules([str(write("new.yml", f"title: New\nid: {ident(2)}\ncorrelation:\n  {body.removesuffix(leads)}").parent)])
    assert names(corpus) == ([], ["all", "door"], ["new"])


def test_a_hunt_s_names_bring_only_what_they_need(write: Write, own: Path) -> None:
    write("door.yml", rule(1))
    write("other.yml", rule(4))
    write("many.yml", count(2, "door"))
    write("outer.yml", count(3, "many"))
    every = Library([own]).load_all()
    assert names(every.only({"outer"})) == ([], ["door"], ["many", "outer"])
    assert names(every.only({"many", "door"})) == (["door"], [], ["many"])
    assert names(every.only({ident(4)})) == (["other"], [], [])
    assert {"outer", "door", ident(2)} <= every.names


def test_a_correlation_is_found_by_its_bare_name(write: Write, own: Path) -> None:
    write("door.yml", rule(1))
    path = write("deep/many.yml", count(2, "door"))
    library = Library([own])
    assert library.resolve("many") == library.resolve(ident(2)) == path


def test_a_user_s_correlation_replaces_the_one_of_its_id(write: Write, own: Path, tmp_path: Path) -> None:
    write("door.yml", rule(1))
    write("many.yml", count(2, "door"))
    second = tmp_path / "second" / "rules"
    second.mkdir(parents=True)
    (second / "mine.yml").write_text(count(2, "door"), encoding="utf-8")
    corpus = Library([own, second.parent]).load_all()
    assert [each.name for each in corpus.correlations if each.id == ident(2)] == ["mine"]


# --- what is refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ("dor", "many.yml:5: names the rule dor, which does not exist. Did you mean door?"),
        ("zzzzzz", "many.yml:5: names the rule zzzzzz, which does not exist. Write the name, the id or the file's stem of a rule."),
        ("many", "many.yml:5: the correlation many names itself. A correlation cannot count itself."),
        (f"door, {ident(1)}", f"many.yml:5: door and {ident(1)} are one rule. Write one name for it."),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_with_its_line(write: Write, own: Path, rules: str, fault: str) -> None:
    write("door.yml", rule(1))
    corpus = Library([own]).load_rules([str(write("many.yml", count(2, rules)).parent)])
    [found] = told(corpus)
    assert found.removeprefix(f"{own.as_posix()}/rules/") == fault
    assert corpus.correlations == ()
    assert names(corpus)[0] == ["door"], "a refused correlation silences nothing"


def test_a_name_that_two_rules_have_is_refused_with_their_ids(write: Write, own: Path) -> None:
    write("a.yml", rule(1, "door"))
    write("b.yml", rule(4, "door"))
    [found] = told(Library([own]).load_rules([str(write("many.yml", count(2, "door")).parent)]))
    assert "names door, which 2 rules are called. Write one of the ids" in found
    assert ident(1) in found
    assert ident(4) in found


def test_a_cycle_is_refused_at_each_of_its_members(write: Write, own: Path) -> None:
    write("a.yml", count(1, "b"))
    write("b.yml", count(2, "c"))
    found = told(Library([own]).load_rules([str(write("c.yml", count(3, "a")).parent)]))
    assert any("comes back to itself by way of a" in each for each in found), found
    assert sum("which is refused itself. Mend that one first." in each for each in found) == 2


def test_a_population_that_is_a_correlation_is_refused(write: Write, own: Path) -> None:
    write("door.yml", rule(1))
    write("many.yml", count(2, "door"))
    body = "type: first_seen\n  rules: [door]\n  population: many\n  field: f\n  lookback: 1d\n"
    corpus = Library([own]).load_rules([str(write("new.yml", f"title: New\nid: {ident(3)}\ncorrelation:\n  {body}").parent)])
    [found] = told(corpus)
    assert found.endswith("new.yml:6: the population many is a correlation. A population is a rule: its events are counted by the hour.")


@pytest.mark.parametrize(
    ("inner", "fault"),
    [
        ("  group-by: [user]\n", "reads usr of the correlation many, which has only the fields that it groups by. Did you mean user?"),
        (
            "  group-by: [address]\n",
            "reads usr of the correlation many, which has only the fields that it groups by. Its group-by has address.",
        ),
        ("", "reads usr of the correlation many, which has only the fields that it groups by. Its group-by has no field."),
    ],
)
def test_a_chain_reads_the_group_fields_of_its_inner_correlation_only(write: Write, own: Path, inner: str, fault: str) -> None:
    write("door.yml", rule(1))
    write("many.yml", count(2, "door", more=inner))
    [found] = told(Library([own]).load_rules([str(write("outer.yml", count(3, "many", more="  group-by: [usr]\n")).parent)]))
    assert found.endswith(f"outer.yml:5: {fault}")


def test_a_rule_that_is_refused_itself_is_named_with_its_fault(write: Write, own: Path) -> None:
    write("door.yml", "title: x\n")
    [found] = told(Library([own]).load_rules([str(write("many.yml", count(2, "door")))]))
    assert "many.yml:5: names the rule door, which is refused: " in found
    assert "has no logsource" in found


def test_a_chain_without_end_is_refused(write: Write, own: Path) -> None:
    text = rule(1, "c0") + "".join(f"---\n{count(at + 1, f'c{at - 1}', name=f'c{at}')}" for at in range(MAX_CHAIN + 5, 0, -1))
    corpus = Library([own]).load_rules([str(write("chain.yml", text))])
    assert any(f"chains over {MAX_CHAIN} correlations." in each for each in told(corpus))


def test_an_id_is_given_once_among_rules_and_correlations(write: Write, own: Path) -> None:
    write("door.yml", rule(1))
    [found] = told(Library([own]).load_rules([str(write("many.yml", count(1, "door")).parent)]))
    assert f"has the id {ident(1)}, which" in found

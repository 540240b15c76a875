"""`engines`: what each engine can say is found by asking, so it agrees with what `rules compile` does."""

from __future__ import annotations

import importlib.util

import pytest

from aibr_hunt.compile import capabilities as capabilities_module
from aibr_hunt.compile.capabilities import Saying, capabilities, probes
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.predicate import (
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Not,
    Order,
    Predicate,
    Regex,
    Text,
    TextOp,
    TimeIs,
    TimePart,
    Together,
)
from tests.built_in import LIBRARY
from tests.cli.conftest import Aibr


def leaves(predicate: Predicate) -> list[Predicate]:
    match predicate:
        case Not(item=item):
            return leaves(item)
        case Together(items=pairs):
            return [leaf for _, item in pairs for leaf in leaves(item)]
        case Text() | Regex() | Cidr() | Order() | Exists() | FieldRef() | TimeIs() | Keyword():
            return [predicate]
        case _:
            return [leaf for item in predicate.items for leaf in leaves(item)]


def says(engine: EngineKind, construct: str) -> Saying:
    return next(row.saying for row in capabilities(engine) if row.construct == construct)


def test_every_leaf_of_the_tree_is_probed() -> None:
    probed = [leaf for _, predicate in probes() for leaf in leaves(predicate)]
    assert {type(leaf) for leaf in probed} == {Text, Regex, Cidr, Order, Exists, FieldRef, TimeIs, Keyword}
    assert {(leaf.op, leaf.cased) for leaf in probed if isinstance(leaf, Text)} == {(op, cased) for op in TextOp for cased in (False, True)}
    assert {leaf.part for leaf in probed if isinstance(leaf, TimeIs)} == set(TimePart)


def test_no_construct_is_listed_twice() -> None:
    names = [name for name, _ in probes()]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("engine", EngineKind)
def test_what_is_not_exact_says_why(engine: EngineKind) -> None:
    silent = [row.construct for row in capabilities(engine) if row.saying not in {Saying.EXACT, Saying.WIDER} and not row.why]
    assert silent == []


@pytest.mark.parametrize("engine", EngineKind)
def test_the_plainest_tests_are_exact_on_every_engine(engine: EngineKind) -> None:
    plain = ("equals, a field of ASCII", "contains, cased", "exists", "null, the empty text, exists: false", "regular expression")
    assert {name: says(engine, name) for name in plain} == dict.fromkeys(plain, Saying.EXACT)


@pytest.mark.parametrize("engine", EngineKind)
def test_what_no_engine_may_be_asked_is_refused_on_all(engine: EngineKind) -> None:
    assert says(engine, "cidr, masked addresses") is Saying.REFUSED
    assert says(engine, "a field that the layout does not carry") is Saying.REFUSED


def test_a_change_of_the_compiler_changes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is no list of what works: it is asked for."""
    name = "contains, the text of an object"
    assert says(EngineKind.ATHENA, name) is Saying.SIEVE
    monkeypatch.setattr(capabilities_module, "is_empty", lambda _: True)
    assert says(EngineKind.ATHENA, name) is Saying.NOTHING


def test_machines_get_a_line_for_every_construct_and_engine_every_layout_and_the_scanner(aibr: Aibr) -> None:
    said = aibr("engines", "--json")
    assert (said.code, said.err) == (0, "")
    constructs = [row for row in said.rows if "construct" in row]
    assert len(constructs) == len(list(probes())) * len(EngineKind)
    assert {row["engine"] for row in constructs} == set(EngineKind)
    layouts = [row for row in said.rows if "layout" in row]
    assert [(row["mapping"], row["layout"]) for row in layouts] == [
        (mapping.name, layout.label) for mapping in LIBRARY.mappings for layout in mapping.layouts
    ]
    assert all(len(row["not_carried"]) <= row["fields"] for row in layouts)
    has_hyperscan = importlib.util.find_spec("hyperscan") is not None
    assert said.rows[-1] == {"engine": "files", "scanner": "hyperscan" if has_hyperscan else "re2"}


def test_people_get_a_table_its_legend_and_the_reasons(aibr: Aibr) -> None:
    said = aibr("engines")
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["construct", *EngineKind]
    for saying in Saying:
        assert any(line.startswith(f"{saying.value} ") for line in said.out.splitlines()), saying
    for text in ("athena/projection", "fields not carried", "scanner of literals"):
        assert text in said.out, text


def test_without_hyperscan_the_slower_scanner_is_named(aibr: Aibr, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "hyperscan" else find(name))
    assert "re2 (hyperscan is not installed: the same results, more slowly)" in aibr("engines").out

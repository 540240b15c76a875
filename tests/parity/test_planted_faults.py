"""Faults planted one at a time into the printers and into the lowering: parity turns red for each, and is green without any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import pytest

from aibr_hunt.compile import duckdb as duck
from aibr_hunt.compile import kql, sql
from aibr_hunt.compile.dialects import WHOLE_TIME, Dialect, json_path
from aibr_hunt.compile.kql import KqlPrinter
from aibr_hunt.compile.program import SQL_PRINTERS
from aibr_hunt.compile.sql import ORDER_SIGNS, SqlPrinter
from aibr_hunt.compile.text import Joined, Node, flat
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning import bounds, leafbounds, narrow
from aibr_hunt.meaning.bounds import Bounds
from aibr_hunt.meaning.leafbounds import LeafBounds
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.condition import (
    Condition,
    Either,
    Finds,
    HoldsFragment,
    InNetwork,
    IsPresent,
    Negated,
    NumberIs,
    Test,
    TextIs,
    TextsAgree,
    Value,
    both,
    either,
    negated,
)
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import EngineKind, Kind
from aibr_hunt.model.predicate import OrderOp, Star, Text, TextOp
from tests.oracle.strategies import rule_text
from tests.parity.cases import all_cases
from tests.parity.engine_parity import Subject, Tally, breaks_an_assumption, compare, holds_odd_letter
from tests.parity.engine_world import mapping, row_of
from tests.parity.test_engine_parity import LAYOUTS, RAW, STANDINS, _row, drawn, spells_a_number_anew

Plant: TypeAlias = Callable[[pytest.MonkeyPatch], None]

# -- small parities -----------------------------------------------------------------------------------------------

IsEnough: TypeAlias = Callable[[Tally], bool]
Probe: TypeAlias = Callable[[Tally, IsEnough], None]
_AT_ONCE = 12


def _drawn(label: str, seed: int, tally: Tally, is_enough: IsEnough, *, drifts: bool = False) -> None:
    """Ask sixty drawn rules, a few at a time."""
    layout = next(each for each in LAYOUTS if each.label == label)
    locator, standin = Locator(mapping(), layout), STANDINS[layout.engine]()
    subjects, events = drawn(seed, 60, 40, drifts=drifts)
    standin.load(layout, [row_of(event, layout) for event in events])
    ids = frozenset(str(event["id"]) for event in events)
    odd = frozenset(str(event["id"]) for event in events if holds_odd_letter(event))
    for start in range(0, len(subjects), _AT_ONCE):
        if is_enough(tally):
            return
        part = [
            replace(each, is_as_assumed=not breaks_an_assumption(each.predicate, events, locator))
            for each in subjects[start : start + _AT_ONCE]
        ]
        compare(part, ids, locator=locator, standin=standin, tally=tally, odd=odd, is_whole=not drifts)


def _by_hand(label: str, files: tuple[str, ...], tally: Tally, is_enough: IsEnough) -> None:
    """Ask the cases of some files, one rule at a time."""
    layout = next(each for each in RAW if each.label == label)
    locator, standin = Locator(None, layout), STANDINS[layout.engine]()
    for case in all_cases():
        if not case.name.startswith(files):
            continue
        if is_enough(tally):
            return
        events = [(f"e{number}", parse_record(text.encode()).value, truth) for number, (text, truth) in enumerate(case.truths.items())]
        events = [each for each in events if not spells_a_number_anew(each[1])]
        standin.load(layout, [_row(layout, name, value) for name, value, _ in events])
        rule = load_rule_text(case.rule, "case.yml")
        is_as_assumed = not breaks_an_assumption(rule.predicate, [value for _, value, _ in events], locator)
        subject = Subject(case.rule, rule.predicate, frozenset(name for name, _, truth in events if truth), is_as_assumed)
        odd = frozenset(name for name, value, _ in events if holds_odd_letter(value))
        compare([subject], frozenset(name for name, _, _ in events), locator=locator, standin=standin, tally=tally, odd=odd)


# -- truths typed by hand at the borders that the faults move -------------------------------------------------------

_NOTHING: dict[str, Json] = dict.fromkeys(
    ("moment", "name", "code", "agent", "address", "label", "count", "size", "flag", "who", "tags", "resources", "params")
)
_MEMBERS: tuple[dict[str, Json], ...] = (
    {},
    {"name": "line\nbreak", "code": "line", "label": "5.0", "moment": "2026-01-05T23:30:00Z"},
    {"name": "linexbreak", "code": "linex", "label": "10", "params": {"at": "2026-01-05T23:30:00+02:00"}},
    {"name": "linexxbreak", "code": "breaks", "label": "9", "params": {"at": "2026-01-05T21:30:00Z", "words": ["two", "one"]}},
    {"name": "a\\nb", "address": "192.0.2.7", "tags": ["two", "one"], "params": {"limit": 5, "words": "one"}},
    {"name": "a\nb", "address": "192.0.3.0", "tags": ["two"], "params": {"limit": 5.0, "words": {"x": "one"}}},
    {
        "name": 'it\'s "GEL\u00d6SCHT"',
        "address": "192.0.1.255",
        "resources": [{"arn": "x", "kind": "1"}, {"arn": "y", "kind": "2"}],
    },
    {"name": "alpha", "agent": "-", "resources": [{"arn": "x", "kind": "2"}, {"arn": "y"}], "count": 5, "params": {"other": ""}},
    {"name": "beta", "agent": "none", "resources": [{"arn": "y", "kind": "2"}], "count": 6, "address": "::ffff:192.0.2.8"},
    {"name": "gamma", "agent": "cli", "code": "mm", "count": 4, "address": "2001:db8::1"},
    {"name": "", "flag": True, "size": 0.5, "address": "192.0.2.0/24", "params": {"other": "alphas"}},
)
_EVENTS = tuple({**_NOTHING, "id": f"e{number}", "at": "2026-01-05T12:00:00Z", **each} for number, each in enumerate(_MEMBERS))
# Items of one selection, and the events that it finds; the ids of all the others belong to its negation.
_RULES: tuple[tuple[dict[str, object], str], ...] = (
    ({"name": "line?break"}, "e1 e2"),
    ({"name": "line*break"}, "e1 e2 e3"),
    ({"name": "l.n*break"}, ""),
    ({"name|re": "LINE.BREAK"}, ""),
    ({"name|re|i|s": "LINE.BREAK"}, "e1 e2"),
    ({"name": "a\\nb"}, "e4"),
    ({"name|contains": "IT'S \"gel\u00f6scht"}, "e6"),
    ({"name": 'IT\'S "gel\u00f6scht"'}, "e6"),
    ({"name|cased": "Alpha"}, ""),
    ({"name": ["Alpha", "Beta", "Gamma"]}, "e7 e8 e9"),
    ({"name|contains": "ph"}, "e7"),
    ({"name|startswith": "lph"}, ""),
    ({"name|endswith": "XBREAK"}, "e2 e3"),
    ({"name": None}, "e0 e10"),
    ({"agent|contains": "n"}, ""),
    ({"agent": None}, "e0 e1 e2 e3 e4 e5 e6 e7 e8 e10"),
    ({"name|fieldref|contains": "code"}, "e1 e2 e9"),
    ({"label": 5}, "e1"),
    ({"label|gt": 9}, "e2"),
    ({"label|gte": 9}, "e2 e3"),
    ({"count|lt": 5}, "e9"),
    ({"count|lte": 5}, "e7 e9"),
    ({"params.limit": 5}, "e4 e5"),
    ({"params.limit|startswith": "5"}, "e4 e5"),
    ({"address|cidr": "192.0.2.0/24"}, "e4 e8"),
    ({"address|cidr": "192.0.2.8/32"}, "e8"),
    ({"address|cidr": "::/0"}, "e9"),
    ({"moment|hour": 23}, "e1"),
    ({"params.at|hour": 21}, "e2 e3"),
    ({"params.other|contains": "lph"}, "e10"),
    ({"params.words": "one"}, "e3 e4"),
    ({"tags": "one"}, "e4"),
    ({"tags|contains": "t"}, "e4 e5"),
    ({"resources.arn": "x", "resources.kind": "2"}, "e7"),
    ({"resources.arn": "x", "name": "*"}, "e6 e7"),
)


def _borders(label: str, tally: Tally, is_enough: IsEnough) -> None:
    """Ask the rules typed above, and the negation of each."""
    layout = next(each for each in LAYOUTS if each.label == label)
    locator, standin = Locator(mapping(), layout), STANDINS[layout.engine]()
    standin.load(layout, [row_of(event, layout) for event in _EVENTS])
    ids = frozenset(str(event["id"]) for event in _EVENTS)
    subjects = []
    for number, (selection, found) in enumerate(_RULES):
        text = rule_text({"sel": selection, "condition": "sel"}, number)
        subjects.append(Subject(text, load_rule_text(text, "border.yml").predicate, frozenset(found.split())))
    for start in range(0, len(subjects), _AT_ONCE):
        if is_enough(tally):
            return
        compare(subjects[start : start + _AT_ONCE], ids, locator=locator, standin=standin, tally=tally, odd=frozenset())


DUCK: tuple[Probe, ...] = (
    partial(_borders, "duckdb/typed"),
    partial(_borders, "duckdb/json"),
    partial(_drawn, "duckdb/typed", 1),
    partial(_drawn, "duckdb/json", 1),
    partial(_by_hand, "duckdb/raw_json", ("",)),
)
DRIFT: tuple[Probe, ...] = (partial(_drawn, "duckdb/json", 901, drifts=True), partial(_drawn, "duckdb/typed", 901, drifts=True))
TRINO: tuple[Probe, ...] = (partial(_borders, "athena/typed"), partial(_borders, "athena/json"))
GOOGLE: tuple[Probe, ...] = (partial(_borders, "bigquery/typed"), partial(_borders, "bigquery/json"))
KUSTO: tuple[Probe, ...] = (partial(_borders, "kql/typed"), partial(_borders, "kql/json"))
PROBES = {"duckdb": DUCK, "duckdb drifting": DRIFT, "trino": TRINO, "googlesql": GOOGLE, "kusto": KUSTO}


# -- how a fault is planted ---------------------------------------------------------------------------------------


def _primitive(engine: EngineKind, **changes: Callable[..., str]) -> Plant:
    """Return a plant that replaces primitives of a dialect."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        faulty: Dialect = replace(SQL_PRINTERS[engine].dialect, **changes)  # type: ignore[arg-type]
        patch.setitem(SQL_PRINTERS, engine, SqlPrinter(faulty))

    return plant


def _instead(owner: object, name: str, faulty: Callable[..., Any]) -> Plant:
    """Return a plant that puts a function in the place of another; `faulty` gets the sound one first."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        sound = getattr(owner, name)

        def planted(*arguments: Any, **named: Any) -> Any:
            return faulty(sound, *arguments, **named)

        patch.setattr(owner, name, planted)

    return plant


_duck = partial(_primitive, EngineKind.DUCKDB)
_trino = partial(_primitive, EngineKind.ATHENA)
_google = partial(_primitive, EngineKind.BIGQUERY)
Sound: TypeAlias = Callable[..., Any]


def _dialect(engine: EngineKind) -> Dialect:
    return SQL_PRINTERS[engine].dialect


# -- the faults: conditions ---------------------------------------------------------------------------------------


def _not_without_coalesce(sound: Sound, printer: SqlPrinter, condition: Condition) -> Node:
    if isinstance(condition, Negated):
        return f"NOT ({flat(printer.condition(condition.item))})"
    node: Node = sound(printer, condition)
    return node


def _last_of_each_in_lost(sound: Sound, printer: SqlPrinter | KqlPrinter, items: tuple[Condition, ...]) -> Node:
    node: Node = sound(printer, items)
    return _without_last(node)


def _without_last(node: Node) -> Node:
    if not isinstance(node, Joined):
        return node
    is_list = " IN (" in node.opening or " in (" in node.opening or " in~ (" in node.opening
    parts = node.parts[:-1] if is_list and "NOT" not in node.opening else tuple(map(_without_last, node.parts))
    return replace(node, parts=parts)


def _lower_dropped(sound: Sound, printer: SqlPrinter, value: Value, *_: bool) -> str:
    text: str = sound(printer, value, True)  # noqa: FBT003
    return text


def _flags_dropped(sound: Sound, printer: SqlPrinter | KqlPrinter, test: Test) -> Node:
    node: Node = sound(printer, replace(test, flags="") if isinstance(test, Finds) else test)
    return node


def _fragment_without_lower(sound: Sound, printer: SqlPrinter, test: Test) -> Node:
    node: Node = sound(printer, test)
    return flat(node).replace("LOWER(", "(", 1) if isinstance(test, HoldsFragment) else node


def _fieldref_turned_round(sound: Sound, printer: SqlPrinter, test: TextsAgree) -> str:
    text: str = sound(printer, replace(test, left=test.right, right=test.left))
    return text


def _number_equal_as_text(sound: Sound, printer: SqlPrinter, test: NumberIs) -> str:
    if test.op is None and test.value.type.kind not in {Kind.INTEGER, Kind.REAL}:
        return f"{printer._text(test.value)} = '{test.number}'"
    text: str = sound(printer, test)
    return text


def _order_as_text(sound: Sound, printer: SqlPrinter, test: NumberIs) -> str:
    if test.op is not None:
        return f"{printer._text(test.value)} {ORDER_SIGNS[test.op]} '{test.number}'"
    text: str = sound(printer, test)
    return text


def _kql_number_equal_as_text(sound: Sound, printer: KqlPrinter, test: NumberIs) -> str:
    if test.op is None and test.value.type.kind not in {Kind.INTEGER, Kind.REAL}:
        return f"{printer._text(test.value)} == {kql.literal(test.number)}"
    text: str = sound(printer, test)
    return text


def _printed_blanks_ignored(sound: Sound, printer: SqlPrinter, value: Value, _: tuple[str, ...]) -> Node:
    node: Node = sound(printer, value, ())
    return node


def _blank_is_null_only(sound: Sound, printer: SqlPrinter, value: Value, blanks: tuple[str, ...]) -> Node:
    if value.type.kind is Kind.TEXT and not blanks:
        return f"{printer.value(value)} IS NOT NULL"
    node: Node = sound(printer, value, blanks)
    return node


def _wildcard(any_: str, one: str, *, is_escaped: bool = True) -> Callable[..., str]:
    parts = {Star.ANY: any_, Star.ONE: one}

    def written(_: Sound, pattern: tuple[str | Star, ...]) -> str:
        texts = [parts[part] if isinstance(part, Star) else sql.escaped(part) if is_escaped else part for part in pattern]
        return rf"\A{''.join(texts)}\z"

    return written


def _path_as_one_name(sound: Sound, path: tuple[str, ...]) -> str:
    text: str = sound((".".join(path),) if path else ())
    return text


def _wider_network(by: int) -> Callable[[str, str], str]:
    def written(value: str, network: str) -> str:
        address, length = network.split("/")
        from ipaddress import ip_network

        moved = ip_network(f"{address}/{min(32, max(0, int(length) + by))}", strict=False)
        return duck._duck_network(value, str(moved))

    return written


def _trino_network_unguarded(value: str, network: str) -> str:
    return f"contains('{network}', TRY_CAST(regexp_extract({value}, '\\A[0-9A-Fa-f:.]+\\z') AS IPADDRESS))"


def _kql_network_unguarded(sound: Sound, printer: KqlPrinter, test: InNetwork) -> Node:
    node: Node = sound(printer, test)
    return node.parts[-1] if isinstance(node, Joined) else node


def _kql_has_for_contains(sound: Sound, printer: KqlPrinter, test: TextIs) -> str:
    text: str = sound(printer, test)
    return text.replace(" contains ", " has ").replace(" contains_cs ", " has_cs ") if test.op is TextOp.CONTAINS else text


def _kql_without_tolower(sound: Sound, printer: KqlPrinter, test: TextIs) -> str:
    if test.op is TextOp.EQUALS and not test.cased:
        return f"{printer._text(test.value)} =~ {kql.literal(test.literal)}"
    text: str = sound(printer, test)
    return text


# -- the faults: the lowering -------------------------------------------------------------------------------------


def _not_swapped(_: Sound, part: Bounds) -> Bounds:
    low, high = (None if each is None else negated(each) for each in (part.low, part.high))
    return replace(part, must=negated(part.must), may=negated(part.may), low=low, high=high)


def _exchanged(sound: Sound, found: LeafBounds) -> Bounds:
    test: Bounds = sound(found)
    return replace(test, must=test.may, may=test.must)


def _split(_: Sound, _array: Value, group: tuple[tuple[str, Any], ...], *, context: bounds.Context, locator: Locator) -> Bounds:
    return bounds._all([bounds._bounds(item, context, locator) for _, item in group])


def _alternative_dropped(sound: Sound, condition: Condition, *others: Any) -> Any:
    if isinstance(condition, Either):
        return sound(either(*condition.items[:-1]), *others)
    return sound(condition, *others)


def _always_uncased(sound: Sound, leaf: Text, asked: Any) -> LeafBounds:
    found: LeafBounds = sound(replace(leaf, cased=False), asked)
    return found


def _any_for_all(_: Sound, parts: Any) -> Bounds:
    return bounds._merged(parts, either)


def _all_for_any(_: Sound, parts: Any) -> Bounds:
    return bounds._merged(parts, both)


def _presence_without_blanks(_: Sound, access: Any, *_others: Any) -> Condition:
    return IsPresent(value=access.value)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, where it is looked for, and whether the engine refuses the text instead of answering wrongly."""

    name: str
    plant: Plant
    where: str = "duckdb"
    is_refused: bool = False


def _order(op: OrderOp, sign: str) -> Plant:
    return lambda patch: patch.setitem(ORDER_SIGNS, op, sign)


def _without_escape(character: str) -> Plant:
    return lambda patch: patch.delitem(kql._ESCAPES, character)


def _any_json_text(value: str, path: tuple[str, ...], kind: Kind) -> str:
    return f"json_extract_string({duck._duck_json(value, kind)}, {_dialect(EngineKind.DUCKDB).literal(json_path(path))})"


def _time_without_zone(text: str) -> str:
    return f"TRY_CAST(substr(regexp_extract({text}, {_dialect(EngineKind.DUCKDB).literal(WHOLE_TIME)}), 1, 19) AS TIMESTAMP)"


_unquoted = "'{}'".format
FAULTS = (
    Fault("NOT without COALESCE", _instead(SqlPrinter, "condition", _not_without_coalesce)),
    Fault("the value not in lower case", _instead(SqlPrinter, "_text", _lower_dropped)),
    Fault("the literal not in lower case", lambda patch: patch.setattr(leafbounds, "fold", str)),
    Fault("a fragment looked for in a text not in lower case", _instead(SqlPrinter, "_test", _fragment_without_lower)),
    Fault("a cased test without case", _instead(leafbounds, "_folded", _always_uncased)),
    Fault("quote not doubled, DuckDB", _duck(literal=_unquoted), is_refused=True),
    Fault("quote not doubled, Athena", _trino(literal=_unquoted), "trino", is_refused=True),
    Fault("quote not escaped, BigQuery", _google(literal=_unquoted), "googlesql", is_refused=True),
    Fault("backslash not escaped, BigQuery", _google(literal=lambda text: "'" + text.replace("'", "\\'") + "'"), "googlesql"),
    Fault("quote not escaped, KQL", _without_escape('"'), "kusto", is_refused=True),
    Fault("backslash not escaped, KQL", _without_escape("\\"), "kusto"),
    Fault("< for <=", _order(OrderOp.LTE, "<")),
    Fault("<= for <", _order(OrderOp.LT, "<=")),
    Fault("> for >=", _order(OrderOp.GTE, ">")),
    Fault(">= for >", _order(OrderOp.GT, ">=")),
    Fault("bounds not swapped under not", _instead(bounds, "_not", _not_swapped)),
    Fault("must and may exchanged", _instead(bounds, "_bounds_of_test", _exchanged)),
    Fault("guard of odd letters dropped", _instead(leafbounds, "odd_letters", lambda *_: "")),
    Fault("letters of two cases trusted", _instead(leafbounds, "is_stable", lambda *_: True)),
    Fault("contains as startswith", _duck(contains=_dialect(EngineKind.DUCKDB).starts)),
    Fault("startswith as contains", _duck(starts=_dialect(EngineKind.DUCKDB).contains)),
    Fault(
        "endswith off by one",
        _trino(ends=lambda text, literal: f"substr({text}, -{len(literal) + 1}) = '{literal.replace(chr(39), chr(39) * 2)}'"),
        "trino",
    ),
    Fault("contains as has, KQL", _instead(KqlPrinter, "_text_is", _kql_has_for_contains), "kusto"),
    Fault("ASCII operators on other letters, KQL", _instead(KqlPrinter, "_text_is", _kql_without_tolower), "kusto"),
    Fault("wildcard ? as *", _instead(sql, "wildcard_pattern", _wildcard(r"(?:.|\n)*", r"(?:.|\n)*"))),
    Fault("wildcards without line breaks", _instead(sql, "wildcard_pattern", _wildcard(".*", "."))),
    Fault("wildcard ? without line breaks", _instead(sql, "wildcard_pattern", _wildcard(r"(?:.|\n)*", "."))),
    Fault("literals of wildcards not escaped", _instead(sql, "wildcard_pattern", _wildcard(r"(?:.|\n)*", r"(?:.|\n)", is_escaped=False))),
    Fault("flags of a regular expression dropped", _instead(SqlPrinter, "_test", _flags_dropped)),
    Fault("network one bit wider", _duck(in_network=_wider_network(-1))),
    Fault("network one bit narrower", _duck(in_network=_wider_network(1))),
    Fault("IPv6 guard dropped, Athena", _trino(in_network=_trino_network_unguarded), "trino"),
    Fault("address guards dropped, KQL", _instead(KqlPrinter, "_in_network", _kql_network_unguarded), "kusto"),
    Fault("blanks of the field not taken out", _instead(leafbounds, "_without_blanks", lambda _, found, *__: found)),
    Fault("blanks of the field ignored in print", _instead(SqlPrinter, "_is_present", _printed_blanks_ignored)),
    Fault("blanks of the field ignored in JSON", _instead(leafbounds, "_present", _presence_without_blanks)),
    Fault("IS NULL for blank, without ''", _instead(SqlPrinter, "_is_present", _blank_is_null_only)),
    Fault("not one and the same element", _instead(bounds, "_shared", _split)),
    Fault(
        "only the first element", _duck(any_element=lambda array, name, body: f"len(list_filter({array}[1:1], lambda {name}: {body})) > 0")
    ),
    Fault(
        "every element",
        _duck(any_element=lambda array, name, body: f"len(list_filter({array}, lambda {name}: NOT COALESCE({body}, FALSE))) = 0"),
    ),
    Fault("a lone value is no list", _duck(elements=lambda value: f"json_extract({value}, '$[*]')")),
    Fault("IN loses its last value", _instead(SqlPrinter, "_either", _last_of_each_in_lost)),
    Fault("in~ loses its last value, KQL", _instead(KqlPrinter, "_either", _last_of_each_in_lost), "kusto"),
    Fault("numbers equal as texts only", _instead(SqlPrinter, "_number_is", _number_equal_as_text)),
    Fault("numbers equal as texts only, KQL", _instead(KqlPrinter, "_number_is", _kql_number_equal_as_text), "kusto"),
    Fault("order as texts", _instead(SqlPrinter, "_number_is", _order_as_text)),
    Fault("JSON path as one name", _instead(duck, "json_path", _path_as_one_name)),
    Fault("text of lists and objects compared", _duck(json_scalar=_any_json_text)),
    Fault("optional coalesce dropped, KQL", _instead(kql, "_can_be_null", lambda *_: False), "kusto"),
    Fault("time parts in another zone", _duck(part=lambda value, part: duck._duck_time_part(f"({value} + INTERVAL 1 HOUR)", part))),
    Fault("zone of a time dropped", _duck(time_of=_time_without_zone)),
    Fault("field reference turned round", _instead(SqlPrinter, "_texts_agree", _fieldref_turned_round)),
    Fault("and as or", _instead(bounds, "_all", _any_for_all)),
    Fault("or as and", _instead(bounds, "_any", _all_for_any)),
    Fault("sieve drops an alternative", _instead(narrow, "_narrowed", _alternative_dropped)),
    Fault("numbers in JSON trusted to keep their spelling", _instead(leafbounds, "_in_doubt_of_numbers", lambda _, found, *__: found)),
    Fault("sieve that leans on undeclared paths", _instead(leafbounds, "_drift_proof", lambda _, found, *__: found), "duckdb drifting"),
)


# -- the tests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_parity_turns_red(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.plant(monkeypatch)
    tally = Tally()
    for probe in PROBES[fault.where]:
        probe(tally, partial(_is_shown, fault))
    assert _is_shown(fault, tally), f"parity does not notice: {tally.cells} cells, {len(tally.wrong)} wrong"


def _is_shown(fault: Fault, tally: Tally) -> bool:
    """True when something is wrong; a refusal shows a fault only where a refusal is what it leads to."""
    return any(fault.is_refused or ": rejected: " not in told.partition("\n")[0] for told in tally.wrong)


@pytest.mark.parametrize("where", PROBES)
def test_the_same_is_green_without_a_fault(where: str, record_property: Callable[[str, object], None]) -> None:
    tally = Tally()
    for probe in PROBES[where]:
        before = tally.cells
        probe(tally, lambda _: False)
        assert tally.cells > before
    assert not tally.wrong, tally.wrong[0]
    record_property("parity", f"{where}: {tally.cells} cells without a fault, {sum(fault.where == where for fault in FAULTS)} faults")


def test_the_matcher_says_what_was_typed() -> None:
    for number, (selection, found) in enumerate(_RULES):
        matcher = compile_rules([load_rule_text(rule_text({"sel": selection, "condition": "sel"}, number), "border.yml")], mapping())
        assert {str(event["id"]) for event in _EVENTS if matcher.match(event)} == set(found.split()), selection


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20

"""What an engine can say, found by asking: one small rule for every construct, compiled for a small table of the engine's own types.

Nothing here is a list of what works. A construct that the compiler learns, or unlearns, changes the answer by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aibr_hunt.compile.program import Asking, rule_bounds, sieve_query, whole_query
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.narrow import is_empty, narrowed
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.condition import AnyElement, Both, Condition, Either, HasNonAscii, HoldsOddLetter, Negated
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Not,
    Order,
    OrderOp,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    TimePart,
    Together,
)
from aibr_hunt.model.query import Last
from aibr_hunt.model.rule import LogSource, Rule


class Saying(StrEnum):
    """How much of a construct an engine can be asked."""

    EXACT = "exact"
    """Exactly the rows that the rule means."""
    ASSUMING = "assuming"
    """Exactly those, as long as what the assumptions say is so."""
    WIDER = "wider"
    """All of them, and rows with a few letters on which engines differ."""
    SIEVE = "sieve"
    """Only a condition that all of them meet; the rule cannot be printed whole."""
    NOTHING = "nothing"
    """It can be asked, but nothing narrows it: every row comes back to be matched."""
    REFUSED = "refused"
    """It cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What an engine says of one construct.

    Attributes:
        construct: The construct, as people name it.
        saying: How much of it is asked.
        why: What stands in the way, or is assumed; sentences or phrases, may be empty.
    """

    construct: str
    saying: Saying
    why: tuple[str, ...] = ()


def capabilities(engine: EngineKind) -> tuple[Capability, ...]:
    """Return what the engine says of every construct that a rule may hold."""
    layout = _layout(engine)
    asking = Asking(locator=Locator(MAPPING, layout), span=Last(hours=24), meanings={})
    return tuple(_capability(name, predicate, asking) for name, predicate in probes())


def _capability(construct: str, predicate: Predicate, asking: Asking) -> Capability:
    rule = Rule(id="probe", name="probe", title="", path="", text_digest="", logsource=LogSource(), predicate=predicate)
    try:
        bounds = rule_bounds(rule, asking.locator)
        sieve_query([rule], asking)
        if bounds.high is not None:
            whole_query([rule], asking)
    except Unsupported as refusal:
        return Capability(construct=construct, saying=Saying.REFUSED, why=(f"{refusal.construct}: {refusal.why}",))
    if bounds.high is None:
        saying = Saying.NOTHING if is_empty(narrowed(bounds.may, asking.locator.weights)) else Saying.SIEVE
        return Capability(construct=construct, saying=saying, why=bounds.obstacles)
    if bounds.low != bounds.high or any(map(_asks_for_letters, (bounds.must, bounds.may))):
        return Capability(construct=construct, saying=Saying.WIDER, why=bounds.assumptions)
    return Capability(construct=construct, saying=Saying.ASSUMING if bounds.assumptions else Saying.EXACT, why=bounds.assumptions)


def _asks_for_letters(condition: Condition) -> bool:
    """True when a bound sets rows apart that hold letters on which engines differ."""
    match condition:
        case Both(items=items) | Either(items=items):
            return any(map(_asks_for_letters, items))
        case Negated(item=item):
            return _asks_for_letters(item)
        case AnyElement(body=body):
            return _asks_for_letters(body)
        case _:
            return isinstance(condition, HoldsOddLetter | HasNonAscii)


# -- the probes: every construct, on a small record --------------------------------------------------------------------

_ASCII: Final = "task list"  # holds k and s, which have partners beyond ASCII
# Lower and upper case are one to one in every engine; the next literal holds a letter where they are not.
_STABLE: Final = "gel\u00f6schte \u6a21\u578b"
_ODD: Final = "\u00b5-service"
_LIST: Final = "list"


def probes() -> Iterator[tuple[str, Predicate]]:
    """Yield each construct with a Predicate that holds it and as little else as possible."""
    yield from _text_probes()
    yield from _pattern_probes()
    yield from _value_probes()
    yield from _shape_probes()


def _text(field: str, literal: str, op: TextOp = TextOp.EQUALS, *, cased: bool = False) -> Text:
    pattern: tuple[str | Star, ...] = (literal, Star.ANY, literal[:1], Star.ONE) if op is TextOp.WILDCARD else ()
    return Text(field=field, op=op, literal="" if pattern else literal, pattern=pattern, cased=cased)


def _text_probes() -> Iterator[tuple[str, Predicate]]:
    for op in TextOp:
        yield f"{op.value}, a field of ASCII", _text("name", _ASCII, op)
        yield f"{op.value}, any text", _text("agent", _ASCII, op)
        yield f"{op.value}, cased", _text("agent", _ASCII, op, cased=True)
        yield f"{op.value}, letters beyond ASCII", _text("agent", _STABLE, op)
        yield f"{op.value}, letters on which engines differ", _text("agent", _ODD, op)
        yield f"not {op.value}, any text", Not(item=_text("agent", _ASCII, op))
    yield "equals, a number", _text("agent", "5")
    yield "contains, digits", _text("agent", "5", TextOp.CONTAINS)
    yield "contains, a NUL character", _text("agent", "a\0b", TextOp.CONTAINS)
    yield "equals, a column kept in lower case", _text("id", "Ab")
    yield "equals cased, a column kept in lower case", _text("id", "Ab", cased=True)
    yield "equals, the host cut from a URL", _text("endpoint", "example.org")


def _pattern_probes() -> Iterator[tuple[str, Predicate]]:
    yield "regular expression", Regex(field="agent", pattern="^boto3/[0-9]+")
    yield "regular expression, flags i, m, s", Regex(field="agent", pattern="^boto3/.*x$", flags="ims")
    yield "regular expression, classes of ASCII", Regex(field="agent", pattern=r"\bv\d+\w$")
    yield "regular expression, classes of Unicode", Regex(field="agent", pattern=r"a\pL+")
    yield "regular expression, flag U", Regex(field="agent", pattern="(?U)ab+")
    yield "regular expression, a column kept in lower case", Regex(field="id", pattern="^a")
    for name, network in (("IPv4", "192.0.2.0/24"), ("IPv6", "2001:db8::/32")):
        yield f"cidr, {name}", Cidr(field="address", network=network)
        yield f"cidr, {name}, a port behind the address", Cidr(field="peer", network=network)
    yield "cidr, masked addresses", Cidr(field="masked", network="192.0.2.0/24")


def _value_probes() -> Iterator[tuple[str, Predicate]]:
    for field in ("count", "share", "agent"):
        kind = {"count": "an integer", "share": "a fraction", "agent": "a text"}[field]
        yield f"lt, lte, gt, gte, {kind}", Order(field=field, op=OrderOp.GTE, number="5")
        yield f"equals, {kind}", _text(field, "5.5" if field == "share" else "5")
    yield "contains, an integer", _text("count", "5", TextOp.CONTAINS)
    yield "contains, a fraction", _text("share", "5", TextOp.CONTAINS)
    yield "equals, a boolean", _text("flag", "true")
    yield "contains, a time", _text("time", "2026", TextOp.CONTAINS)
    yield "exists", Exists(field="agent")
    yield "null, the empty text, exists: false", Not(item=Exists(field="agent"))
    yield "exists, an object", Exists(field="object")
    yield "exists, a field with blank texts of its own", Exists(field="dashed")
    yield "contains, a field with blank texts of its own", _text("dashed", "-", TextOp.CONTAINS)
    for op in (TextOp.EQUALS, TextOp.CONTAINS, TextOp.STARTSWITH, TextOp.ENDSWITH):
        yield f"fieldref {op.value}, fields of ASCII", FieldRef(field="name", other="id2", op=op)
    yield "fieldref equals, any texts", FieldRef(field="agent", other="dashed")
    yield "fieldref equals, cased", FieldRef(field="agent", other="dashed", cased=True)
    for part in TimePart:
        yield f"{part.value}, the event's time", TimeIs(field="time", part=part, number=5)
    yield "hour, a time that stands as text", TimeIs(field="made", part=TimePart.HOUR, number=5, op=OrderOp.LT)
    yield "hour, any text", TimeIs(field="agent", part=TimePart.HOUR, number=5)


def _shape_probes() -> Iterator[tuple[str, Predicate]]:
    yield "keyword", Keyword(pattern=(Star.ANY, "mimikatz", Star.ANY))
    yield "equals, an element of a list", _text(f"{_LIST}.key", _ASCII)
    yield "not equals, an element of a list", Not(item=_text(f"{_LIST}.key", _ASCII))
    yield "two tests on one element of a list", _together(_text(f"{_LIST}.key", _ASCII), _text(f"{_LIST}.value", _ASCII))
    yield "one element of a list that lacks a value", _together(_text(f"{_LIST}.key", _ASCII), Not(item=Exists(field=f"{_LIST}.value")))
    lacking = (Not(item=Exists(field=f"{_LIST}.key")), Not(item=Exists(field=f"{_LIST}.value")))
    yield "two tests that a missing element meets", _together(*lacking)
    yield "equals, a list in JSON that the mapping declares", _text("document.items.key", _ASCII)
    yield "equals, a path in JSON that the mapping declares", _text("document.kind", _ASCII)
    yield "equals, a path in JSON that no mapping declares", _text("document.some.path", "model")
    yield "contains, a path in JSON that no mapping declares", _text("document.some.path", "model", TextOp.CONTAINS)
    yield "not contains, a path in JSON that no mapping declares", Not(item=_text("document.some.path", "model", TextOp.CONTAINS))
    yield "exists, a path in JSON that no mapping declares", Exists(field="document.some.path")
    yield "contains, the text of an object", _text("document", "s3:GetObject", TextOp.CONTAINS)
    yield "and, or, not together", And(items=(_text("name", _ASCII), Not(item=_text("agent", "x", TextOp.CONTAINS))))
    yield "a field that the layout does not carry", _text("elsewhere", _ASCII)


def _together(*items: Predicate) -> Together:
    return Together(items=tuple((_field_of(item), item) for item in items))


def _field_of(item: Predicate) -> str:
    inner = item.item if isinstance(item, Not) else item
    return inner.field if isinstance(inner, Text | Exists) else ""


MAPPING: Final = Mapping(
    name="probe",
    logsource=LogSource(product="probe"),
    provider="probe",
    identity=(("name",),),
    time=("time",),
    keywords=("name", "agent"),
    arrays=((_LIST,), ("document", "items")),
    fields=(
        FieldSpec(name="time", paths=(("time",),), is_time=True),
        FieldSpec(name="name", paths=(("name",),), is_ascii=True),
        FieldSpec(name="id", paths=(("id",),), is_ascii=True),
        FieldSpec(name="id2", paths=(("id2",),), is_ascii=True),
        FieldSpec(name="agent", paths=(("agent",),)),
        FieldSpec(name="endpoint", paths=(("endpoint",),), derive="host"),
        FieldSpec(name="address", paths=(("address",),)),
        FieldSpec(name="peer", paths=(("peer",),)),
        FieldSpec(name="masked", paths=(("masked",),), is_masked=True),
        FieldSpec(name="dashed", paths=(("dashed",),), blanks=("-",)),
        FieldSpec(name="made", paths=(("made",),), is_time=True),
        FieldSpec(name="count", paths=(("count",),)),
        FieldSpec(name="share", paths=(("share",),)),
        FieldSpec(name="flag", paths=(("flag",),)),
        FieldSpec(name="object", paths=(("object",),), is_object=True, is_open=True),
        FieldSpec(name=f"{_LIST}.key", paths=((_LIST, "key"),), is_ascii=True),
        FieldSpec(name=f"{_LIST}.value", paths=((_LIST, "value"),), is_ascii=True),
        FieldSpec(name="document", paths=(("document",),), is_object=True, is_open=True),
        FieldSpec(name="document.kind", paths=(("document", "kind"),), is_ascii=True),
        FieldSpec(name="document.items.key", paths=(("document", "items", "key"),), is_ascii=True),
        FieldSpec(name="elsewhere", paths=(("elsewhere",),)),
    ),
)

_KINDS: Final = {
    "time": Kind.TIME,
    **dict.fromkeys(("name", "id", "id2", "agent", "endpoint", "address", "peer", "masked", "dashed", "made"), Kind.TEXT),
    "count": Kind.INTEGER,
    "share": Kind.REAL,
    "flag": Kind.BOOLEAN,
}


def _layout(engine: EngineKind) -> Layout:
    """Return a table with a column for every member, of the types that tables of the engine have: a list in KQL is always JSON."""
    text = ColumnType(kind=Kind.TEXT)
    pair = ColumnType(kind=Kind.STRUCT, members=(("key", text), ("value", text)))
    is_kql = engine is EngineKind.KQL
    types = {name: ColumnType(kind=kind) for name, kind in _KINDS.items()} | {
        "object": ColumnType(kind=Kind.JSON) if is_kql else pair,
        _LIST: ColumnType(kind=Kind.JSON) if is_kql else ColumnType(kind=Kind.ARRAY, item=pair),
        "document": ColumnType(kind=Kind.JSON_TEXT if engine is EngineKind.ATHENA else Kind.JSON),
    }
    return Layout(
        name="probe",
        engine=engine,
        table="probe",
        columns=tuple(Column(name=name, type=kind) for name, kind in types.items()),
        places=tuple(
            Place(member=(name,), paths=(ColumnPath(column=name),), is_caseless=name == "id", has_port=name == "peer") for name in types
        ),
        time=ColumnPath(column="time"),
    )

"""One leaf on one value of a layout: the tests that imply it, that it implies, and that say it (docs/meaning.md sections 2 to 6 and 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final, assert_never

from aibr_hunt.meaning.bind import BoundField, holds_an_object, is_open
from aibr_hunt.meaning.derive import is_decoded
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.leaf import text_test
from aibr_hunt.meaning.letters import ascii_run, fragment_of, is_stable, odd_letters
from aibr_hunt.meaning.places import Access, Locator
from aibr_hunt.meaning.regex_java import for_java
from aibr_hunt.meaning.regex_literal import required_runs
from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.model.condition import (
    NO,
    YES,
    BooleanIs,
    ColumnValue,
    Condition,
    Finds,
    HasNonAscii,
    HoldsFragment,
    HoldsOddLetter,
    InNetwork,
    IsBroken,
    IsPresent,
    IsScalar,
    MemberValue,
    NumberIs,
    NumbersAgree,
    TextIs,
    TextsAgree,
    TimePartIs,
    Value,
    both,
    either,
    negated,
)
from aibr_hunt.model.layout import ColumnType, EngineKind, Kind
from aibr_hunt.model.predicate import Cidr, Exists, FieldRef, Keyword, Order, Regex, Star, Text, TextOp, TimeIs

_MAPPED: Final = ip_network("::ffff:0:0/96")
_NUMBERISH: Final = re.compile(r"[-+.0-9eE]*")
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_STRUCTURE: Final = re.compile(r"[,:]")
_LEADING: Final = re.compile(r"\A[bfnrtu]", re.IGNORECASE)
_ESCAPES: Final = re.compile(r"\\[bfnrtu]?", re.IGNORECASE)
_FOLDS_FURTHER: Final = re.compile(r"[ks]", re.IGNORECASE)  # RE2 takes two letters beyond ASCII for these under `i`
_NO_SHAPE: Final = "holds no list and no object (no mapping says so)"
_UNSAYABLE: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafBounds:
    """Tests on one value, in the sense of `aibr_hunt.meaning.bounds.Bounds`.

    `asks_root`: `may` is asked of the serialised text of the access's root, not of the value itself.
    """

    must: Condition
    may: Condition
    low: Condition | None
    high: Condition | None
    obstacles: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    asks_root: bool = False


TestLeaf = Text | Regex | Cidr | Order | Exists | TimeIs


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a test is asked of.

    Attributes:
        access: Where the value lies.
        field: What the mapping says of the field.
        engine: Whose text the tests will become: engines differ in letters, regular expressions and addresses.
    """

    access: Access
    field: BoundField
    engine: EngineKind


def bounds_of_leaf(leaf: TestLeaf, asked: Asked) -> LeafBounds:
    """Return the bounds of a test on one value; a reference or a keyword has a function of its own."""
    access, field, engine = asked.access, asked.field, asked.engine
    if is_decoded(field.spec):
        return _of_decoded()
    match leaf:
        case Text():
            found = _text(leaf, asked)
        case Regex():
            found = _regex(leaf, access, engine)
        case Cidr():
            found = _network(leaf, access, engine)
        case Order():
            found = _order(leaf, access)
        case Exists():
            found = _exists(access, field)
        case TimeIs():
            found = _time(leaf, access, field)
        case _:
            assert_never(leaf)
    found = _without_blanks(found, leaf, asked)
    return _drift_proof(found, leaf, asked)


def _exact(test: Condition) -> LeafBounds:
    return LeafBounds(must=test, may=test, low=test, high=test)


def _between(low: Condition, high: Condition) -> LeafBounds:
    return LeafBounds(must=low, may=high, low=low, high=high)


def _loose(may: Condition, obstacle: str, must: Condition = NO) -> LeafBounds:
    return LeafBounds(must=must, may=may, low=None, high=None, obstacles=(obstacle,))


def _of_decoded() -> LeafBounds:
    """Return the bounds of any test on what a text encodes: engines decode otherwise, and fail where a text does not decode."""
    return LeafBounds(must=NO, may=YES, low=None, high=None, obstacles=("a decoded text",), asks_root=True)


def _kind(access: Access) -> Kind:
    return access.value.type.kind


# -- text ---------------------------------------------------------------------------------------------------------


def _text(leaf: Text, asked: Asked) -> LeafBounds:
    access, field = asked.access, asked.field
    kind, value = _kind(access), access.value
    if kind in {Kind.STRUCT, Kind.MAP, Kind.JSON_TEXT} or (kind is Kind.JSON and holds_an_object(field) and is_open(leaf)):
        return _object_text(leaf, access)
    if kind is Kind.TIME or (kind is Kind.REAL and not _is_number(leaf)):
        return _loose(IsPresent(value=value), "the text of a time or of a number with a fraction")
    if kind is Kind.BOOLEAN:
        test = text_test(leaf.op, leaf.pattern if leaf.op is TextOp.WILDCARD else leaf.literal, cased=leaf.cased)
        return _exact(either(*(BooleanIs(value=value, wanted=wanted) for wanted in (True, False) if test("true" if wanted else "false"))))
    literal = _plain_text(leaf)
    if _UNSAYABLE.search(literal):
        return _loose(IsPresent(value=value), "a control character or half a code point in a literal")
    if _is_number(leaf):
        return _exact(NumberIs(value=value, number=canonical_number(leaf.literal) or "0"))
    if literal == "" and leaf.op is not TextOp.EQUALS and Star.ONE not in leaf.pattern:
        return _any_text(access, field)
    if field.spec.derive == "host":
        return _loose(
            TextIs(value=value, op=TextOp.CONTAINS, literal=fold(max(map(ascii_run, _parts(leaf)), key=len, default=""))),
            "the text of a host cut from an address",
        )
    return _in_doubt_of_numbers(_folded(leaf, asked), leaf, access)


def _is_number(leaf: Text) -> bool:
    """True for equality with a literal in number form: it compares numbers as well as texts."""
    return leaf.op is TextOp.EQUALS and not leaf.cased and canonical_number(leaf.literal) is not None


def _present(access: Access, field: BoundField, blanks: tuple[str, ...] = ()) -> Condition:
    """Return that the value is there: of JSON that is known to be no list and no object, that its scalar is."""
    if _kind(access) is not Kind.JSON:
        return IsPresent(value=access.value, blanks=blanks)
    is_scalar = access.is_declared and not holds_an_object(field)
    there: Condition = IsScalar(value=access.value) if is_scalar else IsPresent(value=access.value)
    named = (TextIs(value=access.value, op=TextOp.EQUALS, literal=text, cased=True) for text in blanks)
    return both(there, negated(either(*named)))


def _any_text(access: Access, field: BoundField) -> LeafBounds:
    present = _present(access, field)
    return _between(both(present, negated(IsBroken(value=access.value))), present) if _kind(access) is Kind.JSON else _exact(present)


def _plain_text(leaf: Text) -> str:
    return "".join(_parts(leaf))


def _parts(leaf: Text) -> list[str]:
    return [part for part in leaf.pattern if not isinstance(part, Star)] if leaf.op is TextOp.WILDCARD else [leaf.literal]


def _folded(leaf: Text, asked: Asked) -> LeafBounds:
    """Return a comparison of texts: exact when it is cased; else it may be wider on odd letters, and loose on unstable ones."""
    access, field, engine = asked.access, asked.field, asked.engine
    value, literal = access.value, _plain_text(leaf)
    is_recased = access.is_caseless or field.spec.derive == "lower"
    if leaf.cased and not is_recased:
        return _exact(TextIs(value=value, op=leaf.op, literal=leaf.literal, pattern=leaf.pattern, cased=True))
    folded = tuple(part if isinstance(part, Star) else fold(part) for part in leaf.pattern)
    test: Condition = TextIs(value=value, op=leaf.op, literal=fold(leaf.literal), pattern=folded)
    if not is_stable(fold(literal)):
        run = fold(max(map(ascii_run, _parts(leaf)), key=len, default=""))
        loose = TextIs(value=value, op=TextOp.CONTAINS, literal=run) if run else IsPresent(value=value)
        return _loose(loose, "a letter on whose case engines differ")
    if leaf.cased:
        return _loose(test, "a cased test on a column that keeps another case")
    letters = "" if field.spec.is_ascii or value.type.kind is Kind.INTEGER else odd_letters(fold(literal), engine)
    return _between(both(test, negated(HoldsOddLetter(value=value, letters=letters))), test) if letters else _exact(test)


def _in_doubt_of_numbers(found: LeafBounds, leaf: Text, access: Access) -> LeafBounds:
    """Return the bounds where a JSON number could be met: `5.0` reads `5`, a fraction and an exponent have no text at all."""
    literal = _plain_text(leaf)
    if _kind(access) is not Kind.JSON or not _NUMBERISH.fullmatch(literal):
        return found
    if leaf.op is TextOp.EQUALS and (not _JSON_NUMBER.fullmatch(literal) or (canonical_number(literal) is not None and not leaf.cased)):
        return found
    return _loose(either(found.may, IsBroken(value=access.value)), "a text test that a JSON number may meet")


def _object_text(leaf: Text, access: Access) -> LeafBounds:
    obstacle = "the text of an object"
    if not is_open(leaf) and _kind(access) in {Kind.STRUCT, Kind.MAP}:
        return _loose(NO, obstacle)
    fragment = max(map(fragment_of, _in_object(leaf)), key=len, default="")
    if _kind(access) in {Kind.STRUCT, Kind.MAP} or len(fragment) < 2 or _NUMBERISH.fullmatch(fragment):
        return _loose(YES, obstacle)
    return _loose(HoldsFragment(value=access.value, fragment=fragment), obstacle)


def _in_object(leaf: Text) -> list[str]:
    """Return what an object's text must hold, cut where serialisations differ: at signs of structure and at escapes."""
    return [run for part in _parts(leaf) for run in _STRUCTURE.split(_ESCAPES.sub(",", _LEADING.sub("", part)))]


# -- the other tests ----------------------------------------------------------------------------------------------


def _regex(leaf: Regex, access: Access, engine: EngineKind) -> LeafBounds:
    kind, value = _kind(access), access.value
    if kind in {Kind.STRUCT, Kind.MAP, Kind.JSON_TEXT}:
        # A text that holds JSON may hold a plain word all the same: some services write one in place of an object that they hide.
        return _loose(YES if kind is Kind.JSON_TEXT else NO, "a regular expression on an object")
    if kind in {Kind.TIME, Kind.REAL}:
        return _loose(IsPresent(value=value), f"a regular expression on a column of type {kind.value}")
    if access.is_caseless and not ("i" in leaf.flags and leaf.pattern.isascii()):
        return _loose(IsPresent(value=value), "a regular expression on a column that keeps another case")
    pattern, flags = leaf.pattern, leaf.flags
    if engine is EngineKind.ATHENA:
        rewritten = None if _UNSAYABLE.search(pattern) else for_java(pattern, flags)
        if rewritten is None:
            return _loose(IsPresent(value=value), "a regular expression that has no proven form in Athena's syntax")
        pattern, flags = rewritten, ""
    elif _UNSAYABLE.search(pattern):
        return _loose(IsPresent(value=value), "a control character or half a code point in a pattern")
    test = Finds(value=value, pattern=pattern, flags=flags)
    if kind is Kind.JSON and not _needs_a_letter(leaf.pattern):
        return _loose(either(test, IsBroken(value=value)), "a regular expression that a JSON number may meet")
    return _exact(test)


def _needs_a_letter(pattern: str) -> bool:
    """True when a text that the pattern finds must hold something that no number holds."""
    branches = required_runs(pattern)
    return branches is not None and bool(branches) and all(any(not _NUMBERISH.fullmatch(run) for run in runs) for runs in branches)


def _network(leaf: Cidr, access: Access, engine: EngineKind) -> LeafBounds:
    """Return the bounds of an address test: engines without address functions see dotted quads and the usual spelling of mapped ones."""
    test = InNetwork(value=access.value, network=leaf.network, has_port=access.has_port)
    if _kind(access) is Kind.JSON_TEXT:
        return _loose(YES, "an address test on an object")
    if _kind(access) not in {Kind.TEXT, Kind.JSON}:
        return _exact(NO)
    if access.has_port and (engine is not EngineKind.KQL or ":" in leaf.network):
        return _loose(IsPresent(value=access.value), "an address with a port behind it")
    if engine in {EngineKind.ATHENA, EngineKind.BIGQUERY}:
        return _exact(test)
    colon = TextIs(value=access.value, op=TextOp.CONTAINS, literal=":")
    if ":" in leaf.network:
        if engine is EngineKind.DUCKDB:
            return _loose(colon, "an IPv6 network on an engine without address functions")
        if ip_network(leaf.network).overlaps(_MAPPED):
            return _loose(colon, "an IPv6 network around the IPv4 addresses")
        return replace(_exact(test), must=NO, may=colon)
    assumption = "an IPv4 address inside IPv6 is spelt ::ffff:a.b.c.d"
    return LeafBounds(must=test, may=either(test, colon), low=test, high=test, assumptions=(assumption,))


def _order(leaf: Order, access: Access) -> LeafBounds:
    if _kind(access) in {Kind.TEXT, Kind.JSON, Kind.INTEGER, Kind.REAL}:
        return _exact(NumberIs(value=access.value, number=leaf.number, op=leaf.op))
    return (
        _exact(NO)
        if _kind(access) is Kind.BOOLEAN
        else _loose(IsPresent(value=access.value), f"an order on a column of type {_kind(access).value}")
    )


def _exists(access: Access, field: BoundField) -> LeafBounds:
    if _kind(access) in {Kind.STRUCT, Kind.MAP}:
        # An object whose members are all blank is not blank; a struct whose members are all NULL may have been no object at all.
        members = [_present_member(access.value, name, inner) for name, inner in access.value.type.members]
        return _loose(IsPresent(value=access.value), "whether an object is there", must=either(*members))
    blanks = field.blanks if _kind(access) in {Kind.TEXT, Kind.JSON} else ()
    return _exact(_present(access, field, tuple(sorted(set(blanks)))))


def _present_member(of: Value, name: str, inner: ColumnType) -> Condition:
    value = MemberValue(of=of, name=name, type=inner)
    if inner.kind is Kind.STRUCT:
        return either(*(_present_member(value, each, deeper) for each, deeper in inner.members))
    return NO if inner.kind in {Kind.ARRAY, Kind.MAP} else IsPresent(value=value)


def _time(leaf: TimeIs, access: Access, field: BoundField) -> LeafBounds:
    if _kind(access) is Kind.TIME:
        return _exact(TimePartIs(value=access.value, part=leaf.part, number=leaf.number, op=leaf.op))
    test = TimePartIs(value=access.value, part=leaf.part, number=leaf.number, op=leaf.op)
    if _kind(access) in {Kind.TEXT, Kind.JSON} and field.spec.is_time:
        return _exact(test)
    return _loose(IsPresent(value=access.value), "a part of a time on a field that the mapping does not call a time")


def _without_blanks(found: LeafBounds, leaf: TestLeaf, asked: Asked) -> LeafBounds:
    """Return the bounds with texts taken out that are blank in this field though the test is true on them."""
    access, field = asked.access, asked.field
    if isinstance(leaf, Exists) or not field.blanks or _kind(access) not in {Kind.TEXT, Kind.JSON}:
        return found
    meets = [text for text in field.blanks if _could_meet(leaf, text)]
    if not meets:
        return found
    present = _present(access, field, tuple(sorted(meets)))
    low = None if found.low is None else both(found.low, present)
    high = None if found.high is None else both(found.high, present)
    return replace(found, must=both(found.must, present), may=both(found.may, present), low=low, high=high)


def _could_meet(leaf: TestLeaf, text: str) -> bool:
    if isinstance(leaf, Text):
        return text_test(leaf.op, leaf.pattern if leaf.op is TextOp.WILDCARD else leaf.literal, cased=leaf.cased)(
            text if leaf.cased else fold(text)
        )
    return isinstance(leaf, Regex)


# -- shapes that no mapping declares ------------------------------------------------------------------------------


def _drift_proof(found: LeafBounds, leaf: TestLeaf, asked: Asked) -> LeafBounds:
    """Return the bounds with a sieve that does not depend on the path: below an undeclared path lists and objects may lie."""
    access = asked.access
    if access.root is None or (access.root == access.value and access.is_declared):
        return found
    may = _anywhere(leaf, access.root)
    if access.is_declared:
        # Only the sieve's cost is at stake: a text that is looked for as it stands needs no parsing of JSON.
        return found if may == YES else replace(found, may=may, asks_root=True)
    assumption = f"{asked.field.key} {_NO_SHAPE}"
    # Only what stands there as a scalar is sure: an engine's text of a list or an object is not what the rule asks about.
    must = both(found.must, IsScalar(value=access.value, is_checked=True))
    return replace(found, must=must, may=may, asks_root=True, assumptions=(*found.assumptions, assumption))


def _anywhere(leaf: TestLeaf, root: Value) -> Condition:
    """Return what the serialised text of `root` must hold for the test to be true on anything inside it."""
    match leaf:
        case Text() if leaf.op is not TextOp.EQUALS or canonical_number(leaf.literal) is None or leaf.cased:
            parts = _in_object(leaf) if is_open(leaf) else _parts(leaf)
            fragment = max(map(fragment_of, parts), key=len, default="")
            is_sure = len(fragment) > 1 and not _NUMBERISH.fullmatch(fragment)
            return HoldsFragment(value=root, fragment=fragment) if is_sure else _root_is_there(root)
        case Regex():
            branches = required_runs(leaf.pattern) or ()
            if "i" in leaf.flags or "(?" in leaf.pattern:
                branches = tuple(tuple(piece for run in runs for piece in _FOLDS_FURTHER.split(run)) for runs in branches)
            fragments = [max(map(fragment_of, runs), key=len, default="") for runs in branches]
            is_certain = bool(fragments) and all(len(fragment) > 1 and not _NUMBERISH.fullmatch(fragment) for fragment in fragments)
            return either(*(HoldsFragment(value=root, fragment=each) for each in fragments)) if is_certain else _root_is_there(root)
        case _:
            return _root_is_there(root)


def _root_is_there(root: Value) -> Condition:
    return IsPresent(value=root)


# -- references and keywords --------------------------------------------------------------------------------------


def bounds_of_reference(leaf: FieldRef, accesses: tuple[Access, Access], fields: tuple[BoundField, BoundField]) -> LeafBounds:
    """Return the bounds of a comparison of two values of one row (or of one element of a list)."""
    if any(is_decoded(field.spec) for field in fields):
        return _of_decoded()
    left, right = accesses
    kinds = {_kind(left), _kind(right)}
    if not kinds <= {Kind.TEXT, Kind.JSON, Kind.INTEGER, Kind.BOOLEAN}:
        return _loose(YES, "a field reference on a value that is no plain text or number")
    # Inside JSON a list may stand where the mapping declares none: its elements are values too, which only the root is sure to show.
    roots = both(*(IsPresent(value=access.value if access.root is None else access.root) for access in accesses))
    there = both(*(_present(access, field) for access, field in zip(accesses, fields, strict=True)))
    scalar = both(*(IsScalar(value=access.value, is_checked=True) for access in accesses if not access.is_declared))
    if Kind.JSON in kinds and leaf.op is not TextOp.EQUALS:
        return _loose(roots, "a field reference by part of a text inside JSON")
    if any(access.is_caseless or field.spec.derive for access, field in zip(accesses, fields, strict=True)):
        return _loose(roots, "a field reference on a column that keeps another text")
    texts = TextsAgree(left=left.value, right=right.value, op=leaf.op, cased=leaf.cased)
    numbers: Condition = (
        NO if leaf.cased or leaf.op is not TextOp.EQUALS or Kind.BOOLEAN in kinds else NumbersAgree(left=left.value, right=right.value)
    )
    is_ascii = leaf.cased or all(
        field.spec.is_ascii or _kind(access) is Kind.INTEGER for access, field in zip(accesses, fields, strict=True)
    )
    plain = both(*(negated(HasNonAscii(value=access.value)) for access in accesses)) if not is_ascii else YES
    beyond = either(*(HasNonAscii(value=access.value) for access in accesses)) if not is_ascii else NO
    solid: Condition = YES
    if blanks := tuple(sorted(set(fields[0].blanks) | set(fields[1].blanks))):
        solid = both(*(_present(access, field, blanks) for access, field in zip(accesses, fields, strict=True)))
    whole = both(there, solid, either(texts, numbers))
    must = both(there, solid, scalar, either(both(texts, plain), numbers))
    assumed = tuple(f"{field.key} {_NO_SHAPE}" for access, field in zip(accesses, fields, strict=True) if not access.is_declared)
    may = roots if Kind.JSON in kinds else both(there, solid, either(texts, numbers, beyond))
    return LeafBounds(must=must, may=may, low=whole, high=whole, assumptions=assumed)


def bounds_of_keyword(leaf: Keyword, locator: Locator) -> LeafBounds:
    """Return the bounds of a keyword search: fragments of it, in the columns that could hold them."""
    obstacle = "a keyword search"
    fragment = max((fragment_of(part) for part in leaf.pattern if not isinstance(part, Star)), key=len, default="")
    names = () if locator.mapping is None else locator.mapping.keywords
    if not fragment or not (names or locator.layout.is_full) or any(is_decoded(locator.binder.field(name).spec) for name in names):
        return _loose(YES, obstacle)
    values: Sequence[Value]
    if names:
        values = [access.root or access.value for name in names for access in locator.access(name) if not access.arrays]
        is_all = all(not access.arrays for name in names for access in locator.access(name))
    else:
        values = [ColumnValue(name=each.name, type=each.type, is_optional=each.is_optional) for each in locator.layout.columns]
        is_all = True
    is_text = is_all and all(value.type.kind in {Kind.TEXT, Kind.JSON, Kind.JSON_TEXT} for value in values)
    return _loose(either(*(HoldsFragment(value=value, fragment=fragment) for value in values)) if is_text else YES, obstacle)

"""A Sigma detection, as YAML holds it, becomes a Predicate. pySigma parses values, modifiers and conditions; meaning is ours.

pySigma's objects change when they are converted, and their SQL idioms lose absent fields. So each item is parsed afresh
here and turned at once into the closed tree of `model.predicate`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionItem, ConditionNOT, ConditionOR, ConditionSelector, SigmaCondition
from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetectionItem, SigmaDetections

from aibr_hunt.content.placeholders import expanded
from aibr_hunt.content.values import Refused, lower_value
from aibr_hunt.content.yaml import Document, YamlKey, YamlValue
from aibr_hunt.errors import AibrError, ContentError, Unsupported
from aibr_hunt.meaning.bind import leaves
from aibr_hunt.meaning.leaf import compile_program
from aibr_hunt.model.predicate import And, Exists, Keyword, Leaf, Not, Or, Predicate, Star, Text, TextOp, TimePart, Together

# Tests in one rule after every expansion: 10,000 listed values work, a product of placeholders and windash does not run away.
MAX_TESTS: Final = 200_000
# pySigma 2 refuses more, pySigma 1 writes out all 5**n spellings.
MAX_DASHES: Final = 3
_OUR_NAMES: Final = {"utf16le": "wide", "ignorecase": "i", "multiline": "m", "dotall": "s"}
_KNOWN_MODIFIERS: Final = sorted({*modifier_mapping, "neq", "utf16le"})
_KEYWORD_MODIFIERS: Final = frozenset(
    ("all", "contains", "cased", "base64", "base64offset", "wide", "utf16", "utf16be", "windash", "expand", "neq")
)
_CONDITION_TOKEN: Final = re.compile(r"[A-Za-z0-9_*.\-]+")
_DASH: Final = re.compile(r"\B[-/]\b")
_TIME_PARTS: Final = frozenset(part.value for part in TimePart)
_GLUED_KEYWORD: Final = re.compile(r"(?:not|and|or|1|all|any|of)(?=[A-Za-z0-9_\-])", re.IGNORECASE)


@dataclass(slots=True)
class DetectionReader:
    """Reads the detection part of one rule or filter.

    Attributes:
        document: The YAML document, for lines.
        path: What to call the file in errors.
        at: Path of the detection in the document (`detection`, or `filter`).
        placeholders: Values of each `%name%`.
        is_old_pysigma: True for pySigma 1, which reads `notsel` as `not sel` and misses some of base64's bytes.
        faults: Authors' errors found so far.
        tests: Leaves made so far.
    """

    document: Document
    path: str
    at: str
    placeholders: Mapping[str, tuple[str, ...]]
    is_old_pysigma: bool = False
    faults: list[AibrError] = field(default_factory=list)
    tests: int = 0

    def read(self, body: Mapping[str, YamlValue]) -> Predicate | None:
        """Return what the detection means; None when faults were found."""
        selections: dict[str, Predicate] = {}
        for name in self._selections(body):
            selection = self._definition(body[name], (self.at, name))
            if selection is not None:
                selections[name] = selection
        condition = body.get("condition")
        conditions = condition if isinstance(condition, list) and condition else [condition]
        found = [self._condition(each, selections, body) for each in conditions]
        return None if self.faults else _or([each for each in found if each is not None])

    def _selections(self, body: Mapping[str, YamlValue]) -> list[str]:
        """Return the names of the selections; `rules` is one too, except in a filter."""
        return [name for name in body if name not in {"condition", "timeframe"} and not (name == "rules" and self.at == "filter")]

    def _fault(self, what: str, at: YamlKey, *, hint: str = "") -> None:
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def _definition(self, definition: YamlValue, at: YamlKey) -> Predicate | None:
        if isinstance(definition, dict):
            return self._map(definition, at)
        if isinstance(definition, list):
            return self._list(definition, at)
        return self._item("", definition, at)

    def _list(self, definition: list[YamlValue], at: YamlKey) -> Predicate | None:
        if not definition:
            self._fault(f"selection {at[-1]} is an empty list.", at, hint="Give it at least one value or map, or remove it.")
            return None
        if not any(isinstance(item, dict | list) for item in definition):
            return self._item("", definition, at)
        found = [self._definition(item, (*at, index)) for index, item in enumerate(definition)]
        return Or(items=tuple(item for item in found if item is not None))

    def _map(self, definition: dict[str, YamlValue], at: YamlKey) -> Predicate | None:
        if not definition:
            self._fault(f"selection {at[-1]} is empty.", at, hint="Give it at least one field.")
            return None
        fields: list[tuple[str, Predicate]] = []
        keywords: list[Predicate] = []
        for key, value in definition.items():
            item = self._item(key, value, (*at, key))
            name = key.split("|", 1)[0]
            if item is not None and name:
                fields.append((name, item))
            elif item is not None:
                keywords.append(item)
        together: list[Predicate] = [Together(items=tuple(fields))] if len(fields) > 1 else [item for _, item in fields]
        parts = together + keywords
        return parts[0] if len(parts) == 1 else And(items=tuple(parts))

    def _item(self, key: str, value: YamlValue, at: YamlKey) -> Predicate | None:
        """Return one `field|modifiers: values` as a predicate; None when a fault was found."""
        name, *modifiers = key.split("|")
        values = self._plain_values(value, at)
        if values is None or not self._modifiers_are_known(modifiers, at):
            return None
        try:
            return self._lower(name, [_OUR_NAMES.get(each, each) for each in modifiers], values)
        except Unsupported as refusal:
            place = f"{self.path}:{self.document.line(*at)}"
            self.faults.append(Unsupported(refusal.construct, refusal.why, hint=refusal.hint, place=place))
        except (SigmaError, Refused, ValueError) as error:
            self._fault(f"{key or 'keyword'}: {_message(error)}", at, hint=_hint(error))
        return None

    def _plain_values(self, value: YamlValue, at: YamlKey) -> list[bool | int | float | str | None] | None:
        values = value if isinstance(value, list) else [value]
        plain: list[bool | int | float | str | None] = []
        for each in values:
            if (isinstance(each, dict) and each) or (isinstance(each, list) and each):
                self._fault(
                    f"{at[-1]} has a {'map' if isinstance(each, dict) else 'list'} as its value.",
                    at,
                    hint="Write nested members with dots: outer.inner.",
                )
                return None
            plain.append(None if isinstance(each, dict | list) else each)
        return plain or [None]

    def _modifiers_are_known(self, modifiers: Sequence[str], at: YamlKey) -> bool:
        for modifier in modifiers:
            if modifier not in modifier_mapping and modifier not in {"neq", "utf16le"}:
                near = difflib.get_close_matches(modifier, _KNOWN_MODIFIERS, n=1)
                self._fault(f"{at[-1]} has the unknown modifier {modifier!r}.", at, hint=f"Did you mean {near[0]}?" if near else "")
                return False
        return True

    def _lower(self, name: str, modifiers: list[str], values: list[bool | int | float | str | None]) -> Predicate:
        is_negated = "neq" in modifiers
        wants_all = "all" in modifiers
        if not name:
            refused = [each for each in modifiers if each not in _KEYWORD_MODIFIERS]
            if refused:
                raise Unsupported(
                    f"keyword with {refused[0]}", "keywords are searched with contains only.", hint="Name the field that the test is about."
                )
        if "re" in modifiers and (clash := [each for each in modifiers if each in {"contains", "startswith", "endswith"}]):
            raise Unsupported(
                f"re with {clash[0]}", "an expression says itself where it starts and ends.", hint="Use ^ and $ in the expression."
            )
        if len(parts := [each for each in modifiers if each in _TIME_PARTS]) > 1:
            raise Unsupported(f"{parts[0]} with {parts[1]}", "one test asks for one part of a time.", hint="Write one item for each part.")
        kept = [each for each in modifiers if each not in {"neq", "all"}]
        parsed = [self._lower_one(name, kept, value) for value in values]
        joined = parsed[0] if len(parsed) == 1 else And(items=tuple(parsed)) if wants_all else Or(items=tuple(parsed))
        return Not(item=joined) if is_negated else joined

    def _lower_one(self, name: str, modifiers: list[str], value: float | str | None) -> Predicate:
        if value is None or (value == "" and not modifiers):
            if not name:
                raise Refused("a keyword is blank.", "Give it a text to search for.")
            if modifiers:
                raise Refused(f"{modifiers[0]} needs a value.", "Only a field without modifiers may be null.")
            return Not(item=Exists(field=name))
        self._check_value(modifiers, value)
        if "expand" in modifiers and isinstance(value, str):
            # Before pySigma sees the text: it would encode or keep what stands between the percent signs.
            others = [each for each in modifiers if each != "expand"]
            return _or([self._lower_one(name, others, text) for text in expanded(value, self.placeholders)])
        # pySigma takes cased for texts only; ours is also that of a comparison of two fields, wherever it stands.
        told = [each for each in modifiers if each != "cased" or "fieldref" not in modifiers]
        item = SigmaDetectionItem.from_mapping("|".join([name, *told]), value)
        found = _or([lower_value(name, each, is_cased="cased" in modifiers) for each in item.value])
        if "base64offset" in modifiers and any(map(_says_nothing, leaves(found))):
            raise Refused("a single byte leaves no sign of its own in base64.", "Give at least two bytes.")
        self.tests += sum(1 for _ in leaves(found))
        if self.tests > MAX_TESTS:
            raise Refused(f"the rule expands to more than {MAX_TESTS:,} tests.", "Split the rule or its lists.")
        return found if name else _as_keyword(found)

    def _check_value(self, modifiers: Sequence[str], value: float | str) -> None:
        """Refuse what pySigma would crash on, blow up or misread."""
        text = value if isinstance(value, str) else ""
        if "re" in modifiers:
            if value != text:
                raise Refused("an expression is a text.", "Quote it.")
            if "expand" in modifiers:
                raise Unsupported("expand with re", "a list has no meaning inside an expression.", hint="List the expressions.")
            compile_program(text, "")  # before pySigma does: its own complaint goes to standard error
        if "windash" in modifiers and len(_DASH.findall(text)) > MAX_DASHES:
            why = "each of them stands for five signs."
            raise Unsupported(f"windash on more than {MAX_DASHES} dashes", why, hint="List the dashed words as values of |all.")
        is_offset = "base64offset" in modifiers
        if self.is_old_pysigma and (is_offset or "base64" in modifiers):
            is_wrong = "utf16" in modifiers or "\\" in text or (is_offset and ("windash" in modifiers or not text.isascii()))
            if is_wrong:
                raise Unsupported("base64 of such a text", "this version of pySigma encodes it wrongly.", hint="Use pySigma 2.")

    def _condition(self, text: YamlValue, selections: Mapping[str, Predicate], body: Mapping[str, YamlValue]) -> Predicate | None:
        at = (self.at, "condition")
        if not isinstance(text, str) or not text.strip():
            self._fault(
                "has no condition.", at if at in self.document.lines else (self.at,), hint="Add `condition: selection`, naming a selection."
            )
            return None
        names = self._selections(body)
        if "|" in text or ("near" in text.split() and "near" not in names):
            construct = "aggregation in a condition" if "|" in text else "near"
            place = f"{self.path}:{self.document.line(*at)}"
            self.faults.append(Unsupported(construct, "it belonged to Sigma 1.", hint="Write a correlation.", place=place))
            return None
        if not self._names_exist(text, names, at):
            return None
        if set(names) - set(selections):
            return None  # a fault in a selection was noted already
        try:
            tree = SigmaCondition(text, _NO_DETECTIONS).parse(postprocess=False)
            return self._tree(tree, selections, at)
        except SigmaError as error:
            hint = "Join selections with and, or, not, 1 of x*, all of x* (in small letters) and brackets."
            self._fault(f"condition {text!r}: {_message(error)}", at, hint=hint)
        except RecursionError:
            self._fault("the condition nests too deeply.", at)
        return None

    def _names_exist(self, text: str, names: Sequence[str], at: YamlKey) -> bool:
        for token in _CONDITION_TOKEN.findall(text):
            if token.lower() in {"not", "and", "or", "of", "them", "all", "any", "1"} or token in names:
                if token in names and self.is_old_pysigma and _GLUED_KEYWORD.match(token):
                    why = "this version of pySigma reads its start as a keyword."
                    place = f"{self.path}:{self.document.line(*at)}"
                    self.faults.append(Unsupported(f"selection name {token}", why, hint="Rename it, or use pySigma 2.", place=place))
                    return False
                continue
            if "*" in token:
                if not _matching(token, names):
                    self._fault(f"condition asks for {token}, and no selection has such a name.", at)
                    return False
                continue
            near = difflib.get_close_matches(token, names, n=1)
            self._fault(
                f"condition names {token!r}, which is no selection.",
                at,
                hint=f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}.",
            )
            return False
        return True

    def _tree(self, node: object, selections: Mapping[str, Predicate], at: YamlKey) -> Predicate:
        if isinstance(node, ConditionIdentifier):
            if node.identifier not in selections:
                raise SigmaError(f"{node.identifier!r} is no selection")
            return selections[node.identifier]
        if isinstance(node, ConditionSelector):
            found = tuple(selections[name] for name in _matching(node.pattern, list(selections)))
            if not found:
                raise SigmaError(f"'{node.args[0]} of {node.pattern}' matches no selection")
            return Or(items=found) if node.cond_class is ConditionOR else And(items=found)
        if isinstance(node, ConditionNOT):
            return Not(item=self._tree(node.args[0], selections, at))
        if isinstance(node, ConditionAND | ConditionOR):
            items = tuple(self._tree(each, selections, at) for each in _operands(node))
            return And(items=items) if isinstance(node, ConditionAND) else Or(items=items)
        raise SigmaError(f"{type(node).__name__} has no meaning in a condition")


def _operands(node: ConditionItem) -> Iterable[object]:
    return node.args


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the selections that a selector names; `them` and patterns leave out names that start with an underscore."""
    if pattern == "them":
        return [name for name in names if not name.startswith("_")]
    program = re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
    return [name for name in names if program.fullmatch(name) and (pattern.startswith("_") or not name.startswith("_"))]


def _says_nothing(leaf: Leaf) -> bool:
    """True when one of the spellings of an encoded value is empty: it would be found everywhere, or only in blanks."""
    return isinstance(leaf, Exists) or (isinstance(leaf, Text) and not leaf.literal and leaf.pattern in ((), (Star.ANY,)))


def _or(items: Sequence[Predicate]) -> Predicate:
    return items[0] if len(items) == 1 else Or(items=tuple(items))


def _as_keyword(leaf: Predicate) -> Predicate:
    """Return a text test as the same search over every value."""
    if isinstance(leaf, Or):
        return Or(items=tuple(_as_keyword(item) for item in leaf.items))
    if not isinstance(leaf, Text):
        raise Unsupported("keyword of this kind", "a keyword is a text.", hint="Quote it, or name a field.")
    middle = leaf.pattern if leaf.op is TextOp.WILDCARD else (leaf.literal,)
    start = () if middle and middle[0] is Star.ANY else (Star.ANY,)
    end = () if middle and middle[-1] is Star.ANY else (Star.ANY,)
    return Keyword(pattern=(*start, *middle, *end), cased=leaf.cased)


def _message(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "?")) else text + "."


def _hint(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.hint
    if "incompatible to value type" in str(error):
        return "Quote the value if it is text; give numbers to lt, lte, gt, gte and true or false to exists."
    return ""


_NO_DETECTIONS: Final = SigmaDetections.from_dict({"selection": {"field": "value"}, "condition": "selection"})

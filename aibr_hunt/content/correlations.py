"""Sigma correlations, and our baselines, become Correlations (docs/meaning.md section 7).

Read by ourselves: pySigma takes one threshold a condition, and knows nothing of lines and baselines. What is read here still names its
rules as the author does; `aibr_hunt/content/references.py` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.drafts import Draft
from aibr_hunt.content.expressions import (
    BadExpression,
    always_holds,
    can_hold,
    names_in,
    parse_expression,
    positive_names,
)
from aibr_hunt.content.metadata import DocumentReader, as_id, texts
from aibr_hunt.content.parts import KINDS, KNOWN_KEYS, MEASURED, WHAT_IS_NOT_TAKEN
from aibr_hunt.content.placeholders import expanded
from aibr_hunt.content.schemas import nearest
from aibr_hunt.content.thresholds import COMPARISONS, can_be_met, domain_of, is_always_met, number_of
from aibr_hunt.content.values import Refused
from aibr_hunt.content.yaml import Document, YamlValue
from aibr_hunt.errors import AibrError, Unsupported
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.correlation import (
    TEMPORAL_TYPES,
    VALUE_TYPES,
    Comparison,
    Correlation,
    CorrelationType,
    KeyField,
    Operand,
    TemporalCondition,
    Threshold,
)

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
# Sigma's fixed lengths: a month is a twelfth of a mean year of the Gregorian calendar.
UNITS_S: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
LONGEST_S: Final = 100 * UNITS_S["y"]
DEFAULT_MINIMUM: Final[Mapping[CorrelationType, int]] = {CorrelationType.RARE: 100, CorrelationType.SPIKE: 10}

_SPAN: Final = re.compile(r"([0-9]{1,10})([smhdwMy])")
_SPAN_HINT: Final = "Write a whole number and one of s, m, h, d, w, M (months), y, such as 15m."


def read_correlation(
    document: Document, path: str, *, placeholders: Mapping[str, tuple[str, ...]], catalogue: Catalogue | None
) -> tuple[Draft | None, tuple[AibrError, ...]]:
    """Return the correlation that a document holds, or everything that is wrong with it."""
    reader = _Reader(document, path, placeholders=placeholders, catalogue=catalogue)
    draft = reader.read()
    return (None, tuple(reader.faults)) if reader.faults else (draft, ())


class _Reader(DocumentReader):
    """Reads one correlation."""

    def __init__(self, document: Document, path: str, *, placeholders: Mapping[str, tuple[str, ...]], catalogue: Catalogue | None) -> None:
        super().__init__(document, path, catalogue=catalogue)
        self.placeholders = placeholders
        self.inner: Mapping[str, YamlValue] = {}
        self.kind = CorrelationType.EVENT_COUNT

    def read(self) -> Draft | None:
        """Return the correlation; None when `faults` says what is wrong."""
        body = self.document.value if isinstance(self.document.value, dict) else {}
        self.check_keys(body)
        for key in ("detection", "logsource", "filter"):
            if key in body:
                self.fault(f"a correlation has no {key}.", key, hint="Put the rule into a document of its own, behind ---.")
        inner = body["correlation"]
        if not isinstance(inner, dict) or not inner:
            self._wrong("correlation must be a map of type, rules and what is asked of their events.")
            return None
        self.inner = inner
        kind = self._kind(inner.get("type"))
        if kind is None:
            return None
        self.kind = kind
        self._check_parts()
        return self._draft(body)

    def _wrong(self, what: str, *at: str | int, hint: str = "") -> None:
        self.fault(what, "correlation", *at, hint=hint)

    def _kind(self, value: YamlValue) -> CorrelationType | None:
        known = [each.value for each in CorrelationType]
        if value in known:
            return CorrelationType(str(value))
        what = "the correlation has no type." if value is None else f"{value!r} is no type of a correlation."
        near = nearest(str(value), known) if value is not None else ""
        self._wrong(what, "type", hint=near or f"The types are {', '.join(known)}.")
        return None

    def _check_parts(self) -> None:
        """Note keys that are unknown, do not belong to the type, or are missing."""
        needs, may = KINDS[self.kind]
        for key in self.inner:
            if key not in KNOWN_KEYS:
                hint = nearest(key, KNOWN_KEYS) or f"Its keys are {', '.join(sorted({'type', *needs, *may}))}."
                self._wrong(f"the correlation has the unknown key {key!r}.", key, hint=hint)
            elif key not in needs and key not in may and key != "type":
                self._wrong(f"{self.kind.value} takes no {key}.", key, hint=WHAT_IS_NOT_TAKEN.get(key, ""))
        for key in needs:
            is_in_condition = key == "rules" and self.kind in TEMPORAL_TYPES and isinstance(self.inner.get("condition"), str)
            if self.inner.get(key) is None and not is_in_condition and not (key == "field" and self._has_inner_field()):
                self._wrong(f"{self.kind.value} needs {key}.", hint=f"Add `{key}: {needs[key]}`.")

    def _has_inner_field(self) -> bool:
        condition = self.inner.get("condition")
        return isinstance(condition, dict) and condition.get("field") is not None

    def _draft(self, body: Mapping[str, YamlValue]) -> Draft | None:
        condition = self._expression()
        operands = self._operands(condition)
        population = self._population(operands)
        aliases = self._aliases(operands, population)
        values = self._values(aliases)
        listed = self._listed()
        group_by = tuple(KeyField(name=name, fields=aliases.get(name, ())) for name in self._names("group-by"))
        self._check_use(aliases, {field.name for field in (*group_by, *values)}, has_key=bool(group_by or values))
        parts = Correlation(
            type=self.kind,
            operands=operands,
            group_by=group_by,
            timespan_us=self._span("timespan"),
            thresholds=self._thresholds(listed),
            values=values,
            percentile=self._percentile(),
            condition=condition,
            population=population,
            lookback_us=self._lookback(),
            minimum=self._minimum(),
            listed=listed,
            is_generating=self._flag("generate"),
            **self.attributes(body),
        )
        return Draft(correlation=parts, lines=self._lines(operands, population))

    # --- whose events ------------------------------------------------------------------------------------------------------------

    def _names(self, key: str) -> tuple[str, ...]:
        """Return the texts of a key that holds one or a list of them, each once."""
        value = self.inner.get(key)
        rows = value if isinstance(value, list) else [] if value is None else [value]
        if value == [] or not all(isinstance(row, str) and row for row in rows):
            self._wrong(f"{key} must be a text or a list of texts.", key)
            return ()
        names = tuple(str(row) for row in rows)
        for index, name in enumerate(names):
            if name in names[:index] and not (key == "rules" and self.kind is CorrelationType.TEMPORAL_ORDERED):
                self._wrong(f"{key} names {name} twice.", key, index, hint="Remove one.")
        return names

    def _operands(self, condition: TemporalCondition | None) -> tuple[Operand, ...]:
        value = self.inner.get("rules")
        if value in ([], ""):
            self._wrong("rules names no rule.", "rules", hint="List the names or ids of rules.")
            return ()
        in_condition = () if condition is None else names_in(condition)
        names = tuple(map(as_id, self._names("rules"))) if value is not None else in_condition
        if value is not None:
            self._check_names(in_condition, names)
        if self.kind in TEMPORAL_TYPES and len(names) == 1 and condition is None:
            self._wrong(f"{self.kind.value} needs two rules: one alone is event_count.", "rules", hint="Name another rule.")
        return tuple(Operand(name=name, id="") for name in names)

    def _check_names(self, in_condition: Sequence[str], rules: Sequence[str]) -> None:
        for name in in_condition:
            if name not in rules:
                hint = nearest(name, rules) or f"rules lists {', '.join(rules)}."
                self._wrong(f"the condition names {name}, which is not under rules.", "condition", hint=hint)
        for index, name in enumerate(rules):
            if set(in_condition) <= set(rules) and in_condition and name not in in_condition:
                self._wrong(f"the condition says nothing of {name}.", "rules", index, hint="Name it in the condition, or remove it.")

    def _population(self, operands: Sequence[Operand]) -> Operand | None:
        value = self.inner.get("population")
        if "population" not in KINDS[self.kind][1]:
            return None
        if value is None:
            if len(operands) > 1:
                what = f"{self.kind.value} over {len(operands)} rules does not say over what it is judged."
                self._wrong(what, "rules", hint="Add `population:` with the name of one rule.")
            return operands[0] if operands else None
        if not isinstance(value, str) or not value:
            self._wrong("population must be the name or id of one rule.", "population")
            return None
        return next((each for each in operands if each.name == as_id(value)), Operand(name=as_id(value), id=""))

    def _lines(self, operands: Sequence[Operand], population: Operand | None) -> tuple[tuple[str, int], ...]:
        is_list = isinstance(self.inner.get("rules"), list)
        found = {
            each.name: self.document.line("correlation", *(("rules", index) if is_list else ("rules",)))
            for index, each in enumerate(operands)
        }
        if population is not None:
            found.setdefault(population.name, self.document.line("correlation", "population"))
        return tuple(found.items())

    # --- which fields ------------------------------------------------------------------------------------------------------------

    def _aliases(self, operands: Sequence[Operand], population: Operand | None) -> dict[str, tuple[tuple[str, str], ...]]:
        value = self.inner.get("aliases")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong("aliases must be a map of names to maps of rules to fields.", "aliases", hint="aliases: {who: {rule_a: user}}")
            return {}
        known = {each.name for each in operands} | ({population.name} if population else set())
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for name, fields in value.items():
            if not isinstance(fields, dict) or not fields or not all(isinstance(each, str) and each for each in fields.values()):
                self._wrong(f"the alias {name} must be a map of rules to fields.", "aliases", name, hint=f"{name}: {{rule_a: user}}")
                continue
            for rule in fields:
                if known and as_id(rule) not in known:
                    hint = nearest(rule, known) or f"The rules are {', '.join(sorted(known))}."
                    self._wrong(
                        f"the alias {name} names the rule {rule}, which is none of this correlation's.", "aliases", name, rule, hint=hint
                    )
            found[name] = tuple((as_id(rule), str(field)) for rule, field in fields.items())
        return found

    def _check_use(self, aliases: Mapping[str, object], used: set[str], *, has_key: bool) -> None:
        for name in aliases:
            if name not in used:
                self._wrong(f"the alias {name} is used by no group-by and no field.", "aliases", name, hint=nearest(name, used))
        if self.kind is CorrelationType.FIRST_SEEN and not has_key:
            self._wrong("first_seen needs a field or a group-by: what is seen for the first time?", hint="Add `field: sourceIPAddress`.")

    def _values(self, aliases: Mapping[str, tuple[tuple[str, str], ...]]) -> tuple[KeyField, ...]:
        condition = self.inner.get("condition")
        inside = condition.get("field") if isinstance(condition, dict) else None
        outside = self.inner.get("field")
        if inside is not None and outside is not None:
            self._wrong("the field is given twice.", "condition", "field", hint="Keep the one in the condition.")
        place = ("condition", "field") if inside is not None else ("field",)
        value = outside if inside is None else inside
        rows = value if isinstance(value, list) else [] if value is None else [value]
        if value == [] or not all(isinstance(row, str) and row for row in rows):
            self._wrong("field must be a text or a list of texts.", *place)
            return ()
        if (
            inside is not None
            and self.kind not in VALUE_TYPES
            and "field" not in {**KINDS[self.kind][0], **dict.fromkeys(KINDS[self.kind][1])}
        ):
            self._wrong(f"{self.kind.value} takes no field.", *place, hint=WHAT_IS_NOT_TAKEN["field"])
        if len(rows) > 1 and self.kind in MEASURED:
            self._wrong(
                f"{self.kind.value} takes one field.", *place, hint="Several make combinations of value_count, first_seen and rare."
            )
        if self.kind in VALUE_TYPES and isinstance(condition, dict) and not rows:
            self._wrong(f"{self.kind.value} needs a field.", "condition", hint="Add `field:` to the condition.")
        return tuple(KeyField(name=str(row), fields=aliases.get(str(row), ())) for row in rows)

    def _listed(self) -> tuple[str, ...]:
        value = self.inner.get("values")
        if value is None or self.kind is not CorrelationType.SHARE:
            return ()
        found: dict[str, str] = {}
        for row in value if isinstance(value, list) else [value]:
            if not isinstance(row, str) or not row:
                self._wrong(
                    "values must be a list of texts, or one %placeholder%.", "values", hint="Write values: [InvokeModel, Converse]."
                )
                return ()
            try:
                found |= {fold(text): text for text in expanded(row, self.placeholders)}
            except Refused as refusal:
                self._wrong(f"values: {refusal}", "values", hint=refusal.hint)
        if value == []:
            self._wrong("values lists nothing to divide by.", "values", hint="List the values whose share is asked.")
        return tuple(found.values())

    # --- how much, how long ------------------------------------------------------------------------------------------------------

    def _expression(self) -> TemporalCondition | None:
        value = self.inner.get("condition")
        if value is None or self.kind not in TEMPORAL_TYPES:
            return None
        rules = tuple(map(as_id, texts(self.inner.get("rules"))))
        if isinstance(value, dict):
            self._check_count(value, rules)
            return None
        if not isinstance(value, str):
            self._wrong("condition must be a text such as `a and not b`.", "condition")
            return None
        if self.kind is CorrelationType.TEMPORAL_ORDERED:
            why = "an order is asked of events, and what is negated has none."
            self.refuse(
                "temporal_ordered with a condition", why, "correlation", "condition", hint="Use temporal, or leave the condition out."
            )
            return None
        try:
            found = parse_expression(value, rules)
        except BadExpression as error:
            self._wrong(f"the condition {error}.", "condition", hint="Write `a and (b or not c)` with names of rules.")
            return None
        except Unsupported as refusal:
            self.refuse(refusal.construct, refusal.why, "correlation", "condition", hint=refusal.hint)
            return None
        self._check_sense(found)
        return found

    def _check_count(self, value: Mapping[str, YamlValue], rules: Sequence[str]) -> None:
        """Take `gte: n` with n rules, which asks for all of them; refuse any other number."""
        asked = {key: number_of(each) for key, each in value.items()}
        if rules and (asked in ({"gte": Decimal(len(rules))}, {"eq": Decimal(len(rules))})):
            return
        why = "it asks for every rule, or for a condition in words."
        hint = "Leave the condition out, or write `a and b`."
        self.refuse(f"a number as condition of {self.kind.value}", why, "correlation", "condition", hint=hint)

    def _check_sense(self, condition: TemporalCondition) -> None:
        if not positive_names(condition):
            hint = "Name a rule without not: its events are where the absence is looked for."
            self._wrong("the condition has nothing but negations: no event anchors a window.", "condition", hint=hint)
        elif not can_hold(condition):
            self._wrong("the condition can never hold.", "condition", hint="It asks for a rule and for its absence.")
        elif always_holds(condition):
            self.warnings.append("the condition holds for every event of its rules")

    def _thresholds(self, listed: Sequence[str]) -> tuple[Threshold, ...]:
        value = self.inner.get("condition")
        if self.kind in TEMPORAL_TYPES or self.kind is CorrelationType.FIRST_SEEN or value is None:
            return ()
        if not isinstance(value, dict):
            hint = "Write `condition: {gte: 10}`; conditions in words belong to temporal."
            self._wrong(f"the condition of {self.kind.value} must be a map of thresholds.", "condition", hint=hint)
            return ()
        extra = {"field", *(("percentile",) if self.kind is CorrelationType.VALUE_PERCENTILE else ())}
        found: list[Threshold] = []
        for key, each in value.items():
            if key in COMPARISONS:
                number = number_of(each)
                if number is None:
                    hint = "At most 15 digits before the point and 6 behind it."
                    self._wrong(f"{key} must be a number, not {each!r}.", "condition", key, hint=hint)
                else:
                    found.append(Threshold(comparison=Comparison(key), number=number))
            elif key not in extra:
                known = (*COMPARISONS, *sorted(extra))
                hint = nearest(key, known) or f"Its keys are {', '.join(known)}."
                self._wrong(f"the condition has the unknown key {key!r}.", "condition", key, hint=hint)
        self._check_thresholds(found, listed, has_keys=bool(set(value) - extra))
        return tuple(found)

    def _check_thresholds(self, found: Sequence[Threshold], listed: Sequence[str], *, has_keys: bool) -> None:
        if not has_keys:
            self._wrong("the condition has no threshold.", "condition", hint=f"Add one of {', '.join(COMPARISONS)}.")
        if not found:
            return
        domain = domain_of(self.kind, len(listed))
        asked = " and ".join(f"{each.comparison.value} {each.number}" for each in found)
        if not can_be_met(found, domain):
            hint = "A group without events does not exist: absence is asked with temporal and not." if domain.low == 1 else ""
            hint = "The share lies between 0 and 1." if domain.high is not None else hint
            self._wrong(f"the condition can never hold: {domain.what} is never {asked}.", "condition", hint=hint)
        elif is_always_met(found, domain):
            self.warnings.append(f"every window meets the condition: {domain.what} is always {asked}")

    def _percentile(self) -> Decimal | None:
        condition = self.inner.get("condition")
        if self.kind is not CorrelationType.VALUE_PERCENTILE or not isinstance(condition, dict):
            return None
        if "percentile" not in condition:
            self._wrong("value_percentile needs a percentile.", "condition", hint="Add `percentile: 95` to the condition.")
            return None
        number = number_of(condition["percentile"])
        if number is None or not 0 <= number <= 100:
            self._wrong("percentile must be a number from 0 to 100.", "condition", "percentile")
        return number

    def _span(self, key: str) -> int:
        """Return a length in microseconds; 0 where there is none."""
        value = self.inner.get(key)
        if value is None:
            return 0
        found = _SPAN.fullmatch(str(value))
        if not found:
            self._wrong(f"{key} {value!r} is no length of time.", key, hint=_SPAN_HINT)
            return 0
        seconds = int(found[1]) * UNITS_S[found[2]]
        if not 0 < seconds <= LONGEST_S:
            self._wrong(f"{key} must be longer than nothing and at most 100 years.", key)
        return seconds * SECOND_US

    def _lookback(self) -> int:
        found = self._span("lookback")
        if self.kind in DEFAULT_MINIMUM and found % HOUR_US:
            self._wrong(
                f"the lookback of {self.kind.value} must be whole hours: it counts by the hour.", "lookback", hint="Such as 720h or 30d."
            )
        return found

    def _minimum(self) -> int:
        value = self.inner.get("minimum")
        if value is None:
            return DEFAULT_MINIMUM.get(self.kind, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self._wrong(f"minimum must be a whole number of at least 1, not {value!r}.", "minimum")
            return 1
        return value

    def _flag(self, key: str) -> bool:
        value = self.inner.get(key)
        if value is not None and not isinstance(value, bool):
            self._wrong(f"{key} must be true or false.", key)
        return value is True

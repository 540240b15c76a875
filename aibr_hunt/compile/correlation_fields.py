"""What a correlation reads of a row, as SQL: times as whole microseconds, identities and keys as texts, measured values as decimals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, assert_never

from aibr_hunt.compile.correlation_plan import Read
from aibr_hunt.compile.sql import SqlPrinter
from aibr_hunt.meaning.places import typed_path
from aibr_hunt.model.condition import Value
from aibr_hunt.model.layout import EngineKind, Kind, Layout, TimeForm

MILLION: Final = 1_000_000
_BRACKETED: Final = "[dd/MMM/yyyy:HH:mm:ss Z]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequel:
    """What correlations ask of a SQL engine besides the primitives of its Dialect.

    Attributes:
        of_time: Value of the engine's time type → microseconds since 1970.
        moment: Microseconds → a time for people.
        now: Microseconds now.
        quotient: Two whole numbers ≥ 0 → their whole quotient.
        item: Array and place from 0 → the element.
        numbers: Highest number → a FROM item with a column `back` that counts from 1.
        decimal: Number → literal, exact.
        integer, real, text: Names of types.
        replaced: Text, pattern → the text without what the pattern finds.
    """

    of_time: Callable[[str], str]
    moment: Callable[[str], str]
    now: str
    quotient: Callable[[str, str], str]
    item: Callable[[str, str], str]
    numbers: Callable[[int], str]
    decimal: Callable[[Decimal], str]
    integer: str
    real: str
    text: str
    replaced: Callable[[str, str], str]


def _plain(number: Decimal) -> str:
    return format(number, "f")


def _typed(word: str) -> Callable[[Decimal], str]:
    return lambda number: _plain(number) if number == number.to_integral_value() and "." not in _plain(number) else f"{word} '{number:f}'"


SEQUELS: Final = {
    EngineKind.ATHENA: Sequel(
        of_time=lambda value: f"CAST(ROUND(to_unixtime({value}) * {MILLION}) AS BIGINT)",
        moment=lambda micros: f"from_unixtime_nanos({micros} * 1000)",
        now=f"CAST(ROUND(to_unixtime(current_timestamp) * {MILLION}) AS BIGINT)",
        quotient=lambda left, right: f"{left} / {right}",
        item=lambda array, place: f"element_at({array}, {place} + 1)",
        numbers=lambda highest: f"UNNEST(sequence(1, {highest})) AS hours_back (back)",
        decimal=_typed("DECIMAL"),
        integer="BIGINT",
        real="DOUBLE",
        text="VARCHAR",
        replaced=lambda text, pattern: f"regexp_replace({text}, '{pattern}')",
    ),
    EngineKind.BIGQUERY: Sequel(
        of_time=lambda value: f"UNIX_MICROS({value})",
        moment=lambda micros: f"TIMESTAMP_MICROS({micros})",
        now="UNIX_MICROS(CURRENT_TIMESTAMP())",
        quotient=lambda left, right: f"DIV({left}, {right})",
        item=lambda array, place: f"{array}[SAFE_OFFSET({place})]",
        numbers=lambda highest: f"UNNEST(GENERATE_ARRAY(1, {highest})) AS back",
        decimal=_typed("NUMERIC"),
        integer="INT64",
        real="FLOAT64",
        text="STRING",
        replaced=lambda text, pattern: f"REGEXP_REPLACE({text}, r'{pattern}', '')",
    ),
    EngineKind.DUCKDB: Sequel(
        of_time=lambda value: f"epoch_us({value})",
        moment=lambda micros: f"make_timestamp({micros})",
        now="epoch_us(current_timestamp)",
        quotient=lambda left, right: f"{left} // {right}",
        item=lambda array, place: f"list_extract({array}, {place} + 1)",
        numbers=lambda highest: f"range(1, {highest + 1}) AS hours_back (back)",
        decimal=_plain,
        integer="BIGINT",
        real="DOUBLE",
        text="VARCHAR",
        replaced=lambda text, pattern: f"regexp_replace({text}, '{pattern}', '')",
    ),
}


def micros_of(layout: Layout, printer: SqlPrinter) -> str:
    """Return the event time as whole microseconds since 1970, NULL where there is none; digits below are cut."""
    value = typed_path(layout, layout.time)
    sequel, engine = SEQUELS[layout.engine], printer.dialect
    time = printer.value(value)
    match layout.time_form:
        case TimeForm.TYPED:
            return sequel.of_time(time)
        case TimeForm.ISO_TEXT:
            text = printer.text(value)
            return f"{sequel.of_time(engine.time_of(text))} + {_fraction(text, sequel)}"
        case TimeForm.EPOCH_SECONDS:
            return f"{time} * {MILLION}"
        case TimeForm.EPOCH_MILLISECONDS:
            return f"{time} * 1000"
        case TimeForm.BRACKETED:
            return sequel.of_time(f"TRY(parse_datetime({time}, '{_BRACKETED}'))")
    assert_never(layout.time_form)


def _fraction(text: str, sequel: Sequel) -> str:
    """Return the microseconds behind the second of a time in text: the conversion of times leaves them out."""
    digits = sequel.replaced(f"SUBSTR({text}, 21, 6)", "[^0-9].*")
    return f"CASE WHEN SUBSTR({text}, 20, 1) = '.' THEN CAST(SUBSTR(CONCAT({digits}, '000000'), 1, 6) AS {sequel.integer}) ELSE 0 END"


def identity_of(layout: Layout, printer: SqlPrinter) -> str:
    """Return the event's native identity as one text."""
    sequel = SEQUELS[layout.engine]
    parts = []
    for path in layout.identity:
        value = typed_path(layout, path)
        text = printer.value(value) if value.type.kind is Kind.TEXT else f"CAST({printer.value(value)} AS {sequel.text})"
        parts.append(text if value.type.kind is not Kind.JSON else printer.text(value))
    if len(parts) == 1:
        return parts[0]
    return "CONCAT(" + ", '|', ".join(f"COALESCE({part}, '')" for part in parts) + ")"


def key_of(read: Read, printer: SqlPrinter) -> str:
    """Return a field as a key's text, or as the number that is measured; NULL where it is blank."""
    one = _number if read.is_number else _key
    parts = [one(value, read.blanks, printer) for value in read.values]
    return parts[0] if len(parts) == 1 else f"COALESCE({', '.join(parts)})"


def _number(value: Value, blanks: Sequence[str], printer: SqlPrinter) -> str:
    del blanks  # no blank text is a number
    return printer.number(value)


def _key(value: Value, blanks: Sequence[str], printer: SqlPrinter) -> str:
    dialect, sequel = printer.dialect, SEQUELS[printer.dialect.engine]
    text = printer.text(value)
    if value.type.kind in {Kind.INTEGER, Kind.BOOLEAN}:
        return text
    empty = ", ".join(map(dialect.literal, ("", *blanks)))
    folded = f"LOWER({text})"
    if value.type.kind is Kind.JSON:
        # A number's key has no `.0`; a text keeps it.
        is_text = dialect.starts(printer.json_text(value), dialect.literal('"'))
        folded = f"CASE WHEN {is_text} THEN {folded} ELSE {sequel.replaced(folded, '[.]0+$')} END"
    return f"CASE WHEN {text} NOT IN ({empty}) THEN {folded} END"

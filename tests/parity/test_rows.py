"""A record, laid down as a row of any layout and read back, meets the rules that it met: the cases of every shipped rule, on every layout.

What brings rows to a run is a sieve or the rule itself; what decides is the matcher on the record that `RowReader` makes of the row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from aibr_hunt.compile.program import rule_bounds
from aibr_hunt.content.cases import Case
from aibr_hunt.engines.cloud.rows import RowReader, lacking, row_json
from aibr_hunt.errors import Unsupported
from aibr_hunt.intake.identity import canonical_of, identity_of
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.meaning.bounds import bounds_of
from aibr_hunt.meaning.match import compile_predicate, compile_rules
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.view import View
from aibr_hunt.model.event import Json, Place
from aibr_hunt.model.layout import EngineKind, Kind, Layout
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import Rule
from tests.built_in import LIBRARY
from tests.parity.engine_world import mapping, row_of
from tests.parity.rows import Misfit, row_of_record
from tests.parity.test_checkers import LEADS, MOST_MISFITS, MOST_OF_ONE, UNLIKE, Site, cases_of
from tests.parity.test_engine_parity import LAYOUTS, drawn, raw

CLOUDS = [site for site in UNLIKE if site.layout.engine is not EngineKind.DUCKDB]
NOW = datetime(2026, 12, 1, tzinfo=UTC)
# In these cases one spelling of a member is blank and another is not; a table has one column for both, so the row cannot be the record.
SPELT_TWICE = frozenset((("azure_entra_directory_role_given", "operation_is_absent[None]"),))


def delivered(row: dict[str, object], layout: Layout) -> dict[str, object]:
    """Return a row as drivers deliver it at worst: nested cells as JSON text, all others as text too where the engine is Athena."""
    made: dict[str, object] = {}
    for column in layout.columns:
        cell = row.get(column.name)
        if cell is None:
            continue
        is_nested = column.type.kind in {Kind.STRUCT, Kind.ARRAY, Kind.MAP, Kind.JSON}
        if is_nested:
            made[column.name] = json.dumps(cell, default=lambda moment: moment.isoformat())
        elif layout.engine is EngineKind.ATHENA and not isinstance(cell, str | datetime):
            made[column.name] = str(cell).lower() if isinstance(cell, bool) else str(cell)
        else:
            made[column.name] = cell
    return made


def some_of(rule: Rule, *, most: int) -> Iterator[Case]:
    """Yield the cases of a rule, at most so many of those that differ by one listed value."""
    families: Counter[str] = Counter()
    for case in cases_of(rule):
        family = case.name.partition("[")[0]
        families[family] += 1
        if families[family] <= most:
            yield case


def askable(rules: Sequence[Rule], source: Mapping, layout: Layout) -> list[Rule]:
    found: list[Rule] = []
    for rule in rules:
        try:
            rule_bounds(rule, Locator(source, layout))
        except Unsupported:
            continue  # told by the list of refusals
        found.append(rule)
    return found


@pytest.mark.parametrize("site", CLOUDS, ids=lambda site: site.name)
@pytest.mark.parametrize("form", [pytest.param("values", marks=pytest.mark.slow), "texts"])
def test_a_record_meets_the_same_rules_after_its_way_through_a_row(site: Site, form: str) -> None:
    source, layout = site.mapping, site.layout
    reader = RowReader(source, layout)
    wrong: list[str] = []
    ran: Counter[str] = Counter()
    for rule in askable([rule for rule in site.rules if rule.id in LEADS], source, layout):
        matcher = compile_rules([rule], source)
        for case in some_of(rule, most=MOST_OF_ONE if form == "texts" else 1_000):
            try:
                row = row_of_record(case.event, source, layout)
            except Misfit:
                ran["misfits"] += 1
                continue
            ran["cases"] += 1
            back = reader.record(row if form == "values" else delivered(row, layout))
            is_same = bool(matcher.match(back)) == bool(matcher.match(case.event))
            if not is_same and (rule.name, case.name) not in SPELT_TWICE:
                wrong.append(f"{rule.name} {case.name}: {'lost' if matcher.match(case.event) else 'invented'}")
    assert wrong == []
    assert ran["misfits"] <= MOST_MISFITS * ran.total()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
@pytest.mark.parametrize("seed", [301, 302, 303])
def test_drawn_events_meet_the_same_drawn_rules_after_their_way_through_a_row(layout: Layout, seed: int) -> None:
    subjects, events = drawn(seed, 60, 40, drifts=seed == 303)
    reader = RowReader(mapping(), layout)
    back = {str(event["id"]): reader.record(delivered(row_of(event, layout), layout)) for event in events}
    wrong: list[str] = []
    cells = 0
    for subject in subjects:
        try:
            bounds_of(subject.predicate, Locator(mapping(), layout))
        except Unsupported:
            continue
        test = compile_predicate(subject.predicate, binder_of(mapping()))
        found = {name for name, record in back.items() if test(View(record))}
        cells += len(back)
        wrong += [f"{subject.text}\n{name}: {json.dumps(back[name])}" for name in sorted(found ^ subject.hits)]
    assert wrong == []
    assert cells >= 1_000


def test_an_event_of_a_row_has_the_identity_and_the_canonical_form_of_its_record() -> None:
    trail = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")
    layout = next(each for each in trail.layouts if each.label == "athena/projection")
    record: dict[str, Json] = {
        "eventID": "00000000-0000-4000-8000-000000000001",
        "eventTime": "2026-01-12T02:47:31Z",
        "eventSource": "bedrock.amazonaws.com",
        "eventName": "DeleteGuardrail",
        "recipientAccountId": "123456789012",
        "userIdentity": {"arn": "arn:aws:iam::123456789012:user/a", "sessionContext": {"sessionIssuer": {"userName": "r"}}},
        "requestParameters": {"guardrailIdentifier": "g", "n": 1.50, "deep": {"list": [1, {"a": None}]}},
        "resources": [{"ARN": "arn:one"}, {"type": "two"}],
    }
    row = delivered(row_of_record(record, trail, layout), layout)
    place = Place(path="athena:trail job 1", file_digest="", offset=0, length=1, ordinal=1)
    event = RowReader(trail, layout).event(row, source=trail.name, now=NOW, place=place, raw=row_json(row))
    assert event.identity == identity_of(record, trail, canonical_of(record, b""))
    assert event.value == record | {"resources": [{"ARN": "arn:one"}, {"type": "two"}], "requestParameters": record["requestParameters"]}
    assert (event.principal, event.action, event.account) == ("arn:aws:iam::123456789012:user/a", "DeleteGuardrail", "123456789012")
    assert json.loads(event.raw) == row


def test_numbers_keep_their_spelling_and_broken_json_text_stays_text() -> None:
    layout = raw(EngineKind.ATHENA, Kind.JSON_TEXT)
    reader = RowReader(mapping(), layout)
    assert repr(reader.record({"record": '{"n": 1234567890123456789.5, "m": 1e3}'})) == "{'n': 1234567890123456789.5, 'm': 1e3}"
    assert reader.record({"record": '{"n": 1'}) == {}


def test_an_address_loses_the_port_that_a_table_writes_behind_it() -> None:
    blob = next(each for each in LIBRARY.mappings if each.name == "azure_storage_blob")
    layout = next(each for each in blob.layouts if each.engine is EngineKind.KQL)
    place = next(each for each in layout.places if each.has_port)
    reader = RowReader(blob, layout)
    for written, read in (("192.0.2.7:5678", "192.0.2.7"), ("[2001:db8::1]:443", "2001:db8::1"), ("2001:db8::1", "2001:db8::1")):
        value: Json = reader.record({place.paths[0].column: written})
        for member in place.member:
            value = value[member] if isinstance(value, dict) else None
        assert value == read


def test_missing_columns_are_named_without_case_and_optional_ones_are_not_missed() -> None:
    trail = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")
    layout = next(each for each in trail.layouts if each.label == "athena/projection")
    names = frozenset(column.name.upper() for column in layout.columns)
    assert lacking(layout, names) == ()
    assert lacking(layout, names - {layout.columns[0].name.upper()}) == (layout.columns[0].name,)

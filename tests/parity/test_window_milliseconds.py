"""A window holds the same events whether their times are written to the second or with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aibr_hunt.compile.program import Asking, sieve_query, whole_query
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.layout import Layout, TimeForm
from aibr_hunt.model.window import Window
from tests.oracle.strategies import rule_text
from tests.parity.engine_world import mapping
from tests.parity.test_engine_parity import STANDINS

RULE = load_rule_text(rule_text({"sel": {"id|exists": True}, "condition": "sel"}, 1), "all.yml")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TIMES = {
    "before": "11:59:59.999Z",
    "first": "12:00:00.000Z",
    "plain": "12:00:00Z",
    "within": "12:00:00.001Z",
    "last": "12:00:59.999Z",
    "end": "12:01:00.000Z",
    "plain end": "12:01:00Z",
}
TEXTS = [layout for layout in mapping().layouts if layout.time_form is TimeForm.ISO_TEXT and layout.name == "json"]


@pytest.mark.parametrize("layout", TEXTS, ids=lambda layout: layout.label)
def test_times_with_milliseconds_lie_on_the_right_side_of_a_window(layout: Layout) -> None:
    assert TEXTS
    rows: list[dict[str, object]] = [{"id": name, "at": f"2026-01-05T{time}", "record": "{}"} for name, time in TIMES.items()]
    engine = STANDINS[layout.engine]()
    engine.load(layout, rows)
    place = [column.name for column in layout.columns].index("id")
    asking = Asking(locator=Locator(mapping(), layout), span=Window(start=NOON, end=NOON + timedelta(minutes=1)), meanings={})
    for query in (whole_query([RULE], asking), sieve_query([RULE], asking)):
        assert {str(row[place]) for row in engine.rows(query.text)} == {"first", "plain", "within", "last"}, query.text

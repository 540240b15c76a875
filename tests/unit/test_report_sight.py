"""What is known of the user's logs: switches that are off, switches that data shows, leads by technique and cloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.errors import UsageError
from aibr_hunt.model.lead import CoverageRow, CoverageState
from aibr_hunt.model.mapping import LogSwitch, Mapping
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window
from aibr_hunt.report.sight import count_leads, shown_by_leads, switches_named, switches_shown, unread_rules
from tests.built_in import LIBRARY
from tests.unit.report_samples import lead

MAPPINGS = {mapping.name: mapping for mapping in LIBRARY.mappings}
SWITCHES = switches_of(MAPPINGS.values())


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(Path(__file__).resolve().parents[2] / "mappings")


def switch(id_: str, *, on: bool | None) -> LogSwitch:
    return LogSwitch(id=id_, is_on_by_default=on, what="x", how="y")


def having(*switches: LogSwitch) -> Mapping:
    return replace(MAPPINGS["aws_cloudtrail"], switches=switches)


def covered(rule_id: str, *states: CoverageState) -> list[CoverageRow]:
    return [
        CoverageRow(meaning_digest="m", rule_id=rule_id, source="s", window=Window(start=None, end=None), state=each) for each in states
    ]


# --- what the user states ----------------------------------------------------------------------------------------------------------


def test_a_switch_is_named_by_its_id_or_with_a_star() -> None:
    assert switches_named(["aws.bedrock.invocation_logging"], SWITCHES) == {"aws.bedrock.invocation_logging"}
    found = switches_named(["aws.cloudtrail.data:AWS::Bedrock::*"], SWITCHES)
    assert len(found) >= 8
    assert all(each.startswith("aws.cloudtrail.data:AWS::Bedrock::") for each in found)


def test_default_names_what_is_off_unless_somebody_turned_it_on() -> None:
    found = switches_named(["default"], SWITCHES)
    assert "aws.bedrock.invocation_logging" in found
    assert not found & {id_ for id_, each in SWITCHES.items() if each.is_on_by_default is not False}


def test_a_mistyped_switch_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"Did you mean aws\.bedrock\.invocation_logging"):
        switches_named(["aws.bedrock.invocation_loging"], SWITCHES)


# --- what data shows ---------------------------------------------------------------------------------------------------------------


def test_a_record_shows_the_switches_that_are_on_by_default_and_no_opt_in_one() -> None:
    assert switches_shown(MAPPINGS["aws_cloudtrail"]) == {"aws.cloudtrail.management"}


def test_a_record_shows_the_one_switch_of_its_source() -> None:
    assert switches_shown(MAPPINGS["aws_s3_access"]) == {"aws.s3.server_access_logging"}


@pytest.mark.parametrize(
    ("switches", "shown"),
    [
        ((switch("a", on=False),), {"a"}),
        ((switch("a", on=None),), {"a"}),
        ((switch("a", on=False), switch("b", on=False)), set()),
        ((switch("a", on=True), switch("b", on=False)), {"a"}),
        ((switch("a", on=True), switch("a.export", on=False)), {"a", "a.export"}),
        ((switch("detector", on=False), switch("x.export", on=False)), {"detector", "x.export"}),
        ((switch("a", on=False), switch("b", on=None), switch("a.export", on=False)), {"a.export"}),
        ((), set()),
    ],
)
def test_of_several_opt_in_switches_none_is_shown(switches: tuple[LogSwitch, ...], shown: set[str]) -> None:
    assert set(switches_shown(having(*switches))) == shown


def test_a_lead_shows_what_its_rule_requires() -> None:
    assert shown_by_leads({"a", "correlation"}, {"a": ("x", "y"), "b": ("z",)}) == {"x", "y"}


def test_a_rule_is_unread_only_when_no_row_of_it_had_a_log() -> None:
    rows = [
        *covered("none", CoverageState.NOT_COVERED, CoverageState.SOURCE_SILENT),
        *covered("some", CoverageState.NOT_COVERED, CoverageState.SETTLED),
        *covered("failed", CoverageState.FAILED),
    ]
    assert unread_rules(rows) == {"none"}


def test_leads_are_counted_once_a_technique_in_their_cloud_and_in_all(catalogue: Catalogue) -> None:
    one = catalogue.technique("attack.t1485")
    found = count_leads(
        [lead(1, techniques=(one, one), source="aws_cloudtrail"), lead(2, techniques=(one,), source="as-written")],
        catalogue,
        {"aws_cloudtrail": "aws"},
    )
    assert found == {("attack.t1485", "aws"): 1, ("attack.t1485", "all"): 2}


def test_a_lead_of_an_older_catalogue_counts_for_the_one_successor(catalogue: Catalogue) -> None:
    old = Technique(framework="attack", id="T1562.001", name="Disable or Modify Tools", tactics=("TA0005",), version="18.1")
    unknown = Technique(framework="attack", id="T9999", name="x", tactics=(), version="18.1")
    found = count_leads([lead(1, techniques=(old, unknown), source="aws_cloudtrail")], catalogue, {"aws_cloudtrail": "aws"})
    assert found == {("attack.t1685", "aws"): 1, ("attack.t1685", "all"): 1}

"""Suppressions hide leads by a predicate over the event, fields taken as written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aibr_hunt.errors import LedgerError
from aibr_hunt.hunt.suppression import judge
from aibr_hunt.ledger.values import Suppression
from aibr_hunt.model.codec import predicate_to_plain
from aibr_hunt.model.lead import Lead
from tests.cli.samples import NOW, cloudtrail, rule


def suppression(selection: str) -> Suppression:
    predicate = json.dumps(predicate_to_plain(rule(1, selection).predicate)) if selection else ""
    return Suppression(id="S-1", rule_id=rule(1).id, predicate=predicate, reason="planned", actor="somebody", start=NOW)


def lead(**changes: Any) -> Lead:
    names = (
        "id",
        "rule_id",
        "rule_name",
        "rule_title",
        "event_key",
        "source",
        "action",
        "principal",
        "address",
        "resource",
        "region",
        "account",
    )
    event = cloudtrail(1, "DeleteGuardrail", **changes)
    return Lead(**dict.fromkeys(names, "x"), level="high", techniques=(), is_weak=False, time=NOW, event_value=event, sightings=())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selection", "is_hidden"),
    [
        ("", True),
        ("{userIdentity.arn|endswith: /person1}", True),
        ("{userIdentity.arn|endswith: /person2}", False),
        ("{sourceIPAddress|cidr: 192.0.2.0/24}", True),
        ("{errorCode: null}", True),
        ("{sourceip: 192.0.2.7}", False),
    ],
    ids=["no predicate", "who", "somebody else", "where from", "absence", "an alias is no field as written"],
)
def test_a_suppression_hides_what_its_predicate_holds_for(selection: str, *, is_hidden: bool) -> None:
    assert judge(suppression(selection), lead()) is is_hidden


def test_it_is_judged_by_the_event_of_each_lead() -> None:
    hidden = suppression("{userAgent: terraform}")
    assert [judge(hidden, lead(userAgent=agent)) for agent in ("terraform", "curl", "Terraform")] == [True, False, True]


@pytest.mark.parametrize("predicate", ["nonsense", "[]", '["nothing"]', '["text"]', "null"])
def test_a_predicate_that_cannot_be_read_is_an_error_of_the_ledger_that_says_what_to_do(predicate: str) -> None:
    with pytest.raises(LedgerError, match="evidence verify"):
        judge(replace(suppression(""), predicate=predicate), lead())

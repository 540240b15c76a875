"""`rules noise`, `rules catalogue` and `rules list --count`: figures for people and machines, exit codes, what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr

RULE = """\
title: Model deleted
id: 00000000-0000-4000-8000-000000000001
name: deleted
status: experimental
description: Says why.
level: {level}
tags: [attack.impact, attack.t1485]
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventSource: sagemaker.amazonaws.com, eventName: DeleteModel}}, condition: s}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "aws" / "sagemaker"
    folder.mkdir(parents=True)
    (folder / "deleted.yml").write_text(RULE.format(level="high"), encoding="utf-8")
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    names = ["DeleteModel"] * 2 + ["ListModels"] * 8
    records = [
        {
            "eventVersion": "1.11",
            "eventTime": f"2026-03-02T12:00:{number:02d}Z",
            "eventSource": "sagemaker.amazonaws.com",
            "eventName": name,
        }
        for number, name in enumerate(names)
    ]
    path = tmp_path / "trail.json"
    path.write_text(json.dumps({"Records": records}), encoding="utf-8")
    return path


def test_noise_tells_hits_per_hundred_thousand_events_of_the_service(aibr: Aibr, rules: Path, logs: Path) -> None:
    said = aibr("rules", "noise", rules, "--logs", logs, "--least", "5")
    assert said.code == 1
    assert said.out.splitlines()[1].split() == ["deleted", "high", "rule", "20,000.0", "2", "sagemaker.amazonaws.com"]
    assert said.out.splitlines()[-1].startswith("1 rule, 0 without data (fewer than 5 events of their service")
    assert said.out.splitlines()[-1].endswith("1 alarm over 10 per 100,000")


def test_noise_says_when_there_is_no_data(aibr: Aibr, rules: Path, logs: Path) -> None:
    said = aibr("rules", "noise", rules, "--logs", logs, "--all")
    assert said.code == 0
    assert "no data" in said.out
    (row,) = aibr("rules", "noise", rules, "--logs", logs, "--json").rows
    assert (row["name"], row["rate"], row["hits"], row["events"], row["is_noisy"]) == ("deleted", None, 2, 10, False)


def test_what_is_no_alarm_may_be_loud(aibr: Aibr, rules: Path, logs: Path) -> None:
    (rules / "deleted.yml").write_text(RULE.format(level="low"), encoding="utf-8")
    assert aibr("rules", "noise", rules, "--logs", logs, "--least", "1").code == 0


def test_noise_reads_the_lake(aibr: Aibr, rules: Path, logs: Path) -> None:
    assert aibr("logs", "add", logs).code == 0
    (row,) = aibr("rules", "noise", rules, "--lake", "--least", "1", "--json").rows
    assert (row["rate"], row["is_noisy"]) == (20_000.0, True)


def test_noise_makes_up_traffic_where_no_logs_are_given(aibr: Aibr, rules: Path) -> None:
    (row,) = aibr("rules", "noise", rules, "--events", "1500", "--least", "1", "--json").rows
    assert row["events"] > 50
    assert aibr("rules", "noise", rules, "--events", "1500", "--least", "1", "--json").rows == [row]


@pytest.mark.parametrize("options", [("--logs", "{logs}", "--lake"), ("--lake", "--events", "5"), ("--logs", "{logs}", "--seed", "5")])
def test_noise_reads_one_thing(aibr: Aibr, rules: Path, logs: Path, options: tuple[str, ...]) -> None:
    said = aibr("rules", "noise", rules, *(each.format(logs=logs) for each in options))
    assert said.code == 2
    assert "Several things are named to be read." in said.err


def test_noise_refuses_logs_that_are_not_there(aibr: Aibr, rules: Path, tmp_path: Path) -> None:
    said = aibr("rules", "noise", rules, "--logs", tmp_path / "nowhere")
    assert said.code == 2
    assert "There is no log file or folder" in said.err


def test_catalogue_is_printed_or_written(aibr: Aibr, rules: Path, tmp_path: Path) -> None:
    printed = aibr("rules", "catalogue", rules)
    assert printed.code == 0
    assert "| `deleted` | Model deleted | high | single event | T1485 |  |" in printed.out
    out = tmp_path / "page.md"
    said = aibr("rules", "catalogue", rules, "--out", out)
    assert said.code == 0
    assert out.read_text(encoding="utf-8").startswith("# Catalogue\n")
    assert "### sagemaker" in out.read_text(encoding="utf-8")


def test_catalogue_refuses_a_folder_that_is_not_there(aibr: Aibr, rules: Path, tmp_path: Path) -> None:
    said = aibr("rules", "catalogue", rules, "--out", tmp_path / "nowhere" / "page.md")
    assert said.code == 2
    assert "There is no folder" in said.err


def test_list_counts(aibr: Aibr, rules: Path) -> None:
    (counts,) = aibr("rules", "list", rules, "--count", "--json").rows
    assert counts["all"]["rules and correlations"] == 1
    assert counts["kind"]["single event"] == 1
    assert counts["service"] == {"aws/sagemaker": 1}
    said = aibr("rules", "list", rules, "--count")
    assert said.code == 0
    assert ["aws/sagemaker", "1"] in [line.split() for line in said.out.splitlines()]

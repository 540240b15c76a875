"""Everyday traffic is made up the same each time, and alarms are quiet in it; rates are told for the service at which a rule looks."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.intake.detect import recognise
from aibr_hunt.intake.files import discover
from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign import DAYS, START, traffic
from aibr_hunt.testing.noise import ALARMS, NoiseMeter, Rate, measure_files, measure_lake, measure_traffic
from tests.built_in import LIBRARY, rules_asked

NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS: Final = 24_000
# Alarms that speak in everyday traffic, and why they stay alarms.
NOISY: Final = {
    "gcp_vertexai_model_taken_out": "pipelines of this house promote models with CopyModel; a house that does so filters their account",
}
# Alarms that speak in the published samples: all of them hold records of simulated attacks.
ATTACKED: Final = {
    "aws_cloudtrail_trail_stopped_or_narrowed": "the samples stop and narrow trails",
    "aws_cloudtrail_several_watchers_silenced": "the samples silence one watcher after another",
    "aws_bedrock_llmjacking_share": "the samples take the time of models",
    "aws_iam_role_trust_given_to_outside": "the samples give a role to another account",
}


def test_traffic_is_the_same_for_a_seed_and_another_for_another() -> None:
    assert traffic(events=800) == traffic(events=800)
    assert traffic(events=800) != traffic(events=800, seed=1)


def test_traffic_lies_in_its_days_in_order() -> None:
    times = [sample.time_us for sample in traffic(events=3_000)]
    start = int(START.timestamp()) * 1_000_000
    assert times == sorted(times)
    assert start <= times[0]
    assert times[-1] < start + (DAYS + 1) * 86_400_000_000


def test_every_record_is_recognised_as_what_it_is_and_every_log_source_with_rules_is_there() -> None:
    samples = traffic(events=EVENTS)
    for name, group in groupby(sorted(samples, key=lambda sample: sample.source), key=lambda sample: sample.source):
        for sample in list(group)[:300]:
            found = recognise(sample.event, LIBRARY.mappings)
            assert found is not None
            assert found.name == name
    mappings = (LIBRARY.mapping_for(rule.logsource) for rule in rules_asked().matched)
    assert {mapping.name for mapping in mappings if mapping is not None} <= {sample.source for sample in samples}


@pytest.mark.slow
def test_no_alarm_is_noisy_in_everyday_traffic_but_those_that_are_listed() -> None:
    meter = NoiseMeter(rules_asked(), LIBRARY)
    measure_traffic(meter, events=EVENTS, seed=20260302)
    rates = meter.rates(least=100)
    assert {rate.name for rate in rates if rate.is_noisy} == set(NOISY)
    told = [rate for rate in rates if rate.level in ALARMS and rate.rate is not None]
    assert len(told) > 100  # the traffic holds enough of most services to say so


@pytest.mark.slow
def test_no_alarm_speaks_in_published_samples_but_of_the_attacks_in_them(samples: Path) -> None:
    meter = NoiseMeter(rules_asked(), LIBRARY)
    measure_files(meter, sorted(samples.glob("*.jsonl")), LIBRARY, now=NOW)
    assert {rate.name for rate in meter.rates(least=1) if rate.is_noisy} <= set(ATTACKED)


RULE = """\
title: T
id: 00000000-0000-4000-8000-00000000000{number}
name: {name}
status: experimental
level: {level}
tags: [attack.impact]
logsource: {{product: {product}, service: {service}}}
detection: {{s: {test}, condition: s}}
"""
COUNTED = """\
title: C
id: 00000000-0000-4000-8000-000000000009
name: counted
status: experimental
level: high
tags: [attack.impact]
correlation: {type: event_count, rules: [models], group-by: [recipientAccountId], timespan: 1h, condition: {gte: 3}, generate: true}
"""


def cloudtrail(number: int, source: str, name: str = "DeleteModel") -> Json:
    return {
        "eventVersion": "1.11",
        "eventTime": f"2026-03-02T12:{number % 60:02d}:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "recipientAccountId": "123456789012",
    }


def rated(folder: Path, *rules: str, events: list[Json], least: int = 1) -> dict[str, Rate]:
    """Return the rates of rules over some records, by name."""
    for number, rule in enumerate(rules):
        (folder / f"r{number}.yml").write_text(rule, encoding="utf-8")
    meter = NoiseMeter(LIBRARY.load_rules([str(folder)]), LIBRARY)
    for number, event in enumerate(events):
        mapping = recognise(event, LIBRARY.mappings)
        assert mapping is not None
        meter.add(mapping.name, event, time_us=1_772_452_800_000_000 + number * 60_000_000, ident=str(number))
    return {rate.name: rate for rate in meter.rates(least=least)}


def of_cloudtrail(name: str, test: str, *, number: int = 1, level: str = "high") -> str:
    return RULE.format(number=number, name=name, level=level, product="aws", service="cloudtrail", test=test)


def test_a_rate_is_of_the_service_that_the_rule_names(tmp_path: Path) -> None:
    events = [cloudtrail(number, "s3", "GetObject") for number in range(30)] + [cloudtrail(number, "sagemaker") for number in range(30, 34)]
    events += [cloudtrail(50, "sagemaker", "ListModels")]
    rules = (
        of_cloudtrail("models", "{eventSource: SageMaker.amazonaws.com, eventName: DeleteModel}"),
        of_cloudtrail("both", "{eventSource: [sagemaker.amazonaws.com, s3.amazonaws.com], eventName: DeleteModel}", number=2),
        of_cloudtrail("anywhere", "{eventName: DeleteModel}", number=3, level="low"),
        of_cloudtrail("beginning", "{eventSource|startswith: sage, eventName: DeleteModel}", number=4),
    )
    found = rated(tmp_path, *rules, events=events)
    assert {name: (rate.hits, rate.events) for name, rate in found.items()} == {
        "models": (4, 5),
        "both": (4, 35),
        "anywhere": (4, 35),
        "beginning": (4, 5),
    }
    assert found["models"].rate == pytest.approx(80_000)
    assert found["models"].service == "sagemaker.amazonaws.com"
    assert found["models"].is_noisy
    assert not found["anywhere"].is_noisy  # loud, but no alarm


def test_services_of_the_other_clouds_are_told_apart_too(tmp_path: Path) -> None:
    def gcp(service: str) -> Json:
        return {"logName": "l", "protoPayload": {"serviceName": service, "methodName": "m"}}

    def azure(operation: str) -> Json:
        return {"time": "t", "resourceId": "/x", "operationName": operation, "resultType": "Success", "category": "Administrative"}

    events = [gcp("aiplatform.googleapis.com"), *[gcp("storage.googleapis.com")] * 4]
    events += [azure("MICROSOFT.COGNITIVESERVICES/ACCOUNTS/DELETE"), *[azure("MICROSOFT.WEB/SITES/WRITE")] * 6]
    rules = (
        RULE.format(
            number=1,
            name="g",
            level="high",
            product="gcp",
            service="gcp.audit",
            test="{protoPayload.serviceName: aiplatform.googleapis.com}",
        ),
        RULE.format(
            number=2,
            name="a",
            level="high",
            product="azure",
            service="activitylogs",
            test="{operationName|startswith: Microsoft.CognitiveServices/accounts/}",
        ),
    )
    found = rated(tmp_path, *rules, events=events)
    assert {name: (rate.hits, rate.events, rate.service) for name, rate in found.items()} == {
        "g": (1, 1, "aiplatform.googleapis.com"),
        "a": (1, 1, "microsoft.cognitiveservices"),
    }


def test_too_few_events_of_a_service_say_nothing(tmp_path: Path) -> None:
    rule = of_cloudtrail("models", "{eventSource: sagemaker.amazonaws.com, eventName: DeleteModel}")
    events = [cloudtrail(number, "sagemaker") for number in range(4)]
    assert rated(tmp_path, rule, events=events, least=5)["models"].rate is None
    assert not rated(tmp_path, rule, events=events, least=5)["models"].is_noisy
    assert rated(tmp_path, rule, events=events, least=4)["models"].rate == pytest.approx(100_000)


def test_episodes_are_counted_of_what_correlations_rest_on(tmp_path: Path) -> None:
    rule = of_cloudtrail("models", "{eventSource: sagemaker.amazonaws.com, eventName: DeleteModel}")
    events = [cloudtrail(number, "sagemaker") for number in range(5)] + [cloudtrail(number, "s3") for number in range(5, 20)]
    rate = rated(tmp_path, rule, COUNTED, events=events)["counted"]
    assert (rate.hits, rate.events, rate.kind, rate.service) == (1, 5, "event_count", "sagemaker.amazonaws.com")


def test_a_baseline_that_looks_back_further_than_the_logs_has_no_data(tmp_path: Path) -> None:
    rule = of_cloudtrail("models", "{eventSource: sagemaker.amazonaws.com, eventName: DeleteModel}")
    seen = COUNTED.replace("type: event_count", "type: first_seen, field: eventName").replace(
        "timespan: 1h, condition: {gte: 3}", "lookback: {lookback}"
    )
    events = [cloudtrail(number, "sagemaker") for number in range(5)]
    assert rated(tmp_path, rule, seen.replace("{lookback}", "30d"), events=events)["counted"].rate is None
    assert rated(tmp_path, rule, seen.replace("{lookback}", "2m"), events=events)["counted"].rate is not None


def test_files_and_the_lake_give_the_same_rates(tmp_path: Path) -> None:
    rules, logs = tmp_path / "rules", tmp_path / "logs"
    rules.mkdir()
    logs.mkdir()
    (rules / "r.yml").write_text(
        of_cloudtrail("models", "{eventSource: sagemaker.amazonaws.com, eventName: DeleteModel}"), encoding="utf-8"
    )
    records = [cloudtrail(number, "sagemaker" if number % 3 else "s3") for number in range(30)]
    (logs / "trail.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    lake = Lake.open(tmp_path / "lake", mappings=LIBRARY.mappings, create=True)
    lake.add(discover([logs]).files, Scope(now=NOW), processes=1)
    corpus = LIBRARY.load_rules([str(rules)])
    from_files, from_lake = NoiseMeter(corpus, LIBRARY), NoiseMeter(corpus, LIBRARY)
    measure_files(from_files, [logs], LIBRARY, now=NOW)
    measure_lake(from_lake, lake, LIBRARY, now=NOW)
    assert from_files.rates(least=1) == from_lake.rates(least=1)
    ((hits, events),) = {(rate.hits, rate.events) for rate in from_files.rates(least=1)}
    assert (hits, events) == (20, 20)

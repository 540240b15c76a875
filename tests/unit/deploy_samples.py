"""Packs that the tests of deployment share: of shipped rules, and of one that a stranger wrote to break out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import yaml

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.hunt.deploy import Content, Pack, make_pack
from aibr_hunt.hunt.deploy_parts import Deployment
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, KeyField, Operand, Threshold
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.rule import Rule
from tests.built_in import LIBRARY, rules_asked

HOSTILE_TITLE = "`; process.exit(9); ` ${process.exit(8)} \\` \u202e\n[x] config { js { {{resolve:ssm:x}} */ <script>alert(1)</script>"
HOSTILE_TEXTS = ["${jndi:ldap", "`js { x }", "it's -- ''' \\", "---", "CURRENT_TIMESTAMP()", '"config {', "x\ny", "@run_time"]
SOURCES = {
    EngineKind.KQL: ("{product: azure, service: activitylogs}", "operationName"),
    EngineKind.BIGQUERY: ("{product: gcp, service: gcp.audit}", "protoPayload.methodName"),
    EngineKind.ATHENA: ("{product: aws, service: cloudtrail}", "eventName"),
}


# The account and the address of each log source, and a field that is neither.
FIELDS = {
    EngineKind.KQL: ("caller", "callerIpAddress", "operationName"),
    EngineKind.BIGQUERY: (
        "protoPayload.authenticationInfo.principalEmail",
        "protoPayload.requestMetadata.callerIp",
        "protoPayload.methodName",
    ),
    EngineKind.ATHENA: ("userIdentity.arn", "sourceIPAddress", "eventName"),
}
HOUR_US = 3_600_000_000


@functools.cache
def shipped() -> tuple[Rule, ...]:
    return rules_asked().rules


def rule_of(engine: EngineKind, number: int = 1, **changes: Any) -> Rule:
    """Return a rule on a log source that the engine holds; `texts` are what its field may contain."""
    logsource, field = SOURCES[engine]
    body = {
        "title": f"Rule {number}",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"rule_{number}",
        "status": "test",
        "level": "high",
        "logsource": yaml.safe_load(logsource),
        "detection": {"selection": {f"{field}|contains": changes.pop("texts", ["deletes"])}, "condition": "selection"},
    } | changes
    return load_rule_text(yaml.safe_dump(body, allow_unicode=True), f"rule_{number}.yml", catalogue=LIBRARY.catalogue)


@functools.cache
def shipped_correlations() -> tuple[Correlation, ...]:
    corpus = rules_asked()
    return tuple(each for each in corpus.correlations if each.id not in corpus.silent)


@functools.cache
def shipped_sources() -> dict[str, Rule | Correlation]:
    return {each.id: each for each in rules_asked().things}


def correlation_of(engine: EngineKind, kind: CorrelationType = CorrelationType.EVENT_COUNT, **changes: Any) -> Correlation:
    """Return a correlation over rule 1 of the engine, by account; `by` names other group fields."""
    principal, address, other = FIELDS[engine]
    operand = Operand(name="rule_1", id=rule_of(engine).id)
    group = tuple(KeyField(name=name) for name in changes.pop("by", (principal,)))
    is_sliding = kind not in {CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SPIKE}
    made = Correlation(
        id="00000000-0000-4000-8000-00000000c001",
        name="many",
        title="Many at once",
        path="many.yml",
        text_digest="c" * 64,
        type=kind,
        operands=(operand,),
        population=None if is_sliding else operand,
        group_by=group,
        values=(KeyField(name=address if kind is CorrelationType.FIRST_SEEN else other),)
        if kind in {CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.VALUE_COUNT}
        else (),
        timespan_us=HOUR_US if is_sliding else 0,
        lookback_us=0 if is_sliding else 24 * HOUR_US,
        thresholds=() if kind is CorrelationType.FIRST_SEEN else (Threshold(comparison=Comparison.GTE, number=Decimal(3)),),
        description="More than usual.",
        level="high",
    )
    return replace(made, **changes)


def pack_of(
    rules: Sequence[Rule],
    engine: EngineKind,
    *,
    correlations: Sequence[Correlation] = (),
    sources: dict[str, Rule | Correlation] | None = None,
    **asked: Any,
) -> Pack:
    content = Content(
        rules=rules,
        unread=(),
        correlations=correlations,
        sources={rule_of(engine).id: rule_of(engine)} if sources is None else sources,
        mapping_of=lambda rule: LIBRARY.mapping_for(rule.logsource),
        mappings=LIBRARY.mappings,
        catalogue=LIBRARY.catalogue,
    )
    return make_pack(content, Deployment(engine=engine, **asked))


def files_of(pack: Pack) -> dict[str, bytes]:
    return {artefact.path: artefact.content for artefact in pack.artefacts}


def documents(pack: Pack, folder: str) -> dict[str, Any]:
    """Return the JSON files below a folder of a pack, by name."""
    return {path: orjson.loads(content) for path, content in files_of(pack).items() if path.startswith(folder)}

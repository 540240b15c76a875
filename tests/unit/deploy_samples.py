"""Packs that the tests of deployment share: of shipped rules, and of one that a stranger wrote to break out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import orjson
import yaml

from aibr_hunt.content.library import Library
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.hunt.deploy import Content, Pack, make_pack
from aibr_hunt.hunt.deploy_parts import Deployment
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.rule import Rule

HOSTILE_TITLE = "`; process.exit(9); ` ${process.exit(8)} \\` \u202e\n[x] config { js { {{resolve:ssm:x}} */ <script>alert(1)</script>"
HOSTILE_TEXTS = ["${jndi:ldap", "`js { x }", "it's -- ''' \\", "---", "CURRENT_TIMESTAMP()", '"config {', "x\ny", "@run_time"]
SOURCES = {
    EngineKind.KQL: ("{product: azure, service: activitylogs}", "operationName"),
    EngineKind.BIGQUERY: ("{product: gcp, service: gcp.audit}", "protoPayload.methodName"),
    EngineKind.ATHENA: ("{product: aws, service: cloudtrail}", "eventName"),
}


@functools.cache
def library() -> Library:
    return Library()


@functools.cache
def shipped() -> tuple[Rule, ...]:
    return library().load_rules(["shipped:"]).rules


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
    return load_rule_text(yaml.safe_dump(body, allow_unicode=True), f"rule_{number}.yml", catalogue=library().catalogue)


def pack_of(rules: Sequence[Rule], engine: EngineKind, **asked: Any) -> Pack:
    content = Content(
        rules=rules,
        unread=(),
        mapping_of=lambda rule: library().mapping_for(rule.logsource),
        mappings=library().mappings,
        catalogue=library().catalogue,
    )
    return make_pack(content, Deployment(engine=engine, **asked))


def files_of(pack: Pack) -> dict[str, bytes]:
    return {artefact.path: artefact.content for artefact in pack.artefacts}


def documents(pack: Pack, folder: str) -> dict[str, Any]:
    """Return the JSON files below a folder of a pack, by name."""
    return {path: orjson.loads(content) for path, content in files_of(pack).items() if path.startswith(folder)}

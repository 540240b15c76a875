"""The README of a pack: what was written, what was refused and why, and how it is deployed, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from aibr_hunt.hunt.deploy_parts import Deployment, Prepared, Refused
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.text import for_markdown, for_markdown_prose

NOT_IN_PACK: Final = {
    EngineKind.KQL: (
        "Connectors and diagnostic settings: the tables must fill already.",
        "ATLAS techniques: Sentinel knows ATT&CK only. They stand in pack.json.",
        "Severity critical: Sentinel ends at High.",
        "Stealth and defense impairment, which ATT&CK 19 made of defense evasion: Sentinel still calls both DefenseEvasion.",
        "Triage questions, what to preserve first, suppressions, episodes and coverage of aibr_hunt.",
        "Entities whose values lie inside a JSON column.",
    ),
    EngineKind.BIGQUERY: (
        "The sink that exports logs to BigQuery, the dataset for results, and rights on either.",
        "Anything that tells a person of a result: a row lands in a table.",
        "Other tables of the same source: each rule reads the one that pack.json names, such as the activity log. See --layout.",
        "Triage questions, what to preserve first, suppressions, episodes and coverage of aibr_hunt.",
    ),
    EngineKind.ATHENA: (
        "A schedule: a saved query runs when somebody or something runs it. --every only set how far it looks back.",
        "The tables, the workgroup and its place for results.",
        "Anything that tells a person of a result.",
        "Triage questions, what to preserve first, suppressions, episodes and coverage of aibr_hunt.",
    ),
}
_FENCE: Final = "```"


def readme(prepared: Sequence[Prepared], refused: Sequence[Refused], asked: Deployment) -> str:
    """Return the page as Markdown in which nothing that a rule says is active."""
    parts = (_head(prepared, refused, asked), _written(prepared), _refused(refused), _deploying(asked), _limits(prepared, asked))
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(prepared: Sequence[Prepared], refused: Sequence[Refused], asked: Deployment) -> Iterator[str]:
    yield f"# Detection rules for {_NAMES[asked.engine]}"
    yield ""
    yield f"Rules and correlations written: {len(prepared)}. Refused: {len(refused)}. Meant to run {_often(asked)}."
    yield ""
    yield "None of these files was run on a live account. Each holds one query that stands alone: on log files aibr_hunt matches every row"
    yield "again, and here nothing does. What a query takes for granted is listed below and in `pack.json`; it must hold in your tables."
    yield ""


def _often(asked: Deployment) -> str:
    return "every hour" if asked.every_hours == 1 else f"every {asked.every_hours} hours"


def _written(prepared: Sequence[Prepared]) -> Iterator[str]:
    yield "## What was written"
    yield ""
    if not prepared:
        yield "Nothing: every rule was refused."
        yield ""
        return
    yield "| file | rule | level | reads | looks back | log switches that must be on |"
    yield "|---|---|---|---|---|---|"
    for each in prepared:
        cells = (
            for_markdown(each.stem),
            for_markdown(each.title, limit=120),
            for_markdown(each.rule.level),
            for_markdown(each.layout.table),
            f"{each.hours} h",
            " ".join(map(for_markdown, each.requires)) or "none named",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _refused(refused: Sequence[Refused]) -> Iterator[str]:
    yield "## What was refused, and why"
    yield ""
    for each in refused:
        yield f"- {for_markdown(each.name)}: {for_markdown_prose(' '.join(each.reason.split()))}"
    if refused:
        yield ""
        yield "A rule that is refused here can still be hunted on log files, with `aibr-hunt run`."
    else:
        yield "Nothing."
    yield ""


def _deploying(asked: Deployment) -> Iterator[str]:
    yield "## How to deploy"
    yield ""
    yield from _HOW[asked.engine](asked)
    yield ""


def _of_sentinel(asked: Deployment) -> Iterator[str]:
    if "arm" in asked.forms:
        yield "Rules arrive switched off. Deploy one, look at it, and turn it on in the portal or with `enabled` in the file:"
        yield ""
        yield _FENCE
        yield "az deployment group create --resource-group GROUP --template-file sentinel/arm/NAME.json --parameters workspace=WORKSPACE"
        yield _FENCE
        yield ""
        yield "The portal imports the same files (Analytics, Import)."
    if "yaml" in asked.forms:
        yield "The files below `sentinel/yaml/` are in the format of the Azure-Sentinel repository, for tools that read it. They have no"
        yield "switch: a rule made from one is on."
    yield ""
    yield "Techniques have their ATT&CK numbers of the version in `pack.json`; a workspace that knows an older one may refuse new numbers."
    yield "Where an event's arrival is known, a rule tells of what arrived since the run before, five minutes more included: an event that"
    yield "arrived in them can be told twice."


def _of_bigquery(asked: Deployment) -> Iterator[str]:
    yield "Scheduled queries: make the dataset `aibr_hunt` beside the logs (same location), then send each file. They arrive disabled."
    yield ""
    yield _FENCE
    yield "curl -X POST -H \"Authorization: Bearer $(gcloud auth print-access-token)\" -H 'Content-Type: application/json' \\"
    yield "  https://bigquerydatatransfer.googleapis.com/v1/projects/PROJECT/locations/LOCATION/transferConfigs \\"
    yield "  -d @bigquery/scheduled/NAME.json"
    yield _FENCE
    yield ""
    yield "Each run writes a table of its own, `NAME_<time of the run>`; a run that is repeated or filled in later replaces it. Two runs"
    yield "overlap, so count events by the columns of their identity."
    yield ""
    yield "Dataform: put your project and location into `dataform/workflow_settings.yaml`, then `dataform run dataform`,"
    yield f"{_often(asked)}. Rows are merged by the event's identity where the table shows it as columns, else appended."
    yield "Use scheduled queries or Dataform, not both."


def _of_athena(asked: Deployment) -> Iterator[str]:
    yield "All at once, as a stack (templates over 51,200 bytes go through a bucket):"
    yield ""
    yield _FENCE
    yield "aws cloudformation deploy --stack-name aibr-hunt --template-file athena/cloudformation/named_queries.json \\"
    yield "  --s3-bucket BUCKET --parameter-overrides WorkGroup=primary"
    yield _FENCE
    yield ""
    yield "Or one by one: `aws athena create-named-query --cli-input-json file://athena/named/NAME.json`."
    yield ""
    yield f"Nothing runs by itself: start the queries {_often(asked)}, for example with EventBridge Scheduler and"
    yield "StartQueryExecution. Two runs of a rule overlap, so count events by the columns of their identity."


_HOW: Final = {EngineKind.KQL: _of_sentinel, EngineKind.BIGQUERY: _of_bigquery, EngineKind.ATHENA: _of_athena}
_NAMES: Final = {EngineKind.KQL: "Microsoft Sentinel", EngineKind.BIGQUERY: "BigQuery", EngineKind.ATHENA: "Amazon Athena"}


def _windows(prepared: Sequence[Prepared]) -> Iterator[str]:
    if any(each.scheduled for each in prepared):
        yield "- Correlations: a row is a window, not an event. A run tells of the windows that ended before what could still change when"
        yield "  its hour began, so that consecutive runs tell of each window once. Start them some minutes after the full hour and leave"
        yield "  none out: nothing tells later of the windows of a run that did not take place."


def _limits(prepared: Sequence[Prepared], asked: Deployment) -> Iterator[str]:
    yield "## What the queries take for granted"
    yield ""
    if not asked.table:
        yield "- The tables have the names above. Where yours differ, write the pack again with `--table`, or name them in the section"
        yield "  `[tables]` of the configuration."
    yield "- Late events: each query looks back further than it runs, by the time after which its table can be expected to be complete. An"
    yield "  event that comes later than that is not found."
    yield from _windows(prepared)
    for label, layout in {f"{each.mapping.name} on {each.layout.label}": each.layout for each in prepared}.items():
        yield from (f"- {for_markdown(label)}: {for_markdown_prose(note)}" for note in layout.notes)
    for each in prepared:
        for assumption in each.query.assumptions:
            yield f"- {for_markdown(each.stem)}: {for_markdown_prose(assumption)}"
    yield ""
    yield "## What is not in the pack"
    yield ""
    yield from (f"- {sentence}" for sentence in NOT_IN_PACK[asked.engine])
    yield ""
    yield "`pack.json` lists every file with its SHA-256, every rule with the digests of its text and its meaning, and every refusal."

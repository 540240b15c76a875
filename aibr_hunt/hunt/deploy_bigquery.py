"""Rules and correlations as scheduled queries of BigQuery (Data Transfer Service) and as a Dataform project.

In a scheduled query the span hangs on `@run_time`, so that a backfill asks for the window of its own run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import yaml

from aibr_hunt.compile.program import SQL_PRINTERS
from aibr_hunt.compile.span import sql_bounds
from aibr_hunt.hunt.deploy_parts import Artefact, Deployment, Prepared, plain_json
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.layout import EngineKind

LONGEST_QUERY: Final = 1_000_000  # bytes: BigQuery's limit of 1 MB for a query as written
_CORE_VERSION: Final = "3.0.62"
_EVENTS: Final = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE))  # a window is an event there, and two may share a time
# All that can end a string, or means something inside one, in the config of a .sqlx file: Dataform reads it as JavaScript, with a lexer
# of its own that knows two escapes only.
_INACTIVE: Final = str.maketrans({"\\": "/", '"': "\u2019", "'": "\u2019", "`": "\u2019", "{": "(", "}": ")", "$": ""})


def artefacts(prepared: Prepared, asked: Deployment) -> Iterator[Artefact]:
    """Yield the files of one rule."""
    scheduled = plain_json(_transfer(prepared, asked))
    yield Artefact(path=f"bigquery/scheduled/{prepared.stem}.json", content=scheduled, rules=(prepared.rule.id,))
    yield Artefact(path=f"dataform/definitions/{prepared.stem}.sqlx", content=sqlx(prepared).encode(), rules=(prepared.rule.id,))


def common(every: Sequence[Prepared]) -> Iterator[Artefact]:
    """Yield what the rules share."""
    if every:
        settings = {
            "dataformCoreVersion": _CORE_VERSION,
            "defaultProject": "PROJECT",
            "defaultLocation": "LOCATION",
            "defaultDataset": "aibr_hunt",
            "defaultAssertionDataset": "aibr_hunt_assertions",
        }
        yield Artefact(path="dataform/workflow_settings.yaml", content=yaml.safe_dump(settings, sort_keys=False).encode())


def fault_of(prepared: Prepared) -> str:
    """Return why BigQuery would not take a rule, with the numbers; empty when it takes it."""
    size = len(text_of(prepared).encode())
    return f"Its query has {size:,} bytes; BigQuery allows {LONGEST_QUERY:,}." if size > LONGEST_QUERY else ""


def text_of(prepared: Prepared) -> str:
    """Return the program with its span hung on `@run_time`: from the look-back up to it.

    The bounds are whole lines of the program, and known: nothing else in it is touched, whatever a rule's literals hold.
    """
    bounds = sql_bounds(prepared.layout, prepared.query.span, SQL_PRINTERS[EngineKind.BIGQUERY])
    lines = prepared.query.text.split("\n")
    indent = "" if prepared.scheduled is None else "  "  # a correlation scans in its first table
    at = _hang(lines, bounds, indent)
    time, _, _ = bounds[-1].partition(" >= ")
    lines.insert(at + 1, f"{indent}  AND {time} < @run_time")
    if prepared.scheduled is not None:
        _hang(lines, prepared.scheduled.edges)
    return "\n".join(lines)


def _hang(lines: list[str], conditions: Sequence[str], indent: str = "") -> int:
    """Hang conditions that stand under one another on the run's time; return where the last one stands."""
    at = 0
    for number, condition in enumerate(conditions):
        at = lines.index(indent + ("  AND " if number else "WHERE ") + condition)
        lines[at] = lines[at].replace("CURRENT_TIMESTAMP()", "@run_time").replace("CURRENT_DATE()", "DATE(@run_time)")
    return at


def _transfer(prepared: Prepared, asked: Deployment) -> dict[str, object]:
    return {
        "displayName": f"aibr_hunt: {prepared.title}",
        "dataSourceId": "scheduled_query",
        "destinationDatasetId": "aibr_hunt",
        "schedule": f"every {asked.every_hours} hours",
        "disabled": True,
        "params": {
            "query": text_of(prepared),
            # One table a run, written anew: a run that is repeated (they can be, on the hour) or filled in later doubles no row.
            "destination_table_name_template": f'{prepared.stem}_{{run_time|"%Y%m%d%H%M"}}',
            "write_disposition": "WRITE_TRUNCATE",
        },
    }


def sqlx(prepared: Prepared) -> str:
    """Return the Dataform file: rows are merged by the event's or the window's identity, so that nothing doubles one.

    The comments above the program, and between the tables of a correlation, are left out. Dataform turns the body into a template literal
    of JavaScript and leaves backslashes in comments as they are, so that an escape in a title would come back to life there.
    """
    lines = prepared.query.text.rstrip("\n").split("\n")
    body = [line for line in lines if not line.startswith("--")]
    key = unique_key(prepared)
    if key and prepared.scheduled is None:
        names = ", ".join(SQL_PRINTERS[EngineKind.BIGQUERY].dialect.identifier(name) for name in key)
        body.append(f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {names}) = 1")
    # `${` would begin a placeholder: this is one that gives the dollar sign back.
    text = "\n".join(body).replace("${", '${"$"}{')
    return "\n".join(["config {", *_config(prepared, key), "}", "", text]) + "\n"


def unique_key(prepared: Prepared) -> tuple[str, ...]:
    """Return the columns that make up an event's identity, empty where a part of it lies inside a column; a window's for correlations."""
    if isinstance(prepared.rule, Correlation):
        of_event = ("event_id",) if prepared.rule.type in _EVENTS else ()
        return (*(prepared.scheduled.columns if prepared.scheduled else ()), "window_end", *of_event)
    identity = prepared.layout.identity
    return () if any(path.steps for path in identity) else tuple(path.column for path in identity)


def _config(prepared: Prepared, key: Sequence[str]) -> Iterator[str]:
    rule = prepared.rule
    kind = "correlation" if isinstance(rule, Correlation) else "rule"
    digests = f"{kind} {rule.id}, text sha256 {rule.text_digest}, meaning sha256 {prepared.meaning}"
    yield '  type: "incremental",'
    yield f'  description: "{_inactive(f"{prepared.title}. {prepared.description} ({digests})")}",'
    yield f'  tags: ["aibr_hunt", "{_inactive(rule.level)}"],'
    if key:
        names = ", ".join(f'"{_inactive(name)}"' for name in key)
        yield f"  uniqueKey: [{names}],"


def _inactive(text: str) -> str:
    """Return a text of one line that ends no string and opens no block: a plain sign stands for what could."""
    return " ".join(text.split()).translate(_INACTIVE)

"""Leads as lists show them: cells for people, rows for machines."""

from __future__ import annotations

import re

from aibr_hunt.cli.settings import Settings
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import Lead

LEAD_HEADERS = ("lead", "time", "level", "rule", "who", "from", "what", "on", "seen")


def lead_cells(settings: Settings, lead: Lead) -> tuple[str, ...]:
    """Return a lead as cells of a table, long values shortened."""
    when = "untimed" if lead.time is None else lead.time.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S")
    seen = f"{len(lead.sightings)}{' CONFLICT' if lead.has_conflict else ''}{f', {lead.standing}' if lead.standing else ''}"
    cells = (lead.principal, lead.address, lead.action, lead.resource)
    return (lead.id, when, lead.level, lead.rule_name, *(_short(cell) for cell in cells), seen)


def _short(text: str, size: int = 44) -> str:
    return text if len(text) <= size else f"…{text[-size + 1 :]}"


def lead_row(lead: Lead) -> dict[str, object]:
    """Return a lead as the row of `--json`."""
    return {
        "lead": lead.id,
        "time": None if lead.time is None else lead.time.isoformat(),
        "level": lead.level,
        "rule_id": lead.rule_id,
        "rule": lead.rule_name,
        "title": lead.rule_title,
        "techniques": [each.id for each in lead.techniques],
        "event": lead.event_key,
        "source": lead.source,
        "principal": lead.principal,
        "address": lead.address,
        "action": lead.action,
        "resource": lead.resource,
        "account": lead.account,
        "region": lead.region,
        "sightings": len(lead.sightings),
        "conflict": lead.has_conflict,
        "state": lead.state.value,
        "suppressed_by": lead.suppressed_by,
        "standing": lead.standing,
    }


def place_row(job: Job | None) -> dict[str, object]:
    """Return where a row of a table came from, as JSON; nothing for what came from a file."""
    return {} if job is None else {"table": table_of(job), "place": job.place, "job": job.id, "query_digest": job.digest}


def table_of(job: Job) -> str:
    """Return the table that a program asks, without quotes: what stands behind FROM or, in KQL, on the first line that is no comment."""
    lines = [line for line in job.text.splitlines() if not line.startswith(("--", "//"))]
    found = next((line.removeprefix("FROM ") for line in lines if line.startswith("FROM ")), lines[0] if lines else "")
    return re.sub(r"[\"`]|\['|'\]", "", found)

"""Leads as tables and lines, for spreadsheets and other tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from aibr_hunt.model.lead import Lead
from aibr_hunt.model.text import for_csv
from aibr_hunt.model.window import utc_text
from aibr_hunt.report.machine import dump, lead_form

CSV_COLUMNS = (
    *("id", "time", "level", "state", "suppressed_by", "note", "rule_id", "rule_name", "rule_title", "techniques"),
    *("principal", "address", "action", "resource", "account", "region", "source", "event_key", "is_weak"),
    *("sightings", "has_conflict", "standing", "first_seen", "path", "offset", "length", "raw_digest", "canonical_digest"),
)


def leads_csv(leads: Iterable[Lead]) -> str:
    """Return the leads as CSV (RFC 4180, every text quoted), one a row, in the order given.

    Place and digests are those of the first sighting. No cell is a formula in any spreadsheet; what that changes in a
    text is whole in the JSON lines.
    """
    sheet = io.StringIO()
    writer = csv.writer(sheet, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for lead in leads:
        writer.writerow([for_csv(cell) if isinstance(cell, str) else cell for cell in _cells(lead)])
    return sheet.getvalue()


def leads_jsonl(leads: Iterable[Lead]) -> str:
    """Return the leads as JSON lines, whole, each of the shape that `leads` has in the JSON report."""
    return "".join(f"{dump(lead_form(lead))}\n" for lead in leads)


def _cells(lead: Lead) -> tuple[str | int, ...]:
    first = lead.sightings[0] if lead.sightings else None
    return (
        lead.id,
        utc_text(lead.time) if lead.time else "",
        lead.level,
        lead.state.value,
        lead.suppressed_by,
        lead.note,
        lead.rule_id,
        lead.rule_name,
        lead.rule_title,
        " ".join(technique.id for technique in lead.techniques),
        lead.principal,
        lead.address,
        lead.action,
        lead.resource,
        lead.account,
        lead.region,
        lead.source,
        lead.event_key,
        "true" if lead.is_weak else "false",
        len(lead.sightings),
        "true" if lead.has_conflict else "false",
        lead.standing,
        utc_text(lead.first_seen) if lead.first_seen else "",
        *((first.path, first.offset, first.length, first.raw_digest, first.canonical_digest) if first else ("", "", "", "", "")),
    )

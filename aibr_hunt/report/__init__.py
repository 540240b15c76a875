"""Reports: what was asked, what was not seen, what was found, and what it rests on.

Fill a `Findings` from the ledger and hand it to a renderer. Nothing here reads a ledger, a clock or a network.
"""

from __future__ import annotations

from aibr_hunt.report.exports import leads_csv, leads_jsonl
from aibr_hunt.report.findings import Extent, Findings, HuntFinding, Observed, observe_hunt
from aibr_hunt.report.html import render_html
from aibr_hunt.report.machine import render_json, report_schema
from aibr_hunt.report.markdown import render_markdown
from aibr_hunt.report.timeline_svg import timeline_svg

__all__ = [
    "Extent",
    "Findings",
    "HuntFinding",
    "Observed",
    "leads_csv",
    "leads_jsonl",
    "observe_hunt",
    "render_html",
    "render_json",
    "render_markdown",
    "report_schema",
    "timeline_svg",
]

"""`aibr-hunt leads`: list, show, triage and export leads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.leadrows import LEAD_HEADERS, lead_cells, lead_row, place_row, table_of
from aibr_hunt.cli.output import Exit, ascii_json, counted, say, say_json, say_table, say_verbatim
from aibr_hunt.cli.parts import actor_of, all_option, json_option, now, opened_ledger, window_of, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.lead import Lead, TriageState

if TYPE_CHECKING:
    from aibr_hunt.ledger.values import Act
    from aibr_hunt.model.job import Job

_STATES = [state.value for state in TriageState]
# Others will rest on these; what a lead is on the way there needs no reason.
_NEED_A_REASON = (TriageState.CONFIRMED.value, TriageState.DISMISSED.value)


@click.group("leads", cls=NearestGroup)
def command() -> None:
    """List, show, triage and export leads."""


@command.command("list", epilog="Example: aibr-hunt leads list --level high --last P14D")
@click.option("--run", "run_id", default="", help="Only leads that this run saw.")
@click.option("--rule", default="", help="Only leads of this rule (id or name).")
@click.option("--level", type=click.Choice(["informational", "low", "medium", "high", "critical"]), help="This level or a graver one.")
@click.option("--state", type=click.Choice(_STATES), help="Only leads in this state.")
@window_options
@click.option("--suppressed", is_flag=True, help="Also leads that a suppression hides.")
@json_option
@all_option
@click.pass_obj
def list_leads(
    settings: Settings,
    *,
    run_id: str,
    rule: str,
    level: str | None,
    state: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    suppressed: bool,
    as_json: bool,
    show_all: bool,
) -> int:
    """List leads by event time."""
    from aibr_hunt.hunt.suppression import judge
    from aibr_hunt.ledger import LeadFilter

    window = window_of(since, until, last, now=now())
    wanted = LeadFilter(
        run_id=run_id,
        rule=rule,
        level=level or "",
        state=TriageState(state) if state else None,
        since=window.start,
        until=window.end,
        include_suppressed=suppressed,
    )
    with opened_ledger(settings, create=False) as ledger:
        if as_json:
            found = 0
            for lead in ledger.each_lead(wanted, judge=judge):
                say_json(lead_row(lead))
                found += 1
            return int(Exit.FINDINGS if found else Exit.NOTHING_FOUND)
        leads = ledger.leads(wanted, judge=judge)
    if not leads:
        say("No leads.")
        return int(Exit.NOTHING_FOUND)
    say_table((*LEAD_HEADERS, "state"), [(*lead_cells(settings, lead), lead.state.value) for lead in leads], show_all=show_all)
    return int(Exit.FINDINGS)


@command.command("show", epilog="Example: aibr-hunt leads show L-0123456789ab")
@click.argument("lead_id")
@json_option
@click.pass_obj
def show_lead(settings: Settings, lead_id: str, *, as_json: bool) -> int:
    """Show one lead (the beginning of its id is enough): event, evidence, what was done with it."""
    from aibr_hunt.hunt.suppression import judge

    with opened_ledger(settings, create=False) as ledger:
        lead = ledger.lead(lead_id, judge=judge)
        ledger.append_act("view", lead.id, actor=actor_of(settings))
        acts = ledger.acts(lead.id)
        jobs = {f"{job.source}/{job.id}": job for run in {each.run_id for each in lead.sightings} for job in ledger.jobs(run)}
    if as_json:
        sightings = [
            {**{name: getattr(each, name) for name in each.__slots__}, **place_row(jobs.get(each.path))} for each in lead.sightings
        ]
        say_json({**lead_row(lead), "event_value": lead.event_value, "deliveries": sightings, "note": lead.note})
        return int(Exit.NOTHING_FOUND)
    _say_lead(settings, lead, jobs)
    for act in acts:
        say(f"  {act.at:%Y-%m-%dT%H:%M:%SZ}  {act.kind}{_verdict_of(act)} by {act.actor} (evidence record {act.sequence})")
    return int(Exit.NOTHING_FOUND)


def _verdict_of(act: Act) -> str:
    """Return what a triage act says: ` confirmed` and its note, kept apart from who said it; empty for other acts."""
    if act.kind != "triage":
        return ""
    body = json.loads(act.body)
    note = body.get("note") or ""
    return f" {body['to']}" + (f": {note};" if note else "")


def _say_lead(settings: Settings, lead: Lead, jobs: Mapping[str, Job]) -> None:
    when = "untimed" if lead.time is None else lead.time.astimezone(settings.zone).isoformat()
    say(f"{lead.id}  {lead.level}  {lead.rule_title}")
    techniques = ", ".join(f"{each.id} {each.name} [{each.framework} {each.version}]" for each in lead.techniques)
    rows = (
        ("rule", f"{lead.rule_name} {lead.rule_id}"),
        ("techniques", techniques or "none"),
        ("time", when),
        ("source", lead.source),
        ("event", lead.event_key + (" (weak identity)" if lead.is_weak else "")),
        ("action", lead.action),
        ("principal", lead.principal),
        ("address", lead.address),
        ("resource", lead.resource),
        ("account", lead.account),
        ("region", lead.region),
        ("state", f"{lead.state.value} {lead.note}".strip()),
        ("suppressed by", lead.suppressed_by or "nothing"),
        *((("standing", lead.standing),) if lead.standing else ()),
    )
    for name, value in rows:
        say(f"  {name:<14}{value}")
    for number, sighting in enumerate(lead.sightings, start=1):
        conflict = " CONFLICT: same identity, other content" if sighting.is_conflict else ""
        say(f"  delivery {number}{conflict}")
        say(f"    {sighting.path} record {sighting.ordinal}, bytes {sighting.offset:,}+{sighting.length:,}")
        job = jobs.get(sighting.path)
        if job is not None:
            say(f"    table {table_of(job)} of {job.place}, job {job.id}, query sha256 {job.digest}")
        say(f"    {'file' if job is None else 'rows'} sha256 {sighting.file_digest}")
        say(f"    raw sha256 {sighting.raw_digest}, canonical sha256 {sighting.canonical_digest}")
        say(f"    rule text {sighting.rule_digest}, meaning {sighting.meaning_digest}, run {sighting.run_id}")
    say("  event")
    for line in ascii_json(lead.event_value, indent=2).splitlines():
        say_verbatim(f"    {line}")
    say("  acts")


@command.command("triage", epilog='Example: aibr-hunt leads triage L-0123456789ab confirmed --note "owner denies it"')
@click.argument("lead_id")
@click.argument("state", type=click.Choice(_STATES))
@click.option("--note", default="", help="Why, in a sentence; a verdict (confirmed, dismissed) needs it.")
@click.pass_obj
def triage_lead(settings: Settings, lead_id: str, state: str, note: str) -> int:
    """Record a verdict on a lead; it stays in the evidence record for ever."""
    if state in _NEED_A_REASON and not note.strip():
        raise UsageError(
            f"The verdict {state} has no reason.", hint=f'A verdict needs its reason: `leads triage {lead_id} {state} --note "why"`.'
        )
    with opened_ledger(settings, create=False) as ledger:
        lead = ledger.triage(lead_id, TriageState(state), note=note, actor=actor_of(settings))
    say(f"{lead.id} is {lead.state.value}.")
    return int(Exit.NOTHING_FOUND)


@command.command("export", epilog="Example: aibr-hunt leads export --run R-0123456789abcdef --format csv leads.csv")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", "run_id", default="", help="Only leads that this run saw.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines, or CSV safe to open in a spreadsheet.",
)
@click.pass_obj
def export_leads(settings: Settings, out: Path, run_id: str, form: str) -> int:
    """Write leads to the file OUT, suppressed ones included and named as such."""
    from aibr_hunt.hunt.suppression import judge
    from aibr_hunt.ledger import LeadFilter
    from aibr_hunt.report.exports import leads_csv, leads_jsonl

    with opened_ledger(settings, create=False) as ledger:
        leads = ledger.leads(LeadFilter(run_id=run_id, include_suppressed=True), judge=judge)
        text = leads_csv(leads) if form == "csv" else leads_jsonl(leads)
        try:
            out.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror}.", hint="Choose another file.") from None
        ledger.append_act(
            "export", run_id or "all leads", actor=actor_of(settings), detail={"format": form, "leads": len(leads), "file": str(out)}
        )
    say(f"{counted(len(leads), 'lead')}: {out}")
    return int(Exit.NOTHING_FOUND)

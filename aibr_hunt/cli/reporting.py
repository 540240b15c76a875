"""Reports as commands write them: what the ledger knows of some runs, as one value, in three forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aibr_hunt import __version__
from aibr_hunt.cli.parts import actor_of, now
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Library
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt.suppression import judge
from aibr_hunt.ledger import Ledger
from aibr_hunt.ledger.values import LeadFilter
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.lead import Lead, RuleRow
from aibr_hunt.model.window import Window
from aibr_hunt.report import Findings, observe_hunt, render_html, render_json, render_markdown

FORMS = {"html": render_html, "md": render_markdown, "json": render_json}


def findings_of(
    settings: Settings, library: Library, ledger: Ledger, run_ids: Sequence[str], *, hunts: Sequence[Hunt] = (), title: str = ""
) -> Findings:
    """Return everything that a report of the runs tells.

    Raises:
        LedgerError: A run is not on record.
    """
    runs = tuple(ledger.run(run_id) for run_id in run_ids)
    rules: dict[str, RuleRow] = {}
    leads: dict[str, Lead] = {}
    for run_id in run_ids:
        rules |= {rule.id: rule for rule in ledger.rules(run_id)}
        leads |= {lead.id: lead for lead in ledger.leads(LeadFilter(run_id=run_id, include_suppressed=True), judge=judge)}
    accounts = tuple(account for run_id in run_ids for account in ledger.accounts(run_id))
    coverage = tuple(row for run_id in run_ids for row in ledger.coverage(run_id))
    told = tuple(observe_hunt(hunt, rules=tuple(rules.values()), leads=leads.values(), coverage=coverage) for hunt in hunts)
    starts = [run.window.start for run in runs]
    ends = [run.window.end for run in runs]
    return Findings(
        title=title or (hunts[0].title or hunts[0].hypothesis if len(hunts) == 1 else runs[0].asked),
        made_at=now(),
        made_by=actor_of(settings),
        tool_version=__version__,
        window=Window(
            start=None if None in starts else min(start for start in starts if start is not None),
            end=None if None in ends else max(end for end in ends if end is not None),
        ),
        runs=runs,
        rules=tuple(rules.values()),
        leads=tuple(leads.values()),
        accounts=accounts,
        coverage=coverage,
        pulses=tuple(pulse for run_id in run_ids for pulse in ledger.pulses(run_id)),
        jobs=tuple(job for run_id in run_ids for job in ledger.jobs(run_id)),
        hunts=told,
        tactics=library.catalogue.tactics,
        switches=tuple(switches_of(library.mappings).values()),
    )


def write_report(
    settings: Settings,
    library: Library,
    ledger: Ledger,
    run_ids: Sequence[str],
    *,
    folder: Path,
    hunts: Sequence[Hunt] = (),
    forms: Sequence[str] = ("html", "md", "json"),
) -> tuple[Path, ...]:
    """Write the report of the runs into `folder` and return the files; the act is kept in the evidence record.

    Raises:
        UsageError: The folder cannot be written.
    """
    findings = findings_of(settings, library, ledger, run_ids, hunts=hunts)
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for form in forms:
            path = folder / f"report-{run_ids[0]}.{form}"
            path.write_text(FORMS[form](findings), encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise UsageError(f"The report cannot be written into {folder}: {error.strerror}.", hint="Choose another folder.") from None
    for run_id in run_ids:
        ledger.append_act("report", run_id, actor=actor_of(settings), detail={"files": [str(path) for path in paths]})
    return tuple(paths)

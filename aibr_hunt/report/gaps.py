"""What was not seen. Gaps are derived from the accounts, the coverage and the rules, gravest first.

A *gap* is something that was asked for and not answered. A *caution* is a bound on what the answers mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aibr_hunt.model.event import Account, ByteClass
from aibr_hunt.model.lead import CoverageRow, CoverageState, Lead, RuleRow
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.report.findings import Findings
from aibr_hunt.report.totals import spanned, state_rank
from aibr_hunt.report.words import byte_size, listed, number, plural, window_text

_MEANING_OF_STATE: Mapping[CoverageState, tuple[str, str]] = {
    CoverageState.FAILED: ("The question was put and failed.", "Remove the cause and run again over this window."),
    CoverageState.OVER_BUDGET: ("The limit on cost was reached first.", "Raise the limit or narrow the window, and run again."),
    CoverageState.NOT_COVERED: ("Nothing was there to ask.", "Obtain the log for this window, or record that it does not exist."),
    CoverageState.SOURCE_SILENT: (
        "The source fell silent against its own habit: absence of events proves nothing here.",
        "Find out whether logging was stopped, and by whom.",
    ),
    CoverageState.NOT_KNOWN_ALIVE: (
        "Nothing shows that the source was delivering: absence of events proves nothing here.",
        "Show by other events of the same source that it was delivering.",
    ),
    CoverageState.NOT_JUDGED: (
        "What a correlation rests on was not all there: absence cannot be told from not looking.",
        "Read the time around it as well: more files, or the lake, or leave it to later nights, which find this one's tallies.",
    ),
    CoverageState.STALE: ("It was asked with an older meaning of the rule.", "Run again to ask with the present meaning."),
    CoverageState.PROVISIONAL: (
        "More may still be found here: deliveries that come late, or time around it that was not read.",
        "Run again after the source's settle time, over what was not read too.",
    ),
    CoverageState.SETTLED: ("", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that was not seen, or one bound on what was.

    Attributes:
        id: `G-1`, `G-2`, ... in the order of the report.
        kind: Its family, in two or three words.
        is_caution: True when nothing went unanswered but the answers mean less than they seem to.
        what: The fact. `remedy`: what to do about it.
        items: The things that it is about: paths, rules, reasons; all of them.
        lead_ids: Leads that it touches.
    """

    kind: str
    what: str
    remedy: str = ""
    items: tuple[str, ...] = ()
    lead_ids: tuple[str, ...] = ()
    is_caution: bool = False
    id: str = ""


def find_gaps(findings: Findings) -> tuple[Gap, ...]:
    """Return every gap, gravest first, then every caution; ids are given in that order."""
    found = [
        *_refused_rules(findings),
        *_unanswered_rules(findings),
        *_coverage_gaps(findings.coverage, findings.rules),
        *_refused_bytes(findings.accounts),
        *_doubtful_files(findings.accounts),
        *_switches(findings.rules, findings.leads, findings.switches),
        *_synthetic(findings.rules),
        *_odd_records(findings.accounts),
        *_notes(findings),
        *_doubtful_leads(findings.leads),
    ]
    found += _unexplained(findings, explained=not all(gap.is_caution for gap in found))
    ordered = sorted(found, key=lambda gap: gap.is_caution)
    return tuple(replace(gap, id=f"G-{place}") for place, gap in enumerate(ordered, start=1))


def said_by_runs(findings: Findings) -> tuple[str, ...]:
    """Return the sentences in which the runs themselves name what they did not see, each once."""
    return tuple(dict.fromkeys(sentence for run in findings.runs for sentence in run.gaps))


def count_gaps(findings: Findings, gaps: Iterable[Gap]) -> int:
    """Return how many gaps there are, cautions apart.

    A run's own sentences and the derived gaps tell of the same things, so the larger number is taken, not the sum.
    """
    return max(sum(1 for gap in gaps if not gap.is_caution), len(said_by_runs(findings)))


def _refused_rules(findings: Findings) -> Iterable[Gap]:
    refused = tuple(dict.fromkeys(pair for run in findings.runs for pair in run.refused_rules))
    if refused:
        yield Gap(
            kind="rules refused",
            what=f"{plural(len(refused), 'rule was', 'rules were')} refused and never asked. Nothing was looked for in its place.",
            remedy="Correct each rule as its reason says, and run again.",
            items=tuple(f"{rule}: {reason}" for rule, reason in refused),
        )


def _unanswered_rules(findings: Findings) -> Iterable[Gap]:
    asked = {row.rule_id for row in findings.coverage}
    silent: dict[str, list[RuleRow]] = {}
    for rule in findings.rules:
        if rule.id not in asked:
            silent.setdefault(rule.logsource, []).append(rule)
    switches = {switch.id: switch for switch in findings.switches}
    for logsource, rules in sorted(silent.items()):
        hows = [switches[name].how for rule in rules for name in rule.requires if name in switches]
        yield Gap(
            kind="log absent",
            what=f"No log of {logsource} was looked at: {plural(len(rules), 'rule')} had nothing to ask.",
            remedy=" ".join([f"Obtain the log of {logsource}.", *(f"It is turned on so: {how}" for how in dict.fromkeys(hows))]),
            items=tuple(rule.name for rule in rules),
        )


def _coverage_gaps(coverage: Iterable[CoverageRow], rules: Iterable[RuleRow]) -> Iterable[Gap]:
    names = {rule.id: rule.name for rule in rules}
    grouped: dict[tuple[CoverageState, str, str], list[CoverageRow]] = {}
    for row in coverage:
        if row.state is not CoverageState.SETTLED:
            grouped.setdefault((row.state, row.source, row.cause), []).append(row)
    for (state, source, cause), rows in sorted(grouped.items(), key=lambda pair: (state_rank(pair[0][0]), *pair[0][1:])):
        meaning, remedy = _MEANING_OF_STATE[state]
        affected = tuple(dict.fromkeys(names.get(row.rule_id, row.rule_id) for row in rows))
        span = window_text(spanned(row.window for row in rows))
        windows = len({(row.window.start, row.window.end) for row in rows})
        yield Gap(
            kind=state.value,
            what=f"{source}, {plural(windows, 'window')}, {span}. {meaning}{f' Cause: {cause}' if cause else ''}",
            remedy=remedy,
            items=affected,
            is_caution=state is CoverageState.PROVISIONAL,
        )


def _refused_bytes(accounts: Iterable[Account]) -> Iterable[Gap]:
    grouped: dict[str, list[tuple[Account, str]]] = {}
    lengths: Counter[str] = Counter()
    unnamed = 0
    for account in accounts:
        unnamed += account.refusals_left_out
        for refusal in account.refusals:
            where = "stored byte" if refusal.is_stored else "byte"
            detail = f" ({refusal.detail})" if refusal.detail else ""
            text = f"{account.path}: {plural(refusal.length, 'byte')} from {where} {number(refusal.offset)}{detail}"
            grouped.setdefault(refusal.reason, []).append((account, text))
            lengths[refusal.reason] += refusal.length
    for reason in sorted(grouped, key=lambda name: (-lengths[name], name)):
        places = grouped[reason]
        files = len({account.path for account, _ in places})
        amount = byte_size(lengths[reason]) if lengths[reason] else "an unknown number of bytes"
        yield Gap(
            kind="bytes refused",
            what=f"{amount} in {plural(files, 'file')} could not be read: {reason} ({plural(len(places), 'range')}).",
            remedy="Obtain the file again from its source and compare digests; events in these ranges were not looked at.",
            items=tuple(text for _, text in places),
        )
    if unnamed:
        yield Gap(kind="bytes refused", what=f"{plural(unnamed, 'further range')} were refused and are not listed one by one.")


def _doubtful_files(accounts: Sequence[Account]) -> Iterable[Gap]:
    unbalanced = tuple(account.path for account in accounts if not account.is_balanced)
    if unbalanced:
        yield Gap(
            kind="accounts in error",
            what=f"The byte counts of {plural(len(unbalanced), 'file')} do not add up to the content. Do not rely on these files.",
            remedy="Run again; when it persists, report it as a fault of this tool.",
            items=unbalanced,
        )
    grouped: dict[str, list[str]] = {}
    for account in accounts:
        for note in account.notes:
            grouped.setdefault(note, []).append(account.path)
    for note, paths in sorted(grouped.items(), key=lambda pair: (not pair[0].startswith("!"), pair[0])):
        is_grave = note.startswith("!")
        yield Gap(
            kind="files in doubt" if is_grave else "files with a note",
            what=f"{plural(len(paths), 'file')}: {note.removeprefix('!').strip()}.",
            items=tuple(paths),
            is_caution=not is_grave,
        )


def _unexplained(findings: Findings, *, explained: bool) -> Iterable[Gap]:
    """Yield what the values say without saying why; `explained` when other gaps account for an incomplete run."""
    refused = sum(account.byte_counts.get(ByteClass.REFUSED, 0) for account in findings.accounts)
    is_named = any(account.refusals or account.refusals_left_out for account in findings.accounts)
    if refused and not is_named:
        yield Gap(kind="bytes refused", what=f"{byte_size(refused)} were refused and the accounts give no reason.")
    for run in findings.runs:
        if run.outcome != "complete" and not explained and not run.gaps and not run.refused_rules:
            yield Gap(kind="run incomplete", what=f"Run {run.id} calls itself {run.outcome} and names no reason.", remedy="Run again.")
    if not findings.runs:
        yield Gap(kind="no run", what="No run stands behind this report: nothing was asked.", remedy="Run rules over logs first.")
    if findings.runs and not findings.accounts and not findings.coverage:
        yield Gap(kind="nothing read", what="The runs name neither a file nor a window that they read.", remedy="Check the inputs.")


def _switches(rules: Iterable[RuleRow], leads: Iterable[Lead], switches: Iterable[LogSwitch]) -> Iterable[Gap]:
    by_switch: dict[str, list[RuleRow]] = {}
    for rule in rules:
        for name in rule.requires:
            by_switch.setdefault(name, []).append(rule)
    known = {switch.id: switch for switch in switches}
    found: dict[str, list[str]] = {}
    for lead in leads:
        found.setdefault(lead.rule_id, []).append(lead.id)
    for name, needing in sorted(by_switch.items()):
        switch = known.get(name)
        if switch is not None and switch.is_on_by_default:
            continue
        shown = tuple(lead_id for rule in needing for lead_id in found.get(rule.id, ()))
        yield Gap(
            kind="log switch",
            what=_switch_text(name, switch=switch, rules=len(needing), is_shown=bool(shown)),
            remedy=f"To turn it on: {switch.how}" if switch else "",
            items=tuple(rule.name for rule in needing),
            lead_ids=shown,
            is_caution=True,
        )


def _switch_text(name: str, *, switch: LogSwitch | None, rules: int, is_shown: bool) -> str:
    if switch is None:
        default = "of which nothing is on file"
    else:
        default = "off by default" if switch.is_on_by_default is False else "not on everywhere"
    what = f" It records: {switch.what}" if switch else ""
    proof = (
        " Leads below rest on it, so it was on at their times; that says nothing of other times."
        if is_shown
        else " Nothing here shows that it was on: without it there is nothing for a rule to see."
    )
    return f"{plural(rules, 'rule needs', 'rules need')} the log switch {name}, {default}.{what}{proof}"


def _synthetic(rules: Iterable[RuleRow]) -> Iterable[Gap]:
    grouped: dict[str, list[str]] = {}
    for rule in rules:
        if rule.synthetic:
            grouped.setdefault(rule.synthetic, []).append(rule.name)
    for mark, names in sorted(grouped.items()):
        yield Gap(
            kind="tested on synthetic events",
            what=f"{plural(len(names), 'rule was', 'rules were')} tested only on events written from documentation ({mark}), "
            "never on a delivered one: a field may lie elsewhere in real events.",
            remedy="Check one real event of each kind against the rule.",
            items=tuple(names),
            is_caution=True,
        )


def _odd_records(accounts: Sequence[Account]) -> Iterable[Gap]:
    untimed = sum(account.untimed for account in accounts)
    odd_numbers = sum(account.odd_numbers for account in accounts)
    repeated_keys = sum(account.repeated_keys for account in accounts)
    facts = (
        (untimed, f"{plural(untimed, 'record')} without a usable time: matched, but outside every window."),
        (odd_numbers, f"{plural(odd_numbers, 'number')} of an odd spelling: such a number equals nothing in any rule."),
        (repeated_keys, f"{plural(repeated_keys, 'repeated key')}: only one of the values was read."),
    )
    for count, fact in facts:
        if count:
            yield Gap(kind="odd records", what=fact, is_caution=True)


def _notes(findings: Findings) -> Iterable[Gap]:
    """Yield what runs say that bounds their answers though nothing went unseen, each sentence once."""
    for sentence in dict.fromkeys(note for run in findings.runs for note in run.notes):
        yield Gap(kind="noted by the run", what=sentence, is_caution=True)


def _doubtful_leads(leads: Sequence[Lead]) -> Iterable[Gap]:
    conflicting = tuple(lead.id for lead in leads if lead.has_conflict)
    weak = tuple(lead.id for lead in leads if lead.is_weak)
    hidden = tuple(lead.id for lead in leads if lead.suppressed_by)
    if conflicting:
        yield Gap(
            kind="conflicting deliveries",
            what=f"{plural(len(conflicting), 'lead')} came in deliveries that differ in content under one identity.",
            remedy="Compare the deliveries; whoever writes to the log's store can choose the identity.",
            lead_ids=conflicting,
            is_caution=True,
        )
    if weak:
        what = f"{plural(len(weak), 'lead')} without a native event id: repetition and re-delivery cannot be told apart."
        yield Gap(kind="weak identity", what=what, lead_ids=weak, is_caution=True)
    if hidden:
        what = f"{plural(len(hidden), 'lead')} hidden by a recorded suppression; counted and listed here all the same."
        yield Gap(kind="hidden by judgement", what=what, lead_ids=hidden, is_caution=True)


def headline(findings: Findings, gaps: Sequence[Gap]) -> str:
    """Return the outcome in one sentence: leads, then gaps by kind. No lead is never told as good news."""
    leads = findings.leads
    rules = len({lead.rule_id for lead in leads})
    found = f"{plural(len(leads), 'lead')} under {plural(rules, 'rule')}" if leads else "No lead"
    count = count_gaps(findings, gaps)
    kinds = tuple(dict.fromkeys(gap.kind for gap in gaps if not gap.is_caution)) or (("named by the run",) if count else ())
    if count:
        return f"{found}; {plural(count, 'gap')}: {listed(kinds)}."
    if leads:
        return f"{found}; no gap is on record within what was asked."
    return f"{found}; no gap is on record within what was asked. That bounds the question, not what happened."

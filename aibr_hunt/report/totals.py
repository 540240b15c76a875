"""What was looked at: accounts of files, coverage of rules and the pulse of sources, summed for the eye."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from aibr_hunt.model.event import Account, ByteClass
from aibr_hunt.model.lead import CoverageRow, CoverageState, Pulse, RuleRow
from aibr_hunt.model.window import Window
from aibr_hunt.report.words import level_rank

_GRAVEST_FIRST = (
    CoverageState.FAILED,
    CoverageState.OVER_BUDGET,
    CoverageState.NOT_COVERED,
    CoverageState.SOURCE_SILENT,
    CoverageState.NOT_KNOWN_ALIVE,
    CoverageState.NOT_JUDGED,
    CoverageState.STALE,
    CoverageState.PROVISIONAL,
    CoverageState.SETTLED,
)
_DEEPEST_FOLDER = 24
_STATE_RANK = {state: rank for rank, state in enumerate(_GRAVEST_FIRST)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One line of the table of files: one file, or a group of files that are read alike.

    Attributes:
        name: The path, or the folder that the group shares.
        files: How many files it stands for. `duplicates`: how many of them repeat another file's bytes.
        byte_counts, record_counts: One number for each ByteClass, in its order.
        is_balanced: True when each file's byte counts add up to its content.
        doubt: What is wrong with the file, in words; empty when nothing is.
    """

    name: str
    source: str
    form: str
    files: int
    duplicates: int
    stored_bytes: int
    content_bytes: int
    byte_counts: tuple[int, ...]
    record_counts: tuple[int, ...]
    first: datetime | None
    last: datetime | None
    is_balanced: bool
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLine:
    """One rule over one source: how many windows stand in each state, the gravest state first."""

    rule: RuleRow | None
    rule_id: str
    source: str
    states: tuple[tuple[CoverageState, int], ...]
    causes: tuple[str, ...]
    window: Window

    @property
    def worst(self) -> CoverageState:
        """Return the gravest state of the line."""
        return self.states[0][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePulse:
    """How one source spoke: events, hours that have any, and its longest silence between two such hours."""

    source: str
    events: int
    keys: int
    hours: int
    first: datetime | None
    last: datetime | None
    silence: timedelta
    silence_after: datetime | None


def total_row(accounts: Sequence[Account]) -> FileRow:
    """Return the sum over all accounts."""
    return _sum_row("all files", accounts)


def common_folder(accounts: Sequence[Account]) -> str:
    """Return the folder that holds all files, ending in a slash; empty when there is none or one file only."""
    if len(accounts) < 2:
        return ""
    first, last = min(account.path for account in accounts), max(account.path for account in accounts)
    shared = posixpath.commonprefix([first, last])
    return shared[: shared.rfind("/") + 1]


def file_rows(accounts: Sequence[Account], *, limit: int, root: str = "") -> tuple[FileRow, ...]:
    """Return one row a file when there are at most `limit`, else one row a folder, source and form.

    Folders are taken as deep as the limit allows, so that the table stays readable for 120,000 files.

    Args:
        accounts: The files.
        limit: Rows at most, 1 or more.
        root: The folder that all files share; it is left out of the names.
    """
    if len(accounts) <= limit:
        return tuple(_sum_row(account.path.removeprefix(root), (account,), doubt=doubt_of(account)) for account in accounts)
    depth = 0
    groups = _grouped(accounts, depth, root)
    deepest = min(_DEEPEST_FOLDER, max(account.path.count("/") + account.path.count("\\") for account in accounts) - root.count("/"))
    while depth < deepest:
        deeper = _grouped(accounts, depth + 1, root)
        if len(deeper) > limit:
            break
        depth, groups = depth + 1, deeper
    rows = [_sum_row(folder, members, doubt=_group_doubt(members)) for (folder, *_), members in sorted(groups.items())]
    return tuple(rows)


def doubt_of(account: Account) -> str:
    """Return what keeps the file from being read whole, in words; empty when nothing does."""
    said = Counter(refusal.reason for refusal in account.refusals)
    parts = [f"{reason} \u00d7{count}" for reason, count in said.items()]
    if account.refusals_left_out:
        parts.append(f"{account.refusals_left_out} further refusals")
    parts += [note.removeprefix("!").strip() for note in account.notes]
    if not account.is_balanced:
        parts.append("byte counts do not add up")
    return "; ".join(parts)


def coverage_lines(coverage: Iterable[CoverageRow], rules: Iterable[RuleRow]) -> tuple[CoverageLine, ...]:
    """Return one line a rule and source, those with the gravest state first, then by level and name."""
    by_id = {rule.id: rule for rule in rules}
    grouped: dict[tuple[str, str], list[CoverageRow]] = {}
    for row in coverage:
        grouped.setdefault((row.rule_id, row.source), []).append(row)
    lines = [_coverage_line(by_id.get(rule_id), rows) for (rule_id, _), rows in grouped.items()]
    return tuple(sorted(lines, key=_line_order))


def state_rank(state: CoverageState) -> int:
    """Return 0 for the state that hides most, rising to settled."""
    return _STATE_RANK[state]


def source_pulses(pulses: Iterable[Pulse]) -> tuple[SourcePulse, ...]:
    """Return how each source spoke, in order of name."""
    grouped: dict[str, list[Pulse]] = {}
    for pulse in pulses:
        grouped.setdefault(pulse.source, []).append(pulse)
    return tuple(_source_pulse(source, rows) for source, rows in sorted(grouped.items()))


def spanned(windows: Iterable[Window]) -> Window:
    """Return the smallest window that holds all of them."""
    found = list(windows)
    starts = [window.start for window in found]
    ends = [window.end for window in found]
    return Window(
        start=None if None in starts else min((start for start in starts if start), default=None),
        end=None if None in ends else max((end for end in ends if end), default=None),
    )


def _sum_row(name: str, accounts: Sequence[Account], *, doubt: str = "") -> FileRow:
    one = accounts[0] if len({_form(account) for account in accounts}) == 1 else None
    sources = {account.source for account in accounts}
    return FileRow(
        name=name,
        source=next(iter(sources)) if len(sources) == 1 else f"{len(sources)} sources" if sources else "",
        form=_form(one) if one else "",
        files=len(accounts),
        duplicates=sum(1 for account in accounts if account.duplicate_of),
        stored_bytes=sum(account.stored_size for account in accounts),
        content_bytes=sum(account.content_size for account in accounts),
        byte_counts=tuple(sum(account.byte_counts.get(kind, 0) for account in accounts) for kind in ByteClass),
        record_counts=tuple(sum(account.record_counts.get(kind, 0) for account in accounts) for kind in ByteClass),
        first=min((account.first_time for account in accounts if account.first_time), default=None),
        last=max((account.last_time for account in accounts if account.last_time), default=None),
        is_balanced=all(account.is_balanced for account in accounts),
        doubt=doubt,
    )


def _form(account: Account) -> str:
    parts = (account.format, account.compression, account.encoding)
    return ", ".join(part for part in parts if part not in {"", "none", "utf-8"})


def _grouped(accounts: Iterable[Account], depth: int, root: str) -> dict[tuple[str, str, str], list[Account]]:
    groups: dict[tuple[str, str, str], list[Account]] = {}
    for account in accounts:
        folder = posixpath.dirname(account.path.removeprefix(root).replace("\\", "/"))
        short = "/".join(folder.split("/")[: depth + 1])
        groups.setdefault((f"{short}/\u2026" if short else "\u2026", account.source, _form(account)), []).append(account)
    return groups


def _group_doubt(accounts: Iterable[Account]) -> str:
    doubtful = sum(1 for account in accounts if doubt_of(account))
    return f"{doubtful} of these files in doubt" if doubtful else ""


def _coverage_line(rule: RuleRow | None, rows: Sequence[CoverageRow]) -> CoverageLine:
    counts = Counter(row.state for row in rows)
    return CoverageLine(
        rule=rule,
        rule_id=rows[0].rule_id,
        source=rows[0].source,
        states=tuple(sorted(counts.items(), key=lambda pair: _STATE_RANK[pair[0]])),
        causes=tuple(dict.fromkeys(row.cause for row in rows if row.cause)),
        window=spanned(row.window for row in rows),
    )


def _line_order(line: CoverageLine) -> tuple[int, int, str, str]:
    level = level_rank(line.rule.level) if line.rule else -1
    return (_STATE_RANK[line.worst], level, line.rule.name if line.rule else line.rule_id, line.source)


def _source_pulse(source: str, rows: Sequence[Pulse]) -> SourcePulse:
    alive = sorted({row.hour for row in rows if row.hour is not None and row.events > 0})
    silences = [(later - earlier - timedelta(hours=1), earlier) for earlier, later in pairwise(alive)]
    silence, after = max(silences, key=lambda pair: pair[0], default=(timedelta(0), None))
    return SourcePulse(
        source=source,
        events=sum(row.events for row in rows),
        keys=len({row.key for row in rows}),
        hours=len(alive),
        first=min((row.earliest for row in rows if row.earliest), default=None),
        last=max((row.latest for row in rows if row.latest), default=None),
        silence=silence,
        silence_after=after if silence > timedelta(0) else None,
    )

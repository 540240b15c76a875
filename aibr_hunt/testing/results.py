"""What became of cases and incidents: what went wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One case or incident that did not get its answer.

    Attributes:
        case: Its name; empty when what it belongs to, or the file, could not be read or is at fault as a whole.
        what: What happened instead, and where.
    """

    case: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What became of the cases of one rule or correlation."""

    rule: str
    path: str
    cases: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntResult:
    """What became of the incidents of one hunt.

    Attributes:
        hunt: Its name; that of its file when it could not be read.
        path: Its file, as shown to people.
        incidents: How many were judged.
        events: How many events they hold, each counted once.
        failures: What went wrong.
    """

    hunt: str
    path: str
    incidents: int
    events: int
    failures: tuple[Failure, ...]

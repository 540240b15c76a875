"""What correlating gives: satisfying windows, the episodes that they form, and what was left out. Tallies are model.episode's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby


@dataclass(frozen=True, slots=True, kw_only=True)
class SatisfyingWindow:
    """One window that satisfies its correlation (docs/meaning.md section 7.2).

    Attributes:
        correlation_id: Id of the Correlation.
        group: Key texts in the order of `group_by`; empty without one.
        first_us, last_us: Times of its first and last event, microseconds of epoch; both inside.
        members: Ids of its events, sorted; of a chain, those of the inner windows.
        figure: What was compared with the thresholds (a quotient to 28 digits); None for temporal types and first_seen.
        is_provisional: True when it rests on presence alone and not all that it needs is covered yet (section 7.4).
    """

    correlation_id: str
    group: tuple[str, ...]
    first_us: int
    last_us: int
    members: tuple[str, ...]
    figure: Decimal | None = None
    is_provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One Episode: the satisfying windows of one correlation and group that overlap or touch.

    Attributes:
        correlation_id, group, first_us, last_us: As of its windows; the span is that of all of them.
        members: Ids of all their events, sorted.
        windows: How many satisfying windows it holds.
        is_provisional: True when one of its windows is.
        anchor_us: Time of the last event of the earliest window.
        figure: The greatest of its windows; None for temporal types, first_seen, and ranks.
    """

    correlation_id: str
    group: tuple[str, ...]
    first_us: int
    last_us: int
    members: tuple[str, ...]
    windows: int
    is_provisional: bool = False
    anchor_us: int = field(default=0, compare=False)
    figure: Decimal | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Events that took no part, by name.

    Attributes:
        rule_id: The rule that they met.
        field: The field at fault; empty when it is none.
        reason: `no value in <field>`, `more than 1,000 groups` or `untimed`.
        events: Different events.
    """

    rule_id: str
    field: str
    reason: str
    events: int


def episodes(windows: Iterable[SatisfyingWindow]) -> tuple[Component, ...]:
    """Return the connected components of the windows, by correlation, group and time."""
    ordered = sorted(windows, key=lambda window: (window.correlation_id, window.group, window.first_us, window.last_us))
    found: list[Component] = []
    for _, same in groupby(ordered, key=lambda window: (window.correlation_id, window.group)):
        found += _components(list(same))
    return tuple(found)


def _components(ordered: list[SatisfyingWindow]) -> list[Component]:
    parts: list[list[SatisfyingWindow]] = []
    reach = 0
    for window in ordered:
        if parts and window.first_us <= reach:
            parts[-1].append(window)
            reach = max(reach, window.last_us)
        else:
            parts.append([window])
            reach = window.last_us
    return [_component(part) for part in parts]


def _component(part: list[SatisfyingWindow]) -> Component:
    return Component(
        correlation_id=part[0].correlation_id,
        group=part[0].group,
        first_us=part[0].first_us,
        last_us=max(window.last_us for window in part),
        members=tuple(sorted({member for window in part for member in window.members})),
        windows=len(part),
        is_provisional=any(window.is_provisional for window in part),
        anchor_us=min(window.last_us for window in part),
        figure=max((window.figure for window in part if window.figure is not None), default=None),
    )

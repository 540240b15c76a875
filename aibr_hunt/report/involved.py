"""Who and what the leads name: principals, addresses, resources, keys and accounts, with the leads that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aibr_hunt.model.event import Json
from aibr_hunt.model.lead import Lead
from aibr_hunt.report.words import level_rank

# Member names under which the clouds' audit logs carry the id of a credential (never its secret).
KEY_MEMBERS = frozenset({"accesskeyid", "serviceaccountkeyname", "credentialid", "keyid", "uniquetokenidentifier"})
_DEEPEST = 64
_MOST_MEMBERS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One value that leads carry, with the leads that carry it in order of time."""

    value: str
    lead_ids: tuple[str, ...]
    level: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All values of one kind, the ones with the gravest leads first. `unnamed`: leads that carry none."""

    kind: str
    one: str
    names: tuple[Name, ...]
    unnamed: int


def involved(leads: Sequence[Lead]) -> tuple[Cast, ...]:
    """Return the casts in fixed order; `leads` come in order of time."""
    return (
        _cast("Principals", "principal", leads, values_of=lambda lead: (lead.principal,)),
        _cast("Addresses", "address", leads, values_of=lambda lead: (lead.address,)),
        _cast("Resources", "resource", leads, values_of=lambda lead: (lead.resource,)),
        _cast("Keys and tokens", "key id", leads, values_of=lambda lead: key_ids(lead.event_value)),
        _cast("Accounts and projects", "account", leads, values_of=lambda lead: (lead.account,)),
    )


def key_ids(value: Json) -> tuple[str, ...]:
    """Return the ids of credentials that the event carries under the member names of `KEY_MEMBERS`, each once."""
    found: dict[str, None] = {}
    waiting: list[tuple[Json, int]] = [(value, 0)]
    seen = 0
    while waiting and seen < _MOST_MEMBERS:
        node, depth = waiting.pop()
        seen += 1
        if depth > _DEEPEST:
            continue
        if isinstance(node, dict):
            for name, member in node.items():
                if isinstance(member, str) and member and name.lower() in KEY_MEMBERS:
                    found[member] = None
            waiting += [(member, depth + 1) for member in node.values() if isinstance(member, dict | list)]
        elif isinstance(node, list):
            waiting += [(member, depth + 1) for member in node if isinstance(member, dict | list)]
    return tuple(sorted(found))


def _cast(kind: str, one: str, leads: Sequence[Lead], *, values_of: Callable[[Lead], Iterable[str]]) -> Cast:
    grouped: dict[str, list[Lead]] = {}
    unnamed = 0
    for lead in leads:
        values = [value for value in values_of(lead) if value]
        unnamed += not values
        for value in values:
            grouped.setdefault(value, []).append(lead)
    names = [_name(value, members) for value, members in grouped.items()]
    return Cast(kind=kind, one=one, names=tuple(sorted(names, key=_name_order)), unnamed=unnamed)


def _name(value: str, leads: Sequence[Lead]) -> Name:
    times = [lead.time for lead in leads if lead.time is not None]
    return Name(
        value=value,
        lead_ids=tuple(lead.id for lead in leads),
        level=min((lead.level for lead in leads), key=level_rank),
        first=min(times, default=None),
        last=max(times, default=None),
    )


def _name_order(name: Name) -> tuple[int, int, str]:
    return (level_rank(name.level), -len(name.lead_ids), name.value)

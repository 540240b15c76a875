"""Which log source a record belongs to: told by its members, never by its file's name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping, Signature

_ABSENT = object()


def recognise(value: Json, mappings: Sequence[Mapping]) -> Mapping | None:
    """Return the mapping whose signature fits `value` with the most conditions, the first of equals; None when none fits."""
    best, most = None, -1
    for mapping in mappings:
        for signature in mapping.signatures:
            weight = _weight(signature)
            if weight > most and is_signed(value, signature):
                best, most = mapping, weight
    return best


def is_signed(value: Json, signature: Signature) -> bool:
    """True when every condition of `signature` holds: members present, absent, equal, or beginning so."""
    return (
        all(_member(value, path) is not _ABSENT for path in signature.has)
        and all(_member(value, path) is _ABSENT for path in signature.lacks)
        and all(_member(value, path) == wanted for path, wanted in signature.equals)
        and all(_begins(_member(value, path), prefix) for path, prefix in signature.prefixes)
    )


def _weight(signature: Signature) -> int:
    return len(signature.has) + len(signature.lacks) + len(signature.equals) + len(signature.prefixes)


def _begins(member: object, prefix: str) -> bool:
    return isinstance(member, str) and member.startswith(prefix)


def _member(value: Json, path: str) -> object:
    found: object = value
    for name in _steps(path):
        if not isinstance(found, dict) or name not in found:
            return _ABSENT
        found = found[name]
    return found


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))

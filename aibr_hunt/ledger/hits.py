"""Hits as the ledger writes them: cleaned once, digested once, and the evidence body that names them."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.canonical import digest_of, plain_form, storable
from aibr_hunt.ledger.documents import moment_text, techniques_text
from aibr_hunt.model.event import Event, Hit, Json
from aibr_hunt.model.lead import RuleRow

FACTS = ("account", "action", "address", "principal", "region", "resource", "source", "time_text")
"""What a lead shows of its event, besides the time: columns of `leads`, members of the evidence body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A hit with every text in storable form.

    Attributes:
        place_digest: SHA-256 over place, raw digest and identity: what makes two deliveries one.
        facts: The members of FACTS, in storable form.
    """

    event: Event
    rule_ids: tuple[str, ...]
    member_of: tuple[str, ...]
    key: str
    path: str
    place_digest: str
    time: str | None
    facts: dict[str, str]


def delivery_of(hit: Hit) -> Delivery:
    """Return the hit in storable form.

    Raises:
        LedgerError: It names no rule: nothing could be recorded of it.
    """
    if not hit.rule_ids and not hit.member_of:
        raise LedgerError(f"A hit at {hit.event.place.path}:{hit.event.place.offset} names no rule.")
    event, place = hit.event, hit.event.place
    key = storable(event.identity.key)
    facts = _facts(event)
    joined = "".join(facts.values())
    if not joined.isascii() or "\x00" in joined:
        facts = {name: storable(text) for name, text in facts.items()}
    return Delivery(
        event=event,
        rule_ids=tuple(dict.fromkeys(hit.rule_ids)),
        member_of=tuple(dict.fromkeys(hit.member_of)),
        key=key,
        path=storable(place.path),
        place_digest=place_digest(
            file_digest=place.file_digest, offset=place.offset, length=place.length, raw_digest=event.raw_digest, key=key
        ),
        time=moment_text(event.time),
        facts=facts,
    )


def place_digest(*, file_digest: str, offset: int, length: int, raw_digest: str, key: str) -> str:
    """Return the digest under which a delivery is known, wherever its file is called."""
    return digest_of(f"{file_digest}:{offset}:{length}:{raw_digest}:{key}".encode())


def rule_named(rule: RuleRow) -> Json:
    """Return how an evidence body names a rule: id, digest of its text, digest of its meaning, techniques with versions."""
    return {
        "id": rule.id,
        "meaning": rule.meaning_digest,
        "techniques": techniques_text(rule.techniques),
        "text": rule.text_digest,
    }


def rules_named(rules: tuple[RuleRow, ...]) -> bytes:
    """Return the canonical form of a list of rules, to be put into bodies as it is."""
    return plain_form([rule_named(rule) for rule in rules])


def body_of(delivery: Delivery, *, collected: str, query_digest: str, rules: bytes) -> bytes:
    """Return the canonical evidence body of one hit (docs/record.md section 6).

    Window, actor, host and tool version are the run's: its opening record holds them once.

    Args:
        delivery: The hit.
        collected: When it was recorded, UTC text.
        query_digest: SHA-256 of the Query that returned it.
        rules: What `rules_named` gave for the rules that the hit meets.
    """
    event, place = delivery.event, delivery.event.place
    document = {
        "canonical": event.canonical_digest,
        "collected": collected,
        "event": {**delivery.facts, "time": delivery.time},
        "identity": {"key": delivery.key, "weak": event.identity.is_weak},
        "place": {
            "file": place.file_digest,
            "length": place.length,
            "offset": place.offset,
            "ordinal": place.ordinal,
            "path": delivery.path,
        },
        "query": query_digest,
        "raw": event.raw_digest,
        "rules": orjson.Fragment(rules),
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _facts(event: Event) -> dict[str, str]:
    return {
        "account": event.account,
        "action": event.action,
        "address": event.address,
        "principal": event.principal,
        "region": event.region,
        "resource": event.resource,
        "source": event.source,
        "time_text": event.time_text,
    }

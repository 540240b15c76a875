"""Suppressions at work: whether a recorded judgement hides a lead now (docs/record.md section 5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.values import Suppression
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.view import View
from aibr_hunt.model.codec import predicate_from_plain
from aibr_hunt.model.lead import Lead


def judge(suppression: Suppression, lead: Lead) -> bool:
    """True when a suppression's predicate holds for a lead's event; its fields are taken as written."""
    return _test(suppression.predicate)(View(lead.event_value))


@lru_cache(maxsize=1024)
def _test(predicate: str) -> Callable[[View], bool]:
    if not predicate:
        return lambda _: True
    try:
        return compile_predicate(predicate_from_plain(json.loads(predicate)), binder_of(None))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"A suppression holds no predicate: {error}.", hint="Withdraw it, or run `aibr-hunt evidence verify`.") from None

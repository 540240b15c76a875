"""The one written form of whatever is digested: RFC 8785, restricted so that any JSON writer that sorts keys yields it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import orjson

from aibr_hunt.errors import LedgerError
from aibr_hunt.model.event import Json

_LARGEST_EXACT_INTEGER = 2**53 - 1
_LEAD_ID_DIGITS = 12


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of `content`, hex."""
    return hashlib.sha256(content).hexdigest()


def canonical_form(document: Mapping[str, Json]) -> bytes:
    """Return the RFC 8785 form of `document`, UTF-8.

    Numbers with a fraction and integers beyond 2^53 are written as text and member names as ASCII, so that sorting
    by code point and by UTF-16 unit agree: a verifier needs nothing but the JSON module of a standard library.
    """
    return plain_form(_exact(dict(document)))


def plain_form(value: Json) -> bytes:
    """Return the RFC 8785 form of a value that is known to be restricted already (see `canonical_form`)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parsed(content: bytes | str, *, what: str) -> dict[str, Json]:
    """Return the JSON object that `content` holds.

    Args:
        content: JSON text.
        what: Names the text in the message.

    Raises:
        LedgerError: It is no JSON object.
    """
    try:
        value: Json = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise LedgerError(f"{what} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise LedgerError(f"{what} is not a JSON object.")
    return value


def storable(text: str) -> str:
    r"""Return `text` in a form that every database holds: lone surrogates and NUL become `\udXXX` and `\u0000`.

    File names and log fields may hold both; UTF-8 cannot carry the first, PostgreSQL refuses the second.
    """
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\u0000")


def lead_id(rule_id: str, event_key: str, *, digits: int = _LEAD_ID_DIGITS) -> str:
    """Return the id of the lead of one event under one rule: the same in every ledger.

    Args:
        rule_id: Id of the rule.
        event_key: Identity key of the event.
        digits: Hex digits to keep. More than 12 only where two leads of one ledger would share an id: an attacker
            who chooses event ids can bring that about.
    """
    return "L-" + digest_of(f"{rule_id}\n{event_key}".encode())[:digits]


def _exact(value: Json) -> Json:
    match value:
        case bool() | None:
            return value
        case int():
            return value if abs(value) <= _LARGEST_EXACT_INTEGER else str(value)
        case float():
            return repr(value)
        case str():
            return storable(value)
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {name.encode("ascii", "backslashreplace").decode("ascii"): _exact(item) for name, item in value.items()}


def event_value(content: bytes | None) -> Json:
    """Return the JSON value of an event as the vault keeps it; text where it is no JSON, None where it is missing.

    The standard library's reader takes what has no RFC 8785 form too: integers of any size, NaN, lone surrogates.
    """
    if content is None:
        return None
    text = content.decode("utf-8", "replace")
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value

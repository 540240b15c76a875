"""Texts that are decoded before rules read them: base64, percent-encoding, gzip (docs/meaning.md section 1, Derived texts).

Logs are partly an attacker's: whatever is decoded is bounded, and what does not decode is blank, never a fault.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Callable
from typing import Final, Self

from aibr_hunt.model.mapping import FieldSpec

MAX_ENCODED: Final = 8 * 1024 * 1024
MAX_UNZIPPED: Final = 1024 * 1024
MAX_GZIP_MEMBERS: Final = 64
DECODINGS: Final = ("base64", "url", "gunzip")
"""Derivations that make another text of a text; `gunzip` needs bytes and stands behind `base64`."""

_WHITE: Final = {ord(character): None for character in " \t\n\v\f\r"} | {ord("-"): "+", ord("_"): "/"}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*(={0,2})", re.ASCII)
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_GZIP: Final = b"\x1f\x8b"
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_UTF_16_MARK: Final = b"\xff\xfe"


class Opening(str):
    """A step of a path from a text to what is encoded in it; equal to no member's name, whatever that is.

    Attributes:
        decodings: Derivations, in the order in which they are undone.
        json_times: How many times the decoded text is parsed as JSON before the path goes on.
    """

    __slots__ = ("decodings", "json_times")
    decodings: tuple[str, ...]
    json_times: int

    def __new__(cls, decodings: tuple[str, ...], json_times: int = 0) -> Self:
        """Make the step; its text is what people are shown of it."""
        self = super().__new__(cls, f"<{' '.join((*decodings, *('json',) * json_times))}>")
        self.decodings, self.json_times = decodings, json_times
        return self

    def __eq__(self, other: object) -> bool:
        """True for the same step only."""
        return isinstance(other, Opening) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        """False for the same step only."""
        return not self == other

    def __hash__(self) -> int:
        """Differ from the hash of a member's name that reads the same."""
        return hash((Opening, str.__hash__(self)))


def decodings_of(spec: FieldSpec) -> tuple[str, ...]:
    """Return the derivations that decode the field's texts; none for a field that is read as it is, or in another case."""
    names = tuple(spec.derive.split())
    return names if names and names[0] in DECODINGS else ()


def is_decoded(spec: FieldSpec) -> bool:
    """True when rules read what is encoded in the field's texts: nothing of it stands in the record's bytes."""
    return bool(decodings_of(spec))


def decoded(text: str, decodings: tuple[str, ...]) -> str:
    """Return what the text encodes, the derivations undone in order; empty, which is blank, when it does not decode."""
    if len(text) > MAX_ENCODED:
        return ""
    value: bytes | None = None
    for name in decodings:
        if name == "gunzip":
            value = None if value is None else gunzipped(value)
        else:
            found = text if value is None else text_of_bytes(value)
            value = None if found is None else _OF_TEXT[name](found)
        if value is None:
            return ""
    return "" if value is None else text_of_bytes(value) or ""


def from_base64(text: str) -> bytes | None:
    """Return the bytes that a base64 text encodes, in the standard or the URL alphabet; None when it is no base64.

    White space is skipped. The signs of filling stand at the end, as many as complete a group of four, or are left out.
    """
    plain = text.translate(_WHITE)
    found = _BASE64.fullmatch(plain)
    if found is None:
        return None
    digits = found.start(1)
    missing = -digits % 4
    if missing == 3 or len(plain) - digits not in {0, missing}:
        return None
    return binascii.a2b_base64(plain[:digits] + "=" * missing)


def from_percent(text: str) -> bytes | None:
    """Return the bytes that a percent-encoded text stands for; None when a percent sign does not begin a byte. A plus stays."""
    if _STRAY_PERCENT.search(text):
        return None
    try:
        return _PERCENT.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
    except UnicodeEncodeError:  # half a code point
        return None


_OF_TEXT: Final[dict[str, Callable[[str], bytes | None]]] = {"base64": from_base64, "url": from_percent}


def gunzipped(raw: bytes) -> bytes | None:
    """Return bytes unzipped when they begin as gzip does, else as they are; None when the first member is broken or all are too long.

    Whole members that follow one another are one text; what stands behind the last of them is not read.
    """
    if not raw.startswith(_GZIP):
        return raw
    found: list[bytes] = []
    room = MAX_UNZIPPED
    while raw.startswith(_GZIP) and len(found) < MAX_GZIP_MEMBERS:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(raw, room + 1)
        except zlib.error:
            break
        if len(part) > room:
            return None
        if not member.eof:
            break
        found.append(part)
        room -= len(part)
        raw = member.unused_data
    return b"".join(found) if found else None


def text_of_bytes(raw: bytes) -> str | None:
    """Return bytes as the text that they hold, None when they hold none.

    UTF-16 (little end first) when they say so or every second byte is zero, as in scripts for PowerShell; else UTF-8.
    """
    try:
        if raw.startswith(_UTF_16_MARK):
            return raw[2:].decode("utf-16-le")
        if raw and len(raw) % 2 == 0 and not any(raw[1::2]):
            return raw.decode("utf-16-le")
        return raw.removeprefix(_UTF_8_MARK).decode()
    except UnicodeDecodeError:
        return None

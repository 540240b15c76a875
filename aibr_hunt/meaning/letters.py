"""Letters under the engines' own case folding: where `lower()` and its kin agree with `fold`, and where they do not.

Section 4 of docs/meaning.md lists eight letters on which engines differ. Some of them meet a plain letter in some engine: a text that
holds one may compare equal there and not here. Beyond ASCII only letters whose two cases every engine pairs alike are trusted.
"""

from __future__ import annotations

import re
from typing import Final

from aibr_hunt.model.layout import EngineKind

# Letter (folded) → letters that become it in lower case.
_LOWERED: Final = {"i": "\u0130", "k": "\u212a"}
# Engines that compare without case by upper case meet two more.
_UPPERED: Final = {"i": "\u0130\u0131", "s": "\u017f", "k": "\u212a"}
_STABLE: Final = (
    *((0x00A0, 0x00DE), (0x00E0, 0x00E4), (0x00E6, 0x00FE), (0x0100, 0x012F), (0x0134, 0x0137), (0x0139, 0x0148), (0x014A, 0x0177)),
    *((0x0400, 0x045F), (0x2000, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1F6FF)),
)
_UNSTABLE: Final = frozenset("\u00b5\u00c5\u00df")
_FRAGMENT: Final = re.compile(r"[A-Za-z0-9 _.:@*,-]+")


def odd_letters(folded: str, engine: EngineKind) -> str:
    """Return the letters that the engine could take for a letter of `folded`, though `fold` tells them apart."""
    partners = _UPPERED if engine is EngineKind.KQL else _LOWERED
    return "".join(dict.fromkeys(letter for character in folded for letter in partners.get(character, "")))


def is_stable(folded: str) -> bool:
    """True when every engine folds each letter of the literal as `fold` does."""
    return folded.isascii() or all(character.isascii() or _is_stable(character) for character in folded)


def _is_stable(character: str) -> bool:
    point = ord(character)
    return character not in _UNSTABLE and any(first <= point <= last for first, last in _STABLE)


def ascii_run(text: str) -> str:
    """Return the longest run of ASCII characters without control characters in a text; empty when there is none."""
    return max(re.findall(r"[ -~]+", text), key=len, default="")


def fragment_of(text: str) -> str:
    """Return the longest run that every JSON serialisation writes as it stands: letters, digits and a few signs; maybe empty."""
    return max(_FRAGMENT.findall(text), key=len, default="").lower()

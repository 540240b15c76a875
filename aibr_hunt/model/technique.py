"""ATT&CK and ATLAS techniques, always with the version of the catalogue that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Framework: TypeAlias = Literal["attack", "atlas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """One technique of a catalogue.

    Attributes:
        framework: Which catalogue.
        id: As the catalogue writes it: `T1078.004`, `AML.T0024`.
        name: The catalogue's name for it.
        tactics: Ids of the tactics that it serves, in the catalogue's order.
        version: Version of the catalogue, such as `19.1` or `2026.09`.
    """

    framework: Framework
    id: str
    name: str
    tactics: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tactic:
    """One column of a catalogue's matrix.

    Attributes:
        framework: Which catalogue.
        id: As the catalogue writes it: `TA0006`, `AML.TA0013`.
        name: The catalogue's name for it.
        tag: How Sigma tags write it after the framework: `credential-access`.
        order: Place in the matrix, from 1.
    """

    framework: Framework
    id: str
    name: str
    tag: str
    order: int

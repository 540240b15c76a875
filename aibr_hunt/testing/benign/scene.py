"""One thing that is done in everyday traffic: its moment, the choices in it, and how often it comes."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeAlias, TypeVar

from aibr_hunt.model.event import Json

T = TypeVar("T")
Record: TypeAlias = "dict[str, Json]"
# The name of a mapping, and a record of it.
Told: TypeAlias = "tuple[str, Json]"


class Hours(Enum):
    """When something is done."""

    WORK = "work"
    ALWAYS = "always"
    NIGHT = "night"


class Scene:
    """One thing that is done: its moment, which moves on, and the choices in it.

    Args:
        rng: Where choices come from.
        moment: When it begins.
    """

    def __init__(self, rng: random.Random, moment: datetime) -> None:
        """Begin."""
        self.rng = rng
        self.moment = moment

    @property
    def text(self) -> str:
        """The present moment, as most logs write it."""
        return f"{self.moment:%Y-%m-%dT%H:%M:%S}Z"

    def wait(self, low_s: float, high_s: float) -> None:
        """Let some time pass."""
        self.moment += timedelta(seconds=round(self.rng.uniform(low_s, high_s), 3))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return self.rng.choice(items)

    def usual(self, items: Sequence[T]) -> T:
        """Return one of the items, the first ones far more often: people and programs have habits."""
        return self.rng.choices(items, weights=[1 / (2 + number) ** 2 for number in range(len(items))])[0]

    def times(self, low: int, high: int) -> range:
        """Return a range of some length between the two, both included."""
        return range(self.rng.randint(low, high))

    def chance(self, share: float) -> bool:
        """Return True in that share of the cases."""
        return self.rng.random() < share

    def uuid(self) -> str:
        """Return a fresh identifier."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def hex(self, length: int) -> str:
        """Return that many fresh hexadecimal digits."""
        return f"{self.rng.getrandbits(4 * length):0{length}x}"


# A doing yields the name of a mapping and the record, at the moment at which the scene then is.
Doing: TypeAlias = Callable[[Scene], Iterator[Told]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Something that is done again and again.

    Attributes:
        weight: How often, beside the others.
        hours: When.
        act: What.
    """

    weight: float
    hours: Hours
    act: Doing


def habit(weight: float, hours: Hours, act: Doing) -> Habit:
    """Return something that is done so often, at such hours."""
    return Habit(weight=weight, hours=hours, act=act)

"""Everyday traffic of an organisation that works with models: made up, the same for a seed, with nothing in it that anybody should look at.

It says what a rule costs where nothing happens. People work by day and on weekdays, pipelines and applications always, batches by night;
consoles ask for lists, programs are refused now and then. Names, addresses and accounts are those of the documentation, and the lists of
`mappings/values` hold the names that the organisation gave its roles, buckets and registries.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.aws_account import ACCOUNT_HABITS
from aibr_hunt.testing.benign.aws_learning import LEARNING_HABITS
from aibr_hunt.testing.benign.aws_models import MODEL_HABITS
from aibr_hunt.testing.benign.azure import AZURE_HABITS
from aibr_hunt.testing.benign.azure_tenant import TENANT_HABITS
from aibr_hunt.testing.benign.gcp import GCP_HABITS
from aibr_hunt.testing.benign.scene import Habit, Hours, Scene

SEED: Final = 20260302
EVENTS: Final = 60_000
DAYS: Final = 45
# A Monday, so that weekends fall where they should.
START: Final = datetime(2026, 3, 2, tzinfo=UTC)
EVERY_HABIT: Final = (*MODEL_HABITS, *LEARNING_HABITS, *ACCOUNT_HABITS, *AZURE_HABITS, *TENANT_HABITS, *GCP_HABITS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One record of the traffic.

    Attributes:
        source: Name of its mapping.
        time_us: Its time, microseconds of epoch.
        event: The record as its source delivers it.
    """

    source: str
    time_us: int
    event: Json


def traffic(*, events: int = EVENTS, seed: int = SEED, days: int = DAYS, habits: Sequence[Habit] = ()) -> tuple[Sample, ...]:
    """Return that many everyday records of every log source that has rules, by time: the same for the same arguments.

    Args:
        events: How many.
        seed: Where all choices come from.
        days: Over how many days from `START` on.
        habits: What is done; nothing for everything in all clouds.
    """
    habits = habits or EVERY_HABIT
    rng = random.Random(seed)  # noqa: S311 - choices that must repeat, no secret
    weights = [habit.weight for habit in habits]
    found: list[Sample] = []
    while len(found) < events:
        habit = rng.choices(habits, weights=weights)[0]
        scene = Scene(rng, _moment(rng, habit.hours, days))
        found += [Sample(source=source, time_us=_microseconds(scene.moment), event=event) for source, event in habit.act(scene)]
    return tuple(sorted(found[:events], key=lambda sample: sample.time_us))


def _moment(rng: random.Random, hours: Hours, days: int) -> datetime:
    """Return a moment within the days that fits the hours."""
    day = rng.randrange(days)
    if hours is Hours.ALWAYS:
        return START + timedelta(days=day, seconds=rng.uniform(0, 86_400))
    if hours is Hours.NIGHT:
        return START + timedelta(days=day, seconds=rng.uniform(3_600, 4 * 3_600))
    while (START + timedelta(days=day)).weekday() > 4 and rng.random() > 0.05:  # hardly anybody works at a weekend
        day = rng.randrange(days)
    return START + timedelta(days=day, seconds=min(max(rng.gauss(12.5, 2.5), 6), 20) * 3_600)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

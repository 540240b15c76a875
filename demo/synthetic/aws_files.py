"""CloudTrail's files: `Records` in gzip, by account, region and day of delivery; some events twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from synthetic.aws import ML
from synthetic.aws_stories import NARROWED, WIDENED
from synthetic.dice import Dice
from synthetic.packing import gzipped
from synthetic.planned import Files, Planned, Record, deliveries_of, line_of

ROOT: Final = "AWSLogs/{account}/CloudTrail/{region}/{day:%Y/%m/%d}"
_HOURS: Final = {(ML, "eu-west-1"): 6, ("210987654321", "us-east-1"): 6}  # elsewhere one file holds half a day

Slot = tuple[tuple[str, ...], datetime]


def is_recorded(event: Planned) -> bool:
    """Return False for what the narrowed trail of the ML account leaves out: everything that only reads."""
    is_narrowed = event.place[0] == ML and NARROWED < event.time < WIDENED
    return not (is_narrowed and event.record["readOnly"])


def files_of(events: Iterable[Planned]) -> Files:
    """Return the files, by path. AWS delivers every few minutes; here a file holds some hours, so that there are fewer."""
    dice = Dice("aws delivery")
    slots: dict[Slot, list[Record]] = {}
    for event in sorted(events, key=lambda each: (each.time, each.identity)):
        repeated = 1 + dice.chance(10) + dice.chance(1)
        for number, record in enumerate(deliveries_of(event, repeated=repeated)):
            slots.setdefault(_slot(event, number), []).append(record)
    return dict(_file(slot, records, dice) for slot, records in sorted(slots.items()))


def _slot(event: Planned, number: int) -> Slot:
    """Return place and end of the time that a file covers; a further delivery comes with a later file."""
    hours = _HOURS.get((event.place[0], event.place[1]), 12)
    begin = event.time.replace(hour=event.time.hour // hours * hours, minute=0, second=0, microsecond=0)
    return event.place, begin + timedelta(hours=hours * (1 + number))


def _file(slot: Slot, records: list[Record], dice: Dice) -> tuple[str, bytes]:
    (account, region), end = slot
    delivered = end + timedelta(minutes=1 + dice.below(9))
    folder = ROOT.format(account=account, region=region, day=delivered)
    name = f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{dice.text(16)}.json.gz"
    mixed = sorted(records, key=lambda record: (record["eventTime"][:15], dice.below(1 << 30)))  # in order by ten minutes, as delivered
    body = [line_of(record) for record in mixed]
    return f"{folder}/{name}", gzipped(b'{"Records":[' + b",".join(body) + b"]}")

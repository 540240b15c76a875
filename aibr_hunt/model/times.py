"""Times of cloud logs, as aware UTC with microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

# RFC 3339 section 5.6. A blank in place of the `T` is what its note allows; any number of decimals occurs
# (AWS none, Azure seven, Google Cloud nine).
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?(?:[Zz]|([+-][0-9]{2}:[0-9]{2}))", re.ASCII
)
_LEAP_SECOND = "60"


def parse_time(text: object) -> datetime | None:
    """Return the moment that `text` names; None when it is no RFC 3339 time with an offset.

    Digits below the microsecond are cut, so that a time never moves into a later window. A leap second is the first
    moment of the next minute, as the calendar of Python has none.
    """
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    day, minute, second, decimals, offset = match.groups()
    is_leap = second == _LEAP_SECOND
    fraction = "000000" if is_leap else f"{decimals or '':0<6}"[:6]
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if is_leap else second}.{fraction}{offset or '+00:00'}")
        return (moment + timedelta(seconds=1) if is_leap else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

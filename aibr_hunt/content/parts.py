"""Which keys each type of correlation needs and may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from aibr_hunt.model.correlation import CorrelationType

# Needed keys with an example of each, and those that may be there.
Kind: TypeAlias = "tuple[Mapping[str, str], frozenset[str]]"

_RULES: Final = "[name_of_a_rule]"
_COUNTED: Final = {"rules": _RULES, "timespan": "15m", "condition": "{gte: 10}"}
_VALUED: Final = {"rules": _RULES, "timespan": "15m", "condition": "{field: name_of_a_field, gte: 10}"}
_RANKED: Final = {"rules": _RULES, "timespan": "15m", "condition": "{field: name_of_a_field, percentile: 95, gte: 10}"}
_TIMED: Final = {"rules": "[name_of_a_rule, name_of_another]", "timespan": "15m"}
_USUAL: Final = frozenset(("group-by", "aliases", "generate"))
_JUDGED: Final = _USUAL | {"population"}

KINDS: Final[Mapping[CorrelationType, Kind]] = {
    CorrelationType.EVENT_COUNT: (_COUNTED, _USUAL),
    CorrelationType.VALUE_COUNT: (_VALUED, _USUAL),
    CorrelationType.VALUE_SUM: (_VALUED, _USUAL),
    CorrelationType.VALUE_AVG: (_VALUED, _USUAL),
    CorrelationType.VALUE_PERCENTILE: (_RANKED, _USUAL),
    CorrelationType.VALUE_MEDIAN: (_VALUED, _USUAL),
    CorrelationType.TEMPORAL: (_TIMED, _USUAL | {"condition"}),
    CorrelationType.TEMPORAL_ORDERED: (_TIMED, _USUAL | {"condition"}),
    CorrelationType.FIRST_SEEN: ({"rules": _RULES, "lookback": "30d"}, _JUDGED | {"field"}),
    CorrelationType.RARE: (
        {"rules": _RULES, "lookback": "30d", "field": "name_of_a_field", "condition": "{lte: 0.01}"},
        _JUDGED | {"minimum"},
    ),
    CorrelationType.SHARE: (
        {"rules": _RULES, "timespan": "1h", "field": "name_of_a_field", "values": "[one, another]", "condition": "{gte: 0.5}"},
        _USUAL,
    ),
    CorrelationType.SPIKE: ({"rules": _RULES, "lookback": "14d", "condition": "{gte: 6}"}, _JUDGED | {"minimum"}),
}
KNOWN_KEYS: Final = frozenset({"type"}.union(*({*needs, *may} for needs, may in KINDS.values())))
# Those that read one field each.
MEASURED: Final = frozenset(
    (
        CorrelationType.VALUE_SUM,
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_PERCENTILE,
        CorrelationType.VALUE_MEDIAN,
        CorrelationType.SHARE,
    )
)
WHAT_IS_NOT_TAKEN: Final[Mapping[str, str]] = {
    "timespan": "It looks back over its lookback.",
    "lookback": "Its windows are as long as its timespan.",
    "population": "It is judged over its own rules.",
    "minimum": "Only rare and spike ask for a minimum.",
    "field": "It looks at events, not at values.",
    "values": "Only share divides by a list of values.",
    "condition": "What is seen for the first time needs no threshold.",
}

"""What `hunt check` asks of a hunt and its incidents: that it argues fairly, and can be tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from aibr_hunt.content.checks import Finding
from aibr_hunt.content.hunts import THE_HYPOTHESIS
from aibr_hunt.content.incidents import Incidents
from aibr_hunt.model.hunt import Hunt

MIN_RIVALS: Final = 2
MIN_OBSERVATIONS: Final = 4
# What a hunt of ours must say, and what is worth saying besides: attributes of the value, with the key in the file where it differs.
_MUST_SAY: Final = {"last": "window", "scan_bytes": "limits"} | {
    key: key for key in ("title", "actor", "behaviour", "location", "evidence", "when_logs_are_off", "triage", "preserve_first")
}
_WORTH_SAYING: Final = {"techniques": "techniques", "pivots": "pivots"}


def check_hunt(hunt: Hunt, *, is_shipped: bool) -> Iterator[Finding]:
    """Yield what is wrong with a hunt itself: too few rivals or observations, nothing for a rival, what it does not say.

    That something speaks for and against the hypothesis is asked when a hunt is loaded.
    """
    claim = claim_of(hunt)
    rivals = [key for key in hunt.rivals if key != claim]
    if len(rivals) < MIN_RIVALS:
        what = f"has {len(rivals)} rival besides the hypothesis, {MIN_RIVALS} are needed: what else could leave such traces?"
        yield _finding(hunt, "rivals", what, is_error=is_shipped)
    if len(hunt.expect) < MIN_OBSERVATIONS:
        what = f"has {len(hunt.expect)} observations, {MIN_OBSERVATIONS} are needed."
        yield _finding(hunt, "observations", what, is_error=is_shipped)
    for rival in rivals:
        if not any(rival in each.supports for each in hunt.expect):
            yield _finding(hunt, "rivals", f"no observation speaks for {rival}: nothing that is seen could favour it.")
    uses = Counter(name for each in hunt.expect for name in each.rules)
    for name, count in uses.items():
        if count > 1:
            yield _finding(hunt, "observations", f"the rule {name} stands in {count} observations: one event counts as often.")
    for attribute, key in (_MUST_SAY | _WORTH_SAYING).items():
        if not getattr(hunt, attribute):
            yield _finding(hunt, "metadata", f"has no {key}.", is_error=is_shipped and attribute in _MUST_SAY)
    for each in hunt.expect:
        if not each.note:
            yield _finding(hunt, "metadata", f"the observation {each.id} has no note: what does it mean?", is_error=is_shipped)


def check_incidents(hunt: Hunt, incidents: Incidents) -> Iterator[Finding]:
    """Yield what a hunt's incidents leave out, besides what fails when they are judged."""
    happened = {each.of for each in incidents.incidents}
    for rival in hunt.rivals:
        if rival not in happened:
            yield _finding(hunt, "incidents", f"no incident is one of {rival}.", is_error=rival == claim_of(hunt))


def claim_of(hunt: Hunt) -> str:
    """Return the key of the rival that is the hypothesis."""
    return next(key for key, sentence in hunt.rivals.items() if sentence == THE_HYPOTHESIS)


def _finding(hunt: Hunt, check: str, what: str, *, is_error: bool = False) -> Finding:
    return Finding(rule=hunt.path, check=check, what=what, is_error=is_error)

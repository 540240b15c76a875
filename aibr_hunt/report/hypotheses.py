"""How a hunt's hypothesis and its rivals stand: what was seen that speaks for or against each. No probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aibr_hunt.model.hunt import Hunt, Observation
from aibr_hunt.report.findings import HuntFinding, Observed
from aibr_hunt.report.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An observation beside what became of it.

    Attributes:
        state: `seen`, `not seen` or `not answered`. Seen wins: what was found was found, whatever else was missed.
    """

    observation: Observation
    observed: Observed
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One rival explanation and how it stands.

    Attributes:
        key: Its key in the hunt. `sentence`: what it claims.
        supports, against: The observations that would speak for and against it.
        verdict: One sober sentence.
    """

    key: str
    sentence: str
    is_hypothesis: bool
    supports: tuple[Seen, ...]
    against: tuple[Seen, ...]
    verdict: str

    @property
    def balance(self) -> int:
        """How many observations were seen that speak for it, less those that speak against it."""
        return _count(self.supports, "seen") - _count(self.against, "seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A hunt with the standing of each rival, the hypothesis itself first."""

    hunt: Hunt
    seen: tuple[Seen, ...]
    standings: tuple[Standing, ...]


def argue(finding: HuntFinding) -> Argument:
    """Return how each rival of the hunt stands."""
    observed = {item.observation: item for item in finding.observed}
    seen = tuple(_seen(item, observed.get(item.id)) for item in finding.hunt.expect)
    standings = [_standing(finding.hunt, key, seen) for key in finding.hunt.rivals]
    return Argument(hunt=finding.hunt, seen=seen, standings=tuple(sorted(standings, key=lambda item: not item.is_hypothesis)))


def _seen(item: Observation, observed: Observed | None) -> Seen:
    observed = observed or Observed(observation=item.id, why_unasked="it was not asked")
    state = "seen" if observed.lead_ids else "not answered" if observed.why_unasked else "not seen"
    return Seen(observation=item, observed=observed, state=state)


def _standing(hunt: Hunt, key: str, seen: Sequence[Seen]) -> Standing:
    supports = tuple(item for item in seen if key in item.observation.supports)
    against = tuple(item for item in seen if key in item.observation.against)
    is_hypothesis = hunt.rivals[key].strip().lower() == "the hypothesis"
    return Standing(
        key=key,
        sentence=hunt.hypothesis if is_hypothesis else hunt.rivals[key],
        is_hypothesis=is_hypothesis,
        supports=supports,
        against=against,
        verdict=_verdict(supports, against),
    )


def _verdict(supports: Sequence[Seen], against: Sequence[Seen]) -> str:
    speaking_for, speaking_against = _count(supports, "seen"), _count(against, "seen")
    unanswered = _count([*supports, *against], "not answered")
    if not supports and not against:
        return "Not tested: no observation of this hunt bears on it."
    if unanswered == len(supports) + len(against):
        return "Not tested: none of the observations that bear on it was answered."
    if speaking_for and speaking_against:
        verdict = f"In doubt: {plural(speaking_for, 'observation speaks', 'observations speak')} for it and {speaking_against} against it."
    elif speaking_against:
        verdict = f"{plural(speaking_against, 'observation speaks', 'observations speak')} against it and none seen speaks for it."
    elif speaking_for:
        were = "was" if speaking_for == 1 else "were"
        verdict = f"Not refuted: {speaking_for} of {plural(len(supports), 'observation')} that would support it {were} seen."
    else:
        verdict = "Not refuted and not supported: nothing seen speaks for it or against it."
    missing = f" {plural(unanswered, 'observation')} that {'bears' if unanswered == 1 else 'bear'} on it stayed without a full answer."
    return verdict + (missing if unanswered else "")


def _count(items: Sequence[Seen], state: str) -> int:
    return sum(1 for item in items if item.state == state)

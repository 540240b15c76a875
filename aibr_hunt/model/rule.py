"""Rules: one Sigma detection as a value, with the digests that name it."""

from __future__ import annotations

from dataclasses import dataclass, field

from aibr_hunt.model.predicate import Predicate
from aibr_hunt.model.technique import Technique


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LogSource:
    """Sigma's triple; a part that the rule leaves out is the empty text."""

    product: str = ""
    service: str = ""
    category: str = ""

    def __str__(self) -> str:
        """Return the parts that are set, joined by a slash."""
        return "/".join(part for part in (self.product, self.service, self.category) if part) or "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One Sigma detection.

    Attributes:
        id: The UUID in the rule, lower case; for a rule without one, `sha256:` of its text.
        name: The file's stem, or the rule's `name`, or its id.
        path: Where it was read, as shown to people (`shipped:aws/bedrock/x.yml` for built-in ones).
        text_digest: SHA-256 of the rule's own YAML document, hex.
        techniques: Those of its tags that a catalogue knows.
        tags: All tags as written, lower case.
        predicate: What it means; filters applied, placeholders resolved.
        requires: Log switches that must be on for the rule to see anything.
        filters: Ids or titles of the Sigma filters that are part of the predicate.
        tests_path: `regression_tests_path` as written; empty for the file beside the rule.
        warnings: Sentences for the author; not part of the rule's value.
    """

    id: str
    name: str
    title: str
    path: str
    text_digest: str
    logsource: LogSource
    predicate: Predicate
    status: str = ""
    level: str = "medium"
    description: str = ""
    author: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    triage: tuple[str, ...] = ()
    preserve_first: tuple[str, ...] = ()
    evades: tuple[str, ...] = ()
    synthetic: str = ""
    filters: tuple[str, ...] = ()
    tests_path: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)

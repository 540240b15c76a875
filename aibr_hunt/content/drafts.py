"""A correlation as its author wrote it: its rules are names still. Kept apart from the reader, so that a cached one needs no parser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aibr_hunt.errors import ContentError
from aibr_hunt.model.codec import Plain
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.correlation_codec import correlation_from_plain, correlation_to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A correlation whose references have not been followed.

    Attributes:
        correlation: Its operands and its population have names and no ids.
        lines: Line of each reference, by its name.
    """

    correlation: Correlation
    lines: tuple[tuple[str, int], ...] = ()

    def fault(self, what: str, name: str, *, hint: str = "") -> ContentError:
        """Return an error at the line of a reference."""
        return ContentError(what, path=self.correlation.path, line=dict(self.lines).get(name), hint=hint)


def draft_to_plain(draft: Draft) -> dict[str, Plain]:
    """Return a draft as plain JSON values."""
    return {"correlation": correlation_to_plain(draft.correlation), "lines": [[name, line] for name, line in draft.lines]}


def draft_from_plain(plain: Mapping[str, Plain]) -> Draft:
    """Return the draft of `draft_to_plain`.

    Raises:
        ValueError: The plain form is none of ours.
        KeyError: An attribute is missing.
    """
    body, lines = plain["correlation"], plain["lines"]
    if not isinstance(body, dict) or not isinstance(lines, list):
        raise ValueError("not the plain form of a correlation")  # noqa: TRY004 - the plain form is wrong, not a type in our code
    return Draft(correlation=correlation_from_plain(body), lines=tuple(_line(each) for each in lines))


def _line(plain: Plain) -> tuple[str, int]:
    match plain:
        case [str(name), int(line)]:
            return name, line
        case _:
            raise ValueError("not the line of a reference")

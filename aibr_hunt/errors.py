"""Every error class of the project, on one screen.

A class says whose fault it is, and a message says what, where and what to do. No exception of a driver
or a library leaves the package that called it: it is turned into one of these.
"""

from __future__ import annotations

from pathlib import Path


class AibrError(Exception):
    """The root: anything that aibr_hunt raises on purpose.

    Args:
        what: One sentence that names the fault and the thing at fault.
        hint: What the reader can do about it, as a sentence; empty when there is nothing to do.
    """

    def __init__(self, what: str, *, hint: str = "") -> None:
        """Keep the sentence and the hint apart, so that machines can read both."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return the text for people: the fault, then the hint."""
        return f"{self.what} {self.hint}".strip() if self.hint else self.what

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error cross a process border with all that it carries."""
        return (_rebuild, (type(self), self.what, {k: v for k, v in self.__dict__.items() if k != "what"}))


class UsageError(AibrError):
    """The command line, a path or the configuration asks for something that cannot be."""


class ContentError(AibrError):
    """A rule, hunt, mapping or test file is wrong. Authors fix it.

    Args:
        what: The fault, in the author's terms.
        path: The file that holds it; None when the text did not come from a file.
        line: Line in that file, counted from 1; None when the fault has no one line.
        hint: The nearest right spelling, or what else to do.
    """

    def __init__(self, what: str, *, path: Path | str | None = None, line: int | None = None, hint: str = "") -> None:
        """Keep the place, so that a report can sort by it."""
        super().__init__(what, hint=hint)
        self.path = None if path is None else Path(path)
        self.line = line

    def __str__(self) -> str:
        """Return the message with its place in front, as compilers print it."""
        place = "" if self.path is None else f"{self.path}:{self.line}: " if self.line else f"{self.path}: "
        return place + super().__str__()


class ContentErrors(AibrError):
    """Several authors' errors, shown together.

    Args:
        errors: At least one error, in the order in which an author would fix them.
    """

    def __init__(self, errors: tuple[AibrError, ...]) -> None:
        """Join the messages, one a line."""
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors

    def __reduce__(self) -> tuple[object, ...]:
        """Let the collection cross a process border."""
        return (type(self), (self.errors,))


class Unsupported(AibrError):
    """A construct has no meaning here, or this engine cannot say it. It is refused, never approximated.

    Args:
        construct: The name of the construct, as the Sigma specification or docs/meaning.md names it.
        why: Why it is refused.
        hint: What to write instead.
        place: `path:line` of it in the content; empty when unknown.
    """

    def __init__(self, construct: str, why: str, *, hint: str = "", place: str = "") -> None:
        """Build the sentence from the construct and the reason."""
        super().__init__(f"{place}: {construct} is not supported: {why}" if place else f"{construct} is not supported: {why}", hint=hint)
        self.construct = construct
        self.why = why
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        """Let the refusal cross a process border."""
        return (_rebuild_unsupported, (self.construct, self.why, self.hint, self.place))


class IntakeError(AibrError):
    """Input bytes could not be read at all: missing, unreadable or of no known format."""


class RecordRefused(IntakeError):
    """A framed record is no JSON object that can be read; the rest of its file is read all the same.

    Args:
        reason: A short fixed phrase, so that refusals can be counted by it.
        detail: What the decoder said; never data of the log.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep reason and detail apart, as an account lists them."""
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        """Let the refusal cross a process border."""
        return (type(self), (self.reason, self.detail))


class LimitExceeded(AibrError):
    """A stated limit was met: a compression bomb, an expansion, a budget."""


class EngineError(AibrError):
    """An engine failed.

    Args:
        what: What failed, where.
        retryable: True when the same request may succeed later.
        hint: What to do.
    """

    def __init__(self, what: str, *, retryable: bool = False, hint: str = "") -> None:
        """Keep whether a retry makes sense."""
        super().__init__(what, hint=hint)
        self.retryable = retryable


class LedgerError(AibrError):
    """The ledger or the vault cannot be used, or does not verify."""


def _rebuild(cls: type[AibrError], what: str, state: dict[str, object]) -> AibrError:
    error = cls(what)
    error.__dict__.update(state)
    return error


def _rebuild_unsupported(construct: str, why: str, hint: str, place: str) -> Unsupported:  # noqa: PLR0917 - pickle hands over positions
    return Unsupported(construct, why, hint=hint, place=place)

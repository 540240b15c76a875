"""What BigQuery's reasons and messages say of a program that failed, and what may be sent to it at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aibr_hunt.engines.cloud.protocol import AccessRefused, NotThere, OverBudget, PartialResult, Question, TooComplex
from aibr_hunt.errors import AibrError, EngineError, UsageError

# Comments and literals of GoogleSQL, in which a semicolon ends no statement; a backslash hides a quotation mark in raw literals too.
_NO_CODE: Final = re.compile(
    r"""--[^\n]*|\#[^\n]*|/\*.*?\*/|'''(?:\\.|.)*?'''|\"\"\"(?:\\.|.)*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\\n])*`""",
    re.DOTALL,
)
# cloud.google.com/bigquery/docs/error-messages: reasons after which the same call, or a new job, may succeed.
AGAIN: Final = frozenset(
    (
        *("rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError", "badGateway"),
        *("jobRateLimitExceeded", "jobBackendError", "jobInternalError"),
    )
)
REASONS: Final[Mapping[str, type[AibrError]]] = {
    "accessDenied": AccessRefused,
    "accessNotConfigured": AccessRefused,
    "billingNotEnabled": AccessRefused,
    "blocked": AccessRefused,
    "bytesBilledLimitExceeded": OverBudget,
    "quotaExceeded": OverBudget,
    "notFound": NotThere,
    "responseTooLarge": PartialResult,
    "timeout": PartialResult,
    "resourcesExceeded": PartialResult,
    # Too much work for the bytes that were read: half of the window would be as much too much.
    "billingTierLimitExceeded": TooComplex,
}
# What reasons that say little are in the words of their messages; the first that occurs decides, before the reason does.
WORDS: Final[Mapping[str, tuple[tuple[type[AibrError], str], ...]]] = {
    "resourcesExceeded": ((TooComplex, r"too complex|query planning|too many subqueries|CPU seconds"),),
    "stopped": ((PartialResult, r"timed out"),),
    **dict.fromkeys(
        ("invalid", "invalidQuery"),
        (
            (NotThere, r"Unrecognized name|not found inside|Field name .* does not exist|does not match any table"),
            (TooComplex, r"too complex|too large|query length|nested too deeply"),
        ),
    ),
}
HINTS: Final[Mapping[type[AibrError], str]] = {
    AccessRefused: "docs/clouds.md lists the permissions that are needed.",
    OverBudget: "Raise the ceiling or the quota, shorten the window, or ask fewer rules.",
    NotThere: "Name project, data set and table in the Source, and its location where that is not US or EU.",
}


def check_text(question: Question) -> None:
    """Return when the text is one SELECT.

    Raises:
        UsageError: It is something else; nothing was sent.
    """
    code = _NO_CODE.sub(" ", question.text).strip().removesuffix(";")
    if not re.match(r"(SELECT|WITH)\b", code, re.IGNORECASE) or ";" in code or "|>" in code:
        raise UsageError(f"{question.source.label}: the program is not one SELECT, and is not sent.")


def failure_of(told: Mapping[str, object], where: str) -> AibrError:
    """Return the error that a reason and its message are."""
    reason, message = str(told.get("reason", "")), str(told.get("message", "it gives no reason"))
    words = next((kind for kind, pattern in WORDS.get(reason, ()) if re.search(pattern, message, re.IGNORECASE)), None)
    kind = words or REASONS.get(reason)
    what = f"{where} failed: {one_line(message)} ({reason})."
    if kind is None:
        return EngineError(what, retryable=reason in AGAIN)
    return kind(what, hint=HINTS.get(kind, ""))


def one_line(text: str) -> str:
    """Return the first paragraph of a message on one line, without its full stop."""
    return " ".join(text.split("\n\n", 1)[0].split()).rstrip(".")

"""Errors: whose fault, what, where and what to do; whole again on the other side of a process border."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from aibr_hunt import errors
from aibr_hunt.errors import (
    AibrError,
    ContentError,
    ContentErrors,
    EngineError,
    IntakeError,
    LedgerError,
    LimitExceeded,
    RecordRefused,
    Unsupported,
    UsageError,
)

ONE_OF_EACH: list[AibrError] = [
    AibrError("What.", hint="Do."),
    UsageError("What.", hint="Do."),
    ContentError("What.", path="a/b.yml", line=5, hint="Do."),
    ContentError("What.", path=Path("b.yml")),
    ContentError("What."),
    ContentErrors((ContentError("One.", path="a.yml", line=1), Unsupported("action", "no.", place="a.yml:2"))),
    Unsupported("cidr on x", "masked.", hint="Do.", place="a.yml:7"),
    Unsupported("cidr on x", "masked."),
    IntakeError("What."),
    RecordRefused("not JSON", "at sign 5"),
    RecordRefused("record is not an object"),
    LimitExceeded("What.", hint="Do."),
    EngineError("What.", retryable=True, hint="Do."),
    LedgerError("What.", hint="Do."),
]


def test_there_is_one_of_each_class_below() -> None:
    classes = {each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__}
    assert {type(error) for error in ONE_OF_EACH} == classes
    assert all(issubclass(each, AibrError) for each in classes)


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: f"{type(error).__name__} {error}")
def test_an_error_crosses_a_process_border_whole(error: AibrError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - what multiprocessing does
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert _state(back) == _state(error)


def _state(error: AibrError) -> dict[str, object]:
    return {name: str(value) if isinstance(value, tuple) else value for name, value in vars(error).items()}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AibrError("What.", hint="Do."), "What. Do."),
        (AibrError("What."), "What."),
        (ContentError("What.", path="a/b.yml", line=5, hint="Do."), "a/b.yml:5: What. Do."),
        (ContentError("What.", path="a/b.yml"), "a/b.yml: What."),
        (ContentError("What.", line=5), "What."),
        (Unsupported("cidr on x", "masked.", hint="Do.", place="a.yml:7"), "a.yml:7: cidr on x is not supported: masked. Do."),
        (Unsupported("cidr on x", "masked."), "cidr on x is not supported: masked."),
        (RecordRefused("not JSON", "at sign 5"), "not JSON: at sign 5"),
        (RecordRefused("not JSON"), "not JSON"),
        (ContentErrors((ContentError("One.", path="a.yml", line=1, hint="Do."), UsageError("Two."))), "a.yml:1: One. Do.\nTwo."),
    ],
    ids=lambda value: type(value).__name__ + str(value) if isinstance(value, AibrError) else "",
)
def test_a_message_says_where_what_and_what_to_do(error: AibrError, text: str) -> None:
    assert str(error) == text


def test_the_parts_of_an_error_can_be_read_by_machines() -> None:
    refused = Unsupported("cidr on x", "masked.", hint="Do.", place="a.yml:7")
    assert (refused.construct, refused.why, refused.hint, refused.place) == ("cidr on x", "masked.", "Do.", "a.yml:7")
    wrong = ContentError("What.", path="a/b.yml", line=5)
    assert (wrong.what, wrong.path, wrong.line, wrong.hint) == ("What.", Path("a/b.yml"), 5, "")
    assert EngineError("What.").retryable is False

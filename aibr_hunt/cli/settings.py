"""Settings: option, then `AIBR_*` variable, then `./aibr-hunt.toml`, then the user's file. Unknown keys are errors."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs

from aibr_hunt.errors import UsageError

Value: TypeAlias = "str | int | bool | list[str]"
FILE_NAME: Final = "aibr-hunt.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        default: Its value when nobody sets it.
        what: What it is, in a sentence.
        read: Turns a text (from a variable) into its value.
    """

    default: Value
    what: str
    read: Callable[[str], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The value of a setting in force, and where it came from."""

    value: Value
    origin: str


def _folders(text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


SETTINGS: Final[Mapping[str, Setting]] = {
    "home": Setting(default=platformdirs.user_data_dir("aibr-hunt", appauthor=False), what="Folder of ledger and vault.", read=str),
    "content": Setting(default=[], what="Your own folders with rules/, hunts/, mappings/.", read=_folders),
    "cache": Setting(
        default=platformdirs.user_cache_dir("aibr-hunt", appauthor=False), what="Folder of parsed rules; safe to delete.", read=str
    ),
    "processes": Setting(default=0, what="Processes that read log files; 0 for one a core.", read=int),
    "tz": Setting(default="UTC", what="Time zone for display only.", read=str),
    "fail_on": Setting(default="all", what="Which outcomes set the exit code: all, or a list of findings, incomplete.", read=str),
    "log_level": Setting(default="warning", what="How much is told on standard error.", read=str),
    "actor": Setting(default="", what="Who acts, as the evidence record names it; empty for the login name.", read=str),
}


class Settings:
    """The settings in force. Made by `load`.

    Attributes:
        chosen: Value and origin of every setting.
    """

    def __init__(self, chosen: Mapping[str, Chosen]) -> None:
        """Keep the values."""
        self.chosen = dict(chosen)

    @classmethod
    def load(cls, options: Mapping[str, object], *, here: Path) -> Settings:
        """Return the settings in force.

        Args:
            options: Values from the command line; None where the user gave none.
            here: Folder in which `aibr-hunt.toml` is looked for.

        Raises:
            UsageError: A file or a variable holds an unknown key or a value of the wrong kind.
        """
        user_file = Path(platformdirs.user_config_dir("aibr-hunt", appauthor=False)) / "config.toml"
        chosen = {name: Chosen(value=setting.default, origin="default") for name, setting in SETTINGS.items()}
        for path in (user_file, here / FILE_NAME):
            chosen |= _from_file(path)
        chosen |= _from_environment(os.environ)
        for name, value in options.items():
            if value is not None:
                kept = [str(each) for each in value] if isinstance(value, list | tuple) else str(value)
                chosen[name] = Chosen(value=kept, origin=f"option --{name.replace('_', '-')}")
        return cls(chosen)

    def text(self, name: str) -> str:
        """Return a setting as text."""
        return str(self.chosen[name].value)

    @property
    def home(self) -> Path:
        """Folder of ledger and vault."""
        return Path(self.text("home")).expanduser()

    @property
    def cache(self) -> Path:
        """Folder of parsed rules."""
        return Path(self.text("cache")).expanduser()

    @property
    def content(self) -> tuple[Path, ...]:
        """The user's own content folders.

        Raises:
            UsageError: One of them is no folder.
        """
        value = self.chosen["content"].value
        folders = tuple(Path(each).expanduser() for each in (value if isinstance(value, list) else [str(value)]))
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"The content folder {folder} does not exist.", hint=f"It was named by {self.chosen['content'].origin}.")
        return folders

    @property
    def processes(self) -> int:
        """Processes that read files, at least 1."""
        value = self.chosen["processes"].value
        return (
            int(value)
            if isinstance(value, int) and value > 0
            else max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone for display.

        Raises:
            UsageError: There is no such zone.
        """
        try:
            return ZoneInfo(self.text("tz"))
        except (ZoneInfoNotFoundError, ValueError):
            raise UsageError(f"There is no time zone {self.text('tz')}.", hint="Write one like Europe/Vienna, or UTC.") from None


def _from_file(path: Path) -> dict[str, Chosen]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}.") from None
    return {name: Chosen(value=_checked(name, value, str(path)), origin=str(path)) for name, value in values.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Chosen]:
    found: dict[str, Chosen] = {}
    for name, setting in SETTINGS.items():
        variable = f"AIBR_{name.upper()}"
        if variable in environment:
            try:
                found[name] = Chosen(value=setting.read(environment[variable]), origin=f"variable {variable}")
            except ValueError:
                raise UsageError(f"{variable} is {environment[variable]!r}, which is no number.") from None
    return found


def _checked(name: str, value: object, where: str) -> Value:
    setting = SETTINGS.get(name)
    if setting is None:
        near = difflib.get_close_matches(name, SETTINGS, n=1)
        raise UsageError(
            f"{where} sets the unknown key {name!r}.", hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(SETTINGS)}."
        )
    if isinstance(setting.default, list) and isinstance(value, list):
        return [str(each) for each in value]
    if type(value) is type(setting.default) and isinstance(value, str | int | bool):
        return value
    kind = {str: "a text", int: "a whole number", list: "a list of texts"}[type(setting.default)]
    raise UsageError(f"{where} sets {name} to {value!r}.", hint=f"{name} is {kind}.")

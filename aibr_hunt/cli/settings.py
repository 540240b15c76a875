"""Settings: option, then `AIBR_*` variable, then `./aibr-hunt.toml`, then the user's file. Unknown keys are errors.

The sections `[sources.NAME]` and `[ceilings]` of a file are read by `cli.sections`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs

from aibr_hunt.cli.sections import CEILINGS, SOURCES, check_sources, key_of, read_ceilings, read_sources
from aibr_hunt.errors import UsageError
from aibr_hunt.model.layout import EngineKind

Value: TypeAlias = "str | int | float | list[str]"
FILE_NAME: Final = "aibr-hunt.toml"
# What stands on standard error besides the error that ends a command, from the least to all of it.
LOG_LEVELS: Final = ("error", "warning", "info", "debug")
# Outcomes of a run that may set its exit code.
OUTCOMES: Final = ("findings", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        default: Its value when nobody sets it.
        what: What it is, in a sentence.
        read: Turns a text (from a variable) into its value; a ValueError says that it is of the wrong kind.
        fault: Says what is wrong with a value of the right kind; empty when nothing is.
    """

    default: Value
    what: str
    read: Callable[[str], Value] = str
    fault: Callable[[Value], str] = lambda _: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The value of a setting in force, and where it came from."""

    value: Value
    origin: str


def _folders(text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


def _fault_of_count(value: Value) -> str:
    return "Write a whole number from 0; 0 stands for one a core." if not isinstance(value, int) or value < 0 else ""


def _fault_of_level(value: Value) -> str:
    return "" if value in LOG_LEVELS else f"Choose one of {', '.join(LOG_LEVELS)}."


def _fault_of_outcomes(value: Value) -> str:
    named = {each.strip() for each in str(value).split(",")}
    return "" if named <= {*OUTCOMES} or named in ({"all"}, {"none"}) else f"Write all, none, or a list of {', '.join(OUTCOMES)}."


SETTINGS: Final[Mapping[str, Setting]] = {
    "home": Setting(default=platformdirs.user_data_dir("aibr-hunt", appauthor=False), what="Folder of the ledger, evidence included."),
    "content": Setting(default=[], what="Your own folders with rules/, hunts/, mappings/.", read=_folders),
    "cache": Setting(default=platformdirs.user_cache_dir("aibr-hunt", appauthor=False), what="Folder of parsed rules; safe to delete."),
    "processes": Setting(default=0, what="Processes that read log files; 0 for one a core.", read=int, fault=_fault_of_count),
    "tz": Setting(default="UTC", what="Time zone for display only."),
    "fail_on": Setting(
        default="all",
        what="Outcomes of a run that set its exit code: all, none, or a list of findings, incomplete.",
        fault=_fault_of_outcomes,
    ),
    "log_level": Setting(default="warning", what=f"How much is told on standard error: {', '.join(LOG_LEVELS)}.", fault=_fault_of_level),
    "actor": Setting(default="", what="Who acts, as the evidence record names it; empty for the login name."),
}
# The section of a file that names tables, and how each of its keys is spelled.
TABLES: Final = "tables"
_TABLE_KEY: Final = "<mapping>.<engine>.<layout>"


def what_of(name: str) -> str:
    """Return what a setting is, in a sentence."""
    if name in SETTINGS:
        return SETTINGS[name].what
    key = key_of(name)
    return key.what if key is not None else "Table that a layout reads in place of its usual one."


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
        check_sources({name: (each.value, each.origin) for name, each in chosen.items() if name.startswith(f"{SOURCES}.")})
        chosen |= _from_environment(os.environ)
        for name, value in options.items():
            if value is not None:
                kept = [str(each) for each in value] if isinstance(value, list | tuple) else str(value)
                option = f"option --{name.replace('_', '-')}"
                chosen[name] = Chosen(value=_faultless(name, kept, option), origin=option)
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
    def tables(self) -> dict[str, Chosen]:
        """Tables that configuration names, by `<mapping>.<engine>.<layout>`."""
        return {name.removeprefix(f"{TABLES}."): each for name, each in self.chosen.items() if name.startswith(f"{TABLES}.")}

    @property
    def sources(self) -> dict[str, dict[str, Chosen]]:
        """The Sources in clouds that configuration names: name to its keys."""
        found: dict[str, dict[str, Chosen]] = {}
        for name, each in self.chosen.items():
            if name.startswith(f"{SOURCES}."):
                _, source, key = name.split(".")
                found.setdefault(source, {})[key] = each
        return found

    @property
    def ceilings(self) -> dict[str, Chosen]:
        """The ceilings that configuration names."""
        return {name.removeprefix(f"{CEILINGS}."): each for name, each in self.chosen.items() if name.startswith(f"{CEILINGS}.")}

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
        if isinstance(value, int) and value > 0:
            return value
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def failing(self) -> frozenset[str]:
        """Those of OUTCOMES that set the exit code of a run."""
        named = frozenset(each.strip() for each in self.text("fail_on").split(","))
        return frozenset(OUTCOMES) if "all" in named else named & frozenset(OUTCOMES)

    def with_option(self, name: str, value: str | int | None) -> Settings:
        """Return the settings with an option of one command on top; None leaves them as they are.

        Raises:
            UsageError: The value cannot be.
        """
        if value is None:
            return self
        option = f"option --{name.replace('_', '-')}"
        return Settings(self.chosen | {name: Chosen(value=_faultless(name, value, option), origin=option)})

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
    where = str(path)
    read = {**read_sources(values.pop(SOURCES, {}), where), **read_ceilings(values.pop(CEILINGS, {}), where)}
    tables = _tables(values.pop(TABLES, {}), where)
    sections = {name: Chosen(value=value, origin=where) for name, value in read.items()} | tables
    return {name: Chosen(value=_checked(name, value, where), origin=where) for name, value in values.items()} | sections


def _tables(section: object, where: str) -> dict[str, Chosen]:
    """Return the settings of a section `[tables]`; whether mapping and layout exist is asked where they are used."""
    if not isinstance(section, dict):
        raise UsageError(f"{where} sets {TABLES} to {section!r}.", hint=f'[{TABLES}] is a section of lines `{_TABLE_KEY} = "table"`.')
    found: dict[str, Chosen] = {}
    for key, value in _leaves(section):
        parts = key.split(".")
        if len(parts) != 3 or not isinstance(value, str) or not value:
            hint = f'Write {_TABLE_KEY} = "table", such as aws_cloudtrail.athena.projection = "security.trail".'
            raise UsageError(f"{where} sets {TABLES}.{key} to {value!r}.", hint=hint)
        if parts[1] not in list(EngineKind):
            near = difflib.get_close_matches(parts[1], EngineKind, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Engines are {', '.join(EngineKind)}."
            raise UsageError(f"{where} sets {TABLES}.{key}: there is no engine {parts[1]}.", hint=hint)
        found[f"{TABLES}.{key}"] = Chosen(value=value, origin=where)
    return found


def _leaves(section: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Yield each line of a section with its dotted key, whether it was written dotted, quoted or as a section of its own."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _from_environment(environment: Mapping[str, str]) -> dict[str, Chosen]:
    found: dict[str, Chosen] = {}
    for name, setting in SETTINGS.items():
        variable = f"AIBR_{name.upper()}"
        if variable in environment:
            try:
                value = setting.read(environment[variable])
            except ValueError:
                hint = setting.fault("") or f"It is about: {setting.what}"
                raise UsageError(f"The variable {variable} is {environment[variable]!r}, which is no number.", hint=hint) from None
            found[name] = Chosen(value=_faultless(name, value, f"The variable {variable}"), origin=f"variable {variable}")
    return found


def _faultless(name: str, value: Value, where: str) -> Value:
    fault = SETTINGS[name].fault(value)
    if fault:
        raise UsageError(f"{where} sets {name} to {value!r}.", hint=fault)
    return value


def _checked(name: str, value: object, where: str) -> Value:
    setting = SETTINGS.get(name)
    if setting is None:
        known = (*SETTINGS, TABLES, SOURCES, CEILINGS)
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"{where} sets the unknown key {name!r}.", hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        )
    if isinstance(setting.default, list) and isinstance(value, list):
        return [str(each) for each in value]
    if type(value) is type(setting.default) and isinstance(value, str | int):
        return _faultless(name, value, where)
    kind = {str: "a text", int: "a whole number", list: "a list of texts"}[type(setting.default)]
    raise UsageError(f"{where} sets {name} to {value!r}.", hint=f"{name} is {kind}.")

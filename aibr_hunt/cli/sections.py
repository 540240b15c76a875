"""The sections `[sources.NAME]` and `[ceilings]` of a settings file: what may stand there, and what is wrong with what does.

A credential never stands there: the clouds' own clients find those.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from aibr_hunt.errors import UsageError

SOURCES: Final = "sources"
CEILINGS: Final = "ceilings"
# Engines as configuration calls them.
ENGINES: Final = ("athena", "bigquery", "log_analytics")
PLANS: Final = ("analytics", "basic", "auxiliary")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGTP]?)(I?)B", re.IGNORECASE)
_CREDENTIAL: Final = re.compile(r"secret|passw|token|credential|(?:^|_)keys?(?:_|$)|apikey|accesskey", re.IGNORECASE)
_LOOPBACK: Final = frozenset(("127.0.0.1",))
# learn.microsoft.com/azure/azure-monitor: where Log Analytics answers in the public cloud, the US government's and China's.
_SOVEREIGN: Final = frozenset(("api.loganalytics.io", "api.loganalytics.us", "api.loganalytics.azure.cn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section.

    Attributes:
        what: What it is, in a sentence.
        kinds: Types that its value may have.
        fault: Says what would be right, where a value of such a type is wrong; empty when nothing is.
        engines: Engines that it is for; all where none is named.
        is_needed: A Source of these engines must have it.
    """

    what: str
    kinds: tuple[type, ...] = (str,)
    fault: Callable[[object], str] = lambda value: "" if value != "" else "Write a text that is not empty."
    engines: tuple[str, ...] = ()
    is_needed: bool = False


def _among(known: Iterable[str]) -> Callable[[object], str]:
    names = tuple(known)

    def fault(value: object) -> str:
        near = difflib.get_close_matches(str(value), names, n=1)
        return "" if value in names else f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(names)}."

    return fault


def _shaped(pattern: str, right: str) -> Callable[[object], str]:
    return lambda value: "" if re.fullmatch(pattern, str(value)) else right


def _above(least: float, right: str, *, is_included: bool = False) -> Callable[[object], str]:
    return lambda value: "" if isinstance(value, int | float) and (value > least or (is_included and value == least)) else right


def _fault_of_endpoint(value: object) -> str:
    url = urlsplit(str(value))
    is_ours = url.scheme in {"http", "https"} and url.hostname in _LOOPBACK
    is_ours = is_ours or (url.scheme == "https" and url.hostname in _SOVEREIGN)
    # Whoever can write this file must not be able to have tokens sent to a machine of their own.
    return "" if is_ours else f"It is an address of this machine, for tests, or one of https://{', https://'.join(sorted(_SOVEREIGN))}."


def _fault_of_size(value: object) -> str:
    return "" if size_of(value) is not None else 'Write a size such as "50GB" or "10GiB", or a whole number of bytes.'


_ATHENA, _BIGQUERY, _LOG_ANALYTICS = ENGINES
_MONEY: Final = Key(
    what="Money that may be spent, in the currency of the prices.", kinds=(int, float), fault=_above(0, "Write a number above 0.")
)

KEYS: Final[Mapping[str, Key]] = {
    "mapping": Key(what="Log source that lies there: the name of a mapping.", is_needed=True),
    "engine": Key(what="Engine that reads it: athena, bigquery or log_analytics.", fault=_among(ENGINES), is_needed=True),
    "layout": Key(what="Layout of the mapping; its first of that engine where none is named."),
    "table": Key(what="Table, dotted; the layout's usual one where none is named."),
    "region": Key(what="Region of Athena and its results.", engines=(_ATHENA,), is_needed=True),
    "account": Key(
        what="Account that pays, as evidence names it.",
        fault=_shaped(r"\d{12}", 'Write the twelve digits of an account in quotes, such as "123456789012".'),
        engines=(_ATHENA,),
        is_needed=True,
    ),
    "workgroup": Key(what="Work group of Athena.", engines=(_ATHENA,)),
    "catalog": Key(what="Data catalogue of Athena.", engines=(_ATHENA,)),
    "database": Key(what="Database of a table without one.", engines=(_ATHENA,)),
    "output": Key(
        what="Where Athena puts results; the work group's place where none is named.",
        fault=_shaped(r"s3://[^/]+/.*", "Write s3://bucket/prefix/."),
        engines=(_ATHENA,),
    ),
    "profile": Key(what="Profile of the AWS configuration.", engines=(_ATHENA,)),
    "project": Key(what="Project that runs the jobs and pays.", engines=(_BIGQUERY,), is_needed=True),
    "location": Key(what="Location of the data set.", engines=(_BIGQUERY,)),
    "workspace": Key(what="Id of the Log Analytics workspace.", engines=(_LOG_ANALYTICS,), is_needed=True),
    "plan": Key(what="Plan of the table: analytics, basic or auxiliary.", fault=_among(PLANS), engines=(_LOG_ANALYTICS,)),
    "endpoint": Key(what="Address of a sovereign cloud's Log Analytics, or of a test server.", fault=_fault_of_endpoint),
    "price_per_tib": Key(
        what="What scanning a tebibyte costs.", kinds=(int, float), fault=_above(0, "Write a number, 0 or more.", is_included=True)
    ),
    "currency": Key(what="Currency of the price.", fault=_shaped("[A-Z]{3}", "Write its three letters, such as USD.")),
    "deadline_s": Key(
        what="Seconds that one program may take, queue included.", kinds=(int, float), fault=_above(0, "Write a number of seconds above 0.")
    ),
    "at_once": Key(
        what="Programs of its account that run at once.", kinds=(int,), fault=_above(1, "Write a whole number from 1.", is_included=True)
    ),
}
_SIZE_KINDS: Final = (str, int)
CEILING_KEYS: Final[Mapping[str, Key]] = {
    "query_bytes": Key(what="Bytes that one program may scan.", kinds=_SIZE_KINDS, fault=_fault_of_size),
    "run_bytes": Key(what="Bytes that the programs of a run may scan.", kinds=_SIZE_KINDS, fault=_fault_of_size),
    "day_bytes": Key(what="Bytes that the programs of a UTC day may scan.", kinds=_SIZE_KINDS, fault=_fault_of_size),
    "run_money": _MONEY,
    "day_money": _MONEY,
}


def key_of(name: str) -> Key | None:
    """Return what stands behind the dotted name of a setting, None when it is of neither section."""
    section, _, rest = name.partition(".")
    if section == SOURCES:
        return KEYS.get(rest.rpartition(".")[2])
    return CEILING_KEYS.get(rest) if section == CEILINGS else None


def size_of(value: object) -> int | None:
    """Return the bytes that a size means, `50GB` in thousands and `50GiB` in 1024s; None for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value > 0 else None
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    number, prefix, binary = match.groups()
    power: int = (1024 if binary else 1000) ** " KMGTP".index(prefix.upper() or " ")
    return round(float(number) * power) or None


def read_sources(section: object, where: str) -> dict[str, str | int | float]:
    """Return the values of the sections `[sources.NAME]` by dotted name.

    Raises:
        UsageError: A name or a key cannot be, a value is wrong, or a credential stands there.
    """
    found: dict[str, str | int | float] = {}
    for name, keys in _map_of(section, where, SOURCES, hint="Write a section [sources.NAME] for each Source.").items():
        if not _NAME.fullmatch(name) or name == "all":
            hint = "Letters, digits, - and _ make a name; `all` stands for every Source."
            raise UsageError(f"{where} names a Source {name!r}.", hint=hint)
        place = f"{SOURCES}.{name}"
        for key, value in _map_of(keys, where, place, hint=f"[{place}] is a section of lines `key = value`.").items():
            found[f"{place}.{key}"] = _checked(key, value, KEYS, f"{where} sets {place}.{key}")
    return found


def read_ceilings(section: object, where: str) -> dict[str, str | int | float]:
    """Return the values of the section `[ceilings]` by dotted name.

    Raises:
        UsageError: A key cannot be, or a value is wrong.
    """
    keys = _map_of(section, where, CEILINGS, hint='[ceilings] is a section of lines such as `run_bytes = "50GB"`.')
    return {f"{CEILINGS}.{key}": _checked(key, value, CEILING_KEYS, f"{where} sets {CEILINGS}.{key}") for key, value in keys.items()}


def _map_of(value: object, where: str, name: str, *, hint: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} sets {name} to {value!r}.", hint=hint)
    return value


def _checked(key: str, value: object, known: Mapping[str, Key], place: str) -> str | int | float:
    found = known.get(key)
    if found is None and _CREDENTIAL.search(key):  # what it holds is not repeated
        hint = "Credentials have no place in settings: sign in as the cloud's own tools do (docs/clouds.md)."
        raise UsageError(f"{place}, which is called like a credential.", hint=hint)
    if found is None:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise UsageError(f"{place}, which is no key there.", hint=hint)
    if not isinstance(value, found.kinds) or isinstance(value, bool):
        words = {str: "a text", int: "a whole number", float: "a number"}
        kind = "a number" if float in found.kinds else " or ".join(words[each] for each in found.kinds)
        raise UsageError(f"{place} to {value!r}.", hint=f"{key} is {kind}: {found.what}")
    fault = found.fault(value)
    if fault:
        raise UsageError(f"{place} to {value!r}.", hint=fault)
    return cast("str | int | float", value)


def check_sources(values: Mapping[str, tuple[object, str]]) -> None:
    """Return when every Source has what its engine needs and nothing of another engine's.

    Args:
        values: Dotted name to value and origin, of all files together.

    Raises:
        UsageError: One has not; the message names Source, key and file.
    """
    sources: dict[str, dict[str, tuple[object, str]]] = {}
    for name, pair in values.items():
        _, source, key = name.split(".")
        sources.setdefault(source, {})[key] = pair
    for source, keys in sources.items():
        origin = next(iter(keys.values()))[1]
        engine = str(keys["engine"][0]) if "engine" in keys else ""
        for key, known in KEYS.items():
            is_for = not known.engines or engine in known.engines
            if known.is_needed and is_for and key not in keys:
                raise UsageError(f"{origin} sets no {SOURCES}.{source}.{key}.", hint=known.what)
            if key in keys and not is_for:
                other, own = " and ".join(known.engines), [name for name, each in KEYS.items() if engine in each.engines]
                hint = f"It is for {other}. A Source of {engine} takes {', '.join(own)}."
                raise UsageError(f"{keys[key][1]} sets {SOURCES}.{source}.{key}, and the Source is of {engine}.", hint=hint)

"""The catalogue: every rule, correlation and hunt in tables, by cloud and service, and how many there are of what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import binder_of, leaves
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import Keyword
from aibr_hunt.model.rule import LogSource, Rule

MappingFor = Callable[[LogSource], "LogMapping | None"]

CLOUD_NAMES: Final[Mapping[str, str]] = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
_LEVELS: Final = ("critical", "high", "medium", "low", "informational")
# Fields that hold what was asked of a model, what it answered, or what a program printed.
_CONTENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "aws_bedrock_invocation": ("prompt.", "answer.", "guardrail.", "input.inputBodyJson", "output.outputBodyJson"),
    "azure_aml_endpoint_console": ("message",),
}


class Kind(StrEnum):
    """What a rule or correlation asks."""

    SINGLE = "single event"
    CONTENT = "content"
    THRESHOLD = "threshold"
    BASELINE = "baseline"
    ORDERED = "ordered"
    TEMPORAL = "temporal"
    OPERAND = "operand"


KIND_MEANINGS: Final[Mapping[Kind, str]] = {
    Kind.SINGLE: "one event tells it",
    Kind.CONTENT: "one event tells it by the text of a prompt, an answer or a console",
    Kind.THRESHOLD: "so many events, different values, or so large a sum, average or percentile",
    Kind.BASELINE: "first seen, rare, a share or a spike: measured against what is usual",
    Kind.ORDERED: "one thing after another",
    Kind.TEMPORAL: "several things in one span, or one without the other",
    Kind.OPERAND: "makes no leads; correlations rest on it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the catalogue.

    Attributes:
        name, title, level: Of the rule or correlation.
        cloud, service: The folder that it lies in.
        kind: What it asks.
        tactics: ATT&CK tactics of its tags.
        techniques: Ids of its techniques.
        logs: Log switches that it needs, those of its operands among them.
    """

    name: str
    title: str
    level: str
    cloud: str
    service: str
    kind: Kind
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()


def entries_of(corpus: Corpus, *, mapping_for: MappingFor) -> tuple[Entry, ...]:
    """Return a row for each rule and correlation, by cloud, service and name."""
    things: dict[str, Rule | Correlation] = {thing.id: thing for thing in corpus.things}
    found = [_entry(thing, things, is_silent=thing.id in corpus.silent, mapping_for=mapping_for) for thing in things.values()]
    return tuple(sorted(found, key=lambda entry: (entry.cloud, entry.service, entry.name)))


def _entry(thing: Rule | Correlation, things: Mapping[str, Rule | Correlation], *, is_silent: bool, mapping_for: MappingFor) -> Entry:
    folders = PurePath(thing.path.rsplit(":", maxsplit=1)[-1]).parts[:-1]
    cloud, service = (*("", ""), *folders)[-2:]
    tactics = (tag.removeprefix("attack.") for tag in thing.tags if re.fullmatch(r"attack\.[a-z-]+", tag))
    return Entry(
        name=thing.name,
        title=thing.title,
        level=thing.level,
        cloud=cloud,
        service=service,
        kind=Kind.OPERAND if is_silent else kind_of(thing, mapping_for),
        tactics=tuple(tactics),
        techniques=tuple(each.id for each in thing.techniques),
        logs=tuple(dict.fromkeys(_logs(thing, things))),
    )


def kind_of(thing: Rule | Correlation, mapping_for: MappingFor) -> Kind:
    """Return what a rule or correlation asks, were it to make leads."""
    if isinstance(thing, Rule):
        return Kind.CONTENT if _reads_content(thing, mapping_for(thing.logsource)) else Kind.SINGLE
    if thing.is_baseline:
        return Kind.BASELINE
    match thing.type:
        case CorrelationType.TEMPORAL_ORDERED:
            return Kind.ORDERED
        case CorrelationType.TEMPORAL:
            return Kind.TEMPORAL
        case _:
            return Kind.THRESHOLD


def _reads_content(rule: Rule, mapping: LogMapping | None) -> bool:
    beginnings = () if mapping is None else _CONTENTS.get(mapping.name, ())
    if not beginnings:
        return False
    binder = binder_of(mapping)
    names = [leaf.field for leaf in leaves(rule.predicate) if not isinstance(leaf, Keyword)]
    try:
        return any(binder.field(name).key.startswith(beginnings) for name in names)
    except Unsupported:
        return False


def _logs(thing: Rule | Correlation, things: Mapping[str, Rule | Correlation]) -> Iterator[str]:
    yield from thing.requires
    if isinstance(thing, Correlation):
        for source in thing.sources:
            yield from _logs(things[source.id], things)


def counts_of(entries: Iterable[Entry], hunts: Sequence[Hunt]) -> dict[str, dict[str, int]]:
    """Return how many there are: of all, by cloud, by kind, by level, by tactic and by service; tactics and services without operands."""
    entries = tuple(entries)
    told = [entry for entry in entries if entry.kind is not Kind.OPERAND]
    tactics = Counter(tactic for entry in told for tactic in set(entry.tactics))
    return {
        "all": {"rules and correlations": len(entries), "that make leads": len(told), "hunts": len(hunts)},
        "cloud": _counted(entry.cloud for entry in entries),
        "kind": {kind.value: sum(entry.kind is kind for entry in entries) for kind in Kind},
        "level": {level: sum(entry.level == level for entry in told) for level in _LEVELS},
        "tactic": dict(sorted(tactics.items(), key=lambda pair: (-pair[1], pair[0]))),
        "service": _counted(f"{entry.cloud}/{entry.service}" for entry in told),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def catalogue_text(entries: Sequence[Entry], hunts: Sequence[Hunt], *, command: str) -> str:
    """Return the page in Markdown: counts, a table for each service, hunts.

    Args:
        entries: The rows, sorted.
        hunts: The hunts.
        command: What writes the page anew.
    """
    return "\n".join([*_head(command), *_figures(counts_of(entries, hunts)), *_tables(entries), *_hunt_table(hunts), ""])


def _head(command: str) -> Iterator[str]:
    yield "# Catalogue"
    yield ""
    yield f"Written by `{command}`; a test holds it in step with `rules/` and `hunts/`."
    yield ""
    yield "`aibr-hunt rules show shipped:NAME` tells what one of them means and needs, `rules list --count` prints the figures."
    yield "Levels say how a lead is to be met; what serves correlations alone (operands) makes no leads and is named below each table."
    yield ""


def _figures(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "## How many"
    yield ""
    whole = counts["all"]
    things, told = whole["rules and correlations"], whole["that make leads"]
    yield f"{things:,} rules and correlations, of which {told:,} make leads; {whole['hunts']:,} hunts."
    yield ""
    kinds = {str(kind): what for kind, what in KIND_MEANINGS.items()}
    yield from _table(("kind", "what it asks", "number"), [(kind, kinds[kind], f"{number:,}") for kind, number in counts["kind"].items()])
    for name in ("cloud", "level", "tactic"):
        cells = [(CLOUD_NAMES.get(what, what), f"{number:,}") for what, number in counts[name].items()]
        yield from _table((name if name == "cloud" else f"{name} (of leads)", "number"), cells)


def _tables(entries: Sequence[Entry]) -> Iterator[str]:
    for cloud in dict.fromkeys(entry.cloud for entry in entries):
        yield f"## {CLOUD_NAMES.get(cloud, cloud)}"
        yield ""
        mine = [entry for entry in entries if entry.cloud == cloud]
        for service in dict.fromkeys(entry.service for entry in mine):
            yield from _service(service, [entry for entry in mine if entry.service == service])


def _service(service: str, entries: Sequence[Entry]) -> Iterator[str]:
    told = [entry for entry in entries if entry.kind is not Kind.OPERAND]
    yield f"### {service}"
    yield ""
    rows = [
        (f"`{entry.name}`", entry.title, entry.level, entry.kind.value, " ".join(entry.techniques), " ".join(entry.logs))
        for entry in sorted(told, key=lambda entry: (_rank(entry.level), entry.name))
    ]
    if rows:
        yield from _table(("name", "title", "level", "kind", "techniques", "logs"), rows)
    operands = [f"`{entry.name}`" for entry in entries if entry.kind is Kind.OPERAND]
    if operands:
        yield f"Operands: {', '.join(operands)}."
        yield ""


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _hunt_table(hunts: Sequence[Hunt]) -> Iterator[str]:
    yield "## Hunts"
    yield ""
    yield from _table(("name", "hypothesis"), [(f"`{hunt.name}`", hunt.hypothesis) for hunt in hunts])


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())

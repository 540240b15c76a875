"""Packs: rules and correlations as files that a cloud deploys and runs by itself, with a manifest of what is in them and what is not.

This stands in `hunt` because it needs the compiler, the mappings and the meaning digests, and tells nothing of a run, as `report` does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from aibr_hunt import __version__
from aibr_hunt.compile.correlation_plan import Sources, rules_below
from aibr_hunt.compile.correlations import scheduled_query
from aibr_hunt.compile.program import Asking, whole_query
from aibr_hunt.content.cache import write_whole
from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.errors import AibrError, Unsupported, UsageError
from aibr_hunt.hunt import deploy_athena, deploy_bigquery, deploy_sentinel
from aibr_hunt.hunt.deploy_parts import Artefact, Deployment, Prepared, Refused, plain_json, stems_of
from aibr_hunt.hunt.deploy_readme import NOT_IN_PACK, readme
from aibr_hunt.meaning import MEANING_VERSION
from aibr_hunt.meaning.correlations import correlation_digest
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model import mapping as mapping_model
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.query import Last
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.technique import Tactic

ENGINES: Final = (EngineKind.KQL, EngineKind.BIGQUERY, EngineKind.ATHENA)
MANIFEST: Final = "pack.json"
_TABLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.*$@:-]{0,1023}")
_GENERAL: Final = (
    "The program stands alone: nothing matches its rows again, so that what it takes for granted must hold in your tables.",
    "It was not run on a live account.",
)

_OF_WINDOWS: Final = (
    "Runs start in every hour in which they are due; one that is left out, or that starts an hour late, leaves a hole.",
    "The table is complete over all that is read: what is missing in it counts as not having happened.",
)

MappingOf = Callable[[Rule], mapping_model.Mapping | None]
TableOf = Callable[[mapping_model.Mapping, Layout], str]


def _usual_table(_: mapping_model.Mapping, layout: Layout) -> str:
    return layout.table


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What was asked for, and what came of it.

    Attributes:
        asked: The request.
        prepared: The rules and correlations that are deployed, by the names of their files.
        artefacts: The files, manifest included as the last.
        refused: The rules that are not.
    """

    asked: Deployment
    prepared: tuple[Prepared, ...]
    artefacts: tuple[Artefact, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a pack is made from.

    Attributes:
        rules: The rules that were asked for.
        unread: What could not be read: where, and why.
        correlations: Correlations that were asked for.
        sources: Every rule and correlation that these rest on, by id.
        mapping_of: Gives a rule's log source, None when there is none.
        mappings: Every mapping in force: they say what log switches are.
        catalogue: Gives tactics their order.
        table_of: Gives the table that a layout reads here; the layout's own when nobody says otherwise.
    """

    rules: Sequence[Rule]
    unread: Sequence[tuple[str, AibrError]]
    mapping_of: MappingOf
    mappings: Sequence[mapping_model.Mapping]
    catalogue: Catalogue
    correlations: Sequence[Correlation] = ()
    sources: Sources = field(default_factory=dict)
    table_of: TableOf = _usual_table


def make_pack(content: Content, asked: Deployment) -> Pack:
    """Return the pack of the rules; the same content gives the same bytes, whatever the order in which it was named.

    Raises:
        UsageError: The layout is none of the engine's, or the table's name cannot be one or would serve several layouts.
    """
    _check(content, asked)
    refused = [Refused(rule=where, name=where, reason=str(error), is_unread=True) for where, error in content.unread]
    prepared: list[Prepared] = []
    things: tuple[Rule | Correlation, ...] = (*content.rules, *content.correlations)
    stems = stems_of(things)
    for rule in sorted(things, key=lambda each: stems[each.id]):
        try:
            found = _prepare(rule, stems[rule.id], content=content, asked=asked)
        except AibrError as error:
            # Without the hint: it names options of other commands.
            refused.append(Refused(rule=rule.id, name=rule.name, reason=error.what))
            continue
        fault = _fault_of(found, asked)
        if fault:
            refused.append(Refused(rule=rule.id, name=rule.name, reason=fault))
        else:
            prepared.append(found)
    _check_table(prepared, asked)
    refused.sort(key=lambda each: (each.name, each.rule))
    files = sorted(_artefacts(prepared, asked), key=lambda each: each.path)
    files.append(Artefact(path="README.md", content=readme(prepared, refused, asked).encode()))
    manifest = _manifest(prepared, refused, files, content=content, asked=asked)
    files.append(Artefact(path=MANIFEST, content=plain_json(manifest)))
    return Pack(asked=asked, prepared=tuple(prepared), artefacts=tuple(files), refused=tuple(refused))


def check_folder(folder: Path) -> None:
    """Return when a pack can be written there.

    Raises:
        UsageError: Something is there already.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        what = "is not empty" if folder.is_dir() else "is no folder"
        raise UsageError(f"{folder} {what}.", hint="Name a folder that is new or empty: a pack holds nothing but its own files.")


def write_pack(pack: Pack, folder: Path) -> None:
    """Leave the pack in a new or empty folder, each file whole, the manifest last: a folder without it is no pack.

    Raises:
        UsageError: Something is there already.
        OSError: A file cannot be written.
    """
    check_folder(folder)
    for artefact in pack.artefacts:
        write_whole(folder.joinpath(*artefact.path.split("/")), artefact.content)


def _check(content: Content, asked: Deployment) -> None:
    if asked.table and not _TABLE.fullmatch(asked.table):
        raise UsageError(f"--table {asked.table} is no name of a table.", hint="Write it dotted and without quotes.")
    known = sorted({layout.name for mapping in content.mappings for layout in mapping.layouts if layout.engine is asked.engine})
    if asked.layout and asked.layout not in known:
        raise UsageError(f"{asked.engine.value} has no layout {asked.layout}.", hint=f"Layouts are {', '.join(known)}.")


def _check_table(prepared: Sequence[Prepared], asked: Deployment) -> None:
    used = sorted({f"{each.mapping.name} {each.layout.label}" for each in prepared})
    if asked.table and len(used) > 1:
        raise UsageError(f"--table would serve {len(used)} layouts: {', '.join(used)}.", hint="Write a pack for each log source.")


def _layout_of(rule: Rule, mapping: mapping_model.Mapping, *, content: Content, asked: Deployment) -> Layout:
    layouts = [layout for layout in mapping.layouts if layout.engine is asked.engine]
    found = next((layout for layout in layouts if asked.layout in {"", layout.name}), None)
    if found is None:
        wanted = f"{asked.engine.value}/{asked.layout}" if asked.layout else asked.engine.value
        known = ", ".join(layout.label for layout in mapping.layouts) or "none"
        raise Unsupported(f"log source {rule.logsource} on {wanted}", f"its layouts are {known}.")
    table = asked.table or content.table_of(mapping, found)
    if not _TABLE.fullmatch(table):
        raise UsageError(f"{table} is no name of a table for {found.label}.", hint="Write it dotted and without quotes.")
    return replace(found, table=table)


def _prepare(rule: Rule | Correlation, stem: str, *, content: Content, asked: Deployment) -> Prepared:
    if isinstance(rule, Correlation):
        return _prepare_windows(rule, stem, content=content, asked=asked)
    mapping = _mapping_of(rule, content, asked)
    layout = _layout_of(rule, mapping, content=content, asked=asked)
    span = Last(hours=asked.every_hours + -(-layout.settle_s // 3600))
    meaning = meaning_digest(rule, mapping)
    asking = Asking(locator=Locator(mapping, layout), span=span, meanings={rule.id: meaning})
    query = whole_query([replace(rule, title=_inert(rule.title))], asking)
    return Prepared(rule=rule, mapping=mapping, query=query, meaning=meaning, stem=stem, tactics=tactics_of(rule, content.catalogue))


def _inert(title: str) -> str:
    """Return a title as a comment holds it, where CloudFormation too would resolve references."""
    return title.replace("{{", "{ {")


def _mapping_of(rule: Rule, content: Content, asked: Deployment) -> mapping_model.Mapping:
    mapping = content.mapping_of(rule)
    if mapping is None:
        raise Unsupported(f"log source {rule.logsource} on {asked.engine.value}", "no mapping says where it lies.")
    return mapping


def _prepare_windows(found: Correlation, stem: str, *, content: Content, asked: Deployment) -> Prepared:
    rules = rules_below(found, content.sources)
    mappings = {mapping.name: mapping for mapping in (_mapping_of(rule, content, asked) for rule in rules)}
    if len(mappings) > 1:
        raise Unsupported(f"correlation {found.name} as one query", f"its rules lie in {', '.join(sorted(mappings))}.")
    mapping = next(iter(mappings.values()))
    layout = _layout_of(rules[0], mapping, content=content, asked=asked)
    digests = {rule.id: meaning_digest(rule, mapping) for rule in rules}
    asking = Asking(locator=Locator(mapping, layout), span=Last(hours=asked.every_hours), meanings=digests)
    scheduled = scheduled_query(replace(found, title=_inert(found.title)), content.sources, asking)
    return Prepared(
        rule=found,
        mapping=mapping,
        query=scheduled.query,
        meaning=_meaning_of(found, content.sources, digests, mapping=mapping),
        stem=stem,
        tactics=tactics_of(found, content.catalogue),
        scheduled=scheduled,
        below=tuple((rule, digests[rule.id]) for rule in rules),
        group=tuple(_paths_of(found, each.name, sources=content.sources, locator=asking.locator) for each in found.group_by),
    )


def _meaning_of(found: Correlation, sources: Sources, digests: Mapping[str, str], *, mapping: mapping_model.Mapping) -> str:
    """Return the meaning digest of a correlation: those below it come first."""
    known = dict(digests)
    for each in found.sources:
        source = sources[each.id]
        if isinstance(source, Correlation):
            known[source.id] = _meaning_of(source, sources, digests, mapping=mapping)
    return correlation_digest(found, digests=known, mappings=dict.fromkeys(digests, mapping))


def _paths_of(found: Correlation, name: str, *, sources: Sources, locator: Locator) -> frozenset[mapping_model.FieldPath]:
    """Return where the rules below a correlation have what it groups by under a name."""
    key = next(each for each in found.group_by if each.name == name)
    paths: set[mapping_model.FieldPath] = set()
    for operand in found.sources:
        source, own_name = sources[operand.id], key.of(operand.name)
        if isinstance(source, Correlation):
            paths |= _paths_of(source, own_name, sources=sources, locator=locator)
        else:
            paths.update(locator.binder.field(own_name).paths)
    return frozenset(paths)


def tactics_of(rule: Rule | Correlation, catalogue: Catalogue) -> tuple[Tactic, ...]:
    """Return the ATT&CK tactics of a rule: those in its tags, and all of a technique that serves none of them."""
    tagged = {tactic.id for tag in rule.tags if (tactic := catalogue.tactic(tag)) is not None}
    wanted = set(tagged)
    for technique in rule.techniques:
        if not tagged.intersection(technique.tactics):
            wanted.update(technique.tactics)
    return tuple(tactic for tactic in catalogue.tactics_of("attack") if tactic.id in wanted)


def _fault_of(prepared: Prepared, asked: Deployment) -> str:
    match asked.engine:
        case EngineKind.KQL:
            return deploy_sentinel.fault_of(prepared, asked)
        case EngineKind.BIGQUERY:
            return deploy_bigquery.fault_of(prepared)
        case _:
            return deploy_athena.fault_of(prepared)


def _artefacts(prepared: Sequence[Prepared], asked: Deployment) -> list[Artefact]:
    match asked.engine:
        case EngineKind.KQL:
            return [artefact for each in prepared for artefact in deploy_sentinel.artefacts(each, asked)]
        case EngineKind.BIGQUERY:
            own = [artefact for each in prepared for artefact in deploy_bigquery.artefacts(each, asked)]
            return [*own, *deploy_bigquery.common(prepared)]
        case _:
            own = [artefact for each in prepared for artefact in deploy_athena.artefacts(each)]
            return [*own, *deploy_athena.common(prepared)]


def text_of(prepared: Prepared, asked: Deployment) -> str:
    """Return the program as the engine's main artefact holds it."""
    texts: Mapping[EngineKind, Callable[[Prepared], str]] = {
        EngineKind.KQL: partial(deploy_sentinel.text_of, asked=asked),
        EngineKind.BIGQUERY: deploy_bigquery.text_of,
    }
    return texts[asked.engine](prepared) if asked.engine in texts else prepared.query.text


def _manifest(
    prepared: Sequence[Prepared], refused: Sequence[Refused], files: Sequence[Artefact], *, content: Content, asked: Deployment
) -> dict[str, object]:
    required = {switch for each in prepared for switch in each.requires}
    switches = {switch.id: switch for mapping in content.mappings for switch in mapping.switches if switch.id in required}
    return {
        "format": 1,
        "tool": {"name": "aibr_hunt", "version": __version__, "meaning_version": MEANING_VERSION},
        "engine": asked.engine.value,
        "every_hours": asked.every_hours,
        "rules": [_told(each, files, asked) for each in prepared],
        "refused": [{"rule": each.rule, "name": each.name, "reason": each.reason, "could_be_read": not each.is_unread} for each in refused],
        "log_switches": [
            {"id": each.id, "on_by_default": each.is_on_by_default, "what": each.what, "how": each.how}
            for each in (switches[id_] for id_ in sorted(switches))
        ],
        "log_switches_unknown": sorted(required - set(switches)),
        "not_in_pack": list(NOT_IN_PACK[asked.engine]),
        "catalogues": dict(sorted(content.catalogue.versions.items())),
        "files": [{"path": each.path, "sha256": each.digest, "bytes": len(each.content)} for each in files],
    }


def _told(prepared: Prepared, files: Sequence[Artefact], asked: Deployment) -> dict[str, object]:
    rule = prepared.rule
    techniques = [{"framework": each.framework, "id": each.id, "name": each.name, "version": each.version} for each in rule.techniques]
    return {
        "id": rule.id,
        "deployed_as": prepared.guid,
        "name": rule.name,
        "title": rule.title,
        "level": rule.level,
        "status": rule.status,
        "text_sha256": rule.text_digest,
        "meaning_sha256": prepared.meaning,
        "query_sha256": hashlib.sha256(text_of(prepared, asked).encode()).hexdigest(),
        "layout": prepared.layout.label,
        "table": prepared.layout.table,
        "type": rule.type.value if isinstance(rule, Correlation) else "rule",
        "rests_on": [{"id": each.id, "text_sha256": each.text_digest, "meaning_sha256": digest} for each, digest in prepared.below],
        "look_back_hours": prepared.hours,
        "settle_s": prepared.layout.settle_s,
        "held_back_s": prepared.scheduled.held_us // 1_000_000 if prepared.scheduled else 0,
        "techniques": techniques,
        "tactics": [{"id": tactic.id, "name": tactic.name} for tactic in prepared.tactics],
        "requires": list(prepared.requires),
        "assumptions": [*prepared.query.assumptions, *_GENERAL, *(_OF_WINDOWS if prepared.scheduled else ())],
        "notes": list(prepared.layout.notes),
        "filters": list(prepared.filters),
        "falsepositives": list(rule.falsepositives),
        "synthetic": rule.synthetic,
        "files": [each.path for each in files if rule.id in each.rules],
    }

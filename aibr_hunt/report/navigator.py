"""Layers for the ATT&CK Navigator, and for the ATLAS Navigator, in layer format 4.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.target import TIER_NAMES, TargetRow
from aibr_hunt.model.event import Json
from aibr_hunt.model.technique import Framework, Technique
from aibr_hunt.report.techniques import Covered, KnownRule, Scope, TechniqueCoverage
from aibr_hunt.report.words import plural

LAYER_VERSION: Final = "4.5"
_NAVIGATOR: Final = "5.1.0"
_DOMAINS: Final[Mapping[Framework, str]] = {"attack": "enterprise-attack", "atlas": "atlas-atlas"}
_TITLES: Final[Mapping[Framework, str]] = {"attack": "ATT&CK", "atlas": "ATLAS"}
_RULES_NAMED: Final = 40
SCORES: Final[Mapping[str, int]] = {"tested": 100, "written": 50, "blind": 25, "no rule": 0}
COLOURS: Final[Mapping[str, str]] = {
    "tested": "#3f9c6d",
    "written": "#e3c24f",
    "blind": "#c86b85",
    "no rule": "#ffffff",
    "not observable": "#9aa2ae",
    "not classified": "#d8dce3",
}


def navigator_layer(coverage: TechniqueCoverage, catalogue: Catalogue, framework: Framework, *, scope: Scope = "all") -> dict[str, Json]:
    """Return one layer: scores and comments name the rules, metadata the versions.

    Args:
        coverage: What rules cover.
        catalogue: The catalogues in force: their versions stand in the layer.
        framework: Which catalogue.
        scope: One cloud, or all together.
    """
    version = catalogue.versions[framework]
    where = "all clouds" if scope == "all" else scope
    return {
        "name": f"aibr_hunt: {_TITLES[framework]} {version}, {where}",
        "versions": _versions(version, framework),
        "domain": _DOMAINS[framework],
        "description": _description(coverage, framework, where),
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "showAggregateScores": False},
        "hideDisabled": False,
        "techniques": list(_techniques(coverage, framework, scope)),
        "gradient": {"colors": [COLOURS["no rule"], COLOURS["written"], COLOURS["tested"]], "minValue": 0, "maxValue": 100},
        "legendItems": [{"label": label, "color": colour} for label, colour in COLOURS.items()],
        "metadata": [
            # The ATLAS Navigator reads the version of its catalogue under this name; the layer's own key is ATT&CK's.
            {"name": "attack_version" if framework == "attack" else "atlas_data_version", "value": version},
            {"name": "classification", "value": coverage.target.version},
            {"name": "rules", "value": str(len(coverage.rules))},
        ],
        "showTacticRowBackground": False,
        "tacticRowBackground": "#dddddd",
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _versions(version: str, framework: Framework) -> dict[str, Json]:
    versions: dict[str, Json] = {"navigator": _NAVIGATOR, "layer": LAYER_VERSION}
    return versions | {"attack": version.split(".", 1)[0]} if framework == "attack" else versions


def _description(coverage: TechniqueCoverage, framework: Framework, where: str) -> str:
    cells = [cell for cell in coverage.cells["all"] if cell.row.technique.framework == framework]
    return (
        f"Techniques that rules of aibr_hunt find in {where}. Score 100: a rule whose cases hit; 50: a rule without such cases; "
        "25: rules whose logs are off; 0: no rule. Grey: not observable in logs of AI services, or not classified. "
        f"{len(cells)} of the classified techniques are observable. "
        "A rule for a technique is no promise that every way of doing it is found."
    )


def _techniques(coverage: TechniqueCoverage, framework: Framework, scope: Scope) -> Sequence[dict[str, Json]]:
    rows = [_observable(cell) for cell in coverage.cells[scope] if cell.row.technique.framework == framework]
    held = {str(row["techniqueID"]) for row in rows}
    rows += [
        _unlit(cell.row.technique, "not observable", f"The classification names no event of {scope} for it.")
        for cell in coverage.cells["all"]
        if cell.row.technique.framework == framework and cell.row.technique.id not in held
    ]
    for row, rules in coverage.unobservable:
        if row.technique.framework == framework:
            rows.append(_unlit(row.technique, "not observable", _unobservable_text(row, rules)))
    for technique, rules in coverage.unclassified:
        if technique.framework == framework:
            named = f" {_named(rules)}" if rules else ""
            rows.append(_unlit(technique, "not classified", f"Nobody has classified it yet.{named}"))
    return sorted(rows, key=lambda row: str(row["techniqueID"]))


def _observable(cell: Covered) -> dict[str, Json]:
    state = "blind" if cell.is_blind else cell.standing.value
    return {
        "techniqueID": cell.row.technique.id,
        "score": SCORES[state],
        "color": COLOURS[state],
        "comment": _comment(cell, state),
        "enabled": True,
        "metadata": [
            {"name": "tier", "value": f"{cell.row.log_class.value}, {TIER_NAMES[cell.row.log_class]}"},
            {"name": "state", "value": state},
            {"name": "leads", "value": str(cell.leads)},
        ],
        "links": [],
        "showSubtechniques": "." in cell.row.technique.id.removeprefix("AML."),
    }


def _comment(cell: Covered, state: str) -> str:
    parts = [_named(cell.rules) if cell.rules else "No rule."]
    if state == "blind":
        parts.append("Their logs are off.")
    if cell.leads:
        parts.append(f"{plural(cell.leads, 'lead')} on record.")
    if cell.row.note:
        parts.append(f"Note: {cell.row.note}.")
    return " ".join(parts)


def _named(rules: Sequence[KnownRule]) -> str:
    names = [rule.name if rule.is_tested else f"{rule.name} (not tested)" for rule in rules[:_RULES_NAMED]]
    more = f" and {len(rules) - _RULES_NAMED} more" if len(rules) > _RULES_NAMED else ""
    return f"{plural(len(rules), 'rule')}: {', '.join(names)}{more}."


def _unobservable_text(row: TargetRow, rules: Sequence[KnownRule]) -> str:
    note = f" {row.note}." if row.note else ""
    named = f" Rules name it all the same, {_named(rules)}" if rules else ""
    return f"Class {row.log_class.value}: {TIER_NAMES[row.log_class]}.{note}{named}"


def _unlit(technique: Technique, state: str, comment: str) -> dict[str, Json]:
    return {
        "techniqueID": technique.id,
        "color": COLOURS[state],
        "comment": comment,
        "enabled": state == "not classified",
        "metadata": [{"name": "state", "value": state}],
        "links": [],
        "showSubtechniques": False,
    }

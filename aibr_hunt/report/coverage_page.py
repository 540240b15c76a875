"""Coverage of techniques as one page: tiers, heat maps, case studies, in HTML that needs nothing else and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aibr_hunt.content.catalogue import FRAMEWORKS, Catalogue
from aibr_hunt.content.target import TIER_NAMES, LogClass
from aibr_hunt.model.technique import Framework, Tactic, Technique
from aibr_hunt.report import html, markdown
from aibr_hunt.report.matrix import NOTICES, TITLES
from aibr_hunt.report.studies import Answer, StudyAnswer, count_answers
from aibr_hunt.report.techniques import SCOPES, KnownRule, Scope, TechniqueCoverage, TierFigures

_SIGNS: Final[Mapping[str, str]] = {
    "tested": "\u25cf",
    "written": "\u25d0",
    "blind": "\u25cc",
    "no rule": "\u25cb",
    "not observable": "\u2013",
    "not classified": "?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One technique under one tactic of a heat map; `state` is one of the words of the legend."""

    technique: Technique
    state: str
    log_class: str
    rules: tuple[KnownRule, ...]
    leads: int
    note: str

    @property
    def sign(self) -> str:
        """A sign that stands for the state beside its colour."""
        return _SIGNS[self.state]

    @property
    def css(self) -> str:
        """The state as a class of the style sheet."""
        return self.state.replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatColumn:
    """One tactic with its techniques by id."""

    tactic: Tactic
    cells: tuple[HeatCell, ...]

    @property
    def tested(self) -> int:
        """Techniques of the column that are tested."""
        return sum(cell.state == "tested" for cell in self.cells)

    @property
    def observable(self) -> int:
        """Techniques of the column that logs can show."""
        return sum(cell.state not in {"not observable", "not classified"} for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One catalogue."""

    framework: Framework
    title: str
    version: str
    columns: tuple[HeatColumn, ...]
    notice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePage:
    """All that the page shows.

    Attributes:
        scope: What the heat maps and case studies are of.
        figures: Counts of every tier in every scope.
        unlit: Counts of techniques by why no tier counts them.
        answers: The case studies; `answer_counts`: how many have each answer.
    """

    made_at: datetime
    tool_version: str
    scope: Scope
    coverage: TechniqueCoverage
    figures: tuple[TierFigures, ...]
    maps: tuple[HeatMap, ...]
    unlit: tuple[tuple[str, int], ...]
    answers: tuple[StudyAnswer, ...]
    answer_counts: Mapping[Answer, int]
    studies_version: str
    signs: Mapping[str, str]

    @property
    def where(self) -> str:
        """The scope in words."""
        return "all clouds" if self.scope == "all" else self.scope


def build_coverage_page(  # noqa: PLR0913 - the parts of one page
    coverage: TechniqueCoverage,
    catalogue: Catalogue,
    answers: Sequence[StudyAnswer],
    *,
    scope: Scope,
    studies_version: str,
    made_at: datetime,
    tool_version: str,
) -> CoveragePage:
    """Return the view that both forms share; equal coverage gives equal views."""
    counts = {log_class: sum(row.log_class is log_class for row, _ in coverage.unobservable) for log_class in LogClass}
    return CoveragePage(
        made_at=made_at,
        tool_version=tool_version,
        scope=scope,
        coverage=coverage,
        figures=coverage.figures(SCOPES if scope == "all" else (scope,)),
        maps=tuple(_map(coverage, catalogue, framework, scope=scope) for framework in FRAMEWORKS),
        unlit=(
            (f"not observable, {TIER_NAMES[LogClass.ELSEWHERE]} (X)", counts[LogClass.ELSEWHERE]),
            (f"not observable, {TIER_NAMES[LogClass.NOWHERE]} (N)", counts[LogClass.NOWHERE]),
            ("not classified yet", len(coverage.unclassified)),
        ),
        answers=tuple(answers),
        answer_counts=count_answers(answers),
        studies_version=studies_version,
        signs=_SIGNS,
    )


def render_coverage_html(page: CoveragePage) -> str:
    """Return the page as one HTML file: no script, no font, no image, no network."""
    return html.page_environment().get_template("coverage.html.j2").render(page=page, tiers=TIER_NAMES)


def render_coverage_markdown(page: CoveragePage) -> str:
    """Return the page in GitHub's Markdown."""
    text = markdown.page_environment().get_template("coverage.md.j2").render(page=page, tiers=TIER_NAMES)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _map(coverage: TechniqueCoverage, catalogue: Catalogue, framework: Framework, *, scope: Scope) -> HeatMap:
    cells = [cell for cell in _heat_cells(coverage, scope) if cell.technique.framework == framework]
    columns = [
        HeatColumn(tactic=tactic, cells=tuple(sorted((c for c in cells if tactic.id in c.technique.tactics), key=lambda c: c.technique.id)))
        for tactic in catalogue.tactics_of(framework)
    ]
    return HeatMap(
        framework=framework,
        title=TITLES[framework],
        version=catalogue.versions[framework],
        columns=tuple(column for column in columns if column.cells),
        notice=NOTICES[framework],
    )


def _heat_cells(coverage: TechniqueCoverage, scope: Scope) -> Iterable[HeatCell]:
    shown = {cell.row.tag: cell for cell in coverage.cells[scope]}
    for each in coverage.cells["all"]:
        cell, row = shown.get(each.row.tag), each.row
        state = "not observable" if cell is None else "blind" if cell.is_blind else cell.standing.value
        note = row.note if cell is not None else f"no event of {scope} is known for it"
        rules, leads = ((), 0) if cell is None else (cell.rules, cell.leads)
        yield HeatCell(technique=row.technique, state=state, log_class=row.log_class.value, rules=rules, leads=leads, note=note)
    for row, rules in coverage.unobservable:
        yield HeatCell(technique=row.technique, state="not observable", log_class=row.log_class.value, rules=rules, leads=0, note=row.note)
    for technique, rules in coverage.unclassified:
        yield HeatCell(technique=technique, state="not classified", log_class="", rules=rules, leads=0, note="")

"""Case studies of ATLAS against the rules: would we have seen it, with which logs, and why not. Pure.

The answer is one about techniques: a rule with cases that hit exists for them. Nobody has replayed the incident's own events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aibr_hunt.content.case_studies import CaseStudies, CaseStudy
from aibr_hunt.content.catalogue import tag_of
from aibr_hunt.content.target import LogClass, Target
from aibr_hunt.model.technique import Technique
from aibr_hunt.report.techniques import Covered, KnownRule, Scope, Standing, TechniqueCoverage
from aibr_hunt.report.words import listed, plural


class Answer(StrEnum):
    """Would we have seen it?"""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStep:
    """One technique of a case study.

    Attributes:
        log_class: Where it shows; None when nobody has classified it.
        cell: What covers it; None when it is not observable, or not in the scope.
    """

    technique: Technique
    log_class: LogClass | None
    cell: Covered | None

    @property
    def rules(self) -> tuple[KnownRule, ...]:
        """The tested rules that can see it."""
        found = () if self.cell is None else self.cell.rules
        blind = frozenset[str]() if self.cell is None else self.cell.blind_rules
        return tuple(rule for rule in found if rule.is_tested and rule.id not in blind)

    @property
    def state(self) -> str:
        """How it stands, in a few words."""
        if self.rules:
            return "tested"
        if self.cell is not None and self.cell.rules:
            return "blind" if self.cell.is_blind else "written"
        if self.log_class is None:
            return "not classified"
        return Standing.NONE.value if self.log_class.is_observable else "not observable"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnswer:
    """One case study with its answer.

    Attributes:
        steps: Its techniques in order.
        logs: Log sources of the rules that would have seen it.
        switches: Log switches that these rules need.
    """

    study: CaseStudy
    answer: Answer
    why: str
    steps: tuple[StudyStep, ...]
    logs: tuple[str, ...]
    switches: tuple[str, ...]

    @property
    def rules(self) -> tuple[KnownRule, ...]:
        """The rules that would have seen some of it, by name."""
        found = {rule.id: rule for step in self.steps for rule in step.rules}
        return tuple(sorted(found.values(), key=lambda rule: rule.name))


def judge_studies(studies: CaseStudies, coverage: TechniqueCoverage, *, scope: Scope = "all") -> tuple[StudyAnswer, ...]:
    """Return the answer to every case study, in the catalogue's order.

    Args:
        studies: The case studies.
        coverage: What rules cover, and what the user's logs can show.
        scope: One cloud, or all together.
    """
    cells = {cell.row.tag: cell for cell in coverage.cells[scope]}
    return tuple(
        _judge(study, [_step(each, coverage.target, cells.get(tag_of(each))) for each in study.techniques]) for study in studies.studies
    )


def count_answers(answers: Iterable[StudyAnswer]) -> dict[Answer, int]:
    """Return how many case studies have each answer, none left out."""
    found = [each.answer for each in answers]
    return {answer: found.count(answer) for answer in Answer}


def _step(technique: Technique, target: Target, cell: Covered | None) -> StudyStep:
    row = target.rows.get(tag_of(technique))
    return StudyStep(technique=technique, log_class=None if row is None else row.log_class, cell=cell)


def _judge(study: CaseStudy, steps: Sequence[StudyStep]) -> StudyAnswer:
    observable = [step for step in steps if step.log_class is not None and step.log_class.is_observable]
    caught = [step for step in observable if step.rules]
    answer = Answer.NO if not caught else Answer.YES if len(caught) == len(observable) else Answer.PARTLY
    rules = [rule for step in caught for rule in step.rules]
    return StudyAnswer(
        study=study,
        answer=answer,
        why=_why(steps, observable, missed=[step for step in observable if not step.rules]),
        steps=tuple(steps),
        logs=tuple(sorted({source for rule in rules for source in rule.sources})),
        switches=tuple(sorted({switch for rule in rules for switch in rule.requires})),
    )


def _why(steps: Sequence[StudyStep], observable: Sequence[StudyStep], *, missed: Sequence[StudyStep]) -> str:
    if not observable:
        return f"None of its {plural(len(steps), 'technique')} shows in logs of AI services."
    parts = [f"{len(observable) - len(missed)} of {plural(len(observable), 'observable technique')} with a tested rule"]
    for state in (Standing.NONE.value, "written", "blind"):
        ids = [step.technique.id for step in missed if step.state == state]
        if ids:
            parts.append(f"{_STATES[state]}: {listed(ids)}")
    hidden = len(steps) - len(observable)
    if hidden:
        parts.append(f"{hidden} of {plural(len(steps), 'technique')} not observable")
    return f"{'; '.join(parts)}."


_STATES = {Standing.NONE.value: "no rule", "written": "a rule without cases that hit", "blind": "log off"}

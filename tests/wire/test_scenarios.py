"""The missions' hunts over clouds, through each cloud's own client, and over files with the same events: the same leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from aibr_hunt.compile.pack import pack
from aibr_hunt.compile.program import Asking
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.hunts import load_hunt
from aibr_hunt.content.incidents import Incident, Known, incidents_path, load_incidents
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.correlate.reach import needed_span
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import AibrError
from aibr_hunt.hunt.covered import us_of
from aibr_hunt.hunt.run import Outcome
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import JobState
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.model.query import Form
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from aibr_hunt.testing.placing import START_US, dated
from tests.built_in import LIBRARY
from tests.unit.run_samples import run
from tests.wire.estates import MAPPINGS, Events, Plan, estate, hours_around, quiet, request, rows_of, write

_TABLES: Final = (
    "azure_acr",
    "azure_activitylogs",
    "azure_aml_endpoint_console",
    "azure_aml_run_status",
    "azure_storage_blob",
    "azure_vnetflow",
)
_AZURE: Final = dict.fromkeys(_TABLES, ("kql/log_analytics",))
_BY_LOG: Final = ("bigquery/export_activity", "bigquery/export_data_access")
OWN: Final = Plan(
    name="own",
    layouts={
        "aws_cloudtrail": ("athena/projection",),
        "aws_bedrock_invocation": ("athena/projection",),
        "aws_vpcflow": ("athena/table",),
        "gcp_audit": _BY_LOG,
        "gcp_vpcflow": ("bigquery/export",),
        **_AZURE,
    },
)
SENTINEL: Final = Plan(
    name="sentinel",
    layouts={
        "aws_cloudtrail": ("kql/sentinel",),
        "aws_bedrock_invocation": ("athena/projection",),
        "aws_vpcflow": ("kql/sentinel",),
        "gcp_audit": ("kql/sentinel",),
        "gcp_vpcflow": ("kql/sentinel",),
        **_AZURE,
    },
)
LINKED: Final = Plan(
    name="linked", layouts={**OWN.layouts, "gcp_audit": ("bigquery/log_analytics",), "gcp_vpcflow": ("bigquery/log_analytics",)}
)
REGIONS: Final = Plan(
    name="regions",
    layouts={
        **OWN.layouts,
        "aws_cloudtrail": ("athena/regions",),
        "gcp_audit": ("bigquery/export_sharded",),
        "gcp_vpcflow": ("bigquery/export_sharded",),
    },
)
LAKE: Final = Plan(name="lake", layouts={**OWN.layouts, "aws_cloudtrail": ("athena/lake",)})
OCSF: Final = Plan(name="ocsf", layouts={**OWN.layouts, "aws_cloudtrail": ("athena/ocsf",)})
HUNTS: Final = (
    "sagemaker_model_theft",
    "azure_training_data_tampering",
    "third_party_ai_library_breached",
    "vertex_training_with_stolen_key",
    "stolen_key_llmjacking",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Incidents of a hunt: what is asked, over which window, and the events that lie there."""

    corpus: Corpus
    window: Window
    events: Events


@cache
def hunted(hunt: str) -> tuple[Corpus, dict[str, Incident]]:
    """Return all that a hunt asks, and its incidents by name."""
    path = LIBRARY.roots[0] / "hunts" / f"{hunt}.yml"
    made = load_hunt(path, catalogue=LIBRARY.catalogue)
    known = Known(sources=list(MAPPINGS), switches=switches_of(LIBRARY.mappings))
    found = load_incidents(incidents_path(path), made, known).incidents
    return LIBRARY.load_all().only({name for each in made.expect for name in each.rules}), {each.name: each for each in found}


def scene(hunt: str, *names: str) -> Scene:
    """Return incidents with quiet events at both ends of all that the correlations need, so that each log source is known there."""
    corpus, incidents = hunted(hunt)
    timed = [event for name in names for event in incidents[name].events]
    times = [START_US + each.at_us for each in timed]
    window = hours_around(min(times), max(times))
    start, end = scanned(corpus, window)
    ends = [start + timedelta(minutes=10), end - timedelta(minutes=10)]
    places = sorted(
        {mapping.name for rule in corpus.matched if (mapping := LIBRARY.mapping_for(rule.logsource))} | {each.source for each in timed}
    )
    first, last = ({name: quiet(name, [moment]) for name in places} for moment in ends)
    placed: dict[str, list[Json]] = {name: [] for name in places}
    for each in sorted(timed, key=lambda each: each.at_us):
        event = dated(each, MAPPINGS[each.source], START_US + each.at_us)
        placed[each.source] += [event] * each.deliveries
    return Scene(corpus=corpus, window=window, events={name: [*first[name], *placed[name], *last[name]] for name in places})


def refused_by(corpus: Corpus, sources: Sequence[Source], window: Window) -> frozenset[str]:
    """Return the ids of rules that a layout of their log source cannot be asked."""
    found: set[str] = set()
    for source in sources:
        rules = [rule for rule in corpus.matched if LIBRARY.mapping_for(rule.logsource) == source.mapping]
        part = Part(rules, source.mapping, Options())
        locator = Locator(source.mapping, source.layout)
        asking = Asking(locator=locator, span=window, meanings=part.digests, is_read_back=True)
        found |= {rule.id for rule, _ in pack(rules, asking, Form.SIEVE).refused}
    return frozenset(found)


def uncarried(corpus: Corpus, sources: Sequence[Source]) -> frozenset[str]:
    """Return the ids of correlations that read a field which a layout of its log source does not carry."""
    locators = [(source.mapping, Locator(source.mapping, source.layout)) for source in sources]
    rules = {rule.id: rule for rule in corpus.matched}
    found: set[str] = set()
    for each in corpus.correlations:
        for operand in [*each.operands, *([each.population] if each.population else [])]:
            rule = rules.get(operand.id)
            fields = {key.of(operand.name) for key in (*each.group_by, *each.values)} if rule else set()
            here = [locator for mapping, locator in locators if rule and LIBRARY.mapping_for(rule.logsource) == mapping]
            found |= {each.id} if any(not is_carried(name, locator) for name in fields for locator in here) else set()
    return frozenset(found)


def is_carried(name: str, locator: Locator) -> bool:
    """True when a layout holds a field."""
    try:
        return bool(locator.access(name))
    except AibrError:
        return False


def without(corpus: Corpus, ids: frozenset[str]) -> Corpus:
    """Return what is left without some rules: correlations that rest on one of them go too."""
    gone = set(ids)  # rules and correlations
    for each in corpus.correlations:  # what serves others stands before them
        gone |= {each.id} if any(source.id in gone for source in each.sources) else set()
    return replace(
        corpus,
        rules=tuple(rule for rule in corpus.rules if rule.id not in gone),
        operands=tuple(rule for rule in corpus.operands if rule.id not in gone),
        correlations=tuple(each for each in corpus.correlations if each.id not in gone),
    )


def scanned(corpus: Corpus, window: Window) -> tuple[datetime, datetime]:
    """Return the whole hours that a run over the window reads."""
    by_id = {each.id: each for each in corpus.correlations}
    asked = us_of(window)
    spans = [needed_span(each, by_id, start_us=asked[0], end_us=asked[1]) for each in corpus.correlations if each.id not in corpus.silent]
    low, high = min([asked[0], *(span[0] for span in spans)]), max([asked[1], *(span[1] for span in spans)])
    whole = hours_around(low, high - 1, more=timedelta(0))
    assert whole.start is not None
    assert whole.end is not None
    return whole.start, whole.end


# Rules that the layouts refuse, and correlations over fields that they do not carry, at most; what rests on these is left out too.
MOST_LEFT_OUT: Final = {
    ("own", "azure_training_data_tampering"): 1,
    ("own", "third_party_ai_library_breached"): 2,
    ("own", "vertex_training_with_stolen_key"): 8,
    ("linked", "vertex_training_with_stolen_key"): 2,
    ("sentinel", "sagemaker_model_theft"): 6,
    ("sentinel", "azure_training_data_tampering"): 1,
    ("sentinel", "vertex_training_with_stolen_key"): 3,
    ("sentinel", "stolen_key_llmjacking"): 4,
    ("regions", "vertex_training_with_stolen_key"): 5,
    ("ocsf", "sagemaker_model_theft"): 6,
    ("ocsf", "stolen_key_llmjacking"): 10,
}
QUICK_SCENES: Final = (
    (OWN, "sagemaker_model_theft", ("by_its_artefacts",)),
    (SENTINEL, "sagemaker_model_theft", ("by_its_artefacts",)),
    (OWN, "azure_training_data_tampering", ("insider_with_a_key",)),
    (OWN, "third_party_ai_library_breached", ("ran_in_sagemaker", "ran_in_vertex", "ran_in_azure")),
    (OWN, "vertex_training_with_stolen_key", ("key_from_a_repository",)),
    (LINKED, "vertex_training_with_stolen_key", ("key_from_a_repository",)),
    (OWN, "stolen_key_llmjacking", ("team_begins",)),
    (SENTINEL, "stolen_key_llmjacking", ("team_begins",)),
)
# Of each plan, the hunts whose log sources lie there otherwise than in the plans before it.
SLOW_HUNTS: Final = (
    *((OWN, hunt) for hunt in HUNTS),
    *((SENTINEL, hunt) for hunt in HUNTS if hunt != "azure_training_data_tampering"),
    (LINKED, "third_party_ai_library_breached"),
    (LINKED, "vertex_training_with_stolen_key"),
    (REGIONS, "sagemaker_model_theft"),
    (REGIONS, "vertex_training_with_stolen_key"),
    (LAKE, "sagemaker_model_theft"),
    (OCSF, "sagemaker_model_theft"),
    (OCSF, "stolen_key_llmjacking"),
)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def keys(leads: Sequence[Lead]) -> Counter[tuple[str, str, str]]:
    """Return what says one lead from another: rule, event or episode, and the lead's own id."""
    return Counter((lead.rule_name, lead.event_key, lead.id) for lead in leads)


def check(plan: Plan, hunt: str, names: Sequence[str], home: Path) -> int:
    """Hold the leads of the clouds against those of the files; return how many there are."""
    made = scene(hunt, *names)
    sources = plan.sources(list(made.events))
    left = without(made.corpus, refused_by(made.corpus, sources, made.window) | uncarried(made.corpus, sources))
    assert len(made.corpus.things) - len(left.things) <= MOST_LEFT_OUT.get((plan.name, hunt), 0)
    rows, kept, misfits = rows_of(made.events, sources)
    assert misfits == 0, "each layout holds every event of the missions' hunts"
    of_files, from_files = run(home / "files", request(left, made.window, paths=write(kept, home / "logs")))
    with estate(sources) as clouds:
        clouds.load(rows)
        of_clouds, from_clouds = run(home / "clouds", request(left, made.window, clouds=clouds.clouds()))
    assert keys(from_clouds) == keys(from_files)
    assert (of_clouds.record.run.refused_rules, of_clouds.record.run.gaps) == ((), ())
    assert {job.state for job in of_clouds.record.jobs} == {JobState.DONE}
    asked = {mapping.name for rule in left.matched if (mapping := LIBRARY.mapping_for(rule.logsource))}
    wanted = {source.label for source in sources if source.mapping.name in asked}
    assert {job.source for job in of_clouds.record.jobs} == wanted, "every Source was asked that has a rule left"
    assert _open(of_clouds) <= _open(of_files), "what the files let be judged, the clouds do too"
    return len(from_clouds)


def _open(outcome: Outcome) -> set[str]:
    """Return the ids of rules and correlations of which not everything is settled."""
    return {row.rule_id for row in outcome.record.coverage if row.state is not CoverageState.SETTLED}


@pytest.mark.parametrize(("plan", "hunt", "names"), QUICK_SCENES, ids=[f"{plan.name}-{hunt}" for plan, hunt, _ in QUICK_SCENES])
def test_leads_over_clouds_are_those_over_files(plan: Plan, hunt: str, names: Sequence[str], tmp_path: Path) -> None:
    assert check(plan, hunt, names, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("plan", "hunt"), SLOW_HUNTS, ids=[f"{plan.name}-{hunt}" for plan, hunt in SLOW_HUNTS])
def test_every_incident_gives_the_same_leads_over_clouds_and_over_files(plan: Plan, hunt: str, tmp_path: Path) -> None:
    incidents = hunted(hunt)[1]
    assert sum(check(plan, hunt, [name], tmp_path / name) for name in incidents) > len(incidents)


def test_every_hunt_and_every_engine_is_tried() -> None:
    assert {hunt for _, hunt, _ in QUICK_SCENES} == {hunt for _, hunt in SLOW_HUNTS} == set(HUNTS)
    engines = [{source.engine for source in plan.sources(list(scene(hunt, *names).events))} for plan, hunt, names in QUICK_SCENES]
    assert {EngineKind.ATHENA, EngineKind.BIGQUERY, EngineKind.KQL} in engines, "all three clouds at once, in one run"


def test_a_correlation_whose_field_a_layout_does_not_carry_is_not_settled(tmp_path: Path) -> None:
    made = scene("vertex_training_with_stolen_key", "key_made_in_a_stolen_session")
    sources = SENTINEL.sources(list(made.events))
    blind = uncarried(made.corpus, sources)
    assert blind
    with estate(sources) as clouds:
        clouds.load(rows_of(made.events, sources)[0])
        outcome, _ = run(tmp_path, request(made.corpus, made.window, clouds=clouds.clouds()))
    by_path = {each.path: each.id for each in made.corpus.correlations}
    told = {by_path.get(name, name) for name, _ in outcome.record.run.refused_rules}
    assert blind <= told | _open(outcome)


def test_a_rule_that_a_layout_refuses_leaves_other_correlations_judged(tmp_path: Path) -> None:
    made = scene("vertex_training_with_stolen_key", "key_from_a_repository")
    sources = OWN.sources(list(made.events))
    left = without(made.corpus, refused_by(made.corpus, sources, made.window) | uncarried(made.corpus, sources))
    with estate(sources) as clouds:
        clouds.load(rows_of(made.events, sources)[0])
        outcome, _ = run(tmp_path, request(made.corpus, made.window, clouds=clouds.clouds()))
    assert outcome.record.run.refused_rules
    assert _open(outcome).isdisjoint(each.id for each in left.things)

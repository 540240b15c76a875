"""What the configured Sources show is told rule by rule and hunt by hunt, with the reason for each hole, before any run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from aibr_hunt.content.hunts import load_hunts
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.protocol import AccessRefused, CloudEngine, ColumnSeen, Inspection
from aibr_hunt.errors import EngineError
from aibr_hunt.hunt.deployment import Deployment, Seen, hunt_sight, look
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY, every_rule
from tests.unit.cloud_samples import LAYOUT, SOURCE, START, ScriptedEngine, record

CORPUS = every_rule()
DAY = Window(start=START, end=START + timedelta(days=1))
NOW = START + timedelta(hours=12)
RULE = "aws_bedrock_guardrail_deleted"


@dataclass
class Looked(ScriptedEngine):
    """Says what its table looks like."""

    seen: Inspection | Exception | None = None

    def inspect(self, source: Source) -> Inspection:
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen or super().inspect(source)


def around(**ceilings: int) -> Surroundings:
    return Surroundings(run="D-1", clock=lambda: NOW, budget=Budget(Ceilings(query_bytes=ceilings.get("query_bytes"))))


def looked(engine: CloudEngine, *, asks_pulse: bool = True, **ceilings: int) -> Seen:
    return look(SOURCE, lambda _: engine, around(**ceilings), asks_pulse=asks_pulse)


def deployment(*seen: Seen) -> Deployment:
    return Deployment(seen, mapping_for=LIBRARY.mapping_for, switches=switches_of(LIBRARY.mappings), window=DAY)


EVENTS = [record(1, at=timedelta(hours=1)), record(2, at=timedelta(hours=9))]


def test_a_source_that_holds_events_has_no_fault_and_a_newest_event() -> None:
    seen = looked(Looked(EVENTS))
    assert (seen.faults, seen.events) == ((), 2)
    assert seen.newest == START + timedelta(hours=9)
    assert seen.job is not None
    assert looked(Looked(EVENTS), asks_pulse=False).events is None


def test_each_hole_of_a_source_is_a_sentence() -> None:
    def refuse(_: Source) -> CloudEngine:
        raise EngineError("There are no credentials.")

    assert look(SOURCE, refuse, around(), asks_pulse=True).faults == ("There are no credentials.",)
    assert looked(Looked((), seen=AccessRefused("Not for you."))).faults == ("Not for you.",)
    (gone,) = looked(Looked((), seen=Inspection(is_there=False, notes=("Nobody knows it.",)))).faults
    assert gone == f"athena:trail: the table {LAYOUT.table} is not there. Nobody knows it."
    columns = tuple(ColumnSeen(name=column.name.upper(), type="string") for column in LAYOUT.columns if column.name != "eventname")
    (missing,) = looked(Looked(EVENTS, seen=Inspection(is_there=True, columns=columns))).faults
    assert "lacks eventname, which athena/projection reads" in missing
    (silent,) = looked(Looked(())).faults
    assert "no event of any kind in the last 2 days" in silent
    (over,) = looked(Looked(EVENTS), query_bytes=1).faults
    assert "cannot be asked: It would scan 1,000 bytes" in over


def test_a_rule_is_blind_where_no_source_holds_its_logs() -> None:
    sights = {sight.name: sight for sight in deployment(looked(Looked(EVENTS))).sights(CORPUS)}
    assert sights[RULE].is_whole
    assert sights[RULE].sources == ("athena:trail",)
    blind = [sight for sight in sights.values() if any("no Source holds the log source gcp_audit" in why for why in sight.blind)]
    assert blind
    assert not any(sight.sources for sight in blind)


def test_a_fault_of_a_source_blinds_its_rules_and_another_source_keeps_them_told() -> None:
    good, bad = looked(Looked(EVENTS)), replace(looked(Looked(())), source=replace(SOURCE, name="other"))
    corpus = CORPUS.only([RULE])
    (sight,) = deployment(good, bad).sights(corpus)
    assert sight.sources == ("athena:trail",)
    assert sight.blind == bad.faults
    assert not sight.is_whole


def test_a_layout_that_cannot_be_asked_for_a_rule_is_named() -> None:
    narrow = replace(LAYOUT, places=tuple(place for place in LAYOUT.places if place.member != ("eventName",)), columns=LAYOUT.columns)
    source = replace(SOURCE, layout=narrow)
    (sight,) = deployment(Seen(source=source, events=1)).sights(CORPUS.only([RULE]))
    assert sight.sources == ()
    assert "athena:trail: " in sight.blind[0]


def test_switches_that_are_off_by_default_are_doubts_and_no_blindness() -> None:
    sights = deployment(looked(Looked(EVENTS))).sights(CORPUS)
    doubtful = [sight for sight in sights if sight.switches and not sight.blind]
    assert doubtful
    known = switches_of(LIBRARY.mappings)
    assert all(known[name].is_on_by_default is not True for sight in doubtful for name in sight.switches)


def test_a_correlation_sees_what_its_rules_see() -> None:
    chosen = next(each for each in CORPUS.correlations if each.name == "aws_bedrock_models_listed_then_run")
    corpus = CORPUS.only([chosen.name])
    whole = {sight.name: sight for sight in deployment(looked(Looked(EVENTS))).sights(corpus)}
    assert whole[chosen.name].sources == ("athena:trail",)
    assert whole[chosen.name].blind == ()
    none = {sight.name: sight for sight in deployment().sights(corpus)}
    assert all(why.startswith("rests on ") for why in none[chosen.name].blind)
    assert none[chosen.name].blind


def test_a_hunt_tells_which_of_its_rules_see() -> None:
    hunts = load_hunts(LIBRARY.folders("hunts"), catalogue=LIBRARY.catalogue)
    sights = deployment(looked(Looked(EVENTS))).sights(CORPUS)
    for hunt in hunts:
        told = hunt_sight(hunt, sights)
        named = {name for each in hunt.expect for name in each.rules}
        assert {*told.whole, *told.doubtful, *told.blind} == named
        assert len(told.whole) + len(told.doubtful) + len(told.blind) == len(named)
        assert told.is_whole == (set(told.whole) == named)
    assert hunt_sight(hunts[0], ()).whole == ()

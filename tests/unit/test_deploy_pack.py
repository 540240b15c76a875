"""Packs: the same bytes each time, nothing that vanishes, names that every platform takes, and a manifest that is true."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.errors import ContentError, UsageError
from aibr_hunt.hunt.deploy import ENGINES, Content, Pack, check_folder, make_pack, tactics_of, write_pack
from aibr_hunt.hunt.deploy_parts import Deployment, stems_of
from aibr_hunt.meaning.correlations import correlation_digest
from aibr_hunt.model.correlation import CorrelationType, Operand
from aibr_hunt.model.layout import EngineKind
from tests.built_in import LIBRARY
from tests.unit.deploy_samples import (
    FIELDS,
    HOSTILE_TITLE,
    correlation_of,
    files_of,
    pack_of,
    rule_of,
    shipped,
    shipped_correlations,
    shipped_sources,
)


def manifest_of(pack: Pack) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(files_of(pack)["pack.json"])
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pack_is_the_same_to_the_byte_whatever_the_order_of_its_rules(engine: EngineKind) -> None:
    rules = shipped()
    assert files_of(pack_of(rules, engine)) == files_of(pack_of(tuple(reversed(rules)), engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_rule_is_either_written_or_refused_with_a_reason(engine: EngineKind) -> None:
    manifest = manifest_of(pack_of(shipped(), engine))
    written = {each["id"] for each in manifest["rules"]}
    refused = {each["rule"] for each in manifest["refused"]}
    assert written
    assert written | refused == {rule.id for rule in shipped()}
    assert not written & refused
    assert all(each["reason"].strip() for each in manifest["refused"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_manifest_tells_the_digest_of_every_file_but_itself(engine: EngineKind) -> None:
    pack = pack_of(shipped(), engine)
    told = {each["path"]: (each["sha256"], each["bytes"]) for each in manifest_of(pack)["files"]}
    found = {path: (hashlib.sha256(content).hexdigest(), len(content)) for path, content in files_of(pack).items()}
    assert told == {path: value for path, value in found.items() if path != "pack.json"}
    assert pack.artefacts[-1].path == "pack.json"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rule_is_told_with_its_digests_its_log_switches_and_its_files(engine: EngineKind) -> None:
    pack = pack_of(shipped(), engine)
    manifest = manifest_of(pack)
    rules = {rule.id: rule for rule in shipped()}
    switches = {each["id"] for each in manifest["log_switches"]} | set(manifest["log_switches_unknown"])
    for told in manifest["rules"]:
        rule = rules[told["id"]]
        assert told["text_sha256"] == rule.text_digest
        assert told["meaning_sha256"] == meaning_digest(rule, LIBRARY.mapping_for(rule.logsource))
        assert set(rule.requires) <= switches
        assert told["files"]
        assert set(told["files"]) <= files_of(pack).keys()
        assert any("stands alone" in sentence for sentence in told["assumptions"])
        assert [each["id"] for each in told["techniques"]] == [each.id for each in rule.techniques]
    assert manifest["not_in_pack"]
    assert manifest["log_switches_unknown"] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_readme_names_every_rule_and_every_refusal_and_says_that_nothing_was_run(engine: EngineKind) -> None:
    pack = pack_of(shipped(), engine)
    page = files_of(pack)["README.md"].decode()
    assert all(f"`{each.stem}`" in page for each in pack.prepared)
    assert all(f"- `{each.name}`: " in page for each in pack.refused)
    assert "None of these files was run on a live account" in page
    assert "stands alone" in page


def test_the_readme_of_a_pack_for_every_hour_says_so() -> None:
    pack = pack_of([rule_of(EngineKind.KQL)], EngineKind.KQL, every_hours=1)
    assert "Meant to run every hour." in files_of(pack)["README.md"].decode()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_stranger_wrote_is_inactive_in_markdown_and_ascii_in_every_file(engine: EngineKind) -> None:
    hostile = rule_of(engine, title=HOSTILE_TITLE, description=HOSTILE_TITLE)
    files = files_of(pack_of([hostile], engine))
    page = files["README.md"].decode()
    outside = re.sub(r"`[^`\n]*`", "", page)
    assert "<script>" not in outside
    assert "process.exit" not in outside
    assert "\u202e" not in "".join(content.decode() for content in files.values())
    assert not any(line.startswith("[x]") for content in files.values() for line in content.decode().splitlines())


def test_late_events_are_looked_back_for_by_the_time_after_which_the_layout_settles() -> None:
    for engine in ENGINES:
        for each in pack_of(shipped(), engine, every_hours=6).prepared:
            assert each.hours == 6 + -(-each.layout.settle_s // 3600)


def test_names_of_files_are_safe_and_told_apart() -> None:
    names = ["CON", "con", "a/../../b", "Ünïcode", "***", "aux", "x" * 300, "Same Name", "same-name", "trailing. ", "com1"]
    rules = [rule_of(EngineKind.KQL, number, name=name) for number, name in enumerate(names, start=1)]
    stems = stems_of(rules)
    assert len({stem.lower() for stem in stems.values()}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_]{0,99}", stem) for stem in stems.values())
    assert not {"con", "aux", "com1"} & set(stems.values())


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_no_name_of_a_rule_leaves_the_folder_of_the_pack(names: list[str]) -> None:
    from dataclasses import replace

    plain = rule_of(EngineKind.KQL)
    rules = [replace(plain, id=f"sha256:{number}", name=name) for number, name in enumerate(names)]
    stems = stems_of(rules)
    assert all(re.fullmatch(r"[a-z0-9_]+", stem) for stem in stems.values())
    assert all(one != other for one, other in itertools.combinations(stems.values(), 2))


def test_a_rule_without_a_uuid_gets_one_that_stays() -> None:
    from dataclasses import replace

    rule = replace(rule_of(EngineKind.KQL), id="sha256:" + "a" * 64)
    guids = {pack_of([rule], EngineKind.KQL).prepared[0].guid for _ in range(2)}
    assert len(guids) == 1
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", guids.pop())


def test_a_file_that_could_not_be_read_stands_in_the_manifest() -> None:
    content = Content(
        rules=[rule_of(EngineKind.KQL)],
        unread=[("broken.yml", ContentError("has no title.", path="broken.yml", line=1))],
        mapping_of=lambda rule: LIBRARY.mapping_for(rule.logsource),
        mappings=LIBRARY.mappings,
        catalogue=LIBRARY.catalogue,
    )
    pack = make_pack(content, Deployment(engine=EngineKind.KQL))
    assert manifest_of(pack)["refused"] == [
        {"rule": "broken.yml", "name": "broken.yml", "reason": "broken.yml:1: has no title.", "could_be_read": False}
    ]


def test_a_log_source_without_mapping_or_layout_is_refused_by_name() -> None:
    strange = rule_of(EngineKind.KQL, 1, logsource={"product": "windows"})
    elsewhere = rule_of(EngineKind.ATHENA, 2)
    pack = pack_of([strange, elsewhere], EngineKind.BIGQUERY)
    assert [each.name for each in pack.refused] == ["rule_1", "rule_2"]
    assert "no mapping says where it lies" in pack.refused[0].reason
    assert "athena/projection" in pack.refused[1].reason
    assert pack.prepared == ()
    assert "Nothing: every rule was refused." in files_of(pack)["README.md"].decode()


def test_a_layout_that_the_engine_lacks_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="athena has no layout lakes"):
        pack_of([rule_of(EngineKind.ATHENA)], EngineKind.ATHENA, layout="lakes")


def test_another_layout_can_be_chosen_and_one_that_the_source_lacks_refuses_the_rule() -> None:
    pack = pack_of([rule_of(EngineKind.ATHENA)], EngineKind.ATHENA, layout="ocsf")
    assert pack.prepared[0].layout.label == "athena/ocsf"
    refused = pack_of([rule_of(EngineKind.BIGQUERY)], EngineKind.BIGQUERY, layout="export")
    assert [each.name for each in refused.refused] == ["rule_1"]


@pytest.mark.parametrize("table", ["x'; DROP", "a`b", "", " ", "${x}"])
def test_a_table_is_a_dotted_name_and_nothing_else(table: str) -> None:
    rules = [rule_of(EngineKind.BIGQUERY)]
    if not table:
        assert pack_of(rules, EngineKind.BIGQUERY, table=table).prepared
        return
    with pytest.raises(UsageError, match="is no name of a table"):
        pack_of(rules, EngineKind.BIGQUERY, table=table)


def test_a_table_of_the_operators_own_stands_in_the_text() -> None:
    pack = pack_of([rule_of(EngineKind.ATHENA)], EngineKind.ATHENA, table="security.trail_2026")
    assert "FROM security.trail_2026" in pack.prepared[0].query.text
    assert manifest_of(pack)["rules"][0]["table"] == "security.trail_2026"


def test_one_table_does_not_serve_two_layouts() -> None:
    with pytest.raises(UsageError, match="would serve"):
        pack_of(shipped(), EngineKind.KQL, table="Mine")


def test_tactics_are_those_of_the_tags_and_of_techniques_that_none_of_them_covers() -> None:
    catalogue = LIBRARY.catalogue
    one = rule_of(EngineKind.KQL, tags=["attack.impact", "attack.t1552", "atlas.aml.t0055"])
    assert [tactic.tag for tactic in tactics_of(one, catalogue)] == ["credential-access", "impact"]
    two = rule_of(EngineKind.KQL, tags=["attack.persistence", "attack.t1078.004"])
    assert [tactic.tag for tactic in tactics_of(two, catalogue)] == ["persistence"]


def test_a_pack_goes_into_a_new_or_an_empty_folder_only(tmp_path: Path) -> None:
    pack = pack_of([rule_of(EngineKind.KQL)], EngineKind.KQL)
    write_pack(pack, tmp_path / "new" / "pack")
    found = {path.relative_to(tmp_path / "new" / "pack").as_posix() for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert found == files_of(pack).keys()
    with pytest.raises(UsageError, match="is not empty"):
        write_pack(pack, tmp_path / "new" / "pack")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        check_folder(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")


# --- correlations ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_every_correlation_is_written_or_refused_with_a_reason_and_the_pack_stays_the_same(engine: EngineKind) -> None:
    found = shipped_correlations()
    pack = pack_of((), engine, correlations=found, sources=shipped_sources())
    again = pack_of((), engine, correlations=tuple(reversed(found)), sources=shipped_sources())
    assert files_of(pack) == files_of(again)
    manifest = manifest_of(pack)
    told = {each["id"] for each in manifest["rules"]} | {each["rule"] for each in manifest["refused"]}
    assert told == {each.id for each in found}
    assert all(each["reason"].strip() for each in manifest["refused"])
    assert engine is EngineKind.BIGQUERY or manifest["rules"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_correlation_is_told_with_its_meaning_what_it_rests_on_and_how_long_it_waits(engine: EngineKind) -> None:
    rule = rule_of(engine, requires=["made.switch"])
    correlation = correlation_of(engine, requires=("own.switch",))
    pack = pack_of((), engine, correlations=[correlation], sources={rule.id: rule}, every_hours=6)
    (told,) = manifest_of(pack)["rules"]
    mapping = LIBRARY.mapping_for(rule.logsource)
    digest = meaning_digest(rule, mapping)
    assert told["type"] == "event_count"
    assert told["meaning_sha256"] == correlation_digest(correlation, digests={rule.id: digest}, mappings={rule.id: mapping})
    assert told["rests_on"] == [{"id": rule.id, "text_sha256": rule.text_digest, "meaning_sha256": digest}]
    assert told["requires"] == ["own.switch", "made.switch"]
    assert told["held_back_s"] == told["settle_s"] == pack.prepared[0].layout.settle_s
    assert told["look_back_hours"] == 6 + 1 + -(-(3600 + told["settle_s"]) // 3600)
    assert any("leaves a hole" in sentence for sentence in told["assumptions"])
    assert "consecutive runs tell of each window once" in files_of(pack)["README.md"].decode()


def test_a_pack_of_rules_alone_says_nothing_of_windows() -> None:
    pack = pack_of([rule_of(EngineKind.KQL)], EngineKind.KQL)
    (told,) = manifest_of(pack)["rules"]
    assert (told["type"], told["rests_on"], told["held_back_s"]) == ("rule", [], 0)
    assert "window" not in files_of(pack)["README.md"].decode()


def test_a_chain_is_one_query_and_rests_on_all_rules_below_it() -> None:
    inner = correlation_of(EngineKind.ATHENA)
    operand = Operand(name=inner.name, id=inner.id, is_correlation=True)
    outer = correlation_of(EngineKind.ATHENA, id="outer", name="outer", operands=(operand,))
    rule = rule_of(EngineKind.ATHENA)
    pack = pack_of((), EngineKind.ATHENA, correlations=[outer], sources={rule.id: rule, inner.id: inner})
    (told,) = manifest_of(pack)["rules"]
    assert [each["id"] for each in told["rests_on"]] == [rule.id]
    assert pack.prepared[0].group == (frozenset({tuple(FIELDS[EngineKind.ATHENA][0].split("."))}),)


def test_a_correlation_of_two_log_sources_or_of_a_rule_that_was_not_read_is_refused() -> None:
    here, there = rule_of(EngineKind.ATHENA), rule_of(EngineKind.KQL, 2)
    both = (Operand(name="rule_1", id=here.id), Operand(name="rule_2", id=there.id))
    mixed = correlation_of(EngineKind.ATHENA, CorrelationType.TEMPORAL, operands=both)
    (refused,) = pack_of((), EngineKind.ATHENA, correlations=[mixed], sources={here.id: here, there.id: there}).refused
    assert "its rules lie in aws_cloudtrail, azure_activitylogs" in refused.reason
    (unread,) = pack_of((), EngineKind.ATHENA, correlations=[mixed], sources={here.id: here}).refused
    assert "its rule rule_2 was not read" in unread.reason


def test_a_rule_and_a_correlation_of_one_name_get_files_of_their_own() -> None:
    rule = rule_of(EngineKind.ATHENA)
    pack = pack_of([rule], EngineKind.ATHENA, correlations=[correlation_of(EngineKind.ATHENA, name=rule.name)])
    assert len({each.stem for each in pack.prepared}) == 2

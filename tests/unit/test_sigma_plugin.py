"""The plug-in of pySigma: its targets are found, give our compiler's text and nothing else, and refuse in pySigma's own words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaBackendError, SigmaConfigurationError, SigmaError, SigmaFeatureNotSupportedByBackendError
from sigma.plugins import InstalledSigmaPlugins
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator

import aibr_hunt
from aibr_hunt.compile.program import Asking, sieve_query, whole_query
from aibr_hunt.content.library import Library
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.query import Last, Span
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY

TARGETS = ("aibr_athena", "aibr_bigquery", "aibr_duckdb", "aibr_kql")
DAY = Last(hours=24)
ID = "9d0a8f30-1f0c-4d0c-9d55-0a3f4a2a7f11"
TEXT = f"""\
title: Guardrail deleted
id: {ID}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventName|contains: Guardrail
    userAgent|endswith: \\tool.exe
  refused: {{errorCode|exists: true}}
  condition: selection and not refused
"""
FILTER = """\
title: Ours
id: 0a3f4a2a-1f0c-4d0c-9d55-9d0a8f307f11
logsource: {product: aws, service: cloudtrail}
filter:
  rules: any
  ours: {userAgent|startswith: our-pipeline/}
  condition: not ours
"""
CORRELATION = f"""\
title: Twice
name: twice
correlation:
  type: event_count
  rules: [{ID}]
  group-by: [userIdentity.arn]
  timespan: 1h
  condition: {{gte: 2}}
"""


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AIBR_CONTENT", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def plugins() -> InstalledSigmaPlugins:
    return InstalledSigmaPlugins.autodiscover()


@pytest.fixture(scope="module")
def library() -> Library:
    return LIBRARY


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "guardrail_deleted.yml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def target(plugins: InstalledSigmaPlugins, name: str = "aibr_athena", **options: Any) -> Any:
    backends: dict[str, Any] = {**plugins.backends}
    return backends[name](**options)


def ours(library: Library, rule: Rule, label: str = "athena/projection", *, span: Span = DAY, form: str = "default") -> str:
    """Return what the compiler itself gives."""
    mapping = library.mapping_for(rule.logsource)
    assert mapping is not None
    layout = next(each for each in mapping.layouts if each.label == label)
    meanings = {rule.id: meaning_digest(rule, mapping)}
    asking = Asking(locator=Locator(mapping, layout), span=span, meanings=meanings)
    return (sieve_query if form == "sieve" else whole_query)([rule], asking).text


def is_whole(library: Library, rule: Rule) -> bool:
    try:
        ours(library, rule)
    except Unsupported:
        return False
    return True


def without_digests(text: str) -> list[str]:
    return [line for line in text.splitlines() if "text sha256" not in line]


# --- discovery ---------------------------------------------------------------------------------------------------------------------


def test_pysigma_finds_the_targets_and_nothing_else_of_ours(plugins: InstalledSigmaPlugins) -> None:
    found = {name for name, each in plugins.backends.items() if getattr(each, "__module__", "").startswith("sigma.backends.aibr_hunt")}
    assert found == set(TARGETS)
    assert {name for name in plugins.validators if "aibr" in name or "Atlas" in name or "Catalogue" in name} == {
        "aibr_namespace_tag",
        "aibr_catalogue_tag",
    }


def test_the_plug_in_leaves_pysigmas_packages_open_to_others() -> None:
    root = Path(aibr_hunt.__file__).parents[1] / "sigma_plugin" / "sigma"
    assert not [folder for folder in (root, root / "backends", root / "validators") if (folder / "__init__.py").exists()]


# --- the text is our compiler's ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["default", "sieve"])
def test_a_conversion_gives_exactly_what_the_compiler_gives(
    plugins: InstalledSigmaPlugins, library: Library, rule_file: Path, form: str
) -> None:
    rule = load_rule_text(TEXT, str(rule_file))
    converted = target(plugins).convert(SigmaCollection.load_ruleset([rule_file]), form)
    assert converted == [ours(library, rule, form=form)]


def detections(library: Library) -> list[str | Path]:
    """Return the shipped files that hold no correlation: pySigma knows no baselines, and refuses a whole collection for one."""
    corpus = library.load_all()
    apart = {corpus.files[each.id] for each in corpus.correlations}
    return [*sorted({corpus.files[rule.id] for rule in corpus.matched} - apart)]


def test_pysigma_itself_refuses_a_baseline(library: Library) -> None:
    """docs/sigma-cli.md says so; once it takes them, the page must change. pySigma 1 stumbles over its own message."""
    with pytest.raises((SigmaError, UnboundLocalError)):
        SigmaCollection.load_ruleset([str(folder) for folder in library.folders("rules")])


def test_shipped_rules_are_converted_in_their_order(plugins: InstalledSigmaPlugins, library: Library) -> None:
    corpus = library.load_all()
    # What has no whole form on the first layout is refused, as another test says; a file with correlations pySigma does not take.
    apart = {corpus.files[each.id] for each in corpus.correlations}
    rules = [
        rule for rule in corpus.rules if rule.logsource.product == "aws" and corpus.files[rule.id] not in apart and is_whole(library, rule)
    ]
    assert len(rules) >= 60
    collection = SigmaCollection.load_ruleset([corpus.files[rule.id] for rule in rules])
    assert target(plugins).convert(collection) == [ours(library, rule) for rule in rules]


@pytest.mark.parametrize("name", TARGETS)
def test_two_conversions_of_one_collection_give_the_same_text(plugins: InstalledSigmaPlugins, library: Library, name: str) -> None:
    collection = SigmaCollection.load_ruleset(detections(library))
    backend = target(plugins, name, collect_errors=True)
    first = backend.convert(collection)
    assert first
    assert len(first) + len(backend.errors) == len(collection.rules)
    assert backend.convert(collection) == first
    assert target(plugins, name, collect_errors=True).convert(collection) == first


def test_a_rule_without_a_file_means_the_same(plugins: InstalledSigmaPlugins, library: Library, rule_file: Path) -> None:
    (converted,) = target(plugins).convert(SigmaCollection.from_yaml(TEXT))
    assert without_digests(converted) == without_digests(ours(library, load_rule_text(TEXT, str(rule_file))))


def test_each_rule_of_a_file_is_converted_from_its_own_text(plugins: InstalledSigmaPlugins, library: Library, tmp_path: Path) -> None:
    other = TEXT.replace(ID, ID.replace("9d", "ae")).replace("Guardrail", "Agent")
    path = tmp_path / "two.yml"
    path.write_text(f"{TEXT}---\n{other}", encoding="utf-8")
    first, second = target(plugins).convert(SigmaCollection.load_ruleset([path]))
    assert first == ours(library, load_rule_text(TEXT, str(path)))
    assert second == ours(library, load_rule_text(other, str(path)))


def test_a_changed_file_does_not_speak_for_the_rule_in_hand(plugins: InstalledSigmaPlugins, rule_file: Path) -> None:
    collection = SigmaCollection.load_ruleset([rule_file])
    rule_file.write_text(TEXT.replace("Guardrail", "Agent"), encoding="utf-8")
    (converted,) = target(plugins).convert(collection)
    assert "'guardrail'" in converted


# --- options -----------------------------------------------------------------------------------------------------------------------


def test_options_choose_layout_table_and_span(plugins: InstalledSigmaPlugins, library: Library, rule_file: Path) -> None:
    rule = load_rule_text(TEXT, str(rule_file))
    collection = SigmaCollection.load_ruleset([rule_file])
    for options, label, span in (
        ({"layout": "lake"}, "athena/lake", DAY),
        ({"layout": "athena/lake"}, "athena/lake", DAY),
        ({"last": "7d"}, "athena/projection", Last(hours=168)),
        (
            {"from": "2026-01-01", "to": "2026-02-01"},
            "athena/projection",
            Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 2, 1, tzinfo=UTC)),
        ),
    ):
        assert target(plugins, **options).convert(collection) == [ours(library, rule, label, span=span)]
    assert "FROM security.trail\n" in target(plugins, table="security.trail").convert(collection)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": "90m"}, "whole number of hours"),
        ({"last": 14}, "no length of time"),
        ({"from": "2026-01-01", "last": "1d"}, "exclude each other"),
        ({"from": "yesterday"}, "is no time"),
        ({"layout": ["lake", "ocsf"]}, "given 2 times"),
    ],
)
def test_an_impossible_option_ends_the_conversion_even_when_errors_are_collected(
    plugins: InstalledSigmaPlugins, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SigmaConfigurationError, match=message):
        target(plugins, collect_errors=True, **options).convert(SigmaCollection.from_yaml(TEXT))


def test_an_unknown_option_is_told_as_sigma_cli_expects_it(plugins: InstalledSigmaPlugins) -> None:
    with pytest.raises(TypeError) as told:
        target(plugins, nonsense=1)
    assert str(told.value).split("'")[1] == "nonsense"  # this is how sigma-cli finds the name


def test_a_layout_that_a_source_lacks_is_refused(plugins: InstalledSigmaPlugins) -> None:
    with pytest.raises(SigmaBackendError, match="no layout athena/nowhere"):
        target(plugins, layout="nowhere").convert(SigmaCollection.from_yaml(TEXT))


# --- refusals ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("service: cloudtrail", "service: nothing"), "log source"),
        (("eventName|contains: Guardrail", "eventNme: Guardrail"), "eventNme"),
        (("eventName|contains: Guardrail", "eventName|contains|expand: '%unknown_list%'"), "unknown_list"),
    ],
)
def test_what_we_refuse_is_a_sigma_error_with_our_message(
    plugins: InstalledSigmaPlugins, rule_file: Path, change: tuple[str, str], message: str
) -> None:
    wrong = TEXT.replace(*change)
    rule_file.write_text(wrong, encoding="utf-8")
    for collection in (SigmaCollection.load_ruleset([rule_file]), SigmaCollection.from_yaml(wrong)):
        with pytest.raises(SigmaError, match=message):
            target(plugins).convert(collection)
        backend = target(plugins, collect_errors=True)
        assert backend.convert(collection) == []
        ((refused, error),) = backend.errors
        assert refused.title == "Guardrail deleted"
        assert message in str(error)


def test_a_repeated_key_that_pysigma_overlooks_is_refused(plugins: InstalledSigmaPlugins, rule_file: Path) -> None:
    rule_file.write_text(TEXT.replace("    eventName", "    eventName|contains: Agent\n    eventName"), encoding="utf-8")
    with pytest.raises(SigmaError, match=r"guardrail_deleted\.yml:7: repeats the key"):
        target(plugins).convert(SigmaCollection.load_ruleset([rule_file]))


def test_an_unknown_format_is_refused(plugins: InstalledSigmaPlugins) -> None:
    with pytest.raises(SigmaBackendError, match="pretty"):
        target(plugins).convert(SigmaCollection.from_yaml(TEXT), "pretty")


def test_a_correlation_is_refused_by_name(plugins: InstalledSigmaPlugins) -> None:
    collection = SigmaCollection.from_yaml(f"{TEXT}---\n{CORRELATION}")
    with pytest.raises(SigmaFeatureNotSupportedByBackendError, match="twice"):
        target(plugins).convert(collection)
    backend = target(plugins, collect_errors=True)
    assert backend.convert(collection) == []  # the rule serves the correlation only
    assert [rule.title for rule, _ in backend.errors] == ["Twice"]


# --- filters and pipelines ---------------------------------------------------------------------------------------------------------


def test_a_filter_is_applied_and_reads_the_same_in_every_run(plugins: InstalledSigmaPlugins, library: Library, rule_file: Path) -> None:
    by_hand = TEXT.replace(
        "  condition: selection and not refused",
        "  ours: {userAgent|startswith: our-pipeline/}\n  condition: (selection and not refused) and (not ours)",
    )
    wanted = without_digests(ours(library, load_rule_text(by_hand, str(rule_file))))
    texts = []
    for _ in range(2):
        parsed = SigmaCollection.load_ruleset([rule_file])
        parsed.apply_filters(SigmaCollection.from_yaml(FILTER, collect_filters=True).filters)
        texts += target(plugins).convert(parsed)
    assert texts[0] == texts[1]  # though pySigma draws a new name for the filter's selection each time
    assert without_digests(texts[0]) == wanted


def pipeline_of(*items: str) -> ProcessingPipeline:
    return ProcessingPipeline.from_yaml("name: tried\npriority: 10\ntransformations:\n" + "".join(f"  - {item}\n" for item in items))


def test_a_pipeline_is_applied_and_the_rule_in_hand_stays_what_it_was(
    plugins: InstalledSigmaPlugins, library: Library, rule_file: Path
) -> None:
    collection = SigmaCollection.load_ruleset([rule_file])
    pipeline = pipeline_of(
        "{id: renames, type: field_name_mapping, mapping: {userAgent: errorMessage}}",
        "{id: narrows, type: add_condition, conditions: {awsRegion: eu-central-1}}",
    )
    by_hand = TEXT.replace("userAgent", "errorMessage").replace(
        "  condition: selection and not refused", "  there: {awsRegion: eu-central-1}\n  condition: there and (selection and not refused)"
    )
    backend = target(plugins, processing_pipeline=pipeline)
    first = backend.convert(collection)
    assert without_digests(first[0]) == without_digests(ours(library, load_rule_text(by_hand, str(rule_file))))
    assert backend.convert(collection) == first
    assert target(plugins).convert(collection) == [ours(library, load_rule_text(TEXT, str(rule_file)))]


def test_what_a_pipeline_does_to_the_text_is_done(plugins: InstalledSigmaPlugins, library: Library, rule_file: Path) -> None:
    pipeline = ProcessingPipeline.from_yaml(
        "name: tried\npriority: 10\npostprocessing:\n  - {type: embed, prefix: '/* ours */ ', suffix: ''}\n"
    )
    rule = load_rule_text(TEXT, str(rule_file))
    for form in ("default", "sieve"):
        converted = target(plugins, processing_pipeline=pipeline).convert(SigmaCollection.load_ruleset([rule_file]), form)
        assert converted == ["/* ours */ " + ours(library, rule, form=form)]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{id: sets, type: set_state, key: index, val: main}", "sets index is not supported"),
        (
            "{id: drops, type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [errorCode]}]}",
            "left it is not supported",
        ),
        ("{id: spreads, type: field_name_mapping, mapping: {eventName: [eventName, eventSource]}}", "left it is not supported"),
        ("{id: turns, type: regex}", "left it is not supported"),
        ("{id: fails, type: rule_failure, message: not this one}", "not this one"),
    ],
)
def test_a_pipeline_that_cannot_be_honoured_is_refused(plugins: InstalledSigmaPlugins, rule_file: Path, item: str, message: str) -> None:
    backend = target(plugins, processing_pipeline=pipeline_of(item), collect_errors=True)
    assert backend.convert(SigmaCollection.load_ruleset([rule_file])) == []
    assert message in str(backend.errors[0][1])


def test_a_caller_may_watch_and_drop_texts(plugins: InstalledSigmaPlugins, rule_file: Path) -> None:
    seen: list[tuple[str, int, str]] = []

    def watch(rule: SigmaRule, form: str, index: int, _condition: object, text: str) -> None:
        seen.append((rule.title, index, f"{form} {text[:2]}"))

    assert target(plugins).convert(SigmaCollection.load_ruleset([rule_file]), callback=watch) == []
    assert seen == [("Guardrail deleted", 0, "default --")]


# --- sigma check -------------------------------------------------------------------------------------------------------------------


def validator_of(plugins: InstalledSigmaPlugins) -> SigmaValidator:
    import sigma.validators.aibr_hunt as checks

    config = Path(checks.__file__).with_name("validation.yml").read_text(encoding="utf-8")
    validators: dict[str, Any] = {**plugins.validators}
    return SigmaValidator.from_yaml(config, validators)


def test_the_shipped_rules_pass_the_shipped_checks(plugins: InstalledSigmaPlugins, library: Library) -> None:
    rules = [rule for rule in SigmaCollection.load_ruleset(detections(library)).rules if isinstance(rule, SigmaRule)]
    assert rules
    assert validator_of(plugins).validate_rules(iter(rules)) == []


def test_an_escaped_wildcard_is_asked_about_in_a_rule_of_ones_own(plugins: InstalledSigmaPlugins) -> None:
    rule = SigmaRule.from_yaml(TEXT.replace("contains: Guardrail", "contains: 'Guardrail\\*'"))
    assert [type(issue).__name__ for issue in validator_of(plugins).validate_rule(rule)] == ["EscapedWildcardIssue"]


def test_wrong_tags_are_found_offline(plugins: InstalledSigmaPlugins) -> None:
    tags = "tags: [atlas.aml.t0024, attack.t9999, weather.rain]\nlogsource:"
    rule = SigmaRule.from_yaml(TEXT.replace("logsource:", tags))
    found = [str(issue) for issue in validator_of(plugins).validate_rule(rule) if "Tag" in type(issue).__name__]
    assert len(found) == 2
    assert any("attack.t9999 is no technique of ATT&CK" in issue for issue in found)
    assert any("weather.rain" in issue for issue in found)

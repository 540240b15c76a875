"""Sources and ceilings in settings: what may stand there, what is refused and why, and what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.cli.sections import size_of
from tests.cli.conftest import Aibr
from tests.cli.samples import write_rules

TRAIL = {
    "mapping": '"aws_cloudtrail"',
    "engine": '"athena"',
    "table": '"security.trail"',
    "region": '"eu-west-1"',
    "account": '"123456789012"',
}
AUDIT = {"mapping": '"gcp_audit"', "engine": '"bigquery"', "table": '"example.logs.audit"', "project": '"example"'}
LOGS = {"mapping": '"azure_activitylogs"', "engine": '"log_analytics"', "workspace": '"00000000-0000-4000-8000-000000000001"'}


def section(keys: dict[str, str], name: str = "trail", **changes: str | None) -> str:
    chosen = {key: value for key, value in {**keys, **changes}.items() if value is not None}
    return "\n".join([f"[sources.{name}]", *(f"{key} = {value}" for key, value in chosen.items())]) + "\n"


def own_file(text: str) -> None:
    Path("aibr-hunt.toml").write_text(text, encoding="utf-8")


def test_sources_of_all_engines_are_listed_with_table_layout_and_who_pays(aibr: Aibr) -> None:
    own_file(section(TRAIL) + section(AUDIT, "audit", price_per_tib="6.25") + section(LOGS, "activity", plan='"basic"'))
    rows = aibr("sources", "list", "--json").rows
    assert [(row["label"], row["layout"], row["table"], row["place"]) for row in rows] == [
        ("athena:trail", "athena/projection", "security.trail", "123456789012"),
        ("bigquery:audit", "bigquery/export_activity", "example.logs.audit", "example"),
        ("kql:activity", rows[2]["layout"], "AzureActivity", "00000000-0000-4000-8000-000000000001"),
    ]
    assert rows[1]["settings"]["price_per_tib"] == "6.25"
    shown = aibr("sources", "list")
    assert (shown.code, shown.err) == (0, "")
    assert "athena:trail" in shown.out


def test_without_sources_the_list_says_how_one_is_written(aibr: Aibr) -> None:
    said = aibr("sources", "list")
    assert (said.code, "[sources.NAME]" in said.out) == (0, True)
    run = aibr("run", "shipped:aws", "--on", "trail", "--last", "1d")
    assert (run.code, "No Source is configured" in run.err) == (2, True)


def test_a_layout_and_a_table_of_the_tables_section_are_taken(aibr: Aibr) -> None:
    own_file(section(TRAIL, layout='"lake"', table=None) + '[tables]\naws_cloudtrail.athena.lake = "00000000_aaaa"\n')
    (row,) = aibr("sources", "list", "--json").rows
    assert (row["layout"], row["table"]) == ("athena/lake", "00000000_aaaa")


def test_the_nearer_file_changes_single_keys_of_a_source(aibr: Aibr, tmp_path: Path) -> None:
    write_rules(tmp_path / "config" / "aibr-hunt", {"config.toml": section(TRAIL)})
    own_file('[sources.trail]\ntable = "other.trail"\n')
    (row,) = aibr("sources", "list", "--json").rows
    assert row["table"] == "other.trail"


def test_config_shows_sources_and_ceilings_with_their_origin(aibr: Aibr) -> None:
    own_file(section(TRAIL) + '[ceilings]\nrun_bytes = "50GB"\nday_money = 12.5\n')
    rows = {row["name"]: row for row in aibr("config", "show", "--json").rows}
    assert rows["ceilings.run_bytes"]["value"] == "50GB"
    assert rows["ceilings.day_money"]["value"] == 12.5
    assert rows["sources.trail.region"]["origin"] == str(Path.cwd() / "aibr-hunt.toml")
    assert all(row["what"] for row in rows.values())
    assert "Table that a layout" not in rows["sources.trail.table"]["what"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sources = 1", ["sets sources to 1", "[sources.NAME]"]),
        ("[sources]\ntrail = 1", ["sets sources.trail to 1"]),
        (section(TRAIL, "all"), ["names a Source 'all'"]),
        (section(TRAIL, '"a.b"'), ["names a Source 'a.b'"]),
        (section(TRAIL, tabel='"x"'), ["sources.trail.tabel", "Did you mean table?"]),
        (section(TRAIL, zzzz='"x"'), ["sources.trail.zzzz", "Known: mapping, engine"]),
        (section(TRAIL, engine='"athene"'), ["sources.trail.engine to 'athene'", "Did you mean athena?"]),
        (section(TRAIL, region=None), ["sets no sources.trail.region", "Region of Athena"]),
        (section(TRAIL, mapping=None), ["sets no sources.trail.mapping"]),
        (section(TRAIL, engine=None), ["sets no sources.trail.engine"]),
        (section(TRAIL, project='"x"'), ["sources.trail.project", "of athena", "It is for bigquery", "region, account"]),
        (section(TRAIL, account="123456789012"), ["sources.trail.account to 123456789012", "account is a text"]),
        (section(TRAIL, account='"12"'), ["twelve digits"]),
        (section(TRAIL, output='"bucket"'), ["s3://bucket/prefix/"]),
        (section(TRAIL, price_per_tib="-1"), ["price_per_tib to -1", "0 or more"]),
        (section(TRAIL, price_per_tib='"5"'), ["price_per_tib is a number"]),
        (section(TRAIL, currency='"usd"'), ["three letters"]),
        (section(TRAIL, deadline_s="0"), ["deadline_s to 0", "above 0"]),
        (section(TRAIL, at_once="0"), ["at_once to 0", "from 1"]),
        (section(TRAIL, at_once="true"), ["at_once to True"]),
        (section(TRAIL, table='""'), ["sources.trail.table to ''"]),
        (section(TRAIL, endpoint='"https://evil.example.com"'), ["endpoint to 'https://evil.example.com'", "of this machine"]),
        (section(LOGS, plan='"basics"'), ["plan to 'basics'", "Did you mean basic?"]),
        ("[ceilings]\nrun_byte = 1", ["ceilings.run_byte", "Did you mean run_bytes?"]),
        ('[ceilings]\nrun_bytes = "50"', ["run_bytes to '50'", '"50GB"']),
        ("[ceilings]\nrun_bytes = 0", ["run_bytes to 0"]),
        ("[ceilings]\nrun_bytes = 1.5", ["run_bytes to 1.5"]),
        ("[ceilings]\nday_money = 0", ["day_money to 0", "above 0"]),
        ("ceilings = 5", ["sets ceilings to 5"]),
        ("cielings = 5", ["Did you mean ceilings?"]),
    ],
)
def test_what_cannot_stand_there_is_named_with_its_place(aibr: Aibr, text: str, expected: list[str]) -> None:
    own_file(text)
    said = aibr("config", "show")
    assert (said.code, said.out) == (2, "")
    assert [each for each in ("aibr-hunt.toml", *expected) if each not in said.err] == []


@pytest.mark.parametrize(
    "key", ["secret", "aws_secret_access_key", "password", "token", "session_token", "api_key", "client_secret", "key"]
)
def test_a_credential_is_refused_and_not_repeated(aibr: Aibr, key: str) -> None:
    own_file(section(TRAIL, **{key: '"hunter2"'}))
    said = aibr("config", "show")
    assert said.code == 2
    assert f"sources.trail.{key}, which is called like a credential." in said.err
    assert "hunter2" not in said.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (section(TRAIL, mapping='"aws_cloudtrial"'), "the mapping aws_cloudtrial, which there is not. Did you mean aws_cloudtrail?"),
        (section(TRAIL, layout='"projektion"'), "a layout athena/projektion, which aws_cloudtrail has not. Did you mean projection?"),
        (section({**AUDIT, "mapping": '"aws_cloudtrail"'}), "which aws_cloudtrail has not. It has athena/projection"),
        (section(AUDIT, "audit", table=None), "names no table for the Source audit"),
    ],
)
def test_a_source_of_what_there_is_not_is_named_when_it_is_used(aibr: Aibr, text: str, expected: str) -> None:
    own_file(text)
    assert aibr("config", "show").code == 0
    said = aibr("sources", "list")
    assert (said.code, said.out) == (2, "")
    assert expected in said.err


@pytest.mark.parametrize(
    ("text", "size"),
    [("50GB", 50 * 10**9), ("1.5 TiB", 3 << 39), ("10kb", 10_000), ("7B", 7), (12, 12), ("", None), ("GB", None), (True, None), (-1, None)],
)
def test_sizes_count_in_thousands_or_in_1024s(text: object, size: int | None) -> None:
    assert size_of(text) == size


def test_prices_in_two_currencies_and_a_ceiling_of_money_do_not_go_together(aibr: Aibr) -> None:
    own_file(
        section(TRAIL, price_per_tib="5") + section(TRAIL, "other", price_per_tib="5", currency='"EUR"') + "[ceilings]\nday_money = 3\n"
    )
    said = aibr("run", "shipped:aws/bedrock/aws_bedrock_guardrail_deleted", "--on", "all", "--last", "1d")
    assert said.code == 2
    assert "prices in EUR and USD" in said.err

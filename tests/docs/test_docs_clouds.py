"""The page on clouds is true: its settings are read, its policy allows what the engine calls and nothing more, its states are all there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.cli.clouds import ceilings_of
from aibr_hunt.cli.sections import CEILING_KEYS, KEYS
from aibr_hunt.cli.settings import Settings
from aibr_hunt.cli.sources import sources_of
from aibr_hunt.model.lead import CoverageState
from tests.built_in import LIBRARY

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clouds.md").read_text(encoding="utf-8")
# What Athena itself does with its caller's rights, besides what is called.
FOR_ATHENA = {
    *("glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "s3:GetObject", "s3:GetBucketLocation"),
    *("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"),
    *("kms:Decrypt", "kms:GenerateDataKey", "lakeformation:GetDataAccess"),
}
# Methods whose permission is called otherwise.
CALLED = {"ListObjectsV2": "ListBucket"}
# States that only runs over files or sweeps have.
ELSEWHERE = {CoverageState.STALE, CoverageState.SOURCE_SILENT, CoverageState.NOT_JUDGED}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_policy_allows_what_is_called_and_nothing_more() -> None:
    policy: dict[str, Any] = json.loads(blocks("json")[0])
    allowed = {
        action for each in policy["Statement"] for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    source = (ROOT / "aibr_hunt" / "engines" / "cloud" / "athena.py").read_text(encoding="utf-8")
    calls = re.findall(r'"(athena|glue|s3)", "([a-z_0-9]+)"', source)
    calls += [("athena", name) for name in re.findall(r'_client\("athena"\)\.(\w+)\(', source)]
    names = [(service, "".join(word.title() for word in method.split("_"))) for service, method in calls]
    called = {f"{service}:{CALLED.get(name, name)}" for service, name in names}
    assert len(called) == 7
    assert called <= allowed
    assert allowed - called == FOR_ATHENA


def test_the_settings_of_the_page_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "aibr-hunt.toml").write_text(blocks("toml")[0], encoding="utf-8")
    settings = Settings.load({}, here=tmp_path)
    assert [each.label for each in sources_of(settings, LIBRARY, ["all"])] == ["athena:trail", "bigquery:audit", "kql:activity"]
    assert ceilings_of(settings, ()).day_bytes == 2 * 10**12


def test_every_key_and_every_state_stands_on_the_page() -> None:
    assert [key for key in (*KEYS, *CEILING_KEYS) if f"`{key}`" not in PAGE] == []
    assert [state for state in CoverageState if state not in ELSEWHERE and f"| {state.value} |" not in PAGE] == []

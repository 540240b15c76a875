"""Runs over Sources from the command line: Athena's own client against a server on the loopback, and what is told, kept and taken up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from aibr_hunt.engines.cloud.journal import Begun, Journal
from aibr_hunt.model.window import Window
from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules
from tests.parity.rows import row_of_record
from tests.unit.cloud_samples import LAYOUT, START, TRAIL, record
from tests.wire.athena_server import AthenaWorld, athena_server

RULE = "shipped:aws/bedrock/aws_bedrock_guardrail_deleted"
ROOT = Path(__file__).resolve().parents[2]
DAY = ("--from", START.date().isoformat(), "--to", (START + timedelta(days=1)).date().isoformat())
EVENTS = [record(1, at=timedelta(hours=1)), record(2, at=timedelta(hours=2), name="ListGuardrails"), record(3, at=timedelta(hours=3))]
TABLE = replace(LAYOUT, table="security.trail")


@dataclass
class Cloud:
    """A server, its address, and how it is configured."""

    world: AthenaWorld
    address: str

    def configure(self, more: str = "") -> None:
        Path("aibr-hunt.toml").write_text(
            '[sources.trail]\nmapping = "aws_cloudtrail"\nengine = "athena"\ntable = "security.trail"\nregion = "eu-west-1"\n'
            f'account = "123456789012"\nprice_per_tib = 5\nendpoint = "{self.address}"\n{more}',
            encoding="utf-8",
        )


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, aibr: Aibr) -> Iterator[Cloud]:  # noqa: ARG001 - it makes the working folder
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    world = AthenaWorld(objects=["AWSLogs/2026/01/12/a.json.gz"])
    world.load(TABLE, [row_of_record(each, TRAIL, TABLE) for each in EVENTS])
    with athena_server(world) as address:
        made = Cloud(world, address)
        made.configure()
        yield made


def journals(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "runs").glob("R-*.jsonl"))


def test_a_run_over_a_source_finds_what_a_run_over_the_same_records_finds(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    said = aibr("run", RULE, "--on", "trail", *DAY, "--json")
    assert said.code == 1, said.err
    *leads, last = said.rows
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps(each) + "\n" for each in EVENTS), encoding="utf-8")
    from_files = aibr("--home", tmp_path / "other", "run", RULE, "--logs", logs, *DAY, "--json").rows[:-1]
    assert [(row["lead"], row["event"]) for row in leads] == [(row["lead"], row["event"]) for row in from_files]
    assert len(leads) == 2
    assert last["outcome"] == "complete"
    assert [(job["state"], job["rows"], job["source"]) for job in last["jobs"]] == [
        ("done", 2, "athena:trail"),
        ("done", 3, "athena:trail"),
    ]
    assert last["statistics"]["jobs"] == 2
    assert last["statistics"]["money_USD"] > 0
    assert len(cloud.world.jobs) == 2
    assert journals(tmp_path) == []


@pytest.mark.usefixtures("cloud")
def test_jobs_are_told_shown_and_reported(aibr: Aibr, tmp_path: Path) -> None:
    said = aibr("run", RULE, "--on", "all", *DAY, "--report", tmp_path / "report")
    assert said.code == 1
    assert "Spent: 2 jobs, 5 rows, 5.00 kB scanned, 0.0001 USD; " in said.out
    assert "Note: Asked of the clouds: 2 jobs, 5 rows" in said.err
    lead = next(word for word in said.out.split() if word.startswith("L-"))
    shown = aibr("leads", "show", lead)
    assert "table security.trail of 123456789012, job job-" in shown.out
    (row,) = aibr("leads", "show", lead, "--json").rows
    assert (row["deliveries"][0]["table"], row["deliveries"][0]["place"]) == ("security.trail", "123456789012")
    page = next((tmp_path / "report").glob("*.json"))
    jobs = json.loads(page.read_text(encoding="utf-8"))["jobs"]
    assert [job["state"] for job in jobs] == ["done", "done"]
    assert all("SELECT" in job["text"] for job in jobs)
    for suffix in ("md", "html"):
        text = next((tmp_path / "report").glob(f"*.{suffix}")).read_text(encoding="utf-8")
        assert "Programs asked of clouds" in text
        assert jobs[0]["digest"][:16] in text


def test_a_dry_run_prints_programs_and_estimates_and_asks_nothing(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    said = aibr("run", RULE, "--on", "trail", *DAY, "--dry-run")
    assert said.code == 0, said.err
    assert "athena:trail, 1 rule, whole, [2026-01-12T00:00:00Z, 2026-01-13T00:00:00Z): 1.00 kB, 0.0000 USD (an upper bound" in said.out
    assert "SELECT" in said.out
    assert "athena:trail, pulse, " in said.out
    assert "2 programs, 2.00 kB by estimate" in said.out
    assert "Nothing was asked." in said.out
    assert cloud.world.calls["StartQueryExecution"] == 0
    assert not (tmp_path / "home").exists()
    rows = aibr("run", RULE, "--on", "trail", *DAY, "--dry-run", "--json").rows
    assert [(row["form"], row["estimated_bytes"]) for row in rows] == [("whole", 1000), ("pulse", 1000)]


def test_a_dry_run_over_a_table_that_is_not_there_says_so(aibr: Aibr, cloud: Cloud) -> None:
    cloud.world.tables.clear()
    said = aibr("run", RULE, "--on", "trail", *DAY, "--dry-run")
    assert said.code == 4
    assert "no estimate: athena:trail names the table security.trail, which the catalogue does not hold." in said.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--on", "trail"), "one has an open side. Say from when to when"),
        (("--on", "trail", "--from", "2026-01-12"), "one has an open side"),
        (("--on", "trial", *DAY), "There is no Source trial. Did you mean trail?"),
        (("--on", "trail", "--lake", *DAY), "--lake and --on are both there."),
        ((), "Neither --logs nor --lake nor --on says what to read."),
        (("--lake", "--dry-run"), "--dry-run is for Sources in clouds."),
        (("--lake", "--resume", "R-1"), "--resume is for Sources in clouds."),
        (("--on", "trail", "--source", "aws_cloudtrail", *DAY), "--source tells what files are"),
        (("--on", "trail", "--resume", "R-1", *DAY), "--resume takes up the window of the run."),
        (("--on", "trail", "--resume", "R-0123456789abcdef"), "There is no run R-0123456789abcdef that was cut off."),
        (("--on", "trail", "--resume", "../ledger"), "There is no run ../ledger that was cut off."),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    aibr: Aibr, cloud: Cloud, tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    said = aibr("run", RULE, *options)
    assert (said.code, said.out) == (2, "")
    assert expected in said.err
    assert cloud.world.calls.total() == 0
    assert journals(tmp_path) == []


def test_a_ceiling_names_the_hole_and_asks_nothing(aibr: Aibr, cloud: Cloud) -> None:
    cloud.configure('[ceilings]\nquery_bytes = "500B"\n')
    said = aibr("run", RULE, "--on", "trail", *DAY)
    assert said.code == 4
    assert "It would scan 1,000 bytes" in said.err
    assert "over budget" in said.out
    assert cloud.world.calls["StartQueryExecution"] == 0


def test_what_earlier_runs_of_the_day_spent_counts_for_the_day(aibr: Aibr, cloud: Cloud) -> None:
    cloud.configure('[ceilings]\nday_bytes = "5kB"\n')
    assert aibr("run", RULE, "--on", "trail", *DAY).code == 1
    said = aibr("run", RULE, "--on", "trail", *DAY)
    assert said.code == 4, "all 5,000 bytes are spent"
    assert "over budget" in said.out


def test_the_limit_of_a_hunt_bounds_its_run_and_its_window_is_the_usual_one(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    write_rules(
        tmp_path / "own" / "hunts",
        {
            "taken_down.yml": "hunt: taken_down\ntitle: A guardrail is taken down\nhypothesis: Somebody takes guardrails down.\n"
            "rivals: {theft: the hypothesis, work: A planned change.}\nexpect:\n"
            "  - {id: gone, rules: [aws_bedrock_guardrail_deleted], supports: [theft]}\n"
            "  - {id: asked, rules: [aws_bedrock_guardrail_deleted], supports: [work], against: [theft]}\n"
            "window: {last: P3D}\nlimits: {scan_bytes: 500B}\n"
        },
    )
    said = aibr("--content", tmp_path / "own", "hunt", "run", "taken_down", "--on", "trail", *DAY)
    assert said.code == 4, said.err
    assert "the ceilings leave 500 bytes" in said.err
    told = aibr("--content", tmp_path / "own", "hunt", "run", "taken_down", "--on", "trail", "--dry-run", "--json").rows
    first = told[0]
    assert (first["to"][:10] > first["from"][:10], cloud.world.calls["StartQueryExecution"]) == (True, 0)


@pytest.mark.usefixtures("cloud")
def test_a_sweep_runs_over_sources(aibr: Aibr, tmp_path: Path) -> None:
    write_rules(tmp_path / "own" / "hunts" / "sweeps", {"mine.yml": f"sweep: mine\nrules: ['{RULE}']\nevery: P1D\n"})
    said = aibr("--content", tmp_path / "own", "sweep", "run", "mine", "--on", "trail", *DAY)
    assert said.code == 1, said.err
    assert "Spent: 2 jobs" in said.out


def started(cloud: Cloud, *, wait_s: float = 30.0) -> subprocess.Popen[str]:
    """Return a run in a process of its own, once its job has started and does not end."""
    cloud.world.polls = -1
    words = [sys.executable, "-m", "aibr_hunt", "run", RULE, "--on", "trail", *DAY]
    running = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # A shell without job control starts its background jobs with SIGINT ignored, every descendant inherits that, and Python honours it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing else happens between fork and exec
    )
    until = time.monotonic() + wait_s
    while not (cloud.world.jobs and cloud.world.calls["GetQueryExecution"]) and time.monotonic() < until and running.poll() is None:
        time.sleep(0.05)
    assert cloud.world.jobs
    return running


def test_a_run_that_died_is_named_and_taken_up_without_a_second_job(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    running = started(cloud)
    (journal,) = journals(tmp_path)
    still = aibr("run", RULE, "--on", "trail", "--resume", journal.stem)
    assert (still.code, f"The run {journal.stem} still goes on." in still.err) == (2, True)
    running.kill()
    running.communicate()
    cloud.world.polls = 1
    listed = aibr("sources", "list")
    assert f"The run {journal.stem} over athena:trail, [2026-01-12T00:00:00Z, 2026-01-13T00:00:00Z), was cut off after 1 job" in listed.err
    command = f"aibr-hunt run {RULE} --on trail --resume {journal.stem}"
    assert f"Take it up again with: {command}" in listed.err
    other = aibr("run", "shipped:aws/iam", "--on", "trail", "--resume", journal.stem)
    assert (other.code, f"Write: {command}" in other.err) == (2, True)
    jobs = set(cloud.world.jobs)
    said = aibr("run", RULE, "--on", "trail", "--resume", journal.stem, "--json")
    assert said.code == 1, said.err
    assert said.rows[-1]["run"] == journal.stem
    assert jobs < set(cloud.world.jobs)
    assert len(cloud.world.jobs) == 2, "the job that was there, and the pulse"
    assert journals(tmp_path) == []
    assert aibr("evidence", "verify").code == 0


def test_ctrl_c_stops_the_remote_job_and_what_was_stopped_is_asked_anew(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    running = started(cloud)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=30)
    assert running.returncode == 3
    (journal,) = journals(tmp_path)
    assert f"Run {journal.stem} is not on record, and has started 1 job; what still ran was told to stop." in told
    assert f"--resume {journal.stem}" in told
    assert cloud.world.stopped == list(cloud.world.jobs)
    cloud.world.polls = 1
    said = aibr("run", RULE, "--on", "trail", "--resume", journal.stem, "--json")
    assert said.code == 1, said.err
    assert (said.rows[-1]["run"], said.rows[-1]["outcome"]) == (journal.stem, "complete")
    assert len(cloud.world.jobs) == 3


def test_a_run_that_takes_up_jobs_settles_nothing_that_they_were_too_early_for(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    running = started(cloud)
    running.kill()
    running.communicate()
    (journal,) = journals(tmp_path)
    head, *rest = journal.read_text(encoding="utf-8").splitlines()
    early = {**json.loads(head), "began": (START + timedelta(days=1)).isoformat().replace("+00:00", "Z")}
    journal.write_text("\n".join([json.dumps(early), *rest, ""]), encoding="utf-8")
    cloud.world.polls = 1
    said = aibr("run", RULE, "--on", "trail", "--resume", journal.stem)
    assert said.code == 4
    assert "provisional" in aibr("coverage").out


@pytest.mark.usefixtures("cloud")
def test_doctor_says_what_is_there_and_what_is_blind(aibr: Aibr) -> None:
    said = aibr("doctor")
    assert said.code == 4
    assert "athena:trail: aws_cloudtrail, athena/projection, security.trail of 123456789012" in said.out
    assert "partitions  " in said.out
    assert "FAULT       athena:trail: no event of any kind in the last 2 days" in said.out
    assert "no Source holds the log source gcp_audit" in said.out
    assert "stolen_key_llmjacking" in said.out


def test_doctor_ends_well_when_all_that_is_asked_can_be_seen(aibr: Aibr, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aibr_hunt.cli.parts.now", lambda: START + timedelta(hours=12))
    monkeypatch.setattr("aibr_hunt.cli.doctor.now", lambda: START + timedelta(hours=12))
    said = aibr("doctor", RULE, "--on", "trail")
    assert said.code == 0, said.out + said.err
    assert "newest      2026-01-12T03:00:00Z; 3 events in two days" in said.out
    assert "1 rule: 1 see all that they ask for, 0 if a log is on, 0 are blind" in said.out
    assert aibr("doctor", RULE, "--on", "trail", "--no-pulse").code == 4
    jobs = len(cloud.world.jobs)
    rows = aibr("doctor", RULE, "--json").rows
    assert len(cloud.world.jobs) == jobs + 1
    assert [(row.get("faults"), row.get("blind")) for row in rows] == [([], None), (None, [])]


def test_doctor_names_missing_columns_and_tables(aibr: Aibr, cloud: Cloud) -> None:
    cloud.world.tables["trail"] = replace(TABLE, columns=tuple(each for each in TABLE.columns if each.name != "useridentity"))
    said = aibr("doctor", RULE)
    assert said.code == 4
    assert "lacks useridentity, which athena/projection reads" in said.out
    assert cloud.world.jobs == {}
    cloud.world.tables.clear()
    gone = aibr("doctor", RULE)
    assert (gone.code, "the table security.trail is not there" in gone.out) == (4, True)
    cloud.world.faults["GetTable"] = [(400, "AccessDeniedException", "no")]
    refused = aibr("doctor", RULE)
    assert (refused.code, "could not be looked at" in refused.out, "was refused" in refused.out) == (4, True, True)


@pytest.mark.usefixtures("cloud")
def test_the_journal_of_a_run_that_is_on_record_is_taken_away(aibr: Aibr, tmp_path: Path) -> None:
    run = aibr("run", RULE, "--on", "trail", *DAY, "--json").rows[-1]["run"]
    begun = Begun(run=run, kind="files", words=("run",), sources=("athena:trail",), window=Window(), began=START)
    Journal.create(tmp_path / "home" / "runs", begun).close()
    assert aibr("sources", "list").err == ""
    assert journals(tmp_path) == []


def test_a_profile_that_is_not_there_is_a_failed_source_and_no_fault_of_ours(aibr: Aibr, cloud: Cloud) -> None:
    cloud.configure('profile = "nobody"\n')
    said = aibr("run", RULE, "--on", "trail", *DAY)
    assert said.code == 4
    assert "The config profile (nobody) could not be found" in said.err


def test_rules_that_have_changed_since_are_told_when_a_run_is_taken_up(aibr: Aibr, cloud: Cloud, tmp_path: Path) -> None:
    own = write_rules(tmp_path / "own", {"r.yml": rule_text(1, "{eventName: DeleteGuardrail}")})
    begun = Begun(
        run="R-0123456789abcdef",
        kind="files",
        words=("run", str(own), "--on", "trail"),
        sources=("athena:trail",),
        window=Window(start=START, end=START + timedelta(days=1)),
        began=START + timedelta(days=3),
        rules="others",
    )
    Journal.create(tmp_path / "home" / "runs", begun).close()
    said = aibr("run", own, "--on", "trail", "--resume", "R-0123456789abcdef", "--json")
    assert said.code == 1, said.err
    assert "Rules have changed since R-0123456789abcdef was begun" in said.err
    assert said.rows[-1]["run"] == "R-0123456789abcdef"
    assert len(cloud.world.jobs) == 2


# -- what is due ----------------------------------------------------------------------------------------------------


@dataclass
class Nights:
    """A sweep over the server, at moments that a test chooses."""

    aibr: Aibr
    patch: pytest.MonkeyPatch

    def at(self, hours: float) -> None:
        moment = START + timedelta(hours=hours)
        for module in ("sweep", "clouds", "running", "parts"):
            self.patch.setattr(f"aibr_hunt.cli.{module}.now", lambda: moment)

    def sweep(self, *more: str) -> tuple[int, str, list[str]]:
        """Run what is due; return the code, the window and the hours of the events found."""
        said = self.aibr("--content", "ours", "sweep", "run", "nightly", "--on", "trail", "--due", "--json", *more)
        window = said.err.partition("window: ")[2].splitlines()[0] if "window: " in said.err else said.err.strip()
        return said.code, window, [row["time"][11:13] for row in said.rows[:-1]]

    def states(self) -> list[tuple[str, str]]:
        rows = self.aibr("--content", "ours", "sweep", "status", "nightly", "--json").rows
        return [(row["source"], row["state"]) for row in rows]


@pytest.fixture
def nights(aibr: Aibr, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Nights:  # noqa: ARG001 - it configures
    rules = write_rules(Path("ours/rules"), {"deleted.yml": rule_text(1)})
    sweeps = Path("ours/hunts/sweeps")
    sweeps.mkdir(parents=True)
    (sweeps / "nightly.yml").write_text(f"sweep: nightly\nevery: P1D\nrules: ['{rules.absolute()}']\n", encoding="utf-8")
    return Nights(aibr, monkeypatch)


def test_nights_in_a_row_share_all_time_out_and_find_what_came_late(nights: Nights, cloud: Cloud) -> None:
    nights.at(30)
    assert nights.sweep() == (4, "[2026-01-06T06:00:00Z, 2026-01-13T06:00:00Z)", ["01", "03"])
    assert nights.states() == [("athena:trail", "provisional")]
    late = record(9, at=timedelta(hours=20))
    cloud.world.load(TABLE, [row_of_record(each, TRAIL, TABLE) for each in (*EVENTS, late)])
    nights.at(54)
    code, window, found = nights.sweep()
    assert (code, window) == (4, "[2026-01-12T06:00:00Z, 2026-01-14T06:00:00Z)"), "what was asked within a day of it, once more"
    assert found == ["20"]
    nights.at(57)
    assert nights.sweep()[1] == "[2026-01-13T06:00:00Z, 2026-01-14T09:00:00Z)", "three hours later: three hours more of the second look"


def test_a_night_that_was_left_out_is_asked_the_next_time(nights: Nights) -> None:
    nights.at(30)
    nights.sweep("--last", "P1D")
    nights.at(102)
    assert nights.sweep()[1] == "[2026-01-09T06:00:00Z, 2026-01-16T06:00:00Z)", "a week back, where nobody has asked"
    nights.at(103)
    assert nights.sweep("--to", "2026-01-12T00:00:00Z", "--last", "P1D") == (
        0,
        "Nothing is due there: every rule was asked, and late events were looked for.",
        [],
    )


def test_due_is_for_sources_and_for_runs_that_begin(aibr: Aibr, nights: Nights) -> None:
    nights.at(30)
    said = aibr("--content", "ours", "sweep", "run", "nightly", "--logs", ".", "--due")
    assert (said.code, "--due is for Sources in clouds. Name them with --on." in said.err) == (2, True)
    said = aibr("--content", "ours", "sweep", "run", "nightly", "--on", "trail", "--due", "--resume", "R-1")
    assert (said.code, "Leave out --due." in said.err) == (2, True)

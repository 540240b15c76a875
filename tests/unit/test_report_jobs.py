"""Reports tell each program that a cloud was asked: in the pages as a table, in the JSON form whole; no text of a cloud is active there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import jsonschema
import pytest

from aibr_hunt.model.job import Job, JobState
from aibr_hunt.report import Extent, render_html, render_json, render_markdown, report_schema
from aibr_hunt.report.findings import Findings
from tests.unit.report_samples import PAYLOADS, START, WINDOW, clean, digest, findings, poison


def job(number: int = 1, **changes: object) -> Job:
    made = Job(
        id=f"job-{number}",
        source="athena:trail",
        place="123456789012",
        window=WINDOW,
        rules=("00000000-0000-4000-8000-000000000000",),
        text='SELECT eventid FROM "security"."trail"',
        digest=digest(("query", number)),
        started=START,
        ended=START + timedelta(seconds=9),
        state=JobState.DONE,
        estimated_bytes=2_000_000,
        estimate="dry run",
        rows=20,
        counted_rows=20,
        scanned_bytes=1_234_567,
        billed_bytes=10_000_000,
        money=0.0625,
        currency="USD",
    )
    return replace(made, **changes)  # type: ignore[arg-type] # a test's shorthand


JOBS = (
    job(),
    job(2, state=JobState.PARTIAL, cause="Query exhausted resources at this scale factor.", rows=3),
    job(3, id="", state=JobState.OVER_BUDGET, cause="It would scan 5 GB.", rows=0, scanned_bytes=None, billed_bytes=None, money=None),
)


def told(**changes: object) -> Findings:
    return clean(jobs=JOBS, **changes)


def test_the_page_shows_each_job_with_rows_bytes_money_and_digest() -> None:
    for text in (render_html(told()), render_markdown(told()).replace("\\.", ".")):
        assert "Programs asked of clouds" in text
        assert "2 jobs, 23 rows, 2.47 MB scanned, 0.1250 USD, 1 program not started" in text
        assert "1,234,567" in text
        assert "0.0625 USD" in text
        assert "not told" in text
        assert "over budget" in text
        assert JOBS[1].digest in text
        assert "SELECT" not in text.replace("one SELECT or one", ""), "the text itself stands in the JSON form"


def test_a_report_without_jobs_speaks_of_none() -> None:
    for text in (render_html(clean()), render_markdown(clean())):
        assert "Programs asked" not in text
    assert json.loads(render_json(clean()))["jobs"] == []


def test_the_json_form_holds_the_whole_text_and_keeps_to_its_schema() -> None:
    form = json.loads(render_json(told()))
    jsonschema.validate(form, report_schema())
    first, second, third = form["jobs"]
    assert first["text"] == JOBS[0].text
    assert (first["money"], first["currency"], first["billed_bytes"]) == (0.0625, "USD", 10_000_000)
    assert second["state"] == "partial"
    assert (third["id"], third["scanned_bytes"], third["money"]) == ("", None, None)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**form, "jobs": [{**first, "more": 1}]}, report_schema())


def test_many_jobs_are_cut_in_the_pages_and_counted() -> None:
    many = clean(jobs=tuple(job(number) for number in range(9)), extent=Extent(rules=4))
    assert "5 more, all in the JSON report." in render_html(many)
    assert "5 more, all in the JSON report." in render_markdown(many)
    assert len(json.loads(render_json(many))["jobs"]) == 9


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_text_of_a_job_is_active(payload: str) -> None:
    poisoned = findings(2, jobs=poison(JOBS, payload))
    harmless = findings(2, jobs=poison(JOBS, "word"))
    page, plain = render_html(poisoned), render_html(harmless)
    for mark in ("<script", "<img", "<svg", "<a ", "<b>", "<div"):
        assert page.count(mark) == plain.count(mark)
    rows, plain_rows = (render_markdown(each).splitlines() for each in (poisoned, harmless))
    assert len(rows) == len(plain_rows)
    jsonschema.validate(json.loads(render_json(poisoned)), report_schema())

"""Logs in buckets: what is listed is read as files are, once; what a store refuses is said; nothing is half visible."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from aibr_hunt.cli.main import cli
from aibr_hunt.cli.output import run_guarded
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake import remote
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.remote import Listing, Remote, is_url, listed
from aibr_hunt.engines.lake.values import Added
from aibr_hunt.errors import AibrError, EngineError, UsageError
from aibr_hunt.intake.files import Found, discover
from tests.cli.samples import NOW, cloudtrail, rule_text, write_bytes, write_lines, write_records, write_rules
from tests.unit.lake_remote_samples import FolderBucket
from tests.unit.lake_samples import identities, opened

ROOT = Path(__file__).resolve().parents[2]
URL = "s3://example-logs/AWSLogs/"


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    """Three log files with 30 events, and what lies beside logs."""
    folder = tmp_path / "bucket"
    for number in range(3):
        write_records(folder / "AWSLogs" / f"{number}.json.gz", [cloudtrail(each) for each in range(number * 10, number * 10 + 10)])
    write_bytes(folder / "AWSLogs" / "CloudTrail-Digest" / "x.json.gz", b"{}")
    write_bytes(folder / "AWSLogs" / ".hidden" / "x.json", b"{}")
    write_bytes(folder / "AWSLogs" / "readme.pdf", b"%PDF")
    write_bytes(folder / "other" / "x.json", b"{}")
    return FolderBucket(folder=folder)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return opened(tmp_path / "lake")


def below(bucket: FolderBucket, url: str = URL) -> Listing:
    return listed([url], buckets=[bucket])


def add(lake: Lake, bucket: FolderBucket, url: str = URL, *, processes: int = 1) -> Added:
    return lake.add(below(bucket, url).objects, Scope(now=NOW), processes=processes)


def files_left(lake: Lake) -> list[Path]:
    return [each for each in (lake.store.folder / "events").rglob("*") if each.suffix != ".parquet" and not each.is_dir()]


class TestListing:
    def test_objects_below_a_prefix_come_by_name_and_others_are_counted(self, bucket: FolderBucket) -> None:
        found = below(bucket)
        assert [each.shown for each in found.objects] == [f"{URL}{number}.json.gz" for number in range(3)]
        assert found.left_out == ((".pdf", 1), ("CloudTrail digests", 1), ("hidden", 1))

    def test_a_prefix_without_its_slash_is_the_same_and_no_beginning_of_a_name(self, bucket: FolderBucket) -> None:
        assert below(bucket, URL.rstrip("/")) == below(bucket)
        with pytest.raises(UsageError, match="no object at or below s3://example-logs/AWSLo"):
            below(bucket, "s3://example-logs/AWSLo")

    def test_an_object_that_is_named_is_read_whatever_it_is_called(self, bucket: FolderBucket) -> None:
        assert [each.shown for each in below(bucket, URL + "readme.pdf").objects] == [URL + "readme.pdf"]

    def test_an_object_that_is_reached_twice_is_listed_once(self, bucket: FolderBucket) -> None:
        found = listed([URL + "1.json.gz", URL, "s3://example-logs"], buckets=[bucket])
        assert [each.entry.key[-9:] for each in found.objects] == ["1.json.gz", "0.json.gz", "2.json.gz", "er/x.json"]

    @pytest.mark.parametrize(("change", "kind"), [({"folder": Path("nowhere")}, UsageError), ({"may_list": False}, EngineError)])
    def test_a_bucket_that_cannot_be_listed_is_named(self, bucket: FolderBucket, change: dict[str, Any], kind: type[AibrError]) -> None:
        with pytest.raises(kind, match="s3://example-logs"):
            below(replace(bucket, **change))

    @pytest.mark.parametrize("url", ["https://example.com/x.json", "s3:///x", "file:///x"])
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(UsageError, match=url):
            listed([url])

    @pytest.mark.parametrize(
        ("path", "answer"), [("s3://b/c", True), ("AZ://c", True), ("logs/s3:/x", False), ("C:\\logs", False), ("C://logs", False)]
    )
    def test_urls_are_told_from_paths(self, path: str, answer: bool) -> None:  # noqa: FBT001 - a table's column
        assert is_url(path) is answer

    def test_without_the_package_the_error_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        monkeypatch.setitem(sys.modules, "obstore.store", None)
        with pytest.raises(UsageError, match=r"pip install 'aibr_hunt\[remote\]'"):
            listed(["s3://not-opened-yet/x/"])


class TestAdding:
    def test_objects_are_read_as_files_are(self, bucket: FolderBucket, lake: Lake, tmp_path: Path) -> None:
        added = add(lake, bucket)
        local = opened(tmp_path / "local")
        local.add(discover([bucket.folder / "AWSLogs"]).files, Scope(now=NOW))
        assert identities(lake) == identities(local)
        assert [each.path for each in added.accounts] == [f"{URL}{number}.json.gz" for number in range(3)]
        assert added.is_complete
        assert all(each.is_balanced and each.content_size and each.digest for each in added.accounts)

    def test_files_and_objects_can_be_mixed(self, bucket: FolderBucket, lake: Lake, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(99)])
        found: list[Found | Remote] = [*discover([tmp_path / "a.json"]).files, *below(bucket).objects]
        assert lake.add(found, Scope(now=NOW)).events == 31

    def test_several_processes_read_what_one_reads(
        self, bucket: FolderBucket, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(lake, bucket)
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        other = opened(tmp_path / "other")
        assert add(other, bucket, processes=2).events == 30
        assert identities(other) == identities(lake)
        assert files_left(other) == []

    def test_a_version_that_the_lake_holds_is_not_downloaded(self, bucket: FolderBucket, lake: Lake) -> None:
        add(lake, bucket)
        bucket.asked.clear()
        again = add(lake, bucket)
        assert (again.events, again.skipped, bucket.asked) == (0, 3, [])

    def test_without_etags_it_is_downloaded_and_then_passed_over(self, bucket: FolderBucket, lake: Lake) -> None:
        bucket = replace(bucket, has_etags=False)
        add(lake, bucket)
        bucket.asked.clear()
        again = add(lake, bucket)
        assert (again.events, again.skipped, len(bucket.asked)) == (0, 3, 3)

    def test_a_new_version_under_an_old_name_is_read(self, bucket: FolderBucket, lake: Lake) -> None:
        add(lake, bucket)
        write_records(bucket.folder / "AWSLogs" / "1.json.gz", [cloudtrail(each) for each in range(10, 22)])
        bucket.asked.clear()
        again = add(lake, bucket)
        assert (again.events, again.repeats, again.skipped) == (12, 12, 2)
        assert {key for key, _, _ in bucket.asked} == {"AWSLogs/1.json.gz"}

    def test_a_copy_under_another_name_is_known_by_its_own_version(self, bucket: FolderBucket, lake: Lake) -> None:
        write_bytes(bucket.folder / "copies" / "x.json", b'{"Records": []}')
        write_bytes(bucket.folder / "copies" / "y.json", b'{"Records": []}')
        assert add(lake, bucket, "s3://example-logs/copies/").skipped == 1
        bucket.asked.clear()
        assert (add(lake, bucket, "s3://example-logs/copies/").skipped, bucket.asked) == (2, [])

    def test_a_file_that_was_added_from_disk_is_no_second_delivery(self, bucket: FolderBucket, lake: Lake) -> None:
        lake.add(discover([bucket.folder / "AWSLogs"]).files, Scope(now=NOW))
        assert (add(lake, bucket).events, add(lake, bucket).skipped) == (0, 3)

    def test_large_objects_come_in_bounded_parts(self, bucket: FolderBucket, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "CHUNK_BYTES", 100)
        assert add(lake, bucket).events == 30
        sizes = [end - start for _, start, end in bucket.asked]
        assert len(sizes) > 6
        assert max(sizes) == 100

    def test_an_empty_object_is_an_empty_file(self, bucket: FolderBucket, lake: Lake) -> None:
        write_bytes(bucket.folder / "none" / "x.json", b"")
        added = add(lake, bucket, "s3://example-logs/none/")
        assert (added.events, added.is_complete, added.accounts[0].format) == (0, True, "empty")

    def test_copies_lie_in_a_private_folder_one_task_at_a_time_and_go(
        self, bucket: FolderBucket, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 2)
        seen: list[tuple[int, set[int]]] = []

        def look(_: object) -> None:
            copies = files_left(lake)
            seen.append((len(copies), {each.stat().st_mode & 0o077 for each in (*copies, *(each.parent for each in copies))}))

        lake.add(below(bucket).objects, Scope(now=NOW), tell=look)
        assert len(seen) == 3
        assert all(count <= 2 and open_to <= {0} for count, open_to in seen)
        assert files_left(lake) == []

    def test_what_a_dead_process_left_is_swept(self, bucket: FolderBucket, lake: Lake) -> None:
        write_bytes(lake.store.folder / "events" / "incoming" / "task-x" / "0", b"left")
        add(lake, bucket)
        assert not (lake.store.folder / "events" / "incoming").exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("fault", "reason"),
        [("denied", "not given by the store (403 InvalidObjectState)"), ("fading", remote.GONE), ("changing", remote.CHANGED)],
    )
    def test_one_object_that_cannot_be_had_is_refused_by_reason_and_the_others_are_read(
        self, bucket: FolderBucket, lake: Lake, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
    ) -> None:
        monkeypatch.setattr(remote, "CHUNK_BYTES", 64)
        faulty: dict[str, Any] = {fault: frozenset({"AWSLogs/1.json.gz"})}
        added = add(lake, replace(bucket, **faulty))
        assert added.events == 20
        assert not added.is_complete
        assert [[each.reason for each in account.refusals] for account in added.accounts] == [[], [reason], []]
        assert added.accounts[1].path == URL + "1.json.gz"
        assert files_left(lake) == []

    def test_a_refused_object_is_asked_for_again(self, bucket: FolderBucket, lake: Lake) -> None:
        add(lake, replace(bucket, denied=frozenset({"AWSLogs/1.json.gz"})))
        again = add(lake, bucket)
        assert (again.events, again.skipped, again.is_complete) == (10, 2, True)
        assert all(each.account.is_complete for each in lake.store.snapshot()[0])

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_lost_connection_leaves_nothing_visible(
        self, bucket: FolderBucket, lake: Lake, monkeypatch: pytest.MonkeyPatch, processes: int
    ) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        with pytest.raises(EngineError, match=r"s3://example-logs/AWSLogs/2\.json\.gz cannot be read"):
            add(lake, replace(bucket, broken=frozenset({"AWSLogs/2.json.gz"})), processes=processes)
        assert lake.store.snapshot() == ((), ())
        assert files_left(lake) == []


class ObstoreError(Exception):
    """Stands for an error of the library, which keeps what it knows in its text."""


ObstoreError.__module__ = "obstore.exceptions"


class TestMeaning:
    """What an error of the library means, told from its text alone."""

    @pytest.mark.parametrize(
        ("text", "kind", "sentence"),
        [
            (
                "GET http://192.0.2.1/b?sig=SECRET failed, status code: 403 Forbidden: <Code>AccessDenied</Code>",
                PermissionError,
                "403 AccessDenied",
            ),
            ("status code: 404 Not Found: ", FileNotFoundError, "404"),
            (
                "status code: 503 Slow: SECRET",
                EngineError,
                "URL cannot be read: the store answers 503. Nothing was added. Try again later.",
            ),
            ("status code: 429 Many", EngineError, "URL cannot be read: the store answers 429. Nothing was added. Try again later."),
            (
                "error sending request\n\nDebug source:\nTimedOut SECRET",
                EngineError,
                "URL cannot be read: the store does not answer in time. Nothing was added. Try again later.",
            ),
            (
                "error sending request for http://192.0.2.1/?sig=SECRET",
                EngineError,
                "URL cannot be read: no connection. Nothing was added. Try again later.",
            ),
            ("something else SECRET", EngineError, "URL cannot be read: ObstoreError. Nothing was added. Try again later."),
        ],
    )
    def test_it_is_one_of_few_and_tells_no_address(self, text: str, kind: type[Exception], sentence: str) -> None:
        with pytest.raises(kind) as caught, remote._translated("s3://b/k"):
            raise ObstoreError(text)
        assert str(caught.value).replace("s3://b/k", "URL") == sentence

    def test_an_azure_account_without_a_name_is_the_user_s_to_give(self) -> None:
        with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT_NAME"), remote._translated("az://logs/x/"):
            raise ObstoreError("Account must be specified")

    def test_a_fault_of_our_own_is_not_taken_for_the_store_s(self) -> None:
        with pytest.raises(TypeError), remote._translated("s3://b/k"):
            raise TypeError


def test_a_run_over_log_files_refuses_urls_and_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("AIBR_HOME", "AIBR_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    path = write_rules(tmp_path / "rules", {"guardrail.yml": rule_text(1)})
    assert run_guarded(cli, ["run", str(path), "--logs", "s3://example-logs/AWSLogs/"]) == 2
    said = capfd.readouterr().err.replace("\n", " ")
    assert "s3://example-logs/AWSLogs is not on this machine" in said
    assert "`aibr-hunt logs add s3://example-logs/AWSLogs`" in said


@dataclass(slots=True)
class Store:
    """What the S3 below holds and does.

    Attributes:
        objects: Content by key. `refusals`: status and code by key, or by `""` for the listing.
        stale: Keys whose listed etag is no longer theirs.
        got: Keys that were read.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    got: list[str] = field(default_factory=list)


class S3(ThreadingHTTPServer):
    """ListObjectsV2 in pages of two, HeadObject and GetObject with ranges, for the one bucket `example-logs`."""

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.store = store


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(url.path).removeprefix("/example-logs").removeprefix("/")
        store = self.server.store
        refusal = (404, "NoSuchBucket") if not url.path.startswith("/example-logs") else store.refusals.get(key)
        if refusal is None and key and key not in store.objects:
            refusal = (404, "NoSuchKey")
        if refusal is not None:
            self.say(refusal[0], f"<Error><Code>{refusal[1]}</Code><Message>secret-signed-thing</Message></Error>".encode())
        elif not key:
            self.say(200, self.page(dict(urllib.parse.parse_qsl(url.query))))
        else:
            self.give(key, store.objects[key])

    def do_PUT(self) -> None:
        self.say(403, b"no metadata here")

    def page(self, asked: dict[str, str]) -> bytes:
        keys = [key for key in sorted(self.server.store.objects) if key.startswith(asked.get("prefix", ""))]
        start = int(asked.get("continuation-token", "0"))
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-20T08:30:00.000Z</LastModified>"
            f"<ETag>&quot;{self.etag(key)}&quot;</ETag><Size>{len(self.server.store.objects[key])}</Size></Contents>"
            for key in keys[start : start + 2]
        )
        more = start + 2 < len(keys)
        following = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>example-logs</Name><KeyCount>2</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{following}{rows}</ListBucketResult>"
        ).encode()

    def give(self, key: str, content: bytes) -> None:
        if self.command == "GET":
            self.server.store.got.append(key)
        headers = {"ETag": f'"{self.etag(key)}{"-new" if key in self.server.store.stale else ""}"'}
        headers["Last-Modified"] = "Tue, 20 Jan 2026 08:30:00 GMT"
        wanted = self.headers.get("Range")
        if wanted is None:
            self.say(200, content, headers)
            return
        first, last = (int(each) for each in wanted.removeprefix("bytes=").split("-"))
        part = content[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        self.say(206, part, headers)

    def etag(self, key: str) -> str:
        return hashlib.md5(self.server.store.objects[key], usedforsecurity=False).hexdigest()

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def s3() -> Iterator[S3]:
    keys = ["AWSLogs/1.json", "AWSLogs/2 of #2+%41é.json", "AWSLogs/3.json", "AWSLogs/notes", "AWSLogs/z/4.json", "AWSLogs/z/5.json"]
    contents = [json.dumps({"Records": [cloudtrail(number)]}).encode() for number in range(len(keys))]
    server = S3(Store(objects=dict(zip(keys, contents, strict=True))))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


def aibr(s3: S3, home: Path, *words: str, credentials: bool = True) -> Said:
    """Run the command in a process of its own: the library's threads would stay in ours, and other tests fork."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV_", "COVERAGE"))}
    environment |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.server_port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-west-1"}
    if credentials:
        environment |= {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE000000001", "AWS_SECRET_ACCESS_KEY": "synthetic-secret"}
    else:
        environment["AWS_METADATA_ENDPOINT"] = f"http://127.0.0.1:{s3.server_port}"
    environment |= {"AIBR_HOME": str(home), "AIBR_CACHE": str(home / "cache"), "AIBR_PROCESSES": "2", "NO_PROXY": "127.0.0.1"}
    ran = subprocess.run(
        [sys.executable, "-m", "aibr_hunt", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    assert not any(secret in ran.stdout + ran.stderr for secret in ("synthetic-secret", "secret-signed-thing"))
    return Said(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.skipif(importlib.util.find_spec("obstore") is None, reason="obstore is not installed")
class TestS3:
    def test_a_prefix_is_added_once_by_the_command(self, s3: S3, tmp_path: Path) -> None:
        said = aibr(s3, tmp_path, "logs", "add", URL)
        assert (said.code, said.out, said.err) == (0, "Added 5 events from 5 files.\n", "")
        assert len(s3.store.got) == 5
        s3.store.got.clear()
        said = aibr(s3, tmp_path, "logs", "add", URL)
        assert (said.code, "Passed over 5 files" in said.out, s3.store.got) == (0, True, [])
        said = aibr(s3, tmp_path, "logs", "sql", "SELECT file FROM events ORDER BY file", "--format", "json")
        assert [json.loads(line)["file"] for line in said.out.splitlines()] == [
            f"s3://example-logs/{key}" for key in sorted(s3.store.objects) if key.endswith(".json")
        ]

    @pytest.mark.slow  # a command of its own each: `make slow`
    def test_two_processes_read_it(self, s3: S3, tmp_path: Path) -> None:
        s3.store.objects |= {
            f"many/{number:03d}.json": json.dumps({"Records": [cloudtrail(100 + number)]}).encode() for number in range(150)
        }
        said = aibr(s3, tmp_path, "logs", "add", "s3://example-logs/many")
        assert (said.code, said.out) == (0, "Added 150 events from 150 files.\n")

    def test_one_object_is_added_by_its_name(self, s3: S3, tmp_path: Path) -> None:
        said = aibr(s3, tmp_path, "logs", "add", URL + "2 of #2+%41é.json", URL + "notes")
        assert (said.code, said.out) == (0, "Added 2 events from 2 files.\n")

    @pytest.mark.slow  # a command of its own each: `make slow`
    def test_a_large_object_comes_in_parts_and_whole(self, s3: S3, tmp_path: Path) -> None:
        lines = "".join(json.dumps(cloudtrail(number, note="x" * 1000)) + "\n" for number in range(4000))
        s3.store.objects["large/x.json"] = lines.encode()
        assert len(lines) > 2 * remote.CHUNK_BYTES
        said = aibr(s3, tmp_path, "logs", "add", "s3://example-logs/large/")
        assert (said.code, said.out) == (0, "Added 4,000 events from 1 file.\n")
        assert len(s3.store.got) == 3

    def test_objects_that_are_refused_or_changed_are_told(self, s3: S3, tmp_path: Path) -> None:
        s3.store.refusals["AWSLogs/1.json"] = (403, "InvalidObjectState")
        s3.store.stale.add("AWSLogs/3.json")
        said = aibr(s3, tmp_path, "logs", "add", URL)
        assert said.code == 4
        assert f"{URL}1.json: not given by the store (403 InvalidObjectState)" in said.err
        assert f"{URL}3.json: {remote.CHANGED}" in said.err
        assert "Added 3 events" in said.out

    @pytest.mark.slow  # as above
    @pytest.mark.parametrize(
        ("key", "refusal", "sentence"),
        [
            ("", (403, "AccessDenied"), f"{URL} cannot be listed: 403 AccessDenied."),
            ("", (403, "InvalidAccessKeyId"), f"{URL} cannot be read: there are no valid credentials (403 InvalidAccessKeyId)."),
            ("AWSLogs/3.json", (400, "ExpiredToken"), f"{URL}3.json cannot be read: there are no valid credentials (400 ExpiredToken)."),
            ("", (404, "NoSuchBucket"), "There is no bucket s3://example-logs."),
            ("", (301, "PermanentRedirect"), f"{URL} cannot be read: the bucket is in another region."),
            ("AWSLogs/3.json", (500, "InternalError"), f"{URL}3.json cannot be read: the store answers 500"),
        ],
    )
    def test_what_ends_all_is_one_sentence_and_leaves_nothing(
        self, s3: S3, tmp_path: Path, key: str, refusal: tuple[int, str], sentence: str
    ) -> None:
        s3.store.refusals[key] = refusal
        said = aibr(s3, tmp_path, "logs", "add", URL)
        assert said.code not in {0, 4}
        assert sentence in said.err.replace("\n", " ")
        assert "Added" not in said.out
        if (tmp_path / "lake").exists():
            assert aibr(s3, tmp_path, "logs", "status").out.endswith("The lake is empty.\n")

    def test_without_credentials_it_says_where_they_come_from(self, s3: S3, tmp_path: Path) -> None:
        said = aibr(s3, tmp_path, "logs", "add", URL, credentials=False)
        assert "there are no valid credentials" in said.err
        assert "AWS_ACCESS_KEY_ID" in said.err

    def test_a_name_that_the_library_cannot_say_is_told(self, s3: S3, tmp_path: Path) -> None:
        s3.store.objects["AWSLogs//x.json"] = b"{}"
        said = aibr(s3, tmp_path, "logs", "add", URL)
        assert (said.code, "a name below it has an empty part" in said.err) == (3, True), said.err

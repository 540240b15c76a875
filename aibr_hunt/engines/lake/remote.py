"""Logs in buckets: objects are listed, and brought a task at a time into a private folder, where they are read as files are.

Credentials are the affair of the library that speaks with the store: nothing of them is looked at, kept or told here.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.intake.files import Found, kind_passed_over
from aibr_hunt.model.event import Account, Refusal

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.store import Input

# Where copies lie, below the folder of segments: only one addition is under way at a time, and each begins with none.
INCOMING: Final = "incoming"
# A request must end within the library's 30 s, also where several share a slow line.
CHUNK_BYTES: Final = 2 << 20
# Small objects cost a round trip each: so many are asked for at once.
_AT_ONCE: Final = 8
CHANGED: Final = "changed after it was listed"
GONE: Final = "gone after it was listed"
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_BAD_CREDENTIALS: Final = frozenset(
    {
        *("AuthenticationFailed", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken"),
        *("RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired"),
    }
)
# Where the library looks last of all, on machines in a cloud: who is sent there has no other credentials.
_LOOKING: Final = ("169.254.", "/latest/api/", "/latest/meta-data/", "metadata.google", "token request")
_CREDENTIALS: Final = {
    "s3": "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION:"
    " `aws configure export-credentials --format env` prints those of a profile.",
    "gs": "`gcloud auth application-default login` makes some; or name a key file in GOOGLE_APPLICATION_CREDENTIALS.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_USE_AZURE_CLI=true after `az login`, or AZURE_STORAGE_ACCOUNT_KEY.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a store says of one object.

    Attributes:
        key: Its name in the bucket.
        size: Bytes as they lie.
        modified: Time of the last change, aware UTC.
        etag: The store's name of this content, without quotes; empty where it gives none.
    """

    key: str
    size: int
    modified: datetime
    etag: str = ""

    def is_of(self, other: Entry) -> bool:
        """True when both tell of one version of the object."""
        if self.etag and other.etag:
            return (self.etag, self.size) == (other.etag, other.size)
        return (self.size, self.modified.replace(microsecond=0)) == (other.size, other.modified.replace(microsecond=0))


class Bucket(Protocol):
    """A bucket or container. It crosses process borders, so it holds names and no connection.

    Its methods raise FileNotFoundError when there is no such thing, PermissionError (with what the store said) when the store
    refuses, and EngineError or UsageError when asking for other objects would be in vain too.
    """

    @property
    def url(self) -> str:
        """Its URL, without a slash at the end."""
        ...

    def head(self, key: str) -> Entry:
        """Return what the store says of one object."""
        ...

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all objects below a prefix that ends with a slash or is empty, in any order."""
        ...

    def read(self, key: str, start: int, end: int) -> tuple[Entry, bytes]:
        """Return bytes of an object as it is now, and of which version they are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One object to be read.

    Attributes:
        entry: As the listing said.
        digest: SHA-256 of this version when the lake holds it already; empty when that is not known.
    """

    bucket: Bucket
    entry: Entry
    digest: str = ""

    @property
    def shown(self) -> str:
        """Its URL: the path of its account."""
        return f"{self.bucket.url}/{self.entry.key}"

    @property
    def size(self) -> int:
        """Bytes, as the listing said."""
        return self.entry.size

    @property
    def version(self) -> str:
        """How its account names the version that was read; empty where the store gives no etag."""
        moment = self.entry.modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.entry.etag} of {moment}, {self.size} bytes" if self.entry.etag else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies below URLs.

    Attributes:
        objects: Each once, in the order of the URLs and sorted by key below each.
        left_out: Kinds of objects that were passed over, with counts.
    """

    objects: tuple[Remote, ...]
    left_out: tuple[tuple[str, int], ...] = ()


# Listing


def is_url(path: str) -> bool:
    """True when a path names something that is not on this machine's file system."""
    return _URL.match(path) is not None


def bucket_of(url: str) -> Bucket:
    """Return the bucket of a URL; nothing is asked of it yet.

    Raises:
        UsageError: No store is read by such a URL.
    """
    scheme, _, rest = url.partition("://")
    name = rest.partition("/")[0]
    if scheme not in _CREDENTIALS:
        raise UsageError(f"{url} cannot be read: {scheme}:// is unknown.", hint="Known: s3://bucket/…, gs://bucket/…, az://container/….")
    if not name:
        raise UsageError(f"{url} names no bucket.", hint=f"Write {scheme}://NAME/prefix/.")
    return CloudBucket(url=f"{scheme}://{name}")


def listed(urls: Sequence[str], *, buckets: Sequence[Bucket] = ()) -> Listing:
    """Return the objects that URLs name: one object, or all below a prefix that have the extensions of logs.

    Args:
        urls: `scheme://bucket/prefix/` or `scheme://bucket/key`.
        buckets: Buckets that are there already; any other is opened by its URL.

    Raises:
        UsageError: There is no such store, bucket or object, or the package that reads it is missing.
        EngineError: There are no credentials, the store refuses to list, or cannot be reached.
    """
    known = {each.url: each for each in buckets}
    objects: dict[str, Remote] = {}
    left_out: Counter[str] = Counter()
    for url in urls:
        scheme, _, rest = url.partition("://")
        name, _, key = rest.partition("/")
        bucket = known.get(f"{scheme}://{name}") or bucket_of(url)
        for entry in _entries(bucket, key, left_out):
            remote = Remote(bucket=bucket, entry=entry)
            objects.setdefault(remote.shown, remote)
    return Listing(objects=tuple(objects.values()), left_out=tuple(sorted(left_out.items())))


def _entries(bucket: Bucket, key: str, left_out: Counter[str]) -> list[Entry]:
    """Return the one object of a key, or, sorted, those below it that are read; count the others."""
    url = f"{bucket.url}/{key}"
    if key and not key.endswith("/"):
        # Who may only list, or only read, is told the same of what is not there: then the listing decides.
        with suppress(FileNotFoundError, PermissionError):
            return [bucket.head(key)]
        key += "/"
    try:
        below = sorted(bucket.entries(key), key=lambda each: each.key)
    except FileNotFoundError:
        raise UsageError(f"There is no bucket {bucket.url}.", hint="Check its name.") from None
    except PermissionError as error:
        raise EngineError(f"{url} cannot be listed: {error}.", hint="Reading below a prefix takes the right to list it.") from None
    if not below:
        raise UsageError(f"There is no object at or below {url}.", hint="A prefix is whole up to a `/`; it is no beginning of a name.")
    taken: list[Entry] = []
    for each in below:
        kind = kind_passed_over(each.key[len(key) :])
        if kind:
            left_out[kind] += 1
        else:
            taken.append(each)
    return taken


def with_known(found: Sequence[Found | Remote], inputs: Iterable[Input]) -> list[Found | Remote]:
    """Return what is to be read, with the digests of objects of which the lake holds this very version."""
    digests = {
        (each.account.path, each.account.version): each.account.digest for each in inputs if each.account.version and each.account.digest
    }
    return [replace(each, digest=digests.get((each.shown, each.version), "")) if isinstance(each, Remote) else each for each in found]


# Downloading


@contextmanager
def fetched(objects: Sequence[Remote], folder: Path) -> Iterator[dict[str, Found | Account]]:
    """Give by URL the private copy of each object, or the account that says why there is none; afterwards the copies are gone.

    Args:
        objects: Those of one task: their copies lie on the disk at the same time.
        folder: Where copies may lie.

    Raises:
        EngineError: A store cannot be reached or no longer takes our credentials, or the disk is full.
    """
    wanted = [each for each in objects if not each.digest]
    if not wanted:
        yield {}
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix="task-", dir=folder))
    except OSError as error:
        raise _disk(folder, error) from None
    try:
        pool = ThreadPoolExecutor(min(_AT_ONCE, len(wanted)))
        try:
            futures = [pool.submit(_fetch, each, private / str(place)) for place, each in enumerate(wanted)]
            copies = {each.shown: future.result() for each, future in zip(wanted, futures, strict=True)}
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        yield copies
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _fetch(remote: Remote, path: Path) -> Found | Account:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
            reason = _copied(remote, file)
        if reason:
            path.unlink()
            return _refused(remote, reason)
        status = path.stat()
    except OSError as error:
        raise _disk(path.parent.parent, error) from None
    inode = (status.st_dev, status.st_ino)
    return Found(shown=remote.shown, real=path, size=status.st_size, mtime_ns=status.st_mtime_ns, inode=inode)


def _copied(remote: Remote, file: IO[bytes]) -> str:
    """Write the listed version of an object to a file, and return why that cannot be; empty when it is whole."""
    position = 0
    while position < remote.size:
        end = min(position + CHUNK_BYTES, remote.size)
        try:
            entry, piece = remote.bucket.read(remote.entry.key, position, end)
        except FileNotFoundError:
            return GONE
        except PermissionError as error:
            return f"not given by the store ({error})"
        if not entry.is_of(remote.entry) or len(piece) != end - position:
            return CHANGED
        file.write(piece)
        position = end
    return ""


def _refused(remote: Remote, reason: str) -> Account:
    """Return the account of an object of which nothing was read."""
    return Account(
        path=remote.shown,
        stored_size=remote.size,
        digest="",
        content_size=0,
        format="unknown",
        compression="none",
        encoding="utf-8",
        source="",
        byte_counts={},
        record_counts={},
        refusals=(Refusal(reason=reason, offset=0, length=remote.size, is_stored=True),),
    )


def _disk(folder: Path, error: OSError) -> EngineError:
    return EngineError(f"Objects cannot be kept in {folder} while they are read: {error.strerror or error}.", hint="Is the disk full?")


# The stores


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudBucket:
    """A bucket of a cloud, asked through obstore.

    Attributes:
        url: `scheme://name`.
    """

    url: str

    def head(self, key: str) -> Entry:
        """Return what the store says of one object."""
        with _translated(f"{self.url}/{key}"):
            return _entry(_store(self.url).head(key))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all objects below a prefix."""
        with _translated(f"{self.url}/{prefix}"):
            for chunk in _store(self.url).list(prefix or None, chunk_size=1000):
                yield from map(_entry, chunk)

    def read(self, key: str, start: int, end: int) -> tuple[Entry, bytes]:
        """Return bytes of an object as it is now, and of which version they are."""
        with _translated(f"{self.url}/{key}"):
            got = _store(self.url).get(key, options={"range": (start, end)})
            return _entry(got.meta), bytes(got.bytes())


@functools.cache
def _store(url: str) -> Any:
    """Return the connection of this process to a bucket, with the credentials that the library finds by itself."""
    try:
        from obstore.store import from_url  # noqa: PLC0415 - an optional package
    except ImportError:
        hint = "pip install 'aibr_hunt[remote]'"
        raise UsageError(f"{url} cannot be read: the package obstore is not installed.", hint=hint) from None
    return from_url(url, retry_config={"max_retries": 3, "retry_timeout": timedelta(minutes=1)})


def _entry(meta: Any) -> Entry:
    etag = (meta["e_tag"] or "").removeprefix("W/").strip('"')
    return Entry(key=meta["path"], size=meta["size"], modified=meta["last_modified"], etag=etag)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the library's errors into those that `Bucket` names."""
    try:
        yield
    except (EngineError, UsageError):
        raise
    except Exception as error:
        if isinstance(error, OSError | ValueError) or type(error).__module__.startswith("obstore"):
            raise _meaning(error, url) from None
        raise


def _meaning(error: Exception, url: str) -> Exception:
    """Return what an error of the library means. Of its text only known signs are told: it may hold signed addresses."""
    text = str(error)
    first = text.partition("\n\nDebug source")[0]
    status = int(found[1]) if (found := _STATUS.search(first)) else _STATUSES.get(type(error).__name__, 0)
    code = found[1] if (found := _CODE.search(first)) else ""
    said = f"{status or ''} {code}".strip()
    scheme = url.partition("://")[0]
    if "must be specified" in first:
        return UsageError(f"{url} cannot be read: its storage account is not named.", hint=_CREDENTIALS[scheme])
    if status == 401 or code in _BAD_CREDENTIALS or any(sign in first for sign in _LOOKING):
        detail = f" ({said})" if code else ""
        return EngineError(f"{url} cannot be read: there are no valid credentials{detail}.", hint=_CREDENTIALS[scheme])
    if "redirect" in first:
        return EngineError(f"{url} cannot be read: the bucket is in another region.", hint="Name it in AWS_REGION.")
    if "empty path segment" in first:
        return EngineError(f"{url} cannot be read: a name below it has an empty part (`//`).", hint="Name prefixes that do not hold it.")
    if status == 404:
        return FileNotFoundError(said)
    if 400 <= status < 500 and status not in {408, 429}:
        return PermissionError(said)
    hint = "Nothing was added. Try again later."
    return EngineError(f"{url} cannot be read: {_why(text, said) or type(error).__name__}.", retryable=True, hint=hint)


def _why(text: str, said: str) -> str:
    """Return what went wrong on the way to the store, empty when the text does not tell."""
    if said:
        return f"the store answers {said}"
    if "TimedOut" in text:
        return "the store does not answer in time"
    return "no connection" if "error sending request" in text else ""


_STATUSES: Final = {"FileNotFoundError": 404, "PermissionDeniedError": 403, "UnauthenticatedError": 401, "PreconditionError": 412}

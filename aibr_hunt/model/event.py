"""Events and what became of the bytes that they came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class SpelledNumber(float):
    """A JSON number that a double does not tell whole: its repr is its spelling.

    Args:
        spelling: The number as the record has it.
    """

    __slots__ = ("_spelling",)
    _spelling: str

    def __new__(cls, spelling: str) -> Self:
        """Keep the spelling beside the nearest double."""
        number = super().__new__(cls, spelling)
        number._spelling = spelling
        return number

    def __repr__(self) -> str:
        """Return the spelling."""
        return self._spelling

    def __reduce__(self) -> tuple[object, ...]:
        """Let the number cross a process border."""
        return (type(self), (self._spelling,))


class OddNumber(SpelledNumber):
    """A JSON number whose spelling lies outside the number form of docs/meaning.md section 5: equal to nothing."""

    __slots__ = ()


class LongNumber(SpelledNumber):
    """A JSON number in the number form with more digits than a double tells apart: compared as a decimal, by its spelling."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record lay: a file and a byte range in its decoded content.

    Attributes:
        path: The file as the user named it or as it was found below a folder.
        file_digest: SHA-256 of the file as it lies on disk, hex.
        offset: First byte of the record in the decompressed content, from 0.
        length: Bytes of the record, in the content's own encoding.
        ordinal: Number of the record in its file, from 1, in the file's order.
    """

    path: str
    file_digest: str
    offset: int
    length: int
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What makes two deliveries the same event (docs/record.md section 2).

    Attributes:
        key: `provider|part|part...`, or `sha256:` of the canonical form when a part is missing.
        is_weak: True in the second case: repetition and re-delivery cannot be told apart.
    """

    key: str
    is_weak: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One log record that a rule matched, as it is kept for evidence.

    Attributes:
        value: The parsed record.
        raw: The record's bytes as delivered.
        raw_digest: SHA-256 of `raw`, hex.
        canonical: RFC 8785 form of the record, UTF-8; equals `raw` where the record has no such form.
        canonical_digest: SHA-256 of `canonical`, hex.
        source: Name of the Source (log source, or the name given with --source).
        time: Event time in aware UTC; None when absent, unparsable or out of bounds ("untimed").
        principal: Who acted, as the mapping names it; empty when unknown.
        address: Where from; empty when unknown.
        resource: On what; empty when unknown.
        action: What was done (event name, method, operation).
        region: Region or location; empty when unknown.
        account: Account, project or subscription; empty when unknown.
    """

    value: Json
    raw: bytes
    raw_digest: str
    canonical: bytes
    canonical_digest: str
    source: str
    identity: Identity
    place: Place
    time: datetime | None
    time_text: str = ""
    principal: str = ""
    address: str = ""
    resource: str = ""
    action: str = ""
    region: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One event and every rule that it meets: ids in the order of the rule set.

    Attributes:
        member_of: Correlations to whose episodes it belongs. A hit with these alone is kept as evidence and makes no lead.
    """

    event: Event
    rule_ids: tuple[str, ...]
    member_of: tuple[str, ...] = ()


class ByteClass(StrEnum):
    """What became of a byte range of a file's content (docs/record.md section 1)."""

    FRAMING = "framing"
    MATCHED = "matched"
    PARSED = "parsed"
    SKIMMED = "skimmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A byte range that was not read as an event.

    Attributes:
        reason: A short fixed phrase, so that refusals can be counted by reason.
        offset: First byte: in the decoded content, or in the file as it lies when `is_stored` is True.
        length: Bytes of the range, 0 when only the point is known.
        is_stored: True when offset and length count bytes of the stored (still compressed) file.
        detail: What the decoder said; data of the log never stands here.
    """

    reason: str
    offset: int
    length: int
    is_stored: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of every byte of one file: the byte counts add up to `content_size`.

    Attributes:
        path: The file as found.
        stored_size: Bytes of the file as it lies.
        digest: SHA-256 of the file as it lies, hex; empty when it could not be read.
        content_size: Bytes after decompression.
        format: `json-lines`, `records`, `array`, `concatenated`, `csv`, `empty`, ... as detected.
        compression: `none`, `gzip` or `zstd`; `encoding`: `utf-8`, `utf-16-le`, ....
        source: Name of the log source by which it was read.
        byte_counts: Bytes for each ByteClass.
        record_counts: Records for each ByteClass but FRAMING.
        refusals: Every range that was refused, in order, up to a stated cap; `refusals_left_out` counts the rest.
        notes: Other facts for the reader: `changed while read`, `invalid UTF-8 replaced`, ....
        first_time, last_time: Earliest and latest event time of the records that were parsed or sampled, aware UTC.
        span: How the file's time span is known: `parsed`, `path`, `scan` or `file-bounded`.
        odd_numbers, repeated_keys, untimed: Counts over the parsed records (repeated keys: strict intake only).
        duplicate_of: Path of an earlier file of the run with the same digest; empty when there is none.
        version: Of an object in a bucket, which version was read, as its store names it; empty for a file.
    """

    path: str
    stored_size: int
    digest: str
    content_size: int
    format: str
    compression: str
    encoding: str
    source: str
    byte_counts: dict[ByteClass, int]
    record_counts: dict[ByteClass, int]
    refusals: tuple[Refusal, ...] = ()
    refusals_left_out: int = 0
    notes: tuple[str, ...] = ()
    first_time: datetime | None = None
    last_time: datetime | None = None
    span: str = "file-bounded"
    odd_numbers: int = 0
    repeated_keys: int = 0
    untimed: int = 0
    duplicate_of: str = ""
    version: str = ""

    @property
    def is_complete(self) -> bool:
        """True when every byte was read as an event or as framing."""
        return not self.refusals and not self.refusals_left_out and not any(n.startswith("!") for n in self.notes)

    @property
    def is_balanced(self) -> bool:
        """True when the byte counts add up to the content."""
        return sum(self.byte_counts.values()) == self.content_size

"""Shared values as JSON documents and back: what a row holds, and what its digest is taken over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from aibr_hunt.errors import LedgerError
from aibr_hunt.model.event import Account, ByteClass, Json, Refusal
from aibr_hunt.model.lead import CoverageRow, NoiseRow, Pulse, RuleRow, RunRow
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window, utc_text

Document = dict[str, Json]


class Reader:
    """Reads the members of a document and says which one is wrong."""

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Json]) -> None:
        """Read from `document`."""
        self._document = document

    def text(self, name: str) -> str:
        """Return a text member; the empty text when it is absent."""
        value = self._document.get(name, "")
        return value if isinstance(value, str) else self._refuse(name)

    def whole(self, name: str) -> int:
        """Return an integer member; 0 when it is absent. Integers beyond 2^53 lie as text."""
        value = self._document.get(name, 0)
        if isinstance(value, str) and value.lstrip("-").isdecimal():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._refuse(name)

    def flag(self, name: str) -> bool:
        """Return a member that is true or false; False when it is absent."""
        value = self._document.get(name, False)
        return value if isinstance(value, bool) else self._refuse(name)

    def items(self, name: str) -> list[Json]:
        """Return a list member; an empty one when it is absent."""
        value = self._document.get(name, [])
        return value if isinstance(value, list) else self._refuse(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item if isinstance(item, str) else self._refuse(name) for item in self.items(name))

    def objects(self, name: str) -> tuple[Reader, ...]:
        """Return a reader for each object of a list."""
        return tuple(Reader(item) if isinstance(item, dict) else self._refuse(name) for item in self.items(name))

    def members(self, name: str) -> dict[str, Json]:
        """Return an object member; an empty one when it is absent."""
        value = self._document.get(name, {})
        return value if isinstance(value, dict) else self._refuse(name)

    def moment(self, name: str) -> datetime | None:
        """Return a time member in aware UTC; None when it is absent or null."""
        value = self._document.get(name)
        return moment_of(value) if value is None or isinstance(value, str) else self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise LedgerError(f"A row of the ledger has a member {name!r} of the wrong type: {self._document.get(name)!r:.80}.")


def moment_text(moment: datetime | None) -> str | None:
    """Return a time as fixed-width UTC text, which sorts as the times do; None for None."""
    return None if moment is None else utc_text(moment)


def moment_of(text: str | None) -> datetime | None:
    """Return the aware UTC time that `moment_text` wrote.

    Raises:
        LedgerError: The text is no time.
    """
    return None if text is None else certain_moment(text)


def certain_moment(text: str) -> datetime:
    """Return the aware UTC time of a text that must hold one.

    Raises:
        LedgerError: The text is no time.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise LedgerError(f"A row of the ledger holds {text[:40]!r} where a time belongs.") from error


def techniques_text(techniques: tuple[Technique, ...]) -> list[Json]:
    """Return each technique as `framework version id`."""
    return [f"{one.framework} {one.version} {one.id}" for one in techniques]


def document_of_rule(rule: RuleRow) -> Document:
    """Return all that a run froze of a rule."""
    return {
        "falsepositives": [*rule.falsepositives],
        "id": rule.id,
        "level": rule.level,
        "logsource": rule.logsource,
        "meaning_digest": rule.meaning_digest,
        "name": rule.name,
        "path": rule.path,
        "preserve_first": [*rule.preserve_first],
        "requires": [*rule.requires],
        "synthetic": rule.synthetic,
        "techniques": [_document_of_technique(technique) for technique in rule.techniques],
        "text_digest": rule.text_digest,
        "title": rule.title,
        "triage": [*rule.triage],
    }


def rule_of(document: Mapping[str, Json]) -> RuleRow:
    """Return the rule that `document_of_rule` wrote."""
    read = Reader(document)
    return RuleRow(
        id=read.text("id"),
        name=read.text("name"),
        title=read.text("title"),
        level=read.text("level"),
        path=read.text("path"),
        text_digest=read.text("text_digest"),
        meaning_digest=read.text("meaning_digest"),
        logsource=read.text("logsource"),
        techniques=tuple(_technique_of(one) for one in read.objects("techniques")),
        requires=read.texts("requires"),
        triage=read.texts("triage"),
        preserve_first=read.texts("preserve_first"),
        falsepositives=read.texts("falsepositives"),
        synthetic=read.text("synthetic"),
    )


def _document_of_technique(technique: Technique) -> Json:
    return {
        "framework": technique.framework,
        "id": technique.id,
        "name": technique.name,
        "tactics": [*technique.tactics],
        "version": technique.version,
    }


def _technique_of(read: Reader) -> Technique:
    return Technique(
        framework="atlas" if read.text("framework") == "atlas" else "attack",
        id=read.text("id"),
        name=read.text("name"),
        tactics=read.texts("tactics"),
        version=read.text("version"),
    )


def document_of_run(run: RunRow) -> Document:
    """Return all that a run says of itself. Statistics are text, because fractions have no place in a digest."""
    return {
        "actor": run.actor,
        "asked": run.asked,
        "ended": utc_text(run.ended),
        "gaps": [*run.gaps],
        "host": run.host,
        "id": run.id,
        "kind": run.kind,
        "outcome": run.outcome,
        "query_digest": run.query_digest,
        "query_text": run.query_text,
        "refused_rules": [{"reason": reason, "rule": rule} for rule, reason in run.refused_rules],
        "started": utc_text(run.started),
        "statistics": {name: repr(float(value)) for name, value in run.statistics.items()},
        "tool_version": run.tool_version,
        "window": document_of_window(run.window),
        **({"notes": [*run.notes]} if run.notes else {}),
    }


def run_of(document: Mapping[str, Json]) -> RunRow:
    """Return the run that `document_of_run` wrote."""
    read = Reader(document)
    window = Reader(read.members("window"))
    return RunRow(
        id=read.text("id"),
        kind=read.text("kind"),
        asked=read.text("asked"),
        window=Window(start=window.moment("start"), end=window.moment("end")),
        query_text=read.text("query_text"),
        query_digest=read.text("query_digest"),
        started=certain_moment(read.text("started")),
        ended=certain_moment(read.text("ended")),
        actor=read.text("actor"),
        host=read.text("host"),
        tool_version=read.text("tool_version"),
        outcome=read.text("outcome"),
        gaps=read.texts("gaps"),
        refused_rules=tuple((one.text("rule"), one.text("reason")) for one in read.objects("refused_rules")),
        statistics={name: _fraction(name, text) for name, text in read.members("statistics").items()},
        notes=read.texts("notes"),
    )


def _fraction(name: str, text: Json) -> float:
    try:
        return float(text) if isinstance(text, str) else float("nan")
    except ValueError as error:
        raise LedgerError(f"A run of the ledger has a statistic {name!r} that is no number.") from error


def document_of_window(window: Window) -> Document:
    """Return both ends of a window, null where it is open."""
    return {"end": moment_text(window.end), "start": moment_text(window.start)}


def document_of_account(account: Account) -> Document:
    """Return what became of every byte of one file."""
    return {
        "byte_counts": {kind.value: count for kind, count in account.byte_counts.items()},
        "compression": account.compression,
        "content_size": account.content_size,
        "digest": account.digest,
        "duplicate_of": account.duplicate_of,
        "encoding": account.encoding,
        "first_time": moment_text(account.first_time),
        "format": account.format,
        "last_time": moment_text(account.last_time),
        "notes": [*account.notes],
        "odd_numbers": account.odd_numbers,
        "path": account.path,
        "record_counts": {kind.value: count for kind, count in account.record_counts.items()},
        "refusals": [_document_of_refusal(refusal) for refusal in account.refusals],
        "refusals_left_out": account.refusals_left_out,
        "repeated_keys": account.repeated_keys,
        "source": account.source,
        "span": account.span,
        "stored_size": account.stored_size,
        "untimed": account.untimed,
    }


def account_of(document: Mapping[str, Json]) -> Account:
    """Return the account that `document_of_account` wrote."""
    read = Reader(document)
    return Account(
        path=read.text("path"),
        stored_size=read.whole("stored_size"),
        digest=read.text("digest"),
        content_size=read.whole("content_size"),
        format=read.text("format"),
        compression=read.text("compression"),
        encoding=read.text("encoding"),
        source=read.text("source"),
        byte_counts=_counts_of(read.members("byte_counts")),
        record_counts=_counts_of(read.members("record_counts")),
        refusals=tuple(_refusal_of(one) for one in read.objects("refusals")),
        refusals_left_out=read.whole("refusals_left_out"),
        notes=read.texts("notes"),
        first_time=read.moment("first_time"),
        last_time=read.moment("last_time"),
        span=read.text("span"),
        odd_numbers=read.whole("odd_numbers"),
        repeated_keys=read.whole("repeated_keys"),
        untimed=read.whole("untimed"),
        duplicate_of=read.text("duplicate_of"),
    )


def _document_of_refusal(refusal: Refusal) -> Json:
    return {
        "detail": refusal.detail,
        "is_stored": refusal.is_stored,
        "length": refusal.length,
        "offset": refusal.offset,
        "reason": refusal.reason,
    }


def _refusal_of(read: Reader) -> Refusal:
    return Refusal(
        reason=read.text("reason"),
        offset=read.whole("offset"),
        length=read.whole("length"),
        is_stored=read.flag("is_stored"),
        detail=read.text("detail"),
    )


def _counts_of(document: dict[str, Json]) -> dict[ByteClass, int]:
    try:
        return {ByteClass(name): Reader(document).whole(name) for name in document}
    except ValueError as error:
        raise LedgerError(f"An account of the ledger counts bytes of a class that does not exist: {error}.") from error


def document_of_coverage(row: CoverageRow) -> Document:
    """Return one row of what was looked at."""
    return {
        "cause": row.cause,
        "meaning_digest": row.meaning_digest,
        "rule_id": row.rule_id,
        "source": row.source,
        "state": row.state.value,
        "window": document_of_window(row.window),
    }


def document_of_pulse(pulse: Pulse) -> Document:
    """Return one hour of one pulse key."""
    return {
        "earliest": moment_text(pulse.earliest),
        "events": pulse.events,
        "hour": moment_text(pulse.hour),
        "key": pulse.key,
        "latest": moment_text(pulse.latest),
        "source": pulse.source,
    }


def document_of_noise(row: NoiseRow) -> Document:
    """Return what is known of one noise rule; the keys stand there by their digest."""
    return {
        "considered": row.considered,
        "events": row.events,
        "keys_digest": row.keys_digest,
        "rule_id": row.rule_id,
        "source": row.source,
    }

"""Mappings: how a log source lies in files, and what its fields mean to the record.

The files layout is the JSON as the cloud delivers it; the tables of cloud engines hang on the same value as layouts.
"""

from __future__ import annotations

from dataclasses import dataclass

from aibr_hunt.model.layout import Layout
from aibr_hunt.model.rule import LogSource

FieldPath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of a mapping in the files layout.

    Attributes:
        name: Canonical name, as rules write it (`userIdentity.arn`).
        paths: Alternative member paths in the record; values of all of them are the field's values.
        is_open: True when any path below is a field too (free-form JSON such as requestParameters).
        is_verbatim: The text stands in the record's bytes as the rule sees it: byte literals are allowed.
        json_text: How many times a text here is parsed as JSON when a path goes on below it; 0 for never.
        is_masked: Values may be masked (`81.2.69.***`): cidr is refused.
        is_time: Values are times (RFC 3339).
        blanks: Texts that count as blank besides the general ones.
        sieve_weight: Cost of using this field's literals in a sieve: 1 for the most selective fields, 9 for the least.
        common: Texts (folded) that so many records hold that they narrow next to nothing.
        is_object: True when the path ends at an object in the delivered form.
        derive: Derivation of the text that rules read (`lower`, `host`), or those that decode it, one after another, with
            spaces between (`base64`, `url`, `base64 gunzip`); empty for none. Never verbatim.
        is_ascii: The service writes only ASCII here (names of calls, ids, ARNs): letters that engines fold differently cannot occur.
    """

    name: str
    paths: tuple[FieldPath, ...]
    is_open: bool = False
    is_verbatim: bool = True
    json_text: int = 0
    is_masked: bool = False
    is_time: bool = False
    blanks: tuple[str, ...] = ()
    sieve_weight: int = 5
    common: tuple[str, ...] = ()
    is_object: bool = False
    derive: str = ""
    is_ascii: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSwitch:
    """One switch that must be on for the source to hold certain events.

    Attributes:
        id: Such as `aws.cloudtrail.management`.
        is_on_by_default: True, False, or None when it depends on the deployment.
        what: What it records, in a sentence. `how`: how to turn it on.
    """

    id: str
    is_on_by_default: bool | None
    what: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a record of the source is recognised: all of `has` are present, none of `lacks`, and `equals` hold.

    Paths are dotted member names; `equals` compares exactly, `prefixes` asks for a prefix.
    """

    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    equals: tuple[tuple[str, str], ...] = ()
    prefixes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One log source: its record as delivered, and the tables that hold it.

    Attributes:
        name: The file's stem, such as `aws_cloudtrail`; also the Source name in records.
        logsource: The triple that it serves; `also`: further triples that mean the same.
        provider: First part of the identity key.
        identity: Member paths that every layout carries; all of them present make a strong identity.
        identity_also: Other spellings of the same identity, for layouts that name the members differently; the first
            whole set wins, after `identity`.
        time: Member path of the event time; `arrival`: that of the arrival time, empty when there is none.
        time_also: Where other layouts keep the event time; the first that is not blank wins, after `time`.
        aliases: Lower-case alternative name to canonical field name; `misspelt`: those that earn a warning.
        keywords: Canonical fields that keyword searches read; empty means every scalar of the record.
        pulse: Member paths whose values key the pulse.
        principal, address, resource, action, region, account: Member paths, first non-blank wins.
        lookback_days: Events older than this before the run are untimed.
        csv: For portal exports: header texts (lower case) to member paths; empty when the source has no CSV form.
        csv_json: Members that hold JSON text in the CSV form and objects in the JSON form.
        arrays: Member paths that hold lists. On a layout without its own arrays (JSON columns) they say where lists are.
        layouts: How the source lies in the tables of the cloud engines.
    """

    name: str
    logsource: LogSource
    provider: str
    identity: tuple[FieldPath, ...]
    time: FieldPath
    fields: tuple[FieldSpec, ...]
    identity_also: tuple[tuple[FieldPath, ...], ...] = ()
    time_also: tuple[FieldPath, ...] = ()
    also: tuple[LogSource, ...] = ()
    arrival: FieldPath = ()
    aliases: tuple[tuple[str, str], ...] = ()
    misspelt: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    pulse: tuple[FieldPath, ...] = ()
    signatures: tuple[Signature, ...] = ()
    switches: tuple[LogSwitch, ...] = ()
    principal: tuple[FieldPath, ...] = ()
    address: tuple[FieldPath, ...] = ()
    resource: tuple[FieldPath, ...] = ()
    action: tuple[FieldPath, ...] = ()
    region: tuple[FieldPath, ...] = ()
    account: tuple[FieldPath, ...] = ()
    lookback_days: int = 4000
    csv: tuple[tuple[str, FieldPath], ...] = ()
    csv_json: tuple[str, ...] = ()
    arrays: tuple[FieldPath, ...] = ()
    layouts: tuple[Layout, ...] = ()
    digest: str = ""

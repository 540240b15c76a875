"""The written forms that digests rest on: RFC 8785, RFC 6962, and documents that give back what was put in."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import chain, documents
from aibr_hunt.ledger.canonical import canonical_form, event_value, lead_id, parsed, plain_form, storable
from aibr_hunt.ledger.hits import body_of, delivery_of, rules_named
from aibr_hunt.ledger.merkle import MerkleTree
from aibr_hunt.model.event import Json
from tests.unit.ledger_samples import account, hit, record, rule, sha

# Everything that a restricted document may hold; text of every plane, control characters among it.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=6)


@given(DOCUMENTS)
def test_the_canonical_form_is_that_of_rfc_8785(document: dict[str, Json]) -> None:
    assert canonical_form(document) == rfc8785.dumps(document)


@given(DOCUMENTS)
def test_a_standard_library_finds_the_same_form(document: dict[str, Json]) -> None:
    again = json.dumps(json.loads(canonical_form(document)), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert again.encode() == canonical_form(document)


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.text(), max_size=5))
def test_whatever_is_put_in_has_a_form_that_reads_back_to_itself(document: dict[str, Json]) -> None:
    form = canonical_form(document)
    assert canonical_form(parsed(form, what="it")) == form
    assert plain_form(parsed(form, what="it")) == form
    assert rfc8785.dumps(parsed(form, what="it")) == form


def test_fractions_and_long_integers_are_text() -> None:
    assert canonical_form({"a": 0.1, "b": 2**53, "c": math.inf}) == b'{"a":"0.1","b":"9007199254740992","c":"inf"}'


@given(st.text())
def test_a_storable_text_is_utf8_without_nul_and_stays_as_it_is(text: str) -> None:
    once = storable(text)
    assert "\x00" not in once
    assert storable(once.encode().decode()) == once


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_streaming_tree_has_the_root_that_rfc_6962_defines(leaves: list[bytes]) -> None:
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == defined_root(leaves).hex()
    assert tree.leaves == len(leaves)


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def test_the_tree_of_certificate_transparencys_published_vector() -> None:
    tree = MerkleTree()
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"):
        tree.add(bytes.fromhex(leaf))
    assert tree.root() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_run_rule_and_account_come_back_from_their_documents() -> None:
    run = record().run
    assert documents.run_of(parsed(canonical_form(documents.document_of_run(run)), what="it")) == run
    assert documents.rule_of(parsed(canonical_form(documents.document_of_rule(rule())), what="it")) == rule()
    assert documents.account_of(parsed(canonical_form(documents.document_of_account(account())), what="it")) == account()
    vast = replace(account(), content_size=2**60)
    assert documents.account_of(parsed(canonical_form(documents.document_of_account(vast)), what="it")) == vast


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (documents.run_of, {"id": 7}),
        (documents.run_of, {"started": "soon"}),
        (documents.run_of, {"gaps": "none"}),
        (documents.run_of, {"gaps": [1]}),
        (documents.run_of, {"window": []}),
        (documents.run_of, {"refused_rules": ["x"]}),
        (documents.run_of, {"window": {"start": 5}}),
        (documents.account_of, {"byte_counts": {"other": 1}}),
        (documents.account_of, {"stored_size": "x"}),
        (documents.account_of, {"stored_size": True}),
        (documents.account_of, {"refusals": [{"is_stored": 1}]}),
    ],
)
def test_a_document_that_was_spoilt_is_named(read: object, document: dict[str, Json]) -> None:
    assert callable(read)
    with pytest.raises(LedgerError, match="ledger"):
        read(document)


def test_a_statistic_that_is_no_number_is_named() -> None:
    document = documents.document_of_run(record().run) | {"statistics": {"events": "many"}}
    with pytest.raises(LedgerError, match="'events' that is no number"):
        documents.run_of(document)


def test_the_body_of_a_hit_is_canonical_and_says_what_evidence_must_say() -> None:
    found = hit("e1", rule(1), rule(2))
    body = body_of(delivery_of(found), collected="2026-01-31T00:00:00.000000Z", query_digest="q", rules=rules_named((rule(1), rule(2))))
    told = json.loads(body)
    assert body == rfc8785.dumps(told)
    assert (told["raw"], told["canonical"], told["query"]) == (found.event.raw_digest, found.event.canonical_digest, "q")
    assert told["identity"] == {"key": "aws|123456789012|e1", "weak": False}
    assert told["place"] == {
        "file": sha("logs/a.json.gz"),
        "length": found.event.place.length,
        "offset": 0,
        "ordinal": 1,
        "path": "logs/a.json.gz",
    }
    assert told["rules"][1] == {
        "id": rule(2).id,
        "text": rule(2).text_digest,
        "meaning": rule(2).meaning_digest,
        "techniques": ["attack 19.1 T1078.004"],
    }
    assert told["event"]["time"] == "2026-01-01T00:00:00.000000Z"
    assert told["collected"] == "2026-01-31T00:00:00.000000Z"


def test_an_envelope_is_canonical_with_its_body_in_place() -> None:
    one = chain.Record(
        sequence=3, previous="p", digest="", at="t", kind="view", run_id="", subject='L-"1"', actor="\u00e9\u2028", body='{"a":[1]}'
    )
    assert chain.envelope_of(one) == rfc8785.dumps(
        {
            "actor": "\u00e9\u2028",
            "at": "t",
            "body": {"a": [1]},
            "kind": "view",
            "previous": "p",
            "run": "",
            "sequence": 3,
            "subject": 'L-"1"',
        }
    )


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (None, None),
        (b'{"a":1}', {"a": 1}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b"no json \xff", "no json \ufffd"),
    ],
)
def test_an_event_is_shown_as_far_as_it_can_be_read(content: bytes | None, value: Json) -> None:
    assert event_value(content) == value


def test_ids_of_leads_depend_on_rule_and_event_only() -> None:
    assert lead_id("rule", "event") == "L-" + sha("rule\nevent")[:12]
    assert lead_id("rule", "event", digits=64).startswith(lead_id("rule", "event"))


@pytest.mark.parametrize("content", ["[1]", "{", "\ud800"])
def test_what_is_no_json_object_is_named(content: str) -> None:
    with pytest.raises(LedgerError, match="The checkpoint is not"):
        parsed(content, what="The checkpoint")

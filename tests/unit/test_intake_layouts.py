"""Whatever layout a file has, its records come out, and every other byte is framing."""

from __future__ import annotations

import json

import pytest

from aibr_hunt.intake.limits import LIMITS, Limits
from aibr_hunt.model.event import ByteClass
from tests.unit.intake_samples import SMALL, read_bytes

A, B, C = {"a": 1}, {"b": {"c": [1, {"d": "}]"}]}}, {"c": 'q"\\'}
TEXTS = [json.dumps(record) for record in (A, B, C)]
LINES = "\n".join(TEXTS)
PRETTY = json.dumps({"Records": [A, B, C]}, indent=2)

LAYOUTS = {
    "lines": (LINES, "json-lines"),
    "lines with a last line feed": (LINES + "\n", "json-lines"),
    "lines of another system": (LINES.replace("\n", "\r\n") + "\r\n", "json-lines"),
    "blank lines": (LINES.replace("\n", "\n\n  \n"), "json-lines"),
    "no space between": ("".join(TEXTS), "concatenated"),
    "spaces between": ("  ".join(TEXTS), "concatenated"),
    "pretty-printed one after another": ("\n".join(json.dumps(record, indent=4) for record in (A, B, C)), "concatenated"),
    "indented by nothing": ("\n".join(json.dumps(record, indent=0) for record in (A, B, C)), "concatenated"),
    "JSON text sequence": ("".join(f"\x1e{text}\n" for text in TEXTS), "json-lines"),
    "list": (json.dumps([A, B, C]), "array"),
    "list, one record a line": ("[\n" + ",\n".join(TEXTS) + "\n]\n", "array"),
    "pretty-printed list": (json.dumps([A, B, C], indent=1), "array"),
    "two lists": (f"[{TEXTS[0]}]\n[{TEXTS[1]},{TEXTS[2]}]", "array"),
    "CloudTrail": (json.dumps({"Records": [A, B, C]}, separators=(",", ":")), "records"),
    "CloudTrail, pretty-printed": (PRETTY, "records"),
    "CloudTrail, white space around everything": (' { "Records"  :\t[ ' + " , ".join(TEXTS) + " ] } ", "records"),
    "CloudTrail, several documents": (f'{{"Records":[{TEXTS[0]}]}}{{"Records":[]}}\n{{"Records":[{TEXTS[1]},{TEXTS[2]}]}}', "records"),
    "Azure": (json.dumps({"records": [A, B, C]}), "records"),
    "Azure, one envelope a line": ("\n".join(f'{{"records": [{text}]}}' for text in TEXTS), "records"),
    "Azure, a list of envelopes": ("[" + ",".join(f'{{"records": [{text}]}}' for text in TEXTS) + "]", "records"),
    "records twice": (f'{{"Records":[{TEXTS[0]}],"Records":[{TEXTS[1]},{TEXTS[2]}]}}', "records"),
    "name escaped": (f'{{"\\u0052e\\u0063ord\\u0073":[{",".join(TEXTS)}]}}', "records"),
    "envelope among lines": (f'{TEXTS[0]}\n{{"records":[{TEXTS[1]}]}}\n{TEXTS[2]}\n', "json-lines+records"),
}
TINY = Limits(chunk_bytes=1, read_bytes=1)


@pytest.mark.parametrize("limits", [LIMITS, SMALL, TINY], ids=["whole", "small", "byte by byte"])
@pytest.mark.parametrize(("text", "form"), LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_records(text: str, form: str, limits: Limits) -> None:
    read = read_bytes(text.encode(), limits=limits)
    assert read.values == [A, B, C]
    assert read.account.format == form
    assert read.account.is_complete
    assert [ordinal for _, _, ordinal in read.places] == [1, 2, 3]
    for raw, (offset, length, _) in zip(read.raws, read.places, strict=True):
        assert text.encode()[offset : offset + length] == raw
    assert read.account.byte_counts[ByteClass.PARSED] == sum(map(len, read.raws))


def test_members_beside_the_records_are_framing_and_named() -> None:
    text = '{"a":{"x":[{"Records":[{}]}]},"Records":[{"r":1}],"b\\u0021":[1,"]"],"d":null}'
    read = read_bytes(text.encode())
    assert read.values == [{"r": 1}]
    assert read.account.notes == ("envelope members beside the records are framing: a, b!, d",)
    assert read.account.is_complete


@pytest.mark.parametrize("limits", [LIMITS, SMALL, TINY], ids=["whole", "small", "byte by byte"])
def test_records_may_be_the_last_member_however_far_away(limits: Limits) -> None:
    text = json.dumps({"digest": "x" * 300, "list": [{"deep": [{}] * 9}] * 20, "Records": [A, B]})
    assert read_bytes(text.encode(), limits=limits).values == [A, B]


@pytest.mark.parametrize(
    "record",
    [
        {"Records": "a text"},
        {"Records": {"a": 1}},
        {"Records": [1, 2]},
        {"records": ["x"], "a": 1},
        {"a": {"records": [{"nested": 1}]}},
        {"RECORDS": [{"a": 1}]},
        {"myrecords": [{"a": 1}]},
        {"text": '"Records":[{'},
    ],
)
def test_what_is_no_record_list_makes_no_envelope(record: dict[str, object]) -> None:
    for text in (json.dumps(record), json.dumps(record, indent=2), json.dumps(record, separators=(",", ":"))):
        assert read_bytes(text.encode()).values == [record]


def test_records_inside_records_are_members_of_an_event() -> None:
    inner = {"requestParameters": {"records": [{"data": "x"}]}, "records": [{"y": 1}]}
    assert read_bytes(json.dumps({"Records": [inner]}).encode()).values == [inner]


def test_an_empty_envelope_is_complete() -> None:
    read = read_bytes(b'{"Records":[]}')
    assert (read.values, read.account.format, read.account.is_complete) == ([], "records", True)


def test_elements_that_are_no_objects_are_refused_one_by_one() -> None:
    read = read_bytes(b'{"Records":[{"a":1},5,"},{",[{"b":1}],null,{"c":2}]}')
    assert read.values == [{"a": 1}, {"c": 2}]
    assert read.reasons == ["record is not an object"] * 4
    assert [(refusal.offset, refusal.length) for refusal in read.account.refusals] == [(20, 1), (22, 5), (28, 9), (38, 4)]


def test_scalars_at_the_top_are_refused_by_name() -> None:
    read = read_bytes(b'5\n{"a":1}\n"text"\nnull\n[1]\n')
    assert read.values == [{"a": 1}]
    assert read.reasons == ["record is not an object"] * 4


def test_commas_between_top_level_values_are_read_and_said() -> None:
    read = read_bytes(b'{"a":1},\n{"b":2},{"c":3},')
    assert read.values == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert read.account.notes == ("commas between top-level values were read as separators",)


def test_only_records_beyond_ascii_must_be_parsed() -> None:
    from aibr_hunt.intake.batch import Text
    from aibr_hunt.intake.encoding import Encoding
    from aibr_hunt.intake.frame import JsonFramer

    text = '{"a":1}\n{"b":"é"}\n{"c":2}'.encode()
    stream = Text(Encoding("utf-8", 0))
    framed = JsonFramer(lambda _note: None).frame(stream.extend([text], is_last=True), is_last=True, most_bytes=1000)
    flags = stream.take(framed, None).batch.must_parse
    assert flags is not None
    assert flags.tolist() == [False, True, False]


def test_an_ascii_file_has_no_flags() -> None:
    read = read_bytes(b'{"a":"\\u00e9"}')
    assert read.values == [{"a": "é"}]

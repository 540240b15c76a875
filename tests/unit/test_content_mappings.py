"""Log source mappings: what is shipped, how fields are found on it, and what is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.compile.program import SQL_PRINTERS
from aibr_hunt.compile.span import sql_bounds
from aibr_hunt.content.mappings import load_mapping, load_mappings, mapping_for, resolve_field, suggest_field, switches_of
from aibr_hunt.errors import ContentErrors
from aibr_hunt.intake.csv_rows import CsvFramer, Header, find_header, shape_of
from aibr_hunt.intake.detect import recognise
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.meaning.bounds import bounds_of
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.view import View
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import EngineKind, TimeForm
from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.predicate import Order, OrderOp
from aibr_hunt.model.rule import LogSource
from aibr_hunt.model.window import Window

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "logsources"
MAPPINGS = load_mappings([SHIPPED])
BY_NAME = {mapping.name: mapping for mapping in MAPPINGS}

SMALL = """\
name: {name}
logsource: {{product: example, service: {service}}}
provider: example
identity: [id]
time: when
fields:
  - {{name: action, sieve_weight: 1}}
signatures:
  - {{has: [id, when, action]}}
"""
SWITCH = "  - {id: x.a, on_by_default: null, what: Some of the calls., how: Turn it on there.}"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(ContentErrors) as refused:
        load_mapping(path)
    return [(getattr(error, "line", None), f"{error.what} {error.hint}".strip()) for error in refused.value.errors]


def values_of(mapping: Mapping, event: Json, name: str) -> list[Json]:
    return View(event).values(binder_of(mapping).field(name))


# --- what is shipped ---------------------------------------------------------------------------------------------------------------


# What a source does not record at all, as its vendor says.
NOT_RECORDED = {"aws_bedrock_invocation": frozenset({"address"})}
NOTHING: frozenset[str] = frozenset()


def test_three_clouds_are_mapped() -> None:
    """A source's file is named after it, and each cloud's control plane is among them."""
    named = {mapping.name: str(mapping.logsource) for mapping in MAPPINGS}
    assert named["aws_cloudtrail"] == "aws/cloudtrail"
    assert named["azure_activitylogs"] == "azure/activitylogs"
    assert named["gcp_audit"] == "gcp/gcp.audit"
    for name, source in named.items():
        assert name == source.replace("gcp/gcp.", "gcp/").replace("/", "_"), "name the file after product, service and category"


def test_every_table_of_the_reference_has_a_mapping_and_a_layout() -> None:
    sources = {str(mapping.logsource) for mapping in MAPPINGS}
    assert {f"aws/{name}" for name in ("bedrock_invocation", "guardduty", "s3_access", "vpcflow")} <= sources
    assert "gcp/vpcflow" in sources
    signins = ("signinlogs", "noninteractive_signinlogs", "serviceprincipal_signinlogs", "managedidentity_signinlogs")
    assert {f"azure/{name}" for name in (*signins, "auditlogs", "cognitiveservices", "storage_blob", "vnetflow", "acr")} <= sources
    assert len([source for source in sources if source.startswith("azure/aml/")]) == 16
    assert all(mapping.layouts for mapping in MAPPINGS)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.name)
def test_a_mapping_is_named_by_the_digest_of_its_file(mapping: Mapping) -> None:
    assert mapping.digest == hashlib.sha256((SHIPPED / f"{mapping.name}.yml").read_bytes()).hexdigest()


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.name)
def test_identity_time_and_the_record_s_members_are_told(mapping: Mapping) -> None:
    told = {name: getattr(mapping, name) for name in ("identity", "time", "principal", "address", "resource", "action", "pulse")}
    assert {name for name, value in told.items() if not value} <= NOT_RECORDED.get(mapping.name, NOTHING)
    assert mapping.signatures
    assert mapping.switches, "a source that is silent about its switches would read as always on"


@pytest.mark.parametrize("name", ["aws_cloudtrail", "azure_activitylogs", "gcp_audit"])
def test_a_control_plane_is_on_by_default(name: str) -> None:
    assert any(switch.is_on_by_default for switch in BY_NAME[name].switches)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.name)
def test_text_that_is_parsed_again_is_no_byte_literal_unless_its_author_says_so(mapping: Mapping) -> None:
    assert [spec.name for spec in mapping.fields if spec.json_text and spec.is_verbatim] == []


def test_switches_are_known_by_id_over_all_mappings() -> None:
    known = switches_of(MAPPINGS)
    assert {"aws.cloudtrail.management", "gcp.audit.admin_activity", "azure.activity_log"} <= known.keys()
    assert known["gcp.audit.data_access:aiplatform.googleapis.com"].is_on_by_default is False


# --- which mapping serves a rule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [LogSource(product="azure", service="activitylogs"), LogSource(product="Azure", service="ActivityLogs")])
def test_a_log_source_is_served_without_case(source: LogSource) -> None:
    assert mapping_for(source, MAPPINGS) is BY_NAME["azure_activitylogs"]


@pytest.mark.parametrize(
    "source",
    [LogSource(), LogSource(product="aws"), LogSource(product="aws", service="cloudtrail", category="x"), LogSource(service="cloudtrail")],
)
def test_a_log_source_that_says_less_or_more_is_not_guessed(source: LogSource) -> None:
    assert mapping_for(source, MAPPINGS) is None


# --- where a field lies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "name", "key"),
    [
        ("gcp_audit", "protoPayload.methodName", "protoPayload.methodName"),
        ("gcp_audit", "protopayload.METHODNAME", "protoPayload.methodName"),
        ("gcp_audit", "gcp.audit.method_name", "protoPayload.methodName"),
        ("gcp_audit", "data.protoPayload.methodName", "protoPayload.methodName"),
        ("gcp_audit", "data.protoPayload.resource.type", "resource.type"),
        ("gcp_audit", "data.protoPayload.request.policy.Bindings", "protoPayload.request.policy.Bindings"),
        ("azure_activitylogs", "OperationNameValue", "operationName"),
        ("azure_activitylogs", "status", "resultType"),
        ("azure_activitylogs", "Properties_d.requestbody.x", "properties.requestbody.x"),
        ("aws_cloudtrail", "requestParameters.policyDocument.Statement.Effect", "requestParameters.policyDocument.Statement.Effect"),
    ],
)
def test_a_field_is_found_as_published_rules_write_it(mapping: str, name: str, key: str) -> None:
    found = resolve_field(BY_NAME[mapping], name)
    assert found is not None
    assert found.key == key
    assert found.warning == ""


def test_a_known_misspelling_is_found_with_a_warning() -> None:
    found = resolve_field(BY_NAME["aws_cloudtrail"], "user_agent")
    assert found is not None
    assert (found.key, found.warning) == ("userAgent", "field user_agent is a known misspelling")


def test_a_dot_in_a_member_s_name_is_no_border() -> None:
    event: Json = {"identity": {"claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "a@example.com"}}}
    azure = BY_NAME["azure_activitylogs"]
    assert values_of(azure, event, "caller") == ["a@example.com"]
    assert values_of(azure, event, r"claims.http://schemas\.xmlsoap\.org/ws/2005/05/identity/claims/upn") == ["a@example.com"]


@pytest.mark.parametrize(
    ("mapping", "name", "hint"),
    [
        ("gcp_audit", "protoPayload.methodNames", "Did you mean protoPayload.methodName?"),
        ("azure_activitylogs", "operationNam", "Did you mean operationName?"),
        ("aws_cloudtrail", "qqqqqq", ""),
    ],
)
def test_a_field_that_no_mapping_defines_is_not_made_up(mapping: str, name: str, hint: str) -> None:
    assert resolve_field(BY_NAME[mapping], name) is None
    assert suggest_field(BY_NAME[mapping], name) == hint


# --- the four forms of the Azure activity log --------------------------------------------------------------------------------------

RESOURCE = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/example/providers/Microsoft.Storage/storageAccounts/example"
OPERATION = "Microsoft.Storage/storageAccounts/listKeys/action"
FORMS: dict[str, Json] = {
    "export": {
        "time": "2026-01-13T01:00:00Z",
        "resourceId": RESOURCE,
        "operationName": OPERATION,
        "category": "Administrative",
        "resultType": "Success",
        "callerIpAddress": "203.0.113.61",
        "identity": {"claims": {"appid": "app", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "a@example.com"}},
        "properties": {"requestbody": '{"properties":{"x":"1"}}'},
    },
    "api": {
        "eventTimestamp": "2026-01-13T01:00:00Z",
        "resourceId": RESOURCE,
        "operationName": {"value": OPERATION, "localizedValue": "List Storage Account Keys"},
        "category": {"value": "Administrative"},
        "status": {"value": "Success"},
        "caller": "a@example.com",
        "httpRequest": {"clientIpAddress": "203.0.113.61"},
        "claims": {"appid": "app"},
        "properties": {"requestbody": '{"properties":{"x":"1"}}'},
    },
    "row": {
        "TimeGenerated": "2026-01-13T01:00:00Z",
        "_ResourceId": RESOURCE,
        "OperationNameValue": OPERATION,
        "CategoryValue": "Administrative",
        "ActivityStatusValue": "Success",
        "Caller": "a@example.com",
        "CallerIpAddress": "203.0.113.61",
        "Claims": '{"appid":"app"}',
        "Properties_d": {"requestbody": '{"properties":{"x":"1"}}'},
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operationName", OPERATION),
        ("resultType", "Success"),
        ("category", "Administrative"),
        ("resourceId", RESOURCE),
        ("caller", "a@example.com"),
        ("callerIpAddress", "203.0.113.61"),
        ("claims.appid", "app"),
        ("properties.requestbody.properties.x", "1"),
        ("time", "2026-01-13T01:00:00Z"),
    ],
)
def test_a_field_is_read_from_every_form_of_the_activity_log(form: str, field: str, value: str) -> None:
    assert value in values_of(BY_NAME["azure_activitylogs"], FORMS[form], field)


def test_the_portal_s_columns_become_members_and_no_others() -> None:
    azure = BY_NAME["azure_activitylogs"]
    columns = dict(azure.csv)
    portal = ["Correlation id", "Operation name", "Status", "Event category", "Level", "Time", "Event initiated by", "Resource type"]
    line: dict[str, Json] = {columns[header.lower()][0]: header for header in portal}
    assert values_of(azure, line, "operationName") == ["Operation name"]
    assert values_of(azure, line, "resultType") == ["Status"]
    assert values_of(azure, line, "caller") == ["Event initiated by"]
    assert values_of(azure, line, "time") == ["Time"]
    assert [
        name for name in ("callerIpAddress", "claims.appid", "properties.requestbody", "eventDataId") if values_of(azure, line, name)
    ] == []


PORTAL = (
    "Correlation id,Operation name,Status,Event category,Level,Time,Subscription,Event initiated by,Resource type,Resource group\n"
    "00000000-0000-4000-8000-0000000000a3,List Storage Account Keys,Succeeded,Administrative,Informational,"
    "2026-01-13T01:20:10.998Z,00000000-0000-4000-8000-000000000001,a@example.com,Microsoft.Storage/storageAccounts,\n"
)


def test_a_line_of_the_portal_s_export_is_read_as_an_event_of_the_activity_log() -> None:
    azure = BY_NAME["azure_activitylogs"]
    shape = shape_of(azure)
    assert shape is not None
    header = find_header(PORTAL.encode(), [shape], is_last=True)
    assert isinstance(header, Header)
    line: Json = json.loads(CsvFramer(header).json_of(PORTAL.encode().splitlines()[1]))
    assert recognise(line, MAPPINGS) is azure
    assert values_of(azure, line, "operationName") == ["List Storage Account Keys"]
    assert values_of(azure, line, "time") == ["2026-01-13T01:20:10.998Z"]


# --- how a record's source is recognised -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_activity_log_is_recognised(form: str) -> None:
    assert recognise(FORMS[form], MAPPINGS) is BY_NAME["azure_activitylogs"]


BLOB_LOG: Json = {
    "time": "2026-01-13T01:00:00Z",
    "resourceId": RESOURCE,
    "operationName": "GetBlob",
    "category": "StorageRead",
    "statusCode": 200,
    "correlationId": "00000000-0000-4000-8000-0000000000a3",
    "identity": {"type": "OAuth", "authorization": [{"action": "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"}]},
    "properties": {"accountName": "example"},
}
SIGN_IN: Json = {
    "time": "2026-01-13T01:00:00Z",
    "resourceId": "/tenants/00000000-0000-4000-8000-000000000009/providers/Microsoft.aadiam",
    "operationName": "Sign-in activity",
    "category": "SignInLogs",
    "resultType": "0",
    "correlationId": "00000000-0000-4000-8000-0000000000a3",
    "properties": {"userPrincipalName": "a@example.com"},
}


@pytest.mark.parametrize("record", [BLOB_LOG, SIGN_IN, {}, {"time": "2026-01-13T01:00:00Z", "status": "ok"}, [1], None])
def test_a_record_of_another_kind_is_not_taken_for_one_of_these(record: Json) -> None:
    assert recognise(record, MAPPINGS) is None


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"logName": "a", "protoPayload": {"serviceName": "iam.googleapis.com", "methodName": "m"}}, "gcp_audit"),
        ({"protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog"}}, "gcp_audit"),
        ({"eventVersion": "1.09", "eventTime": "2026-01-13T01:00:00Z", "eventSource": "s", "eventName": "n"}, "aws_cloudtrail"),
    ],
)
def test_records_of_other_clouds_are_recognised(record: Json, name: str) -> None:
    assert recognise(record, MAPPINGS) is BY_NAME[name]


def test_items_of_one_selection_can_hold_on_one_element_because_these_fields_have_one_path() -> None:
    lists = ("protoPayload.authorizationInfo.", "protoPayload.serviceData.policyDelta.")
    specs = [spec for spec in BY_NAME["gcp_audit"].fields if spec.name.startswith(lists)]
    assert len(specs) >= 10
    assert [spec.name for spec in specs if len(spec.paths) != 1 or spec.json_text] == []


# --- numbers and encoded texts -----------------------------------------------------------------------------------------------------


AMOUNTS: tuple[tuple[str, str, Json], ...] = (
    ("aws_bedrock_invocation", "input.inputTokenCount", {"input": {"inputTokenCount": 12000}}),
    ("aws_bedrock_invocation", "output.outputTokenCount", {"output": {"outputTokenCount": 12000}}),
    ("aws_s3_access", "bytessent", {"bytessent": "12000"}),
    ("aws_s3_access", "objectsize", {"objectsize": "12000"}),
    ("aws_vpcflow", "bytes", {"bytes": "12000"}),
    ("aws_vpcflow", "packets", {"packets": "12000"}),
    ("aws_guardduty", "severity", {"severity": 12000}),
    ("gcp_vpcflow", "jsonPayload.bytes_sent", {"jsonPayload": {"bytes_sent": "12000"}}),
    ("azure_vnetflow", "bytesSrcToDest", {"BytesSrcToDest": 12000}),
    ("azure_storage_blob", "responseBodySize", {"properties": {"responseBodySize": 12000}}),
    ("azure_cognitiveservices", "properties.requestLength", {"properties": {"requestLength": 12000}}),
    ("azure_cognitiveservices", "properties.requestLength", {"properties": '{"requestLength":12000}'}),
    ("azure_aml_endpoint_traffic", "requestPayloadSize", {"properties": {"RequestPayloadSize": "12000"}}),
)


@pytest.mark.parametrize(
    ("name", "field", "event"), AMOUNTS, ids=[f"{name}-{field}-{number}" for number, (name, field, _) in enumerate(AMOUNTS)]
)
def test_an_amount_is_compared_as_a_number_on_files_and_on_every_layout(name: str, field: str, event: Json) -> None:
    """As texts 9 would come after 12000."""
    mapping = BY_NAME[name]
    for op, number, holds in (
        (OrderOp.GT, "9", True),
        (OrderOp.GTE, "12000", True),
        (OrderOp.GT, "12000", False),
        (OrderOp.LT, "9", False),
    ):
        leaf = Order(field=field, op=op, number=number)
        assert compile_predicate(leaf, binder_of(mapping))(View(event)) is holds, (op, number)
    for layout in mapping.layouts:
        found = bounds_of(Order(field=field, op=OrderOp.GT, number="9"), Locator(mapping, layout))
        assert (found.obstacles, found.low is None) == ((), False), layout.label


SCRIPT = "IyEvYmluL2Jhc2gKcGlwIGluc3RhbGwgeA=="


@pytest.mark.parametrize(
    "asked",
    [
        {"onStart": [{"content": SCRIPT}]},
        {"onCreate": [{"content": "ZWNobw=="}, {"content": SCRIPT}]},
        {"studioLifecycleConfigContent": SCRIPT},
    ],
    ids=["on start", "on create", "studio"],
)
def test_a_lifecycle_script_is_read_decoded_wherever_it_stands(asked: Json) -> None:
    assert "#!/bin/bash\npip install x" in values_of(BY_NAME["aws_cloudtrail"], {"requestParameters": asked}, "decoded.lifecycleScript")


def test_a_policy_that_an_answer_has_encoded_is_read_as_json() -> None:
    policy = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22*%22%7D%7D%5D%7D"
    event: Json = {"responseElements": {"role": {"assumeRolePolicyDocument": policy}}}
    mapping = BY_NAME["aws_cloudtrail"]
    assert values_of(mapping, event, "decoded.trustPolicy.Statement.Principal.AWS") == ["*"]
    assert values_of(mapping, event, "responseElements.role.assumeRolePolicyDocument") == [policy]
    form: Json = {"requestParameters": {"formData": "eyJjb21wYW55TmFtZSI6IkV4YW1wbGUifQ=="}}
    assert values_of(mapping, form, "decoded.modelAccessForm.companyName") == ["Example"]


def test_findings_are_bounded_by_a_time_with_milliseconds_as_it_is_written() -> None:
    """The edges of a window are written to the second and without a zone: a text with milliseconds lies on the right side of them."""
    layout = next(layout for layout in BY_NAME["aws_guardduty"].layouts if layout.engine is EngineKind.ATHENA)
    assert layout.time_form is TimeForm.ISO_TEXT
    span = Window(start=datetime(2026, 1, 5, 12, tzinfo=UTC), end=datetime(2026, 1, 5, 12, 1, tzinfo=UTC))
    bounds = sql_bounds(layout, span, SQL_PRINTERS[EngineKind.ATHENA])
    assert bounds[0] == "day >= '2026/01/04'"
    edges = [bound.rpartition(" ")[2].strip("'") for bound in bounds if "updatedat" in bound]
    assert edges == ["2026-01-05T12:00:00", "2026-01-05T12:01:00"]
    times = ("11:59:59.999Z", "12:00:00.000Z", "12:00:00Z", "12:00:59.999Z", "12:01:00.000Z", "12:01:00Z")
    assert [edges[0] <= f"2026-01-05T{time}" < edges[1] for time in times] == [False, True, True, True, False, False]


# --- a user's own folder -----------------------------------------------------------------------------------------------------------


def test_a_layout_says_when_its_late_events_are_looked_for_and_a_day_later_when_it_says_nothing(tmp_path: Path) -> None:
    text = (SHIPPED / "aws_cloudtrail.yml").read_text(encoding="utf-8")
    assert "\n    settle_s: 7200\n" in text
    found = load_mapping(write(tmp_path, "aws_cloudtrail", text.replace("\n    settle_s: 7200\n", "\n    recheck_s: 172800\n", 1)))
    assert {layout.recheck_s for layout in BY_NAME["aws_cloudtrail"].layouts} == {86_400}
    assert sorted({layout.recheck_s for layout in found.layouts}) == [86_400, 172_800]


def test_a_user_s_file_of_the_same_name_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    write(tmp_path, "gcp_audit", SMALL.format(name="gcp_audit", service="own"))
    write(tmp_path, "own_thing", SMALL.format(name="own_thing", service="thing"))
    (tmp_path / "notes.txt").write_text("not a mapping", encoding="utf-8")
    found = {mapping.name: mapping for mapping in load_mappings([SHIPPED, tmp_path])}
    assert sorted(found) == sorted({*BY_NAME, "own_thing"})
    assert found["gcp_audit"].logsource == LogSource(product="example", service="own")
    assert [spec.name for spec in found["gcp_audit"].fields] == ["action"]


def test_what_a_file_leaves_out_has_the_documented_default(tmp_path: Path) -> None:
    mapping = load_mapping(write(tmp_path, "small", SMALL.format(name="small", service="own")))
    assert mapping.fields == (FieldSpec(name="action", paths=(("action",),), sieve_weight=1),)
    assert (mapping.arrival, mapping.lookback_days, mapping.time_also, mapping.identity_also) == ((), 4000, (), ())


def test_derived_and_parsed_text_is_not_verbatim_by_default(tmp_path: Path) -> None:
    rows = ("{name: host, derive: host}", "{name: body, open: true, json_text: 2}", "{name: doc, json_text: 1, verbatim: true}")
    added = "".join(f"  - {row}\n" for row in rows)
    text = SMALL.format(name="small", service="own").replace("signatures:", f"{added}signatures:")
    mapping = load_mapping(write(tmp_path, "small", text))
    assert {spec.name: spec.is_verbatim for spec in mapping.fields} == {"action": True, "host": False, "body": False, "doc": True}


def test_decoding_is_one_step_or_a_list_of_them(tmp_path: Path) -> None:
    rows = (
        "{name: a, derive: url}",
        "{name: b, derive: [base64, gunzip]}",
        "{name: c, paths: [b], derive: [url, base64], open: true, json_text: 1}",
    )
    added = "".join(f"  - {row}\n" for row in rows)
    text = SMALL.format(name="small", service="own").replace("signatures:", f"{added}signatures:")
    fields = {spec.name: spec for spec in load_mapping(write(tmp_path, "small", text)).fields}
    assert [fields[name].derive for name in ("action", "a", "b", "c")] == ["", "url", "base64 gunzip", "url base64"]
    assert [fields[name].is_verbatim for name in ("a", "b", "c")] == [False, False, False]


def test_two_mappings_of_one_log_source_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "one", SMALL.format(name="one", service="same"))
    write(tmp_path, "two", SMALL.format(name="two", service="Same"))
    with pytest.raises(ContentErrors, match="The mappings one and two both serve the log source example/Same"):
        load_mappings([tmp_path])


# --- what is refused, all at once --------------------------------------------------------------------------------------------------


def test_every_fault_of_every_file_is_shown_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "one", SMALL.format(name="one", service="own").replace("provider:", "provder:"))
    write(tmp_path, "two", SMALL.format(name="two", service="own").replace("sieve_weight: 1", "sieve_weight: 12"))
    with pytest.raises(ContentErrors) as refused:
        load_mappings([tmp_path])
    assert [str(error).removeprefix(f"{tmp_path}/") for error in refused.value.errors] == [
        "one.yml:1: The file lacks the key provider.",
        "one.yml:3: The file has no key provder. Did you mean provider?",
        "two.yml:7: fields[0].sieve_weight must be a whole number from 1 (narrows best) to 9, not 12.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("product: example", "prodct: example", 2, "logsource has no key prodct. Did you mean product?"),
        ("provider: example", "provider: Example One", 3, "provider must be a word of lower-case letters"),
        ("identity: [id]", "identity: []", 4, "identity must be a list of member paths, at least one, not an empty list."),
        ("identity: [id]", "identity: [id, id]", 4, "identity holds a value twice."),
        ("time: when", "time: when..then", 5, "time must be a dotted member path, not the text 'when..then'."),
        ("time: when", "time: [when]", 5, "time must be a dotted member path, not a list."),
        ("time: when", "time: null", 5, "time must be a dotted member path, not nothing."),
        ("sieve_weight: 1", "open: 1", 7, "fields[0].open must be true or false, not 1."),
        (
            "sieve_weight: 1",
            "derive: hots",
            7,
            "fields[0].derive must be lower, host, base64, url or a list of decodings, not the text 'hots'. Did you mean host?",
        ),
        (
            "sieve_weight: 1",
            "derive: [base65]",
            7,
            "fields[0].derive[0] must be base64, url or gunzip, not the text 'base65'. Did you mean base64?",
        ),
        (
            "sieve_weight: 1",
            "derive: []",
            7,
            "fields[0].derive must be a list of one to four of base64, url and gunzip, not an empty list.",
        ),
        ("sieve_weight: 1", "weight: 1", 7, "fields[0] has no key weight. Did you mean sieve_weight?"),
        ("{name: action, sieve_weight: 1}", "action", 7, "fields[0] must be a map that begins with the field's name"),
        ("{has: [id, when, action]}", "{}", 9, "signatures[0] must be a map with has, lacks, equals or prefixes, not an empty map."),
        ("signatures:", "aliases: {Act: action}\nsignatures:", 8, "A key of aliases must be a name in lower case, not the text 'Act'."),
        ("signatures:", "zzzzzz: 1\nsignatures:", 8, "The file has no key zzzzzz. Its keys are name, logsource,"),
    ],
)
def test_a_fault_of_form_names_its_place_and_what_would_be_right(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    text = SMALL.format(name="small", service="own")
    assert old in text
    ((found_line, found),) = faults_of(write(tmp_path, "small", text.replace(old, new)))
    assert found_line == line
    assert found.startswith(what)


@pytest.mark.parametrize(
    ("added", "what"),
    [
        ("  - {name: Action}", "The field Action is defined twice: rules find fields without case."),
        ("  - {name: a, derive: lower, verbatim: true}", "The field a cannot be verbatim"),
        ("  - {name: a, derive: [base64], verbatim: true}", "The field a cannot be verbatim"),
        ("  - {name: a, derive: [gunzip]}", "The field a cannot begin with gunzip, nor have it behind anything but base64."),
        (
            "  - {name: a, derive: [base64, gunzip, gunzip]}",
            "The field a cannot begin with gunzip, nor have it behind anything but base64.",
        ),
        ("  - {name: a, derive: url, open: true}", "The field a is decoded and open: a decoded text has members only as JSON."),
        ("  - {name: a, derive: url, object: true}", "The field a is decoded: it is a text and no object."),
        ("  - {name: b, open: true, json_text: 1}\n  - {name: a, paths: [b], derive: url}", "The field a decodes a text that another"),
        ("  - {name: a, time: true, open: true}", "The field a cannot be a time and open at once."),
        ("aliases: {act: acton}", "The alias act leads to acton, which is no field. Did you mean action?"),
        ("aliases: {action: action}", "The alias action hides behind the field of that name. Remove the alias."),
        ("aliases: {act: action}\nmisspelt: [atc]", "misspelt names atc, which is no alias. Did you mean act?"),
        ("keywords: [actions]", "keywords names actions, which is no field. Did you mean action?"),
        (f"switches:\n{SWITCH}\n{SWITCH}", "The switch x.a is defined twice."),
    ],
)
def test_a_contradiction_is_found_where_it_stands(tmp_path: Path, added: str, what: str) -> None:
    text = SMALL.format(name="small", service="own").replace("signatures:", f"{added}\nsignatures:")
    ((line, found),) = faults_of(write(tmp_path, "small", text))
    assert line == 8 + added.count("\n")
    assert found.startswith(what)


def test_an_alias_may_lead_below_an_open_field_or_to_a_prefix_of_fields(tmp_path: Path) -> None:
    added = "  - {name: body, open: true}\n  - {name: who.name}\naliases: {ask: body.request.x, data.who: who}\nsignatures:"
    mapping = load_mapping(write(tmp_path, "small", SMALL.format(name="small", service="own").replace("signatures:", added)))
    assert values_of(mapping, {"body": {"request": {"x": 1}}}, "ask") == [1]
    assert values_of(mapping, {"who": {"name": "a"}}, "data.who.name") == ["a"]


def test_a_file_must_carry_its_own_name(tmp_path: Path) -> None:
    ((line, found),) = faults_of(write(tmp_path, "other", SMALL.format(name="small", service="own")))
    assert (line, found) == (1, "The name is small, the file is called other.yml. Give both the same stem.")


@pytest.mark.parametrize(
    ("raw", "what"), [(b"\xff\xfe", "The file cannot be read: it is no UTF-8."), (b"a: [", "is no YAML"), (b"", "no YAML document")]
)
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, raw: bytes, what: str) -> None:
    path = tmp_path / "small.yml"
    path.write_bytes(raw)
    ((_, found),) = faults_of(path)
    assert what in found


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    ((_, found),) = faults_of(tmp_path / "none.yml")
    assert found == "The file cannot be read: No such file or directory."


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentErrors, match="none: The folder cannot be listed: No such file or directory"):
        load_mappings([tmp_path / "none"])


def test_a_document_that_is_no_map_is_refused(tmp_path: Path) -> None:
    ((_, found),) = faults_of(write(tmp_path, "small", "- a\n"))
    assert found == "The file must be a map, not a list."

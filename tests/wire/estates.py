"""Log sources as they lie in several clouds at once: the same events as rows behind the wire servers, and as files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.athena import AthenaEngine
from aibr_hunt.engines.cloud.bigquery import BigQueryEngine
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.log_analytics import LogAnalyticsEngine
from aibr_hunt.engines.cloud.protocol import CloudEngine, Manners, Watch
from aibr_hunt.hunt.clouds import Clouds
from aibr_hunt.hunt.run import Request
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.parity.rows import Misfit, row_of_record
from tests.standins.contract import Row
from tests.standins.trino_shim import _without_look_around
from tests.unit.run_samples import request_of
from tests.wire.athena_server import AthenaWorld, athena_server
from tests.wire.bigquery_server import BigQueryServer
from tests.wire.log_analytics_server import LogAnalyticsWorld, log_analytics_server

MAPPINGS: Final = {each.name: each for each in LIBRARY.mappings}
NOW: Final = datetime(2026, 6, 1, 9, tzinfo=UTC)
QUICK: Final = Manners(deadline_s=60.0, call_s=30.0, attempts=4, wait_s=0.01, longest_wait_s=0.05)
WORKSPACE: Final = "00000000-0000-4000-8000-00000000000a"
Events = Mapping[str, Sequence[Json]]
"""Records as the cloud delivers them, by the name of their log source."""


@dataclass
class TrailWorld(AthenaWorld):
    """Athena's server, which also runs programs that look around, and lets some fail before others run.

    Attributes:
        reasons: Why the next programs fail, one each.
    """

    reasons: list[str] = field(default_factory=list)

    def _run(self, text: str) -> dict[str, Any]:
        if self.reasons:
            return {"state": self.ends, "why": self.reasons.pop(0), "rows": [], "columns": []}
        return super()._run(_without_look_around(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where log sources lie: labels of layouts by log source. Several are several Sources that share the events out by their log's name."""

    name: str
    layouts: Mapping[str, tuple[str, ...]]

    def sources(self, names: Sequence[str]) -> list[Source]:
        """Return the Sources of these log sources."""
        return [source_of(name, label) for name in names for label in self.layouts[name]]


def source_of(name: str, label: str) -> Source:
    """Return the Source of a log source that lies in a layout, under a table's name of the deployment's own."""
    mapping = MAPPINGS[name]
    layout = next(each for each in mapping.layouts if each.label == label)
    table = layout.table.replace("PROJECT.DATASET", "example-project.logs").replace("PROJECT.LOCATION.BUCKET", f"example-project.{name}")
    if layout.engine is EngineKind.ATHENA:
        table = f"security.{name}_{layout.name}"
    place = {EngineKind.ATHENA: "123456789012", EngineKind.BIGQUERY: "example-project", EngineKind.KQL: WORKSPACE}[layout.engine]
    return Source(name=f"{name}_{layout.name}", mapping=mapping, layout=replace(layout, table=table), place=place)


@dataclass(slots=True)
class Estate:
    """Servers that hold the tables of Sources.

    Attributes:
        sources: Which.
        athena, bigquery, log_analytics: The servers; their faults are a test's to order. `endpoints`: their addresses.
        manners: Of the engines that are opened.
    """

    sources: Sequence[Source]
    athena: TrailWorld
    bigquery: BigQueryServer
    log_analytics: LogAnalyticsWorld
    endpoints: Mapping[EngineKind, str]
    manners: Manners = QUICK
    opened: list[CloudEngine] = field(default_factory=list)

    def load(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Make the tables hold rows, by the Source's name."""
        servers: dict[EngineKind, TrailWorld | BigQueryServer | LogAnalyticsWorld] = {
            EngineKind.ATHENA: self.athena,
            EngineKind.BIGQUERY: self.bigquery,
            EngineKind.KQL: self.log_analytics,
        }
        for source in self.sources:
            servers[source.engine].load(source.layout, rows.get(source.name, ()))

    def open_engine(self, source: Source) -> CloudEngine:
        """Return a new engine of a Source."""
        endpoint = self.endpoints[source.engine]
        made: CloudEngine
        match source.engine:
            case EngineKind.ATHENA:
                made = AthenaEngine(region="eu-west-1", database="security", endpoint=endpoint, manners=self.manners)
            case EngineKind.BIGQUERY:
                made = BigQueryEngine(project="example-project", endpoint=endpoint, manners=self.manners)
            case _:
                made = LogAnalyticsEngine(workspace=WORKSPACE, endpoint=endpoint, manners=self.manners)
        self.opened.append(made)
        return made

    def clouds(self, ceilings: Ceilings | None = None, watch: Watch | None = None, sources: Sequence[Source] = ()) -> Clouds:
        """Return the Sources as a run asks them."""
        around = Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(ceilings or Ceilings()), watch=watch or Watch())
        return Clouds(sources or self.sources, self.open_engine, around)


@contextmanager
def estate(sources: Sequence[Source]) -> Iterator[Estate]:
    """Give servers with empty tables, which live as long as the block."""
    with ExitStack() as stack:
        trail, logs, bigquery = TrailWorld(), LogAnalyticsWorld(), stack.enter_context(closing(BigQueryServer()))
        endpoints = {
            EngineKind.ATHENA: stack.enter_context(athena_server(trail)),
            EngineKind.BIGQUERY: bigquery.url,
            EngineKind.KQL: stack.enter_context(log_analytics_server(logs)),
        }
        made = Estate(sources, trail, bigquery, logs, endpoints)
        made.load({})
        yield made


# -- events as rows, and as files -----------------------------------------------------------------------------------


def rows_of(events: Events, sources: Sequence[Source]) -> tuple[dict[str, list[Row]], Events, int]:
    """Return rows by the Source's name, the events that they stand for, and how many events no table can hold."""
    rows: dict[str, list[Row]] = defaultdict(list)
    kept: dict[str, list[Json]] = defaultdict(list)
    misfits = 0
    for name, records in events.items():
        among = [each for each in sources if each.mapping.name == name]
        for record in records:
            source = next((each for each in among if _is_of(record, each)), among[0])
            try:
                rows[source.name].append(row_of_record(record, source.mapping, source.layout))
            except Misfit:
                misfits += 1
                continue
            kept[name].append(record)
    return rows, kept, misfits


def _is_of(record: Json, source: Source) -> bool:
    """True when a record's log is the one that a table by log is called after."""
    log = str(record.get("logName", "")) if isinstance(record, dict) else ""
    return log.rsplit("%2F", 1)[-1] == source.layout.table.rsplit("googleapis_com_", 1)[-1]


def write(events: Events, folder: Path) -> list[Path]:
    """Return folders, one a log source, that hold the events as lines of JSON."""
    folders = []
    for name, records in events.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "events.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
        folders.append(folder / name)
    return folders


# -- events that meet no rule, so that a table or a file shows a pulse ------------------------------------------------

_AZURE_ID: Final = "/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000001/RESOURCEGROUPS/EXAMPLE-ML/PROVIDERS/MICROSOFT.EXAMPLE/THINGS/ONE"


def _azure(category: str, operation: str, **more: Json) -> dict[str, Json]:
    made: dict[str, Json] = {"resourceId": _AZURE_ID, "category": category, "operationName": operation, "resultType": "Success"}
    return {**made, **more}


def _google(log: str, **more: Json) -> dict[str, Json]:
    labels: dict[str, Json] = {"project_id": "example-ml"}
    return {"logName": f"projects/example-ml/logs/{log}", "resource": {"type": "audited_resource", "labels": labels}, **more}


_LISTED: Final[dict[str, Json]] = {"serviceName": "logging.googleapis.com", "methodName": "google.logging.v2.ConfigServiceV2.ListSinks"}
_FLOW: Final[dict[str, Json]] = {
    "reporter": "SRC",
    "bytes_sent": "60",
    "connection": {"src_ip": "192.0.2.1", "src_port": 5353, "dest_ip": "192.0.2.2", "dest_port": 53, "protocol": 17},
}
_QUIET: Final[dict[str, tuple[dict[str, Json], ...]]] = {
    "aws_cloudtrail": (
        {
            "eventVersion": "1.10",
            "eventSource": "sts.amazonaws.com",
            "eventName": "GetCallerIdentity",
            "awsRegion": "eu-west-1",
            "recipientAccountId": "123456789012",
            "userIdentity": {"type": "AWSService"},
        },
    ),
    "aws_bedrock_invocation": (
        {
            "schemaType": "ModelInvocationLog",
            "operation": "CountTokens",
            "modelId": "example",
            "accountId": "123456789012",
            "region": "eu-west-1",
        },
    ),
    "aws_vpcflow": (
        {
            "account_id": "123456789012",
            "interface_id": "eni-0a",
            "srcaddr": "192.0.2.1",
            "dstaddr": "192.0.2.2",
            "srcport": 5353,
            "dstport": 53,
            "protocol": 17,
            "packets": 1,
            "bytes": 60,
            "action": "ACCEPT",
        },
    ),
    "gcp_audit": (
        _google("cloudaudit.googleapis.com%2Factivity", protoPayload=_LISTED),
        _google("cloudaudit.googleapis.com%2Fdata_access", protoPayload=_LISTED),
    ),
    "gcp_vpcflow": (_google("compute.googleapis.com%2Fvpc_flows", jsonPayload=_FLOW),),
    "azure_activitylogs": (_azure("Administrative", "MICROSOFT.RESOURCES/TAGS/WRITE"),),
    "azure_storage_blob": (
        _azure("StorageRead", "GetBlobServiceProperties", resourceType="Microsoft.Storage/storageAccounts/blobServices"),
    ),
    "azure_acr": (_azure("ContainerRegistryRepositoryEvents", "Untag"),),
    "azure_aml_endpoint_console": (
        _azure("AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointConsoleLog", properties={"InstanceId": "i-1", "Message": "ready"}),
    ),
    "azure_aml_run_status": (_azure("AmlRunStatusChangedEvent", "RunStatus", properties={"RunId": "r-1", "Status": "Queued"}),),
    "azure_vnetflow": (
        {
            "FlowType": "IntraVNet",
            "SubType": "FlowLog",
            "FlowDirection": "Inbound",
            "FlowStatus": "Allowed",
            "DestPort": 53,
            "MacAddress": "00-00-5E-00-53-01",
        },
    ),
}


def quiet(name: str, moments: Sequence[datetime]) -> list[Json]:
    """Return events of a log source that meet no rule, one of each of its logs at each of the moments."""
    return [_at(each, name, moment) for moment in moments for each in _QUIET[name]]


def _at(record: dict[str, Json], name: str, moment: datetime) -> dict[str, Json]:
    """Return a record with its times and an id of its own."""
    text, seconds = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), int(moment.timestamp())
    ident = f"00000000-0000-4000-8000-{seconds:012}"
    own: dict[str, dict[str, Json]] = {
        "aws_cloudtrail": {"eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "eventID": ident},
        "aws_bedrock_invocation": {"timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "requestId": ident},
        "aws_vpcflow": {"start": seconds, "end": seconds + 60},
        "gcp_audit": {"timestamp": text, "insertId": ident},
        "gcp_vpcflow": {"timestamp": text, "insertId": ident},
        "azure_activitylogs": {"time": text, "eventDataId": ident, "correlationId": ident},
        "azure_vnetflow": {"TimeGenerated": text, "FlowStartTime": text, "FlowEndTime": text, "FlowIntervalStartTime": text},
    }
    return {**record, **own.get(name, {"time": text, "correlationId": ident})}


# -- runs -----------------------------------------------------------------------------------------------------------


def request(corpus: Corpus, window: Window, *, clouds: Clouds | None = None, paths: Sequence[Path] = ()) -> Request:
    """Return a run of all rules and correlations of a corpus."""
    return request_of(corpus, window, NOW, clouds=clouds, paths=paths)


def hours_around(first_us: int, last_us: int, *, more: timedelta = timedelta(hours=1)) -> Window:
    """Return the whole hours that hold two moments and some time around them."""
    epoch, hour = datetime(1970, 1, 1, tzinfo=UTC), 3_600_000_000
    start, end = first_us // hour * hour, -(-(last_us + 1) // hour) * hour
    return Window(start=epoch + timedelta(microseconds=start) - more, end=epoch + timedelta(microseconds=end) + more)

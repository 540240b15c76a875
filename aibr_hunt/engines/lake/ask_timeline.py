"""Timelines: what one principal, address or key did over all sources, in order of time, and what else shares its addresses and keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from aibr_hunt.engines.lake.ask_answer import Answer, Turn
from aibr_hunt.engines.lake.ask_ground import Ground, all_of, ask, quoted, run, within
from aibr_hunt.errors import UsageError
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GAP: Final = timedelta(minutes=30)
# Where every view holds who acted, from where and on what.
_PLACES: Final = ("principal", "address", "account", "resource")
# Last parts of fields that name who acted, or the credential that was used.
_KEYS: Final = ("accesskeyid", "credentialid", "serviceaccountkeyname", "serviceprincipalcredentialkeyid", "tokenhash")
_ACTORS: Final = (
    *("arn", "principalid", "username", "userid", "objectid", "appid", "serviceprincipalid", "userprincipalname", "upn"),
    *("principalemail", "principalsubject", "sourceidentity", "callerip", "calleripaddress", "ipaddress", "requester", "caller"),
)
# Below these stands on what was acted, not who did.
_TARGETS: Final = re.compile(r"(?:request|response)\w*|resources?|targetresources|properties\.targetresources", re.IGNORECASE)
_MOST_SHARED: Final = 20
_NOBODY: Final = (
    'SELECT CAST(NULL AS VARCHAR) AS shared, CAST(NULL AS VARCHAR) AS "value", CAST(NULL AS VARCHAR) AS also, '
    'CAST(NULL AS TIMESTAMP) AS "time" WHERE FALSE'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineAsked:
    """Whose timeline is wanted.

    Attributes:
        values: Names, addresses, keys: an event of any of them belongs to it. Case is no matter.
        sources: Names of sources; none stands for all.
        window: Bounds of the event time; untimed events lie in none, and in the unbounded one.
        is_anywhere: True also looks in the raw text of the records.
        gap: A longer silence parts two sessions.
    """

    values: tuple[str, ...]
    sources: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    is_anywhere: bool = False
    gap: timedelta = GAP


class Timeline:
    """What was found. The answers share a connection: read one to its end before the next.

    Attributes:
        values: What was asked for.
        total: Events found.
    """

    def __init__(self, connection: DuckDBPyConnection, asked: TimelineAsked, views: Mapping[str, Sequence[str]]) -> None:
        """Look once; the answers are made of what was found. Made by `timeline`."""
        self._connection = connection
        self._turn = Turn()
        self._asked = asked
        self._views = views
        self.values = asked.values
        self.total = _find(connection, asked, views)

    def _ask(self, text: str, parameters: Sequence[object] = ()) -> Answer:
        return ask(self._connection, text, parameters=parameters, turn=self._turn)

    @property
    def events(self) -> Answer:
        """Every event, in order of time."""
        return self._ask(
            'SELECT session, "time", source, action, principal, address, account, region, resource, found_in, event_id '
            'FROM timeline ORDER BY "time" NULLS LAST, source, event_id'
        )

    @property
    def lines(self) -> Answer:
        """The events in order of time, one line for calls of one action that follow one another in a session."""
        return self._ask(
            'SELECT session, min("time") AS "from", max("time") AS "to", count(*) AS events, source, action, principal, address, '
            "CASE WHEN count(DISTINCT resource) > 1 THEN count(DISTINCT resource) || ' resources' ELSE min(resource) END AS resource, "
            "arg_min(event_id, number) AS event_id FROM timeline GROUP BY line, session, source, action, principal, address "
            "ORDER BY min(number)"
        )

    @property
    def sessions(self) -> Answer:
        """The sessions: from when to when, with how many events, actions and addresses."""
        return self._ask(
            'SELECT session, min("time") AS "from", max("time") AS "to", count(*) AS events, count(DISTINCT action) AS actions, '
            "count(DISTINCT address) AS addresses, string_agg(DISTINCT source, ', ' ORDER BY source) AS sources "
            "FROM timeline GROUP BY session ORDER BY session NULLS LAST"
        )

    @property
    def actions(self) -> Answer:
        """How often each action was called, when first and when last."""
        return self._ask(
            'SELECT source, action, count(*) AS events, min("time") AS first_seen, max("time") AS last_seen '
            "FROM timeline GROUP BY source, action ORDER BY events DESC, source, action"
        )

    @property
    def shared(self) -> Answer:
        """Where to look next: others at the same addresses or with the same keys, and other addresses of the same principals."""
        parts = [_NOBODY, *(part for view, keys in self._views.items() for part in self._sharing(view, keys))]
        bounds, parameters = within(self._asked.window, '"time"')
        condition = all_of(["also IS NOT NULL", *bounds])
        union = " UNION ALL ".join(parts)
        return self._ask(
            f'SELECT shared, "value", also, count(*) AS events, min("time") AS first_seen, max("time") AS last_seen '  # noqa: S608 - names are quoted
            f'FROM ({union}) WHERE {condition} GROUP BY ALL ORDER BY events DESC, shared, "value", also LIMIT {_MOST_SHARED}',
            parameters,
        )

    @staticmethod
    def _sharing(view: str, keys: Sequence[str]) -> list[str]:
        principals, addresses = "(SELECT principal FROM timeline)", "(SELECT address FROM timeline)"
        plain = f"SELECT \"time\", NULLIF(principal, '') AS principal, NULLIF(address, '') AS address, {{}} FROM {quoted(view)}"  # noqa: S608 - quoted
        rows = plain.format("NULL AS credential")
        strangers = f"principal NOT IN {_known(principals, 'principal')}"
        elsewhere = f"address NOT IN {_known(addresses, 'address')}"
        found = [
            _pivot(("address", "address", "principal"), rows, f"address IN {addresses} AND {strangers}"),
            _pivot(("principal", "principal", "address"), rows, f"principal IN {principals} AND {elsewhere}"),
        ]
        for key in keys:
            rows = plain.format(f"{quoted(key)} AS credential")
            known = "credential IN (SELECT unnest(credentials) FROM timeline)"
            found.append(_pivot((key, "credential", "principal"), rows, f"{known} AND {strangers}"))
        return found

    def __repr__(self) -> str:
        """Return what was found, in short."""
        return self.as_text()

    def as_text(self, rows: int = 10) -> str:
        """Return the timeline as text that is safe for a terminal."""
        parts = (("", self.lines), ("sessions", self.sessions), ("actions", self.actions), ("shared with", self.shared))
        return "\n\n".join(f"{title}\n{answer.as_text(rows)}".strip() for title, answer in parts)

    def _repr_html_(self) -> str:
        """Return the timeline as HTML tables."""
        parts = (("Timeline", self.lines), ("Sessions", self.sessions), ("Actions", self.actions), ("Shared with", self.shared))
        return "".join(f"<h4>{title}</h4>{answer._repr_html_()}" for title, answer in parts)


def _known(values: str, column: str) -> str:
    """Return a subquery without nulls: NOT IN is never true beside one."""
    return values.replace("FROM timeline", f"FROM timeline WHERE {column} IS NOT NULL")


def _pivot(words: tuple[str, str, str], rows: str, condition: str) -> str:
    """Return SQL for what shares a value: the title of it, its column, and the column of who shares."""
    title, column, also = words
    return f'SELECT {_text(title)} AS shared, {column} AS "value", {also} AS also, "time" FROM ({rows}) WHERE {condition}'  # noqa: S608 - names are quoted


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def timeline(ground: Ground, asked: TimelineAsked) -> Timeline:
    """Return what the asked names, addresses or keys did.

    Raises:
        UsageError: Nothing is asked for, or there is no such source.
    """
    if not any(value.strip() for value in asked.values):
        raise UsageError("Whose timeline?", hint="Give a principal, an address, an access key id or another identifier.")
    chosen = ground.chosen(asked.sources)
    connection = ground.connect()
    columns = _text_columns(connection)
    views = {view: _fields(mapping, columns.get(view, ()), _KEYS) for view, mapping in chosen.items()}
    return Timeline(connection, asked, views)


def _text_columns(connection: DuckDBPyConnection) -> dict[str, list[str]]:
    rows = run(
        connection,
        "SELECT table_name, column_name FROM duckdb_columns() WHERE data_type = 'VARCHAR' AND NOT internal ORDER BY column_index",
    )
    found: dict[str, list[str]] = {}
    for view, column in rows:
        found.setdefault(str(view), []).append(str(column))
    return found


def _fields(mapping: LogMapping | None, columns: Sequence[str], endings: Sequence[str]) -> list[str]:
    """Return the columns of a view that are fields with one of the endings, and do not name a target."""
    names = set() if mapping is None else {spec.name for spec in mapping.fields}
    return [
        name
        for name in dict.fromkeys(columns)
        if name in names and name.rpartition(".")[2].lower() in endings and not _TARGETS.fullmatch(name.partition(".")[0])
    ]


def _find(connection: DuckDBPyConnection, asked: TimelineAsked, views: Mapping[str, Sequence[str]]) -> int:
    """Write what is found into a table of the connection; return how much that is."""
    columns = _text_columns(connection)
    wanted = [value.strip() for value in asked.values if value.strip()]
    run(
        connection,
        'CREATE OR REPLACE TEMP TABLE found (source VARCHAR, "time" TIMESTAMP, action VARCHAR, principal VARCHAR, address VARCHAR, '
        "account VARCHAR, region VARCHAR, resource VARCHAR, event_id VARCHAR, credentials VARCHAR[], found_in VARCHAR)",
    )
    for view, keys in views.items():
        known = set(columns.get(view, ()))
        actors = [name for name in columns.get(view, ()) if name.rpartition(".")[2].lower() in _ACTORS and "." in name]
        actors = [name for name in actors if not _TARGETS.fullmatch(name.partition(".")[0])]
        places = [*(name for name in _PLACES if name in known), *keys, *actors]
        text, parameters = _search(view, places, keys, wanted=wanted, asked=asked)
        run(connection, text, parameters)
    return _order(connection, asked.gap)


def _search(
    view: str, places: Sequence[str], keys: Sequence[str], *, wanted: Sequence[str], asked: TimelineAsked
) -> tuple[str, list[object]]:
    listed = ", ".join("lower(?)" for _ in wanted)
    tests = [f"lower({quoted(name)}) IN ({listed})" for name in places]
    parameters: list[object] = [value for _ in places for value in wanted]
    titles = list(places)
    if asked.is_anywhere:
        tests.append("(" + " OR ".join("contains(lower(raw), lower(?))" for _ in wanted) + ")")
        parameters += wanted
        titles.append("raw")
    bounds, edges = within(asked.window, '"time"')
    cases = " ".join(f"WHEN {test} THEN {_text(title)}" for test, title in zip(tests, titles, strict=True))
    credentials = ", ".join(f"NULLIF({quoted(key)}, '')" for key in keys)
    blank = ", ".join(f"NULLIF({name}, '')" for name in ("action", "principal", "address", "account", "region", "resource"))
    text = (
        f'INSERT INTO found SELECT * FROM (SELECT source, "time", {blank}, event_id, '  # noqa: S608 - names are quoted
        f"CAST([{credentials}] AS VARCHAR[]), CASE {cases} END AS found_in FROM {quoted(view)} WHERE {all_of(bounds)}) "
        "WHERE found_in IS NOT NULL"
    )
    return text, [*parameters, *edges]


def _order(connection: DuckDBPyConnection, gap: timedelta) -> int:
    """Number what was found by time, session and line."""
    order = 'ORDER BY "time" NULLS LAST, source, event_id'
    differs = " OR ".join(f"{name} IS DISTINCT FROM lag({name}) OVER w" for name in ("session", "source", "action", "principal", "address"))
    run(
        connection,
        "CREATE OR REPLACE TEMP TABLE timeline AS "  # noqa: S608 - fixed texts
        f'WITH told AS (SELECT *, row_number() OVER w AS number, "time" - lag("time") OVER w > to_microseconds(?) AS is_late '
        f"FROM found WINDOW w AS ({order})), "
        'sessions AS (SELECT *, CASE WHEN "time" IS NOT NULL THEN 1 + count(*) FILTER (is_late) OVER (ORDER BY number) END AS session '
        "FROM told), "
        f"parted AS (SELECT *, {differs} AS is_new FROM sessions WINDOW w AS (ORDER BY number)) "
        "SELECT *, count(*) FILTER (is_new) OVER (ORDER BY number) AS line FROM parted",
        [gap // timedelta(microseconds=1)],
    )
    return sum(count for (count,) in run(connection, "SELECT count(*) FROM timeline") if isinstance(count, int))

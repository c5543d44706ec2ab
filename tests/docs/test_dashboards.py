"""docs/dashboards.md: every query is BigQuery's SQL, and says the truth about real events, repeats included.

The queries run in DuckDB, translated by sqlglot; Python counts the same events by itself.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
import sqlglot

from diurnal_api.planning import first_plan
from diurnal_api.spec import TrafficSimulation
from diurnal_worker.schema import FIELDS
from diurnal_worker.sources import load
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
GKE = (ROOT / "docs" / "gke.md").read_text("utf-8")
TIMES = {"generation_timestamp", "event_timestamp"}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 30
Event = dict[str, Any]
Rows = list[tuple[Any, ...]]


def queries() -> list[tuple[str, str]]:
    """Every query with the heading above it."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        found += [(heading, sql) for sql in re.findall(r"```sql\n(.*?)```", section, re.DOTALL)]
    return found


QUERIES = queries()
RUN = [(heading, sql) for heading, sql in QUERIES if heading not in {"The view", "A forecast"}]


def metabase() -> str:
    """The question with filters, as it is while they are empty."""
    [sql] = re.findall(r"```metabase\n(.*?)```", PAGE, re.DOTALL)
    return re.sub(r"\[\[.*?\]\]", "", sql)


def events() -> list[Event]:
    """Thirty simulated hours of 300 users, as the worker writes them."""
    document = {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "app"},
        "spec": {"population": {"users": 300}, "sink": {"discard": {}}},
    }
    spec = TrafficSimulation.model_validate(document).spec
    plan = first_plan(spec, run="run-0", now=0, shards=1, engine="1", tzdata="2025b")
    shop = build_workshop(plan, load("builtin:world-2025"), "lines")
    begin = plan.start
    found = []
    for stretch in shop.timeline.stretches(begin, begin + HOURS * 3_600_000_000):
        made = shop.maker.make(shop.timeline.arrivals(stretch, ALL_SLOTS))
        lines = bytes(shop.encoder.encode(made, stretch.begin + 1).slice(0, len(made)))
        found += [json.loads(line) for line in lines.splitlines()]
    return found


@pytest.fixture(scope="module")
def true() -> list[Event]:
    return events()


@pytest.fixture(scope="module")
def database(
    true: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table that a subscription fills: every seventh event is there twice, generated a second later."""
    repeats = [{**e, "generation_timestamp": e["generation_timestamp"] + 1_000_000} for e in true[::7]]
    lines = tmp_path_factory.mktemp("events") / "events.jsonl"
    lines.write_text("\n".join(map(json.dumps, [*repeats, *true])))
    types = ", ".join(f"{f}: '{'BIGINT' if f in TIMES else 'VARCHAR'}'" for f in FIELDS)
    values = ", ".join(f"make_timestamptz({f}) AS {f}" if f in TIMES else f for f in FIELDS)
    [view] = [sql for heading, sql in QUERIES if heading == "The view"]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = f"read_json('{lines}', format = 'newline_delimited', columns = {{{types}}})"
        connection.execute(f"CREATE TABLE user_interactions AS SELECT {values} FROM {source}")
        connection.execute(translated(view))
        yield connection


def translated(sql: str) -> str:
    """The query for DuckDB, its tables without project and dataset."""
    return sqlglot.transpile(sql.replace("PROJECT_ID.app_store.", ""), read="bigquery", write="duckdb")[0]


def answer(database: duckdb.DuckDBPyConnection, heading: str, number: int = 0) -> Rows:
    """What the query under a heading gives."""
    return database.execute(translated([sql for h, sql in RUN if h == heading][number])).fetchall()


def when(event: Event) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["event_timestamp"])


def hour(event: Event) -> datetime:
    return when(event).replace(minute=0, second=0, microsecond=0)


def details(event: Event, name: str) -> Any:
    return json.loads(event["event_details"])[name]


@pytest.mark.parametrize("sql", [sql for _, sql in QUERIES] + [metabase()])
def test_a_query_is_bigquery_sql_and_reads_what_exists(sql: str) -> None:
    [tree] = sqlglot.parse(sql, dialect="bigquery")
    assert tree is not None
    tables = {table.name.rpartition(".")[2] for table in tree.find_all(sqlglot.exp.Table)} - {""}
    assert tables <= {"events", "user_interactions", "hourly", "ML"}
    made = {alias.alias for alias in tree.find_all(sqlglot.exp.Alias)}
    made |= {"horizon", "model_type", "time_series_timestamp_col", "time_series_data_col"}
    made |= {name for name in re.findall(r"\w+", sql) if name.startswith(("forecast_", "prediction_"))}
    used = {column.name for column in tree.find_all(sqlglot.exp.Column)}
    assert used <= set(FIELDS) | made | {"HOUR", "MINUTE", "SECOND"}


@pytest.mark.parametrize(("heading", "sql"), RUN)
def test_a_query_gives_rows(database: duckdb.DuckDBPyConnection, heading: str, sql: str) -> None:
    assert database.execute(translated(sql)).fetchall(), heading


def test_the_view_has_each_event_once_the_first_copy(
    database: duckdb.DuckDBPyConnection, true: list[Event]
) -> None:
    found = database.execute("SELECT event_id, epoch_us(generation_timestamp) FROM events").fetchall()
    assert sorted(found) == sorted((e["event_id"], e["generation_timestamp"]) for e in true)


def test_the_view_of_the_setup_is_the_same() -> None:
    """gke.md makes it from the command line."""
    [setup] = re.findall(r"--view \"(.*?)\" \\\n", GKE, re.DOTALL)
    [view] = [sql for heading, sql in QUERIES if heading == "The view"]
    told = setup.replace("\\`$PROJECT_ID.$DATASET.$TABLE\\`", "`PROJECT_ID.app_store.user_interactions`")
    assert told.split() == view.split("AS\n", 1)[1].split()


def test_hours_and_countries(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    counted = Counter((hour(e), e["country_code"]) for e in true)
    found = answer(database, "Events by hour and country")
    assert {(at, country): n for at, country, n in found} == counted
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert database.execute(translated(metabase())).fetchall() == [
        (at, country, n) for (at, country), n in sorted(counted.items())
    ]


def test_the_busiest_countries(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    counted = Counter(e["country_code"] for e in true)
    expected = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:10]
    found = answer(database, "The ten busiest countries")
    assert [row[:2] for row in found] == expected
    assert [row[2] for row in found] == pytest.approx([n / len(true) for _, n in expected])


def test_distinct_users(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    users, sessions, counted = defaultdict(set), defaultdict(set), Counter[Any]()
    for e in true:
        at = when(e).date(), e["country_code"]
        users[at].add(e["user_id"])
        sessions[at].add(e["session_id"])
        counted[at] += 1
    for day, country, n, open_, each in answer(database, "Distinct users"):
        at = day, country
        assert (n, open_, each) == (len(users[at]), len(sessions[at]), pytest.approx(counted[at] / n))
    assert len(answer(database, "Distinct users")) == len(users)


def test_distinct_users_by_hour_are_near_enough(
    database: duckdb.DuckDBPyConnection, true: list[Event]
) -> None:
    """DuckDB estimates by another sketch than BigQuery: some per cent of some hundred users."""
    users = defaultdict(set)
    for e in true:
        users[hour(e)].add(e["user_id"])
    for at, estimate in answer(database, "Distinct users", 1):
        assert estimate == pytest.approx(len(users[at]), rel=0.3)


def test_types(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    counted = Counter(e["event_type"] for e in true)
    assert {kind: n for kind, n, _ in answer(database, "Types of events")} == counted


def test_devices_are_users_not_events(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    users = {(e["device_type"], e["os_version"], e["user_id"]) for e in true}
    counted = Counter((device, os) for device, os, _ in users)
    assert {(device, os): n for device, os, n in answer(database, "Devices")} == counted


def test_the_shape_of_a_day_is_in_local_time(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    counted = Counter(when(e).astimezone(tokyo).hour for e in true if e["country_code"] == "JPN")
    found: dict[int, float] = dict(answer(database, "The shape of a day"))
    assert found == pytest.approx({h: 24 * n / counted.total() for h, n in counted.items()})


def test_sales(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    bought = [e for e in true if e["event_type"] == "in_app_purchase"]
    days = Counter(when(e).date() for e in bought)
    found = answer(database, "Sales")
    assert {day: n for day, n, _ in found} == days
    assert sum(usd for *_, usd in found) == pytest.approx(sum(details(e, "price_usd") for e in bought))


def test_searches(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    counted = Counter(details(e, "search_query") for e in true if e["event_type"] == "search")
    expected = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:20]
    assert answer(database, "Searches") == expected


def test_repeats_are_counted(database: duckdb.DuckDBPyConnection, true: list[Event]) -> None:
    repeats = len(true[::7])
    assert answer(database, "Is it all there?") == [(len(true) + repeats, len(true), repeats)]


def test_every_question_of_metabase_has_its_query() -> None:
    pattern = r"^\| .*? \| (.*?)(?:, last hour)? \| [a-z, ]+ \| (`.*?) \|$"
    rows = re.findall(pattern, PAGE, re.MULTILINE)
    assert len(rows) == 8
    for heading, axes in rows:
        sql = " ".join(sql for found, sql in QUERIES if found == heading)
        assert all(name in sql for name in re.findall(r"`(\w+)`", axes)), heading

"""What Prometheus gets of a real operator and of real workers while a simulation runs on an API server."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from diurnal_api.metrics import OPERATOR, WORKER
from nodes import Node
from operators import Operator
from world import World, eventually

pytestmark = pytest.mark.timeout(240)
Samples = dict[str, dict[frozenset[tuple[str, str]], float]]


def scraped(port: int) -> Samples:
    """The series of a process by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def labelled(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the series that have these labels."""
    return sum(
        value for found, value in samples.get(name, {}).items() if labels.items() <= dict(found).items()
    )


def names(samples: Samples) -> set[str]:
    return {name for name in samples if name.startswith("diurnal_")}


@pytest.fixture
def operator(world: World, node: Node, tmp_path: Path) -> Iterator[Operator]:
    """A running operator that wants series by country of its workers, and leads also on a busy machine."""
    operator = Operator(world, tmp_path, DIURNAL_COUNTRY_METRICS="1", DIURNAL_LEADER_LEASE_SECONDS="20")
    operator.start()
    try:
        yield operator
    finally:
        operator.stop()


def test_operator_and_workers_tell_what_they_do(world: World, operator: Operator, node: Node) -> None:
    world.create("app", shards=2)
    eventually("two shards run", lambda: world.is_running("app", 2))
    began = world.clock("app")
    eventually("the clock moves", lambda: world.clock("app") > began)

    of_it = {"namespace": world.namespace, "simulation": "app"}
    clock = "diurnal_operator_simulation_clock_timestamp_seconds"
    eventually(
        "the operator tells of the clock",
        lambda: labelled(scraped(operator.port), clock, **of_it) > began / 1e6,
    )
    told = scraped(operator.port)
    assert names(told) <= {name for family in OPERATOR for name in family.series}
    assert labelled(told, "diurnal_operator_leading") == 1
    assert labelled(told, "diurnal_operator_simulations") == 1
    assert labelled(told, "diurnal_operator_simulation_ready_shards", **of_it) == 2
    assert labelled(told, "diurnal_operator_reconciles_total", outcome="changed") > 0
    assert labelled(told, "diurnal_operator_reconcile_duration_seconds_count") > 0
    assert labelled(told, "diurnal_operator_api_requests_total", method="GET", code="200") > 0
    assert labelled(told, "diurnal_operator_watch_events_total", resource="trafficsimulations") > 0
    assert labelled(told, "diurnal_operator_watch_events_total", resource="deployments") > 0

    workers = [scraped(running.port) for running in node.workers.values()]
    assert len(workers) == 2
    for worker in workers:
        assert names(worker) <= {name for family in WORKER for name in family.series}
        assert labelled(worker, "diurnal_worker_lease_held") == 1
        assert labelled(worker, "diurnal_worker_state", state="publishing") == 1
        assert labelled(worker, "diurnal_worker_messages_published_total") > 0
        assert labelled(worker, "diurnal_worker_country_events_total") > 0
        assert labelled(worker, "diurnal_worker_simulation_timestamp_seconds") * 1e6 >= began

"""A worker at work and an operator's metrics, as Prometheus meets them: for tests.

The worker is the real one, in a thread, on a fake API server. What happens rarely, a failed request, is
planted. The operator's simulations are those that its own decisions made of a modelled cluster.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import generate_latest

from diurnal_api.plan import DatasetRef
from diurnal_api.planning import first_plan
from diurnal_api.spec import TrafficSimulation
from diurnal_operator.metrics import Metrics as OperatorMetrics
from diurnal_operator.queue import KeyQueue
from diurnal_operator.settings import Ceilings, Settings
from diurnal_worker.machine_clock import BootClock
from diurnal_worker.obeying import Identity
from diurnal_worker.pod import PodWorker, Timing
from diurnal_worker.sources import load
from diurnal_worker.stopping import Stop
from diurnal_worker.zonefiles import TZDATA_VERSION
from fake_api import FakeApi
from modelled import ModelCluster

NAMESPACE, NAME = "default", "app"
UID = "1a2b3c4d-0000-0000-0000-000000000000"
SPEC: dict[str, Any] = {
    "sink": {"discard": {}},
    "shards": 2,
    "clock": {"maxSpeed": 600},
    "budget": {"maxMessagesPerSecond": 2000, "maxMessages": 50_000_000, "maxUSDPerDay": "5"},
}
TIMING = Timing(lease=3.0, checkpoint=0.1, poll=0.02, look=0.2, retry=0.2, drain=2.0)


class CountingApi(FakeApi):
    """A fake API server whose client counts its failures, as the real one does."""

    errors: dict[int, int]


@contextmanager
def working(shard: int = 0, *, by_country: bool = True) -> Iterator[PodWorker]:
    """A worker that publishes, its metrics filled."""
    api = CountingApi()
    api.errors = {0: 1, 409: 2}
    me = Identity(NAME, NAMESPACE, UID, "run-0", 1, shard, f"pod-{shard}")
    api.create_lease(me.lease)
    spec = TrafficSimulation.model_validate(
        {
            "apiVersion": "diurnal.dev/v1alpha1",
            "kind": "TrafficSimulation",
            "metadata": {"name": NAME},
            "spec": SPEC,
        },
        context={"local": True},
    ).spec
    plan = first_plan(spec, run="run-0", now=0, shards=2, engine="1", tzdata=TZDATA_VERSION)
    world = load("builtin:world-2025")
    dataset = DatasetRef(uri=world.uri, generation=world.generation, sha256=world.sha256)
    plan = plan.model_copy(update={"dataset": dataset})
    api.simulations[NAME] = {
        "metadata": {"name": NAME, "uid": UID},
        "status": {"plan": plan.model_dump(mode="json", by_alias=True, exclude_none=True)},
    }
    stopped = Stop()
    worker = PodWorker(me, api, BootClock(), TIMING, stopped, by_country=by_country)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        until(lambda: published(worker) > 0)
        sink_of(worker).counters.failed("QuotaExhausted")
        yield worker
    finally:
        stopped.set()
        thread.join(30)


def sink_of(worker: PodWorker) -> Any:
    """The sink to which a worker publishes."""
    shard = worker.metrics._shard
    assert shard is not None
    return shard.sink


def published(worker: PodWorker) -> int:
    """Messages of the checkpoint's account."""
    shard = worker.metrics._shard
    return shard.spent.messages if shard is not None else 0


def until(condition: Any, seconds: float = 60.0) -> None:
    """Waits for a condition of the world; fails when it does not come."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true"
        time.sleep(0.02)


def operating() -> tuple[OperatorMetrics, ModelCluster]:
    """The metrics of an operator that serves one simulation, and the modelled cluster of that."""
    settings = Settings(
        ceilings=Ceilings(messages_per_second=1e5, usd_per_day=100.0), worker_image="worker:1"
    )
    world = ModelCluster(Settings())
    world.create(**SPEC)
    world.settle()
    metrics = OperatorMetrics(settings, lambda: 100.0)
    queue: KeyQueue[tuple[str, str]] = KeyQueue()
    queue.add((NAMESPACE, "other"), 90.0)
    metrics.work_on(queue)
    metrics.leading = True
    for outcome in ("changed", "unchanged", "retried", "failed"):
        metrics.looked(outcome, 0.05)
    for method, code in (("GET", 200), ("PATCH", 409), ("PATCH", 503), ("GET", None)):
        metrics.requested(method, code)
    metrics.watched("trafficsimulations")
    metrics.saw((NAMESPACE, NAME), world.simulation)
    return metrics, world


def text_of(metrics: Any) -> str:
    """What a scrape gets."""
    return generate_latest(metrics.registry).decode()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""How much the operator writes, and what people see of it: statuses, Events, the line of `kubectl get`."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from diurnal_api.instants import parse_instant
from fake_workers import FakeWorkers
from history import History, recorded
from nodes import Node
from operators import Operator
from place import Cluster
from world import World, eventually

pytestmark = pytest.mark.timeout(400)
STATUS_SECONDS = 3.0
MOMENT = 0.2
COLUMNS = 80
Status = dict[str, Any]


def test_a_running_simulation_gets_a_status_every_interval_and_not_more(
    cluster: Cluster, world: World, node: Node, tmp_path: Path
) -> None:
    """But what changes plan or conditions is told at once. The interval is 10 s by default."""
    operator = Operator(world, tmp_path, DIURNAL_STATUS_SECONDS=str(STATUS_SECONDS))
    operator.start()
    try:
        with recorded(cluster.api, world.namespace, "simulations") as history:
            world.create("app", shards=2)
            eventually("running", lambda: world.is_running("app", 2))
            began = time.monotonic()
            time.sleep(7 * STATUS_SECONDS)
            lasted = time.monotonic() - began
            versions = [c.thing.get("status") or {} for c in history.changes("simulations")]
    finally:
        operator.stop()
    statuses = [status for status in versions if status.get("plan")]
    running = [s for s in statuses if s["ready"] == "2/2"]
    assert 3 <= len(running) <= lasted / STATUS_SECONDS + 2, len(running)
    for before, after in pairwise(statuses):
        if before.get("clock") and gist(before) == gist(after):
            apart = observed(after) - observed(before)
            assert apart >= STATUS_SECONDS - MOMENT, (before["clock"], after["clock"])


def gist(status: Status) -> tuple[Any, ...]:
    """What is told at once when it changes; Throttled follows measurements and can wait."""
    told = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"] if c["type"] != "Throttled"}
    state = "Running" if status["state"] == "Throttled" else status["state"]
    return status.get("plan"), status["observedGeneration"], state, told


def observed(status: Status) -> float:
    return parse_instant(status["clock"]["observedAt"]) / 1e6


def test_where_nothing_changes_nothing_is_written(
    cluster: Cluster, world: World, workers: FakeWorkers, tmp_path: Path
) -> None:
    """Over many resyncs: not for what is suspended, not for what is refused, and no Event either."""
    operator = Operator(
        world,
        tmp_path,
        DIURNAL_RESYNC_SECONDS="0.5",
        DIURNAL_STATUS_SECONDS="0.5",
        DIURNAL_ALLOWED_SERVICE_ACCOUNTS="default",
    )
    operator.start()
    try:
        world.create("suspended")
        world.create("refused", worker={"serviceAccountName": "someone"})
        eventually("it runs", lambda: world.is_running("suspended", 1))
        world.patch("suspended", suspend=True)
        eventually("suspended", lambda: world.is_at_rest("suspended", "Suspended"))
        eventually("refused", lambda: world.status("refused").get("state") == "Stalled")
        time.sleep(1)
        history, said = History(cluster.api, world.namespace), len(operator.log())
        time.sleep(5)
        for plural in ("simulations", "deployments", "leases", "events"):
            assert history.changes(plural) == [], plural
        assert operator.log()[said:] == [], "it has nothing to say either"
    finally:
        operator.stop()


@pytest.fixture
def table(world: World, kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[[], str]:
    def get() -> str:
        found = kubectl("--namespace", world.namespace, "get", "trafficsimulations")
        assert found.returncode == 0, found.stderr
        return found.stdout

    return get


def test_the_line_of_kubectl_fits_into_80_columns_at_every_stage_and_each_event_comes_once(
    cluster: Cluster, world: World, workers: FakeWorkers, tmp_path: Path, table: Callable[[], str]
) -> None:
    name = "world-of-app-stores"
    history = History(cluster.api, world.namespace)
    operator = Operator(world, tmp_path, DIURNAL_ALLOWED_SERVICE_ACCOUNTS="default")
    operator.start()
    seen = {}

    def see(stage: str, holds: Callable[[], Any]) -> None:
        eventually(stage, holds)
        seen[stage] = table()

    def says(state: str) -> bool:
        found = world.get(name)
        status = found.get("status") or {}
        return bool(
            status.get("state") == state and status["observedGeneration"] == found["metadata"]["generation"]
        )

    try:
        world.create(name, shards=12, worker={"serviceAccountName": "someone"})
        see("Stalled", lambda: says("Stalled"))
        world.patch(name, worker={"serviceAccountName": "default"})
        see("12/12", lambda: world.is_running(name, 12))
        world.patch(name, suspend=True)
        see("Suspended", lambda: says("Suspended"))
        world.patch(name, suspend=False)
        see("0/12", lambda: not says("Suspended"))
        eventually("running", lambda: world.is_running(name, 12))
        events = history.reasons()
    finally:
        operator.stop()
    for stage, text in seen.items():
        assert max(len(line.rstrip()) for line in text.splitlines()) <= COLUMNS, text
        assert stage in text or stage == "0/12", text
    assert "2026-01-01T" in seen["12/12"], "the clock"
    assert events == Counter(ServiceAccountNotAllowed=1, Recovered=1, RunStarted=1, Suspended=1, Resumed=1)

"""Two operators: one leads, the other waits and takes over; a thawed one that was frozen writes nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_workers import FakeWorkers
from gate import Gate, Harm, Request, unharmed
from operators import FAST, Operator
from world import World, eventually

pytestmark = pytest.mark.timeout(400)
LEASE = float(FAST["DIURNAL_LEADER_LEASE_SECONDS"])
SCALE = 10.0 / LEASE
"""By so much these leases are shorter than by default."""
PROMISED = 15.0
CONFLICT = 409


@pytest.fixture
def first(world: World, gate: Gate, workers: FakeWorkers, tmp_path: Path) -> Iterator[Operator]:
    """The operator that leads; all that it asks of the API server goes through the gate."""
    operator = Operator(world, tmp_path, gate.kubeconfig(tmp_path), name="first", alone=True)
    operator.start()
    eventually("it leads", lambda: '"leading"' in operator.text())
    yield operator
    if operator.runs:
        operator.kill()
    assert "Traceback" not in operator.text(), operator.text()


@pytest.fixture
def second(world: World, first: Operator, tmp_path: Path) -> Iterator[Operator]:
    """The operator that waits."""
    operator = Operator(world, tmp_path, name="second", alone=True)
    operator.start()
    eventually("it waits", lambda: "waiting_for_the_lead" in operator.text())
    yield operator
    assert operator.stop() == 0
    assert "Traceback" not in operator.text(), operator.text()


def leads(operator: Operator) -> bool:
    return '"leading"' in operator.text()


def test_one_waits_and_writes_nothing_while_the_other_leads(
    world: World, first: Operator, second: Operator
) -> None:
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    assert not leads(second)
    assert second.is_alive()
    assert second.is_ready(), "to stand by is its work"


def test_the_other_takes_over_within_15_seconds_by_default(
    world: World, first: Operator, second: Operator
) -> None:
    """From the leader's death to the first write of the other, in the time scale of these leases."""
    world.create("app")
    eventually("running", lambda: world.is_running("app", 1))
    first.kill()
    killed = time.monotonic()
    world.patch("app", shards=2)
    eventually("the other leads", lambda: leads(second))
    assert (time.monotonic() - killed) <= PROMISED / SCALE + 3  # seconds that a busy machine takes to run it
    eventually("rescaled", lambda: world.is_running("app", 2))


def test_a_leader_that_stops_gives_the_lead_away_at_once(
    world: World, first: Operator, second: Operator
) -> None:
    began = time.monotonic()
    assert first.stop() == 0
    eventually("the other leads", lambda: leads(second))
    assert time.monotonic() - began < LEASE + 3


def test_thawed_after_the_world_has_changed_a_frozen_leader_writes_nothing(
    world: World, gate: Gate, first: Operator, second: Operator
) -> None:
    """Frozen among the writes of a rescale; meanwhile simulations are edited, deleted, and created anew.

    What it had already begun to send comes late, and then the objects are not any more as it saw them.
    """
    world.create("edited", shards=2)
    world.create("renewed", shards=2)
    world.create("deleted")
    for name, shards in (("edited", 2), ("renewed", 2), ("deleted", 1)):
        eventually(f"{name} runs", lambda name=name, shards=shards: world.is_running(name, shards))  # type: ignore[misc]

    def freeze(request: Request) -> Harm | None:
        if request.method == "PATCH" and "/deployments/" in request.path:
            gate.rule = unharmed
            first.process.send_signal(signal.SIGSTOP)
        return None

    gate.rule = freeze
    world.patch("edited", shards=1)
    eventually("the other leads", lambda: leads(second))
    eventually("rescaled by the other", lambda: world.is_running("edited", 1))
    world.patch("edited", suspend=True)
    old = world.get("renewed")["metadata"]["uid"]
    world.delete("deleted")
    world.delete("renewed")
    world.create("renewed", shards=1)
    eventually("the new one runs", lambda: world.is_running("renewed", 1))
    eventually(
        "suspended",
        lambda: world.status("edited").get("state") == "Suspended" and len(world.deployments()) == 2,
    )
    before = state(world)

    written = len(gate.writes())
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(20) == 1, "its pod starts it again"
    late = [(str(request), gate.codes.get(request.number)) for request in gate.writes()[written:]]
    assert all(code == CONFLICT for _, code in late), late
    assert world.get("renewed")["metadata"]["uid"] != old
    assert state(world) == before


def state(world: World) -> list[tuple[str, int]]:
    """Every Deployment with its generation: only a write of its spec changes it."""
    return sorted((d["metadata"]["name"], d["metadata"]["generation"]) for d in world.deployments())

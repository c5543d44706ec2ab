"""Whatever users, faults and the operator's own deaths do: it converges, and no slot's clock goes back.

The model's workers know what was really sent; every status write is held against that (modelled.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from diurnal_api.instants import SECOND
from diurnal_operator.settings import Settings
from modelled import ConflictingError, CrashError, ModelCluster

spec_of = strategies.fixed_dictionaries
Rate = spec_of({"rate": spec_of({"eventsPerUserPerDay": strategies.sampled_from([5, 57])})})
User = strategies.one_of(
    spec_of({"shards": strategies.sampled_from([0, 1, 2, 3, 7])}),
    spec_of({"suspend": strategies.booleans()}),
    spec_of({"traffic": Rate}),
    spec_of({"budget": spec_of({"maxMessagesPerSecond": strategies.sampled_from([10, 1000])})}),
    spec_of({"restartNonce": strategies.integers(0, 2)}),
)


def change(world: ModelCluster, spec: dict[str, Any]) -> None:
    world.change(**spec)


def wait(world: ModelCluster, number: int) -> None:
    world.now += 4 * number * SECOND


def delete_a_deployment(world: ModelCluster, number: int) -> None:
    world.deployments.pop(_some(world.deployments, number), None)


def edit_a_deployment(world: ModelCluster, number: int) -> None:
    if found := world.deployments.get(_some(world.deployments, number)):
        found["spec"]["replicas"] = number % 3


def delete_a_lease(world: ModelCluster, number: int) -> None:
    world.leases.pop(_some(world.leases, number), None)


def delete_every_lease(world: ModelCluster, _: int) -> None:
    world.leases.clear()


def crash_a_worker(world: ModelCluster, number: int) -> None:
    world.crash(_some(world.deployments, number))


def cut_a_worker_off(world: ModelCluster, number: int) -> None:
    if pod := world.pods.get(_some(world.deployments, number)):
        pod.cut_off = True


def promise_more_or_less(world: ModelCluster, number: int) -> None:
    world.promise = 5 + 6 * number


def kill_the_operator_before(world: ModelCluster, number: int) -> None:
    world.crash_before = len(world.writes) + number % 5
    look(world)


def kill_the_operator_after(world: ModelCluster, number: int) -> None:
    world.crash_after = len(world.writes) + number % 5
    look(world)


def look(world: ModelCluster, _: int = 0) -> None:
    try:
        world.look()
    except (CrashError, ConflictingError):
        world.seen.clear()
    world.crash_before = world.crash_after = None


def _some(objects: dict[str, Any], number: int) -> str:
    names = sorted(objects)
    return names[number % len(names)] if names else ""


Step = strategies.one_of(
    strategies.tuples(strategies.just(change), User),
    strategies.tuples(
        strategies.sampled_from(
            [
                look,
                lambda world, _: world.control(),
                lambda world, number: world.work(number),
                lambda world, _: world.seen.clear(),
                wait,
                delete_a_deployment,
                edit_a_deployment,
                delete_a_lease,
                delete_every_lease,
                crash_a_worker,
                cut_a_worker_off,
                promise_more_or_less,
                kill_the_operator_before,
                kill_the_operator_after,
            ]
        ),
        strategies.integers(0, 9),
    ),
)


def is_as_wanted(world: ModelCluster) -> None:
    """The end state that a spec stands for, however it was reached."""
    assert world.simulation is not None
    spec = world.simulation["spec"]
    shards, rests = spec.get("shards", 1), spec.get("suspend", False)
    if rests or shards == 0:
        assert all(d["spec"]["replicas"] == 0 for d in world.deployments.values())
        assert world.status["state"] == "Suspended"
        return
    assert len(world.deployments) == len(world.leases) == shards
    assert all(d["spec"]["replicas"] == 1 for d in world.deployments.values())
    assert world.status["ready"] == f"{shards}/{shards}"
    assert world.condition("Ready")["status"] == "True"
    assert world.plan.regimes[-1].traffic.rate.events_per_user_per_day == (
        spec.get("traffic", {}).get("rate", {}).get("eventsPerUserPerDay", 57)
    )
    assert world.plan.run.endswith(f"-{spec.get('restartNonce', 0)}")


@given(strategies.lists(Step, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_from_any_history_it_reaches_what_the_spec_wants_and_stays(
    steps: list[tuple[Callable[[ModelCluster, Any], None], Any]],
) -> None:
    world = ModelCluster()
    world.create(shards=2)
    for step, argument in steps:
        step(world, argument)
    for pod in world.pods.values():
        pod.cut_off = False
    world.settle(rounds=60)
    is_as_wanted(world)
    before = list(world.writes)
    world.settle()
    assert world.writes == before


def create(world: ModelCluster) -> None:
    world.create(shards=2)


def rescale(world: ModelCluster) -> None:
    world.change(shards=3)


def change_traffic(world: ModelCluster) -> None:
    world.change(traffic={"rate": {"eventsPerUserPerDay": 5}})


def suspend(world: ModelCluster) -> None:
    world.change(suspend=True)


def restart(world: ModelCluster) -> None:
    world.change(restartNonce=3)


CHANGES = [create, rescale, change_traffic, suspend, restart]


def after(change: Any, when: str = "", number: int = 0) -> ModelCluster:
    """A world after a change, with the operator killed before or after its ``number``-th write of it."""
    world = ModelCluster(settings=Settings())
    if change is not create:
        world.create(shards=2)
        world.settle()
        world.keep_working(2)
    change(world)
    begun = len(world.writes)
    if when:
        setattr(world, f"crash_{when}", begun + number)
        for _ in range(30):
            try:
                world.look()
            except CrashError:
                world.seen.clear()
                break
            world.control()
            world.work(0)
            world.now += 20 * SECOND
        world.crash_before = world.crash_after = None
    world.settle(rounds=60)
    world.writes = world.writes[begun:]
    return world


@pytest.mark.parametrize("change", CHANGES)
def test_killed_before_or_after_any_write_the_end_is_the_same(change: Any) -> None:
    """Sieve's oracle: the same end state and the same objects as without a fault, none made twice."""
    calm = after(change)
    for when, number in itertools.product(("before", "after"), range(len(calm.writes))):
        world = after(change, when, number)
        is_as_wanted(world)
        assert sorted(world.deployments) == sorted(calm.deployments)
        assert sorted(world.leases) == sorted(calm.leases)
        assert world.status["plan"] == calm.status["plan"]
        deleted = [sorted(w for w in found.writes if w.startswith("delete")) for found in (calm, world)]
        assert deleted[0] == deleted[1]

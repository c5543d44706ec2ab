"""Whatever users, faults and the operator's own deaths do: it converges, and no slot's clock goes back.

The model's workers know what was really sent; every status write is held against that (modelled.py).
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from diurnal_api.instants import SECOND
from hypothesis import HealthCheck, given, settings, strategies
from modelled import Conflict, Crash, ModelCluster

from diurnal_operator.settings import Settings

User = strategies.one_of(
    strategies.fixed_dictionaries({"shards": strategies.sampled_from([0, 1, 2, 3, 7])}),
    strategies.fixed_dictionaries({"suspend": strategies.booleans()}),
    strategies.fixed_dictionaries(
        {"traffic": strategies.fixed_dictionaries(
            {"rate": strategies.fixed_dictionaries({"eventsPerUserPerDay": strategies.sampled_from([5, 57])})}
        )}
    ),
    strategies.fixed_dictionaries(
        {"budget": strategies.fixed_dictionaries({"maxMessagesPerSecond": strategies.sampled_from([10, 1000])})}
    ),
    strategies.fixed_dictionaries({"restartNonce": strategies.integers(0, 2)}),
)  # fmt: skip
Step = strategies.one_of(
    strategies.tuples(strategies.just("change"), User),
    strategies.tuples(
        strategies.sampled_from(
            ["look", "control", "work", "wait", "delete deployment", "edit deployment", "delete lease", "crash",
             "cut off", "delete leases", "forget"]
        ),
        strategies.integers(0, 9),
    ),
    strategies.tuples(strategies.sampled_from(["die before", "die after"]), strategies.integers(0, 4)),
)  # fmt: skip


def do(world: ModelCluster, what: str, argument: Any) -> None:
    """One step of a user, a fault, or time."""
    names = sorted(world.deployments)
    name = names[argument % len(names)] if names and isinstance(argument, int) else ""
    leases = sorted(world.leases)
    if what == "change":
        world.change(**argument)
    elif what == "look":
        look(world)
    elif what == "control":
        world.control()
    elif what == "work":
        world.work(argument)
    elif what == "wait":
        world.now += 4 * argument * SECOND
    elif what == "delete deployment":
        world.deployments.pop(name, None)
    elif what == "edit deployment" and name:
        world.deployments[name]["spec"]["replicas"] = argument % 3
    elif what == "delete lease" and leases:
        del world.leases[leases[argument % len(leases)]]
    elif what == "delete leases":
        world.leases.clear()
    elif what == "crash":
        world.crash(name)
    elif what == "cut off" and name in world.pods:
        world.pods[name].cut_off = True
    elif what == "forget":
        world.seen.clear()
    elif what == "die before":
        world.crash_before = len(world.writes) + argument
        look(world)
    elif what == "die after":
        world.crash_after = len(world.writes) + argument
        look(world)


def look(world: ModelCluster) -> None:
    try:
        world.look()
    except (Crash, Conflict):
        world.seen.clear()
    world.crash_before = world.crash_after = None


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
def test_from_any_history_it_reaches_what_the_spec_wants_and_stays(steps: list[tuple[str, Any]]) -> None:
    world = ModelCluster()
    world.create(shards=2)
    for what, argument in steps:
        do(world, what, argument)
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
            except Crash:
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

"""A worker obeys the plan of its own simulation, run and epoch, and nothing else."""

from typing import Any

import pytest

from diurnal_api.planning import first_plan
from diurnal_api.spec import TrafficSimulation
from diurnal_worker.obeying import Identity, Slowest, orders

UID = "1a2b3c4d-0000-0000-0000-000000000000"
ME = Identity("app-store", "default", UID, "run-0", 1, 1, "pod-uid")
SPEC = TrafficSimulation.model_validate(
    {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "app-store"},
        "spec": {"shards": 2, "sink": {"discard": {}}},
    }
).spec


def simulation(uid: str = UID, **plan: Any) -> dict[str, Any]:
    made = first_plan(SPEC, run="run-0", now=0, shards=2, engine="1", tzdata="2025b").model_copy(update=plan)
    return {
        "metadata": {"name": "app-store", "uid": uid},
        "status": {
            "plan": made.model_dump(mode="json", by_alias=True, exclude_none=True),
            "clock": {"time": "2026-01-01T00:00:01.000000Z"},
        },
    }


def test_the_plan_of_its_own_run_and_epoch_is_obeyed() -> None:
    found = orders(simulation(), ME)
    assert found.plan is not None
    assert found.plan.shards == 2
    assert found.slowest == 1_767_225_601_000_000


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (simulation(uid="other"), "another one"),
        ({"metadata": {"uid": UID}}, "no plan yet"),
        (simulation(epoch=2), "epoch 2"),
        (simulation(run="run-1"), "run run-1"),
        (simulation(shards=1), "only 1 shards"),
    ],
)
def test_any_other_plan_is_refused_with_the_reason(found: dict[str, Any], why: str) -> None:
    refused = orders(found, ME)
    assert refused.plan is None
    assert why in refused.why


def test_an_environment_that_lacks_something_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="DIURNAL_NAME"):
        Identity.from_environment({})


def test_a_slowest_clock_that_does_not_move_for_a_minute_does_not_count() -> None:
    slowest = Slowest()
    slowest.observe(5, 100.0)
    slowest.observe(5, 130.0)
    assert slowest.at(159.0) == 5
    assert slowest.at(160.0) is None
    slowest.observe(6, 170.0)
    assert slowest.at(171.0) == 6

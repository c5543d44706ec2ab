"""The resource as Python sees it: defaults, names inside and outside, and what original users relied on."""

import json

import pytest
from pydantic import ValidationError

from diurnal_api.model import camel
from diurnal_api.spec import Budget, Clock, Cosine, Rate, Spec, TrafficSimulation

SMALLEST = {
    "apiVersion": "diurnal.dev/v1alpha1",
    "kind": "TrafficSimulation",
    "metadata": {"name": "app-store"},
    "spec": {"sink": {"pubsub": {"topic": "projects/acme-prod-7/topics/user-interactions"}}},
}


def test_the_smallest_resource_is_useful_and_cannot_hurt() -> None:
    spec = TrafficSimulation.model_validate(SMALLEST).spec
    assert (spec.shards, spec.suspend, spec.restart_nonce) == (1, False, 0)
    assert (spec.population.users, spec.population.seed) == (10_000, 42)
    assert spec.population.countries.builtin == "world-2025"
    assert spec.traffic.rate == Rate(events_per_user_per_day=57)
    assert spec.traffic.total == "Diurnal"
    assert spec.traffic.activity.cosine == Cosine(peak_hour=16, floor=0.03)
    assert (spec.clock.start, spec.clock.end, spec.clock.max_speed) == (1_767_225_600_000_000, None, None)
    assert (spec.budget.max_messages_per_second, spec.budget.usd_per_tib) == (1000, "40")
    assert (spec.events.schema_, spec.events.encoding) == ("AppStore", "JSON")
    assert spec.sink.pubsub is not None
    assert (spec.sink.pubsub.max_batch_messages, spec.sink.pubsub.max_batch_seconds) == (1000, 1.0)


def test_default_weights_are_those_of_the_system_that_is_replaced() -> None:
    weights = TrafficSimulation.model_validate(SMALLEST).spec.events.weights
    assert weights.event_types == {
        "app_open": 0.40, "search": 0.30, "app_install": 0.15, "review_submit": 0.05, "in_app_purchase": 0.05,
        "app_close": 0.04, "app_uninstall": 0.01,
    }  # fmt: skip
    assert weights.device_types == {"phone": 0.80, "tablet": 0.15, "desktop": 0.05}
    assert sum(weights.event_types.values()) == pytest.approx(1)


def test_weights_are_the_same_in_whatever_order_they_are_written() -> None:
    one = Spec.model_validate(
        {"sink": {"discard": {}}, "events": {"weights": {"deviceTypes": {"phone": 1, "tablet": 2}}}}
    )
    other = Spec.model_validate(
        {"sink": {"discard": {}}, "events": {"weights": {"deviceTypes": {"tablet": 2, "phone": 1}}}}
    )
    assert json.dumps(one.as_json()) == json.dumps(other.as_json())


def test_a_simulation_survives_json() -> None:
    simulation = TrafficSimulation.model_validate(SMALLEST)
    assert TrafficSimulation.model_validate_json(json.dumps(simulation.as_json())) == simulation
    assert TrafficSimulation.model_validate(simulation.as_json()) == simulation


def test_fields_are_camel_case_outside_with_their_acronyms() -> None:
    names = ("max_usd_per_day", "max_usd", "usd_per_tib", "schema_", "restart_nonce")
    assert [camel(name) for name in names] == [
        "maxUSDPerDay", "maxUSD", "usdPerTiB", "schema", "restartNonce",
    ]  # fmt: skip
    assert Budget(max_usd_per_day="5").as_json()["maxUSDPerDay"] == "5"


def test_a_clock_that_starts_now_may_end_at_any_time_that_can_still_come() -> None:
    assert Clock(start="Now", end=1_767_225_600_000_000).starts_now
    with pytest.raises(ValidationError, match="end must be after start"):
        Clock(start=2, end=1)


def test_nothing_can_be_changed_in_place() -> None:
    simulation = TrafficSimulation.model_validate(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        simulation.spec.shards = 2  # type: ignore[misc]

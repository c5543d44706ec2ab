"""Plan and status: they survive JSON, and readers of other versions."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from diurnal_api.layout import format_position, start_position
from diurnal_api.plan import DatasetRef, Pace, Plan, PlannedPopulation, Regime
from diurnal_api.spec import Countries, Discard, Events, Sink, Traffic
from diurnal_api.status import Condition, ObservedClock, Rates, Spent, Status

T0 = 1_767_225_600_000_000


def plan(**change: Any) -> Plan:
    fields: dict[str, Any] = {
        "run": "0a1b2c3d-1",
        "epoch": 0,
        "shards": 4,
        "engine": "1",
        "tzdata": "2026.1",
        "start": T0,
        "dataset": DatasetRef(uri="builtin:world-2025", sha256="0" * 64),
        "population": PlannedPopulation(users=10_000, seed=42, countries=Countries(builtin="world-2025")),
        "regimes": (Regime(start=T0, traffic=Traffic()),),
        "pace": Pace(messages_per_second=1000.0, max_speed=None, end=None, max_messages=None),
        "segments": tuple(format_position(start_position(T0))),
        "events": Events(),
        "sink": Sink(discard=Discard()),
    }
    return Plan(**(fields | change))


def test_a_plan_survives_json_with_times_as_text() -> None:
    text = json.dumps(plan().as_json())
    assert Plan.model_validate_json(text) == plan()
    assert json.loads(text)["start"] == "2026-01-01T00:00:00.000000Z"
    assert json.loads(text)["segments"] == ["0-1023@2026-01-01T00:00:00.000000Z"]
    assert Plan.model_validate(json.loads(text)) == plan()


def test_the_plan_of_a_local_run_may_name_a_path_of_its_machine() -> None:
    countries = Countries.model_validate({"uri": "data/countries.csv"}, context={"local": True})
    local = plan(population=PlannedPopulation(users=1, seed=1, countries=countries))
    assert Plan.model_validate_json(json.dumps(local.as_json())) == local


def test_a_status_survives_json() -> None:
    status = Status(
        observed_generation=3,
        conditions=(
            Condition(
                type="Ready", status="True", last_transition_time="2026-01-01T00:00:00Z", reason="Running"
            ),
        ),
        clock=ObservedClock(time=T0, speed=60.5, segments=plan().segments),
        plan=plan(),
        shards=4,
        rate=Rates(expected=1000.0, achieved=998.5),
        spent=Spent(messages=5, bytes=2200, usd="0.000001"),
    )
    assert Status.model_validate_json(json.dumps(status.as_json())) == status
    ready = status.condition("Ready")
    assert ready is not None
    assert ready.status == "True"
    assert status.condition("Stalled") is None


def test_a_reader_of_an_older_version_ignores_what_it_does_not_know() -> None:
    newer = plan().as_json() | {"colour": "blue"}
    newer["pace"] |= {"mood": "calm"}
    assert Plan.model_validate(newer) == plan()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": 0}, "shards"),
        ({"shards": 1025}, "shards"),
        ({"epoch": -1}, "epoch"),
        ({"regimes": ()}, "regimes"),
        ({"segments": ("0-1023",)}, "is not a slot range with its clock"),
    ],
)
def test_a_plan_that_cannot_be_obeyed_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plan(**change)


def test_a_plan_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        plan().epoch = 1  # type: ignore[misc]

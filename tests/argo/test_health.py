"""What Argo CD and kstatus make of a simulation at every stage of its life."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaError

from diurnal_api.status import Condition, Status
from gitops import ARGO, ROOT, Object, kstatus, run

TYPES = ("Ready", "Reconciling", "Stalled", "Throttled", "Completed", "BudgetExhausted")


def simulation(*true: str, generation: int = 1, observed: int | None = None, **spec: Any) -> Object:
    """A simulation of which these conditions are true, all others false."""
    conditions = tuple(
        Condition(
            type=kind,
            status="True" if kind in true else "False",
            observed_generation=observed or generation,
            last_transition_time="2026-01-01T00:00:00Z",
            reason="Because",
            message=f"about {kind}",
        )
        for kind in TYPES
    )
    status = Status(observed_generation=observed or generation, conditions=conditions)
    return {**unseen(generation, **spec), "status": status.as_json()}


def unseen(generation: int = 1, **spec: Any) -> Object:
    """A simulation that the operator has not seen."""
    return {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "world", "generation": generation},
        "spec": {"shards": 1, "suspend": False, **spec},
    }


LIFE: list[tuple[str, Object, str, str]] = [
    ("first visit", simulation("Reconciling"), "Progressing", "InProgress"),
    ("workers start", simulation("Reconciling"), "Progressing", "InProgress"),
    ("running", simulation("Ready"), "Healthy", "Current"),
    ("throttled by its budget", simulation("Ready", "Throttled"), "Healthy", "Current"),
    ("a change nobody has seen", simulation("Ready", generation=2, observed=1), "Progressing", "InProgress"),
    ("rescaling", simulation("Reconciling", generation=2, shards=4), "Progressing", "InProgress"),
    ("rescaling under a throttle", simulation("Reconciling", "Throttled"), "Progressing", "InProgress"),
    ("draining before it rests", simulation("Reconciling", suspend=True), "Progressing", "InProgress"),
    ("suspended", simulation("Ready", suspend=True), "Suspended", "Current"),
    ("scaled to nothing", simulation("Ready", shards=0), "Suspended", "Current"),
    ("resumed, not seen", simulation("Ready", generation=3, observed=2), "Progressing", "InProgress"),
    ("its topic is missing", simulation("Stalled"), "Degraded", "Failed"),
    ("stalled and throttled", simulation("Stalled", "Throttled"), "Degraded", "Failed"),
    (
        "a repair nobody has seen",
        simulation("Stalled", generation=2, observed=1),
        "Progressing",
        "InProgress",
    ),
    ("its budget is used", simulation("Ready", "BudgetExhausted"), "Suspended", "Current"),
    ("its budget was raised", simulation("Reconciling", generation=2), "Progressing", "InProgress"),
    ("completed", simulation("Ready", "Completed"), "Healthy", "Current"),
    ("not ready, nobody says why", simulation(), "Progressing", "InProgress"),
]


@pytest.mark.parametrize(("stage", "obj", "health", "_"), LIFE, ids=[stage for stage, *_ in LIFE])
def test_argo_cd_shows_the_right_health(stage: str, obj: Object, health: str, _: str) -> None:
    assert run("health.lua", obj)["status"] == health


@pytest.mark.parametrize(("stage", "obj", "_", "expected"), LIFE, ids=[stage for stage, *_ in LIFE])
def test_kstatus_waits_for_the_right_thing(stage: str, obj: Object, _: str, expected: str) -> None:
    assert kstatus(obj) == expected


@pytest.mark.parametrize("obj", [unseen(), {**unseen(), "status": {"observedGeneration": 1}}])
def test_what_the_operator_has_not_seen_is_progressing(obj: Object) -> None:
    assert run("health.lua", obj) == {
        "status": "Progressing",
        "message": "waiting for the operator to see it",
    }


def test_being_throttled_never_changes_the_health() -> None:
    for true in (
        (),
        ("Ready",),
        ("Reconciling",),
        ("Stalled",),
        ("Ready", "Completed"),
        ("Ready", "BudgetExhausted"),
    ):
        for spec in ({}, {"suspend": True}, {"shards": 0}):
            calm, slow = simulation(*true, **spec), simulation("Throttled", *true, **spec)
            assert run("health.lua", calm) == run("health.lua", slow)


@pytest.mark.parametrize("kind", ["Stalled", "Reconciling", "Completed", "BudgetExhausted", "Ready"])
def test_the_message_is_that_of_the_condition_which_decides(kind: str) -> None:
    assert run("health.lua", simulation(kind))["message"] == f"about {kind}"


def test_a_simulation_that_is_deleted_is_terminating() -> None:
    gone = simulation("Ready")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert kstatus(gone) == "Terminating"


@pytest.mark.parametrize(
    ("suspended", "offered"), [(False, ["rescale", "suspend"]), (True, ["rescale", "resume"])]
)
def test_only_what_would_change_something_is_offered(suspended: bool, offered: list[str]) -> None:
    actions = run("actions/discovery.lua", simulation("Ready", suspend=suspended, shards=4))
    assert sorted(name for name, action in actions.items() if not action.get("disabled")) == offered
    assert actions["rescale"]["params"] == [{"name": "shards", "default": "4"}]


def test_suspend_and_resume_change_one_field() -> None:
    running = simulation("Ready", shards=4)
    stopped = run("actions/suspend/action.lua", running)
    assert stopped["spec"] == {"shards": 4, "suspend": True}
    assert run("actions/resume/action.lua", stopped)["spec"] == running["spec"]


def test_rescale_changes_the_shards() -> None:
    assert run("actions/rescale/action.lua", simulation("Ready"), shards="12")["spec"]["shards"] == 12


@pytest.mark.parametrize("given", ["", "many", "-1", "1025", "1.5", "nan", "inf"])
def test_rescale_refuses_what_is_no_number_of_shards(given: str) -> None:
    with pytest.raises(LuaError, match="shards must be a whole number, 0 to 1024, not"):
        run("actions/rescale/action.lua", simulation("Ready"), shards=given)


def test_rescale_says_what_it_misses() -> None:
    with pytest.raises(LuaError, match="shards must be a whole number, 0 to 1024, not nil"):
        run("actions/rescale/action.lua", simulation("Ready"))


def test_every_action_that_is_offered_exists() -> None:
    offered = run("actions/discovery.lua", simulation("Ready"))
    assert {path.parent.name for path in ARGO.glob("actions/*/action.lua")} == set(offered)


def test_the_config_map_is_what_the_scripts_give() -> None:
    printed = subprocess.check_output([sys.executable, ROOT / "tools" / "argocd_cm.py"], text=True)
    assert (ARGO / "argocd-cm.yaml").read_text() == printed, (
        "python tools/argocd_cm.py > manifests/argo-cd/argocd-cm.yaml"
    )


def test_the_config_map_holds_the_scripts_in_the_form_of_argo_cd() -> None:
    data = yaml.safe_load((ARGO / "argocd-cm.yaml").read_text())["data"]
    health = data["resource.customizations.health.diurnal.dev_TrafficSimulation"]
    actions = yaml.safe_load(data["resource.customizations.actions.diurnal.dev_TrafficSimulation"])
    assert health == (ARGO / "health.lua").read_text()
    assert actions["discovery.lua"] == (ARGO / "actions" / "discovery.lua").read_text()
    assert {each["name"]: each["action.lua"] for each in actions["definitions"]} == {
        name: (ARGO / "actions" / name / "action.lua").read_text()
        for name in ("suspend", "resume", "rescale")
    }

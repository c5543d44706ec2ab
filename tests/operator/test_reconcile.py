"""Observations and the decisions they lead to, told as the state of a modelled cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.instants import MINUTE, SECOND, format_instant
from diurnal_api.lease import PUT_BACK, holder, is_sealed, may_be_held, renewed
from diurnal_api.plan import DatasetRef
from diurnal_operator.observation import Claim
from diurnal_operator.reconcile import reconcile
from diurnal_operator.settings import Ceilings, Settings
from modelled import START, ModelCluster

TOPIC = "projects/acme-prod-7/topics/clicks"


def running(shards: int = 2, settings: Settings | None = None, **spec: Any) -> ModelCluster:
    world = ModelCluster(settings=settings or Settings())
    world.create(shards=shards, **spec)
    world.settle()
    return world


def test_a_new_simulation_gets_a_plan_before_any_object() -> None:
    world = ModelCluster()
    world.create(shards=2)
    decision = reconcile(world.observe(), world.settings)
    assert decision.status is not None
    assert not (decision.apply)
    assert not (decision.delete)
    assert not (decision.seal)


def test_a_plan_gets_a_lease_and_a_deployment_a_shard() -> None:
    world = running(3)
    assert len(world.deployments) == len(world.leases) == 3
    assert world.status["ready"] == "3/3"
    assert world.status["state"] == "Running"
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Reconciling")["status"] == "False"


def test_a_settled_world_is_left_alone() -> None:
    world = running()
    before = len(world.writes)
    for _ in range(5):
        world.now += 20 * SECOND
        world.look()
    assert len(world.writes) == before


def test_the_clock_in_the_status_follows_the_workers() -> None:
    world = running()
    world.work(30)
    world.now += 20 * SECOND
    world.look()
    assert world.status["clock"]["short"] == "2026-01-01T00:30:00Z"
    assert world.status["clock"]["speed"] > 0


def test_status_is_written_once_in_ten_seconds() -> None:
    world = running()
    before = world.status_writes
    for _ in range(40):
        world.work(1)
        world.now += SECOND
        world.look()
    assert world.status_writes - before <= 4


def test_suspending_stops_the_pods_and_keeps_the_plan() -> None:
    world = running()
    world.work(30)
    world.change(suspend=True)
    world.settle()
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [0, 0]
    assert world.plan.epoch == 1
    assert len(world.leases) == 2
    assert world.status["state"] == "Suspended"
    assert world.status["ready"] == "0/2"
    assert world.condition("Ready")["status"] == "True"


def test_no_shards_is_the_same_as_suspended() -> None:
    world = running()
    world.change(shards=0)
    world.settle()
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [0, 0]
    assert (world.plan.shards, world.status["state"]) == (2, "Suspended")


def test_a_suspended_one_goes_on_in_its_epoch() -> None:
    world = running()
    world.change(suspend=True)
    world.settle()
    world.change(suspend=False)
    world.settle()
    assert (world.plan.epoch, world.status["ready"]) == (1, "2/2")
    assert world.events == ["RunStarted", "Suspended", "Resumed"]


def test_it_rests_only_when_no_lease_is_held_though_deployments_do_not_count_pods_that_terminate() -> None:
    world = running()
    world.change(suspend=True)
    world.look()
    for deployed in world.deployments.values():
        deployed["status"] = {"observedGeneration": deployed["metadata"]["generation"], "replicas": 0}
    decision = world.look()
    assert world.status["state"] == "Stopping"
    assert decision.after <= world.settings.waits.drain_poll
    world.control()
    world.look()
    assert world.status["state"] == "Suspended"


def test_one_that_begins_suspended_has_no_plan_and_no_objects() -> None:
    world = ModelCluster()
    world.create(suspend=True)
    world.settle()
    assert "plan" not in world.status
    assert not world.deployments


def test_rescaling_seals_every_lease_and_goes_on_where_the_slots_stand() -> None:
    world = running()
    world.work(30)
    world.change(shards=3)
    world.settle()
    assert (world.plan.epoch, world.plan.shards, len(world.deployments), len(world.leases)) == (2, 3, 3, 3)
    assert world.plan.segments == (f"0-1023@{format_instant(START + 30 * MINUTE)}",)
    assert "Rescaled" in world.events


def test_scaling_down_deletes_the_surplus() -> None:
    world = running(4)
    world.change(shards=1)
    world.settle()
    assert (len(world.deployments), len(world.leases), world.status["ready"]) == (1, 1, "1/1")


def test_a_lease_that_is_held_is_waited_for() -> None:
    world = running()
    world.change(shards=3)
    world.look()
    world.look()
    assert not any(is_sealed(lease) for lease in world.leases.values())
    assert world.plan.epoch == 1
    assert world.status["state"] == "Draining"


def test_a_lost_node_is_not_waited_for_longer_than_its_lease() -> None:
    world = running()
    for pod in world.pods.values():
        pod.cut_off = True
    world.change(shards=3)
    world.look()
    world.pods.clear()
    world.now += 14 * SECOND
    world.look()
    assert not any(is_sealed(lease) for lease in world.leases.values())
    world.settle()
    assert world.plan.epoch == 2


def test_a_lease_that_vanished_is_put_back_with_a_mark_that_its_old_holder_may_not_know() -> None:
    world = running()
    name = min(world.leases)
    untouched = [key for key in world.leases if key != name]
    del world.leases[name]
    for _ in range(3):
        world.look()
    assert may_be_held(world.leases[name])
    assert not holder(world.leases[name])
    assert not any(PUT_BACK in world.leases[key]["metadata"].get("annotations", {}) for key in untouched)


def test_one_that_was_put_back_is_sealed_only_after_a_whole_lease_though_its_pod_is_gone() -> None:
    world = running()
    world.pods.clear()  # by force: its process may still run
    name = min(world.leases)
    del world.leases[name]
    world.look()
    world.change(shards=3)
    for _ in range(6):
        world.look()
    assert not is_sealed(world.leases[name])
    world.settle()
    assert (world.plan.epoch, world.status["ready"]) == (2, "3/3")


def test_changes_during_a_drain_coalesce() -> None:
    world = running()
    world.change(shards=5)
    world.look()
    world.change(shards=3)
    world.settle()
    assert (world.plan.epoch, world.plan.shards) == (2, 3)


def test_taking_a_change_back_after_a_seal_still_ends_the_epoch() -> None:
    world = running()
    world.change(shards=5)
    world.look()
    world.control()
    world.look()
    assert all(is_sealed(lease) for lease in world.leases.values())
    world.change(shards=2)
    world.settle()
    assert (world.plan.epoch, world.plan.shards, world.status["ready"]) == (2, 2, "2/2")


def test_other_traffic_is_a_new_regime_from_the_furthest_promise() -> None:
    world = running()
    world.work(30)
    world.change(traffic={"rate": {"eventsPerUserPerDay": 10}})
    world.settle()
    assert [regime.start for regime in world.plan.regimes] == [START, START + 35 * MINUTE]
    assert "TrafficChanged" in world.events


OTHER = {"rate": {"eventsPerUserPerDay": 10}}


def crash_all(world: ModelCluster) -> None:
    """Every worker dies after it sent all that it may, and its Lease runs out."""
    for name in list(world.pods):
        world.crash(name)


def test_a_promise_of_an_earlier_epoch_is_kept_by_the_next_change_of_traffic() -> None:
    """What crashed workers sent lies ahead of where the next epoch begins, and of what that promises."""
    world = running()
    world.promise = 300
    world.work(30)
    crash_all(world)
    world.promise = 5
    world.change(shards=3)
    world.settle()
    assert world.plan.segments == (f"0-1023@{format_instant(START + 30 * MINUTE)}",)
    world.change(traffic=OTHER)
    world.settle()
    assert world.plan.regimes[-1].start == START + 330 * MINUTE


@pytest.mark.parametrize("lost", [1, 2])
def test_a_promise_outlives_its_lease_in_the_status(lost: int) -> None:
    world = running()
    world.promise = 300
    world.work(30)
    world.now += 20 * SECOND
    world.look()
    crash_all(world)
    for name in list(world.leases)[:lost]:
        del world.leases[name]
    world.promise = 5
    world.change(traffic=OTHER)
    world.settle()
    assert world.plan.regimes[-1].start >= START + 330 * MINUTE


def test_a_promise_that_no_status_told_is_allowed_for_before_its_lease_is_put_back() -> None:
    """Also where the operator dies right after that: an empty Lease looks like one that nobody took."""
    world = running()
    world.work(30)
    world.now += 20 * SECOND
    world.look()
    world.work(20)
    crash_all(world)
    world.leases.clear()
    world.look()
    assert not world.leases
    world.look()
    assert len(world.leases) == 2
    world.change(traffic=OTHER)
    world.settle()
    assert world.plan.regimes[-1].start >= START + 55 * MINUTE


def test_a_loss_is_noted_once_however_the_other_shards_move_on() -> None:
    world = running(3)
    world.keep_working(2)
    del world.leases[min(world.leases)]
    world.look()
    world.work(1)
    world.look()
    assert len(world.leases) == 3


def test_a_rest_promises_nothing_new_however_long_it_lasts() -> None:
    world = running()
    world.work(30)
    world.change(suspend=True)
    world.settle()
    world.now += 7 * 86_400 * SECOND
    world.leases.clear()
    world.settle()
    world.change(suspend=False, traffic=OTHER)
    world.settle()
    assert world.plan.regimes[-1].start == START + 35 * MINUTE


def test_another_pace_is_obeyed_in_the_same_epoch() -> None:
    world = running()
    world.change(budget={"maxMessagesPerSecond": 77}, clock={"maxSpeed": 5, "end": "2026-02-01T00:00:00Z"})
    world.settle()
    assert world.plan.epoch == 1
    assert (world.plan.pace.messages_per_second, world.plan.pace.max_speed) == (77, 5)
    assert world.plan.pace.end == START + 31 * 24 * 60 * MINUTE


def test_a_completed_run_rests_and_a_later_end_goes_on() -> None:
    world = running(clock={"end": "2026-01-01T01:00:00Z"})
    world.settle(minutes=30)
    assert world.status["state"] == "Completed"
    assert world.condition("Completed")["status"] == "True"
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [0, 0]
    world.change(clock={"end": "2026-01-01T02:00:00Z"})
    world.settle()
    assert world.status["ready"] == "2/2"
    world.settle(minutes=30)
    assert world.status["state"] == "Completed"
    assert world.status["clock"]["short"] == "2026-01-01T02:00:00Z"


def end(world: ModelCluster, state: str, reason: str = "", message: str = "") -> None:
    for pod in world.pods.values():
        pod.ended, pod.spent = (state, reason, message), 50
    world.work()
    world.now += 20 * SECOND


def test_an_exhausted_budget_rests_and_a_larger_one_goes_on() -> None:
    world = running(budget={"maxMessages": 100})
    end(world, "BudgetExhausted")
    world.settle()
    assert world.status["state"] == "BudgetExhausted"
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [0, 0]
    world.change(budget={"maxMessages": 200})
    world.settle()
    assert world.status["ready"] == "2/2"
    assert world.condition("BudgetExhausted")["status"] == "False"


def test_the_total_that_was_reached_lasts_longer_than_its_leases_and_its_epoch() -> None:
    """Where the Nth event shares its microsecond with the next one, only the number tells them apart."""
    world = running(budget={"maxMessages": 100})
    end(world, "BudgetExhausted")
    world.settle()
    assert world.plan.reached == 100
    world.leases.clear()
    world.change(budget={"maxMessages": 200}, shards=3)
    world.settle()
    assert (world.plan.epoch, world.plan.reached, world.plan.pace.max_messages) == (2, 100, 200)
    world.change(restartNonce=1)
    world.settle()
    assert "reached" not in world.status["plan"]


def test_a_total_that_only_some_shards_have_reached_is_none_of_the_run() -> None:
    world = running(budget={"maxMessages": 100})
    first = next(iter(world.pods.values()))
    first.ended = ("BudgetExhausted", "", "")
    world.work()
    world.change(budget={"maxMessages": 200}, shards=3)
    world.settle()
    assert (world.plan.epoch, world.plan.reached) == (2, None)


def test_a_total_that_was_raised_before_all_had_reached_it_is_not_mistaken_for_the_new_one() -> None:
    world = running(budget={"maxMessages": 100})
    end(world, "BudgetExhausted")
    world.change(budget={"maxMessages": 200})
    world.look()
    assert (world.plan.reached, world.plan.pace.max_messages) == (100, 200)
    assert world.status["state"] != "BudgetExhausted"


def test_a_failed_worker_is_told_and_left_to_try_again() -> None:
    world = running()
    end(world, "Failed", "TopicNotFound", "the topic does not exist: create it")
    world.look()
    assert world.condition("Stalled")["status"] == "True"
    assert world.condition("Stalled")["reason"] == "TopicNotFound"
    assert "create it" in world.status["message"]
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [1, 1]
    for pod in world.pods.values():
        pod.ended = None
    world.settle()
    assert world.condition("Stalled")["status"] == "False"
    assert world.events[-1] == "Recovered"


@pytest.mark.parametrize(
    ("ceilings", "spec", "reason"),
    [
        (Ceilings(topics=("projects/other/*",)), {"sink": {"pubsub": {"topic": TOPIC}}}, "TopicNotAllowed"),
        (
            Ceilings(buckets=("ours-*",)),
            {"population": {"countries": {"uri": "gs://theirs/a.csv"}}},
            "BucketNotAllowed",
        ),
        (Ceilings(service_accounts=("worker",)), {}, "ServiceAccountNotAllowed"),
    ],
)
def test_what_is_not_on_an_allowlist_is_not_run(
    ceilings: Ceilings, spec: dict[str, Any], reason: str
) -> None:
    world = ModelCluster(settings=Settings(ceilings=ceilings))
    world.create(**spec)
    world.settle()
    assert (world.condition("Stalled")["status"], world.condition("Stalled")["reason"]) == ("True", reason)
    assert "allowed are" in world.status["message"]
    assert not world.deployments
    world.settings = Settings()
    world.settle()
    assert (world.condition("Stalled")["status"], world.status["ready"]) == ("False", "1/1")


TOO_SMALL = {"maxUSD": "0.000001", "usdPerTiB": "100000"}


@pytest.mark.parametrize("ceilings", [Ceilings(), Ceilings(messages_per_second=100.0)])
def test_a_budget_that_pays_for_nothing_stops_a_run_and_is_told(ceilings: Ceilings) -> None:
    world = running(settings=Settings(ceilings=ceilings), sink={"pubsub": {"topic": TOPIC}})
    world.change(budget=TOO_SMALL)
    world.settle()
    stalled = world.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "BudgetTooSmall")
    assert "spec.budget.maxUSD" in stalled["message"]
    assert all(deployed["spec"]["replicas"] == 0 for deployed in world.deployments.values())
    world.change(budget={"maxMessagesPerSecond": 1000})
    world.settle()
    assert (world.condition("Stalled")["status"], world.status["ready"]) == ("False", "2/2")


def test_one_that_begins_with_such_a_budget_has_no_plan() -> None:
    world = ModelCluster()
    world.create(budget=TOO_SMALL, sink={"pubsub": {"topic": TOPIC}})
    world.settle()
    assert world.condition("Stalled")["reason"] == "BudgetTooSmall"
    assert "plan" not in world.status


def test_more_shards_than_the_ceiling_run_as_many_as_it_allows() -> None:
    world = running(9, Settings(ceilings=Ceilings(shards=3)), budget={"maxMessagesPerSecond": "Unlimited"})
    assert world.status["ready"] == "3/3"
    assert world.condition("Throttled")["reason"] == "ShardsCeiling"


def test_fewer_shards_than_asked_for_are_explained_whatever_sets_the_speed() -> None:
    """Clamped, not stalled: the events are the same, only later."""
    world = running(9, Settings(ceilings=Ceilings(shards=3)))
    told = "all of 3 shards publish, the most that the administrator of the operator allows (spec.shards: 9)"
    assert world.condition("Ready")["message"] == told
    assert world.status["message"].startswith(told)
    world.settings = Settings()
    world.settle()
    assert (world.status["ready"], world.plan.epoch) == ("9/9", 2)
    assert "administrator" not in world.status["message"]


def test_a_ceiling_binds_whatever_the_spec_says() -> None:
    world = running(settings=Settings(ceilings=Ceilings(messages_per_second=0.5)))
    world.keep_working(3)
    assert world.plan.pace.messages_per_second == 0.5
    assert world.condition("Throttled")["reason"] == "MessagesCeiling"
    assert "more shards will not help" in world.condition("Throttled")["message"]
    assert world.status["state"] == "Throttled"


def test_where_others_have_it_all_a_simulation_waits_and_says_so() -> None:
    world = ModelCluster(settings=Settings(ceilings=Ceilings(messages_per_second=40.0)))
    world.claims = (Claim("other", None, 40.0, 0.0),)
    world.create()
    world.settle()
    assert world.condition("Stalled")["reason"] == "CeilingReached"
    world.claims = (Claim("other", None, 20.0, 0.0),)
    world.settle()
    assert world.plan.pace.messages_per_second == 20


def test_another_nonce_begins_a_new_run_whose_epochs_count_on() -> None:
    world = running()
    world.work(30)
    world.change(restartNonce=1, population={"seed": 7})
    world.settle()
    assert (world.plan.epoch, world.plan.run[-2:], world.plan.population.seed) == (2, "-1", 7)
    assert world.status["clock"]["short"] == "2026-01-01T00:00:00Z"
    world.change(restartNonce=0)
    world.settle()
    assert (world.plan.epoch, world.plan.run[-2:]) == (3, "-0")


def test_what_a_run_cannot_change_is_stalled_and_recovers() -> None:
    world = running()
    world.change(population={"seed": 7}, shards=3)
    world.settle()
    assert world.condition("Stalled")["reason"] == "ImmutableField"
    assert "population.seed" in world.status["message"]
    assert [d["spec"]["replicas"] for d in world.deployments.values()] == [1, 1]
    world.change(population={"seed": 42})
    world.settle()
    assert (world.condition("Stalled")["status"], world.status["ready"]) == ("False", "3/3")


def test_one_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    world = running()
    assert world.simulation is not None
    world.simulation["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.deployments.clear()
    decision = world.look()
    assert not (decision.apply)
    assert not (decision.delete)
    assert not (decision.seal)
    assert not (decision.status)


def test_the_same_name_created_anew_meets_none_of_the_old_objects() -> None:
    world = running()
    old = set(world.deployments) | set(world.leases)
    world.create(uid="9999beef-0000-0000-0000-000000000000", shards=2)
    world.settle()
    new = (set(world.deployments) | set(world.leases)) - old
    assert len(new) == 4
    assert world.plan.epoch == 1


def test_deployments_that_were_deleted_or_edited_by_hand_come_back() -> None:
    world = running()
    before = copy.deepcopy(world.deployments)
    first, second = world.deployments
    del world.deployments[first]
    world.deployments[second]["spec"]["replicas"] = 5
    world.deployments[second]["spec"]["template"]["spec"]["containers"][0]["image"] = "mine"
    world.settle()
    for name, deployed in world.deployments.items():
        assert deployed["spec"] == before[name]["spec"]


def test_labels_of_others_on_our_objects_are_left_alone() -> None:
    world = running()
    first = next(iter(world.deployments.values()))
    first["metadata"]["labels"]["team"] = "blue"
    world.settle()
    assert first["metadata"]["labels"]["team"] == "blue"


def test_a_run_goes_on_from_its_status_when_all_leases_are_gone() -> None:
    world = running()
    world.work(30)
    world.now += 20 * SECOND
    world.look()
    world.leases.clear()
    world.settle()
    world.work(10)
    world.now += 20 * SECOND
    world.look()
    assert world.status["clock"]["short"] == "2026-01-01T00:40:00Z"
    assert world.status["spent"]["messages"] > 0


def test_what_was_spent_is_counted_over_epochs_and_lost_leases() -> None:
    world = running(1)
    for _ in range(3):
        world.work(10)
    world.now += 20 * SECOND
    world.look()
    before = world.status["spent"]["messages"]
    world.change(shards=2)
    world.settle()
    world.leases.clear()
    world.settle()
    assert world.status["spent"]["messages"] >= before > 0


def test_a_run_whose_status_is_lost_goes_on_from_its_leases() -> None:
    world = running()
    world.work(30)
    assert world.simulation is not None
    del world.simulation["status"]
    world.settle()
    assert (world.plan.epoch, world.status["clock"]["short"]) == (2, "2026-01-01T00:30:00Z")


def test_the_dataset_that_shard_0_found_becomes_part_of_the_plan() -> None:
    world = running()
    name, lease = next(iter(world.leases.items()))
    found = Checkpoint.model_validate_json(lease["metadata"]["annotations"]["diurnal.dev/checkpoint"])
    told = found.model_copy(update={"dataset": DatasetRef(uri="builtin:world-2025", sha256="ab")})
    world.leases[name] = renewed(lease, told, world.now)
    world.look()
    assert world.plan.dataset is not None
    assert world.plan.dataset.sha256 == "ab"
    assert world.plan.epoch == 1


def drifted(world: ModelCluster, text: str | None) -> None:
    """Shard 0 says what it saw at the address of its dataset."""
    name = min(world.leases)
    annotations = world.leases[name]["metadata"]["annotations"]
    found = Checkpoint.model_validate_json(annotations["diurnal.dev/checkpoint"])
    told = found.model_copy(update={"drift": text})
    world.leases[name] = renewed(world.leases[name], told, world.now)
    world.now += 20 * SECOND
    world.look()


def test_a_dataset_that_changed_is_told_until_a_new_run_takes_it() -> None:
    world = running()
    assert world.condition("DatasetDrift")["status"] == "False"
    drifted(world, "gs://tables/world.csv has generation 5 now")
    drift = world.condition("DatasetDrift")
    assert (drift["status"], drift["reason"]) == ("True", "Changed")
    assert "generation 5" in drift["message"]
    assert world.condition("Ready")["status"] == "True"
    assert world.events[-1] == "DatasetDrift"
    drifted(world, None)
    assert world.condition("DatasetDrift") == drift  # it has not looked again
    world.change(shards=3)
    world.settle()
    assert world.condition("DatasetDrift")["status"] == "True"
    world.change(restartNonce=1)
    world.settle()
    assert world.condition("DatasetDrift")["status"] == "False"


def test_a_config_map_is_mounted_where_the_worker_reads_it() -> None:
    world = running(population={"countries": {"configMap": {"name": "tables", "key": "world.csv"}}})
    pod = next(iter(world.deployments.values()))["spec"]["template"]["spec"]
    [volume] = [v for v in pod["volumes"] if v["name"] == "countries"]
    [mount] = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "countries"]
    items = [{"key": "world.csv", "path": "world.csv"}]
    assert volume["configMap"] == {"name": "tables", "items": items, "optional": True}
    assert mount == {"name": "countries", "mountPath": "/etc/diurnal/countries", "readOnly": True}


def test_a_change_of_pods_rolls_a_few_shards_at_a_time() -> None:
    world = running(6, Settings(roll_at_once=2))
    world.change(worker={"serviceAccountName": "other"})
    decision = world.look()
    assert len(decision.apply) == 2
    world.settle()
    accounts = {d["spec"]["template"]["spec"]["serviceAccountName"] for d in world.deployments.values()}
    assert accounts == {"other"}
    assert world.plan.epoch == 1


def test_an_image_with_another_engine_is_not_rolled_into_a_run() -> None:
    world = running(settings=Settings(worker_image="worker:1"))
    world.settings = Settings(worker_image="worker:2", engine="2")
    world.settle()
    assert world.plan.engine == "1"
    images = {d["spec"]["template"]["spec"]["containers"][0]["image"] for d in world.deployments.values()}
    assert images == {"worker:1"}
    assert "the worker image of before" in world.condition("Ready")["message"]
    world.deployments.clear()
    world.settle()
    assert world.condition("Stalled")["reason"] == "OtherEngine"
    assert "restartNonce" in world.status["message"]

"""What the API server itself refuses and accepts by the schema and the rules of the CRD, and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops import kstatus, run
from kubeapi import SIMULATIONS, Answer
from place import ROOT, Cluster, Namespace, simulation

UNSEEN = {"observedGeneration": -1}
TOPIC = "projects/acme-prod-7/topics/user-interactions"
HERE = SIMULATIONS.format("default")
STRICT = f"{HERE}?fieldValidation=Strict&dryRun=All"


def spec(path: str = "", value: Any = None) -> dict[str, Any]:
    """The smallest spec, with a value put at a dotted path of it."""
    whole: dict[str, Any] = {} if path.startswith("sink") else {"sink": {"discard": {}}}
    node = whole
    *parents, last = path.split(".")
    for parent in parents:
        node = node.setdefault(parent, {})
    if last:
        node[last] = value
    return whole


def tried(cluster: Cluster, spec: Any, name: str = "tried") -> Answer:
    """The answer to a creation that leaves nothing behind."""
    return cluster.api.post(STRICT, simulation(spec, name))


def raw(cluster: Cluster, text: str, kind: str = "application/json") -> Answer:
    """The answer to a body as it stands: JSON and YAML can say what Python's dictionaries cannot."""
    return cluster.api.request("POST", STRICT, text.encode(), kind)


def json_with(spec: str) -> str:
    head = '"apiVersion": "diurnal.dev/v1alpha1", "kind": "TrafficSimulation", "metadata": {"name": "tried"}'
    return f'{{{head}, "spec": {spec}}}'


def said(answer: Answer, *words: str) -> None:
    assert answer.code in {400, 422}, answer
    for word in words:
        assert word in answer.message, answer.message


RATES = "spec.traffic.rate"
REFUSED = [
    # Rates.
    ("traffic.rate", {"eventsPerSecond": 0}, RATES, "must be at least 0.000000001"),
    ("traffic.rate", {"eventsPerSecond": -1}, RATES, "must be at least 0.000000001"),
    ("traffic.rate", {"eventsPerSecond": 1_000_000_001}, RATES, "should be less than or equal to 1000000000"),
    ("traffic.rate", {"eventsPerUserPerDay": -0.5}, RATES, "should be greater than or equal to 1e-09"),
    ("traffic.rate", {"eventsPerUserPerDay": 2e6}, RATES, "should be less than or equal to 1e+06"),
    ("traffic.rate", {"eventsPerUserPerDay": 1, "eventsPerSecond": 1}, RATES, "set exactly one of"),
    ("traffic.rate", {}, RATES, "set exactly one of eventsPerUserPerDay, eventsPerSecond"),
    # Whole numbers beyond what they can be.
    ("population.users", 5_400_000_001, "spec.population.users", "less than or equal to 5400000000"),
    ("population.users", 0, "spec.population.users", "greater than or equal to 1"),
    ("population.users", 2**63, "spec.population.users", "must be of type integer"),
    ("population.seed", -(2**63) - 1, "spec.population.seed", "must be of type integer"),
    ("population.seed", 2**53, "spec.population.seed", "less than or equal to"),
    ("population.users", 1.5, "spec.population.users", "must be of type integer"),
    ("population.users", "many", "spec.population.users", "must be of type integer"),
    # Fields that are not there, and fields that must be.
    ("shard", 3, "unknown field", "spec.shard"),
    ("sink.pubsub", {"topic": TOPIC, "orderingKey": "x"}, "unknown field", "spec.sink.pubsub.orderingKey"),
    ("worker.image", "evil", "unknown field", "spec.worker.image"),
    ("worker.env", [], "unknown field", "spec.worker.env"),
    ("sink.pubsub", {}, "spec.sink.pubsub.topic", "Required value"),
    ("sink", {}, "spec.sink", "set exactly one of pubsub, stdout, discard"),
    ("sink", {"discard": {}, "stdout": {}}, "spec.sink", "set exactly one of pubsub, stdout, discard"),
    # Times.
    ("clock", {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "clock.end", "after start"),
    ("clock", {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "clock.end", "after start"),
    ("clock.start", "2026-13-01T00:00:00Z", "spec.clock.start", "should match"),
    ("clock.start", "2026-01-32T00:00:00Z", "spec.clock.start", "should match"),
    ("clock.start", "2026-02-30T00:00:00Z", "spec.clock", "start must"),
    ("clock.start", "2026-01-01T00:00:00", "spec.clock.start", "should match"),
    ("clock.start", "2026-01-01", "spec.clock.start", "should match"),
    ("clock.start", "2026-01-01T00:00:00+01:00", "spec.clock.start", "should match"),
    ("clock.start", "1971-12-31T23:59:59Z", "spec.clock.start", "not be before 1972"),
    ("clock.start", "2200-01-01T00:00:00Z", "spec.clock.start", "must be before 2200"),
    ("clock.end", "2200-01-01T00:00:00.000001Z", "spec.clock.end", "not be after 2200"),
    ("clock.maxSpeed", 0, "spec.clock.maxSpeed", "at least 0.000001"),
    # Lists.
    ("sink.pubsub", {"topic": TOPIC, "attributes": ["user_id", "user_id"]}, "attributes[1]", "Duplicate"),
    ("sink.pubsub", {"topic": TOPIC, "attributes": ["userid"]}, "attributes[0]", "Unsupported value"),
    ("traffic.activity", {"hourly": [1.0] * 25}, "spec.traffic.activity.hourly", "24 values (a day) or 168"),
    ("traffic.activity", {"hourly": [0] * 24}, "spec.traffic.activity.hourly", "not be zero all the time"),
    ("traffic.activity", {"hourly": [1.0] * 169}, "spec.traffic.activity.hourly", "at most 168 items"),
    # Shards.
    ("shards", -1, "spec.shards", "greater than or equal to 0"),
    ("shards", 1025, "spec.shards", "less than or equal to 1024"),
    ("shards", "4", "spec.shards", "must be of type integer"),
    # Topics.
    ("sink.pubsub.topic", "projects/PROJECT_ID/topics/user-interactions", "spec.sink.pubsub.topic", "match"),
    ("sink.pubsub.topic", "user-interactions", "spec.sink.pubsub.topic", "should match"),
    ("sink.pubsub.topic", "projects/acme-prod-7/topics/ab", "spec.sink.pubsub.topic", "should match"),
    ("sink.pubsub.topic", f"projects/acme-prod-7/topics/{'a' * 256}", "spec.sink.pubsub.topic", "match"),
    ("sink.pubsub.topic", "projects/acme-prod-7/topics/7days", "spec.sink.pubsub.topic", "should match"),
    ("sink.pubsub.topic", f"{TOPIC}\n", "spec.sink.pubsub.topic", "should match"),
    ("sink.pubsub.topic", "projects/acme-prod-7/topics/google-events", "spec.sink.pubsub.topic", "with goog"),
    # Objects of Cloud Storage.
    ("population.countries", {"uri": "gs://bucket/a/../b"}, "countries.uri", "must not contain '..'"),
    ("population.countries", {"uri": "gs://bucket/a?b"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket/a#b"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket/a\nb"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket/a\x7f"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket/"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "https://bucket/object"}, "countries.uri", "should match"),
    ("population.countries", {"uri": "gs://bucket/o", "sha256": "AB"}, "countries.sha256", "should match"),
    ("population.countries", {"builtin": "world-2025", "generation": 1}, "countries.generation", "set uri"),
    # Batches, budgets, weights, pods.
    ("sink.pubsub", {"topic": TOPIC, "maxBatchMessages": 1001}, "maxBatchMessages", "equal to 1000"),
    ("sink.pubsub", {"topic": TOPIC, "maxBatchSeconds": 0}, "maxBatchSeconds", "at least 0.01"),
    ("budget.maxMessagesPerSecond", 0, "maxMessagesPerSecond", "whole number of messages a second"),
    ("budget.maxMessagesPerSecond", "unlimited", "maxMessagesPerSecond", "or Unlimited"),
    ("budget.maxUSDPerDay", 5, "spec.budget.maxUSDPerDay", "must be of type string"),
    ("budget.maxUSDPerDay", "five", "spec.budget.maxUSDPerDay", "should match"),
    ("budget.maxUSD", "0", "spec.budget.maxUSD", "must be more than 0"),
    ("budget.maxMessages", 0, "spec.budget.maxMessages", "greater than or equal to 1"),
    ("events.encoding", "json", "spec.events.encoding", "Unsupported value"),
    ("events.weights.eventTypes", {"app_opn": 1}, "weights.eventTypes", "names must be of app_open"),
    ("events.weights.eventTypes", {"search": 0}, "weights.eventTypes", "at least one weight"),
    ("worker.serviceAccountName", "Not A Name", "spec.worker.serviceAccountName", "should match"),
    ("worker.tolerations", [{"effect": "NoSchedule"}], "tolerations[0].operator", "without key"),
    ("traffic", {"total": "Constant", "activity": {"cosine": {"floor": 0}}}, "spec.traffic", "never zero"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "words"), REFUSED)
def test_it_refuses_and_says_where_and_why(
    cluster: Cluster, path: str, value: Any, where: str, words: str
) -> None:
    said(tried(cluster, spec(path, value)), where, words)


def test_a_missing_sink_is_named(cluster: Cluster) -> None:
    said(tried(cluster, {}), "spec.sink", "Required value")


def test_a_missing_spec_is_named(cluster: Cluster) -> None:
    body = simulation({})
    del body["spec"]
    said(cluster.api.post(STRICT, body), "spec", "Required value")


@pytest.mark.parametrize("name", ["a" * 41, "world.one"])
def test_a_name_on_which_no_names_of_workers_can_hang_is_refused(cluster: Cluster, name: str) -> None:
    said(tried(cluster, spec(), name), "metadata.name must have at most 40 of a-z, 0-9 and -")


@pytest.mark.parametrize("name", ["a" * 40, "7", "a-1"])
def test_every_name_that_fits_is_accepted(cluster: Cluster, name: str) -> None:
    tried(cluster, spec(), name).expect()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_json_knows_no_number_that_is_none(cluster: Cluster, number: str) -> None:
    body = json_with(f'{{"sink": {{"discard": {{}}}}, "clock": {{"maxSpeed": {number}}}}}')
    said(raw(cluster, body), "json parse error: invalid character")


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_a_number_of_yaml_that_is_none_is_refused(cluster: Cluster, number: str) -> None:
    body = json_with(f'{{"sink": {{"discard": {{}}}}, "clock": {{"maxSpeed": {number}}}}}')
    said(raw(cluster, body, "application/yaml"), "unsupported value")


def test_a_number_beyond_every_float_is_refused(cluster: Cluster) -> None:
    said(
        raw(cluster, json_with('{"sink": {"discard": {}}, "clock": {"maxSpeed": 1e999}}')),
        "cannot unmarshal number 1e999",
    )


def test_the_same_key_twice_is_refused(cluster: Cluster) -> None:
    body = json_with('{"sink": {"discard": {}}, "shards": 1, "shards": 2}')
    said(raw(cluster, body), 'duplicate field "spec.shards"')


ACCEPTED = [
    ("traffic.rate.eventsPerSecond", 1e-9),
    ("traffic.rate.eventsPerSecond", 1_000_000_000),
    ("population.users", 5_400_000_000),
    ("population.seed", 2**53 - 1),
    ("shards", 0),
    ("shards", 1024),
    ("clock.start", "Now"),
    ("clock.start", "1972-01-01T00:00:00Z"),
    ("clock", {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00.000001Z"}),
    ("clock", {"start": "Now", "end": "2199-12-31T23:59:59.999999Z"}),
    ("sink.stdout", {}),
    ("sink.pubsub.topic", TOPIC),
    ("sink.pubsub.topic", "projects/example.com:acme-prod/topics/abc"),
    ("sink.pubsub.topic", f"projects/acme-prod-7/topics/{'a' * 255}"),
    ("sink.pubsub", {"topic": TOPIC, "attributes": ["user_id", "event_type"], "maxBatchSeconds": 0.01}),
    ("population.countries", {"uri": "gs://my.bucket/tables/Länder 2025.csv", "generation": 7}),
    ("population.countries.configMap", {"name": "countries", "key": "world.csv"}),
    ("budget.maxMessagesPerSecond", "Unlimited"),
    ("budget", {"maxUSDPerDay": "0.000001", "maxUSD": "999999999"}),
    ("traffic.activity.hourly", [0] * 23 + [1]),
    ("traffic.activity.builtin", "shanghai-week"),
    ("traffic.total", "Constant"),
    ("worker.resources.requests", {"cpu": 1, "memory": "1Gi"}),
    ("worker.tolerations", [{"operator": "Exists"}]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_it_accepts_what_is_meant(cluster: Cluster, path: str, value: Any) -> None:
    tried(cluster, spec(path, value)).expect()


EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_is_accepted(cluster: Cluster, path: Any) -> None:
    raw(cluster, path.read_text(), "application/yaml").expect()


SMALLEST = """
apiVersion: diurnal.dev/v1alpha1
kind: TrafficSimulation
metadata: {name: app-store}
spec:
  sink: {pubsub: {topic: projects/acme-prod-7/topics/user-interactions}}
"""


def test_the_smallest_resource_is_accepted_and_filled_with_defaults(cluster: Cluster) -> None:
    filled = raw(cluster, SMALLEST, "application/yaml").expect()["spec"]
    weights = filled["events"]["weights"]
    assert filled == {
        "shards": 1,
        "suspend": False,
        "restartNonce": 0,
        "population": {"countries": {"builtin": "world-2025"}, "users": 10000, "seed": 42},
        "traffic": {
            "rate": {"eventsPerUserPerDay": 57},
            "total": "Diurnal",
            "activity": {"cosine": {"peakHour": 16, "floor": 0.03}},
        },
        "clock": {"start": "2026-01-01T00:00:00Z"},
        "budget": {"maxMessagesPerSecond": 1000, "usdPerTiB": "40"},
        "events": {"schema": "AppStore", "encoding": "JSON", "weights": weights},
        "sink": {
            "pubsub": {"topic": TOPIC, "maxBatchMessages": 1000, "maxBatchSeconds": 1, "attributes": []}
        },
        "worker": {
            "serviceAccountName": "default",
            "resources": {"requests": {"cpu": "250m", "memory": "192Mi"}, "limits": {"memory": "384Mi"}},
            "tolerations": [],
        },
    }
    assert weights["deviceTypes"] == {"phone": 0.8, "tablet": 0.15, "desktop": 0.05}
    assert len(weights["eventTypes"]) == 7


def test_the_smallest_resource_with_the_placeholder_in_it_is_refused(cluster: Cluster) -> None:
    """Nobody publishes by mistake."""
    said(raw(cluster, SMALLEST.replace("acme-prod-7", "PROJECT_ID"), "application/yaml"), "should match")


@pytest.mark.parametrize(
    "path",
    [
        "shards",
        "suspend",
        "population",
        "population.seed",
        "traffic.total",
        "clock.start",
        "budget",
        "worker",
    ],
)
def test_an_explicit_null_becomes_the_default(cluster: Cluster, path: str) -> None:
    with_null = tried(cluster, spec(path, None)).expect()["spec"]
    assert with_null == tried(cluster, spec()).expect()["spec"]


AT_ONCE = [
    ("shards", 3),
    ("suspend", True),
    ("traffic", {"total": "Constant"}),
    ("traffic", {"rate": {"eventsPerUserPerDay": 1}}),
    ("clock", {"end": "2027-01-01T00:00:00Z"}),
    ("clock", {"maxSpeed": 60}),
    ("budget", {"maxMessagesPerSecond": "Unlimited"}),
    ("budget", {"maxUSDPerDay": "5"}),
    ("worker", {"serviceAccountName": "worker"}),
    ("worker", {"resources": {"requests": {"cpu": "2"}}}),
]  # fmt: skip
WITH_A_NEW_NONCE = [
    ("population", {"users": 5}, "population does not change within a run"),
    ("population", {"seed": 5}, "population does not change within a run"),
    ("population", {"countries": {"builtin": None, "uri": "gs://bucket/table.csv"}}, "population does not"),
    ("clock", {"start": "2026-01-02T00:00:00Z"}, "clock.start does not change within a run"),
    ("clock", {"start": "Now"}, "clock.start does not change within a run"),
    ("events", {"encoding": "Avro"}, "events does not change within a run"),
    ("events", {"weights": {"deviceTypes": {"phone": 1}}}, "events does not change within a run"),
    ("sink", {"discard": None, "stdout": {}}, "sink does not change within a run"),
    ("sink", {"discard": None, "pubsub": {"topic": TOPIC}}, "sink does not change within a run"),
]  # fmt: skip


@pytest.fixture(name="running")
def _running(namespace: Namespace) -> Namespace:
    namespace.create(spec()).expect()
    return namespace


@pytest.mark.parametrize(("field", "value"), AT_ONCE)
def test_what_may_change_at_any_time_does(running: Namespace, field: str, value: Any) -> None:
    changed = running.api.merge(f"{running.simulations}/world", {"spec": {field: value}}).expect()
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(("field", "value", "words"), WITH_A_NEW_NONCE)
def test_what_makes_another_run_needs_another_nonce(
    running: Namespace, field: str, value: Any, words: str
) -> None:
    path = f"{running.simulations}/world"
    said(running.api.merge(path, {"spec": {field: value}}), words, "set another restartNonce too")
    running.api.merge(path, {"spec": {field: value, "restartNonce": 1}}).expect()


@pytest.mark.parametrize("field", ["population", "events", "clock"])
def test_leaving_a_field_out_of_a_replacement_is_no_way_around_the_nonce(
    namespace: Namespace, field: str
) -> None:
    values = {"population": {"users": 5}, "events": {"encoding": "Avro"}, "clock": {"start": "Now"}}
    stored = namespace.create({**spec(), field: values[field]}).expect()
    del stored["spec"][field]
    said(namespace.api.put(f"{namespace.simulations}/world", stored), "does not change within a run")


def test_a_user_cannot_write_the_status_with_the_spec(namespace: Namespace) -> None:
    body = {**simulation(spec()), "status": {"shards": 9}}
    assert namespace.api.post(namespace.simulations, body).expect()["status"] == UNSEEN


def test_an_object_that_no_operator_has_seen_says_so_however_it_is_read(running: Namespace) -> None:
    """kstatus takes an object without a status for finished; with this one it waits."""
    path = f"{running.simulations}/world"
    read = running.api.get(path).expect()
    [listed] = running.api.get(running.simulations).expect()["items"]
    watched = running.api.get(f"{running.simulations}?watch=1&timeoutSeconds=1").body
    event = json.loads(watched.splitlines()[0]) if isinstance(watched, str) else watched
    for found in (read, listed, event["object"]):
        assert found["status"] == UNSEEN
        assert kstatus(found) == "InProgress"
        assert run("health.lua", found)["status"] == "Progressing"


def test_a_status_that_somebody_emptied_says_again_that_nobody_has_seen_it(running: Namespace) -> None:
    path = f"{running.simulations}/world"
    running.api.merge(f"{path}/status", {"status": {"observedGeneration": 1, "shards": 2}}).expect()
    emptied: dict[str, Any] | None
    for emptied in ({}, None):
        stored = running.api.get(path).expect()
        running.api.put(f"{path}/status", {**stored, "status": emptied}).expect()
        assert running.read()["status"] == UNSEEN


def test_an_object_stored_before_is_filled_in_too_and_applied_over_without_a_conflict(
    running: Namespace,
) -> None:
    """Server-side apply of the status meets a default, which no manager owns."""
    path = f"{running.simulations}/world/status"
    body = {**simulation(None), "status": {"observedGeneration": 1, "state": "Running"}}
    del body["spec"]
    written = running.api.apply(path, body, manager="diurnal-operator").expect()
    assert written["status"] == {"observedGeneration": 1, "state": "Running"}


def test_a_part_of_the_status_that_loses_its_last_field_to_apply_is_left_out(running: Namespace) -> None:
    """An emptied object would be stored as null, which the schema refuses: the operator leaves it out."""
    path = f"{running.simulations}/world/status"
    body = simulation(None)
    del body["spec"]
    for status in ({"rate": {"expected": 5}}, {}, {"rate": {"achieved": 1}}):
        running.api.apply(path, {**body, "status": status}, manager="diurnal-operator").expect()
    assert running.read()["status"] == {**UNSEEN, "rate": {"achieved": 1}}
    refused = running.api.apply(path, {**body, "status": {"rate": {}}}, manager="diurnal-operator")
    said(refused, "status.rate", "must be of type object")


def test_the_status_is_written_apart_and_leaves_the_spec_alone(running: Namespace) -> None:
    path = f"{running.simulations}/world/status"
    written = running.api.merge(path, {"spec": {"shards": 9}, "status": {"shards": 2}}).expect()
    assert (written["spec"]["shards"], written["status"]["shards"]) == (1, 2)
    assert written["metadata"]["generation"] == 1


def test_the_scale_subresource_reads_and_writes_shards(running: Namespace) -> None:
    path = f"{running.simulations}/world"
    status = {"shards": 2, "selector": "diurnal.dev/simulation=world"}
    running.api.merge(f"{path}/status", {"status": status}).expect()
    scale = running.api.get(f"{path}/scale").expect()
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 2, "selector": "diurnal.dev/simulation=world"}
    running.api.merge(f"{path}/scale", {"spec": {"replicas": 7}}).expect()
    assert running.read()["spec"]["shards"] == 7


def test_scaling_beyond_the_slots_is_refused(running: Namespace) -> None:
    answer = running.api.merge(f"{running.simulations}/world/scale", {"spec": {"replicas": 1025}})
    said(answer, "spec.shards", "less than or equal to 1024")

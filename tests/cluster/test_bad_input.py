"""What must be refused, each where it can be known, with words that name the field and the remedy.

The first table is what the API server refuses by the schema and its rules. The second one needs the world: a
topic, a bucket, an allowlist. There the object is stored, and a condition says what a person has to do.
test_crd_on_api_server.py goes through the bounds of every field; this file is the list of mistakes.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from kubeapi import Answer
from place import Cluster, Namespace, simulation

TOPICS = "projects/acme-prod-7/topics"
TOPIC = f"{TOPICS}/user-interactions"
STRICT = "/apis/diurnal.dev/v1alpha1/namespaces/default/trafficsimulations?fieldValidation=Strict&dryRun=All"
SMALLEST = f"""
apiVersion: diurnal.dev/v1alpha1
kind: TrafficSimulation
metadata: {{name: app-store}}
spec:
  sink: {{pubsub: {{topic: {TOPIC}}}}}
"""


def uri(address: str) -> dict[str, Any]:
    return {"population": {"countries": {"uri": address}}}


def topic(name: str) -> dict[str, Any]:
    return {"sink": {"pubsub": {"topic": name}}}


def rate(**value: float) -> dict[str, Any]:
    return {"traffic": {"rate": value}}


# mistake: what the spec says beside the smallest one, and what the answer must say
REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a rate of zero": (rate(eventsPerUserPerDay=0), ("eventsPerUserPerDay", "at least 0.000000001")),
    "a negative rate": (rate(eventsPerSecond=-1), ("spec.traffic.rate", "at least 0.000000001")),
    "too large a rate": (rate(eventsPerSecond=2e9), ("eventsPerSecond", "less than or equal to 1e+09")),
    "a number beyond 64 bits": ({"population": {"users": 2**63}}, ("spec.population.users", "type integer")),
    "an unknown field": ({"shard": 3}, ("unknown field", "spec.shard")),
    "a missing field": ({"sink": {"pubsub": {}}}, ("spec.sink.pubsub.topic", "Required value")),
    "an end before the start": (
        {"clock": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}},
        ("spec.clock.end", "must be after start"),
    ),
    "an end that is the start": (
        {"clock": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}},
        ("spec.clock.end", "must be after start"),
    ),
    "a thirteenth month": ({"clock": {"start": "2026-13-01T00:00:00Z"}}, ("spec.clock.start", "match")),
    "a time without a zone": ({"clock": {"start": "2026-01-01T00:00:00"}}, ("spec.clock.start", "match")),
    "the same entry twice": (
        {"sink": {"pubsub": {"topic": TOPIC, "attributes": ["user_id", "user_id"]}}},
        ("spec.sink.pubsub.attributes[1]", "Duplicate value"),
    ),
    "fewer shards than none": ({"shards": -1}, ("spec.shards", "greater than or equal to 0")),
    "more shards than slots": ({"shards": 1025}, ("spec.shards", "less than or equal to 1024")),
    "a topic's name of 2 characters": (topic(f"{TOPICS}/ab"), ("spec.sink.pubsub.topic", "match")),
    "a topic's name of 256": (topic(f"{TOPICS}/{'a' * 256}"), ("spec.sink.pubsub.topic", "match")),
    "a topic that starts with a digit": (topic(f"{TOPICS}/7days"), ("spec.sink.pubsub.topic", "match")),
    "a topic of Google's own": (topic(f"{TOPICS}/google"), ("spec.sink.pubsub.topic", "with goog")),
    "the placeholder": (topic("projects/PROJECT_ID/topics/events"), ("spec.sink.pubsub.topic", "match")),
    "an object above its folder": (uri("gs://bucket/a/../b"), ("countries.uri", "must not contain '..'")),
    "an object with a query": (uri("gs://bucket/a?b"), ("spec.population.countries.uri", "match")),
    "an object with a fragment": (uri("gs://bucket/a#b"), ("spec.population.countries.uri", "match")),
    "an object with a line break": (uri("gs://bucket/a\nb"), ("spec.population.countries.uri", "match")),
    "a bucket without an object": (uri("gs://bucket"), ("spec.population.countries.uri", "match")),
    "more than a request can hold": (
        {"sink": {"pubsub": {"topic": TOPIC, "maxBatchMessages": 1001}}},
        ("spec.sink.pubsub.maxBatchMessages", "less than or equal to 1000"),
    ),
}  # fmt: skip
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")


def tried(cluster: Cluster, body: dict[str, Any]) -> Answer:
    return cluster.api.post(STRICT, body)


def said(answer: Answer, words: tuple[str, ...]) -> None:
    assert answer.code in {400, 422}, answer
    assert [word for word in words if word not in answer.message] == [], answer.message


def smallest(**more: Any) -> dict[str, Any]:
    return simulation({"sink": {"pubsub": {"topic": TOPIC}}, **deepcopy(more)})


@pytest.mark.parametrize("mistake", REFUSED)
def test_the_api_server_refuses_it_and_says_where_and_why(cluster: Cluster, mistake: str) -> None:
    spec, words = REFUSED[mistake]
    said(tried(cluster, smallest(**spec)), words)


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_what_is_no_number_is_refused(cluster: Cluster, number: str) -> None:
    body = json.dumps(smallest(clock={"maxSpeed": 1.5})).replace("1.5", number)
    said(cluster.api.request("POST", STRICT, body.encode()), ("json parse error", "invalid character"))


def test_a_name_on_which_no_other_name_can_hang_is_refused(cluster: Cluster) -> None:
    body = simulation(smallest()["spec"], "a" * 41)
    said(tried(cluster, body), ("metadata.name must have at most 40",))


def test_another_population_in_the_same_run_is_refused(namespace: Namespace) -> None:
    namespace.create(smallest()["spec"]).expect()
    change = {"spec": {"population": {"users": 5}}}
    answer = namespace.api.merge(f"{namespace.simulations}/world", change)
    said(answer, ("population does not change within a run", "set another restartNonce too"))


def test_what_is_right_is_accepted(cluster: Cluster) -> None:
    """The resource of six lines, and what every mistake above was put into."""
    assert len(SMALLEST.strip().splitlines()) <= 6
    cluster.api.request("POST", STRICT, SMALLEST.encode(), "application/yaml").expect()
    tried(cluster, smallest()).expect()

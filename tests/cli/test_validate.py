"""``diurnal validate``: every rule that one object can break, each with field, fault and remedy."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api.model import Model
from diurnal_cli.files import parse_documents
from diurnal_cli.validate import (
    InvalidInputError,
    check,
    load,
    load_value,
    render_json,
    render_text,
    run,
    validate_file,
    validate_files,
)

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))
TOPIC = "projects/acme-prod-7/topics/user-interactions"


def simulation(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "diurnal.dev/v1alpha1",
        "kind": "TrafficSimulation",
        "metadata": {"name": "app-store"},
        "spec": {"sink": {"discard": {}}, **spec},
    }


def problems(value: Any) -> dict[str, str]:
    return {problem.path: problem.message for problem in check(value)[1]}


def rate(**rate: Any) -> dict[str, Any]:
    return {"traffic": {"rate": rate}}


def activity(total: str = "Diurnal", **activity: Any) -> dict[str, Any]:
    return {"traffic": {"total": total, "activity": activity}}


def countries(**countries: Any) -> dict[str, Any]:
    return {"population": {"countries": countries}}


def pubsub(**pubsub: Any) -> dict[str, Any]:
    return {"sink": {"pubsub": {"topic": TOPIC, **pubsub}}}


def weights(**weights: Any) -> dict[str, Any]:
    return {"events": {"weights": weights}}


CASES: list[tuple[dict[str, Any], str, str]] = [
    # rates
    (
        rate(eventsPerUserPerDay=-1),
        "spec.traffic.rate.eventsPerUserPerDay",
        "must be more than 0 (at least 1e-9), not -1",
    ),
    (rate(eventsPerSecond=0), "spec.traffic.rate.eventsPerSecond", "must be more than 0"),
    (rate(eventsPerSecond=1e10), "spec.traffic.rate.eventsPerSecond", "must be at most 1000000000"),
    (rate(eventsPerUserPerDay=1000001), "spec.traffic.rate.eventsPerUserPerDay", "must be at most 1000000"),
    (
        rate(eventsPerSecond="57"),
        "spec.traffic.rate.eventsPerSecond",
        "must be a number, not the text '57': leave out the quotes",
    ),
    (rate(eventsPerSecond=float("nan")), "spec.traffic.rate.eventsPerSecond", "must be a finite number"),
    (rate(eventsPerSecond=float("inf")), "spec.traffic.rate.eventsPerSecond", "must be a finite number"),
    (rate(), "spec.traffic.rate", "set exactly one of eventsPerUserPerDay, eventsPerSecond"),
    (rate(eventsPerSecond=1, eventsPerUserPerDay=1), "spec.traffic.rate", "set exactly one of"),
    # integers
    ({"shards": -1}, "spec.shards", "must be at least 0, not -1"),
    ({"shards": 1025}, "spec.shards", "must be at most 1024, not 1025"),
    ({"shards": 1.5}, "spec.shards", "must be a whole number, not 1.5"),
    ({"shards": True}, "spec.shards", "must be a whole number, not true"),
    ({"shards": "4"}, "spec.shards", "must be a whole number, not the text '4': leave out the quotes"),
    ({"population": {"users": 0}}, "spec.population.users", "must be at least 1"),
    ({"population": {"users": 5_400_000_001}}, "spec.population.users", "must be at most 5400000000"),
    ({"population": {"users": 2**63}}, "spec.population.users", "must be at most 5400000000"),
    (
        {"population": {"users": 10**300}},
        "spec.population.users",
        "must be at most 5400000000, not a number of more than",
    ),
    ({"population": {"seed": -1}}, "spec.population.seed", "must be at least 0"),
    ({"population": {"seed": 2**63}}, "spec.population.seed", "must be at most 9007199254740991"),
    ({"restartNonce": -1}, "spec.restartNonce", "must be at least 0"),
    # unknown and missing
    ({"shard": 4}, "spec.shard", "is not a field; did you mean shards?"),
    ({"restart_nonce": 4}, "spec.restart_nonce", "is not a field; did you mean restartNonce?"),
    ({"users": 4}, "spec.users", "is not a field here; did you mean spec.population.users?"),
    ({"image": "x"}, "spec.image", "is not a field; the fields here are shards, suspend"),
    ({"worker": {"env": []}}, "spec.worker.env", "is not a field; the fields here are serviceAccountName"),
    ({"budget": {"maxUsd": "5"}}, "spec.budget.maxUsd", "is not a field; did you mean maxUSD?"),
    ({"sink": {"discard": {"x": 1}}}, "spec.sink.discard.x", "is not a field; the fields here are none"),
    (
        {"sink": None},
        "spec.sink",
        "is missing and has no default: Where the events go: exactly one of pubsub",
    ),
    (
        {"sink": {"pubsub": {}}},
        "spec.sink.pubsub.topic",
        "is missing and has no default: Full name of the topic",
    ),
    ({"sink": {}}, "spec.sink", "set exactly one of pubsub, stdout, discard"),
    ({"sink": {"stdout": {}, "discard": {}}}, "spec.sink", "set exactly one of pubsub, stdout, discard"),
    (
        {"sink": {"stdout": {}}, "events": {"encoding": "Avro"}},
        "spec.events.encoding",
        "Avro has no lines: use encoding JSON, or another sink than stdout",
    ),
    ({"sink": "discard"}, "spec.sink", "must be a mapping of fields, not the text 'discard'"),
    ({"suspend": "yes"}, "spec.suspend", "must be true or false, not the text 'yes'"),
    # clock
    ({"clock": {"end": "2025-12-31T00:00:00Z"}}, "spec.clock.end", "end must be after start"),
    ({"clock": {"end": "2026-01-01T00:00:00Z"}}, "spec.clock.end", "end must be after start"),
    (
        {"clock": {"start": "Now", "end": "1971-01-01T00:00:00Z"}},
        "spec.clock.end",
        "end must be after 1972-01-01T00:00:00Z",
    ),
    (
        {"clock": {"end": "2200-01-01T00:00:00.000001Z"}},
        "spec.clock.end",
        "end must not be after 2200-01-01T00:00:00Z",
    ),
    (
        {"clock": {"start": "1971-12-31T23:59:59Z"}},
        "spec.clock.start",
        "start must not be before 1972-01-01T00:00:00Z",
    ),
    (
        {"clock": {"start": "2200-01-01T00:00:00Z"}},
        "spec.clock.start",
        "start must be before 2200-01-01T00:00:00Z",
    ),
    ({"clock": {"start": "2026-13-01T00:00:00Z"}}, "spec.clock.start", "is not a time of the calendar"),
    ({"clock": {"start": "2026-02-30T00:00:00Z"}}, "spec.clock.start", "is not a time of the calendar"),
    (
        {"clock": {"start": "2026-01-01T00:00:00"}},
        "spec.clock.start",
        "is not a UTC time such as 2026-01-01T00:00:00Z",
    ),
    ({"clock": {"start": "2026-01-01T00:00:00+01:00"}}, "spec.clock.start", "is not a UTC time such as"),
    ({"clock": {"start": "now"}}, "spec.clock.start", ", or Now"),
    ({"clock": {"end": "Now"}}, "spec.clock.end", "is not a UTC time such as"),
    ({"clock": {"start": 1767225600}}, "spec.clock.start", "is not a UTC time such as"),
    ({"clock": {"maxSpeed": 0}}, "spec.clock.maxSpeed", "must be more than 0"),
    ({"clock": {"maxSpeed": 1e10}}, "spec.clock.maxSpeed", "must be at most 1000000000"),
    # activity
    (activity(), "spec.traffic.activity", "set exactly one of cosine, hourly, builtin"),
    (
        activity(cosine={}, builtin="shanghai-week"),
        "spec.traffic.activity",
        "set exactly one of cosine, hourly, builtin",
    ),
    (activity(builtin="shanghai_week"), "spec.traffic.activity.builtin", "is not shanghai-week"),
    (activity(cosine={"peakHour": 24}), "spec.traffic.activity.cosine.peakHour", "must be less than 24"),
    (activity(cosine={"peakHour": -0.5}), "spec.traffic.activity.cosine.peakHour", "must be at least 0"),
    (activity(cosine={"floor": 1.01}), "spec.traffic.activity.cosine.floor", "must be at most 1"),
    (activity(hourly=[1] * 23), "spec.traffic.activity.hourly", "must have at least 24 entries, not 23"),
    (
        activity(hourly=[1] * 25),
        "spec.traffic.activity.hourly",
        "hourly must have 24 values (a day) or 168 (a week",
    ),
    (activity(hourly=[1] * 169), "spec.traffic.activity.hourly", "must have at most 168 entries"),
    (activity(hourly=[0] * 24), "spec.traffic.activity.hourly", "hourly must not be zero all the time"),
    (activity(hourly=[5e-324] * 24), "spec.traffic.activity.hourly", "hourly must not be zero all the time"),
    (
        activity(hourly=[1] * 3 + [-1] + [1] * 20),
        "spec.traffic.activity.hourly[3]",
        "must be at least 0, not -1",
    ),
    (activity(hourly=[1e7] * 24), "spec.traffic.activity.hourly[0]", "must be at most 1000000"),
    (activity(hourly=[float("nan")] * 24), "spec.traffic.activity.hourly[0]", "must be a finite number"),
    (activity(hourly="1"), "spec.traffic.activity.hourly", "must be a list, not the text '1'"),
    (
        activity("Constant", cosine={"floor": 0}),
        "spec.traffic.activity",
        "total Constant needs an activity that is never zero",
    ),
    (
        activity("Constant", hourly=[0] + [1] * 23),
        "spec.traffic.activity",
        "total Constant needs an activity that is never",
    ),
    (
        activity("constant", cosine={}),
        "spec.traffic.total",
        "is not one of Diurnal, Constant; did you mean Constant?",
    ),
    # countries
    (countries(), "spec.population.countries", "set exactly one of builtin, uri, configMap"),
    (
        countries(builtin="world-2025", uri="gs://bucket/o"),
        "spec.population.countries",
        "set exactly one of builtin, uri",
    ),
    (countries(builtin="world"), "spec.population.countries.builtin", "is not world-2025"),
    (
        countries(builtin="world-2025", generation=1),
        "spec.population.countries.generation",
        "generation belongs to uri",
    ),
    (
        countries(builtin="world-2025", sha256="0" * 64),
        "spec.population.countries.sha256",
        "sha256 belongs to uri",
    ),
    (countries(uri="gs://bucket/a/../b"), "spec.population.countries.uri", "must not contain '..'"),
    (countries(uri="gs://bucket/a?b"), "spec.population.countries.uri", "is not an object of Cloud Storage"),
    (
        countries(uri="gs://bucket/a#1"),
        "spec.population.countries.uri",
        "without ?, # and control characters",
    ),
    (
        countries(uri="gs://bucket/a\nb"),
        "spec.population.countries.uri",
        r"'gs://bucket/a\nb' is not an object of Cloud",
    ),
    (countries(uri="gs://bucket/"), "spec.population.countries.uri", "gs://BUCKET/OBJECT"),
    (countries(uri="gs://bucket"), "spec.population.countries.uri", "gs://BUCKET/OBJECT"),
    (countries(uri="gs://Bucket/o"), "spec.population.countries.uri", "gs://BUCKET/OBJECT"),
    (countries(uri=5), "spec.population.countries.uri", "5 is not an object of Cloud Storage"),
    (countries(uri="/etc/passwd"), "spec.population.countries.uri", "gs://BUCKET/OBJECT"),
    (
        countries(uri="gs://bucket/" + "x" * 2000),
        "spec.population.countries.uri",
        "must have at most 1252 characters",
    ),
    (
        countries(uri="gs://bucket/o", generation=0),
        "spec.population.countries.generation",
        "must be at least 1",
    ),
    (
        countries(uri="gs://bucket/o", sha256="0"),
        "spec.population.countries.sha256",
        "64 lower-case hexadecimal digits",
    ),
    (
        countries(configMap={"name": "C", "key": "k"}),
        "spec.population.countries.configMap.name",
        "the name of a ConfigMap",
    ),
    (
        countries(configMap={"name": "c", "key": "../k"}),
        "spec.population.countries.configMap.key",
        "the key of a ConfigMap",
    ),
    (
        countries(configMap={"name": "c"}),
        "spec.population.countries.configMap.key",
        "is missing and has no default",
    ),
    # budget
    (
        {"budget": {"maxMessagesPerSecond": 0}},
        "spec.budget.maxMessagesPerSecond",
        "is not a whole number of messages a second",
    ),
    ({"budget": {"maxMessagesPerSecond": 1.5}}, "spec.budget.maxMessagesPerSecond", "or Unlimited"),
    ({"budget": {"maxMessagesPerSecond": "unlimited"}}, "spec.budget.maxMessagesPerSecond", "or Unlimited"),
    ({"budget": {"maxMessagesPerSecond": True}}, "spec.budget.maxMessagesPerSecond", "or Unlimited"),
    ({"budget": {"maxMessages": 0}}, "spec.budget.maxMessages", "must be at least 1"),
    ({"budget": {"maxUSD": 25}}, "spec.budget.maxUSD", 'must be text, not 25: put it in quotes, "25"'),
    ({"budget": {"maxUSD": "25 USD"}}, "spec.budget.maxUSD", "is not an amount of US dollars as a string"),
    ({"budget": {"maxUSD": "-1"}}, "spec.budget.maxUSD", "is not an amount of US dollars"),
    ({"budget": {"maxUSD": "1e3"}}, "spec.budget.maxUSD", "is not an amount of US dollars"),
    ({"budget": {"maxUSD": "٢٥"}}, "spec.budget.maxUSD", "is not an amount of US dollars"),
    ({"budget": {"maxUSD": "0.00"}}, "spec.budget.maxUSD", "maxUSD must be more than 0"),
    ({"budget": {"maxUSDPerDay": "0"}}, "spec.budget.maxUSDPerDay", "maxUSDPerDay must be more than 0"),
    ({"budget": {"usdPerTiB": "0"}}, "spec.budget.usdPerTiB", "usdPerTiB must be more than 0"),
    # events
    ({"events": {"schema": "appstore"}}, "spec.events.schema", "is not AppStore"),
    (
        {"events": {"encoding": "json"}},
        "spec.events.encoding",
        "is not one of JSON, Avro; did you mean JSON?",
    ),
    (
        weights(eventTypes={"open": 1}),
        "spec.events.weights.eventTypes",
        "'open' is not one of app_open, app_close",
    ),
    (
        weights(eventTypes={"search": -1}),
        "spec.events.weights.eventTypes",
        "must be a number from 0 to 1000000",
    ),
    (
        weights(eventTypes={"search": float("nan")}),
        "spec.events.weights.eventTypes",
        "must be a number from 0 to",
    ),
    (weights(eventTypes={"search": 0}), "spec.events.weights.eventTypes", "at least one weight must be"),
    (weights(deviceTypes={}), "spec.events.weights.deviceTypes", "at least one weight must be"),
    (weights(deviceTypes={"phone": True}), "spec.events.weights.deviceTypes", "the weight of phone is True"),
    (
        weights(deviceTypes=["phone"]),
        "spec.events.weights.deviceTypes",
        "must be a mapping of weights by name",
    ),
    # sink
    (
        pubsub(topic="projects/PROJECT_ID/topics/user-interactions"),
        "spec.sink.pubsub.topic",
        "the id of your own project (6 to 30 of a-z, 0-9 and -) in place of PROJECT_ID",
    ),
    (
        pubsub(topic="user-interactions"),
        "spec.sink.pubsub.topic",
        "is not a topic such as projects/acme-prod-7/topics/user-interactions",
    ),
    (pubsub(topic="projects/acme-prod-7/topics/ab"), "spec.sink.pubsub.topic", "a topic id of 3 to 255"),
    (
        pubsub(topic="projects/acme-prod-7/topics/" + "a" * 256),
        "spec.sink.pubsub.topic",
        "a topic id of 3 to 255",
    ),
    (pubsub(topic="projects/acme-prod-7/topics/1abc"), "spec.sink.pubsub.topic", "starts with a letter"),
    (
        pubsub(topic="projects/acme-prod-7/topics/google"),
        "spec.sink.pubsub.topic",
        "must not start with goog",
    ),
    (pubsub(topic="projects/acme-prod-7/topics/a/b"), "spec.sink.pubsub.topic", "letters, digits and -_.~+%"),
    (pubsub(topic=False), "spec.sink.pubsub.topic", "YAML reads yes, no, on, off, NO as true and false"),
    (pubsub(topic="x" * 500), "spec.sink.pubsub.topic", "must have at most 400 characters, not 500"),
    (pubsub(maxBatchMessages=1001), "spec.sink.pubsub.maxBatchMessages", "must be at most 1000, not 1001"),
    (pubsub(maxBatchMessages=0), "spec.sink.pubsub.maxBatchMessages", "must be at least 1"),
    (pubsub(maxBatchSeconds=0), "spec.sink.pubsub.maxBatchSeconds", "must be at least 0.01"),
    (pubsub(attributes=["country"]), "spec.sink.pubsub.attributes[0]", "did you mean country_code?"),
    (
        pubsub(attributes=["user_id", "user_id"]),
        "spec.sink.pubsub.attributes",
        "must name each event field only once",
    ),
    (
        pubsub(attributes=[False]),
        "spec.sink.pubsub.attributes[0]",
        "YAML reads yes, no, on, off, NO as true and false",
    ),
    # worker
    (
        {"worker": {"serviceAccountName": "a/b"}},
        "spec.worker.serviceAccountName",
        "the name of a service account",
    ),
    (
        {"worker": {"resources": {"limits": {"memory": "lots"}}}},
        "spec.worker.resources.limits.memory",
        "such as 250m (CPU)",
    ),
    (
        {"worker": {"resources": {"limits": {"cpu": -1}}}},
        "spec.worker.resources.limits.cpu",
        "is not a quantity",
    ),
    (
        {"worker": {"nodeSelector": {"gpu": True}}},
        "spec.worker.nodeSelector",
        "must be a mapping of node labels to strings",
    ),
    (
        {"worker": {"nodeSelector": {"a": "x" * 64}}},
        "spec.worker.nodeSelector",
        "must have at most 63 characters",
    ),
    (
        {"worker": {"nodeSelector": {f"a{n}": "x" for n in range(17)}}},
        "spec.worker.nodeSelector",
        "at most 16 labels",
    ),
    (
        {"worker": {"tolerations": [{"operator": "Exists", "value": "x"}]}},
        "spec.worker.tolerations[0].value",
        "no meaning",
    ),
    (
        {"worker": {"tolerations": [{}]}},
        "spec.worker.tolerations[0].operator",
        "without key needs operator Exists",
    ),
    (
        {"worker": {"tolerations": [{"operator": "Is"}]}},
        "spec.worker.tolerations[0].operator",
        "is not one of Equal, Exists",
    ),
]


@pytest.mark.parametrize(("spec", "path", "message"), CASES)
def test_a_broken_rule_is_told_by_field_fault_and_remedy(
    spec: dict[str, Any], path: str, message: str
) -> None:
    found = problems(simulation(**spec))
    assert path in found, found
    assert message in found[path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a" * 41, "at most 40 of a-z, 0-9 and -"),
        ("App", "at most 40 of a-z, 0-9 and -"),
        ("a.b", "at most 40 of a-z, 0-9 and -"),
        ("-a", "at most 40 of a-z, 0-9 and -"),
        ("", "at most 40 of a-z, 0-9 and -"),
        (True, "must be text, not true"),
        (None, "is missing"),
    ],
)
def test_a_name_on_which_the_names_of_workers_cannot_hang_is_refused(name: object, message: str) -> None:
    assert message in problems(simulation() | {"metadata": {"name": name}})["metadata.name"]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"shards": 0},
        {"shards": 1024},
        {"population": {"users": 5_400_000_000, "seed": 2**53 - 1}},
        countries(uri="gs://my_bucket.example/a b.csv", generation=1_760_000_000_000_000, sha256="0f" * 32),
        countries(configMap={"name": "countries", "key": "countries.csv"}),
        rate(eventsPerSecond=1e9),
        activity("Constant", builtin="shanghai-week"),
        activity("Constant", hourly=[1] * 168),
        activity(hourly=[0] * 23 + [1]),
        {"clock": {"start": "Now", "maxSpeed": 1, "end": "2200-01-01T00:00:00Z"}},
        {"clock": {"start": "1972-01-01T00:00:00Z", "end": "1972-01-01T00:00:00.000001Z"}},
        {"budget": {"maxMessagesPerSecond": "Unlimited", "maxUSDPerDay": "0.000001", "maxUSD": "999999999"}},
        {"population": {"users": 1e6}, "budget": {"maxMessagesPerSecond": 5e3}},
        {"population": None, "clock": {"end": None}},
        pubsub(topic="projects/acme.com:acme-prod/topics/a%2Fb~c+d", attributes=["user_id", "country_code"]),
        weights(eventTypes={"search": 1}, deviceTypes={"desktop": 0.1, "phone": 0}),
        {"worker": {"resources": {"requests": {"cpu": 1, "memory": "1.5Gi"}}}},
        {"worker": {"tolerations": [{"operator": "Exists"}]}},
    ],
)  # fmt: skip
def test_what_the_api_server_takes_is_valid(spec: dict[str, Any]) -> None:
    assert problems(simulation(**spec)) == {}


def test_several_problems_are_all_told_at_once() -> None:
    found = problems(simulation(shards=-1, budget={"maxUSD": 5, "usdPerTib": "1"}, clock={"maxSpeed": -1}))
    assert set(found) == {"spec.shards", "spec.budget.maxUSD", "spec.budget.usdPerTib", "spec.clock.maxSpeed"}


def test_what_kubectl_gives_back_can_be_validated() -> None:
    value = simulation() | {"status": {"conditions": "whatever"}}
    value["metadata"] |= {"uid": "x", "managedFields": [{}], "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert problems(value) == {}


@pytest.mark.parametrize("value", [None, 5, "x", [], True])
def test_what_is_no_mapping_is_refused(value: object) -> None:
    assert "must be a mapping with apiVersion, kind, metadata and spec" in problems(value)[""]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_valid_and_publish_nothing_by_mistake(path: Path) -> None:
    (report,) = validate_file(path)
    assert report.valid, report.problems
    assert report.simulation is not None
    assert report.simulation.spec.sink.pubsub is None


def test_the_first_example_is_the_app_store_of_the_original() -> None:
    spec = load(next(path for path in EXAMPLES if path.stem == "app-store")).spec
    assert (spec.shards, spec.population.users, spec.budget.max_messages_per_second) == (4, 10_000, 1000)
    assert spec.traffic.rate.events_per_user_per_day == 57


def test_there_is_an_example_of_everything() -> None:
    names = {path.stem for path in EXAMPLES}
    assert {"app-store", "smallest", "constant-total", "hourly-curve", "live", "avro"} <= names


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sim.yaml"
    file.write_text(text)
    return file


GOOD = yaml.safe_dump(simulation())
BAD = yaml.safe_dump(simulation(shards=-1))
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n"


def test_a_problem_is_told_with_file_line_document_and_field(tmp_path: Path) -> None:
    file = write(tmp_path, f"{GOOD}---\n{BAD}")
    lines = render_text(validate_files([file])).splitlines()
    line = f"{GOOD}---\n{BAD}".splitlines().index("  shards: -1") + 1
    assert lines == [
        f"{file}: document 1: ok: TrafficSimulation app-store",
        f"{file}:{line}: document 2: spec.shards: must be at least 0, not -1",
    ]


def test_the_exit_code_is_one_where_anything_is_invalid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([write(tmp_path, GOOD)]) == 0
    assert run([write(tmp_path, BAD)]) == 1
    assert run([write(tmp_path, GOOD), tmp_path / "none.yaml"]) == 1
    assert f"{tmp_path / 'none.yaml'}: there is no such file" in capsys.readouterr().out


def test_machines_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, BAD)
    assert run([file], output="json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "valid": False,
        "reports": [
            {
                "file": str(file),
                "document": 1,
                "name": "app-store",
                "valid": False,
                "skipped": None,
                "problems": [
                    {
                        "path": "spec.shards",
                        "line": BAD.splitlines().index("  shards: -1") + 1,
                        "message": "must be at least 0, not -1",
                    }
                ],
            }
        ],
    }


def test_objects_for_others_are_left_to_them_but_a_file_without_a_simulation_is_no_input(
    tmp_path: Path,
) -> None:
    mixed = render_text(validate_file(write(tmp_path, f"{SERVICE}---\n{GOOD}")))
    assert "document 1: skipped: Service is not a TrafficSimulation" in mixed
    assert "document 2: ok" in mixed
    assert "holds no TrafficSimulation of diurnal.dev/v1alpha1" in render_text(
        validate_file(write(tmp_path, SERVICE))
    )


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"kind": "TrafficSimulations"}, "kind", "is not TrafficSimulation"),
        ({"apiVersion": "diurnal.dev/v1"}, "apiVersion", "is not diurnal.dev/v1alpha1"),
        ({"apiVersion": None}, "apiVersion", "is missing; it must be diurnal.dev/v1alpha1"),
        ({"kind": None}, "kind", "is missing; it must be TrafficSimulation"),
        ({"spec": None}, "spec", "is missing"),
        ({"Spec": {}}, "Spec", "is not a field; did you mean spec?"),
    ],
)
def test_a_mistyped_head_is_not_taken_for_an_object_of_others(
    tmp_path: Path, change: dict[str, Any], path: str, message: str
) -> None:
    (report,) = validate_file(write(tmp_path, yaml.safe_dump(simulation() | change)))
    found = {finding.path: finding.message for finding in report.problems}
    assert message in found[path]


def test_loading_gives_the_one_simulation_or_every_problem(tmp_path: Path) -> None:
    assert load(write(tmp_path, f"{SERVICE}---\n{GOOD}")).metadata.name == "app-store"
    with pytest.raises(InvalidInputError, match=r"spec[.]shards: must be at least 0"):
        load(write(tmp_path, BAD))
    with pytest.raises(
        InvalidInputError, match="holds 2 objects of kind TrafficSimulation: exactly one can be used"
    ):
        load(write(tmp_path, f"{GOOD}---\n{GOOD}"))
    with pytest.raises(InvalidInputError, match="is empty"):
        load_value(write(tmp_path, ""))


def test_problems_of_loading_have_their_lines(tmp_path: Path) -> None:
    file = write(tmp_path, BAD)
    with pytest.raises(InvalidInputError) as caught:
        load(file)
    assert str(caught.value) == render_text(validate_files([file]))


def test_only_a_local_run_may_name_a_dataset_by_a_path(tmp_path: Path) -> None:
    file = write(tmp_path, yaml.safe_dump(simulation(**countries(uri="data/countries.csv"))))
    assert load(file, local=True).spec.population.countries.uri == "data/countries.csv"
    with pytest.raises(InvalidInputError, match="gs://BUCKET/OBJECT"):
        load(file)


def test_nothing_in_a_file_can_move_the_cursor_or_forge_a_line(tmp_path: Path) -> None:
    value = simulation(**{"x\n\x1b[2Ky": 1, "population": {"countries": {"uri": "gs://b\u202e\n/o"}}})
    file = tmp_path / "evil\n.json"
    file.write_text(json.dumps(value))
    text = render_text(validate_file(file))
    assert all(line.startswith(str(tmp_path)) for line in text.splitlines())
    assert text.replace("\n", "").isprintable()


def test_half_of_a_surrogate_pair_is_told_as_such() -> None:
    assert "is not Unicode" in problems(simulation(**pubsub(topic="\ud800")))[""]


def test_a_very_deep_object_is_told_as_such() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert "nested too deeply" in problems(simulation(x=deep))[""]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
SECTIONS = [
    "shards",
    "suspend",
    "restartNonce",
    "population",
    "traffic",
    "clock",
    "budget",
    "events",
    "sink",
    "worker",
]
WORDS = [
    *(
        "countries",
        "uri",
        "rate",
        "activity",
        "cosine",
        "hourly",
        "start",
        "end",
        "maxUSD",
        "weights",
        "pubsub",
    ),
    *(
        "topic",
        "attributes",
        "tolerations",
        "resources",
        "requests",
        "cpu",
        "eventTypes",
        "maxMessagesPerSecond",
    ),
]
nested = st.recursive(
    junk, lambda inner: st.dictionaries(st.sampled_from(WORDS), inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(st.sampled_from(SECTIONS), nested, max_size=5))
@settings(max_examples=120, deadline=None)
def test_whatever_the_object_says_it_is_told_without_a_traceback(spec: dict[str, Any]) -> None:
    found, told = check(simulation(**spec))
    assert (found is None) == bool(told)
    assert all(problem.message and len(problem.message) < 2000 for problem in told)


@given(st.binary(max_size=120), st.integers(0, len(GOOD)))
@settings(max_examples=120, deadline=None)
def test_whatever_the_bytes_they_are_told_without_a_traceback(noise: bytes, position: int) -> None:
    data = GOOD.encode()[:position] + noise + GOOD.encode()[position:]
    file = Path("/dev/stdin")
    reports = _validate_bytes(data, file)
    render_text(reports)
    json.loads(render_json(reports))


def _validate_bytes(data: bytes, file: Path) -> list[Any]:
    from diurnal_cli import validate

    def read(path: object) -> object:
        return parse_documents(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "read_documents", read)
        return validate_file(file)


def _models(kind: type[Model]) -> set[type[Model]]:
    return {kind}.union(*map(_models, kind.__subclasses__()))


def test_every_rule_that_one_object_can_break_is_broken_by_a_case_above() -> None:
    told = {message for spec, _, _ in CASES for message in problems(simulation(**spec)).values()}
    rules = {rule for model in _models(Model) for rule in model.rules}
    assert len(rules) > 20
    for rule in rules:
        assert (rule.holds is None) == ("oldSelf" in rule.cel), rule
        assert rule.holds is None or rule.message in told, rule.message


def test_standard_input_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert "spec.shards: must be at least 0" in render_text(validate_file("-"))

"""What is scraped is what is declared and documented, by names that Prometheus' own linter accepts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from diurnal_api.metrics import BRAKES, OPERATOR, STATES, WORKER, Family
from diurnal_cli.metrics_page import metrics_page
from diurnal_operator import health as healths
from diurnal_operator.metrics import Metrics as OperatorMetrics
from diurnal_operator.settings import Waits
from diurnal_worker.pod import PodWorker
from modelled import ModelCluster
from prometheus import promtool
from watched import NAME, NAMESPACE, SPEC, free_port, operating, published, text_of, until, working

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
OWN = "diurnal_"


@pytest.fixture(scope="module")
def worker() -> Iterator[PodWorker]:
    with working() as found:
        yield found


@pytest.fixture(scope="module")
def operator() -> tuple[OperatorMetrics, ModelCluster]:
    return operating()


def samples(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Values by name and labels, as a foreign parser reads them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def shape(text: str) -> dict[str, tuple[str, str, set[str]]]:
    """Type, help and label names of each of our own families that has a sample."""
    found = {}
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith(OWN) and family.samples:
            found[name] = (family.type, family.documentation, labels)
    return found


def declared(families: tuple[Family, ...]) -> dict[str, tuple[str, str, set[str]]]:
    return {f.name: (f.kind, f.help, set(f.labels)) for f in families}


def test_a_worker_tells_exactly_what_is_declared(worker: PodWorker) -> None:
    assert shape(text_of(worker.metrics)) == declared(WORKER)


def test_an_operator_tells_exactly_what_is_declared(operator: tuple[OperatorMetrics, ModelCluster]) -> None:
    assert shape(text_of(operator[0])) == declared(OPERATOR)


def test_promtool_accepts_what_both_tell(
    worker: PodWorker, operator: tuple[OperatorMetrics, ModelCluster]
) -> None:
    promtool("check", "metrics", text=text_of(worker.metrics))
    promtool("check", "metrics", text=text_of(operator[0]))


def test_the_committed_page_is_fresh_and_has_every_metric_once() -> None:
    page = PAGE.read_text("utf-8")
    assert page == metrics_page(), "docs/metrics.md is stale: make generate"
    for family in (*WORKER, *OPERATOR):
        assert page.count(f"| `{family.name}` | {family.kind} |") == 1


def test_every_metric_says_something_of_its_own() -> None:
    texts = [family.help for family in (*WORKER, *OPERATOR)]
    assert all(text.endswith(".") for text in texts)
    assert len({family.name for family in (*WORKER, *OPERATOR)}) == len(texts)


def test_states_and_brakes_are_all_there_from_the_beginning(worker: PodWorker) -> None:
    told = samples(text_of(worker.metrics))
    assert told["diurnal_worker_state"] == {
        (("state", state),): float(state == "publishing") for state in STATES
    }
    assert set(told["diurnal_worker_throttled_seconds_total"]) == {(("by", brake),) for brake in BRAKES}


def test_a_scrape_agrees_with_the_checkpoint(worker: PodWorker) -> None:
    before = published(worker)
    told = samples(text_of(worker.metrics))
    after = worker.metrics._shard
    assert after is not None
    [spent] = told["diurnal_worker_spent_messages"].values()
    assert before <= spent <= after.spent.messages
    [sent] = told["diurnal_worker_messages_published_total"].values()
    [generated] = told["diurnal_worker_events_generated_total"].values()
    assert spent <= sent <= generated


def test_the_clocks_are_in_order(worker: PodWorker) -> None:
    told = samples(text_of(worker.metrics))
    acknowledged, sent, reach = (
        next(iter(told[f"diurnal_worker_{name}_timestamp_seconds"].values()))
        for name in ("simulation", "sent", "reach")
    )
    assert acknowledged <= sent <= reach


def test_a_shard_under_its_budget_rests_for_most_of_the_time(worker: PodWorker) -> None:
    """2,000 messages a second keep a core busy for less than a tenth of the time."""

    def throttled() -> float:
        return sum(samples(text_of(worker.metrics))["diurnal_worker_throttled_seconds_total"].values())

    began, before = time.monotonic(), throttled()
    until(lambda: time.monotonic() - began > 2.0)
    passed = time.monotonic() - began
    rested = throttled() - before
    assert rested <= passed + 0.1
    assert rested > 0.2 * passed  # this machine may be busy with other things


def test_countries_add_up_to_what_was_sent_and_only_on_request(worker: PodWorker) -> None:
    shard: Any = worker.metrics._shard
    counted = sum(shard.countries.seen().values())
    assert 0 < counted <= shard.account.generated
    with working(by_country=False) as other:
        assert "diurnal_worker_country_events_total" not in samples(text_of(other.metrics))


def test_a_simulation_is_told_as_its_status_says(operator: tuple[OperatorMetrics, ModelCluster]) -> None:
    metrics, world = operator
    told = samples(text_of(metrics))
    of_it = (("namespace", NAMESPACE), ("simulation", NAME))
    assert told["diurnal_operator_simulation_shards"][of_it] == SPEC["shards"]
    assert told["diurnal_operator_simulation_spent_messages"][of_it] == world.status["spent"]["messages"]
    assert told["diurnal_operator_simulation_limit_usd_per_day"][of_it] == 5
    state = (*of_it, ("state", world.status["state"]))
    assert told["diurnal_operator_simulation_state"] == {state: 1}
    conditions = told["diurnal_operator_simulation_condition"]
    for condition in world.status["conditions"]:
        labels = tuple(sorted((*of_it, ("condition", condition["type"]))))
        assert conditions[labels] == float(condition["status"] == "True")


def test_a_simulation_that_is_gone_has_no_series() -> None:
    metrics, _ = operating()
    metrics.saw((NAMESPACE, NAME), None)
    told = samples(text_of(metrics))
    assert told["diurnal_operator_simulations"] == {(): 0}
    assert not [name for name in told if name.startswith("diurnal_operator_simulation_")]


def test_a_failed_request_is_an_error_and_an_answer_a_request(
    operator: tuple[OperatorMetrics, ModelCluster],
) -> None:
    told = samples(text_of(operator[0]))
    assert set(told["diurnal_operator_api_errors_total"]) == {
        (("code", "409"), ("method", "PATCH")),
        (("code", "503"), ("method", "PATCH")),
        (("code", "none"), ("method", "GET")),
    }
    assert (("code", "200"), ("method", "GET")) in told["diurnal_operator_api_requests_total"]


def test_the_operator_answers_beside_its_probes(operator: tuple[OperatorMetrics, ModelCluster]) -> None:
    async def asked() -> tuple[str, str, str]:
        port = free_port()
        server = await healths.serve(
            healths.Health(Waits(), leading=False), operator[0].registry, port, lambda: 0.0
        )
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                metrics, probe = await client.get("/metrics"), await client.get("/healthz")
                return metrics.headers["Content-Type"], await metrics.text(), await probe.text()
        finally:
            await server.cleanup()

    kind, metrics, probe = asyncio.run(asked())
    assert kind.startswith("text/plain; version=")
    assert shape(metrics) == declared(OPERATOR)
    assert probe == "ok\n"

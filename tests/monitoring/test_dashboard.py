"""Dashboard, alerts and pages name only what exists; a real Prometheus on a real worker answers all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from diurnal_api.metrics import OPERATOR, STATES, WORKER
from diurnal_operator.manifests import deployment
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation
from diurnal_worker.probes import Health, serve
from modelled import ModelCluster
from prometheus import Prometheus, running
from test_alerts import ALERTS
from watched import NAME, NAMESPACE, SPEC, free_port, operating, text_of, working

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "manifests" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    f"{panel['title']}: {target['legendFormat']}": str(target["expr"])
    for panel in PANELS
    for target in panel["targets"]
}
PAGES = ("docs/metrics.md", "docs/monitoring.md", "docs/runbooks.md", "docs/gke.md")
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
PREDICATES = {"namespace", "simulation", "shard", "pod"}
"""Labels that the scrape configuration adds."""


def monitor(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((MONITORING / name).read_text("utf-8"))
    return found


def families() -> dict[str, set[str]]:
    """Every name under which there are series, with its labels."""
    found = dict.fromkeys(PROCESS, PREDICATES)
    for family in (*WORKER, *OPERATOR):
        for name in family.series:
            more = {"le"} if name.endswith("_bucket") else set()
            found[name] = set(family.labels) | more | PREDICATES
    return found


def names(text: str) -> set[str]:
    return set(re.findall(r"\b(?:diurnal_(?:worker|operator)_\w+|process_\w+)", text))


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric of an expression with the labels that its selector asks for."""
    return [
        (name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", inside or "")))
        for name, inside in re.findall(r"\b((?:diurnal|process)_\w+)(?:\{([^}]*)\})?", expression)
    ]


def groupings(expression: str) -> set[str]:
    """The labels by which an expression groups or joins."""
    lists = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def all_expressions() -> dict[str, str]:
    return EXPRESSIONS | {name: alert["expr"] for name, alert in ALERTS.items()}


@pytest.mark.parametrize("title", all_expressions())
def test_an_expression_asks_only_for_metrics_and_labels_that_exist(title: str) -> None:
    expression, known = all_expressions()[title], families()
    asked = selectors(expression)
    assert asked
    for name, labels in asked:
        assert name in known
        assert labels <= known[name]
    assert groupings(expression) <= set().union(*(known[name] for name, _ in asked))


def test_states_in_expressions_are_states() -> None:
    for expression in all_expressions().values():
        for state in re.findall(r'diurnal_worker_state\{[^}]*state="(\w+)"', expression):
            assert state in STATES


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_only_metrics_that_exist(page: str) -> None:
    known = set(families()) | {family.name for family in (*WORKER, *OPERATOR)}
    told = {name for name in names((ROOT / page).read_text("utf-8")) if not name.endswith("_")}
    assert told <= known


def test_every_metric_of_ours_is_on_the_dashboard_or_in_an_alert() -> None:
    """Infos and what is only a label of others are left out."""
    used = names(" ".join(all_expressions().values()))
    unused = {f.name for f in (*WORKER, *OPERATOR) if not used & set(f.series)}
    assert unused == {
        "diurnal_worker_info", "diurnal_worker_spent_messages", "diurnal_worker_spent_billed_bytes",
        "diurnal_operator_info", "diurnal_operator_ceiling_usd_per_day", "diurnal_operator_simulation_users",
        "diurnal_operator_simulation_expected_messages_per_second",
        "diurnal_operator_simulation_achieved_messages_per_second",
    }  # fmt: skip


def test_the_committed_dashboard_is_fresh() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "grafana_dashboard.py"], capture_output=True, text=True, check=True
    )
    assert json.loads(made.stdout) == DASHBOARD, "python tools/grafana_dashboard.py > .../dashboard.json"


def test_panels_fill_the_grid_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("title", [panel["title"] for panel in PANELS])
def test_a_panel_says_what_it_shows(title: str) -> None:
    [panel] = [panel for panel in PANELS if panel["title"] == title and panel["description"]][:1]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def worker_pod() -> dict[str, Any]:
    """The pod template that the operator makes for a worker."""
    world = ModelCluster()
    world.create(**SPEC)
    world.settle()
    made: dict[str, Any] = deployment(
        Situation.of(world.observe()), world.plan, 1, Settings(), image="worker:1", replicas=1
    )["spec"]["template"]
    return made


def test_googles_monitors_select_the_same_pods_ports_and_labels() -> None:
    pod, folder = worker_pod(), ROOT / "manifests"
    workers, operator = yaml.safe_load_all(
        (folder / "monitoring" / "gke" / "pod-monitoring.yaml").read_text("utf-8")
    )
    assert workers["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in workers["spec"]["endpoints"]} <= ports
    told = workers["spec"]["targetLabels"]["fromPod"]
    assert {label["from"] for label in told} <= pod["metadata"]["labels"].keys()
    assert {label["to"] for label in told} == {"simulation", "shard"}
    its = yaml.safe_load((folder / "operator" / "deployment.yaml").read_text("utf-8").split("\n---")[-1])
    template = its["spec"]["template"]
    assert operator["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert operator["spec"]["endpoints"][0]["port"] in {
        port["name"] for port in template["spec"]["containers"][0]["ports"]
    }


def test_the_pod_monitor_selects_the_workers_of_the_operator() -> None:
    pod, spec = worker_pod(), monitor("pod-monitor.yaml")["spec"]
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    [endpoint] = spec["podMetricsEndpoints"]
    ports = {port["name"] for c in pod["spec"]["containers"] for port in c["ports"]}
    assert endpoint["port"] in ports


def discovered(pod: dict[str, Any]) -> dict[str, str]:
    """The labels that Prometheus' discovery of pods gives (https://prometheus.io/docs/prometheus/latest/
    configuration/configuration/#kubernetes_sd_config).
    """
    prefix = "__meta_kubernetes_pod_label_"
    labels = {prefix + re.sub(r"\W", "_", k): v for k, v in pod["metadata"]["labels"].items()}
    return labels | {"namespace": NAMESPACE, "pod": "pod-1"}


def scrape_configs(worker: int, operator: int) -> list[dict[str, Any]]:
    """What Prometheus' operator makes of the monitors, for one worker and one operator on this machine."""
    [pods] = monitor("pod-monitor.yaml")["spec"]["podMetricsEndpoints"]
    [services] = monitor("service-monitor.yaml")["spec"]["endpoints"]
    rules = [
        {"source_labels": rule["sourceLabels"], "target_label": rule["targetLabel"]}
        for rule in pods["relabelings"]
    ]
    return [
        {
            "job_name": "workers",
            "static_configs": [{"targets": [f"127.0.0.1:{worker}"], "labels": discovered(worker_pod())}],
            "relabel_configs": rules,
        },
        {
            "job_name": "operator",
            "honor_labels": services["honorLabels"],
            "static_configs": [
                {"targets": [f"127.0.0.1:{operator}"], "labels": {"namespace": "diurnal-system"}}
            ],
        },
    ]


@contextmanager
def answering(text: str) -> Iterator[int]:
    """A port that answers a scrape with ``text``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(scope="module")
def scraping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, beside a worker at work and an operator's metrics."""
    metrics, _ = operating()
    port = free_port()
    with working() as worker, answering(text_of(metrics)) as operator:
        server = serve(worker.metrics.registry, Health(ready=True), port, 1e9, lambda: 0.0)
        try:
            config = {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": scrape_configs(port, operator),
            }
            with running(tmp_path_factory.mktemp("prometheus"), config, free_port()) as found:
                found.until_there_is("rate(diurnal_worker_checkpoints_total[10s]) > 0")
                found.until_there_is("rate(diurnal_operator_reconciles_total[10s])")
                yield found
        finally:
            server.shutdown()
            server.server_close()


def test_the_targets_have_the_labels_of_simulation_and_shard(scraping: Prometheus) -> None:
    [worker] = scraping.query("diurnal_worker_lease_held")
    told = worker["metric"]
    assert (told["namespace"], told["simulation"], told["shard"]) == (NAMESPACE, NAME, "1")
    [simulation] = scraping.query("diurnal_operator_simulation_shards")
    assert (simulation["metric"]["namespace"], simulation["metric"]["simulation"]) == (NAMESPACE, NAME)


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_every_expression_of_the_dashboard_has_data(scraping: Prometheus, title: str) -> None:
    expression = EXPRESSIONS[title]
    for variable, value in {"$__rate_interval": "10s", "$namespace": ".*", "$simulation": ".*"}.items():
        expression = expression.replace(variable, value)
    found = scraping.until_there_is(expression, seconds=20.0)
    legend = set(re.findall(r"\{\{(\w+)\}\}", title))
    assert legend <= set(found[0]["metric"])


def test_a_healthy_simulation_gives_no_alert_about_itself(scraping: Prometheus) -> None:
    """The planted errors of watched.py concern the operator, and the model's clock is a picture of one."""
    for name, alert in ALERTS.items():
        if not name.startswith("DiurnalOperator") and name != "DiurnalClockStandsStill":
            scraping.until_there_is_no(re.sub(r"\[(5|10)m\]", "[10s]", alert["expr"]))

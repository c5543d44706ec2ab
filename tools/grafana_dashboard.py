"""Prints manifests/monitoring/dashboard.json, the Grafana dashboard.

python tools/grafana_dashboard.py > manifests/monitoring/dashboard.json
"""

# ruff: noqa: INP001  (a script, not a package)

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

THIS: Final = 'namespace=~"$namespace",simulation=~"$simulation"'
"""The simulations that are chosen above the panels."""
WORKER: Final = f'{THIS},shard!=""'
"""Their workers, among the series that every process has."""
OF_EACH: Final = "{{namespace}}/{{simulation}}"
WINDOW: Final = "$__rate_interval"
WIDTH: Final = 24
UNITS: Final = {
    "date": "dateTimeAsIso", "rate": "cps", "seconds": "s", "share": "percentunit", "usd": "currencyUSD",
    "count": "short", "bytes": "bytes", "bytes/s": "Bps", "speed": "none", "ops": "ops",
}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A panel: its expressions by legend. ``note`` is what its question mark shows."""

    title: str
    unit: str
    queries: dict[str, str]
    note: str
    kind: str = "timeseries"
    width: int = 8
    height: int = 7
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


def stat(title: str, unit: str, query: str, note: str, **options: Any) -> Panel:
    """A figure of each chosen simulation."""
    return Panel(title, unit, {OF_EACH: query}, note, "stat", 4, 4, options)


def operator(name: str) -> str:
    """A figure of the chosen simulations' status."""
    return f"diurnal_operator_simulation_{name}{{{THIS}}}"


def rate(name: str, by: str, more: str = "") -> str:
    """The rate of a worker's counter, summed."""
    return f"sum by ({by}) (rate(diurnal_worker_{name}{{{THIS}{more}}}[{WINDOW}]))"


def quantile(share: float, name: str, of: str, by: str = "") -> str:
    """A quantile of a histogram."""
    labels = f"le{by and f',{by}'}"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket{of}[{WINDOW}])))"


EACH: Final = "namespace,simulation"
LATENCY: Final = "diurnal_worker_publish_latency_seconds"
DURATION: Final = "diurnal_operator_reconcile_duration_seconds"
USD_A_DAY: Final = "* 86400 / 1024^4 * 40"

NOW: Final = Row(
    "Now",
    (
        stat("Simulated time", "date", f"{operator('clock_timestamp_seconds')} * 1000",
             "Every event before it is acknowledged."),
        stat("Speed", "speed", operator("speed_ratio"), "Simulated seconds a real second, lately."),
        Panel("State", "count", {"{{simulation}}: {{state}}": operator("state")},
              "The word that `kubectl get tsim` shows.", "stat", 4, 4, {"textMode": "name"}),
        stat("Ready", "share", f"{operator('ready_shards')} / ({operator('shards')} > 0)",
             "Shards whose worker is ready, of those that spec asks for."),
        stat("Messages", "count", operator("spent_messages"), "Messages of the run, repeats included."),
        stat("Spent", "usd", operator("spent_usd"), "What publishing the run has cost."),
    ),
)  # fmt: skip
TRAFFIC: Final = Row(
    "Traffic",
    (
        Panel("Messages a second: expected and achieved", "rate", {
            f"achieved {OF_EACH}": rate("messages_published_total", EACH),
            f"expected {OF_EACH}": f"sum by ({EACH}) (diurnal_worker_expected_messages_per_second{{{THIS}}})",
            f"limit {OF_EACH}": f"max by ({EACH}) (diurnal_worker_limit_messages_per_second{{{THIS}}})",
        }, "In real time. Achieved below expected: the workers or the sink are too slow.", width=12),
        Panel("Intensity", "rate", {
            f"world {OF_EACH}":
                f"max by ({EACH}) (diurnal_worker_intensity_events_per_simulated_second{{{THIS}}})",
        }, "Events a simulated second: the shape of the day, at any speed.", width=12),
        Panel("Generated and published", "rate", {
            f"generated {OF_EACH}": rate("events_generated_total", EACH),
            f"published {OF_EACH}": rate("messages_published_total", EACH),
        }, "They part where events wait for their turn or for an answer."),
        Panel("Speed", "speed", {OF_EACH: operator("speed_ratio")},
              "Simulated seconds a real second. Under a budget it falls where the world is awake."),
        Panel("By shard", "rate", {
            "{{simulation}} {{shard}}": rate("messages_published_total", f"{EACH},shard"),
        }, "Shards own equal parts of the users: one that differs has a problem of its own."),
    ),
)  # fmt: skip
CLOCK: Final = Row(
    "Simulated clock",
    (
        Panel("Clock", "date", {OF_EACH: f"{operator('clock_timestamp_seconds')} * 1000"},
              "A straight line is a steady speed; a flat one stands still."),
        Panel("Skew between shards", "seconds", {
            f"apart {OF_EACH}":
                f"max by ({EACH}) (diurnal_worker_simulation_timestamp_seconds{{{THIS}}})"
                f" - min by ({EACH}) (diurnal_worker_simulation_timestamp_seconds{{{THIS}}})",
            f"bound {OF_EACH}": f"max by ({EACH}) (diurnal_worker_skew_limit_seconds{{{THIS}}})",
        }, "Simulated time between the first and the last shard. Leaders wait beyond the bound."),
        Panel("Lag behind real time", "seconds", {OF_EACH: f"time() - {operator('clock_timestamp_seconds')}"},
              "For live traffic (maxSpeed 1, start Now): how far its clock is behind the wall clock."),
        Panel("Sent, not acknowledged", "seconds", {
            "{{simulation}} {{shard}}":
                f"diurnal_worker_sent_timestamp_seconds{{{THIS}}}"
                f" - diurnal_worker_simulation_timestamp_seconds{{{THIS}}}",
        }, "Simulated time that is on its way or waits for a checkpoint.", width=12),
        Panel("Promised, not sent", "seconds", {
            "{{simulation}} {{shard}}":
                f"diurnal_worker_reach_timestamp_seconds{{{THIS}}}"
                f" - diurnal_worker_sent_timestamp_seconds{{{THIS}}}",
        }, "What may be repeated after a crash lies between checkpoint and promise.", width=12),
    ),
)  # fmt: skip
BUDGET: Final = Row(
    "Budget",
    (
        Panel("What holds the workers back", "share", {
            "{{simulation}} {{by}}":
                f"avg by ({EACH},by) (rate(diurnal_worker_throttled_seconds_total{{{THIS}}}[{WINDOW}]))",
        }, "Share of real time without sending, by reason."),
        Panel("Behind the pace", "share", {OF_EACH: rate("slipped_seconds_total", EACH)},
              "Real seconds a second that are given up because workers or sink are too slow."),
        Panel("US dollars a day", "usd", {
            f"now {OF_EACH}": f"{rate('billed_bytes_total', EACH)} {USD_A_DAY}",
            f"limit {OF_EACH}": operator("limit_usd_per_day"),
        }, "Billed bytes at 40 US dollars a TiB; without the free 10 GiB a month."),
        Panel("Spent of the totals", "share", {
            f"messages {OF_EACH}": f"{operator('spent_messages')} / {operator('limit_messages')}",
        }, "At 1 the run ends as BudgetExhausted. Runs without a total do not show."),
        Panel("Spent", "usd", {OF_EACH: operator("spent_usd")}, "Of the run, earlier epochs included."),
        Panel("Billed bytes", "bytes", {OF_EACH: operator("spent_billed_bytes")},
              "Of the run, as Pub/Sub counts them: at least 1,000 for a request."),
    ),
)  # fmt: skip
PUBLISHING: Final = Row(
    "Publishing",
    (
        Panel("Errors", "rate", {
            "{{simulation}} {{reason}}": rate("publish_errors_total", f"{EACH},reason"),
        }, "Failed requests a second, by reason. Transient ones are tried again."),
        Panel("Latency", "seconds", {
            "p50": quantile(0.5, LATENCY, f"{{{THIS}}}"),
            "p95": quantile(0.95, LATENCY, f"{{{THIS}}}"),
            "p99": quantile(0.99, LATENCY, f"{{{THIS}}}"),
        }, "From sending a request to its acknowledgement."),
        Panel("Sent more than once", "rate", {
            OF_EACH: f"clamp_min({rate('messages_attempted_total', EACH)}"
                     f" - {rate('messages_published_total', EACH)}, 0)",
        }, "Messages in attempts that were not acknowledged: they may arrive twice, with one id."),
        Panel("Bytes", "bytes/s", {
            f"acknowledged {OF_EACH}": rate("published_bytes_total", EACH),
            f"billed {OF_EACH}": rate("billed_bytes_total", EACH),
        }, "Billed far above acknowledged: small requests, or many attempts.", width=12),
        Panel("Countries", "rate", {
            "{{country}}":
                f"topk(12, sum by (country) (rate(diurnal_worker_country_events_total{{{THIS}}}[{WINDOW}])))",
        }, "The twelve busiest. Only where the operator has DIURNAL_COUNTRY_METRICS=1.", width=12),
    ),
)  # fmt: skip
WORKERS: Final = Row(
    "Workers",
    (
        Panel("What they do", "count", {
            "{{simulation}} {{state}}": f"sum by ({EACH},state) (diurnal_worker_state{{{THIS}}})",
        }, "Workers by state."),
        Panel("Leases held", "count", {
            f"held {OF_EACH}": f"sum by ({EACH}) (diurnal_worker_lease_held{{{THIS}}})",
            f"workers {OF_EACH}": f"count by ({EACH}) (diurnal_worker_lease_held{{{THIS}}})",
        }, "Each shard has one holder; who holds none sends nothing."),
        Panel("Lease left", "seconds", {
            "{{simulation}} {{shard}}": f"diurnal_worker_lease_remaining_seconds{{{THIS}}}",
        }, "A saw between 15 and 10 s. Near 0 the API server does not answer; at 0 the worker pauses."),
        Panel("CPU", "speed", {
            "{{simulation}} {{shard}}": f"rate(process_cpu_seconds_total{{{WORKER}}}[{WINDOW}])",
        }, "Cores. A worker uses one at most."),
        Panel("Memory", "bytes", {"{{simulation}} {{shard}}": f"process_resident_memory_bytes{{{WORKER}}}"},
              "Does not grow with the number of users or of events."),
        Panel("Checkpoints and API errors", "ops", {
            f"checkpoints {OF_EACH}": rate("checkpoints_total", EACH),
            "errors {{code}}": rate("api_errors_total", f"{EACH},code"),
        }, "Checkpoints come every 5 s from each shard. Code 0 or none: no answer."),
    ),
)  # fmt: skip
OPERATOR: Final = Row(
    "Operator",
    (
        Panel("Looks", "ops", {
            "{{outcome}}": f"sum by (outcome) (rate(diurnal_operator_reconciles_total[{WINDOW}]))",
        }, "Reconciles by what came of them."),
        Panel("Duration of a look", "seconds", {
            "p50": quantile(0.5, DURATION, ""), "p95": quantile(0.95, DURATION, ""),
        }, "Reads and writes included."),
        Panel("Queue", "seconds", {
            "oldest": "max(diurnal_operator_queue_oldest_seconds)",
            "longest look": "max(diurnal_operator_longest_reconcile_seconds)",
        }, "Over two minutes the operator restarts itself."),
        Panel("Waiting and served", "count", {
            "waiting": "sum(diurnal_operator_queue_depth)", "served": "max(diurnal_operator_simulations)",
            "leading": "sum(diurnal_operator_leading)",
        }, "One operator leads."),
        Panel("Requests to the API server", "ops", {
            "{{method}} {{code}}":
                f"sum by (method,code) (rate(diurnal_operator_api_requests_total[{WINDOW}]))",
        }, "409 is a lost race, which is looked at again."),
        Panel("Failed requests", "ops", {
            "{{method}} {{code}}":
                f"sum by (method,code) (rate(diurnal_operator_api_errors_total[{WINDOW}]))",
            "watch {{resource}}": f"sum by (resource) (rate(diurnal_operator_watch_events_total[{WINDOW}]))",
        }, "By method and code; beside them what the watch tells of."),
        Panel("Conditions", "count", {
            "{{simulation}} {{condition}}":
                'diurnal_operator_simulation_condition{namespace=~"$namespace",simulation=~"$simulation"}',
        }, "1 where the condition is True.", width=12),
        Panel("Ceilings", "rate", {
            "limits together": "sum(diurnal_operator_simulation_limit_messages_per_second)",
            "ceiling": "max(diurnal_operator_ceiling_messages_per_second)",
        }, "What all simulations may send together, where the operator has a ceiling.", width=12),
    ),
)  # fmt: skip
ROWS: Final = (NOW, TRAFFIC, CLOCK, BUDGET, PUBLISHING, WORKERS, OPERATOR)


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards)."""
    return {
        "uid": "diurnal",
        "title": "Diurnal",
        "description": "Simulated traffic: the clock, the rate, what it costs, and who keeps it going.",
        "tags": ["diurnal", "pubsub"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *map(_variable, ("namespace", "simulation"))]},
        "panels": list(_laid_out()),
    }


def _laid_out() -> Iterator[dict[str, Any]]:
    """Rows from top to bottom, the panels of each from left to right."""
    number, top = 1, 0
    for row in ROWS:
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [],
               "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top}}  # fmt: skip
        number, top, left, lowest = number + 1, top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left = top + lowest, 0
            yield _panel(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": top})
            number, left, lowest = number + 1, left + panel.width, panel.height
        top += lowest


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    instant = panel.kind == "stat"
    targets = [
        {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": query, "legendFormat": legend,
         "instant": instant, "range": not instant}
        for i, (legend, query) in enumerate(panel.queries.items())
    ]  # fmt: skip
    figures = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", **panel.options}
    lines = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.note,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": UNITS[panel.unit]}, "overrides": []},
        "options": figures if instant else lines,
        "targets": targets,
    }


_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def _source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(label: str) -> dict[str, Any]:
    chosen = '{namespace=~"$namespace"}' if label == "simulation" else ""
    return {
        "name": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": f"label_values(diurnal_operator_simulation_state{chosen}, {label})",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1)
    sys.stdout.write("\n")

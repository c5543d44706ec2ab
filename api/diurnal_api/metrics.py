"""The metrics of worker and operator, by name: what dashboards and alerts may rely on.

Declared here once, so that the code which fills them, docs/metrics.md, the dashboard and the alert rules
cannot disagree. Names follow https://prometheus.io/docs/practices/naming/: a prefix for the program, base
units, `_total` for what only grows. Times of simulations are Unix times, like those of the machine.

Which simulation and shard a worker's series belong to, its pod's labels say: the scrape configuration makes
the labels `namespace`, `simulation` and `shard` of them (manifests/monitoring).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Family:
    """All series of one name. ``optional`` says what has to be set for it to be there at all."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    optional: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it is queried."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _worker(name: str, kind: Kind, text: str, *labels: str, **more: object) -> Family:
    return Family(f"diurnal_worker_{name}", kind, text, labels, **more)  # type: ignore[arg-type]


def _operator(name: str, kind: Kind, text: str, *labels: str, **more: object) -> Family:
    return Family(f"diurnal_operator_{name}", kind, text, labels, **more)  # type: ignore[arg-type]


def _simulation(name: str, text: str, *labels: str) -> Family:
    return _operator(f"simulation_{name}", "gauge", text, "namespace", "simulation", *labels)


LATENCY_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, in seconds, of the buckets of latencies and durations; one more takes the rest."""

STATES: Final = ("waiting", "publishing", "paused", "completed", "budget_exhausted", "failed", "stopped")
"""What a worker may be doing."""

BRAKES: Final = ("budget", "max_speed", "skew", "sink")
"""What a worker may be held back by: the budget, spec.clock.maxSpeed, slower shards, or where events go."""

# The worker: what it made and sent. Counters begin at 0 with every process.
EVENTS_GENERATED = _worker("events_generated_total", "counter", "Events that were drawn.")
MESSAGES_PUBLISHED = _worker(
    "messages_published_total", "counter", "Messages that the sink acknowledged, repeats included."
)
PUBLISHED_BYTES = _worker("published_bytes_total", "counter", "Bytes of acknowledged requests.")
MESSAGES_ATTEMPTED = _worker(
    "messages_attempted_total", "counter", "Messages in all requests that were sent, repeated ones too."
)
BILLED_BYTES = _worker(
    "billed_bytes_total", "counter", "Bytes that Pub/Sub bills for all requests that were sent."
)
PUBLISH_ERRORS = _worker(
    "publish_errors_total", "counter", "Requests to the sink that failed, each attempt, by reason.", "reason"
)
PUBLISH_LATENCY = _worker(
    "publish_latency_seconds",
    "histogram",
    "Time from sending a request to its acknowledgement.",
    buckets=LATENCY_BOUNDS,
)
COUNTRY_EVENTS = _worker(
    "country_events_total",
    "counter",
    "Events handed to the sink, by country (ISO 3166-1 alpha-3).",
    "country",
    optional="DIURNAL_COUNTRY_METRICS=1 in the operator's environment",
)

# The worker: its pace.
THROTTLED = _worker(
    "throttled_seconds_total", "counter", "Real time for which nothing was sent, by what held it back.", "by"
)
SLIPPED = _worker(
    "slipped_seconds_total",
    "counter",
    "Real time by which the worker fell behind its pace: such time is given up, not sprinted after.",
)
EXPECTED_RATE = _worker(
    "expected_messages_per_second",
    "gauge",
    "Messages a real second that this shard should send now; absent where nothing limits it.",
)
LIMIT_RATE = _worker(
    "limit_messages_per_second",
    "gauge",
    "Budget of all shards together, messages a real second; absent where it is Unlimited.",
)
INTENSITY = _worker(
    "intensity_events_per_simulated_second",
    "gauge",
    "Events a simulated second that the whole world expects at this shard's clock.",
)
SIMULATION_TIME = _worker(
    "simulation_timestamp_seconds",
    "gauge",
    "Simulated time before which this shard's events are all acknowledged.",
)
SENT_TIME = _worker(
    "sent_timestamp_seconds", "gauge", "Simulated time before which this shard's events are all sent."
)
REACH_TIME = _worker(
    "reach_timestamp_seconds",
    "gauge",
    "Simulated time that this shard promised not to pass before its next checkpoint.",
)
SKEW_LIMIT = _worker(
    "skew_limit_seconds", "gauge", "Simulated time by which a shard may be before the slowest one."
)
SPENT_MESSAGES = _worker(
    "spent_messages", "gauge", "Messages of this shard in this epoch, those of earlier pods included."
)
SPENT_BYTES = _worker("spent_billed_bytes", "gauge", "Billed bytes of the same.")

# The worker: its place in the cluster.
STATE = _worker("state", "gauge", "1 for what the worker is doing now, 0 for all else.", "state")
LEASE_HELD = _worker("lease_held", "gauge", "1 while the worker holds its shard's Lease.")
LEASE_LEFT = _worker(
    "lease_remaining_seconds", "gauge", "Time until which nobody else can hold the Lease; 0 without one."
)
CHECKPOINTS = _worker("checkpoints_total", "counter", "Checkpoints that were stored in the Lease.")
WORKER_API_ERRORS = _worker(
    "api_errors_total", "counter", "Requests to the API server that failed, by status code.", "code"
)
WORKER_INFO = _worker(
    "info", "gauge", "1; what the worker obeys is in the labels.", "run", "epoch", "engine", "tzdata"
)

# The operator: its work.
LEADING = _operator("leading", "gauge", "1 while this operator leads.")
RECONCILES = _operator("reconciles_total", "counter", "Looks at a simulation, by what came of it.", "outcome")
RECONCILE_DURATION = _operator(
    "reconcile_duration_seconds",
    "histogram",
    "Duration of one look at a simulation, reads and writes included.",
    buckets=LATENCY_BOUNDS,
)
QUEUE_DEPTH = _operator("queue_depth", "gauge", "Simulations that are due and wait for a look.")
QUEUE_AGE = _operator(
    "queue_oldest_seconds", "gauge", "For how long the simulation that waits longest has been due."
)
WORK_AGE = _operator(
    "longest_reconcile_seconds", "gauge", "For how long the look that takes longest has been going on."
)
API_REQUESTS = _operator(
    "api_requests_total",
    "counter",
    "Requests to the API server that were answered, by method and status code.",
    "method",
    "code",
)
API_ERRORS = _operator(
    "api_errors_total",
    "counter",
    "Requests to the API server that failed, by method and status code; code none is no answer.",
    "method",
    "code",
)
WATCH_EVENTS = _operator(
    "watch_events_total", "counter", "Changes that the watch told of, by resource.", "resource"
)
SERVED = _operator("simulations", "gauge", "Simulations that the operator serves.")
CEILING_RATE = _operator(
    "ceiling_messages_per_second", "gauge", "Ceiling over all simulations; absent where there is none."
)
CEILING_USD = _operator(
    "ceiling_usd_per_day", "gauge", "Ceiling over all simulations; absent where there is none."
)
OPERATOR_INFO = _operator(
    "info", "gauge", "1; what new runs are pinned to is in the labels.", "engine", "tzdata", "worker_image"
)

# The operator: every simulation by its status, as new as the last status (10 s).
SIMULATION_STATE = _simulation("state", "1, with the one word that `kubectl get tsim` shows.", "state")
SIMULATION_CONDITION = _simulation("condition", "1 where the condition is True, else 0.", "condition")
SIMULATION_SHARDS = _simulation("shards", "Shards that spec asks for.")
SIMULATION_READY = _simulation("ready_shards", "Shards whose worker is ready.")
SIMULATION_CLOCK = _simulation("clock_timestamp_seconds", "Simulated time that every slot has reached.")
SIMULATION_SPEED = _simulation("speed_ratio", "Simulated seconds a real second, lately.")
SIMULATION_EXPECTED = _simulation(
    "expected_messages_per_second",
    "Messages a real second that the plan allows for on the average; absent where nothing limits them.",
)
SIMULATION_ACHIEVED = _simulation(
    "achieved_messages_per_second", "Messages a real second that were acknowledged, lately."
)
SIMULATION_SPENT_MESSAGES = _simulation("spent_messages", "Messages of the run, repeats included.")
SIMULATION_SPENT_BYTES = _simulation("spent_billed_bytes", "Bytes of the run that Pub/Sub bills.")
SIMULATION_SPENT_USD = _simulation("spent_usd", "What publishing the run has cost, in US dollars.")
SIMULATION_LIMIT_MESSAGES = _simulation(
    "limit_messages", "Messages at which the plan ends the run; absent where there is no total."
)
SIMULATION_LIMIT_RATE = _simulation(
    "limit_messages_per_second", "Budget of messages a real second; absent where it is Unlimited."
)
SIMULATION_LIMIT_USD_A_DAY = _simulation(
    "limit_usd_per_day", "spec.budget.maxUSDPerDay; absent where it is not set."
)
SIMULATION_USERS = _simulation("users", "Simulated users.")

WORKER: Final[tuple[Family, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Family) and "_worker_" in value.name
)
OPERATOR: Final[tuple[Family, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Family) and "_operator_" in value.name
)

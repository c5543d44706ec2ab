"""The operator's metrics: its own work as it happens, and every simulation by its last status.

What a simulation's series say is what its status says, so that a dashboard and `kubectl get tsim` agree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from diurnal_api import metrics as families
from diurnal_api.instants import parse_instant
from diurnal_operator.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from diurnal_api.metrics import Family
    from diurnal_operator.observation import Object
    from diurnal_operator.queue import KeyQueue

Key = tuple[str, str]


class Metrics(Collector):
    """Told of each request, look and status; ``clock`` is the one of the queue."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._queue: KeyQueue[Key] | None = None
        self._simulations: dict[Key, Object] = {}
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._errors: Counter[tuple[str, ...]] = Counter()
        self._looks: Counter[tuple[str, ...]] = Counter()
        self._watched: Counter[tuple[str, ...]] = Counter()
        self.leading = False
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        self._durations = [0] * (len(families.LATENCY_BOUNDS) + 1)
        self._seconds = 0.0

    def work_on(self, queue: KeyQueue[Key]) -> None:
        """Tells of this queue from now on."""
        self._queue = queue

    def requested(self, method: str, code: int | None) -> None:
        """A request to the API server was answered so, or not at all."""
        labels = (method, "none" if code is None else str(code))
        if code is None or code >= 400:
            self._errors[labels] += 1
        if code is not None:
            self._requests[labels] += 1

    def watched(self, resource: str) -> None:
        """The watch told of a change."""
        self._watched[resource,] += 1

    def looked(self, outcome: str, seconds: float) -> None:
        """A look at a simulation ended so, and took so long."""
        self._looks[outcome,] += 1
        self._durations[bisect_left(families.LATENCY_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def saw(self, key: Key, simulation: Object | None, status: Object | None = None) -> None:
        """A simulation as it was read, with the status that was written since; None where it is gone."""
        if simulation is None:
            self._simulations.pop(key, None)
        else:
            spec = {name: simulation["spec"].get(name) for name in ("shards", "budget")}
            self._simulations[key] = {"spec": spec, "status": status or simulation.get("status") or {}}

    def collect(self) -> Iterator[Metric]:
        """All series, of this moment."""
        settings = self._settings
        labels = (settings.engine, settings.tzdata, settings.worker_image)
        yield _series(families.OPERATOR_INFO, {labels: 1})
        yield _series(families.LEADING, {(): self.leading})
        yield _series(families.RECONCILES, self._looks)
        yield self._duration()
        yield _series(families.API_REQUESTS, self._requests)
        yield _series(families.API_ERRORS, self._errors)
        yield _series(families.WATCH_EVENTS, self._watched)
        yield _series(families.SERVED, {(): len(self._simulations)})
        yield _series(families.CEILING_RATE, _where_set(settings.ceilings.messages_per_second))
        yield _series(families.CEILING_USD, _where_set(settings.ceilings.usd_per_day))
        yield from self._waiting()
        yield from _by_simulation(self._simulations)

    def _duration(self) -> Metric:
        bounds = [*map(str, families.LATENCY_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._durations), strict=True))
        family = families.RECONCILE_DURATION
        found = HistogramMetricFamily(family.name, family.help)
        found.add_metric([], buckets, self._seconds)
        return found

    def _waiting(self) -> Iterator[Metric]:
        now, queue = self._clock(), self._queue
        yield _series(families.QUEUE_DEPTH, {(): queue.depth(now) if queue else 0})
        yield _series(families.QUEUE_AGE, {(): max(queue.most_overdue(now), 0.0) if queue else 0.0})
        yield _series(families.WORK_AGE, {(): queue.longest_work(now) if queue else 0.0})


def figures(spec: Object, status: Object) -> dict[Family, float | None]:
    """The numbers of one simulation, None where it does not say."""
    plan, clock = status.get("plan") or {}, status.get("clock") or {}
    pace, rate, spent = plan.get("pace") or {}, status.get("rate") or {}, status.get("spent") or {}
    return {
        families.SIMULATION_SHARDS: spec.get("shards"),
        families.SIMULATION_READY: status.get("readyShards"),
        families.SIMULATION_CLOCK: _unix(clock.get("time")),
        families.SIMULATION_SPEED: clock.get("speed"),
        families.SIMULATION_EXPECTED: rate.get("expected"),
        families.SIMULATION_ACHIEVED: rate.get("achieved"),
        families.SIMULATION_SPENT_MESSAGES: spent.get("messages"),
        families.SIMULATION_SPENT_BYTES: spent.get("bytes"),
        families.SIMULATION_SPENT_USD: spent.get("usd"),
        families.SIMULATION_LIMIT_MESSAGES: pace.get("maxMessages"),
        families.SIMULATION_LIMIT_RATE: pace.get("messagesPerSecond"),
        families.SIMULATION_LIMIT_USD_A_DAY: (spec.get("budget") or {}).get("maxUSDPerDay"),
        families.SIMULATION_USERS: status.get("users"),
    }


def _by_simulation(simulations: Mapping[Key, Object]) -> Iterator[Metric]:
    known = list(simulations.items())
    numbers = {key: figures(seen["spec"], seen["status"]) for key, seen in known}
    for family in figures({}, {}):
        values = {key: found[family] for key, found in numbers.items()}
        yield _series(family, {key: float(v) for key, v in values.items() if v is not None})
    yield _series(families.SIMULATION_STATE, dict(_states(known)))
    yield _series(families.SIMULATION_CONDITION, dict(_conditions(known)))


def _states(known: list[tuple[Key, Object]]) -> Iterator[tuple[tuple[str, ...], bool]]:
    for key, seen in known:
        if state := seen["status"].get("state"):
            yield (*key, str(state)), True


def _conditions(known: list[tuple[Key, Object]]) -> Iterator[tuple[tuple[str, ...], bool]]:
    for key, seen in known:
        for condition in seen["status"].get("conditions") or ():
            yield (*key, condition["type"]), condition["status"] == "True"


def _series(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    kind: Any = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    found: CounterMetricFamily | GaugeMetricFamily = kind(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        found.add_metric(labels, float(value))
    return found


def _where_set(value: float | None) -> dict[tuple[str, ...], float]:
    return {} if value is None else {(): value}


def _unix(text: str | None) -> float | None:
    """Seconds since 1970 of a time of the status."""
    return None if text is None else parse_instant(text) / 1e6

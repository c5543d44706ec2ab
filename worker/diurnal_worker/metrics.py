"""The worker's metrics, read off its shard, sink and Lease when Prometheus asks; nothing is counted twice.

`collect` runs in the thread that answers, and only reads plain numbers. The one figure that takes some
computing, the intensity, is computed now and then by the worker's own thread, whose caches it uses.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from diurnal_api import metrics as families
from diurnal_api.layout import earliest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from diurnal_api.metrics import Family
    from diurnal_worker.shard import Shard
    from diurnal_worker.sinks.counters import Counters
    from diurnal_worker.tenure import Tenure

_SECOND: Final = 1e6
_INTENSITY_EVERY: Final = 5.0


class Metrics(Collector):
    """What a worker tells. It is told the worker's ``state``, and whom to read: ``follow`` and ``hold``."""

    def __init__(self, api_errors: Mapping[int, int] | None = None) -> None:
        """``api_errors``: failed requests to the API server by status code, which somebody else counts."""
        self.state = "waiting"
        self._api_errors = api_errors if api_errors is not None else {}
        self._shard: Shard | None = None
        self._tenure: Tenure | None = None
        self._intensity: float | None = None
        self._intensity_due = float("-inf")
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def hold(self, tenure: Tenure) -> None:
        """Tells of this Lease from now on."""
        self._tenure = tenure

    def follow(self, shard: Shard) -> None:
        """Tells of this shard from now on; its counters begin at 0."""
        self._shard, self._intensity_due = shard, float("-inf")

    def sample(self, now: float) -> None:
        """Computes, where it is due, what `collect` may not compute in another thread."""
        if self._shard is not None and now >= self._intensity_due:
            self._intensity = _intensity(self._shard)
            self._intensity_due = now + _INTENSITY_EVERY

    def collect(self) -> Iterator[Metric]:
        """All series; those of a shard once there is one."""
        yield _labelled(families.STATE, {(name,): name == self.state for name in families.STATES})
        yield _labelled(
            families.WORKER_API_ERRORS,
            {(str(code or "none"),): n for code, n in dict(self._api_errors).items()},
        )
        yield from self._lease()
        if self._shard is not None:
            yield from _work(self._shard)
            yield from _counted(self._shard.sink.counters)
            yield from self._pace(self._shard)

    def _lease(self) -> Iterator[Metric]:
        tenure = self._tenure
        yield _one(families.LEASE_HELD, tenure is not None and tenure.held)
        yield _one(families.LEASE_LEFT, max(tenure.seconds_left(), 0.0) if tenure is not None else 0.0)

    def _pace(self, shard: Shard) -> Iterator[Metric]:
        yield _labelled(families.THROTTLED, {(brake,): n for brake, n in shard.account.held_back.items()})
        yield _one(families.SLIPPED, shard.slipped)
        yield from _some(families.EXPECTED_RATE, shard.account.expected_rate)
        yield from _some(families.LIMIT_RATE, shard.plan.pace.messages_per_second)
        yield from _some(families.INTENSITY, self._intensity)


def _work(shard: Shard) -> Iterator[Metric]:
    """What a shard made, and where it stands."""
    yield _one(families.EVENTS_GENERATED, shard.account.generated)
    yield _one(families.CHECKPOINTS, shard.account.checkpoints)
    if shard.countries is not None:
        yield _labelled(families.COUNTRY_EVENTS, {(c,): n for c, n in shard.countries.seen().items()})
    yield _one(families.SIMULATION_TIME, earliest(shard.position) / _SECOND)
    yield _one(families.SENT_TIME, shard.frontier / _SECOND)
    yield _one(families.REACH_TIME, shard.promised / _SECOND)
    yield _one(families.SKEW_LIMIT, float(shard.plan.pace.skew_seconds))
    yield _one(families.SPENT_MESSAGES, shard.spent.messages)
    yield _one(families.SPENT_BYTES, shard.spent.billed_bytes)
    plan = shard.plan
    yield _labelled(families.WORKER_INFO, {(plan.run, str(plan.epoch), plan.engine, plan.tzdata): 1})


def _counted(counters: Counters) -> Iterator[Metric]:
    """What went to the sink, and how it answered."""
    yield _one(families.MESSAGES_PUBLISHED, counters.messages)
    yield _one(families.PUBLISHED_BYTES, counters.bytes)
    yield _one(families.MESSAGES_ATTEMPTED, counters.attempted_messages)
    yield _one(families.BILLED_BYTES, counters.billed_bytes)
    yield _labelled(families.PUBLISH_ERRORS, {(reason,): n for reason, n in dict(counters.errors).items()})
    cumulated = list(accumulate(counters.latencies))
    bounds = [*map(str, families.LATENCY_BOUNDS), "+Inf"]
    histogram = HistogramMetricFamily(families.PUBLISH_LATENCY.name, families.PUBLISH_LATENCY.help)
    histogram.add_metric([], list(zip(bounds, cumulated, strict=True)), counters.latency_seconds)
    yield histogram


def _intensity(shard: Shard) -> float | None:
    """Events a simulated second of the whole world where the shard sends; None after the end."""
    timeline = shard.workshop.timeline
    here = timeline.stretch_at(shard.frontier)
    if here is None:
        return None
    return float(timeline.intensity(here.regime).world_rate(np.array([shard.frontier]))[0])


def _labelled(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    kind: Any = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    found: CounterMetricFamily | GaugeMetricFamily = kind(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        found.add_metric(labels, float(value))
    return found


def _one(family: Family, value: float) -> Metric:
    return _labelled(family, {(): value})


def _some(family: Family, value: float | None) -> Iterator[Metric]:
    """The series, where there is such a value."""
    if value is not None:
        yield _one(family, float(value))

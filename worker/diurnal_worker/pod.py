"""A worker in a pod: obeys its simulation's plan, holds its Lease, publishes its slots.

It exits on SIGTERM alone: whatever else ends its work (a seal, another plan, the run's end, a permanent
error) is written down and waited out, for a Deployment would only restart it. Exit codes: 0 drained and
released, 75 stopped with something unacknowledged, which the next worker sends again.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from diurnal_api.plan import DatasetRef
from diurnal_api.population import COUNTRIES_FOLDER
from diurnal_worker import ENGINE
from diurnal_worker.account import CountryCounts
from diurnal_worker.apiserver import ApiServer, KubernetesApi, MissingError, UnavailableError
from diurnal_worker.beginning import Memory, beginning
from diurnal_worker.checkpoints import StoreUnavailableError, position_texts
from diurnal_worker.dataset import Dataset, DatasetError
from diurnal_worker.hastening import hasten
from diurnal_worker.lookout import Lookout
from diurnal_worker.machine_clock import BootClock
from diurnal_worker.metrics import Metrics
from diurnal_worker.obeying import Identity, Orders, OtherEngineError, Slowest, check_engine, orders
from diurnal_worker.probes import Health, serve
from diurnal_worker.shard import Settings, Shard
from diurnal_worker.sinks import PermanentSinkError
from diurnal_worker.sources import drift, load
from diurnal_worker.stopping import Stop
from diurnal_worker.tenure import LeaseLostError, Tenure
from diurnal_worker.workshop import build_workshop
from diurnal_worker.zonefiles import TZDATA_VERSION
from diurnal_worker.zones import UnknownOffsetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from diurnal_api.plan import Plan
    from diurnal_worker.checkpoints import Checkpoint
    from diurnal_worker.shard import Clock


DRAINED: Final = 0
UNACKNOWLEDGED: Final = 75
_MARGIN: Final = 2 / 15  # of a lease: what an attempt must end before its deadline


_STATES: Final = {
    "api_server_unavailable": "waiting",
    "lease_lost": "waiting",
    "Completed": "completed",
    "BudgetExhausted": "budget_exhausted",
}
"""The states of the metrics for what is logged under another name."""


@dataclass(frozen=True)
class Timing:
    """Every wait of a worker, in seconds; settings, so that tests scale them."""

    lease: float = 15.0
    checkpoint: float = 5.0
    poll: float = 1.0
    look: float = 5.0
    retry: float = 30.0
    drain: float = 30.0
    dataset: float = 300.0

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Timing:
        """Times of the environment, where it says any; the others follow from the lease."""

        def seconds(name: str, default: float) -> float:
            return float(environment.get(f"DIURNAL_{name}_SECONDS", default))

        lease = seconds("LEASE", 15.0)
        return Timing(
            lease,
            min(seconds("CHECKPOINT", lease / 3), lease / 2),
            seconds("POLL", lease / 15),
            seconds("LOOK", lease / 3),
            seconds("RETRY", 2 * lease),
            seconds("DRAIN", 2 * lease),
            seconds("DATASET", 300.0),
        )

    def among(self, shards: int) -> Timing:
        """Checkpoints and looks grow rarer above some 200 shards, for the API server's sake."""
        rarer = min(max(shards / 200, 1.0), 2.0)
        checkpoint = min(self.checkpoint * rarer, max(self.lease / 2, self.checkpoint))
        return replace(self, checkpoint=checkpoint, look=self.look * rarer)

    @property
    def request(self) -> float:
        """How long an answer of the API server is waited for: twice at least while a lease lasts."""
        return max(self.lease / 5, 1.0)


class PodWorker:
    """The life of one worker."""

    def __init__(
        self,
        me: Identity,
        api: ApiServer,
        clock: Clock,
        timing: Timing,
        stopped: Stop,
        *,
        by_country: bool = False,
        mounted: str = COUNTRIES_FOLDER,
    ) -> None:
        self.me, self.api, self.clock, self.timing, self.stopped = me, api, clock, timing, stopped
        self._timing_alone = timing
        self.health, self.metrics = Health(), Metrics(getattr(api, "errors", None))
        self._by_country, self._mounted = by_country, mounted
        self._slowest = Slowest()
        self._memory = Memory()
        self._lookout: Lookout | None = None
        self._looked_at = float("-inf")
        self._log = structlog.get_logger().bind(
            simulation=f"{me.namespace}/{me.name}", shard=me.shard, epoch=me.epoch
        )
        self._said = ""

    def run(self) -> int:
        """Works until stopped; returns the process's exit code."""
        while not self.stopped.is_set():
            self.health.beat = self.clock.monotonic()
            try:
                if self._look().plan is not None and (code := self._hold_and_publish()) is not None:
                    return code
            except UnavailableError as error:
                self._say("api_server_unavailable", str(error))
            self.health.ready = False
            self.stopped.wait(self.timing.poll)
        return DRAINED

    def _look(self) -> Orders:
        """Reads the simulation: the plan to obey, or none for this worker."""
        try:
            found = orders(self.api.simulation(self.me.name), self.me)
        except MissingError:
            found = Orders(None, "the simulation is gone")
        now = self.clock.monotonic()
        self._looked_at = now
        self._slowest.observe(found.slowest, now)
        if found.plan is None:
            self._say("waiting", found.why)
        else:
            self.timing = self._timing_alone.among(int(found.plan.shards))
        return found

    def _hold_and_publish(self) -> int | None:
        """Takes the Lease and publishes under it; None where it is to be tried again."""
        tenure = Tenure(
            self.api,
            self.me.lease,
            self.me.pod,
            self.clock,
            self.timing.lease,
            lambda: self._slowest.at(self.clock.monotonic()),
        )
        while not self.stopped.is_set():
            self.health.beat = self.clock.monotonic()
            refused = tenure.acquire(self.timing.poll)
            if refused is None:
                break
            self._say("waiting", refused.why)
            if refused.final:
                return None
            self.stopped.wait(refused.wait)
        if not tenure.held:
            return DRAINED
        try:
            found = self._look()  # what was read before the Lease was taken may be old by now
            return self._publish(found.plan, found.observed, tenure) if found.plan is not None else None
        except LeaseLostError as error:
            self._say("lease_lost", str(error))
            return UNACKNOWLEDGED if self.stopped.is_set() else None
        finally:
            tenure.release()

    def _publish(self, plan: Plan, observed: tuple[str, ...], tenure: Tenure) -> int | None:
        self.metrics.hold(tenure)
        begin = self._begin(plan, observed, tenure)
        try:
            check_engine(plan, ENGINE, TZDATA_VERSION)
            if plan.dataset is None and begin.dataset is not None:  # what it said before it was restarted
                plan = plan.model_copy(update={"dataset": begin.dataset})
            known = self._await_dataset(plan, begin, tenure)
            if known is None:
                return None
            dataset = self._dataset(known)
            with closing(self._sink(known, tenure)) as sink:
                shard = self._shard(known, dataset, sink, tenure, begin)
                with self._watching(known, shard):
                    return self._drive(shard, tenure)
        except (DatasetError, OtherEngineError, PermanentSinkError, UnknownOffsetError) as error:
            now = self._begin(plan, observed, tenure)
            self._record_failure(now, tenure, getattr(error, "reason", "Failed"), str(error))
            return self._wait_to_retry(tenure)

    def _begin(self, plan: Plan, observed: tuple[str, ...], tenure: Tenure) -> Checkpoint:
        """Where this shard stands, by all that is known of it now."""
        return beginning(plan, self.me.shard, tenure.checkpoint, observed, self._memory)

    def _await_dataset(self, plan: Plan, begin: Checkpoint, tenure: Tenure) -> Plan | None:
        """The plan with its dataset, which shard 0 finds out; the others hold their Lease and wait for it."""
        wait = self.timing.poll
        renewed = self.clock.monotonic()
        while plan.dataset is None and self.me.shard != 0:
            self._say("waiting", "shard 0 has not found the dataset yet")
            if self.stopped.wait(wait):
                return None
            wait = min(2 * wait, self.timing.look)
            now = self.health.beat = self.clock.monotonic()
            if now - renewed >= self.timing.checkpoint:
                renewed = now
                with suppress(StoreUnavailableError):
                    tenure.save(begin)
            with suppress(UnavailableError):
                found = self._look().plan
                if found is None:
                    return None
                plan = found
        return plan

    def _drive(self, shard: Shard, tenure: Tenure) -> int | None:
        self.metrics.follow(shard)
        self._say("publishing", f"from {', '.join(position_texts(shard.position))}")
        try:
            return self._step_until_stopped(shard, tenure)
        finally:
            self._memory = Memory(shard.position, shard.promised)

    def _step_until_stopped(self, shard: Shard, tenure: Tenure) -> int | None:
        while not self.stopped.is_set():
            self.health.beat = self.clock.monotonic()
            if not self._obey_changes(shard):
                _stop(shard, tenure.seconds_left())
                return None
            if tenure.seconds_left() <= 0:
                self._pause(shard)
                continue
            self.health.ready = shard.failed is None
            shard.drift = self._lookout.news if self._lookout else None
            wait = shard.step()
            self.metrics.sample(self.clock.monotonic())
            if wait is not None:
                self.metrics.state = "publishing"
            else:
                if shard.ended is not None and shard.ended.state == "Failed":
                    self._say("failed", f"{shard.ended.reason}: {shard.ended.message}")
                    return self._wait_to_retry(tenure)
                self._say(
                    shard.ended.state if shard.ended else "ended", shard.ended.message if shard.ended else ""
                )
                wait = self._stay_ended(shard)
            self.stopped.wait(min(wait, self.timing.poll))
        drained = self._drained(shard, tenure)
        self._say("stopped", "drained" if drained else "stopped with messages unacknowledged")
        return DRAINED if drained else UNACKNOWLEDGED

    def _drained(self, shard: Shard, tenure: Tenure) -> bool:
        """Awaits what is on its way and renews the Lease meanwhile: a slow service has all of the grace."""
        give_up = self.clock.monotonic() + self.timing.drain
        while True:
            left = min(give_up - self.clock.monotonic(), tenure.seconds_left() - 1.0)
            drained = _stop(shard, min(max(left, 0.0), self.timing.checkpoint))
            if drained or left <= 0.0 or shard.ended is not None:
                return drained

    def _obey_changes(self, shard: Shard) -> bool:
        """Looks at the plan now and then; whether it is still this worker's."""
        if self.clock.monotonic() - self._looked_at < self.timing.look:
            return True
        try:
            plan = self._look().plan
        except UnavailableError:
            self._looked_at = self.clock.monotonic()
            return True
        if plan is not None:
            shard.repace(plan)
            hasten(plan)
        return plan is not None

    def _pause(self, shard: Shard) -> None:
        """The lease ran out while nobody answered: nothing is sent until it is renewed, if it can be."""
        self.health.ready = False
        self._say("paused", "the lease could not be renewed in time")
        shard.renew()
        self.stopped.wait(self.timing.poll)

    def _stay_ended(self, shard: Shard) -> float:
        """An ended shard keeps its Lease, so that a raised budget or a later end finds it."""
        shard.renew()
        return self.timing.poll

    def _wait_to_retry(self, tenure: Tenure) -> int | None:
        self.health.ready = False
        tenure.release()
        self.stopped.wait(self.timing.retry)
        return DRAINED if self.stopped.is_set() else None

    def _record_failure(self, begin: Checkpoint, tenure: Tenure, reason: str, message: str) -> None:
        self._say("failed", f"{reason}: {message}")
        with suppress(StoreUnavailableError):
            tenure.save(begin.model_copy(update={"state": "Failed", "reason": reason, "message": message}))

    def _shard(self, plan: Plan, dataset: Dataset, sink: Any, tenure: Tenure, begin: Checkpoint) -> Shard:
        workshop = build_workshop(plan, dataset, sink.framing)
        hasten(plan)
        reported = DatasetRef(uri=dataset.uri, generation=dataset.generation, sha256=dataset.sha256)
        pubsub = plan.sink.pubsub
        settings = Settings(
            checkpoint=self.timing.checkpoint,
            poll=min(self.timing.poll, 0.2),
            most_messages=int(pubsub.max_batch_messages) if pubsub else 1000,
            batch_seconds=min(float(pubsub.max_batch_seconds), 1.0) if pubsub else 1.0,
        )
        return Shard(
            self.me.shard,
            plan,
            workshop,
            sink,
            tenure,
            self.clock,
            settings,
            begin,
            dataset=reported if self.me.shard == 0 else None,
            failed=begin if begin.state == "Failed" else None,
            countries=CountryCounts(workshop.maker.countries) if self._by_country else None,
        )

    def _dataset(self, plan: Plan) -> Dataset:
        """The dataset, by the bytes that the plan says; shard 0 finds out which, where it does not yet."""
        if plan.dataset is not None:
            generation = None if plan.dataset.generation is None else int(plan.dataset.generation)
            return load(
                plan.dataset.uri,
                generation=generation,
                sha256=plan.dataset.sha256 or None,
                mounted=self._mounted,
            )
        countries = plan.population.countries
        generation = None if countries.generation is None else int(countries.generation)
        return load(countries.address, generation=generation, sha256=countries.sha256, mounted=self._mounted)

    @contextmanager
    def _watching(self, plan: Plan, shard: Shard) -> Iterator[None]:
        """Has shard 0 look whether its dataset changes; a generation that the user has chosen may."""
        read = shard.dataset
        if read is None or plan.population.countries.generation is not None:
            yield
            return
        self._lookout = Lookout(lambda: drift(read, mounted=self._mounted), self.timing.dataset)
        try:
            yield
        finally:
            self._lookout.close()
            self._lookout = None

    def _sink(self, plan: Plan, tenure: Tenure) -> Any:
        if plan.sink.pubsub is not None:
            from diurnal_worker.sinks.pubsub import PubsubSink

            margin = self.timing.lease * _MARGIN
            return PubsubSink(plan.sink.pubsub.topic, attempt_budget=lambda: tenure.seconds_left() - margin)
        if plan.sink.stdout is not None:
            from diurnal_worker.sinks.stdout import StdoutSink

            return StdoutSink()
        from diurnal_worker.sinks.discard import DiscardSink

        return DiscardSink()

    def _say(self, event: str, why: str) -> None:
        """Logs a change of what this worker does, once, and shows it in the metrics."""
        self.metrics.state = _STATES.get(event, event)
        if (said := f"{event} {why}") != self._said:
            self._said = said
            self._log.info(event, why=why)


def _stop(shard: Shard, seconds: float) -> bool:
    """Stops a shard; what could not be written down is not done, and the next worker sends it again."""
    try:
        return shard.stop(seconds)
    except StoreUnavailableError:
        return False


def main() -> int:
    """The entry of ``diurnal-worker``."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    timing = Timing.from_environment(os.environ)
    try:
        me = Identity.from_environment(os.environ)
        api = KubernetesApi(me.namespace, os.environ, timing.request)
    except ValueError as error:
        print(f"diurnal-worker: {error}", file=sys.stderr)
        return 1
    stopped = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    clock = BootClock()
    by_country = os.environ.get("DIURNAL_COUNTRY_METRICS") == "1"
    mounted = os.environ.get("DIURNAL_COUNTRIES_FOLDER", COUNTRIES_FOLDER)
    worker = PodWorker(me, api, clock, timing, stopped, by_country=by_country, mounted=mounted)
    port = int(os.environ.get("DIURNAL_METRICS_PORT", "9090"))
    if port:
        serve(worker.metrics.registry, worker.health, port, 4 * worker.timing.lease, clock.monotonic)
    return worker.run()

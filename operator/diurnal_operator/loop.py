"""Works the queue: one reconcile a key, some keys side by side, and a resync that finds what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from pydantic import ValidationError

from diurnal_api.names import LABEL_SHARD
from diurnal_operator.cluster import Cluster, Key
from diurnal_operator.health import Health
from diurnal_operator.invalid import refuse
from diurnal_operator.metrics import Metrics
from diurnal_operator.observation import Observation, label_number
from diurnal_operator.problems import ClusterError, ConflictError, NotLeadingError
from diurnal_operator.queue import KeyQueue
from diurnal_operator.reconcile import Decision, reconcile
from diurnal_operator.settings import Settings

SIDE_BY_SIDE: Final = 4
_NAMED: Final = 4
REST: Final = 20
"""After a look that took a second, what children do is not looked at for so many seconds: neither this
process nor a slow API server is kept busy by a thousand Deployments that change one by one."""


class Loop:
    """The queue and those who work it; ``clock`` in seconds, of the kind that ``Health`` uses."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        health: Health,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._cluster, self._given, self._health, self._clock = cluster, settings, health, clock
        self._settings = settings
        self.queue: KeyQueue[Key] = KeyQueue(settings.waits.backoff_first, settings.waits.backoff_longest)
        self._metrics = metrics
        metrics.work_on(self.queue)
        self._wake = asyncio.Event()
        self._took: dict[Key, float] = {}
        self._why: dict[Key, str] = {}
        self._log = structlog.get_logger()

    def add(self, key: Key, wait: float = 0.0) -> None:
        """Asks for a look at a simulation; what is asked for while one goes on is done after it."""
        self.queue.add(key, self._clock() + wait)
        self._wake.set()

    def add_for_child(self, key: Key) -> None:
        """Asks for a look because a child changed: many change together, so let them settle."""
        self.add(
            key,
            max(
                self._settings.waits.settle, min(REST * self._took.get(key, 0.0), self._settings.waits.status)
            ),
        )

    async def run(self) -> None:
        """Works for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._resync())
            for _ in range(SIDE_BY_SIDE):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            self._health.beat(self._clock(), self.queue)
            key = self.queue.take(self._clock())
            if key is None:
                await self._rest()
            else:
                await self._look(key)

    async def _rest(self) -> None:
        """Waits for an asking, or until something is due."""
        due = self.queue.next_due()
        wait = self._settings.waits.drain_poll if due is None else max(due - self._clock(), 0.001)
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(wait, self._settings.waits.drain_poll))

    async def _look(self, key: Key) -> None:
        namespace, name = key
        log = self._log.bind(simulation=f"{namespace}/{name}")
        outcome, began = "failed", self._clock()
        try:
            async with asyncio.timeout(self._settings.waits.stalled_queue / 2):
                outcome, again = await self._reconciled(key, log)
        except ConflictError:
            outcome = "conflict"
            self.queue.done(key, self._clock() + self._settings.waits.settle)
        except NotLeadingError:
            outcome = "not_leading"
            self.queue.failed(key, self._clock())
        except (ClusterError, TimeoutError) as error:
            outcome = "retried"
            wish = error.retry_after if isinstance(error, ClusterError) else 0.0
            wait = self.queue.failed(key, self._clock(), wish)
            why = str(error) or "it took too long"
            if self._why.get(key) != why:  # said once, however often it is tried
                self._why[key] = why
                log.warning("retried", why=why, wait=round(wait, 1))
        except Exception:
            wait = self.queue.failed(key, self._clock())
            log.exception("failed", wait=round(wait, 1))
        else:
            self._why.pop(key, None)
            self.queue.done(key, again)
        self._metrics.looked(outcome, self._clock() - began)
        self._health.finished(self._clock())
        self._wake.set()

    async def _reconciled(
        self, key: Key, log: structlog.typing.FilteringBoundLogger
    ) -> tuple[str, float | None]:
        """Looks, decides, does; what came of it, and when to look again: None where it is gone."""
        began = self._clock()
        seen = await self._cluster.observe(key)
        if seen is None:
            self._took.pop(key, None)
            self._metrics.saw(key, None)
            return "gone", None
        decision = self._decided(seen)
        self._took[key] = self._clock() - began
        refused = await self._cluster.execute(key, seen, decision)
        self._metrics.saw(key, seen.simulation, decision.status)
        _tell(log, decision)
        if refused is not None:
            raise refused
        return "changed" if decision.writes else "unchanged", self._clock() + decision.after

    def _decided(self, seen: Observation) -> Decision:
        try:
            return reconcile(seen, self._settings)
        except ValidationError as error:
            return refuse(seen, error, self._settings.waits.resync)

    async def _resync(self) -> None:
        """Asks for every simulation now and then: a watch may be silent, an event may be missed."""
        said = ""
        while True:
            try:
                found = await self._cluster.simulations()
            except ClusterError as error:
                if str(error) != said:
                    said = str(error)
                    self._log.warning("resync_failed", why=said)
                await asyncio.sleep(self._settings.waits.drain_poll)
                continue
            said = ""
            self._health.listed(
                {s["metadata"]["uid"]: s["metadata"]["resourceVersion"] for s in found}, self._clock()
            )
            self._settings = self._given.among(len(found))
            for simulation in found:
                self.add((simulation["metadata"]["namespace"], simulation["metadata"]["name"]))
            await asyncio.sleep(self._settings.waits.resync)


def _tell(log: structlog.typing.FilteringBoundLogger, decision: Decision) -> None:
    """Logs what was done; nothing where nothing was."""
    for happening in decision.events:
        level = log.warning if happening.kind == "Warning" else log.info
        level(happening.reason, epoch=decision.epoch, why=happening.message)
    for what, things in (
        ("sealed", decision.seal),
        ("applied", decision.apply),
        ("deleted", decision.delete),
    ):
        if things:
            names = [thing["metadata"]["name"] for thing in things]
            shards = sorted({label_number(thing, LABEL_SHARD) for thing in things})
            log.info(
                what, epoch=decision.epoch, shards=shards[:_NAMED], objects=len(names), names=names[:_NAMED]
            )

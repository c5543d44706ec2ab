"""One life of the operator: leads or waits, watches, works the queue. Ends when it loses the lead.

Exit codes: 0 stopped by SIGTERM, 1 the lead was lost or a part failed, 2 a setting is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Final

import kopf
import structlog
from kubernetes.aio.client import ApiClient

from diurnal_operator import health as healths
from diurnal_operator.api import Api, connect
from diurnal_operator.cluster import Cluster, boottime
from diurnal_operator.handlers import kopf_settings, registry_of
from diurnal_operator.leadership import Leadership
from diurnal_operator.loop import Loop
from diurnal_operator.metrics import Metrics
from diurnal_operator.problems import ClusterError
from diurnal_operator.settings import Settings, SettingsError

STOPPED: Final = 0
FAILED: Final = 1
WRONG_SETTINGS: Final = 2


@dataclass(frozen=True)
class Watching:
    """Who is told of what the watch shows."""

    health: healths.Health
    metrics: Metrics

    def saw(self, uid: str, version: str) -> None:
        """A simulation changed."""
        self.health.watched(uid, version, boottime())
        self.metrics.watched("trafficsimulations")

    def saw_child(self) -> None:
        """A Deployment changed."""
        self.metrics.watched("deployments")


async def run(settings: Settings) -> int:
    """One life of the operator; SettingsError where it cannot begin."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    client = await connect()
    try:
        return await _live(client, settings, stopped)
    finally:
        await client.close()


async def _live(client: ApiClient, settings: Settings, stopped: asyncio.Event) -> int:
    log = structlog.get_logger()
    leadership = Leadership(
        Api(client, settings.waits.request), settings, boottime, lambda: time.time_ns() // 1000
    )
    health = healths.Health(settings.waits)
    metrics = Metrics(settings, boottime)
    server = None
    if settings.health_port:
        server = await healths.serve(health, metrics.registry, settings.health_port, boottime)
    try:
        log.info("waiting_for_the_lead", identity=settings.identity)
        if not await _before(stopped, leadership.acquire()):
            return STOPPED
        health.leading = metrics.leading = True
        log.info("leading", image=settings.worker_image, engine=settings.engine, tzdata=settings.tzdata)
        api = Api(client, settings.waits.request, guard=leadership.check, told=metrics.requested)
        watching = Watching(health, metrics)
        ended = await _lead(Cluster(api, settings), settings, watching, leadership, stopped)
        log.info("stopped" if ended == STOPPED else "the_lead_is_lost")
        # What kopf leaves half closed behind it is no error of anybody's.
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: log.debug("left_behind", why=str(context.get("message")))
        )
        return ended
    finally:
        await leadership.release()
        if server is not None:
            await server.cleanup()


async def _lead(
    cluster: Cluster,
    settings: Settings,
    watching: Watching,
    leadership: Leadership,
    stopped: asyncio.Event,
) -> int:
    """Watches and works until stopped, or until the lead is lost."""
    loop = Loop(cluster, settings, watching.health, boottime, watching.metrics)
    registry = registry_of(
        loop.add, loop.add_for_child, cluster.is_own_word, watching.saw, watching.saw_child
    )
    parts = [
        asyncio.ensure_future(leadership.keep()),
        asyncio.ensure_future(loop.run()),
        asyncio.ensure_future(_watch(cluster, registry, settings)),
    ]
    waiting = asyncio.ensure_future(stopped.wait())
    try:
        done, _ = await asyncio.wait({*parts, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for part in done - {waiting}:
            part.result()  # an error of a part is this process's
        # kopf takes the signals over: that it ends by itself is a stop, too.
        return STOPPED if done & {waiting, parts[-1]} else FAILED
    finally:
        for part in (*parts, waiting):
            part.cancel()
        await asyncio.wait({*parts, waiting}, timeout=settings.waits.request)


async def _watch(cluster: Cluster, registry: kopf.OperatorRegistry, settings: Settings) -> None:
    """Watches by kopf, once the definition of simulations is served: kopf looks for it only at its start."""
    while not await _is_served(cluster):  # noqa: ASYNC110 - what is waited for happens in the cluster
        await asyncio.sleep(settings.waits.drain_poll)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        standalone=True,
        # By itself, kopf asks for the user's name, and a user that is only a number has none.
        identity=settings.identity,  # type: ignore[arg-type]
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )


async def _is_served(cluster: Cluster) -> bool:
    try:
        await cluster.simulations()
    except ClusterError:
        return False  # the resync, which asks the same, says why
    return True


async def _before(stopped: asyncio.Event, work: Coroutine[object, object, None]) -> bool:
    """Whether the work was done before the process was stopped."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    done, pending = await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if working in done:
        working.result()
    return working in done


def _log_as_json() -> None:
    """One JSON object a line, also for what kopf and asyncio say by Python's own logging."""
    common: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*common, as_json], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json],
        )
    )
    logging.basicConfig(handlers=[foreign], level=logging.WARNING)


def main() -> int:
    """Lives under the settings of the environment; the exit code."""
    _log_as_json()
    try:
        settings = Settings.from_environment(os.environ)
        identity = f"{settings.identity}_{uuid.uuid4()}"  # two lives of one pod are two operators
        return asyncio.run(run(replace(settings, identity=identity)))
    except SettingsError as error:
        print(f"diurnal-operator: {error}", file=sys.stderr)
        return WRONG_SETTINGS

"""Whether this operator works: its queue moves, and its watch tells what listings show. Pure but for serving.

A watch may be silent for ever without an error. So what a listing shows must have come by the watch as well,
or come within the time allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from diurnal_operator.queue import KeyQueue
from diurnal_operator.settings import SettingsError, Waits


@dataclass
class Health:
    """What liveness and readiness look at; times are seconds of one monotonic clock."""

    waits: Waits
    leading: bool = False
    _beat: float | None = None
    _stuck: float = 0.0
    _finished: float = float("-inf")
    _watched: dict[str, tuple[str, float]] = field(default_factory=dict)
    _behind: dict[str, tuple[str, float]] = field(default_factory=dict)

    def beat(self, now: float, queue: KeyQueue[Any]) -> None:
        """The queue was looked at."""
        idle = min(queue.most_overdue(now), now - self._finished)  # who is busy for long is not stuck
        self._beat, self._stuck = now, max(queue.longest_work(now), idle)

    def finished(self, now: float) -> None:
        """Work on some key has ended."""
        self._finished = now

    def watched(self, uid: str, version: str, now: float) -> None:
        """The watch told of a simulation."""
        self._watched[uid] = (version, now)
        self._behind.pop(uid, None)

    def listed(self, found: dict[str, str], now: float) -> None:
        """A listing found these simulations (UID to resourceVersion)."""
        self._watched = {uid: seen for uid, seen in self._watched.items() if uid in found}
        fresh = {uid: v for uid, v in found.items() if self._watched.get(uid, ("", 0.0))[0] != v}
        self._behind = {uid: self._behind.get(uid, (version, now)) for uid, version in fresh.items()}

    def why_not_alive(self, now: float) -> str:
        """Why this process should be restarted; empty where it should not."""
        if not self.leading:
            return ""
        if self._beat is not None and now - self._beat > self.waits.stalled_queue:
            return "the queue is not looked at any more"
        if self._stuck > self.waits.stalled_queue:
            return "the queue does not move"
        if any(now - since > self.waits.silent_watch for _, since in self._behind.values()):
            return "the watch is silent: listings show what it never told of"
        return ""

    def why_not_ready(self, now: float) -> str:
        """Why this operator does not serve; empty where it does, or stands by behind a leader."""
        if self.leading and self._beat is None:
            return "starting"
        return self.why_not_alive(now)


async def serve(
    health: Health, registry: CollectorRegistry, port: int, clock: Callable[[], float]
) -> web.AppRunner:
    """Serves /healthz, /readyz and /metrics."""

    def answer(why: Callable[[float], str]) -> Callable[[web.Request], Any]:
        async def handle(_: web.Request) -> web.Response:
            text = why(clock())
            return web.Response(text=f"{text or 'ok'}\n", status=503 if text else 200)

        return handle

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", answer(health.why_not_alive))
    application.router.add_get("/readyz", answer(health.why_not_ready))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port).start()  # of both families, for a cluster may have only one
    except OSError as error:
        await runner.cleanup()
        raise SettingsError(f"DIURNAL_HEALTH_PORT: cannot listen on port {port}: {error.strerror}") from None
    return runner

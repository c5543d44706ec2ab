"""Prometheus metrics and health of a worker, on one port (https://prometheus.io/docs/practices/naming/)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from diurnal_worker.shard import Shard


@dataclass
class Health:
    """What the probes ask: alive while the loop turns, ready while the shard publishes or has ended."""

    ready: bool = False
    beat: float = field(default=0.0)


class Metrics:
    """The worker's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "diurnal_published_messages", "Messages acknowledged by the sink.", registry=self.registry
        )
        self.bytes = Counter(
            "diurnal_published_bytes", "Bytes of acknowledged bodies.", registry=self.registry
        )
        self.billed = Counter("diurnal_billed_bytes", "Bytes that Pub/Sub bills.", registry=self.registry)
        self.clock = Gauge(
            "diurnal_simulation_clock_seconds",
            "Simulated time every event before is acknowledged.",
            registry=self.registry,
        )
        self.lease = Gauge(
            "diurnal_lease_held", "1 while this worker holds its Lease.", registry=self.registry
        )
        self._last = (0, 0, 0)

    def observe(self, shard: Shard) -> None:
        """Takes over where the shard stands."""
        spent = shard.spent
        now = (spent.messages, spent.bytes, spent.billed_bytes)
        for counter, value, before in zip(
            (self.messages, self.bytes, self.billed), now, self._last, strict=True
        ):
            counter.inc(max(value - before, 0))
        self._last = now
        self.clock.set(min(segment.clock for segment in shard.position) / 1e6)


def serve(metrics: Metrics, health: Health, port: int, alive: float, now: object) -> ThreadingHTTPServer:
    """Answers /metrics, /healthz and /readyz on ``port`` from a thread of its own.

    ``alive`` is how many seconds the loop may stand still, by the clock ``now()``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                turning = now() - health.beat < alive  # type: ignore[operator]
                self._answer(200 if turning else 503, b"ok\n" if turning else b"the loop stands still\n")
            elif self.path == "/readyz":
                self._answer(200 if health.ready else 503, b"ok\n" if health.ready else b"not publishing\n")
            else:
                self._answer(404, b"try /metrics, /healthz or /readyz\n")

        def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not news."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server

"""What Kubernetes and Prometheus ask a worker, answered on one port by a thread of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry


class _Server(ThreadingHTTPServer):
    """Listens on addresses of both families, for a cluster may have only one of them."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        """Without the name of this host, which nobody needs and a resolver may be slow to tell."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]


@dataclass
class Health:
    """What the probes ask: alive while the loop turns, ready while the shard publishes or has ended."""

    ready: bool = False
    beat: float = field(default=0.0)


def serve(
    registry: CollectorRegistry, health: Health, port: int, alive: float, now: Callable[[], float]
) -> ThreadingHTTPServer:
    """Answers /metrics, /healthz and /readyz on ``port``.

    ``alive`` is how many seconds the loop may stand still, by the clock ``now()``.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0  # a client that says nothing must not hold a thread for ever

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                turning = now() - health.beat < alive
                self._answer(200 if turning else 503, b"ok\n" if turning else b"the loop stands still\n")
            elif self.path == "/readyz":
                self._answer(200 if health.ready else 503, b"ok\n" if health.ready else b"not publishing\n")
            else:
                self._answer(404, b"try /metrics, /healthz or /readyz\n")

        def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            # Who asked may have gone meanwhile: a worker that was frozen answers probes of long ago.
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not news."""

    server = _Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server

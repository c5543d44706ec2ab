"""What a worker answers to probes, also to those who have gone."""

from __future__ import annotations

import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from prometheus_client import CollectorRegistry

from diurnal_worker.probes import Health, serve


@pytest.fixture(name="served")
def _served() -> Iterator[tuple[Health, ThreadingHTTPServer]]:
    health = Health()
    server = serve(CollectorRegistry(), health, 0, 10.0, lambda: 5.0)
    yield health, server
    server.shutdown()
    server.server_close()


def code(server: ThreadingHTTPServer, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_alive_and_ready_are_two_things(served: tuple[Health, ThreadingHTTPServer]) -> None:
    health, server = served
    assert [code(server, path) for path in ("/healthz", "/readyz", "/metrics", "/")] == [200, 503, 200, 404]
    health.ready, health.beat = True, -6.0
    assert [code(server, path) for path in ("/healthz", "/readyz")] == [503, 200]


def test_who_asked_and_went_is_no_traceback(
    served: tuple[Health, ThreadingHTTPServer], capfd: pytest.CaptureFixture[str]
) -> None:
    """As when a worker thaws: the kubelet gave up long ago, and its connection is reset."""
    _, server = served
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.server_port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
    assert code(server, "/metrics") == 200
    while any("process_request_thread" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_is_reached_by_both_families(served: tuple[Health, ThreadingHTTPServer]) -> None:
    """A cluster may have IPv6 only."""
    _, server = served
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, server.server_port), timeout=5):
            pass

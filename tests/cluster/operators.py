"""The operator as a process, with every wait scaled down."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from world import World

FAST = {
    "DIURNAL_LEASE_SECONDS": "3",
    "DIURNAL_CHECKPOINT_SECONDS": "0.5",
    "DIURNAL_DRAIN_POLL_SECONDS": "0.2",
    "DIURNAL_STATUS_SECONDS": "1",
    "DIURNAL_RESYNC_SECONDS": "5",
    "DIURNAL_GRACE_SECONDS": "6",
    "DIURNAL_LEADER_LEASE_SECONDS": "3",
    "DIURNAL_LEADER_RENEW_SECONDS": "0.5",
    "DIURNAL_LEADER_RETRY_SECONDS": "0.2",
    "DIURNAL_UNCLAIMED_SECONDS": "20",
    "DIURNAL_BACKOFF_LONGEST_SECONDS": "2",
}


LOOK_SECONDS = 0.3


class Operator:
    """An operator process, in a namespace of its own, for the one namespace of a world.

    When it ends by itself, as one does that a busy machine kept from renewing its lead, it is started again,
    as its pod would do; unless it is ``alone``.
    """

    def __init__(
        self,
        world: World,
        logs: Path,
        kubeconfig: Path | None = None,
        name: str = "operator",
        *,
        alone: bool = False,
        **settings: str,
    ) -> None:
        self.world, self.settings, self._alone = world, settings, alone
        self._ended = threading.Event()
        self.kubeconfig = kubeconfig or world.kubeconfig
        self.file = logs / f"{name}.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, **more: str) -> None:
        self._ended = threading.Event()
        self._run(more)
        if not self._alone:
            threading.Thread(target=self._tend, args=(self._ended, more), daemon=True).start()

    def _tend(self, ended: threading.Event, more: dict[str, str]) -> None:
        while not ended.wait(LOOK_SECONDS):
            if self.process.poll() is not None:
                self._run(more)

    def _run(self, more: dict[str, str]) -> None:
        environment = {
            **os.environ,
            **FAST,
            "KUBECONFIG": str(self.kubeconfig),
            "DIURNAL_NAMESPACES": self.world.namespace,
            "DIURNAL_OPERATOR_NAMESPACE": self.world.system,
            "DIURNAL_HEALTH_PORT": str(self.port),
            **self.settings,
            **more,
        }
        with self.file.open("ab") as log:
            command = [sys.executable, "-m", "diurnal_operator"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self._ended.set()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ends it as a kubelet does; its exit code."""
        self._ended.set()
        self.process.terminate()
        return self.process.wait(20)

    def is_alive(self) -> bool:
        """What its liveness probe says."""
        return is_well(self.port, "healthz")

    def is_ready(self) -> bool:
        """What its readiness probe says."""
        return is_well(self.port, "readyz")

    def text(self) -> str:
        """All that it has logged, in all its lives."""
        return self.file.read_text() if self.file.exists() else ""

    def log(self) -> list[dict[str, Any]]:
        """Its structured lines."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def is_well(port: int, probe: str) -> bool:
    """Whether a probe of the process at a port answers 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{probe}", timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False

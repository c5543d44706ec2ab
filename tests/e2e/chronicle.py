"""What is seen along a run: checkpoints, logs, and `kubectl get tsim --watch` as a person has it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from diurnal_api.checkpoint import Checkpoint
from kubectl import Kubectl, Simulation


@dataclass(frozen=True)
class Seen:
    """A checkpoint that a Lease held from `since` on (seconds since 1970, as seen)."""

    lease: str
    since: float
    checkpoint: Checkpoint


class Chronicle(threading.Thread):
    """Keeps all of it in a folder until it is ended. `logs` is where the node writes those of its pods."""

    def __init__(self, kubectl: Kubectl, simulation: Simulation, logs: Path, folder: Path) -> None:
        super().__init__(name="chronicle", daemon=True)
        self._kubectl, self._simulation, self._logs, self._folder = kubectl, simulation, logs, folder
        self._seen: list[Seen] = []
        self._watch: subprocess.Popen[bytes] | None = None
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.3):
            with suppress(OSError, AssertionError, urllib3.exceptions.HTTPError):
                self._look_at_leases()
            self._keep_logs()
            self._keep_watching()

    def end(self) -> None:
        """Stops looking."""
        self._done.set()
        self.join(30)
        if self._watch is not None:
            self._watch.kill()
            self._watch.wait()

    def in_force(self, begin: float, end: float) -> list[Checkpoint]:
        """The checkpoints that Leases held at some time between two (seconds since 1970)."""
        found = []
        for number, seen in enumerate(self._seen):
            later = (each.since for each in self._seen[number + 1 :] if each.lease == seen.lease)
            if seen.since <= end and next(later, time.time()) >= begin:
                found.append(seen.checkpoint)
        return found

    def logs(self) -> dict[str, list[str]]:
        """What containers have written, by NAMESPACE_POD_UID/CONTAINER/NUMBER, without the node's marks."""
        found = {}
        for path in sorted(self._folder.glob("logs/*")):
            lines = path.read_text(errors="replace").splitlines()
            # https://github.com/kubernetes/design-proposals-archive: TIME STREAM TAG LINE
            found[path.name.replace("#", "/")] = [line.split(" ", 3)[-1] for line in lines]
        return found

    def watched(self) -> list[str]:
        """The lines of `kubectl get tsim --watch` that are about the simulation."""
        lines = (self._folder / "watch").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{self._simulation.name} ")]

    def _look_at_leases(self) -> None:
        last = {each.lease: each.checkpoint for each in self._seen}
        for name, checkpoint in self._simulation.checkpoints():
            if last.get(name) != checkpoint:
                self._seen.append(Seen(name, time.time(), checkpoint))

    def _keep_logs(self) -> None:
        """By a second name for the same file, which stays when the pod and its folder go."""
        (self._folder / "logs").mkdir(exist_ok=True)
        for path in self._logs.glob("*/*/*.log"):
            kept = self._folder / "logs" / str(path.relative_to(self._logs)).replace("/", "#")
            with suppress(OSError):
                os.link(path, kept)

    def _keep_watching(self) -> None:
        if self._watch is None or self._watch.poll() is not None:
            command = self._kubectl.command("get", "tsim", self._simulation.name, "--watch")
            with (self._folder / "watch").open("ab") as out:
                self._watch = subprocess.Popen(
                    command, env=self._kubectl.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                )

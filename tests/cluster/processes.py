"""Processes of a test: each in a group of its own, with a log, ended by its id and with us."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from binaries import NoControlPlaneError

HOST = "127.0.0.1"
STARTS_WITHIN = 180.0
ENDS_WITHIN = 15.0


class Processes:
    """Processes by name; their logs lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str, *command: str | Path, **more: str) -> None:
        """Starts it, with ``more`` environment. Where setpriv is (Linux), the kernel ends it if this process
        is killed."""
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*guard, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder), **more}, cwd=self._folder,
                start_new_session=True,
            )  # fmt: skip

    def await_(self, name: str, is_ours: Callable[[], bool]) -> None:
        """Waits until one that we have started serves. Raises NoControlPlaneError if it ends instead."""

        def alive_and_ours() -> bool:
            if self._running[name].poll() is not None:
                raise NoControlPlaneError(f"{name} ended at once: {self.log(name)[-1500:]}")
            return is_ours()

        await_(f"{name} of our own", alive_and_ours)

    def end(self, name: str, how: signal.Signals) -> None:
        """Ends it and its children, in the end by force; one that does not run is fine."""
        process = self._running.pop(name, None)
        if process is None:
            return
        for attempt in (how, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, attempt)
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN)
                return

    def log(self, name: str) -> str:
        """What it has written."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def pid(self, name: str) -> int:
        """Its id."""
        return self._running[name].pid


def free_ports(count: int = 4) -> tuple[int, ...]:
    """Ports on which nobody listens, on any address of this machine."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)


def await_(what: str, holds: Callable[[], bool]) -> None:
    """Waits until it holds. Raises NoControlPlaneError after three minutes."""
    give_up = time.monotonic() + STARTS_WITHIN
    while not holds():
        if time.monotonic() > give_up:
            raise NoControlPlaneError(f"{what} was not there within {STARTS_WITHIN:.0f} s")
        time.sleep(0.05)

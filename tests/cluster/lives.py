"""Lives of the operator by the dozen: real processes, forked from one that has imported everything already.

An operator that is started anew spends a second of CPU on imports; a test that kills it a hundred times
cannot wait for that. What is forked is a process of its own all the same, and SIGKILL ends it as any other.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

_SPAWNER: Final = multiprocessing.get_context("forkserver")
_SPAWNER.set_forkserver_preload(["diurnal_operator.life", "kubernetes.aio.config"])
_ENDS_WITHIN: Final = 20.0


class Life:
    """One life of the operator under an environment; all that it says goes to a file."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._process: ForkServerProcess = _SPAWNER.Process(
            target=live, args=(environment, str(log)), daemon=True
        )
        self._process.start()

    def kill(self) -> None:
        """SIGKILL; may be called from any thread, and again. Returns when the process is no more."""
        self._process.kill()
        self._process.join(_ENDS_WITHIN)

    def stop(self) -> int | None:
        """SIGTERM; the exit code."""
        self._process.terminate()
        self._process.join(_ENDS_WITHIN)
        return self._process.exitcode

    @property
    def runs(self) -> bool:
        return self._process.is_alive()


def live(environment: dict[str, str], log: str) -> None:
    """What the forked process does: it becomes ``diurnal-operator``."""
    from kubernetes.aio.config import kube_config

    from diurnal_operator.life import main

    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = environment["KUBECONFIG"]  # read when it was imported
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(written, standard)
    os.environ.update(environment)
    sys.exit(main())

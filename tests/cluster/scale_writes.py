"""Counts the writes of statuses, on the API server's word: a watch is told of each one.

Nobody else writes the simulations after their creation, so every change of one is a write of its status.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import urllib3

from kubeapi import SIMULATIONS, KubeApi

WINDOW = 1.0


class StatusWrites:
    """A watch on the simulations of a namespace, from entering the context to leaving it."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._api, self._path = KubeApi.of(kubeconfig), SIMULATIONS.format(namespace)
        self._at: list[float] = []
        self._thread = threading.Thread(target=self._watch, name="status writes", daemon=True)

    def __enter__(self) -> Self:
        since = self._api.get(self._path).expect()["metadata"]["resourceVersion"]
        self._reply = self._api.watch(f"{self._path}?watch=1&resourceVersion={since}&timeoutSeconds=3600")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reply.shutdown()
        self._thread.join(30)

    def __len__(self) -> int:
        return len(self._at)

    def most_in_a_second(self) -> int:
        """The most writes within any second."""
        at = list(self._at)
        return max((sum(first <= each < first + WINDOW for each in at) for first in at), default=0)

    def _watch(self) -> None:
        with suppress(urllib3.exceptions.ProtocolError):  # the end that shutdown() makes
            for line in self._reply:
                kind = json.loads(line)["type"]
                assert kind in {"ADDED", "MODIFIED"}, line
                if kind == "MODIFIED":
                    self._at.append(time.monotonic())

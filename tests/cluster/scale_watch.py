"""A watch on a collection, in a thread of its own, from entering the context to leaving it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import urllib3

from kubeapi import KubeApi

Seen = Callable[[str, dict[str, Any]], None]
"""Told of each change: ADDED, MODIFIED or DELETED, and the object."""


class Watch:
    """Tells of all that changes from now on at a path with a query."""

    def __init__(self, kubeconfig: Path, path: str, seen: Seen) -> None:
        self._api, self._path, self._seen = KubeApi.of(kubeconfig), path, seen
        self._thread = threading.Thread(target=self._watch, name=f"watch {path}", daemon=True)

    def __enter__(self) -> Self:
        since = self._api.get(self._path).expect()["metadata"]["resourceVersion"]
        self._reply = self._api.watch(f"{self._path}&watch=1&resourceVersion={since}&timeoutSeconds=3600")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # it has ended already, with the API server
            self._reply.shutdown()
        self._thread.join(30)

    def _watch(self) -> None:
        with suppress(urllib3.exceptions.HTTPError):  # the end that shutdown() makes
            for line in self._reply:
                event = json.loads(line)
                assert event["type"] != "ERROR", event
                self._seen(event["type"], event["object"])

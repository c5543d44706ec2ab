"""What happened to the objects of a namespace: every version of each, as the API server tells it afterwards.

A watch from an old resourceVersion replays all that came since, so nothing is missed between two questions.
The API server remembers a minute and more; a longer history asks now and then (``recorded``).
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import urllib3

from kubeapi import KubeApi

Object = dict[str, Any]
ASK_SECONDS: Final = 5.0

PATHS: Final = {
    "simulations": "/apis/diurnal.dev/v1alpha1/namespaces/{}/trafficsimulations",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "pods": "/api/v1/namespaces/{}/pods",
    "leases": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "events": "/api/v1/namespaces/{}/events",
}


@dataclass(frozen=True)
class Change:
    """An object as it was ADDED, MODIFIED or DELETED."""

    kind: str
    thing: Object

    @property
    def name(self) -> str:
        return str(self.thing["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.thing["metadata"]["uid"])


class History:
    """The changes of a namespace since this was made."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        listed = api.get(f"{PATHS['leases'].format(namespace)}?limit=1").expect()
        self._since = dict.fromkeys(PATHS, str(listed["metadata"]["resourceVersion"]))
        self._known: dict[str, list[Change]] = {plural: [] for plural in PATHS}
        self._asking = threading.Lock()

    def changes(self, plural: str) -> list[Change]:
        """All changes of one kind so far, in their order."""
        with self._asking:
            query = f"watch=true&allowWatchBookmarks=true&resourceVersion={self._since[plural]}"
            answer = self._api.get(f"{PATHS[plural].format(self._namespace)}?{query}&timeoutSeconds=1")
            assert answer.ok, answer.message
            lines = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            for told in (json.loads(line) for line in lines.splitlines() if line.strip()):
                assert told["type"] != "ERROR", told
                self._since[plural] = told["object"]["metadata"]["resourceVersion"]
                if told["type"] != "BOOKMARK":
                    self._known[plural].append(Change(told["type"], told["object"]))
            return list(self._known[plural])

    def counts(self, *plurals: str) -> Counter[str]:
        """How many objects of each kind were created and deleted; one that came back has another UID."""
        found: Counter[str] = Counter()
        for plural in plurals:
            changes = self.changes(plural)
            for kind, word in (("ADDED", "created"), ("DELETED", "deleted")):
                found[f"{plural} {word}"] = len({c.uid for c in changes if c.kind == kind})
        return found

    def reasons(self) -> Counter[str]:
        """How often each Event of a simulation was posted, by its reason."""
        posted = (change.thing for change in self.changes("events") if change.kind == "ADDED")
        return Counter(e["reason"] for e in posted if e["involvedObject"]["kind"] == "TrafficSimulation")


@contextmanager
def recorded(api: KubeApi, namespace: str, *plurals: str) -> Iterator[History]:
    """A history that is as long as it takes."""
    history, done = History(api, namespace), threading.Event()

    def ask() -> None:
        while not done.wait(ASK_SECONDS):
            with suppress(urllib3.exceptions.HTTPError):
                for plural in plurals:
                    history.changes(plural)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield history
    finally:
        done.set()
        asking.join(30)

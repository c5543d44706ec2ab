"""A fake of the API server's two objects that a worker touches: it keeps state and compares versions.

A fake because these tests need faults at chosen moments (no answer, an answer lost after the write) and a
clock of their own; the real API server is used in tests/cluster.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from diurnal_worker.apiserver import ConflictError, MissingError, UnavailableError


@dataclass
class FakeApi:
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    simulations: dict[str, dict[str, Any]] = field(default_factory=dict)
    away: bool = False
    lose_next_answer: bool = False
    version: int = 0

    def create_lease(self, name: str, **annotations: str) -> None:
        self.version += 1
        self.leases[name] = {
            "metadata": {
                "name": name,
                "resourceVersion": str(self.version),
                "annotations": dict(annotations),
            },
            "spec": {},
        }

    def lease(self, name: str) -> dict[str, Any]:
        self._answer()
        if name not in self.leases:
            raise MissingError(name)
        return copy.deepcopy(self.leases[name])

    def update_lease(self, lease: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        name = lease["metadata"]["name"]
        if name not in self.leases:
            raise MissingError(name)
        if lease["metadata"]["resourceVersion"] != self.leases[name]["metadata"]["resourceVersion"]:
            raise ConflictError(name)
        self.version += 1
        stored = copy.deepcopy(lease)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.leases[name] = stored
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise UnavailableError("the answer was lost")
        return copy.deepcopy(stored)

    def simulation(self, name: str) -> dict[str, Any]:
        self._answer()
        if name not in self.simulations:
            raise MissingError(name)
        return copy.deepcopy(self.simulations[name])

    def touch_metadata(self, name: str) -> None:
        """What an operator does: labels change, the version with them."""
        self.version += 1
        self.leases[name]["metadata"]["labels"] = {"touched": str(self.version)}
        self.leases[name]["metadata"]["resourceVersion"] = str(self.version)

    def _answer(self) -> None:
        if self.away:
            raise UnavailableError("nobody answers")

"""The operator's only door to the cluster: fresh reads into an Observation, a Decision into writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from diurnal_api.names import LABEL_SHARD, LABEL_UID
from diurnal_api.spec import API_VERSION, GROUP, KIND, PLURAL, VERSION
from diurnal_operator import FIELD_MANAGER
from diurnal_operator.api import Api
from diurnal_operator.ceilings import are_set, claim_of
from diurnal_operator.faults import suspects
from diurnal_operator.happenings import Happening
from diurnal_operator.observation import Object, Observation, Rejected, SeenLease
from diurnal_operator.problems import (
    ClusterError,
    ConflictError,
    ForeignObjectError,
    MissingError,
    RefusedError,
)
from diurnal_operator.reconcile import Decision
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation
from diurnal_operator.turns import Turns

Key = tuple[str, str]
"""Namespace and name of a simulation."""

_PATHS: Final = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
}
_TYPES: Final = {
    kind: {"apiVersion": path.removeprefix("apis/"), "kind": kind} for kind, (path, _) in _PATHS.items()
}
"""What the items of a list lack."""
_EXAMPLES: Final = 8
"""Of shards that do not start: what is wrong with one is told, and mostly is wrong with all."""
_SIMULATIONS: Final = f"apis/{GROUP}/{VERSION}"


def boottime() -> float:
    """Seconds since boot, those asleep or frozen included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Watcher:
    """Remembers when each Lease was last seen to change, by resourceVersion, in seconds since boot."""

    seen: dict[str, tuple[str, float]] = field(default_factory=dict)

    def unchanged(self, lease: Object, now: float) -> float:
        """For how long the Lease has been as it is, as far as this process knows."""
        uid, version = lease["metadata"]["uid"], lease["metadata"]["resourceVersion"]
        if self.seen.get(uid, ("", 0.0))[0] != version:
            self.seen[uid] = (version, now)
        return now - self.seen[uid][1]

    def keep_only(self, uids: Iterable[str], among: set[str]) -> set[str]:
        """Forgets those of ``among`` that are gone; returns what is left to remember."""
        left = set(uids)
        for uid in among - left:
            self.seen.pop(uid, None)
        return left


class Cluster:
    """Reads and writes for one operator."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._settings = api, settings
        self._watcher = Watcher()
        self._leases_of: dict[Key, set[str]] = {}
        self._writing = asyncio.Semaphore(settings.writes_at_once)
        self._turns = Turns(settings.status_writes_per_second)
        self._rejected: dict[Key, Rejected] = {}
        self._told: dict[Key, tuple[str, int]] = {}

    async def simulations(self) -> list[Object]:
        """All simulations that this operator serves."""
        if not self._settings.namespaces:
            return await self._api.list(f"{_SIMULATIONS}/{PLURAL}")
        found = [
            await self._api.list(f"{_SIMULATIONS}/namespaces/{namespace}/{PLURAL}")
            for namespace in self._settings.namespaces
        ]
        return [simulation for some in found for simulation in some]

    def is_own_word(self, key: Key, version: str, generation: int) -> bool:
        """Whether a simulation is as this operator's last status made it, with the spec of that look."""
        return self._told.get(key) == (version, generation)

    async def observe(self, key: Key) -> Observation | None:
        """One fresh look; None where the simulation is gone."""
        namespace, _ = key
        try:
            simulation = await self._api.read(_simulation_path(key))
        except MissingError:
            self._forget(key)
            return None
        selector = f"{LABEL_UID}={simulation['metadata']['uid']}"
        deployments, leases = await asyncio.gather(
            self._api.list(_path("Deployment", namespace), labelSelector=selector),
            self._api.list(_path("Lease", namespace), labelSelector=selector),
        )
        seen = Observation(
            simulation=simulation,
            deployments=tuple({**found, **_TYPES["Deployment"]} for found in deployments),
            leases=self._seen(key, leases),
            now=time.time_ns() // 1000,
            rejected=self._rejected.get(key),
        )
        return await self._looked_closer(seen, namespace, selector)

    async def execute(self, key: Key, seen: Observation, decision: Decision) -> RefusedError | None:
        """Carries a decision out, in its order; the first error ends it, and another look goes on.

        That the API server refused an object is returned, for it is an outcome: the status tells it.
        """
        await self._all(self._seal(lease) for lease in decision.seal)
        refused = await self._made(key, seen, decision)
        if decision.status is not None:
            await self._write_status(key, seen, decision)
        for happening in decision.events:
            await self._tell(seen.simulation, happening)
        await self._all(self._delete(thing) for thing in decision.delete)
        return refused

    async def _made(self, key: Key, seen: Observation, decision: Decision) -> RefusedError | None:
        """Applies all objects, Leases first; what is refused is remembered, to be told in the next status."""
        seen_ones = (*seen.deployments, *(found.lease for found in seen.leases))
        known = {
            _name(thing): {key: thing["metadata"][key] for key in ("uid", "resourceVersion")}
            for thing in seen_ones
        }
        try:
            for kind in ("Lease", "Deployment"):
                wanted = (thing for thing in decision.apply if thing["kind"] == kind)
                await self._all(self._apply(seen, known, thing) for thing in wanted)
        except RefusedError as error:
            self._rejected[key] = Rejected(error.reason, str(error))
            return error
        self._rejected.pop(key, None)
        return None

    async def _looked_closer(self, seen: Observation, namespace: str, selector: str) -> Observation:
        """What is read only where it matters: the pods of shards that do not come up, the others' claims."""
        with suppress(ValidationError):
            if found := suspects(Situation.of(seen), self._settings.waits.unclaimed):
                shards = ",".join(map(str, found[:_EXAMPLES]))
                of_these = f"{selector},{LABEL_SHARD} in ({shards})"
                pods = await self._api.list(f"api/v1/namespaces/{namespace}/pods", labelSelector=of_these)
                seen = replace(seen, pods=tuple(pods))
        if are_set(self._settings.ceilings):
            own = seen.simulation["metadata"]["uid"]
            others = [s for s in await self.simulations() if s["metadata"]["uid"] != own]
            claims = tuple(claim_of(simulation, self._settings.ceilings) for simulation in others)
            seen = replace(seen, claims=claims)
        return seen

    def _seen(self, key: Key, leases: list[Object]) -> tuple[SeenLease, ...]:
        now = boottime()
        found = tuple(
            SeenLease({**lease, **_TYPES["Lease"]}, self._watcher.unchanged(lease, now)) for lease in leases
        )
        uids = (lease["metadata"]["uid"] for lease in leases)
        self._leases_of[key] = self._watcher.keep_only(uids, self._leases_of.get(key, set()))
        return found

    def _forget(self, key: Key) -> None:
        self._watcher.keep_only((), self._leases_of.pop(key, set()))
        self._rejected.pop(key, None)
        self._told.pop(key, None)

    async def _all(self, writes: Iterable[Any]) -> None:
        """Runs writes side by side, some at once; all are tried, then the first error is raised.

        An error is what a task returns, not how it ends: kopf, when it stops, takes the error of any task
        that is under way for its own.
        """

        async def one(write: Any) -> Exception | None:
            try:
                async with self._writing:
                    await write
            except Exception as error:  # noqa: BLE001 (raised below)
                return error
            return None

        for error in await asyncio.gather(*(one(write) for write in writes)):
            if error is not None:
                raise error

    async def _seal(self, lease: Object) -> None:
        """A conflict means that its holder wrote meanwhile: then it is not idle, and looked at again."""
        with suppress(ConflictError, MissingError):
            await self._api.replace(_path_of(lease), lease)

    async def _apply(
        self, seen: Observation, known: dict[tuple[str, str], dict[str, Any]], wanted: Object
    ) -> None:
        """Applies our part.

        What we saw is changed only if it still is as we saw it: a write may be late, because this process was
        frozen, and then another operator has gone on. (The UID is for what is gone by then: the API server
        takes a version alone, and makes the object anew.) What we did not see as ours is not forced: it may
        be somebody else's.
        """
        path, as_seen = _path_of(wanted), known.get(_name(wanted))
        if as_seen is not None:
            unchanged = {**wanted, "metadata": {**wanted["metadata"], **as_seen}}
            await self._api.apply(path, unchanged, FIELD_MANAGER, force=True)
            return
        try:
            await self._api.apply(path, wanted, FIELD_MANAGER, force=False)
        except (ConflictError, RefusedError) as error:
            await self._check_owner(seen, wanted)
            if isinstance(error, RefusedError):
                raise
            await self._api.apply(path, wanted, FIELD_MANAGER, force=True)

    async def _check_owner(self, seen: Observation, wanted: Object) -> None:
        """ForeignObjectError where an object of this name is not ours."""
        try:
            found = await self._api.read(_path_of(wanted))
        except MissingError:
            return
        if not _is_ours(found, seen.simulation):
            what = f"{wanted['kind']} {wanted['metadata']['name']}"
            raise ForeignObjectError(
                f"{what} exists and does not belong to this simulation: delete it, or rename the simulation"
            ) from None

    async def _delete(self, thing: Object) -> None:
        await self._api.delete(
            _path_of(thing), thing["metadata"]["uid"], thing["metadata"]["resourceVersion"]
        )

    async def _write_status(self, key: Key, seen: Observation, decision: Decision) -> None:
        namespace, name = key
        before = seen.simulation["metadata"]
        metadata = {"name": name, "namespace": namespace, "uid": before["uid"]}
        metadata["resourceVersion"] = before["resourceVersion"]  # whoever wrote meanwhile knew more
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "status": decision.status}
        await asyncio.sleep(self._turns.take(boottime()))
        written = await self._api.apply(f"{_simulation_path(key)}/status", body, FIELD_MANAGER)
        self._told[key] = (written["metadata"]["resourceVersion"], seen.simulation["metadata"]["generation"])

    async def _tell(self, simulation: Object, happening: Happening) -> None:
        """Posts an Event; one that is lost is no reason to try anything again."""
        metadata = simulation["metadata"]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": happening.kind,
            "reason": happening.reason,
            "message": happening.message[:1024],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with suppress(ClusterError):
            await self._api.create(f"api/v1/namespaces/{metadata['namespace']}/events", body)


def _simulation_path(key: Key) -> str:
    namespace, name = key
    return f"{_SIMULATIONS}/namespaces/{namespace}/{PLURAL}/{name}"


def _path(kind: str, namespace: str) -> str:
    group, plural = _PATHS[kind]
    return f"{group}/namespaces/{namespace}/{plural}"


def _path_of(thing: Object) -> str:
    return f"{_path(thing['kind'], thing['metadata']['namespace'])}/{thing['metadata']['name']}"


def _name(thing: Object) -> tuple[str, str]:
    return str(thing["kind"]), str(thing["metadata"]["name"])


def _is_ours(found: Object, simulation: Object) -> bool:
    owners = found["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == simulation["metadata"]["uid"] for owner in owners)

"""One operator at a time: a Lease of its own in its own namespace, by compare-and-swap.

A leader counts its time from before each request was sent, on a clock that goes on while a process is frozen;
so when another has taken over, its time is over too, and every write asks ``check`` first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from diurnal_api.instants import format_instant
from diurnal_api.lease import holder
from diurnal_operator.api import Api
from diurnal_operator.observation import Object
from diurnal_operator.problems import ClusterError, ConflictError, MissingError, NotLeadingError
from diurnal_operator.settings import Settings

NAME: Final = "diurnal-operator"


class Leadership:
    """The Lease of the operator; ``clock`` in seconds since boot, ``wall`` in microseconds since 1970."""

    def __init__(
        self, api: Api, settings: Settings, clock: Callable[[], float], wall: Callable[[], int]
    ) -> None:
        self._api, self._settings, self._clock, self._wall = api, settings, clock, wall
        self._deadline = float("-inf")
        self._seen: tuple[str, float] = ("", 0.0)
        self._why = ""
        self._path = f"apis/coordination.k8s.io/v1/namespaces/{settings.own_namespace}/leases"

    @property
    def seconds_left(self) -> float:
        """For how long this operator surely leads; negative where it does not."""
        return self._deadline - self._clock()

    def check(self) -> None:
        """Raises NotLeadingError where this operator may not write."""
        if self.seconds_left <= 0:
            raise NotLeadingError("this operator does not lead (any more)")

    async def acquire(self) -> None:
        """Waits until this operator leads."""
        while not await self._try():  # noqa: ASYNC110 - what is waited for happens in the cluster
            await asyncio.sleep(self._settings.waits.leader_retry)

    async def keep(self) -> None:
        """Renews until that fails for good; returns when the lead is lost."""
        while self.seconds_left > 0:
            await asyncio.sleep(self._settings.waits.leader_renew)
            await self._try()

    async def release(self) -> None:
        """Gives the lead back, so that a successor need not wait."""
        if self.seconds_left <= 0:
            return
        try:
            found = await self._api.read(f"{self._path}/{NAME}")
            if holder(found) == self._settings.identity:
                await self._api.replace(f"{self._path}/{NAME}", self._written(found, ""))
        except ClusterError:
            pass  # it expires by itself
        self._deadline = float("-inf")

    async def _try(self) -> bool:
        """Takes or renews the Lease once; whether this operator leads now."""
        before = self._clock()
        try:
            found = await self._found()
            if not self._may_take(found):
                self._deadline = float("-inf")
                return False
            await self._api.replace(f"{self._path}/{NAME}", self._written(found, self._settings.identity))
        except ClusterError as error:
            if not isinstance(error, ConflictError):  # who was faster leads: that is no news
                self._warn(str(error))
            return self.seconds_left > 0
        self._why = ""
        self._deadline = before + self._settings.waits.leader_lease
        return True

    def _warn(self, why: str) -> None:
        """Says, once, why the Lease cannot be had: missing rights look like a leader that never ends."""
        if why != self._why:
            self._why = why
            structlog.get_logger().warning("cannot_write_the_lease_of_the_lead", why=why)

    async def _found(self) -> Object:
        try:
            return await self._api.read(f"{self._path}/{NAME}")
        except MissingError:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}}
            return await self._api.create(self._path, body)

    def _may_take(self, found: Object) -> bool:
        """Whether it is free, ours, or went unchanged for as long as it lasts."""
        if holder(found) in {"", self._settings.identity}:
            return True
        version, now = found["metadata"]["resourceVersion"], self._clock()
        if self._seen[0] != version:
            self._seen = (version, now)
        duration = float(
            (found.get("spec") or {}).get("leaseDurationSeconds") or self._settings.waits.leader_lease
        )
        return now - self._seen[1] >= max(duration, self._settings.waits.leader_lease)

    def _written(self, found: Object, identity: str) -> Object:
        before = found.get("spec") or {}
        changed = identity != holder(found)
        now = format_instant(self._wall())
        spec = {
            **before,
            "holderIdentity": identity,
            "leaseDurationSeconds": max(round(self._settings.waits.leader_lease), 1),
            "renewTime": now,
            "acquireTime": now if changed else before.get("acquireTime", now),
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if changed and identity else 0),
        }
        return {**found, "spec": spec}

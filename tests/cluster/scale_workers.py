"""FAKE workers: one process that holds and renews the Leases of all pods of a cluster. It publishes nothing.

To the API server it is what so many real workers are: for each running pod it takes the shard's Lease, stores
a checkpoint in it every few seconds by compare-and-swap, and reads its simulation as often; the first time at
a moment of chance, so that they lie spread. The clocks that it reports move 60 times as fast as real time.

    KUBECONFIG=... python scale_workers.py
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from diurnal_api import lease as leases
from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.layout import cut, format_position, parse_position, slots_of
from diurnal_api.names import lease_name
from diurnal_api.plan import DatasetRef, Plan
from diurnal_api.spec import GROUP, PLURAL, VERSION
from kubeapi import KubeApi

PODS = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Ddiurnal-worker"
SPEED = 60
RATE = 10
"""Messages a second of each."""
SECOND = 1_000_000
TRIES_AGAIN = 1.0
CONNECTIONS = 32
DATASET = DatasetRef(uri="builtin:world-2025", sha256="0" * 64)


@dataclass(frozen=True)
class Pod:
    """What a worker learns from its environment."""

    namespace: str
    uid: str
    simulation: str
    simulation_uid: str
    epoch: int
    shard: int
    lease_seconds: float
    checkpoint_seconds: float

    @staticmethod
    def of(pod: dict[str, Any]) -> Pod:
        given = {e["name"]: e.get("value", "") for e in pod["spec"]["containers"][0]["env"]}
        metadata = pod["metadata"]
        return Pod(
            metadata["namespace"], metadata["uid"], given["DIURNAL_NAME"], given["DIURNAL_UID"],
            int(given["DIURNAL_EPOCH"]), int(given["DIURNAL_SHARD"]),
            float(given["DIURNAL_LEASE_SECONDS"]), float(given["DIURNAL_CHECKPOINT_SECONDS"]),
        )  # fmt: skip

    @property
    def lease(self) -> str:
        name = lease_name(self.simulation, self.simulation_uid, self.shard, self.epoch)
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{name}"

    @property
    def path(self) -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{PLURAL}/{self.simulation}"


class RefusedError(Exception):
    """An answer that is no object."""


class Server:
    """The API server of KUBECONFIG."""

    def __init__(self) -> None:
        api = KubeApi.of(Path(os.environ["KUBECONFIG"]))
        self._url = api.client.configuration.host
        trust = ssl.create_default_context(cafile=api.client.configuration.ssl_ca_cert)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=CONNECTIONS),
            headers=api.credentials(),
            read_bufsize=2**20,
        )

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as reply:
            if reply.status >= 300:
                raise RefusedError(f"{method} {path}: {reply.status}")
            return json.loads(await reply.read())

    async def watch(self, path: str, version: str) -> Any:
        """The events after a resourceVersion, until the server ends the watch."""
        url = f"{self._url}{path}&watch=1&resourceVersion={version}"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as reply:
            async for line in reply.content:
                yield json.loads(line)


async def work(server: Server, pod: Pod) -> None:
    """The life of one worker, until it is cancelled."""
    plan = await _plan(server, pod)
    lease = await _taken(server, pod)
    began, at = _now(), asyncio.get_running_loop().time() + random.random() * pod.checkpoint_seconds
    try:
        while True:
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            at += pod.checkpoint_seconds
            checkpoint = _checkpoint(pod, plan, _now() - began)
            lease = await server.ask("PUT", pod.lease, leases.renewed(lease, checkpoint, _now()))
            await server.ask("GET", pod.path)
    finally:
        with suppress(RefusedError, aiohttp.ClientError):
            await server.ask("PUT", pod.lease, leases.released(lease, _now()))


async def _plan(server: Server, pod: Pod) -> Plan:
    found = await server.ask("GET", pod.path)
    return Plan.model_validate(found["status"]["plan"])


async def _taken(server: Server, pod: Pod) -> leases.Lease:
    while True:
        with suppress(RefusedError):
            found = await server.ask("GET", pod.lease)
            taken = leases.taken(found, pod.uid, _now(), round(pod.lease_seconds))
            return dict(await server.ask("PUT", pod.lease, taken))
        await asyncio.sleep(TRIES_AGAIN)


def _checkpoint(pod: Pod, plan: Plan, age: int) -> Checkpoint:
    """Where this shard stands ``age`` microseconds after it began."""
    shards = int(plan.shards)
    begun = cut(parse_position(plan.segments), slots_of(pod.shard, shards))
    position = [replace(segment, clock=segment.clock + SPEED * age) for segment in begun]
    sent = RATE * age // SECOND
    return Checkpoint(
        epoch=pod.epoch,
        shard=pod.shard,
        segments=tuple(format_position(position)),
        reach=position[0].clock + SPEED * 10 * SECOND,
        spent=Spent(messages=sent, bytes=400 * sent, billed_bytes=1000 * sent),
        dataset=DATASET if pod.shard == 0 else None,
    )


def _now() -> int:
    return time.time_ns() // 1000


class Workers:
    """A worker for each pod that runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def see(self, kind: str, pod: dict[str, Any]) -> None:
        """Starts and ends workers as their pods come and go."""
        uid = pod["metadata"]["uid"]
        leaves = kind == "DELETED" or "deletionTimestamp" in pod["metadata"]
        if leaves and uid in self._tasks:
            self._tasks.pop(uid).cancel()
        elif not leaves and uid not in self._tasks and pod.get("status", {}).get("phase") == "Running":
            self._tasks[uid] = asyncio.create_task(self._lasting(Pod.of(pod)))

    async def _lasting(self, pod: Pod) -> None:
        """A worker that begins anew after whatever went wrong."""
        while True:
            try:
                await work(self._server, pod)
            except (RefusedError, aiohttp.ClientError, TimeoutError, KeyError) as error:
                print(f"shard {pod.shard} of {pod.simulation}: {error!r}", flush=True)
                await asyncio.sleep(TRIES_AGAIN)


async def main() -> None:
    server = Server()
    workers = Workers(server)
    while True:
        found = await server.ask("GET", PODS)
        for pod in found["items"]:
            workers.see("ADDED", pod)
        with suppress(aiohttp.ClientError):
            async for event in server.watch(PODS, found["metadata"]["resourceVersion"]):
                if event["type"] == "ERROR":
                    break
                workers.see(event["type"], event["object"])


if __name__ == "__main__":
    print(f"fake workers, process {os.getpid()}", flush=True)
    asyncio.run(main())

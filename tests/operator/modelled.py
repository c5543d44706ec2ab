"""A cluster in a few lines: an API server that merges and counts versions, controllers, and workers.

It is the oracle of the operator's tests: it knows what every worker really sent, which the operator does not.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from diurnal_api import lease as leases
from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.instants import MINUTE, SECOND
from diurnal_api.layout import SLOTS, Segment, cut, format_position, latest, merge, parse_position, slots_of
from diurnal_api.names import lease_name
from diurnal_api.plan import Plan
from diurnal_operator.observation import Claim, Observation, SeenLease
from diurnal_operator.reconcile import Decision, reconcile
from diurnal_operator.settings import Settings

UID = "0123abcd-0000-0000-0000-000000000000"
QUIET = 4  # looks without a write: a pod is made, takes a Lease, after a lease if it was put back, is ready
START = 1_767_225_600 * SECOND  # 2026-01-01


class CrashError(Exception):
    """The operator is killed here."""


class ConflictingError(Exception):
    """The object changed meanwhile."""


@dataclass
class Pod:
    """A worker: what it was told, what it holds, how far it sent; ``cut_off`` ones reach no API server."""

    uid: str
    shard: int
    run: str
    epoch: int
    holds: bool = False
    cut_off: bool = False
    segments: tuple[Segment, ...] = ()
    spent: int = 0
    ended: tuple[str, str, str] | None = None


@dataclass
class ModelCluster:
    """State of the world; ``now`` in microseconds since 1970, wall and boot time at once."""

    settings: Settings = field(default_factory=Settings)
    now: int = 1_800_000_000 * SECOND
    simulation: dict[str, Any] | None = None
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    seen: dict[str, tuple[str, int]] = field(default_factory=dict)
    done: list[int] = field(default_factory=lambda: [START] * SLOTS)
    sent_until: int = START
    promise: int = 5  # minutes that a worker's reach is ahead of its clock
    run: str = ""
    status_writes: int = 0
    events: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    crash_before: int | None = None
    crash_after: int | None = None
    _versions: Any = field(default_factory=lambda: itertools.count(1))
    _names: Any = field(default_factory=lambda: itertools.count(1))

    # What a user does

    def create(self, uid: str = UID, **spec: Any) -> None:
        self.simulation = {
            "apiVersion": "diurnal.dev/v1alpha1",
            "kind": "TrafficSimulation",
            "metadata": {
                "name": "app", "namespace": "default", "uid": uid, "generation": 1,
                "resourceVersion": self.version(),
            },
            "spec": {"sink": {"discard": {}}, **spec},
        }  # fmt: skip

    def change(self, **spec: Any) -> None:
        assert self.simulation is not None
        if {**self.simulation["spec"], **spec} != self.simulation["spec"]:
            self.simulation["spec"] = {**self.simulation["spec"], **spec}
            self.simulation["metadata"]["generation"] += 1
            self.simulation["metadata"]["resourceVersion"] = self.version()

    @property
    def status(self) -> dict[str, Any]:
        return (self.simulation or {}).get("status") or {}

    @property
    def plan(self) -> Plan:
        return Plan.model_validate(self.status["plan"])

    def condition(self, kind: str) -> dict[str, Any]:
        return next(c for c in self.status["conditions"] if c["type"] == kind)

    # The API server

    def version(self) -> str:
        return str(next(self._versions))

    def observe(self) -> Observation:
        assert self.simulation is not None
        seen = []
        for lease in self.leases.values():
            uid, version = lease["metadata"]["uid"], lease["metadata"]["resourceVersion"]
            if self.seen.get(uid, ("", 0))[0] != version:
                self.seen[uid] = (version, self.now)
            seen.append(SeenLease(copy.deepcopy(lease), (self.now - self.seen[uid][1]) / SECOND))
        mine = self.simulation["metadata"]["uid"]
        return Observation(
            simulation=copy.deepcopy(self.simulation),
            deployments=tuple(copy.deepcopy(d) for d in self.deployments.values() if _uid(d) == mine),
            leases=tuple(s for s in seen if _uid(s.lease) == mine),
            claims=self.claims,
            now=self.now,
        )

    def look(self) -> Decision:
        """One reconcile, carried out."""
        seen = self.observe()
        decision = reconcile(seen, self.settings)
        self.execute(seen, decision)
        return decision

    def execute(self, seen: Observation, decision: Decision) -> None:
        for wanted in decision.seal:
            self._write(f"seal {wanted['metadata']['name']}", lambda w=wanted: self._seal(w))
        for kind in ("Lease", "Deployment"):
            for wanted in decision.apply:
                if wanted["kind"] == kind:
                    self._write(f"apply {wanted['metadata']['name']}", lambda w=wanted: self._apply(w))
        if decision.status is not None:
            self._write("status", lambda: self._set_status(seen, decision))
        for thing in decision.delete:
            self._write(f"delete {thing['metadata']['name']}", lambda t=thing: self._delete(t))
        self.events += [happening.reason for happening in decision.events]

    def _write(self, what: str, do: Any) -> None:
        if self.crash_before == len(self.writes):
            self.crash_before = None
            raise CrashError
        do()
        self.writes.append(what)
        if self.crash_after == len(self.writes) - 1:
            self.crash_after = None
            raise CrashError

    def _seal(self, wanted: dict[str, Any]) -> None:
        found = self.leases.get(wanted["metadata"]["name"])
        if (
            found is not None
            and found["metadata"]["resourceVersion"] == wanted["metadata"]["resourceVersion"]
        ):
            self._store(self.leases, wanted)

    def _apply(self, wanted: dict[str, Any]) -> None:
        objects = self.deployments if wanted["kind"] == "Deployment" else self.leases
        found = objects.get(wanted["metadata"]["name"])
        if found is None:
            created = copy.deepcopy(wanted)
            created["metadata"]["uid"] = f"u{next(self._names)}"
            created["metadata"]["generation"] = 1
            self._store(objects, created)
            return
        merged = _merged(found, wanted)
        if merged != found:
            if merged.get("spec") != found.get("spec"):
                merged["metadata"]["generation"] += 1
            self._store(objects, merged)

    def _store(self, objects: dict[str, dict[str, Any]], thing: dict[str, Any]) -> None:
        thing = copy.deepcopy(thing)
        thing["metadata"]["resourceVersion"] = self.version()
        objects[thing["metadata"]["name"]] = thing

    def _set_status(self, seen: Observation, decision: Decision) -> None:
        assert self.simulation is not None
        assert decision.status is not None
        metadata = self.simulation["metadata"]
        if seen.simulation["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise ConflictingError
        self.check_clock(decision.status)
        self.simulation["status"] = copy.deepcopy(decision.status)
        metadata["resourceVersion"] = self.version()
        self.status_writes += 1

    def _delete(self, thing: dict[str, Any]) -> None:
        objects = self.deployments if thing["kind"] == "Deployment" else self.leases
        found = objects.get(thing["metadata"]["name"])
        if found is not None and found["metadata"]["uid"] == thing["metadata"]["uid"]:
            del objects[thing["metadata"]["name"]]

    # The controllers: pods of Deployments, drained where they are not wanted any more

    def control(self) -> None:
        for name, deployed in self.deployments.items():
            pod = self.pods.get(name)
            wanted = deployed["spec"]["replicas"] > 0
            if pod is not None and (not wanted or not _is_of(pod, deployed)):
                self._end(name, pod)
                pod = None
            if pod is None and wanted:
                given = _environment(deployed)
                self.pods[name] = Pod(
                    f"pod{next(self._names)}",
                    int(given["DIURNAL_SHARD"]),
                    given["DIURNAL_RUN"],
                    int(given["DIURNAL_EPOCH"]),
                )
            ready = wanted and self.pods[name].holds
            deployed["status"] = {
                "observedGeneration": deployed["metadata"]["generation"],
                "replicas": int(wanted), "updatedReplicas": int(wanted), "readyReplicas": int(ready),
            }  # fmt: skip
        for name in [name for name in self.pods if name not in self.deployments]:
            self._end(name, self.pods[name])

    def _end(self, name: str, pod: Pod) -> None:
        """A graceful end: what was sent is checkpointed, the Lease is released."""
        lease = self._held(pod)
        if lease is not None and not pod.cut_off and self.status.get("plan"):
            self._checkpoint(pod, lease)
            self._store(self.leases, leases.released(self.leases[lease["metadata"]["name"]], self.now))
        del self.pods[name]

    # The workers

    def work(self, minutes: int = 10) -> None:
        """Each worker goes on by some simulated minutes, and checkpoints."""
        for pod in list(self.pods.values()):
            if pod.holds and pod.cut_off:
                pod.holds = False  # its deadline is over before another's begins
            if not pod.cut_off:
                self._go_on(pod, minutes)

    def crash(self, name: str) -> None:
        """A worker sends more, then dies before it can say so; its Lease stays held."""
        pod = self.pods.pop(name, None)
        if pod is not None and pod.holds:
            for segment in pod.segments:
                self.sent_until = max(self.sent_until, segment.clock + self.promise * MINUTE)

    def _go_on(self, pod: Pod, minutes: int) -> None:
        plan = self.status.get("plan")
        if (
            plan is None
            or (plan["run"], plan["epoch"]) != (pod.run, pod.epoch)
            or pod.shard >= plan["shards"]
        ):
            pod.holds = False
            return
        lease = self._held(pod) or self._taken(pod)
        if lease is None:
            return
        read = Plan.model_validate(plan)
        clock = max(segment.clock for segment in pod.segments)
        until = clock + (0 if pod.ended else minutes) * MINUTE
        before = pod.segments
        pod.segments = tuple(
            Segment(s.first, s.last, self._limited(max(s.clock, until), read)) for s in pod.segments
        )
        self._progressed(pod)
        pod.spent += 10 if pod.segments != before else 0
        self._checkpoint(pod, lease)

    def _limited(self, clock: int, plan: Plan) -> int:
        return clock if plan.pace.end is None else min(clock, plan.pace.end)

    def _held(self, pod: Pod) -> dict[str, Any] | None:
        lease = self.leases.get(_lease_name(self, pod))
        held = (
            lease is not None
            and pod.holds
            and leases.holder(lease) == pod.uid
            and not leases.is_sealed(lease)
        )
        pod.holds = held
        return lease if held else None

    def _taken(self, pod: Pod) -> dict[str, Any] | None:
        lease = self.leases.get(_lease_name(self, pod))
        if lease is None or leases.is_sealed(lease):
            return None
        if leases.may_be_held(lease) and not self._is_stale(lease):
            return None
        self._store(self.leases, leases.taken(lease, pod.uid, self.now, 15))
        pod.holds = True
        found = leases.checkpoint_of(lease)
        plan = self.plan
        known = latest(parse_position(plan.segments), parse_position(self.status["clock"]["segments"]))
        begun = cut(known, slots_of(pod.shard, int(plan.shards)))
        pod.segments = latest(begun, found.position if found else ())
        pod.spent = found.spent.messages if found else 0
        self._check_begin(pod)
        return self.leases[lease["metadata"]["name"]]

    def _is_stale(self, lease: dict[str, Any]) -> bool:
        seen = self.seen.get(lease["metadata"]["uid"])
        return (
            seen is not None
            and seen[0] == lease["metadata"]["resourceVersion"]
            and self.now - seen[1] >= 15 * SECOND
        )

    def _checkpoint(self, pod: Pod, lease: dict[str, Any]) -> None:
        plan = self.plan
        clock = max(segment.clock for segment in pod.segments)
        over = plan.pace.end is not None and min(s.clock for s in pod.segments) >= plan.pace.end
        checkpoint = Checkpoint(
            epoch=pod.epoch, shard=pod.shard, segments=tuple(format_position(pod.segments)),
            reach=clock + self.promise * MINUTE,
            spent=Spent(messages=pod.spent, billed_bytes=pod.spent * 500),
            state="Completed" if over else "Running",
            total=plan.pace.max_messages if pod.ended and pod.ended[0] == "BudgetExhausted" else None,
        )  # fmt: skip
        if pod.ended is not None:
            state, reason, message = pod.ended
            checkpoint = checkpoint.model_copy(update={"state": state, "reason": reason, "message": message})
        self._store(self.leases, leases.renewed(lease, checkpoint, self.now))

    # What must be true

    def _progressed(self, pod: Pod) -> None:
        for segment in pod.segments:
            self.sent_until = max(self.sent_until, segment.clock)
            for slot in segment.slots:
                self.done[slot] = max(self.done[slot], segment.clock)

    def _check_begin(self, pod: Pod) -> None:
        """A worker goes on where its slots stand: nothing is left out, nothing known is repeated."""
        known = _by_slot(self.status["clock"]["segments"])
        if pod.run != self.run:
            self.run, self.done = pod.run, [self.plan.start] * SLOTS
        for segment in pod.segments:
            for slot in segment.slots:
                assert segment.clock <= self.done[slot], f"slot {slot} leaves something out"
                assert segment.clock >= known[slot], f"slot {slot} goes back"

    def check_clock(self, status: dict[str, Any]) -> None:
        """The clock of a slot goes back in no run, and never passes what was really done."""
        before, after = self.status, status
        if not after.get("clock"):
            assert not before.get("clock")
            return
        position = parse_position(after["clock"]["segments"])  # every slot once
        parse_position(after["plan"]["segments"])
        if after["plan"]["run"] == self.run:
            for segment in position:
                assert all(segment.clock <= self.done[slot] for slot in segment.slots), (
                    "a clock nobody reached"
                )
        if before.get("clock") and before["plan"]["run"] == after["plan"]["run"]:
            for old, new in zip(
                _by_slot(before["clock"]["segments"]), _by_slot(after["clock"]["segments"]), strict=True
            ):
                assert old <= new, "the clock went back"
            if len(after["plan"]["regimes"]) != len(before["plan"]["regimes"]):
                regime = Plan.model_validate(after["plan"]).regimes[-1]
                assert regime.start >= self.sent_until, "a new regime begins before what the old one sent"
        elif before.get("plan"):
            self.sent_until = START

    def keep_working(self, rounds: int, minutes: int = 1) -> None:
        """Rounds of a run that goes on, however much there is to write."""
        for _ in range(rounds):
            self.work(minutes)
            self.now += 20 * SECOND
            self.look()
            self.control()

    def settle(self, rounds: int = 40, minutes: int = 0) -> Decision:
        """Looks, controls, works, until the operator has nothing more to write; the last decision."""
        quiet = 0
        for _ in range(rounds):
            try:
                decision = self.look()
            except ConflictingError:
                continue
            self.control()
            self.work(minutes)
            self.now += 20 * SECOND
            quiet = 0 if decision.seal or decision.apply or decision.delete or decision.status else quiet + 1
            if quiet == QUIET:
                return decision
        raise AssertionError(f"not settled after {rounds} rounds: {self.writes[-8:]}")


def _merged(found: Any, wanted: Any) -> Any:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {**found, **{key: _merged(found.get(key), value) for key, value in wanted.items()}}
    return copy.deepcopy(wanted)


def _uid(thing: dict[str, Any]) -> str:
    return str(thing["metadata"]["ownerReferences"][0]["uid"])


def _environment(deployed: dict[str, Any]) -> dict[str, str]:
    container = deployed["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def _is_of(pod: Pod, deployed: dict[str, Any]) -> bool:
    given = _environment(deployed)
    return (pod.run, str(pod.epoch)) == (given["DIURNAL_RUN"], given["DIURNAL_EPOCH"])


def _lease_name(world: ModelCluster, pod: Pod) -> str:
    assert world.simulation is not None
    return lease_name("app", world.simulation["metadata"]["uid"], pod.shard, pod.epoch)


def _by_slot(texts: list[str]) -> list[int]:
    return [segment.clock for segment in merge(parse_position(texts)) for _ in segment.slots]

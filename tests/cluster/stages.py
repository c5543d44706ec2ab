"""The same change of a simulation made again and again on one API server; one thing goes wrong each time.

Several stages play side by side, each in a namespace of its own with an operator of its own behind a gate of
its own. Fake workers, that stand where the plan puts them, make the ends comparable: where a change ends
follows from the plan before it.
"""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from diurnal_api.layout import format_position, merge
from diurnal_api.names import uid_part
from diurnal_api.plan import Plan
from fake_workers import FakeWorkers, checkpoint
from gate import Gate, Rule, a_gate, unharmed
from history import PATHS, History
from kubeapi import SIMULATIONS, KubeApi
from lives import Life
from operators import FAST
from place import simulation
from world import eventually

Object = dict[str, Any]
NAMESPACES: Final = "/api/v1/namespaces"
COUNTED: Final = ("deployments", "pods", "leases")
LOOK_SECONDS: Final = 0.3
SIDE_BY_SIDE: Final = 4
SPEC: Final[Object] = {"shards": 2, "sink": {"discard": {}}}
Step = Object | None
"""What a step changes in the spec; the first one creates the simulation, None deletes it."""
CHANGES: Final[dict[str, tuple[Object, Step]]] = {
    "create": (SPEC, None),
    "rescale": ({"shards": 3}, {"shards": 2}),
    "traffic": (
        {"traffic": {"rate": {"eventsPerUserPerDay": 5}}},
        {"traffic": {"rate": {"eventsPerUserPerDay": 57}}},
    ),
    "suspend": ({"suspend": True}, {"suspend": False}),
}
"""Changes, each with the one that undoes it."""
SETTINGS: Final = {
    **FAST,
    "DIURNAL_STATUS_SECONDS": "300",  # only what is urgent is written, so that a story's end is quiet
    "DIURNAL_RESYNC_SECONDS": "1",
    "DIURNAL_WRITES_AT_ONCE": "1",
    "DIURNAL_LEADER_LEASE_SECONDS": "3",
    "DIURNAL_BACKOFF_FIRST_SECONDS": "0.1",
    "DIURNAL_BACKOFF_LONGEST_SECONDS": "0.5",
    "DIURNAL_HEALTH_PORT": "0",
    "DIURNAL_TZDATA": "2025b",
}


@dataclass(frozen=True)
class End:
    """How a step ends, without what differs from time to time.

    ``position`` and ``regime`` say whether the plan goes on where the workers of the plan before it stood,
    and whether its last regime began where they may have been.
    """

    objects: tuple[str, ...]
    replicas: tuple[int, ...]
    is_sealed: bool
    epochs: int
    shards: int
    traffic: Object
    position: bool
    regime: bool
    conditions: tuple[tuple[str, str, str], ...]
    status: tuple[Any, ...]


@dataclass(frozen=True)
class Told:
    """A step that was taken: its end, what was created and deleted, what was written, which Events came."""

    end: End | None
    counts: Counter[str]
    writes: tuple[str, ...]
    events: Counter[str]


@dataclass
class Stage:
    """One namespace with its gate; its operators' logs lie in a folder."""

    api: KubeApi
    gate: Gate
    folder: Path
    namespace: str = field(default_factory=lambda: f"s-{uuid.uuid4().hex[:8]}")
    lives: list[Life] = field(default_factory=list)

    def build(self) -> None:
        for name in (self.namespace, self.system):
            self.api.post(NAMESPACES, {"metadata": {"name": name}}).expect()
        path = f"{NAMESPACES}/{self.namespace}/serviceaccounts/default"
        eventually("a service account", lambda: self.api.get(path).ok)

    def strike(self) -> None:
        """Takes everything down."""
        for life in self.lives:
            life.kill()
        for name in (self.namespace, self.system):
            self.api.delete(f"{NAMESPACES}/{name}")

    @property
    def system(self) -> str:
        """The operator's namespace."""
        return f"{self.namespace}-operator"

    def said(self) -> str:
        """What all lives of the operator have logged."""
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{self.namespace}-*.log")))

    def live(self) -> Life:
        """Another life of the operator."""
        environment = {
            **os.environ,
            **SETTINGS,
            "KUBECONFIG": str(self.gate.kubeconfig(self.folder)),
            "DIURNAL_NAMESPACES": self.namespace,
            "DIURNAL_OPERATOR_NAMESPACE": self.system,
        }
        self.lives.append(Life(environment, self.folder / f"{self.namespace}-{len(self.lives)}.log"))
        return self.lives[-1]

    def writes(self) -> list[str]:
        """What the operator wrote, its own Lease aside."""
        return [str(request) for request in self.gate.writes(but=self.system)]

    def take(self, step: Step, rule_of: Callable[[Life], Rule]) -> Told:
        """Takes a step from where all is settled until all is settled again, under a rule.

        Where a life of the operator ends, another one begins. The rule holds for the first one only.
        """
        life = self.alive()
        eventually("it leads", self._leads)
        before, history = self._plan(), History(self.api, self.namespace)
        self.gate.requests.clear()
        self.gate.rule = rule_of(life)
        self._make(step)
        what = f"the end of {step}"
        try:
            eventually(what, self._is_at_its_end, every=LOOK_SECONDS)
        except AssertionError as late:
            raise AssertionError(f"{late}; written were {self.writes()}; {self.said()[-4000:]}") from None
        self.gate.rule = unharmed
        return Told(self._end(before), history.counts(*COUNTED), tuple(self.writes()), history.reasons())

    def alive(self) -> Life:
        """The operator's present life; a new one where there is none."""
        return self.lives[-1] if self.lives and self.lives[-1].runs else self.live()

    def exists(self) -> bool:
        """Whether there is a simulation on the stage."""
        return self.api.get(self._path).ok

    def is_empty(self) -> bool:
        """Whether nothing is left of a simulation, as a living operator leaves it."""
        self.alive()
        return not self.exists() and not any(self._list(plural) for plural in COUNTED)

    def delete(self) -> None:
        """Deletes the simulation, as a user does; one that is gone is fine."""
        self.api.delete(self._path)

    def _leads(self) -> bool:
        log = self.alive().log
        return log.exists() and '"leading"' in log.read_text()

    def _is_at_its_end(self) -> bool:
        self.alive()
        return self._is_settled()

    @property
    def _path(self) -> str:
        return f"{SIMULATIONS.format(self.namespace)}/app"

    def _make(self, step: Step) -> None:
        if step is None:
            self.delete()
        elif self.api.get(self._path).ok:
            self.api.merge(self._path, {"spec": step}).expect()
        else:
            self.api.post(SIMULATIONS.format(self.namespace), simulation(step, "app")).expect()

    def _plan(self) -> Plan | None:
        found = self.api.get(self._path)
        return Plan.model_validate(found.body["status"]["plan"]) if found.ok else None

    def _is_settled(self) -> bool:
        """Whether the world is as the spec wants it, and the status says so; without a spec, empty."""
        answer = self.api.get(self._path)
        if not answer.ok:
            return not any(self._list(plural) for plural in COUNTED)
        status, spec = answer.body.get("status") or {}, answer.body["spec"]
        ready = {c["type"]: c["status"] for c in status.get("conditions") or []}.get("Ready")
        if ready != "True" or status["observedGeneration"] != answer.body["metadata"]["generation"]:
            return False
        plan, wanted = status["plan"], 0 if spec["suspend"] else spec["shards"]
        return (
            status["shards"] == wanted
            and bool(plan.get("dataset"))
            and plan["regimes"][-1]["traffic"] == spec["traffic"]
            and len(self._list("leases")) == len(self._list("deployments")) == plan["shards"]
            and len(self._list("pods")) == wanted
        )

    def _end(self, before: Plan | None) -> End | None:
        """How things are now."""
        answer = self.api.get(self._path)
        if not answer.ok:
            return None
        status, uid = answer.body["status"], uid_part(answer.body["metadata"]["uid"])
        deployments, leases = self._list("deployments"), self._list("leases")
        plan = Plan.model_validate(status["plan"])
        told = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
        told.pop("Throttled")  # it follows measurements
        names = (o["metadata"]["name"].replace(uid, "UID") for o in (*deployments, *leases))
        return End(
            tuple(sorted(re.sub("-e[0-9]+$", "-eN", name) for name in names)),
            tuple(d["spec"]["replicas"] for d in deployments),
            any("diurnal.dev/sealed" in (o["metadata"].get("annotations") or {}) for o in leases),
            int(plan.epoch) - (int(before.epoch) if before else 0),
            int(plan.shards),
            status["plan"]["regimes"][-1]["traffic"],
            plan.segments == _position(before, plan),
            _is_right_regime(before, plan),
            tuple((kind, *found) for kind, found in sorted(told.items())),
            tuple(status[key] for key in ("state", "ready", "shards", "users")),
        )

    def _list(self, plural: str) -> list[Object]:
        return list(self.api.get(PATHS[plural].format(self.namespace)).expect()["items"])


def _position(before: Plan | None, plan: Plan) -> tuple[str, ...]:
    """Where the plan's slots have to stand."""
    if before is None or before.epoch == plan.epoch:
        return (before or plan).segments
    moved = [checkpoint(before, shard).position for shard in range(int(before.shards))]
    return tuple(format_position(merge(segment for some in moved for segment in some)))


def _is_right_regime(before: Plan | None, plan: Plan) -> bool:
    """Whether new traffic begins at the furthest promise, and old traffic where it began."""
    if before is None:
        return plan.regimes[-1].start == plan.start
    if plan.regimes[-1].traffic == before.regimes[-1].traffic:
        return plan.regimes[-1].start == before.regimes[-1].start
    return plan.regimes[-1].start == max(checkpoint(before, s).reach for s in range(int(before.shards)))


@contextmanager
def side_by_side(kubeconfig: Path, folder: Path) -> Iterator[list[Stage]]:
    """Some stages, and one node with fake workers for all of them."""
    api = KubeApi.of(kubeconfig)
    with ExitStack() as gates:
        stages = [Stage(api, gates.enter_context(a_gate(kubeconfig)), folder) for _ in range(SIDE_BY_SIDE)]
        workers = FakeWorkers(api, [stage.namespace for stage in stages])
        workers.start()
        try:
            for stage in stages:
                stage.build()
            yield stages
        finally:
            workers.stop()
            for stage in stages:
                stage.strike()

"""The operator with a thousand shards: what it costs, and how soon they are ready. `make scale` runs this.

The API server, etcd, the controllers and the operator are real, and the operator has its own rights only. The
nodes are fake (scale_nodes.py), and so are the workers (scale_workers.py): this measures the operator.

    python tests/cluster/scale.py --simulations 10 --shards 1000 --seconds 120 [--into docs/scale.md]

Exits with 1 where a bound is not kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, signal
from tempfile import TemporaryDirectory

from access import Parties, established
from controlplane import ControlPlane
from kubeapi import SIMULATIONS, KubeApi
from place import eventually, install, simulation
from processes import Processes
from scale_figures import Figures
from scale_nodes import FakeNodes
from scale_page import page
from scale_usage import usage_of
from scale_watch import Watch
from scale_writes import StatusWrites

CONTROLLERS = ("--kube-api-qps=200", "--kube-api-burst=400", "--node-monitor-grace-period=10m")
"""With their default rates alone the pods of a thousand Deployments take three minutes. And one process beats
for all the nodes: that it is late on a busy machine is not to look like a lost node."""
PODS_A_NODE = 100
PATIENCE = 600.0
SETTLES = 15.0
"""Seconds after which the start counts as over."""
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Stage:
    """A cluster with fake nodes, on which an operator and the fake workers run."""

    api: KubeApi
    kubeconfig: Path
    parties: Parties
    processes: Processes

    @property
    def simulations(self) -> str:
        return SIMULATIONS.format(self.parties.team)

    def operator(self) -> int:
        """The id of the operator's process."""
        return self.processes.pid("operator")


@contextmanager
def stage(nodes: int) -> Iterator[Stage]:
    """Everything up, and nothing left of it afterwards."""
    plane = ControlPlane(CONTROLLERS)
    with TemporaryDirectory(prefix="diurnal-scale-") as folder:
        processes = Processes(Path(folder))
        try:
            plane.start(prepare=install)
            with FakeNodes(plane.kubeconfig(), nodes), established(plane.api, "operator") as parties:
                operator = plane.kubeconfig(parties.operator)
                _start(processes, plane.kubeconfig(), operator, parties)
                yield Stage(plane.api, plane.kubeconfig(), parties, processes)
        finally:
            for name in ("operator", "workers"):
                processes.end(name, SIGTERM)
            plane.stop()


def _start(processes: Processes, admin: Path, operator: Path, parties: Parties) -> None:
    processes.run("workers", sys.executable, HERE / "scale_workers.py", KUBECONFIG=str(admin))
    processes.run(
        "operator", sys.executable, "-m", "diurnal_operator",
        KUBECONFIG=str(operator), DIURNAL_OPERATOR_NAMESPACE=parties.system, DIURNAL_HEALTH_PORT="0",
    )  # fmt: skip
    eventually(lambda: '"leading"' in processes.log("operator"))


def measured(on: Stage, simulations: int, shards: int, seconds: float) -> Figures:
    """Creates the simulations at once, waits until all are ready, and looks at the operator for so long."""
    writes = StatusWrites()
    with Watch(on.kubeconfig, f"{on.simulations}?limit=500", writes.seen):
        before, began = usage_of(on.operator()), time.monotonic()
        for number in range(simulations):
            body = simulation({"shards": shards // simulations, "sink": {"discard": {}}}, f"world-{number}")
            on.api.post(on.simulations, body).expect()
        eventually(lambda: _told(on, began) == simulations, PATIENCE, every=2.0)
        ready, started, begun = time.monotonic() - began, usage_of(on.operator()), len(writes)
        time.sleep(SETTLES)
        steady, steadily, written = usage_of(on.operator()), time.monotonic(), len(writes)
        time.sleep(seconds)
        after, passed = usage_of(on.operator()), time.monotonic() - steadily
        assert _ready(on) == simulations
        return Figures(
            simulations=simulations,
            shards=shards,
            lead=before.cpu,
            ready=ready,
            start_cpu=started.cpu - before.cpu,
            start_writes=begun,
            steady=passed,
            steady_cpu=after.cpu - steady.cpu,
            steady_writes=len(writes) - written,
            most_writes=writes.most_in_a_second(),
            memory=after.memory,
            peak=after.peak,
        )


def _told(on: Stage, began: float) -> int:
    """How many are Ready, told to whoever waits."""
    ready, usage = _ready(on), usage_of(on.operator())
    used = f"{usage.cpu:.1f} s of CPU, {usage.memory:.0f} MB"
    print(f"{time.monotonic() - began:4.0f} s: {ready} Ready; the operator: {used}", file=sys.stderr)
    return ready


def _ready(on: Stage) -> int:
    """How many simulations are Ready."""
    found = on.api.get(on.simulations).expect()["items"]
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in s.get("status", {}).get("conditions", []))
        for s in found
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=10)
    parser.add_argument("--shards", type=int, default=1000, help="of all simulations")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the steady time")
    parser.add_argument("--into", type=Path, help="a page to write")
    asked = parser.parse_args()
    signal(SIGTERM, lambda *_: sys.exit(f"ended by signal {SIGTERM.name}"))  # nothing of ours goes on running
    with stage(-(-asked.shards // PODS_A_NODE)) as on:
        figures = measured(on, asked.simulations, asked.shards, asked.seconds)
        print(on.processes.log("workers")[-2000:], file=sys.stderr)
    print(figures.table)
    if asked.into:
        asked.into.write_text(page(figures))
    return 0 if figures.kept else 1


if __name__ == "__main__":
    sys.exit(main())

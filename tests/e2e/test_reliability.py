"""One run through every fault that a cluster has, with the built images and the real Pub/Sub emulator.

At its end the subscriber's events are those of one uninterrupted pass, content for content, and repeats are
only those that guarantee 3 allows. `make e2e` runs a shorter one; `make reliability` the one of five million
events whose table is in docs/reliability.md.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import page
import reading
from chronicle import Chronicle
from diurnal_api.names import deployment_name
from diurnal_api.plan import Plan
from diurnal_worker.dataset import parse_dataset
from faults import Fault, Faults, account, table
from images import relabelled
from installation import OPERATOR, SYSTEM, admit, install
from kubectl import Kubectl, Simulation, eventually, published
from node import Node
from oracle import expected
from place import ROOT
from services import Bucket, Emulator
from subscriber import Subscriber

EVENTS = 5_000_000 if page.ASKED else 600_000
THROTTLE = 7_000 if page.ASKED else 2_000
AWAY = 60 if page.ASKED else 15
UNREACHABLE = 30 if page.ASKED else 12
NAME = "planet"
HAPPENED = {
    "RunStarted": 1,
    "TrafficChanged": 1,
    "Rescaled": 3,
    "Suspended": 1,
    "Resumed": 1,
    "BudgetExhausted": 1,
}
WORLD = ROOT / "worker" / "diurnal_worker" / "data" / "world-2025.csv"


@dataclass
class Run:
    """Everything that takes part."""

    node: Node
    images: dict[str, str]
    emulator: Emulator
    bucket: Bucket
    kubectl: Kubectl
    simulation: Simulation
    subscriber: Subscriber
    chronicle: Chronicle
    faults: Faults

    def install(self, **images: str) -> None:
        """Installs or upgrades, with the services in the operator's environment."""
        install(self.node.kubeconfig, {**self.images, **images}, **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PUBSUB_EMULATOR_HOST": self.emulator.address,
            "STORAGE_EMULATOR_HOST": self.bucket.url,
        }

    def await_replanned(self, fault: Fault, holds: Any, within: float = 120.0) -> None:
        """Waits until the status says so, which is the operator's recovery."""
        eventually(f"the plan after {fault.name}", lambda: holds(self.simulation.status()), within)
        fault.operator_recovered()

    def rescale(self, before: int, after: int) -> None:
        with self.faults.fault(f"rescaled {before} to {after}") as fault:
            self.simulation.scale(after)
            self.await_replanned(fault, lambda status: int(status["plan"]["shards"]) == after)
            self.faults.await_publishing(fault, after)
            self.simulation.await_settled(after)


@pytest.fixture
def run(node: Node, images: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    """All of it up, and two shards about to be asked for."""
    emulator, bucket = Emulator(tmp_path, node.address), Bucket(tmp_path, node.address)
    kubectl = Kubectl(node.kubeconfig)
    try:
        emulator.start()
        bucket.start()
        kubectl = admit(node.kubeconfig)
        simulation = Simulation.of(kubectl, NAME)
        subscriber = Subscriber(emulator.address, emulator.subscription)
        chronicle = Chronicle(kubectl, simulation, node.folder / "logs", tmp_path)
        it = Run(
            node, images, emulator, bucket, kubectl, simulation, subscriber, chronicle, Faults(simulation)
        )
        it.install()
        subscriber.start()
        chronicle.start()
        yield it
        chronicle.end()
        subscriber.end()
        with suppress(AssertionError):
            kubectl("delete", "tsim", NAME, "--ignore-not-found")
    finally:
        bucket.stop()
        emulator.stop(signal.SIGKILL)


@pytest.mark.timeout(3000)
def test_every_event_arrives_through_every_fault(run: Run, tmp_path: Path) -> None:
    begun = time.time()
    data = WORLD.read_bytes()
    start(run, run.bucket.upload("world-2025.csv", data))
    change_the_traffic(run)
    run.rescale(2, 5)
    delete_a_pod(run)
    kill_a_worker(run)
    change_the_budget(run)
    run.rescale(5, 3)
    freeze_a_worker_past_its_lease(run)
    delete_the_operator_for_a_while(run)
    restart_the_api_server(run)
    cut_the_emulator_off(run)
    restart_the_emulator(run)
    stop_and_go_on(run)
    roll_the_image(run, another_image(run, tmp_path))
    finish(run)

    took = time.time() - begun
    story = read(run, tmp_path)
    status = run.simulation.status()
    plan = Plan.model_validate(status["plan"])
    assert plan.dataset is not None
    oracle = expected(plan, parse_dataset(data, plan.dataset.uri), EVENTS)
    received = np.unique(run.subscriber.fingerprints)
    assert np.array_equal(received, oracle.fingerprints), difference(received, oracle.fingerprints)
    wrong = account(run.faults.all, run.chronicle, run.subscriber, oracle)
    print(f"\n{told(run, took)}")
    if page.ASKED:
        page.write("faults", told(run, took))
    late = [fault for fault in run.faults.all if fault.is_late()]
    assert not wrong, "\n".join(wrong)
    assert not story, "\n".join(story)
    assert not late, f"recovered too late: {', '.join(fault.name for fault in late)}"


def told(run: Run, took: float) -> str:
    """What a reader of the page wants to know."""
    return (
        f"{page.this_machine()}, `make {'reliability' if page.ASKED else 'e2e'}`: {EVENTS:,} events in "
        f"{took:.0f} s, {run.subscriber.received:,} messages.\n\n{table(run.faults.all)}"
    )


def difference(received: NDArray[np.int64], wanted: NDArray[np.int64]) -> str:
    missing, foreign = np.setdiff1d(wanted, received).size, np.setdiff1d(received, wanted).size
    return f"{missing} of {wanted.size} events did not arrive, {foreign} others did"


def read(run: Run, folder: Path) -> list[str]:
    """What does not read well of all that a person could have read; kept in the test's folder."""
    described = run.kubectl("describe", "tsim", NAME)
    (folder / "describe").write_text(described)
    events = run.kubectl.json("get", "events", "--field-selector=involvedObject.kind=TrafficSimulation")
    happened = Counter[str]()
    for each in events["items"]:
        happened[each["reason"]] += each.get("count") or 1
    return [
        *reading.of_logs(run.chronicle.logs()),
        *reading.of_watch(run.chronicle.watched()),
        *reading.of_description(described),
        *reading.of_events(happened, HAPPENED),
    ]


def start(run: Run, countries: str) -> None:
    with run.faults.fault("applied, two shards") as fault:
        manifest = {
            "apiVersion": "diurnal.dev/v1alpha1",
            "kind": "TrafficSimulation",
            "metadata": {"name": NAME},
            "spec": {
                "shards": 2,
                "population": {"countries": {"uri": countries}, "users": 100_000},
                "budget": {"maxMessagesPerSecond": THROTTLE, "maxMessages": EVENTS},
                "sink": {"pubsub": {"topic": run.emulator.topic}},
                "worker": {
                    "serviceAccountName": "diurnal-worker",
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "192Mi"},
                        "limits": {"memory": "512Mi"},
                    },
                },
            },
        }
        run.kubectl("apply", "--filename=-", given=yaml.safe_dump(manifest))
        run.await_replanned(fault, lambda status: "plan" in status)
        run.faults.await_publishing(fault, 2)
        run.simulation.await_settled(2)


def change_the_traffic(run: Run) -> None:
    with run.faults.fault("traffic changed") as fault:
        run.simulation.patch(traffic={"rate": {"eventsPerUserPerDay": 80}})
        run.await_replanned(fault, lambda status: len(status["plan"]["regimes"]) == 2)
        run.faults.await_publishing(fault, 2)
        run.simulation.await_settled(2)


def delete_a_pod(run: Run) -> None:
    with run.faults.fault("kubectl delete pod") as fault:
        run.kubectl("delete", "pod", run.simulation.pod(1)["metadata"]["name"], "--wait=false")
        run.faults.await_publishing(fault, 5)
        run.simulation.await_settled(5)


def kill_a_worker(run: Run) -> None:
    with run.faults.fault("kill -9 in a pod", may_repeat=True) as fault:
        os.kill(host_pid(run.simulation.pod(2)), signal.SIGKILL)
        await_restarted(run, 2)
        run.faults.await_publishing(fault, 5)
        run.simulation.await_settled(5)


def change_the_budget(run: Run) -> None:
    with run.faults.fault("budget changed") as fault:
        run.simulation.patch(budget={"maxMessagesPerSecond": THROTTLE + 100})
        run.await_replanned(fault, lambda status: paced(status) == THROTTLE + 100)
        run.faults.await_publishing(fault, 5)


def freeze_a_worker_past_its_lease(run: Run) -> None:
    """A second pod of the shard waits for the Lease, as one of a lost node's would, and takes over."""
    with run.faults.fault("frozen past its lease, another pod takes over", may_repeat=True) as fault:
        frozen = run.simulation.pod(0)
        pid = host_pid(frozen)
        os.kill(pid, signal.SIGSTOP)
        try:
            run.kubectl("apply", "--filename=-", given=yaml.safe_dump(twin(run)))
            eventually("the twin publishes", lambda: published(twin_pod(run)) > 0)
            fault.worker_recovered()
        finally:
            os.kill(pid, signal.SIGCONT)
    with run.faults.fault("thawed, the other pod deleted", may_repeat=True) as fault:
        name = frozen["metadata"]["name"]
        eventually("the thawed one sees", lambda: "lease_lost" in run.kubectl("logs", name))
        run.kubectl("delete", "pod", "twin", "--wait=false")
        fault.is_healed()
        run.faults.await_publishing(fault, 3)
        run.simulation.await_settled(3)


def delete_the_operator_for_a_while(run: Run) -> None:
    with run.faults.fault(f"operator deleted for {AWAY} s") as fault:
        run.kubectl("delete", "deployment", OPERATOR, f"--namespace={SYSTEM}")
        run.simulation.patch(budget={"maxMessagesPerSecond": THROTTLE + 200})
        time.sleep(AWAY)
        run.faults.await_publishing(fault, 3)
        fault.is_healed()
        run.install()
        run.await_replanned(fault, lambda status: paced(status) == THROTTLE + 200)
        run.simulation.await_settled(3)
        fault.worker = None  # they never stopped


def restart_the_api_server(run: Run) -> None:
    with run.faults.fault("API server killed and restarted") as fault:
        run.node.plane.restart_apiserver()
        fault.is_healed()
        eventually("kubectl works", lambda: run.simulation.patch(budget=throttled(300)))
        run.await_replanned(fault, lambda status: paced(status) == THROTTLE + 300)
        run.faults.await_publishing(fault, 3)
        run.simulation.await_settled(3)


def cut_the_emulator_off(run: Run) -> None:
    with run.faults.fault(f"Pub/Sub unreachable for {UNREACHABLE} s", may_repeat=True) as fault:
        with run.emulator.unreachable():
            time.sleep(UNREACHABLE)
        fault.is_healed()
        run.faults.await_publishing(fault, 3)
        run.simulation.await_settled(3)


def restart_the_emulator(run: Run) -> None:
    """Drained first, with the way to it blocked: what it has when it ends, it forgets."""
    with run.faults.fault("Pub/Sub killed and restarted", may_repeat=True) as fault:
        with run.emulator.unreachable():
            run.subscriber.await_silence()
            run.emulator.stop(signal.SIGKILL)
            run.emulator.start()
        fault.is_healed()
        run.faults.await_publishing(fault, 3)
        run.simulation.await_settled(3)


def stop_and_go_on(run: Run) -> None:
    with run.faults.fault("rescaled 3 to 0"):
        run.simulation.scale(0)
        eventually("it rests", lambda: run.simulation.status()["state"] == "Suspended")
        eventually("no worker is left", lambda: not run.simulation.pods())
    run.rescale(0, 4)


def another_image(run: Run, folder: Path) -> str:
    image = relabelled(run.images["worker"], "next", folder)
    run.node.containers.load(image)
    return image


def roll_the_image(run: Run, image: str) -> None:
    assert int(run.simulation.status()["spent"]["messages"]) < 0.95 * EVENTS, "it is rolled in the middle"
    with run.faults.fault("worker image rolled") as fault:
        run.install(worker=image)
        fault.is_healed()
        eventually("all have it", lambda: {image_of(pod) for pod in run.simulation.pods()} == {image}, 180)
        run.faults.await_publishing(fault, 4)
        run.simulation.await_settled(4)


def finish(run: Run) -> None:
    """Faster, but no faster than the emulator is on a busy machine, for its queue has no bound."""
    with run.faults.fault("budget raised, to the last event", may_repeat=True):
        run.simulation.patch(budget={"maxMessagesPerSecond": 2 * THROTTLE})
        eventually("the end", lambda: run.simulation.status().get("state") == "BudgetExhausted", 900)
        run.subscriber.await_silence()


def throttled(more: int) -> dict[str, int]:
    return {"maxMessagesPerSecond": THROTTLE + more}


def paced(status: dict[str, Any]) -> float:
    return float(status["plan"]["pace"]["messagesPerSecond"])


def image_of(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def twin(run: Run) -> dict[str, Any]:
    """Another pod of shard 0, without the labels by which Deployments count theirs."""
    uid = run.simulation.read()["metadata"]["uid"]
    found = run.kubectl.json("get", "deployment", deployment_name(NAME, uid, 0))
    labels = {"app.kubernetes.io/name": "diurnal-worker"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "twin", "labels": labels},
        "spec": found["spec"]["template"]["spec"],
    }


def twin_pod(run: Run) -> dict[str, Any]:
    pod: dict[str, Any] = run.kubectl.json("get", "pod", "twin")
    return pod


def await_restarted(run: Run, shard: int) -> None:
    """The container of a shard runs again, after one restart."""

    def again() -> bool:
        [status] = run.simulation.pod(shard)["status"]["containerStatuses"]
        return bool(status["restartCount"] == 1 and "running" in status["state"])

    eventually("the container restarts", again)


def host_pid(pod: dict[str, Any]) -> int:
    """A worker's process as this machine counts: in its pod it is process 1, which no kill reaches."""
    group = f"pod{pod['metadata']['uid']}"
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            mine = group in (process / "cgroup").read_text()
            if mine and b"diurnal-worker" in (process / "cmdline").read_bytes():
                return int(process.name)
    raise AssertionError(f"no process of {pod['metadata']['name']}")

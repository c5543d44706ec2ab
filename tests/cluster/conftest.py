"""Fixtures of the tests on a real API server: a control plane for the session, a namespace for each test.

They compile Kubernetes once, so they run only where they are asked for: `pytest tests/cluster`, or
`pytest -m cluster`. KUBECONFIG, where it is set, is the cluster to use; else one is started and stopped.
Without either they are skipped with a loud reason, or fail where DIURNAL_REQUIRE_CLUSTER=1, as in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import binaries
from asking import only_if_asked
from controlplane import ControlPlane
from fake_workers import FakeWorkers
from gate import Gate, a_gate
from kubeapi import KubeApi
from nodes import Node
from operators import Operator
from place import Cluster, Namespace, eventually, install
from stages import Stage, side_by_side
from world import World, a_world

HERE = Path(__file__).parent
WITHOUT = "no Kubernetes API server"
WITHOUT_EMULATOR = "no Pub/Sub emulator"
WITHOUT_KUBECTL = "no kubectl"
MISSING = (WITHOUT, WITHOUT_KUBECTL, WITHOUT_EMULATOR)
_missing: list[binaries.NoControlPlaneError] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a real API server, compiled once")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what lies here, and leaves it out unless somebody asked for it."""
    only_if_asked(config, items, HERE, "cluster")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles before the first test begins, whose time limit is too short for that."""
    wanted = any(item.get_closest_marker("cluster") for item in session.items)
    if wanted and not session.config.option.collectonly and not os.environ.get("KUBECONFIG"):
        try:
            binaries.find()
        except binaries.NoControlPlaneError as missing:
            _missing.append(missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the very end, in one loud line, what was not tested and why."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = {str(report.longrepr[2]) for report in reports if isinstance(report.longrepr, tuple)}
    for reason in sorted(each for each in reasons if any(what in each for what in MISSING)):
        terminalreporter.write_line(f"NOT TESTED on Kubernetes: {reason}", red=True, bold=True)


def _without(reason: str) -> NoReturn:
    if os.environ.get("DIURNAL_REQUIRE_CLUSTER") == "1":
        pytest.fail(f"{reason}; DIURNAL_REQUIRE_CLUSTER=1 asks for it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of KUBECONFIG, else a control plane that lasts as long as the session; with the CRD."""
    if given := os.environ.get("KUBECONFIG"):
        it = Cluster(Path(given), KubeApi.of(Path(given)), tmp_path_factory.mktemp("kubeconfigs"))
        install(it.api)
        yield it
        return
    if _missing:
        _without(f"{WITHOUT}: {_missing[0]}")
    plane = ControlPlane()
    try:
        plane.start(prepare=install)
    except binaries.NoControlPlaneError as missing:
        _without(f"{WITHOUT}: {missing}")
    try:
        yield Cluster(plane.kubeconfig(), plane.api, plane.folder, plane)
    finally:
        plane.stop()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace that nobody else uses, ready for pods; it and all in it are deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    namespaces = "/api/v1/namespaces"
    cluster.api.post(namespaces, {"metadata": {"name": name}}).expect()
    eventually(lambda: cluster.api.get(f"{namespaces}/{name}/serviceaccounts/default").ok)
    yield Namespace(name, cluster)
    cluster.api.delete(f"{namespaces}/{name}").expect()


@pytest.fixture
def kubectl(namespace: Namespace) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs kubectl in the namespace; `given` is its standard input."""
    program = shutil.which("kubectl", path=os.environ.get("KUBEBUILDER_ASSETS")) or shutil.which("kubectl")
    if program is None:
        _without(f"{WITHOUT_KUBECTL} on the PATH: https://kubernetes.io/docs/tasks/tools")

    def run(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(program), "--namespace", namespace.name, *arguments]
        environment = {**os.environ, "KUBECONFIG": str(namespace.cluster.kubeconfig())}
        return subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, env=environment, timeout=60
        )

    return run


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a Pub/Sub emulator that lasts as long as the session."""
    from emulator import NoEmulatorError, running

    try:
        attempt = running()
        address = attempt.__enter__()
    except NoEmulatorError as missing:
        _without(f"{WITHOUT_EMULATOR}: {missing}")
    yield address
    attempt.__exit__(None, None, None)


@pytest.fixture(scope="module")  # no longer: operators of the whole cluster would find them
def stages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """Stages on which the same change is made again and again, several side by side."""
    with side_by_side(cluster.kubeconfig(), tmp_path_factory.mktemp("stages")) as stages:
        yield stages


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    """A namespace for simulations, and one beside it for their operator."""
    with a_world(cluster.kubeconfig()) as world:
        yield world


@pytest.fixture
def node(world: World, tmp_path: Path) -> Iterator[Node]:
    """A node that runs real workers for the pods of the world."""
    node = Node(world, tmp_path)
    node.start()
    yield node
    node.stop()


@pytest.fixture
def workers(cluster: Cluster, world: World) -> Iterator[FakeWorkers]:
    """Fake workers for the world: what is tested here is the operator."""
    workers = FakeWorkers(cluster.api, [world.namespace])
    workers.start()
    yield workers
    workers.stop()


@pytest.fixture
def gate(cluster: Cluster) -> Iterator[Gate]:
    """A door to the API server that the test owns."""
    with a_gate(cluster.kubeconfig()) as gate:
        yield gate


@pytest.fixture
def operator(world: World, node: Node, tmp_path: Path) -> Iterator[Operator]:
    """A running operator; in no log of its is a traceback."""
    operator = Operator(world, tmp_path)
    operator.start()
    yield operator
    if operator.runs:
        operator.stop()
    assert "Traceback" not in operator.text(), operator.text()

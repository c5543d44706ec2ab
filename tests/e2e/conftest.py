"""Fixtures of the tests on a real node: a cluster for the session, the project's images in it, its operator.

They take minutes and need root, so they run only where they are asked for: `pytest tests/e2e`, `make e2e`.
KUBECONFIG, where it is set, is the cluster to use; else kind, where Docker runs; else a node of our own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asking import only_if_asked
from clusters import AnyCluster, Given, Kind
from images import made
from node import Node, traces

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: needs a cluster with a node, and images")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what lies here, leaves it out unless somebody asked for it, and keeps the order of the files."""
    for item in only_if_asked(config, items, HERE, "e2e"):
        item.add_marker(pytest.mark.timeout(1800))
        # Connections to an API server that was killed are left to the collector.
        item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[AnyCluster]:
    """The cluster to test on; it fails, and never skips, where none can be had."""
    it: AnyCluster
    if given := os.environ.get("KUBECONFIG"):
        it = Given(Path(given))
    elif Kind.is_here():
        it = Kind()
    else:
        it = Node()
    it.start()
    try:
        yield it
    finally:
        it.stop()
        assert not isinstance(it, Node) or not traces()


@pytest.fixture(scope="session")
def node(cluster: AnyCluster) -> Node:
    """The cluster, where it is a node of our own, whose processes and network can be harmed."""
    if not isinstance(cluster, Node):
        pytest.skip("only a node that the tests have brought up can be harmed: unset KUBECONFIG, stop Docker")
    return cluster


@pytest.fixture(scope="session")
def images(cluster: AnyCluster) -> dict[str, str]:
    """The project's images by part, built and in the cluster."""
    return made(cluster.environment)

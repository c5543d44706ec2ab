"""The clusters that the tests run on beside a node of our own: kind, and one that somebody else keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from network import run


class AnyCluster(Protocol):
    """What the tests ask of a cluster."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of the administrator."""

    @property
    def address(self) -> str:
        """This machine, as pods see it."""

    @property
    def environment(self) -> Mapping[str, str]:
        """In which `make images push install` and kubectl work on this cluster."""

    def start(self) -> None:
        """It is there."""

    def stop(self) -> None:
        """Nothing of it is left that was not there before."""


class Kind:
    """A cluster in Docker: https://kind.sigs.k8s.io"""

    name = "diurnal-e2e"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="diurnal-kind-"))

    @staticmethod
    def is_here() -> bool:
        """Whether kind is on the PATH and Docker answers."""
        if shutil.which("kind") is None or shutil.which("docker") is None:
            return False
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0

    @property
    def kubeconfig(self) -> Path:
        return self._folder / "kubeconfig"

    @property
    def address(self) -> str:
        gateway = "{{(index .IPAM.Config 0).Gateway}}"
        return run("docker", "network", "inspect", "kind", "--format", gateway).strip()

    @property
    def environment(self) -> Mapping[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    def start(self) -> None:
        self._kind("create", "--wait", "120s")

    def stop(self) -> None:
        self._kind("delete")
        shutil.rmtree(self._folder)

    def _kind(self, verb: str, *more: str) -> None:
        run("kind", verb, "cluster", "--name", self.name, "--kubeconfig", self.kubeconfig, *more)


class Given:
    """The cluster of KUBECONFIG. `make push` says what it wants of REGISTRY."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    @property
    def kubeconfig(self) -> Path:
        return self._kubeconfig

    @property
    def address(self) -> str:
        address = os.environ.get("DIURNAL_E2E_ADDRESS")
        assert address, "DIURNAL_E2E_ADDRESS: an address of this machine that its pods reach"
        return address

    @property
    def environment(self) -> Mapping[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    def start(self) -> None:
        run("kubectl", "--kubeconfig", self.kubeconfig, "get", "nodes")

    def stop(self) -> None:
        """It is somebody else's."""

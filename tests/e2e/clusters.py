"""The clusters that the tests run on beside a node of our own: kind, and one that somebody else keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from network import run
from place import ROOT


class AnyCluster(Protocol):
    """What the tests ask of a cluster."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of the administrator."""

    @property
    def address(self) -> str:
        """This machine, as pods see it."""

    def start(self) -> None:
        """It is there."""

    def stop(self) -> None:
        """Nothing of it is left that was not there before."""

    def image(self, part: str, tag: str = "e2e") -> str:
        """Builds the image of a part (operator, worker), puts it where pods find it, returns its name."""


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
        return run(
            "docker", "network", "inspect", "kind", "--format", "{{(index .IPAM.Config 0).Gateway}}"
        ).strip()

    def start(self) -> None:
        run(
            "kind",
            "create",
            "cluster",
            "--name",
            self.name,
            "--kubeconfig",
            self.kubeconfig,
            "--wait",
            "120s",
        )

    def stop(self) -> None:
        run("kind", "delete", "cluster", "--name", self.name, "--kubeconfig", self.kubeconfig)
        shutil.rmtree(self._folder)

    def image(self, part: str, tag: str = "e2e") -> str:
        name = f"diurnal-{part}:{tag}"
        run("docker", "build", "--file", ROOT / f"Dockerfile.{part}", "--tag", name, ROOT)
        run("kind", "load", "docker-image", name, "--name", self.name)
        return name


class Given:
    """The cluster of KUBECONFIG. Its images come from REGISTRY, where `make images push` has put them."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    @property
    def kubeconfig(self) -> Path:
        return self._kubeconfig

    @property
    def address(self) -> str:
        raise AssertionError("pods of a given cluster do not reach the services of this machine")

    def start(self) -> None:
        run("kubectl", "--kubeconfig", self._kubeconfig, "get", "nodes")

    def stop(self) -> None:
        """It is somebody else's."""

    def image(self, part: str, tag: str = "e2e") -> str:
        registry = os.environ.get("REGISTRY")
        assert registry, "KUBECONFIG names a cluster: REGISTRY says where its images are (make images push)"
        return f"{registry}/diurnal-{part}:{os.environ.get('TAG', 'latest')}"

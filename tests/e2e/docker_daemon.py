"""A Docker daemon of our own: the third builder, without a network, socket or images of anybody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from network import run
from place import eventually

Client = dict[str, str]
"""The environment in which `docker` talks to the daemon."""


@contextmanager
def daemon() -> Iterator[Client]:
    """A daemon, until the end of the block. It builds on the host's network, so it needs none of its own."""
    folder = Path(tempfile.mkdtemp(prefix="diurnal-docker-"))
    client = {
        "DOCKER_HOST": f"unix://{folder / 'socket'}",
        "DOCKER_BUILDKIT": "1",  # the default of Docker since version 23; Debian 12 has 20.10
        "PATH": f"/usr/bin:{os.environ['PATH']}",  # its own client before another one
    }
    with (folder / "log").open("wb") as log:
        it = subprocess.Popen(
            ["/usr/sbin/dockerd", "--host", client["DOCKER_HOST"], "--pidfile", folder / "pid",
             "--data-root", folder / "data", "--exec-root", folder / "exec",
             "--bridge=none", "--iptables=false", "--ip-masq=false"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        eventually(lambda: _docker(client, "info", check=False).returncode == 0, 60)
        yield client
    finally:
        it.terminate()
        it.wait()
        shutil.rmtree(folder)


def copied_to(client: Client, image: str) -> str:
    """Brings an image of buildah's to the daemon, under another name."""
    name = "diurnal-test-base:local"
    with tempfile.TemporaryDirectory() as folder:
        run("buildah", "push", "--quiet", image, f"docker-archive:{folder}/it.tar:{name}")
        _docker(client, "load", "--quiet", "--input", f"{folder}/it.tar")
    return name


def copied_from(client: Mapping[str, str], image: str) -> None:
    """Brings an image of the daemon's to buildah, under its name."""
    with tempfile.TemporaryDirectory() as folder:
        _docker(client, "save", "--output", f"{folder}/it.tar", image)
        run("buildah", "pull", "--quiet", f"docker-archive:{folder}/it.tar:{image}")


def _docker(
    client: Mapping[str, str], *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **client}, stdin=subprocess.DEVNULL, capture_output=True, check=check,
    )  # fmt: skip

"""The project's images, made by the commands that everybody uses: `make images push`.

On a machine without a registry they stand on a base of our own (tests/e2e/base-image).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from network import run
from place import ROOT

PARTS = ("operator", "worker")
_MADE = ROOT / "out" / "images"


class BuildError(Exception):
    """An image could not be built; the message has the end of what was said."""


def without_a_registry(socket: Path) -> dict[str, str]:
    """The environment in which `make images push` builds by buildah and loads into a containerd."""
    return {
        "BUILDER": "buildah",
        "BASE_IMAGE": run(ROOT / "tests" / "e2e" / "base-image").split()[-1],
        "BUILD_FLAGS": "--isolation chroot --layers",
        "LOAD": f"ctr --address {socket} --namespace k8s.io images import",
    }


def made(environment: Mapping[str, str]) -> dict[str, str]:
    """Builds both images, puts them where the cluster finds them, and returns their names by part."""
    done = subprocess.run(
        ["make", "images", "push"], cwd=ROOT, env={**os.environ, **environment}, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"make images push: {done.stdout[-3000:]}")
    return {part: (_MADE / part).read_text().strip() for part in PARTS}


def relabelled(image: str, tag: str, folder: Path) -> str:
    """Another image that does the same, under another tag: what a roll-out needs."""
    (folder / "Dockerfile").write_text(f"FROM {image}\nLABEL org.opencontainers.image.revision={tag}\n")
    name = f"{image.rpartition(':')[0]}:{tag}"
    run("buildah", "build", "--isolation", "chroot", "--quiet", "--tag", name, folder)
    return name

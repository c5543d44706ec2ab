"""The project's images, built by its own Dockerfiles with buildah, on a base that needs no registry.

What pip needs on this machine, certificates and an index, is lent to the build and stays out of the image.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from network import run

ROOT = Path(__file__).parents[2]
PARTS = ("operator", "worker")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class BuildError(Exception):
    """An image could not be built; the message has the end of what the build said."""


def build(part: str, tag: str = "e2e", *more: str) -> str:
    """Builds the image of a part (operator, worker) and returns its name; `more` are options of buildah."""
    name = f"localhost/diurnal-{part}:{tag}"
    base = run(ROOT / "tests" / "e2e" / "base-image").split()[-1]
    done = subprocess.run(
        ["buildah", "build", "--isolation", "chroot", "--layers", "--file", ROOT / f"Dockerfile.{part}",
         "--build-arg", f"BASE_IMAGE={base}", *secrets(), *more, "--tag", name, ROOT],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"{name}: {done.stdout[-3000:]}")
    return name


def secrets() -> Iterator[str]:
    """What pip needs on this machine: the certificates, and where it is configured its configuration."""
    if CERTIFICATES.exists():
        yield f"--secret=id=ca,src={CERTIFICATES}"
    for place in (
        os.environ.get("PIP_CONFIG_FILE"),
        "~/.config/pip/pip.conf",
        "~/.pip/pip.conf",
        "/etc/pip.conf",
    ):
        if place and Path(place).expanduser().is_file():
            yield f"--secret=id=pip,src={Path(place).expanduser()}"
            return

"""Inside the images that `make images` builds: what must be there, what must not, and how they end.

They need no node, only buildah, podman and Docker's daemon, and root for looking inside.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

import docker_daemon as docker
from images import without_a_registry
from network import run
from place import ROOT, eventually

PARTS = ("worker", "operator")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
LARGEST = {"worker": 200e6, "operator": 250e6}
"""Bytes above the base."""
FORBIDDEN = {"pip", "pip3", "cc", "gcc", "c++", "g++", "clang", "make", "as", "ld"}


@contextmanager
def unpacked(image: str) -> Iterator[Path]:
    """The files of an image, as a folder."""
    container = run("buildah", "from", "--pull-never", image).strip()
    try:
        yield Path(run("buildah", "mount", container).strip())
    finally:
        run("buildah", "rm", container)


def bytes_of(image: str) -> int:
    """The bytes of its files, each counted once."""
    with unpacked(image) as root:
        return int(run("du", "--summarize", "--bytes", "--one-file-system", root).split()[0])


@dataclass(frozen=True)
class Builder:
    """What builds and pushes; ``environment`` is what `make` is given for it."""

    name: str
    environment: dict[str, str]

    def make(self, *targets: str, **environment: str) -> None:
        given = {**os.environ, **self.environment, "BUILDER": self.name, **environment}
        subprocess.run(["make", *targets], cwd=ROOT, env=given, stdin=subprocess.DEVNULL, check=True)


@pytest.fixture(scope="module", params=["buildah", "podman", "docker"])
def builder(request: pytest.FixtureRequest) -> Iterator[Builder]:
    here = without_a_registry(Path("/nowhere"))
    loopback = {"PUSH_FLAGS": "--tls-verify=false"}  # Docker trusts registries on the loopback by itself
    if request.param != "docker":
        yield Builder(request.param, {**here, **loopback})
        return
    with docker.daemon() as client:
        base = docker.copied_to(client, here["BASE_IMAGE"])
        yield Builder("docker", {**client, "BASE_IMAGE": base, "BUILD_FLAGS": "--network host"})


@pytest.fixture(scope="module")
def images(builder: Builder) -> dict[str, str]:
    """Both images by part, built by each builder; a Dockerfile that only one of them takes would end here."""
    builder.make("images")
    names = {part: f"localhost/diurnal-{part}:{VERSION}" for part in PARTS}
    if builder.name == "docker":
        for name in names.values():
            docker.copied_from(builder.environment, name)
    return names


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_image_is_small(part: str, images: dict[str, str]) -> None:
    above = bytes_of(images[part]) - bytes_of(without_a_registry(Path("/nowhere"))["BASE_IMAGE"])
    print(f"{part}: {above / 1e6:.0f} MB above the base")
    assert above < LARGEST[part]


def test_neither_pip_nor_a_compiler_is_inside(part: str, images: dict[str, str]) -> None:
    with unpacked(images[part]) as root:
        programs = {path.name for folder in root.glob("**/bin") for path in folder.iterdir()}
        assert programs.isdisjoint(FORBIDDEN)
        assert f"diurnal-{part}" in programs
        assert not [
            *root.glob("**/site-packages/pip"),
            *root.glob("**/ensurepip"),
            *root.glob("**/pip-*.whl"),
        ]


def test_time_zones_are_inside_and_nothing_of_the_build_is(part: str, images: dict[str, str]) -> None:
    with unpacked(images[part]) as root:
        [site] = root.glob("opt/diurnal/lib/python3*/site-packages")
        assert (site / "tzdata" / "zoneinfo" / "Europe" / "Berlin").exists()
        assert list(site.glob("diurnal_api/__pycache__/*.pyc")), (
            "compiled, for the root is read-only in a pod"
        )
        assert not (root / "build").exists()
        assert not list((root / "run").glob("secrets/*"))


def test_labels_user_and_entry(part: str, images: dict[str, str]) -> None:
    config = json.loads(run("buildah", "inspect", "--type", "image", images[part]))["OCIv1"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == [f"diurnal-{part}"]
    labels = {key.removeprefix("org.opencontainers.image."): it for key, it in config["Labels"].items()}
    assert labels["title"] == f"diurnal-{part}"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == images[part].rpartition(":")[2]
    assert labels["revision"] not in {"", "unknown"}


def test_the_whole_part_imports(part: str, images: dict[str, str]) -> None:
    """What was taken out is not missed; a part that needs another part's packages would end here."""
    script = f"""
import importlib, pkgutil, diurnal_{part} as it
for each in pkgutil.walk_packages(it.__path__, it.__name__ + "."):
    if not each.name.endswith(("__main__", ".compiled")):  # the kernel is for the extra `fast`
        importlib.import_module(each.name)
"""
    container = run("buildah", "from", "--pull-never", images[part]).strip()
    try:
        done = subprocess.run(
            ["buildah", "run", "--isolation", "chroot", container, "--", "python", "-c", script],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        run("buildah", "rm", container)


ENVIRONMENT = {
    "PATH": "/opt/diurnal/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/",
    "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "9",
    "DIURNAL_NAME": "it", "DIURNAL_NAMESPACE": "it", "DIURNAL_UID": "0123-4567", "DIURNAL_RUN": "r",
    "DIURNAL_EPOCH": "1", "DIURNAL_SHARD": "0", "POD_UID": "pod", "DIURNAL_METRICS_PORT": "0",
    "DIURNAL_HEALTH_PORT": "0",
}  # fmt: skip
"""Of a pod whose API server does not answer."""


@contextmanager
def as_process_one(root: Path, part: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program as process 1 of a pid namespace, as the image's user; with its id as we see it."""
    # Not below var: var/run is a link to /run, which from here would be this machine's own.
    account = root / "run" / "secrets" / "kubernetes.io" / "serviceaccount"
    account.mkdir(parents=True, exist_ok=True)
    (account / "token").write_text("token")
    (account / "namespace").write_text("it")
    (account / "ca.crt").write_bytes((root / "etc" / "ssl" / "certs" / "ca-certificates.crt").read_bytes())
    with log.open("wb") as out:
        outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child",
             "chroot", "--userspec=65532:65532", root, f"/opt/diurnal/bin/diurnal-{part}"],
            env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        yield outer, int(eventually(children.read_text).split()[0])
    finally:
        outer.kill()
        outer.wait()


BEGUN = {"worker": "api_server_unavailable", "operator": "waiting_for_the_lead"}
"""What each says when it has begun, and nobody answers."""


def test_as_process_one_it_ends_on_sigterm(part: str, images: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with unpacked(images[part]) as root, as_process_one(root, part, log) as (outer, inner):
        eventually(lambda: BEGUN[part] in log.read_text(), 60)
        began = time.monotonic()
        os.kill(inner, signal.SIGTERM)
        assert outer.wait(30) == 0, log.read_text()
        assert time.monotonic() - began < 10
        assert "Traceback" not in log.read_text()


def test_as_process_one_it_ends_on_sigterm_while_it_still_imports(
    part: str, images: dict[str, str], tmp_path: Path
) -> None:
    """For a process 1 without a handler the kernel drops the signal, and its pod would hang for its grace."""
    log = tmp_path / "log"
    with unpacked(images[part]) as root, as_process_one(root, part, log) as (outer, inner):
        eventually(lambda: takes_sigterm(inner), 60)
        os.kill(inner, signal.SIGTERM)
        assert outer.wait(30) == 0, log.read_text()


def takes_sigterm(pid: int) -> bool:
    """Whether the process has a handler of its own for SIGTERM (SigCgt of proc_pid_status(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry of our own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    settings = {"version": "0.1", "storage": storage, "http": {"addr": address}}
    (folder / "config.yml").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        it = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        eventually(lambda: answers(f"http://{address}/v2/"))
        yield address
    finally:
        it.terminate()
        it.wait()


def answers(url: str) -> bool:
    try:
        return int(urllib3.request("GET", url, retries=False).status) == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.usefixtures("images")
def test_what_is_rendered_is_what_the_registry_has(builder: Builder, tmp_path: Path) -> None:
    """By its digest: another image under the same tag is not what was installed."""
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    with registry(tmp_path) as address:
        builder.make("images", "push", REGISTRY=f"{address}/team")
        subprocess.run([ROOT / "tools" / "images.sh", "render"], check=True)
        rendered = (ROOT / "out" / "install.yaml").read_text()
        for part in PARTS:
            url = f"http://{address}/v2/team/diurnal-{part}/manifests/{VERSION}"
            told = urllib3.request("GET", url, headers={"Accept": kinds})
            digest = told.headers["Docker-Content-Digest"]
            assert f": {address}/team/diurnal-{part}@{digest}\n" in rendered

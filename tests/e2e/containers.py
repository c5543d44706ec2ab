"""containerd of one node: a daemon of our own, images that are put into it, and what it leaves behind.

Debian's containerd and runc; nothing of a containerd that runs on this machine already is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from network import PLUGINS, Network, run
from processes import Processes

PAUSE = "localhost/diurnal-pause:1"
_PAUSE_FILE = """\
FROM scratch
COPY busybox /busybox
ENTRYPOINT ["/busybox", "sleep", "2147483647"]
"""
SOCKET = "containerd.sock"
NAMESPACES = Path("/run/netns")
_BUSYBOX = Path("/bin/busybox")  # Debian's busybox-static


class Containers:
    """containerd in a folder, as child of `processes`."""

    def __init__(self, folder: Path, processes: Processes, network: Network) -> None:
        self._folder, self._processes, self._network = folder, processes, network
        self.socket = folder / SOCKET

    def start(self) -> None:
        """containerd answers, and has the image that holds a pod's namespaces."""
        configuration = self._folder / "containerd.toml"
        configuration.write_text(self._configuration())
        self._processes.run("containerd", shutil.which("containerd") or "containerd", "-c", configuration)
        self._processes.await_("containerd", self._answers)
        self._load_pause()

    def load(self, image: str) -> None:
        """Puts an image of buildah's store into containerd."""
        archive = self._folder / "image.tar"
        run("buildah", "push", "--quiet", image, f"docker-archive:{archive}:{image}")
        self._ctr("images", "import", "--digests=false", archive)
        archive.unlink()

    def stop(self) -> None:
        """No container, no mount and no network namespace of ours is left."""
        self._processes.end("containerd", signal.SIGKILL)
        remove(self._folder)

    def _answers(self) -> bool:
        return self._try_ctr("version") is not None

    def _load_pause(self) -> None:
        context = self._folder / "pause"
        context.mkdir()
        shutil.copy(_BUSYBOX, context / "busybox")
        (context / "Dockerfile").write_text(_PAUSE_FILE)
        run("buildah", "build", "--isolation", "chroot", "--quiet", "--tag", PAUSE, context)
        self.load(PAUSE)

    def _ctr(self, *command: str | Path) -> str:
        return run("ctr", "--address", self.socket, "--namespace", "k8s.io", *command)

    def _try_ctr(self, *command: str) -> str | None:
        with suppress(subprocess.SubprocessError):
            return self._ctr(*command)
        return None

    def _configuration(self) -> str:
        """The CRI part of https://github.com/containerd/containerd/blob/main/docs/cri/config.md."""
        return f"""\
version = 2
root = "{self._folder}/containerd/root"
state = "{self._folder}/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Some machines of CI forbid even root to lower a score below its own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{self._network.configuration}"
"""


def remove(folder: Path) -> None:
    """Ends the containers of a folder's containerd, which is gone, and removes what they leave."""
    processes = [child for pid in _shims(folder) for child in (*_children(pid), pid)]
    namespaces = {_network_namespace(pid) for pid in processes} - {_network_namespace(os.getpid())}
    for pid in processes:
        _kill(pid)
    for mount in sorted(mounts_under(folder), reverse=True):
        with suppress(subprocess.CalledProcessError):
            run("umount", "--lazy", mount)
    for path in NAMESPACES.glob("cni-*"):
        if path.stat().st_ino in namespaces:
            run("ip", "netns", "delete", path.name)


def _shims(folder: Path) -> Iterator[int]:
    """The processes between a containerd and its containers; they outlive it."""
    socket = os.fsencode(folder / SOCKET)
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            command = (process / "cmdline").read_bytes()
            if b"containerd-shim" in command and socket in command:
                yield int(process.name)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _network_namespace(pid: int) -> int:
    """The number of the namespace that a process is in; 0 where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    return 0


def mounts_under(folder: Path) -> list[str]:
    """The mount points below a folder."""
    points = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
    return [point for point in points if point.startswith(f"{folder}/")]


def _kill(pid: int) -> None:
    """Ends a process of ours at once and waits until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{pid}/exe").exists():
            return
        time.sleep(0.02)

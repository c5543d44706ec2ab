"""The part of a kubelet that keeps ConfigMap volumes up to date, for workers that run as processes."""

from __future__ import annotations

import base64
import sys
import threading
from contextlib import suppress
from pathlib import Path

from world import Object, World

LOOK_SECONDS = 0.3
PLACE = "/etc/diurnal/countries"


class Mounts(threading.Thread):
    """Puts the keys that the world's pods mount at PLACE into a folder, as files, and takes them out again.

    All pods share the folder. Hand it to the workers as DIURNAL_COUNTRIES_FOLDER.
    """

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(daemon=True)
        self.world, self.folder = world, folder
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.is_set():
            try:
                for pod in self.world.pods():
                    self._mount(pod)
            except self.world.error as error:
                print(f"mounts: {error!r:.300}", file=sys.stderr)
            self._done.wait(LOOK_SECONDS)

    def stop(self) -> None:
        self._done.set()
        self.join(10)

    def _mount(self, pod: Object) -> None:
        wanted = [m["name"] for m in pod["spec"]["containers"][0]["volumeMounts"] if m["mountPath"] == PLACE]
        for volume in pod["spec"]["volumes"]:
            if volume["name"] in wanted:
                self._fill(volume["configMap"])

    def _fill(self, volume: Object) -> None:
        """As the API says of an optional volume: what is not there is no file."""
        assert volume["optional"]
        found = self._read(volume["name"])
        for item in volume["items"]:
            path = self.folder / item["path"]
            if (data := found.get(item["key"])) is None:
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_bytes() != data:
                following = path.with_name(f"..{path.name}")
                following.write_bytes(data)
                following.replace(path)

    def _read(self, name: str) -> dict[str, bytes]:
        with suppress(self.world.error):
            found = self.world.raw(self.world.core.read_namespaced_config_map(name, self.world.namespace))
            texts = {key: text.encode() for key, text in (found.get("data") or {}).items()}
            binary = {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
            return texts | binary
        return {}

"""The node's network: a bridge of its own with a subnet that nobody here uses, and what pods leave behind.

Pods hang on the bridge by the CNI plugins `bridge` and `host-local`
(https://www.cni.dev/plugins/current/main/bridge/); the bridge's address is this machine as pods see it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

NAME = "diurnal-e2e"
BRIDGE = "diurnal0"
PLUGINS = Path("/usr/lib/cni")
CANDIDATES = tuple(IPv4Network(f"10.{second}.77.0/24") for second in range(77, 88))
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class Network:
    """The bridge of one node. `gateway` is this machine's address for pods."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forwarded = _FORWARD.read_text()
        self.subnet = free_subnet()
        self.gateway = str(next(self.subnet.hosts()))

    @property
    def configuration(self) -> Path:
        """The folder with the CNI configuration."""
        return self._folder / "cni"

    def start(self) -> None:
        """The bridge is up, and the plugins are told about it."""
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{self.gateway}/{self.subnet.prefixlen}", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        _FORWARD.write_text("1\n")
        self.configuration.mkdir()
        (self.configuration / "10-diurnal.conflist").write_text(json.dumps(self._plugins()))

    def stop(self) -> None:
        """As before, also where pods were not taken down in order."""
        remove()
        _FORWARD.write_text(self._forwarded)

    def _plugins(self) -> dict[str, Any]:
        addresses = {
            "type": "host-local",
            "dataDir": str(self._folder / "addresses"),
            "ranges": [[{"subnet": str(self.subnet)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "hairpinMode": True}
        return {"cniVersion": "0.4.0", "name": NAME, "plugins": [{**bridge, "ipam": addresses}]}


def free_subnet() -> IPv4Network:
    """The first candidate that overlaps no route of this machine."""
    routes = json.loads(run("ip", "-json", "-4", "route"))
    taken = [IPv4Network(each["dst"], strict=False) for each in routes if each["dst"] != "default"]
    return next(subnet for subnet in CANDIDATES if not any(subnet.overlaps(other) for other in taken))


def remove() -> None:
    """Takes out the bridge with its rules, and the address translation of pods that nobody took down."""
    with suppress(subprocess.CalledProcessError):
        run("ip", "link", "delete", BRIDGE)
    for rule in run("iptables", "-S", "INPUT").splitlines():
        if f"-i {BRIDGE} " in rule:
            run("iptables", "-D", *shlex.split(rule)[1:])
    rules = [
        line for line in run("iptables", "-t", "nat", "-S").splitlines() if f'name: \\"{NAME}\\"' in line
    ]
    chains = {words[words.index("-j") + 1] for words in map(shlex.split, rules)}
    for rule in rules:
        if rule.startswith("-A POSTROUTING"):
            run("iptables", "-t", "nat", "-D", *shlex.split(rule)[1:])
    for chain in sorted(each for each in chains if each.startswith("CNI-")):
        run("iptables", "-t", "nat", "-F", chain)
        run("iptables", "-t", "nat", "-X", chain)


def run(*command: str | Path) -> str:
    """What a command printed; CalledProcessError where it failed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=600)
    return done.stdout

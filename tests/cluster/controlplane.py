"""A real control plane for tests: etcd, API server and controller manager as three processes, no node.

Every one has ports that were free a moment ago. A port can still be lost to somebody else in that moment, and
an API server on somebody else's etcd looks healthy; so each process is asked for a secret that only ours can
know (etcd for its random member name, the API server for its random issuer of tokens) before it is used.
There is no scheduler and no kubelet: pods stay Pending unless a test binds them and writes their status
(tests/e2e has a node, on this same control plane).
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from binaries import Binaries, find
from kubeapi import KubeApi, kubeconfig_as
from processes import HOST, Processes, free_ports

ADMIN = "admin"
# What simulations meet in a cluster; the rest (volumes, certificates, autoscaling) only costs time.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "taint-eviction-controller",
)


class ControlPlane:
    """One control plane in a temporary folder. Start it, use its kubeconfig, stop it.

    controller_flags are added to those of the controller manager, such as --kube-api-qps=200; ports (etcd,
    its peers, API server, controller manager) are chosen at the start where none are given. host is the
    address of the API server; for one that pods can reach, it becomes the Service `kubernetes`, too.
    """

    def __init__(
        self,
        controller_flags: tuple[str, ...] = (),
        ports: tuple[int, ...] | None = None,
        host: str = HOST,
        controllers: tuple[str, ...] = CONTROLLERS,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="diurnal-control-plane-"))
        self.ports = ports or (0, 0, 0, 0)
        self.host = host
        self._controllers = controllers
        self._binaries: Binaries | None = None
        self._controller_flags = controller_flags
        self._secret = secrets.token_hex(16)
        self._issuer = f"https://{secrets.token_hex(8)}.diurnal.invalid"
        self._member = f"etcd-{secrets.token_hex(8)}"
        self._processes = Processes(self.folder)

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://{self.host}:{self.ports[2]}"

    @property
    def api(self) -> KubeApi:
        """A client with all rights."""
        return KubeApi.of(self.kubeconfig())

    def start(self, prepare: Callable[[KubeApi], object] = lambda _: None) -> None:
        """Everything up, proven to be ours. Raises NoControlPlaneError; nothing runs then.

        prepare is called before the controllers start: install kinds there, because the garbage collector
        learns of later ones only after half a minute.
        """
        try:
            self._binaries = find()
            self.ports = self.ports if any(self.ports) else free_ports()
            self._write_secrets()
            self.start_etcd()
            self.start_apiserver()
            prepare(self.api)
            self.start_controllers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Nothing runs any more and the folder is gone. May be called at any time, and again."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._processes.end(name, signal.SIGTERM if name == "kube-controller-manager" else signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart_apiserver(self, how: signal.Signals = signal.SIGKILL) -> None:
        """The API server ended and started again on the same port; what it stored stays."""
        self.stop_apiserver(how)
        self.start_apiserver()

    def stop_apiserver(self, how: signal.Signals = signal.SIGKILL) -> None:
        """An outage: nothing answers until start_apiserver."""
        self._processes.end("kube-apiserver", how)

    def start_etcd(self) -> None:
        """etcd up and ours."""
        etcd, peer, _, _ = self.ports
        client_url, peer_url = f"http://{HOST}:{etcd}", f"http://{HOST}:{peer}"
        self._processes.run(
            "etcd", self._programs.etcd, f"--name={self._member}", f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client_url}", f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster={self._member}={peer_url}", "--unsafe-no-fsync",
        )  # fmt: skip
        self._processes.await_("etcd", self._etcd_is_ours)

    def start_apiserver(self) -> None:
        """The API server ready and ours."""
        etcd, _, port, _ = self.ports
        key = self.folder / "service-accounts.pem"
        self._processes.run(
            "kube-apiserver", self._programs.kube_apiserver, f"--etcd-servers=http://{HOST}:{etcd}",
            f"--secure-port={port}", f"--bind-address={self.host}", f"--advertise-address={self.host}",
            "--kubelet-preferred-address-types=InternalIP",
            *(["--endpoint-reconciler-type=none"] if self.host == HOST else []), f"--cert-dir={self.folder}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            f"--service-account-issuer={self._issuer}", f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC", "--service-cluster-ip-range=10.96.0.0/16",
            "--shutdown-delay-duration=0s", "--profiling=false",
        )  # fmt: skip
        self._processes.await_("kube-apiserver", self._apiserver_is_ours)

    def start_controllers(self) -> None:
        """The controller manager up; it has no state of its own."""
        self._processes.run(
            "kube-controller-manager", self._programs.kube_controller_manager,
            f"--kubeconfig={self.kubeconfig()}", f"--secure-port={self.ports[3]}", f"--bind-address={HOST}",
            f"--cert-dir={self.folder / 'controllers'}", "--leader-elect=false",
            f"--controllers={','.join(self._controllers)}",
            f"--root-ca-file={self.folder / 'apiserver.crt'}", *self._controller_flags,
        )  # fmt: skip
        self._processes.await_("kube-controller-manager", self._has_default_service_account)

    def stop_controllers(self) -> None:
        """Nothing is made, scaled or collected any more."""
        self._processes.end("kube-controller-manager", signal.SIGKILL)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """A kubeconfig file for admin, or for a service account, NAMESPACE:NAME, with a token of its own."""
        admin = self.folder / "admin.kubeconfig"
        if not admin.exists():
            admin.touch(mode=0o600)
            admin.write_text(self._admin_kubeconfig())
        return admin if user == ADMIN else kubeconfig_as(user, admin, self.folder)

    def log(self, name: str) -> str:
        """What a process has written: etcd, kube-apiserver or kube-controller-manager."""
        return self._processes.log(name)

    def pid(self, name: str) -> int:
        """The id of a process, for tests that freeze it."""
        return self._processes.pid(name)

    @property
    def _programs(self) -> Binaries:
        assert self._binaries is not None
        return self._binaries

    def _write_secrets(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "service-accounts.pem").write_bytes(pem)
        (self.folder / "tokens.csv").write_text(f"{self._secret},{ADMIN},{ADMIN},system:masters\n")

    def _admin_kubeconfig(self) -> str:
        certificate = str(self.folder / "apiserver.crt")
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "it", "cluster": {"server": self.url, "certificate-authority": certificate}}
                ],
                "users": [{"name": "it", "user": {"token": self._secret}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "current-context": "it",
            }
        )

    def _etcd_is_ours(self) -> bool:
        """Its peers' port tells our name; it binds both ports before that, and ends if it cannot."""
        members = _told(f"http://{HOST}:{self.ports[1]}/members")
        return [member["name"] for member in members] == [self._member]

    def _apiserver_is_ours(self) -> bool:
        """Ready, takes our secret, and issues tokens in our name."""
        if not (self.folder / "apiserver.crt").exists():
            return False
        with suppress(urllib3.exceptions.HTTPError):
            api = self.api
            told = api.get("/.well-known/openid-configuration").body
            return api.get("/readyz").ok and isinstance(told, dict) and told.get("issuer") == self._issuer
        return False

    def _has_default_service_account(self) -> bool:
        return self.api.get("/api/v1/namespaces/default/serviceaccounts/default").ok


def _told(url: str) -> Any:
    """The JSON that a server without secrets answers; an empty list where none does."""
    try:
        return json.loads(urllib3.request("GET", url, retries=False, timeout=5).data)
    except (urllib3.exceptions.HTTPError, ValueError):
        return []

"""A small client of the Kubernetes API for tests: what is sent and what is answered, nothing in between.

It knows paths, not kinds, so that a test can send what a typed client would refuse, and reads the status code
and the message of the answer. Who asks is a parameter: impersonation is how the access rules are tested.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml
from kubernetes import client, config

SIMULATIONS = "/apis/diurnal.dev/v1alpha1/namespaces/{}/trafficsimulations"
Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A status code of HTTP and the object that came with it."""

    code: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def message(self) -> str:
        """What a person would read; empty where all is well."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) and not self.ok else ""

    def expect(self) -> Any:
        """The object; AssertionError with the message where the request was refused."""
        assert self.ok, f"{self.code}: {self.message}"
        return self.body


@dataclass(frozen=True)
class KubeApi:
    """Requests to one API server as one user."""

    client: client.ApiClient
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kubeconfig: Path) -> Self:
        """With the server and the credentials of a kubeconfig file."""
        untyped: Any = config.new_client_from_config
        return cls(untyped(config_file=str(kubeconfig)))

    def impersonating(self, service_account: str) -> KubeApi:
        """The same server, asked as a service account, NAMESPACE:NAME, with the groups that it has."""
        everyone = "system:serviceaccounts"
        own = f"{everyone}:{service_account.partition(':')[0]}"
        headers = urllib3.HTTPHeaderDict({"Impersonate-User": f"system:serviceaccount:{service_account}"})
        for group in (everyone, own, "system:authenticated"):
            headers.add("Impersonate-Group", group)
        return KubeApi(self.client, headers)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.request("POST", path, body)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Answer:
        return self.request("DELETE", path, body)

    def merge(self, path: str, body: Any) -> Answer:
        """A JSON merge patch (RFC 7396)."""
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def apply(self, path: str, body: Any, manager: str = "test") -> Answer:
        """Server-side apply."""
        path = f"{path}{'&' if '?' in path else '?'}fieldManager={manager}"
        return self.request("PATCH", path, body, "application/apply-patch+yaml")

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        """One request, never repeated. A body of bytes goes out as it is, everything else as JSON."""
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", **self.credentials()})
        headers.extend(self.headers)
        if payload is not None:
            headers["Content-Type"] = kind
        reply = self.client.rest_client.pool_manager.request(
            method, self.client.configuration.host + path, body=payload, headers=headers, retries=False,
            timeout=30,
        )  # fmt: skip
        return Answer(reply.status, _decoded(reply.data))

    def watch(self, path: str) -> urllib3.BaseHTTPResponse:
        """The answer to a watch, an event a line as they come; shutdown() ends it from another thread."""
        return self.client.rest_client.pool_manager.request(
            "GET", self.client.configuration.host + path, headers=self.credentials(), retries=False,
            preload_content=False, timeout=urllib3.Timeout(connect=30, read=None),
        )  # fmt: skip

    def credentials(self) -> dict[str, str]:
        """The header by which the server knows who asks."""
        settings = self.client.configuration.auth_settings().values()
        return {each["key"]: each["value"] for each in settings if each["in"] == "header" and each["value"]}


def kubeconfig_as(account: str, given: Path, into: Path) -> Path:
    """A kubeconfig file in a folder: the cluster of the given one, and a service account NAMESPACE:NAME by a
    token that the cluster issues for it, good for an hour."""
    namespace, _, name = account.partition(":")
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = KubeApi.of(given).post(path, request).expect()["status"]["token"]
    it = yaml.safe_load(given.read_text())
    context = next(each["context"] for each in it["contexts"] if each["name"] == it["current-context"])
    cluster = next(each["cluster"] for each in it["clusters"] if each["name"] == context["cluster"])
    if "certificate-authority" in cluster:
        cluster["certificate-authority"] = str(given.parent / cluster["certificate-authority"])
    context["user"] = account
    it["users"] = [{"name": account, "user": {"token": token}}]
    written = into / f"{namespace}.{name}.kubeconfig"
    written.touch(mode=0o600)
    written.write_text(yaml.safe_dump(it))
    return written


def as_in_a_pod(given: Path, into: Path) -> dict[str, str]:
    """The environment that shows a process the cluster as a pod sees it, with a kubeconfig file's rights."""
    it = yaml.safe_load(given.read_text())
    cluster, user = it["clusters"][0]["cluster"], it["users"][0]["user"]
    address = urllib3.util.parse_url(cluster["server"])
    (into / "token").write_text(user["token"])
    (into / "ca.crt").write_bytes((given.parent / cluster["certificate-authority"]).read_bytes())
    return {
        "KUBERNETES_SERVICE_HOST": str(address.host),
        "KUBERNETES_SERVICE_PORT": str(address.port),
        "DIURNAL_ACCOUNT_FOLDER": str(into),
    }


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def documents(path: Path) -> list[Object]:
    """The objects of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]

"""The two objects of the API server that a worker touches: its Lease and its simulation. The only I/O to it.

Three plain requests by urllib3: the Kubernetes client would double the size of an image, its memory and its
start. Foreign errors are translated here, once, into what a worker does about them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import urllib3

from diurnal_api.spec import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diurnal_api.lease import Lease

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


class ConflictError(Exception):
    """Somebody else wrote the object first: read it again."""


class MissingError(Exception):
    """The object is not there."""


class UnavailableError(Exception):
    """The API server did not answer, or not now: try again later."""


class ForbiddenError(UnavailableError):
    """The worker may not do this: its RoleBinding is missing. It may come, so it is tried again."""


class ApiServer(Protocol):
    """What a worker needs of an API server."""

    def lease(self, name: str) -> Lease:
        """The Lease; MissingError, UnavailableError."""

    def update_lease(self, lease: Lease) -> Lease:
        """Replaces a Lease whose resourceVersion is still the given one; ConflictError else."""

    def simulation(self, name: str) -> dict[str, Any]:
        """The TrafficSimulation; MissingError, UnavailableError."""


class KubernetesApi:
    """The API server of the pod's own cluster, asked as the pod's service account
    (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).

    DIURNAL_ACCOUNT_FOLDER, where the account's token and the server's certificate lie, is set by tests.
    """

    def __init__(self, namespace: str, environment: Mapping[str, str], timeout: float = 5.0) -> None:
        """``timeout``: seconds for a whole request. ValueError where the environment is not that of a pod."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            raise ValueError(
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: a worker runs in a pod; "
                "on a machine of your own it is `diurnal run`"
            )
        self._account = Path(environment.get("DIURNAL_ACCOUNT_FOLDER", ACCOUNT))
        self._server = urllib3.HTTPSConnectionPool(
            host,
            int(port),
            ca_certs=str(self._account / "ca.crt"),
            retries=False,  # a late write may be a wrong one; the caller decides
            timeout=urllib3.Timeout(total=timeout),
            maxsize=2,
        )
        self.errors: Counter[int] = Counter()  # by status code, 0 where nobody answered
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._simulations = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"

    def lease(self, name: str) -> Lease:
        """See ``ApiServer``."""
        return self._ask("GET", f"{self._leases}/{name}")

    def update_lease(self, lease: Lease) -> Lease:
        """See ``ApiServer``."""
        return self._ask("PUT", f"{self._leases}/{lease['metadata']['name']}", lease)

    def simulation(self, name: str) -> dict[str, Any]:
        """See ``ApiServer``."""
        return self._ask("GET", f"{self._simulations}/{name}")

    def _ask(self, method: str, path: str, body: Lease | None = None) -> dict[str, Any]:
        try:
            answer = self._server.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {self._token()}",
                },
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.errors[0] += 1
            raise UnavailableError(str(error)[:300]) from error
        if answer.status >= 400:
            self.errors[answer.status] += 1
            raise _translated(answer.status, answer.reason or "")
        try:
            found: dict[str, Any] = json.loads(answer.data)
        except ValueError as error:
            raise UnavailableError("the answer is no JSON: something else than an API server") from error
        return found

    def _token(self) -> str:
        """Read for each request, for the kubelet puts a new one there within the hour."""
        return (self._account / "token").read_text("ascii").strip()


def _translated(status: int, reason: str) -> Exception:
    """What an HTTP status means to a worker (Kubernetes API concepts, "HTTP status codes")."""
    text = f"the API server answered {status} {reason}"
    kinds: dict[int, type[Exception]] = {404: MissingError, 409: ConflictError, 403: ForbiddenError}
    return kinds.get(status, UnavailableError)(text)

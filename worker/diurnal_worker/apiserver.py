"""The two objects of the API server that a worker touches: its Lease and its simulation. The only I/O to it.

Foreign errors are translated here, once, into what a worker does about them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

from diurnal_api.spec import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from diurnal_api.lease import Lease


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
    """The API server that the pod's service account, or a kubeconfig, leads to."""

    def __init__(self, namespace: str, timeout: float = 5.0) -> None:
        from kubernetes import client, config

        try:
            config.load_incluster_config()
        except config.ConfigException:
            config.load_kube_config()
        settings = client.Configuration.get_default_copy()
        settings.retries = False  # a late write may be a wrong one; the caller decides
        api = client.ApiClient(settings)
        self._namespace, self._timeout = namespace, timeout
        self._leases = client.CoordinationV1Api(api)
        self._objects = client.CustomObjectsApi(api)
        self._api = api

    def lease(self, name: str) -> Lease:
        """See ``ApiServer``."""
        return self._call(self._leases.read_namespaced_lease, name, self._namespace)

    def update_lease(self, lease: Lease) -> Lease:
        """See ``ApiServer``."""
        name = lease["metadata"]["name"]
        return self._call(self._leases.replace_namespaced_lease, name, self._namespace, copy.deepcopy(lease))

    def simulation(self, name: str) -> dict[str, Any]:
        """See ``ApiServer``."""
        call = self._objects.get_namespaced_custom_object
        return self._call(call, GROUP, VERSION, self._namespace, PLURAL, name)

    def _call(self, function: Any, *arguments: Any) -> dict[str, Any]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            found = function(*arguments, _request_timeout=self._timeout)
        except ApiException as error:
            raise _translated(error.status, error.reason) from error
        except (HTTPError, OSError) as error:
            raise UnavailableError(str(error)[:300]) from error
        plain: dict[str, Any] = self._api.sanitize_for_serialization(found)
        return plain


def _translated(status: int, reason: str) -> Exception:
    """What an HTTP status means to a worker (Kubernetes API concepts, "HTTP status codes")."""
    text = f"the API server answered {status} {reason}"
    kinds: dict[int, type[Exception]] = {404: MissingError, 409: ConflictError, 403: ForbiddenError}
    return kinds.get(status, UnavailableError)(text)

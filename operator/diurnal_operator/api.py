"""Plain requests to the API server by kubernetes.aio, with errors translated; no discovery is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from diurnal_operator.observation import Object
from diurnal_operator.problems import ClusterError, ConflictError, MissingError, RefusedError
from diurnal_operator.settings import SettingsError

CONFLICT: Final = 409
_MISSING: Final = 404
_REFUSED: Final = (400, 403, 422)
_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_PAGE: Final = 500

Told = Callable[[str, int | None], None]
"""Told of each request: its method, and the status code of the answer, None where there was none."""

Guard = Callable[[], None]
"""Called before each write; raises where this process may not write."""


class Api:
    """Reads and writes of raw objects."""

    def __init__(
        self,
        client_: client.ApiClient,
        seconds: float,
        guard: Guard = lambda: None,
        told: Told = lambda *_: None,
    ) -> None:
        self._client, self._seconds, self._guard, self._told = client_, seconds, guard, told
        self._dynamic = DynamicClient(client_)

    async def read(self, path: str, **query: Any) -> Object:
        """GET."""
        return await self._request("GET", path, None, query)

    async def list(self, path: str, **query: Any) -> list[Object]:
        """All items of a collection, page by page."""
        found: list[Object] = []
        following = ""
        while True:
            more = {"continue": following} if following else {}
            page = await self._request("GET", path, None, {**query, "limit": _PAGE, **more})
            found += map(_slim, page.get("items") or [])
            following = (page.get("metadata") or {}).get("continue") or ""
            if not following:
                return found

    async def create(self, path: str, body: Object) -> Object:
        """POST."""
        return await self._write("POST", path, body, {})

    async def replace(self, path: str, body: Object) -> Object:
        """PUT: a compare-and-swap, where the body has a resourceVersion."""
        return await self._write("PUT", path, body, {})

    async def apply(self, path: str, body: Object, manager: str, *, force: bool = True) -> Object:
        """Server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return await self._write("PATCH", path, body, query, "application/apply-patch+yaml")

    async def delete(self, path: str, uid: str, version: str) -> None:
        """Deletes an object in the background; one that is gone, or has changed since, is left alone."""
        body = {
            "preconditions": {"uid": uid, "resourceVersion": version},
            "propagationPolicy": "Background",
        }
        try:
            await self._write("DELETE", path, body, {})
        except (MissingError, ConflictError):
            return

    async def _write(
        self, method: str, path: str, body: Object, query: dict[str, Any], kind: str = ""
    ) -> Object:
        self._guard()
        return await self._request(method, path, body, query, kind)

    async def _request(
        self, method: str, path: str, body: Object | None, query: dict[str, Any], kind: str = ""
    ) -> Object:
        parameters: dict[str, Any] = {"content_type": kind} if kind else {}
        try:
            response = await self._dynamic.request(
                method,
                path,
                body=body,
                query_params=list(query.items()),
                header_params={},
                _request_timeout=self._seconds,
                serialize=False,
                **parameters,
            )
            text = await response.text()
        except ApiException as error:
            self._told(method, error.status)
            raise _translated(error, method, path) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._told(method, None)
            raise ClusterError(f"{method} {path}: the API server does not answer ({error!r:.200})") from None
        self._told(method, response.status)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ClusterError(f"{method} {path}: the answer is no JSON object: this is no API server")
        return found


async def connect() -> client.ApiClient:
    """A client by the pod's service account, else by KUBECONFIG or ~/.kube/config; SettingsError without."""
    settings = client.Configuration()
    settings.retries = False
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and _TOKEN.exists():
            config.load_incluster_config(client_configuration=settings)
        else:
            await config.load_kube_config(client_configuration=settings)
    except config.ConfigException as error:
        raise SettingsError(f"no API server to talk to: set KUBECONFIG, or run in a pod ({error})") from None
    return client.ApiClient(configuration=settings)


def _slim(thing: Object) -> Object:
    """Without the record of who set which field, half of a Deployment's bytes that nobody here reads."""
    thing["metadata"].pop("managedFields", None)
    return thing


def _translated(error: ApiException, method: str, path: str) -> ClusterError:
    text = f"{method} {path}: {error.status} {_message(error)}"
    if error.status == CONFLICT:
        return ConflictError(text)
    if error.status == _MISSING:
        return MissingError(text)
    if error.status in _REFUSED:
        return RefusedError(text)
    return ClusterError(text, _retry_after(error))


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "{}").get("message", ""))[:500]
    except (ValueError, TypeError, AttributeError):
        return str(error.reason)


def _retry_after(error: ApiException) -> float:
    try:
        return float((error.headers or {}).get("Retry-After", 0))
    except (TypeError, ValueError):
        return 0.0

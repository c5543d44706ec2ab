"""kopf's part: it watches, and every event is no more than a wish to look at a simulation.

Leases are not watched, because a thousand of them change every few seconds; they are listed when a simulation
is looked at. Nothing is stored on the user's object: no finalizer, no annotation.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import kopf

from diurnal_api.names import LABEL_SIMULATION
from diurnal_api.spec import GROUP, PLURAL, VERSION
from diurnal_operator.cluster import Key

Seen = Callable[[str, str], None]
"""Told of UID and resourceVersion of each simulation that the watch shows."""


Asked = Callable[[Key], None]
"""Asks for a look at a simulation."""


OwnWord = Callable[[Key, str, int], bool]
"""Whether a simulation of this resourceVersion and generation is only what the operator itself has told."""


def registry_of(
    add: Asked, add_for_child: Asked, is_own_word: OwnWord, seen: Seen, seen_child: Callable[[], None]
) -> kopf.OperatorRegistry:
    """Handlers that turn events into keys. What the operator tells itself is no reason to look again."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        in_a_pod = bool(os.environ.get("KUBERNETES_SERVICE_HOST"))  # as api.connect decides
        found = kopf.login_with_service_account(**kwargs) if in_a_pod else None
        return by_address(found, os.environ) if found else kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def simulation_changed(body: kopf.Body, namespace: str | None, name: str | None, **_: Any) -> None:
        metadata = body["metadata"]
        version, generation = str(metadata.get("resourceVersion")), int(metadata.get("generation", 0))
        seen(str(metadata.get("uid")), version)
        if namespace and name and not is_own_word((namespace, name), version, generation):
            add((namespace, name))

    @kopf.on.event("apps", "v1", "deployments", labels={LABEL_SIMULATION: kopf.PRESENT}, registry=registry)
    async def deployment_changed(body: kopf.Body, namespace: str | None, **_: Any) -> None:
        seen_child()
        if namespace:
            add_for_child((namespace, body["metadata"]["labels"][LABEL_SIMULATION]))

    return registry


def by_address(found: kopf.ConnectionInfo, environment: Mapping[str, str]) -> kopf.ConnectionInfo:
    """A pod's way to the API server by the address that every pod is told.

    Kopf takes a name instead, and without a working DNS would see no change.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return found
    bracketed = f"[{host}]" if ":" in host else host
    return replace(found, server=f"https://{bracketed}:{port}")


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf as a mere watcher: no Events, no log of every event, only labelled Deployments."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.label_selectors["deployments.v1.apps"] = LABEL_SIMULATION
    settings.queueing.exit_timeout = 0.5
    # Else it would watch every definition and namespace of the cluster, which its role does not allow.
    settings.scanning.disabled = True
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf.objects").setLevel(logging.ERROR)
    logging.getLogger("kopf._cogs.clients.watching").addFilter(is_news)
    return settings


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of kopf is worth reading: while the API server is away, each watch has many."""
    return "; will retry: " not in record.getMessage()

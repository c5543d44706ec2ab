"""What the operator tells itself is no reason to look again; everything else is."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from diurnal_operator.api import Api
from diurnal_operator.cluster import Cluster
from diurnal_operator.observation import Observation
from diurnal_operator.reconcile import Decision
from diurnal_operator.settings import Settings

KEY = ("apps", "it")


class FakeApi:
    """Stores every status under version 8; the real server gives the version that its watch then tells."""

    async def apply(self, path: str, body: dict[str, Any], manager: str) -> dict[str, Any]:
        assert path.endswith("/status")
        return {"metadata": {"resourceVersion": "8"}}


def test_only_the_version_of_its_own_last_status_with_the_spec_of_that_look_is_its_own_word() -> None:
    cluster = Cluster(cast("Api", FakeApi()), Settings())
    metadata = {"name": "it", "namespace": "apps", "uid": "u", "resourceVersion": "7", "generation": 3}
    seen = Observation(simulation={"metadata": metadata})
    assert not cluster.is_own_word(KEY, "8", 3)
    asyncio.run(cluster.execute(KEY, seen, Decision(status={"state": "Running"})))
    assert cluster.is_own_word(KEY, "8", 3)
    assert not cluster.is_own_word(KEY, "9", 3), "somebody wrote after it"
    assert not cluster.is_own_word(KEY, "8", 4), "the spec that it saw was another one"
    assert not cluster.is_own_word(("apps", "other"), "8", 3)

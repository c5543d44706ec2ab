"""What the loop says while an API server fails, which here is a stand-in that does nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from diurnal_operator.health import Health
from diurnal_operator.loop import Loop
from diurnal_operator.metrics import Metrics
from diurnal_operator.problems import ClusterError
from diurnal_operator.settings import Settings, Waits

WAITS = Waits(backoff_first=0.001, backoff_longest=0.002, drain_poll=0.001, resync=0.001)
KEY = ("default", "world")


class Failing:
    """A cluster whose every answer is the next error; then one good look, and the test is over."""

    def __init__(self, looks: list[str], listings: list[str]) -> None:
        self._looks, self._listings = iter(looks), iter(listings)
        self.over = asyncio.Event()

    async def observe(self, key: Any) -> None:
        self._fail(self._looks)

    async def simulations(self) -> list[Any]:
        self._fail(self._listings)
        return []

    def _fail(self, errors: Iterator[str]) -> None:
        for text in errors:
            raise ClusterError(text)
        self.over.set()


def logged(looks: list[str], listings: list[str], event: str) -> list[str]:
    """What a loop says of an event until all these failures are over."""

    async def work() -> None:
        cluster, settings = Failing(looks, listings), Settings(waits=WAITS)
        metrics, health = Metrics(settings, time.monotonic), Health(WAITS)
        loop = Loop(cluster, settings, health, time.monotonic, metrics)  # type: ignore[arg-type]
        if looks:
            loop.add(KEY)
        running = asyncio.create_task(loop.run())
        async with asyncio.timeout(30):
            await cluster.over.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with capture_logs() as lines:
        asyncio.run(work())
    return [str(line["why"]) for line in lines if line["event"] == event]


@pytest.mark.parametrize("event", ["retried", "resync_failed"])
def test_a_failure_is_logged_once_however_often_it_is_met_and_another_one_anew(event: str) -> None:
    failures = ["refused"] * 5 + ["no such host"] * 5 + ["refused"]
    forever = ["away"] * 100_000
    looks, listings = (failures, forever) if event == "retried" else ([], failures)
    assert logged(looks, listings, event) == ["refused", "no such host", "refused"]

"""Who leads, under one Lease and the clocks of two operators."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from diurnal_operator.leadership import Leadership
from diurnal_operator.problems import ClusterError, ConflictError, MissingError, NotLeadingError
from diurnal_operator.settings import Settings, Waits


@dataclass
class OneLease:
    """An API server that knows one Lease and compare-and-swap; ``away`` answers nothing."""

    lease: dict[str, Any] | None = None
    version: int = 0
    away: bool = False

    async def read(self, _: str, **__: Any) -> dict[str, Any]:
        if self.away:
            raise ClusterError("away")
        if self.lease is None:
            raise MissingError("none")
        return copy.deepcopy(self.lease)

    async def create(self, _: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._store(body)

    async def replace(self, _: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.away:
            raise ClusterError("away")
        if (
            self.lease is None
            or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]
        ):
            raise ConflictError("changed")
        return self._store(body)

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)


@dataclass
class Two:
    """Two operators at one server, one clock."""

    server: OneLease = field(default_factory=OneLease)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.first, self.second = self.operator("first"), self.operator("second")

    def operator(self, name: str) -> Leadership:
        settings = Settings(identity=name, waits=Waits(leader_lease=10.0))
        return Leadership(self.server, settings, lambda: self.now, lambda: int(self.now * 1e6))  # type: ignore[arg-type]

    def attempt(self, who: Leadership) -> bool:
        return asyncio.run(who._try())


def test_the_first_leads_and_the_second_waits() -> None:
    two = Two()
    assert two.attempt(two.first)
    two.first.check()
    assert not two.attempt(two.second)
    with pytest.raises(NotLeadingError):
        two.second.check()


def test_a_leader_that_renews_is_never_taken_over() -> None:
    two = Two()
    two.attempt(two.first)
    for _ in range(20):
        two.now += 3
        assert two.attempt(two.first)
        assert not two.attempt(two.second)


def test_a_frozen_leader_is_over_before_another_begins() -> None:
    two = Two()
    two.attempt(two.first)
    two.attempt(two.second)
    for _ in range(9):
        two.now += 1
        assert not two.attempt(two.second)
    two.now += 1
    with pytest.raises(NotLeadingError):
        two.first.check()
    assert two.attempt(two.second)
    assert not two.attempt(two.first)


def test_an_api_server_that_is_away_is_survived_for_as_long_as_the_lease_lasts() -> None:
    two = Two()
    two.attempt(two.first)
    two.server.away = True
    two.now += 9
    assert two.attempt(two.first)
    two.now += 1
    assert not two.attempt(two.first)


def test_a_released_lead_is_taken_at_once() -> None:
    two = Two()
    two.attempt(two.first)
    asyncio.run(two.first.release())
    assert two.attempt(two.second)
    assert two.first.seconds_left < 0


def test_the_time_counts_from_before_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    two = Two()
    slow = two.server.replace

    async def replace(path: str, body: dict[str, Any]) -> dict[str, Any]:
        two.now += 4
        return await slow(path, body)

    monkeypatch.setattr(two.server, "replace", replace)
    two.attempt(two.first)
    assert two.first.seconds_left == 6


def test_the_other_leads_within_15_seconds_by_the_settings_that_nobody_changes() -> None:
    waits, two = Waits(), Two()
    assert asyncio.run(two.first._try())
    while not asyncio.run(two.second._try()):
        two.now += waits.leader_retry
        assert two.now <= 15.0


def test_who_may_not_write_the_lease_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    two = Two()
    two.server.away = True
    for _ in range(3):
        assert not asyncio.run(two.first._try())
    said = capsys.readouterr().out
    assert said.count("cannot_write_the_lease_of_the_lead") == 1
    assert "away" in said

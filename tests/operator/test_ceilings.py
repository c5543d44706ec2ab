"""Shares of the operator's ceilings: fair, never more than the whole, and given up before they are taken."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies

from diurnal_operator.ceilings import claim_of, fair_shares, grant
from diurnal_operator.observation import Claim
from diurnal_operator.settings import Ceilings, Settings
from modelled import ModelCluster

Amounts = strategies.lists(strategies.floats(0, 1e6), min_size=1, max_size=12)


@given(Amounts, strategies.floats(0.001, 1e6))
def test_shares_are_max_min_fair(wanted: list[float], whole: float) -> None:
    shares = fair_shares(wanted, whole)
    assert sum(shares) <= whole * (1 + 1e-9)
    assert all(share <= want for share, want in zip(shares, wanted, strict=True))
    short = [share for share, want in zip(shares, wanted, strict=True) if share < want * (1 - 1e-9)]
    if short:  # who gets less than wanted gets as much as anybody
        assert min(short) >= max(shares) * (1 - 1e-6)


def test_nobody_takes_what_another_still_has() -> None:
    own, other = Claim("a", None, 0.0, 0.0), Claim("b", None, 30.0, 0.0)
    ceilings = Ceilings(messages_per_second=30.0)
    assert grant(own, [other], ceilings).rate == 0
    gave_way = Claim("b", None, 15.0, 0.0)
    assert grant(own, [gave_way], ceilings).rate == 15


def test_one_that_still_sends_without_a_limit_leaves_nothing_to_share() -> None:
    own, other = Claim("a", None, 0.0, 0.0), Claim("b", None, math.inf, 0.0)
    assert grant(own, [other], Ceilings(messages_per_second=30.0)).rate == 0


def test_a_ceiling_that_does_not_bind_is_not_named() -> None:
    own = Claim("a", 10.0, 0.0, 0.0)
    assert grant(own, [], Ceilings(messages_per_second=30.0)).binding == ""


def test_dollars_bind_as_a_rate_so_that_no_day_can_be_reset() -> None:
    own = Claim("a", None, 0.0, 0.001)
    found = grant(own, [], Ceilings(usd_per_day=86.4))
    assert found.rate is not None
    assert math.isclose(found.rate * 0.001 * 86_400, 86.4, rel_tol=0.01)
    assert found.binding == "USDCeiling"


TOPIC = {"pubsub": {"topic": "projects/acme-prod-7/topics/clicks"}}


@pytest.mark.parametrize(("usd", "shards"), [(0.001, 1), (0.01, 4), (1.0, 40), (100.0, 1)])
def test_dollars_of_the_administrator_hold_for_slow_runs_too(usd: float, shards: int) -> None:
    """A request costs at least 1,000 bytes: a run that is made slow fills none, and messages cost more."""
    ceilings = Ceilings(usd_per_day=usd)
    world = ModelCluster(settings=Settings(ceilings=ceilings))
    world.create(shards=shards, sink=TOPIC, budget={"maxMessagesPerSecond": "Unlimited"})
    world.settle()
    rate = _rate(world)
    a_request = max(rate / shards, 1.0)  # of one shard, which waits a second at most
    billed = rate * max(464, 1000 / a_request)
    assert 0.4 * usd < billed * 86_400 / 2**40 * 40 <= usd


def test_a_recreated_simulation_gets_no_fresh_day() -> None:
    ceilings = Ceilings(usd_per_day=1.0)
    world = ModelCluster(settings=Settings(ceilings=ceilings))
    world.create(sink=TOPIC)
    world.settle()
    before = _rate(world)
    world.deployments.clear()
    world.leases.clear()
    world.pods.clear()
    world.create(uid="9999beef-0000-0000-0000-000000000000", sink=TOPIC)
    world.settle()
    assert _rate(world) == before > 0


def test_what_costs_nothing_is_not_bound_by_dollars() -> None:
    assert grant(Claim("a", None, 0.0, 0.0), [], Ceilings(usd_per_day=1.0)).rate is None


def test_two_simulations_come_to_share_whichever_was_first() -> None:
    """The second waits until the first has given way, and both end with half."""
    ceilings = Ceilings(messages_per_second=30.0)
    worlds = [ModelCluster(settings=Settings(ceilings=ceilings)) for _ in range(2)]
    worlds[0].create()
    worlds[0].settle()
    worlds[1].create(uid="other000-0000")
    for _ in range(8):
        for own, other in (worlds, reversed(worlds)):
            own.claims = (claim_of(other.simulation or {}, ceilings),)
            own.look()
            own.control()
            own.work(1)
            rates = [_rate(world) for world in worlds]
            assert sum(rates) <= 30
    assert [_rate(world) for world in worlds] == [15, 15]


@pytest.mark.parametrize("spec", [{"suspend": True}, {"shards": 0}])
def test_who_rests_claims_nothing(spec: dict[str, Any]) -> None:
    world = ModelCluster()
    world.create(**spec)
    world.settle()
    claim = claim_of(world.simulation or {}, Ceilings(messages_per_second=30.0))
    assert (claim.wanted, claim.granted) == (0, 0)


def _rate(world: ModelCluster) -> float:
    plan = world.status.get("plan")
    return float(plan["pace"]["messagesPerSecond"]) if plan else 0.0

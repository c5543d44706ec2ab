"""The operator's own ceilings, shared out among all simulations. Pure.

Both ceilings bind as rates, so that no counter of a day could be reset by deleting and recreating: whoever
sends at most a day's dollars divided by its seconds sends at most a day's dollars in any 24 hours. A
simulation gets its max-min fair share (Bertsekas and Gallager, "Data Networks", section 6.5.2), and not
before the others have given up what they had beyond theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from diurnal_api.money import SECONDS_A_DAY, usd_of
from diurnal_api.planning import most_billed_a_message, pace_of
from diurnal_api.spec import Spec, TrafficSimulation
from diurnal_api.status import Status
from diurnal_operator.admission import refusal_of
from diurnal_operator.observation import Claim, Object, is_leaving
from diurnal_operator.settings import Ceilings

WAITS: Final = "CeilingReached"
"""The reason of a simulation that waits for a share."""

LEAST_RATE: Final = 0.001
"""Messages a second below which a share is none: floats are rounded down to this."""

OVER: Final = frozenset({"Completed", "BudgetExhausted"})


@dataclass(frozen=True)
class Grant:
    """What a simulation may send: messages a second, None without limit, 0 for nothing; and what binds."""

    rate: float | None
    binding: str = ""


def are_set(ceilings: Ceilings) -> bool:
    """Whether simulations have to be weighed against each other at all."""
    return ceilings.messages_per_second is not None or ceilings.usd_per_day is not None


def grant(own: Claim, others: Sequence[Claim], ceilings: Ceilings) -> Grant:
    """What ``own`` may send beside the others, by both ceilings."""
    limits = []
    if ceilings.messages_per_second is not None:
        rate = _share(own, others, ceilings.messages_per_second, lambda _: 1.0)
        limits.append(Grant(rate, "MessagesCeiling"))
    if ceilings.usd_per_day is not None and own.usd > 0:
        dollars = ceilings.usd_per_day / SECONDS_A_DAY
        limits.append(Grant(_share(own, others, dollars, lambda claim: claim.usd), "USDCeiling"))
    tightest = min(limits, key=lambda limit: limit.rate or 0.0, default=Grant(None))
    if tightest.rate is None or (own.wanted is not None and own.wanted <= tightest.rate):
        return Grant(own.wanted)
    return tightest


def fair_shares(wanted: Sequence[float], whole: float) -> list[float]:
    """Max-min fair shares of ``whole``: nobody gets more than wanted, what is left goes to the others."""
    shares = [0.0] * len(wanted)
    left, waiting = whole, sorted(range(len(wanted)), key=lambda i: wanted[i])
    for served, i in enumerate(waiting):
        shares[i] = min(wanted[i], left / (len(waiting) - served))
        left -= shares[i]
    return shares


def claim_of(simulation: Object, ceilings: Ceilings) -> Claim:
    """What another simulation wants and has, by its object as it is."""
    uid = str(simulation["metadata"]["uid"])
    try:
        found = TrafficSimulation.model_validate({**simulation, "status": simulation.get("status") or {}})
    except ValidationError:
        return Claim(uid, 0.0, 0.0, 0.0)
    status = found.status or Status()
    refused = is_leaving(simulation) or refusal_of(found.spec, ceilings) is not None
    return Claim(
        uid,
        0.0 if refused else wanted_rate(found.spec, status),
        _granted(found.spec, status, refused=refused),
        usd_a_message(found.spec, ceilings, _planned_rate(status)),
    )


def wanted_rate(spec: Spec, status: Status) -> float | None:
    """Messages a second that a simulation would send if it could; 0 where it rests, None without limit.

    One that waits for its share of a ceiling goes on wanting it.
    """
    if spec.suspend or spec.shards == 0 or status.state in OVER:
        return 0.0
    return pace_of(spec, int(spec.shards)).messages_per_second


def usd_a_message(spec: Spec, ceilings: Ceilings, rate: float | None) -> float:
    """The most that a message costs at ``rate`` messages a second (None: as many as the spec allows).

    By the administrator's price. A slow run pays for requests that it does not fill; other sinks than Pub/Sub
    cost nothing.
    """
    if spec.sink.pubsub is None:
        return 0.0
    shards = min(max(int(spec.shards), 1), ceilings.shards)
    return float(usd_of(math.ceil(most_billed_a_message(spec, shards, rate)), str(ceilings.usd_per_tib)))


def _planned_rate(status: Status) -> float | None:
    """The rate that a simulation's workers obey; a simulation without a plan sends nothing."""
    if status.plan is None:
        return 0.0
    rate = status.plan.pace.messages_per_second
    return None if rate is None else float(rate)


def _granted(spec: Spec, status: Status, *, refused: bool) -> float:
    """What a simulation may still be sending: it counts until its workers are gone."""
    stalled = status.condition("Stalled")
    waits = stalled is not None and stalled.status == "True" and stalled.reason == WAITS
    rests = refused or spec.suspend or spec.shards == 0 or status.state in OVER or waits
    if rests and int(status.ready_shards) == 0:
        return 0.0
    rate = _planned_rate(status)
    return math.inf if rate is None else rate


def _share(own: Claim, others: Sequence[Claim], whole: float, weight: Callable[[Claim], float]) -> float:
    """Messages a second for ``own`` out of ``whole``, which is in messages or dollars a second."""
    claims = [own, *(claim for claim in others if claim.uid != own.uid)]
    wanted = [_product(math.inf if claim.wanted is None else claim.wanted, weight(claim)) for claim in claims]
    taken = sum(_product(claim.granted, weight(claim)) for claim in claims[1:])
    share = max(min(fair_shares(wanted, whole)[0], whole - taken), 0.0) / weight(own)
    return math.floor(share / LEAST_RATE) * LEAST_RATE


def _product(rate: float, weight: float) -> float:
    return rate * weight if weight else 0.0

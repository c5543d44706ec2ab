"""From a plan and a dataset to what makes events: world, timeline, event maker, encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diurnal_worker.encoding import Encoder, Framing
from diurnal_worker.events import EventMaker
from diurnal_worker.shard import Workshop
from diurnal_worker.strata import World
from diurnal_worker.timeline import Timeline
from diurnal_worker.traffic import intensity_of

if TYPE_CHECKING:
    from diurnal_api.plan import Plan
    from diurnal_worker.dataset import Dataset


def build_workshop(plan: Plan, dataset: Dataset, framing: Framing) -> Workshop:
    """Compiles ``plan`` for ``dataset``; equal plans and bytes make equal events."""
    world = World.build(dataset, int(plan.population.users), int(plan.population.seed))
    regimes = [(regime.start, intensity_of(world, regime.traffic)) for regime in plan.regimes]
    timeline = Timeline(world, regimes, plan.start, plan.pace.end)
    weights = plan.events.weights
    maker = EventMaker(world, weights.event_types, weights.device_types)
    attributes = plan.sink.pubsub.attributes if plan.sink.pubsub and framing == "pubsub" else ()
    return Workshop(timeline, maker, Encoder(maker, plan.events.encoding, framing, attributes))

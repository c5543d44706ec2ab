"""Where a worker begins: for each slot the latest that its Lease, the plan, the status or itself knows. Pure.

The Lease alone will do as long as it lives. One that was deleted comes back empty, and then the status says
where its shard stood, and a worker that published under the deleted one still knows what it promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diurnal_api.layout import Segment, cut, furthest, latest, parse_position, parse_segment, slots_of
from diurnal_worker.checkpoints import Checkpoint, position_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diurnal_api.plan import Plan


@dataclass(frozen=True)
class Memory:
    """What a worker knows of its own slots from before it lost its Lease: acknowledged, and promised."""

    position: tuple[Segment, ...] = ()
    reach: int = 0


def beginning(
    plan: Plan, shard: int, found: Checkpoint | None, observed: Iterable[str], memory: Memory
) -> Checkpoint:
    """The checkpoint to go on from; ``observed`` are the segments of the status, ``found`` is the Lease's."""
    known = latest(parse_position(plan.segments), map(parse_segment, observed))
    own = cut(known, slots_of(shard, int(plan.shards)))
    segments = latest(own, found.position if found else (), memory.position)
    before = found or Checkpoint(epoch=int(plan.epoch), shard=shard, segments=(), reach=0)
    reach = max(furthest(segments), int(before.reach), memory.reach)
    return before.model_copy(update={"segments": position_texts(segments), "reach": reach})

"""Where all slots stand, put together from what several sources say. Pure.

A slot's clock never goes back, so the latest word about a slot is the true one.
"""

from __future__ import annotations

from collections.abc import Iterable

from diurnal_api.layout import SLOTS, Segment, merge


def latest(*sources: Iterable[Segment]) -> tuple[Segment, ...]:
    """For each slot the latest clock that any source states; slots that none states are left out."""
    clocks: list[int | None] = [None] * SLOTS
    for source in sources:
        for segment in source:
            for slot in segment.slots:
                before = clocks[slot]
                if before is None or before < segment.clock:
                    clocks[slot] = segment.clock
    return merge(Segment(slot, slot, clock) for slot, clock in enumerate(clocks) if clock is not None)

"""What has to arrive, and what may arrive twice: guarantees 1 to 3 as arithmetic on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.layout import SLOTS
from diurnal_api.plan import Plan
from diurnal_worker.dataset import Dataset
from diurnal_worker.timeline import ALL_SLOTS
from diurnal_worker.workshop import build_workshop
from harness import START
from subscriber import fingerprint

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """Events by their fingerprint, sorted; arrays of one length."""

    fingerprints: I64
    times: I64
    slots: I64

    def of(self, fingerprints: I64) -> Expected:
        """Those of some events, each of which is expected."""
        at = np.searchsorted(self.fingerprints, fingerprints)
        return Expected(self.fingerprints[at], self.times[at], self.slots[at])


def expected(plan: Plan, dataset: Dataset, total: int) -> Expected:
    """The first `total` events of one uninterrupted pass over the recorded plan, by one process."""
    workshop = build_workshop(plan, dataset, "lines")
    parts: list[tuple[I64, I64, I64]] = []
    left = total
    for stretch in workshop.timeline.stretches(plan.start):
        arrived = workshop.timeline.arrivals(stretch, ALL_SLOTS).part(slice(left))
        rows = workshop.encoder.encode(workshop.maker.make(arrived), START)
        prints = [fingerprint(line) for line in bytes(rows.payload).splitlines()]
        parts.append((np.array(prints, np.int64), arrived.times, arrived.users % SLOTS))
        left -= len(arrived)
        if left <= 0:
            break
    prints_, times, slots = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(prints_)
    return Expected(prints_[order], times[order], slots[order])


@dataclass(frozen=True)
class Window:
    """What may be sent again after a crash: of each slot, from its clock to before its reach."""

    clocks: I64
    reaches: I64

    @staticmethod
    def of(checkpoints: list[Checkpoint]) -> Window:
        """Of checkpoints that were in force together, or one after another; slots without one are empty."""
        clocks = np.full(SLOTS, np.iinfo(np.int64).max)
        reaches = np.zeros(SLOTS, np.int64)
        for checkpoint in checkpoints:
            for segment in checkpoint.position:
                slots = slice(segment.first, segment.last + 1)
                clocks[slots] = np.minimum(clocks[slots], segment.clock)
                reaches[slots] = np.maximum(reaches[slots], checkpoint.reach)
        return Window(clocks, reaches)

    def holds(self, events: Expected) -> NDArray[np.bool_]:
        """Which of the events it holds."""
        return (self.clocks[events.slots] <= events.times) & (events.times < self.reaches[events.slots])

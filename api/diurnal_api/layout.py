"""Slots, shards and positions.

The user space is cut into SLOTS slices for ever; a shard owns a contiguous range of them. A position is a
list of segments, slot ranges each with its clock, that covers every slot exactly once. When the number of
shards changes, the segments are cut along the new ranges: a shard may then own slots with several clocks for
a while.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from diurnal_api.instants import format_instant, parse_instant

SLOTS: Final = 1024
"""An engine constant: which slot a user is in never changes."""

_SEGMENT = re.compile(r"([0-9]{1,4})-([0-9]{1,4})@(.+)", re.DOTALL)


class LayoutError(ValueError):
    """A segment or a position that cannot be: the message says what is wrong with it."""


@dataclass(frozen=True, order=True)
class Segment:
    """Slots first..last (inclusive) whose events before ``clock`` (microseconds since 1970) are all done."""

    first: int
    last: int
    clock: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}@{format_instant(self.clock)}"

    @property
    def slots(self) -> range:
        return range(self.first, self.last + 1)


def slots_of(shard: int, shards: int) -> range:
    """The slots of shard ``shard`` (from 0) of ``shards``: contiguous, and equal in number to within one."""
    if not 1 <= shards <= SLOTS or not 0 <= shard < shards:
        raise LayoutError(f"there is no shard {shard} of {shards}: shards are 1 to {SLOTS}, counted from 0")
    return range(shard * SLOTS // shards, (shard + 1) * SLOTS // shards)


def parse_segment(text: str) -> Segment:
    """A segment from its text, such as ``0-255@2026-01-01T06:12:31.004211Z``."""
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise LayoutError(f"segment {text[:60]!r} is not FIRST-LAST@TIME, such as 0-255@2026-01-01T00:00:00Z")
    first, last = int(match[1]), int(match[2])
    if not first <= last < SLOTS:
        raise LayoutError(
            f"segment {text[:60]!r} must have slots 0 to {SLOTS - 1}, the first not after the last"
        )
    try:
        return Segment(first, last, parse_instant(match[3]))
    except ValueError as error:
        raise LayoutError(f"segment {text[:60]!r}: {error}") from None


def parse_position(texts: Iterable[str]) -> tuple[Segment, ...]:
    """A whole position, in the order of slots; LayoutError unless it covers every slot exactly once."""
    return check_position(parse_segment(text) for text in texts)


def format_position(segments: Iterable[Segment]) -> list[str]:
    """The texts of a position, neighbours with equal clocks merged."""
    return [str(segment) for segment in merge(segments)]


def start_position(clock: int) -> tuple[Segment, ...]:
    """The position of a run that has done nothing yet: every slot at its start."""
    return (Segment(0, SLOTS - 1, clock),)


def check_position(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The segments in the order of slots; LayoutError unless they cover every slot exactly once."""
    ordered = tuple(sorted(segments))
    expected = 0
    for segment in ordered:
        if segment.first > expected:
            raise LayoutError(f"slots {expected}-{segment.first - 1} have no segment")
        if segment.first < expected:
            raise LayoutError(f"slot {segment.first} is in two segments")
        expected = segment.last + 1
    if expected != SLOTS:
        raise LayoutError(f"slots {expected}-{SLOTS - 1} have no segment")
    return ordered


def cut(segments: Iterable[Segment], slots: range) -> tuple[Segment, ...]:
    """The part of the segments that lies in a range of slots, in order, neighbours merged."""
    parts = (
        Segment(max(segment.first, slots.start), min(segment.last, slots.stop - 1), segment.clock)
        for segment in segments
    )
    return merge(part for part in parts if part.first <= part.last)


def merge(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The same segments in order, with neighbours of one clock made one."""
    merged: list[Segment] = []
    for segment in sorted(segments):
        before = merged[-1] if merged else None
        if before is not None and (before.last + 1, before.clock) == (segment.first, segment.clock):
            merged[-1] = Segment(before.first, segment.last, segment.clock)
        else:
            merged.append(segment)
    return tuple(merged)


def latest(*sources: Iterable[Segment]) -> tuple[Segment, ...]:
    """For each slot the latest clock that any source states; slots that none states are left out.

    A slot's clock never goes back, so the latest word about a slot is the true one.
    """
    clocks: list[int | None] = [None] * SLOTS
    for source in sources:
        for segment in source:
            for slot in segment.slots:
                before = clocks[slot]
                if before is None or before < segment.clock:
                    clocks[slot] = segment.clock
    return merge(Segment(slot, slot, clock) for slot, clock in enumerate(clocks) if clock is not None)


def earliest(segments: Iterable[Segment]) -> int:
    """The clock that every slot has reached."""
    return min(segment.clock for segment in segments)


def furthest(segments: Iterable[Segment]) -> int:
    """The furthest clock of any slot."""
    return max(segment.clock for segment in segments)

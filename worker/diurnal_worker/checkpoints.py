"""Checkpoints: where a shard stands, what it promised, what it has done. Data, and the protocol of a store.

``reach`` is a simulated time that the worker does not pass before its next checkpoint is stored, so that
repeats after a crash, and the start of a new regime, are bounded by what is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from diurnal_api.instants import Instant
from diurnal_api.layout import Segment, format_position, parse_segment

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spent(BaseModel):
    """What was sent and acknowledged: messages, bytes of their bodies, bytes that Pub/Sub bills."""

    model_config = ConfigDict(frozen=True)

    messages: int = 0
    bytes: int = 0
    billed_bytes: int = 0

    def plus(self, other: Spent) -> Spent:
        """The sum."""
        return Spent(
            messages=self.messages + other.messages,
            bytes=self.bytes + other.bytes,
            billed_bytes=self.billed_bytes + other.billed_bytes,
        )


class Checkpoint(BaseModel):
    """The state of one shard in one epoch."""

    model_config = ConfigDict(frozen=True)

    epoch: int
    shard: int
    segments: tuple[str, ...]
    reach: Instant
    spent: Spent = Spent()
    state: str = "Running"  # Running, Completed, BudgetExhausted, Failed
    reason: str = ""
    message: str = ""
    sink: dict[str, Any] = Field(default_factory=dict)
    tally: dict[str, Any] = Field(default_factory=dict)

    @property
    def position(self) -> tuple[Segment, ...]:
        """The segments, parsed."""
        return tuple(parse_segment(text) for text in self.segments)

    @property
    def ended(self) -> bool:
        """Whether the shard has nothing left to do in this plan."""
        return self.state in {"Completed", "BudgetExhausted", "Failed"}


class CheckpointStore(Protocol):
    """Where a worker keeps its checkpoint and learns how far the others are."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Stores the checkpoint, or raises; only when it returns is the checkpoint a promise."""

    def keep(self, records: list[dict[str, Any]]) -> int:
        """Appends records of hours that are over; returns the size up to which they count."""

    def slowest(self) -> int | None:
        """The earliest clock of all shards as last observed; None where that is unknown or too old."""


def position_texts(segments: Iterable[Segment]) -> tuple[str, ...]:
    """Segments as a checkpoint writes them."""
    return tuple(format_position(segments))

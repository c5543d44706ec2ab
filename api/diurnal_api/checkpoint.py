"""A checkpoint: where a shard stands, what it promised, what it has done. Kept in its Lease, or a file.

``reach`` is a simulated time that the worker does not pass before its next checkpoint is stored, so that
repeats after a crash, and the start of a new regime, are bounded by what is written down.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from diurnal_api.instants import Instant
from diurnal_api.layout import Segment, format_position, parse_segment
from diurnal_api.plan import DatasetRef


class Spent(BaseModel):
    """What was sent and acknowledged: messages, bytes of their bodies, bytes that Pub/Sub bills."""

    model_config = ConfigDict(frozen=True)

    messages: int = 0
    bytes: int = 0
    billed_bytes: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """The sum."""
        return Spent(
            messages=self.messages + other.messages,
            bytes=self.bytes + other.bytes,
            billed_bytes=self.billed_bytes + other.billed_bytes,
        )


class Counted(BaseModel):
    """The world's events from the run's beginning up to a simulated time, the beginning of a stretch."""

    model_config = ConfigDict(frozen=True)

    upto: Instant
    events: int


class Checkpoint(BaseModel):
    """The state of one shard in one epoch.

    ``state`` is Running, Completed, BudgetExhausted or Failed; ``reason`` and ``message`` say why it ended.
    ``total`` is the total of messages at which it ended, for as long as it stands there. ``counted`` spares
    a successor the counting of what went before a total. ``sink`` and ``tally`` are marks of the local
    sinks; ``dataset`` is what shard 0 resolved in a cluster.
    ``drift`` is what it says of another table at that address: empty where there is none, None where it has
    not looked.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    shard: int
    segments: tuple[str, ...]
    reach: Instant
    spent: Spent = Spent()
    state: str = "Running"
    reason: str = ""
    message: str = ""
    total: int | None = None
    counted: Counted | None = None
    dataset: DatasetRef | None = None
    drift: str | None = None
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


def position_texts(segments: Iterable[Segment]) -> tuple[str, ...]:
    """Segments as a checkpoint writes them."""
    return tuple(format_position(segments))

"""Where a worker keeps its checkpoint: a Lease in a cluster, a file on one machine."""

from __future__ import annotations

from typing import Any, Protocol

from diurnal_api.checkpoint import Checkpoint, Spent, position_texts

__all__ = ["Checkpoint", "CheckpointStore", "Spent", "StoreUnavailableError", "position_texts"]


class StoreUnavailableError(Exception):
    """The store did not answer; trying again may help. What was promised before still holds."""


class CheckpointStore(Protocol):
    """Where a worker keeps its checkpoint and learns how far the others are."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Stores the checkpoint, or raises; only when it returns is the checkpoint a promise."""

    def keep(self, records: list[dict[str, Any]]) -> int:
        """Appends records of hours that are over; returns the size up to which they count."""

    def slowest(self) -> int | None:
        """The earliest clock of all shards as last observed; None where that is unknown or too old."""

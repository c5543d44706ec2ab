"""Holding a Lease: acquired by compare-and-swap, renewed by checkpoints, given back at the end.

A holder counts its time from before each request was sent, an observer from when it last saw the Lease
change; so whatever the network does, two never think that they hold it at once (Gray and Cheriton,
"Leases", SOSP 1989). Time is CLOCK_BOOTTIME, which goes on while a machine or a process is frozen.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diurnal_api import lease as leases
from diurnal_worker.apiserver import ApiServer, ConflictError, MissingError, UnavailableError
from diurnal_worker.checkpoints import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from diurnal_api.lease import Lease
    from diurnal_worker.checkpoints import Checkpoint
    from diurnal_worker.shard import Clock


class LeaseLostError(Exception):
    """The Lease is somebody else's, sealed, or gone: this worker sends nothing more under it."""


@dataclass(frozen=True)
class Refused:
    """The Lease cannot be had now; try again after ``wait`` seconds, or never where ``final``."""

    why: str
    wait: float
    final: bool = False


class Tenure:
    """One worker's hold on one Lease. It is the shard's checkpoint store in a cluster."""

    def __init__(
        self,
        api: ApiServer,
        name: str,
        holder: str,
        clock: Clock,
        seconds: float,
        slowest: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._api, self._name, self._holder, self._clock = api, name, holder, clock
        self._seconds, self._slowest = seconds, slowest
        self._lease: Lease | None = None
        self._deadline = float("-inf")
        self._seen: tuple[str, float] | None = None

    @property
    def held(self) -> bool:
        """Whether this worker took the Lease and has not lost it."""
        return self._lease is not None

    def seconds_left(self) -> float:
        """Until when nobody else can hold the Lease, from now; negative when that is past."""
        return self._deadline - self._clock.monotonic() if self.held else float("-inf")

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What the Lease said when it was taken or last renewed."""
        return leases.checkpoint_of(self._lease) if self._lease is not None else None

    def acquire(self, poll: float) -> Refused | None:
        """Tries to take the Lease once; None when it is held. UnavailableError when nobody answers."""
        before = self._clock.monotonic()
        try:
            found = self._api.lease(self._name)
        except MissingError:
            return Refused(f"waiting for the Lease {self._name}", poll)
        if leases.is_sealed(found):
            return Refused(f"the Lease {self._name} is sealed: another epoch has begun", poll, final=True)
        by = leases.holder(found)
        if by != self._holder and leases.may_be_held(found) and not self._is_stale(found):
            return Refused(f"the Lease {self._name} {_held_by(by)}", poll)
        try:
            wanted = leases.taken(found, self._holder, self._clock.wall(), max(round(self._seconds), 1))
            self._take(self._api.update_lease(wanted), before)
        except (ConflictError, MissingError):
            return Refused(f"the Lease {self._name} changed meanwhile", 0.0)
        return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Stores the checkpoint in the Lease and so renews it."""
        for _ in range(3):
            if self._lease is None:
                raise LeaseLostError(f"the Lease {self._name} is not held")
            before = self._clock.monotonic()
            try:
                wanted = leases.renewed(self._lease, checkpoint, self._clock.wall())
                self._take(self._api.update_lease(wanted), before)
            except ConflictError:
                self._read_again()
            except MissingError:
                raise self._lost("is gone") from None
            except UnavailableError as error:
                raise StoreUnavailableError(str(error)) from error
            else:
                return
        raise StoreUnavailableError(f"the Lease {self._name} changes too often")

    def release(self) -> None:
        """Gives the Lease back, so that a successor need not wait. What fails here expires by itself."""
        if self._lease is not None:
            with suppress(ConflictError, MissingError, UnavailableError):
                self._api.update_lease(leases.released(self._lease, self._clock.wall()))
            self._lease = None

    def keep(self, records: list[dict[str, Any]]) -> int:
        """Nothing is tallied in a cluster."""
        return len(records)

    def slowest(self) -> int | None:
        """The earliest clock of all shards, from the simulation's status."""
        return self._slowest()

    def _take(self, lease: Lease, before: float) -> None:
        self._lease, self._deadline = lease, before + self._seconds

    def _read_again(self) -> None:
        """After a conflict: an operator may touch metadata, but another holder or a seal is the end."""
        try:
            found = self._api.lease(self._name)
        except MissingError:
            raise self._lost("is gone") from None
        except UnavailableError as error:
            raise StoreUnavailableError(str(error)) from error
        if leases.is_sealed(found):
            raise self._lost("is sealed: another epoch has begun")
        if leases.holder(found) != self._holder:
            raise self._lost(f"was taken by pod {leases.holder(found) or 'nobody'}")
        self._lease = found

    def _lost(self, why: str) -> LeaseLostError:
        self._lease = None
        return LeaseLostError(f"the Lease {self._name} {why}")

    def _is_stale(self, found: Lease) -> bool:
        """Whether the Lease has not changed for its own duration since this worker first saw it so."""
        version, now = str(found["metadata"].get("resourceVersion")), self._clock.monotonic()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        duration = float((found.get("spec") or {}).get("leaseDurationSeconds") or self._seconds)
        return now - self._seen[1] >= max(duration, self._seconds)


def _held_by(pod: str) -> str:
    return f"is held by pod {pod}" if pod else "was put back: who held the one that vanished may not know"

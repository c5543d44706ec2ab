"""When a Lease may be sealed: once nobody can hold it any more, as an observer can know. Pure.

A holder counts its time from before each request; an observer from when it saw the Lease change last.
So what an observer calls expired is over for its holder too, whatever either one's clock says.
"""

from __future__ import annotations

from diurnal_api.lease import holder, may_be_held
from diurnal_operator.observation import SeenLease


def is_expired(seen: SeenLease, seconds: float) -> bool:
    """Whether a held Lease went unchanged for its own duration (``seconds`` where it states none)."""
    duration = float((seen.lease.get("spec") or {}).get("leaseDurationSeconds") or seconds)
    return seen.unchanged >= max(duration, seconds)


def is_held(seen: SeenLease, seconds: float) -> bool:
    """Whether a worker holds the Lease, as far as an observer can know."""
    return bool(holder(seen.lease)) and not is_expired(seen, seconds)


def may_be_sealed(seen: SeenLease, seconds: float, *, has_pods: bool) -> bool:
    """Whether nobody holds the Lease.

    One that nobody ever took may be there in place of a deleted one, whose holder has not noticed yet: one
    that the operator put back is waited for as if it were held; where somebody else did, without its mark,
    its pods are waited for, and for as long as a lease lasts at most.
    """
    if may_be_held(seen.lease):
        return is_expired(seen, seconds)
    return seen.was_held or not has_pods or is_expired(seen, seconds)

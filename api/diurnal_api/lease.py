"""The Lease of a shard and epoch: who publishes, and the checkpoint. Pure; others read and write it.

A holder writes the whole object by compare-and-swap of its resourceVersion. A sealed Lease is never taken
again: its checkpoint is the last word of its epoch. Observers judge expiry by how long they have seen no
change, never by comparing clocks of two machines (client-go's leader election does the same).
https://kubernetes.io/docs/concepts/architecture/leases/
"""

import copy
import json
from typing import Any, Final

from diurnal_api.checkpoint import Checkpoint
from diurnal_api.instants import format_instant
from diurnal_api.spec import GROUP

Lease = dict[str, Any]

CHECKPOINT: Final = f"{GROUP}/checkpoint"
SEALED: Final = f"{GROUP}/sealed"
PUT_BACK: Final = f"{GROUP}/put-back"


def holder(lease: Lease) -> str:
    """The UID of the pod that holds the Lease; empty where nobody does."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def is_sealed(lease: Lease) -> bool:
    """Whether the operator has closed the epoch of this Lease."""
    return _annotations(lease).get(SEALED) == "true"


def may_be_held(lease: Lease) -> bool:
    """Whether somebody may hold the shard: as the Lease says, or by one that vanished and was put back.

    Who held the vanished one learns of it only at the next renewal.
    """
    never_taken = not (lease.get("spec") or {}).get("leaseTransitions")
    return bool(holder(lease)) or (never_taken and _annotations(lease).get(PUT_BACK) == "true")


def checkpoint_of(lease: Lease) -> Checkpoint | None:
    """The checkpoint in a Lease; None where there is none that can be read."""
    text = _annotations(lease).get(CHECKPOINT)
    if text is None:
        return None
    try:
        return Checkpoint.model_validate_json(text)
    except ValueError:
        return None


def taken(lease: Lease, by: str, now: int, seconds: int) -> Lease:
    """The Lease as ``by`` takes it; ``now`` is the wall clock in microseconds, only for people to read."""
    changed = copy.deepcopy(lease)
    before = changed.get("spec") or {}
    changed["spec"] = {
        "holderIdentity": by,
        "leaseDurationSeconds": seconds,
        "acquireTime": format_instant(now),
        "renewTime": format_instant(now),
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if holder(lease) == by else 1),
    }
    return changed


def renewed(lease: Lease, checkpoint: Checkpoint, now: int) -> Lease:
    """The Lease with a new checkpoint and renewTime."""
    changed = copy.deepcopy(lease)
    changed["spec"]["renewTime"] = format_instant(now)
    changed["metadata"].setdefault("annotations", {})[CHECKPOINT] = _text(checkpoint)
    return changed


def released(lease: Lease, now: int) -> Lease:
    """The Lease as its holder gives it back."""
    changed = copy.deepcopy(lease)
    changed["spec"] = {**(changed.get("spec") or {}), "holderIdentity": "", "renewTime": format_instant(now)}
    return changed


def sealed(lease: Lease) -> Lease:
    """The Lease as the operator closes it: nobody holds it and nobody may take it."""
    changed = copy.deepcopy(lease)
    changed["metadata"].setdefault("annotations", {})[SEALED] = "true"
    changed["spec"] = {**(changed.get("spec") or {}), "holderIdentity": ""}
    return changed


def _text(checkpoint: Checkpoint) -> str:
    return json.dumps(checkpoint.model_dump(mode="json", exclude_defaults=True), separators=(",", ":"))


def _annotations(lease: Lease) -> dict[str, str]:
    return (lease.get("metadata") or {}).get("annotations") or {}

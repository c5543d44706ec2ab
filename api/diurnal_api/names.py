"""Names of the objects that belong to a simulation.

Each carries five characters of its owner's UID, so that a resource created anew under an old name never meets
the objects of the old one. With names of at most 40 characters, 1024 shards and a billion epochs all of them
fit into the 63 characters of a label.
"""

import re
from typing import Final

from diurnal_api.layout import SLOTS
from diurnal_api.plan import MAX_EPOCH
from diurnal_api.spec import GROUP

UID_CHARACTERS: Final = 5

LABEL_SIMULATION: Final = f"{GROUP}/simulation"
LABEL_UID: Final = f"{GROUP}/uid"
LABEL_SHARD: Final = f"{GROUP}/shard"
LABEL_EPOCH: Final = f"{GROUP}/epoch"


def stem(name: str, uid: str) -> str:
    """What the names of all children of a simulation begin with."""
    return f"{name}-{uid_part(uid)}"


def uid_part(uid: str) -> str:
    """The first five characters of a UID that a name may hold; ValueError if there are not that many."""
    part = re.sub("[^0-9a-z]", "", uid.lower())[:UID_CHARACTERS]
    if len(part) < UID_CHARACTERS:
        raise ValueError(f"{uid!r} is not the UID of an object: it needs {UID_CHARACTERS} letters or digits")
    return part


def deployment_name(name: str, uid: str, shard: int) -> str:
    """The Deployment of a shard; it is the same in every epoch."""
    return f"{stem(name, uid)}-{_shard(shard)}"


def lease_name(name: str, uid: str, shard: int, epoch: int) -> str:
    """The Lease of a shard in one epoch."""
    if not 0 <= epoch <= MAX_EPOCH:
        raise ValueError(f"epoch {epoch} must be 0 to {MAX_EPOCH}")
    return f"{deployment_name(name, uid, shard)}-e{epoch}"


def labels(name: str, uid: str, shard: int | None = None, epoch: int | None = None) -> dict[str, str]:
    """The labels that find the children of a simulation: all, those of a shard, those of an epoch."""
    found = {LABEL_SIMULATION: name, LABEL_UID: uid}
    if shard is not None:
        found[LABEL_SHARD] = str(_shard(shard))
    if epoch is not None:
        found[LABEL_EPOCH] = str(epoch)
    return found


def _shard(shard: int) -> int:
    if not 0 <= shard < SLOTS:
        raise ValueError(f"shard {shard} must be 0 to {SLOTS - 1}")
    return shard

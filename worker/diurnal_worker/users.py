"""What a user is, as a function of its index: id, device, operating system, the session of a moment.

Nothing is stored. A session is a label: each user's time is cut into cells of three hours at an offset
of its own, so a session's id needs no state and no neighbouring tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from diurnal_api.events import DEVICE_TYPE_WEIGHTS
from diurnal_worker.choice import choose, thresholds
from diurnal_worker.identifiers import Ids, named_ids
from diurnal_worker.keyed import U64, Purpose, key, mixed, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION: Final = 3 * 3600 * 1_000_000
_SESSION_SECONDS: Final = 3 * 3600
_USER_BITS: Final = 33

DEVICE_TYPES: Final = tuple(DEVICE_TYPE_WEIGHTS)
_MOBILE: Final = {
    "Android 13.0": 0.15,
    "Android 14.1": 0.20,
    "Android 15.0": 0.25,
    "Android 16.0": 0.10,
    "iOS 15.2": 0.02,
    "iOS 17.6": 0.06,
    "iOS 18.5": 0.12,
    "iOS 26.0": 0.10,
}
_DESKTOP: Final = {"Windows 10.0": 0.30, "Windows 11.0": 0.50, "macOS 14.7": 0.08, "macOS 15.5": 0.12}
OS_WEIGHTS: Final = {"phone": _MOBILE, "tablet": _MOBILE, "desktop": _DESKTOP}


@dataclass(frozen=True)
class Traits:
    """One combination of device and operating system that a user may have, and its share of users."""

    device: str
    os: str
    share: float


def traits(device_weights: Mapping[str, float]) -> tuple[Traits, ...]:
    """Every combination with its share; weights are relative, in any unit."""
    total = 0.0
    for device in DEVICE_TYPES:
        total += device_weights.get(device, 0.0)
    return tuple(
        Traits(device, os, device_weights.get(device, 0.0) / total * share)
        for device in DEVICE_TYPES
        for os, share in OS_WEIGHTS[device].items()
    )


class Users:
    """The users of one seed."""

    def __init__(self, seed: int, device_weights: Mapping[str, float]) -> None:
        self.traits = traits(device_weights)
        self._thresholds = thresholds([t.share for t in self.traits])
        self._id_key = key(seed, Purpose.USER_ID)
        self._session_key = key(seed, Purpose.SESSION_ID)
        self._offset_key = np.uint64(key(seed, Purpose.SESSION_OFFSET))
        self._traits_key = np.uint64(key(seed, Purpose.USER_TRAITS))

    def ids(self, users: U64) -> Ids:
        """The user's id, for ever."""
        return named_ids(self._id_key, users)

    def traits_of(self, users: U64) -> NDArray[np.intp]:
        """Index into ``traits`` of each user."""
        return choose(self._thresholds, mixed(users + self._traits_key))

    def session_ids(self, times: U64, users: U64) -> Ids:
        """The id of the session that each user is in at each time (microseconds since 1970)."""
        bits = mixed(users + self._offset_key)
        offset = scaled(bits, np.uint64(_SESSION_SECONDS)) * np.uint64(1_000_000)
        cell = (times + offset) // np.uint64(SESSION)
        return named_ids(self._session_key, (cell << np.uint64(_USER_BITS)) | users)

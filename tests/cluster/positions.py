"""What the versions of Leases and statuses keep to, one after another: the guarantees about clocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diurnal_api.instants import parse_instant
from diurnal_api.layout import SLOTS, Segment, parse_segment
from diurnal_api.lease import checkpoint_of, holder, is_sealed
from history import Change

Object = dict[str, Any]
NOWHERE = np.iinfo(np.int64).min


def clocks(segments: Iterable[Segment]) -> NDArray[np.int64]:
    """The clock of each of the 1,024 slots, NOWHERE for those that no segment covers."""
    found = np.full(SLOTS, NOWHERE, np.int64)
    for segment in segments:
        found[segment.first : segment.last + 1] = segment.clock
    return found


def check_that_clocks_never_go_back(statuses: Iterable[Object]) -> int:
    """Within a run, slot by slot; how many statuses there were."""
    run, before, seen = "", clocks(()), 0
    for status in statuses:
        if not status.get("plan") or not status.get("clock"):
            continue
        now = clocks(map(parse_segment, status["clock"]["segments"]))
        if status["plan"]["run"] != run:
            run, before = status["plan"]["run"], now
        assert (now >= before).all(), (run, status["clock"])
        before, seen = now, seen + 1
    return seen


def check_that_shards_stay_together(statuses: Iterable[Object], tick: int) -> None:
    """No further apart than the plan's bound and one tick (microseconds), which is drawn as a whole."""
    for status in statuses:
        if not status.get("plan") or not status.get("clock"):
            continue
        now = clocks(map(parse_segment, status["clock"]["segments"]))
        bound = round(status["plan"]["pace"]["skewSeconds"] * 1e6) + tick
        assert now.max() - now.min() <= bound, status["clock"]


def check_that_each_lease_has_one_holder_at_a_time(changes: Iterable[Change], seconds: float) -> int:
    """Taken only when free, given back or old; never once it is sealed; its clock never goes back.

    How many Leases there were.
    """
    before: dict[str, Object] = {}
    for change in changes:
        if change.uid in before:
            _check_successor(before[change.uid], change.thing, seconds)
        before[change.uid] = change.thing
    return len(before)


def _check_successor(old: Object, new: Object, seconds: float) -> None:
    name = old["metadata"]["name"]
    if is_sealed(old):
        assert is_sealed(new), name
        assert not holder(new), name
    if holder(old) and holder(new) not in {"", holder(old)}:
        waited = parse_instant(new["spec"]["acquireTime"]) - parse_instant(old["spec"]["renewTime"])
        assert waited >= seconds * 1e6, (name, old["spec"], new["spec"])
    stood, stands = checkpoint_of(old), checkpoint_of(new)
    if stood is not None:
        assert stands is not None, name
        assert (clocks(stands.position) >= clocks(stood.position)).all(), name
        # After a graceful stop a promise shrinks to what was sent.
        assert stands.reach >= clocks(stands.position).max(), name

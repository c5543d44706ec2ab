"""From the traffic of a spec to the intensity that generates it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diurnal_worker.activity import DAY, SECOND, Activity, Cosine, hourly
from diurnal_worker.intensity import Intensity
from diurnal_worker.measured import measured_week

if TYPE_CHECKING:
    from diurnal_api.traffic import Activity as ActivitySpec
    from diurnal_api.traffic import Traffic
    from diurnal_worker.strata import World


def intensity_of(world: World, traffic: Traffic) -> Intensity:
    """The intensity of ``traffic`` in ``world``."""
    return Intensity(
        world,
        activity_of(traffic.activity),
        events_per_user_per_day(traffic, world.users),
        constant=traffic.total == "Constant",
    )


def events_per_user_per_day(traffic: Traffic, users: int) -> float:
    """The mean rate of one user, whichever way the spec gives it."""
    rate = traffic.rate
    if rate.events_per_user_per_day is not None:
        return float(rate.events_per_user_per_day)
    return float(rate.events_per_second or 0.0) * (DAY // SECOND) / users


def activity_of(spec: ActivitySpec) -> Activity:
    """The curve that a spec names."""
    if spec.cosine is not None:
        return Cosine(float(spec.cosine.peak_hour), float(spec.cosine.floor))
    if spec.hourly is not None:
        return hourly(spec.hourly)
    return hourly(measured_week(spec.builtin or "shanghai-week"))

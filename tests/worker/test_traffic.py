"""From the traffic of a spec to its intensity."""

import numpy as np
import pytest

from diurnal_api.traffic import Activity, Cosine, Rate, Traffic
from diurnal_worker.activity import HOUR
from diurnal_worker.measured import measured_week
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from diurnal_worker.traffic import activity_of, events_per_user_per_day, intensity_of

WORLD = World.build(load("world-2025"), 10_000, 42)


def test_the_default_is_57_events_a_user_and_day_by_the_cosine_of_the_showcase() -> None:
    intensity = intensity_of(WORLD, Traffic())
    assert intensity.mean_rate == pytest.approx(10_000 * 57 / 86_400)
    assert not intensity.constant
    values = intensity.activity.values(np.array([16 * HOUR, 4 * HOUR]))
    assert values.tolist() == pytest.approx([1.0, 0.03])


def test_a_rate_of_the_world_is_shared_by_its_users() -> None:
    traffic = Traffic(rate=Rate(events_per_second=3000), total="Constant")
    assert events_per_user_per_day(traffic, 10_000) == pytest.approx(3000 * 86_400 / 10_000)
    intensity = intensity_of(WORLD, traffic)
    assert intensity.mean_rate == pytest.approx(3000)
    assert intensity.constant


def test_a_cosine_has_the_peak_and_floor_that_were_asked_for() -> None:
    curve = activity_of(Activity(cosine=Cosine(peak_hour=20.5, floor=0.25)))
    assert curve.values(np.array([int(20.5 * HOUR), int(8.5 * HOUR)])).tolist() == pytest.approx([1.0, 0.25])


@pytest.mark.parametrize("count", [24, 168])
def test_hourly_values_are_taken_as_they_are(count: int) -> None:
    hours = tuple(float(1 + n % 7) for n in range(count))
    curve = activity_of(Activity(hourly=hours))
    monday = 4 * 24 * HOUR
    knots = monday + np.arange(count) * HOUR + HOUR // 2
    assert curve.values(knots).tolist() == list(hours)
    assert curve.mean == pytest.approx(sum(hours) / count)


def test_the_builtin_curve_is_the_measured_week() -> None:
    curve = activity_of(Activity(builtin="shanghai-week"))
    monday = 4 * 24 * HOUR
    knots = monday + np.arange(168) * HOUR + HOUR // 2
    assert tuple(curve.values(knots).tolist()) == measured_week("shanghai-week")

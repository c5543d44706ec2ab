"""The closed form, which judges 10^9 events, against the slow reference, which judges the engine."""

import numpy as np
import pytest

from checks import Floats
from diurnal_fidelity.closed_form import KNOTS, ClosedForm, Cosine, Curve, Hourly
from diurnal_fidelity.scenarios import JAGGED
from reference import HOUR, MINUTE, SLOTS, Activity, Reference, Stratum, cosine, hourly, instant

QUARTER = 15 * MINUTE
STRATA = [
    Stratum("AAA", "America/New_York", 0, 3001),
    Stratum("BBB", "Asia/Kolkata", 3001, 2500),
    Stratum("CCC", "Europe/Berlin", 5501, 700),
]
CURVES = [(Cosine(16, 0.03), cosine(16, 0.03)), (Hourly(JAGGED), hourly(JAGGED))]
CHANGE = instant("2026-11-01T05:00:00Z")  # New York's clocks go back at 06:00


def hours(law: ClosedForm, tick: int) -> Floats:
    """Expected events of each stratum from CHANGE on, two hours by ticks."""
    means = [law.expected(start, tick).stratum_means for start in range(CHANGE, CHANGE + 2 * HOUR, tick)]
    return np.asarray(np.sum(means, axis=0))


@pytest.mark.parametrize(("curve", "plain"), CURVES)
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("tick", [QUARTER, 100_000_000])
def test_strata_expect_what_the_reference_expects_while_clocks_change(
    curve: Curve, plain: Activity, constant: bool, tick: int
) -> None:
    law = ClosedForm(STRATA, curve, 57, constant=constant)
    reference = Reference(STRATA, plain, 57, constant)
    expected = [reference.expected(stratum, CHANGE, CHANGE + 2 * HOUR) for stratum in STRATA]
    assert hours(law, tick) == pytest.approx(expected, rel=1e-6)


def test_slots_expect_what_the_reference_expects() -> None:
    law = ClosedForm(STRATA, Cosine(16, 0.03), 57, constant=False)
    reference = Reference(STRATA, cosine(16, 0.03), 57)
    means = law.expected(CHANGE, QUARTER).slot_means
    for slot in (0, 1, 957, SLOTS - 1):
        assert means[slot] == pytest.approx(reference.slot_expected(slot, CHANGE, CHANGE + QUARTER), rel=1e-8)


def test_a_tick_of_milliseconds_expects_its_share() -> None:
    """Instants are too long for floats; a part of a millisecond must not be lost among them."""
    law = ClosedForm(STRATA, Cosine(16, 0.03), 57, constant=False)
    rate = Reference(STRATA, cosine(16, 0.03), 57).world_rate(CHANGE)
    world = law.expected(CHANGE, 18_750).world
    assert np.diff(world) == pytest.approx(rate * 18_750e-6 / KNOTS, rel=1e-6)
    assert world[-1] == pytest.approx(rate * 18_750e-6, rel=1e-6)


def test_parts_add_up() -> None:
    expected = ClosedForm(STRATA, Hourly(JAGGED), 57, constant=True).expected(CHANGE, QUARTER)
    assert expected.slot_means.sum() == pytest.approx(expected.world[-1])
    assert expected.stratum_means.sum() == pytest.approx(expected.world[-1])
    assert expected.profiles[:, 0] == pytest.approx(0)
    assert expected.profiles[:, -1] == pytest.approx(1)

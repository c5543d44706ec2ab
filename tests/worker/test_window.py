"""The clock follows the longest acknowledged prefix; an independent oracle looks at all prefixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.sinks import NOTHING_YET
from diurnal_worker.sinks.window import Window


def filled(clocks: list[int]) -> Window:
    window = Window()
    for clock in clocks:
        window.admit(clock)
    return window


def clock_by_looking_at_every_prefix(clocks: list[int], durable: set[int]) -> int:
    prefixes = [clocks[number] for number in range(len(clocks)) if set(range(number + 1)) <= durable]
    return prefixes[-1] if prefixes else NOTHING_YET


def test_nothing_is_durable_before_the_first_acknowledgement() -> None:
    assert filled([10, 20]).until == NOTHING_YET


def test_a_gap_holds_the_clock_back_until_it_closes() -> None:
    window = filled([10, 20, 30])
    window.acknowledge(1)
    window.acknowledge(2)
    assert window.until == NOTHING_YET
    window.acknowledge(0)
    assert window.until == 30


def test_an_acknowledgement_that_is_said_twice_changes_nothing() -> None:
    window = filled([10, 20])
    window.acknowledge(0)
    window.acknowledge(0)
    assert (window.until, len(window)) == (10, 1)


def test_batches_go_forward_in_time() -> None:
    with pytest.raises(ValueError, match="go forward in time"):
        filled([20, 10])


@given(st.data(), st.lists(st.integers(0, 50), min_size=1, max_size=20).map(sorted))
def test_any_order_of_answers_gives_the_clock_of_the_longest_prefix(
    data: st.DataObject, clocks: list[int]
) -> None:
    window = filled(clocks)
    answers = data.draw(st.permutations(range(len(clocks))))
    for count, number in enumerate(answers, start=1):
        window.acknowledge(number)
        assert window.until == clock_by_looking_at_every_prefix(clocks, set(answers[:count]))
    assert len(window) == 0

"""Turns: no second has more than the most, and who asks seldom never waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diurnal_operator.turns import Turns


def test_so_many_go_at_once_and_the_next_one_waits() -> None:
    turns = Turns(2)
    assert [turns.take(10.0), turns.take(10.0)] == [0.0, 0.0]
    assert turns.take(10.5) > 0.5


def test_who_asks_seldom_never_waits() -> None:
    turns = Turns(1)
    assert [turns.take(2.0 * number) for number in range(5)] == [0.0] * 5


@given(st.integers(1, 5), st.lists(st.floats(0, 2), max_size=60))
def test_no_second_has_more_than_the_most(most: int, pauses: list[float]) -> None:
    turns, now, gone = Turns(most), 0.0, []
    for pause in pauses:
        now += pause
        gone.append(now + turns.take(now))
    assert gone == sorted(gone)
    assert all(later - first >= 1.0 for first, later in zip(gone, gone[most:], strict=False))

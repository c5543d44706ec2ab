"""Batches: whole, bounded, cut between microseconds, and never ahead of what is due."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.batching import Span, spans

END = 1000


@st.composite
def stretches(draw: st.DrawFn) -> tuple[list[int], list[float], float]:
    """(times, seconds at which they are due, the stretch's seconds); many times are equal."""
    times = sorted(draw(st.lists(st.integers(0, END - 1), max_size=40)))
    steps = draw(st.lists(st.floats(0, 2), min_size=len(times), max_size=len(times)))
    due = np.cumsum([0.0, *steps])[: len(times)]
    return times, due.tolist(), float(due[-1] if times else 0) + draw(st.floats(0, 3))


@given(stretches(), st.integers(1, 10), st.floats(0.01, 2))
def test_spans_hold_every_event_once_and_close_the_stretch(
    stretch: tuple[list[int], list[float], float], most: int, seconds: float
) -> None:
    times, due, length = stretch
    found = spans(np.array(times, np.int64), np.array(due), END, most, seconds, length)
    assert [i for span in found for i in range(span.first, span.last)] == list(range(len(times)))
    assert found[-1].until == END
    for span in found:
        assert span.last - span.first <= most
        if span.last > span.first:
            one_microsecond = times[span.first] == times[span.last - 1]
            assert one_microsecond or due[span.last - 1] - due[span.first] <= seconds
            assert span.due == due[span.last - 1]


@given(stretches(), st.integers(1, 10), st.floats(0.01, 2))
def test_a_clock_lies_behind_all_that_was_sent_and_before_all_that_was_not(
    stretch: tuple[list[int], list[float], float], most: int, seconds: float
) -> None:
    times, due, length = stretch
    found = spans(np.array(times, np.int64), np.array(due), END, most, seconds, length)
    for span, following in pairwise(found):
        assert span.until <= following.until
        unsent, sent = times[span.last :], times[: span.last]
        assert all(time >= span.until for time in unsent)
        if span.open:
            assert sent[-1] == unsent[0] == span.until
            assert times.count(span.until) > most
        else:
            assert all(time < span.until for time in sent)


def test_an_empty_stretch_is_one_empty_span_when_it_is_over() -> None:
    assert spans(np.empty(0, np.int64), np.empty(0), END, 5, 1.0, 7.0) == [Span(0, 0, END, 7.0)]


def test_the_end_is_said_only_when_the_stretch_is_over() -> None:
    found = spans(np.array([3, 4]), np.array([0.0, 0.1]), END, 5, 1.0, 9.0)
    assert found == [Span(0, 2, 5, 0.1), Span(2, 2, END, 9.0)]


def test_without_a_pace_the_last_span_closes_the_stretch() -> None:
    found = spans(np.array([3, 4, 5]), np.zeros(3), END, 2, 1.0, 0.0)
    assert found == [Span(0, 2, 5, 0.0), Span(2, 3, END, 0.0)]

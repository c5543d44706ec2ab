"""Good thinning, in pure Python and in numpy: what a careful person would write without this project.

Both draw candidates of all users awake at once, choose a country by its users, and accept by its local
activity (Lewis and Shedler 1979); the numpy one does so for many candidates at a time and sorts what it
accepted. No ids, no shards, no exact resume: (time, country, user) alone.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from textbook import FLOOR, PEAK_HOUR, USERS_WITH_IDS, countries

CANDIDATES = 1 << 16
_ANGLE = 2 * math.pi / 24
_SWING = (1 - FLOOR) / 2


def python_thinning(users: int, seed: int) -> Iterator[tuple[float, int, int]]:
    """(seconds, country, user), event by event, for ever."""
    draw = random.Random(seed)
    world = countries(users)
    upto = list(accumulate(country.weight for country in world))
    shifts = [country.offset_hours - PEAK_HOUR for country in world]
    uniform, gap, cos, highest = draw.random, draw.expovariate, math.cos, upto[-1]
    now = 0.0
    while True:
        now += gap(highest)
        country = bisect(upto, uniform() * highest)
        if uniform() < FLOOR + _SWING * (1 + cos((now / 3600 + shifts[country]) * _ANGLE)):
            yield now, country, int(uniform() * USERS_WITH_IDS)


def numpy_thinning(users: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Arrays of ascending times, with their countries and users, for ever; yields the times."""
    draw = np.random.default_rng(seed)
    world = countries(users)
    upto = np.cumsum([country.weight for country in world])
    shifts = np.array([country.offset_hours - PEAK_HOUR for country in world])
    span = CANDIDATES / upto[-1]
    now = 0.0
    while True:
        number = int(draw.poisson(CANDIDATES))
        times = now + draw.random(number) * span
        country = np.searchsorted(upto, draw.random(number) * upto[-1])
        activity = FLOOR + _SWING * (1 + np.cos((times / 3600 + shifts[country]) * _ANGLE))
        accepted = np.flatnonzero(draw.random(number) < activity)
        order = accepted[np.argsort(times[accepted])]
        draw.integers(0, USERS_WITH_IDS, order.size)
        country[order]
        yield times[order]
        now += span

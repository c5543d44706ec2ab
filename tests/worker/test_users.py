"""Users: what never changes about them, and the sessions that their time is cut into."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import THRESHOLD, multinomial
from diurnal_api.events import DEVICE_TYPE_WEIGHTS
from diurnal_worker.identifiers import Ids
from diurnal_worker.users import DEVICE_TYPES, OS_WEIGHTS, Users, traits

SECOND = 1_000_000
HOUR = 3600 * SECOND
SESSION = 3 * HOUR
START = 1_767_225_600_000_000
USERS = Users(42, DEVICE_TYPE_WEIGHTS)
MANY = np.arange(200_000, dtype=np.uint64)


def texts(ids: Ids) -> list[int]:
    return [h << 64 | lo for h, lo in zip(ids.high.tolist(), ids.low.tolist(), strict=True)]


def sessions(user: int, times: list[int]) -> list[int]:
    return texts(USERS.session_ids(np.array(times, np.uint64), np.full(len(times), user, np.uint64)))


def test_shares_of_devices_and_systems_multiply() -> None:
    found = traits({"phone": 8.0, "tablet": 1.5, "desktop": 0.5})
    assert sum(t.share for t in found) == pytest.approx(1)
    for device, share in DEVICE_TYPE_WEIGHTS.items():
        of_device = {t.os: t.share for t in found if t.device == device}
        assert of_device == pytest.approx({os: share * part for os, part in OS_WEIGHTS[device].items()})


def test_systems_fit_their_devices_and_their_shares_are_whole() -> None:
    for device in DEVICE_TYPES:
        assert sum(OS_WEIGHTS[device].values()) == pytest.approx(1)
        desktop = [os.startswith(("Windows ", "macOS ")) for os in OS_WEIGHTS[device]]
        assert all(desktop) if device == "desktop" else not any(desktop)


def test_users_have_the_shares_of_the_weights() -> None:
    """200,000 users by chi-square, each combination expected 50 times at least."""
    observed = np.bincount(USERS.traits_of(MANY), minlength=len(USERS.traits))
    assert multinomial(observed, np.array([t.share for t in USERS.traits]) * MANY.size) > THRESHOLD


def test_a_device_of_no_weight_is_nobodys() -> None:
    for device in DEVICE_TYPES:
        others = {name: 1.0 for name in DEVICE_TYPES if name != device}
        for weights in ({**others, device: 0.0}, others):
            users = Users(7, weights)
            assert {users.traits[i].device for i in np.unique(users.traits_of(MANY))} == set(others)


@given(st.lists(st.integers(0, 5_399_999_999), min_size=1, max_size=50), st.integers(0, 2**53))
@settings(deadline=None)
def test_a_user_is_the_same_in_whatever_company(users: list[int], seed: int) -> None:
    """Id, device and system depend on nothing but seed and index."""
    together = Users(seed, DEVICE_TYPE_WEIGHTS)
    alone = Users(seed, DEVICE_TYPE_WEIGHTS)
    array = np.array(users, np.uint64)
    ids, kinds = texts(together.ids(array)), together.traits_of(array).tolist()
    for place, user in enumerate(users):
        one = np.array([user], np.uint64)
        assert texts(alone.ids(one)) == [ids[place]]
        assert alone.traits_of(one).tolist() == [kinds[place]]


def test_users_have_different_ids() -> None:
    far = np.array([5_399_999_999, 2**32, 2**32 + 1], np.uint64)
    assert len(set(texts(USERS.ids(np.concatenate([MANY, far]))))) == MANY.size + 3


def test_another_seed_has_other_users() -> None:
    other = Users(43, DEVICE_TYPE_WEIGHTS)
    assert not set(texts(USERS.ids(MANY))) & set(texts(other.ids(MANY)))
    assert (USERS.traits_of(MANY) != other.traits_of(MANY)).any()


@given(st.integers(0, 5_399_999_999), st.integers(63_072_000_000_000, 7_258_000_000_000_000))
@settings(deadline=None, max_examples=50)
def test_a_session_is_one_stretch_of_exactly_three_hours(user: int, start: int) -> None:
    """Every ten minutes of a day: one id until it changes, never back again, 3 h from change to change."""
    step = 10 * 60 * SECOND
    times = list(range(start, start + 24 * HOUR, step))
    ids = sessions(user, times)
    changes = [i for i in range(1, len(ids)) if ids[i] != ids[i - 1]]
    assert len(set(ids)) == len(changes) + 1
    assert {b - a for a, b in pairwise(changes)} == {SESSION // step}


def test_a_session_ends_on_a_second_of_the_users_own() -> None:
    edges = []
    for user in range(200):
        seconds = range(START, START + SESSION, SECOND * 60)
        ids = sessions(user, list(seconds))
        edges.append(next((i for i in range(1, len(ids)) if ids[i] != ids[0]), 0))
    assert len(set(edges)) > 100


def test_no_session_is_shared_by_two_users() -> None:
    times = np.repeat(np.arange(START, START + 24 * HOUR, HOUR).astype(np.uint64), 10_000)
    users = np.tile(MANY[:10_000], 24)
    ids = np.array(texts(USERS.session_ids(times, users)), object)
    owners: dict[int, int] = {}
    assert all(owners.setdefault(i, u) == u for i, u in zip(ids.tolist(), users.tolist(), strict=True))
    assert len(owners) > 80_000


def test_a_session_is_no_user() -> None:
    times = np.full(MANY.size, START, np.uint64)
    assert not set(texts(USERS.session_ids(times, MANY))) & set(texts(USERS.ids(MANY)))

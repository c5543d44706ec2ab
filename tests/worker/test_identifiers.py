"""Identifiers: bijections, layout, independence of keys."""

import itertools
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import THRESHOLD, even
from diurnal_worker.identifiers import Ids, event_ids, named_ids, permuted, uuid8
from diurnal_worker.keyed import U64, Purpose, key

pytestmark = pytest.mark.usefixtures("either_way")

HALF = 2**61
KEYS = st.integers(0, 2**64 - 1)
HALVES = st.lists(st.integers(0, HALF - 1), min_size=1, max_size=20)
EVENT = key(42, Purpose.EVENT_ID)


def words(values: list[int]) -> U64:
    return np.array(values, np.uint64)


def uuids(ids: Ids) -> list[uuid.UUID]:
    return [uuid.UUID(int=h << 64 | lo) for h, lo in zip(ids.high.tolist(), ids.low.tolist(), strict=True)]


def distinct(ids: Ids) -> int:
    return int(np.unique(np.stack([ids.high, ids.low]), axis=1).shape[1])


def mixed_of(value: int) -> int:
    """Stafford's variant 13."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    return value ^ value >> 31


def inverse(purpose_key: int, left: int, right: int) -> tuple[int, int]:
    """The Feistel network backwards, in plain integers: what makes it a permutation."""
    for number in (4, 3, 2, 1):
        round_key = mixed_of((purpose_key + number * 0x9E3779B97F4A7C15) % 2**64)
        left, right = right ^ mixed_of((left + round_key) % 2**64) % HALF, left
    return left, right


@given(KEYS, HALVES, st.data())
def test_every_permuted_pair_can_be_taken_back(
    purpose_key: int, lefts: list[int], data: st.DataObject
) -> None:
    rights = data.draw(st.lists(st.integers(0, HALF - 1), min_size=len(lefts), max_size=len(lefts)))
    found = permuted(purpose_key, words(lefts), words(rights))
    pairs = list(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert all(left < HALF and right < HALF for left, right in pairs)
    assert [inverse(purpose_key, *pair) for pair in pairs] == list(zip(lefts, rights, strict=True))


@given(HALVES, st.data())
def test_the_free_bits_of_a_uuid_hold_both_halves(lefts: list[int], data: st.DataObject) -> None:
    rights = data.draw(st.lists(st.integers(0, HALF - 1), min_size=len(lefts), max_size=len(lefts)))
    for found, left, right in zip(uuids(uuid8(words(lefts), words(rights))), lefts, rights, strict=True):
        free = (found.int >> 80) << 12 | (found.int >> 64) & 0xFFF
        assert free << 62 | found.int & (1 << 62) - 1 == left << 61 | right


@given(KEYS, HALVES)
def test_ids_are_uuids_of_version_8(purpose_key: int, names: list[int]) -> None:
    """RFC 9562, sections 4.1, 4.2 and 5.8."""
    for found in uuids(named_ids(purpose_key, words(names))):
        assert found.version == 8
        assert found.variant == uuid.RFC_4122


def test_a_million_neighbouring_names_have_different_ids() -> None:
    assert distinct(named_ids(EVENT, np.arange(1_000_000, dtype=np.uint64))) == 1_000_000


def test_events_that_differ_in_one_microsecond_user_or_ordinal_have_different_ids() -> None:
    """A grid of structured neighbours, at the ends of their ranges too: one id each."""
    times = [63_072_000_000_000, 1_767_225_600_000_000, 7_258_118_399_999_990]
    grid = itertools.product(
        [t + d for t in times for d in range(10)],
        [u + d for u in (0, 1024, 2**32 - 5, 5_399_999_990) for d in range(10)],
        [*range(5), 126, 127, 128, 254, 255, 256, 257, 511, 512, 65_535, 65_536, 2**20, 2**35, 2**36 - 1],
    )
    rows = list(grid)
    ids = event_ids(EVENT, *(words([row[i] for row in rows]) for i in range(3)))
    assert distinct(ids) == len(rows)


def test_the_low_bits_of_neighbouring_ids_are_even() -> None:
    """Dashboards shard and sample by the bits of an id."""
    for ids in (
        named_ids(EVENT, np.arange(200_000, dtype=np.uint64)),
        event_ids(EVENT, np.arange(200_000, dtype=np.uint64), words([7] * 200_000), words([0] * 200_000)),
    ):
        assert even(np.bincount((ids.low & np.uint64(255)).astype(np.int64), minlength=256)) > THRESHOLD
        assert even(np.bincount((ids.high >> np.uint64(56)).astype(np.int64), minlength=256)) > THRESHOLD


@pytest.mark.parametrize(
    "other", [key(42, Purpose.USER_ID), key(43, Purpose.EVENT_ID), key(0, Purpose.EVENT_ID)]
)
def test_another_key_gives_other_ids(other: int) -> None:
    names = np.arange(10_000, dtype=np.uint64)
    together = [named_ids(k, names) for k in (EVENT, other)]
    assert distinct(Ids(*(np.concatenate(half) for half in zip(*together, strict=True)))) == 20_000

"""Slots, shards and positions, against a plain list of one clock a slot."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api.layout import (
    SLOTS,
    LayoutError,
    Segment,
    check_position,
    cut,
    earliest,
    format_position,
    furthest,
    latest,
    merge,
    parse_position,
    parse_segment,
    slots_of,
    start_position,
)

T0 = 1_767_225_600_000_000

clocks = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 3)), min_size=1, max_size=20).map(
    lambda runs: ([T0 + clock for length, clock in runs for _ in range(length)] * SLOTS)[:SLOTS]
)


def position(clock_of_slot: list[int]) -> list[Segment]:
    return [Segment(slot, slot, clock) for slot, clock in enumerate(clock_of_slot)]


def spread(segments: tuple[Segment, ...]) -> dict[int, int]:
    found: dict[int, int] = {}
    for segment in segments:
        for slot in segment.slots:
            assert slot not in found
            found[slot] = segment.clock
    return found


@given(st.integers(1, SLOTS))
@settings(max_examples=50)
def test_every_slot_has_exactly_one_shard_and_shards_are_equal_to_one_slot(shards: int) -> None:
    ranges = [slots_of(shard, shards) for shard in range(shards)]
    assert [slot for slots in ranges for slot in slots] == list(range(SLOTS))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


@pytest.mark.parametrize(("shard", "shards"), [(-1, 4), (4, 4), (0, 0), (0, SLOTS + 1)])
def test_a_shard_that_cannot_be_is_refused(shard: int, shards: int) -> None:
    with pytest.raises(LayoutError, match="there is no shard"):
        slots_of(shard, shards)


@given(clocks, st.integers(1, 64))
@settings(max_examples=60)
def test_dealing_a_position_out_to_other_shards_changes_no_clock(of_slot: list[int], shards: int) -> None:
    whole = merge(position(of_slot))
    parts = [cut(whole, slots_of(shard, shards)) for shard in range(shards)]
    for shard, part in enumerate(parts):
        assert spread(part) == {slot: of_slot[slot] for slot in slots_of(shard, shards)}
    assert spread(merge(segment for part in parts for segment in part)) == dict(enumerate(of_slot))


@given(clocks)
@settings(max_examples=60)
def test_merged_neighbours_have_different_clocks_and_the_text_brings_them_back(of_slot: list[int]) -> None:
    shuffled = position(of_slot)
    random.Random(1).shuffle(shuffled)
    merged = merge(shuffled)
    assert all(one.clock != other.clock for one, other in itertools.pairwise(merged))
    assert parse_position(format_position(shuffled)) == merged
    assert (earliest(merged), furthest(merged)) == (min(of_slot), max(of_slot))


def test_a_segment_is_written_as_slots_and_clock() -> None:
    assert str(Segment(0, 255, T0 + 22_351_004_211)) == "0-255@2026-01-01T06:12:31.004211Z"
    assert parse_segment("0-255@2026-01-01T06:12:31.004211Z") == Segment(0, 255, T0 + 22_351_004_211)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0-255",
        "5-4@2026-01-01T00:00:00Z",
        "0-1024@2026-01-01T00:00:00Z",
        "0-1@noon",
        "a-b@2026-01-01T00:00:00Z",
    ],
)
def test_a_segment_that_cannot_be_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(LayoutError, match="segment"):
        parse_segment(text)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([], "slots 0-1023 have no segment"),
        ([Segment(0, 9, T0), Segment(11, 1023, T0)], "slots 10-10 have no segment"),
        ([Segment(0, 10, T0), Segment(10, 1023, T0)], "slot 10 is in two segments"),
        ([Segment(0, 1000, T0)], "slots 1001-1023 have no segment"),
    ],
)
def test_a_position_covers_every_slot_exactly_once(segments: list[Segment], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        check_position(segments)


def test_a_run_starts_with_one_segment_and_a_cut_keeps_its_clock() -> None:
    assert check_position(start_position(T0)) == (Segment(0, 1023, T0),)
    assert cut(start_position(T0), range(5, 9)) == (Segment(5, 8, T0),)


@given(st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=4))
def test_the_latest_word_about_a_slot_counts(clocks: list[list[int]]) -> None:
    found = latest(*([Segment(256 * i, 256 * i + 255, c) for i, c in enumerate(four)] for four in clocks))
    by_slot = [segment.clock for segment in found for _ in segment.slots]
    assert by_slot == [max(four[slot // 256] for four in clocks) for slot in range(1024)]

"""Holding a Lease: one owner at a time, whatever freezes, thaws, or is not answered."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api import lease as leases
from diurnal_api.checkpoint import Checkpoint
from diurnal_worker.checkpoints import StoreUnavailableError
from diurnal_worker.tenure import LeaseLostError, Tenure
from fake_api import FakeApi

NAME = "app-store-1a2b3-0-e1"
SECONDS = 15.0


@dataclass
class HandClock:
    """A clock that tests move by hand."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> int:
        return 1_700_000_000_000_000 + int(self.now * 1e6)


def checkpoint(second: int = 0) -> Checkpoint:
    return Checkpoint(
        epoch=1,
        shard=0,
        segments=(f"0-1023@2026-01-01T00:00:{second:02d}.000000Z",),
        reach=1_767_225_660_000_000,
    )


@pytest.fixture
def api() -> FakeApi:
    found = FakeApi()
    found.create_lease(NAME)
    return found


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def tenure(api: FakeApi, holder: str, clock: HandClock) -> Tenure:
    return Tenure(api, NAME, holder, clock, SECONDS)


def test_a_free_lease_is_taken_and_carries_the_checkpoint(api: FakeApi, clock: HandClock) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    mine.save(checkpoint(7))
    assert leases.holder(api.leases[NAME]) == "pod-a"
    assert leases.checkpoint_of(api.leases[NAME]) == checkpoint(7)


def test_a_held_lease_is_not_taken_while_its_holder_renews_it(api: FakeApi, clock: HandClock) -> None:
    holder, other = tenure(api, "pod-a", clock), tenure(api, "pod-b", clock)
    assert holder.acquire(1.0) is None
    for second in range(12):
        clock.now += 5
        holder.save(checkpoint(second))
        refused = other.acquire(1.0)
        assert refused is not None
        assert "held by pod pod-a" in refused.why


def test_a_taker_waits_one_whole_lease_after_it_first_saw_it(api: FakeApi, clock: HandClock) -> None:
    holder, other = tenure(api, "pod-a", clock), tenure(api, "pod-b", clock)
    assert holder.acquire(1.0) is None
    clock.now += 100  # the holder is dead for long, but this taker has only just looked
    assert other.acquire(1.0) is not None
    clock.now += SECONDS - 0.001
    assert other.acquire(1.0) is not None
    clock.now += 0.001
    assert other.acquire(1.0) is None
    assert api.leases[NAME]["spec"]["leaseTransitions"] == 2


def test_a_released_lease_is_taken_at_once(api: FakeApi, clock: HandClock) -> None:
    holder, other = tenure(api, "pod-a", clock), tenure(api, "pod-b", clock)
    assert holder.acquire(1.0) is None
    holder.save(checkpoint(3))
    holder.release()
    assert other.acquire(1.0) is None
    assert other.checkpoint == checkpoint(3)


def test_a_restarted_container_of_the_same_pod_goes_on_at_once(api: FakeApi, clock: HandClock) -> None:
    assert tenure(api, "pod-a", clock).acquire(1.0) is None
    assert tenure(api, "pod-a", clock).acquire(1.0) is None


def test_a_sealed_lease_is_never_taken(api: FakeApi, clock: HandClock) -> None:
    api.leases[NAME] = leases.sealed(api.leases[NAME])
    refused = tenure(api, "pod-a", clock).acquire(1.0)
    assert refused is not None
    assert refused.final


def test_a_holder_whose_lease_is_sealed_learns_it_at_its_next_checkpoint(
    api: FakeApi, clock: HandClock
) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    api.update_lease(leases.sealed(api.lease(NAME)))
    with pytest.raises(LeaseLostError, match="sealed"):
        mine.save(checkpoint())
    assert mine.seconds_left() < 0


def test_a_vanished_lease_stops_its_holder(api: FakeApi, clock: HandClock) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    del api.leases[NAME]
    with pytest.raises(LeaseLostError, match="gone"):
        mine.save(checkpoint())


def test_one_that_was_put_back_is_taken_only_after_a_whole_lease(api: FakeApi, clock: HandClock) -> None:
    """Who held the one that vanished, on another node perhaps, may go on until its time is over."""
    api.leases[NAME]["metadata"]["annotations"] = {leases.PUT_BACK: "true"}
    mine = tenure(api, "pod-a", clock)
    refused = mine.acquire(1.0)
    assert refused is not None
    assert "put back" in refused.why
    clock.now += SECONDS - 0.001
    assert mine.acquire(1.0) is not None
    clock.now += 0.001
    assert mine.acquire(1.0) is None
    mine.release()
    assert tenure(api, "pod-b", clock).acquire(1.0) is None, "from then on it is as any other"


def test_an_operator_that_touches_metadata_does_not_disturb(api: FakeApi, clock: HandClock) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    api.touch_metadata(NAME)
    mine.save(checkpoint(5))
    assert leases.checkpoint_of(api.leases[NAME]) == checkpoint(5)
    assert api.leases[NAME]["metadata"]["labels"]  # what the operator wrote stays


def test_a_write_whose_answer_was_lost_is_not_a_lost_lease(api: FakeApi, clock: HandClock) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    api.lose_next_answer = True
    with pytest.raises(StoreUnavailableError):
        mine.save(checkpoint(1))
    mine.save(checkpoint(2))
    assert leases.checkpoint_of(api.leases[NAME]) == checkpoint(2)


def test_time_is_counted_from_before_the_request(api: FakeApi, clock: HandClock) -> None:
    mine = tenure(api, "pod-a", clock)
    real = api.update_lease

    def slow(lease: dict) -> dict:  # type: ignore[type-arg]
        answer = real(lease)
        clock.now += 4  # the answer takes four seconds
        return answer

    api.update_lease = slow  # type: ignore[method-assign]
    assert mine.acquire(1.0) is None
    assert mine.seconds_left() == pytest.approx(SECONDS - 4)


def test_an_api_server_that_is_away_takes_nothing_from_the_time_that_is_left(
    api: FakeApi, clock: HandClock
) -> None:
    mine = tenure(api, "pod-a", clock)
    assert mine.acquire(1.0) is None
    api.away = True
    clock.now += 6
    with pytest.raises(StoreUnavailableError):
        mine.save(checkpoint())
    assert mine.held
    assert mine.seconds_left() == pytest.approx(SECONDS - 6)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "save", "release", "freeze"]), st.integers(0, 2), st.floats(0.0, 20.0)
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_no_two_pods_ever_think_that_they_hold_it(actions: list[tuple[str, int, float]]) -> None:
    """A pod may send while it has seconds left; whatever the order of things, only one has."""
    api, clock = FakeApi(), HandClock()
    api.create_lease(NAME)
    pods = [tenure(api, f"pod-{i}", clock) for i in range(3)]
    for action, number, seconds in actions:
        pod = pods[number]
        if action == "acquire" and not pod.held:
            pod.acquire(1.0)
        elif action == "save" and pod.held:
            with suppress(LeaseLostError):
                pod.save(checkpoint())
        elif action == "release":
            pod.release()
        elif action == "freeze":
            clock.now += seconds
        assert sum(pod.seconds_left() > 0 for pod in pods) <= 1

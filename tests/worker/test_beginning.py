"""A worker begins where the latest word about each of its slots says, and breaks no promise of before."""

from diurnal_api.checkpoint import Checkpoint, Spent
from diurnal_api.layout import Segment
from diurnal_api.plan import Plan
from diurnal_api.planning import first_plan
from diurnal_api.spec import Spec
from diurnal_worker.beginning import Memory, beginning

HOUR = 3_600_000_000
START = 1_767_225_600_000_000


def at(hours: float, first: int = 0, last: int = 1023) -> str:
    return str(Segment(first, last, START + round(hours * HOUR)))


def plan(*segments: str, shards: int = 2) -> Plan:
    spec = Spec.model_validate({"sink": {"discard": {}}})
    made = first_plan(spec, run="run-0", now=0, shards=shards, engine="1", tzdata="2025b")
    return made.model_copy(update={"segments": segments or made.segments})


def lease(*segments: str, reach: float) -> Checkpoint:
    return Checkpoint(
        epoch=1, shard=0, segments=segments, reach=START + round(reach * HOUR), spent=Spent(messages=7)
    )


def test_a_new_run_begins_at_its_start() -> None:
    found = beginning(plan(), 1, None, (), Memory())
    assert found.segments == (at(0, 512, 1023),)
    assert found.reach == START


def test_a_lease_is_gone_on_from() -> None:
    found = beginning(plan(), 0, lease(at(2, 0, 511), reach=3), (at(1),), Memory())
    assert found == lease(at(2, 0, 511), reach=3)


def test_a_lease_that_came_back_empty_is_made_good_by_the_status() -> None:
    found = beginning(plan(), 0, None, (at(1, 0, 255), at(2, 256, 1023)), Memory())
    assert found.segments == (at(1, 0, 255), at(2, 256, 511))


def test_no_slot_stands_past_what_is_promised() -> None:
    assert beginning(plan(), 0, None, (at(1, 0, 255), at(2, 256, 1023)), Memory()).reach == START + 2 * HOUR
    found = beginning(plan(), 0, lease(at(1, 0, 511), reach=1), (at(3, 0, 1023),), Memory())
    assert found.reach == START + 3 * HOUR


def test_the_later_word_counts_for_each_slot() -> None:
    found = beginning(plan(), 0, lease(at(1, 0, 99), at(5, 100, 511), reach=5), (at(3),), Memory())
    assert found.segments == (at(3, 0, 99), at(5, 100, 511))
    assert found.spent.messages == 7


def test_what_the_worker_itself_published_is_not_repeated_and_its_promise_is_kept() -> None:
    memory = Memory((Segment(0, 511, START + 4 * HOUR),), START + 6 * HOUR)
    found = beginning(plan(), 0, None, (at(1),), memory)
    assert found.segments == (at(4, 0, 511),)
    assert found.reach == START + 6 * HOUR


def test_a_promise_of_the_lease_is_never_shortened() -> None:
    found = beginning(plan(), 0, lease(at(1, 0, 511), reach=9), (), Memory((), START + 6 * HOUR))
    assert found.reach == START + 9 * HOUR

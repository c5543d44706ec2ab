"""The Pub/Sub sink against a fake service: what is acknowledged, repeated, refused, and counted."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.api_core.gapic_v1 import routing_header
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api.money import REQUEST_MINIMUM_BYTES, billed_message_bytes
from diurnal_worker.sinks import (
    NOTHING_YET,
    Batch,
    PermanentSinkError,
    Sink,
    SinkError,
    TransientSinkError,
    retries,
)
from diurnal_worker.sinks.connection import RawConnection
from diurnal_worker.sinks.inflight import FLOOR
from diurnal_worker.sinks.pubsub import PubsubSink
from diurnal_worker.sinks.wire import message_field
from fake_publisher import SOON, TOPIC, FakePublisher, Fault, serving


@pytest.fixture
def fake() -> Iterator[FakePublisher]:
    with serving() as publisher:
        yield publisher


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.002)
    monkeypatch.setattr(retries, "FIRST_WAIT_FOR_QUOTA", 0.004)
    monkeypatch.setattr(retries, "LONGEST_WAIT", 0.02)


@pytest.fixture
def sink(fake: FakePublisher) -> Iterator[PubsubSink]:
    sink = sink_for(fake)
    yield sink
    sink.close()


def sink_for(
    fake: FakePublisher, attempt_budget: Callable[[], float] = lambda: 10.0, **limits: int
) -> PubsubSink:
    connection = RawConnection(grpc.insecure_channel(fake.address), TOPIC)
    return PubsubSink(TOPIC, connection=connection, attempt_budget=attempt_budget, **limits)


def await_that(sink: PubsubSink, condition: Callable[[], bool]) -> None:
    """Waits for what happens in other threads."""
    with sink._changed:
        assert sink._changed.wait_for(condition, SOON)


def batch(until: int, *data: bytes) -> Batch:
    return Batch(memoryview(b"".join(map(message_field, data))), len(data), until)


def test_it_is_a_sink(sink: PubsubSink) -> None:
    assert isinstance(sink, Sink)
    assert sink.framing == "pubsub"


def test_the_service_receives_exactly_the_messages_and_the_clock_follows(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    assert sink.acknowledged() == NOTHING_YET
    sink.send(batch(10, b"one", b"two"))
    sink.send(batch(20, b"three"))
    assert sink.drain(SOON)
    assert sink.acknowledged() == 20
    assert sorted(fake.kept) == [[b"one", b"two"], [b"three"]]


def test_a_batch_without_messages_moves_the_clock_through_an_empty_stretch(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    gate = fake.hold(b"one")
    sink.send(batch(10, b"one"))
    sink.send(batch(50))
    assert sink.acknowledged() == NOTHING_YET
    gate.set()
    assert sink.drain(SOON)
    assert sink.acknowledged() == 50
    assert fake.attempts == [[b"one"]]


def test_a_late_answer_holds_back_the_clock_of_all_that_follow(fake: FakePublisher, sink: PubsubSink) -> None:
    late = fake.hold(b"one")
    sink.send(batch(10, b"one"))
    sink.send(batch(20, b"two"))
    sink.send(batch(30, b"three"))
    await_that(sink, lambda: sink.counters.messages == 2)
    assert sink.acknowledged() == NOTHING_YET
    late.set()
    assert sink.drain(SOON)
    assert sink.acknowledged() == 30


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("UNAVAILABLE", "Unavailable"),
        ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
        ("RESOURCE_EXHAUSTED", "QuotaExhausted"),
        ("INTERNAL", "InternalError"),
    ],
)
def test_a_transient_error_is_counted_and_tried_again(
    fake: FakePublisher, sink: PubsubSink, code: str, reason: str
) -> None:
    fake.faults.extend([Fault(code), Fault(code)])
    sink.send(batch(10, b"one"))
    assert sink.drain(SOON)
    assert sink.acknowledged() == 10
    assert fake.kept == [[b"one"]]
    assert sink.counters.errors == Counter({reason: 2})
    assert sink.counters.attempts == 3


def test_want_of_quota_slows_the_sink(fake: FakePublisher, sink: PubsubSink) -> None:
    before = sink.most_in_flight
    gate = fake.hold(b"one")
    fake.faults.append(Fault("RESOURCE_EXHAUSTED"))
    gate.set()
    sink.send(batch(10, b"one"))
    await_that(sink, lambda: sink.counters.messages == 1)
    assert sink.counters.errors["QuotaExhausted"] == 1
    assert sink.most_in_flight < before


def test_a_lost_answer_repeats_the_same_messages_and_is_charged_twice(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    fake.faults.append(Fault("UNAVAILABLE", keeps=True))
    sink.send(batch(10, b"one"))
    assert sink.drain(SOON)
    assert fake.kept == [[b"one"], [b"one"]]
    assert sink.counters.messages == 1
    assert sink.counters.attempted_messages == 2
    assert sink.counters.billed_bytes == 2 * REQUEST_MINIMUM_BYTES


def test_what_the_service_bills_is_counted_message_by_message(sink: PubsubSink) -> None:
    """Each message costs its body, 20 bytes and its id (https://cloud.google.com/pubsub/pricing)."""
    sink.send(batch(10, *[bytes(400)] * 50))
    assert sink.drain(SOON)
    assert sink.counters.billed_bytes == 50 * billed_message_bytes(400)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("NOT_FOUND", "Resource not found (resource=user-interactions)."), "TopicNotFound"),
        (Fault("PERMISSION_DENIED", "User not authorized."), "PermissionDenied"),
        (
            Fault("INVALID_ARGUMENT", "Invalid data in message: Message failed schema validation."),
            "SchemaMismatch",
        ),
        (Fault("UNAUTHENTICATED", "Request had invalid authentication credentials."), "CredentialsFailed"),
    ],
)
def test_a_permanent_error_is_raised_by_every_later_call_and_not_tried_again(
    fake: FakePublisher, sink: PubsubSink, fault: Fault, reason: str
) -> None:
    sink.send(batch(10, b"one"))
    assert sink.drain(SOON)
    fake.faults.append(fault)
    sink.send(batch(20, b"two"))
    for call in (lambda: sink.drain(SOON), lambda: sink.send(batch(30, b"three")), sink.acknowledged):
        with pytest.raises(PermanentSinkError, match=TOPIC) as caught:
            call()
        assert caught.value.reason == reason
        assert caught.value.until == 10
        assert fault.details in caught.value.message
    assert fake.attempts == [[b"one"], [b"two"]]


def test_a_permanent_error_ends_waiting_retries_at_once(
    fake: FakePublisher, sink: PubsubSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 1000.0)
    monkeypatch.setattr(retries, "LONGEST_WAIT", 1000.0)
    fake.faults.extend([Fault("UNAVAILABLE"), Fault("NOT_FOUND")])
    sink.send(batch(10, b"one"))
    await_that(sink, lambda: sink.counters.errors["Unavailable"] == 1)
    sink.send(batch(20, b"two"))
    with pytest.raises(PermanentSinkError):
        sink.drain(SOON)
    assert sink.on_its_way == (0, 0)


def test_send_waits_while_the_window_is_full_and_the_window_is_bounded(fake: FakePublisher) -> None:
    sink = sink_for(fake, most_requests=2)
    gates = [fake.hold(b"one"), fake.hold(b"two")]
    sink.send(batch(10, b"one"))
    sink.send(batch(20, b"two"))
    assert not sink.room(1, timeout=0)
    third = threading.Thread(target=sink.send, args=(batch(30, b"three"),))
    third.start()
    third.join(0.05)
    assert third.is_alive()
    gates[0].set()
    third.join(SOON)
    assert not third.is_alive()
    gates[1].set()
    assert sink.drain(SOON)
    sink.close()


def test_the_window_is_bounded_in_bytes_but_takes_any_single_batch(fake: FakePublisher) -> None:
    sink = sink_for(fake, most_bytes=100)
    gate = fake.hold(b"x" * 200)
    sink.send(batch(10, b"x" * 200))
    assert not sink.room(1, timeout=0)
    gate.set()
    assert sink.drain(SOON)
    assert sink.on_its_way == (0, 0)
    sink.close()


def test_a_drain_that_runs_out_of_time_says_so_and_keeps_what_is_on_its_way(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    gate = fake.hold(b"one")
    sink.send(batch(10, b"one"))
    assert not sink.drain(0.01)
    gate.set()
    assert sink.drain(SOON)


def test_no_attempt_starts_without_a_lease_and_each_ends_with_it(fake: FakePublisher) -> None:
    left = [0.0]
    sink = sink_for(fake, attempt_budget=lambda: left[0])
    sink.send(batch(10, b"one"))
    assert not sink.drain(0.05)
    assert fake.attempts == []
    left[0] = 3.0
    assert sink.drain(SOON)
    assert 0 < fake.deadlines[0] <= 3.0
    sink.close()


def test_an_attempt_that_nobody_answers_ends_at_its_deadline_and_is_repeated(fake: FakePublisher) -> None:
    sink = sink_for(fake, attempt_budget=lambda: 0.1)
    gate = fake.hold(b"one")
    sink.send(batch(10, b"one"))
    await_that(sink, lambda: sink.counters.errors["DeadlineExceeded"] == 1)
    assert sink.most_in_flight < FLOOR, "whoever cannot keep up is given less"
    gate.set()
    assert sink.drain(SOON)
    assert sink.counters.errors["DeadlineExceeded"] >= 1
    sink.close()


def test_requests_carry_the_routing_header_that_the_library_would_send(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    sink.send(batch(10, b"one"))
    assert sink.drain(SOON)
    key, value = routing_header.to_grpc_metadata([("topic", TOPIC)])  # type: ignore[no-untyped-call]
    assert fake.metadata[0][key] == value


def test_what_close_abandons_was_never_acknowledged(fake: FakePublisher) -> None:
    sink = sink_for(fake)
    fake.hold(b"two")
    sink.send(batch(10, b"one"))
    assert sink.drain(SOON)
    sink.send(batch(20, b"two"))
    assert sink.acknowledged() == 10
    sink.close()


def test_a_batch_beyond_what_the_service_takes_is_refused_before_it_is_sent(sink: PubsubSink) -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        sink.send(batch(10, *[b"x"] * 1001))


def test_a_topic_that_exists_is_known_to_exist(sink: PubsubSink) -> None:
    assert sink.check_topic(SOON)


def test_a_topic_that_may_not_be_looked_at_is_unknown_and_no_error(
    fake: FakePublisher, sink: PubsubSink
) -> None:
    fake.topic_fault = Fault("PERMISSION_DENIED")
    assert not sink.check_topic(SOON)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("NOT_FOUND", PermanentSinkError, "TopicNotFound"),
        ("UNAVAILABLE", TransientSinkError, "Unavailable"),
    ],
)
def test_a_topic_that_cannot_be_used_is_an_error_before_anything_starts(
    fake: FakePublisher, sink: PubsubSink, code: str, kind: type[SinkError], reason: str
) -> None:
    fake.topic_fault = Fault(code)
    with pytest.raises(kind, match=TOPIC) as caught:
        sink.check_topic(SOON)
    assert caught.value.reason == reason


def test_an_error_in_another_thread_is_raised_and_nothing_hangs(fake: FakePublisher) -> None:
    sink = sink_for(fake, attempt_budget=iter([0.0]).__next__)
    sink.send(batch(10, b"one"))
    with pytest.raises(PermanentSinkError, match="StopIteration") as caught:
        sink.drain(SOON)
    assert caught.value.reason == "InternalDefect"
    sink.close()


def test_a_sink_made_in_a_spawned_process_publishes(
    fake: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", fake.address)
    child = multiprocessing.get_context("spawn").Process(target=send_one)
    child.start()
    child.join(SOON)
    assert child.exitcode == 0
    assert fake.kept == [[b"one"]]


def send_one() -> None:
    """What the spawned process runs."""
    sink = PubsubSink(TOPIC)
    sink.send(batch(10, b"one"))
    sys.exit(0 if sink.drain(SOON) else 1)


def test_a_service_that_comes_up_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as fake:
        address = fake.address
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    sink = PubsubSink(TOPIC)
    sink.send(batch(10, b"one"))
    await_that(sink, lambda: sink.counters.errors["Unavailable"] >= 1)
    with serving(address) as fake:
        assert sink.drain(SOON)
        assert fake.kept == [[b"one"]]
    sink.close()


FAULTS = st.sampled_from(
    [
        None,
        Fault("UNAVAILABLE"),
        Fault("UNAVAILABLE", keeps=True),
        Fault("RESOURCE_EXHAUSTED"),
        Fault("DEADLINE_EXCEEDED", keeps=True),
        Fault("INTERNAL"),
    ]
)


@settings(max_examples=25, deadline=None)
@given(faults=st.lists(FAULTS, max_size=12), count=st.integers(1, 20))
def test_under_any_faults_nothing_is_lost_and_only_lost_answers_repeat(
    faults: list[Fault | None], count: int
) -> None:
    """Guarantees 2 and 3: all arrive; repeats are no more than the answers that were lost."""
    with serving() as fake:
        fake.faults.extend(fault for fault in faults if fault is not None)
        injected = list(fake.faults)
        sink = sink_for(fake)
        for number in range(count):
            sink.send(batch(number, b"%d" % number))
            assert sink.acknowledged() < number + 1
        assert sink.drain(SOON)
        left = list(fake.faults)
        sink.close()
    lost_answers = sum(fault.keeps for fault in injected[: len(injected) - len(left)])
    arrived = Counter(messages[0] for messages in fake.kept)
    assert set(arrived) == {b"%d" % number for number in range(count)}
    assert sum(arrived.values()) == count + lost_answers

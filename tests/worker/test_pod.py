"""The life of a worker in a pod: it obeys its plan, writes its checkpoints into its Lease, and gives it back.

The API server is a fake that keeps state (fake_api.py); the clocks are the machine's, and every wait is
scaled down. The same life on a real API server is in tests/cluster.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from diurnal_api import lease as leases
from diurnal_api.checkpoint import Checkpoint
from diurnal_api.instants import parse_instant
from diurnal_api.planning import first_plan, pace_of
from diurnal_api.spec import Spec, TrafficSimulation
from diurnal_worker import ENGINE
from diurnal_worker.machine_clock import BootClock
from diurnal_worker.obeying import Identity
from diurnal_worker.pod import PodWorker, Timing
from diurnal_worker.sinks import Batch, PermanentSinkError
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.sources import load
from diurnal_worker.stopping import Stop
from diurnal_worker.zonefiles import TZDATA_VERSION
from fake_api import FakeApi

UID = "1a2b3c4d-0000-0000-0000-000000000000"
NAME = "app-store"
TIMING = Timing(lease=3.0, checkpoint=0.05, poll=0.02, look=0.05, retry=0.2, drain=2.0, dataset=0.1)
TABLE = b"alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"


def spec_of(**parts: Any) -> Spec:
    return TrafficSimulation.model_validate(
        {
            "apiVersion": "diurnal.dev/v1alpha1",
            "kind": "TrafficSimulation",
            "metadata": {"name": NAME},
            "spec": {"sink": {"discard": {}}, "budget": {"maxMessagesPerSecond": "Unlimited"}, **parts},
        },
        context={"local": True},
    ).spec


def publish_plan(api: FakeApi, spec: Spec, epoch: int = 1, shards: int = 1) -> None:
    plan = first_plan(
        spec, run="run-0", now=0, shards=shards, engine=ENGINE, tzdata=TZDATA_VERSION
    ).model_copy(update={"epoch": epoch})
    api.simulations[NAME] = {
        "metadata": {"name": NAME, "uid": UID},
        "status": {"plan": plan.model_dump(mode="json", by_alias=True, exclude_none=True)},
    }


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for a condition of the world; fails when it does not come."""
    ticker = threading.Event()
    clock = BootClock()
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline, "the condition did not come true"
        ticker.wait(0.01)


@contextmanager
def working(
    api: FakeApi, mounted: str = "/nowhere", shard: int = 0
) -> Iterator[tuple[PodWorker, list[int], Stop]]:
    """A worker at work in a thread; its exit code is appended when it ends."""
    me = Identity(NAME, "default", UID, "run-0", 1, shard, "pod-a")
    stopped, codes = Stop(), list[int]()
    worker = PodWorker(me, api, BootClock(), TIMING, stopped, mounted=mounted)
    thread = threading.Thread(target=lambda: codes.append(worker.run()))
    thread.start()
    try:
        yield worker, codes, stopped
    finally:
        stopped.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def api() -> FakeApi:
    found = FakeApi()
    me = Identity(NAME, "default", UID, "run-0", 1, 0, "pod-a")
    found.create_lease(me.lease)
    return found


def said(api: FakeApi) -> Checkpoint | None:
    return leases.checkpoint_of(next(iter(api.leases.values())))


def state(api: FakeApi) -> str:
    found = said(api)
    return found.state if found else ""


def messages(api: FakeApi) -> int:
    found = said(api)
    return found.spent.messages if found else 0


def test_a_run_is_done_to_its_end_and_the_lease_given_back(api: FakeApi) -> None:
    publish_plan(api, spec_of(clock={"end": "2026-01-01T03:00:00Z"}))
    with working(api) as (_, codes, stopped):
        until(lambda: state(api) == "Completed")
        stopped.set()
        until(lambda: codes == [0])
    found = said(api)
    assert found is not None
    assert found.segments == ("0-1023@2026-01-01T03:00:00.000000Z",)
    assert found.spent.messages > 3000
    assert leases.holder(next(iter(api.leases.values()))) == ""


def test_shard_0_reports_which_dataset_it_read(api: FakeApi) -> None:
    publish_plan(api, spec_of(clock={"end": "2026-01-01T01:00:00Z"}))
    with working(api):
        until(lambda: state(api) == "Completed")
    found = said(api)
    assert found is not None
    assert found.dataset is not None
    assert found.dataset.uri == "builtin:world-2025"
    assert len(found.dataset.sha256) == 64


def test_a_later_end_is_obeyed_at_once_by_a_worker_that_had_ended(api: FakeApi) -> None:
    publish_plan(api, spec_of(clock={"end": "2026-01-01T01:00:00Z"}))
    with working(api):
        until(lambda: state(api) == "Completed")
        later = pace_of(spec_of(clock={"end": "2026-01-01T02:00:00Z"}), 1)
        api.simulations[NAME]["status"]["plan"]["pace"] = later.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        end = parse_instant("2026-01-01T02:00:00Z")
        until(lambda: (c := said(api)) is not None and c.position[0].clock == end and c.state == "Completed")


def test_a_worker_of_a_finished_epoch_stops_and_waits_for_its_end(api: FakeApi) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 100}))
    with working(api) as (worker, codes, stopped):
        until(lambda: worker.health.ready)
        publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 100}), epoch=2)
        until(lambda: leases.holder(next(iter(api.leases.values()))) == "")
        assert codes == []  # a Deployment would only start it again
        stopped.set()
        until(lambda: codes == [0])


def test_the_simulation_is_read_again_once_the_lease_is_held(api: FakeApi) -> None:
    """Between the first look and the Lease another worker may have moved the clock, and died."""
    publish_plan(api, spec_of(clock={"end": "2026-01-01T03:00:00Z"}))
    take = api.update_lease

    def taken_late(lease: dict[str, Any]) -> dict[str, Any]:
        api.simulations[NAME]["status"]["clock"] = {"segments": ["0-1023@2026-01-01T02:30:00.000000Z"]}
        api.update_lease = take  # type: ignore[method-assign]
        return take(lease)

    api.update_lease = taken_late  # type: ignore[method-assign]
    with working(api):
        until(lambda: state(api) == "Completed")
    found = said(api)
    assert found is not None
    assert found.segments == ("0-1023@2026-01-01T03:00:00.000000Z",)
    assert 0 < found.spent.messages < 15_000  # half an hour of three


def test_a_worker_whose_lease_was_deleted_goes_on_where_it_was(api: FakeApi) -> None:
    """The status knows nothing of it yet; its own memory does."""
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    (name,) = api.leases
    with working(api):
        until(lambda: (c := said(api)) is not None and c.spent.messages > 300)
        before = said(api)
        api.create_lease(name)
        until(lambda: (c := said(api)) is not None and c.spent.messages > 0)
        after = said(api)
    assert before is not None
    assert after is not None
    assert after.position[0].clock >= before.position[0].clock
    assert after.reach >= before.reach


def test_a_dataset_that_cannot_be_read_is_a_failure_with_its_reason(api: FakeApi) -> None:
    publish_plan(api, spec_of(population={"countries": {"uri": "no-such-file.csv"}}))
    with working(api):
        until(lambda: state(api) == "Failed")
    found = said(api)
    assert found is not None
    assert "no-such-file.csv" in found.message


def test_a_config_map_is_read_once_it_is_there_and_one_that_changes_is_told_but_not_taken(
    api: FakeApi, tmp_path: Path
) -> None:
    """The run goes on with the table that it began with; the words of another go into the checkpoint."""
    countries = {"configMap": {"name": "tables", "key": "world.csv"}}
    publish_plan(api, spec_of(population={"countries": countries}, budget={"maxMessagesPerSecond": 100}))
    with working(api, str(tmp_path)):
        until(lambda: (c := said(api)) is not None and c.reason == "ConfigMapMissing")
        (tmp_path / "world.csv").write_bytes(TABLE)
        until(lambda: (c := said(api)) is not None and c.state == "Running" and c.drift == "")
        found = said(api)
        assert found is not None
        assert found.dataset is not None
        assert found.dataset.sha256 == hashlib.sha256(TABLE).hexdigest()
        (tmp_path / "world.csv").write_bytes(TABLE.replace(b"NOR", b"SWE"))
        until(lambda: (c := said(api)) is not None and "another table" in (c.drift or ""))
        then = said(api)
        until(
            lambda: (
                (c := said(api)) is not None and then is not None and c.spent.messages > then.spent.messages
            )
        )
    api.simulations[NAME]["status"]["plan"]["dataset"] = found.dataset.as_json()
    with working(api, str(tmp_path)):
        until(lambda: (c := said(api)) is not None and c.reason == "ConfigMapChanged")
        (tmp_path / "world.csv").write_bytes(TABLE)
        until(lambda: state(api) == "Running")


@pytest.mark.parametrize("pin", [{"engine": "2"}, {"tzdata": "1999a"}])
def test_a_plan_of_another_engine_is_refused_with_the_reason(api: FakeApi, pin: dict[str, str]) -> None:
    publish_plan(api, spec_of())
    api.simulations[NAME]["status"]["plan"].update(pin)
    with working(api):
        until(lambda: state(api) == "Failed")
    found = said(api)
    assert found is not None
    assert found.reason == "OtherEngine"
    assert next(iter(pin.values())) in found.message
    assert "restartNonce" in found.message
    assert found.spent.messages == 0


def test_an_api_server_that_is_away_is_survived(api: FakeApi) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    with working(api) as (worker, _, _stopped):
        until(lambda: (c := said(api)) is not None and c.spent.messages > 0)
        api.away = True
        until(lambda: not worker.health.ready, 10.0)  # the lease ran out: it pauses
        api.away = False
        before = said(api)
        until(lambda: worker.health.ready)
        until(lambda: said(api) != before)


PUBSUB = {"pubsub": {"topic": "projects/acme-shop/topics/clicks"}}


def test_without_credentials_it_says_so_in_its_lease_and_tries_again(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that only crashed would be started again for ever, and nobody would be told why."""

    def connect(topic: str) -> NoReturn:
        raise PermanentSinkError("CredentialsFailed", f"no Google credentials were found for {topic}")

    monkeypatch.setattr("diurnal_worker.sinks.pubsub.connect", connect)
    publish_plan(api, spec_of(sink=PUBSUB))
    with working(api) as (_, codes, _):
        until(lambda: state(api) == "Failed")
        assert codes == []
    found = said(api)
    assert found is not None
    assert found.reason == "CredentialsFailed"
    assert "no Google credentials" in found.message


class OddSink(DiscardSink):
    """Refuses what is sent once ``refuses``; says ``slow`` times that something is still on its way."""

    refuses, slow = False, 0

    def send(self, batch: Batch) -> None:
        if self.refuses:
            raise PermanentSinkError("TopicNotFound", "create it")
        super().send(batch)

    def drain(self, timeout: float) -> bool:
        self.slow -= 1
        return self.slow < 0


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> OddSink:
    it = OddSink()
    monkeypatch.setattr(PodWorker, "_sink", lambda *_: it)
    return it


def test_a_sink_that_fails_while_nobody_keeps_checkpoints_does_not_end_the_worker(
    api: FakeApi, sink: OddSink
) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    with working(api) as (_, codes, _):
        until(lambda: messages(api) > 100)
        api.away = True
        sink.refuses = True
        before = sink.counters.attempts
        until(lambda: sink.counters.attempts == before)
        threading.Event().wait(0.3)
        assert codes == []
        api.away = False
        until(lambda: state(api) == "Failed")
    found = said(api)
    assert found is not None
    assert found.reason == "TopicNotFound"


def test_a_worker_that_fails_again_and_again_does_not_look_well_in_between(
    api: FakeApi, sink: OddSink
) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    sink.refuses = True
    told, ready = [], []
    stored = api.update_lease

    def update_lease(lease: dict[str, Any]) -> dict[str, Any]:
        found = leases.checkpoint_of(lease)
        told.append(found.state if found else "")
        ready.append(worker.health.ready)
        return stored(lease)

    with working(api) as (worker, _, _):
        until(lambda: state(api) == "Failed")
        api.update_lease = update_lease  # type: ignore[method-assign]
        until(lambda: told.count("Failed") > 20)
        assert set(told) == {"Failed"}
        assert not any(ready)
        sink.refuses = False
        until(lambda: state(api) == "Running" and messages(api) > 0)
        until(lambda: worker.health.ready)


def test_a_failure_never_takes_the_lease_back_behind_its_last_checkpoint(api: FakeApi, sink: OddSink) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    with working(api):
        until(lambda: messages(api) > 300)
        before = said(api)
        sink.refuses = True
        until(lambda: state(api) == "Failed")
    found = said(api)
    assert before is not None
    assert found is not None
    assert found.position[0].clock >= before.position[0].clock
    assert found.reach >= before.reach
    assert found.spent.messages >= before.spent.messages


def test_a_slow_service_is_waited_for_with_all_of_the_grace(api: FakeApi, sink: OddSink) -> None:
    publish_plan(api, spec_of(budget={"maxMessagesPerSecond": 1000}))
    with working(api) as (_, codes, stopped):
        until(lambda: messages(api) > 100)
        sink.slow = 20
        stopped.set()
        until(lambda: codes != [])
    assert codes == [0]
    assert sink.slow < 0


def test_shard_0_goes_on_with_the_dataset_that_it_said_though_no_plan_has_it_yet(
    api: FakeApi, tmp_path: Path
) -> None:
    countries = {"configMap": {"name": "tables", "key": "world.csv"}}
    publish_plan(api, spec_of(population={"countries": countries}, budget={"maxMessagesPerSecond": 100}))
    (tmp_path / "world.csv").write_bytes(TABLE)
    with working(api, str(tmp_path)):
        until(lambda: messages(api) > 0)
    (tmp_path / "world.csv").write_bytes(TABLE.replace(b"NOR", b"SWE"))
    with working(api, str(tmp_path)):
        until(lambda: (c := said(api)) is not None and c.reason == "ConfigMapChanged")


def test_others_than_shard_0_hold_their_lease_while_they_wait_for_the_dataset() -> None:
    """A thousand of them that took it and gave it back each second would be a thousand writes a second."""
    api = FakeApi()
    api.create_lease(Identity(NAME, "default", UID, "run-0", 1, 1, "pod-a").lease)
    publish_plan(api, spec_of(clock={"end": "2026-01-01T01:00:00Z"}), shards=2)
    with working(api, shard=1):
        until(lambda: leases.holder(next(iter(api.leases.values()))) == "pod-a")
        taken = next(iter(api.leases.values()))["spec"]["leaseTransitions"]
        began, before = BootClock().monotonic(), api.version
        until(lambda: api.version >= before + 4)
        assert BootClock().monotonic() - began >= 3 * TIMING.checkpoint, "renewals, one a checkpoint"
        assert next(iter(api.leases.values()))["spec"]["leaseTransitions"] == taken
        world = load("world-2025")
        api.simulations[NAME]["status"]["plan"]["dataset"] = {"uri": world.uri, "sha256": world.sha256}
        until(lambda: state(api) == "Completed")


def test_checkpoints_and_looks_grow_rarer_with_many_shards_but_never_beyond_the_lease() -> None:
    alone = Timing()
    assert alone.among(200) == alone
    assert alone.among(300).look == 7.5
    assert alone.among(1000).checkpoint == 7.5
    assert alone.among(1000).look == 10.0

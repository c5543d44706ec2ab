"""The API server refuses, answers wrongly or not at all, falls silent, restarts; the end is the same."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from fake_workers import FakeWorkers
from gate import Answer, Gate, Harm, Request, Rule, unharmed
from operators import Operator
from place import Cluster
from stages import CHANGES, SPEC, Stage
from world import World, eventually

pytestmark = pytest.mark.timeout(900)
RETRY_AFTER = 1
HARMS = {
    "409 Conflict": Harm(committed=False, answer=Answer(409, "Conflict")),
    "429 Too Many Requests": Harm(
        False, Answer(429, "TooManyRequests", (("Retry-After", str(RETRY_AFTER)),))
    ),
    "500 before": Harm(committed=False, answer=Answer(500, "InternalError")),
    "500 after commit": Harm(committed=True, answer=Answer(500, "InternalError")),
    "504 after commit": Harm(committed=True, answer=Answer(504, "Timeout")),
    "line cut before": Harm(committed=False),
    "line cut after commit": Harm(committed=True),
}


def every_first_time(stage: Stage, harm: Harm) -> Rule:
    """Every write is harmed, and its repetition is not."""
    writes: Counter[str] = Counter()

    def rule(request: Request) -> Harm | None:
        if not request.is_write or stage.system in request.path:
            return None
        writes[str(request)] += 1
        return harm if writes[str(request)] % 2 else None

    return rule


@pytest.mark.parametrize("change", CHANGES)
def test_every_write_goes_wrong_once_and_the_end_is_that_of_a_calm_life(
    change: str, stages: list[Stage]
) -> None:
    """Whatever goes wrong, nothing is created or deleted twice, and nothing is told twice."""

    def play(stage: Stage, harms: list[str]) -> None:
        if (change == "create") is stage.exists():
            stage.take(None if stage.exists() else SPEC, lambda _: unharmed)
        calm = [stage.take(step, lambda _: unharmed) for step in CHANGES[change]]
        for name in harms:
            for step, told in zip(CHANGES[change], calm, strict=True):
                found = stage.take(step, lambda _, name=name: every_first_time(stage, HARMS[name]))  # type: ignore[misc]
                assert found.end == told.end, (name, step)
                assert found.counts == told.counts, (name, step)
                assert not found.events - told.events, (name, step)
        assert '"failed"' not in stage.said(), stage.said()[-4000:]

    with ThreadPoolExecutor(len(stages)) as side_by_side:
        names = list(HARMS)
        list(side_by_side.map(play, stages, [names[own :: len(stages)] for own in range(len(stages))]))


@pytest.fixture
def behind(world: World, gate: Gate, workers: FakeWorkers, tmp_path: Path) -> Iterator[Operator]:
    """An operator behind the gate, that is started by the test."""
    operator = Operator(
        world,
        tmp_path,
        gate.kubeconfig(tmp_path),
        DIURNAL_RESYNC_SECONDS="1",
        DIURNAL_SILENT_WATCH_SECONDS="4",
        DIURNAL_STALLED_QUEUE_SECONDS="6",
    )
    yield operator
    if operator.runs:
        operator.stop()
    assert "Traceback" not in operator.text(), operator.text()


def test_a_server_that_asks_to_wait_is_not_asked_before(world: World, gate: Gate, behind: Operator) -> None:
    asked: list[float] = []

    def rule(request: Request) -> Harm | None:
        if not request.path.endswith("/trafficsimulations/app"):
            return None
        asked.append(time.monotonic())
        return (
            Harm(False, Answer(429, "TooManyRequests", (("Retry-After", "2"),))) if len(asked) < 3 else None
        )

    behind.start()
    eventually("it leads", lambda: '"leading"' in behind.text())
    gate.rule = rule
    world.create("app")
    eventually("it is asked again", lambda: len(asked) >= 3)
    assert all(later - earlier >= 1.9 for earlier, later in pairwise(asked[:3]))
    eventually("it runs", lambda: world.is_running("app", 1))


def test_a_silent_watch_is_made_good_by_the_resync_and_told_by_the_liveness_probe(
    world: World, gate: Gate, behind: Operator
) -> None:
    """Connected, without an error, and without a word: only a listing shows what was missed."""
    behind.start()
    eventually("it is well", lambda: behind.is_ready() and behind.is_alive())
    gate.silent = True
    world.create("app", shards=2)
    eventually("it runs all the same", lambda: world.is_running("app", 2))
    eventually("it says that it is unwell", lambda: not (behind.is_alive() or behind.is_ready()), 30)
    world.patch("app", shards=1)
    eventually("it works all the same", lambda: world.is_running("app", 1))

    gate.silent = False
    behind.kill()  # as the kubelet does
    behind.start()
    eventually("it is well", lambda: behind.is_ready() and behind.is_alive())
    world.patch("app", shards=2)
    eventually("it runs", lambda: world.is_running("app", 2))
    assert behind.is_alive()


def test_requests_that_hang_are_given_up_and_made_again(world: World, gate: Gate, behind: Operator) -> None:
    """Its own Lease is still renewed, so it goes on leading."""
    world.create("app")
    behind.start(DIURNAL_REQUEST_SECONDS="2")
    eventually("it runs", lambda: world.is_running("app", 1))
    gate.hangs = lambda request: "/deployments" in request.path and not request.is_watch
    world.patch("app", shards=2)
    eventually("it says so", lambda: "does not answer" in behind.text(), 30)
    gate.hangs = lambda _: False
    eventually("it runs", lambda: world.is_running("app", 2))
    assert behind.is_alive()


def test_a_run_survives_a_restart_of_the_api_server(
    cluster: Cluster, world: World, operator: Operator
) -> None:
    """Real workers: they keep their Leases, and the plan stays. The operator may be started again."""
    plane = cluster.own
    if plane is None:
        pytest.skip("no Kubernetes API server of our own to restart: KUBECONFIG is set")
    world.create("app", shards=2)
    eventually("running", lambda: world.is_running("app", 2))
    before, pods = world.clock("app"), {pod["metadata"]["uid"] for pod in world.pods()}
    plane.restart_apiserver()

    def goes_on() -> bool:
        return world.is_running("app", 2) and world.clock("app") > before

    eventually("it goes on", patiently(goes_on))
    assert {pod["metadata"]["uid"] for pod in world.pods()} == pods, "no pod was replaced"
    world.patch("app", shards=1)
    eventually("it is rescaled", patiently(lambda: world.is_running("app", 1)))
    assert world.status("app")["plan"]["epoch"] == 2
    assert world.clock("app") >= before


def patiently(holds: Callable[[], bool]) -> Callable[[], bool]:
    """An API server that is only starting is a reason to look again."""

    def look() -> bool:
        try:
            return holds()
        except Exception as error:  # noqa: BLE001 - refused, cut, not ready: many shapes of the same
            print(f"not yet: {error!r:.200}")
            return False

    return look

"""`diurnal run` in real processes: killed, stopped, gone on with, refused. Waits are for conditions."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from diurnal_worker import ENVIRONMENT
from local_runs import (
    COMMAND,
    SOON,
    LocalRunner,
    Process,
    expected,
    plan_of,
    until,
    whole_files,
    write_simulation,
    written,
)

HOUR = 3_600_000_000
MakeRunner = Callable[..., LocalRunner]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[MakeRunner]:
    """Makes a runner into tmp_path/out; everything it started is ended afterwards."""
    runners = []

    def make(*arguments: str, **spec: object) -> LocalRunner:
        file = write_simulation(tmp_path / "world.yaml", **spec)
        out = tmp_path / "out"
        runner = LocalRunner(out / "state", [str(file), "--sink", f"files:{out}", *arguments])
        runners.append(runner)
        return runner

    yield make
    for runner in runners:
        runner.end()


def partial_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.partial"))


def assert_exactly_the_oracle(runner: LocalRunner, folder: Path) -> None:
    lines, oracle = written(folder), set(expected(runner.state))
    assert not oracle - set(lines), f"{len(oracle - set(lines))} of {len(oracle)} events are lost"
    assert not set(lines) - oracle, f"{len(set(lines) - oracle)} events that cannot be"
    repeated = [line for line, times in lines.items() if times > 1]
    assert not repeated, f"{len(repeated)} lines are in the files twice, such as {repeated[0]!r}"
    assert not partial_files(folder)


def no_traceback(process: Process) -> None:
    assert "Traceback" not in process.said(), process.said()


@pytest.mark.parametrize("seed", [1])
def test_killed_again_and_again_with_other_shards_and_traffic_the_files_hold_exactly_the_events(
    files: MakeRunner, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    runner = files("--for", "6h", budget={"maxMessagesPerSecond": 25_000})

    process = runner.start()
    at = runner.await_progress(process)
    victim, pid = chance.choice(sorted(runner.workers().items()))
    os.kill(pid, signal.SIGKILL)
    until(lambda: runner.workers().get(victim, pid) != pid, "a dead shard is started again")
    at = runner.await_progress(process, at + chance.randrange(HOUR // 4))
    process.send(signal.SIGKILL)
    until(lambda: not runner.workers(), "workers end when the runner dies")

    process = runner.start("--set", "shards=3", "--set", "traffic.rate.eventsPerUserPerDay=80")
    at = runner.await_progress(process, at + chance.randrange(HOUR // 4), epoch=2)
    for pid in [process.process.pid, *runner.workers().values()]:
        os.kill(pid, signal.SIGKILL)

    process = runner.start("--set", "shards=2", "--set", "traffic.rate.eventsPerUserPerDay=80")
    runner.await_progress(process, at, epoch=3)
    process.send(signal.SIGTERM)
    assert process.ended() == 128 + signal.SIGTERM
    assert not runner.workers()
    stopped_at = runner.clock()
    assert {c.reach for c in runner.checkpoints()} >= {stopped_at} or stopped_at > at

    process = runner.run("--set", "traffic.rate.eventsPerUserPerDay=80")
    assert process.ended() == 0, process.said()
    no_traceback(process)
    assert plan_of(runner.state).plan.epoch == 4
    assert_exactly_the_oracle(runner, tmp_path / "out")


def test_avro_is_made_and_thrown_away_by_the_discard_sink(tmp_path: Path) -> None:
    write_simulation(tmp_path / "avro.yaml", events={"encoding": "Avro"})
    runner = LocalRunner(
        tmp_path / "state",
        [str(tmp_path / "avro.yaml"), "--for", "1h", "--sink", "discard", "--state", str(tmp_path / "state")],
    )
    process = runner.run()
    assert process.ended() == 0, process.said()
    assert sum(c.spent.messages for c in runner.checkpoints()) > 10_000


def test_workers_are_started_with_what_spares_them_memory_and_time(files: MakeRunner) -> None:
    runner = files("--for", "2h", budget={"maxMessagesPerSecond": 10_000}, shards=2)
    process = runner.start()
    runner.await_progress(process)
    for pid in runner.workers().values():
        said = Path(f"/proc/{pid}/environ").read_text().split("\0")
        assert {f"{name}={value}" for name, value in ENVIRONMENT.items()} <= set(said)
    process.send(signal.SIGTERM)
    assert process.ended() == 128 + signal.SIGTERM


def test_the_workers_of_a_killed_runner_hold_the_folder_until_they_are_gone(
    files: MakeRunner, tmp_path: Path
) -> None:
    runner = files("--for", "2h", budget={"maxMessagesPerSecond": 10_000}, shards=2)
    process = runner.start()
    runner.await_progress(process)
    process.send(signal.SIGKILL)
    with (runner.state.path / "workers.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not runner.workers()
        following = runner.start("--set", "shards=1")
        until(lambda: _has_open(following, runner.state.path / "workers.lock"), "the next runner waits")
        assert not runner.workers()
    assert following.ended() == 0, following.said()
    assert_exactly_the_oracle(runner, tmp_path / "out")


def _has_open(process: Process, path: Path) -> bool:
    opened = Path(f"/proc/{process.process.pid}/fd")
    with suppress(FileNotFoundError):
        return any(fd.readlink() == path for fd in opened.iterdir())
    return False


def test_a_second_run_on_the_folder_is_refused_and_ctrl_c_drains_the_first(
    files: MakeRunner, tmp_path: Path
) -> None:
    runner = files("--for", "30d", budget={"maxMessagesPerSecond": 2000}, shards=2)
    first = runner.start()
    runner.await_progress(first)
    second = runner.run()
    assert second.ended() == 4
    assert "in use by another run" in second.said()
    no_traceback(second)
    first.send(signal.SIGINT)
    assert first.ended() == 130
    assert "Go on from there with the same command" in first.said()
    no_traceback(first)
    assert not runner.workers()
    clock = runner.clock()
    assert all(c.reach == c.position[0].clock for c in runner.checkpoints())
    third = runner.start()
    assert runner.await_progress(third, clock) > clock
    third.send(signal.SIGTERM)
    assert third.ended() == 143


def test_a_longer_for_goes_on_with_other_shards_and_gzip(files: MakeRunner, tmp_path: Path) -> None:
    runner = files("--gzip", shards=3)
    first = runner.run("--for", "90m")
    assert first.ended() == 0, first.said()
    assert not partial_files(tmp_path / "out")
    again = runner.run("--for", "90m", "--set", "shards=1")
    assert again.ended() == 0, again.said()
    assert_exactly_the_oracle(runner, tmp_path / "out")
    longer = runner.run("--for", "3h", "--set", "shards=2", "--output", "json")
    assert longer.ended() == 0, longer.said()
    summary = json.loads(longer.said().splitlines()[-1])
    assert summary["state"] == "Completed"
    assert summary["messages"] == len(expected(runner.state))
    assert_exactly_the_oracle(runner, tmp_path / "out")
    assert all(path.suffix == ".gz" for path in whole_files(tmp_path / "out"))


def test_a_total_ends_the_run_and_a_higher_one_goes_on(files: MakeRunner, tmp_path: Path) -> None:
    runner = files("--for", "1d", budget={"maxMessagesPerSecond": "Unlimited", "maxMessages": 20_000})
    first = runner.run()
    assert first.ended() == 0, first.said()
    assert "the total of 20000 messages is reached" in first.said()
    oracle = expected(runner.state)
    assert written(tmp_path / "out") == dict.fromkeys(oracle[:20_000], 1)
    higher = runner.run("--set", "budget.maxMessages=30000", "--set", "shards=3")
    assert higher.ended() == 0, higher.said()
    assert written(tmp_path / "out") == dict.fromkeys(oracle[:30_000], 1)


def test_a_worker_that_someone_else_stops_is_started_again(files: MakeRunner, tmp_path: Path) -> None:
    runner = files("--for", "3h", budget={"maxMessagesPerSecond": 15_000}, shards=2)
    process = runner.start()
    runner.await_progress(process)
    pid = runner.workers()[1]
    os.kill(pid, signal.SIGTERM)
    assert process.ended() == 0, process.said()
    assert_exactly_the_oracle(runner, tmp_path / "out")


def test_standard_output_carries_events_alone_and_a_closed_pipe_ends_the_run(tmp_path: Path) -> None:
    file = write_simulation(tmp_path / "world.yaml", shards=2)
    command = [*COMMAND, "run", str(file), "--sink", "stdout", "--state", str(tmp_path / "state")]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        taken = [process.stdout.readline() for _ in range(1000)]
        process.stdout.close()
        said = process.stderr.read().decode()
        code = process.wait(SOON)
    assert all(len(json.loads(line)) == 11 for line in taken)
    assert code == 3
    assert "whoever read the output closed it" in said
    assert "Traceback" not in said


def test_a_whole_run_to_standard_output_is_exactly_the_oracle(tmp_path: Path) -> None:
    file = write_simulation(tmp_path / "world.yaml", shards=2)
    state = tmp_path / "state"
    command = [*COMMAND, "run", str(file), "--sink", "stdout", "--state", str(state), "--for", "30m"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SOON, check=False)
    assert done.returncode == 0, done.stderr
    runner = LocalRunner(state, [])
    start = len(b'{"generation_timestamp":1774735200000000')
    got = Counter(line[start:] for line in done.stdout.splitlines())
    assert got == dict.fromkeys(expected(runner.state), 1)


REFUSED = {
    "no such file": (["nowhere.yaml"], "nowhere.yaml"),
    "an unknown field": (["FILE", "--set", "budget.maxMesages=5"], "maxMesages"),
    "a setting without a value": (["FILE", "--set", "shards"], "is not PATH=VALUE"),
    "a setting inside a number": (["FILE", "--set", "shards.more=1"], "no mapping"),
    "a setting out of bounds": (["FILE", "--set", "shards=5000"], "shards"),
    "a duration": (["FILE", "--for", "soon"], "is no duration: write 90s"),
    "a sink": (["FILE", "--sink", "kafka"], "is not one of files:DIR, pubsub, stdout, discard"),
    "Pub/Sub without a topic": (["FILE", "--sink", "pubsub", "--yes"], "--sink pubsub needs a topic"),
    "Avro on standard output": (
        ["FILE", "--set", "sink={stdout: {}}", "--set", "events.encoding=Avro"],
        "Avro has no lines",
    ),
    "Avro in files": (["FILE", "--set", "events.encoding=Avro"], "Avro has no lines"),
    "a dataset that is not there": (
        ["FILE", "--set", "population.countries={uri: nowhere.csv}"],
        "nowhere.csv",
    ),
    "a state that cannot be": (["FILE", "--state", "world.yaml/state"], "cannot keep the state in"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused_in_words_with_exit_code_one(tmp_path: Path, case: str) -> None:
    arguments, words = REFUSED[case]
    write_simulation(tmp_path / "world.yaml")
    command = [*COMMAND, "run", *("world.yaml" if a == "FILE" else a for a in arguments)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_refuses_to_become_another_world_and_stays_as_it_was(files: MakeRunner, tmp_path: Path) -> None:
    runner = files("--for", "15m", shards=1)
    assert runner.run().ended() == 0
    before = plan_of(runner.state)
    other = runner.run("--set", "population.seed=7")
    assert other.ended() == 1
    assert "spec.population.seed does not change within a run" in other.said()
    no_traceback(other)
    assert plan_of(runner.state) == before


def test_a_folder_that_cannot_be_written_to_fails_in_words(files: MakeRunner, tmp_path: Path) -> None:
    runner = files("--for", "1h", shards=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "date=2026-01-01").write_text("in the way")
    process = runner.run()
    assert process.ended() == 3, process.said()
    assert "FilesNotWritable: cannot write" in process.said()
    no_traceback(process)

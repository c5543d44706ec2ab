"""What ``diurnal run`` and ``diurnal report`` say: confirmation, progress, summary, report, next step."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from diurnal_api.instants import format_instant
from diurnal_api.layout import earliest
from diurnal_api.money import usd_of
from diurnal_api.planning import PlanError, most_billed_a_message
from diurnal_cli import amounts
from diurnal_cli.progress import Progress, make_progress
from diurnal_cli.recording import record_of
from diurnal_cli.report import render
from diurnal_cli.run import (
    BUSY,
    COMPLETED,
    FAILED,
    INVALID,
    STATE,
    Destination,
    Options,
    Outcome,
    Run,
    destination_of,
    position_of,
    simulation_of,
    total_spent,
    usd,
)
from diurnal_cli.supervisor import GaveUpError
from diurnal_cli.validate import InvalidInputError
from diurnal_worker.dataset import DatasetError
from diurnal_worker.folder import FolderInUseError, LocalRun, StateFolder
from diurnal_worker.sinks import SinkError

if TYPE_CHECKING:
    from diurnal_api.spec import Spec, TrafficSimulation


def run_here(options: Options, arguments: list[str]) -> int:
    """Runs, and returns the process's exit code; every mistake of the user is one line on standard error."""
    try:
        simulation, destination = simulation_of(options), destination_of(options)
        running = Run(simulation, options, destination)
        run = running.prepare(time.time_ns() // 1000)
        _announce(run, simulation, options, running.folder)
        if destination.sink == "pubsub" and not _may_publish(run, simulation.spec, options):
            return _refused("not published: nothing was sent, nothing was spent")
        _check_topic(run)
        outcome = running.go(run, _progress(destination, options))
    except (InvalidInputError, PlanError, DatasetError) as error:
        return _refused(str(error))
    except FolderInUseError as error:
        print(f"diurnal: {error}", file=sys.stderr)
        return BUSY
    except (GaveUpError, SinkError) as error:
        print(f"diurnal: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:  # the state folder's: no room, no permission
        print(f"diurnal: {error.filename or destination.folder}: {error.strerror}", file=sys.stderr)
        return FAILED
    return _conclude(running, outcome, arguments)


def report_again(folder: Path, output: Path | None) -> int:
    """Writes the report of a run from its state; 1 where there is none."""
    state = StateFolder(folder / STATE if (folder / STATE).is_dir() else folder)
    run = state.run()
    if run is None:
        return _refused(f"{folder} holds no run: give the folder that `diurnal run` wrote to, or its --state")
    path = output or folder / "report.html"
    if (why := _unreported(state, run, path, "")) is not None:
        return _refused(why)
    print(path)
    return COMPLETED


def _refused(text: str) -> int:
    print(f"diurnal: {text}", file=sys.stderr)
    return INVALID


def _messages(destination_sink: str) -> TextIO:
    """Where words go: not among the events."""
    return sys.stderr if destination_sink == "stdout" else sys.stdout


def _progress(destination: Destination, options: Options) -> Progress:
    stream = _messages(destination.sink)
    return make_progress(stream, stream.isatty(), options.output)


def _announce(run: LocalRun, simulation: TrafficSimulation, options: Options, folder: StateFolder) -> None:
    if options.output == "json":
        return
    plan = run.plan
    where = f"files in {run.folder}/" if run.sink == "files" else run.sink
    cost = "" if run.sink == "pubsub" else " This costs nothing."
    begun = earliest(position_of(folder, plan))
    verb = "Going on with" if begun > plan.start else "Simulating"
    print(
        f"{verb} {simulation.metadata.name}: {amounts.count(int(plan.population.users))} users, "
        f"{plan.shards} shard{'s' if plan.shards != 1 else ''}, from {amounts.instant(begun)}"
        f"{f' to {amounts.instant(plan.pace.end)}' if plan.pace.end else ', without an end'}, "
        f"into {where}.{cost}",
        file=_messages(run.sink),
        flush=True,
    )


def _may_publish(run: LocalRun, spec: Spec, options: Options) -> bool:
    """Shows where messages go and what they cost, and asks; an emulator costs nothing."""
    topic = run.plan.sink.pubsub.topic if run.plan.sink.pubsub else ""
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    where = f"the topic {topic.split('/')[-1]} of the project {topic.split('/')[1]}"
    if emulator:
        print(f"Publishing to {where} on the emulator at {emulator}. This costs nothing.", file=sys.stderr)
        return True
    print(
        f"Publishing to {where}, {_cost(run, spec)} (and each subscription about as much again).",
        file=sys.stderr,
    )
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print("Say --yes to publish without being asked.", file=sys.stderr)
        return False
    return input("Publish? [y/N] ").strip().lower() in {"y", "yes"}


def _check_topic(run: LocalRun) -> None:
    """Asks the service for the topic before anything starts; SinkError says what is wrong with it."""
    if run.sink == "pubsub" and run.plan.sink.pubsub is not None:
        from diurnal_worker.sinks.pubsub import PubsubSink

        sink = PubsubSink(run.plan.sink.pubsub.topic)
        try:
            sink.check_topic()
        finally:
            sink.close()


def _cost(run: LocalRun, spec: Spec) -> str:
    rate = run.plan.pace.messages_per_second
    if rate is None:
        return "as fast as it can, without a limit of cost a day"
    billed = most_billed_a_message(spec, int(run.plan.shards))
    daily = usd_of(math.ceil(float(rate) * 86_400 * billed), run.usd_per_tib)
    return f"at most ${daily:,.2f} a real day"


@dataclass(frozen=True)
class _Summary:
    """What a run did, for people or machines."""

    state: str
    message: str
    clock: str
    messages: int
    bytes: int
    usd: str
    wall_seconds: float
    report: str
    exit_code: int


def _conclude(running: Run, outcome: Outcome, arguments: list[str]) -> int:
    folder, options = running.folder, running.options
    run = folder.run()
    assert run is not None  # prepare stored it
    path = (Path(run.folder) if run.sink == "files" else folder.path) / "report.html"
    command = shlex.join(["diurnal", *arguments])
    if (why := _unreported(folder, run, path, command)) is not None:
        print(f"diurnal: {why}", file=sys.stderr)
    spent = total_spent(folder)
    summary = _Summary(
        state=outcome.state,
        message=outcome.message,
        clock=format_instant(earliest(position_of(folder, run.plan))),
        messages=spent.messages,
        bytes=spent.bytes,
        usd=str(usd(run, spent)),
        wall_seconds=round(run.wall_seconds, 3),
        report=str(path),
        exit_code=outcome.code,
    )
    stream = _messages(run.sink)
    if options.output == "json":
        print(json.dumps(summary.__dict__), file=stream)
    else:
        _say(summary, run, stream, command)
    return outcome.code


def _say(summary: _Summary, run: LocalRun, stream: TextIO, command: str) -> None:
    where = f" in {run.folder}/" if run.sink == "files" else ""
    lines = [
        f"{summary.state}: {summary.message}.",
        (
            f"{amounts.count(summary.messages)} events{where}, {amounts.size(summary.bytes)}, up to "
            f"{summary.clock} in {amounts.duration(summary.wall_seconds)}."
        ),
    ]
    head = _first_event(run)
    if head:
        lines += ["One of them:", f"  {head}"]
    lines += [f"Report: {summary.report}"]
    if summary.state in {"Stopped", "Failed"}:
        lines += [f"Go on from there with the same command: {command}"]
    elif summary.state == "Completed":
        lines += ["The same command with a longer --for goes on from there, with any number of shards."]
    print("\n".join(lines), file=stream if summary.state != "Failed" else sys.stderr)


def _first_event(run: LocalRun) -> str:
    if run.sink != "files" or run.gzip:
        return ""
    part = next(iter(sorted(Path(run.folder).glob("date=*/hour=*/part-*.jsonl"))), None)
    if part is None:
        return ""
    with part.open(encoding="utf-8") as lines:
        return lines.readline().strip()


def _unreported(folder: StateFolder, run: LocalRun, path: Path, command: str) -> str | None:
    """Writes the report; why there is none, where it cannot be written: what was sent is not less for it."""
    try:
        _write_report(folder, run, path, command)
    except OSError as error:
        return f"no report: cannot write {path}: {error.strerror}"
    except DatasetError as error:
        return f"no report: the table of countries of this run is not there any more: {error}"
    return None


def _write_report(folder: StateFolder, run: LocalRun, path: Path, command: str) -> None:
    record = record_of(folder, run, command)
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(render(record, made_at), encoding="utf-8")
    temporary.replace(path)

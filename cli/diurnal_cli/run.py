"""``diurnal run`` plays operator and cluster on one machine: the same plan, the same worker, in processes."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from diurnal_api.layout import cut, earliest, furthest, parse_position, slots_of
from diurnal_api.money import usd_of
from diurnal_api.planning import UnchangeableError, next_plan, total_reached
from diurnal_cli.local_plan import dataset_of, plan_here, until
from diurnal_cli.progress import Progress, Snapshot
from diurnal_cli.settings import with_settings
from diurnal_cli.supervisor import Supervisor
from diurnal_cli.validate import Finding, InvalidInputError, Report, check, load_value, render_text
from diurnal_worker import ENGINE
from diurnal_worker.checkpoints import Spent
from diurnal_worker.folder import LocalRun, StateFolder
from diurnal_worker.local import named_part
from diurnal_worker.sinks.files import PARTIAL, settle
from diurnal_worker.zonefiles import TZDATA_VERSION

if TYPE_CHECKING:
    from types import FrameType

    from diurnal_api.checkpoint import Checkpoint
    from diurnal_api.layout import Segment
    from diurnal_api.plan import Plan
    from diurnal_api.spec import TrafficSimulation

COMPLETED: Final = 0
INVALID: Final = 1
FAILED: Final = 3
BUSY: Final = 4
UNACKNOWLEDGED: Final = 75
SIGNALLED: Final = 128
STATE: Final = ".diurnal"
_LOOK_EVERY: Final = 0.2
_PART: Final = re.compile(r"(part-[0-9]+-[0-9]{4}-[0-9]{4})-")


@dataclass(frozen=True)
class Options:
    """What the command line says beside the file."""

    file: str
    settings: tuple[str, ...] = ()
    length: str | None = None
    sink: str | None = None
    state: str | None = None
    output: str = "text"
    gzip: bool = False
    yes: bool = False


@dataclass(frozen=True)
class Destination:
    """Where the events of a local run go."""

    sink: str
    folder: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended: an exit code, and what to say."""

    code: int
    state: str
    message: str


def simulation_of(options: Options) -> TrafficSimulation:
    """The resource with the command line's changes; InvalidInputError names every problem."""
    try:
        value = with_settings(load_value(options.file), list(options.settings))
    except InvalidInputError:
        raise
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    simulation, problems = check(value, local=True)
    if simulation is None:
        findings = tuple(Finding(p.path, p.message) for p in problems)
        raise InvalidInputError(render_text([Report(options.file, problems=findings)]))
    return simulation


def destination_of(options: Options) -> Destination:
    """Files in out/ unless --sink says otherwise."""
    kind, _, folder = (options.sink or "files:out").partition(":")
    if kind == "files" and (folder or options.sink == "files"):
        return Destination("files", folder or "out")
    if kind in {"pubsub", "stdout", "discard"} and not folder:
        return Destination(kind, "")
    raise InvalidInputError(f"--sink {options.sink!r} is not one of files:DIR, pubsub, stdout, discard")


def state_path(options: Options, destination: Destination, name: str) -> Path:
    """Where the run keeps its state: beside its files, or in .diurnal/NAME."""
    if options.state:
        return Path(options.state)
    return Path(destination.folder) / STATE if destination.sink == "files" else Path(STATE) / name


class Run:
    """One local run, from the resource to its end or interruption."""

    def __init__(self, simulation: TrafficSimulation, options: Options, destination: Destination) -> None:
        self.simulation, self.options, self.destination = simulation, options, destination
        self.folder = StateFolder(state_path(options, destination, simulation.metadata.name))
        self._signal: int | None = None

    def prepare(self, now: int) -> LocalRun:
        """Takes the state folder and makes the plan to obey; raises what is wrong, for people."""
        spec = self.simulation.spec
        if spec.events.encoding == "Avro" and self.destination.sink in {"files", "stdout"}:
            raise InvalidInputError(
                "events.encoding Avro has no lines: --set events.encoding=JSON, or --sink pubsub or discard"
            )
        if self.destination.sink == "pubsub" and spec.sink.pubsub is None:
            raise InvalidInputError(
                "--sink pubsub needs a topic: --set 'sink={pubsub: {topic: projects/PROJECT/topics/TOPIC}}'"
            )
        try:
            self.folder.hold()
        except OSError as error:
            raise InvalidInputError(
                f"cannot keep the state in {self.folder.path}: {error.strerror}; choose another with --state"
            ) from None
        before = self.folder.run()
        return self._first(now) if before is None else self._next(before)

    def _first(self, now: int) -> LocalRun:
        spec = self.simulation.spec
        plan = plan_here(self.simulation, dataset_of(self.simulation), self.options.length, now)
        return LocalRun(
            name=self.simulation.metadata.name,
            plan=plan,
            sink=self.destination.sink,
            folder=self.destination.folder,
            gzip=self.options.gzip,
            usd_per_tib=_price(spec.budget.usd_per_tib),
        )

    def _next(self, before: LocalRun) -> LocalRun:
        """Goes on with a run: in a new epoch where shards or traffic changed."""
        spec, plan = self.simulation.spec, before.plan
        shards = max(int(spec.shards), 1)
        self._refuse_another(before)
        position = position_of(self.folder, plan)
        reached = plan.model_copy(update={"reached": total_reached(plan, stored(self.folder, plan))})
        following = until(
            next_plan(reached, spec, shards, position, reach_of(self.folder, plan)), self.options.length
        )
        return before.model_copy(update={"plan": following, "usd_per_tib": _price(spec.budget.usd_per_tib)})

    def _refuse_another(self, before: LocalRun) -> None:
        plan, where = before.plan, self.folder.path
        if plan.run != f"{self.simulation.metadata.name}-{self.simulation.spec.restart_nonce}":
            raise UnchangeableError(
                f"{where} holds the run {plan.run}: choose another folder with --state or --sink"
            )
        if (plan.engine, plan.tzdata) != (ENGINE, TZDATA_VERSION):
            raise UnchangeableError(
                f"{where} holds a run of engine {plan.engine} with tzdata {plan.tzdata}, this is {ENGINE} "
                f"with {TZDATA_VERSION}: the stream would change. Take the version of before, or begin anew"
            )
        if (before.sink, before.folder, before.gzip) != (
            self.destination.sink,
            self.destination.folder,
            self.options.gzip,
        ):
            raise UnchangeableError(
                f"{where} holds a run into {before.sink}{':' + before.folder if before.folder else ''}"
                f"{' with --gzip' if before.gzip else ''}: say the same, or choose another with --state"
            )

    def go(self, run: LocalRun, progress: Progress) -> Outcome:
        """Runs the workers to the end, or until a signal; leaves the position in the folder."""
        began, base = time.monotonic(), total_spent(self.folder)
        self.folder.save_run(run)
        if run.sink == "files":
            finish_files(self.folder, run)
        if is_over(self.folder, run.plan):
            return Outcome(COMPLETED, "Completed", "the simulated time reached its end")
        handlers = {s: signal.signal(s, self._remember) for s in (signal.SIGINT, signal.SIGTERM)}
        watch = Observer(self.folder, run, began, base)
        workers_lock = self.folder.workers_lock
        inherited = () if workers_lock is None else (workers_lock,)
        supervisor = Supervisor(self.folder.path, int(run.plan.shards), inherited)
        try:
            while self._signal is None and supervisor.watch():
                progress.update(watch.look("Running"))
                time.sleep(_LOOK_EVERY)
                if supervisor.failed:
                    break
        finally:
            try:
                if self._signal is not None:
                    progress.update(watch.look("Draining"))
            finally:
                drained = supervisor.stop()
                for number, handler in handlers.items():
                    signal.signal(number, handler)
            self.folder.save_run(
                run.model_copy(update={"wall_seconds": run.wall_seconds + time.monotonic() - began})
            )
        outcome = self._outcome(run.plan, supervisor.failed, drained=drained)
        progress.finish(watch.look(outcome.state))
        return outcome

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number

    def _outcome(self, plan: Plan, last_words: str | None, *, drained: bool) -> Outcome:
        checkpoints = stored(self.folder, plan)
        failed = next((c for c in checkpoints if c and c.state == "Failed"), None)
        if failed is not None and self._signal is None:
            return Outcome(FAILED, "Failed", f"{failed.reason}: {failed.message}")
        if last_words is not None and self._signal is None:
            return Outcome(FAILED, "Failed", last_words)
        if self._signal is not None:
            if not drained:
                return Outcome(
                    UNACKNOWLEDGED, "Stopped", "stopped; what was not acknowledged will be sent again"
                )
            return Outcome(SIGNALLED + self._signal, "Stopped", "stopped; the position is kept")
        if any(c is None or not c.ended for c in checkpoints):
            return Outcome(
                FAILED, "Failed", f"a worker ended without a word; see the logs in {self.folder.path}"
            )
        first = checkpoints[0]
        assert first is not None  # there is at least one shard
        return Outcome(COMPLETED, first.state, first.message)


class Observer:
    """Looks at the checkpoints as an operator looks at Leases, and writes down the slowest clock."""

    def __init__(self, folder: StateFolder, run: LocalRun, began: float, base: Spent) -> None:
        self._folder, self._run, self._began = folder, run, began
        self._base = base
        self._last: tuple[float, int, int] | None = None
        self._rates = (0.0, 0.0)

    def look(self, state: str) -> Snapshot:
        """Where the run stands now."""
        plan, now = self._run.plan, time.monotonic()
        whole = parse_position(plan.segments)
        positions, spent = [], Spent()
        for shard in range(int(plan.shards)):
            checkpoint = self._folder.checkpoint(int(plan.epoch), shard)
            own = checkpoint.position if checkpoint else cut(whole, slots_of(shard, int(plan.shards)))
            positions.append(earliest(own))
        spent = total_spent(self._folder)
        clock = min(positions)
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._folder.save_status({"slowest": clock, "observed": boot})
        self._learn(now, clock, spent.messages)
        return Snapshot(
            clock=clock,
            end=plan.pace.end,
            start=plan.start,
            positions=tuple(positions),
            messages=spent.messages,
            bytes=spent.bytes,
            usd=float(usd(self._run, spent)),
            events_per_second=self._rates[0],
            speed=self._rates[1],
            elapsed=now - self._began,
            state=state,
        )

    def _learn(self, now: float, clock: int, messages: int) -> None:
        if self._last is None:
            self._last = (now, clock, messages)
            return
        then, clock_then, messages_then = self._last
        elapsed = now - then
        if elapsed >= 2.0 or (clock > clock_then and elapsed >= 0.5):
            self._rates = ((messages - messages_then) / elapsed, (clock - clock_then) / 1e6 / elapsed)
            self._last = (now, clock, messages)


def _price(usd_per_tib: str) -> str:
    """What a TiB costs: nothing on an emulator."""
    return "0" if os.environ.get("PUBSUB_EMULATOR_HOST") else usd_per_tib


def usd(run: LocalRun, spent: Spent) -> Decimal:
    """What was spent: only real Pub/Sub costs anything."""
    return usd_of(spent.billed_bytes, run.usd_per_tib) if run.sink == "pubsub" else Decimal(0)


def position_of(folder: StateFolder, plan: Plan) -> tuple[Segment, ...]:
    """Where all slots stand, by the last checkpoints of the plan's shards."""
    whole = parse_position(plan.segments)
    found: list[Segment] = []
    for shard, checkpoint in enumerate(stored(folder, plan)):
        found += checkpoint.position if checkpoint else cut(whole, slots_of(shard, int(plan.shards)))
    return tuple(sorted(found))


def reach_of(folder: StateFolder, plan: Plan) -> int:
    """The furthest simulated time that any shard of any epoch may have reached.

    Of any epoch: what one that crashed may have sent lies ahead of the next one's clocks.
    """
    reaches = [checkpoint.reach for checkpoint in folder.checkpoints()]
    return max([*reaches, furthest(position_of(folder, plan))])


def stored(folder: StateFolder, plan: Plan) -> list[Checkpoint | None]:
    """The last checkpoint of each shard of the plan, None where it has none yet."""
    return [folder.checkpoint(int(plan.epoch), shard) for shard in range(int(plan.shards))]


def total_spent(folder: StateFolder) -> Spent:
    """What all epochs sent."""
    spent = Spent()
    for checkpoint in folder.checkpoints():
        spent = spent.plus(checkpoint.spent)
    return spent


def is_over(folder: StateFolder, plan: Plan) -> bool:
    """Whether the simulated time has already reached the plan's end."""
    return plan.pace.end is not None and earliest(position_of(folder, plan)) >= plan.pace.end


def finish_files(folder: StateFolder, run: LocalRun) -> None:
    """Ends the open files of earlier epochs: nobody goes on with them. Repeating it changes nothing."""
    parts = Path(run.folder).glob(f"date=*/hour=*/part-*{PARTIAL}")
    opened = {found[1] for part in parts if (found := _PART.match(part.name))}
    for checkpoint in folder.checkpoints():
        slots = [slot for segment in checkpoint.position for slot in (segment.first, segment.last)]
        name = named_part(checkpoint.epoch, min(slots), max(slots))
        if checkpoint.epoch < int(run.plan.epoch) and name in opened:
            settle(Path(run.folder), name, checkpoint.sink, final=True)

"""From the state folder of a run to the record that its report shows: what was drawn, what was expected."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diurnal_api.layout import SLOTS, furthest
from diurnal_api.money import format_usd
from diurnal_cli.record import HOUR, RunRecord
from diurnal_cli.run import position_of, total_spent, usd
from diurnal_worker.sources import load
from diurnal_worker.workshop import build_workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diurnal_api.layout import Segment
    from diurnal_worker.folder import LocalRun, StateFolder
    from diurnal_worker.timeline import Timeline


def record_of(folder: StateFolder, run: LocalRun, next_command: str) -> RunRecord:
    """The record of the run in ``folder``, up to where each slot stands."""
    plan = run.plan
    assert plan.dataset is not None  # a local run resolves it at once
    generation = None if plan.dataset.generation is None else int(plan.dataset.generation)
    dataset = load(plan.dataset.uri, generation=generation, sha256=plan.dataset.sha256 or None)
    workshop = build_workshop(plan, dataset, "pubsub")  # of either encoding; nothing is encoded
    position = position_of(folder, plan)
    end = max(furthest(position), plan.start + 1)
    hours = np.arange(plan.start // HOUR * HOUR, end, HOUR)
    countries = workshop.timeline.world.countries
    drawn, types, devices = _drawn(folder, hours, countries)
    spent = total_spent(folder)
    return RunRecord(
        name=run.name,
        seed=int(plan.population.seed),
        users=int(plan.population.users),
        engine=plan.engine,
        start=plan.start,
        end=end,
        hours=hours,
        countries=countries,
        expected=_expected(workshop.timeline, hours, position),
        drawn=drawn,
        event_types=types,
        expected_event_types=dict(plan.events.weights.event_types),
        device_types=devices,
        messages=spent.messages,
        bytes=spent.bytes,
        usd=format_usd(usd(run, spent)) if run.sink == "pubsub" else "0",
        wall_seconds=run.wall_seconds,
        sink=f"files in {run.folder}" if run.sink == "files" else run.sink,
        next_command=next_command,
    )


def _drawn(
    folder: StateFolder, hours: NDArray[np.int64], countries: tuple[str, ...]
) -> tuple[NDArray[np.int64], dict[str, int], dict[str, int]]:
    drawn = np.zeros((hours.size, len(countries)), np.int64)
    column = {country: i for i, country in enumerate(countries)}
    types: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for hour, counts in _tallies(folder):
        row = (hour - int(hours[0])) // HOUR
        for country, count in counts["countries"].items():
            drawn[row, column[country]] += count
        types.update(counts["event_types"])
        devices.update(counts["device_types"])
    return drawn, dict(types), dict(devices)


def _tallies(folder: StateFolder) -> Iterator[tuple[int, dict[str, Any]]]:
    """(hour, counts) of all shards of all epochs, closed and open hours, as far as checkpoints count them."""
    for checkpoint in folder.checkpoints():
        path = folder.tally_path(checkpoint.epoch, checkpoint.shard)
        size = int(checkpoint.tally.get("offset", 0))
        if size:
            with path.open("rb") as lines:
                for line in lines.read(size).splitlines():
                    counts = json.loads(line)
                    yield int(counts["hour"]), counts
        for hour, counts in checkpoint.tally.get("open", {}).items():
            yield int(hour), counts


def _expected(
    timeline: Timeline, hours: NDArray[np.int64], position: tuple[Segment, ...]
) -> NDArray[np.float64]:
    """Expected events by hour and country, each slot up to its own clock; slots hold equal shares."""
    expected = np.zeros((hours.size, len(timeline.world.countries)))
    since = timeline.start
    for clock in sorted({segment.clock for segment in position}):
        share = sum(len(s.slots) for s in position if s.clock >= clock) / SLOTS
        _add_expected(expected, timeline, hours, since, clock, share)
        since = clock
    return expected


def _add_expected(
    expected: NDArray[np.float64],
    timeline: Timeline,
    hours: NDArray[np.int64],
    since: int,
    until: int,
    share: float,
) -> None:
    for row, hour in enumerate(hours.tolist()):
        begin, end = max(hour, since), min(hour + HOUR, until)
        for first, last, regime in timeline.regimes_between(begin, end):
            means = timeline.intensity(regime).stratum_means(np.array([first]), np.array([last]))[0]
            np.add.at(expected[row], timeline.world.country_of, means * share)

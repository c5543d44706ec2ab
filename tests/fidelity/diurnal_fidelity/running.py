"""Shares the ticks of all scenarios between processes, and adds up what they find in the order of time."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.defects import SOURCES
from diurnal_fidelity.questions import ALL, Question
from diurnal_fidelity.scenarios import SCENARIOS, Scenario
from diurnal_worker.events import EventMaker

STRETCH = 1 << 22
"""Events that one process takes at a time. Part of the result: gaps across a stretch's end are not seen."""

FIELDS_OF_EACH = 4
"""Fields are made and looked at in one tick of so many."""

Done = Callable[[int], None]
Found = list[tuple[dict[str, Any], dict[str, float]]]


@dataclass(frozen=True)
class Stretch:
    """Some ticks of a scenario, from the engine or with a planted defect."""

    scenario: str
    source: str
    ticks: range


@dataclass(frozen=True, eq=False)
class Watched:
    """What a scenario's questions have seen."""

    scenario: Scenario
    questions: list[Question]
    ticks: int
    events: int


def watch(plan: Sequence[Stretch], processes: int, done: Done) -> dict[str, Watched]:
    """Asks all questions of all stretches, by scenario; calls `done` with the events of each stretch."""
    watched: dict[str, Watched] = {}
    with mapping(processes) as mapped:
        for stretch, (events, found) in zip(plan, mapped(look, plan), strict=True):
            before = watched.get(stretch.scenario) or _new(SCENARIOS[stretch.scenario])
            for question, (sums, least) in zip(before.questions, found, strict=True):
                question.add(sums, least)
            watched[stretch.scenario] = Watched(
                before.scenario, before.questions, before.ticks + len(stretch.ticks), before.events + events
            )
            done(events)
    return watched


def plan(scenario: Scenario, events: float, source: str = "engine") -> list[Stretch]:
    """The stretches in which a scenario has some `events`."""
    ticks = scenario.ticks(events)
    step = max(1, round(len(ticks) * min(1.0, STRETCH / events)))
    return [
        Stretch(scenario.name, source, ticks[first : first + step]) for first in range(0, len(ticks), step)
    ]


def look(stretch: Stretch) -> tuple[int, Found]:
    """Asks all questions of one stretch; returns how many events it had, and each question's sums."""
    scenario = SCENARIOS[stretch.scenario]
    source = _source(stretch.scenario, stretch.source)
    questions = [kind(scenario) for kind in ALL]
    events = 0
    with source.planted():
        for number in stretch.ticks:
            arrivals = source.arrivals(number)
            length = scenario.intensity.tick
            expected = scenario.law.expected(number * length, length)
            fields = _maker(scenario.name).make(arrivals) if number % FIELDS_OF_EACH == 0 else None
            tick = Tick(scenario, number, arrivals, expected, fields)
            for question in questions:
                question.see(tick)
            events += len(tick)
    return events, [(question.sums, question.least) for question in questions]


def _new(scenario: Scenario) -> Watched:
    return Watched(scenario, [kind(scenario) for kind in ALL], 0, 0)


@functools.cache
def _maker(scenario: str) -> EventMaker:
    return EventMaker(SCENARIOS[scenario].world, EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)


@functools.cache
def _source(scenario: str, source: str) -> Any:
    return SOURCES[source](SCENARIOS[scenario])


@contextmanager
def mapping(processes: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A map that keeps the order of what is mapped, over that many processes or in this one."""
    if processes == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap

"""The parts of a run: the engine's events, its users, its raw words, and the planted defects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from diurnal_fidelity import population
from diurnal_fidelity.defects import DEFECTS
from diurnal_fidelity.questions.counts import StratumHours
from diurnal_fidelity.raw import battery
from diurnal_fidelity.running import Stretch, Watched, mapping, plan, watch
from diurnal_fidelity.scenarios import SCENARIOS
from diurnal_fidelity.verdict import Judged

Done = Callable[[int], None]


@dataclass(frozen=True)
class Seen:
    """What was looked at: `events` is of stream events, or of words of 64 bits."""

    name: str
    describes: str
    events: int
    ticks: int
    seconds: float


@dataclass(frozen=True)
class Part:
    """Some answers, and what they are about; residuals are of strata by hour (see StratumHours)."""

    seen: list[Seen]
    answers: list[Judged]
    residuals: list[int]


def stretches(events: float) -> list[Stretch]:
    """All stretches of all scenarios, as the engine has them; the scenarios go forward side by side."""
    placed = []
    for scenario in SCENARIOS.values():
        of_scenario = plan(scenario, events * scenario.share)
        placed += [((place + 0.5) / len(of_scenario), each) for place, each in enumerate(of_scenario)]
    return [stretch for _, stretch in sorted(placed, key=lambda pair: pair[0])]


def of_events(plan_of_all: list[Stretch], processes: int, done: Done) -> Part:
    """Asks all scenarios everything."""
    begun = time.monotonic()
    watched = watch(plan_of_all, processes, done)
    seconds = time.monotonic() - begun
    seen = [Seen(name, w.scenario.describes, w.events, w.ticks, seconds) for name, w in watched.items()]
    answers = [judged for w in watched.values() for judged in _judged(w)]
    counts = (q.residuals() for w in watched.values() for q in w.questions if isinstance(q, StratumHours))
    residuals = [sum(together) for together in zip(*(c.tolist() for c in counts), strict=True)]
    return Part(seen, answers, residuals)


def of_users(number: int) -> Part:
    """Asks the axis of users."""
    begun = time.monotonic()
    answers = [Judged("users", "users", *answer) for answer in population.answers(number)]
    seen = Seen("users", "the users themselves: devices, ids, sessions", number, 0, time.monotonic() - begun)
    return Part([seen], answers, [])


def of_words(words: int, processes: int, done: Done) -> Part:
    """Asks the raw words of every direction of the key."""
    begun = time.monotonic()
    answers: list[Judged] = []
    jobs = battery.jobs(words)
    with mapping(processes) as mapped:
        for job, found in zip(jobs, mapped(battery.ask, jobs), strict=True):
            answers += [Judged("raw words", job.direction, answer.question, answer.p) for answer in found]
            done(job.words)
    seconds = time.monotonic() - begun
    seen = Seen(
        "raw words",
        "the keyed generator, in every direction of its key",
        sum(j.words for j in jobs),
        0,
        seconds,
    )
    return Part([seen], answers, [])


def of_defect(name: str, events: float, processes: int, done: Done) -> list[Judged]:
    """What the questions say to a planted defect, in a stream of some `events`."""
    scenario = SCENARIOS[DEFECTS[name].scenario_name]
    watched = watch(plan(scenario, events, name), processes, done)
    return list(_judged(watched[scenario.name]))


def joined(parts: Iterable[Part]) -> Part:
    """One after another."""
    parts = list(parts)
    return Part(
        [seen for part in parts for seen in part.seen],
        [answer for part in parts for answer in part.answers],
        next((part.residuals for part in parts if part.residuals), []),
    )


def _judged(watched: Watched) -> Iterator[Judged]:
    for question in watched.questions:
        for answer in question.answers():
            yield Judged(watched.scenario.name, question.title, answer.question, answer.p)

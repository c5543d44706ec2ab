"""The faults of a run, how long recovery took after each, and how many repeats it cost: the table."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from chronicle import Chronicle
from kubectl import Simulation, eventually, published
from oracle import Expected, Window
from subscriber import SECOND, Subscriber

OPERATOR_WITHIN = 10.0
WORKER_WITHIN = 20.0


@dataclass
class Fault:
    """One of them. Times are seconds since 1970; recoveries are seconds from `healed`, None: not asked."""

    name: str
    may_repeat: bool
    began: float = field(default_factory=time.time)
    healed: float = field(default_factory=time.time)
    ended: float = 0.0
    operator: float | None = None
    worker: float | None = None
    repeats: int = 0

    def is_healed(self) -> None:
        """From now on recovery counts; before, from the beginning on."""
        self.healed = time.time()

    def operator_recovered(self) -> None:
        """The operator is at work again."""
        self.operator = time.time() - self.healed

    def worker_recovered(self) -> None:
        """All shards publish again."""
        self.worker = time.time() - self.healed

    def is_late(self) -> bool:
        """Whether a recovery took longer than it may, on a machine that has more to do than it has cores."""
        busy = max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)
        return (self.operator or 0.0) > OPERATOR_WITHIN * busy or (self.worker or 0.0) > WORKER_WITHIN * busy


class Faults:
    """All of them, in order."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.all: list[Fault] = []

    @contextmanager
    def fault(self, name: str, *, may_repeat: bool = False) -> Iterator[Fault]:
        """A fault happens and is recovered from."""
        it = Fault(name, may_repeat)
        self.all.append(it)
        yield it
        it.ended = time.time()

    def await_publishing(self, fault: Fault, shards: int, within: float = 120.0) -> None:
        """Waits until every shard has published something since now, and writes the time down."""
        before: dict[str, float] = {}

        def all_publish() -> bool:
            pods = self._simulation.pods()
            now = {pod["metadata"]["uid"]: published(pod) for pod in pods}
            for uid, count in now.items():
                before.setdefault(uid, max(count, 0.0) if not before else 0.0)
            return len(now) == shards and all(0 < count != before[uid] for uid, count in now.items())

        eventually(f"{shards} shards publish after {fault.name}", all_publish, within)
        fault.worker_recovered()


def account(faults: list[Fault], chronicle: Chronicle, subscriber: Subscriber, oracle: Expected) -> list[str]:
    """Counts each fault's repeats, and says which of them guarantee 3 does not allow.

    A repeat belongs to the last fault before its second publication that may repeat it: after a crash, what
    lies between clock and reach is sent again at the pace of the plan; the next fault may happen meanwhile.
    What was delivered twice and published once is the emulator's doing, and none.
    """
    prints, published_at = subscriber.fingerprints, subscriber.published / SECOND
    order = np.lexsort((published_at, prints))
    same, later = prints[order[1:]] == prints[order[:-1]], published_at[order[1:]] > published_at[order[:-1]]
    again = order[1:][same & later]
    repeated, repeated_at = oracle.of(prints[again]), published_at[again]
    unexplained = np.ones(again.size, bool)
    for fault in reversed([fault for fault in faults if fault.may_repeat]):
        window = Window.of(chronicle.in_force(fault.began - 1, fault.ended))
        its = unexplained & window.holds(repeated) & (repeated_at >= fault.began)
        fault.repeats, unexplained = int(np.count_nonzero(its)), unexplained & ~its
    begins = np.array([fault.began for fault in faults])
    during = Counter(int(number) for number in np.searchsorted(begins, repeated_at[unexplained]) - 1)
    return [
        f"{faults[number].name}: {count} repeats beyond what was promised" for number, count in during.items()
    ]


def table(faults: list[Fault]) -> str:
    """As Markdown."""

    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.1f} s"

    rows = [
        f"| {fault.name} | {seconds(fault.operator)} | {seconds(fault.worker)} | {fault.repeats:,} |"
        for fault in faults
    ]
    return "\n".join(["| fault | operator | workers | repeats |", "|---|---:|---:|---:|", *rows])

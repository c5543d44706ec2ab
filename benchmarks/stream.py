"""This project's side of a comparison: generate, encode and send as one worker with all slots does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_worker.activity import Cosine
from diurnal_worker.arrivals import Arrivals, arrivals
from diurnal_worker.encoding import Encoder
from diurnal_worker.events import EventMaker
from diurnal_worker.intensity import Intensity
from diurnal_worker.sinks import Batch, Sink
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from textbook import EVENTS_PER_USER_PER_DAY, FLOOR, PEAK_HOUR, START

SLOTS = range(1024)
MESSAGES = 1000
SEED = 42


class Stream:
    """The events of `users` simulated users of the built-in world, from START on."""

    def __init__(self, users: int) -> None:
        self.world = World.build(load("world-2025"), users, SEED)
        self.intensity = Intensity(self.world, Cosine(PEAK_HOUR, FLOOR), EVENTS_PER_USER_PER_DAY)
        self.maker = EventMaker(self.world, EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)
        self.encoder = Encoder(self.maker, "JSON", "pubsub")
        self.first_tick = int(START.timestamp() * 1_000_000) // self.intensity.tick

    def ticks(self) -> Iterator[Arrivals]:
        """The arrivals of one tick after another, for ever."""
        tick = self.first_tick
        while True:
            yield arrivals(self.world, self.intensity, tick, SLOTS)
            tick += 1

    def batches(self) -> Iterator[Batch]:
        """Full batches, ready to be sent, for ever."""
        for drawn in self.ticks():
            yield from self.encoded(drawn)

    def encoded(self, drawn: Arrivals) -> Iterator[Batch]:
        """The batches of one tick."""
        rows = self.encoder.encode(self.maker.make(drawn), time.time_ns() // 1000)
        for first in range(0, len(drawn), MESSAGES):
            last = min(first + MESSAGES, len(drawn))
            yield Batch(rows.slice(first, last), last - first, int(drawn.times[last - 1]) + 1)


def diurnal_stream(batches: Iterator[Batch], sink: Sink, go_on: Callable[[], bool]) -> int:
    """Generates, encodes and sends while `go_on`; returns the messages sent once all are acknowledged."""
    sent = 0
    for batch in batches:
        sink.send(batch)
        sent += batch.messages
        if not go_on():
            break
    if not sink.drain(60):
        raise TimeoutError("the server did not acknowledge everything within a minute")
    return sent

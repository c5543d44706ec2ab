"""The single measurements of the benchmarks, each run alone.

`python benchmarks/parts.py NAME...` prints one JSON object. CPU-seconds are those of the whole client
process, gRPC's threads included; the server is another process, at the address in PUBSUB_EMULATOR_HOST.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diurnal_worker.sinks import Batch
    from diurnal_worker.sinks.pubsub import PubsubSink

WORLD_USERS = 5_400_000
EVERYONE = 5_400_000_000
FEW_USERS = 10_000
MINUTE_USERS = 1_700_000
"""A world whose ticks last a minute."""
RESUMED = [("Diurnal", FEW_USERS), ("Constant", FEW_USERS), ("Diurnal", EVERYONE), ("Constant", EVERYONE)]
SECONDS = float(os.environ.get("DIURNAL_BENCH_SECONDS", "2"))
IN_FLIGHT = 8

Figures = dict[str, float]


class Stopwatch:
    """CPU-seconds and messages since it was made."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._cpu = time.process_time()
        self._end = self._cpu + seconds

    def runs(self) -> bool:
        """Whether the measurement's CPU time is not yet used up."""
        return time.process_time() < self._end

    def rate(self, messages: int) -> Figures:
        """Messages a CPU-second, in a table row's form."""
        return {"per_cpu_second": messages / (time.process_time() - self._cpu)}


def textbook_generation() -> Figures:
    """(time, country, user) of the textbook loop."""
    from textbook import arrivals

    return _made(_by(100, arrivals(WORLD_USERS, 1)))


def textbook_end_to_end() -> Figures:
    """The textbook loop, published by the library in batches of 500."""
    from textbook import messages

    stream = messages(WORLD_USERS, 1)
    next(stream)
    return _published(stream)


def library_publish() -> Figures:
    """Ready messages of this project's size, published by the library in batches of 500."""
    return _published(cycle(_ready_messages()))


def diurnal_generation() -> Figures:
    """(time, user) of this project in whole ticks; the country is a matter of the user."""
    from stream import plan_for, ticks, workshop_for

    return _made(map(len, ticks(workshop_for(plan_for(WORLD_USERS)))))


def python_thinning() -> Figures:
    """(time, country, user) of good pure Python."""
    from baselines import python_thinning

    return _made(_by(1000, python_thinning(WORLD_USERS, 1)))


def numpy_thinning() -> Figures:
    """(time, country, user) of good numpy."""
    from baselines import numpy_thinning

    return _made(drawn.size for drawn in numpy_thinning(WORLD_USERS, 1))


def one_shard_of_eight() -> Figures:
    """(time, user) of one shard of eight of the same world, alone in its process."""
    from diurnal_api.layout import slots_of
    from stream import plan_for, ticks, workshop_for

    return _made(map(len, ticks(workshop_for(plan_for(WORLD_USERS)), slots_of(3, 8))))


def year_of_counts() -> Figures:
    """CPU-seconds in which the counts of a year in ticks of a minute are known; measured on a part of it."""
    import numpy as np

    from diurnal_worker.arrivals import counts
    from diurnal_worker.timeline import ALL_SLOTS, TICKS_COUNTED_AT_ONCE
    from stream import plan_for, workshop_for

    timeline = workshop_for(plan_for(MINUTE_USERS)).timeline
    intensity = timeline.intensity(0)
    first = timeline.start // intensity.tick
    watch, counted = Stopwatch(), 0
    while watch.runs():
        ticks = np.arange(first + counted, first + counted + TICKS_COUNTED_AT_ONCE)
        counts(timeline.world, intensity, ticks, ALL_SLOTS)
        counted += TICKS_COUNTED_AT_ONCE
    year = 365 * 86400 * 1_000_000 // intensity.tick
    return {"seconds": year / watch.rate(counted)["per_cpu_second"], "ticks": float(year)}


def json_encoding() -> Figures:
    """Events made and encoded as JSON, framed for Pub/Sub."""
    return _encoded("JSON")


def avro_encoding() -> Figures:
    """Events made and encoded as Avro binary, framed for Pub/Sub."""
    return _encoded("Avro")


def copied_bytes() -> Figures:
    """The same messages copied once from memory to memory: what no encoder can beat."""
    rows = [bytes(batch.payload) for batch in _ready_batches()]
    watch, count = Stopwatch(), 0
    while watch.runs():
        for row in rows:
            bytearray(row)
        count += 1000 * len(rows)
    return watch.rate(count)


def steps() -> Figures:
    """Nanoseconds of CPU an event, step by step: the profile behind the rates."""
    from diurnal_worker.prepared import PIECE
    from diurnal_worker.timeline import ALL_SLOTS
    from stream import plan_for, workshop_for

    workshop = workshop_for(plan_for(WORLD_USERS))
    spent = dict.fromkeys(("generate", "make events", "encode"), 0.0)
    count = 0
    watch = Stopwatch()
    for stretch in workshop.timeline.stretches(workshop.timeline.start):
        times = [time.process_time()]
        drawn = workshop.timeline.arrivals(stretch, ALL_SLOTS)
        times.append(time.process_time())
        pieces = [drawn.part(slice(at, at + PIECE)) for at in range(0, len(drawn), PIECE)]
        made = [workshop.maker.make(piece) for piece in pieces]
        times.append(time.process_time())
        for events in made:
            workshop.encoder.encode(events, time.time_ns() // 1000)
        times.append(time.process_time())
        for step, begin, end in zip(spent, times, times[1:], strict=False):
            spent[step] += end - begin
        count += len(drawn)
        if not watch.runs():
            break
    return {step: seconds / count * 1e9 for step, seconds in spent.items()}


def resuming() -> Figures:
    """CPU-seconds until a ready worker that goes on in the middle of a tick sends, for few and for all."""
    from stream import time_to_first_send

    return {f"{total} {users:,}": time_to_first_send(users, total) for total, users in RESUMED}


def diurnal_end_to_end() -> Figures:
    """This project's worker, from the world to acknowledged requests and checkpoints."""
    from stream import Worker

    with _sink() as sink:
        worker = Worker(WORLD_USERS, sink)
        before = worker.run(iter((True, True, False)).__next__)
        watch = Stopwatch()
        return watch.rate(worker.run(watch.runs) - before)


def sink_with_ready_batches() -> Figures:
    """This project's Pub/Sub sink alone, fed with batches that are ready."""
    with _sink() as sink:
        return _fed(sink)


def sink_over_tls() -> Figures:
    """The same over TLS with a token, as to the real service; DIURNAL_BENCH_TLS: address and certificate."""
    import grpc

    from diurnal_worker.sinks.connection import RawConnection
    from diurnal_worker.sinks.pubsub import PubsubSink
    from stream import TOPIC

    address, certificate = os.environ["DIURNAL_BENCH_TLS"].split(" ", 1)
    secured = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(Path(certificate).read_bytes()),
        grpc.access_token_call_credentials("of-the-length-of-a-token" * 40),
    )
    sink = PubsubSink(TOPIC, connection=RawConnection(grpc.secure_channel(address, secured), TOPIC))
    try:
        return _fed(sink)
    finally:
        sink.close()


def grpc_ceiling() -> Figures:
    """Ready requests of the same bytes through a raw stub, eight in flight: what gRPC itself can do."""
    import grpc

    from diurnal_worker.sinks.connection import PUBLISH
    from diurnal_worker.sinks.wire import topic_field
    from stream import TOPIC

    requests = [(topic_field(TOPIC) + batch.payload, batch.messages) for batch in _ready_batches()]
    free = threading.Semaphore(IN_FLIGHT)
    with grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"]) as channel:
        publish = channel.unary_unary(PUBLISH, request_serializer=None, response_deserializer=None)
        publish(requests[0][0])
        watch, count = Stopwatch(), 0
        for request, messages in cycle(requests):
            free.acquire()
            publish.future(request, timeout=10).add_done_callback(lambda _: free.release())
            count += messages
            if not watch.runs():
                break
        for _ in range(IN_FLIGHT):
            free.acquire()
        return watch.rate(count)


def memory() -> Figures:
    """The highest resident memory of the worker, with few users and then with everyone."""
    _memory_with(FEW_USERS)
    return {"rss_mb": _memory_with(EVERYONE)}


def memory_of_few() -> Figures:
    """The same with few users alone."""
    return {"rss_mb": _memory_with(FEW_USERS)}


def first_event() -> Figures:
    """When the first events of the world were acknowledged (wall clock); the caller knows the beginning."""
    from stream import Worker

    with _sink() as sink:
        sink.check_topic()
        worker = Worker(FEW_USERS, sink)
        worker.run(lambda: not sink.counters.messages)
        return {"acknowledged_at": time.time()}


PARTS: tuple[Callable[[], Figures], ...] = (
    textbook_generation,
    python_thinning,
    numpy_thinning,
    diurnal_generation,
    one_shard_of_eight,
    year_of_counts,
    json_encoding,
    avro_encoding,
    copied_bytes,
    steps,
    resuming,
    textbook_end_to_end,
    library_publish,
    diurnal_end_to_end,
    grpc_ceiling,
    sink_with_ready_batches,
    sink_over_tls,
    memory,
    memory_of_few,
    first_event,
)


@contextmanager
def _sink() -> Iterator[PubsubSink]:
    from diurnal_worker.sinks.pubsub import PubsubSink
    from stream import TOPIC

    sink = PubsubSink(TOPIC)
    try:
        yield sink
    finally:
        sink.close()


def _made(numbers: Iterator[int]) -> Figures:
    """Events a CPU-second of a stream that tells how many it makes at a time; the first is a warm-up."""
    next(numbers)
    watch, count = Stopwatch(), 0
    while watch.runs():
        count += next(numbers)
    return watch.rate(count)


def _by(number: int, stream: Iterator[object]) -> Iterator[int]:
    """How many single events were made, so many at a time."""
    while True:
        yield sum(1 for _ in islice(stream, number))


def _fed(sink: PubsubSink) -> Figures:
    """Ready batches into a sink, and every answer awaited."""
    ready = _ready_batches()
    sink.send(ready[0])
    sink.drain(10)
    watch, count = Stopwatch(), 0
    for batch in cycle(ready):
        sink.send(replace(batch, until=ready[-1].until))
        count += batch.messages
        if not watch.runs():
            break
    sink.drain(60)
    return watch.rate(count)


def _published(messages: Iterator[bytes]) -> Figures:
    """Publishes by the library's batching client, and waits for every answer."""
    from google.cloud import pubsub_v1

    from stream import TOPIC

    settings = pubsub_v1.types.BatchSettings(max_messages=500, max_latency=1, max_bytes=9_000_000)
    client = pubsub_v1.PublisherClient(batch_settings=settings)
    client.publish(TOPIC, next(messages)).result()
    watch, futures = Stopwatch(), []
    while watch.runs():
        futures += [client.publish(TOPIC, message) for message in islice(messages, 100)]
    for future in futures:
        future.result()
    return watch.rate(len(futures))


def _encoded(encoding: str) -> Figures:
    from diurnal_worker.prepared import PIECE
    from stream import plan_for, ticks, workshop_for

    workshop = workshop_for(plan_for(WORLD_USERS, encoding=encoding))
    drawn = next(ticks(workshop)).part(slice(PIECE))
    watch, count = Stopwatch(), 0
    while watch.runs():
        workshop.encoder.encode(workshop.maker.make(drawn), time.time_ns() // 1000)
        count += len(drawn)
    return watch.rate(count)


def _memory_with(users: int) -> float:
    from stream import Worker

    with _sink() as sink:
        Worker(users, sink).run(Stopwatch(1.5).runs)
    return _highest_rss_mb()


def _ready_batches() -> list[Batch]:
    from stream import batches, plan_for, workshop_for

    return list(islice(batches(workshop_for(plan_for(WORLD_USERS))), 50))


def _ready_messages() -> list[bytes]:
    from google.pubsub_v1.types import PublishRequest

    return [
        message.data
        for batch in _ready_batches()
        for message in PublishRequest.deserialize(bytes(batch.payload)).messages
    ]


def _highest_rss_mb() -> float:
    """VmHWM, because ru_maxrss also remembers the parent."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Runs the parts that the command line names, one after another; after --kernel, with the kernel."""
    if "--kernel" in sys.argv:
        from diurnal_worker import kernel

        if not kernel.load():
            raise SystemExit("the kernel needs numba: pip install numba")
    named = {part.__name__: part for part in PARTS}
    print(json.dumps({name: named[name]() for name in sys.argv[1:] if name != "--kernel"}))


if __name__ == "__main__":
    main()

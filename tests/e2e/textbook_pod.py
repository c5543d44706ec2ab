"""The textbook publisher in a pod: as many messages as it can for some seconds; prints one JSON object.

Mounted beside benchmarks/textbook.py; PUBSUB_EMULATOR_HOST says where to. The library's batches are of 500
messages at most, as in benchmarks/parts.py.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice

from google.cloud import pubsub_v1

from textbook import messages

TOPIC = "projects/demo-project/topics/user-interactions"
USERS = 5_400_000


def main() -> None:
    """Publishes for the seconds of the command line."""
    settings = pubsub_v1.types.BatchSettings(max_messages=500, max_latency=1, max_bytes=9_000_000)
    client = pubsub_v1.PublisherClient(batch_settings=settings)
    stream = messages(USERS, 1)
    client.publish(TOPIC, next(stream)).result()
    began, cpu = time.monotonic(), time.process_time()
    futures = []
    while time.monotonic() < began + float(sys.argv[1]):
        futures += [client.publish(TOPIC, message) for message in islice(stream, 100)]
    for future in futures:
        future.result()
    took = {"messages": len(futures), "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    print(json.dumps(took))


if __name__ == "__main__":
    main()

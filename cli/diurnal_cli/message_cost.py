"""What messages cost: the mean billed size, by encoding a sample as the worker does, and its price. Pure.

Pub/Sub bills body, attributes, 20 bytes and the message id, and at least 1,000 bytes a request; publishing
and each subscription's delivery at the same price (https://cloud.google.com/pubsub/pricing).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from diurnal_api.money import REQUEST_MINIMUM_BYTES, TIB, billed_message_bytes
from diurnal_worker.activity import SECOND
from diurnal_worker.arrivals import Arrivals
from diurnal_worker.encoding import Encoder
from diurnal_worker.events import EventMaker

if TYPE_CHECKING:
    from diurnal_api.spec import Events, Sink
    from diurnal_worker.strata import World

_SAMPLE: Final = 16_384
_FRAME_BYTES: Final = 6
"""Of a message in a request, and of an attribute in a message: tags and lengths, which are not billed."""
_FULL_BATCH: Final = 1000
_BATCH_SECONDS: Final = 1.0


@dataclass(frozen=True)
class MessageCost:
    """Mean bytes of a message, and in how large requests it travels.

    ``billed_bytes`` are of the message alone; ``bytes_a_message`` count the minimum of its request too.
    """

    content_bytes: float  # body and attributes
    messages_per_request: float
    usd_per_tib: str

    @property
    def billed_bytes(self) -> float:
        """Content and the service's overhead."""
        return self.content_bytes + billed_message_bytes(0)

    @property
    def bytes_a_message(self) -> float:
        """What a message adds to the bill, its share of a request's minimum included."""
        return max(self.billed_bytes, REQUEST_MINIMUM_BYTES / self.messages_per_request)

    @property
    def minimum_binds(self) -> bool:
        """Whether requests are so small that their minimum decides."""
        return self.bytes_a_message > self.billed_bytes

    def bytes_of(self, messages: float) -> int:
        """Billed bytes of so many messages."""
        return round(messages * self.bytes_a_message)

    def usd_of(self, messages: float) -> Decimal:
        """US dollars of publishing so many messages, or of delivering them to one subscription."""
        return Decimal(self.bytes_of(messages)) * Decimal(self.usd_per_tib) / TIB


def mean_content_bytes(world: World, events: Events, sink: Sink, start: int) -> float:
    """Mean bytes of body and attributes: a sample, evenly over the users, through the worker's encoder."""
    maker = EventMaker(world, events.weights.event_types, events.weights.device_types)
    names = sink.pubsub.attributes if sink.pubsub else ()
    encoder = Encoder(maker, events.encoding, "pubsub", names)
    rows = encoder.encode(maker.make(_sample(world, start)), start)
    return float(rows.offsets[-1]) / _SAMPLE - _FRAME_BYTES * (1 + len(names))


def _sample(world: World, start: int) -> Arrivals:
    """One event a second of users from all over the axis."""
    numbers = np.arange(_SAMPLE, dtype=np.int64)
    return Arrivals(
        times=start + numbers * SECOND,
        users=(numbers * world.users // _SAMPLE).astype(np.int64),
        ordinals=np.zeros(_SAMPLE, np.int64),
        order=numbers.astype(np.uint64),
    )


def messages_per_request(sink: Sink, messages_per_second: float | None, messages_per_tick: float) -> float:
    """Mean messages of a shard's requests: cut when full, when the first one has waited, at the tick's end.

    Both rates are of one shard: by real second (None: as fast as it can), by tick.
    """
    most = float(sink.pubsub.max_batch_messages if sink.pubsub else _FULL_BATCH)
    seconds = float(sink.pubsub.max_batch_seconds if sink.pubsub else _BATCH_SECONDS)
    if messages_per_second is not None:
        most = min(most, max(1.0, messages_per_second * seconds))
    # Of a tick's Poisson count those that are not 0 make requests; these have one message at least.
    count = messages_per_tick / -np.expm1(-messages_per_tick) if messages_per_tick > 0 else 1.0
    # The last one of a tick is half full in the mean.
    return float(count / (count / most + 0.5) if count > most else count)

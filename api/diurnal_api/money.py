"""From prices to messages and back, in decimal arithmetic: no float ever rounds money.

Pub/Sub bills the bytes of each request: for every message its body, its attributes (keys and values), 20
bytes and its message id, and at least 1,000 bytes a request (https://cloud.google.com/pubsub/pricing). A
budget in dollars is turned into messages by the largest message that can occur, so that it holds whatever is
drawn.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Final

from diurnal_api.budget import Budget

TIB: Final = 2**40
REQUEST_MINIMUM_BYTES: Final = 1000
MESSAGE_OVERHEAD_BYTES: Final = 20
MESSAGE_ID_BYTES: Final = 20
"""Ids of the service are numbers of up to 20 digits."""
SECONDS_A_DAY: Final = 86_400

_PRECISION: Final = 60


def billed_message_bytes(body: int, attributes: Mapping[str, str] | None = None) -> int:
    """The bytes that one message adds to the bill of its request; ``body`` in bytes."""
    extra = sum(len(key.encode()) + len(value.encode()) for key, value in (attributes or {}).items())
    return body + extra + MESSAGE_OVERHEAD_BYTES + MESSAGE_ID_BYTES


def billed_request_bytes(message_bytes: int) -> int:
    """The billed bytes of a request whose messages add up to ``message_bytes``."""
    return max(message_bytes, REQUEST_MINIMUM_BYTES)


def usd_of(billed_bytes: int, usd_per_tib: str) -> Decimal:
    """The exact price of billed bytes in US dollars."""
    with localcontext(prec=_PRECISION):
        return Decimal(billed_bytes) * Decimal(usd_per_tib) / TIB


def format_usd(usd: Decimal) -> str:
    """Dollars with six decimals, rounded up: a budget never looks less used than it is."""
    return str(usd.quantize(Decimal("0.000001"), rounding=ROUND_CEILING))


def messages_for(usd: str, usd_per_tib: str, largest_message: int, messages_per_request: int) -> int:
    """The most messages that ``usd`` surely pays for.

    ``largest_message`` is in billed bytes (billed_message_bytes); ``messages_per_request`` is the fewest that
    are counted on in a request, because a request costs at least 1,000 bytes: 1 is safe always.
    """
    return int(
        _messages(usd, usd_per_tib, largest_message, messages_per_request).to_integral_value(ROUND_FLOOR)
    )


def messages_per_second(budget: Budget, largest_message: int, messages_per_request: int) -> float | None:
    """The rate that binds, of the throttle and the dollars a real day; None where neither is limited."""
    limits = []
    if not isinstance(budget.max_messages_per_second, str):
        limits.append(float(budget.max_messages_per_second))
    if budget.max_usd_per_day is not None:
        daily = _messages(budget.max_usd_per_day, budget.usd_per_tib, largest_message, messages_per_request)
        limits.append(float(daily / SECONDS_A_DAY))
    return min(limits, default=None)


def total_messages(budget: Budget, largest_message: int, messages_per_request: int) -> int | None:
    """The number of messages that ends the run, of maxMessages and maxUSD; None where neither is limited."""
    limits = []
    if budget.max_messages is not None:
        limits.append(budget.max_messages)
    if budget.max_usd is not None:
        limits.append(messages_for(budget.max_usd, budget.usd_per_tib, largest_message, messages_per_request))
    return min(limits, default=None)


def _messages(usd: str, usd_per_tib: str, largest_message: int, messages_per_request: int) -> Decimal:
    if largest_message < 1 or messages_per_request < 1:
        raise ValueError("a message has at least 1 byte, a request at least 1 message")
    with localcontext(prec=_PRECISION):
        request = max(largest_message * messages_per_request, REQUEST_MINIMUM_BYTES)
        # One division, at the end: a quotient that is a whole number comes out as that number.
        return Decimal(usd) * TIB * messages_per_request / (Decimal(usd_per_tib) * request)

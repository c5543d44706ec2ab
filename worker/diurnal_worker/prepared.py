"""A stretch on its way to the sink: events and bytes are made a piece at a time, as they are needed.

A piece is what a core's cache holds, so memory is bounded by it and not by the tick, and
generation_timestamp is the time of making and not that of the tick's beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diurnal_worker.arrivals import Arrivals
    from diurnal_worker.batching import Span
    from diurnal_worker.events import Events
    from diurnal_worker.rows import Rows

PIECE: Final = 1 << 13


@dataclass(frozen=True, eq=False)
class Parcel:
    """A span ready to be sent: its bytes and its events."""

    span: Span
    payload: memoryview
    events: Events


class Prepared:
    """The spans of one stretch; ``write`` makes events and rows of a run of arrivals."""

    def __init__(
        self,
        arrivals: Arrivals,
        spans: Sequence[Span],
        write: Callable[[Arrivals], tuple[Events, Rows]],
        piece: int = PIECE,
    ) -> None:
        self._arrivals, self._spans, self._write, self._piece = arrivals, spans, write, piece
        self._sent = 0
        self._first = self._last = 0  # the events that the piece holds
        self._made: tuple[Events, Rows] | None = None

    @property
    def next(self) -> Span:
        """The span that is to be sent next."""
        return self._spans[self._sent]

    @property
    def done(self) -> bool:
        """Whether all spans are sent."""
        return self._sent == len(self._spans)

    @property
    def inside_a_microsecond(self) -> bool:
        """Whether what was sent last and what comes next share a microsecond."""
        return not self.done and self._sent > 0 and self._spans[self._sent - 1].open

    def parcel(self) -> Parcel:
        """The next span with its bytes and events; the same again until ``sent``."""
        span = self.next
        if self._made is None or span.last > self._last:
            self._made = self._make_piece(span)
        events, rows = self._made
        first, last = span.first - self._first, span.last - self._first
        return Parcel(span, rows.slice(first, last), events.part(slice(first, last)))

    def sent(self) -> None:
        """The next span is handed over."""
        self._sent += 1

    def _make_piece(self, span: Span) -> tuple[Events, Rows]:
        """Makes the events of this span and of those after it that fit the piece."""
        last = span.last
        for following in self._spans[self._sent + 1 :]:
            if following.last - span.first > self._piece:
                break
            last = following.last
        self._first, self._last = span.first, last
        return self._write(self._arrivals.part(slice(span.first, last)))

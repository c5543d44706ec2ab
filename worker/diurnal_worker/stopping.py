"""Being told to stop, also by a signal handler.

``threading.Event`` has a lock, and a handler runs in the middle of whatever its thread does: one that sets
the event while that very thread holds the lock, to begin to wait, would wait for itself. A flag and a pipe
need no lock (the "self-pipe trick" of D. J. Bernstein, https://cr.yp.to/docs/selfpipe.html).
"""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Stop:
    """Set once, from a signal handler or any thread; never taken back."""

    def __init__(self) -> None:
        self._asked = False
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)

    def set(self) -> None:
        """Asks to stop; asking again changes nothing."""
        self._asked = True
        with suppress(BlockingIOError):
            os.write(self._told, b".")

    def is_set(self) -> bool:
        """Whether it was asked."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Waits until it is asked, for so many seconds at most; whether it was."""
        if not self._asked and seconds > 0:
            select.select([self._heard], [], [], seconds)
        return self._asked

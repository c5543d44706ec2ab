"""Whether the dataset that a run reads is still what lies at its address: asked seldom, by shard 0 alone.

In a thread of its own, for an answer may take a minute, and a Lease cannot wait that long.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from diurnal_worker.dataset import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable


class Lookout:
    """``news`` is what the last answer said: text where the address holds something else, else empty.

    None before the first answer. Where nobody answers, the last answer stands.
    """

    def __init__(self, look: Callable[[], str], seconds: float) -> None:
        self.news: str | None = None
        self._look, self._seconds = look, seconds
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="lookout").start()

    def close(self) -> None:
        """Asks no more; an answer that is awaited is not."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.is_set():
            with suppress(DatasetError):
                self.news = self._look()
            self._over.wait(self._seconds)

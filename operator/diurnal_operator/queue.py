"""A queue of keys: each worked on by one at a time, once however often it was asked for, later after errors.

The shape of client-go's workqueue. Time is given to every call, so that tests need no waiting; the loop that
waits is in loop.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key")


@dataclass
class KeyQueue(Generic[Key]):
    """Keys with the time at which each is due; times are seconds of any monotonic clock."""

    first: float = 0.5
    longest: float = 60.0
    _due: dict[Key, float] = field(default_factory=dict)
    _busy: dict[Key, float] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _not_before: dict[Key, float] = field(default_factory=dict)

    def add(self, key: Key, at: float) -> None:
        """Asks for a key at a time; of several askings the earliest counts, but what a server asked for."""
        at = max(at, self._not_before.get(key, at))
        self._due[key] = min(at, self._due.get(key, at))

    def take(self, now: float) -> Key | None:
        """The key that is due for longest and not worked on, None where there is none."""
        ready = [key for key, at in self._due.items() if at <= now and key not in self._busy]
        if not ready:
            return None
        key = min(ready, key=self._due.__getitem__)
        del self._due[key]
        self._busy[key] = now
        return key

    def done(self, key: Key, again_at: float | None) -> None:
        """Work on a key went well; asks for it again, unless ``again_at`` is None."""
        self._busy.pop(key, None)
        self._failures.pop(key, None)
        self._not_before.pop(key, None)
        if again_at is not None:
            self.add(key, again_at)

    def failed(self, key: Key, now: float, at_least: float = 0.0) -> float:
        """Work on a key failed: it is asked for again after a wait, returned, that doubles each time.

        Who asks for it later may have it earlier, for something may be better now; but not before
        ``at_least`` seconds, which a server wished.
        """
        self._busy.pop(key, None)
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        wait = max(min(self.first * 2.0 ** min(count, 30), self.longest), at_least)
        # Whoever asked meanwhile waits as well: an object that fails must not be tried at every event.
        self._not_before[key] = now + at_least
        self._due[key] = now + wait
        return wait

    def next_due(self) -> float | None:
        """When the next key that is not worked on will be due."""
        return min((at for key, at in self._due.items() if key not in self._busy), default=None)

    def depth(self, now: float) -> int:
        """How many keys are due and not worked on."""
        return sum(at <= now and key not in self._busy for key, at in list(self._due.items()))

    def longest_work(self, now: float) -> float:
        """For how long the key that is worked on longest has been."""
        return max((now - began for began in self._busy.values()), default=0.0)

    def most_overdue(self, now: float) -> float:
        """For how long the key that waits longest has been due."""
        return max((now - at for key, at in self._due.items() if key not in self._busy), default=0.0)

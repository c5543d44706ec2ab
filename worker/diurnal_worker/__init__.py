"""The worker: the process of arrivals, the events, and their publication."""

from typing import Final

ENGINE: Final = "1"
"""Identity of the random stream: which events occur, with which fields and ids, under which seed."""

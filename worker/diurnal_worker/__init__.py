"""The worker: the process of arrivals, the events, and their publication."""

from typing import Final

ENGINE: Final = "1"
"""Identity of the random stream: which events occur, with which fields and ids, under which seed."""

ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""What a worker's process is started with, where the environment does not say it already.

No matrix is multiplied here, and the threads for it spin for a tenth of a second when numpy is imported.
Buffers of a piece are freed and made again all the time: glibc (mallopt(3)) would give their pages back to
the system, which clears them anew at each use, a tenth of the CPU time of an event from end to end.
"""

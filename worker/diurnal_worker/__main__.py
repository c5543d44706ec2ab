"""``python -m diurnal_worker``, ``diurnal-worker``: a worker in a pod.

SIGTERM is taken from the first moment on. The kernel drops it for a process 1 that has no handler yet, and a
worker that was told to stop while it still imported would publish until it is killed.
"""

import signal
import sys


def main() -> int:
    """The entry of both."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from diurnal_worker.pod import main as work

    return work()


if __name__ == "__main__":
    sys.exit(main())

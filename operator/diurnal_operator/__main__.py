"""``python -m diurnal_operator``, ``diurnal-operator``: the operator in a pod.

SIGTERM is taken from the first moment on: the kernel drops it for a process 1 that has no handler yet, and
the imports take a second, in which a pod that is deleted would not hear of it.
"""

import signal
import sys


def main() -> int:
    """The entry of both."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from diurnal_operator.life import main as live

    return live()


if __name__ == "__main__":
    sys.exit(main())

"""``python -m diurnal_worker``: a worker in a pod."""

import sys

from diurnal_worker.pod import main

if __name__ == "__main__":
    sys.exit(main())

"""The simulator of `tick` (https://pypi.org/project/tick): one inhomogeneous Poisson process a country.

It needs numpy of its own, so it runs in another interpreter, the one in DIURNAL_BENCH_TICK (`python -m venv
tickenv && tickenv/bin/pip install tick`), without this project: the numbers of its world come in as JSON.
Prints one JSON object.
"""

import json
import math
import sys
import time

import numpy as np
from tick.base import TimeFunction
from tick.hawkes import SimuInhomogeneousPoisson


def main() -> None:
    """Reads {"weights", "shifts", "floor", "seconds"}, simulates so many seconds, and says how fast."""
    world = json.loads(sys.stdin.read())
    hours = np.linspace(0.0, world["seconds"] / 3600, 61)
    curves = []
    for weight, shift in zip(world["weights"], world["shifts"], strict=True):
        awake = 0.5 * (1 - world["floor"]) * (1 + np.cos((hours + shift) * 2 * math.pi / 24))
        curves.append(TimeFunction((hours * 3600, weight * (world["floor"] + awake))))
    process = SimuInhomogeneousPoisson(curves, end_time=world["seconds"], seed=1, verbose=False)
    begun = time.process_time()
    process.simulate()
    print(json.dumps({"per_cpu_second": process.n_total_jumps / (time.process_time() - begun)}))


if __name__ == "__main__":
    main()

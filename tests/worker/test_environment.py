"""What the environment of a worker's process saves, seen from inside such a process."""

from __future__ import annotations

import os
import subprocess
import sys

from diurnal_worker import ENVIRONMENT

FAULTS = """
import resource
import numpy

def a_piece():
    return [numpy.ones(size, numpy.uint8) for size in range(100_000, 1_000_000, 100_000)]

for _ in range(10):
    a_piece()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    a_piece()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
THREADS = "import os, numpy; print(len(os.listdir('/proc/self/task')))"


def said(program: str, **environment: str) -> int:
    surroundings = {k: v for k, v in os.environ.items() if k not in ENVIRONMENT} | environment
    return int(subprocess.check_output([sys.executable, "-c", program], env=surroundings))


def test_pages_of_freed_buffers_are_kept_for_the_next_ones() -> None:
    assert said(FAULTS, **ENVIRONMENT) < said(FAULTS) / 10


def test_numpy_starts_no_threads_for_matrices() -> None:
    assert said(THREADS, **ENVIRONMENT) == 1

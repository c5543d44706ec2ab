"""A worker that is told to stop before it has begun."""

from __future__ import annotations

import subprocess
import sys

STOPPED_WHILE_IT_IMPORTS = """
import builtins, os, signal, sys
imported = builtins.__import__
def importing(name, *rest):
    if name == "diurnal_worker.pod":
        os.kill(os.getpid(), signal.SIGTERM)
    return imported(name, *rest)
builtins.__import__ = importing
from diurnal_worker.__main__ import main
main()
print("it began")
"""


def test_a_stop_that_comes_while_it_imports_is_a_stop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_IT_IMPORTS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

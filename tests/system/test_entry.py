"""A process that is told to stop before it has begun; as process 1 of a pod it would not hear of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STOPPED_WHILE_IT_IMPORTS = """
import builtins, os, signal, sys
imported = builtins.__import__
def importing(name, *rest):
    if name == "{heavy}":
        os.kill(os.getpid(), signal.SIGTERM)
    return imported(name, *rest)
builtins.__import__ = importing
from {package}.__main__ import main
main()
print("it began")
"""


@pytest.mark.parametrize(
    ("package", "heavy"),
    [("diurnal_worker", "diurnal_worker.pod"), ("diurnal_operator", "diurnal_operator.life")],
)
def test_a_stop_that_comes_while_it_imports_is_a_stop(package: str, heavy: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_IT_IMPORTS.format(package=package, heavy=heavy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_cluster_the_operator_says_what_to_set(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "diurnal_operator"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "DIURNAL_HEALTH_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "diurnal-operator: no API server to talk to: set KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr

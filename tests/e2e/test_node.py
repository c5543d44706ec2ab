"""The node itself: one at a time. That pods reach its API server and are reached, the other tests show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from node import Node

HERE = Path(__file__).parent


def test_a_second_node_is_refused_while_one_runs(node: Node) -> None:
    second = subprocess.run(
        [sys.executable, HERE / "node.py"], capture_output=True, text=True, check=False, timeout=60
    )
    assert second.returncode != 0
    assert "another node runs on this machine" in second.stderr

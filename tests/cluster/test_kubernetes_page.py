"""docs/kubernetes.md: every command of it works, from top to bottom, and what it says of columns is so."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest
import yaml

from place import CRD, ROOT, Namespace

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")


def commands() -> list[list[str]]:
    """The arguments of every kubectl line of the page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert all(line[0] == "kubectl" for line in lines)
    return [line[1:] for line in lines]


def test_every_command_works(namespace: Namespace, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """No operator runs here, so its word is put into the status before it is waited for."""
    monkeypatch.chdir(ROOT)
    ready = {"type": "Ready", "status": "True", "reason": "Running", "message": "all of 1 shards publish",
             "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}  # fmt: skip
    for command in commands():
        if command[0] == "wait":
            status = {"status": {"observedGeneration": 1, "conditions": [ready]}}
            namespace.api.merge(f"{namespace.simulations}/first/status", status).expect()
        done = kubectl(*command)
        changed = command[0] == "diff" and done.returncode == 1 and not done.stderr
        assert done.returncode == 0 or changed, (command, done.stderr)
    assert "NotFound" in kubectl("get", "tsim", "first").stderr


def test_every_column_of_the_table_is_explained() -> None:
    version = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]
    columns = {column["name"].upper() for column in version["additionalPrinterColumns"]} - {"AGE"}
    rows = re.findall(r"^\| ([A-Z, ]+) \|", PAGE, re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} == columns


def test_every_state_is_named() -> None:
    """They are what Ready can say, by the operator's page, which is held against the code; and two more."""
    table = (
        (ROOT / "docs" / "operator.md").read_text("utf-8").split("### Ready, Reconciling")[1].split("###")[0]
    )
    reasons = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) - {"Settled", "NotYet"}
    row = next(line for line in PAGE.splitlines() if line.startswith("| STATUS |"))
    assert set(re.findall(r"\b[A-Z][A-Za-z]+\b", row.split("|")[2])) == reasons | {"Stalled", "Throttled"}

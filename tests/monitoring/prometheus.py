"""Prometheus and promtool, of Debian's package, for tests."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from packaged import program

PACKAGE = "prometheus"
STARTS_WITHIN = 60.0


def promtool(*arguments: str | Path, text: str = "") -> None:
    """Runs promtool; what it says is the assertion's message where it finds a fault."""
    done = subprocess.run(
        [program("promtool", PACKAGE), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A running server."""

    def __init__(self, address: str) -> None:
        self.address = address

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now; AssertionError where it is none."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{query}", timeout=10) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{expression}: {refused.read().decode()}") from refused
        return result

    def until_there_is(self, expression: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Waits for the first sample of an expression."""
        give_up = time.monotonic() + seconds
        while not (found := self.query(expression)):
            assert time.monotonic() < give_up, f"no data for {expression}"
            time.sleep(0.2)
        return found

    def until_there_is_no(self, expression: str, seconds: float = 60.0) -> None:
        """Waits until an expression has no sample: a window may reach back to the beginning."""
        give_up = time.monotonic() + seconds
        while found := self.query(expression):
            assert time.monotonic() < give_up, f"{expression}: {found}"
            time.sleep(0.2)


@contextmanager
def running(folder: Path, config: dict[str, Any], port: int) -> Iterator[Prometheus]:
    """A server with this configuration, its data in ``folder``."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{port}"
    command: list[str | Path] = [
        program("prometheus", PACKAGE),
        f"--config.file={folder}/prometheus.yml", f"--web.listen-address={address}",
        f"--storage.tsdb.path={folder}/data", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_answer(process, address, folder / "log")
        yield Prometheus(address)
    finally:
        process.terminate()
        process.wait(30)


def _await_answer(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < give_up and process.poll() is None:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://{address}/-/ready", timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"prometheus did not start: {log.read_text()[-2000:]}")

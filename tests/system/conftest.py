"""Fixtures of the system tests: a real Pub/Sub emulator, or a loud reason why there is none.

With DIURNAL_REQUIRE_EMULATOR=1 a missing emulator is a failure, as in CI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from emulator import Broker, NoEmulatorError, running

WITHOUT = "no Pub/Sub emulator"


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address (host:port) of a Pub/Sub emulator that lasts as long as the session."""
    try:
        attempt = running()
        address = attempt.__enter__()
    except NoEmulatorError as missing:
        if os.environ.get("DIURNAL_REQUIRE_EMULATOR") == "1":
            pytest.fail(f"{WITHOUT}, and DIURNAL_REQUIRE_EMULATOR=1 asks for one: {missing}")
        pytest.skip(f"{WITHOUT}: {missing}")
    try:
        yield address
    finally:
        attempt.__exit__(None, None, None)


@pytest.fixture
def broker(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Creates topics and reads subscriptions; sinks made meanwhile find the emulator by themselves."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)
    broker = Broker(emulator)
    yield broker
    broker.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the very end, in one loud line, what was not tested and why."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = {str(report.longrepr[2]) for report in reports if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason for reason in reasons if WITHOUT in reason):
        terminalreporter.write_line(f"NOT TESTED against Pub/Sub: {reason}", red=True, bold=True)

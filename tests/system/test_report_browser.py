"""The report in a real browser: it draws without a network, in light and dark, on a desk and on a phone.

Chromium is driven over its own pipe (https://chromedevtools.github.io/devtools-protocol/), which needs no
driver, no port and no waiting: each answer comes when the page has it. Without Chromium the tests are
skipped, unless DIURNAL_REQUIRE_BROWSER=1 makes that a failure.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from diurnal_cli.record import HOUR
from diurnal_cli.report import RunRecord, render

NEW_YEAR = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
# Chromium reads commands from descriptor 3 and answers on 4; this puts a pair of pipes there.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
DESK, PHONE = 1200, 360


class Browser:
    """A headless Chromium with a profile of its own, and one page in it."""

    def __init__(self, program: str, profile: Path) -> None:
        read_commands, write_commands = high_pipe()
        read_answers, write_answers = high_pipe()
        ends = (str(read_commands), str(write_answers))
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, *ends, program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(read_commands, write_answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._commands = os.fdopen(write_commands, "wb", buffering=0)
        self._answers = os.fdopen(read_answers, "rb")
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=20)
        self._commands.close()
        self._answers.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; what the page reports meanwhile is kept in `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        received = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium closed its pipe"
            received += byte
        message: dict[str, Any] = json.loads(received)
        return message

    def show(self, file: Path, width: int, scheme: str = "light") -> None:
        """Open `file` in a window of `width` pixels; come back when its figures are drawn or have failed."""
        self.events.clear()
        self.resize(width)
        self.prefer(scheme)
        self.call("Page.navigate", url=file.as_uri())
        there = f"location.href === {json.dumps(file.as_uri())}"
        self.wait_for(f"{there} && document.documentElement?.dataset.figures")

    def wait_for(self, condition: str) -> None:
        """Come back when a JavaScript condition holds; the test's timeout is the limit."""
        look = f"const look = () => {condition} ? done() : setTimeout(look, 20);"
        self.evaluate(f"new Promise((done) => {{ {look} look(); }})")

    def resize(self, width: int) -> None:
        """Give the window another width in CSS pixels; a narrow one is a phone's."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)

    def prefer(self, scheme: str) -> None:
        """Set the reader's preference, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited when it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, file: Path) -> None:
        """Save the whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def troubles(self) -> list[dict[str, Any]]:
        """Exceptions, errors on the console, and refused loads since the page was opened."""
        return [
            event
            for event in self.events
            if event["method"] in {"Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed"}
            or (
                event["method"] == "Runtime.consoleAPICalled"
                and event["params"]["type"] in {"error", "assert"}
            )
        ]

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]


def high_pipe() -> tuple[int, int]:
    """A pipe whose descriptors lie above those that the launcher overwrites."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests of this file."""
    program = next(
        filter(None, map(shutil.which, ("/usr/bin/chromium", "chromium", "chromium-browser"))), None
    )
    if program is None:
        missing = "no Chromium: the report is not tried in a browser (apt-get install chromium)"
        if os.environ.get("DIURNAL_REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with Browser(program, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def record_of(hours: int, countries: int, rate: float, name: str = "app-store") -> RunRecord:
    """A run of whole hours from New Year on."""
    starts = NEW_YEAR + np.arange(hours, dtype=np.int64) * HOUR
    phases = (starts // HOUR % 24)[:, None] / 12 * np.pi - np.arange(countries) / countries * 2 * np.pi
    expected = rate * (1.05 + np.cos(phases))
    drawn = np.random.default_rng(4).poisson(expected).astype(np.int64)
    events = int(drawn.sum())
    return RunRecord(
        name=name,
        seed=42,
        users=10_000,
        engine="1",
        start=NEW_YEAR,
        end=NEW_YEAR + hours * HOUR,
        hours=starts,
        countries=tuple(f"{name} {index}" for index in range(countries)),
        expected=expected,
        drawn=drawn,
        event_types={"app_open": events},
        expected_event_types={"app_open": 1.0},
        device_types={"phone": events},
        messages=events,
        bytes=352 * events,
        usd="0.0075",
        wall_seconds=41.3,
        sink="files:out",
        next_command="diurnal run manifests/examples/app-store.yaml --sink files:out --state out/state "
        + 80 * "x",
    )


HOSTILE = "</script><img src=https://example.com/x onerror=\"document.title='taken'\">"
RUNS = {
    "day": record_of(24, 60, 30.0),
    "year": record_of(8_760, 20, 5.0),
    "no events": record_of(24, 3, 0.0),
    "one country": record_of(2, 1, 50.0),
    "hostile": record_of(24, 3, 50.0, HOSTILE),
}


@dataclass(frozen=True)
class Visit:
    """What a reader met on the report of one run: on a phone, then on a desk."""

    state: str
    all_plots_drawn: bool
    troubles: list[dict[str, Any]]
    requests: list[str]
    phone_width: int


@pytest.fixture(scope="module")
def visits(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Visit]:
    """One visit for each run."""
    return {
        name: visit_of(browser, written(record, tmp_path_factory.mktemp("report")))
        for name, record in RUNS.items()
    }


@pytest.fixture(params=RUNS)
def visit(request: pytest.FixtureRequest, visits: dict[str, Visit]) -> Visit:
    """Each visit in turn."""
    return visits[request.param]


def visit_of(browser: Browser, file: Path) -> Visit:
    browser.show(file, PHONE)
    phone_width = browser.evaluate("document.documentElement.scrollWidth")
    browser.resize(DESK)
    return Visit(
        state=browser.evaluate("document.documentElement.dataset.figures"),
        all_plots_drawn=browser.evaluate(
            "[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('svg.main-svg'))"
        ),
        troubles=browser.troubles(),
        requests=[url for url in browser.requests() if url != file.as_uri()],
        phone_width=phone_width,
    )


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """The report of a day, as a file."""
    return written(RUNS["day"], tmp_path)


def written(record: RunRecord, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render(record, "2026-11-24 10:00 UTC"), encoding="utf-8")
    return path


def test_every_figure_is_drawn_without_trouble(visit: Visit) -> None:
    assert visit.state == "drawn"
    assert visit.all_plots_drawn
    assert visit.troubles == []


def test_the_page_asks_for_nothing_but_itself(visit: Visit) -> None:
    assert [url for url in visit.requests if not url.startswith("data:")] == []


def test_a_phone_never_scrolls_sideways(visit: Visit) -> None:
    assert visit.phone_width == PHONE


def test_names_of_users_run_no_script(browser: Browser, tmp_path: Path) -> None:
    browser.show(written(RUNS["hostile"], tmp_path), DESK)
    assert browser.evaluate("document.title").startswith("</script><img")
    assert browser.evaluate("document.querySelectorAll('img').length") == 0


def test_all_points_of_a_day_are_there(browser: Browser, day: Path) -> None:
    browser.show(day, DESK)
    assert browser.evaluate("document.querySelectorAll('#rate .xy .point').length") == 24


def test_figures_follow_the_readers_preference(browser: Browser, day: Path) -> None:
    browser.show(day, DESK, "dark")
    assert ink_and_paper(browser) == ("rgb(236, 234, 228)", "rgb(17, 20, 24)")
    browser.prefer("light")
    light = "'rgb(22, 24, 29)'"
    browser.wait_for(f"getComputedStyle(document.querySelectorAll('#rate .js-line')[2]).stroke === {light}")
    assert ink_and_paper(browser) == ("rgb(22, 24, 29)", "rgb(255, 255, 255)")


def ink_and_paper(browser: Browser) -> tuple[str, str]:
    """The colour of the expected line, and of the page behind it."""
    ink = browser.evaluate("getComputedStyle(document.querySelectorAll('#rate .js-line')[2]).stroke")
    return ink, browser.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_keyboard_opens_the_tables(browser: Browser, day: Path) -> None:
    browser.show(day, DESK)
    browser.evaluate("document.querySelector('summary').focus()")
    for kind in ("keyDown", "keyUp"):
        enter = {"key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
        browser.call("Input.dispatchKeyEvent", type=kind, **enter)
    assert browser.evaluate("document.querySelector('details').open")


def test_a_screen_reader_finds_a_description_of_every_figure(browser: Browser, day: Path) -> None:
    browser.call("Accessibility.enable")
    browser.show(day, DESK)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    images = [
        node["name"]["value"] for node in nodes if node.get("role", {}).get("value") in {"img", "image"}
    ]
    assert len(images) == browser.evaluate("document.querySelectorAll('.plot').length")
    assert all(images)


def test_a_browser_that_cannot_unpack_says_so_and_shows_the_tables(browser: Browser, day: Path) -> None:
    broken = day.read_text(encoding="utf-8").replace("new DecompressionStream", "new Missing")
    day.write_text(broken, encoding="utf-8")
    browser.show(day, DESK)
    assert "could not be drawn" in browser.evaluate("document.getElementById('trouble').textContent")
    assert browser.evaluate("[...document.querySelectorAll('details')].every((details) => details.open)")

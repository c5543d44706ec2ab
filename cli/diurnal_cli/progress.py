"""What a run shows while it runs: a live panel, plain lines, or JSON lines.

The runner makes one `Progress` and calls `update` as often as it likes, then `finish` once, also after an
error: the live panel holds the terminal until then. Time comes in by the snapshots; no clock is read here.
"""

import json
from dataclasses import asdict, dataclass
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from diurnal_cli import amounts

SECONDS_BETWEEN_LINES = 5.0
"""Real seconds from one plain or JSON line to the next."""
_BAR_WIDTH = 32


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment. Instants in simulated microseconds; `speed` in simulated seconds a second.

    `clock` is the position of the run, `positions` those of its shards; `end` is None for a run without one.
    `elapsed` is real time since the run began, in seconds; `state` is a word such as Running or Throttled.
    All numbers are finite.
    """

    clock: int
    end: int | None
    start: int
    positions: tuple[int, ...]
    messages: int
    bytes: int
    usd: float
    events_per_second: float
    speed: float
    elapsed: float
    state: str


class Progress(Protocol):
    """Shows snapshots of one run."""

    def update(self, snapshot: Snapshot) -> None:
        """Show where the run is."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show where the run ended, and leave the terminal as it was."""


def make_progress(stream: TextIO, is_terminal: bool, output: str) -> Progress:  # noqa: FBT001 - a fact of the stream
    """The way to show progress on `stream`: JSON for `output` "json", else live on a terminal, else lines."""
    if output == "json":
        return LineProgress(stream, as_json)
    if is_terminal:
        return LiveProgress(stream)
    return LineProgress(stream, as_line)


class LiveProgress:
    """A panel that rich draws over itself; its last state stays on the terminal."""

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        """Draw on `stream`, which is taken for a terminal; `width` in columns, else the terminal's own."""
        console = Console(file=stream, force_terminal=True, width=width, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def update(self, snapshot: Snapshot) -> None:
        """Draw the panel anew."""
        self._live.start()
        self._live.update(panel(snapshot), refresh=True)

    def finish(self, snapshot: Snapshot) -> None:
        """Draw the panel a last time and give the cursor back."""
        self.update(snapshot)
        self._live.stop()


class LineProgress:
    """One line every 5 s, and only if something changed; the last line always."""

    def __init__(self, stream: TextIO, write: "LineFormat") -> None:
        """Write to `stream` what `write` makes of a snapshot."""
        self._stream = stream
        self._write = write
        self._last: Snapshot | None = None

    def update(self, snapshot: Snapshot) -> None:
        """Print a line if one is due."""
        if self._last is None or is_due(self._last, snapshot):
            self._print(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        """Print the last line, unless it stands there already."""
        if snapshot != self._last:
            self._print(snapshot)

    def _print(self, snapshot: Snapshot) -> None:
        self._stream.write(self._write(snapshot) + "\n")
        self._stream.flush()
        self._last = snapshot


class LineFormat(Protocol):
    """Makes one line, without its end, of a snapshot."""

    def __call__(self, snapshot: Snapshot, /) -> str:
        """The line."""


def is_due(last: Snapshot, now: Snapshot) -> bool:
    """A new state is told at once; all else after 5 s, if the clock, the shards or the count moved."""
    if now.state != last.state:
        return True
    moved = (now.clock, now.positions, now.messages) != (last.clock, last.positions, last.messages)
    return moved and now.elapsed - last.elapsed >= SECONDS_BETWEEN_LINES


def fraction_done(snapshot: Snapshot) -> float | None:
    """How much of the simulated span is behind (0 to 1); None without an end."""
    if snapshot.end is None:
        return None
    span = snapshot.end - snapshot.start
    return 1.0 if span <= 0 else min(max((snapshot.clock - snapshot.start) / span, 0.0), 1.0)


def seconds_left(snapshot: Snapshot) -> float | None:
    """Real seconds to the end at the present speed; None without an end or while the clock stands."""
    if snapshot.end is None:
        return None
    ahead = max(snapshot.end - snapshot.clock, 0) / 1e6
    if ahead == 0:
        return 0.0
    return ahead / snapshot.speed if snapshot.speed > 0 else None


def spread_seconds(snapshot: Snapshot) -> float:
    """Simulated seconds from the furthest shard back to the last."""
    return (max(snapshot.positions) - min(snapshot.positions)) / 1e6 if snapshot.positions else 0.0


def speed_words(speed: float) -> str:
    """Simulated over real time: "1,440x real time"."""
    return f"{amounts.significant(speed)}x real time"


def money(usd: float) -> str:
    """Dollars to the cent, or to two digits that matter below a cent: "$12.30", "$0.0021"."""
    return f"${usd:,.2f}" if usd >= 0.995 or usd == 0 else f"${amounts.significant(float(f'{usd:.2g}'))}"


def shards_words(snapshot: Snapshot) -> str:
    """How many shards there are, where the last one is, and how far they lie apart."""
    number = len(snapshot.positions)
    if number == 0:
        return "none yet"
    if number == 1:
        return "1"
    last = amounts.instant(min(snapshot.positions))
    return f"{number}, the last at {last}, {amounts.duration(spread_seconds(snapshot))} apart"


def as_line(snapshot: Snapshot) -> str:
    """One plain line, short enough for a log."""
    parts = [
        f"{snapshot.state}: {amounts.instant(snapshot.clock)}",
        *_towards_end(snapshot),
        speed_words(snapshot.speed),
        f"{amounts.count(round(snapshot.events_per_second))} events/s",
        f"{amounts.count(snapshot.messages)} sent ({amounts.size(snapshot.bytes)}, {money(snapshot.usd)})",
    ]
    if len(snapshot.positions) > 1:
        apart = amounts.duration(spread_seconds(snapshot))
        parts.append(f"{len(snapshot.positions)} shards {apart} apart")
    return ", ".join(parts)


def _towards_end(snapshot: Snapshot) -> list[str]:
    done, left = fraction_done(snapshot), seconds_left(snapshot)
    if done is None:
        return []
    percent = f"{int(1000 * done) / 10:.1f} %"
    return [percent, f"{amounts.duration(max(round(left), 1))} left"] if left else [percent]


def as_json(snapshot: Snapshot) -> str:
    """One JSON object with the fields of `Snapshot`, instants in RFC 3339, and what follows from them."""
    fields = {_camel(name): value for name, value in asdict(snapshot).items()}
    times = {name: _rfc3339(fields[name]) for name in ("clock", "end", "start")}
    positions = [_rfc3339(position) for position in snapshot.positions]
    derived = {"fraction": fraction_done(snapshot), "secondsLeft": seconds_left(snapshot)}
    return json.dumps({**fields, **times, "positions": positions, **derived}, allow_nan=False)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _rfc3339(instant: int | None) -> str | None:
    return None if instant is None else f"{amounts.moment(instant):%Y-%m-%dT%H:%M:%S.%f}Z"


def panel(snapshot: Snapshot) -> RenderableType:
    """The live panel: four rows of name and value, under them a bar to the end when there is one."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True, min_width=len("Completed"))
    rows.add_column(overflow="fold")
    rows.add_row(Text(snapshot.state, style=_style(snapshot.state)), Text(amounts.instant(snapshot.clock)))
    pace = f"{speed_words(snapshot.speed)}, {amounts.count(round(snapshot.events_per_second))} events/s"
    rows.add_row("Pace", pace)
    sent = f"{amounts.count(snapshot.messages)} events, {amounts.size(snapshot.bytes)}, {money(snapshot.usd)}"
    rows.add_row("Sent", sent)
    rows.add_row("Shards", shards_words(snapshot))
    done = fraction_done(snapshot)
    return rows if done is None else Group(rows, _bar(done, snapshot))


def _bar(done: float, snapshot: Snapshot) -> RenderableType:
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(
        total=1.0, completed=done, width=_BAR_WIDTH, complete_style="cyan", finished_style="green"
    )
    row.add_row(bar, Text(", ".join(_towards_end(snapshot)), style="dim"))
    return row


def _style(state: str) -> str:
    return {"Running": "bold cyan", "Completed": "bold green", "Throttled": "bold yellow"}.get(state, "bold")

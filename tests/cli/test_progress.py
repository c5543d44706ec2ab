"""What a run shows while it runs. Time comes in by the snapshots, so nothing here waits."""

import io
import json
from dataclasses import replace

import pytest

from diurnal_cli.progress import (
    LineProgress,
    LiveProgress,
    Snapshot,
    as_json,
    as_line,
    fraction_done,
    is_due,
    make_progress,
    money,
    seconds_left,
    spread_seconds,
)

NEW_YEAR = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""
HOUR = 3_600_000_000
HALFWAY = Snapshot(
    clock=NEW_YEAR + 12 * HOUR,
    end=NEW_YEAR + 24 * HOUR,
    start=NEW_YEAR,
    positions=(NEW_YEAR + 12 * HOUR, NEW_YEAR + 12 * HOUR + 420_000),
    messages=284_000,
    bytes=100_246_912,
    usd=0.0037,
    events_per_second=20_345.4,
    speed=1_440.0,
    elapsed=30.0,
    state="Running",
)


def test_half_of_the_span_is_half_done() -> None:
    assert fraction_done(HALFWAY) == 0.5


def test_a_run_without_an_end_has_no_fraction_and_no_time_left() -> None:
    endless = replace(HALFWAY, end=None)
    assert fraction_done(endless) is None
    assert seconds_left(endless) is None


def test_an_empty_span_is_done() -> None:
    assert fraction_done(replace(HALFWAY, end=NEW_YEAR)) == 1.0


def test_time_left_is_what_lies_ahead_at_the_present_speed() -> None:
    assert seconds_left(HALFWAY) == pytest.approx(12 * 3600 / 1_440)


def test_nobody_knows_the_time_left_while_the_clock_stands() -> None:
    assert seconds_left(replace(HALFWAY, speed=0.0)) is None


def test_at_the_end_no_time_is_left_at_any_speed() -> None:
    assert seconds_left(replace(HALFWAY, clock=NEW_YEAR + 24 * HOUR, speed=0.0)) == 0.0


def test_the_spread_is_the_distance_between_first_and_last_shard() -> None:
    assert spread_seconds(HALFWAY) == pytest.approx(0.42)
    assert spread_seconds(replace(HALFWAY, positions=())) == 0.0


@pytest.mark.parametrize(
    ("usd", "words"),
    [(0.0, "$0.00"), (0.00213, "$0.0021"), (0.5, "$0.5"), (12.3, "$12.30"), (1e4, "$10,000.00")],
)
def test_money_shows_cents_or_what_matters_below_them(usd: float, words: str) -> None:
    assert money(usd) == words


def test_a_line_says_where_the_run_is() -> None:
    assert as_line(HALFWAY) == (
        "Running: 2026-01-01 12:00:00 UTC, 50.0 %, 30 s left, 1,440x real time, 20,345 events/s, "
        "284,000 sent (100 MB, $0.0037), 2 shards 0.42 s apart"
    )


def test_a_run_is_not_said_to_be_whole_before_it_is() -> None:
    assert "99.9 %" in as_line(replace(HALFWAY, clock=NEW_YEAR + 24 * HOUR - 1))


def test_json_lines_carry_every_field_under_stable_names() -> None:
    line = json.loads(as_json(HALFWAY))
    assert line == {
        "clock": "2026-01-01T12:00:00.000000Z",
        "end": "2026-01-02T00:00:00.000000Z",
        "start": "2026-01-01T00:00:00.000000Z",
        "positions": ["2026-01-01T12:00:00.000000Z", "2026-01-01T12:00:00.420000Z"],
        "messages": 284_000,
        "bytes": 100_246_912,
        "usd": 0.0037,
        "eventsPerSecond": 20_345.4,
        "speed": 1_440.0,
        "elapsed": 30.0,
        "state": "Running",
        "fraction": 0.5,
        "secondsLeft": 30.0,
    }


def test_a_json_line_of_an_endless_run_has_null_for_its_end() -> None:
    line = json.loads(as_json(replace(HALFWAY, end=None)))
    assert (line["end"], line["fraction"], line["secondsLeft"]) == (None, None, None)


def test_a_line_is_due_after_five_seconds_if_something_moved() -> None:
    moved = replace(HALFWAY, clock=HALFWAY.clock + HOUR)
    assert not is_due(HALFWAY, replace(moved, elapsed=34.9))
    assert is_due(HALFWAY, replace(moved, elapsed=35.0))


def test_a_run_that_stands_still_is_silent() -> None:
    assert not is_due(HALFWAY, replace(HALFWAY, elapsed=3_600.0))


def test_a_new_state_is_told_at_once() -> None:
    assert is_due(HALFWAY, replace(HALFWAY, state="Draining"))


def test_lines_come_every_five_seconds_and_at_the_end() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, as_line)
    for second in range(12):
        progress.update(replace(HALFWAY, clock=HALFWAY.clock + second * 1_000_000, elapsed=30.0 + second))
    progress.finish(replace(HALFWAY, clock=HALFWAY.clock + HOUR, elapsed=42.0, state="Completed"))
    states = [line.split(", ")[0] for line in stream.getvalue().splitlines()]
    assert states == [
        "Running: 2026-01-01 12:00:00 UTC",
        "Running: 2026-01-01 12:00:05 UTC",
        "Running: 2026-01-01 12:00:10 UTC",
        "Completed: 2026-01-01 13:00:00 UTC",
    ]


def test_the_last_line_is_not_said_twice() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, as_line)
    progress.update(HALFWAY)
    progress.finish(HALFWAY)
    assert len(stream.getvalue().splitlines()) == 1


def test_plain_lines_hold_no_control_characters() -> None:
    stream = io.StringIO()
    make_progress(stream, is_terminal=False, output="text").finish(HALFWAY)
    assert stream.getvalue().strip().isprintable()


def test_json_is_written_even_to_a_terminal() -> None:
    stream = io.StringIO()
    make_progress(stream, is_terminal=True, output="json").finish(HALFWAY)
    assert json.loads(stream.getvalue())["state"] == "Running"


def test_a_terminal_gets_the_live_panel() -> None:
    assert isinstance(make_progress(io.StringIO(), is_terminal=True, output="text"), LiveProgress)


def test_the_live_panel_shows_clock_pace_spending_and_shards() -> None:
    stream = io.StringIO()
    LiveProgress(stream, width=100).finish(HALFWAY)
    shown = stream.getvalue()
    for words in (
        "2026-01-01 12:00:00 UTC",
        "1,440x real time, 20,345 events/s",
        "284,000 events, 100 MB, $0.0037",
        "2, the last at 2026-01-01 12:00:00 UTC, 0.42 s apart",
        "50.0 %, 30 s left",
    ):
        assert words in shown


def test_the_cursor_comes_back_when_the_run_ends() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, width=100)
    progress.update(HALFWAY)
    progress.finish(replace(HALFWAY, state="Completed"))
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_an_endless_run_has_no_bar() -> None:
    stream = io.StringIO()
    LiveProgress(stream, width=100).finish(replace(HALFWAY, end=None))
    assert "━" not in stream.getvalue()
    assert "left" not in stream.getvalue()

"""Tallies count what lies before the clock, once, whenever it is asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from diurnal_worker.events import EVENT_TYPES, Events
from diurnal_worker.tally import HOUR, Tally
from diurnal_worker.timeline import ALL_SLOTS
from harness import START, Run, spec

RUN = Run(spec(hours=3), 1)
MAKER = RUN.workshop.maker


def events() -> list[Events]:
    timeline = RUN.workshop.timeline
    return [MAKER.make(timeline.arrivals(s, ALL_SLOTS)) for s in timeline.stretches(START)]


def counted(records: list[dict[str, Any]], opened: dict[str, Any], what: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for counts in [*records, *opened.values()]:
        found.update(counts[what])
    return found


def test_every_event_before_the_clock_is_counted_once() -> None:
    tally, all_events = Tally(MAKER), events()
    for part in all_events:
        tally.add(part)
    clock = START + HOUR + 1_234_567_890
    records, _ = tally.settle(START + HOUR // 3)
    more, opened = tally.settle(clock)
    expected = Counter(
        EVENT_TYPES[kind]
        for part in all_events
        for time, kind in zip(part.times.tolist(), part.types.tolist(), strict=True)
        if time < clock
    )
    assert counted(records + more, opened, "event_types") == expected
    for what in ("countries", "device_types"):
        assert counted(records + more, opened, what).total() == expected.total()


def test_hours_that_are_over_leave_and_the_open_one_stays() -> None:
    tally = Tally(MAKER)
    for part in events():
        tally.add(part)
    records, opened = tally.settle(START + 2 * HOUR + 1)
    assert [record["hour"] for record in records] == [START, START + HOUR]
    assert set(opened) <= {str(START + 2 * HOUR)}
    assert tally.settle(START + 2 * HOUR + 1)[0] == []


def test_what_a_checkpoint_left_open_is_gone_on_with() -> None:
    parts = events()
    whole = Tally(MAKER)
    for part in parts:
        whole.add(part)
    expected = whole.settle(START + 3 * HOUR)[0]

    clock = START + HOUR // 2 + 77
    first = Tally(MAKER)
    for part in parts:
        first.add(part)
    records, opened = first.settle(clock)
    second = Tally(MAKER, opened)
    for part in parts:
        second.add(part.part(slice(int((part.times < clock).sum()), None)))
    assert records + second.settle(START + 3 * HOUR)[0] == expected

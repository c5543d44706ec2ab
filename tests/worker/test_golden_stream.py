"""The stream itself, pinned: these digests never change without a new ENGINE.

Which events occur, with which fields and ids, is what a seed promises: a run that is resumed, rescaled or
repeated years later, by another version of this software on another machine, must produce the same ones.
Each file in `golden/` names a world and has the SHA-256 of its events in some ticks: canonical JSON lines of
all fields but generation_timestamp. Whoever changes one of them changes the promise, and ENGINE with it.

Two things outside are part of a stream, and said by the plan: the dataset's bytes, whose digest each file
repeats, and the rules of time zones: the moments are such that no later release of tzdata should touch them.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_api.traffic import Traffic
from diurnal_worker import ENGINE
from diurnal_worker.arrivals import arrivals
from diurnal_worker.encoding import Encoder
from diurnal_worker.events import EventMaker
from diurnal_worker.intensity import Intensity
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from diurnal_worker.traffic import intensity_of
from reference import instant

pytestmark = pytest.mark.usefixtures("either_way")

GOLDEN = sorted(Path(__file__).parent.joinpath("golden").glob("*.json"))
GENERATED = 1_790_000_000_000_000


@cache
def promised(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def built(golden: dict[str, Any]) -> tuple[World, Intensity]:
    world = World.build(load("world-2025"), golden["users"], golden["seed"])
    return world, intensity_of(world, Traffic.model_validate(golden["traffic"]))


def lines(world: World, intensity: Intensity, at: int, slots: range) -> list[bytes]:
    """Canonical JSON of every event of the tick that holds `at`: sorted keys, no spaces, no wall clock."""
    maker = EventMaker(world, EVENT_TYPE_WEIGHTS, DEVICE_TYPE_WEIGHTS)
    events = maker.make(arrivals(world, intensity, at // intensity.tick, slots))
    rows = Encoder(maker, "JSON", "lines").encode(events, GENERATED)
    found = [json.loads(line) for line in bytes(rows.slice(0, len(events))).splitlines()]
    for event in found:
        assert event.pop("generation_timestamp") == GENERATED
    return [json.dumps(event, sort_keys=True, separators=(",", ":")).encode() + b"\n" for event in found]


def digest(of: list[bytes]) -> str:
    return hashlib.sha256(b"".join(of)).hexdigest()


def test_the_files_are_of_this_engine_and_there_are_some() -> None:
    assert len(GOLDEN) >= 8
    assert {promised(path)["engine"] for path in GOLDEN} == {ENGINE}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_stream_is_what_it_always_was(path: Path) -> None:
    golden = promised(path)
    assert load("world-2025").sha256 == golden["dataset_sha256"], "not the stream but the dataset has changed"
    world, intensity = built(golden)
    assert intensity.tick == golden["tick_microseconds"]
    for tick in golden["ticks"]:
        found = lines(world, intensity, instant(tick["at"]), range(*tick["slots"]))
        assert len(found) == tick["events"]
        assert [json.loads(line) for line in found[:1]] == tick["first"]
        assert digest(found) == tick["sha256"]

"""Standard output as a sink, through real pipes; and the sink that keeps nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from diurnal_worker.sinks import NOTHING_YET, Batch, PermanentSinkError, Sink
from diurnal_worker.sinks.discard import DiscardSink
from diurnal_worker.sinks.stdout import StdoutSink

PIPED = """
import sys
from diurnal_worker.sinks import Batch, PermanentSinkError
from diurnal_worker.sinks.stdout import StdoutSink
sink = StdoutSink()
try:
    for number in range(100_000):
        sink.send(Batch(memoryview(b"a line\\n" * 100), 100, number))
except PermanentSinkError as error:
    sys.stderr.write(f"{error.reason}: {error}\\n")
    try:
        StdoutSink().send(Batch(memoryview(b"a line\\n"), 1, 1))
    except PermanentSinkError as again:
        sys.exit(f"and again: {again.reason}")
"""


@pytest.mark.parametrize("sink", [StdoutSink(io.BytesIO()), DiscardSink()], ids=["stdout", "discard"])
def test_it_is_a_sink_and_acknowledges_what_it_took(sink: StdoutSink | DiscardSink) -> None:
    assert isinstance(sink, Sink)
    assert sink.acknowledged() == NOTHING_YET
    sink.send(Batch(memoryview(b"{}\n{}\n"), 2, 10))
    assert sink.acknowledged() == 10
    assert sink.drain(0)
    assert (sink.counters.messages, sink.counters.bytes) == (2, 6)
    sink.close()


def test_lines_arrive_as_they_are_and_in_order() -> None:
    output = io.BytesIO()
    sink = StdoutSink(output)
    sink.send(Batch(memoryview(b"one\n"), 1, 1))
    sink.send(Batch(memoryview(b"two\n"), 1, 2))
    assert output.getvalue() == b"one\ntwo\n"


def test_a_reader_that_goes_away_ends_the_run_cleanly_and_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PIPED], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a line\n"
        process.stdout.close()
        said, again = process.stderr.read().decode().splitlines()
    assert said.startswith("OutputClosed: whoever read the output closed it")
    assert again == "and again: OutputClosed", "a worker that tries again does not write into nothing"
    assert process.returncode == 1


def test_a_full_disk_behind_it_is_said_to_be_its_own() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", PIPED], stdout=full, stderr=subprocess.PIPE, check=False)
    said, again = done.stderr.decode().splitlines()
    assert said == "OutputFailed: standard output could not be written: No space left on device"
    assert again == "and again: OutputFailed"


def test_what_was_written_before_the_reader_went_away_is_still_acknowledged() -> None:
    output = io.BytesIO()
    sink = StdoutSink(output)
    sink.send(Batch(memoryview(b"one\n"), 1, 1))
    output.close()
    with pytest.raises(PermanentSinkError, match="closed it") as caught:
        sink.send(Batch(memoryview(b"two\n"), 1, 2))
    assert (caught.value.reason, caught.value.until, sink.acknowledged()) == ("OutputClosed", 1, 1)

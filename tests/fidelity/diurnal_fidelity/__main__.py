"""`make fidelity`: watches the engine, judges it, plants the defects, and writes the page.

Exits with 1 if the engine is rejected or a defect is not found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from diurnal_fidelity import asking, pictures, report
from diurnal_fidelity.asking import Done, Part
from diurnal_fidelity.defects import DEFECTS
from diurnal_fidelity.raw.directions import DIRECTIONS
from diurnal_fidelity.verdict import Judged, rejected

NOTES = Path(__file__).with_name("notes.md")
Found = dict[str, tuple[int, Sequence[Judged]]]


USUAL = 1e9


def main(arguments: Sequence[str]) -> int:
    """Runs everything."""
    options = _options(arguments)
    console = Console()
    begun = time.monotonic()
    with _shown(console) as progress:
        part = _engine(options, progress)
        defects = _defects(options, progress)
    how = _circumstances(options, time.monotonic() - begun)
    _write(options.to, options.json or options.to / "fidelity.json", part, defects, how)
    return _tell(console, part, defects, options.to)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fidelity", description=__doc__)
    parser.add_argument("--events", type=float, default=USUAL, help="events of the engine to look at")
    parser.add_argument(
        "--defect-events", type=float, help="events of each defect; by default a hundredth, at least 5e6"
    )
    parser.add_argument(
        "--words", type=float, help="raw words of each direction; by default events / 256, at least 2^16"
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--to", type=Path, default=Path("out/fidelity"), help="folder of the page and its pictures"
    )
    parser.add_argument("--json", type=Path, help="file of all p-values; by default beside the page")
    parser.add_argument("--no-defects", action="store_true")
    options = parser.parse_args(arguments)
    options.words = int(options.words or max(2**16, options.events / 256))
    options.defect_events = options.defect_events or max(5e6, options.events / 100)
    return options


def _engine(options: argparse.Namespace, progress: Progress) -> Part:
    stretches = asking.stretches(options.events)
    users = asking.of_users(max(2**16, min(2**21, int(options.events / 256))))
    words = asking.of_words(
        options.words, options.processes, _bar(progress, "raw words", options.words * len(DIRECTIONS))
    )
    events = asking.of_events(stretches, options.processes, _bar(progress, "events", options.events))
    return asking.joined([events, users, words])


def _defects(options: argparse.Namespace, progress: Progress) -> Found:
    found: Found = {}
    for name in () if options.no_defects else DEFECTS:
        seen: list[int] = []
        bar = _bar(progress, name, options.defect_events)

        def done(events: int, seen: list[int] = seen, bar: Done = bar) -> None:
            seen.append(events)
            bar(events)

        answers = asking.of_defect(name, options.defect_events, options.processes, done)
        found[name] = sum(seen), answers
    return found


@contextmanager
def _shown(console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress


def _bar(progress: Progress, name: str, total: float) -> Done:
    """A bar; where nobody could see it move, a line for each tenth."""
    task, told = progress.add_task(name, total=int(total)), 0

    def done(events: int) -> None:
        nonlocal told
        progress.advance(task, events)
        tenths = int(progress.tasks[task].percentage / 10)
        if tenths > told and not progress.console.is_terminal:
            told = tenths
            progress.console.print(f"{name}: {10 * tenths} %")

    return done


def _circumstances(options: argparse.Namespace, seconds: float) -> report.Circumstances:
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return report.Circumstances(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command="make fidelity" + ("" if options.events == USUAL else f" EVENTS={options.events:g}"),
        machine=machine(),
        commit=commit(),
        processes=options.processes,
        seconds=seconds,
        peak_mb=peak / 1024,
    )


def machine() -> str:
    """What it ran on, in words."""
    model = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{os.cpu_count()} x {model[0] if model else 'unknown'}, load {os.getloadavg()[0]:.1f} at the end"


def commit() -> str:
    """The commit of the tree, short."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _write(to: Path, data: Path, part: Part, defects: Found, how: report.Circumstances) -> None:
    (to / "images").mkdir(parents=True, exist_ok=True)
    (to / "fidelity.md").write_text(report.page(part, defects, how, NOTES.read_text()))
    (to / "images" / "fidelity-p-values.svg").write_text(pictures.of_p_values(part.answers))
    (to / "images" / "fidelity-residuals.svg").write_text(pictures.of_residuals(part.residuals))
    everything = {
        "how": asdict(how),
        "seen": [asdict(seen) for seen in part.seen],
        "answers": [asdict(answer) for answer in part.answers],
        "defects": {name: [asdict(answer) for answer in answers] for name, (_, answers) in defects.items()},
    }
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps(everything, indent=1))


def _tell(console: Console, part: Part, defects: Found, to: Path) -> int:
    for answer in rejected(part.answers):
        console.print(
            f"rejected: {answer.part}, {answer.kind}: {answer.question}, p = {answer.p:.1e}", style="red"
        )
    missed = [name for name, (_, answers) in defects.items() if not report.found(answers)]
    for name in missed:
        console.print(f"not found: {name}", style="red")
    sound = report.is_sound(part) and not missed
    verdict = "sound" if report.is_sound(part) else "rejected"
    console.print(
        f"The engine is {verdict}; {len(defects) - len(missed)} of {len(defects)} planted defects are found. "
        f"{to}/fidelity.md"
    )
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

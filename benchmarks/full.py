"""`make bench`: everything that `bench-quick` measures and more, several times, with its spread.

One round measures every part once, few parts to a process; ratios are formed within a round, where the
machine's load is the same, and their median and range over the rounds are what counts. Writes
docs/performance.md and docs/performance.json. DIURNAL_BENCH_ROUNDS and DIURNAL_BENCH_SECONDS (of CPU, a part)
make it longer or shorter; DIURNAL_BENCH_TICK names a Python that has `tick` (see with_tick.py).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import page
import parts
from low_rate import low_rate
from quick import measure, noop_server, ratios

ROUNDS = max(int(os.environ.get("DIURNAL_BENCH_ROUNDS", "5")), 1)
DOCS = Path(__file__).parent.parent / "docs"
COMPUTED = (
    *("textbook_generation", "python_thinning", "numpy_thinning", "diurnal_generation", "one_shard_of_eight"),
    *("json_encoding", "avro_encoding", "copied_bytes"),
)
PUBLISHED = (
    *("textbook_end_to_end", "library_publish", "diurnal_end_to_end"),
    *("grpc_ceiling", "sink_with_ready_batches"),
)
WITH_KERNEL = ("diurnal_generation", "one_shard_of_eight", "json_encoding", "avro_encoding")
Round = dict[str, float]


def one_round(address: str, secured: str, *, kernel: bool) -> Round:
    """Every figure once. Names ending in _kernel are with the compiled kernel."""
    computed = measure(address, *COMPUTED, "year_of_counts", "steps", "resuming")
    rates = _rates(computed, COMPUTED) | _rates(measure(address, *PUBLISHED), PUBLISHED)
    rates |= _rates(measure(address, "sink_over_tls", DIURNAL_BENCH_TLS=secured), ("sink_over_tls",))
    rss_mb = measure(address, "memory")["memory"]["rss_mb"]
    begun = time.time()
    first = measure(address, "first_event")["first_event"]["acknowledged_at"] - begun
    figures: Round = rates | ratios(rates, rss_mb, first)
    figures["rss_mb_of_few_users"] = measure(address, "memory_of_few")["memory_of_few"]["rss_mb"]
    figures["year_of_counts_seconds"] = computed["year_of_counts"]["seconds"]
    figures["generation_vs_numpy_thinning"] = rates["diurnal_generation"] / rates["numpy_thinning"]
    figures["shard_of_eight_vs_whole"] = rates["one_shard_of_eight"] / rates["diurnal_generation"]
    figures |= {f"step: {step}": spent for step, spent in computed["steps"].items()}
    figures |= {f"resume: {world}": seconds for world, seconds in computed["resuming"].items()}
    figures |= low_rate(address)
    return figures | (_with_kernel(address, rates) if kernel else {})


def _rates(measured: dict[str, parts.Figures], names: tuple[str, ...]) -> dict[str, float]:
    return {name: measured[name]["per_cpu_second"] for name in names}


def _with_kernel(address: str, rates: dict[str, float]) -> Round:
    computed = measure(address, "--kernel", *WITH_KERNEL, "steps")
    published = measure(address, "--kernel", "diurnal_end_to_end")
    own = _rates(computed, WITH_KERNEL) | _rates(published, ("diurnal_end_to_end",))
    same = ratios(rates | own, measure(address, "--kernel", "memory")["memory"]["rss_mb"], 0.0)
    compared = ("generation_vs_textbook", "end_to_end_vs_textbook", "end_to_end_vs_publish", "rss_mb")
    figures = {f"{name}_kernel": same[name] for name in compared}
    figures |= {f"{name}_kernel": rate for name, rate in own.items()}
    figures["generation_vs_numpy_thinning_kernel"] = own["diurnal_generation"] / rates["numpy_thinning"]
    figures["shard_of_eight_vs_whole_kernel"] = own["one_shard_of_eight"] / own["diurnal_generation"]
    return figures | {f"step: {step}_kernel": spent for step, spent in computed["steps"].items()}


def with_tick() -> float | None:
    """Events a CPU-second of `tick`, where a Python that has it is named."""
    interpreter = os.environ.get("DIURNAL_BENCH_TICK")
    if not interpreter:
        return None
    from textbook import FLOOR, PEAK_HOUR, countries

    world = countries(parts.WORLD_USERS)
    asked = {
        "weights": [country.weight for country in world],
        "shifts": [country.offset_hours - PEAK_HOUR for country in world],
        "floor": FLOOR,
        "seconds": 200.0,
    }
    done = subprocess.run(
        [interpreter, str(Path(__file__).parent / "with_tick.py")],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    rate: float = json.loads(done.stdout)["per_cpu_second"]
    return rate


def machine() -> dict[str, str]:
    """What was measured on, and how busy it was."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": model[0].split(":")[1].strip() if model else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def summary(rounds: list[Round], tick: float | None) -> dict[str, Any]:
    """The medians of what was found, and their ranges."""
    values = {name: sorted(of[name] for of in rounds) for name in rounds[0]}
    return {
        "machine": machine() | {"rounds": str(len(rounds)), "cpu_seconds_a_part": str(parts.SECONDS)},
        "median": {name: round(statistics.median(found), 4) for name, found in values.items()},
        "lowest": {name: round(found[0], 4) for name, found in values.items()},
        "highest": {name: round(found[-1], 4) for name, found in values.items()},
        "tick_per_cpu_second": tick,
    }


def main() -> None:
    """Measures, writes the page after every round, and prints the medians as JSON."""
    tick = with_tick()
    rounds: list[Round] = []
    found: dict[str, Any] = {}
    with (
        TemporaryDirectory() as folder,
        noop_server() as address,
        noop_server(of := Path(folder) / "it.pem") as tls,
    ):
        while len(rounds) < ROUNDS:
            print(f"round {len(rounds) + 1} of {ROUNDS}", file=sys.stderr)
            rounds.append(one_round(address, f"{tls} {of}", kernel=find_spec("numba") is not None))
            found = summary(rounds, tick)
            (DOCS / "performance.json").write_text(json.dumps(found, indent=1) + "\n")
            (DOCS / "performance.md").write_text(page.page(found))
    print(json.dumps(found["median"]))


if __name__ == "__main__":
    main()

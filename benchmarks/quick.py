"""`make bench-quick`: this worker beside a textbook loop, in under a minute.

Prints a table of what was measured and, as the last line, one JSON object with the ratios, which are what
carries from one machine to another.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

import parts
from diurnal_worker import ENVIRONMENT

HERE = Path(__file__).parent
ROWS = {
    "textbook_generation": "generate, textbook loop",
    "diurnal_generation": "generate, Diurnal",
    "textbook_end_to_end": "end to end, textbook loop and publish()",
    "library_publish": "publish() alone, ready messages",
    "diurnal_end_to_end": "end to end, Diurnal",
    "grpc_ceiling": "raw gRPC stub, ready requests",
    "sink_with_ready_batches": "Diurnal's sink, ready batches",
}


@contextmanager
def noop_server(*certificate: Path) -> Iterator[str]:
    """The address of a local server that acknowledges everything, in its own process; see noop_server.py."""
    command = [sys.executable, str(HERE / "noop_server.py"), "127.0.0.1", *map(str, certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"


GUARDS = {
    "generation_vs_textbook": (200, True),
    "end_to_end_vs_textbook": (50, True),
    "end_to_end_vs_publish": (12, True),
    "publish_vs_grpc_ceiling": (0.4, True),
    "rss_mb": (140, False),
    "first_event_seconds": (5.0, False),
}
"""What CI refuses: (bound, whether it is a lower one). Wide, for its machines are shared and slow."""
MORE_GUARDS = {
    "generation_vs_numpy_thinning": (0.8, True),
    "shard_of_eight_vs_whole": (0.35, True),
    "year_of_counts_seconds": (180.0, False),
    "resume_cpu_seconds": (0.4, False),
    "low_rate_cpu_percent": (4.0, False),
    "low_rate_rss_mb": (100.0, False),
}
"""The same of what else is asked: generation beside numpy's and of one shard; counting ahead, going on in the
middle, and a throttled worker, which cost little."""


def measure(address: str, *names: str, **environment: str) -> dict[str, parts.Figures]:
    """Runs parts in one process of their own, which is started as workers are."""
    environment = {**ENVIRONMENT, **os.environ, "PUBSUB_EMULATOR_HOST": address, **environment}
    command = [sys.executable, str(HERE / "parts.py"), *names]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, parts.Figures] = json.loads(done.stdout)
    return figures


def ratios(rates: dict[str, float], rss_mb: float, first_event_seconds: float) -> dict[str, float]:
    """The figures that are compared over time; the first four are ratios per client CPU-second."""
    end_to_end = rates["diurnal_end_to_end"]
    return {
        "generation_vs_textbook": round(rates["diurnal_generation"] / rates["textbook_generation"], 1),
        "end_to_end_vs_textbook": round(end_to_end / rates["textbook_end_to_end"], 1),
        "end_to_end_vs_publish": round(end_to_end / rates["library_publish"], 1),
        "publish_vs_grpc_ceiling": round(rates["sink_with_ready_batches"] / rates["grpc_ceiling"], 3),
        "rss_mb": round(rss_mb, 1),
        "first_event_seconds": round(first_event_seconds, 2),
    }


def table(rates: dict[str, float]) -> Table:
    """What was measured, one row a way of doing it."""
    drawn = Table(
        title=f"Messages per client CPU-second ({platform.machine()}, Python {platform.python_version()})"
    )
    drawn.add_column("way")
    drawn.add_column("messages", justify="right")
    for name, label in ROWS.items():
        drawn.add_row(label, f"{rates[name]:,.0f}")
    return drawn


def beyond(figures: dict[str, float]) -> list[str]:
    """The figures that are beyond their guards, in words."""
    return [
        f"{name} is {figures[name]}, {'below' if lower else 'above'} {bound}"
        for name, (bound, lower) in (GUARDS | MORE_GUARDS).items()
        if name in figures and (figures[name] < bound) == lower and figures[name] != bound
    ]


def more(address: str) -> dict[str, float]:
    """What `MORE_GUARDS` bound; half a minute."""
    from low_rate import low_rate

    generation = ("diurnal_generation", "numpy_thinning", "one_shard_of_eight")
    found = measure(address, *generation, "year_of_counts", "resuming")
    whole, thinning, one = (found[name]["per_cpu_second"] for name in generation)
    cheap = low_rate(address)
    return {
        "generation_vs_numpy_thinning": round(whole / thinning, 2),
        "shard_of_eight_vs_whole": round(one / whole, 2),
        "year_of_counts_seconds": round(found["year_of_counts"]["seconds"], 1),
        "resume_cpu_seconds": round(max(found["resuming"].values()), 4),
        **{name: cheap[name] for name in ("low_rate_cpu_percent", "low_rate_rss_mb")},
    }


def main() -> None:
    """Measures everything, one thing after another; with --guard more, and exits 1 beyond what CI allows."""
    console, guarded = Console(), "--guard" in sys.argv[1:]
    with noop_server() as address:
        rates = {}
        for name, label in ROWS.items():
            console.print(f"measuring: {label}", style="dim")
            rates[name] = measure(address, name)[name]["per_cpu_second"]
        console.print("measuring: memory and the first event", style="dim")
        rss_mb = measure(address, "memory")["memory"]["rss_mb"]
        begun = time.time()
        first_event_seconds = measure(address, "first_event")["first_event"]["acknowledged_at"] - begun
        figures = ratios(rates, rss_mb, first_event_seconds)
        if guarded:
            console.print("measuring: what else is guarded", style="dim")
            figures |= more(address)
    console.print(table(rates))
    print(json.dumps(figures))
    if guarded and (wrong := beyond(figures)):
        sys.exit("bench-quick: " + "; ".join(wrong))


if __name__ == "__main__":
    main()

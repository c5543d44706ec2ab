"""docs/scale.md, written by `make scale`."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from scale_figures import Figures

HEAD = (
    "# What the operator costs\n"
    "Written by `make scale`, which measures it. API server, etcd, controller manager "
    "(`--kube-api-qps=200 --kube-api-burst=400 --node-monitor-grace-period=10m`) and operator are "
    "real processes of one machine; the operator has its own rights only and its default settings. "
    "The nodes are [kwok](https://kwok.sigs.k8s.io)'s. The workers are fake, one process for all: for "
    "every pod that runs it takes the shard's Lease, renews it with a checkpoint every 5 s, and reads "
    "its simulation as often, as a real worker does; it publishes nothing. All simulations are "
    "created at once, in one namespace.\n"
)


def page(figures: Figures) -> str:
    """The whole page."""
    rows = (f"| {row.what} | {row.figure} | {row.bound} |" for row in figures.rows)
    return "\n".join(
        (
            HEAD,
            f"## {figures.shards:,} shards in {figures.simulations} simulations",
            "| of the operator | measured | at most |",
            "|---|---|---|",
            *rows,
            "",
            (
                f"CPU and writes afterwards: over {figures.steady:.0f} s, from a quarter of a minute after "
                "Ready on. Writes are counted by a watch on the API server."
            ),
            "",
            (
                f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, load average {os.getloadavg()[1]:.0f}; "
                "everything above shared it, with whatever else ran there."
            ),
            "",
        )
    )


def _machine() -> str:
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )

"""The page that keeps a run's table: docs/reliability.md, between two marks."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from place import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- begin: make reliability -->\n"
END = "<!-- end: make reliability -->\n"


def write(text: str, page: Path = PAGE) -> None:
    """Puts a text between the marks; the rest of the page stays."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{text}\n{END}{after}", "utf-8")


def this_machine() -> str:
    """When and on what, in a sentence."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = os.getloadavg()[2]
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores ({platform.machine()}), "
        f"{memory:.0f} GiB, load average of the last 15 minutes {load:.1f}"
    )

"""The page that keeps what was measured: docs/reliability.md, each part between two marks."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from place import ROOT

PAGE = ROOT / "docs" / "reliability.md"
ASKED = os.environ.get("DIURNAL_RELIABILITY") == "1"
"""Whether this is `make reliability`, which writes the page."""


def write(part: str, text: str, page: Path = PAGE) -> None:
    """Puts a text between the marks of a part; the rest of the page stays."""
    begin, end = f"<!-- begin: {part} -->\n", f"<!-- end: {part} -->\n"
    whole = page.read_text("utf-8")
    assert whole.find(begin) < whole.find(end), f"{page} has no place for {part}"
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}{text}\n{end}{after}", "utf-8")


def this_machine() -> str:
    """When and on what, in a sentence."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = os.getloadavg()[2]
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores ({platform.machine()}), "
        f"{memory:.0f} GiB, load average of the last 15 minutes {load:.1f}"
    )

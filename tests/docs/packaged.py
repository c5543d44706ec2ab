"""Programs for tests: of this environment or the PATH, else of Debian's package, unpacked and not installed.

Where neither is to be had a test is skipped, loudly; with DIURNAL_REQUIRE_TOOLS=1, as in CI, it fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest


@cache
def program(name: str, package: str) -> Path:
    """The path of a program; skips the test, or fails it, where there is none."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=places) or _unpacked(name, package)
    if found is None:
        missing(f"no {name} on the PATH, nor by apt-get download: apt-get install {package}")
    return Path(str(found))


def missing(text: str) -> None:
    """Ends a test for want of a program."""
    if os.environ.get("DIURNAL_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{text} (DIURNAL_REQUIRE_TOOLS=1 asks for it)")
    pytest.skip(text)


def _unpacked(name: str, package: str) -> Path | None:
    """The program out of Debian's package, kept for the next time; None where apt does not bring it."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diurnal" / package
    if not cached.exists() and shutil.which("apt-get"):
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as work:
            download = ["apt-get", "download", "-qq", package]
            if subprocess.run(download, cwd=work, capture_output=True, check=False).returncode:
                return None
            [archive] = Path(work).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, f"{work}/root"], check=True)
            with suppress(OSError):  # another process was first
                Path(work, "root").rename(cached)
    found = cached / "usr" / "bin" / name
    return found if found.exists() else None

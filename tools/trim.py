"""Takes out of an installation what a pod never uses; called by Dockerfile.worker and Dockerfile.operator.

python tools/trim.py worker|operator FOLDER-OF-THE-VIRTUAL-ENVIRONMENT

The wheel of Diurnal has all its packages; an image keeps those that its part may import (the arrows of
ARCHITECTURE.md) and its one command. Of others' packages go their own tests and what only compilers and
type checkers read.
"""

# ruff: noqa: INP001  (a script, not a package)

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGES: Final = {"diurnal_api", "diurnal_cli", "diurnal_operator", "diurnal_worker"}
KEPT: Final = {
    "worker": {"diurnal_api", "diurnal_worker"},
    "operator": {"diurnal_api", "diurnal_operator"},
}
FOR_COMPILERS: Final = {".a", ".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx"}
FOLDERS_OF_OTHERS: Final = {"tests", "test", "include"}


def unused(part: str, environment: Path) -> Iterator[Path]:
    """The files and folders that the part's image does without."""
    commands = environment / "bin"
    yield from (path for path in commands.glob("diurnal*") if path.name != f"diurnal-{part}")
    yield from (path for path in commands.iterdir() if path.name.lower().startswith(("activate", "pip")))
    [site] = environment.glob("lib/python3*/site-packages")
    yield from (site / name for name in PACKAGES - KEPT[part])
    for package in site.iterdir():
        if package.is_dir() and package.name not in PACKAGES:
            yield from (each for each in package.rglob("*") if _is_for_others(each))


def _is_for_others(path: Path) -> bool:
    if path.is_dir():
        return path.name in FOLDERS_OF_OTHERS
    return path.suffix in FOR_COMPILERS


def remove(path: Path) -> None:
    """A file or folder; one that went with its folder is gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """See the module."""
    part, environment = sys.argv[1], Path(sys.argv[2])
    for path in list(unused(part, environment)):
        remove(path)


if __name__ == "__main__":
    main()

"""A machine that has nothing but what a test puts there: a checkout, and a folder that is the whole PATH."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class BareMachine:
    """A checkout of some files, and the only programs there are; stand-ins of those write `calls` there."""

    checkout: Path
    programs: Path

    @classmethod
    def of(cls, folder: Path, files: Iterable[str], real: Iterable[str]) -> Self:
        """With these files of this repository, and these programs of the real machine, where it has them."""
        machine = cls(folder / "checkout", folder / "bin")
        for file in files:
            target = machine.checkout / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target)
        machine.programs.mkdir()
        for name in real:
            if (found := shutil.which(name)) is not None:
                (machine.programs / name).symlink_to(os.path.realpath(found))
        return machine

    def stands_in(self, name: str, body: str) -> None:
        """A program of this name, as a shell script."""
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        program.chmod(0o755)

    def calls(self) -> list[str]:
        """What the stand-ins were called with, one line a command."""
        path = self.checkout / "calls"
        return path.read_text("utf-8").splitlines() if path.exists() else []

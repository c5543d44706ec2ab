"""The shell commands of a page, run with stand-ins for the programs: what they would call, word for word."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_IN = """\
#!/bin/bash
name=$(basename "$0")
printf '%s\\037' "$name" "$@" >>"$CALLS"
case " $* " in *" - "*) printf 'STDIN:%s' "$(cat)" >>"$CALLS" ;; esac
printf '\\036' >>"$CALLS"
case "$name $*" in "gcloud projects describe"*) echo 123456789012 ;; *print-access-token*) echo token ;; esac
"""


@dataclass(frozen=True)
class Call:
    """A program, its words, and its input where it was asked to read any."""

    program: str
    words: tuple[str, ...]
    text: str = ""

    @property
    def flags(self) -> dict[str, str]:
        """Values by flag; of a flag that stands alone the empty text."""
        return dict(self.all_flags)

    @property
    def all_flags(self) -> list[tuple[str, str]]:
        """Every flag in its order, repeated ones too."""
        return [(f, v) for f, _, v in (word.partition("=") for word in self.words) if f.startswith("--")]

    @property
    def plain(self) -> tuple[str, ...]:
        """The words that are no flags."""
        return tuple(word for word in self.words if not word.startswith("-"))


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path, *programs: str) -> list[Call]:
    """What a script calls; it runs in ``folder`` and ends at the first error."""
    stand_ins = folder / "bin"
    stand_ins.mkdir()
    for program in programs:
        (stand_ins / program).write_text(STAND_IN)
        (stand_ins / program).chmod(0o755)
    calls = folder / "calls"
    environment = {
        "PATH": f"{stand_ins}:/usr/bin:/bin", "CALLS": str(calls), "HOME": str(folder),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }  # fmt: skip
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [_call(record) for record in calls.read_text().split("\036") if record]


def _call(record: str) -> Call:
    record, _, text = record.partition("STDIN:")
    program, *words = record.rstrip("\037").split("\037")
    return Call(program, tuple(words), text)

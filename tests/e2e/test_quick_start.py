"""The README's way onto a cluster, command for command, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess

from clusters import AnyCluster
from place import ROOT

SECTION = re.compile(r"^## On a cluster\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> str:
    found = SECTION.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None, "README.md has no section `On a cluster`"
    return "".join(BLOCK.findall(found[1]))


def test_every_command_of_the_readme_works_on_a_cluster(cluster: AnyCluster) -> None:
    """From this checkout, as after `git clone`, in one shell; who watches stops after a while."""
    watching = r"(?m)^(kubectl (?:get .*(?:-w|--watch)|logs .*(?:-f|--follow))\b.*)$"
    script = re.sub(watching, r"timeout 20 \1 || [ $? = 124 ]", commands())
    assert "make images push install" in script
    done = subprocess.run(
        ["sh", "-eux", "-c", script], cwd=ROOT, env={**os.environ, **cluster.environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^\w+ +1/1 +2026-\S+ .*(Running|Throttled)", done.stdout, re.MULTILINE), done.stdout

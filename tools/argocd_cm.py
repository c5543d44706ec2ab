"""Prints manifests/argo-cd/argocd-cm.yaml: the Lua scripts beside it, in the form that Argo CD reads them.

python tools/argocd_cm.py > manifests/argo-cd/argocd-cm.yaml
"""

# ruff: noqa: INP001  (a script, not a package)

import sys
from pathlib import Path

HERE = Path(__file__).parents[1] / "manifests" / "argo-cd"
KIND = "diurnal.dev_TrafficSimulation"
HEAD = """\
# Generated from the Lua files in this folder by tools/argocd_cm.py. Do not edit.
# A patch for Argo CD's own ConfigMap:
#   kubectl -n argocd patch configmap argocd-cm --patch-file manifests/argo-cd/argocd-cm.yaml
#
# What `kubectl scale` and the actions set is undone by self-heal, unless shards and suspend are left
# out of Git or, in the Application, ignored:
#   ignoreDifferences:
#   - {group: diurnal.dev, kind: TrafficSimulation, jsonPointers: [/spec/shards, /spec/suspend]}
#   syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}
data:
"""


def indented(path: Path, by: int) -> str:
    """A file's lines as a literal block of YAML."""
    return "".join(f"{' ' * by}{line}".rstrip() + "\n" for line in path.read_text().splitlines())


def config_map() -> str:
    """The whole file."""
    text = f"{HEAD}  resource.customizations.health.{KIND}: |\n{indented(HERE / 'health.lua', 4)}"
    text += f"  resource.customizations.actions.{KIND}: |\n    discovery.lua: |\n"
    text += indented(HERE / "actions" / "discovery.lua", 6) + "    definitions:\n"
    for action in ("suspend", "resume", "rescale"):
        text += f"    - name: {action}\n      action.lua: |\n"
        text += indented(HERE / "actions" / action / "action.lua", 8)
    return text


if __name__ == "__main__":
    sys.stdout.write(config_map())

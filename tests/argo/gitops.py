"""Argo CD's scripts as Argo CD runs them, and the rules of kstatus, for tests.

The scripts run in Lua 5.1 with as little of its library as Argo CD gives them. kstatus is told from its rules
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime

ROOT = Path(__file__).parents[2]
ARGO = ROOT / "manifests" / "argo-cd"
WITHOUT = (
    "string", "math", "io", "os", "debug", "package", "require", "loadstring", "load", "dofile", "loadfile",
)  # fmt: skip
Object = dict[str, Any]


def _lua() -> LuaRuntime:
    runtime = LuaRuntime(unpack_returned_tuples=True)
    for name in WITHOUT:
        runtime.globals()[name] = None
    return runtime


def run(script: str, obj: Object, **parameters: str) -> Any:
    """What a script of the folder returns for an object."""
    runtime = _lua()
    runtime.globals()["obj"] = runtime.table_from(obj, recursive=True)
    runtime.globals()["actionParams"] = runtime.table_from(parameters)
    return _as_python(runtime.execute((ARGO / script).read_text()))


def _as_python(value: Any) -> Any:
    if not hasattr(value, "items"):
        return value
    found = {key: _as_python(child) for key, child in value.items()}
    return list(found.values()) if found and all(isinstance(key, int) for key in found) else found


def seen_by_gitops(obj: Object) -> tuple[str, str]:
    """What Argo CD's script and kstatus make of an object."""
    return run("health.lua", obj)["status"], kstatus(obj)


def kstatus(obj: Object) -> str:
    """The rules for kinds that kstatus does not know, in their order."""
    status = obj.get("status", {})
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    if status.get("observedGeneration", obj["metadata"]["generation"]) != obj["metadata"]["generation"]:
        return "InProgress"
    holds = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if holds.get("Reconciling") == "True":
        return "InProgress"
    if holds.get("Stalled") == "True":
        return "Failed"
    return "Current" if holds.get("Ready", "True") == "True" else "InProgress"

"""The definitions of other people's kinds, out of their Go modules, and whether an object fits them."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from packaged import missing

ARGO_CD = "github.com/argoproj/argo-cd/v3@v3.1.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.79.2"


def check(each: dict[str, Any], module: str, path: str) -> None:
    """Raises jsonschema's ValidationError where an object has a wrong or an unknown field."""
    definition = yaml.safe_load((_folder(module) / path).read_text("utf-8"))
    version = each["apiVersion"].rpartition("/")[2]
    [schema] = [v["schema"] for v in definition["spec"]["versions"] if v["name"] == version]
    assert each["kind"] == definition["spec"]["names"]["kind"]
    jsonschema.validate(each, _strict(copy.deepcopy(schema["openAPIV3Schema"])))


@cache
def _folder(module: str) -> Path:
    """Where Go keeps the module, downloaded first where it is not there."""
    go = shutil.which("go")
    if go is None:
        missing("no go on the PATH, which fetches the definitions of kinds: https://go.dev/dl")
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            [str(go), "mod", "download", "-json", module],
            cwd=work, env={**os.environ, "GOFLAGS": "-mod=mod"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        missing(f"{module} cannot be had: {done.stdout[-300:]}")
    return Path(json.loads(done.stdout)["Dir"])


def _strict(schema: Any) -> Any:
    """The schema with unknown fields refused, as an API server's strict validation has it."""
    if isinstance(schema, dict):
        if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
            schema.setdefault("additionalProperties", False)
            if {"apiVersion", "kind", "metadata"} <= schema["properties"].keys():
                schema["properties"]["metadata"] = {"type": "object"}
        if schema.pop("x-kubernetes-int-or-string", False):
            schema.pop("type", None)
        if "(?i)" in str(schema.get("pattern", "")):  # in Go it may stand anywhere
            schema["pattern"] = "(?i)" + schema["pattern"].replace("(?i)", "")
        for child in schema.values():
            _strict(child)
    elif isinstance(schema, list):
        for child in schema:
            _strict(child)
    return schema

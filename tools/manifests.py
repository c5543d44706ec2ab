"""Writes what is installed, from the files of manifests/: one file for kubectl, and the objects of the chart.

python tools/manifests.py [FOLDER]        default: this checkout

The files of manifests/ are the only source. manifests/install.yaml is those of manifests/default, one after
another and with their comments; charts/diurnal/objects/ are the same files, grouped as the chart needs them.
"""

# ruff: noqa: INP001  (a script, not a package)

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).parents[1]
GENERATED: Final = "# Generated from {} by tools/manifests.py. Do not edit."
INSTALL_HEAD: Final = f"""\
{GENERATED.format("manifests/default")}
# All that a cluster needs once: the kind, the operator for all namespaces, and what people may do.
#   kubectl apply --server-side -f manifests/install.yaml
# It names images as `make images` builds them; `make install` writes out/install.yaml, with those pushed.
"""
CHART: Final = {
    "crd": ["crds"],
    "operator": ["manifests/operator", "manifests/rbac/operator-account"],
    "everywhere": ["manifests/rbac/operator/cluster-role.yaml"],
    "somewhere": ["manifests/rbac/operator-namespaced"],
    "users": ["manifests/rbac/users"],
    "worker": ["manifests/worker"],
    "monitoring": ["manifests/monitoring"],
}
"""Each file of the chart's objects and where its objects come from."""
NOT_IN_CHART: Final = {"namespace.yaml"}
"""The release's namespace is Helm's own: helm install --create-namespace."""


def resources(place: Path) -> Iterator[Path]:
    """The files of a kustomization, in the order of its resources; a file is itself."""
    if place.is_file():
        yield place
        return
    kustomization = yaml.safe_load((place / "kustomization.yaml").read_text("utf-8"))
    for resource in kustomization["resources"]:
        yield from resources((place / resource).resolve())


def joined(head: str, files: list[Path]) -> str:
    """One YAML stream with all documents of the files; no file twice."""
    texts = [path.read_text("utf-8").rstrip("\n") for path in dict.fromkeys(files)]
    return head + "\n---\n".join(texts) + "\n"


def install_yaml() -> str:
    """manifests/install.yaml."""
    return joined(INSTALL_HEAD, list(resources(ROOT / "manifests" / "default")))


def chart_objects() -> dict[str, str]:
    """The files of charts/diurnal/objects by their names."""
    return {f"{name}.yaml": _chart_file(places) for name, places in CHART.items()}


def _chart_file(places: list[str]) -> str:
    files = [path for place in places for path in resources(ROOT / place) if path.name not in NOT_IN_CHART]
    return joined(f"{GENERATED.format(' and '.join(places))}\n", files)


def main() -> None:
    """See the module."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    objects = folder / "charts" / "diurnal" / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    for name, text in chart_objects().items():
        (objects / name).write_text(text, "utf-8")
    dashboard = ROOT / "manifests" / "monitoring" / "dashboard.json"
    (objects / "dashboard.json").write_bytes(dashboard.read_bytes())
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests" / "install.yaml").write_text(install_yaml(), "utf-8")


if __name__ == "__main__":
    main()

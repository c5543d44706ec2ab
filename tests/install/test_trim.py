"""What is taken out of an image, on a small installation of our own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SITE = "lib/python3.13/site-packages"


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    found = importlib.util.spec_from_file_location("trim", ROOT / "tools" / "trim.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    for path in (
        "bin/python",
        "bin/activate",
        "bin/Activate.ps1",
        "bin/diurnal",
        "bin/diurnal-worker",
        "bin/diurnal-operator",
        f"{SITE}/diurnal_api/names.py",
        f"{SITE}/diurnal_cli/main.py",
        f"{SITE}/diurnal_operator/loop.py",
        f"{SITE}/diurnal_worker/data/world.csv",
        f"{SITE}/numpy/__init__.py",
        f"{SITE}/numpy/__init__.pyi",
        f"{SITE}/numpy/tests/test_it.py",
        f"{SITE}/numpy/_core/include/numpy.h",
        f"{SITE}/numpy/testing/__init__.py",
        f"{SITE}/numpy.libs/libblas.so",
        f"{SITE}/tzdata/zoneinfo/Europe/Berlin",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def left(trim: ModuleType, part: str, installation: Path) -> set[str]:
    for path in list(trim.unused(part, installation)):
        trim.remove(path)
    return {str(path.relative_to(installation)) for path in installation.rglob("*") if path.is_file()}


def test_a_worker_keeps_its_command_its_packages_and_what_others_need_to_run(
    trim: ModuleType, installation: Path
) -> None:
    assert left(trim, "worker", installation) == {
        "bin/python", "bin/diurnal-worker",
        f"{SITE}/diurnal_api/names.py", f"{SITE}/diurnal_worker/data/world.csv",
        f"{SITE}/numpy/__init__.py", f"{SITE}/numpy/testing/__init__.py",
        f"{SITE}/numpy.libs/libblas.so", f"{SITE}/tzdata/zoneinfo/Europe/Berlin",
    }  # fmt: skip


def test_an_operator_keeps_its_own(trim: ModuleType, installation: Path) -> None:
    kept = left(trim, "operator", installation)
    assert {"bin/diurnal-operator", f"{SITE}/diurnal_operator/loop.py"} <= kept
    assert not any("worker" in path for path in kept)

"""tools/setup.sh on machines of all kinds: each is a folder of stand-ins, which is the whole PATH."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bare_machine import BareMachine

NEEDED = ("sh", "cat", "cksum", "dirname", "mkdir", "chmod")
OLD_PYTHON = 'case "$*" in *version_info*) exit 1 ;; esac; exit 0'
NEW_PYTHON = """
case "$*" in
*version_info*) exit 0 ;;
*"import ensurepip"*) exit 0 ;;
--version) echo "Python 3.12.1" ;;
"-m venv .venv")
    mkdir -p .venv/bin
    printf '%s\\n' '#!/bin/sh' 'echo "$@" >>calls' >.venv/bin/python
    chmod +x .venv/bin/python ;;
esac
"""
WITHOUT_VENV = NEW_PYTHON.replace('*"import ensurepip"*) exit 0', '*"import ensurepip"*) exit 1')
UV = """
case "$1" in
--version) echo "uv 0.9" ;;
sync) mkdir -p .venv && echo "uv $*" >>calls ;;
esac
"""


class Machine(BareMachine):
    """One on which `tools/setup.sh` is called."""

    def setup(self, part: str = "dev") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.checkout / "tools" / "setup.sh", part],
            env={"PATH": str(self.programs)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    assert all(map(shutil.which, NEEDED))
    return Machine.of(tmp_path, ("pyproject.toml", "uv.lock", "tools/setup.sh"), NEEDED)


def test_without_any_python_it_names_what_brings_one(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_that_is_too_old_is_none(machine: Machine) -> None:
    machine.stands_in("python3", OLD_PYTHON)
    done = machine.setup()
    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.stands_in("python3", OLD_PYTHON)
    machine.stands_in("python3.12", NEW_PYTHON)
    assert machine.setup().returncode == 0


def test_debian_without_venv_is_told_the_package(machine: Machine) -> None:
    machine.stands_in("python3", WITHOUT_VENV)
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo apt-get install python3-venv" in done.stderr


def test_with_pip_alone_it_first_brings_a_pip_that_knows_groups(machine: Machine) -> None:
    machine.stands_in("python3", NEW_PYTHON)
    assert machine.setup("dev").returncode == 0
    upgrade, install = machine.calls()
    assert upgrade.endswith("--upgrade pip>=25.1")
    assert install.endswith("--editable .[cli,operator] --group dev")


def test_running_needs_no_tools_of_developers(machine: Machine) -> None:
    machine.stands_in("python3", NEW_PYTHON)
    assert machine.setup("run").returncode == 0
    assert machine.calls()[-1].endswith("--editable .[cli]")


def test_measuring_needs_the_kernel(machine: Machine) -> None:
    machine.stands_in("uv", UV)
    assert machine.setup("bench").returncode == 0
    assert machine.calls() == ["uv sync --quiet --inexact --extra cli --extra fast --no-dev"]


def test_another_lock_is_installed(machine: Machine) -> None:
    machine.stands_in("uv", UV)
    machine.setup("dev")
    with (machine.checkout / "uv.lock").open("a") as lock:
        lock.write("# another version\n")
    machine.setup("dev")
    assert len(machine.calls()) == 2


def test_uv_does_it_where_it_is_there(machine: Machine) -> None:
    machine.stands_in("python3", OLD_PYTHON)
    machine.stands_in("uv", UV)
    assert machine.setup("dev").returncode == 0
    assert machine.calls() == ["uv sync --quiet --inexact --extra cli --extra operator"]


def test_it_works_once(machine: Machine) -> None:
    machine.stands_in("uv", UV)
    machine.setup("dev")
    again = machine.setup("dev")
    assert (again.returncode, again.stderr) == (0, "")
    assert machine.setup("run").stderr == "", "who can test can run"
    assert len(machine.calls()) == 1


def test_another_pyproject_makes_it_work_again(machine: Machine) -> None:
    machine.stands_in("uv", UV)
    machine.setup("dev")
    with (machine.checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# another dependency\n")
    machine.setup("dev")
    assert len(machine.calls()) == 2


def test_a_failed_installation_is_said_and_tried_again(machine: Machine) -> None:
    machine.stands_in("uv", UV.replace("echo", "false && echo", 2))
    done = machine.setup("dev")
    assert done.returncode == 1
    assert "the installation failed" in done.stderr
    machine.stands_in("uv", UV)
    assert machine.setup("dev").returncode == 0
    assert len(machine.calls()) == 1


def test_another_word_is_refused(machine: Machine) -> None:
    done = machine.setup("everything")
    assert done.returncode == 2
    assert "usage" in done.stderr

"""`make images push install` with each builder: stand-ins write down how they were called.

Real builds are in tests/e2e. What differs between the builders is what they are asked.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bare_machine import BareMachine

NEEDED = ("sh", "sed", "dirname", "mkdir", "rm", "cat", "grep", "head", "echo", "printf")
DIGEST = f"sha256:{'d' * 64}"
REGISTRY = "registry.example/team"
BUILDER = f"""
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
info) [ -z "${{NO_DAEMON:-}}" ] || exit 1 ;;
*inspect*) for part in worker operator; do echo "{REGISTRY}/diurnal-$part@{DIGEST}"; done ;;
esac
while [ $# -gt 0 ]; do
    if [ "$1" = --digestfile ]; then printf '%s' "{DIGEST}" >"$2"; fi
    shift
done
"""
KUBECTL = 'echo "kubectl $*" >>"$CALLS"; case "$*" in "config current-context") echo "${CONTEXT:-}" ;; esac'
KIND = 'echo "kind $*" >>"$CALLS"'


class Machine(BareMachine):
    """One on which `tools/images.sh` is called."""

    def has(self, *names: str) -> None:
        bodies = {"kubectl": KUBECTL, "kind": KIND}
        for name in names:
            self.stands_in(name, bodies.get(name, BUILDER))

    def does(self, what: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": str(self.programs), "HOME": str(self.checkout), "CALLS": str(self.checkout / "calls"),
            "SSL_CERT_FILE": "/nowhere",
        }  # fmt: skip
        return subprocess.run(
            [self.checkout / "tools" / "images.sh", what],
            env={**given, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    files = ("pyproject.toml", "tools/images.sh", "manifests/install.yaml")
    return Machine.of(tmp_path, files, (*NEEDED, "basename"))


@pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
def test_what_was_pushed_is_installed_by_its_digest(machine: Machine, builder: str) -> None:
    machine.has(builder, "kubectl")
    for step in ("build", "push", "install"):
        done = machine.does(step, REGISTRY=REGISTRY)
        assert done.returncode == 0, done.stderr
    rendered = (machine.checkout / "out" / "install.yaml").read_text("utf-8")
    assert f"image: {REGISTRY}/diurnal-operator@{DIGEST}\n" in rendered
    assert f"value: {REGISTRY}/diurnal-worker@{DIGEST}\n" in rendered
    assert not re.search(r"^[^#]*localhost/", rendered, re.MULTILINE)
    assert "kubectl apply --server-side -f out/install.yaml" in machine.calls()


def test_a_docker_without_its_daemon_is_passed_over(machine: Machine) -> None:
    machine.has("docker", "podman", "buildah")
    assert machine.does("build", NO_DAEMON="1").returncode == 0
    assert {call.split()[0] for call in machine.calls() if " build " in call} == {"podman"}


def test_the_builder_that_was_asked_for_builds(machine: Machine) -> None:
    machine.has("docker", "buildah")
    assert machine.does("build", BUILDER="buildah").returncode == 0
    assert {call.split()[0] for call in machine.calls()} == {"buildah"}


def test_without_any_builder_it_names_what_would_do(machine: Machine) -> None:
    done = machine.does("build")
    assert done.returncode == 1
    assert "one of them builds the images" in done.stderr


def test_certificates_and_pip_settings_are_lent_as_secrets(machine: Machine) -> None:
    machine.has("podman")
    certificates, settings = machine.checkout / "ca.crt", machine.checkout / "pip.conf"
    certificates.touch()
    settings.touch()
    machine.does("build", SSL_CERT_FILE=str(certificates), PIP_CONFIG_FILE=str(settings))
    for call in machine.calls():
        assert f"--secret id=ca,src={certificates} --secret id=pip,src={settings}" in call


def test_without_a_registry_images_are_loaded_into_kind(machine: Machine) -> None:
    machine.has("docker", "kubectl", "kind")
    assert machine.does("push", CONTEXT="kind-mine").returncode == 0
    loads = [call for call in machine.calls() if call.startswith("kind load image-archive --name mine ")]
    assert len(loads) == 2
    assert machine.does("render").returncode == 0


def test_without_a_registry_on_another_cluster_it_asks_where_to(machine: Machine) -> None:
    machine.has("docker", "kubectl")
    done = machine.does("push", CONTEXT="gke_acme")
    assert done.returncode == 1
    assert "where to?" in done.stderr
    assert "gke_acme" in done.stderr


def test_nothing_is_installed_before_something_was_pushed(machine: Machine) -> None:
    machine.has("kubectl")
    done = machine.does("install")
    assert done.returncode == 1
    assert "make images push" in done.stderr
    assert not any("apply" in call for call in machine.calls())

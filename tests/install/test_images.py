"""What the Dockerfiles say, without building them; tests/e2e builds them and looks inside."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging import tags
from packaging.utils import parse_wheel_filename

from diurnal_worker import ENVIRONMENT

ROOT = Path(__file__).parents[2]
PARTS = ("worker", "operator")
BIN = Path(sys.executable).parent
LINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)] + [
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"
]  # fmt: skip
"""What a slim base of Debian 12 takes, best first (PEP 600)."""


OF_WORKERS = r"# As worker/.*\nENV OPENBLAS.*\n"


def dockerfile(part: str) -> str:
    return (ROOT / f"Dockerfile.{part}").read_text("utf-8")


def names(requirements: Path) -> set[str]:
    return set(re.findall(r"(?m)^([a-z0-9-]+)==", requirements.read_text("utf-8")))


def test_requirements_are_those_of_the_lock(tmp_path: Path) -> None:
    subprocess.run([ROOT / "tools" / "requirements.sh", tmp_path], check=True)
    for path in tmp_path.iterdir():
        assert path.read_text() == (ROOT / "tools" / "requirements" / path.name).read_text(), path.name


def test_every_requirement_has_its_hash() -> None:
    for path in (ROOT / "tools" / "requirements").iterdir():
        for entry in re.split(r"\n(?=\S)", path.read_text("utf-8").strip()):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_a_worker_has_nothing_of_the_operator_and_no_part_has_a_tool_of_developers() -> None:
    worker, operator = (names(ROOT / "tools" / "requirements" / f"{part}.txt") for part in PARTS)
    assert worker.isdisjoint({"kopf", "kubernetes", "aiohttp"})
    assert operator.isdisjoint({"numpy", "grpcio", "google-cloud-pubsub"})
    assert (worker | operator).isdisjoint({"pytest", "mypy", "ruff", "hatchling", "uv", "pip"})
    assert "tzdata" in worker & operator, "the operator pins the version of the zones that workers have"


def test_the_two_dockerfiles_differ_in_their_part_alone() -> None:
    worker, operator = (
        re.sub(
            rf"(?m)^# The .*$|description=.*$|(Dockerfile\.|diurnal-|trim.py ){part}|{part}\.txt", "", text
        )
        for part, text in ((part, re.sub(OF_WORKERS, "", dockerfile(part))) for part in PARTS)
    )
    assert worker == operator


def test_a_pods_worker_is_started_as_any_other() -> None:
    [line] = re.findall(r"(?m)^ENV (OPENBLAS.*)$", dockerfile("worker"))
    assert dict(each.split("=") for each in line.split()) == ENVIRONMENT


@pytest.mark.parametrize("part", PARTS)
def test_the_base_is_pinned_by_a_digest_and_can_be_another(part: str) -> None:
    text = dockerfile(part)
    assert re.search(
        r"(?m)^ARG BASE_IMAGE=docker\.io/library/python:3\.13\.\d+-slim-\w+@sha256:[0-9a-f]{64}$",
        text,
        re.MULTILINE,
    )
    assert re.findall(r"(?m)^FROM (\S+)", text) == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


@pytest.mark.parametrize("part", PARTS)
def test_the_user_is_a_number_so_that_a_cluster_can_tell_it_from_root(part: str) -> None:
    assert re.findall(r"(?m)^USER (.*)$", dockerfile(part)) == ["65532:65532"]


@pytest.mark.parametrize("part", PARTS)
def test_the_program_is_process_one_without_a_shell(part: str) -> None:
    assert re.findall(r"(?m)^ENTRYPOINT (.*)$", dockerfile(part)) == [f'["diurnal-{part}"]']


@pytest.mark.parametrize("part", PARTS)
def test_what_a_dockerfile_copies_reaches_the_builder_and_nothing_else_does(part: str) -> None:
    copied = {
        source
        for line in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", dockerfile(part))
        for source in line.split()
    }
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == each or source.startswith(f"{each}/") for each in let_through), source
    assert all(
        any(source == each or source.startswith(f"{each}/") for source in copied) for each in let_through
    )


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [BIN / "hadolint", *(ROOT / f"Dockerfile.{part}" for part in PARTS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_the_versions_of_package_chart_and_manifests_are_one() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    chart = (ROOT / "charts" / "diurnal" / "Chart.yaml").read_text("utf-8")
    deployment = (ROOT / "manifests" / "operator" / "deployment.yaml").read_text("utf-8")
    assert re.findall(r"(?m)^(?:version|appVersion): (.*)$", chart) == [version, version]
    assert set(re.findall(r"localhost/diurnal-\w+:(\S+)", deployment)) == {version}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("python", ["cp311", "cp312", "cp313"])
def test_every_requirement_has_a_wheel_for_every_python_of_a_base(part: str, python: str) -> None:
    """Also for the default base, which cannot be fetched where the tests run."""
    wheels: dict[str, list[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]:  # some in two versions
        wheels.setdefault(package["name"], []).extend(
            wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", [])
        )
    fits = {str(tag) for tag in tags.compatible_tags((3, int(python[3:])), python, [*LINUX, "any"])} | {
        str(tag) for tag in tags.cpython_tags((3, int(python[3:])), platforms=LINUX)
    }
    for name in names(ROOT / "tools" / "requirements" / f"{part}.txt"):
        found = [w for w in wheels[name] if fits & set(map(str, parse_wheel_filename(w)[3]))]
        assert found, f"{name} has no wheel for {python}"

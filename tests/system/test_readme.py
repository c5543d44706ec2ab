"""The documentation is executed: every `sh` block of README and docs runs as a reader would run it.

Blocks run in one folder a file, in their order, beside the examples. What a reader does once (set-up, a
terminal for the emulator) is left out by name, not by accident.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "docs/fidelity.md": "tests/fidelity; its last block is for batteries that are not here",
    "docs/gke.md": "tests/docs/test_gke.py, with stand-ins for the cloud",
    "docs/monitoring.md": "tests/monitoring, on a Prometheus",
}
"""Pages whose commands need more than this machine, and where those are tested."""
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md")))]
ALL_PAGES = [*PAGES, "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"]
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(#[^)]*)?\)")
NOT_HERE = re.compile(r"^(make|gcloud|kubectl|helm|argocd|export PATH|export PUBSUB_EMULATOR_HOST)\b")
"""The Makefile's commands are tested by name, those of clusters in tests/cluster and tests/e2e; the
emulator is the tests' own."""


def blocks(page: str, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall((ROOT / page).read_text("utf-8")) if kind == language]


def script(page: str, *, publishes: bool) -> str:
    """The commands of a page that publish, or those that do not."""
    chosen = [block for block in blocks(page, "sh") if ("PUBSUB_EMULATOR_HOST" in block) == publishes]
    commands = "".join(chosen).replace("\\\n", " ").splitlines()
    return "\n".join(line for line in commands if not NOT_HERE.match(line))


def run(commands: str, folder: Path, **environment: str) -> str:
    """What the commands print, run by a shell in a folder with the examples; the first failure fails."""
    if not (folder / "manifests").exists():
        (folder / "manifests").symlink_to(ROOT / "manifests")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {k: v for k, v in os.environ.items() if k != "PUBSUB_EMULATOR_HOST"}
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=folder,
        env={**inherited, **environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_every_command_of_a_page_works(page: str, tmp_path: Path) -> None:
    for number, table in enumerate(blocks(page, "csv")):
        name = re.findall(r"`(\w+\.csv)`", (ROOT / page).read_text("utf-8"))[number]
        (tmp_path / name).write_text(table, "utf-8")
    run(script(page, publishes=False), tmp_path)


def test_the_readme_publishes_to_the_emulator(emulator: str, tmp_path: Path) -> None:
    printed = run(script("README.md", publishes=True), tmp_path, PUBSUB_EMULATOR_HOST=emulator)
    assert re.search(r"Completed: .*\n[1-9][0-9,]* events, ", printed), printed


def test_the_demo_ends_with_a_summary_an_event_a_report_and_what_comes_next(tmp_path: Path) -> None:
    recipe = subprocess.run(
        ["make", "-n", "--no-print-directory", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = "\n".join(line for line in recipe.splitlines() if not line.startswith("tools/setup.sh"))
    printed = run(commands.replace(".venv/bin/diurnal", "diurnal"), tmp_path)
    assert "costs nothing" in printed
    assert "569,944 events in out/" in printed
    assert '{"generation_timestamp":' in printed
    assert "Report: out/report.html" in printed
    assert "The same command" in printed
    assert (tmp_path / "out" / "report.html").stat().st_size > 100_000


def test_the_event_of_the_readme_is_the_first_of_the_demo(tmp_path: Path) -> None:
    """The same seed gives the same events everywhere, so a page may quote one."""
    shown = re.search(r'"event_id":.*', (ROOT / "README.md").read_text("utf-8"))
    assert shown is not None
    printed = run(
        "diurnal run manifests/examples/app-store.yaml --for 10m --set budget.maxMessagesPerSecond=Unlimited",
        tmp_path,
    )
    assert shown[0] in printed


@pytest.mark.parametrize("example", [path.name for path in EXAMPLES])
def test_every_example_is_valid(example: str, tmp_path: Path) -> None:
    assert f"{example}: ok" in run(f"diurnal validate manifests/examples/{example}", tmp_path)


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_link_inside_the_project_leads_somewhere(page: str) -> None:
    for target, _ in LINK.findall((ROOT / page).read_text("utf-8")):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_make_command_of_a_page_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"^make ([a-z0-9-]+)|`make ([a-z0-9-]+)", text, re.MULTILINE)
    rules = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {first or second for first, second in named} <= rules


def test_the_two_commands_are_among_the_first_things_that_a_reader_sees() -> None:
    head = (ROOT / "README.md").read_text("utf-8")[:2000]
    assert "make demo" in head
    assert "make test" in head


def test_the_readmes_example_of_a_resource_is_one_of_the_examples() -> None:
    shown = blocks("README.md", "yaml")[0]
    smallest = (ROOT / "manifests" / "examples" / "smallest.yaml").read_text("utf-8")
    assert [line for line in smallest.splitlines() if not line.startswith("#")] == shown.splitlines()


def test_the_tools_that_the_documentation_needs_are_here() -> None:
    for tool in ("make", "curl"):
        assert shutil.which(tool), f"{tool} is not on the PATH: sudo apt-get install {tool}"

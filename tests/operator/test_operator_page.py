"""docs/operator.md names every setting with its default, and every reason that is ever said."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from diurnal_operator.settings import EMULATORS, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operator.md").read_text("utf-8")
SILENT = frozenset({"HOSTNAME", *EMULATORS})
"""Variables that are not the operator's own: the text tells of them."""
NO_REASONS = frozenset(
    {
        # words of the API
        "Available", "Background", "Deployment", "Event", "False", "Lease", "Normal", "Recreate",
        "ReplicaFailure", "RuntimeDefault", "True", "Unknown", "Warning",
        # types of conditions, units, states of checkpoints, names of types
        "Failed", "Gi", "Key", "Ki", "Mi", "Ready", "Reconciling", "Stalled", "Throttled", "Ti",
    }
)  # fmt: skip
WORD = re.compile(r"[A-Z]+[a-z][A-Za-z0-9]*")


class Recorded(Mapping[str, str]):
    """An empty environment that remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def variables() -> dict[str, str]:
    """What the page says of each variable: its default."""
    return dict(re.findall(r"^\| `(DIURNAL_[A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))


def reasons() -> set[str]:
    """The first column of all tables below "Reasons"."""
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE.split("## Reasons")[1], re.MULTILINE)
    return {reason for row in rows for reason in re.findall(r"`(\w+)`", row)}


def test_every_variable_that_is_read_has_a_row_and_no_other_has() -> None:
    environment = Recorded()
    Settings.from_environment(environment)
    assert environment.asked - SILENT == set(variables())


@pytest.mark.parametrize(("name", "told"), variables().items())
def test_the_default_that_is_told_changes_nothing(name: str, told: str) -> None:
    """A default in words, such as `none`, cannot be tried; the others can."""
    if (value := re.fullmatch(r"`(.+)`", told)) is not None:
        assert Settings.from_environment({name: value[1]}) == Settings()


def test_what_has_a_default_in_words_has_none_that_could_be_written() -> None:
    in_words = {name for name, told in variables().items() if not told.startswith("`")}
    assert in_words == {
        "DIURNAL_TZDATA", "DIURNAL_NAMESPACES", "DIURNAL_MAX_MESSAGES_PER_SECOND", "DIURNAL_MAX_USD_PER_DAY",
        "DIURNAL_ALLOWED_TOPICS", "DIURNAL_ALLOWED_BUCKETS", "DIURNAL_ALLOWED_SERVICE_ACCOUNTS",
    }  # fmt: skip


def said_by_the_operator() -> set[str]:
    """Every CamelCase word among the strings of its modules that is not known to be something else."""
    paths = (ROOT / "operator" / "diurnal_operator").glob("*.py")
    return {word for path in paths for word in _words(path) if WORD.fullmatch(word)} - NO_REASONS


def said_by_workers() -> set[str]:
    """The reasons of the errors that end a worker's work, from where they are raised."""
    raised = {"DatasetError", "DatasetUnavailableError", "PermanentSinkError"}
    return {
        argument.value
        for path in (ROOT / "worker" / "diurnal_worker").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in raised
        for argument in call.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and WORD.fullmatch(argument.value)
    } - {"FilesNotWritable", "OutputClosed", "OutputFailed"}  # of sinks that no pod has


def _words(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_reason_of_the_operator_is_explained() -> None:
    found = said_by_the_operator()
    assert {"LeaseNotTaken", "OtherEngine", "USDCeiling", "Draining"} <= found
    assert found - reasons() == set()


def test_every_reason_of_a_worker_is_explained() -> None:
    found = said_by_workers()
    assert {"BucketMissing", "GenerationGone"} <= found
    assert found - reasons() == set()


@pytest.mark.parametrize("code", ["NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION",
                                  "UNIMPLEMENTED", "INVALID_ARGUMENT", "OUT_OF_RANGE"])  # fmt: skip
def test_every_verdict_on_pubsub_for_good_is_explained(code: str) -> None:
    from diurnal_worker.sinks.retries import Failure, classify

    for words in ("", "the schema refuses it", "larger than max"):
        verdict = classify(Failure(code, words))
        assert verdict.permanent
        assert verdict.reason in reasons()


def test_no_reason_is_explained_that_nobody_says() -> None:
    code = "".join(
        path.read_text("utf-8")
        for package in ("operator/diurnal_operator", "worker/diurnal_worker")
        for path in (ROOT / package).rglob("*.py")
    )
    assert [reason for reason in sorted(reasons()) if f'"{reason}"' not in code] == []

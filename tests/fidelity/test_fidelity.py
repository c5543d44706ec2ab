"""`make fidelity` in small: the engine passes, planted defects do not, and processes do not matter."""

import json
from pathlib import Path

import numpy as np
import pytest

from diurnal_fidelity import asking, running
from diurnal_fidelity.__main__ import main
from diurnal_fidelity.defects import DEFECTS
from diurnal_fidelity.questions import ALL
from diurnal_fidelity.scenarios import SCENARIOS
from diurnal_fidelity.verdict import rejected

FOUND = {
    "a biased modulo": (3e6, "users in their stratum: Kolmogorov-Smirnov"),
    "reused keys": (5e5, "next tick: place x place"),
    "a shifted hour": (5e5, "stratum x hour: chi-square"),
    "a lost tick": (6e5, "tick: the strangest"),
    "a wrong DST": (2e6, "stratum x hour: chi-square"),
    "32-bit user draws": (4.3e6, "users that come again: Poisson"),
    "uniform in bin": (2e6, "places in rising ticks: Kolmogorov-Smirnov"),
}


def test_every_defect_has_a_test() -> None:
    assert FOUND.keys() == DEFECTS.keys()


@pytest.mark.parametrize("defect", FOUND)
def test_a_planted_defect_is_found(defect: str) -> None:
    events, question = FOUND[defect]
    answers = asking.of_defect(defect, events, 1, lambda _: None)
    assert question in {answer.question for answer in rejected(answers)}


def test_a_run_passes_and_writes_its_page(tmp_path: Path) -> None:
    small = ["--events", "6e5", "--words", "16384", "--no-defects", "--processes", "1", "--to", str(tmp_path)]
    assert main(small) == 0
    page = (tmp_path / "fidelity.md").read_text()
    assert "none is rejected" in page
    for picture in ("p-values", "residuals"):
        assert f"images/fidelity-{picture}.svg" in page
        assert (tmp_path / "images" / f"fidelity-{picture}.svg").read_text().startswith("<svg")
    result = json.loads((tmp_path / "fidelity.json").read_text())
    assert {answer["part"] for answer in result["answers"]} == {*SCENARIOS, "users", "raw words"}
    assert {answer["kind"] for answer in result["answers"]} >= {kind.title for kind in ALL} - {
        "users that come again"  # needs more events than this
    }


def test_a_run_that_finds_a_defect_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        asking, "stretches", lambda events: running.plan(SCENARIOS["season"], events, "a shifted hour")
    )
    small = ["--events", "3e5", "--words", "16384", "--no-defects", "--processes", "1", "--to", str(tmp_path)]
    assert main(small) == 1
    assert "rejected" in (tmp_path / "fidelity.md").read_text()


def test_the_result_is_the_same_for_any_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STRETCH", 1 << 17)
    plan = running.plan(SCENARIOS["season"], 4e5)
    assert len(plan) >= 3
    one, two = (running.watch(plan, processes, lambda _: None)["season"] for processes in (1, 2))
    assert one.events == two.events > 300_000
    for first, second in zip(one.questions, two.questions, strict=True):
        assert first.least == second.least
        assert first.sums.keys() == second.sums.keys()
        assert all(np.array_equal(first.sums[name], second.sums[name]) for name in first.sums)


def test_memory_is_that_of_the_sums() -> None:
    """Of a stretch nothing grows with its events but the cells of its hours and ticks."""
    plan = running.plan(SCENARIOS["level"], 1e6)
    _, found = running.look(plan[0])
    _, half = running.look(running.Stretch("level", "engine", plan[0].ticks[: len(plan[0].ticks) // 2]))
    size, of_half = (sum(v.nbytes for sums, _ in each for v in sums.values()) for each in (found, half))
    assert size < of_half * 1.1

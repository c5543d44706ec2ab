"""The measurement of `make scale`, in small: that it measures, and holds each figure against its bound."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from scale import measured, stage
from scale_figures import Figures
from scale_page import page

GOOD = Figures(
    simulations=10, shards=1000, lead=1.0, ready=60.0, start_cpu=30.0, start_writes=40, steady=120.0,
    steady_cpu=12.0, steady_writes=120, most_writes=5, memory=150.0, peak=160.0,
)  # fmt: skip


@pytest.mark.timeout(280)
def test_a_few_shards_become_ready_and_cost_little() -> None:
    with stage(nodes=1) as on:
        figures = measured(on, simulations=4, shards=8, seconds=12.0)
    assert figures.kept, figures.table
    assert figures.start_writes >= 8  # a plan, and what became of it
    assert 0 < figures.steady_writes <= 4 * 3  # one in ten seconds of each, from whichever moment on


@pytest.mark.parametrize(
    "missed",
    [
        {"ready": 181.0}, {"lead": 2.1}, {"steady_cpu": 31.0}, {"peak": 201.0}, {"memory": 201.0},
        {"most_writes": 6},
    ],
)  # fmt: skip
def test_every_bound_is_held_against_its_figure(missed: dict[str, float]) -> None:
    assert GOOD.kept
    figures = replace(GOOD, **missed)  # type: ignore[arg-type]
    assert not figures.kept
    assert figures.table.count("NOT KEPT") == 1


def test_the_page_has_every_figure_and_the_machine() -> None:
    text = page(GOOD)
    for row in GOOD.rows:
        assert f"| {row.what} | {row.figure} | {row.bound} |" in text
    assert re.search(r"^\d{4}-\d\d-\d\d, \d+ cores? ", text, re.MULTILINE)

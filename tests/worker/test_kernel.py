"""The compiled kernel: when it is fetched, and that nobody can tell afterwards."""

import sys
from collections.abc import Iterator

import pytest

import diurnal_worker
from diurnal_api.plan import Pace
from diurnal_worker import kernel
from diurnal_worker.hastening import hasten
from harness import Run, spec


@pytest.fixture(autouse=True)
def unloaded() -> Iterator[None]:
    kernel.unload()
    yield
    kernel.unload()


@pytest.mark.parametrize(
    ("messages_per_second", "freely", "shards", "worth_it"),
    [
        (None, True, 1, True),
        (None, True, 64, True),
        (1000.0, True, 4, False),
        (1_000_000.0, True, 4, True),
        (1_000_000.0, True, 64, False),
        (None, False, 1, False),
    ],
)
def test_it_is_for_shards_that_may_send_much(
    messages_per_second: float | None, freely: bool, shards: int, worth_it: bool
) -> None:
    assert kernel.pays(messages_per_second, shards, freely=freely) is worth_it


def test_without_numba_everything_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "diurnal_worker.compiled", raising=False)
    monkeypatch.delattr(diurnal_worker, "compiled", raising=False)
    assert not kernel.load()
    assert kernel.loaded() is None


def test_a_throttled_plan_does_not_fetch_it_and_an_unlimited_one_does() -> None:
    pytest.importorskip("numba", reason="numba is not installed: pip install numba")
    plan = Run(spec(), shards=1).plan
    assert hasten(plan.model_copy(update={"pace": Pace(messages_per_second=1000.0)})) is None
    loading = hasten(plan.model_copy(update={"pace": Pace()}))
    assert loading is not None
    loading.join()
    assert kernel.loaded() is not None
    assert hasten(plan.model_copy(update={"pace": Pace()})) is None

"""For all tests: long ones begin first, so that two processes end together; with and without the kernel."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from diurnal_worker import kernel

# A slow machine is no counterexample. The same examples every time: what fails was broken by the change that
# it fails on. `make search` looks for counterexamples where nobody has looked.
settings.register_profile("patient", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("patient")

LONG = (
    "tests/system/",
    "tests/fidelity/test_fidelity.py",
    "tests/worker/test_statistics.py",
    "tests/worker/test_guarantees.py",
    "tests/cluster/test_killed_operator.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within each half the random order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="module", params=["numpy", "kernel"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of the module runs without the compiled kernel, and with it."""
    if request.param == "kernel" and not kernel.load():
        if os.environ.get("DIURNAL_REQUIRE_TOOLS") == "1":
            pytest.fail("numba is not installed (DIURNAL_REQUIRE_TOOLS=1 asks for it)")
        pytest.skip("numba is not installed: pip install numba")
    yield
    kernel.unload()

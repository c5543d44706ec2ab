"""For all tests: the long ones begin first, so that two processes end together."""

import pytest

LONG = (
    "tests/system/",
    "tests/fidelity/test_fidelity.py",
    "tests/worker/test_statistics.py",
    "tests/worker/test_guarantees.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within each half the random order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))

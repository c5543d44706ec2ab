"""Tests that take minutes or compile a cluster run only where somebody asked for them."""

from __future__ import annotations

from pathlib import Path

import pytest


def only_if_asked(
    config: pytest.Config, items: list[pytest.Item], folder: Path, mark: str
) -> list[pytest.Item]:
    """Marks the tests of a folder; leaves them out unless the mark or a path in the folder was asked for."""
    ours = [item for item in items if folder in item.path.parents]
    for item in ours:
        item.add_marker(mark)
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    asked = mark in config.option.markexpr or any(folder in (path, *path.parents) for path in paths)
    if not asked:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
    return ours

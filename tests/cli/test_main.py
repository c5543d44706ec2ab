"""What the command says of itself."""

from __future__ import annotations

from importlib.metadata import version

import tzdata
from typer.testing import CliRunner

from diurnal_cli.main import app
from diurnal_worker import ENGINE


def test_the_version_names_all_that_a_stream_depends_on() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert (
        result.stdout == f"diurnal {version('diurnal')}, engine {ENGINE}, time zones {tzdata.IANA_VERSION}\n"
    )

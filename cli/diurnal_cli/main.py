"""The ``diurnal`` command. Each subcommand is a few lines here and a module of its own."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="diurnal",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Output(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


class PlanOutput(StrEnum):
    """How ``diurnal plan`` prints its result."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


File = Annotated[
    Path, typer.Argument(help="A TrafficSimulation, YAML or JSON.", metavar="FILE", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a field, such as budget.maxMessagesPerSecond=500."
    ),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="DURATION", help="Simulated time from clock.start, end exclusive: 1d, 36h, 90m."
    ),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        from diurnal_worker import ENGINE
        from diurnal_worker.zonefiles import TZDATA_VERSION

        typer.echo(f"diurnal {version('diurnal')}, engine {ENGINE}, time zones {TZDATA_VERSION}")
        raise typer.Exit


@app.callback(epilog="Example: diurnal plan manifests/examples/app-store.yaml")
def diurnal(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the versions of the program and of what a run depends on.",
        ),
    ] = False,
) -> None:
    """The traffic of a whole planet of app users, on demand."""


@app.command(
    epilog="Example: diurnal run manifests/examples/app-store.yaml --for 1d "
    "--set budget.maxMessagesPerSecond=Unlimited\n\n"
    "Exit codes: 0 the end or a total was reached; 1 invalid input; 2 wrong usage; 3 failed for good; "
    "4 the state folder is in use; 75 stopped, some messages will be sent again; 130, 143 stopped by "
    "Ctrl-C or SIGTERM with the position kept."
)
def run(
    file: File,
    settings: Set = None,
    length: For = None,
    sink: Annotated[
        str | None,
        typer.Option(
            metavar="SINK", help="files:DIR (default files:out), stdout, discard, or pubsub, which costs."
        ),
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the position is kept; default beside the files.")
    ] = None,
    output: Annotated[
        Output, typer.Option(help="Progress and summary for people or machines.")
    ] = Output.TEXT,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress files.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Publish to real Pub/Sub without asking.")] = False,
) -> None:
    """Run a simulation on this machine; the same command goes on where it stopped."""
    from diurnal_cli.run import Options
    from diurnal_cli.running import run_here

    options = Options(str(file), tuple(settings or ()), length, sink, state, output.value, gzip, yes)
    raise typer.Exit(run_here(options, sys.argv[1:]))


@app.command(epilog="Example: diurnal plan manifests/examples/app-store.yaml --for 7d --output json")
def plan(
    file: File,
    settings: Set = None,
    length: For = None,
    output: Annotated[PlanOutput, typer.Option(help="A table, or for machines.")] = PlanOutput.TABLE,
) -> None:
    """Show what a simulation will do, how long it takes and what it costs. Nothing is sent."""
    from diurnal_cli.planning import run as show_plan

    raise typer.Exit(show_plan(str(file), tuple(settings or ()), length, output.value))


@app.command(epilog="Example: diurnal validate manifests/examples/*.yaml")
def validate(
    files: Annotated[list[Path], typer.Argument(help="Files with TrafficSimulations.", metavar="FILE...")],
    output: Annotated[Output, typer.Option(help="For people or machines.")] = Output.TEXT,
) -> None:
    """Check files by every rule that the API server knows, offline. Exit code 1 where one is broken."""
    from diurnal_cli.validate import run as validate_all

    raise typer.Exit(validate_all(files, output.value))


@app.command(epilog="Example: diurnal report out")
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or its state folder.", metavar="DIR")],
    output: Annotated[Path | None, typer.Option(help="Where to write; default DIR/report.html.")] = None,
) -> None:
    """Make the report of a run again: one page that opens offline."""
    from diurnal_cli.running import report_again

    raise typer.Exit(report_again(folder, output))


@app.command("import", epilog="Example: diurnal import publisher_config.json --into my-world")
def import_config(
    config: Annotated[
        Path, typer.Argument(help="A publisher_config.json of the old publisher.", metavar="CONFIG")
    ],
    into: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Translate an old publisher's configuration to a TrafficSimulation and a dataset."""
    from diurnal_cli.importing import run as import_all

    raise typer.Exit(import_all(config, into, force=force))


def main() -> None:
    """The entry of the console script."""
    app()


if __name__ == "__main__":
    main()

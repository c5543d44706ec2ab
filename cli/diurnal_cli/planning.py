"""``diurnal plan FILE``: what a run will do, how long it takes and what it costs. Nothing is sent."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from diurnal_api.planning import PlanError
from diurnal_cli.forecast import forecast
from diurnal_cli.forecast_document import document
from diurnal_cli.forecast_table import WIDTH, table
from diurnal_cli.local_plan import dataset_of, plan_here
from diurnal_cli.run import COMPLETED, INVALID, Options, simulation_of
from diurnal_cli.validate import InvalidInputError
from diurnal_worker.dataset import DatasetError
from diurnal_worker.strata import World

if TYPE_CHECKING:
    from diurnal_cli.forecast import Forecast

_MICROSECOND_IN_NS = 1000


def run(file: str, settings: tuple[str, ...], length: str | None, output: str) -> int:
    """Prints the plan of a file as ``table``, ``json`` or ``yaml``; 1 where the input is invalid, else 0."""
    try:
        found = forecast_of(file, settings, length, time.time_ns() // _MICROSECOND_IN_NS)
    except (InvalidInputError, PlanError, DatasetError) as error:
        sys.stderr.write(f"diurnal: {error}\n")
        return INVALID
    _show(found, output)
    return COMPLETED


def forecast_of(file: str, settings: tuple[str, ...], length: str | None, now: int) -> Forecast:
    """The forecast of a file; InvalidInputError or DatasetError say for people why there is none."""
    simulation = simulation_of(Options(file, settings))
    dataset = dataset_of(simulation)
    plan = plan_here(simulation, dataset, length, now)
    world = World.build(dataset, int(plan.population.users), int(plan.population.seed))
    return forecast(plan, simulation.spec, simulation.metadata.name, world, len(dataset.countries))


def _show(found: Forecast, output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(document(found), indent=2) + "\n")
    elif output == "yaml":
        sys.stdout.write(yaml.safe_dump(document(found), sort_keys=False))
    else:
        console = Console(highlight=False)
        console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
        console.print(table(found))

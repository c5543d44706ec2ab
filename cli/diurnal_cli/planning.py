"""``diurnal plan FILE``: what a run will do, how long it takes and what it costs. Nothing is sent."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from diurnal_api.plan import DatasetRef
from diurnal_api.planning import PlanError, first_plan
from diurnal_cli.durations import parse_duration
from diurnal_cli.forecast import forecast
from diurnal_cli.forecast_document import document
from diurnal_cli.forecast_table import WIDTH, table
from diurnal_cli.run import COMPLETED, INVALID, Options, simulation_of
from diurnal_cli.validate import InvalidInputError
from diurnal_worker import ENGINE
from diurnal_worker.dataset import DatasetError
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from diurnal_worker.zonefiles import TZDATA_VERSION
from diurnal_worker.zones import QUARTER, Offsets

if TYPE_CHECKING:
    from diurnal_api.plan import Plan
    from diurnal_api.spec import TrafficSimulation
    from diurnal_cli.forecast import Forecast
    from diurnal_worker.dataset import Dataset

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
    dataset = _dataset(simulation)
    plan = _planned(simulation, dataset, length, now)
    world = World.build(dataset, int(plan.population.users), int(plan.population.seed))
    _refuse_odd_offsets(world, plan.start)
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


def _planned(simulation: TrafficSimulation, dataset: Dataset, length: str | None, now: int) -> Plan:
    spec = simulation.spec
    plan = first_plan(
        spec,
        run=f"{simulation.metadata.name}-{spec.restart_nonce}",
        now=now,
        shards=max(int(spec.shards), 1),
        engine=ENGINE,
        tzdata=TZDATA_VERSION,
        dataset=DatasetRef(uri=dataset.uri, generation=dataset.generation, sha256=dataset.sha256),
    )
    end = _end(plan, length)
    if end is not None and end <= plan.start:
        raise InvalidInputError(
            f"{simulation.metadata.name}: clock.end is past: the run would be empty; choose a later one"
        )
    return plan.model_copy(update={"pace": plan.pace.model_copy(update={"end": end})})


def _end(plan: Plan, length: str | None) -> int | None:
    """The earlier of clock.end and what --for asks for."""
    if length is None:
        return plan.pace.end
    try:
        end = plan.start + parse_duration(length)
    except ValueError as error:
        raise InvalidInputError(f"--for {error}") from None
    return end if plan.pace.end is None else min(end, plan.pace.end)


def _dataset(simulation: TrafficSimulation) -> Dataset:
    countries = simulation.spec.population.countries
    if countries.config_map is not None:
        raise InvalidInputError(
            "population.countries.configMap needs a cluster: use --set population.countries='{uri: FILE}'"
        )
    generation = None if countries.generation is None else int(countries.generation)
    return load(countries.builtin or countries.uri or "", generation=generation, sha256=countries.sha256)


def _refuse_odd_offsets(world: World, start: int) -> None:
    """A zone that is no multiple of 15 minutes from UTC at the start is refused, for people."""
    try:
        Offsets(world.zones).at(start // QUARTER)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
